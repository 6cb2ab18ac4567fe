"""Showing a photograph to a network for pixels: at which scale, in which frame, with which border.

**In training** all images have one size, the *frame*, such as 384x512. A photograph is brought to the scale at which a
usual one fills the frame: if the median size of the training photographs is 600x800, its rows are multiplied by 384/600
and its columns by 512/800. A larger one is made small enough to fit. What it leaves free in the frame has the colours
of its edge, and is unlabelled.

**Afterwards** a photograph of any size is shown at the same scale, so things are as large as they were in training. Its
sides need not be multiples of 32: 35x33 pixels become 64x64, with the colours of the edge, and the answer for the
border is cut off. A large one is answered in parts (`tiles`). So photographs should be taken as those of the training
were. One of another kind can be shown at another scale, or made to fit into the frame as a whole.

    Scale(384/600, 512/800).shown(600, 800) = (384, 512)
"""

from typing import NamedTuple

import numpy as np

from ...data.masks import IGNORE, resize_mask
from ...errors import MissingExtraError
from ..place_settings import GRID


class Scale(NamedTuple):
    """The factors by which the rows and the columns of a photograph are multiplied."""

    rows: float
    columns: float

    def shown(self, height, width):
        """Return the size (height, width) at which a photograph of this size is shown."""
        return max(1, round(height * self.rows)), max(1, round(width * self.columns))

    def fitting(self, size, frame):
        """Return this scale, or the largest smaller one at which a photograph of `size` lies within `frame`, both
        (height, width)."""
        height, width = self.shown(*size)
        factor = min(1.0, frame[0] / height, frame[1] / width)
        return self if factor == 1 else Scale(self.rows * factor, self.columns * factor)


def training_scale(sizes, frame):
    """Return the `Scale` at which a photograph of the median of `sizes` fills `frame`, all (height, width)."""
    height, width = np.median(np.asarray(sizes, float), axis=0)
    return Scale(float(frame[0] / height), float(frame[1] / width))


def resized(image, height, width):
    """Return an image uint8 (H, W, 3) with `height` rows and `width` columns. Where it becomes smaller, a new pixel is
    a mean over all old pixels that it covers."""
    if image.shape[:2] == (height, width):
        return image
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtraError(
            "resizing images needs Pillow (the extra 'images'): python -m pip install pillow"
        ) from None
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def bordered(image, height, width):
    """Return an image (H, W, 3) with `height` rows and `width` columns: what is new has the colours of the edge."""
    rows, columns = height - image.shape[0], width - image.shape[1]
    return np.pad(image, ((0, rows), (0, columns), (0, 0)), "edge")


def on_grid(size):
    """Return the next multiple of `GRID`."""
    return -(-size // GRID) * GRID


def in_frame(image, labels, scale, frame):
    """Return (image uint8, labels uint8) in a frame, as in training, of a photograph uint8 (H, W, 3) and the labels of
    its pixels (H, W). The border is `IGNORE`.

    scale   a `Scale`;   frame   (height, width)
    """
    height, width = scale.fitting(image.shape[:2], frame).shown(*image.shape[:2])
    framed = np.full(frame, IGNORE, np.uint8)
    framed[:height, :width] = resize_mask(labels, height, width)
    return bordered(resized(image, height, width), *frame), framed


def renumbered(mask, ignore):
    """Return a mask (H, W) as labels: its numbers, and `IGNORE` for the number `ignore` of unlabelled pixels."""
    return mask if ignore in (None, IGNORE) else np.where(mask == ignore, np.uint8(IGNORE), mask)
