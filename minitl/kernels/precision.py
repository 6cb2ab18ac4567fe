"""Which floating-point numbers: float32 for work, float64 for exactness, and what the smallest probability is."""

import numpy as np


def as_float(x):
    """x as it is if it is float32 or float64; integers and half precision become one of the two."""
    x = np.asarray(x)
    return x.astype(np.result_type(x.dtype, np.float32), copy=False)


def smallest_probability(dtype):
    """The floor of softmax and sigmoid: 1.2e-32 in float32. Cross-entropy takes its reciprocal, which is finite."""
    return np.finfo(dtype).tiny * 2**20


def all_finite(array):
    """No NaN and no infinity. Either one makes the sum not finite, and the sum makes no large temporary array; only a
    sum that overflowed by itself needs the second look."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())
