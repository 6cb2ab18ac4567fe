"""How a new parameter starts, under Keras's names.

A sum of many terms keeps its size from layer to layer if the weights' variance is about 1 / (number of terms). Each
random initializer is a function of a shape that follows one version of this rule; `fan_in` counts the terms of the
forward sum (inputs of one output), `fan_out` those of the backward sum (outputs that one input feeds). `Zeros` and
`Ones` are for what is added and what is multiplied by.
"""

import math
from contextlib import contextmanager

import numpy as np

from .errors import ArgumentError
from .randomness import generator

_skip_drawing = False


def fans(shape):
    """(fan_in, fan_out). A kernel (KH, KW, C, F) sums KH*KW*C terms; a dense one (inputs, units) sums `inputs`."""
    if len(shape) < 2:
        size = math.prod(shape)
        return size, size
    receptive_field = math.prod(shape[:-2])
    return receptive_field * shape[-2], receptive_field * shape[-1]


class Initializer:
    """Call it with a shape to get a new array. `seed` makes it give the same numbers every time."""

    def __init__(self, seed=None):
        self.seed = seed

    def __call__(self, shape, dtype="float32"):
        shape = tuple(shape)
        if _skip_drawing:
            return np.zeros(shape, dtype)
        return self.draw(shape, np.dtype(dtype), generator(self.seed))


class Zeros(Initializer):
    def draw(self, shape, dtype, rng):
        return np.zeros(shape, dtype)


class Ones(Initializer):
    def draw(self, shape, dtype, rng):
        return np.ones(shape, dtype)


class GlorotUniform(Initializer):
    """Uniform in +-sqrt(6 / (fan_in + fan_out)): variance 2 / (fan_in + fan_out), a compromise between the forward
    and the backward sum. Keras's default. Glorot & Bengio 2010, equation 16."""

    def draw(self, shape, dtype, rng):
        return _uniform(shape, dtype, rng, math.sqrt(6 / sum(fans(shape))))


class HeUniform(Initializer):
    """Uniform in +-sqrt(6 / fan_in): variance 2 / fan_in, twice as much because ReLU silences half of the terms.
    He et al. 2015, equation 10."""

    def draw(self, shape, dtype, rng):
        return _uniform(shape, dtype, rng, math.sqrt(6 / fans(shape)[0]))


class HeNormal(Initializer):
    """Normal with variance 2 / fan_in, redrawn beyond two standard deviations as in Keras. He et al. 2015."""

    def draw(self, shape, dtype, rng):
        # Cutting a standard normal off at +-2 leaves a standard deviation of 0.8796: divided out here.
        return _truncated_normal(shape, dtype, rng) * dtype.type(math.sqrt(2 / fans(shape)[0]) / 0.87962566103423978)


def _uniform(shape, dtype, rng, limit):
    """Uniform in +-limit, scaled in place: a large layer has 103 million weights, and a second copy costs 411 MB."""
    values = rng.random(shape, dtype)
    values *= 2 * limit
    values -= limit
    return values


def _truncated_normal(shape, dtype, rng):
    values = rng.standard_normal(shape, dtype)
    while (outside := np.abs(values) > 2).any():
        values[outside] = rng.standard_normal(int(outside.sum()), dtype)
    return values


INITIALIZERS = {
    "glorot_uniform": GlorotUniform,
    "he_normal": HeNormal,
    "he_uniform": HeUniform,
    "ones": Ones,
    "zeros": Zeros,
}


def get(initializer):
    """An `Initializer` from Keras's name for it, or the thing itself if it is one already."""
    if isinstance(initializer, str) and initializer in INITIALIZERS:
        return INITIALIZERS[initializer]()
    if callable(initializer):
        return initializer
    raise ArgumentError(
        f"initializer is {initializer!r}; expected one of {', '.join(INITIALIZERS)}, or an Initializer."
    )


@contextmanager
def weights_will_be_loaded():
    """Inside this block new parameters are zeros, which cost nothing until they are written. Drawing the 138 million
    random numbers of VGG16, which a file is about to replace, would take a second or two."""
    global _skip_drawing
    before, _skip_drawing = _skip_drawing, True
    try:
        yield
    finally:
        _skip_drawing = before
