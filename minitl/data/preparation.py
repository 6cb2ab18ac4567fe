"""How images are prepared for a pre-trained network, and how to tell that they were not.

A network expects images as it saw them in training: in which order of the channels, and in which range. Two ways are
common, Caffe's and TensorFlow's. Which network takes which, the networks say: `PREPARATIONS` is filled by
`applications.add`, so that training, which knows no network, can warn of images that run otherwise.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..errors import DataError

# Mean blue, green and red of ImageNet's training images.
IMAGENET_MEAN_BGR = np.array([103.939, 116.779, 123.68], np.float32)
ANOTHER, FROM_0_TO_1 = "another-networks-preprocessing", "pixels-from-0-to-1"  # of `minitl mistakes`


class Preparation(NamedTuple):
    """How a network's images are prepared.

    function   RGB images (..., 3) from 0 to 255 -> what the network takes
    range      in words, from where to where its numbers run; None where nobody is to look
    mistake    (smallest, largest) of some images -> the name of the mistake by which prepared images came to run like
               this; None where they may be right
    """

    function: Callable
    range: str | None = None
    mistake: Callable = lambda smallest, largest: None

    @property
    def name(self):
        """Where people find the function: "minitl.applications.vgg16.preprocess_input"."""
        return f"{self.function.__module__}.{self.function.__qualname__}"


PREPARATIONS = {}  # {name of an application: its `Preparation`}


def preprocess_caffe(x):
    """RGB (..., 3) from 0 to 255 -> BGR minus the mean colour, not scaled: what Caffe's models were trained on."""
    bgr = np.array(_rgb(x)[..., ::-1], np.float32, order="C")  # a copy: the caller's images stay as they are
    bgr -= IMAGENET_MEAN_BGR
    return bgr


def preprocess_symmetric(x):
    """RGB (..., 3) from 0 to 255 -> RGB from -1 to 1: what TensorFlow's Inception was trained on."""
    rgb = np.array(_rgb(x), np.float32)
    rgb /= 127.5
    rgb -= 1
    return rgb


def _rgb(x):
    x = np.asarray(x)
    if x.shape[-1:] != (3,):
        raise DataError(f"images have shape {x.shape}; expected RGB with the channels last: (..., 3).")
    return x


# Noise, or a single odd picture, is not to be mistaken for a mistake.


def _mistake_caffe(smallest, largest):
    if 0 <= smallest and largest <= 1 or -103.9 < largest < -102.9:  # the latter: before preprocess_input
        return FROM_0_TO_1
    as_in_the_file = smallest >= 0 and largest > 152  # 255 - 103.9 = 151.1 is the most that can come out
    twice = smallest < -124 and largest < 48  # 255 - 2 * 103.9 = 47.1
    others = max(-smallest, largest) < 3  # -1 to 1; PyTorch's normalization gives -2.1 to 2.6
    return ANOTHER if as_in_the_file or twice or others else None


def _mistake_symmetric(smallest, largest):
    if -1 < largest < -0.99:  # nearly black: it was done twice, or with pixels from 0 to 1
        return FROM_0_TO_1
    return ANOTHER if max(-smallest, largest) > 1.5 else None


# A network takes one of them with its own function: CAFFE._replace(function=preprocess_input).
CAFFE = Preparation(preprocess_caffe, "about -124 to 151", _mistake_caffe)
SYMMETRIC = Preparation(preprocess_symmetric, "-1 to 1", _mistake_symmetric)
