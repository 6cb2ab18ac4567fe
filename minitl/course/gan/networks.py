"""The generator and the discriminator: DCGAN's plan for images of 28x28 pixels.

The generator grows 7x7 to 28x28 by transposed convolutions with strides, and has batch normalization; its last layer is
tanh, so images are numbers from -1 to 1. The discriminator shrinks 28x28 to 7x7 by convolutions with strides, has
LeakyReLU, so that a gradient comes through everywhere, and no batch normalization: each image is judged by itself, and
real and made ones may stand in one batch.

Both are told the class: the generator by a one-hot row beside its random numbers, the discriminator by one plane of
ones for the class, among planes of zeros, beside the pixels.
"""

import numpy as np

from ...initializers import RandomNormal
from ...layers import (
    BatchNormalization,
    Concatenate,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Dropout,
    Flatten,
    Input,
    LeakyReLU,
    Reshape,
)
from ...models import Model, Sequential

NOISE = 64  # random numbers of an image
SIDE = 28  # pixels


def _normal():
    """Return a new initializer of DCGAN: a normal distribution with deviation 0.02."""
    return RandomNormal(stddev=0.02)


def generator(classes):
    """Return the generator: [random numbers (N, NOISE), one-hot classes (N, classes)] -> images (N, 28, 28, 1)."""
    noise, one_hot = Input((NOISE,), name="noise"), Input((classes,), name="class")
    x = Concatenate(name="both")([noise, one_hot])
    x = Dense(7 * 7 * 64, use_bias=False, kernel_initializer=_normal(), name="dense")(x)
    x = _normalized(Reshape((7, 7, 64), name="reshape")(x), "normal1")  # (N, 7, 7, 64)
    x = Conv2DTranspose(32, 4, strides=2, padding="same", use_bias=False, kernel_initializer=_normal(), name="up1")(x)
    x = _normalized(x, "normal2")  # (N, 14, 14, 32)
    x = Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh", kernel_initializer=_normal(), name="up2")(x)
    return Model([noise, one_hot], x, name="generator")


def _normalized(x, name):
    """Return x behind batch normalization and LeakyReLU."""
    return LeakyReLU(0.2, name=f"{name}_leaky")(BatchNormalization(momentum=0.9, name=name)(x))


def discriminator(classes):
    """Return the discriminator: images with planes of classes (N, 28, 28, 1 + classes) -> scores (N, 1).

    A score is a logit: above 0 means real.
    """

    def shrink(filters, name, **options):
        return Conv2D(filters, 4, strides=2, padding="same", kernel_initializer=_normal(), name=name, **options)

    return Sequential([
        shrink(32, "down1", input_shape=(SIDE, SIDE, 1 + classes)),  # (N, 14, 14, 32)
        LeakyReLU(0.2, name="leaky1"),
        shrink(64, "down2"),  # (N, 7, 7, 64)
        LeakyReLU(0.2, name="leaky2"),
        Flatten(name="flatten"),
        Dropout(0.3, name="dropout"),
        Dense(1, kernel_initializer=_normal(), name="score"),
    ], name="discriminator")  # fmt: skip


def with_classes(images, labels, classes):
    """Return images (N, H, W, 1) with one plane for each class behind the pixels: ones for the image's class."""
    n, h, w, _ = images.shape
    planes = np.zeros((n, h, w, 1 + classes), images.dtype)
    planes[..., :1] = images
    planes[np.arange(n), :, :, 1 + labels] = 1
    return planes
