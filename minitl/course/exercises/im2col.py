"""The exercise on im2col: the windows of an image as the rows of a matrix.

Read next: `convolution_gradients`.
"""

import numpy as np

from ...kernels import geometry
from ...kernels import im2col as engine
from .exercise import Case, Exercise


def im2col(x, kh, kw):
    n, h, w, c = x.shape
    oh, ow = h - kh + 1, w - kw + 1
    columns = np.zeros((n, oh, ow, kh, kw, c))
    for a in range(kh):
        for b in range(kw):
            columns[:, :, :, a, b] = x[:, a : a + oh, b : b + ow]
    return columns.reshape(n * oh * ow, kh * kw * c)


def im2col_by_engine(x, kh, kw):
    rows, cols = geometry.window(x.shape[1:3], (kh, kw), (1, 1), "valid")
    positions = np.stack(list(geometry.taps(x, rows, cols)), axis=3)  # (N, OH, OW, KH*KW, C)
    return positions.reshape(-1, kh * kw * x.shape[3])


def im2col_cases(random):
    def case(what, shape, kh, kw):
        return Case(what, random.normal(size=shape), kh, kw)

    return [
        case("2 images of 5x6 with 3 channels, windows of 4x2", (2, 5, 6, 3), 4, 2),
        case("one image of 4x3 with one channel, windows of 2x2", (1, 4, 3, 1), 2, 2),
        case("windows as large as the image", (3, 2, 4, 5), 2, 4),
        case("windows of one pixel", (2, 3, 5, 4), 1, 1),
    ]


def windows_of(x, kh, kw):
    oh, ow = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    return im2col(x, kh, kw).reshape(len(x), oh, ow, kh, kw, x.shape[3])


def channels_first(x, kh, kw):
    """Put the channels before the positions (c, a, b) in each row, as PyTorch's unfold does: the kernel has the axes
    (KH, KW, C, F), so its numbers stand in the order a, b, c."""
    windows = windows_of(x, kh, kw)
    return windows.transpose(0, 1, 2, 5, 3, 4).reshape(-1, windows[0, 0, 0].size)


def columns_first(x, kh, kw):
    """Go through a window column by column (b, a, c): it is read row by row, as the kernel is."""
    windows = windows_of(x, kh, kw)
    return windows.transpose(0, 1, 2, 4, 3, 5).reshape(-1, windows[0, 0, 0].size)


def windows_by_column(x, kh, kw):
    """Go through the windows column by column: their order is n, i, j, so that y.reshape(N, OH, OW, F) is right."""
    windows = windows_of(x, kh, kw)
    return windows.transpose(0, 2, 1, 3, 4, 5).reshape(-1, windows[0, 0, 0].size)


def images_last(x, kh, kw):
    """Put the images behind the places, in the order i, j, n: the windows of the first image come first."""
    windows = windows_of(x, kh, kw)
    return windows.transpose(1, 2, 0, 3, 4, 5).reshape(-1, windows[0, 0, 0].size)


def one_window_a_column(x, kh, kw):
    """Write each window as a column: here it is a row, so that columns @ kernel is the convolution."""
    return im2col(x, kh, kw).T


def reshaped_only(x, kh, kw):
    """Stack the positions in front and reshape: the axes have to be moved first, because reshape only counts on."""
    windows = windows_of(x, kh, kw)
    return windows.transpose(3, 4, 0, 1, 2, 5).reshape(-1, windows[0, 0, 0].size)


def side_by_side(x, kh, kw):
    """Move the window by its own size: it moves by one pixel, and windows overlap."""
    windows = windows_of(x, kh, kw)
    return windows[:, ::kh, ::kw].reshape(-1, windows[0, 0, 0].size)


def im2col_by_hand(name, index, x, kh, kw):
    n, i, j = np.unravel_index(index[0], (len(x), x.shape[1] - kh + 1, x.shape[2] - kw + 1))
    a, b, c = np.unravel_index(index[1], (kh, kw, x.shape[3]))
    return f"x[{n}, {i} + {a}, {j} + {b}, {c}]"


IM2COL = Exercise(
    "im2col",
    title="im2col: the windows as rows of a matrix",
    text="""A convolution takes the same sum of products at every window. Write each window as one row of a matrix, and
    all these sums are one product of two matrices, which computers do very fast: columns @ kernel, with the kernel as a
    matrix (KH*KW*C, F). The order decides. The rows of the matrix go through the images, in each through its windows
    row by row. A row goes through its window in the order of the kernel's axes: rows a, columns b, channels c. Loops
    are welcome.""",
    given={
        "x": "(N, H, W, C)  images",
        "kh": "the rows of a window",
        "kw": "its columns. The window moves by one pixel and stays within the image",
    },
    returns={"columns": "(N*OH*OW, KH*KW*C)  OH = H - KH + 1 and OW = W - KW + 1"},
    formula="""
columns[(n, i, j), (a, b, c)] = x[n, i + a, j + b, c]
(n, i, j) stands for the row (n * OH + i) * OW + j
""",
    answer=im2col,
    by_engine=im2col_by_engine,
    lines=(engine._columns, engine._windows),
    cases=im2col_cases,
    wrong_answers=(
        channels_first, columns_first, windows_by_column, images_last, one_window_a_column, reshaped_only, side_by_side,
    ),
    by_hand=im2col_by_hand,
    hints=(
        "Make an array with six axes first, (N, OH, OW, KH, KW, C). At the end, one reshape makes a matrix of it.",
        "The position (a, b) of all windows at once is a part of the image: x[:, a : a + OH, b : b + OW].",
        "Two loops over a and b: columns[:, :, :, a, b] = that part. Then columns.reshape(N * OH * OW, KH * KW * C).",
    ),
    read_next="minitl/kernels/im2col.py, which makes this matrix in blocks that fit into the cache.",
)  # fmt: skip
