"""The four ways to train an encoder: three without labels, and with labels, to compare.

The encoder is the beginning of the study's network (`course.study.network`): its four convolutions, images
(N, 28, 28, 1) -> maps (N, 7, 7, 48), 40 thousand parameters. Behind each convolution stands a batch normalization,
which that network does not have: with it, the encoder learns more in four epochs than without it in five. What stands
behind the encoder serves the method alone and is thrown away, as the head of any base is.

Rates, SimCLR's temperature and its views were chosen by the probe on training images that were held back.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...layers import BatchNormalization, Conv2D, Conv2DTranspose, Dense, Flatten, MaxPooling2D, ReLU
from ...losses import MeanSquaredError, NTXent, SparseCategoricalCrossentropy
from ...models import Sequential
from .views import HIDDEN, PATCH, hidden_patches, random_views, turned

END = "relu4"  # the last layer of the encoder
PROJECTION = 64  # numbers of a row that SimCLR compares


class Examples(NamedTuple):
    """The examples of an epoch, their labels, and the weights of the labels or None; made anew in each epoch."""

    x: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None = None


class Method(NamedTuple):
    """A way to train the encoder.

    title      what is asked of the network
    model      a function of the number of classes: a new model, the encoder with the head of this method
    loss       a new loss
    examples   a function (images, labels, rng) -> `Examples` of an epoch. Only `supervised` looks at the labels
    rows       rows that it makes of an image: a batch of B images has B times as many
    rate       learning rate of Adam
    """

    title: str
    model: Callable
    loss: Callable
    examples: Callable
    rows: int
    rate: float


def with_labels(images, labels, rng):
    """Return the images with their labels: the task of every supervised training."""
    return Examples(images, labels)


def with_turns(images, labels, rng):
    """Return a random view of each image, turned by a random number of quarters, 0 to 3, which is its label.

    A bag can be told from its side only by somebody who has seen that handles are on top. The view makes it harder: of
    whole images, all shown alike, the outline alone says enough, and after two epochs there is little left to learn.
    """
    quarters = rng.integers(4, size=len(images))
    return Examples(turned(random_views(images, rng), quarters), quarters)


def with_pairs(images, labels, rng):
    """Return two views of each image, one after the other: rows 2i and 2i + 1 have the label i.

    So every batch of an even number of rows holds both views. The loss asks each row for its partner.
    """
    n, h, w, c = images.shape
    both = np.stack([random_views(images, rng), random_views(images, rng)], axis=1)  # (N, 2, H, W, C)
    return Examples(both.reshape(2 * n, h, w, c), np.repeat(np.arange(n), 2))


def with_hidden_patches(images, labels, rng):
    """Return the images with zeros in hidden patches. The labels are the whole images, weighted.

    Only the hidden pixels count: to repeat what is visible teaches nothing. The loss divides by all pixels of the
    image, so each hidden one has the weight all / hidden, and the loss is the mean over the hidden pixels.
    """
    hidden = hidden_patches(len(images), images.shape[1], rng)  # (N, H, W)
    visible = np.where(hidden[..., None], images.dtype.type(0), images)
    weight = hidden / hidden[0].mean()
    return Examples(visible, images, weight.astype(images.dtype))


def encoder():
    """Return the layers of a new encoder with random weights: images (N, 28, 28, 1) -> maps (N, 7, 7, 48)."""

    def conv(number, filters, size=3, **options):
        return [
            Conv2D(filters, size, padding="same", use_bias=False, kernel_initializer="he_uniform",
                   name=f"conv{number}", **options),
            BatchNormalization(momentum=0.9, name=f"normal{number}"),
            ReLU(name=f"relu{number}"),
        ]  # fmt: skip

    return [
        *conv(1, 16, size=5, strides=2, input_shape=(28, 28, 1)),  # (N, 14, 14, 16)
        *conv(2, 32),  # (N, 14, 14, 32)
        MaxPooling2D(2, name="pool2"),  # (N, 7, 7, 32)
        *conv(3, 48),  # (N, 7, 7, 48)
        *conv(4, 48),  # (N, 7, 7, 48)
    ]


def _dense(number, units):
    return Dense(units, activation="relu", kernel_initializer="he_uniform", name=f"dense{number}")


def classifier(classes):
    """Return the encoder, two dense layers, and a softmax over the classes: the study's network."""
    return Sequential([
        *encoder(),
        MaxPooling2D(2, name="pool4"),  # (N, 3, 3, 48)
        Flatten(name="flatten"),
        _dense(1, 128),
        _dense(2, 64),
        Dense(classes, activation="softmax", name="predictions"),
    ], name="classifier")  # fmt: skip


def projector(classes):
    """Return the encoder with SimCLR's projection head: a dense layer with ReLU, and a linear one.

    The head is thrown away afterwards. It may forget what the loss wants forgotten, such as brightness, and so spares
    the encoder from doing it.
    """
    return Sequential([
        *encoder(),
        MaxPooling2D(2, name="pool4"),  # (N, 3, 3, 48)
        Flatten(name="flatten"),
        _dense(1, 128),
        Dense(PROJECTION, kernel_initializer="he_uniform", name="projection"),
    ], name="simclr")  # fmt: skip


def autoencoder(classes):
    """Return the encoder with a decoder that paints the image: (N, 7, 7, 48) -> (N, 14, 14, 32) -> (N, 28, 28, 1)."""

    def larger(filters, name):
        return Conv2DTranspose(filters, 2, strides=2, activation="relu", kernel_initializer="he_uniform", name=name)

    return Sequential([
        *encoder(),
        larger(32, "larger1"),  # (N, 14, 14, 32)
        larger(16, "larger2"),  # (N, 28, 28, 16)
        Conv2D(1, 3, padding="same", name="pixels"),  # (N, 28, 28, 1)
    ], name="mae")  # fmt: skip


METHODS = {
    "supervised": Method("which class is it?", classifier, SparseCategoricalCrossentropy, with_labels, 1, 1e-3),
    "rotation": Method("which way was it turned?", lambda _: classifier(4), SparseCategoricalCrossentropy, with_turns,
                       1, 2e-3),
    "simclr": Method("which two views show the same image?", projector, lambda: NTXent(0.2), with_pairs, 2, 2e-3),
    "mae": Method(f"what stood in {HIDDEN:.0%} of the {PATCH}x{PATCH} patches?", autoencoder, MeanSquaredError,
                  with_hidden_patches, 1, 2e-3),
}  # fmt: skip


def encoder_layers(model):
    """Return the layers of a method's model that are its encoder."""
    return model.layers[: [layer.name for layer in model.layers].index(END) + 1]


def encoder_of(model):
    """Return {name: weights} of the encoder's layers that have weights."""
    return {layer.name: layer.get_weights() for layer in encoder_layers(model) if layer.weights}
