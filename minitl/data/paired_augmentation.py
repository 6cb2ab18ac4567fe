"""Augmentation of an image and its mask: one random draw moves both.

If an image is mirrored and its mask is not, the mask is wrong, and nothing says so. So all movements are one map from
the places of the new image to those of the old one, and both are read through it. (row, column) of a new pixel's centre
becomes

    matrix @ (row, column) + offset          a matrix (2, 2) and an offset (2,), in pixels of the old image

A cut-out scales, a mirror image changes a sign, a quarter turn exchanges rows and columns, and a rotation mixes them.
Several movements are the product of their matrices. The image is read bilinearly, between four pixels. The mask is read
at the nearest pixel, so no class appears that was not there. Places outside of the old image, which a rotation shows,
are ignored in the mask, and have the colours of the edge in the image.

The colours of the image change as `augmentation.Augmentation` does it; the mask has none. A draw depends only on the
generator: `np.random.default_rng([seed, epoch, number])`, as in `stream`, gives the same one after an interruption.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..errors import ArgumentError, ShapeError
from .augmentation import Augmentation
from .masks import IGNORE


class Movement(NamedTuple):
    """A map from the pixels of a new image to places in an old one.

    matrix (2, 2) and offset (2,) take (row, column) of a new pixel to the old place. Both count from the corner of the
    image: the centre of the first pixel is at (0.5, 0.5)
    height, width   the size of the new image
    """

    matrix: np.ndarray
    offset: np.ndarray
    height: int
    width: int

    def places(self):
        """Return the old places of all new pixels' centres: rows and columns, each (height, width)."""
        rows, cols = np.arange(self.height)[:, None] + 0.5, np.arange(self.width) + 0.5
        return tuple(
            (by_row * rows + by_col * cols + start).astype(np.float32)
            for (by_row, by_col), start in zip(self.matrix, self.offset)
        )

    def of_image(self, image):
        """Return the moved image float32 (height, width, C) of an image (H, W, C)."""
        image = np.asarray(image, np.float32)
        # Where a new pixel covers several old ones, these are averaged first. Otherwise most of them would be skipped.
        shrink = max(1, int(round(math.sqrt(abs(np.linalg.det(self.matrix))), 6)))
        image = _averaged(image, shrink)
        rows, cols = (
            np.clip(place / shrink - 0.5, 0, size - 1) for place, size in zip(self.places(), image.shape)
        )  # of the four old pixels around a place, the upper left one is at the whole part
        top, left = rows.astype(np.intp), cols.astype(np.intp)
        bottom, right = np.minimum(top + 1, image.shape[0] - 1), np.minimum(left + 1, image.shape[1] - 1)
        below, beside = ((place - whole).astype(np.float32)[..., None] for place, whole in ((rows, top), (cols, left)))
        above = image[top, left] * (1 - beside) + image[top, right] * beside
        return above * (1 - below) + (image[bottom, left] * (1 - beside) + image[bottom, right] * beside) * below

    def of_mask(self, mask, ignore=IGNORE):
        """Return the moved mask (height, width) of a mask (H, W): the nearest old pixel, or `ignore` outside."""
        rows, cols = (np.floor(place).astype(np.intp) for place in self.places())
        height, width = mask.shape
        inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
        found = mask[np.clip(rows, 0, height - 1), np.clip(cols, 0, width - 1)]
        return np.where(inside, found, np.asarray(ignore, mask.dtype))


def _averaged(image, size):
    """Return an image (H, W, C) whose pixels are the means of squares of `size` times `size`."""
    if size == 1:
        return image
    height, width, channels = image.shape
    # Repeat the edge up to a whole number of squares.
    image = np.pad(image, ((0, -height % size), (0, -width % size), (0, 0)), "edge")
    rows, cols = image.shape[0] // size, image.shape[1] // size
    return image.reshape(rows, size, cols, size, channels).mean(axis=(1, 3))  # (rows, cols, C)


@dataclass(frozen=True)
class PairedAugmentation:
    """The random changes that are made to an image and its mask.

    augmentation   the cut-out, the mirroring and the colours, as an `Augmentation`
    vertical       mirror top and bottom too, in half of the cases: for images without an above and below, as from the
                   air or from a microscope
    quarter_turns  turn by 0, 90, 180 or 270 degrees, for the same images
    rotation       turn by at most so many degrees, to either side
    ignore         the number in the mask of places that lie outside of the image
    """

    augmentation: Augmentation = field(default_factory=Augmentation)
    vertical: bool = False
    quarter_turns: bool = False
    rotation: float = 0.0
    ignore: int = IGNORE

    def __post_init__(self):
        if not isinstance(self.augmentation, Augmentation):
            raise ArgumentError(f"augmentation is {self.augmentation!r}; expected an Augmentation.")
        if not 0 <= self.rotation <= 180 or not 0 <= self.ignore <= 255:
            raise ArgumentError(f"{self}: expected a rotation from 0 to 180 degrees, and ignore from 0 to 255.")

    def __call__(self, image, mask, height, width, rng):
        """Return (image float32 (height, width, 3) from 0 to 255, mask uint8 (height, width)), moved alike by one draw
        of `rng`, of an image (H, W, 3) and a mask (H, W) (`masked_photos.read_pair`). Raises ShapeError if their sizes
        differ."""
        image, mask = np.asarray(image), np.asarray(mask)
        if image.ndim != 3 or image.shape[2] != 3 or mask.shape != image.shape[:2]:
            raise ShapeError(
                f"the image is {image.shape} and the mask {mask.shape}; expected (H, W, 3) and (H, W) of the same size."
            )
        movement = self.draw(*mask.shape, height, width, rng)
        pixels = self.augmentation.recoloured(movement.of_image(image), rng)
        return pixels, movement.of_mask(mask, self.ignore)

    def draw(self, rows, cols, height, width, rng):
        """Return a random `Movement` from an image with `rows` and `cols` to one with `height` and `width`."""
        is_turned = self.quarter_turns and rng.random() < 0.5
        shown_height, shown_width = (width, height) if is_turned else (height, width)  # before the quarter turn
        left, top, right, bottom = self.augmentation.random_box(cols, rows, shown_width / shown_height, rng)
        # From the middle of the new image to the middle of the cut-out.
        matrix = np.diag([(bottom - top) / shown_height, (right - left) / shown_width])
        angle = math.radians(rng.uniform(-self.rotation, self.rotation)) if self.rotation else 0.0
        matrix = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) @ matrix
        if is_turned:
            matrix = matrix @ np.array([[0.0, 1.0], [-1.0, 0.0]])  # a quarter to the right
        # With a quarter turn, the two mirrorings give the other one as well.
        if self.augmentation.flip and rng.random() < 0.5:
            matrix = matrix @ np.diag([1.0, -1.0])
        if self.vertical and rng.random() < 0.5:
            matrix = matrix @ np.diag([-1.0, 1.0])
        if self.quarter_turns and rng.random() < 0.5:
            matrix = -matrix  # a half turn
        middle = np.array([(top + bottom) / 2, (left + right) / 2])
        return Movement(matrix, middle - matrix @ [height / 2, width / 2], height, width)
