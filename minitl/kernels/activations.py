"""Activation functions and their gradients.

Each gradient is written in terms of the activation's *output* y, so that a layer keeps one array and not two. Those in
WITH_SLOPE cannot be: GELU and SiLU take the same value twice (`gelu`). Their slopes are computed with y, and kept in
its place. `out=` lets a layer overwrite an array that it has just made and that nobody else holds.
"""

from functools import lru_cache

import numpy as np

from .bent_units import (
    hard_shrink,
    hard_silu,
    hard_silu_with_slope,
    hard_tanh,
    hard_tanh_gradient,
    shrink_gradient,
    soft_shrink,
    sparse_plus,
    sparse_plus_gradient,
    sparse_sigmoid,
    sparse_sigmoid_gradient,
    sparsemax,
    sparsemax_gradient,
)
from .channels import Repeated
from .elementwise import multiply
from .gelu import gelu, gelu_tanh, gelu_tanh_with_slope, gelu_with_slope, silu, silu_with_slope
from .memory import Scratch, empty
from .parallel import example_slices, share
from .precision import as_float, smallest_probability
from .products import sum_dtype, sums
from .smooth_units import (
    celu,
    elu,
    elu_gradient,
    exponential,
    exponential_gradient,
    leaky_relu,
    leaky_relu_gradient,
    log_sigmoid,
    log_sigmoid_gradient,
    mish,
    mish_with_slope,
    selu,
    selu_gradient,
    softplus,
    softplus_gradient,
    softsign,
    softsign_gradient,
    squareplus,
    squareplus_gradient,
    tanh_shrink,
    tanh_shrink_with_slope,
)


def linear(x, out=None):
    """Return x itself, or `out` with x copied into it."""
    if out is not None and out is not x:
        np.copyto(out, x)
    return x if out is None else out


def linear_gradient(grad, y):
    """Return grad, because dy/dx = 1."""
    return grad


def relu(x, out=None):
    """Return max(x, 0), number by number."""
    zeros = _zeros(x.shape[-1] if x.ndim else 1, x.dtype)  # faster than the number 0: see `channels`
    if out is not None:
        return zeros.combine(np.maximum, x, out)
    y = empty(x.shape, x.dtype)

    def cut_off(parts):
        for part in parts:
            zeros.combine(np.maximum, x[part], y[part])

    share(cut_off, example_slices(y))
    return y


@lru_cache(maxsize=256)
def _zeros(channels, dtype):
    """Return a vector of zeros to compare every pixel with."""
    return Repeated(np.zeros(channels, dtype))


def relu_gradient(grad, y):
    """Return grad where y > 0, else 0.

    y = x where x > 0, else 0. So dy/dx is 1 where x > 0, else 0; and x > 0 exactly where y > 0.
    """
    dx = empty(grad.shape, np.result_type(grad, y))
    scratch = Scratch(bool)

    def multiply(parts):
        for part in parts:
            for n in range(part.start, part.stop):  # one example at a time: `is_positive` then stays in the cache
                example = slice(n, n + 1)
                is_positive = np.greater(y[example], 0, out=scratch.array("is positive", 1, *y.shape[1:]))
                np.multiply(grad[example], is_positive, out=dx[example])

    share(multiply, example_slices(grad))
    return dx


def relu6(x, out=None):
    """Return max(x, 0), but 6 where that is more than 6. Numbers with an upper limit can be stored in 8 bits."""
    if out is not None:
        return np.clip(x, 0, 6, out=out)
    y = empty(x.shape, x.dtype)

    def limit(parts):
        for part in parts:
            np.clip(x[part], 0, 6, out=y[part])

    share(limit, example_slices(y))
    return y


def relu6_gradient(grad, y):
    """Return grad where 0 < y < 6, else 0: y = x there, and elsewhere y stays the same when x moves a little."""
    dx = empty(grad.shape, np.result_type(grad, y))
    scratch = Scratch(bool)

    def multiply(parts):
        for part in parts:
            for n in range(part.start, part.stop):  # one example at a time, as in `relu_gradient`
                example = slice(n, n + 1)
                is_inside = np.greater(y[example], 0, out=scratch.array("is inside", 1, *y.shape[1:]))
                is_inside &= np.less(y[example], 6, out=scratch.array("is below", 1, *y.shape[1:]))
                np.multiply(grad[example], is_inside, out=dx[example])

    share(multiply, example_slices(grad))
    return dx


def tanh(x, out=None):
    """Return the hyperbolic tangent of each number."""
    return np.tanh(as_float(x), out=out)


def tanh_gradient(grad, y):
    """Return grad * dy/dx, where d tanh(x) / dx = 1 - tanh(x)^2 = 1 - y^2."""
    return grad * (1 - y * y)


def sigmoid(x, out=None):
    """Return 1 / (1 + exp(-x)), kept strictly between 0 and 1.

    exp(-|x|) cannot overflow. With e = exp(-|x|) the value is 1/(1+e) for x >= 0 and e/(1+e) for x < 0.

    In floating point the value of a large |x| would round to exactly 0 or 1. The gradient y (1 - y) would then be 0,
    and the worst predictions would teach nothing. The value is therefore clipped. The upper limit is the largest
    number below 1. The lower limit is `smallest_probability`. Within these limits this gradient and that of
    `losses.BinaryCrossentropy` still cancel.
    """
    x = as_float(x)
    e = np.exp(-np.abs(x))
    y = np.where(x >= 0, 1, e) / (1 + e)
    return np.clip(y, smallest_probability(y.dtype), 1 - np.finfo(y.dtype).epsneg, out=out)


