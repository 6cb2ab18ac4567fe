"""Which floating-point numbers: float32 for work, float64 for exactness, and what the smallest probability is."""

import numpy as np


def as_float(x):
    """x as it is if it is float32 or float64; integers and half precision become one of the two."""
    x = np.asarray(x)
    return x.astype(np.result_type(x.dtype, np.float32), copy=False)


def smallest_probability(dtype):
    """The floor of softmax and sigmoid: 1.2e-32 in float32. Cross-entropy takes its reciprocal, which is finite."""
    return np.finfo(dtype).tiny * 2**20
