"""Pooling: each window of each channel becomes one number, its maximum or its mean.

The fast versions loop over the KH*KW *positions inside the window* and not over the windows. Position (a, b) of all
windows at once is a strided slice of the image, so a 2x2 pooling is four whole-array operations.

Who calls this: `layers.pooling`.
"""

from itertools import groupby

import numpy as np

from .geometry import blocks_of_rows, crop, pad, taps, window
from .memory import Scratch, empty
from .parallel import share, slices, threads
from .precision import as_float
from .products import column_sums

BLOCK_BYTES = 4 * 2**20  # bytes of the image that a thread works on at a time
MOST_IN_A_ROW = 32  # pixels that are added up one after the other


def max_pool(x, pool_hw, strides, padding="valid"):
    """Return the maximum of each window: x (N, H, W, C) -> (N, OH, OW, C). Padding counts as minus infinity."""
    x = as_float(x)  # minus infinity is no integer
    rows, cols = window(x.shape[1:3], pool_hw, strides, padding)
    padded = pad(x, rows, cols, -np.inf)
    y = empty((len(x), rows.out, cols.out, x.shape[3]), x.dtype)
    _reduce(np.maximum, padded, y, rows, cols)
    return y


def _reduce(combine, padded, y, rows, cols, finish=None):
    """Set y to the maximum (or sum) of each window, in two steps.

    `combine` is np.maximum or np.add. The first step combines the KH pixels of each window column, the second the KW
    results of a window. That is KH + KW operations instead of KH*KW. Windows that overlap share the columns' results.
    finish(block of y, its output rows) is called while the block is in the cache.
    """
    scratch = Scratch(y.dtype)

    def pool(blocks):
        for images, out_rows in blocks:
            block = y[images, out_rows]
            lines = scratch.array("lines", len(block), block.shape[1], *padded.shape[2:])
            row_taps = (
                padded[images, a : a + rows.out * rows.stride : rows.stride][:, out_rows] for a in range(rows.kernel)
            )
            col_taps = (lines[:, :, b : b + cols.out * cols.stride : cols.stride] for b in range(cols.kernel))
            _combine(combine, row_taps, lines, scratch)
            _combine(combine, col_taps, block, scratch)
            if finish is not None:
                finish(block, out_rows)

    share(pool, _blocks(y, rows))


def _combine(combine, arrays, out, scratch):
    """Combine several arrays into `out`, two at a time.

    More than MOST_IN_A_ROW arrays are combined in groups, and then the results of the groups: a sum of hundreds of
    float32 numbers loses digits if each is added to the sum of all before it.
    """
    arrays = list(arrays)
    groups = [arrays[k : k + MOST_IN_A_ROW] for k in range(0, len(arrays), MOST_IN_A_ROW)]
    for number, (first, *others) in enumerate(groups):
        target = out if number == 0 else scratch.array("group", *out.shape)
        if not others:
            np.copyto(target, first)
        for k, other in enumerate(others):
            combine(target if k else first, other, out=target)
        if number:
            combine(out, target, out=out)


def max_pool_gradient(grad, x, y, pool_hw, strides, padding="valid"):
    """Return dL/dx (N, H, W, C) from grad = dL/dy (N, OH, OW, C), the input x and the output y.

    y equals one of the window's pixels, so its gradient goes to that pixel and to no other. Where several pixels are
    equal, the first in reading order gets all of it. If a window holds NaN, its maximum is NaN, and the last NaN gets
    the gradient, as in PyTorch. The gradients of overlapping windows add up.
    """
    x, grad = as_float(x), as_float(grad)
    rows, cols = window(x.shape[1:3], pool_hw, strides, padding)
    padded = pad(x, rows, cols, -np.inf)
    dx = empty(padded.shape, grad.dtype)
    scratch, flags = Scratch(dx.dtype), Scratch(bool)
    is_disjoint = rows.kernel <= rows.stride and cols.kernel <= cols.stride  # no pixel belongs to two windows

    def hand_back(parts):
        for blocks in parts:
            for images, out_rows in blocks:
                dx[images, _first_seen_by(out_rows, rows)] = 0
                block, dblock = y[images, out_rows], grad[images, out_rows]
                is_here, is_waiting = flags.array("is here", *block.shape), flags.array("is waiting", *block.shape)
                is_waiting[...] = True  # True for the windows whose maximum has not been found yet
                product = scratch.array("product", *block.shape)
                taps_of_block = (taps(each[images], rows, cols, out_rows) for each in (padded, dx))
                for tap, dtap in zip(*taps_of_block):
                    np.equal(tap, block, out=is_here)
                    is_here &= is_waiting
                    is_waiting ^= is_here
                    if is_disjoint:
                        np.multiply(dblock, is_here, out=dtap)
                    else:
                        dtap += np.multiply(dblock, is_here, out=product)
                if is_waiting.any():  # NaN, which equals nothing
                    taps_of_block = (list(taps(each[images], rows, cols, out_rows)) for each in (padded, dx))
                    for tap, dtap in reversed(list(zip(*taps_of_block))):
                        is_here = is_waiting & np.isnan(tap)
                        is_waiting ^= is_here
                        dtap[is_here] += dblock[is_here]

    # If windows overlap, blocks of one image may share pixels. Then one thread does all blocks of an image, in turn.
    blocks_by_image = groupby(_blocks(y, rows), key=None if is_disjoint else lambda block: block[0].start)
    share(hand_back, [list(blocks) for _, blocks in blocks_by_image])
    return crop(dx, rows, cols)


