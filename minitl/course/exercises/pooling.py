"""The exercise on max pooling: which pixel gets the gradient of a window.

Read next: `normalization`.
"""

import numpy as np

from ...kernels import pooling as engine
from .exercise import Case, Exercise


def max_pool_gradient(x, grad, size, stride):
    dx = np.zeros(x.shape)
    for n, i, j, c in np.ndindex(grad.shape):
        window = x[n, i * stride : i * stride + size, j * stride : j * stride + size, c]
        a, b = np.unravel_index(window.argmax(), window.shape)
        dx[n, i * stride + a, j * stride + b, c] += grad[n, i, j, c]
    return dx


def max_pool_gradient_by_engine(x, grad, size, stride):
    y = engine.max_pool(x, (size, size), (stride, stride))
    return engine.max_pool_gradient(grad, x, y, (size, size), (stride, stride))


def max_pool_gradient_cases(random):
    def case(what, shape, size, stride, ties=False):
        x = random.normal(size=shape)
        if ties:
            x = np.floor(2 * x)
        oh, ow = ((length - size) // stride + 1 for length in shape[1:3])
        return Case(what, x, random.normal(size=(shape[0], oh, ow, shape[3])), size, stride)

    return [
        case("windows of 2x2 side by side", (2, 4, 6, 3), 2, 2),
        case("windows of 3x3 that overlap, stride 2", (2, 5, 7, 3), 3, 2),
        case("windows of 2x2, stride 1: each pixel lies in up to four", (1, 4, 3, 2), 2, 1),
        case("many equal pixels", (2, 6, 4, 1), 2, 2, ties=True),
        case("equal pixels in windows that overlap", (1, 5, 7, 2), 3, 2, ties=True),
        case("pixels at the end that are in no window", (1, 5, 3, 2), 2, 2),
    ]


def handed_back(x, grad, size, stride, share, combine=np.add):
    """Return dx where share(window, grad) says what each pixel of a window gets."""
    dx = np.zeros(x.shape)
    for n, i, j, c in np.ndindex(grad.shape):
        place = n, slice(i * stride, i * stride + size), slice(j * stride, j * stride + size), c
        dx[place] = combine(dx[place], share(x[place], grad[n, i, j, c]))
    return dx


def to_all_largest(x, grad, size, stride):
    """Give the whole gradient to every pixel that equals the maximum: with ties it would be handed back several times,
    so the first pixel in reading order gets it."""
    return handed_back(x, grad, size, stride, lambda window, g: (window == window.max()) * g)


def shared_among_the_largest(x, grad, size, stride):
    """Divide the gradient among the pixels that equal the maximum: here the first one in reading order gets all."""

    def share(window, g):
        is_largest = window == window.max()
        return is_largest * g / is_largest.sum()

    return handed_back(x, grad, size, stride, share)


def to_the_last(x, grad, size, stride):
    """Give the gradient to the last of equal pixels, as a comparison with >= in a loop does: it goes to the first."""

    def share(window, g):
        part = np.zeros(window.size)
        part[window.size - 1 - window.ravel()[::-1].argmax()] = g
        return part.reshape(window.shape)

    return handed_back(x, grad, size, stride, share)


def to_the_first_in_columns(x, grad, size, stride):
    """Look for the first of equal pixels column by column: reading order is row by row."""

    def share(window, g):
        part = np.zeros(window.size)
        part[window.T.argmax()] = g
        return part.reshape(window.T.shape).T

    return handed_back(x, grad, size, stride, share)


def largest_in_a_window(window, g):
    part = np.zeros(window.size)
    part[window.argmax()] = g
    return part.reshape(window.shape)


def overwritten(x, grad, size, stride):
    """Write = in place of +=: a pixel may be the largest of several windows, and their gradients add up."""
    return handed_back(
        x, grad, size, stride, largest_in_a_window, lambda old, new: np.where(new != 0, new, old)
    )  # fmt: skip


def window_overwritten(x, grad, size, stride):
    """Write the whole window anew, with its zeros: that removes what windows before it have handed to its pixels."""
    return handed_back(x, grad, size, stride, largest_in_a_window, lambda old, new: new)


def as_in_average_pooling(x, grad, size, stride):
    """Divide the gradient among all pixels of the window: that is average pooling. A maximum depends on one pixel."""
    return handed_back(x, grad, size, stride, lambda window, g: np.full(window.shape, g / window.size))


def to_every_pixel(x, grad, size, stride):
    """Give the gradient to every pixel of the window: the maximum changes with the largest of them alone."""
    return handed_back(x, grad, size, stride, lambda window, g: np.full(window.shape, g))


def times_the_maximum(x, grad, size, stride):
    """Multiply the gradient by the maximum: dy/dx is 1 for the largest pixel, whatever its value is."""
    return handed_back(x, grad, size, stride, lambda window, g: largest_in_a_window(window, g * window.max()))


def moved_by_the_size(x, grad, size, stride):
    """Move the window by its size: it moves by the stride, and the two are not always equal."""
    dx = np.zeros(x.shape)
    for n, i, j, c in np.ndindex(grad.shape):
        window = x[n, i * size : (i + 1) * size, j * size : (j + 1) * size, c]
        if window.size:
            a, b = np.unravel_index(window.argmax(), window.shape)
            dx[n, i * size + a, j * size + b, c] += grad[n, i, j, c]
    return dx


def has_ties(x, grad, size, stride):
    """Return where a pixel equals another one that is the largest of a window as well."""
    several = np.zeros(x.shape, bool)
    for n, i, j, c in np.ndindex(grad.shape):
        place = n, slice(i * stride, i * stride + size), slice(j * stride, j * stride + size), c
        is_largest = x[place] == x[place].max()
        if is_largest.sum() > 1:
            several[place] |= is_largest
    return several


def is_in_several(x, grad, size, stride):
    """Return which pixels lie in more than one window."""
    count = handed_back(x, np.ones_like(grad), size, stride, lambda window, g: np.ones(window.shape))
    return count > 1


def max_pool_gradient_by_hand(name, index, x, grad, size, stride):
    n, h, w, c = index
    parts = []
    for i, j in np.ndindex(grad.shape[1:3]):
        window = x[n, i * stride : i * stride + size, j * stride : j * stride + size, c]
        a, b = np.unravel_index(window.argmax(), window.shape)
        if (i * stride + a, j * stride + b) == (h, w):
            parts.append(f"grad[{n}, {i}, {j}, {c}]")
    return " + ".join(parts) or "0, as the largest of no window,"


MAX_POOL_GRADIENT = Exercise(
    "max_pool_gradient",
    title="Max pooling, backward, with ties and overlaps",
    text="""Max pooling keeps the largest pixel of each window. So the output changes with that pixel and with no other
    one: going back, it gets the whole gradient of the window. Two cases need care. Where several pixels of a window are
    equally large, the first of them in reading order, row by row, gets all of it. And where windows overlap, a pixel
    may be the largest of several: their gradients add up. Windows have size x size pixels, move by `stride`, and
    stay within the image. Loops are welcome.""",
    given={
        "x": "(N, H, W, C)  the input of the pooling",
        "grad": "(N, OH, OW, C)  dL/dy, one number for each window",
        "size": "the rows of a window, and its columns",
        "stride": "how many pixels the window moves, down and to the right",
    },
    returns={"dx": "(N, H, W, C)  dL/dx"},
    formula="""
window (i, j) holds the pixels x[n, i * stride + a, j * stride + b, c]
for a and b from 0 to size - 1
dx[n, h, w, c] = sum of grad[n, i, j, c] over the windows whose
                 first largest pixel is (h, w)
""",
    answer=max_pool_gradient,
    by_engine=max_pool_gradient_by_engine,
    lines=(engine.max_pool_gradient_naive, engine.max_pool_gradient),
    cases=max_pool_gradient_cases,
    wrong_answers=(
        to_all_largest, shared_among_the_largest, to_the_last, to_the_first_in_columns, overwritten, window_overwritten,
        as_in_average_pooling, to_every_pixel, times_the_maximum, moved_by_the_size,
    ),
    places={"where several pixels of a window are equally large": has_ties,
            "where windows overlap": is_in_several},
    by_hand=max_pool_gradient_by_hand,
    hints=(
        "Begin with zeros in the shape of x, and go through all windows. Each adds its gradient to one pixel, with +=.",
        "window.argmax() counts through the window row by row and gives the first largest. np.unravel_index(k, "
        "window.shape) makes a row and a column of it.",
        "np.ndindex(grad.shape) yields n, i, j, c. The window begins at row i * stride and column j * stride; add row "
        "and column of its largest pixel, and dx there gets += grad[n, i, j, c].",
    ),
    read_next="minitl/kernels/pooling.py, which goes through the positions of a window instead.",
)  # fmt: skip
