"""Exercises on the way forward through a convolution: the definition as loops, and the padding.

Read next: `im2col`.
"""

import numpy as np

from ...kernels import convolution as engine
from ...kernels import geometry
from ..explain import formulas
from .exercise import Case, Exercise
from .wording import first_products


def convolution(x, kernel):
    n, h, w, _ = x.shape
    kh, kw, _, f = kernel.shape
    y = np.zeros((n, h - kh + 1, w - kw + 1, f))
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            for a in range(kh):
                for b in range(kw):
                    y[:, i, j] += x[:, i + a, j + b] @ kernel[a, b]
    return y


def convolution_by_engine(x, kernel):
    return engine.conv2d(x, kernel)


def convolution_cases(random):
    def case(what, n, h, w, kh, kw, c, f):
        return Case(what, random.normal(size=(n, h, w, c)), random.normal(size=(kh, kw, c, f)))

    return [
        case("2 images of 7x4, 3 channels, 5 filters of 4x2", 2, 7, 4, 4, 2, 3, 5),
        case("one image of 4x5, one channel, one filter of 2x3", 1, 4, 5, 2, 3, 1, 1),
        case("a kernel as large as the image", 3, 4, 2, 4, 2, 1, 5),
        case("a kernel of 1x1", 2, 3, 4, 1, 1, 5, 1),
    ]


def kernel_turned(x, kernel):
    """Turn the kernel by 180 degrees, as convolution in mathematics does: networks lay it on the image as it is."""
    return convolution(x, kernel[::-1, ::-1])


def last_window_missing(x, kernel):
    """Stop one window too early: H - KH + 1 windows fit into H pixels, as one window fits where KH = H."""
    return convolution(x, kernel)[:, :-1, :-1]


def first_channel_alone(x, kernel):
    """Use the first channel of the image alone: the sum goes over all channels as well."""
    return convolution(x[..., :1], kernel[:, :, :1])


def last_product_alone(x, kernel):
    """Write = in place of +=: each product then overwrites the one before, and only the last one remains."""
    kh, kw = kernel.shape[:2]
    return convolution(x[:, kh - 1 :, kw - 1 :], kernel[kh - 1 :, kw - 1 :])


def first_image_alone(x, kernel):
    """Compute the first image alone: the same kernel slides over every image of the batch."""
    y = convolution(x, kernel)
    y[1:] = 0
    return y


def mean_of_the_products(x, kernel):
    """Take the mean of the products: a convolution is their sum."""
    return convolution(x, kernel) / np.prod(kernel.shape[:3])


def windows_side_by_side(x, kernel):
    """Move the window by its own size: it moves by one pixel, and windows overlap."""
    return convolution(x, kernel)[:, :: kernel.shape[0], :: kernel.shape[1]]


def channels_not_added(x, kernel):
    """Keep the channels apart: each filter looks at all channels, and their products are added up."""
    parts = [convolution(x[..., c : c + 1], kernel[:, :, c : c + 1]) for c in range(x.shape[3])]
    return np.stack(parts, axis=3)


def window_stays(x, kernel):
    """Leave the window at its first place: the pixel that belongs to kernel[a, b] is x[i + a, j + b]."""
    y = convolution(x, kernel)
    return np.broadcast_to(y[:, :1, :1], y.shape).copy()


def convolution_by_hand(name, index, x, kernel):
    n, i, j, f = index
    terms = formulas.convolution_terms(x[n].tolist(), kernel.tolist(), i, j, f)
    return first_products(terms)


CONVOLUTION = Exercise(
    "convolution",
    title="Convolution as loops",
    text="""A convolution lays a small kernel on the image, multiplies each of its numbers with the pixel below it, and
    adds up the products. Then the kernel moves on by one pixel. Each filter f is such a kernel, over all channels of
    the image, and gives one channel of the output. The kernel stays within the image ('valid'), so the output is
    smaller. Loops are welcome here: the point is the definition. A step of a loop may compute all images at once.""",
    given={
        "x": "(N, H, W, C)  N images of H rows, W columns and C channels",
        "kernel": "(KH, KW, C, F)  F filters of KH rows and KW columns",
    },
    returns={"y": "(N, OH, OW, F)  OH = H - KH + 1 and OW = W - KW + 1"},
    formula="""
y[n, i, j, f] = sum over a, b, c of
                x[n, i + a, j + b, c] * kernel[a, b, c, f]
""",
    answer=convolution,
    by_engine=convolution_by_engine,
    lines=(engine.conv2d_naive,),
    cases=convolution_cases,
    wrong_answers=(
        kernel_turned, last_window_missing, first_channel_alone, last_product_alone, first_image_alone,
        mean_of_the_products, windows_side_by_side, channels_not_added, window_stays,
    ),
    by_hand=convolution_by_hand,
    hints=(
        "Begin with y = np.zeros of the shape of the output. Then add each product to its place with +=.",
        "Four loops are enough: over i, j, a and b. x[:, i + a, j + b] has shape (N, C): this pixel of all images.",
        "kernel[a, b] has shape (C, F). So x[:, i + a, j + b] @ kernel[a, b] is (N, F), the sum over the channels, and "
        "it is added to y[:, i, j].",
    ),
    read_next="minitl/kernels/convolution.py, then the exercise im2col, which is the same without loops.",
)  # fmt: skip


