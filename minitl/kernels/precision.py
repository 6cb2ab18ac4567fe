"""The types of floating-point numbers: float32 for work, float64 for exactness; and the smallest probability."""

import numpy as np


def as_float(x):
    """Return x itself if it is float32 or float64. Integers and half precision become one of the two."""
    x = np.asarray(x)
    return x.astype(np.result_type(x.dtype, np.float32), copy=False)


def smallest_probability(dtype):
    """Return the smallest value of softmax and sigmoid: tiny * 2**20, which is 2**-106 = 1.2e-32 in float32.

    Float32 reaches from tiny = 2**-126 (the smallest number with all its digits) to just below 2**128. Cross-entropy
    divides by the probability, and the gradient of softmax multiplies by it again. Both need room:

    - Upwards: 1 / p is at most 2**106, so t / p is finite for every weight below 2**22 (4 million). With tiny itself as
      the limit, 1 / p could be 2**126, and a weight of 4 would make t / p infinite.
    - Downwards: the probability may be multiplied by numbers down to 2**-20, such as 1 / M for a million predictions,
      and still keeps all its digits. The loss divides its gradient by M, so the last line of `softmax_gradient`
      multiplies the probability, y, by sum_j g_j y_j = -1 / M.
    """
    return np.finfo(dtype).tiny * 2**20


def all_finite(array):
    """Return whether an array holds no NaN and no infinity.

    A NaN or an infinity makes the sum not finite, and a sum needs no large temporary array. If the sum is not finite,
    it may only have overflowed: then every number is checked.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())


def is_finite_and_moderate(array):
    """Return whether all numbers of an array are finite and below about 1e19, so that the sum of their squares is
    finite, too. BLAS computes this sum three times as fast as NumPy finds a maximum."""
    flat = array.reshape(-1)
    return bool(np.isfinite(np.dot(flat, flat)))
