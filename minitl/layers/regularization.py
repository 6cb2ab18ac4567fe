"""Dropout: in training, a random part of the inputs becomes 0, so that no unit can rely on a single other unit."""

import numpy as np

from ..arguments import NotHere, is_number, keras_arguments
from ..errors import ArgumentError
from ..kernels import as_float
from ..randomness import generator
from .base import Layer


class Dropout(Layer):
    """Dropout: in training, sets each number to 0 with probability `rate` and divides the others by (1 - rate).

    The division (*inverted* dropout) keeps the expected value of each number: (1 - rate) * x / (1 - rate) = x. So
    inference returns x as it is. Srivastava et al. 2014. `seed` fixes the sequence of masks.
    """

    config_names = training_only = ("rate", "seed")
    keeps_channels = is_elementwise = passes_numbers_on = passes_mask = True

    @keras_arguments(after="rate", noise_shape=NotHere(instead="Each number is dropped on its own."))
    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not is_number(rate) or not 0 <= rate < 1:
            raise ArgumentError(f"Dropout rate is {rate!r}; expected 0 <= rate < 1, the share of inputs to set to 0.")
        self.rate, self.seed = float(rate), seed
        self.random = rate > 0
        self.generator = generator(seed)

    def forward(self, x, training=False):
        if not training or self.rate == 0:
            self.remember(None)
            return x
        x = as_float(x)
        kept = self.generator.random(x.shape, np.float32) >= self.rate
        mask = kept * x.dtype.type(1 / (1 - self.rate))
        self.remember(mask)
        return x * mask

    def backward(self, grad):
        """Return dL/dx = grad * mask, since y = x * mask."""
        (mask,) = self.remembered()
        return grad if mask is None else grad * mask
