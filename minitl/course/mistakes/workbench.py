"""The parts that the mistakes share: real images, a real base, and a head that is trained in a tenth of a second.

The images are the first 200 for training and the first 200 for testing of the bundled Fashion-MNIST set. The base is
VGG16's first two blocks with their ImageNet weights, at the images' own size: 28x28 -> 7x7x128. The arrays that never
change are computed once in a process. No random number is drawn for it, so a mistake gives the same figures alone and
after others.
"""

import functools
from typing import NamedTuple

import numpy as np

from ... import data, initializers, transfer
from ...applications import VGG16
from ...applications.vgg16 import preprocess_input
from ...files.bundled import bundled_file
from ...layers import BatchNormalization, Dense, Flatten
from ...models import Model, Sequential
from ...optimizers import SGD
from ...training import train_step

IMAGES = 200  # for training, and as many for testing
IMAGE_SIZE = 28


class Outcome(NamedTuple):
    """The two numbers that show a mistake. `quantity` names the number that both programs give."""

    quantity: str
    wrong: float
    mended: float
    lower_is_better: bool = False


@functools.cache
def clothes():
    """Return a `data.ImageSet` of 200 + 200 images as a file has them: RGB from 0 to 255, float32 (N, 28, 28, 3)."""
    full = data.fashion_mnist_few_shot()
    x_train, x_test = (data.grey_to_rgb(x[:IMAGES]).astype(np.float32) for x in (full.x_train, full.x_test))
    return data.ImageSet(x_train, full.y_train[:IMAGES], x_test, full.y_test[:IMAGES], full.class_names)


@functools.cache
def base(cut="block2_pool"):
    """Return VGG16 up to `cut`, with ImageNet's weights, frozen. Each call returns the same layers."""
    model = transfer.remove_layers(_blocks(), after=cut)
    transfer.freeze(model)
    return model


@functools.cache
def _blocks():
    """Return VGG16's first two blocks for images of 28x28, with ImageNet's weights."""
    with initializers.weights_will_be_loaded():
        model = transfer.remove_layers(VGG16(weights=None, include_top=False), after="block2_pool")
    model.load_weights(bundled_file("vgg16_imagenet_blocks1to3.h5"), partial=True)
    return transfer.adapt_input(model, (IMAGE_SIZE, IMAGE_SIZE, 3))


@functools.cache
def features(cut="block2_pool"):
    """Return the base's output for the preprocessed images: (x_train, y_train, x_test, y_test).

    x is (200, 7, 7, 128) for the whole base and (200, 14, 14, 64) for its first block.
    """
    x_train, y_train, x_test, y_test, _ = clothes()
    x_train, x_test = (base(cut).predict(preprocess_input(x), verbose=0) for x in (x_train, x_test))
    return x_train, y_train, x_test, y_test


def new_head(classes=10):
    """Return the layers of a new head. It normalizes, because VGG16's activations reach into the thousands."""
    return [
        Flatten(name="flatten"),
        BatchNormalization(momentum=0.9, name="normalize"),
        Dense(classes, activation="softmax", kernel_initializer="zeros", name="predictions"),
    ]


def head_model(layers, shape=(7, 7, 128)):
    """Return a model of these layers alone, for features of this shape."""
    layers[0].first_input_shape = shape
    return Sequential(layers)


def fine_tuned(x=None, y=None):
    """Return the whole model, from images to classes, its new head trained on these preprocessed images.

    x, y    default: the 200 training images of `clothes`
    """
    if x is None:
        kept, y, _, _ = features()
    else:
        kept = base().predict(x, verbose=0)
    head = head_model(new_head(classes=int(y.max()) + 1))
    train(head, kept, y)
    return behind(base(), head)


def accuracy_of_transfer(x_train, y_train, x_test, y_test):
    """Return the test accuracy of a new head trained on x_train. Both arrays are inputs of the base."""
    return accuracy(fine_tuned(x_train, y_train), x_test, y_test)


def behind(first, second):
    """Return one model of two: `second` takes the output of `first`."""
    return Model(first.input, second(first.output))


def train(model, x, y, learning_rate=0.001, epochs=6, loss="sparse_categorical_crossentropy", **options):
    """Train by SGD with momentum 0.9. Returns the training loss of the last epoch."""
    model.compile(SGD(learning_rate, momentum=0.9), loss)
    return model.fit(x, y, epochs=epochs, verbose=0, **options).history["loss"][-1]


def train_by_hand(model, x, y, epochs=6):
    """Train in a loop of one's own, without the checks of `fit`."""
    model.compile(SGD(0.001, momentum=0.9), "sparse_categorical_crossentropy")
    for _ in range(epochs):
        for first in range(0, len(x), 32):
            train_step(model, x[first : first + 32], y[first : first + 32])


def accuracy(model, x, y):
    """Return the fraction of images that are classified correctly."""
    return share_right(model.predict(x, verbose=0), y)


def share_right(probabilities, y):
    """Return the fraction of rows whose most probable class is the label."""
    return float((probabilities.argmax(axis=1) == y).mean())
