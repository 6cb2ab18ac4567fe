"""Noise in training: Gaussian noise, added or multiplied, and the Dropout that keeps the mean and variance of SELU.

In inference these layers return their input, as `regularization.Dropout` does.
"""

import math

from ..arguments import is_number, number, whole_number_or_none
from ..errors import ArgumentError, ShapeError
from ..kernels import as_float
from ..kernels.smooth_units import SELU_ALPHA, SELU_SCALE
from ..randomness import generator
from .base import Layer


class _Noise(Layer):
    """The base of the layers below. In training y = a * x + b, where a and b are random numbers or constants."""

    keeps_channels = is_elementwise = passes_numbers_on = passes_mask = True

    def __init__(self, strength, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed, self.random = seed, strength > 0
        self.generator = generator(seed)

    def draw(self, x):
        """Return a and b for the input x."""
        raise NotImplementedError

    def forward(self, x, training=False):
        if not training or not self.random:
            self.remember(None)
            return x
        x = as_float(x)
        a, b = self.draw(x)
        self.remember(a)
        return (a * x + b).astype(x.dtype, copy=False)

    def backward(self, grad):
        """Return a * grad, since dy/dx = a."""
        (a,) = self.remembered()
        return grad if a is None else (a * grad).astype(grad.dtype, copy=False)


class GaussianNoise(_Noise):
    """y = x + noise, normal with mean 0 and the standard deviation `stddev`. `seed` fixes the sequence."""

    config_names = training_only = ("stddev", "seed")

    def __init__(self, stddev, seed=None, **kwargs):
        self.stddev = number(stddev, "stddev", 0, 1e30)
        super().__init__(self.stddev, seed, **kwargs)

    def draw(self, x):
        return 1, self.generator.standard_normal(x.shape, "float32") * self.stddev


class GaussianDropout(_Noise):
    """y = x * noise, normal with mean 1 and the standard deviation sqrt(rate / (1 - rate)), which is that of Dropout's
    factors 0 and 1 / (1 - rate). Srivastava et al. 2014, section 10. `seed` fixes the sequence."""

    config_names = training_only = ("rate", "seed")

    def __init__(self, rate, seed=None, **kwargs):
        self.rate = checked_rate(rate, "GaussianDropout")
        super().__init__(self.rate, seed, **kwargs)

    def draw(self, x):
        stddev = math.sqrt(self.rate / (1 - self.rate))
        return 1 + self.generator.standard_normal(x.shape, "float32") * stddev, 0


class AlphaDropout(_Noise):
    """Dropout for layers with SELU: it keeps the mean 0 and the variance 1. Klambauer et al. 2017. `seed` fixes the
    sequence of masks.

    A dropped number becomes c = -scale * alpha, SELU's lowest value. With q = 1 - rate, an input of mean 0 and variance
    1 then has the mean c rate and the variance q + q rate c^2 = q (1 + rate c^2). So the result is multiplied by
    a = 1 / sqrt(q (1 + rate c^2)), and a c rate is subtracted:  y = a (x or c) - a c rate

    noise_shape   as in `Dropout`
    """

    config_names = training_only = ("rate", "noise_shape", "seed")

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        self.rate, self.noise_shape = checked_rate(rate, "AlphaDropout"), checked_noise_shape(noise_shape)
        super().__init__(self.rate, seed, **kwargs)

    def draw(self, x):
        lowest, rate = -SELU_ALPHA * SELU_SCALE, self.rate
        a = 1 / math.sqrt((1 - rate) * (1 + rate * lowest**2))
        kept = self.generator.random(shape_of_mask(self.noise_shape, x.shape), "float32") >= rate
        return a * kept, a * (lowest * ~kept - lowest * rate)


def checked_rate(rate, layer):
    """Return the share of numbers to drop. Raises ArgumentError unless 0 <= rate < 1."""
    if not is_number(rate) or not 0 <= rate < 1:
        raise ArgumentError(f"{layer} rate is {rate!r}; expected 0 <= rate < 1, the share of inputs to set to 0.")
    return float(rate)


def checked_noise_shape(noise_shape):
    """Return the sizes of a mask as a tuple, or None. Raises ArgumentError for anything but sizes and None."""
    if noise_shape is None:
        return None
    if not isinstance(noise_shape, (tuple, list)):
        raise ArgumentError(f"noise_shape is {noise_shape!r}; expected the sizes of the mask, as (None, 1, None).")
    return tuple(whole_number_or_none(size, "a size in noise_shape") for size in noise_shape)


def shape_of_mask(noise_shape, shape):
    """Return the shape of the mask for an input of this shape: its sizes in the places of None. Where it is 1, numbers
    along this axis are dropped together. Raises ShapeError for another size than that of the input."""
    if noise_shape is None:
        return shape
    if len(noise_shape) != len(shape) or any(each not in (None, 1, size) for each, size in zip(noise_shape, shape)):
        raise ShapeError(
            f"noise_shape is {noise_shape}, and the input has the shape {tuple(shape)}; expected None, 1 or the same "
            "size for each axis."
        )
    return tuple(size if each is None else each for each, size in zip(noise_shape, shape))
