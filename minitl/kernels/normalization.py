"""The array operations of batch normalization, channel by channel. The math is in the layer.

Whole maps are far larger than the caches, and most of the time goes into reading and writing them. Each function here
therefore goes over its maps once, in blocks (`channels.BLOCK_SIZE`, 2 MB in float32). A block stays in a cache for all
operations on it. As whole-array expressions the same lines take two to three times as long. Small blocks are slow, too:
each operation on a block takes some microseconds to begin, and the threads may have to wait for each other there. The
gradients with blocks of 0.5 MB take 1.2 times as long as with 2 MB.

A ReLU behind the normalization is computed in the same passes: `scale_and_shift` cuts off what is negative, and
`gradient_sums` begins with the gradient of the ReLU.

Who calls this: `layers.BatchNormalization`. Shapes: x, y and grad are (..., C), everything else is (C,).
"""

import numpy as np

from .channels import blocks, long_rows
from .memory import Scratch, empty
from .parallel import share
from .products import ROWS_OF_A_PARTIAL_SUM, column_sums

SAMPLE = 64  # pixels that the mean is guessed from


def batch_statistics(x):
    """Return the mean and the variance of each channel, (C,) each, over all examples and pixels.

    mean(x^2) - mean(x)^2 would lose all digits where the mean is large. So a guess of the mean is subtracted first.
    With d = x - guess, and sums over M pixels,

        mean = guess + sum d / M        variance = sum d^2 / M - (sum d / M)^2

    The guess is the mean of some pixels all over the maps, some tenths of a standard deviation off. Then no digit is
    lost. In maps where it is farther off, everything is computed again, with the mean as the guess.
    """
    sample = x.reshape(-1, x.shape[-1])
    if len(sample) > SAMPLE:
        places = np.arange(SAMPLE) * 0.6180339887 % 1 * len(sample)  # spread evenly, and over all columns of the maps
        sample = sample[places.astype(int)]
    guess = (column_sums(sample) / len(sample)).astype(x.dtype)
    mean, variance = _statistics_around(guess, x)
    # The guess of equal numbers is off by its rounding, and their variance is 0.
    rounding = 8 * np.finfo(x.dtype).eps * np.abs(guess)
    if ((mean - guess) ** 2 > variance + rounding**2).any():
        mean, variance = _statistics_around(mean.astype(x.dtype), x)
    return mean.astype(x.dtype), variance.astype(x.dtype)


def _statistics_around(guess, x):
    """Return the mean and the variance of each channel in float64, given about the mean."""
    (rows,), pixels = long_rows(x)
    parts = blocks(rows, ROWS_OF_A_PARTIAL_SUM)
    sums = np.empty((2, len(parts), rows.shape[1]), x.dtype)
    guesses, scratch = np.tile(guess, pixels), Scratch(x.dtype)

    def measure(numbered):
        for k, part in numbered:
            block = rows[part]
            deviation = np.subtract(block, guesses, out=scratch.array("deviation", *block.shape))
            _add_columns(deviation, deviation, sums[:, k])

    share(measure, list(enumerate(parts)))
    deviation, square = _of_channels(sums, len(guess)) * len(guess) / x.size  # means
    return guess + deviation, np.maximum(square - deviation**2, 0)  # of equal numbers, rounding may leave less than 0


def scale_and_shift(x, scale, shift=None, relu=False):
    """Return scale * x + shift as a new array, with relu=True max(scale * x + shift, 0)."""
    y = empty(x.shape, np.result_type(x, scale))
    (rows, y_rows), pixels = long_rows(x, y)
    scales, zeros = np.tile(scale, pixels), np.zeros(rows.shape[1], y.dtype)
    shifts = None if shift is None else np.tile(shift, pixels)

    def compute(parts):
        for part in parts:
            block = np.multiply(rows[part], scales, out=y_rows[part])
            if shift is not None:
                block += shifts
            if relu:
                np.maximum(block, zeros, out=block)  # faster than with the number 0: see `channels`

    share(compute, blocks(rows))
    return y


