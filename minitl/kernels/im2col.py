"""Convolution by *im2col*: write each window as one row of a matrix, and a convolution is one matrix product.

    columns (N*OH*OW, KH*KW*C)  @  kernel (KH*KW*C, F)  ->  y (N*OH*OW, F)

because the sum over (kh, kw, c) is a row of the one times a column of the other. A 3x3 window repeats every pixel nine
times: for the second layer of VGG16 the whole matrix is 115 MB an image. It is therefore made and used in blocks of a
few output rows, each by one thread, in a buffer that stays in its cache.

Works for any window and stride. Who calls this: `convolution`. `rows` and `cols` are the `geometry.Axis` of each axis.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .elementwise import concatenate
from .geometry import blocks_of_rows, crop, taps
from .memory import Scratch, empty
from .parallel import share, slices, threads
from .products import matmul

# Bytes of the column matrix that a thread holds at a time. On 56x56 maps of 256 channels, ms an image by the size of a
# block: 1 MB 17, 2 MB 16, 4 MB 15, 8 MB 14, 32 MB 16 on an Intel Xeon (`python -m benchmarks.kernels`).
FORWARD_BLOCK_BYTES = 8 * 2**20
# The kernel gradient adds up one (KH*KW*C, F) product a block: larger blocks mean fewer of those additions.
GRADIENT_BLOCK_BYTES = 16 * 2**20


def conv2d_im2col(x, kernel, bias, rows, cols, activate, scale=None, other=None):
    """x (N, H, W, C), kernel (KH, KW, C, F), bias and scale (F,) or None, other (N, OH, OW, F) or None
    -> activate(scale * convolution + bias + other) (N, OH, OW, F)."""
    f = kernel.shape[3]
    x = np.ascontiguousarray(x, np.result_type(x, kernel))
    flat_kernel = kernel.reshape(-1, f)  # (KH*KW*C, F)
    y = empty((len(x), rows.out, cols.out, f), x.dtype)
    if scale is not None and flat_kernel.size <= y.size:  # scale the kernel or the result: the smaller one
        flat_kernel, scale = flat_kernel * scale, None
    scratch = Scratch(x.dtype)

    def convolve(blocks):
        for block in blocks:
            target = y[block].reshape(-1, f)  # a view: a block is whole images, or whole rows of one image
            np.matmul(_columns(x, block, rows, cols, scratch), flat_kernel, out=target)
            if scale is not None:  # this and the following now, while the block is still in the cache
                target *= scale
            if bias is not None:
                target += bias
            if other is not None:
                target += other[block].reshape(-1, f)
            activate(target, out=target)

    row_bytes = cols.out * max(rows.kernel * cols.kernel * x.shape[3], f) * x.itemsize
    share(convolve, blocks_of_rows(len(x), rows.out, FORWARD_BLOCK_BYTES / row_bytes, threads()))
    return y


def kernel_gradient_im2col(x, grad, rows, cols):
    """dL/dkernel (KH, KW, C, F). With p = (n, i, j) and q = (kh, kw, c), y[p, f] = sum_q columns[p, q] kernel[q, f], so

        dL/dkernel[q, f] = sum_p  dL/dy[p, f] * dy[p, f]/dkernel[q, f]
                         = sum_p  grad[p, f]  * columns[p, q]              = (columns^T @ grad)[q, f]

    and blocks of p can be added up one after the other. Threads share out the p, each with a sum of its own; or, where
    such a sum is larger than what it is made from (small maps of many channels), the c of q.
    """
    c, f = x.shape[3], grad.shape[3]
    x, grad = np.ascontiguousarray(x, np.result_type(x, grad)), np.ascontiguousarray(grad)
    if not grad.size:  # no images
        return np.zeros((rows.kernel, cols.kernel, c, f), x.dtype)
    if _is_pointwise(rows, cols):
        return matmul(x.reshape(-1, c).T, grad.reshape(-1, f)).reshape(1, 1, c, f)
    row_bytes = cols.out * rows.kernel * cols.kernel * c * x.itemsize
    blocks = blocks_of_rows(len(x), rows.out, GRADIENT_BLOCK_BYTES / threads() / row_bytes, threads())
    if has_small_maps(grad) and c >= 16 * threads():
        parts = [(channels, blocks) for channels in slices(c, threads())]
    else:
        parts = [(slice(0, c), blocks[mine]) for mine in slices(len(blocks), threads())]
    sums = [None] * len(parts)
    scratch = Scratch(x.dtype)

    def add(numbered):
        for k, (channels, blocks) in numbered:
            window_size = rows.kernel * cols.kernel * (channels.stop - channels.start)
            for block in blocks:
                columns = _columns(x[..., channels], block, rows, cols, scratch)
                operands = columns.T, grad[block].reshape(-1, f)
                if sums[k] is None:
                    sums[k] = np.matmul(*operands, out=empty((window_size, f), x.dtype))
                else:
                    sums[k] += np.matmul(*operands, out=scratch.array("product", window_size, f))

    share(add, list(enumerate(parts)))
    sums = [each.reshape(rows.kernel, cols.kernel, -1, f) for each in sums]
    if sums[0].shape[2] < c:
        return concatenate(sums, axis=2)
    for other in sums[1:]:
        sums[0] += other
    return sums[0]


def input_gradient_col2im(grad, kernel, rows, cols):
    """dL/dx (N, H, W, C) for any stride, from the other end (*col2im*).

    y = columns @ kernel, so dL/dcolumns = grad @ kernel^T; and as each window was a copy of pixels, its gradient is
    added back to the pixels it was copied from.
    """
    kh, kw, c, f = kernel.shape
    flat_kernel_t = kernel.reshape(-1, f).T  # (F, KH*KW*C)
    dx = empty((len(grad), rows.padded, cols.padded, c), np.result_type(grad, kernel))
    scratch = Scratch(dx.dtype)

    def add(parts):
        for part in parts:
            n = part.stop - part.start
            dx[part] = 0
            dcolumns = scratch.array("dcolumns", n * rows.out * cols.out, kh * kw * c)
            np.matmul(grad[part].reshape(-1, f), flat_kernel_t, out=dcolumns)
            dcolumns = dcolumns.reshape(n, rows.out, cols.out, kh * kw, c)
            for position, pixels in enumerate(taps(dx[part], rows, cols)):
                pixels += dcolumns[:, :, :, position]

    image_bytes = rows.out * cols.out * kh * kw * c * dx.itemsize
    whole_images = blocks_of_rows(len(grad), 1, FORWARD_BLOCK_BYTES / image_bytes, threads())
    share(add, [images for images, _ in whole_images])
    return crop(dx, rows, cols)


def has_small_maps(grad):
    """Are there so few pixels (N, OH, OW) for so many filters F that a kernel is larger than what it is applied to?"""
    return 2 * grad.shape[3] > grad.size // grad.shape[3]


def _is_pointwise(rows, cols):
    """Does each window see one pixel, and each pixel belong to one window? Then the image is its own column matrix."""
    return all(a.kernel == a.stride == 1 and a.padded == a.size for a in (rows, cols))


def _columns(x, block, rows, cols, scratch):
    """The windows of `y[block]`, one a row: (n*oh*OW, KH*KW*C), in memory of `scratch`."""
    images, out_rows = block
    oh, c = out_rows.stop - out_rows.start, x.shape[3]
    if _is_pointwise(rows, cols):
        return x[images, out_rows].reshape(-1, c)
    strip = _strip(x[images], out_rows, rows, cols, scratch)
    columns = scratch.array("columns", len(strip), oh, cols.out, rows.kernel, cols.kernel * c)
    np.copyto(columns, _windows(strip, oh, rows, cols))
    return columns.reshape(-1, rows.kernel * cols.kernel * c)


def _strip(images, out_rows, rows, cols, scratch):
    """The pixels that some output rows see, with the padding around them: (n, pixel rows, W padded, C)."""
    n, _, w, c = images.shape
    first = out_rows.start * rows.stride - rows.before  # of the image; negative: padding
    last = (out_rows.stop - 1) * rows.stride - rows.before + rows.kernel
    pixels = images[:, max(first, 0) : max(last, 0)]
    side_by_side = pixels.strides[2] == c * pixels.itemsize  # not where these are some of the image's channels
    if pixels.shape[1] == last - first and cols.padded == cols.size and side_by_side:
        return pixels
    strip = scratch.array("strip", n, last - first, cols.padded, c)
    top = min(max(-first, 0), last - first)  # rows of padding
    bottom = top + pixels.shape[1]
    strip[:, :top] = 0
    strip[:, bottom:] = 0
    strip[:, :, : cols.before] = 0
    strip[:, :, cols.before + w :] = 0
    strip[:, top:bottom, cols.before : cols.before + w] = pixels
    return strip


def _windows(strip, out_rows, rows, cols):
    """All windows of a strip as a view, nothing copied yet: (n, out_rows, OW, KH, KW*C).

    NHWC puts the KW pixels of a window's row side by side with their channels, so (KW, C) is one axis of KW*C
    numbers in memory. Long runs are copied faster than short ones.
    """
    n, _, _, c = strip.shape
    image_step, row_step, pixel_step, _ = strip.strides  # (NumPy leaves the last undefined where C is 1)
    return as_strided(
        strip,
        shape=(n, out_rows, cols.out, rows.kernel, cols.kernel * c),
        strides=(image_step, row_step * rows.stride, pixel_step * cols.stride, row_step, strip.itemsize),
        writeable=False,
    )
