"""The array operations of batch normalization, channel by channel. The math is in the layer.

Whole maps are far larger than the cache of a core (L2, 1 to 2 MB), and most of the time goes into reading and writing
them. Each function here therefore goes over its maps once, in blocks of 1 MB (in float32). A block stays in this cache
for all operations on it.
As whole-array expressions the same lines take two to three times as long: in a training step of ResNet50 at batch 8,
94 ms an image instead of 36.

Who calls this: `layers.BatchNormalization`. Shapes: x and grad are (..., C), everything else is (C,).
"""

import numpy as np

from .channels import Repeated
from .memory import Scratch, empty
from .parallel import SMALLEST_SHARED_BYTES, share, slices, threads
from .products import column_sums

BLOCK_SIZE = 2**18  # numbers that a thread works on at a time


def batch_statistics(x):
    """Return the mean and the variance of each channel, (C,) each, over all examples and pixels.

    mean(x^2) - mean(x)^2 would lose all digits where the mean is large. So each block first subtracts its own mean. At
    the end the variance of the blocks' means is added. With block k of n_k pixels, and M pixels in all,

        M * variance = sum over k of  sum over its x of (x - mean_k)^2  +  n_k * (mean_k - mean)^2

    (Chan, Golub & LeVeque 1979.)
    """
    flat = x.reshape(-1, x.shape[-1])
    parts = _blocks(flat)
    means, squares = np.empty((2, len(parts), flat.shape[1]))  # in float64
    scratch = Scratch(x.dtype)

    def measure(numbered):
        for k, rows in numbered:
            block = flat[rows]
            rough = (column_sums(block) / len(block)).astype(x.dtype)
            deviation = Repeated(rough).combine(np.subtract, block, scratch.array("deviation", *block.shape))
            rest = column_sums(deviation) / len(block)  # what the rounded mean lacks
            np.multiply(deviation, deviation, out=deviation)
            squares[k] = column_sums(deviation) - len(block) * rest * rest
            means[k] = rough + rest

    share(measure, list(enumerate(parts)))
    pixels = np.array([[rows.stop - rows.start] for rows in parts], float)  # n_k
    mean = (pixels * means).sum(axis=0) / len(flat)
    squares += pixels * (means - mean) ** 2
    return mean.astype(x.dtype), (squares.sum(axis=0) / len(flat)).astype(x.dtype)


def scale_and_shift(x, scale, shift=None):
    """Return scale * x + shift as a new array."""
    y = empty(x.shape, np.result_type(x, scale))
    flat, flat_y = x.reshape(-1, x.shape[-1]), y.reshape(-1, x.shape[-1])
    scale, shift = Repeated(scale), None if shift is None else Repeated(shift)

    def compute(parts):
        for rows in parts:
            block = scale.combine(np.multiply, flat[rows], flat_y[rows])
            if shift is not None:
                shift.combine(np.add, block, block)

    share(compute, _blocks(flat))
    return y


def gradient_sums(grad, x, mean):
    """Return sum grad and sum grad * (x - mean), (C,) each, over all examples and pixels."""
    flat_grad, flat = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
    parts = _blocks(flat)
    dtype = np.result_type(grad, x)
    sums = np.empty((2, len(parts), flat.shape[1]))  # in float64
    mean, scratch = Repeated(mean), Scratch(dtype)

    def add(numbered):
        for k, rows in numbered:
            block = flat_grad[rows]
            sums[0, k] = column_sums(block)
            deviation = mean.combine(np.subtract, flat[rows], scratch.array("deviation", *block.shape))
            np.multiply(deviation, block, out=deviation)
            sums[1, k] = column_sums(deviation)

    share(add, list(enumerate(parts)))
    return tuple(sums.sum(axis=1).astype(dtype))


def weighted_sum(grad, x, a, b, c):
    """Return a * grad + b * x + c."""
    y = empty(grad.shape, np.result_type(grad, x))
    flat_grad, flat, flat_y = (each.reshape(-1, x.shape[-1]) for each in (grad, x, y))
    a, b, c = Repeated(a), Repeated(b), Repeated(c)
    scratch = Scratch(y.dtype)

    def compute(parts):
        for rows in parts:
            block = b.combine(np.multiply, flat[rows], flat_y[rows])
            c.combine(np.add, block, block)
            block += a.combine(np.multiply, flat_grad[rows], scratch.array("product", *block.shape))

    share(compute, _blocks(flat))
    return y


def _blocks(flat):
    """Return the rows of an array (P, C) in blocks, the same number for each thread. A small array needs one thread."""
    count = -(-flat.size // BLOCK_SIZE)
    multiple = threads() if flat.nbytes >= SMALLEST_SHARED_BYTES else 1
    return slices(len(flat), -(-count // multiple) * multiple)


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


def scale_and_shift_naive(x, scale, shift=None):
    """Compute scale * x + shift, one number at a time."""
    y = np.zeros(x.shape, np.result_type(x, scale))
    for *place, c in np.ndindex(x.shape):
        y[(*place, c)] = x[(*place, c)] * scale[c] + (0 if shift is None else shift[c])
    return y


def gradient_sums_naive(grad, x, mean):
    """Add up grad and grad * (x - mean) for each channel, one number at a time."""
    sums = np.zeros((2, x.shape[-1]), np.result_type(grad, x))
    for *place, c in np.ndindex(x.shape):
        sums[0, c] += grad[(*place, c)]
        sums[1, c] += grad[(*place, c)] * (x[(*place, c)] - mean[c])
    return tuple(sums)


def weighted_sum_naive(grad, x, a, b, c):
    """Compute a * grad + b * x + c, one number at a time."""
    y = np.zeros(x.shape, np.result_type(grad, x))
    for *place, k in np.ndindex(x.shape):
        y[(*place, k)] = a[k] * grad[(*place, k)] + b[k] * x[(*place, k)] + c[k]
    return y
