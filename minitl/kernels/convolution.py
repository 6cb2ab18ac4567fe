"""Convolution of NHWC images with an HWIO kernel, and its gradients.

    y[n, i, j, f] = bias[f] + sum over kh, kw, c of  x[n, i*s + kh - top, j*s + kw - left, c] * kernel[kh, kw, c, f]

with s the stride, (top, left) the padding, and pixels outside the image taken as 0. `conv2d_naive`, at the end of this
file, is that line as loops. `conv2d` gives the same numbers in one of two fast ways: `im2col`, which can do any
convolution, and `winograd`, faster still for the 3x3 convolutions that such networks are mostly made of.

Who calls this: `layers.Conv2D`. Read next: `im2col`, `winograd`, and `pooling`, which slides the same windows.
"""

import numpy as np

from ..errors import ArgumentError
from . import winograd
from .activations import linear
from .elementwise import add
from .geometry import pixels_seen, window
from .im2col import conv2d_im2col, has_small_maps, input_gradient_col2im, kernel_gradient_im2col
from .pooling import max_pool
from .precision import as_float

ALGORITHMS = ("auto", "naive", "im2col", "winograd")
_chosen = "auto"


def set_convolution(algorithm):
    """Choose how every convolution is computed from now on: 'auto' (the faster way for each layer; the default),
    'naive' (loops, minutes for a small image), 'im2col', or 'winograd' (wherever it can be used at all)."""
    global _chosen
    if algorithm not in ALGORITHMS:
        raise ArgumentError(f"algorithm is {algorithm!r}; expected one of {', '.join(map(repr, ALGORITHMS))}.")
    _chosen = algorithm


def _algorithm(images, kernel_shape, dtype, rows, cols, u_is_kept=False):
    """The way that one convolution goes: as chosen, as far as it can be used."""
    if _chosen in ("naive", "im2col"):
        return _chosen
    if not winograd.is_possible(kernel_shape, rows, cols):
        return "im2col"
    pays = _chosen == "winograd" or winograd.pays(images, kernel_shape, dtype, rows, cols, u_is_kept)
    return "winograd" if pays else "im2col"


def conv2d(
    x,
    kernel,
    bias=None,
    strides=(1, 1),
    padding="valid",
    activate=linear,
    transform=None,
    pool=False,
    scale=None,
    other=None,
):
    """Convolve. x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) or None -> activate(y) (N, OH, OW, F).

    activate    one of `activations`, applied block by block while the numbers are in the cache
    transform   a `winograd.KernelTransform` to use: it saves transforming the same kernel again
    pool        return `max_pool(activate(y), (2, 2), (2, 2))` (N, OH//2, OW//2, F). `activate` must never put a smaller
                number above a larger one, for the maximum may be taken first
    scale       (F,): y = scale * convolution + bias, what a batch normalization with fixed statistics makes of it
    other       (N, OH, OW, F), to be added before `activate`: the other branch of a residual block. Not with `pool`
    """
    x, kernel = _same_type(x, kernel)
    rows, cols = window(x.shape[1:3], kernel.shape[:2], strides, padding)
    algorithm = _algorithm(len(x), kernel.shape, x.dtype, rows, cols, transform is not None)
    if pool:
        window((rows.out, cols.out), (2, 2), (2, 2), "valid")  # raises ShapeError where there is nothing to pool
    if algorithm == "winograd":
        if transform is None:
            u = winograd.transformed_kernel(kernel if scale is None else kernel * scale)
        else:
            u = transform.of(kernel, scale)
        if other is None:
            return winograd.conv2d_winograd(x, u, bias, rows, cols, activate, pool)
        return activate(add(winograd.conv2d_winograd(x, u, bias, rows, cols, linear), other))
    if algorithm == "naive":
        y = conv2d_naive(x, kernel if scale is None else kernel * scale, bias, strides, padding)
        y = activate(y if other is None else y + other)
    else:
        y = conv2d_im2col(x, kernel, bias, rows, cols, activate, scale, other)
    return max_pool(y, (2, 2), (2, 2)) if pool else y