def sigmoid_gradient(grad, y):
    """Return grad * dy/dx, where dy/dx = y (1 - y)."""
    return grad * (y * (1 - y))


def hard_sigmoid(x, out=None):
    """Return x / 6 + 1/2, cut off below 0 and above 1: three straight lines in place of the sigmoid. It ends at +-3.

    This is Keras 3's. Keras 1 and 2 had x / 5 + 1/2, which ends at +-2.5.
    """
    y = np.add(np.multiply(as_float(x), 1 / 6, out=out), 0.5, out=out)
    return np.clip(y, 0, 1, out=out)


def hard_sigmoid_gradient(grad, y):
    """Return grad / 6 where 0 < y < 1, else 0."""
    return grad * (((y > 0) & (y < 1)) * y.dtype.type(1 / 6))


def softmax(x, out=None, axis=-1):
    """Return exp(x_j) / sum_k exp(x_k) along `axis`, kept strictly above 0.

    The largest entry is subtracted first, so exp cannot overflow. (Numerator and denominator shrink by the same
    factor.) Entries that would underflow to 0 are raised to `smallest_probability`: cross-entropy divides by the
    probability and `softmax_gradient` multiplies by it again. The two cancel only if the probability is not 0.
    """
    x = as_float(x)
    y = np.subtract(x, x.max(axis=axis, keepdims=True), out=out)
    np.exp(y, out=y)
    y /= y.sum(axis=axis, keepdims=True, dtype=sum_dtype(y, axis))
    return np.maximum(y, smallest_probability(y.dtype), out=y)


def softmax_gradient(grad, y, axis=-1):
    """Return dL/dx from grad = dL/dy = g.

    dy_j/dx_i = y_j (1[i = j] - y_i), where 1[i = j] is 1 for i = j, else 0. So

        dL/dx_i = sum_j g_j y_j (1[i = j] - y_i) = g_i y_i - y_i sum_j g_j y_j
    """
    weighted = grad * y
    return weighted - y * sums(weighted, axis)


def log_softmax(x, axis=-1):
    """Return log(softmax(x)), computed directly as x_j - max - log sum_k exp(x_k - max).

    No probability is rounded to 0 on the way, so the result is right however far apart the entries of x are.
    """
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(sums(np.exp(shifted), axis))


def slope_gradient(grad, slope):
    """Return grad * dy/dx, for activations whose slope dy/dx has been kept."""
    return multiply(grad, slope)


# Keras's names -> (function, gradient). Keras calls the GELU by tanh gelu(..., approximate=True).
ACTIVATIONS = {
    "celu": (celu, elu_gradient),  # at alpha = 1 the two are the same
    "elu": (elu, elu_gradient),
    "exponential": (exponential, exponential_gradient),
    "gelu": (gelu, slope_gradient),
    "gelu_tanh": (gelu_tanh, slope_gradient),
    "hard_sigmoid": (hard_sigmoid, hard_sigmoid_gradient),
    "hard_shrink": (hard_shrink, shrink_gradient),
    "hard_silu": (hard_silu, slope_gradient),
    "hard_swish": (hard_silu, slope_gradient),
    "hard_tanh": (hard_tanh, hard_tanh_gradient),
    "leaky_relu": (leaky_relu, leaky_relu_gradient),
    "linear": (linear, linear_gradient),
    "log_sigmoid": (log_sigmoid, log_sigmoid_gradient),
    "mish": (mish, slope_gradient),
    "relu": (relu, relu_gradient),
    "relu6": (relu6, relu6_gradient),
    "selu": (selu, selu_gradient),
    "sigmoid": (sigmoid, sigmoid_gradient),
    "silu": (silu, slope_gradient),
    "soft_shrink": (soft_shrink, shrink_gradient),
    "softmax": (softmax, softmax_gradient),
    "softplus": (softplus, softplus_gradient),
    "softsign": (softsign, softsign_gradient),
    "sparse_plus": (sparse_plus, sparse_plus_gradient),
    "sparse_sigmoid": (sparse_sigmoid, sparse_sigmoid_gradient),
    "sparsemax": (sparsemax, sparsemax_gradient),
    "squareplus": (squareplus, squareplus_gradient),
    "swish": (silu, slope_gradient),
    "tanh_shrink": (tanh_shrink, slope_gradient),
    "tanh": (tanh, tanh_gradient),
}
# name -> function(x, out=None, slope=None), which returns y and the slope
WITH_SLOPE = {
    "gelu": gelu_with_slope,
    "gelu_tanh": gelu_tanh_with_slope,
    "hard_silu": hard_silu_with_slope,
    "hard_swish": hard_silu_with_slope,
    "mish": mish_with_slope,
    "silu": silu_with_slope,
    "swish": silu_with_slope,
    "tanh_shrink": tanh_shrink_with_slope,
}