def _first_seen_by(out_rows, rows):
    """Return the pixel rows that these output rows see and earlier ones do not; the last ones get all that remain."""

    def rows_seen_by_first(count):
        return (count - 1) * rows.stride + rows.kernel if count else 0

    end = rows.padded if out_rows.stop == rows.out else rows_seen_by_first(out_rows.stop)
    return slice(rows_seen_by_first(out_rows.start), end)


def average_pool(x, pool_hw, strides, padding="valid"):
    """Return the mean of each window: x (N, H, W, C) -> (N, OH, OW, C). Padding is not counted."""
    x = as_float(x)
    rows, cols = window(x.shape[1:3], pool_hw, strides, padding)
    padded = pad(x, rows, cols)
    y = empty((len(x), rows.out, cols.out, x.shape[3]), x.dtype)
    weight = 1 / _pixels_in_window(rows, cols, x.dtype)  # of each pixel in its window

    def divide(block, out_rows):
        block *= weight[:, out_rows]

    _reduce(np.add, padded, y, rows, cols, divide)
    return y


def average_pool_gradient(grad, image_hw, pool_hw, strides, padding="valid"):
    """Return dL/dx (N, H, W, C).

    y = (sum of the window's pixels) / count, so each of these pixels receives grad / count.

    This goes back through the two steps of `_reduce`: from the windows to their lines, from the lines to their pixels.
    """
    grad = as_float(grad)
    rows, cols = window(image_hw, pool_hw, strides, padding)
    weight = 1 / _pixels_in_window(rows, cols, grad.dtype)  # of each pixel in its window
    dx = empty((len(grad), rows.padded, cols.padded, grad.shape[3]), grad.dtype)
    scratch = Scratch(grad.dtype)

    def hand_back(parts):
        for part in parts:
            dx[part] = 0
            weighted = np.multiply(grad[part], weight, out=scratch.array("weighted", *grad[part].shape))
            lines = scratch.array("lines", *weighted.shape[:2], *dx.shape[2:])  # (n, OH, padded W, C)
            lines[...] = 0
            for b in range(cols.kernel):
                lines[:, :, b : b + cols.out * cols.stride : cols.stride] += weighted
            for a in range(rows.kernel):
                dx[part, a : a + rows.out * rows.stride : rows.stride] += lines

    share(hand_back, slices(len(grad), len(grad)))
    return crop(dx, rows, cols)


def _blocks(y, rows):
    """Return blocks of output rows. The pixels that the windows of a block see have about BLOCK_BYTES."""
    row_bytes = y.shape[2] * y.shape[3] * y.itemsize * rows.kernel * 2
    return blocks_of_rows(len(y), rows.out, BLOCK_BYTES / row_bytes, threads())


def global_average_pool(x):
    """Return the mean of each channel over the whole image: (N, H, W, C) -> (N, C)."""
    x = as_float(x)
    n, h, w, c = x.shape
    return (column_sums(x.reshape(n, h * w, c)) / (h * w)).astype(x.dtype)


def global_average_pool_gradient(grad, image_hw):
    """Return dL/dx: (N, C) -> (N, H, W, C). y = (sum of H*W pixels) / (H*W), so every pixel receives grad / (H*W)."""
    n, c = grad.shape
    h, w = image_hw
    pixel_grad = grad / (h * w)
    return np.broadcast_to(pixel_grad[:, None, None, :], (n, h, w, c)).copy()


def global_max_pool(x):
    """Return the maximum of each channel over the whole image: (N, H, W, C) -> (N, C)."""
    return x.max(axis=(1, 2))


