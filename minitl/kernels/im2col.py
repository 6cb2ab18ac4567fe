"""Convolution by *im2col*: write each window as one row of a matrix, and a convolution is one matrix product.

    columns (N*OH*OW, KH*KW*C)  @  kernel (KH*KW*C, F)  ->  y (N*OH*OW, F)

because the sum over (kh, kw, c) is a row of the one times a column of the other. A 3x3 window repeats every pixel nine
times: for the second layer of VGG16 the whole matrix is 115 MB an image. It is therefore made and used in blocks of a
few output rows, in one buffer that stays in the processor's cache.

Works for any window and stride. Who calls this: `convolution`. `rows` and `cols` are the `geometry.Axis` of each axis.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .geometry import crop, taps

# Bytes of the column matrix that are held at a time. On 56x56 maps of 256 channels, ms an image by the size of a block:
# 1 MB 20, 2 MB 18, 4 MB 15, 8 MB 15, 32 MB 16 (`python -m benchmarks.kernels`).
FORWARD_BLOCK_BYTES = 4 * 2**20
# The kernel gradient adds up one (KH*KW*C, F) product a block: larger blocks mean fewer of those additions.
GRADIENT_BLOCK_BYTES = 16 * 2**20


def conv2d_im2col(x, kernel, bias, rows, cols):
    """x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) or None -> (N, OH, OW, F)."""
    f = kernel.shape[3]
    flat_kernel = kernel.reshape(-1, f)  # (KH*KW*C, F)
    y = np.empty((len(x), rows.out, cols.out, f), np.result_type(x, kernel))
    for block, columns in _column_blocks(x, rows, cols, FORWARD_BLOCK_BYTES):
        target = y[block].reshape(-1, f)  # a view: a block is whole images, or whole rows of one image
        np.matmul(columns, flat_kernel, out=target)
        if bias is not None:
            target += bias  # now, while the block is still in the cache
    return y


def kernel_gradient_im2col(x, grad, rows, cols):
    """dL/dkernel (KH, KW, C, F). With p = (n, i, j) and q = (kh, kw, c), y[p, f] = sum_q columns[p, q] kernel[q, f], so

        dL/dkernel[q, f] = sum_p  dL/dy[p, f] * dy[p, f]/dkernel[q, f]
                         = sum_p  grad[p, f]  * columns[p, q]              = (columns^T @ grad)[q, f]

    and blocks of p can be added up one after the other.
    """
    c, f = x.shape[3], grad.shape[3]
    total = np.zeros((rows.kernel * cols.kernel * c, f), np.result_type(x, grad))
    product = np.empty_like(total)
    for block, columns in _column_blocks(x, rows, cols, GRADIENT_BLOCK_BYTES):
        np.matmul(columns.T, grad[block].reshape(-1, f), out=product)
        total += product
    return total.reshape(rows.kernel, cols.kernel, c, f)


def input_gradient_col2im(grad, kernel, rows, cols):
    """dL/dx (N, H, W, C) for any stride, from the other end (*col2im*).

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
    numbers in memory. Long runs are copied faster than short ones.
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
