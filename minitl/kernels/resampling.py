"""Resampling: maps with more pixels, each a copy of a pixel or a mean of its neighbours, and the gradients.

    repeat_pixels    every pixel becomes a block of equal pixels ('nearest')
    interpolate      every new pixel is a weighted mean of the old pixels around it ('bilinear', 'bicubic', antialiased)

Pixels are little squares, and the old and the new map cover the same area. Along one axis, `old` pixels become `new`
ones, and the centre of new pixel i lies at (i + 1/2) old/new - 1/2 on the old axis. The two old pixels around it have
weights that fall with the distance. Before the first old centre and after the last one, the pixel at the edge has the
whole weight. For example, 2 pixels (a, b) become 4:

    new pixel       0         1              2              3
    lies at       -1/4       1/4            3/4            5/4
    value           a    3/4 a + 1/4 b  1/4 a + 3/4 b       b

PyTorch calls this align_corners=False, and TensorFlow half-pixel centres.

The weights of rows and columns are independent, so interpolation is a matrix product along the rows and another along
the columns: y = R x S^T, with R = `interpolation(H, new H)` and S = `interpolation(W, new W)`. Nearly all entries of R
and S are 0, and the others lie in a band. So a few new rows at a time are computed from the old rows that they need.

Who calls this: `layers.UpSampling2D` and `Resizing`; `images` uses the same weights.
"""

from functools import partial

import numpy as np

from .memory import empty
from .parallel import share, slices, threads
from .pooling import average_pool

# Rows of the result that one matrix product computes, from the part of the band that they need. From 256x256 to 512x512
# maps of 32 channels, 8 and 16 rows take 0.3 of the time of the whole matrix, 64 rows 0.4 (`python -m
# benchmarks.kernels`). To add up whole maps, each times a weight, takes half as long again: it reads them more often.
BAND = 16


def interpolation(old, new, dtype=np.float32):
    """Return a matrix (new, old) whose row i holds the weights of the two old pixels around new pixel i."""
    position = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    left = np.minimum(position.astype(int), max(old - 2, 0))
    weights = np.zeros((new, old), dtype)
    weights[np.arange(new), left] = 1 - (position - left)
    weights[np.arange(new), np.minimum(left + 1, old - 1)] += position - left
    return weights


def filtered(old, new, dtype=np.float32, curve="bilinear", is_wide=False):
    """Return a matrix (new, old) whose row i holds the weights of old pixels around new pixel i: f(distance of the
    centres), divided by the sum of the row. `curve` names f:

        bilinear   1 - |t|  up to 1: the weights of `interpolation`
        bicubic    3/2 |t|^3 - 5/2 t^2 + 1  up to 1, -1/2 |t|^3 + 5/2 t^2 - 4 |t| + 2  up to 2. Keys 1981

    is_wide   stretch f to the width of a new pixel where this is more than that of an old one: an antialiased image.
              Every old pixel then counts, and a fine pattern becomes grey instead of a coarse pattern
    """
    scale = max(old / new, 1) if is_wide else 1
    centres = (np.arange(new) + 0.5) * old / new
    weights = CURVES[curve](np.abs(np.arange(old) + 0.5 - centres[:, None]) / scale)  # (new, old)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(dtype)


def _cubic(t):
    """Return f of `filtered`, "bicubic", for distances of at least 0."""
    return np.where(t < 1, (1.5 * t - 2.5) * t**2 + 1, np.where(t < 2, ((-0.5 * t + 2.5) * t - 4) * t + 2, 0))


CURVES = {"bilinear": lambda t: np.maximum(1 - t, 0), "bicubic": _cubic}


def weights_of(name, antialias=False):
    """Return the function (old, new, dtype) of the weights of an interpolation: "nearest", "bilinear", "bicubic"."""
    if name == "nearest":
        return nearest_pixels  # it has no means that could be wider
    return interpolation if name == "bilinear" and not antialias else partial(filtered, curve=name, is_wide=antialias)


