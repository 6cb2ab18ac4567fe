"""Checks of boxes: each one becomes pixels of its upright photograph, or is left out with the reason.

A box that is wrong in a file makes no error in training. Without an inside, the logarithm of its width is -inf, and the
loss NaN, hours later. In another format it teaches the wrong place in silence. So a box that cannot be right is left
out, and the reason says which other format its numbers fit. In a photograph of 640x480:

    40, 60, 8, 90      as left, top, right, bottom, this ends left of its beginning; as left, top, width, height it
                       lies in the photograph, and so it does with exchanged corners
    10, 5, 20, 5       has no height; as left, top, width, height it has one

A box that reaches over the edge is clipped: annotators drag over it. `detection_folder` calls `boxes_on`.
"""

import math
from typing import NamedTuple

import numpy as np

from ..kernels.boxes import box_areas
from .annotations import is_background, shown
from .box_geometry import (
    CENTRES,
    CORNER_SHARES,
    CORNERS,
    REVERSED,
    SIZES,
    as_corners,
    clipped,
    turned_upright,
)  # fmt: skip

SUSPECTS = {CORNERS: (SIZES, REVERSED), SIZES: (CORNERS,), CENTRES: (CORNER_SHARES,)}
ABOVE_ONE = 1.01  # a share above this is no rounding
SEEN = 0.5  # a box of which less lies in its image is left out if its numbers fit another format
LARGEST = 1e9
EDGE = 0.5  # pixels: what is clipped by less is not worth a note

# Sentences for `Findings.tally`.
CLIPPED = "Boxes that were clipped at the edge of their image: {count} (the first: {first})."
TURNED = (
    "Photographs that are stored turned, and whose boxes were drawn on the stored image: {count} (the first: {first}). "
    "The boxes were turned as well."
)
UNSURE = (
    "Photographs that are turned by their EXIF data, and whose size does not tell on which image their boxes were "
    "drawn: {count} (the first: {first}). They are taken as drawn on the upright one, as viewers show it."
)
TWO_CLASSES = "Boxes that are the same as one of another class: {count} (the first: {first})."
SUSPECTED = (
    "WARNING: boxes that were left out and would fit as {form}: {{count}} (the first: {{first}}). If that is the "
    "format of all boxes, the others are wrong as well, and nothing shows it: convert the files."
)


