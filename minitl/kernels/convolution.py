"""Convolution of NHWC images with an HWIO kernel, and its gradients.

    y[n, i, j, f] = bias[f] + sum over kh, kw, c of  x[n, i*s + kh - top, j*s + kw - left, c] * kernel[kh, kw, c, f]

s is the stride. (top, left) is the padding above and to the left of the image. Pixels outside the image count as 0.
`conv2d_naive`, at the end of this file, is that line as loops. `conv2d` computes the same numbers in one of two fast
ways: `im2col`, which can do any convolution, and `winograd`, which is faster still for 3x3 kernels (VGG16 has no
others) and for 5x5, 1x7 and 7x1 at stride 1.

Who calls this: `layers.Conv2D`. Read next: `im2col`, `winograd`, and `pooling`, which slides the same windows.
"""

import numpy as np

from ..errors import ArgumentError
from . import winograd, winograd_choice
from .activations import linear
from .elementwise import add
from .geometry import pixels_seen, window
from .im2col import conv2d_im2col, has_small_maps, input_gradient_col2im, kernel_gradient_im2col
from .pooling import max_pool
from .precision import as_float

ALGORITHMS = ("auto", "naive", "im2col", "winograd")
_chosen = "auto"


def set_convolution(algorithm):
    """Choose the algorithm of every convolution from now on.

    'auto'       the faster one for each layer; the default
    'naive'      loops: minutes for a small image
    'im2col'     always im2col
    'winograd'   Winograd wherever it is possible, else im2col
    """
    global _chosen
    if algorithm not in ALGORITHMS:
        raise ArgumentError(f"algorithm is {algorithm!r}; expected one of {', '.join(map(repr, ALGORITHMS))}.")
    _chosen = algorithm


def _algorithm(images, kernel_shape, dtype, rows, cols, u_is_kept=False):
    """Return the algorithm of one convolution: the chosen one, or im2col where Winograd is impossible or slower."""
    if _chosen in ("naive", "im2col"):
        return _chosen
    if not winograd_choice.is_possible(kernel_shape, rows, cols):
        return "im2col"
    pays = _chosen == "winograd" or winograd_choice.pays(images, kernel_shape, dtype, rows, cols, u_is_kept)
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
    """Convolve images: x (N, H, W, C), kernel (KH, KW, C, F), bias (F,) or None -> activate(y) (N, OH, OW, F).

    activate    an activation function of `activations`. It is applied block by block, while a block is in the cache
    transform   the layer's `KernelTransform`. It saves transforming the same kernel again
    pool        return `max_pool(activate(y), (2, 2), (2, 2))` (N, OH//2, OW//2, F). The maximum may be taken before
                the activation, so `activate` must be monotonic: it never maps a smaller number to a larger one
    scale       (F,): y = scale * convolution + bias. A batch normalization with fixed statistics has this form
    other       (N, OH, OW, F): the other branch of a residual block, added before `activate`. Not with `pool`

    What holds for the numbers of y, by whichever algorithm:

    - In float32 an error is small beside the largest |x| that the output's tile (up to 8x8 or 1x12 pixels) holds, times
      the sum of the filter's |kernel|. With random numbers it is below 3e-6 of it, with filters of a single entry up to
      5e-5, and with numbers that were chosen to be the worst 5e-4 (by im2col 1e-6). A pixel that is a million times
      larger than those beside it therefore hides them.
    - A NaN, an infinity or an overflow is where the definition has it. Winograd would spread them over whole tiles. A
      batch in which Winograd finds one, or a number above 1e19, is therefore computed again by im2col. (This is not
      promised for the gradient of the kernel.)
    - Numbers below 1e-30 lose digits: their products fall below 1.2e-38, the smallest number with all its digits.
    """
    x, kernel = _same_type(x, kernel)
    rows, cols = window(x.shape[1:3], kernel.shape[:2], strides, padding)
    algorithm = _algorithm(len(x), kernel.shape, x.dtype, rows, cols, transform is not None)
    if pool:
        window((rows.out, cols.out), (2, 2), (2, 2), "valid")  # raises ShapeError where there is nothing to pool
        if 1 in kernel.shape[:2] and algorithm == "winograd":  # its tiles have one row, or one column
            algorithm = "im2col"
    if algorithm == "winograd":
        dtype = x.dtype if scale is None else np.result_type(x, scale)
        forms = winograd_choice.forward_forms(kernel.shape, rows, cols, dtype, pool)
        if transform is None:
            u = winograd.transformed_kernel(kernel if scale is None else kernel * scale, forms)
        else:
            u = transform.of(kernel, forms, scale)
        y = winograd.conv2d_winograd(x, u, bias, rows, cols, forms, activate if other is None else linear, pool)
        if y is not None:
            return y if other is None else activate(add(y, other))
    if algorithm == "naive":
        y = conv2d_naive(x, kernel if scale is None else kernel * scale, bias, strides, padding)
        y = activate(y if other is None else y + other)
    else:
        y = conv2d_im2col(x, kernel, bias, rows, cols, activate, scale, other)
    return max_pool(y, (2, 2), (2, 2)) if pool else y


