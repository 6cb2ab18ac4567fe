"""Checks of single arguments: the value, or an ArgumentError that names the argument."""

import numpy as np

from .errors import ArgumentError


def whole_number(value, argument, least=1):
    """`value` as an int of at least `least`, or ArgumentError."""
    if not isinstance(value, (int, np.integer)) or value < least:
        raise ArgumentError(f"{argument} is {value!r}; expected a whole number of at least {least}.")
    return int(value)


def number(value, argument, least, most):
    """A number from `least` to `most`, or ArgumentError."""
    if not isinstance(value, (int, float, np.number)) or not least <= value <= most:
        raise ArgumentError(f"{argument} is {value!r}; expected a number from {least:g} to {most:g}.")
    return float(value)
