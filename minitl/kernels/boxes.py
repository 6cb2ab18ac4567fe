"""Boxes around things in an image: how much two of them overlap, and how a detector learns to find them.

A box is (left, top, right, bottom) in pixels, and B boxes are an array (B, 4). Pixels are little squares and a box is
an area: its width is right - left, so (0, 0, 4, 2) is four pixels wide, two high, and has the area 8. (Some older
programs count the pixel at either end and take right - left + 1. Here no pixel is added.)

A detector such as SSD (Liu et al., "SSD: Single Shot MultiBox Detector", 2016, sections 2.1 and 2.2) begins with
thousands of fixed boxes, the priors (also called anchors or default boxes). For each of them it says what is in it, and
by how much the prior has to be moved and stretched to fit:

    priors.prior_boxes   -> the P priors of a network, the same for every image
    match_boxes          -> which of an image's true boxes each prior has to find, or none. This needs `box_iou`
    encode_boxes         -> by how much the true boxes differ from their priors: what the network learns
    decode_boxes         -> the boxes that the outputs of the network stand for: what it finds
    suppression          -> one box for each thing, where many priors have found the same one

In a shape comment, B are boxes and P priors. All functions compute in float64, where the areas and differences of
float32 numbers keep their digits, and return the type of float that they were given. Each has a loop twin at the end of
the module.

Next: `priors`, then `suppression`. `metrics.average_precision` says how good the boxes are that come out in the end.
"""

import math

import numpy as np

from ..arguments import number
from ..errors import DataError, ShapeError
from .precision import as_float

FORM = "(left, top, right, bottom) in pixels, with left <= right and top <= bottom"
LARGEST = np.finfo(np.float32).max  # larger numbers are refused: the area of a box could be infinite
CENTRE_SCALE, SIZE_SCALE = 0.1, 0.2  # about how much centres and log sizes vary; SSD calls them variances
LARGEST_LOG = math.log(1000 / 16)  # a decoded box is at most 62.5 times as wide and as high as its prior


