"""Rows of numbers brought to length 1: y = x / |x|, where |x| is the square root of the sum of squares.

A row runs along one axis, or along several: along the channels of a pixel, for example. A row of zeros has no
direction. It stays zero, and so does its gradient.

Who calls this: `layers.UnitNormalization` and `layers.L2Normalization`.
"""

import numpy as np


def to_unit_length(x, axes):
    """Return (x / |x|, |x|) for the rows of x along `axes`, a tuple; |x| has size 1 along them.

    The square of the largest number may overflow, that of a small one vanish: so it is taken out first.
    """
    largest = np.abs(x).max(axis=axes, keepdims=True, initial=0)
    scaled = x / np.where(largest > 0, largest, 1)
    scaled_length = np.sqrt(np.square(scaled).sum(axis=axes, keepdims=True))
    return scaled / np.where(largest > 0, scaled_length, 1), largest * scaled_length


def to_unit_length_gradient(grad, y, length, axes):
    """Return dL/dx from grad = dL/dy and what `to_unit_length` returned. With n = |x|, y_j = x_j / n and
    dn/dx_i = x_i / n = y_i:

        dy_j/dx_i = (1[i = j] - y_j y_i) / n      so      dL/dx_i = (grad_i - y_i sum_j grad_j y_j) / n

    The gradient has no part along y: to make x longer changes nothing. For x = (3, 4): n = 5 and y = (0.6, 0.8). With
    grad = (1, 0) the sum is 0.6, and dL/dx = ((1 - 0.36) / 5, (0 - 0.48) / 5) = (0.128, -0.096): at right angles to x.
    """
    along = (grad * y).sum(axis=axes, keepdims=True)
    return np.where(length > 0, (grad - y * along) / np.where(length > 0, length, 1), 0)


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def _rows_naive(x, axes):
    """Yield the index of each row of x along `axes`."""
    axes = {axis % x.ndim for axis in axes}
    for place in np.ndindex(*(1 if axis in axes else size for axis, size in enumerate(x.shape))):
        yield tuple(slice(None) if axis in axes else number for axis, number in enumerate(place))


def to_unit_length_naive(x, axes):
    """Divide one row after the other by its length."""
    y, length = np.zeros_like(x), np.zeros_like(x.max(axis=axes, keepdims=True))
    for row in _rows_naive(x, axes):
        n = np.sqrt(sum(number**2 for number in x[row].flat))
        length[row] = n
        if n > 0:
            y[row] = x[row] / n
    return y, length


def to_unit_length_gradient_naive(grad, y, length, axes):
    """Take the part along y out of each row of grad, and divide by the length."""
    dx = np.zeros_like(grad)
    for row in _rows_naive(grad, axes):
        n = length[row].max()
        if n > 0:
            along = sum(g * v for g, v in zip(grad[row].flat, y[row].flat))
            dx[row] = (grad[row] - y[row] * along) / n
    return dx
