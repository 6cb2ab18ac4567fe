"""The base of all initializers, and the numbers of terms that they look at."""

import math
from contextlib import contextmanager

import numpy as np

from ..arguments import NotHere, call_text, keras_arguments
from ..configured import Configured
from ..randomness import generator

_skip_drawing = False


def fans(shape):
    """Return (fan_in, fan_out) of a kernel.

    fan_in is KH*KW*C for a kernel (KH, KW, C, F), and `inputs` for a dense kernel (inputs, units).
    """
    if len(shape) < 2:
        size = math.prod(shape)
        return size, size
    receptive_field = math.prod(shape[:-2])
    return receptive_field * shape[-2], receptive_field * shape[-1]


class Initializer(Configured):
    """The base of all initializers: called with a shape, it returns a new array.

    With a `seed` the numbers are the same every time.
    """

    @keras_arguments(after="seed", input_axes=NotHere(), output_axes=NotHere())
    def __init__(self, seed=None):
        self.seed = seed

    def __repr__(self):
        return call_text(self)

    def __call__(self, shape, dtype="float32"):
        """Return a new array of this shape."""
        shape = tuple(shape)
        if _skip_drawing:
            return np.zeros(shape, dtype)
        return self.draw(shape, np.dtype(dtype), generator(self.seed))


@contextmanager
def weights_will_be_loaded():
    """Make new parameters zeros inside this block, because a file will replace them.

    Zeros cost nothing until they are written. To draw the 138 million random numbers of VGG16 takes a second or two.
    """
    global _skip_drawing
    before, _skip_drawing = _skip_drawing, True
    try:
        yield
    finally:
        _skip_drawing = before
