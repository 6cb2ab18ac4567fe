"""Dropout: in training, a random part of the inputs becomes 0, so that no unit can rely on a single other unit.

Read next: `noise`, other random numbers that make a network rely on more than it needs.
"""

import numpy as np

from ..arguments import DTYPE, keras_arguments
from ..kernels import as_float
from ..randomness import generator
from .base import Layer
from .channels_first import DATA_FORMAT
from .noise import checked_noise_shape, checked_rate, shape_of_mask


class Dropout(Layer):
    """Dropout: in training, sets each number to 0 with probability `rate` and divides the others by (1 - rate).

    The division (*inverted* dropout) keeps the expected value of each number: (1 - rate) * x / (1 - rate) = x. So
    inference returns x as it is. Srivastava et al. 2014.

    noise_shape   the shape of the mask, with None for the sizes of the input. (None, 1, None) drops a feature at all
                  time steps or at none
    seed          fixes the sequence of masks
    """

    config_names: tuple = ("rate", "noise_shape", "seed")
    training_only = config_names
    keeps_channels = is_elementwise = passes_numbers_on = passes_mask = True

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.seed = checked_rate(rate, type(self).__name__), seed
        self.noise_shape = checked_noise_shape(noise_shape)
        self.random = self.rate > 0
        self.generator = generator(seed)

    def mask_shape(self, shape):
        """Return the shape of the mask for an input of this shape: one entry for each number, or `noise_shape`."""
        return shape_of_mask(self.noise_shape, shape)

    def forward(self, x, training=False):
        if not training or self.rate == 0:
            self.remember(None)
            return x
        x = as_float(x)
        kept = self.generator.random(self.mask_shape(x.shape), np.float32) >= self.rate
        mask = kept * x.dtype.type(1 / (1 - self.rate))
        self.remember(mask)
        return x * mask

    def backward(self, grad):
        """Return dL/dx = grad * mask, since y = x * mask."""
        (mask,) = self.remembered()
        return grad if mask is None else grad * mask


class SpatialDropout1D(Dropout):
    """Dropout of whole channels of a sequence (N, T, C): a channel is kept or dropped at all time steps. Neighbouring
    numbers of a channel are alike, so a single one that is dropped would hide nothing. Tompson et al. 2015."""

    config_names = ("rate", "seed")

    @keras_arguments(after="name", dtype=DTYPE)
    def __init__(self, rate, seed=None, name=None, **kwargs):
        super().__init__(rate, seed=seed, name=name, **kwargs)

    def get_config(self):
        config = super().get_config()
        del config["trainable"]  # Keras's layer of this name does not take it
        return config

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 3, "(N, T, C)")

    def mask_shape(self, shape):
        """Return (N, 1, C): one entry for each channel of each example."""
        return (shape[0], 1, shape[2])

    def forward(self, x, training=False):
        self.accept(x.shape)
        return super().forward(x, training)


class SpatialDropout2D(Dropout):
    """Dropout of whole channels of a map (N, H, W, C), as `SpatialDropout1D` does it for sequences."""

    config_names = ("rate", "seed")

    @keras_arguments(after="rate", data_format=DATA_FORMAT)
    @keras_arguments(after="name", dtype=DTYPE)
    def __init__(self, rate, seed=None, name=None, **kwargs):
        super().__init__(rate, seed=seed, name=name, **kwargs)

    def get_config(self):
        config = super().get_config()
        del config["trainable"]  # Keras's layer of this name does not take it
        return config

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 4, "(N, H, W, C)")

    def mask_shape(self, shape):
        """Return (N, 1, 1, C): one entry for each channel of each example."""
        return (shape[0], 1, 1, shape[3])

    def forward(self, x, training=False):
        self.accept(x.shape)
        return super().forward(x, training)
