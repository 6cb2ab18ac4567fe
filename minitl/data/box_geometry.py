"""Boxes as numbers: the formats in which files hold them, and how they move with their image.

A box here is (left, top, right, bottom) in pixels: the distances of its four sides from the left and the top side of
the image. So the box around a whole image of 640x480 is (0, 0, 640, 480), and its width is right - left. Files have
other formats. The same box, in an image of 640x480:

    left, top, right, bottom                    64, 48, 192, 240         Pascal VOC
    left, top, width, height                    64, 48, 128, 192         COCO
    centre x, centre y, width, height, shares   0.2, 0.3, 0.2, 0.4       YOLO: 0.2 * 640 = 128 = (64 + 192) / 2

`box_checks` uses the formats to tell which one a faulty box fits. `box_augmentation` mirrors and turns boxes.
"""

import numpy as np

CORNERS = "left, top, right, bottom"
SIZES = "left, top, width, height"
CENTRES = "centre x, centre y, width, height in shares of the image"
REVERSED = "left, top, right, bottom with exchanged corners"
CORNER_SHARES = "left, top, right, bottom in shares of the image"


def as_corners(values, form, height, width):
    """Return (left, top, right, bottom) in pixels of four numbers in one of the formats above."""
    a, b, c, d = values
    if form == SIZES:
        return a, b, a + c, b + d
    if form == CENTRES:
        return (a - c / 2) * width, (b - d / 2) * height, (a + c / 2) * width, (b + d / 2) * height
    if form == CORNER_SHARES:
        return a * width, b * height, c * width, d * height
    if form == REVERSED:
        return min(a, c), min(b, d), max(a, c), max(b, d)
    return a, b, c, d


def clipped(boxes, height, width):
    """Return the parts of boxes (B, 4) that lie within an image of this size."""
    return np.clip(boxes, 0, np.array([width, height, width, height], boxes.dtype))


def mirrored(boxes, width):
    """Return boxes (B, 4) in the mirror image: left and right are exchanged. (1, 2, 4, 6) in width 10: (6, 2, 9, 6)."""
    left, top, right, bottom = boxes.T
    return np.stack([width - right, top, width - left, bottom], axis=1)


def upside_down(boxes, height):
    """Return boxes (B, 4) in the image whose rows are in the opposite order."""
    left, top, right, bottom = boxes.T
    return np.stack([left, height - bottom, right, height - top], axis=1)


def transposed(boxes):
    """Return boxes (B, 4) in the image whose rows and columns are exchanged."""
    return boxes[:, [1, 0, 3, 2]]


def turned_left(boxes, quarters, height, width):
    """Return boxes (B, 4) in an image of this size after `numpy.rot90(image, quarters)`, which turns it to the left.

    A quarter turn exchanges rows and columns, and then the order of the rows: (x, y) goes to (y, width - x).
    """
    for _ in range(quarters % 4):
        boxes, height, width = upside_down(transposed(boxes), width), width, height
    return boxes


def turned_upright(boxes, orientation, height, width):
    """Return boxes (B, 4) of a stored photograph of this size, as they lie when `orientation` has turned it upright.

    The number of the EXIF data says at which sides of the stored image the top and the left of the upright one are. As
    in Pillow's `ImageOps.exif_transpose`: 2 to 4 mirror and turn by a half; 5 to 8 exchange rows and columns first.
    """
    if orientation >= 5:
        boxes, height, width = transposed(boxes), width, height
    if orientation in (2, 3, 6, 7):
        boxes = mirrored(boxes, width)
    if orientation in (3, 4, 7, 8):
        boxes = upside_down(boxes, height)
    return boxes
