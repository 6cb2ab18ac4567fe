"""Average precision: one number for how well a detector finds the boxes of a class, by Pascal VOC's or COCO's rules.

All detections of a class, from all images, are put in the order of their scores, best first. Each of them is a hit if
it overlaps a true box that no better one has found, else it is a miss. After the first k detections,

    precision = hits / k                    how many of them are right
    recall    = hits / number of true boxes    how many of the true boxes are found

Average precision is the mean of the precision over all recalls from 0 to 1. At each recall r it takes the largest
precision that is reached with a recall of r or more (the envelope of the curve), and 0 where no such recall is reached.
The three rules differ in the recalls:

    "area"         VOC since 2010: all recalls, which is the area under the envelope
    "11 points"    VOC before: the mean over the recalls 0, 0.1, ..., 1
    "101 points"   COCO: the mean over 0, 0.01, ..., 1; and over ten IoUs from which on a detection is a hit

In numbers: two true boxes, and one detection, which is a hit. The precision is 1 up to the recall 0.5 and 0 above it.
The area is 0.5; of 11 points, 0 to 0.5 have the precision 1, which gives 6/11; of 101 points, 0 to 0.50 do: 51/101.

Some true boxes neither count nor hurt: those that are `difficult` (VOC) or a crowd (COCO: one box around many things).
It is no miss not to find them, and a detection that finds one is left out of the curve: it is neither hit nor miss.

Both functions take detections and labels as lists with a dict for each image. `detections` says what is in them.

Sources: Everingham et al., "The Pascal Visual Object Classes Challenge", 2010, section 4.2, and its development kit;
Lin et al., "Microsoft COCO", 2014, and pycocotools, whose numbers these are. Read `kernels.boxes` first. The loop twin
at the end of the module is the definition.
"""

from typing import NamedTuple

import numpy as np

from ..arguments import is_number, number, whole_number
from ..errors import ArgumentError, DataError, ShapeError
from ..kernels.boxes import box_areas, box_intersections, intersections_over_unions, iou_naive
from .detections import checked_images, rows_of

COCO_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
# k/10 is the float64 that hits / count gives for the same fraction. np.arange(0, 1.1, 0.1) is above it for 0.3, 0.6 and
# 0.7, and would lose these recalls. COCO's points are those of pycocotools, which does lose a few of its 101.
RECALLS = {"11 points": np.arange(11) / 10, "101 points": np.linspace(0, 1, 101)}
MISS, HIT, IGNORED = 0, 1, -1


class AveragePrecision(NamedTuple):
    """Average precisions by IoU threshold and class (T, K), and the recalls after the last detection (T, K).

    Both are -1 for a class without a true box that counts. Such a class is left out of every mean.
    """

    classes: tuple  # the K classes
    thresholds: tuple  # the T IoUs from which on a detection is a hit
    precisions: np.ndarray
    recalls: np.ndarray

    @property
    def mean(self):
        """The mean over thresholds and classes, which is called mAP; -1 if no class has a true box."""
        return _mean(self.precisions)

    @property
    def mean_recall(self):
        """The mean recall over thresholds and classes; COCO calls it average recall."""
        return _mean(self.recalls)

    @property
    def per_class(self):
        """A dict {class: the average precision, as the mean over the thresholds}."""
        return {each: _mean(column) for each, column in zip(self.classes, self.precisions.T)}

    def at(self, threshold):
        """Return the mean over the classes at one of the IoU thresholds. Raises ArgumentError for another one."""
        rows = np.isclose(self.thresholds, threshold)
        if not rows.any():
            raise ArgumentError(f"threshold is {threshold!r}; expected one of {self.thresholds}.")
        return _mean(self.precisions[rows])


def _mean(numbers):
    """Return the mean of the numbers that are not -1, or -1."""
    numbers = numbers[numbers > -1]
    return float(numbers.mean()) if numbers.size else -1.0


def average_of_curve(recalls, precisions, rule):
    """Return the average precision of a curve: recalls (D,), which never fall, and precisions (D,) -> a number.

    `rule` is "area", "11 points" or "101 points".
    """
    envelope = np.maximum.accumulate(precisions[::-1])[::-1]  # the largest precision here or at a higher recall
    if rule == "area":
        return float((np.diff(recalls, prepend=0) * envelope).sum())
    reached = np.searchsorted(recalls, RECALLS[rule], side="left")  # the first place with at least this recall
    return float(np.append(envelope, 0)[reached].mean())