def _same_type(x, kernel):
    """Return both arrays in the type of the result, which is at least float32."""
    dtype = np.result_type(as_float(x), as_float(kernel))
    return x.astype(dtype, copy=False), kernel.astype(dtype, copy=False)


def conv2d_kernel_gradient(x, grad, kernel_hw, strides=(1, 1), padding="valid"):
    """Return dL/dkernel (KH, KW, C, F) from x (N, H, W, C) and grad = dL/dy (N, OH, OW, F).

    Every output (i, j) multiplies kernel entry (kh, kw, c, f) with one pixel, so

        dL/dkernel[kh, kw, c, f] = sum over n, i, j of  grad[n, i, j, f] * x[n, i*s + kh - top, j*s + kw - left, c]

    (The bias is added to every output of its filter: dL/dbias[f] = sum over n, i, j of grad[n, i, j, f].
    `products.channel_sums` computes it.)
    """
    x = as_float(x)
    rows, cols = window(x.shape[1:3], kernel_hw, strides, padding)
    kernel_shape, dtype = (*kernel_hw, x.shape[3], grad.shape[3]), np.result_type(x, grad)
    algorithm = _algorithm(len(x), kernel_shape, dtype, rows, cols)
    if algorithm == "naive":
        return conv2d_kernel_gradient_naive(x, grad, kernel_hw, strides, padding)
    if algorithm == "winograd":
        forms = winograd_choice.forms_for(kernel_shape, rows, cols, dtype)
        return winograd.kernel_gradient_winograd(x, grad, rows, cols, forms)
    return kernel_gradient_im2col(x, grad, rows, cols)


