"""Augmentation with boxes: random variations of an image, and the boxes of its things where they are afterwards.

The variations are those of `augmentation`, and three more. The image may be shrunk onto a larger area, which gives the
small things that a detector misses (SSD's "expand", Liu et al. 2016). It may be turned upside down, or by quarter
turns, where there is no above and below, as in a microscope.

Every change moves a point (x, y) in the same way, whether it is a corner of a box or a pixel. A part of the image from
column 100 to 300 that becomes 200 columns moves x to (x - 100) * 200 / (300 - 100). So a box from 150 to 350 moves to
50..250, and 50..200 of this is in the image. A box of which less than half is left, or whose centre is outside, is
dropped: nobody could tell what it shows. Its label must go with it. So `BoxedAugmentation` returns the positions of the
boxes that it has kept, and `boxed_example` filters labels and marks by them.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..kernels.boxes import box_areas, checked_boxes
from .augmentation import Augmentation
from .box_geometry import clipped, mirrored, turned_left, upside_down
from .photos import open_photo
from .preparation import IMAGENET_MEAN_BGR

MEAN_COLOUR = IMAGENET_MEAN_BGR[::-1]  # red, green, blue of the area around a smaller image
TRIES = 10  # to find a part of the image that keeps a box


@dataclass(frozen=True)
class BoxedAugmentation(Augmentation):
    """The random changes that are made to an image and its boxes.

    flip, aspect, brightness, contrast, saturation    as in `Augmentation`
    area             cut out a part whose share of the image's area is between these two
    zoom_in          how often a part is cut out, from 0 to 1
    zoom_out         how often the image is shrunk onto a larger area instead
    largest          at most so many times are the sides of that area as long
    upside_down      exchange above and below in half of the cases
    quarter_turns    turn by 0 to 3 quarters
    least_visible    the share of a box that must be left
    """

    area: tuple = (0.3, 1.0)
    zoom_in: float = 0.5
    zoom_out: float = 0.25
    largest: float = 2.0
    upside_down: bool = False
    quarter_turns: bool = False
    least_visible: float = 0.5

    def __post_init__(self):
        super().__post_init__()
        if min(self.zoom_in, self.zoom_out) < 0 or self.zoom_in + self.zoom_out > 1 or not self.largest >= 1:
            raise ArgumentError(f"{self}: expected zoom_in + zoom_out from 0 to 1, and largest of at least 1.")
        if not 0 < self.least_visible <= 1:
            raise ArgumentError(f"{self}: expected least_visible above 0 and at most 1.")

    def __call__(self, image, boxes, labels, height, width, rng):
        """Return a variation of a Pillow image in RGB, as (pixels, boxes, kept).

        boxes    (B, 4) left, top, right, bottom in pixels of `image`;   labels   (B,)
        rng      draws it. A generator from [seed, epoch, number] gives each image the same one in each run

        pixels are float32 (height, width, 3) from 0 to 255, boxes float32 (K, 4) within them, and kept (K,) the
        positions of these boxes in the given ones. Raises ShapeError if boxes and labels differ in length, and
        DataError as `kernels.boxes.checked_boxes` does.
        """
        boxes = _boxes_of(boxes, labels)
        quarters = int(rng.integers(4)) if self.quarter_turns else 0
        rows, columns = (width, height) if quarters % 2 else (height, width)  # before it is turned
        chance = rng.random()
        if chance < self.zoom_in:
            part, place = self._part(image, boxes, columns / rows, rng), (0, 0, columns, rows)
        elif chance < self.zoom_in + self.zoom_out:
            part, place = (0, 0, *image.size), self._place(columns, rows, rng)
        else:
            part, place = (0, 0, *image.size), (0, 0, columns, rows)
        pixels = self.recoloured(_resized_part(image, part, place), rng)
        left, top, right, bottom = place
        if place != (0, 0, columns, rows):
            area = np.tile(MEAN_COLOUR, (rows, columns, 1))
            area[top:bottom, left:right] = pixels
            pixels = area
        boxes = _moved(boxes, part, place)
        if self.flip and rng.random() < 0.5:
            pixels, boxes = pixels[:, ::-1], mirrored(boxes, columns)
        if self.upside_down and rng.random() < 0.5:
            pixels, boxes = pixels[::-1], upside_down(boxes, rows)
        pixels, boxes = np.rot90(pixels, quarters), turned_left(boxes, quarters, rows, columns)
        kept = visible(boxes, height, width, self.least_visible)
        return np.ascontiguousarray(pixels), clipped(boxes, height, width)[kept].astype(np.float32), kept

    def _part(self, image, boxes, aspect, rng):
        """Return (left, top, right, bottom) of a random part of the image, which keeps a box if the image has some."""
        for _ in range(TRIES):
            left, top, right, bottom = self.random_box(*image.size, aspect, rng)
            inside = boxes - np.array([left, top, left, top])
            if not len(boxes) or len(visible(inside, bottom - top, right - left, self.least_visible)):
                return left, top, right, bottom
        return 0, 0, *image.size

    def _place(self, columns, rows, rng):
        """Return (left, top, right, bottom) in whole pixels of the place that the shrunk image is given."""
        factor = rng.uniform(1, self.largest)
        wide, high = max(1, round(columns / factor)), max(1, round(rows / factor))
        left, top = int(rng.integers(columns - wide + 1)), int(rng.integers(rows - high + 1))
        return left, top, left + wide, top + high


def resized(image, boxes, height, width):
    """Return a Pillow image in RGB as (float32 (height, width, 3) from 0 to 255, its boxes (B, 4) there).

    The sides are stretched to this size independently, as in SSD: nothing is cut off.
    """
    part, place = (0, 0, *image.size), (0, 0, width, height)
    boxes = _moved(np.asarray(boxes, np.float64).reshape(-1, 4), part, place)
    return _resized_part(image, part, place), clipped(boxes, height, width).astype(np.float32)


def boxed_example(photo, height, width, augment=None, seed=0, epoch=0, number=0):
    """Return an example for a detector: (pixels (height, width, 3), boxes (K, 4), labels (K,), difficult (K,), crowd
    (K,)) of a `BoxedPhoto`.

    augment   a `BoxedAugmentation`, or None: the image is only resized. The variation depends on the seed, the epoch
              and the number of the photograph alone
    """
    image = open_photo(photo.path)
    if augment is None:
        pixels, boxes = resized(image, photo.boxes, height, width)
        return pixels, boxes, photo.labels, photo.difficult, photo.crowd
    rng = np.random.default_rng([seed, epoch, number])
    pixels, boxes, kept = augment(image, photo.boxes, photo.labels, height, width, rng)
    return pixels, boxes, photo.labels[kept], photo.difficult[kept], photo.crowd[kept]


def visible(boxes, height, width, least):
    """Return the positions of the boxes (B, 4) whose centre lies in an image of this size, and at least this share of
    their area."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    is_inside = np.all((centres >= 0) & (centres <= (width, height)), axis=1)
    left_over = box_areas(clipped(boxes, height, width))
    return np.flatnonzero(is_inside & (left_over > 0) & (left_over >= least * box_areas(boxes)))


def _boxes_of(boxes, labels):
    boxes = checked_boxes(np.asarray(boxes, np.float64).reshape(-1, 4))
    if len(boxes) != len(labels):
        raise ShapeError(f"there are {len(boxes)} boxes and {len(labels)} labels; expected a label for each box.")
    return boxes


def _moved(boxes, part, place):
    """Return boxes (B, 4) as they lie when a `part` of the image becomes the pixels at `place`."""
    (left, top, right, bottom), (new_left, new_top, new_right, new_bottom) = part, place
    scale = np.array([(new_right - new_left) / (right - left), (new_bottom - new_top) / (bottom - top)] * 2)
    return (boxes - np.array([left, top] * 2)) * scale + np.array([new_left, new_top] * 2)


def _resized_part(image, part, place):
    """Return a part of a Pillow image in the size of its new place, as float32 pixels from 0 to 255."""
    from PIL import Image

    left, top, right, bottom = place
    return np.asarray(image.resize((right - left, bottom - top), Image.Resampling.BILINEAR, part), np.float32)
