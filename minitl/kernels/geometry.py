"""The places of sliding windows: output sizes and padding, by TensorFlow's rules.

Along one axis of `size` pixels, a window of `kernel` pixels moves `stride` pixels at a time.

    'valid'   windows that fit inside the image:            out = (size - kernel) // stride + 1
    'same'    one window for every stride, image padded:    out = ceil(size / stride)
              The last window ends at (out - 1) * stride + kernel. The padding is what the image lacks to reach there.
              Half of it goes before the image, half after it. If it is odd, the extra pixel goes *after* it.

Examples of 'same', for an image of 5 pixels:

    kernel   stride   out   last window ends at    padding          before   after
      3        1       5    4*1 + 3 = 7            7 - 5 = 2          1        1
      2        1       5    4*1 + 2 = 6            6 - 5 = 1          0        1
      4        1       5    4*1 + 4 = 8            8 - 5 = 3          1        2
      2        2       3    2*2 + 2 = 6            6 - 5 = 1          0        1
      4        2       3    2*2 + 4 = 8            8 - 5 = 3          1        2
      1        2       3    2*2 + 1 = 5            5 - 5 = 0          0        0

So at stride 1 an even kernel always has one pixel more after the image than before it. With kernel 2 and stride 2 the
three windows hold the pixels (0, 1), (2, 3) and (4, padding).

For an even kernel at stride 2, the padding depends on the size of the image. If the size is even, the padding is
kernel - 2, half before and half after: 6 pixels and kernel 4 give (1, 1). If it is odd, the padding is kernel - 1, with
the extra pixel after the image, as in the table.

PyTorch's `padding=1` adds a pixel on both sides. For a 3x3 kernel on an image of even size at stride 2, 'same' adds one
pixel after the image only. PyTorch's windows then begin one pixel before those of 'same'.
"""

from typing import NamedTuple

import numpy as np

from ..errors import ArgumentError, ShapeError
from .memory import empty
from .parallel import example_slices, share, slices

PADDINGS = ("valid", "same")


class Axis(NamedTuple):
    """Everything that a kernel needs to know about one spatial axis of a sliding window, in pixels."""

    size: int  # input pixels: H or W
    kernel: int  # window: KH or KW
    stride: int
    before: int  # padding in front of the first pixel
    after: int  # padding behind the last pixel
    out: int  # windows: OH or OW

    @property
    def padded(self):
        """Return the size of the image with its padding."""
        return self.before + self.size + self.after