def nearest_pixels(old, new, dtype=np.float32):
    """Return a matrix (new, old) whose row i holds a single 1: at the old pixel nearest to new pixel i."""
    weights = np.zeros((new, old), dtype)
    weights[np.arange(new), (2 * np.arange(new) + 1) * old // (2 * new)] = 1  # floor((i + 1/2) old/new)
    return weights


def repeat_pixels(x, size):
    """Return maps in which every pixel is a block of size = (rows, columns) equal pixels: x (N, H, W, C) ->
    (N, H*rows, W*columns, C)."""
    (n, h, w, c), (a, b) = x.shape, size
    y = empty((n, h, a, w, b, c), x.dtype)

    def copy(parts):
        for part in parts:
            np.copyto(y.reshape(n * h, a, w, b, c)[part], x.reshape(n * h, 1, w, 1, c)[part])

    share(copy, slices(n * h, threads()))
    return y.reshape(n, h * a, w * b, c)


def repeat_pixels_gradient(grad, size):
    """Return dL/dx (N, H, W, C) from grad = dL/dy (N, H*rows, W*columns, C).

    A pixel appears rows * columns times in y, so its gradient is the sum over its block: the mean times that number.
    """
    dx = average_pool(grad, size, size)
    dx *= size[0] * size[1]
    return dx


def interpolate(x, height, width, weights=interpolation):
    """Return maps of another size: x (N, H, W, C) -> (N, height, width, C). `weights` is `interpolation`, for bilinear
    means, or another function of `weights_of`."""
    rows, cols = (weights(old, new, x.dtype) for old, new in zip(x.shape[1:3], (height, width)))
    return _along_columns(cols, _along_rows(rows, x))


def interpolate_gradient(grad, image_hw, weights=interpolation):
    """Return dL/dx (N, H, W, C) from grad = dL/dy (N, height, width, C). `image_hw` is (H, W).

    y = R x S^T, written out for one channel, is y[i, j] = sum over h, w of R[i, h] x[h, w] S[j, w]. So

        dL/dx[h, w] = sum over i, j of  grad[i, j] R[i, h] S[j, w]        = (R^T grad S)[h, w]
    """
    rows, cols = (weights(old, new, grad.dtype) for old, new in zip(image_hw, grad.shape[1:3]))
    return _along_rows(rows.T, _along_columns(cols.T, grad))


def _along_rows(matrix, maps):
    """Return matrix (P, H) @ maps (N, H, W, C) along the rows: (N, P, W, C)."""
    n, h, w, c = maps.shape
    y = empty((n, len(matrix), w, c), maps.dtype)
    _banded_products(matrix, maps.reshape(n, h, w * c), y.reshape(n, len(matrix), w * c))
    return y


def _along_columns(matrix, maps):
    """Return matrix (P, W) @ maps (N, H, W, C) along the columns: (N, H, P, C)."""
    n, h, w, c = maps.shape
    y = empty((n, h, len(matrix), c), maps.dtype)
    _banded_products(matrix, maps.reshape(n * h, w, c), y.reshape(n * h, len(matrix), c))
    return y


def _banded_products(matrix, lines, out):
    """Compute matrix (P, Q) @ lines (K, Q, R) -> out (K, P, R), where the entries of the matrix that are not 0 lie in a
    band. A block of BAND rows is multiplied only by the part of the lines that it needs."""
    bands = []
    for block in slices(len(matrix), -(-len(matrix) // BAND)):
        used = np.flatnonzero(matrix[block].any(axis=0))
        bands.append((block, slice(used[0], used[-1] + 1) if used.size else slice(0, 0)))

    def multiply(parts):
        for part, (block, used) in parts:
            np.matmul(matrix[block, used], lines[part, used], out=out[part, block])

    share(multiply, [(part, band) for part in slices(len(lines), threads()) for band in bands])


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def repeat_pixels_naive(x, size):
    """Copy one pixel at a time."""
    y = np.zeros((len(x), x.shape[1] * size[0], x.shape[2] * size[1], x.shape[3]), x.dtype)
    for i, j in np.ndindex(y.shape[1:3]):
        y[:, i, j] = x[:, i // size[0], j // size[1]]
    return y


def repeat_pixels_gradient_naive(grad, size):
    """Add the gradient of each copy to its pixel."""
    dx = np.zeros((len(grad), grad.shape[1] // size[0], grad.shape[2] // size[1], grad.shape[3]), grad.dtype)
    for i, j in np.ndindex(grad.shape[1:3]):
        dx[:, i // size[0], j // size[1]] += grad[:, i, j]
    return dx


def _neighbours_naive(image_hw, new_hw, is_nearest=False):
    """Yield (i, j, h, w, weight): new pixel (i, j) is a sum of old pixels (h, w), each times its weight."""
    for i, j in np.ndindex(new_hw):
        around = []  # of rows, of columns: [(old pixel, its weight), ...]
        for place, old, new in zip((i, j), image_hw, new_hw):
            centre = (place + 0.5) * old / new - 0.5
            if is_nearest:
                centre = np.floor((2 * place + 1) * old / (2 * new))
            first = int(np.floor(centre))
            share_of_second = centre - first
            pairs = (first, 1 - share_of_second), (first + 1, share_of_second)
            around.append([(min(max(pixel, 0), old - 1), weight) for pixel, weight in pairs])  # at the edge: itself
        for h, weight_of_row in around[0]:
            for w, weight_of_column in around[1]:
                yield i, j, h, w, weight_of_row * weight_of_column


def interpolate_naive(x, height, width, is_nearest=False):
    """Add up the neighbours of each new pixel."""
    y = np.zeros((len(x), height, width, x.shape[3]), x.dtype)
    for i, j, h, w, weight in _neighbours_naive(x.shape[1:3], (height, width), is_nearest):
        y[:, i, j] += weight * x[:, h, w]
    return y


def interpolate_gradient_naive(grad, image_hw, is_nearest=False):
    """Add the gradient of each new pixel to its neighbours, times their weights."""
    dx = np.zeros((len(grad), *image_hw, grad.shape[3]), grad.dtype)
    for i, j, h, w, weight in _neighbours_naive(image_hw, grad.shape[1:3], is_nearest):
        dx[:, h, w] += weight * grad[:, i, j]
    return dx


def filtered_naive(old, new, curve="bilinear", is_wide=False):
    """Return the weights of `filtered`, one at a time."""
    width = max(old / new, 1) if is_wide else 1
    weights = np.zeros((new, old))
    for i, j in np.ndindex(new, old):
        t = abs((i + 0.5) * old / new - (j + 0.5)) / width
        if curve == "bilinear":
            weights[i, j] = max(1 - t, 0)
        elif t < 2:
            weights[i, j] = 1.5 * t**3 - 2.5 * t**2 + 1 if t < 1 else -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    for i in range(new):
        weights[i] /= sum(weights[i])
    return weights
