"""Clip: numbers are kept between two limits, as NumPy's and ONNX's operations of this name do."""

import numpy as np

from ..arguments import is_number
from ..errors import ArgumentError
from .base import Layer


def is_limit(value):
    """Return whether `value` is a number, and not NaN, which is neither above nor below any."""
    return is_number(value) and not np.isnan(value)


class Clip(Layer):
    """Clip: y = min(max(x, min_value), max_value), number by number.  x (N, ...) -> same shape.

    min_value, max_value   the limits; None: there is none on this side. At least one of them is a number
    """

    config_names = ("min_value", "max_value")
    keeps_channels = is_elementwise = passes_mask = True
    in_keras = False

    def __init__(self, min_value=None, max_value=None, **kwargs):
        super().__init__(**kwargs)
        given = [value for value in (min_value, max_value) if value is not None]
        if not given or not all(map(is_limit, given)) or given != sorted(given):
            raise ArgumentError(
                f"min_value is {min_value!r} and max_value {max_value!r}; expected numbers, the smaller one first, or "
                "None for one of them."
            )
        self.min_value = None if min_value is None else float(min_value)
        self.max_value = None if max_value is None else float(max_value)

    def forward(self, x, training=False):
        y = np.clip(x, self.min_value, self.max_value)
        self.remember(y)
        return y

    def backward(self, grad):
        """Return grad where y lies between the limits, else 0: at a limit, y stays the same when x moves a little."""
        (y,) = self.remembered()
        is_between = np.ones(y.shape, bool)
        if self.min_value is not None:
            is_between &= y > self.min_value
        if self.max_value is not None:
            is_between &= y < self.max_value
        return grad * is_between