def global_max_pool_gradient(grad, x):
    """Return dL/dx: (N, C) -> (N, H, W, C). The first pixel that holds the maximum receives all of grad; where there
    is NaN, the last NaN, as in `max_pool_gradient`."""
    n, h, w, c = x.shape
    pixels = x.reshape(n, h * w, c)
    winner = pixels.argmax(axis=1)  # (N, C): index into H*W. The first NaN counts as the maximum
    if np.isnan(np.take_along_axis(pixels, winner[:, None], axis=1)).any():
        is_nan = np.isnan(pixels[:, ::-1])
        winner = np.where(is_nan.any(axis=1), h * w - 1 - is_nan.argmax(axis=1), winner)
    dx = np.zeros((n, h * w, c), grad.dtype)
    np.put_along_axis(dx, winner[:, None, :], grad[:, None, :], axis=1)
    return dx.reshape(n, h, w, c)


def _pixels_in_window(rows, cols, dtype):
    """Return how many pixels of the image each window covers: (1, OH, OW, 1).

    A window that reaches into the padding covers fewer than KH*KW.
    """

    def covered(axis):
        start = np.arange(axis.out) * axis.stride - axis.before
        return np.minimum(start + axis.kernel, axis.size) - np.maximum(start, 0)

    return np.outer(covered(rows), covered(cols))[None, :, :, None].astype(dtype)


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def _windows_naive(rows, cols):
    """Yield (i, j, pixels) for each output (i, j): the pixels (h, w) that its window covers, in reading order."""
    for i, j in np.ndindex(rows.out, cols.out):
        top, left = i * rows.stride - rows.before, j * cols.stride - cols.before
        window_rows = range(max(top, 0), min(top + rows.kernel, rows.size))
        window_cols = range(max(left, 0), min(left + cols.kernel, cols.size))
        yield i, j, [(h, w) for h in window_rows for w in window_cols]


def _largest_naive(x, n, c, pixels):
    """Return the pixel (h, w) with the largest number: the first of equal ones, and the last NaN if there is one."""
    best = pixels[0]
    for pixel in pixels[1:]:
        number = x[(n, *pixel, c)]
        if number > x[(n, *best, c)] or np.isnan(number):
            best = pixel
    return best


def max_pool_naive(x, pool_hw, strides, padding="valid"):
    """Take the maximum of each window, one window at a time."""
    rows, cols = window(x.shape[1:3], pool_hw, strides, padding)
    y = np.zeros((len(x), rows.out, cols.out, x.shape[3]), x.dtype)
    for i, j, pixels in _windows_naive(rows, cols):
        for n, c in np.ndindex(len(x), x.shape[3]):
            y[n, i, j, c] = x[(n, *_largest_naive(x, n, c, pixels), c)]
    return y


def max_pool_gradient_naive(grad, x, y, pool_hw, strides, padding="valid"):
    """Add each window's grad to the first of its largest pixels."""
    rows, cols = window(x.shape[1:3], pool_hw, strides, padding)
    dx = np.zeros(x.shape, grad.dtype)
    for i, j, pixels in _windows_naive(rows, cols):
        for n, c in np.ndindex(len(x), x.shape[3]):
            h, w = _largest_naive(x, n, c, pixels)
            dx[n, h, w, c] += grad[n, i, j, c]
    return dx


def average_pool_naive(x, pool_hw, strides, padding="valid"):
    """Take the mean of each window, one window at a time."""
    rows, cols = window(x.shape[1:3], pool_hw, strides, padding)
    y = np.zeros((len(x), rows.out, cols.out, x.shape[3]), x.dtype)
    for i, j, pixels in _windows_naive(rows, cols):
        for n, c in np.ndindex(len(x), x.shape[3]):
            y[n, i, j, c] = sum(x[n, h, w, c] for h, w in pixels) / len(pixels)
    return y


def average_pool_gradient_naive(grad, image_hw, pool_hw, strides, padding="valid"):
    """Add an equal part of each window's grad to each of its pixels."""
    rows, cols = window(image_hw, pool_hw, strides, padding)
    dx = np.zeros((len(grad), *image_hw, grad.shape[3]), grad.dtype)
    for i, j, pixels in _windows_naive(rows, cols):
        for h, w in pixels:
            dx[:, h, w] += grad[:, i, j] / len(pixels)
    return dx


def global_average_pool_naive(x):
    """Take the mean over a window as large as the image."""
    return average_pool_naive(x, x.shape[1:3], (1, 1))[:, 0, 0]


def global_average_pool_gradient_naive(grad, image_hw):
    """Go back through a window as large as the image."""
    return average_pool_gradient_naive(grad[:, None, None], image_hw, image_hw, (1, 1))


def global_max_pool_naive(x):
    """Take the maximum over a window as large as the image."""
    return max_pool_naive(x, x.shape[1:3], (1, 1))[:, 0, 0]


def global_max_pool_gradient_naive(grad, x):
    """Go back through a window as large as the image."""
    return max_pool_gradient_naive(grad[:, None, None], x, None, x.shape[1:3], (1, 1))
