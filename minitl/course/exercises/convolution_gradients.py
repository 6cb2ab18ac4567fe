"""Exercises on the way back through a convolution: the gradient of its kernel, and that of its input.

Read next: `pooling`.
"""

import numpy as np

from ...kernels import convolution as engine
from ...kernels.im2col import input_gradient_col2im, kernel_gradient_im2col
from .exercise import Case, Exercise
from .wording import first_products


def kernel_gradient(x, grad):
    _, oh, ow, f = grad.shape
    kh, kw, c = x.shape[1] - oh + 1, x.shape[2] - ow + 1, x.shape[3]
    dkernel = np.zeros((kh, kw, c, f))
    for a in range(kh):
        for b in range(kw):
            pixels = x[:, a : a + oh, b : b + ow]
            dkernel[a, b] = pixels.reshape(-1, c).T @ grad.reshape(-1, f)
    return dkernel


def kernel_gradient_by_engine(x, grad):
    kernel_hw = x.shape[1] - grad.shape[1] + 1, x.shape[2] - grad.shape[2] + 1
    return engine.conv2d_kernel_gradient(x, grad, kernel_hw)


def kernel_gradient_cases(random):
    def case(what, n, h, w, kh, kw, c, f):
        return Case(what, random.normal(size=(n, h, w, c)), random.normal(size=(n, h - kh + 1, w - kw + 1, f)))

    return [
        case("2 images of 7x6, 3 channels, 5 filters of 4x2", 2, 7, 6, 4, 2, 3, 5),
        case("one image of 4x5, one channel, one filter of 2x3", 1, 4, 5, 2, 3, 1, 1),
        case("a kernel as large as the image", 4, 3, 2, 3, 2, 1, 5),
        case("a kernel of 1x1", 2, 4, 3, 1, 1, 5, 6),
    ]


def mean_over_the_images(x, grad):
    """Divide by the number of images: the loss has divided by N already, if it is a mean, so each layer sums."""
    return kernel_gradient(x, grad) / len(x)


def mean_over_the_places(x, grad):
    """Take the mean over the places: the kernel was used at every place, and the parts of all places add up."""
    return kernel_gradient(x, grad) / (grad.shape[1] * grad.shape[2])


def one_image_alone(x, grad):
    """Take the first image alone: all images have used the same kernel, and their parts add up."""
    return kernel_gradient(x[:1], grad[:1])


def gradient_turned(x, grad):
    """Turn the result by 180 degrees: the kernel is laid on the image as it is, so kernel[a, b] met x[i + a, j + b]."""
    return kernel_gradient(x, grad)[::-1, ::-1]


def one_place_alone(x, grad):
    """Take the first place alone: y has used this weight at every place (i, j), and the sum goes over all of them."""
    _, oh, ow, _ = grad.shape
    only = np.zeros_like(grad)
    only[:, 0, 0] = grad[:, 0, 0]
    return kernel_gradient(x, only)


def pixels_at_the_corner(x, grad):
    """Multiply by the same pixels for every weight: kernel[a, b] met the pixels from row a and column b on."""
    dkernel = kernel_gradient(x, grad)
    return np.broadcast_to(dkernel[:1, :1], dkernel.shape).copy()


def filters_before_channels(x, grad):
    """Put the filters before the channels: the kernel has the axes (KH, KW, C, F), and its gradient has its shape."""
    return kernel_gradient(x, grad).transpose(0, 1, 3, 2)


def columns_before_rows(x, grad):
    """Put the columns of the kernel before its rows: its axes are (KH, KW, C, F)."""
    return kernel_gradient(x, grad).transpose(1, 0, 2, 3)


def kernel_gradient_by_hand(name, index, x, grad):
    a, b, c, f = index
    terms = [(g[f], pixel[c]) for n in range(len(x)) for i, row in enumerate(grad[n].tolist())
             for g, pixel in zip(row, x[n, i + a, b:].tolist())]  # fmt: skip
    return first_products(terms)