def axis(size, kernel, stride, padding):
    """Return the geometry of one axis. `padding` is 'valid', 'same', or the pixels to add as a pair (before, after)."""
    if padding == "valid":
        before = after = 0
    elif padding == "same":
        out = -(-size // stride)  # ceil
        total = max((out - 1) * stride + kernel - size, 0)
        before = total // 2
        after = total - before
    elif isinstance(padding, tuple):
        before, after = padding
    else:
        raise ArgumentError(f"padding is {padding!r}; expected 'valid' or 'same'.")
    out = (before + size + after - kernel) // stride + 1
    if out < 1:
        raise ShapeError(
            f"a window of {kernel} pixels does not fit into {size} pixels with padding {padding!r}: "
            "the image is too small for this layer. Use larger images or fewer poolings."
        )
    return Axis(size, kernel, stride, before, after, out)


def spanned(kernel, dilation):
    """Return how many pixels a window of `kernel` pixels spans if they lie `dilation` pixels apart."""
    return (kernel - 1) * dilation + 1


def transposed_padding(kernel, stride, padding, output_padding=None):
    """Return the pixels (before, after) that a transposed convolution cuts off its output along one axis; `after` is
    negative where it adds zeros instead. `padding` is 'valid' or 'same', by TensorFlow's rules.

    Each of `size` pixels becomes `kernel` pixels, and they begin `stride` pixels apart. So all of them cover
    (size - 1) * stride + kernel pixels, and the output has

        'valid'    all of them, and at least `stride` for each pixel of the input
        'same'     size * stride of them

    An `output_padding` says how many there are: kernel + output_padding beyond (size - 1) * stride for 'valid', and for
    'same' 1 (odd kernel) or 0 (even kernel) + output_padding. With 'same', half of what is too much goes before the
    output and half after it; the odd pixel goes after it. Examples of 'same' at stride 2:

        kernel    covered by 3 pixels    output    before, after
          4        4 + 4 = 8               6          1, 1
          3        4 + 3 = 7               6          0, 1
          1        4 + 1 = 5               6          0, -1
    """
    if padding == "same":
        surplus = kernel - stride if output_padding is None else kernel - kernel % 2 - output_padding
    else:
        surplus = min(kernel - stride, 0) if output_padding is None else -output_padding
    before = max(surplus, 0) // 2 if padding == "same" else 0
    return before, surplus - before


def output_size(size, kernel, stride, padding):
    """Return the number of windows along an axis; None where `size` is None, which stands for any size."""
    return None if size is None else axis(size, kernel, stride, padding).out


def window(image_hw, kernel_hw, strides, padding):
    """Return the geometry of both axes: (rows, columns), each an `Axis`.

    `padding` is 'valid', 'same', or a pair for each axis: ((top, bottom), (left, right)).
    """
    paddings = (padding, padding) if isinstance(padding, str) else padding
    return tuple(axis(*each) for each in zip(image_hw, kernel_hw, strides, paddings))


def pad(x, rows, cols, value=0):
    """Return x (N, H, W, C) with padding around it, filled with `value`; x itself where there is no padding."""
    if rows.padded == rows.size and cols.padded == cols.size:
        return x
    padded = empty((len(x), rows.padded, cols.padded, x.shape[3]), x.dtype)

    def fill(parts):
        for part in parts:
            images = padded[part]
            images[:, : rows.before] = images[:, rows.before + rows.size :] = value
            images[:, :, : cols.before] = images[:, :, cols.before + cols.size :] = value
            np.copyto(crop(images, rows, cols), x[part])

    share(fill, example_slices(padded))
    return padded


def crop(padded, rows, cols):
    """Return the image inside its padding, as a view: the opposite of `pad`."""
    return padded[:, rows.before : rows.before + rows.size, cols.before : cols.before + cols.size]


def taps(padded, rows, cols, out_rows=slice(None)):
    """Yield a view (N, OH, OW, C) for each position (a, b) inside the window, in reading order.

    The view holds the pixel that each window has at this position. With `out_rows` it holds only the windows of these
    output rows. A 2x2 pooling needs four such views and no loop over the windows.
    """
    for a, b in np.ndindex(rows.kernel, cols.kernel):
        below, right = a + rows.out * rows.stride, b + cols.out * cols.stride
        yield padded[:, a : below : rows.stride, b : right : cols.stride][:, out_rows]


def blocks_of_rows(images, rows, most_rows, multiple):
    """Return `images` of `rows` rows each, cut into blocks: a list of (slice of images, slice of rows).

    A block is several whole images or some rows of one image, about `most_rows` rows in all. The blocks are of about
    the same size, and there are at least `multiple` of them if there are enough rows. Their number is a multiple of
    `multiple` where that is possible, so that `multiple` threads share them evenly.
    """
    if images == 0:
        return []
    count = max(images * rows / most_rows, multiple)
    if count <= images:
        count = -(-images // int(images / count))  # 8 images: not 6 blocks (four of one image, two of two), but 8
        count = min(-(-count // multiple) * multiple, images)
        return [(part, slice(0, rows)) for part in slices(images, count)]
    parts = min(-(-int(count) // images), rows)
    if images % multiple and parts > 1:
        parts = min(-(-parts // multiple) * multiple, rows)
    return [(slice(n, n + 1), part) for n in range(images) for part in slices(rows, parts)]


def pixels_seen(rows, cols):
    """Yield (i, j, h, w, a, b): output (i, j) sees pixel (h, w) of the image at position (a, b) of its window.

    This is `taps` for the naive twins, one pixel at a time. Positions that fall on the padding are left out.
    """
    for i, j, a, b in np.ndindex(rows.out, cols.out, rows.kernel, cols.kernel):
        h, w = i * rows.stride + a - rows.before, j * cols.stride + b - cols.before
        if 0 <= h < rows.size and 0 <= w < cols.size:
            yield i, j, h, w, a, b