def checked_boxes(boxes, argument="boxes"):
    """Return boxes (B, 4) as floats.

    Raises ShapeError for another shape. Raises DataError for numbers that are not finite, and for a box whose right
    edge lies left of its left edge or whose bottom lies above its top. The errors call the boxes `argument`.
    """
    boxes = _floats(boxes, argument)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ShapeError(f"{argument} has the shape {boxes.shape}; expected (B, 4), and (0, 4) where there is no box.")
    is_wrong = ~(np.abs(boxes) <= LARGEST).all(axis=1)  # NaN is not <= anything
    is_reversed = (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    if is_wrong.any():
        b = is_wrong.argmax()
        raise DataError(f"{argument}[{b}] is {boxes[b].tolist()}; expected four finite numbers, {FORM}.")
    if is_reversed.any():
        b = is_reversed.argmax()
        raise DataError(
            f"{argument}[{b}] is {boxes[b].tolist()}: it ends before it begins. Expected {FORM}. If these are (left, "
            "top, width, height), add left to the width and top to the height."
        )
    return boxes


def _floats(array, argument):
    """Return an array of float32 or float64. Raises DataError for anything but rows of numbers, of equal length."""
    try:
        array = np.asarray(array)
    except ValueError:  # rows of different lengths
        array = np.array(None)
    if array.dtype.kind not in "fiu":
        raise DataError(f"{argument} is no array of numbers; expected four numbers for each box, {FORM}.")
    return as_float(array)


# ---- overlap ----


def box_areas(boxes):
    """Return the area of each box in square pixels: (B, 4) -> (B,)."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def box_intersections(boxes, others):
    """Return the area that each box has in common with each of the others: (A, 4), (B, 4) -> (A, B).

    The common part of two boxes is a box, too: from the larger of their left edges to the smaller of their right ones.
    If that is less than nothing, they have nothing in common. (0, 0, 4, 2) and (3, 1, 6, 3) share (3, 1, 4, 2): area 1.
    """
    lengths = []
    for start, end in (0, 2), (1, 3):  # the width, then the height
        length = np.minimum(boxes[:, None, end], others[None, :, end])  # (A, B)
        length -= np.maximum(boxes[:, None, start], others[None, :, start])
        lengths.append(np.maximum(length, 0, out=length))
    width, height = lengths
    width *= height
    return width


def intersections_over_unions(boxes, others):
    """Return `box_iou` in float64, without checks: for functions that have checked their boxes."""
    boxes, others = (each.astype(np.float64, copy=False) for each in (boxes, others))
    shared = box_intersections(boxes, others)
    union = box_areas(boxes)[:, None] + box_areas(others)
    union -= shared
    # Without a union, nothing is shared either: 0 / 1 is the 0 that is wanted, and 0 / 0 would be NaN.
    union[union == 0] = 1
    shared /= union
    return shared


def box_iou(boxes, others):
    """Return the intersection over union of each box with each of the others: (A, 4), (B, 4) -> (A, B), from 0 to 1.

        IoU = shared area / (area + other area - shared area)

    The shared area is subtracted because both areas contain it. Equal boxes have the IoU 1, boxes that only touch have
    0. In numbers: (0, 0, 4, 2) and (2, 1, 6, 3) both have the area 8 and share (2, 1, 4, 2), the area 2. The union is
    8 + 8 - 2 = 14, and the IoU 2 / 14 = 0.143.

    A box without an area has the IoU 0 with every box, also with itself. Raises ShapeError and DataError as
    `checked_boxes` does.
    """
    boxes, others = checked_boxes(boxes), checked_boxes(others, "others")
    return intersections_over_unions(boxes, others).astype(np.result_type(boxes, others), copy=False)


# ---- who finds which box ----


def match_boxes(boxes, priors, threshold=0.5):
    """Return the number of the true box that each prior has to find, or -1: (B, 4), (P, 4) -> integers (P,).

    Two rules decide, and the first goes before the second (they are those of the authors' own SSD):

    1. Each box gets one prior of its own. Of all pairs of box and prior, those with the largest IoU come first, and of
       equal ones those with the lowest box, then with the lowest prior. A pair is taken if both are still free.
    2. Every other prior gets the box with which it has the largest IoU (of equal ones the first), if that IoU is at
       least `threshold`.

    In numbers, three priors and two boxes with this IoU:

                  prior 0   prior 1   prior 2
        box 0       0.6       0.3       0.0         (box 1, prior 0) comes first. Prior 0 is the best one of box 0, too,
        box 1       0.7       0.2       0.1         but now it is taken, and box 0 gets prior 1: [1, 0, -1]

    Without the order in rule 1, where each box in turn overwrites the match of its best prior, box 0 would have no
    prior, and would be background: the network would learn not to see it. A box gets no prior if it has the IoU 0 with
    all that are free: it has no area, or lies outside, or there are fewer priors than boxes. Without boxes, all is -1.

    No loop goes over the boxes. In each round, all pairs are taken at once that are the best both of their box and of
    their prior. A pair that comes earlier in the order of rule 1 has neither this box nor this prior, or it would be
    the better one, so rule 1 takes the pair as well. The best of all pairs is always of this kind. So each round takes
    at least one pair, and B rounds are enough; nearly always it is two or three.

    Raises ShapeError and DataError as `checked_boxes` does, and ArgumentError.
    """
    boxes, priors = checked_boxes(boxes), checked_boxes(priors, "priors")
    threshold = number(threshold, "threshold", 0, 1)
    if not len(boxes) or not len(priors):
        return np.full(len(priors), -1)
    iou = intersections_over_unions(boxes, priors)  # (B, P)
    largest = iou.max(axis=0)
    matches = np.where((largest >= threshold) & (largest > 0), iou.argmax(axis=0), -1)  # rule 2
    while True:  # rule 1; the pairs of boxes and priors that are taken have the IoU 0 from now on
        best = iou.argmax(axis=1)  # (B,): the best free prior of each box
        rivals = iou[:, best]  # (B, B): entry (a, b) is the IoU of box a with the best prior of box b
        numbers = np.arange(len(boxes))
        is_taken = (rivals.argmax(axis=0) == numbers) & (rivals[numbers, numbers] > 0)
        if not is_taken.any():
            return matches
        matches[best[is_taken]] = numbers[is_taken]
        iou[is_taken] = 0
        iou[:, best[is_taken]] = 0


# ---- codes ----


def centre_form(boxes):
    """Return boxes (..., 4) as (x of the centre, y of the centre, width, height)."""
    start, end = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([(start + end) / 2, end - start], axis=-1)


def encode_boxes(boxes, priors):
    """Return the codes of boxes, seen from their priors: (..., P, 4), (P, 4) -> (..., P, 4). Box p belongs to prior p.

    With the centre (x, y), width w and height h of the box, and those of the prior with the index p:

        (x - x_p) / w_p / 0.1,   (y - y_p) / h_p / 0.1,   ln(w / w_p) / 0.2,   ln(h / h_p) / 0.2

    A shift is measured in widths of the prior, so that the same code means the same for small and large priors. The
    logarithm makes twice as wide and half as wide equally far from 0. The divisors bring all four numbers to about the
    same spread, near 1, which a network learns well.

    In numbers: the prior (10, 10, 30, 30) has the centre (20, 20) and the size 20 by 20. The box (14, 12, 34, 22) has
    the centre (24, 17) and is 20 by 10. Its code is (4/20/0.1, -3/20/0.1, ln(1)/0.2, ln(1/2)/0.2), which is
    (2, -1.5, 0, -3.47).

    Raises DataError for a box or a prior without an area, whose logarithm would be infinite, and ShapeError.
    """
    boxes, priors = _beside_priors(boxes, priors, "boxes")
    checked_boxes(boxes.reshape(-1, 4))
    box, prior = (centre_form(each.astype(np.float64)) for each in (boxes, priors))
    if (box[..., 2:] == 0).any():
        found = boxes[(box[..., 2:] == 0).any(axis=-1)][0]
        raise DataError(f"the box {found.tolist()} has no area, and so no code. Leave it out.")
    shift = (box[..., :2] - prior[:, :2]) / prior[:, 2:] / CENTRE_SCALE
    stretch = np.log(box[..., 2:] / prior[:, 2:]) / SIZE_SCALE
    return np.concatenate([shift, stretch], axis=-1).astype(np.result_type(boxes, priors), copy=False)


def decode_boxes(codes, priors):
    """Return the boxes that codes stand for: (..., P, 4), (P, 4) -> (..., P, 4). The inverse of `encode_boxes`.

        x = x_p + 0.1 code w_p,   w = w_p exp(0.2 code);   left = x - w/2,   right = x + w/2;   and the same for y, h

    0.2 code counts as at most ln(1000/16): a box is at most 62.5 times as wide as its prior. A network that has learnt
    little can give large codes, and exp(100) would be a box without end. Boxes are not cut off at the edge of the
    image. Raises DataError for codes that are not finite, and ShapeError.
    """
    codes, priors = _beside_priors(codes, priors, "codes")
    if not np.isfinite(codes).all():
        raise DataError("codes hold NaN or infinity: the network that made them has diverged, or its input had them.")
    prior, code = centre_form(priors.astype(np.float64)), codes.astype(np.float64)
    centre = prior[:, :2] + CENTRE_SCALE * code[..., :2] * prior[:, 2:]
    half = prior[:, 2:] * np.exp(np.minimum(SIZE_SCALE * code[..., 2:], LARGEST_LOG)) / 2
    return np.concatenate([centre - half, centre + half], axis=-1).astype(np.result_type(codes, priors), copy=False)


def _beside_priors(array, priors, argument):
    """Return an array (..., P, 4) and its priors (P, 4) as floats, or raise."""
    array, priors = _floats(array, argument), checked_boxes(priors, "priors")
    if array.ndim < 2 or array.shape[-2:] != priors.shape:
        raise ShapeError(
            f"{argument} has the shape {array.shape} and priors {priors.shape}; expected (..., {len(priors)}, 4), a "
            "row for each prior."
        )
    if (priors[:, 2:] == priors[:, :2]).any():
        p = (priors[:, 2:] == priors[:, :2]).any(axis=1).argmax()
        raise DataError(f"priors[{p}] is {priors[p].tolist()}: it has no area, and nothing can be measured in it.")
    return array, priors


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def iou_naive(box, other):
    """Return the IoU of two boxes, each a row of four numbers."""
    left, top, right, bottom = map(float, box)
    other_left, other_top, other_right, other_bottom = map(float, other)
    width = min(right, other_right) - max(left, other_left)
    height = min(bottom, other_bottom) - max(top, other_top)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    area, other_area = (right - left) * (bottom - top), (other_right - other_left) * (other_bottom - other_top)
    return shared / (area + other_area - shared)


def box_iou_naive(boxes, others):
    """Compare each box with each of the others, one pair at a time."""
    iou = np.zeros((len(boxes), len(others)), np.result_type(boxes, others))
    for a, b in np.ndindex(iou.shape):
        iou[a, b] = iou_naive(boxes[a], others[b])
    return iou


def match_boxes_naive(boxes, priors, threshold=0.5):
    """Go through all pairs in the order of rule 1, then through the priors that are left."""
    iou = {(b, p): iou_naive(boxes[b], priors[p]) for b, p in np.ndindex(len(boxes), len(priors))}
    matches = np.full(len(priors), -1)
    for b, p in sorted(iou, key=lambda pair: (-iou[pair], pair)):
        if iou[b, p] > 0 and b not in matches and matches[p] == -1:
            matches[p] = b
    for p in np.flatnonzero(matches == -1):
        best = max(range(len(boxes)), key=lambda b: iou[b, p], default=None)  # the first of equal ones
        if best is not None and iou[best, p] >= threshold and iou[best, p] > 0:
            matches[p] = best
    return matches


def encode_boxes_naive(boxes, priors):
    """Encode one box at a time, and one axis at a time."""
    codes = np.zeros(boxes.shape, np.result_type(boxes, priors))
    for *lead, p, axis in np.ndindex(*boxes.shape[:-1], 2):
        start, end = float(boxes[(*lead, p, axis)]), float(boxes[(*lead, p, axis + 2)])
        prior_start, prior_end = float(priors[p, axis]), float(priors[p, axis + 2])
        shift = (start + end) / 2 - (prior_start + prior_end) / 2
        codes[(*lead, p, axis)] = shift / (prior_end - prior_start) / CENTRE_SCALE
        codes[(*lead, p, axis + 2)] = math.log((end - start) / (prior_end - prior_start)) / SIZE_SCALE
    return codes


def decode_boxes_naive(codes, priors):
    """Decode one box at a time, and one axis at a time."""
    boxes = np.zeros(codes.shape, np.result_type(codes, priors))
    for *lead, p, axis in np.ndindex(*codes.shape[:-1], 2):
        start, end = float(priors[p, axis]), float(priors[p, axis + 2])
        centre = (start + end) / 2 + CENTRE_SCALE * float(codes[(*lead, p, axis)]) * (end - start)
        length = (end - start) * math.exp(min(SIZE_SCALE * float(codes[(*lead, p, axis + 2)]), LARGEST_LOG))
        boxes[(*lead, p, axis)], boxes[(*lead, p, axis + 2)] = centre - length / 2, centre + length / 2
    return boxes