# ---- the two rules ----


def voc_average_precision(detections, labels, classes=None, iou_threshold=0.5, rule="area"):
    """Return the `AveragePrecision` by Pascal VOC's rules.

    classes         the classes to measure; None: all that occur
    iou_threshold   the IoU from which on a detection is a hit
    rule            "area", or "11 points" as before 2010

    A detection belongs to the true box of its image and class with the largest IoU. If that IoU is large enough, the
    detection with the highest score is a hit, and all others of the same box are misses: a second box on the same
    thing is wrong. If the true box is difficult, they are all ignored. Raises ArgumentError, DataError and ShapeError.
    """
    if rule not in ("area", "11 points"):
        raise ArgumentError(f"rule is {rule!r}; expected 'area' or '11 points'.")
    threshold = number(iou_threshold, "iou_threshold", 0.01, 1)

    def judge(found, true):
        verdicts = voc_verdicts(found["boxes"], true["boxes"], true["difficult"], threshold)
        return verdicts[None], (~true["difficult"]).sum()

    return _measure(detections, labels, classes, (threshold,), rule, judge, not_here="is_crowd")


def voc_verdicts(boxes, true_boxes, difficult, threshold=0.5):
    """Return the verdict of each detection of one class in one image, best first: (D, 4), (B, 4), (B,) -> (D,).

    1 is a hit, 0 a miss, and -1 a detection of a difficult box, which does not count. The arguments are not checked.
    """
    iou = intersections_over_unions(boxes, true_boxes)  # (D, B)
    verdicts = np.full(len(iou), MISS)
    if iou.size:
        best = iou.argmax(axis=1)  # (D,)
        is_near = iou.max(axis=1) >= threshold
        _, first = np.unique(best[is_near], return_index=True)  # detections come best first
        verdicts[np.flatnonzero(is_near)[first]] = HIT
        verdicts[is_near & difficult[best]] = IGNORED
    return verdicts


def coco_average_precision(detections, labels, classes=None, iou_thresholds=COCO_THRESHOLDS, most=100, area_range=None):
    """Return the `AveragePrecision` by COCO's rules: the numbers of pycocotools, to the last digits.

    classes          the classes to measure; None: all that occur
    iou_thresholds   the IoUs from which on a detection is a hit: 0.5, 0.55, ..., 0.95
    most             detections of a class that count in an image, those with the highest scores. COCO's average
                     precision has 100; its average recalls have 1, 10 and 100
    area_range       (least, most) square pixels: true boxes outside are ignored, and detections outside that find
                     nothing as well. COCO's small, medium and large are (0, 32**2), (32**2, 96**2), (96**2, 1e10).
                     A label's `areas` may say the area of the thing, which need not be that of its box

    In the order of its score, each detection takes the true box with the largest IoU that is still free, and is a hit.
    If there is none, it may find an ignored one, and is ignored itself; a crowd takes any number of detections. With a
    crowd, the shared area is divided by the area of the detection, and not by the union: a box inside a crowd lies
    in it completely, however large the crowd is. Raises ArgumentError, DataError and ShapeError.
    """
    thresholds = tuple(number(each, "iou_thresholds", 0.01, 1) for each in np.ravel(iou_thresholds).tolist())
    most = whole_number(most, "most")
    least_area, most_area = (0, np.inf) if area_range is None else _range(area_range)

    def judge(found, true):
        is_outside = (true["areas"] < least_area) | (true["areas"] > most_area)
        is_ignored = true["is_crowd"] | is_outside
        finds = _matches(_coco_iou(found["boxes"], true), is_ignored, true["is_crowd"], thresholds)
        areas = box_areas(found["boxes"])
        verdicts = np.where(finds >= 0, HIT, MISS)
        verdicts[(finds < 0) & ((areas < least_area) | (areas > most_area))] = IGNORED
        verdicts[np.append(is_ignored, False)[finds]] = IGNORED  # -1 is the False at the end
        return verdicts, (~is_ignored).sum()

    return _measure(detections, labels, classes, thresholds, "101 points", judge, "difficult", most)


