"""Non-maximum suppression: of boxes that overlap, only the one with the highest score stays.

A detector has thousands of priors, and ten of them may find the same thing. The rule goes through the boxes from the
highest score down. A box is kept unless it overlaps a better box *that is kept* with an IoU above the threshold; then
it is suppressed. In numbers, with three boxes in a row, of the scores 0.9, 0.8 and 0.7, where the first overlaps the
second and the second overlaps the third:

    first    kept: no box is better
    second   suppressed by the first
    third    kept: it overlaps only the second, which is not kept

Who calls this: whoever turns the outputs of a detector into boxes, after `boxes.decode_boxes`.
"""

import numpy as np

from ..arguments import number, whole_number
from ..errors import DataError, ShapeError
from .boxes import checked_boxes, intersections_over_unions, iou_naive

BLOCK = 128  # boxes that are compared with as many others at a time: the cache holds a few matrices of this size


def non_maximum_suppression(boxes, scores, iou_threshold=0.5, most=200):
    """Return which boxes to keep, best first: boxes (B, 4), scores (B,) -> indices, integers (K,).

    iou_threshold   boxes with a larger IoU than this are taken for the same thing
    most            the largest number of boxes to keep; None keeps all that are not suppressed

    Of boxes with equal scores, the first counts as the best. Boxes without an area are never suppressed and suppress
    none. The result is exactly that of the rule above.

    The boxes are taken in blocks of 128, best first. Boxes of a block that overlap a box kept from an earlier block are
    suppressed at once. `_kept_of` decides among the others. So 10,000 boxes need no matrix of 10,000 by 10,000, and the
    work ends as soon as there are `most` boxes.

    Raises ShapeError, DataError (reversed boxes, NaN) and ArgumentError.
    """
    boxes, scores, iou_threshold, most = _checked(boxes, scores, iou_threshold, most)
    boxes = boxes.astype(np.float64)
    order = np.argsort(-scores, kind="stable")
    kept = order[:0]
    for start in range(0, len(boxes), BLOCK):
        block = order[start : start + BLOCK]
        for first in range(0, len(kept), BLOCK):
            better = kept[first : first + BLOCK]
            block = block[~_overlap(boxes[better], boxes[block], iou_threshold).any(axis=0)]
        block = block[_kept_of(_overlap(boxes[block], boxes[block], iou_threshold))]
        kept = np.concatenate([kept, block])
        if len(kept) >= most:
            break
    return kept[:most]


def _overlap(boxes, others, iou_threshold):
    """Return whether each box overlaps each of the others: booleans (A, B)."""
    return intersections_over_unions(boxes, others) > iou_threshold


def _kept_of(overlaps):
    """Return which boxes the rule keeps: overlaps (B, B), best box first -> booleans (B,).

    Only the triangle above the diagonal counts: entry (a, b) with a < b says that box a, if it is kept, suppresses b.
    The rule says: b is kept if and only if no a < b is kept that overlaps it. This is an equation for the answer, and
    its right side is evaluated for all boxes at once, again and again, beginning with "all are kept":

        the three boxes above      1 1 1  ->  1 0 0  ->  1 0 1  ->  1 0 1, which does not change any more

    Why this ends, and with the right answer. Let the level of a box be the number of boxes in the longest chain that
    ends in it, from better to worse boxes, each overlapping the next. A box of level 1 overlaps no better box and is
    kept in every round. Suppose that after round k all boxes up to level k are right, and stay so. All better boxes
    that overlap a box of level k + 1 have a lower level, so they are right, and round k + 1 and every later one gets
    this box right, too. After as many rounds as there are levels, nothing changes any more.

    And if nothing changes, the answer is right: it satisfies the equation, and the equation has one solution. Two
    different ones would differ at a first box, but all boxes before it are equal in both and decide about it.
    """
    suppresses = np.triu(overlaps, k=1)
    is_kept = np.ones(len(overlaps), bool)
    while True:
        before = is_kept
        is_kept = ~suppresses[before].any(axis=0)
        if (is_kept == before).all():
            return is_kept


def suppress_per_class(boxes, scores, classes, iou_threshold=0.5, most=200):
    """Return which boxes to keep, best first, where only boxes of the same class suppress each other.

    boxes (B, 4), scores (B,), classes (B,), whole numbers -> indices, integers (K,). A person on a horse overlaps the
    horse, and both stay. `most` limits the boxes of all classes together; of equal scores the first is the best.

    The suppression runs once for each class. The usual trick for one run moves the boxes of class c by c times the
    largest coordinate, so that different classes lie apart. It costs digits: for class 80 and 512 pixels, a box moves
    to 40,960, where neighbouring float32 numbers are 0.004 pixels apart. Also it compares all boxes with all, where B
    boxes of C classes have about B*B/C pairs of the same class.

    Raises ShapeError, DataError and ArgumentError.
    """
    boxes, scores, iou_threshold, most = _checked(boxes, scores, iou_threshold, most)
    classes = _checked_classes(classes, len(boxes))
    kept = [np.zeros(0, np.int64)]
    for each in np.unique(classes):
        of_class = np.flatnonzero(classes == each)
        kept.append(of_class[non_maximum_suppression(boxes[of_class], scores[of_class], iou_threshold, most)])
    kept = np.sort(np.concatenate(kept))
    return kept[np.argsort(-scores[kept], kind="stable")][:most]


def _checked(boxes, scores, iou_threshold, most):
    """Return the arguments, of the types that the functions compute with, or raise."""
    boxes, scores = checked_boxes(boxes), np.asarray(scores)
    if scores.shape != (len(boxes),):
        raise ShapeError(f"scores have the shape {scores.shape}; expected ({len(boxes)},), one for each box.")
    if len(scores) and (scores.dtype.kind not in "fiu" or np.isnan(scores).any()):
        raise DataError("scores hold NaN, or are no numbers; NaN has no place in an order of scores.")
    most = len(boxes) if most is None else whole_number(most, "most")
    return boxes, scores.astype(np.float64), number(iou_threshold, "iou_threshold", 0, 1), most


def _checked_classes(classes, count):
    """Return classes as an array of `count` whole numbers, or raise."""
    classes = np.asarray(classes)
    if classes.shape != (count,):
        raise ShapeError(f"classes have the shape {classes.shape}; expected ({count},), one for each box.")
    if count and classes.dtype.kind not in "iu":
        raise DataError(f"classes are of type {classes.dtype}; expected whole numbers, one for each box.")
    return classes


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def non_maximum_suppression_naive(boxes, scores, iou_threshold=0.5, most=200):
    """Take the best box, and go through the others from the highest score down."""
    kept = []
    for b in sorted(range(len(boxes)), key=lambda b: -scores[b]):  # Python's sort is stable
        if all(iou_naive(boxes[better], boxes[b]) <= iou_threshold for better in kept):
            kept.append(b)
    return np.array(kept[:most], np.int64)


def suppress_per_class_naive(boxes, scores, classes, iou_threshold=0.5, most=200):
    """Do the same, and compare only boxes of the same class."""
    kept = []
    for b in sorted(range(len(boxes)), key=lambda b: -scores[b]):
        rivals = [better for better in kept if classes[better] == classes[b]]
        if all(iou_naive(boxes[better], boxes[b]) <= iou_threshold for better in rivals):
            kept.append(b)
    return np.array(kept[:most], np.int64)
