"""The evaluation of a detector: how well it finds boxes, what it overlooks, and how far to trust these figures.

*Average precision* goes through the found boxes of a class from the best score down (`metrics.average_precision`). The
mean over the classes is known as mAP. Here a box is found if its IoU with the true one is 0.5 or more (Pascal VOC).
COCO's figure is the mean over ten such limits, 0.5 to 0.95: it is much lower, as it wants boxes that fit closely.

How sure is it? Photographs are drawn from those at hand, with replacement, as many as there are, and the figure is
computed for these, 200 times. The middle 95 % of the results are the interval (the *bootstrap*, Efron 1979). Whole
photographs are drawn: boxes in one photograph are found or overlooked together. No box has to be compared again: what
is a hit in a photograph stays one, and each draw only changes how often it counts.

A program that shows boxes needs a score from which on a box is shown. `counts` says what is found, missed and wrong
at this score.
"""

from functools import cached_property

import numpy as np

from ...arguments import number
from ...errors import DataError
from ...metrics import coco_average_precision
from ...metrics.average_precision import HIT, MISS, average_of_curve, voc_verdicts
from ...metrics.detections import REQUIRED, checked_images, rows_of
from ...terminal import counted, printable, table, wrapped

IOU = 0.5  # from which on a box is found
DRAWS = 200  # of the bootstrap
MOST_LISTED = 10  # photographs with the most mistakes


