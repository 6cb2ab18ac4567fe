"""Convolution of NHWC images with an HWIO kernel, and its gradients.

    y[n, i, j, f] = bias[f] + sum over kh, kw, c of  x[n, i*s + kh - top, j*s + kw - left, c] * kernel[kh, kw, c, f]

with s the stride, (top, left) the padding, and pixels outside the image taken as 0. `conv2d_naive` is that line as
loops. `conv2d` gives the same numbers by *im2col*: write each window as one row of a matrix, and the sum over
(kh, kw, c) is a row of that matrix times a column of the kernel, so that one matrix product does all of it:

    columns (N*OH*OW, KH*KW*C)  @  kernel (KH*KW*C, F)  ->  y (N*OH*OW, F)

A 3x3 window repeats every pixel nine times: for the second layer of VGG16 the whole matrix is 115 MB an image. It is
therefore made and used in blocks of a few output rows, in one buffer that stays in the processor's cache.

The 3x3 convolutions that such networks are made of have a still faster way, `winograd`, which is taken where it fits.

Who calls this: `layers.Conv2D`. Read next: `winograd`, or `pooling`, which slides the same windows.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from . import winograd
from .geometry import crop, pixels_seen, taps, window

# Bytes of the column matrix that are held at a time.
FORWARD_BLOCK_BYTES = 4 * 2**20
# The kernel gradient adds up one (KH*KW*C, F) product a block: larger blocks mean fewer of those additions.
GRADIENT_BLOCK_BYTES = 16 * 2**20


def conv2d(x, kernel, bias=None, strides=(1, 1), padding="valid"):
    """Convolve. x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) or None -> (N, OH, OW, F)."""
    f = kernel.shape[3]
    flat_kernel = kernel.reshape(-1, f)  # (KH*KW*C, F)
    rows, cols = window(x.shape[1:3], kernel.shape[:2], strides, padding)
    if winograd.suits(kernel.shape, strides, np.result_type(x, kernel), rows, cols):
        return winograd.conv2d_winograd(x, kernel, bias, rows, cols)
    y = np.empty((x.shape[0], rows.out, cols.out, f), np.result_type(x, kernel))
    for block, columns in _column_blocks(x, rows, cols, FORWARD_BLOCK_BYTES):
        target = y[block].reshape(-1, f)  # a view: a block is whole images, or whole rows of one image
        np.matmul(columns, flat_kernel, out=target)
        if bias is not None:
            target += bias  # now, while the block is still in the cache
    return y


def conv2d_kernel_gradient(x, grad, kernel_hw, strides=(1, 1), padding="valid"):
    """dL/dkernel (KH, KW, C, F) from x (N, H, W, C) and grad = dL/dy (N, OH, OW, F).

    y is linear in the kernel: y[p, f] = sum_q columns[p, q] kernel[q, f], with p = (n, i, j) and q = (kh, kw, c). So

        dL/dkernel[q, f] = sum_p  dL/dy[p, f] * dy[p, f]/dkernel[q, f]
                         = sum_p  grad[p, f]  * columns[p, q]              = (columns^T @ grad)[q, f]

    and blocks of p can be added up one after the other. (The bias: y[p, f] = ... + bias[f], so dL/dbias[f] is the sum of
    grad[p, f] over all p, `reductions.channel_sums`.)
    """
    c, f = x.shape[3], grad.shape[3]
    rows, cols = window(x.shape[1:3], kernel_hw, strides, padding)
    if winograd.suits((*kernel_hw, c, f), strides, np.result_type(x, grad), rows, cols):
        return winograd.conv2d_kernel_gradient_winograd(x, grad, rows, cols)
    total = np.zeros((kernel_hw[0] * kernel_hw[1] * c, f), np.result_type(x, grad))
    product = np.empty_like(total)
    for block, columns in _column_blocks(x, rows, cols, GRADIENT_BLOCK_BYTES):
        np.matmul(columns.T, grad[block].reshape(-1, f), out=product)
        total += product
    return total.reshape(*kernel_hw, c, f)


def conv2d_input_gradient(grad, kernel, image_hw, strides=(1, 1), padding="valid"):
    """dL/dx (N, H, W, C) from grad = dL/dy (N, OH, OW, F). `image_hw` is (H, W), which grad alone does not tell.

    Output (i, j) sees pixel (h, w) through kernel entry kh = h + top - i*s, kw = w + left - j*s. So

        dL/dx[n, h, w, c] = sum over i, j, f of  grad[n, i, j, f] * kernel[h + top - i*s, w + left - j*s, c, f]

    Stride 1: put i = h + top - kh, and the sum over kh runs through a window of `grad` while the kernel is read
    backwards: it is a convolution of `grad` with the kernel turned by 180 degrees, its two channel axes swapped. The
    padding becomes KH - 1 - top, which makes the result as large as the image was. (It cannot be negative with 'same' or
    'valid'; with explicit padding wider than the kernel it would be, and the other way is taken.)
    """
    rows, cols = window(image_hw, kernel.shape[:2], strides, padding)
    mirrored = tuple((a.kernel - 1 - a.before, a.kernel - 1 - a.after) for a in (rows, cols))
    if rows.stride > 1 or cols.stride > 1 or min(*mirrored[0], *mirrored[1]) < 0:
        return _scatter_windows(grad, kernel, rows, cols)
    turned = np.ascontiguousarray(kernel[::-1, ::-1].transpose(0, 1, 3, 2))  # (KH, KW, F, C)
    return conv2d(grad, turned, padding=mirrored)


def _scatter_windows(grad, kernel, rows, cols):
    """The input gradient for any stride, from the other end (*col2im*).

    y = columns @ kernel, so dL/dcolumns = grad @ kernel^T; and as each window was a copy of pixels, its gradient is
    added back to the pixels it was copied from.
    """
    kh, kw, c, f = kernel.shape
    flat_kernel_t = kernel.reshape(-1, f).T  # (F, KH*KW*C)
    dx = np.zeros((len(grad), rows.padded, cols.padded, c), np.result_type(grad, kernel))
    for n in range(len(grad)):  # one image at a time bounds the memory
        dcolumns = (grad[n].reshape(-1, f) @ flat_kernel_t).reshape(1, rows.out, cols.out, kh * kw, c)
        for position, pixels in enumerate(taps(dx[n : n + 1], rows, cols)):
            pixels += dcolumns[:, :, :, position]
    return crop(dx, rows, cols)


def _column_blocks(x, rows, cols, block_bytes):
    """im2col a block at a time. Yields (block, columns): `y[block]` are the outputs that the rows of `columns` give.

    A block is several whole images where images are small (so that the product has rows enough to be fast), else a
    few output rows of one image. `columns` (n*OH*OW, KH*KW*C) is one buffer, overwritten by the next block.
    """
    x = np.ascontiguousarray(x)  # `_windows` counts on channels and pixels lying side by side
    n, c = len(x), x.shape[3]
    window_bytes = rows.kernel * cols.kernel * c * x.itemsize
    image_bytes = rows.out * cols.out * window_bytes
    images = max(1, min(n, block_bytes // image_bytes))
    out_rows = rows.out if images > 1 else _even_share(rows.out, max(1, block_bytes // (cols.out * window_bytes)))

    is_padded = rows.padded > rows.size or cols.padded > cols.size
    padded = np.zeros((images, rows.padded, cols.padded, c), x.dtype) if is_padded else None
    columns = np.empty((images, out_rows, cols.out, rows.kernel, cols.kernel * c), x.dtype)
    for n0 in range(0, n, images):
        n1 = min(n0 + images, n)
        batch = x[n0:n1]
        if is_padded:
            crop(padded, rows, cols)[: n1 - n0] = batch  # the zeros around it stay
            batch = padded[: n1 - n0]
        for i0 in range(0, rows.out, out_rows):
            i1 = min(i0 + out_rows, rows.out)
            filled = columns[: n1 - n0, : i1 - i0]
            np.copyto(filled, _windows(batch[:, i0 * rows.stride :], i1 - i0, rows, cols))
            yield (slice(n0, n1), slice(i0, i1)), filled.reshape(-1, rows.kernel * cols.kernel * c)


def _windows(batch, out_rows, rows, cols):
    """All windows of a padded batch as a view, nothing copied yet: (n, out_rows, OW, KH, KW*C).

    NHWC puts the KW pixels of a window's row side by side with their channels, so (KW, C) is one axis of KW*C
    numbers in memory. Copying runs of KW*C instead of C numbers makes filling the columns about 1.5 times as fast.
    """
    n, _, _, c = batch.shape
    image_step, row_step, pixel_step, channel_step = batch.strides
    return as_strided(
        batch,
        shape=(n, out_rows, cols.out, rows.kernel, cols.kernel * c),
        strides=(image_step, row_step * rows.stride, pixel_step * cols.stride, row_step, channel_step),
        writeable=False,
    )


def _even_share(total, most):
    """Split `total` rows into equal blocks of at most `most`: 14 rows, at most 10 -> 7 and 7, not 10 and 4."""
    blocks = -(-total // most)
    return -(-total // blocks)


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def conv2d_naive(x, kernel, bias=None, strides=(1, 1), padding="valid"):
    """The formula at the head of this file, one multiplication at a time."""
    rows, cols = window(x.shape[1:3], kernel.shape[:2], strides, padding)
    y = np.zeros((len(x), rows.out, cols.out, kernel.shape[3]), np.result_type(x, kernel))
    for i, j, h, w, a, b in pixels_seen(rows, cols):
        for n, c, f in np.ndindex(len(x), *kernel.shape[2:]):
            y[n, i, j, f] += x[n, h, w, c] * kernel[a, b, c, f]
    return y if bias is None else y + bias


def conv2d_kernel_gradient_naive(x, grad, kernel_hw, strides=(1, 1), padding="valid"):
    """Each product x * kernel of `conv2d_naive` hands grad * x to its kernel entry."""
    rows, cols = window(x.shape[1:3], kernel_hw, strides, padding)
    dkernel = np.zeros((*kernel_hw, x.shape[3], grad.shape[3]), np.result_type(x, grad))
    for i, j, h, w, a, b in pixels_seen(rows, cols):
        for n, c, f in np.ndindex(len(x), *dkernel.shape[2:]):
            dkernel[a, b, c, f] += x[n, h, w, c] * grad[n, i, j, f]
    return dkernel


def conv2d_input_gradient_naive(grad, kernel, image_hw, strides=(1, 1), padding="valid"):
    """Each product x * kernel of `conv2d_naive` hands grad * kernel to its pixel."""
    rows, cols = window(image_hw, kernel.shape[:2], strides, padding)
    dx = np.zeros((len(grad), *image_hw, kernel.shape[2]), np.result_type(grad, kernel))
    for i, j, h, w, a, b in pixels_seen(rows, cols):
        for n, c, f in np.ndindex(len(grad), *kernel.shape[2:]):
            dx[n, h, w, c] += grad[n, i, j, f] * kernel[a, b, c, f]
    return dx