KERNEL_GRADIENT = Exercise(
    "kernel_gradient",
    title="The gradient of a convolution's kernel",
    text="""How does the loss change with one number of the kernel? In the forward pass, kernel[a, b, c, f] met a pixel
    at every place (i, j) of every image, and the product was added to y[n, i, j, f]. So each place has a part in the
    gradient: grad there, times the pixel that was met. The stride is 1 and there is no padding, so the size of the
    kernel follows from the two others: KH = H - OH + 1 and KW = W - OW + 1. Loops are welcome.""",
    given={"x": "(N, H, W, C)  the input of the convolution", "grad": "(N, OH, OW, F)  dL/dy"},
    returns={"dkernel": "(KH, KW, C, F)  dL/dkernel"},
    formula="""
dkernel[a, b, c, f] = sum over n, i, j of
                      grad[n, i, j, f] * x[n, i + a, j + b, c]
""",
    answer=kernel_gradient,
    by_engine=kernel_gradient_by_engine,
    lines=(engine.conv2d_kernel_gradient_naive, kernel_gradient_im2col),
    cases=kernel_gradient_cases,
    wrong_answers=(
        mean_over_the_images, mean_over_the_places, one_image_alone, gradient_turned, one_place_alone,
        pixels_at_the_corner, filters_before_channels, columns_before_rows,
    ),
    by_hand=kernel_gradient_by_hand,
    hints=(
        "Two loops over a and b are enough. For each of them, which pixels has kernel[a, b] met?",
        "It has met x[:, a : a + OH, b : b + OW], which has as many places as grad. The sum over n, i and j is left.",
        "With .reshape(-1, C) and .reshape(-1, F) the places become one axis: pixels (places, C), grad (places, F). "
        "The sum over the places is pixels.T @ grad, of shape (C, F).",
    ),
    read_next="minitl/kernels/im2col.py: kernel_gradient_im2col derives the same for any stride.",
)  # fmt: skip


def input_gradient(grad, kernel):
    n, oh, ow, _ = grad.shape
    kh, kw, c, _ = kernel.shape
    dx = np.zeros((n, oh + kh - 1, ow + kw - 1, c))
    for a in range(kh):
        for b in range(kw):
            dx[:, a : a + oh, b : b + ow] += grad @ kernel[a, b].T
    return dx


def input_gradient_by_engine(grad, kernel):
    image_hw = grad.shape[1] + kernel.shape[0] - 1, grad.shape[2] + kernel.shape[1] - 1
    return engine.conv2d_input_gradient(grad, kernel, image_hw)


def input_gradient_cases(random):
    def case(what, n, oh, ow, kh, kw, c, f):
        return Case(what, random.normal(size=(n, oh, ow, f)), random.normal(size=(kh, kw, c, f)))

    return [
        case("2 images of 8x5, 3 channels, 6 filters of 4x2", 2, 5, 4, 4, 2, 3, 6),
        case("one image of 5x3, one channel, one filter of 3x2", 1, 3, 2, 3, 2, 1, 1),
        case("one window alone", 3, 1, 1, 2, 4, 5, 6),
        case("a kernel of 1x1", 2, 3, 4, 1, 1, 5, 6),
    ]


def overlaps_overwritten(grad, kernel):
    """Write = in place of +=: a pixel lies in several windows, and the parts of all of them add up."""
    _, oh, ow, _ = grad.shape
    dx = input_gradient(grad, kernel)
    for a, b in np.ndindex(kernel.shape[:2]):
        dx[:, a : a + oh, b : b + ow] = grad @ kernel[a, b].T
    return dx


def kernel_as_it_is(grad, kernel):
    """Slide the kernel over grad as it is: pixel h was met by kernel row h - i, so it has to be turned by 180 degrees
    for that."""
    return input_gradient(grad, kernel[::-1, ::-1])


def without_the_border(grad, kernel):
    """Slide the turned kernel over grad without a border of zeros around it: a window may lie partly outside of grad,
    and dx is larger than grad."""
    kh, kw = kernel.shape[:2]
    dx = input_gradient(grad, kernel)
    return dx[:, kh - 1 : dx.shape[1] - kh + 1, kw - 1 : dx.shape[2] - kw + 1]


