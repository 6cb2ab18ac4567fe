"""Initializers without random numbers."""

import numpy as np

from ..arguments import is_number
from ..errors import ArgumentError, ShapeError
from .base import Initializer


class Zeros(Initializer):
    """An array of zeros."""

    def draw(self, shape, dtype, rng):
        """Return zeros."""
        return np.zeros(shape, dtype)


class Ones(Initializer):
    """An array of ones."""

    def draw(self, shape, dtype, rng):
        """Return ones."""
        return np.ones(shape, dtype)


class Constant(Initializer):
    """An array that holds `value`: a number, or an array of the parameter's shape."""

    def __init__(self, value=0.0):
        super().__init__()
        if np.asarray(value).dtype.kind not in "biuf":
            raise ArgumentError(f"value is {value!r:.80}; expected a number, or an array of numbers.")
        self.value = value

    def draw(self, shape, dtype, rng):
        """Return the value, once for each number."""
        if np.ndim(self.value) and np.shape(self.value) != shape:
            raise ShapeError(f"the initializer's value has shape {np.shape(self.value)}; the parameter has {shape}.")
        return np.full(shape, self.value, dtype)


class Identity(Initializer):
    """The matrix with `gain` on its diagonal and 0 elsewhere: it hands a vector on as it is."""

    def __init__(self, gain=1.0):
        super().__init__()
        if not is_number(gain):
            raise ArgumentError(f"gain is {gain!r}; expected a number.")
        self.gain = gain

    def draw(self, shape, dtype, rng):
        """Return the matrix."""
        if len(shape) != 2:
            raise ShapeError(f"the initializer 'identity' got the shape {shape}; expected a matrix, with two axes.")
        return np.asarray(self.gain * np.eye(*shape), dtype)


class Bilinear(Initializer):
    """The kernel (KH, KW, F, C) with which a `Conv2DTranspose` interpolates bilinearly; Keras has none of this kind.

    F and C are equal, and each channel goes to itself alone: the kernel is 0 away from their diagonal. Along one axis,
    the weights of a kernel of k entries fall from its middle to both sides, by 1/f for each entry, f = (k + 1) // 2:

        k = 3    1/2, 1, 1/2              for stride 2
        k = 4    1/4, 3/4, 3/4, 1/4       for stride 2

    In two dimensions they are multiplied: for k = 4 the outer product of (1, 3, 3, 1) with itself, divided by 16. For
    stride s, take k = 2s - s % 2 and padding 'same'. Long, Shelhamer & Darrell 2015, section 3.3.
    """

    def draw(self, shape, dtype, rng):
        """Return the weights, for every channel."""
        if len(shape) != 4 or shape[2] != shape[3]:
            raise ShapeError(
                f"the initializer 'bilinear' got the shape {shape}; expected a kernel (KH, KW, F, C) with as many "
                "filters as channels, as in Conv2DTranspose(channels, ...)."
            )
        rows, cols = (_falling_weights(size) for size in shape[:2])
        return (np.outer(rows, cols)[:, :, None, None] * np.eye(shape[2])).astype(dtype)


def _falling_weights(size):
    """Return `size` weights that fall in equal steps from the middle to both sides."""
    steps = (size + 1) // 2
    return 1 - np.abs(np.arange(size) - (size - 1) / 2) / steps
