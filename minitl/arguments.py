"""Checks of single arguments: each returns the value, or raises an ArgumentError that names the argument."""

import numpy as np

from .errors import ArgumentError


def refuse_methods(thing, names, advice):
    """Raise ArgumentError if the class of `thing` defines a method that Keras would call and minitl would not: it would
    be ignored in silence. `advice` says what to write here."""
    found = [name for name in names if getattr(type(thing), name, None) is not None]
    if found:
        raise ArgumentError(f"class {type(thing).__name__} defines {found[0]}(), which minitl never calls. {advice}")


def whole_number(value, argument, least=1):
    """Return `value` as an int. Raises ArgumentError unless it is a whole number of at least `least`."""
    if not isinstance(value, (int, np.integer)) or value < least:
        raise ArgumentError(f"{argument} is {value!r}; expected a whole number of at least {least}.")
    return int(value)


def number(value, argument, least, most):
    """Return `value` as a float. Raises ArgumentError unless it is a number from `least` to `most`."""
    if not isinstance(value, (int, float, np.number)) or not least <= value <= most:
        raise ArgumentError(f"{argument} is {value!r}; expected a number from {least:g} to {most:g}.")
    return float(value)


def pair(value, argument):
    """Return (3, 3) for 3 or (3, 3). Raises ArgumentError for anything but positive whole numbers."""
    values = (value, value) if isinstance(value, (int, np.integer)) else tuple(value)
    if len(values) != 2 or any(not isinstance(v, (int, np.integer)) or v < 1 for v in values):
        raise ArgumentError(f"{argument} is {value!r}; expected a positive whole number or a pair of them.")
    return int(values[0]), int(values[1])