def same_size_as_grad(grad, kernel):
    """Stop at the size of grad: the image was larger than y by KH - 1 rows and KW - 1 columns."""
    return input_gradient(grad, kernel)[:, : grad.shape[1], : grad.shape[2]]


def first_filter_alone(grad, kernel):
    """Take the first filter alone: every filter has looked at this pixel, and their parts add up."""
    return input_gradient(grad[..., :1], kernel[..., :1])


def mean_over_the_windows(grad, kernel):
    """Divide by the number of windows in which a pixel lies: their parts add up, and no mean is taken."""
    ones = np.zeros_like(kernel)
    ones[..., 0] = 1
    count = input_gradient(np.ones_like(grad), ones)
    return input_gradient(grad, kernel) / count


def first_window_alone(grad, kernel):
    """Keep for each pixel the first window in which it lies: the parts of all its windows add up."""
    _, oh, ow, _ = grad.shape
    dx = input_gradient(grad, kernel)
    for a, b in reversed(list(np.ndindex(kernel.shape[:2]))):
        dx[:, a : a + oh, b : b + ow] = grad @ kernel[a, b].T
    return dx


def mean_over_the_filters(grad, kernel):
    """Take the mean over the filters: each of them has its part in the loss, and the parts add up."""
    return input_gradient(grad, kernel) / kernel.shape[3]


def input_gradient_by_hand(name, index, grad, kernel):
    n, h, w, c = index
    kh, kw, _, filters = kernel.shape
    terms = [
        (grad[n, h - a, w - b, f], kernel[a, b, c, f]) for a, b, f in np.ndindex(kh, kw, filters)
        if 0 <= h - a < grad.shape[1] and 0 <= w - b < grad.shape[2]
    ]  # fmt: skip
    return first_products(terms)


INPUT_GRADIENT = Exercise(
    "input_gradient",
    title="The gradient of a convolution's input",
    text="""How does the loss change with one pixel? In the forward pass, pixel x[n, i + a, j + b, c] was multiplied by
    kernel[a, b, c, f], and the product was added to y[n, i, j, f]. So the pixel gets grad there, times that number of
    the kernel. It was used by every window in which it lies, and by every filter: all their parts add up. The stride is
    1 and there is no padding, so the image has H = OH + KH - 1 rows and W = OW + KW - 1 columns. Loops are welcome.""",
    given={"grad": "(N, OH, OW, F)  dL/dy", "kernel": "(KH, KW, C, F)  the kernel of the forward pass"},
    returns={"dx": "(N, H, W, C)  dL/dx"},
    formula="""
dx[n, i + a, j + b, c] = sum of grad[n, i, j, f] * kernel[a, b, c, f]
                         over all i, j, a, b that lead to this pixel, and f
""",
    answer=input_gradient,
    by_engine=input_gradient_by_engine,
    lines=(engine.conv2d_input_gradient_naive, input_gradient_col2im),
    cases=input_gradient_cases,
    wrong_answers=(
        overlaps_overwritten, kernel_as_it_is, without_the_border, same_size_as_grad, first_filter_alone,
        mean_over_the_windows, first_window_alone, mean_over_the_filters,
    ),
    by_hand=input_gradient_by_hand,
    hints=(
        "Begin with dx = np.zeros of its shape, and hand each grad back to the pixels that it came from, with +=.",
        "Two loops over a and b are enough. kernel[a, b] met the pixels dx[:, a : a + OH, b : b + OW], as many as grad "
        "has places.",
        "grad has shape (N, OH, OW, F) and kernel[a, b] has (C, F). The sum over f is grad @ kernel[a, b].T, of shape "
        "(N, OH, OW, C), and it is added to those pixels.",
    ),
    read_next="minitl/kernels/convolution.py: conv2d_input_gradient shows that it is a convolution again.",
)  # fmt: skip