def _coco_iou(boxes, true):
    """Return the IoU of detections with true boxes (D, B); the shared part of the detection where these are a crowd."""
    iou = intersections_over_unions(boxes, true["boxes"])
    if not true["is_crowd"].any():
        return iou
    areas = box_areas(boxes)[:, None]
    part = box_intersections(boxes, true["boxes"]) / np.where(areas > 0, areas, 1)
    return np.where(true["is_crowd"], part, iou)


def _matches(iou, is_ignored, is_crowd, thresholds):
    """Return which true box each detection finds at each threshold, or -1: iou (D, B), best first -> (T, D).

    A detection's choice depends on those of all better ones, so this is a loop over detections, but only over those
    that are near some box. All thresholds and boxes are looked at together. Of equal IoUs, pycocotools takes the last.
    """
    matches = np.full((len(thresholds), len(iou)), -1)
    if not iou.size:
        return matches
    limits = np.minimum(thresholds, 1 - 1e-10)[:, None]  # (T, 1): also a perfect box may miss 1 by rounding
    is_free = np.ones((len(thresholds), iou.shape[1]), bool)  # (T, B)
    for d in np.flatnonzero(iou.max(axis=1) >= limits.min()):
        for group in (~is_ignored, is_ignored):  # an ignored box is found only where no other one is
            is_open = (iou[d] >= limits) & is_free & group
            best = iou.shape[1] - 1 - np.where(is_open, iou[d], -1)[:, ::-1].argmax(axis=1)  # (T,): the last of equals
            takes = np.flatnonzero(is_open.any(axis=1) & (matches[:, d] < 0))
            matches[takes, d] = best[takes]
            is_free[takes, best[takes]] = is_crowd[best[takes]]
    return matches


def _measure(detections, labels, classes, thresholds, rule, judge, not_here, most=None):
    """Return the `AveragePrecision`, where judge(detections, labels of an image and class) gives the verdicts.

    The verdicts are (T, D), for detections in the order of their scores. With them, judge returns how many true boxes
    count.
    """
    detections, labels = checked_images(detections, "detections"), checked_images(labels, "labels", not_here)
    if len(detections) != len(labels):
        raise ShapeError(
            f"there are detections of {len(detections)} images and labels of {len(labels)}; expected as many."
        )
    judged = {}  # class -> [(scores, verdicts, count)] of the images
    for found, true in zip(detections, labels):
        for each in {*found["classes"].tolist(), *true["classes"].tolist()}:
            of_class, true_of_class = (rows_of(image, image["classes"] == each) for image in (found, true))
            of_class = rows_of(of_class, np.argsort(-of_class["scores"], kind="stable")[:most])
            judged.setdefault(each, []).append((of_class["scores"], *judge(of_class, true_of_class)))
    if len({isinstance(each, str) for each in judged}) > 1:
        raise DataError("some classes are names and some are numbers; expected the same in detections and labels.")
    classes = tuple(sorted(judged)) if classes is None else tuple(np.asarray(classes).tolist())
    precisions, recalls = (np.full((len(thresholds), len(classes)), -1.0) for _ in range(2))
    for k, each in enumerate(classes):
        scores, verdicts, counts = zip(*judged.get(each, [(np.zeros(0), np.zeros((len(thresholds), 0)), 0)]))
        count = sum(counts)
        if not count:
            continue
        verdicts = np.concatenate(verdicts, axis=1)[:, np.argsort(-np.concatenate(scores), kind="stable")]
        hits, misses = (verdicts == HIT).cumsum(axis=1), (verdicts == MISS).cumsum(axis=1)  # (T, D)
        for t in range(len(thresholds)):
            curve = hits[t] / count, hits[t] / np.maximum(hits[t] + misses[t], 1)
            recalls[t, k] = curve[0][-1] if len(curve[0]) else 0
            precisions[t, k] = average_of_curve(*curve, rule)
    return AveragePrecision(classes, thresholds, precisions, recalls)


