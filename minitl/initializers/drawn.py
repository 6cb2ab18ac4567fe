"""Initializers that draw random numbers. `VarianceScaling` is the rule, and most others are versions of it."""

import math

import numpy as np

from ..arguments import NotHere, is_number, keras_arguments
from ..errors import ArgumentError, ShapeError
from .base import Initializer, fans


class VarianceScaling(Initializer):
    """Random numbers of the variance scale / fan.

    mode           which fan: "fan_in", "fan_out", or "fan_avg", the mean of both
    distribution   "uniform": in +-sqrt(3 variance). "truncated_normal": drawn again beyond two standard deviations.
                   "untruncated_normal"
    """

    @keras_arguments(after="seed", input_axes=NotHere(), output_axes=NotHere())
    def __init__(self, scale=1.0, mode="fan_in", distribution="truncated_normal", seed=None):
        super().__init__(seed)
        if not (is_number(scale) and scale > 0):
            raise ArgumentError(f"scale is {scale!r}; expected a number above 0.")
        if mode not in MODES:
            raise ArgumentError(f"mode is {mode!r}; expected one of {', '.join(MODES)}.")
        if distribution not in DISTRIBUTIONS:
            raise ArgumentError(f"distribution is {distribution!r}; expected one of {', '.join(DISTRIBUTIONS)}.")
        self.scale, self.mode, self.distribution = scale, mode, distribution

    def draw(self, shape, dtype, rng):
        """Return random numbers of `rng`."""
        variance = self.scale / max(1, MODES[self.mode](*fans(shape)))
        if self.distribution == "uniform":
            return _uniform(shape, dtype, rng, math.sqrt(3 * variance))
        if self.distribution == "untruncated_normal":
            return rng.standard_normal(shape, dtype) * dtype.type(math.sqrt(variance))
        return _truncated_normal(shape, dtype, rng) * dtype.type(math.sqrt(variance) / WITHIN_TWO)


MODES = {"fan_in": lambda i, o: i, "fan_out": lambda i, o: o, "fan_avg": lambda i, o: (i + o) / 2}
DISTRIBUTIONS = "truncated_normal", "untruncated_normal", "uniform", "normal"
WITHIN_TWO = 0.87962566103423978  # the standard deviation of a standard normal that is cut off at +-2


class _Scaled(VarianceScaling):
    """The base of the versions of `VarianceScaling` with a name of their own."""

    rule: tuple = ()  # scale, mode, distribution

    @keras_arguments(after="seed", input_axes=NotHere(), output_axes=NotHere())
    def __init__(self, seed=None):
        super().__init__(*self.rule, seed)


class GlorotUniform(_Scaled):
    """Uniform numbers in +-sqrt(6 / (fan_in + fan_out)): Keras's default.

    Their variance is 2 / (fan_in + fan_out), a compromise between the forward and the backward sum. Glorot & Bengio
    2010, equation 16.
    """

    rule = 1.0, "fan_avg", "uniform"


class GlorotNormal(_Scaled):
    """Normal numbers of variance 2 / (fan_in + fan_out), cut off at two standard deviations. Glorot & Bengio 2010."""

    rule = 1.0, "fan_avg", "truncated_normal"


class HeUniform(_Scaled):
    """Uniform numbers in +-sqrt(6 / fan_in).

    Their variance is 2 / fan_in, twice 1 / fan_in, because ReLU sets about half of the terms to 0. He et al. 2015,
    equation 10.
    """

    rule = 2.0, "fan_in", "uniform"


class HeNormal(_Scaled):
    """Normal numbers of variance 2 / fan_in, drawn again beyond two standard deviations as in Keras. He et al. 2015."""

    rule = 2.0, "fan_in", "truncated_normal"


class LecunUniform(_Scaled):
    """Uniform numbers in +-sqrt(3 / fan_in), of variance 1 / fan_in. LeCun et al. 1998."""

    rule = 1.0, "fan_in", "uniform"


class LecunNormal(_Scaled):
    """Normal numbers of variance 1 / fan_in, drawn again beyond two standard deviations: the right ones for 'selu'."""

    rule = 1.0, "fan_in", "truncated_normal"


class RandomUniform(Initializer):
    """Uniform numbers from `minval` to `maxval`. Keras's default for a table of vectors (`layers.Embedding`)."""

    def __init__(self, minval=-0.05, maxval=0.05, seed=None):
        super().__init__(seed)
        if not (is_number(minval) and is_number(maxval) and minval <= maxval):
            raise ArgumentError(
                f"minval is {minval!r}, maxval {maxval!r}; expected two numbers, the smaller one first."
            )
        self.minval, self.maxval = float(minval), float(maxval)

    def draw(self, shape, dtype, rng):
        """Return random numbers of `rng`."""
        values = rng.random(shape, dtype)
        values *= self.maxval - self.minval
        values += self.minval
        return values


class RandomNormal(Initializer):
    """Normal numbers with the mean `mean` and the standard deviation `stddev`."""

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        super().__init__(seed)
        if not (is_number(mean) and is_number(stddev) and stddev >= 0):
            raise ArgumentError(f"mean is {mean!r}, stddev {stddev!r}; expected two numbers, stddev not negative.")
        self.mean, self.stddev = float(mean), float(stddev)

    def draw(self, shape, dtype, rng):
        """Return random numbers of `rng`."""
        values = rng.standard_normal(shape, dtype)
        values *= self.stddev
        values += self.mean
        return values


class TruncatedNormal(RandomNormal):
    """Normal numbers, with those drawn again that are more than two standard deviations from the mean."""

    def draw(self, shape, dtype, rng):
        """Return random numbers of `rng`."""
        return _truncated_normal(shape, dtype, rng) * dtype.type(self.stddev) + dtype.type(self.mean)


class Orthogonal(Initializer):
    """A matrix whose rows, or columns if these are fewer, are at right angles to each other and have the length `gain`.

    A recurrent layer multiplies its state by the same matrix at every step. One with this property changes the length
    of no vector (of a gain of 1), so after many steps the state has neither vanished nor exploded. The matrix is drawn
    as in Keras: the Q of the QR decomposition of normal numbers, with the signs that make it unique. An array with more
    axes is such a matrix with all axes but the last joined. Saxe et al. 2014.
    """

    def __init__(self, gain=1.0, seed=None):
        super().__init__(seed)
        if not is_number(gain):
            raise ArgumentError(f"gain is {gain!r}; expected a number.")
        self.gain = float(gain)

    def draw(self, shape, dtype, rng):
        """Return a matrix that `rng` has drawn."""
        if len(shape) < 2:
            raise ShapeError(f"the initializer 'orthogonal' got the shape {shape}; expected at least two axes.")
        rows, cols = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.standard_normal((max(rows, cols), min(rows, cols))))
        q *= np.where(np.diag(r) < 0, -1, 1)
        return (self.gain * (q if rows >= cols else q.T)).reshape(shape).astype(dtype)


def _uniform(shape, dtype, rng, limit):
    """Return uniform numbers in +-limit.

    They are scaled in place: a large layer has 103 million of them, and a second copy would take 411 MB.
    """
    values = rng.random(shape, dtype)
    values *= 2 * limit
    values -= limit
    return values


def _truncated_normal(shape, dtype, rng):
    """Return standard normal numbers, with those beyond +-2 drawn again."""
    values = rng.standard_normal(shape, dtype)
    while (outside := np.abs(values) > 2).any():
        values[outside] = rng.standard_normal(int(outside.sum()), dtype)
    return values