def gradient_sums(grad, x, mean, y=None):
    """Return g, sum g and sum g * (x - mean), the sums (C,) over all examples and pixels.

    g is grad. With the output y of a ReLU that has been computed together with the normalization, grad is the gradient
    of y, and g is a new array: grad where y > 0, else 0 (see `activations.relu_gradient`).

    sum g * x - mean * sum g would need no array for x - mean, and lose digits where the mean is large: seven times the
    error for a mean of a hundred standard deviations.
    """
    if y is None:
        g, ((rows, g_rows), pixels) = grad, long_rows(x, grad)
    else:
        g = empty(grad.shape, np.result_type(grad, y))
        (rows, g_rows, y_rows), pixels = long_rows(x, g, y)
        flat_grad = grad.reshape(-1, grad.shape[-1])  # a view, even if grad holds only some channels of an array
    parts = blocks(rows, ROWS_OF_A_PARTIAL_SUM)
    sums = np.empty((2, len(parts), rows.shape[1]), np.result_type(g, x))
    means, flags, scratch = np.tile(mean, pixels), Scratch(bool), Scratch(x.dtype)

    def add(numbered):
        for k, part in numbered:
            block = g_rows[part]
            if y is not None:
                is_positive = np.greater(y_rows[part], 0, out=flags.array("is positive", *block.shape))
                shape = -1, grad.shape[-1]
                grads = flat_grad[part.start * pixels : part.stop * pixels]
                np.multiply(grads, is_positive.reshape(shape), out=block.reshape(shape))
            deviation = np.subtract(rows[part], means, out=scratch.array("deviation", *block.shape))
            _add_columns(block, deviation, sums[:, k])

    share(add, list(enumerate(parts)))
    sum_g, sum_g_deviation = _of_channels(sums, len(mean))
    return g, sum_g.astype(g.dtype), sum_g_deviation.astype(g.dtype)


def weighted_sum(grad, x, a, b, c, out=None):
    """Return a * (grad + b * x + c) as a new array or in `out`, which may be grad."""
    y = empty(grad.shape, np.result_type(grad, x)) if out is None else out
    (grad_rows, rows, y_rows), pixels = long_rows(grad, x, y)
    a, b, c = (np.tile(each, pixels) for each in (a, b, c))
    scratch = Scratch(y.dtype)

    def compute(parts):
        for part in parts:
            block = y_rows[part]
            total = np.multiply(rows[part], b, out=scratch.array("total", *block.shape))
            total += c
            total += grad_rows[part]
            np.multiply(total, a, out=block)

    share(compute, blocks(rows))
    return y


def _add_columns(a, b, out):
    """Write the sums of the columns of a (P, C), and of a * b, to out (2, C). These are two operations and not more,
    because a thread may have to wait for another one between any two."""
    np.matmul(np.ones(len(a), a.dtype), a, out=out[0])
    np.einsum("pc,pc->c", a, b, out=out[1])


def _of_channels(sums, channels):
    """Return the sums (2, C) in float64, from those of the columns of all blocks (2, blocks, pixels*C)."""
    return sums.reshape(2, -1, channels).sum(axis=1, dtype=np.float64)


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def batch_statistics_naive(x):
    """Compute the mean and the variance of each channel in two loops over the pixels."""
    pixels = x.reshape(-1, x.shape[-1])
    mean, variance = np.zeros((2, x.shape[-1]), x.dtype)
    for pixel in pixels:
        mean += pixel / len(pixels)
    for pixel in pixels:
        variance += (pixel - mean) ** 2 / len(pixels)
    return mean, variance


def scale_and_shift_naive(x, scale, shift=None, relu=False):
    """Compute scale * x + shift, one number at a time."""
    y = np.zeros(x.shape, np.result_type(x, scale))
    for *place, c in np.ndindex(x.shape):
        z = x[(*place, c)] * scale[c] + (0 if shift is None else shift[c])
        y[(*place, c)] = max(z, 0) if relu else z
    return y


def gradient_sums_naive(grad, x, mean, y=None):
    """Add up g and g * (x - mean) for each channel, one number at a time."""
    g = np.zeros(grad.shape, grad.dtype)
    sums = np.zeros((2, x.shape[-1]), np.result_type(grad, x))
    for *place, c in np.ndindex(x.shape):
        place = (*place, c)
        g[place] = grad[place] if y is None or y[place] > 0 else 0
        sums[0, c] += g[place]
        sums[1, c] += g[place] * (x[place] - mean[c])
    return g, *sums


def weighted_sum_naive(grad, x, a, b, c):
    """Compute a * (grad + b * x + c), one number at a time."""
    y = np.zeros(x.shape, np.result_type(grad, x))
    for *place, k in np.ndindex(x.shape):
        y[(*place, k)] = a[k] * (grad[(*place, k)] + b[k] * x[(*place, k)] + c[k])
    return y