def _range(area_range):
    """Return (least, most), or raise ArgumentError."""
    values = tuple(area_range) if isinstance(area_range, (tuple, list)) else ()
    if len(values) != 2 or not all(map(is_number, values)) or not 0 <= values[0] <= values[1]:
        raise ArgumentError(f"area_range is {area_range!r}; expected (least, most) square pixels.")
    return values


# ---------------------------------------------------------------------------------------------------------------------
# The definition as loops.


def average_precision_naive(detections, labels, name, threshold, rule, most=100, area_range=(0, np.inf)):
    """Return the average precision of the class `name` at one IoU threshold, by COCO's rules if there are 101 points,
    else by VOC's; -1 without true boxes that count."""
    ranked, count = [], 0  # (score, verdict) of all detections
    for found, true in zip(checked_images(detections, "detections"), checked_images(labels, "labels")):
        order = sorted(np.flatnonzero(found["classes"] == name), key=lambda d: -found["scores"][d])
        found, true = rows_of(found, np.array(order, int)), rows_of(true, true["classes"] == name)
        if rule == "101 points":
            found = rows_of(found, slice(most))
            sizes = [_lies_in(area_range, area) for area in true["areas"]]
            true["difficult"] = [is_crowd or not fits for is_crowd, fits in zip(true["is_crowd"], sizes)]
            verdicts = _coco_verdicts_naive(found["boxes"], true, threshold, area_range)
        else:
            verdicts = _voc_verdicts_naive(found["boxes"], true, threshold)
        ranked += zip(found["scores"], verdicts)
        count += sum(not each for each in true["difficult"])
    if not count:
        return -1.0
    hits = misses = 0
    curve = []  # (recall, precision) after each detection
    for _, verdict in sorted(ranked, key=lambda each: -each[0]):  # Python's sort is stable
        hits, misses = hits + (verdict == HIT), misses + (verdict == MISS)
        curve.append((hits / count, hits / max(hits + misses, 1)))

    def largest(recall):
        return max((precision for reached, precision in curve if reached >= recall), default=0)

    if rule == "area":  # each true box that is found adds 1 / count to the recall
        return sum(largest(number / count) for number in range(1, hits + 1)) / count
    return sum(map(largest, RECALLS[rule])) / len(RECALLS[rule])


def _lies_in(area_range, area):
    """Return whether an area lies in (least, most)."""
    return area_range[0] <= area <= area_range[1]


def _voc_verdicts_naive(boxes, true, threshold):
    """Return the verdict of each detection, best first."""
    verdicts, found = [], set()
    for box in boxes:
        best = max(range(len(true["boxes"])), key=lambda b: iou_naive(box, true["boxes"][b]), default=None)
        if best is None or iou_naive(box, true["boxes"][best]) < threshold:
            verdicts.append(MISS)
        elif true["difficult"][best]:
            verdicts.append(IGNORED)
        else:
            verdicts.append(MISS if best in found else HIT)
            found.add(best)
    return verdicts


def _coco_verdicts_naive(boxes, true, threshold, area_range):
    """Return the verdict of each detection, best first. `difficult` are all true boxes that are ignored."""
    verdicts, found = [], set()
    for box in boxes:
        finds = None
        for is_ignored in (False, True):
            largest = min(threshold, 1 - 1e-10)
            for b, other in enumerate(true["boxes"]):
                if finds is not None and true["difficult"][finds] != is_ignored:
                    continue  # it has found a box that counts
                if true["difficult"][b] == is_ignored and (b not in found or true["is_crowd"][b]):
                    iou = _part_naive(box, other) if true["is_crowd"][b] else iou_naive(box, other)
                    if iou >= largest:
                        finds, largest = b, iou
        if finds is None:
            verdicts.append(MISS if _lies_in(area_range, (box[2] - box[0]) * (box[3] - box[1])) else IGNORED)
        else:
            verdicts.append(IGNORED if true["difficult"][finds] else HIT)
            found.add(finds)
    return verdicts


def _part_naive(box, crowd):
    """Return how much of a box lies in a crowd, from 0 to 1."""
    width, height = (min(box[k + 2], crowd[k + 2]) - max(box[k], crowd[k]) for k in (0, 1))
    return width * height / ((box[2] - box[0]) * (box[3] - box[1])) if width > 0 and height > 0 else 0.0