def conv2d_input_gradient(grad, kernel, image_hw, strides=(1, 1), padding="valid", other=None):
    """Return dL/dx (N, H, W, C) from grad = dL/dy (N, OH, OW, F). `image_hw` is (H, W): grad does not determine it.
    With `other` (N, H, W, C), return dL/dx + other: im2col adds while a block of dL/dx is in the cache.

    Output (i, j) sees pixel (h, w) through kernel entry kh = h + top - i*s, kw = w + left - j*s. So

        dL/dx[n, h, w, c] = sum over i, j, f of  grad[n, i, j, f] * kernel[h + top - i*s, w + left - j*s, c, f]

    With stride 1 this is again a convolution: of `grad`, with a turned kernel. Look at the rows alone, and number the
    kernel rows backwards: a = KH - 1 - kh. Then i = h + top - kh = h + a - (KH - 1 - top), and

        dx[h] = sum over a of  grad[h + a - top'] * turned[a]       turned[a] = kernel[KH-1-a],  top' = KH - 1 - top

    Its padding above is therefore top' = KH - 1 - top. Call the padding below `after` in the forward pass and after'
    here. after' follows from the sizes. The forward pass gives OH = top + H + after - KH + 1 rows, and this convolution
    has to give H of them:

        top' + OH + after' - KH + 1 = H       so       after' = KH - 1 - after

    Columns go the same way. The kernel is turned by 180 degrees, and its two channel axes are swapped.

    Example: x of 4 rows, kernel (1, 10, 100), no padding: OH = 2, top' = after' = 2. For grad = (2, 3) the kernel
    (100, 10, 1) slides over (0, 0, 2, 3, 0, 0) and gives dx = (2, 23, 230, 300). The second pixel is seen by output 0
    through 10 and by output 1 through 1: 2*10 + 3*1 = 23.

    With 'valid' or 'same', top' and after' are never negative. With explicit padding wider than the kernel they would
    be. Then, and for larger strides, `input_gradient_col2im` does the work.
    """
    grad, kernel = _same_type(grad, kernel)
    rows, cols = window(image_hw, kernel.shape[:2], strides, padding)
    if _chosen == "naive":
        return _plus(conv2d_input_gradient_naive(grad, kernel, image_hw, strides, padding), other)
    mirrored = tuple((a.kernel - 1 - a.before, a.kernel - 1 - a.after) for a in (rows, cols))  # (top', after'), ...
    if strides != (1, 1) or min(*mirrored[0], *mirrored[1]) < 0:
        return _plus(input_gradient_col2im(grad, kernel, rows, cols), other)
    turned_shape = *kernel.shape[:2], kernel.shape[3], kernel.shape[2]  # (KH, KW, F, C)
    if _algorithm(len(grad), turned_shape, grad.dtype, rows, cols) == "winograd":
        axes = window(grad.shape[1:3], kernel.shape[:2], (1, 1), mirrored)
        forms = winograd_choice.forms_for(turned_shape, *axes, grad.dtype)
        u = winograd.transformed_kernel(kernel, forms, turned=True).transpose(0, 2, 1)  # (P, F, C)
        dx = winograd.conv2d_winograd(grad, u, None, *axes, forms, linear)
        if dx is not None:
            return _plus(dx, other)
    turned = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    if kernel.shape[:2] != (1, 1):
        if has_small_maps(grad):
            # The kernel is larger than the maps: to copy it turned would take as long as the convolution itself.
            return _plus(input_gradient_col2im(grad, kernel, rows, cols), other)
        turned = np.ascontiguousarray(turned)
    return conv2d(grad, turned, padding=mirrored, other=other)


def _plus(dx, other):
    """Return dx + other, where there is another gradient."""
    return dx if other is None else add(dx, other)


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def conv2d_naive(x, kernel, bias=None, strides=(1, 1), padding="valid"):
    """Compute the formula at the head of this file, one multiplication at a time."""
    rows, cols = window(x.shape[1:3], kernel.shape[:2], strides, padding)
    y = np.zeros((len(x), rows.out, cols.out, kernel.shape[3]), np.result_type(x, kernel))
    for i, j, h, w, a, b in pixels_seen(rows, cols):
        for n, c, f in np.ndindex(len(x), *kernel.shape[2:]):
            y[n, i, j, f] += x[n, h, w, c] * kernel[a, b, c, f]
    return y if bias is None else y + bias


def conv2d_kernel_gradient_naive(x, grad, kernel_hw, strides=(1, 1), padding="valid"):
    """Add grad * x to the kernel entry of each product x * kernel of `conv2d_naive`."""
    rows, cols = window(x.shape[1:3], kernel_hw, strides, padding)
    dkernel = np.zeros((*kernel_hw, x.shape[3], grad.shape[3]), np.result_type(x, grad))
    for i, j, h, w, a, b in pixels_seen(rows, cols):
        for n, c, f in np.ndindex(len(x), *dkernel.shape[2:]):
            dkernel[a, b, c, f] += x[n, h, w, c] * grad[n, i, j, f]
    return dkernel


def conv2d_input_gradient_naive(grad, kernel, image_hw, strides=(1, 1), padding="valid"):
    """Add grad * kernel to the pixel of each product x * kernel of `conv2d_naive`."""
    rows, cols = window(image_hw, kernel.shape[:2], strides, padding)
    dx = np.zeros((len(grad), *image_hw, kernel.shape[2]), np.result_type(grad, kernel))
    for i, j, h, w, a, b in pixels_seen(rows, cols):
        for n, c, f in np.ndindex(len(grad), *kernel.shape[2:]):
            dx[n, h, w, c] += grad[n, i, j, f] * kernel[a, b, c, f]
    return dx
