"""Detections and labels of images as plain data: lists with a dict for each image.

    detections   "boxes", "scores", "classes"
    labels       "boxes", "classes", and if wanted "difficult" (Pascal VOC), "is_crowd" (COCO), "areas" (COCO)

The boxes of an image are an array (B, 4), as in `kernels.boxes`, and all others (B,). Classes are whole numbers or
names. An image without boxes has arrays (0, 4) and (0,). Detections and labels are in the same order of images.

Who calls this: `average_precision`.
"""

import numpy as np

from ..arguments import nearest
from ..errors import DataError, ShapeError
from ..kernels.boxes import box_areas, checked_boxes

REQUIRED = {"detections": ("boxes", "scores", "classes"), "labels": ("boxes", "classes")}
OPTIONAL = {"detections": (), "labels": ("difficult", "is_crowd", "areas")}


def checked_images(images, what, not_here=None):
    """Return the dicts of "detections" or "labels" (`what`), with all keys and with NumPy's arrays, as new dicts.

    `not_here` is a key that belongs to another rule: there it would change the result, here it would be ignored in
    silence. Raises DataError and ShapeError, which name the image and the key.
    """
    return [_checked_image(image, what, f"{what}[{n}]", not_here) for n, image in enumerate(images)]


def _checked_image(image, what, place, not_here):
    """Return the dict of one image."""
    _check_keys(image, what, place)
    boxes = checked_boxes(image["boxes"], f"{place}['boxes']").astype(np.float64)
    none = np.zeros(len(boxes), bool)
    checked = {"areas": box_areas(boxes), "difficult": none, "is_crowd": none, **image}
    for key, array in checked.items():
        array = np.asarray(array)
        if key != "boxes" and array.shape != (len(boxes),):
            raise ShapeError(
                f"{place}[{key!r}] has the shape {array.shape}; expected ({len(boxes)},), one for each box."
            )
        if key in ("scores", "areas"):
            if len(array) and (array.dtype.kind not in "fiu" or np.isnan(array).any()):
                raise DataError(f"{place}[{key!r}] holds NaN, or is no array of numbers.")
            array = array.astype(np.float64)
        checked[key] = array.astype(bool) if key in ("difficult", "is_crowd") else array
    if not_here and checked[not_here].any():
        raise DataError(
            f"{place} has boxes with {not_here!r}, which this rule does not know. Leave the key out to count "
            "them as the other boxes, or leave the boxes out."
        )
    return {**checked, "boxes": boxes}


def _check_keys(image, what, place):
    """Check that an image is a dict with the keys that it needs, and with no unknown ones."""
    required, optional = REQUIRED[what], OPTIONAL[what]
    expected = f"expected a dict with {', '.join(required)}" + ("; also possible: " + ", ".join(optional)) * bool(
        optional
    )
    if not isinstance(image, dict):
        raise DataError(f"{place} is of type {type(image).__name__}; {expected}.")
    unknown = [key for key in image if key not in required + optional]
    if unknown:
        near = nearest(unknown[0], required + optional, 1)
        raise DataError(f"{place} has the key {unknown[0]!r}; {expected}.{f' Do you mean {near[0]}?' if near else ''}")
    missing = [key for key in required if key not in image]
    if missing:
        raise DataError(f"{place} has no {missing[0]!r}; {expected}.")


def rows_of(image, which):
    """Return some boxes of an image, with their scores, classes and so on, as a new dict."""
    return {key: array[which] for key, array in image.items()}
