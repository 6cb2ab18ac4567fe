"""The preparation of images for a pre-trained network, and checks for images that were not prepared.

A network expects images with the order of channels and the range of its training. Two ways are common, Caffe's and
TensorFlow's. Each network says which one it expects: `applications.add` enters it in `PREPARATIONS`. So `training`,
which does not import the networks, can warn of images in another range.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..errors import DataError

# Mean blue, green and red of ImageNet's training images.
IMAGENET_MEAN_BGR = np.array([103.939, 116.779, 123.68], np.float32)
ANOTHER, FROM_0_TO_1 = "another-networks-preprocessing", "pixels-from-0-to-1"  # names for `minitl mistakes`


class Preparation(NamedTuple):
    """The way in which a network's images are prepared.

    function   takes RGB images (..., 3) from 0 to 255, and returns the input of the network
    range      the range of the prepared numbers in words; None if it is not to be checked
    mistake    takes (smallest, largest) of some images, and returns the name of the mistake that gives this range; None
               if they may be right
    """

    function: Callable
    range: str | None = None
    mistake: Callable = lambda smallest, largest: None

    @property
    def name(self):
        """The full name of the function, such as "minitl.applications.vgg16.preprocess_input"."""
        return f"{self.function.__module__}.{self.function.__qualname__}"


PREPARATIONS = {}  # {name of an application: its `Preparation`}


def preprocess_caffe(x):
    """Return RGB (..., 3) from 0 to 255 as BGR minus the mean colour, not scaled: the input of Caffe's models."""
    bgr = np.array(rgb(x)[..., ::-1], np.float32, order="C")  # a copy, so the caller's images do not change
    bgr -= IMAGENET_MEAN_BGR
    return bgr


def preprocess_symmetric(x):
    """Return RGB (..., 3) from 0 to 255 as RGB from -1 to 1: the input of TensorFlow's Inception."""
    images = np.array(rgb(x), np.float32)
    images /= 127.5
    images -= 1
    return images


def rgb(x):
    """Return images as an array. Raises DataError unless the last axis has three channels."""
    x = np.asarray(x)
    if x.shape[-1:] != (3,):
        raise DataError(f"images have shape {x.shape}; expected RGB with the channels last: (..., 3).")
    return x


# The limits leave room for noise, and for a single unusual image: these must give no warning.


def _mistake_caffe(smallest, largest):
    """Return the name of the mistake that gives images for Caffe's models this range, or None."""
    # The second range comes from pixels from 0 to 1 that went through `preprocess_input`.
    if 0 <= smallest and largest <= 1 or -103.9 < largest < -102.9:
        return FROM_0_TO_1
    unprepared = smallest >= 0 and largest > 152  # 255 - 103.9 = 151.1 is the largest prepared number
    twice = smallest < -124 and largest < 48  # 255 - 2 * 103.9 = 47.1
    of_another_network = max(-smallest, largest) < 3  # -1 to 1; PyTorch's normalization gives -2.1 to 2.6
    return ANOTHER if unprepared or twice or of_another_network else None


def mistake_symmetric(smallest, largest):
    """Return the name of the mistake that gives images for TensorFlow's Inception this range, or None."""
    if -1 < largest < -0.99:  # nearly black: prepared twice, or pixels from 0 to 1 that were prepared
        return FROM_0_TO_1
    return ANOTHER if max(-smallest, largest) > 1.5 else None


# A network uses one of these with a function of its own: CAFFE._replace(function=preprocess_input).
CAFFE = Preparation(preprocess_caffe, "about -124 to 151", _mistake_caffe)
SYMMETRIC = Preparation(preprocess_symmetric, "-1 to 1", mistake_symmetric)