def _same_type(x, kernel):
    """Both in the type of the result, which is at least float32."""
    dtype = np.result_type(as_float(x), as_float(kernel))
    return x.astype(dtype, copy=False), kernel.astype(dtype, copy=False)


def conv2d_kernel_gradient(x, grad, kernel_hw, strides=(1, 1), padding="valid"):
    """dL/dkernel (KH, KW, C, F) from x (N, H, W, C) and grad = dL/dy (N, OH, OW, F).

    Every output (i, j) multiplies kernel entry (kh, kw, c, f) with one pixel, so

        dL/dkernel[kh, kw, c, f] = sum over n, i, j of  grad[n, i, j, f] * x[n, i*s + kh - top, j*s + kw - left, c]

    (The bias is added to every output of its filter: dL/dbias[f] = sum over n, i, j of grad[n, i, j, f], which is
    `products.channel_sums`.)
    """
    x = as_float(x)
    rows, cols = window(x.shape[1:3], kernel_hw, strides, padding)
    algorithm = _algorithm(len(x), (*kernel_hw, x.shape[3], grad.shape[3]), np.result_type(x, grad), rows, cols)
    if algorithm == "naive":
        return conv2d_kernel_gradient_naive(x, grad, kernel_hw, strides, padding)
    if algorithm == "winograd":
        return winograd.kernel_gradient_winograd(x, grad, rows, cols)
    return kernel_gradient_im2col(x, grad, rows, cols)


def conv2d_input_gradient(grad, kernel, image_hw, strides=(1, 1), padding="valid"):
    """dL/dx (N, H, W, C) from grad = dL/dy (N, OH, OW, F). `image_hw` is (H, W), which grad alone does not tell.

    Output (i, j) sees pixel (h, w) through kernel entry kh = h + top - i*s, kw = w + left - j*s. So

        dL/dx[n, h, w, c] = sum over i, j, f of  grad[n, i, j, f] * kernel[h + top - i*s, w + left - j*s, c, f]

    Stride 1: put i = h + top - kh, and the sum over kh runs through a window of `grad` while the kernel is read
    backwards: it is a convolution of `grad` with the kernel turned by 180 degrees, its two channel axes swapped. The
    padding becomes KH - 1 - top, which makes the result as large as the image was. (It cannot be negative with 'same'
    or 'valid'; with explicit padding wider than the kernel it would be, and the general way is taken.)
    """
    grad, kernel = _same_type(grad, kernel)
    rows, cols = window(image_hw, kernel.shape[:2], strides, padding)
    if _chosen == "naive":
        return conv2d_input_gradient_naive(grad, kernel, image_hw, strides, padding)
    mirrored = tuple((a.kernel - 1 - a.before, a.kernel - 1 - a.after) for a in (rows, cols))
    if strides != (1, 1) or min(*mirrored[0], *mirrored[1]) < 0:
        return input_gradient_col2im(grad, kernel, rows, cols)
    turned_shape = *kernel.shape[:2], kernel.shape[3], kernel.shape[2]  # (KH, KW, F, C)
    if _algorithm(len(grad), turned_shape, grad.dtype, rows, cols) == "winograd":
        u = winograd.transformed_kernel(kernel, turned=True).transpose(0, 2, 1)  # (36, F, C)
        return winograd.conv2d_winograd(grad, u, None, *window(grad.shape[1:3], (3, 3), (1, 1), mirrored), linear)
    turned = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    if kernel.shape[:2] != (1, 1):
        if has_small_maps(grad):
            return input_gradient_col2im(grad, kernel, rows, cols)  # copying the kernel would take as long
        turned = np.ascontiguousarray(turned)
    return conv2d(grad, turned, padding=mirrored)


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
