"""Comparing arrays: which numbers count as equal, and what a returned value holds.

Rounding is no mistake. So lists, float32 and any order of summation are accepted, and the tolerance depends on the type
of the numbers. It is far below any mistake: an error of a thousandth is found in both.
"""

import numpy as np

TOLERANCE = 1e-6  # relative to the mean size of the numbers; a float64 array may hold sums that were made in float32
TOLERANCE_OF_FLOAT32 = 3e-5
TOLERANCE_OF_FLOAT16 = 1e-2


class NotNumbers(Exception):
    """The reason why a value cannot be taken for an array of numbers, as the end of a sentence."""


def as_numbers(value):
    """Return a returned value as an array. Raises NotNumbers."""
    try:
        array = np.asarray(value)
    except Exception:  # lists of different lengths; objects of other libraries
        raise NotNumbers("is a list whose parts differ in length, and so no array") from None
    if array.dtype.kind == "O":
        raise NotNumbers(f"is {type(value).__name__}, and no array of numbers")
    if array.dtype.kind == "c":
        raise NotNumbers("holds complex numbers. Was the root of a negative number taken?")
    if array.dtype.kind not in "biuf":
        raise NotNumbers(f"holds {array.dtype.name}, and no numbers")
    return array


def tolerance_of(array):
    """Return the relative error that rounding may leave in numbers of this array's type."""
    if array.dtype.kind != "f":
        return TOLERANCE
    return {2: TOLERANCE_OF_FLOAT16, 4: TOLERANCE_OF_FLOAT32}.get(array.dtype.itemsize, TOLERANCE)


def is_right(found, expected):
    """Return an array of booleans: which numbers of `found` are those of `expected`, an array of the same shape."""
    a, b = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    usual = np.abs(b[np.isfinite(b)])
    size = np.abs(b) + (usual.mean() if usual.size else 0)
    with np.errstate(invalid="ignore"):
        close = np.abs(a - b) <= tolerance_of(np.asarray(found)) * size + 1e-12
    return (close & np.isfinite(b)) | (a == b) | (np.isnan(a) & np.isnan(b))


def are_right(found, expected):
    """Return whether two lists of arrays hold the same numbers in the same shapes."""
    return len(found) == len(expected) and all(
        a.shape == b.shape and is_right(a, b).all() for a, b in zip(found, expected)
    )
