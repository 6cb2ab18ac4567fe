"""Functions that all applications share, so that each of their files holds little else but the architecture."""

from collections.abc import Callable
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from .. import initializers
from ..data.preparation import Preparation
from ..errors import ArgumentError
from ..graph.order import source_inputs
from ..layers import GlobalAveragePooling2D, GlobalMaxPooling2D, Input, SymbolicTensor
from ..weights import find_weights, load_weights


class SecondStage(NamedTuple):
    """The training that a base needs where its last blocks learn with the head.

    epochs, rate   how long and how fast, where nothing else is said
    adam           True: Adam, which moves every weight by about the rate, however large its gradient is. False: SGD
                   with a momentum of 0.9
    """

    epochs: int = 2
    rate: float = 0.0003
    adam: bool = False


class Application(NamedTuple):
    """The record of a network that commands and recipes use.

    name            its name in commands, models and files of weights: "vgg16"
    title           its name for people: "VGG16"
    build           the function that makes the model; it takes weights, include_top, input_shape, pooling and classes
    preparation     the preparation of its images (`data.preparation`)
    fine_tuning     {block: the layer before it}, from the last block to the first. Fine-tuning a block means all layers
                    from this block to the end
    last_layer      the last layer without the top
    native_size     the side of the images, in pixels, that the weights were trained on
    smallest_size   the smallest side, in pixels; it leaves one pixel at the last layer
    second_stage    a `SecondStage`
    has_weights     False if `build` has no pre-trained weights; then the network cannot be the base of a fine-tuning
    """

    name: str
    title: str
    build: Callable
    preparation: Preparation
    fine_tuning: dict
    last_layer: str
    native_size: int
    smallest_size: int
    second_stage: SecondStage = SecondStage()
    has_weights: bool = True

    @property
    def cuts(self):
        """The names of the layers behind which the network can be cut: the last one of each block, in order."""
        return [*reversed(self.fine_tuning.values()), self.last_layer]


def check_arguments(
    weights, include_top, input_shape, pooling, classes, native_size, smallest_size, images=None, last="softmax"
):
    """Check that the arguments go together, and return the input shape of the network. Raises ArgumentError.

    images, last   the arguments input_tensor and classifier_activation
    """
    native = (native_size, native_size, 3)
    if not isinstance(include_top, (bool, np.bool_, int)):
        raise ArgumentError(
            f"include_top is {include_top!r}; expected True or False. It is the first argument, as in Keras, and "
            "weights is the second: give them by name."
        )
    if images is not None:
        if not isinstance(images, SymbolicTensor):
            raise ArgumentError(
                f"input_tensor is {images!r:.80}; expected a symbolic tensor such as Input((224, 224, 3)). The shape "
                "of an image is input_shape."
            )
        if input_shape is not None and tuple(input_shape) != images.shape[1:]:
            raise ArgumentError(f"input_shape is {input_shape!r}, but input_tensor has {images.shape}. Leave one out.")
        input_shape = images.shape[1:]
    if weights == "imagenet" and include_top and last not in ("softmax", None):
        raise ArgumentError(f"classifier_activation is {last!r}; with ImageNet's top it must be 'softmax' or None.")
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
            f"classes is {classes}; ImageNet's top has 1000. Use include_top=False and add a head of your own."
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


def first_tensors(images, input_shape):
    """Return (the symbolic images at which the network begins, the input of its model, or a list of several).

    images   the argument input_tensor: the output of other layers, which then belong to the model, or None
    """
    if images is None:
        images = Input(input_shape)
        return images, images
    inputs = source_inputs([images])
    return images, inputs if len(inputs) > 1 else inputs[0]


def add_pooling(x, pooling, average="global_average_pooling2d", maximum="global_max_pooling2d"):
    """Return the output of a network without its top, pooled if that is asked for. `average` and `maximum` are Keras's
    names of the pooling layer in this network."""
    if pooling == "avg":
        return GlobalAveragePooling2D(name=average)(x)
    if pooling == "max":
        return GlobalMaxPooling2D(name=maximum)(x)
    return x


@contextmanager
def load_named_weights(weights, published_name, without_top=False):
    """Yield a function `load(model)` that loads `weights` (None, 'imagenet' or a path) into a model and returns it.

    published_name   the name of the published weights in the catalogue: 'imagenet' stands for them, and so do they
                     themselves, where they were not trained on ImageNet
    without_top      True if the model has no top and the published file has one

    The file is searched for before anything is built. Layers that are built in the `with` block draw no random numbers
    if weights will be loaded.
    """
    if weights is None:
        yield lambda model: model
        return
    path = find_weights(published_name) if weights in ("imagenet", published_name) else weights

    def load(model):
        load_weights(model, path, partial=without_top and weights == "imagenet")
        return model

    with initializers.weights_will_be_loaded():
        yield load
