"""Dilated convolution: a kernel whose entries look at pixels that lie `dilation` pixels apart, and its gradients.

    y[n, i, j, f] = bias[f] + sum over kh, kw, c of  x[n, i + d*kh - top, j + d*kw - left, c] * kernel[kh, kw, c, f]

d is the dilation. Without it (d = 1) this is the formula of `convolution`, at stride 1. A kernel of KH rows spans
(KH - 1) * d + 1 rows of pixels: with d = 2 a 3x3 kernel sees nine pixels out of 5x5. So a layer sees more of the image
without more parameters, and without poolings that would make the maps smaller. Networks that give a label to each pixel
use it (Yu & Koltun 2016; DeepLab).

Output row i sees the pixel rows i, i + d, i + 2d, ...: all of them leave the same remainder as i when divided by d. So
the outputs of one remainder see the pixels of that remainder and no others, and among these they see neighbours. A
dilated convolution is therefore d * d ordinary ones, each on the image of every d-th row and column. These images go
into the batch, and `conv2d` does the work, by im2col or Winograd:

    x (N, H, W, C)  ->  (N*d*d, H/d, W/d, C)  ->  conv2d, 'valid'  ->  (N*d*d, OH/d, OW/d, F)  ->  y (N, OH, OW, F)

Example, with rows alone: x = (1, 2, 3, 4, 5, 6, 7), kernel (1, 10), d = 2. By the definition y[i] = x[i] + 10 x[i+2],
so y = (31, 42, 53, 64, 75). By the remainders:

    remainder 0    pixels (1, 3, 5, 7)    y[0], y[2], y[4] = 1 + 30, 3 + 50, 5 + 70
    remainder 1    pixels (2, 4, 6, 0)    y[1], y[3] = 2 + 40, 4 + 60; the third output, 6 + 0, is cut off

The 0 fills up the image, so that all parts have the same size. Where d is large and the maps are small, it costs: maps
of 21x21 with d = 18 are computed as 36x36. The two rearrangements are a pass each over x and over y. On 56x56 maps of
256 channels a 3x3 kernel with d = 2 takes as long as without dilation by im2col, and 1.3 times as long by Winograd,
which is still the faster one; with d = 6 it takes 1.2 times and twice as long (`python -m benchmarks.kernels`).

Who calls this: `layers.Conv2D`, where its dilation is not 1. Read before: `convolution`.
"""

import numpy as np

from .activations import linear
from .convolution import (
    conv2d,
    conv2d_input_gradient,
    conv2d_input_gradient_naive,
    conv2d_kernel_gradient,
    conv2d_kernel_gradient_naive,
    conv2d_naive,
)
from .elementwise import contiguous
from .geometry import Axis, crop, pad, spanned, window
from .precision import as_float


def conv2d_dilated(x, kernel, bias=None, dilation=(1, 1), padding="valid", activate=linear, transform=None):
    """Convolve images with dilation (of rows, of columns): x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) or None ->
    activate(y) (N, OH, OW, F). `padding` is that of the whole span of the kernel. The other arguments are those of
    `conv2d`."""
    rows, cols = _filled_up(x.shape[1:3], kernel.shape[:2], dilation, padding)
    y = conv2d(_apart(as_float(x), rows, cols, dilation), kernel, bias, activate=activate, transform=transform)
    return contiguous(_together(y, dilation)[:, : rows.out, : cols.out])


def conv2d_dilated_kernel_gradient(x, grad, kernel_hw, dilation=(1, 1), padding="valid"):
    """Return dL/dkernel (KH, KW, C, F) from x (N, H, W, C) and grad = dL/dy (N, OH, OW, F).

    All parts of the image are examples of one ordinary convolution, whose gradient is a sum over them. The outputs that
    are cut off have no influence on the loss: their gradient is 0.
    """
    rows, cols = _filled_up(x.shape[1:3], kernel_hw, dilation, padding)
    x_parts, grad_parts = _apart(as_float(x), rows, cols, dilation), _outputs_apart(grad, rows, cols, dilation)
    return conv2d_kernel_gradient(x_parts, grad_parts, kernel_hw)