class Size(NamedTuple):
    """The size of a photograph in pixels as it is seen, and its EXIF orientation, from 1 to 8 (1: stored upright)."""

    height: int
    width: int
    orientation: int = 1

    @property
    def stored(self):
        """The (height, width) of the stored image."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)


def boxes_on(annotated, form, size, labels, findings):
    """Return the good boxes of an image as (boxes (B, 4), labels (B,), difficult (B,), crowd (B,)), in pixels of the
    upright photograph; None if the whole image must be left out.

    size       the `Size` of the photograph
    labels     {name of a class: label}
    findings   the `Findings` that collect what is left out

    Tools disagree on whether they show a photograph as it is stored. The annotation file says the size that its boxes
    belong to: if it is the stored one and not the upright one, they are turned. Where the size does not tell (half
    turns, squares, YOLO's shares), the boxes belong to the upright image: today's tools show it.
    """
    where, upright = findings.within(annotated.image), (size.height, size.width)
    said = annotated.size if annotated.size and min(annotated.size) > 0 else None
    if said and said not in (upright, size.stored):
        is_exchanged = said == upright[::-1]
        findings.skip(
            annotated.image,
            f"is {size.width}x{size.height}, but its boxes belong to an image of {said[1]}x{said[0]}, says "
            f"{findings.within(annotated.source)}"
            + (" (height and width exchanged?)" if is_exchanged else " (was it resized afterwards?)"),
        )
        return None
    drawn_on = said or upright
    is_turned = drawn_on != upright
    if is_turned:
        findings.tally(TURNED, where)
    elif size.orientation != 1 and (not said or upright == size.stored):
        findings.tally(UNSURE, where)
    good, corners, seen = [], {}, {}
    for box in annotated.boxes:
        found, reason, suspected = checked(box, form, *drawn_on, labels)
        key = (found, box.name, box.crowd)
        if found is not None and key in seen:
            reason = f"is the same as {seen[key]}"
        if reason:
            findings.leave_out(annotated.source, box.text, reason)
            for other in suspected:
                findings.tally(SUSPECTED.format(form=other), f"{findings.within(annotated.source)}, {box.text}")
            continue
        if found in corners and box.name not in corners[found]:
            findings.tally(TWO_CLASSES, f"{findings.within(annotated.source)}, {box.text}")
        seen[key] = box.text
        corners.setdefault(found, []).append(box.name)
        good.append((found, box))
    exact = np.array([found for found, _ in good], np.float64).reshape(-1, 4)
    boxes = clipped(exact, *drawn_on)
    for k in np.flatnonzero(np.abs(boxes - exact).max(axis=1, initial=0) > EDGE):
        findings.tally(CLIPPED, f"{findings.within(annotated.source)}, {good[k][1].text}")
    if is_turned:
        boxes = turned_upright(boxes, size.orientation, *drawn_on)
    return (
        boxes.astype(np.float32),
        np.array([labels[box.name] for _, box in good], np.int64),
        np.array([box.difficult for _, box in good], bool),
        np.array([box.crowd for _, box in good], bool),
    )


def checked(box, form, height, width, labels):
    """Return (corners in pixels, reason, suspected formats) of a `RawBox`. Either the reason or the corners are None.

    The corners may reach over the edge of the image, of this height and width. A reason continues "the box ...".
    """
    if box.fault:
        return None, box.fault, ()
    if box.name not in labels:
        known = ", ".join(list(labels)[:6]) + (", ..." if len(labels) > 6 else "")
        what = "the background, which needs no boxes" if is_background(box.name) else f"the class {shown(box.name)}"
        return None, f"is of {what}; expected one of: {known}", ()
    reason = fault_of(box.values, form, height, width)
    if not reason:
        return as_corners(box.values, form, height, width), None, ()
    suspected = fitting(box.values, form, height, width)
    if suspected:
        reason += f". It fits as {', or '.join(suspected)}: that format is suspected"
    return None, reason, suspected


def fault_of(values, form, height, width):
    """Return what is wrong with four numbers of this format, or None. Boxes that reach over the edge are right."""
    if not all(map(math.isfinite, values)):
        return "has a number that is not finite"
    if max(map(abs, values)) > LARGEST:
        return f"has {max(values, key=abs):g}, which is no place in an image"
    if form == CENTRES and max(values) > ABOVE_ONE:
        return f"has {max(values):g} where shares from 0 to 1 are expected. Pixels are suspected"
    if form != CENTRES and max(values) <= 1 and any(value % 1 for value in values):
        return "has no number above 1. Shares of the image are suspected, where pixels are expected"
    corners = np.array([as_corners(values, form, height, width)])
    left, top, right, bottom = corners[0]
    seen = clipped(corners, height, width).astype(np.float32)  # what training will see
    if right <= left or bottom <= top:
        wide, high = f"{right - left:g} wide", f"{bottom - top:g} high"
        return f"has no area: as {form} it is {wide} and {high}"
    if not box_areas(seen)[0]:
        return f"lies outside of its image of {width}x{height}"
    if box_areas(seen)[0] < SEEN * box_areas(corners)[0] and fitting(values, form, height, width):
        return f"lies more than half outside of its image of {width}x{height}"
    return None


def fitting(values, form, height, width):
    """Return the other formats in which four numbers are a box within an image of this size."""
    found = []
    for other in SUSPECTS[form]:
        left, top, right, bottom = as_corners(values, other, height, width)
        if 0 <= left < right <= width and 0 <= top < bottom <= height:
            found.append(other)
    return tuple(found)