class BoxEvaluation:
    """Detections beside the true boxes: the figures that follow from both.

    It is made from detections and labels, lists of a dict for each image (`metrics.detections`; classes are positions
    in the class names), the names of the classes and of the images, and the score from which on a box counts as shown.
    Boxes that are difficult or a crowd neither count nor hurt. Printed, it shows all figures as tables.

    mean_average_precision, average_precision (classes,), interval, coco_average_precision, coco (classes,)
    counts         (classes, 3): found, missed and wrong boxes at the score;   by_image   the same (images, 3)
    curve(k)       (recall, precision) of a class after each detection
    worst(count)   the positions of the images with the most mistakes

    Figures are None (NaN in arrays) where a class has no true box.
    """

    def __init__(self, detections, labels, class_names, names=None, score=0.5):
        self.detections = [_plain(each) for each in checked_images(detections, "detections")]
        self.labels = checked_images(labels, "labels")
        self.class_names, self.score = list(class_names), number(score, "score", 0, 1)
        if len(self.detections) != len(self.labels) or not self.labels:
            raise DataError(
                f"there are detections of {len(self.detections)} images and labels of {len(self.labels)}; expected as "
                "many, and some."
            )
        for image in (*self.detections, *self.labels):
            classes = image["classes"]
            is_whole = classes.dtype.kind in "iu"
            if len(classes) and not (is_whole and 0 <= classes.min() <= classes.max() < len(class_names)):
                raise DataError(
                    f"classes are {classes.tolist()[:5]}; expected positions in the {len(class_names)} class names."
                )
        self.names = [str(i) for i in range(len(self.labels))] if names is None else list(names)

    def __repr__(self):
        return (
            f"<BoxEvaluation of {counted(len(self.labels), 'image')} with {self.boxes.sum():,} boxes of "
            f"{counted(len(self.class_names), 'class')}: mean average precision {_shown(self.mean_average_precision)}>"
        )

    # ---- the verdict on each detection ----

    @cached_property
    def _judged(self):
        """The detections of each class, best first, as a list of (scores (D,), verdicts (D,), images (D,))."""
        judged = []
        for k in range(len(self.class_names)):
            parts = []
            for n, (found, true) in enumerate(zip(self.detections, self.labels)):
                found = rows_of(found, found["classes"] == k)
                if not len(found["scores"]):
                    continue
                found = rows_of(found, np.argsort(-found["scores"], kind="stable"))
                true = rows_of(true, true["classes"] == k)
                verdicts = voc_verdicts(found["boxes"], true["boxes"], true["difficult"] | true["is_crowd"], IOU)
                parts.append((found["scores"], verdicts, np.full(len(verdicts), n)))
            columns = [np.concatenate(column) for column in zip(*parts)] if parts else [np.zeros(0, int)] * 3
            order = np.argsort(-columns[0], kind="stable")
            judged.append(tuple(column[order] for column in columns))
        return judged

    @cached_property
    def _true(self):
        """The number of true boxes that count, of each image and class: (N, classes)."""
        counted_boxes = [each["classes"][~(each["difficult"] | each["is_crowd"])] for each in self.labels]
        return np.stack([np.bincount(classes, minlength=len(self.class_names)) for classes in counted_boxes])

    @property
    def boxes(self):
        """Return the number of true boxes of each class that count."""
        return self._true.sum(axis=0)

    def curve(self, k, times=None):
        """Return (recall, precision) of a class after each of its detections, best first: two arrays (D,).

        times   (N,), how often each image counts (None: once). Both are empty for a class without true boxes
        """
        times = np.ones(len(self.labels)) if times is None else times
        _, verdicts, images = self._judged[k]
        count = times @ self._true[:, k]
        if not count:
            return np.zeros(0), np.zeros(0)
        hits = np.cumsum(times[images] * (verdicts == HIT))
        misses = np.cumsum(times[images] * (verdicts == MISS))
        return hits / count, hits / np.maximum(hits + misses, 1)

    # ---- average precision ----

    def _average_precision(self, times=None):
        """Return the average precision of each class, NaN without true boxes."""
        has_boxes = self.boxes > 0 if times is None else times @ self._true > 0
        found = [
            average_of_curve(*self.curve(k, times), "area") if has_boxes[k] else np.nan
            for k in range(len(self.class_names))
        ]
        return np.array(found)

    @cached_property
    def average_precision(self):
        """The average precision of each class at an IoU of 0.5, as VOC has it since 2010. NaN without boxes."""
        return self._average_precision()

    @property
    def mean_average_precision(self):
        """The mean over the classes that have boxes; None if none has."""
        return _mean(self.average_precision)

    @cached_property
    def interval(self):
        """The 95 % interval (low, high) of the mean average precision, by drawing images; None without boxes.

        A draw in which a class has no box leaves this class out. A draw without any box does not count.
        """
        rng, count = np.random.default_rng(0), len(self.labels)
        drawn = (np.bincount(rng.integers(count, size=count), minlength=count).astype(float) for _ in range(DRAWS))
        means = [mean for times in drawn if (mean := _mean(self._average_precision(times))) is not None]
        return None if not means or not self.boxes.any() else tuple(np.quantile(means, (0.025, 0.975)).tolist())

    @cached_property
    def coco(self):
        """COCO's average precision of each class: the mean over IoUs of 0.5 to 0.95. NaN without boxes."""
        labels = [
            {"boxes": each["boxes"], "classes": each["classes"], "is_crowd": each["difficult"] | each["is_crowd"]}
            for each in self.labels
        ]
        found = coco_average_precision(self.detections, labels, range(len(self.class_names)))
        values = np.array([found.per_class[k] for k in range(len(self.class_names))])
        return np.where(values < 0, np.nan, values)

    @property
    def coco_average_precision(self):
        """The mean of `coco` over the classes that have boxes; None if none has."""
        return _mean(self.coco)

    # ---- what is shown at the score ----

    @cached_property
    def _counts(self):
        """The number of found, missed and wrong boxes at the score: (N, classes, 3)."""
        counts = np.zeros((len(self.labels), len(self.class_names), 3), int)
        for k, (scores, verdicts, images) in enumerate(self._judged):
            is_shown = scores >= self.score
            for place, verdict in (0, HIT), (2, MISS):
                chosen = images[is_shown & (verdicts == verdict)]
                counts[:, k, place] = np.bincount(chosen, minlength=len(counts))
        counts[:, :, 1] = self._true - counts[:, :, 0]
        return counts

    @property
    def counts(self):
        """The number of found, missed and wrong boxes of each class at the score: (classes, 3)."""
        return self._counts.sum(axis=0)

    @property
    def by_image(self):
        """The number of found, missed and wrong boxes in each image at the score: (N, 3)."""
        return self._counts.sum(axis=1)

    def worst(self, count=MOST_LISTED):
        """Return the positions of the images with the most missed and wrong boxes, the worst one first."""
        mistakes = self.by_image[:, 1:].sum(axis=1)
        order = np.argsort(-mistakes, kind="stable")[:count]
        return order[mistakes[order] > 0]

    # ---- as text and as data ----

    def __str__(self):
        """Return the figures as tables for people."""
        images = counted(len(self.labels), "image")
        line = f"mean average precision {_shown(self.mean_average_precision)} at an IoU of {IOU} on {images}"
        if self.interval is not None:
            line += " (95% interval {:.3f} to {:.3f})".format(*self.interval)
        lines = [wrapped(line), f"COCO's, over IoUs of 0.5 to 0.95: {_shown(self.coco_average_precision)}", ""]
        rows = [["class", "boxes", "AP", "COCO's", "found", "missed", "wrong"]]
        for k, name in enumerate(self.class_names):
            figures = _shown(self.average_precision[k]), _shown(self.coco[k])
            rows.append([name, f"{self.boxes[k]:,}", *figures, *(f"{count:,}" for count in self.counts[k])])
        lines += [printable(table(rows)), ""]
        line = f"AP: average precision. Found, missed and wrong count boxes with scores from {self.score:g} on."
        lines.append(wrapped(line))
        worst = self.worst()
        if len(worst):
            rows = [["image", "found", "missed", "wrong"]]
            rows += [[self.names[n], *self.by_image[n]] for n in worst]
            lines += ["", "The images with the most mistakes:", printable(table(rows))]
        return "\n".join(lines)

    def as_data(self):
        """Return all figures, as JSON can hold them."""
        return {
            "pictures": len(self.labels),
            "boxes": int(self.boxes.sum()),
            "mean_average_precision": self.mean_average_precision,
            "mean_average_precision_interval": None if self.interval is None else list(self.interval),
            "coco_average_precision": self.coco_average_precision,
            "average_precision_by_class": dict(zip(self.class_names, map(_figure, self.average_precision))),
            "coco_average_precision_by_class": dict(zip(self.class_names, map(_figure, self.coco))),
            "score": self.score,
            "classes": {
                name: dict(zip(("boxes", "found", "missed", "wrong"), (int(self.boxes[k]), *self.counts[k].tolist())))
                for k, name in enumerate(self.class_names)
            },
            "worst": [[self.names[n], *self.by_image[n].tolist()] for n in self.worst()],
        }


def _plain(image):
    """Return the boxes, scores and classes of the detections of one image."""
    return {name: image[name] for name in REQUIRED["detections"]}


def labels_of(photo):
    """Return the true boxes of a `data.BoxedPhoto` as `BoxEvaluation` takes them."""
    return {"boxes": photo.boxes, "classes": photo.labels, "difficult": photo.difficult, "is_crowd": photo.crowd}


def _mean(figures):
    """Return the mean of the numbers that are not NaN, or None."""
    figures = figures[~np.isnan(figures)]
    return float(figures.mean()) if len(figures) else None


def _figure(value):
    """Return a number as a float, and NaN as None."""
    return None if np.isnan(value) else float(value)


def _shown(value):
    """Return a figure as text."""
    return "-" if value is None or np.isnan(value) else f"{value:.3f}"
