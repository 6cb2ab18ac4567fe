"""Activations of straight lines and parabolas: hard and soft limits, shrinking, and the sparse relatives of softmax.

They are cheap, and exactly 0 or flat where their smooth relatives are only nearly so. The gradients are written in
terms of the output y, as in `activations`; that of hard_silu, which takes values twice, in terms of its slope.
"""

import numpy as np

from .precision import as_float

SHRINKAGE = 0.5  # Keras's threshold of soft_shrink and hard_shrink


def hard_tanh(x, out=None):
    """Return x, cut off at -1 and 1."""
    return np.clip(as_float(x), -1, 1, out=out)


def hard_tanh_gradient(grad, y):
    """Return grad where -1 < y < 1, else 0."""
    return grad * (np.abs(y) < 1)


def hard_silu_with_slope(x, out=None, slope=None):
    """Return x (x / 6 + 1/2), the factor cut off at 0 and 1, and the derivative: 0 below -3, 1 above 3, else x / 3 +
    1/2. Howard et al. 2019 (MobileNetV3), where it is called hard swish."""
    x = as_float(x)
    inside = np.abs(x) < 3
    slope = np.multiply(np.where(inside, x / 3 + 0.5, x > 0), 1, out=slope, dtype=x.dtype, casting="unsafe")
    return np.multiply(x, np.clip(x / 6 + 0.5, 0, 1), out=out), slope


def hard_silu(x, out=None):
    """Return the first result of `hard_silu_with_slope`."""
    return hard_silu_with_slope(x, out)[0]


def soft_shrink(x, out=None, threshold=SHRINKAGE):
    """Return x, moved towards 0 by `threshold`: 0 for |x| <= threshold."""
    x = as_float(x)
    return np.subtract(x, np.clip(x, -threshold, threshold), out=out)


def hard_shrink(x, out=None, threshold=SHRINKAGE):
    """Return x where |x| > threshold, else 0."""
    x = as_float(x)
    return np.multiply(x, np.abs(x) > threshold, out=out)


def shrink_gradient(grad, y):
    """Return grad where y is not 0, else 0: for soft and for hard shrinking."""
    return grad * (y != 0)


def sparse_plus(x, out=None):
    """Return 0 below -1, x above 1, and between them the parabola (x + 1)^2 / 4, which joins the two lines."""
    x = as_float(x)
    return np.add(np.clip(x + 1, 0, 2) ** 2 / 4, np.maximum(x - 1, 0), out=out)


def sparse_plus_gradient(grad, y):
    """Return grad * min(sqrt(y), 1): (x + 1) / 2 = sqrt(y) on the parabola, where 0 < y < 1."""
    return grad * np.minimum(np.sqrt(y), 1)


def sparse_sigmoid(x, out=None):
    """Return (x + 1) / 2, cut off at 0 and 1: the derivative of sparse_plus."""
    return np.clip((as_float(x) + 1) / 2, 0, 1, out=out)


def sparse_sigmoid_gradient(grad, y):
    """Return grad / 2 where 0 < y < 1, else 0."""
    return grad * (((y > 0) & (y < 1)) * y.dtype.type(0.5))


def sparsemax(x, out=None, axis=-1):
    """Return the point of all probabilities along `axis` that is nearest to x: many of them are exactly 0. Martins &
    Astudillo 2016.

    It is max(x_j - t, 0) with the t that makes the sum 1. With x in falling order, the first k entries are above t for
    the largest k with 1 + k x_k > x_1 + ... + x_k, and t = (x_1 + ... + x_k - 1) / k. (Keras 3.15 takes another t, with
    which the sum is below 1 where k is above 1. This one is the paper's.)
    """
    x = np.moveaxis(as_float(x), axis, -1)
    x = x - x.max(axis=-1, keepdims=True)  # y stays the same, and 1 + k x_k does not round to k x_k
    falling = -np.sort(-x, axis=-1)
    sums, k = np.cumsum(falling, axis=-1), np.arange(1, x.shape[-1] + 1)
    count = (1 + k * falling > sums).sum(axis=-1, keepdims=True)
    t = (np.take_along_axis(sums, count - 1, axis=-1) - 1) / count
    return np.maximum(np.moveaxis(x - t, -1, axis), 0, out=out).astype(x.dtype, copy=False)


def sparsemax_gradient(grad, y, axis=-1):
    """Return dL/dx from grad = g. Let S be the k places with y > 0. There y_j = x_j - t, and t = (sum_S x - 1) / k, so
    dy_j/dx_i = 1[i = j] - 1 / k for i in S, and dL/dx_i = g_i - sum_S g / k; elsewhere it is 0."""
    support = y > 0
    mean = (grad * support).sum(axis=axis, keepdims=True) / support.sum(axis=axis, keepdims=True)
    return ((grad - mean) * support).astype(grad.dtype, copy=False)


def sparsemax_naive(x):
    """Return sparsemax of one row by trying each number of places that are not 0."""
    for count in range(1, len(x) + 1):
        t = (sum(sorted(x, reverse=True)[:count]) - 1) / count
        y = [max(number - t, 0.0) for number in x]
        if abs(sum(y) - 1) < 1e-9:
            return y
    raise ValueError(f"no probabilities are nearest to {x}")
