"""Convolution by *im2col*: write each window as one row of a matrix, and a convolution is one matrix product.

    columns (N*OH*OW, KH*KW*C)  @  kernel (KH*KW*C, F)  ->  y (N*OH*OW, F)

The sum over (kh, kw, c) is a row of the first matrix times a column of the second. A 3x3 window repeats every pixel
nine times: for the second layer of VGG16 the whole matrix is 115 MB an image. It is therefore made and used in blocks
of some output rows. A thread copies the windows of one block into a buffer, multiplies the buffer by the kernel, adds
the bias and applies the activation. Then it uses the same buffer for its next block.

Which cache helps. A buffer of 4 MB is larger than the cache of one core (L2, 1 to 2 MB), but the last cache, which the
cores share (L3), holds one buffer for each thread: it has 48 MB on an Intel Xeon, 32 MB on an AMD EPYC (`lscpu` shows
the sizes). So the product reads the windows from L3, where the copy has just put them, and the next block overwrites
them there. The whole matrix would go out to main memory and back.

Why 4 MB. Every product reads the whole kernel, so small blocks read it often. On 56x56 maps of 256 channels the kernel
has 2.4 MB, and the windows of one output row have 0.5 MB. Blocks of 1 MB have 2 rows and read the kernel 28 times an
image. Blocks of 4 MB have 8 rows and read it 7 times. Blocks of at most 32 MB have all 56 rows, 29 MB: two threads then
need more than L3 holds. The times given at `FORWARD_BLOCK_BYTES` are shortest with 4 to 8 MB.

Im2col works for any window and stride. Who calls this: `convolution`. `rows` and `cols` are the `geometry.Axis` of each
axis.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .channels import Repeated
from .geometry import blocks_of_rows, crop, pad, taps
from .memory import Scratch, empty
from .parallel import share, slices, threads
from .products import matmul, product

# The most bytes of the column matrix that a thread holds at a time. The 3x3 convolution of the example above, on 56x56
# maps of 256 channels, takes (ms an image by the size of a block) 1 MB 17, 2 MB 16, 4 MB 15, 8 MB 14, 32 MB 16 on an
# Intel Xeon (`python -m benchmarks.kernels`). 1x1 convolutions copy no windows. ResNet50's on 7x7 maps are best with 2
# to 4 MB: 1 MB 0.30, 2 MB 0.28, 4 MB 0.28, 8 MB 0.29 on an AMD EPYC. So 4 MB is the compromise. The whole ResNet50 at
# batch 8 takes the same time with 1 to 8 MB.
FORWARD_BLOCK_BYTES = 4 * 2**20
# The same for the kernel gradient, for all threads together. It adds up one (KH*KW*C, F) product for each block: larger
# blocks mean fewer of those additions.
GRADIENT_BLOCK_BYTES = 16 * 2**20


def conv2d_im2col(x, kernel, bias, rows, cols, activate, scale=None, other=None):
    """Return activate(scale * convolution + bias + other) (N, OH, OW, F).

    x (N, H, W, C), kernel (KH, KW, C, F), bias and scale (F,) or None, other (N, OH, OW, F) or None.
    """
    f = kernel.shape[3]
    x = np.ascontiguousarray(x, np.result_type(x, kernel))
    flat_kernel = kernel.reshape(-1, f)  # (KH*KW*C, F)
    y = empty((len(x), rows.out, cols.out, f), x.dtype)
    if scale is not None and flat_kernel.size <= y.size:  # scale the kernel or the result: the smaller one
        flat_kernel, scale = flat_kernel * scale, None
    scale, bias = (None if each is None else Repeated(each.astype(y.dtype, copy=False)) for each in (scale, bias))
    scratch = Scratch(x.dtype)

    def convolve(parts):
        for block, filters in parts:
            # A view: a block is whole images, or whole rows of one image.
            target = y[block].reshape(-1, f)[:, filters]
            np.matmul(_columns(x, block, rows, cols, scratch), flat_kernel[:, filters], out=target)
            if scale is not None:  # all this is done here, while the block is still in the cache
                scale.combine(np.multiply, target, target, filters)
            if bias is not None:
                bias.combine(np.add, target, target, filters)
            if other is not None:
                target += other[block].reshape(-1, f)[:, filters]
            activate(target, out=target)

    share(convolve, _parts(y, rows, cols, x.shape[3]))
    return y


def _parts(y, rows, cols, c):
    """Return the work on y (N, OH, OW, F) in parts for the threads: a list of (images and rows, filters).

    Every product reads, and BLAS rearranges, the kernel's columns of all its filters. So where there are fewer pixels
    than filters, each thread takes some of the filters for all pixels, instead of some of the pixels for all filters:
    for a single image, ResNet50's 1x1 convolutions on 7x7 maps take 0.6 of the time.
    """
    n, oh, ow, f = y.shape
    row_bytes = ow * max(rows.kernel * cols.kernel * c, f) * y.itemsize
    most_rows = FORWARD_BLOCK_BYTES / row_bytes
    if n * oh * ow >= f:
        return [(block, slice(0, f)) for block in blocks_of_rows(n, oh, most_rows, threads())]
    blocks = blocks_of_rows(n, oh, most_rows, 1)
    return [(block, filters) for filters in slices(f, threads()) for block in blocks]


def kernel_gradient_im2col(x, grad, rows, cols):
    """Return dL/dkernel (KH, KW, C, F) from x (N, H, W, C) and grad (N, OH, OW, F).

    With p = (n, i, j) and q = (kh, kw, c), y[p, f] = sum_q columns[p, q] kernel[q, f], so

        dL/dkernel[q, f] = sum_p  dL/dy[p, f] * dy[p, f]/dkernel[q, f]
                         = sum_p  grad[p, f]  * columns[p, q]              = (columns^T @ grad)[q, f]

    The sum over p can be taken block by block. Each thread takes some of the p and has a sum of its own. Such a sum may
    be larger than the arrays it is made from: `kernel_gradient_of_small_maps` is for small maps of many channels.
    """
    c, f = x.shape[3], grad.shape[3]
    x, grad = np.ascontiguousarray(x, np.result_type(x, grad)), np.ascontiguousarray(grad)
    if not grad.size:  # an empty batch
        return np.zeros((rows.kernel, cols.kernel, c, f), x.dtype)
    if _is_pointwise(rows, cols):
        return matmul(x.reshape(-1, c).T, grad.reshape(-1, f)).reshape(1, 1, c, f)
    if has_small_maps(grad):
        return kernel_gradient_of_small_maps(x, grad, rows, cols)
    row_bytes = cols.out * rows.kernel * cols.kernel * c * x.itemsize
    blocks = blocks_of_rows(len(x), rows.out, GRADIENT_BLOCK_BYTES / threads() / row_bytes, threads())
    parts = slices(len(blocks), threads())
    sums = [None] * len(parts)
    scratch = Scratch(x.dtype)

    def add(numbered):
        for k, mine in numbered:
            for block in blocks[mine]:
                columns = _columns(x, block, rows, cols, scratch)
                operands = columns.T, grad[block].reshape(-1, f)
                if sums[k] is None:
                    sums[k] = product(*operands, out=empty((columns.shape[1], f), x.dtype))
                else:
                    sums[k] += product(*operands, out=scratch.array("product", columns.shape[1], f))

    share(add, list(enumerate(parts)))
    for partial_sum in sums[1:]:
        sums[0] += partial_sum
    return sums[0].reshape(rows.kernel, cols.kernel, c, f)


def kernel_gradient_of_small_maps(x, grad, rows, cols):
    """Return dL/dkernel (KH, KW, C, F), one position (kh, kw) after the other. The sum over p is taken at once, and
    each thread takes some of the channels c."""
    c, f = x.shape[3], grad.shape[3]
    padded, flat_grad = pad(x, rows, cols), grad.reshape(-1, f)
    dkernel = empty((rows.kernel, cols.kernel, c, f), x.dtype)
    scratch = Scratch(x.dtype)

    def compute(parts):
        for channels in parts:
            seen = scratch.array("seen", *grad.shape[:3], channels.stop - channels.start)
            for (a, b), pixels in zip(np.ndindex(rows.kernel, cols.kernel), taps(padded, rows, cols)):
                np.copyto(seen, pixels[..., channels])
                product(seen.reshape(len(flat_grad), -1).T, flat_grad, out=dkernel[a, b, channels])

    share(compute, slices(c, threads()))
    return dkernel


def input_gradient_col2im(grad, kernel, rows, cols):
    """Return dL/dx (N, H, W, C) for any stride: im2col backwards, called *col2im*.

    y = columns @ kernel, so dL/dcolumns = grad @ kernel^T. Each window was a copy of pixels, so its gradient is added
    to the pixels that it was copied from, one position (kh, kw) after the other.

    Each thread takes some of the images. Where all of them have few pixels, it takes some of the channels of all images
    instead: BLAS rearranges the kernel for each product, and so each thread rearranges only its part.
    """
    kh, kw, c, f = kernel.shape
    dx = empty((len(grad), rows.padded, cols.padded, c), np.result_type(grad, kernel))
    scratch = Scratch(dx.dtype)
    if has_small_maps(grad) and 2 * c > grad.size // f:
        parts = [(slice(0, len(grad)), channels) for channels in slices(c, threads())]
    else:
        image_bytes = rows.out * cols.out * c * dx.itemsize
        blocks = blocks_of_rows(len(grad), 1, FORWARD_BLOCK_BYTES / image_bytes, threads())
        parts = [(images, slice(0, c)) for images, _ in blocks]

    def add(parts):
        for images, channels in parts:
            target = dx[images, :, :, channels]
            target[...] = 0
            flat_grad = grad[images].reshape(-1, f)
            dwindows = scratch.array("dwindows", len(flat_grad), target.shape[3])
            for (a, b), pixels in zip(np.ndindex(kh, kw), taps(target, rows, cols)):
                np.matmul(flat_grad, kernel[a, b, channels].T, out=dwindows)
                pixels += dwindows.reshape(pixels.shape)

    share(add, parts)
    return crop(dx, rows, cols)


def has_small_maps(grad):
    """Return whether a kernel of F filters is larger than the maps, because they have so few pixels (N*OH*OW)."""
    return 2 * grad.shape[3] > grad.size // grad.shape[3]


def _is_pointwise(rows, cols):
    """Return whether each window is one pixel and each pixel one window. The image is then its own column matrix."""
    return all(a.kernel == a.stride == 1 and a.padded == a.size for a in (rows, cols))


def _columns(x, block, rows, cols, scratch):
    """Return the windows of `y[block]`, one in each row: (n*oh*OW, KH*KW*C), in memory of `scratch`."""
    images, out_rows = block
    oh, c = out_rows.stop - out_rows.start, x.shape[3]
    if _is_pointwise(rows, cols):
        return x[images, out_rows].reshape(-1, c)
    strip = _strip(x[images], out_rows, rows, cols, scratch)
    columns = scratch.array("columns", len(strip), oh, cols.out, rows.kernel, cols.kernel * c)
    np.copyto(columns, _windows(strip, oh, rows, cols))
    return columns.reshape(-1, rows.kernel * cols.kernel * c)


def _strip(images, out_rows, rows, cols, scratch):
    """Return the pixels that some output rows see, with the padding around them: (n, pixel rows, W padded, C)."""
    n, _, w, c = images.shape
    first = out_rows.start * rows.stride - rows.before  # a row of the image; negative where it is padding
    last = (out_rows.stop - 1) * rows.stride - rows.before + rows.kernel
    pixels = images[:, max(first, 0) : max(last, 0)]
    is_contiguous = pixels.strides[2] == c * pixels.itemsize  # False where `images` holds only some of the channels
    if pixels.shape[1] == last - first and cols.padded == cols.size and is_contiguous:
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
    """Return all windows of a strip as a view (n, out_rows, OW, KH, KW*C), without a copy.

    In NHWC the KW pixels of a window's row lie side by side in memory, each with its C channels. So (KW, C) is one
    axis of KW*C adjacent numbers. Long runs are copied faster than short ones.
    """
    n, _, _, c = strip.shape
    image_step, row_step, pixel_step, _ = strip.strides  # (NumPy leaves the last undefined where C is 1)
    return as_strided(
        strip,
        shape=(n, out_rows, cols.out, rows.kernel, cols.kernel * c),
        strides=(image_step, row_step * rows.stride, pixel_step * cols.stride, row_step, strip.itemsize),
        writeable=False,
    )
