"""Pooling: each window of each channel becomes one number, its maximum or its mean.

The fast versions loop over the KH*KW *positions inside the window* instead of over the windows: position (a, b) of
all windows at once is a strided slice of the image, so a 2x2 pooling is four whole-array operations.

Who calls this: `layers.pooling`.
"""

from itertools import groupby

import numpy as np

from .geometry import blocks_of_rows, crop, pad, taps, window
from .memory import Scratch, empty
from .parallel import share, slices, threads
from .precision import as_float

BLOCK_BYTES = 4 * 2**20  # of the image, that a thread works on at a time


def max_pool(x, pool_hw, strides, padding="valid"):
    """x (N, H, W, C) -> (N, OH, OW, C). Padding never wins: it counts as minus infinity."""
    x = as_float(x)  # minus infinity is no integer
    rows, cols = window(x.shape[1:3], pool_hw, strides, padding)
    padded = pad(x, rows, cols, -np.inf)
    y = empty((len(x), rows.out, cols.out, x.shape[3]), x.dtype)
    _reduce(np.maximum, padded, y, rows, cols)
    return y


def _reduce(combine, padded, y, rows, cols, finish=None):
    """y = all numbers of each window put together, two at a time: first those in one column of pixels, then what came
    of the KW columns. Together that is KH + KW steps and not KH*KW; and since neighbours share columns, none is done
    twice. finish(block of y, its output rows) is called while the block is in the cache."""
    scratch = Scratch(y.dtype)

    def pool(blocks):
        for images, out_rows in blocks:
            block = y[images, out_rows]
            lines = scratch.array("lines", len(block), block.shape[1], *padded.shape[2:])
            row_taps = (
                padded[images, a : a + rows.out * rows.stride : rows.stride][:, out_rows] for a in range(rows.kernel)
            )
            col_taps = (lines[:, :, b : b + cols.out * cols.stride : cols.stride] for b in range(cols.kernel))
            _combine(combine, row_taps, lines)
            _combine(combine, col_taps, block)
            if finish is not None:
                finish(block, out_rows)

    share(pool, _blocks(y, rows))


def _combine(combine, arrays, out):
    first, *others = arrays
    if not others:
        np.copyto(out, first)
    for k, other in enumerate(others):
        combine(out if k else first, other, out=out)


def max_pool_gradient(grad, x, y, pool_hw, strides, padding="valid"):
    """dL/dx from grad = dL/dy, all (N, ..., C).

    y equals one of the window's pixels, so its gradient goes to that pixel and to no other. Where several are equal,
    the first in reading order gets all of it. Windows that overlap add up.
    """
    x, grad = as_float(x), as_float(grad)
    rows, cols = window(x.shape[1:3], pool_hw, strides, padding)
    padded = pad(x, rows, cols, -np.inf)
    dx = empty(padded.shape, grad.dtype)
    scratch, flags = Scratch(dx.dtype), Scratch(bool)
    apart = rows.kernel <= rows.stride and cols.kernel <= cols.stride  # no pixel is seen by two windows

    def hand_back(parts):
        for blocks in parts:
            for images, out_rows in blocks:
                dx[images, _first_seen_by(out_rows, rows)] = 0
                block, dblock = y[images, out_rows], grad[images, out_rows]
                here, waiting = flags.array("here", *block.shape), flags.array("waiting", *block.shape)
                waiting[...] = True  # windows whose maximum has not been met yet
                product = scratch.array("product", *block.shape)
                taps_of_block = (taps(each[images], rows, cols, out_rows) for each in (padded, dx))
                for tap, dtap in zip(*taps_of_block):
                    np.equal(tap, block, out=here)
                    here &= waiting
                    waiting ^= here
                    if apart:
                        np.multiply(dblock, here, out=dtap)
                    else:
                        dtap += np.multiply(dblock, here, out=product)

    # Blocks of one image may share pixels: then one thread does them, in turn.
    of_images = groupby(_blocks(y, rows), key=None if apart else lambda block: block[0].start)
    share(hand_back, [list(blocks) for _, blocks in of_images])
    return crop(dx, rows, cols)


def _first_seen_by(out_rows, rows):
    """The pixel rows that some output rows see and none before them did; the last ones get all that remain."""

    def seen(count):
        return (count - 1) * rows.stride + rows.kernel if count else 0

    return slice(seen(out_rows.start), rows.padded if out_rows.stop == rows.out else seen(out_rows.stop))


def average_pool(x, pool_hw, strides, padding="valid"):
    """x (N, H, W, C) -> (N, OH, OW, C). The mean is over the pixels of the image: padding is not counted."""
    x = as_float(x)
    rows, cols = window(x.shape[1:3], pool_hw, strides, padding)
    padded = pad(x, rows, cols)
    y = empty((len(x), rows.out, cols.out, x.shape[3]), x.dtype)
    share_of_each = 1 / _pixels_in_window(rows, cols, x.dtype)

    def divide(block, out_rows):
        block *= share_of_each[:, out_rows]

    _reduce(np.add, padded, y, rows, cols, divide)
    return y