def same_padding(x, kh, kw, stride):
    pads = [(0, 0)]
    for size, kernel in zip(x.shape[1:3], (kh, kw)):
        windows = -(-size // stride)
        total = max((windows - 1) * stride + kernel - size, 0)
        pads.append((total // 2, total - total // 2))
    return np.pad(x, [*pads, (0, 0)])


def same_padding_by_engine(x, kh, kw, stride):
    return geometry.pad(x, *geometry.window(x.shape[1:3], (kh, kw), (stride, stride), "same"))


def same_padding_cases(random):
    def case(what, shape, *rest):
        return Case(what, random.normal(size=shape), *rest)

    return [
        case("an image of 4x5, kernel 3x3, stride 1", (2, 4, 5, 3), 3, 3, 1),
        case("an even kernel, 2x4, stride 1", (1, 3, 5, 2), 2, 4, 1),
        case("stride 2 on an even and an odd size, kernel 3x3", (1, 4, 5, 2), 3, 3, 2),
        case("kernel 2x3, stride 3: no padding on one axis", (1, 5, 6, 2), 2, 3, 3),
        case("kernel 1x1, stride 2: no padding at all", (1, 4, 5, 2), 1, 1, 2),
    ]


def padded_alike(x, kh, kw, stride, pads_of):
    pads = [pads_of(size, kernel) for size, kernel in zip(x.shape[1:3], (kh, kw))]
    return np.pad(x, [(0, 0), *pads, (0, 0)])


def the_same_on_both_sides(x, kh, kw, stride):
    """Add kernel // 2 pixels on both sides, as padding=1 does for a 3x3 kernel in PyTorch: 'same' adds only what the
    last window lacks, and where that is odd the extra pixel goes after the image."""
    return padded_alike(x, kh, kw, stride, lambda size, kernel: (kernel // 2, kernel // 2))


def extra_pixel_before(x, kh, kw, stride):
    """Put the extra pixel of an odd padding before the image: it goes after it."""
    pads = padding_of(x, kh, kw, stride)
    return np.pad(x, [(0, 0), *[(after, before) for before, after in pads], (0, 0)])


def padding_of(x, kh, kw, stride):
    rows, cols = geometry.window(x.shape[1:3], (kh, kw), (stride, stride), "same")
    return [(rows.before, rows.after), (cols.before, cols.after)]


def stride_forgotten(x, kh, kw, stride):
    """Take kernel - 1 pixels for any stride: with stride 2 the last window begins earlier or later, so it lacks fewer
    pixels."""
    return same_padding(x, kh, kw, 1)


def all_of_it_after(x, kh, kw, stride):
    """Put all of the padding after the image: half of it goes before the image."""
    return np.pad(x, [(0, 0), *[(0, sum(pads)) for pads in padding_of(x, kh, kw, stride)], (0, 0)])


def edge_repeated(x, kh, kw, stride):
    """Repeat the pixels at the edge: the padding is of zeros."""
    return np.pad(x, [(0, 0), *padding_of(x, kh, kw, stride), (0, 0)], mode="edge")


def sizes_swapped(x, kh, kw, stride):
    """Use the columns of the kernel for the rows of the image: kh belongs to the rows, kw to the columns."""
    return same_padding(x, kw, kh, stride)


def windows_rounded_down(x, kh, kw, stride):
    """Round the number of windows down: 'same' has one window for every stride that begins in the image, so size /
    stride is rounded up."""

    def pads_of(size, kernel):
        total = max((size // stride - 1) * stride + kernel - size, 0)
        return total // 2, total - total // 2

    return padded_alike(x, kh, kw, stride, pads_of)


def same_padding_by_hand(name, index, x, kh, kw, stride):
    n, h, w, c = index
    (top, _), (left, _) = padding_of(x, kh, kw, stride)
    inside = 0 <= h - top < x.shape[1] and 0 <= w - left < x.shape[2]
    return f"x[{n}, {h} - {top}, {w} - {left}, {c}]" if inside else "padding"


SAME_PADDING = Exercise(
    "same_padding",
    title="'same' padding",
    text="""With padding 'same', one window begins at every stride: at pixel 0, s, 2s, and so on, where s is the stride.
    There are ceil(size / s) of them on an axis, with stride 1 as many as pixels. The last window ends beyond the image,
    so zeros are added. Their number is what the image lacks to reach there, and never negative. Half of them go before
    the image and half after it; where it is odd, the extra pixel goes after it. Rows and columns are computed each by
    itself. Return the image with its zeros.""",
    given={
        "x": "(N, H, W, C)  images",
        "kh": "the rows of the kernel",
        "kw": "the columns of the kernel",
        "stride": "how many pixels a window moves, in both directions",
    },
    returns={"padded": "(N, rows, columns, C)  the images and their zeros: top + H + bottom rows"},
    formula="""
for the rows with size = H and kernel = kh, for the columns with W and kw:

windows = ceil(size / stride)
total   = max((windows - 1) * stride + kernel - size, 0)
before  = floor(total / 2)        after = total - before
""",
    answer=same_padding,
    by_engine=same_padding_by_engine,
    lines=(geometry.axis, geometry.pad),
    cases=same_padding_cases,
    wrong_answers=(
        the_same_on_both_sides, extra_pixel_before, stride_forgotten, all_of_it_after, edge_repeated, sizes_swapped,
        windows_rounded_down,
    ),
    by_hand=same_padding_by_hand,
    hints=(
        "Compute the four numbers top, bottom, left and right first: the same three lines for rows and for columns.",
        "-(-size // stride) divides and rounds up. np.pad(x, pairs) adds zeros: a pair (before, after) for each axis.",
        "The pairs are (0, 0) for the images, (top, bottom), (left, right), and (0, 0) for the channels.",
    ),
    read_next="minitl/kernels/geometry.py, with a table of examples at its head.",
)  # fmt: skip