def conv2d_dilated_input_gradient(grad, kernel, image_hw, dilation=(1, 1), padding="valid"):
    """Return dL/dx (N, H, W, C) from grad = dL/dy (N, OH, OW, F). `image_hw` is (H, W).

    To take an image apart moves its pixels and changes none, so the gradients of the pixels move back to their places.
    The gradients of the padding are dropped.
    """
    rows, cols = _filled_up(image_hw, kernel.shape[:2], dilation, padding)
    part_hw = rows.padded // dilation[0], cols.padded // dilation[1]
    dparts = conv2d_input_gradient(_outputs_apart(grad, rows, cols, dilation), kernel, part_hw)
    return contiguous(crop(_together(dparts, dilation), rows, cols))


def _filled_up(image_hw, kernel_hw, dilation, padding):
    """Return the geometry of both axes, with more padding behind the image: its padded size is a multiple of d."""
    span = tuple(map(spanned, kernel_hw, dilation))
    axes = window(image_hw, span, (1, 1), padding)
    return [axis._replace(after=axis.after + -axis.padded % d) for axis, d in zip(axes, dilation)]


def _apart(maps, rows, cols, dilation):
    """Return padded maps (N, H, W, C) as (N*d*d, H/d, W/d, C): each holds the rows and columns of one remainder."""
    padded = pad(maps, rows, cols)
    (n, h, w, c), (a, b) = padded.shape, dilation
    parts = padded.reshape(n, h // a, a, w // b, b, c).transpose(0, 2, 4, 1, 3, 5)  # (N, a, b, H/a, W/b, C)
    return contiguous(parts).reshape(n * a * b, h // a, w // b, c)


def _outputs_apart(grad, rows, cols, dilation):
    """Return grad (N, OH, OW, F) as `_apart` does, with zeros for the outputs that are cut off."""
    behind = [axis.padded - (axis.kernel - 1) - axis.out for axis in (rows, cols)]
    filled = [Axis(axis.out, 1, 1, 0, more, axis.out + more) for axis, more in zip((rows, cols), behind)]
    return _apart(as_float(grad), *filled, dilation)


def _together(parts, dilation):
    """Return maps (N*d*d, H/d, W/d, C) as (N, H, W, C): the opposite of `_apart`."""
    (m, h, w, c), (a, b) = parts.shape, dilation
    maps = parts.reshape(m // (a * b), a, b, h, w, c).transpose(0, 3, 1, 4, 2, 5)  # (N, H/a, a, W/b, b, C)
    return contiguous(maps).reshape(m // (a * b), h * a, w * b, c)


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops: an ordinary convolution by the kernel with d - 1 zeros between its entries.


def _with_holes(kernel, dilation):
    """Return the kernel (KH, KW, C, F) with zeros between its entries, as large as its span."""
    spread = np.zeros((*map(spanned, kernel.shape[:2], dilation), *kernel.shape[2:]), kernel.dtype)
    spread[:: dilation[0], :: dilation[1]] = kernel
    return spread


def conv2d_dilated_naive(x, kernel, bias=None, dilation=(1, 1), padding="valid"):
    """Convolve with the kernel with holes, one multiplication at a time."""
    return conv2d_naive(x, _with_holes(kernel, dilation), bias, (1, 1), padding)


def conv2d_dilated_kernel_gradient_naive(x, grad, kernel_hw, dilation=(1, 1), padding="valid"):
    """Take the entries of the kernel out of the gradient of the kernel with holes."""
    span = tuple(map(spanned, kernel_hw, dilation))
    dspread = conv2d_kernel_gradient_naive(x, grad, span, (1, 1), padding)
    return dspread[:: dilation[0], :: dilation[1]]


def conv2d_dilated_input_gradient_naive(grad, kernel, image_hw, dilation=(1, 1), padding="valid"):
    """Go back through the kernel with holes."""
    return conv2d_input_gradient_naive(grad, _with_holes(kernel, dilation), image_hw, (1, 1), padding)
