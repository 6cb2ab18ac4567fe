"""What the mistakes share: real pictures, a real base, and a head that learns in a tenth of a second.

The pictures are the first 200 for training and the first 200 for testing of the bundled Fashion-MNIST set. The base is
VGG16's first two blocks with their ImageNet weights, which see them in their own size: 28x28 -> 7x7x128. What does not
change is computed once in a process; none of it draws a random number, so a mistake gives the same figures whether it
runs alone or after others.
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

PICTURES = 200  # for training, and as many for testing
IMAGE_SIZE = 28


class Outcome(NamedTuple):
    """The two numbers that show a mistake: `quantity` says what was measured of the wrong program and of the mended."""

    quantity: str
    wrong: float
    mended: float
    lower_is_better: bool = False


@functools.cache
def clothes():
    """A `data.ImageSet` of 200 + 200 pictures as they come from a file: RGB from 0 to 255, float32 (N, 28, 28, 3)."""
    full = data.fashion_mnist_few_shot()
    x_train, x_test = (data.grey_to_rgb(x[:PICTURES]).astype(np.float32) for x in (full.x_train, full.x_test))
    return data.ImageSet(x_train, full.y_train[:PICTURES], x_test, full.y_test[:PICTURES], full.class_names)


@functools.cache
def base(cut="block2_pool"):
    """VGG16 up to `cut`, with ImageNet's weights, frozen. The layers are the same ones in each call."""
    model = transfer.remove_layers(_blocks(), after=cut)
    transfer.freeze(model)
    return model


@functools.cache
def _blocks():
    with initializers.weights_will_be_loaded():
        model = transfer.remove_layers(VGG16(weights=None, include_top=False), after="block2_pool")
    model.load_weights(bundled_file("vgg16_imagenet_blocks1to3.h5"), partial=True)
    return transfer.adapt_input(model, (IMAGE_SIZE, IMAGE_SIZE, 3))


@functools.cache
def features(cut="block2_pool"):
    """What the base makes of the preprocessed pictures: (x_train, y_train, x_test, y_test), x (200, 7, 7, 128) for the
    whole base and (200, 14, 14, 64) for its first block."""
    x_train, y_train, x_test, y_test, _ = clothes()
    x_train, x_test = (base(cut).predict(preprocess_input(x), verbose=0) for x in (x_train, x_test))
    return x_train, y_train, x_test, y_test


def new_head(classes=10):
    """Normalize, since VGG16's activations reach into the thousands, and classify."""
    return [
        Flatten(name="flatten"),
        BatchNormalization(momentum=0.9, name="normalize"),
        Dense(classes, activation="softmax", kernel_initializer="zeros", name="predictions"),
    ]


def head_model(layers, shape=(7, 7, 128)):
    """A model of these layers alone, for features of this shape."""
    layers[0].first_input_shape = shape
    return Sequential(layers)


def fine_tuned(x=None, y=None):
    """The whole model, from pictures to classes, its new head trained on these preprocessed pictures (default: the 200
    of `clothes`)."""
    if x is None:
        seen, y, _, _ = features()
    else:
        seen = base().predict(x, verbose=0)
    head = head_model(new_head(classes=int(y.max()) + 1))
    train(head, seen, y)
    return behind(base(), head)


def accuracy_of_transfer(x_train, y_train, x_test, y_test):
    """Of a new head that learned on x_train and is measured on x_test, both as the base gets them."""
    return accuracy(fine_tuned(x_train, y_train), x_test, y_test)


def behind(first, second):
    """One model of two: `second` takes what `first` gives."""
    return Model(first.input, second(first.output))


def train(model, x, y, learning_rate=0.001, epochs=6, loss="sparse_categorical_crossentropy", **options):
    """SGD with momentum 0.9. Returns the training loss of the last epoch."""
    model.compile(SGD(learning_rate, momentum=0.9), loss)
    return model.fit(x, y, epochs=epochs, verbose=0, **options).history["loss"][-1]


def train_by_hand(model, x, y, epochs=6):
    """The same as a loop of one's own, without what `fit` checks first."""
    model.compile(SGD(0.001, momentum=0.9), "sparse_categorical_crossentropy")
    for _ in range(epochs):
        for first in range(0, len(x), 32):
            train_step(model, x[first : first + 32], y[first : first + 32])


def accuracy(model, x, y):
    """The share of pictures that are called what they are."""
    return share_right(model.predict(x, verbose=0), y)


def share_right(probabilities, y):
    return float((probabilities.argmax(axis=1) == y).mean())
