"""The evaluation of a segmentation: how many pixels are right, class by class, and how far to trust the figures.

All figures come from one table of counts over all images (`metrics.iou`): confusion[i, j] pixels have the label i and
the prediction j. The IoU of a class is the number of pixels that are labelled and predicted as it, divided by the
number of those that are one of the two. The mean IoU is the mean over the classes that occur in labels or predictions.

**Intervals.** A million pixels are not a million observations: those of one image are right or wrong together. So the
images are drawn anew, as many as there are, with replacement, and the figure is computed from the sums of their counts.
The middle 95 % of a thousand such figures are the interval (the *bootstrap* of Efron 1979). With few images it is a
little too narrow, and one image alone has none.

For each image three counts a class are kept: pixels that are right, labelled, and predicted. They give accuracy and
IoU, and their sums over images do so too.
"""

from functools import cached_property

import numpy as np

from ...errors import DataError
from ...metrics.iou import iou_from_confusion, pixel_accuracy
from ...terminal import columns, counted, printable, table

DRAWS = 1000  # of the bootstrap
WORST = 10  # images that are listed
NARROW_CELL = 7  # characters of a cell in the table of confusions: " 12.3%"


class PixelEvaluation:
    """The pixels of predicted masks beside those of the labels: all figures that follow from both.

    It is made from the confusion of each image (classes, classes), whole numbers as `metrics.iou.pixel_confusion` gives
    them, the names of the classes, and the names of the images. Printed, it shows all figures as tables.

    confusion                           (classes, classes), of all images: a row for each label
    pixel_accuracy, mean_iou            numbers;   pixel_accuracy_interval, mean_iou_interval   (low, high), or None
    iou (classes,)                      NaN for a class that does not occur;   iou_intervals (classes, 2)
    iou_by_class                        {name: IoU, or None for a class that does not occur}
    worst(count)                        the images with the lowest IoU
    """

    def __init__(self, confusions, class_names, names=None, seed=0):
        self.class_names, self.seed = list(class_names), seed
        classes = len(self.class_names)
        self.confusion, counts = np.zeros((classes, classes), np.int64), []
        for each in confusions:
            each = np.asarray(each)
            if each.shape != (classes, classes) or each.dtype.kind not in "iu":
                raise DataError(
                    f"a confusion is {each.dtype} of shape {each.shape}; expected whole numbers ({classes}, {classes}) "
                    f"for the classes {', '.join(self.class_names)}."
                )
            self.confusion += each
            counts.append([each.diagonal(), each.sum(axis=1), each.sum(axis=0)])
        if not counts:
            raise DataError("there is no image to evaluate on.")
        self.counts = np.array(counts, np.int64)  # (images, right labelled predicted, classes)
        self.names = [str(i) for i in range(len(counts))] if names is None else list(names)
        if len(self.names) != len(counts):
            raise DataError(f"there are {len(counts)} images and {len(self.names)} names; expected a name for each.")

    def __repr__(self):
        return (
            f"<PixelEvaluation of {counted(len(self.counts), 'image')} and {len(self.class_names)} classes: mean IoU "
            f"{self.mean_iou:.3f}, pixel accuracy {self.pixel_accuracy:.3f}>"
        )

    @property
    def pixel_accuracy(self):
        """Return the share of labelled pixels that are right."""
        return pixel_accuracy(self.confusion)

    @property
    def iou(self):
        """Return the IoU of each class (classes,); NaN for a class that occurs neither in labels nor predictions."""
        return iou_from_confusion(self.confusion)

    @property
    def mean_iou(self):
        """Return the mean IoU over the classes that occur; 0 if none does."""
        return float(_mean_iou(self.counts.sum(axis=0)))

    @property
    def iou_by_class(self):
        """Return {name of a class: its IoU, or None if it does not occur}."""
        return {name: _number(iou) for name, iou in zip(self.class_names, self.iou)}

    @cached_property
    def _drawn(self):
        """Return the counts of all classes in each drawn set of images: (DRAWS, 3, classes)."""
        rng, images = np.random.default_rng(self.seed), len(self.counts)
        times = rng.multinomial(images, np.full(images, 1 / images), DRAWS)  # how often each image is drawn
        return (times @ self.counts.reshape(images, -1)).reshape(DRAWS, *self.counts.shape[1:])

    @property
    def pixel_accuracy_interval(self):
        """Return the 95 % interval (low, high) of the pixel accuracy, or None for one image."""
        right, labelled, _ = self._drawn.sum(axis=2).T
        is_labelled = labelled > 0
        return self._interval(right[is_labelled] / labelled[is_labelled])

    @property
    def mean_iou_interval(self):
        """Return the 95 % interval (low, high) of the mean IoU, or None for one image."""
        is_labelled = self._drawn[:, 1].any(axis=1)
        return self._interval(_mean_iou(self._drawn[is_labelled]))

    @cached_property
    def iou_intervals(self):
        """Return the 95 % interval of each class's IoU, (classes, 2); NaN for a class that does not occur, and for one
        image. Sets of images without the class do not count."""
        found = np.full((len(self.class_names), 2), np.nan)
        for label, ious in enumerate(_iou(self._drawn).T):
            ious = ious[~np.isnan(ious)]
            if len(ious) and len(self.counts) > 1:
                found[label] = np.percentile(ious, [2.5, 97.5])
        return found

    def _interval(self, figures):
        """Return the middle 95 % of the figures of drawn sets of images, or None for one image. Without those in which
        nothing is labelled."""
        if len(self.counts) < 2 or not len(figures):
            return None
        return tuple(float(limit) for limit in np.percentile(figures, [2.5, 97.5]))

    def worst(self, count=WORST):
        """Return the images with the lowest mean IoU over the classes that occur in them, as (name, mean IoU, share of
        right pixels), the lowest first. Images without a labelled pixel are left out."""
        return [(self.names[k], *figures) for k, figures in self.worst_places(count)]

    def worst_places(self, count=None):
        """Return [(position of an image, (mean IoU, share of right pixels))], the lowest mean IoU first."""
        right, labelled, _ = self.counts.sum(axis=2).T
        ious = _mean_iou(self.counts)
        order = [k for k in np.argsort(ious, kind="stable").tolist() if labelled[k]]
        return [(k, (float(ious[k]), float(right[k] / labelled[k]))) for k in order[:count]]

    def __str__(self):
        """Return the figures as tables for people."""
        images, occur = len(self.counts), int((~np.isnan(self.iou)).sum())
        lines = [
            f"mean IoU {self.mean_iou:.3f} of {counted(occur, 'class')} on {counted(images, 'image')}"
            f"{_words_of(self.mean_iou_interval)}",
            f"{self.pixel_accuracy:.1%} of {self.confusion.sum():,} labelled pixels are right"
            f"{_words_of(self.pixel_accuracy_interval, '.1%')}",
        ]
        if images > 1:
            lines.append("The intervals (95%) are those of drawing the images anew.")
        rows = [["class", "of labels", "of predictions", "IoU", "95% interval"]]
        total = max(1, int(self.confusion.sum()))
        for k, name in enumerate(self.class_names):
            low, high = self.iou_intervals[k]
            shares = [f"{self.confusion.sum(axis=axis)[k] / total:.1%}" for axis in (1, 0)]
            iou = "" if np.isnan(self.iou[k]) else f"{self.iou[k]:.3f}"
            rows.append([name, *shares, iou, "" if np.isnan(low) else f"{low:.3f} to {high:.3f}"])
        lines += ["", printable(table(rows)), "", *self._confusion_lines()]
        if images > 1:
            rows = [["image", "mean IoU", "right pixels"]]
            rows += [[name, f"{iou:.3f}", f"{right:.1%}"] for name, iou, right in self.worst()]
            lines += ["", "The worst images:", printable(table(rows))]
        return "\n".join(lines)

    def _confusion_lines(self):
        """Return the confusion as lines, in shares of the label's pixels. Where the table does not fit: the classes
        that were confused most often."""
        names = [printable(name) for name in self.class_names]
        shares = self.confusion / np.maximum(self.confusion.sum(axis=1, keepdims=True), 1)
        width = max(map(len, names)) + sum(max(len(name), NARROW_CELL) + 2 for name in names)
        if width <= columns():
            cells = [[f"{share:.1%}" if share else "." for share in row] for row in shares]
            rows = [["", *names], *([name, *row] for name, row in zip(names, cells))]
            return ["Labels (rows) and predictions (columns), as shares of the label's pixels:", table(rows)]
        pairs = self.confused()
        if not pairs:
            return ["No class was taken for another one."]
        rows = [["label", "taken for", "of the label", "of all"]]
        rows += [[label, other, f"{share:.1%}", f"{of_all:.1%}"] for label, other, share, of_all in pairs]
        return ["The classes that were confused most often:", printable(table(rows))]

    def confused(self, count=10):
        """Return the pairs of classes with the most confused pixels, as (label, prediction, share of the label's
        pixels, share of all pixels)."""
        totals, everything = self.confusion.sum(axis=1), max(1, int(self.confusion.sum()))
        wrong = self.confusion * (1 - np.eye(len(self.class_names), dtype=np.int64))
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        return [
            (self.class_names[i], self.class_names[j], float(wrong[i, j] / totals[i]), float(wrong[i, j] / everything))
            for i, j in zip(*np.unravel_index(order, wrong.shape))
            if wrong[i, j]
        ]

    def as_data(self):
        """Return all figures, as JSON can hold them. A figure that does not exist is None."""
        intervals = {
            name: None if np.isnan(limits).any() else [float(limit) for limit in limits]
            for name, limits in zip(self.class_names, self.iou_intervals)
        }
        return {
            "pictures": len(self.counts),
            "labelled_pixels": int(self.confusion.sum()),
            "class_names": self.class_names,
            "pixel_accuracy": self.pixel_accuracy,
            "pixel_accuracy_interval": _listed(self.pixel_accuracy_interval),
            "mean_iou": self.mean_iou,
            "mean_iou_interval": _listed(self.mean_iou_interval),
            "iou_by_class": self.iou_by_class,
            "iou_by_class_interval": intervals,
            "confusion": self.confusion.tolist(),
            "worst": [list(each) for each in self.worst()],
        }


def _iou(counts):
    """Return the IoU of each class (..., classes) from counts (..., right labelled predicted, classes); NaN where a
    class does not occur."""
    right, labelled, predicted = np.moveaxis(counts, -2, 0)
    one_of_them = labelled + predicted - right
    return np.where(one_of_them > 0, right / np.maximum(one_of_them, 1), np.nan)


def _mean_iou(counts):
    """Return the mean IoU (...) over the classes that occur, from counts (..., 3, classes); 0 if none does."""
    ious = _iou(counts)
    occurs = ~np.isnan(ious)
    return np.where(occurs, ious, 0).sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1)


def _number(figure):
    return None if np.isnan(figure) else float(figure)


def _listed(interval):
    return None if interval is None else list(interval)


def _words_of(interval, form=".3f"):
    """Return an interval behind a figure, as text."""
    return "" if interval is None else f" ({interval[0]:{form}} to {interval[1]:{form}})"
