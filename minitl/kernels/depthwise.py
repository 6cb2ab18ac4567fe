"""Depthwise convolution: every channel is convolved by itself, with a small kernel of its own, and its gradients.

    y[n, i, j, c*M + m] = bias[c*M + m]
                          + sum over kh, kw of  x[n, i*s + d*kh - top, j*s + d*kw - left, c] * kernel[kh, kw, c, m]

s is the stride, d the dilation, (top, left) the padding, M the number of outputs of each channel (nearly always 1). An
ordinary convolution also sums over the channels; here a 1x1 convolution behind this one does that. For 3x3 kernels on
240 channels the two together take 240 + 9 multiplications for each output number instead of 9 * 240. MobileNet and
EfficientNet are made of such pairs (Howard et al. 2017, Tan & Le 2019).

There is no sum over channels, so there is no matrix product either, and BLAS cannot help. The work is KH*KW passes of
"multiply and add" over the maps. Two things make it fast:

1. *Long rows.* The pixels of a row and their channels lie side by side in memory, and to look one pixel to the right is
   to begin C numbers later. So the OW*C numbers that one kernel entry (kh, kw) multiplies for a row of outputs are one
   piece of memory, and the entry's C numbers are repeated until they are about LONG_ROW numbers:

       pixels       r g b | r g b | r g b | r g b           C = 3
       entry 0      r g b   r g b   r g b                   times   w0 w0 w0 ...      y[0], y[1], y[2], added up
       entry 1              r g b   r g b   r g b           times   w1 w1 w1 ...

   At stride 2 the pixels that an entry multiplies are every second one. So the columns are first put apart, the even
   ones in front of the odd ones, and then the entries of each kind see neighbours.

2. *Blocks.* The pixels that some output rows see are copied together with their padding (`_strip`), and `np.einsum`
   goes over this copy KH*KW times while it is in a core's cache. Multiplication and addition are one pass there:
   as `np.multiply` and `+=` they take 1.3 times as long, and without long rows three times. Bias and activation follow
   before the block leaves the cache.

Winograd's trick does not pay: it saves multiplications, but here an addition costs as much as a multiplication.

Who calls this: `layers.DepthwiseConv2D`. Read before: `convolution`, `geometry`.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .activations import linear
from .channels import Repeated
from .elementwise import contiguous
from .geometry import blocks_of_rows, crop, pixels_seen, spanned, window
from .memory import Scratch, empty
from .parallel import share, slices, threads
from .precision import as_float

# Numbers of the output that a thread computes at a time. With their pixels they take half a megabyte: they stay in L2.
BLOCK_SIZE = 2**16
# Long rows of a block that are added up in the array's own type, one after the other: 256 equal terms would be 3e-6 off
# in float32 (`products.column_sums` can take more, because BLAS adds in parts).
ROWS_OF_A_PARTIAL_SUM = 64
LONG_ROW = 2048  # numbers that one kernel entry multiplies at a time, at least, if a row of outputs has so many


def depthwise(
    x,
    kernel,
    bias=None,
    strides=(1, 1),
    padding="valid",
    dilation=(1, 1),
    activate=linear,
    scale=None,
    other=None,
):
    """Convolve each channel by itself: x (N, H, W, C), kernel (KH, KW, C, M), bias (C*M,) or None -> activate(y)
    (N, OH, OW, C*M). One of strides and dilation is (1, 1).

    scale   (C*M,): y = scale * convolution + bias, for a batch normalization with fixed statistics
    other   (N, OH, OW, C*M): the other branch of a residual block, added before `activate`
    """
    rows, cols = _axes(x.shape[1:3], kernel.shape[:2], strides, padding, dilation)
    x, kernel = _one_channel_each(x, kernel)
    if scale is not None:
        kernel = kernel * scale.astype(kernel.dtype, copy=False)
    y = empty((len(x), rows.out, cols.out, x.shape[3]), x.dtype)
    bias = None if bias is None else Repeated(bias.astype(y.dtype, copy=False))
    pixels = _pixels_in_a_row(cols.out, x.shape[3])
    long_kernel = np.tile(kernel, (1, 1, pixels))  # (KH, KW, pixels*C)
    scratch = Scratch(x.dtype)

    def convolve(blocks):
        for block in blocks:
            target = y[block]  # a view: a block is whole images, or whole rows of one image
            strip = _strip(x, block, rows, cols, scratch)
            for k, (entries, seen) in enumerate(_windows(strip, target.shape, kernel.shape, dilation, rows, cols)):
                total = target if k == 0 else scratch.array("more", *target.shape)
                np.einsum("nhqabr,abr->nhqr", seen, long_kernel[:, entries], out=_in_long_rows(total, pixels))
                if k > 0:
                    target += total
            if bias is not None:
                bias.combine(np.add, target, target)
            if other is not None:
                target += other[block]
            activate(target, out=target)

    share(convolve, _blocks(y))
    return y


def depthwise_kernel_gradient(x, grad, kernel_shape, strides=(1, 1), padding="valid", dilation=(1, 1)):
    """Return dL/dkernel (KH, KW, C, M) from x (N, H, W, C) and grad = dL/dy (N, OH, OW, C*M).

    Every output (i, j) of channel k = c*M + m multiplies kernel entry (kh, kw, c, m) with one pixel, so

        dL/dkernel[kh, kw, c, m] = sum over n, i, j of  grad[n, i, j, k] * x[n, i*s + d*kh - top, j*s + d*kw - left, c]

    Within a block, one pass for each kernel entry adds up rows of products. The blocks' sums are added in float64.
    """
    rows, cols = _axes(x.shape[1:3], kernel_shape[:2], strides, padding, dilation)
    x, _ = _one_channel_each(x, np.empty(kernel_shape, as_float(x).dtype))
    grad = np.ascontiguousarray(grad, x.dtype)
    kh, kw, c = *kernel_shape[:2], x.shape[3]
    pixels = _pixels_in_a_row(cols.out, c)
    blocks = _blocks(grad, ROWS_OF_A_PARTIAL_SUM // (cols.out // pixels))
    parts = slices(len(blocks), threads())
    sums = np.zeros((len(parts), kh, kw, c))  # float64: each thread has a sum of its own
    scratch = Scratch(x.dtype)

    def add(numbered):
        for k, mine in numbered:
            for block in blocks[mine]:
                grads = _in_long_rows(grad[block], pixels)
                strip = _strip(x, block, rows, cols, scratch)
                for entries, seen in _windows(strip, grad[block].shape, (kh, kw, c), dilation, rows, cols):
                    products = scratch.array("products", *seen.shape[3:])  # (KH, entries, pixels*C)
                    np.einsum("nhqabr,nhqr->abr", seen, grads, out=products)
                    by_pixel = products.reshape(*products.shape[:2], pixels, c)
                    sums[k, :, entries] += by_pixel.sum(axis=2, dtype=np.float64)

    share(add, list(enumerate(parts)))
    return sums.sum(axis=0).astype(x.dtype).reshape(kernel_shape)


def depthwise_input_gradient(grad, kernel, image_hw, strides=(1, 1), padding="valid", dilation=(1, 1)):
    """Return dL/dx (N, H, W, C) from grad = dL/dy (N, OH, OW, C*M). `image_hw` is (H, W).

    Output (i, j) sees pixel (h, w) through the entries with h = i*s + d*kh - top, w = j*s + d*kw - left. So

        dL/dx[n, h, w, c] = sum over m and over these i, j, kh, kw of  grad[n, i, j, c*M + m] * kernel[kh, kw, c, m]

    With stride 1 this is again a depthwise convolution, of `grad` with the turned kernel: see `conv2d_input_gradient`,
    whose derivation holds for each channel by itself. For larger strides see `_by_remainders`.
    """
    kernel = kernel.astype(np.result_type(as_float(grad), kernel), copy=False)
    kh, kw, c, m = kernel.shape
    rows, cols = _axes(image_hw, (kh, kw), strides, padding, dilation)
    flat_kernel = kernel.reshape(kh, kw, c * m)
    if strides == (1, 1):
        mirrored = tuple((each.kernel - 1 - each.before, each.kernel - 1 - each.after) for each in (rows, cols))
        dx = depthwise(grad, flat_kernel[::-1, ::-1, :, None], padding=mirrored, dilation=dilation)
    else:
        dx = _by_remainders(grad.astype(kernel.dtype, copy=False), flat_kernel, rows, cols)
    return dx if m == 1 else dx.reshape(*dx.shape[:3], c, m).sum(axis=4)


def _by_remainders(grad, kernel, rows, cols):
    """Return dL/dx (N, H, W, C) for larger strides, by the remainders of the rows and columns of the padded image.

    Row h of the padded image is seen through the entries kh = h - i*s: those with the remainder p of h, when both are
    divided by s. With h = u*s + p and kh = a*s + p, i = u - a: for each remainder this is a depthwise convolution of
    `grad` at stride 1, with every s-th entry of the kernel, turned. Example: s = 2, kernel (1, 10, 100), grad (2, 3):

        even rows    entries (1, 100)    2, 3 + 200, 300         odd rows    entry (10)    20, 30
        together     2, 20, 203, 30, 300
    """
    dx = empty((len(grad), rows.padded, cols.padded, grad.shape[3]), kernel.dtype)
    for first in np.ndindex(rows.stride, cols.stride):
        places = tuple(slice(p, None, axis.stride) for p, axis in zip(first, (rows, cols)))
        part, target = kernel[places], dx[(slice(None), *places)]
        if not part.size:  # the stride is larger than the kernel: nothing sees these pixels
            target[...] = 0
            continue
        padding = tuple((k - 1, size - out) for k, size, out in zip(part.shape, target.shape[1:], grad.shape[1:]))[:2]
        target[...] = depthwise(grad, part[::-1, ::-1, :, None], padding=padding)
    return contiguous(crop(dx, rows, cols))


def _axes(image_hw, kernel_hw, strides, padding, dilation):
    """Return the geometry of both axes, for a window as large as what the kernel spans."""
    return window(image_hw, tuple(map(spanned, kernel_hw, dilation)), strides, padding)


def _one_channel_each(x, kernel):
    """Return x (N, H, W, C*M) and kernel (KH, KW, C*M) in the type of the result: with M outputs for each channel,
    every channel of x is there M times."""
    dtype = np.result_type(as_float(x), as_float(kernel))
    m = kernel.shape[3]
    x = np.repeat(x, m, axis=3) if m > 1 else x
    return np.ascontiguousarray(x, dtype), kernel.reshape(*kernel.shape[:2], -1).astype(dtype, copy=False)


def _pixels_in_a_row(out, channels):
    """Return how many pixels of an output row make a long row: a divisor of their number."""
    return next((k for k in range(1, out) if out % k == 0 and k * channels >= LONG_ROW), out)


def _in_long_rows(maps, pixels):
    """Return maps (n, OH, OW, C) as a view (n, OH, OW / pixels, pixels*C)."""
    n, oh, ow, c = maps.shape
    return maps.reshape(n, oh, ow // pixels, pixels * c)


def _blocks(y, most_rows=np.inf):
    """Return the work on y (N, OH, OW, C) in blocks of at most so many rows for the threads: (images, rows)."""
    rows = min(BLOCK_SIZE / max(1, y.shape[2] * y.shape[3]), most_rows)
    return blocks_of_rows(len(y), y.shape[1], max(1, rows), threads())


def _strip(x, block, rows, cols, scratch):
    """Return the pixels that the output rows of a block see, with the padding around them: (n, pixel rows, s, columns
    of each remainder, C). At stride s, the columns with the same remainder when divided by s lie side by side."""
    images, out_rows = block
    n, w, c, s = images.stop - images.start, x.shape[2], x.shape[3], cols.stride
    first = out_rows.start * rows.stride - rows.before  # a row of the image; negative where it is padding
    last = (out_rows.stop - 1) * rows.stride - rows.before + rows.kernel
    columns = -(-((cols.out - 1) * s + cols.kernel) // s)
    strip = scratch.array("strip", n, last - first, s, columns, c)
    pixels = x[images, max(first, 0) : max(last, 0)]
    top = min(max(-first, 0), last - first)  # rows of padding
    bottom = top + pixels.shape[1]
    strip[:, :top] = 0
    strip[:, bottom:] = 0
    for remainder in range(s):
        # Column k of this remainder is column k*s + remainder - before of the image.
        start, stop = (-(-max(edge + cols.before - remainder, 0) // s) for edge in (0, w))
        start, stop = min(start, columns), min(stop, columns)
        target, left = strip[:, top:bottom, remainder], start * s + remainder - cols.before
        target[:, :, :start] = 0
        target[:, :, stop:] = 0
        target[:, :, start:stop] = pixels[:, :, left : left + (stop - start) * s : s]
    return strip


def _windows(strip, out_shape, kernel_shape, dilation, rows, cols):
    """Yield, for the kernel columns of each remainder, (these columns as a slice, the pixels that they multiply as a
    view (n, OH, rows of long rows, KH, columns, pixels*C))."""
    (n, oh, ow, c), (kh, kw), s = out_shape, kernel_shape[:2], cols.stride
    pixels = _pixels_in_a_row(ow, c)
    image_step, row_step, _, pixel_step, number = strip.strides
    for remainder in range(min(s, kw)):
        view = as_strided(
            strip[:, :, remainder],
            shape=(n, oh, ow // pixels, kh, len(range(remainder, kw, s)), pixels * c),
            strides=(
                image_step,
                rows.stride * row_step,
                pixels * pixel_step,
                dilation[0] * row_step,
                dilation[1] * pixel_step,
                number,
            ),
            writeable=False,
        )
        yield slice(remainder, kw, s), view


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def _entries_seen(image_hw, kernel_hw, strides, padding, dilation):
    """Yield (i, j, h, w, a, b): output (i, j) sees pixel (h, w) through kernel entry (a, b)."""
    for i, j, h, w, a, b in pixels_seen(*_axes(image_hw, kernel_hw, strides, padding, dilation)):
        if a % dilation[0] == 0 == b % dilation[1]:
            yield i, j, h, w, a // dilation[0], b // dilation[1]


def depthwise_naive(x, kernel, bias=None, strides=(1, 1), padding="valid", dilation=(1, 1)):
    """Compute the formula at the head of this file, one multiplication at a time."""
    rows, cols = _axes(x.shape[1:3], kernel.shape[:2], strides, padding, dilation)
    m = kernel.shape[3]
    y = np.zeros((len(x), rows.out, cols.out, x.shape[3] * m), np.result_type(x, kernel))
    for i, j, h, w, a, b in _entries_seen(x.shape[1:3], kernel.shape[:2], strides, padding, dilation):
        for n, c, k in np.ndindex(len(x), *kernel.shape[2:]):
            y[n, i, j, c * m + k] += x[n, h, w, c] * kernel[a, b, c, k]
    return y if bias is None else y + bias


def depthwise_kernel_gradient_naive(x, grad, kernel_shape, strides=(1, 1), padding="valid", dilation=(1, 1)):
    """Add grad * x to the kernel entry of each product x * kernel of `depthwise_naive`."""
    dkernel, m = np.zeros(kernel_shape, np.result_type(x, grad)), kernel_shape[3]
    for i, j, h, w, a, b in _entries_seen(x.shape[1:3], kernel_shape[:2], strides, padding, dilation):
        for n, c, k in np.ndindex(len(x), *kernel_shape[2:]):
            dkernel[a, b, c, k] += x[n, h, w, c] * grad[n, i, j, c * m + k]
    return dkernel


def depthwise_input_gradient_naive(grad, kernel, image_hw, strides=(1, 1), padding="valid", dilation=(1, 1)):
    """Add grad * kernel to the pixel of each product x * kernel of `depthwise_naive`."""
    m = kernel.shape[3]
    dx = np.zeros((len(grad), *image_hw, kernel.shape[2]), np.result_type(grad, kernel))
    for i, j, h, w, a, b in _entries_seen(image_hw, kernel.shape[:2], strides, padding, dilation):
        for n, c, k in np.ndindex(len(grad), *kernel.shape[2:]):
            dx[n, h, w, c] += grad[n, i, j, c * m + k] * kernel[a, b, c, k]
    return dx
