"""Checks of single arguments: each returns the value, or raises an ArgumentError that names the argument."""

import difflib

import numpy as np

from .errors import ArgumentError


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


def nearest(word, known, count=3):
    """Return up to `count` of the `known` names that are nearest to a word: for an error about a name that is unknown.

    A name is near if it is spelt alike, or if it begins with the word.
    """
    word, by_lower = str(word).lower(), {str(name).lower(): str(name) for name in known}
    near = difflib.get_close_matches(word, by_lower, n=count, cutoff=0.5)
    if word.strip("-"):
        near += [name for name in by_lower if name.startswith(word) and name not in near]
    return [by_lower[name] for name in near[:count]]