def average_pool_gradient(grad, image_hw, pool_hw, strides, padding="valid"):
    """dL/dx (N, H, W, C). y = (sum of the window's pixels) / count, so each of them receives grad / count."""
    grad = as_float(grad)
    rows, cols = window(image_hw, pool_hw, strides, padding)
    share_of_each = 1 / _pixels_in_window(rows, cols, grad.dtype)
    dx = empty((len(grad), rows.padded, cols.padded, grad.shape[3]), grad.dtype)
    scratch = Scratch(grad.dtype)

    def hand_back(parts):
        for part in parts:
            dx[part] = 0
            of_each = np.multiply(grad[part], share_of_each, out=scratch.array("of each", *grad[part].shape))
            for dtap in taps(dx[part], rows, cols):
                dtap += of_each

    share(hand_back, slices(len(grad), len(grad)))
    return crop(dx, rows, cols)


def _blocks(y, rows):
    """Blocks of output rows, each with its window rows about as large as a part of the cache."""
    row_bytes = y.shape[2] * y.shape[3] * y.itemsize * rows.kernel * 2
    return blocks_of_rows(len(y), rows.out, BLOCK_BYTES / row_bytes, threads())


def global_average_pool(x):
    """The mean of each channel over the whole image: (N, H, W, C) -> (N, C)."""
    return x.mean(axis=(1, 2))


def global_average_pool_gradient(grad, image_hw):
    """y = (sum of H*W pixels) / (H*W): every pixel receives grad / (H*W). (N, C) -> (N, H, W, C)."""
    n, c = grad.shape
    h, w = image_hw
    share = grad / (h * w)
    return np.broadcast_to(share[:, None, None, :], (n, h, w, c)).copy()


def global_max_pool(x):
    """The maximum of each channel over the whole image: (N, H, W, C) -> (N, C)."""
    return x.max(axis=(1, 2))


def global_max_pool_gradient(grad, x):
    """The first pixel that holds the maximum receives all of grad. (N, C) -> (N, H, W, C)."""
    n, h, w, c = x.shape
    winner = x.reshape(n, h * w, c).argmax(axis=1)  # (N, C): index into H*W
    dx = np.zeros((n, h * w, c), grad.dtype)
    np.put_along_axis(dx, winner[:, None, :], grad[:, None, :], axis=1)
    return dx.reshape(n, h, w, c)


def _pixels_in_window(rows, cols, dtype):
    """How many pixels of the image each window covers: (1, OH, OW, 1). Fewer than KH*KW where it reaches outside."""

    def covered(axis):
        start = np.arange(axis.out) * axis.stride - axis.before
        return np.minimum(start + axis.kernel, axis.size) - np.maximum(start, 0)

    return np.outer(covered(rows), covered(cols))[None, :, :, None].astype(dtype)


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def _windows_naive(rows, cols):
    """For each output (i, j): the pixels (h, w) of the image that its window covers, in reading order."""
    for i, j in np.ndindex(rows.out, cols.out):
        top, left = i * rows.stride - rows.before, j * cols.stride - cols.before
        window_rows = range(max(top, 0), min(top + rows.kernel, rows.size))
        window_cols = range(max(left, 0), min(left + cols.kernel, cols.size))
        yield i, j, [(h, w) for h in window_rows for w in window_cols]


def max_pool_naive(x, pool_hw, strides, padding="valid"):
    rows, cols = window(x.shape[1:3], pool_hw, strides, padding)
    y = np.zeros((len(x), rows.out, cols.out, x.shape[3]), x.dtype)
    for i, j, pixels in _windows_naive(rows, cols):
        for n, c in np.ndindex(len(x), x.shape[3]):
            y[n, i, j, c] = max(x[n, h, w, c] for h, w in pixels)
    return y


def max_pool_gradient_naive(grad, x, y, pool_hw, strides, padding="valid"):
    rows, cols = window(x.shape[1:3], pool_hw, strides, padding)
    dx = np.zeros(x.shape, grad.dtype)
    for i, j, pixels in _windows_naive(rows, cols):
        for n, c in np.ndindex(len(x), x.shape[3]):
            h, w = max(pixels, key=lambda pixel: x[n, pixel[0], pixel[1], c])  # the first of equal ones
            dx[n, h, w, c] += grad[n, i, j, c]
    return dx


def average_pool_naive(x, pool_hw, strides, padding="valid"):
    rows, cols = window(x.shape[1:3], pool_hw, strides, padding)
    y = np.zeros((len(x), rows.out, cols.out, x.shape[3]), x.dtype)
    for i, j, pixels in _windows_naive(rows, cols):
        for n, c in np.ndindex(len(x), x.shape[3]):
            y[n, i, j, c] = sum(x[n, h, w, c] for h, w in pixels) / len(pixels)
    return y


def average_pool_gradient_naive(grad, image_hw, pool_hw, strides, padding="valid"):
    rows, cols = window(image_hw, pool_hw, strides, padding)
    dx = np.zeros((len(grad), *image_hw, grad.shape[3]), grad.dtype)
    for i, j, pixels in _windows_naive(rows, cols):
        for h, w in pixels:
            dx[:, h, w] += grad[:, i, j] / len(pixels)
    return dx


def global_average_pool_naive(x):
    """A window as large as the image."""
    return average_pool_naive(x, x.shape[1:3], (1, 1))[:, 0, 0]


def global_average_pool_gradient_naive(grad, image_hw):
    return average_pool_gradient_naive(grad[:, None, None], image_hw, image_hw, (1, 1))


def global_max_pool_naive(x):
    """A window as large as the image."""
    return max_pool_naive(x, x.shape[1:3], (1, 1))[:, 0, 0]


def global_max_pool_gradient_naive(grad, x):
    return max_pool_gradient_naive(grad[:, None, None], x, None, x.shape[1:3], (1, 1))
