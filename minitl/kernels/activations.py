"""Activation functions and their gradients.

Each gradient is written in terms of the activation's *output* y, so that a layer keeps one array and not two.
`out=` lets a layer overwrite an array that it has just made and nobody else holds.
"""

import numpy as np

from .memory import Scratch, empty
from .parallel import image_slices, share
from .precision import as_float, smallest_probability


def linear(x, out=None):
    """x as it is; copied only where there is another array to write to."""
    if out is not None and out is not x:
        np.copyto(out, x)
    return x if out is None else out


def linear_gradient(grad, y):
    return grad


def relu(x, out=None):
    """max(x, 0)."""
    if out is not None:
        return np.maximum(x, 0, out=out)
    y = empty(x.shape, x.dtype)

    def cut_off(parts):
        for part in parts:
            np.maximum(x[part], 0, out=y[part])

    share(cut_off, image_slices(y))
    return y


def relu_gradient(grad, y):
    """y = x where x > 0, else 0, so dy/dx is 1 or 0; and x > 0 exactly where y > 0."""
    dx = empty(grad.shape, np.result_type(grad, y))
    scratch = Scratch(bool)

    def multiply(parts):
        for part in parts:
            for n in range(part.start, part.stop):  # one image at a time, for the cache
                image = slice(n, n + 1)
                is_open = np.greater(y[image], 0, out=scratch.array("is open", 1, *y.shape[1:]))
                np.multiply(grad[image], is_open, out=dx[image])

    share(multiply, image_slices(grad))
    return dx


def tanh(x, out=None):
    return np.tanh(as_float(x), out=out)


def tanh_gradient(grad, y):
    """d tanh(x) / dx = 1 - tanh(x)^2."""
    return grad * (1 - y * y)


def sigmoid(x, out=None):
    """1 / (1 + exp(-x)), kept strictly between 0 and 1.

    exp(-|x|) cannot overflow; with e = exp(-|x|) the value is 1/(1+e) for x >= 0 and e/(1+e) below. In floating point
    it would reach exactly 0 or 1 and its gradient y (1 - y) would vanish where a wrong answer needs it most; the floor
    and the ceiling are the nearest numbers for which `losses.BinaryCrossentropy` and this gradient still cancel.
    """
    x = as_float(x)
    e = np.exp(-np.abs(x))
    y = np.where(x >= 0, 1, e) / (1 + e)
    return np.clip(y, smallest_probability(y.dtype), 1 - np.finfo(y.dtype).epsneg, out=out)


def sigmoid_gradient(grad, y):
    """dy/dx = y (1 - y)."""
    return grad * (y * (1 - y))


def softmax(x, out=None, axis=-1):
    """exp(x_j) / sum_k exp(x_k) along `axis`, kept strictly above 0.

    The largest entry is subtracted first (numerator and denominator shrink by the same factor), so exp cannot
    overflow. Entries that would underflow to 0 are held at `smallest_probability`: cross-entropy divides by the
    probability and `softmax_gradient` multiplies by it again, which cancels exactly only if it is not 0.
    """
    x = as_float(x)
    y = np.subtract(x, x.max(axis=axis, keepdims=True), out=out)
    np.exp(y, out=y)
    y /= y.sum(axis=axis, keepdims=True)
    return np.maximum(y, smallest_probability(y.dtype), out=y)


def softmax_gradient(grad, y, axis=-1):
    """dy_j/dx_i = y_j (1[i = j] - y_i), so with g = dL/dy:

    dL/dx_i = sum_j g_j y_j (1[i = j] - y_i) = g_i y_i - y_i sum_j g_j y_j
    """
    weighted = grad * y
    return weighted - y * weighted.sum(axis=axis, keepdims=True)


def log_softmax(x, axis=-1):
    """log(softmax(x)) without the detour: x_j - max - log sum_k exp(x_k - max). Exact however far apart x are."""
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


# Keras's names -> (function, gradient)
ACTIVATIONS = {
    "linear": (linear, linear_gradient),
    "relu": (relu, relu_gradient),
    "sigmoid": (sigmoid, sigmoid_gradient),
    "softmax": (softmax, softmax_gradient),
    "tanh": (tanh, tanh_gradient),
}
