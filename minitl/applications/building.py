"""What the applications share, so that each of their files can be the architecture and little else."""

from collections.abc import Callable
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from .. import initializers
from ..data.preparation import Preparation
from ..errors import ArgumentError
from ..layers import GlobalAveragePooling2D, GlobalMaxPooling2D
from ..weights import find_weights, load_weights


class Application(NamedTuple):
    """What commands and recipes know of a network.

    name            how commands, models and weights call it: "vgg16"
    title           how people write it: "VGG16"
    build           the function that makes the model; takes weights, include_top, input_shape, pooling and classes
    preparation     how its images are prepared (`data.preparation`)
    fine_tuning     {what can be fine-tuned, to the end: the layer before it}, from the end
    last_layer      the last one without its top
    native_size     pixels: what the weights were trained on
    smallest_size   pixels: what leaves one at the end
    has_weights     False where `build` knows no pre-trained weights: it is no base for a fine-tuning then
    """

    name: str
    title: str
    build: Callable
    preparation: Preparation
    fine_tuning: dict
    last_layer: str
    native_size: int
    smallest_size: int
    has_weights: bool = True

    @property
    def cuts(self):
        """Where it can be cut: the names of the last layers of its blocks, in order."""
        return [*reversed(self.fine_tuning.values()), self.last_layer]


def check_arguments(weights, include_top, input_shape, pooling, classes, native_size, smallest_size):
    """The input shape to build for, once all arguments are known to go together. Raises ArgumentError."""
    native = (native_size, native_size, 3)
    if input_shape is None:
        input_shape = native if include_top else (None, None, 3)
    sizes = list(input_shape) if isinstance(input_shape, (tuple, list)) else []
    numbers = all(isinstance(size, (int, np.integer)) or (size is None and i < 2) for i, size in enumerate(sizes))
    if len(sizes) != 3 or not numbers:
        raise ArgumentError(f"input_shape is {input_shape!r}; expected (height, width, channels), as {native}.")
    input_shape = tuple(sizes)
    for size in input_shape[:2]:
        if size is not None and size < smallest_size:
            raise ArgumentError(f"input_shape is {input_shape}; height and width must be at least {smallest_size}.")
    if weights == "imagenet" and include_top and classes != 1000:
        raise ArgumentError(
            f"classes is {classes}; ImageNet's top has 1000. Use include_top=False and put a head of your own on."
        )
    if weights == "imagenet" and input_shape[2] != 3:
        raise ArgumentError(
            f"input_shape is {input_shape}; ImageNet's weights take 3 channels. transfer.adapt_input changes them."
        )
    if weights == "imagenet" and include_top and input_shape != native:
        raise ArgumentError(f"input_shape is {input_shape}; with ImageNet's top it must be {native}.")
    if pooling not in (None, "avg", "max"):
        raise ArgumentError(f"pooling is {pooling!r}; expected None, 'avg' or 'max'.")
    return input_shape


def add_pooling(x, pooling, average="global_average_pooling2d", maximum="global_max_pooling2d"):
    """The end of a network without its top. `average` and `maximum` are how Keras calls the layer there."""
    if pooling == "avg":
        return GlobalAveragePooling2D(name=average)(x)
    if pooling == "max":
        return GlobalMaxPooling2D(name=maximum)(x)
    return x


@contextmanager
def load_named_weights(weights, published_name):
    """Yields `load(model)`, which fills a model with `weights`: None, 'imagenet' or a path. The file is looked for
    before anything is built, and layers built inside the block draw no random numbers if they will be replaced."""
    if weights is None:
        yield lambda model: model
        return
    path = find_weights(published_name) if weights == "imagenet" else weights

    def load(model):
        load_weights(model, path)
        return model

    with initializers.weights_will_be_loaded():
        yield load
