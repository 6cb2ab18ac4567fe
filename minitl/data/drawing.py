"""Drawing on images: boxes with their names, and masks as colours over the image. For reports, and for looking at data.

    draw_boxes(image, boxes, [class_names[label] for label in labels], class_colours(labels))

Both functions take and return uint8 images (H, W, 3). Lines and areas are NumPy. Text is Pillow's, and left away where
Pillow is missing.

The first seven colours are those of Okabe and Ito (2008) without black: people who see no red, no green or no blue can
tell them apart. Seven lighter and seven darker ones follow for more classes. No colour is clear on every photograph, so
each line has an edge of black or white, whichever is the further from its colour.
"""

import numpy as np

from ..errors import ArgumentError, ShapeError
from .augmentation import GREY

_FIRST = np.array(
    [(230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167)]
)
COLOURS = np.concatenate([_FIRST, (_FIRST + 255) // 2, _FIRST * 11 // 20]).astype(np.uint8)  # (21, 3)
IGNORED = 255  # the number of pixels without a label, in masks


def class_colours(labels):
    """Return the colours (B, 3) uint8 of labels (B,). They begin again after 21 classes."""
    return COLOURS[np.asarray(labels, int) % len(COLOURS)]


def draw_boxes(image: np.ndarray, boxes, texts=None, colours=None, thickness: int = 2) -> np.ndarray:
    """Return a copy of an image with the outlines of boxes on it.

    image       uint8 (H, W, 3)
    boxes       (B, 4) left, top, right, bottom in pixels. What lies outside of the image is not drawn
    texts       B texts that are written above the boxes, such as "bee 0.93"; None for none
    colours     (B, 3) from 0 to 255; None for the colours of classes 0, 1, 2, ...
    thickness   of the lines in pixels, without their edges

    Later boxes are drawn over earlier ones. Raises ShapeError if the lengths differ.
    """
    image = _checked_image(image).copy()
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    colours = class_colours(np.arange(len(boxes))) if colours is None else np.asarray(colours, np.uint8)
    texts = [""] * len(boxes) if texts is None else list(texts)
    if colours.shape != (len(boxes), 3) or len(texts) != len(boxes):
        raise ShapeError(
            f"there are {len(boxes)} boxes, {len(texts)} texts, and colours of shape {colours.shape}; expected a text "
            "and three numbers for each box."
        )
    if not np.isfinite(boxes).all():
        raise ArgumentError("boxes have numbers that are not finite; expected left, top, right, bottom in pixels.")
    height, width = image.shape[:2]
    # Far outside, the place does not matter, but huge numbers would not fit into an int.
    places = np.rint(np.clip(boxes, -thickness - 9, max(height, width) + thickness + 9)).astype(int)
    for place, text, colour in zip(places, texts, colours):
        edge = _black_or_white(colour)
        _outline(image, place + [-1, -1, 1, 1], thickness + 2, edge)
        _outline(image, place, thickness, colour)
        if text:
            _write(image, str(text), place, colour, edge)
    return image


def overlay_mask(
    image: np.ndarray, mask: np.ndarray, colours=None, opacity: float = 0.5, without=(IGNORED,)
) -> np.ndarray:
    """Return an image with the classes of a mask as transparent colours over it.

    image     uint8 (H, W, 3);   mask   (H, W), the number of the class of each pixel
    colours   (K, 3) from 0 to 255, the colour of each class; None for `COLOURS`, again and again
    opacity   0: the image alone;   1: the colours alone
    without   numbers whose pixels stay as they are, such as 0 where it is the background

    Raises ShapeError if the mask has another size, and ArgumentError for a class without a colour.
    """
    image, mask = _checked_image(image), np.asarray(mask)
    if mask.shape != image.shape[:2] or not (np.issubdtype(mask.dtype, np.integer) or mask.dtype == bool):
        raise ShapeError(
            f"the mask is {mask.dtype} of shape {mask.shape}; expected whole numbers of shape {image.shape[:2]}."
        )
    if not 0 <= opacity <= 1:
        raise ArgumentError(f"opacity is {opacity!r}; expected a number from 0 to 1.")
    is_painted = ~np.isin(mask, list(without))
    numbers = mask[is_painted].astype(int)  # (P,)
    if colours is None:
        painted = class_colours(numbers)
    else:
        colours = np.asarray(colours)
        if len(numbers) and not (0 <= numbers.min() and numbers.max() < len(colours)):
            raise ArgumentError(
                f"the mask has the classes {numbers.min()} to {numbers.max()}, and there are {len(colours)} colours. "
                "Give more colours, or name classes in `without`."
            )
        painted = colours[numbers]  # (P, 3)
    shown = image.copy()
    mixed = (1 - opacity) * image[is_painted].astype(np.float32) + opacity * painted.astype(np.float32)
    shown[is_painted] = np.rint(mixed).astype(np.uint8)
    return shown


def _checked_image(image):
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ShapeError(f"the image is {image.dtype} of shape {image.shape}; expected uint8 (H, W, 3).")
    return image


def _black_or_white(colour):
    return np.uint8(0) if np.asarray(colour, np.float32) @ GREY > 127 else np.uint8(255)


def _outline(image, place, thickness, colour):
    """Draw the four sides of a box in place, within its corners. Slices end at the image."""
    left, top, right, bottom = place
    _fill(image, left, top, right, min(top + thickness, bottom), colour)
    _fill(image, left, max(bottom - thickness, top), right, bottom, colour)
    _fill(image, left, top, min(left + thickness, right), bottom, colour)
    _fill(image, max(right - thickness, left), top, right, bottom, colour)


def _fill(image, left, top, right, bottom, colour):
    left, top, right, bottom = (max(0, int(side)) for side in (left, top, right, bottom))  # -1 would be the last row
    image[top:bottom, left:right] = colour


def _write(image, text, place, colour, ink):
    """Write a text on a plate of the colour above a box, or within it where there is no room above."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        return
    font = ImageFont.load_default()
    text = text.encode("latin-1", "replace").decode("latin-1") if not hasattr(font, "font") else text
    left, top, right, bottom = (int(side) for side in font.getbbox(text))
    plate = Image.new("RGB", (right + 4, bottom + 4), tuple(int(value) for value in colour))
    ImageDraw.Draw(plate).text((2, 2), text, font=font, fill=(int(ink),) * 3)
    pixels = np.asarray(plate)
    height, width = image.shape[:2]
    row = place[1] - len(pixels) if place[1] >= len(pixels) else max(0, place[1])
    column = max(0, min(place[0], width - pixels.shape[1]))
    room = pixels[: max(0, height - row), : width - column]
    image[row : row + room.shape[0], column : column + room.shape[1]] = room
