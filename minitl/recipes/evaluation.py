"""The evaluation of a classifier: its accuracy, its mistakes, and how far to trust these figures.

An accuracy that was measured on 150 images is known to about 4 %: `accuracy_interval` has the limits. `confusion` and
the figures of each class show which classes are confused. `mistakes` names the images, the most confident mistakes
first, because these are most often wrong labels or wrong crops. `calibration` compares the probabilities with the
accuracy: of the images that the model predicts with 90 %, are 90 % right?
"""

import math
from functools import cached_property

import numpy as np

from ..errors import DataError
from ..terminal import columns, counted, printable, table, wrapped

UNEVEN = 2  # times as many images in the largest class as in the smallest
MOST_PAIRS = 10  # of confused classes that are listed where the confusion matrix is too wide
KEYS = {"image": "pictures"}  # {noun: the key of the number of examples in JSON}, where it is not the noun's plural


class Evaluation:
    """Predictions of a classifier beside the labels: the figures that follow from both.

    It is made from labels (N,), the model's probabilities (N, classes), the names of the classes and, if they have any,
    the `names` of the images. Printed, it shows all figures as tables. `noun` is the word for an example: "text" of a
    model for texts.

    confusion        (classes, classes): a row for each label, a column for each prediction
    accuracy, accuracy_interval, balanced_accuracy, precision, recall, f1 (classes,), top_k(k), calibration, surest,
    mistakes(count)
    temperature      by which the scores were divided, where it was chosen on these examples; else None
    """

    def __init__(self, labels, probabilities, class_names, names=None, noun="image"):
        labels, probabilities = np.asarray(labels), np.asarray(probabilities)
        classes = len(class_names)
        if probabilities.shape != (len(labels), classes) or labels.ndim != 1 or not len(labels):
            raise DataError(
                f"{labels.shape} labels, probabilities {probabilities.shape} and {classes} class names; expected (N,), "
                "(N, classes) and a name for each class."
            )
        if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= classes:
            raise DataError(
                f"labels are {labels.dtype}, {labels.min()} to {labels.max()}; expected 0 to {classes - 1}."
            )
        if not np.isfinite(probabilities).all():
            raise DataError("the probabilities hold NaN or infinity.")
        self.labels, self.probabilities, self.class_names = labels, probabilities, list(class_names)
        self.names = [str(i) for i in range(len(labels))] if names is None else list(names)
        self.predicted, self.noun, self.temperature = probabilities.argmax(axis=1), noun, None

    def __repr__(self):
        low, high = self.accuracy_interval
        return (
            f"<Evaluation of {counted(len(self.labels), self.noun)} of {len(self.class_names)} classes: accuracy "
            f"{self.accuracy:.3f} ({low:.3f} to {high:.3f})>"
        )

    @cached_property
    def confusion(self) -> np.ndarray:
        """Return the number of images for each label (row) and prediction (column): (classes, classes)."""
        classes = len(self.class_names)
        return np.bincount(self.labels * classes + self.predicted, minlength=classes**2).reshape(classes, classes)

    @property
    def accuracy(self) -> float:
        """Return the share of predictions that are right."""
        return float(np.mean(self.predicted == self.labels))

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """Return the 95 % confidence interval (low, high) of the true accuracy."""
        return wilson_interval(self.accuracy, len(self.labels))

    @property
    def balanced_accuracy(self):
        """Return the mean recall of the classes that have images: the accuracy if all of them had the same number."""
        return float(np.nanmean(self.recall))

    @property
    def is_uneven(self):
        """Return whether the largest class has so many more images than the smallest that accuracy says little of the
        latter."""
        counts = self.confusion.sum(axis=1)
        counts = counts[counts > 0]
        return bool(counts.max() >= UNEVEN * counts.min())

    @property
    def precision(self):
        """Return the share of right predictions among the predictions of each class. NaN for a class without any."""
        return _share(self.confusion.diagonal(), self.confusion.sum(axis=0))

    @property
    def recall(self):
        """Return the share of right predictions among the images of each class. NaN for a class without images."""
        return _share(self.confusion.diagonal(), self.confusion.sum(axis=1))

    @property
    def f1(self):
        """Return the harmonic mean of precision and recall: 2 right / (predictions of the class + images of it)."""
        return _share(2 * self.confusion.diagonal(), self.confusion.sum(axis=0) + self.confusion.sum(axis=1))

    def top_k(self, k):
        """Return the share of images whose label is among the k most probable classes."""
        best = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :k]
        return float((best == self.labels[:, None]).any(axis=1).mean())

    def calibration(self, bins=10):
        """Return (expected calibration error, rows), as in Guo et al. 2017.

        A row is (from, to, images, mean probability, accuracy) of the images whose highest probability lies in a bin.
        The error is the mean gap between the last two, weighted by the number of images.
        """
        sure, right = self.probabilities.max(axis=1), self.predicted == self.labels
        rows, error = [], 0.0
        which = np.clip((sure * bins).astype(int), 0, bins - 1)
        for i in range(bins):
            inside = which == i
            if inside.any():
                rows.append((i / bins, (i + 1) / bins, int(inside.sum()), float(sure[inside].mean()),
                             float(right[inside].mean())))  # fmt: skip
                error += abs(rows[-1][3] - rows[-1][4]) * inside.mean()
        return float(error), rows

    def surest(self, right, count=10):
        """Return the positions of the images with a right (or wrong) prediction, the most confident ones first."""
        chosen = np.flatnonzero((self.predicted == self.labels) == right)
        return chosen[np.argsort(-self.probabilities[chosen, self.predicted[chosen]], kind="stable")][:count]

    def mistakes(self, count=10):
        """Return the most confident mistakes, as (name, label, prediction, probability of the prediction)."""
        return [
            (self.names[i], self.class_names[self.labels[i]], self.class_names[self.predicted[i]],
             float(self.probabilities[i, self.predicted[i]]))
            for i in self.surest(right=False, count=count)
        ]  # fmt: skip

    def __str__(self):
        """Return the figures as tables for people."""
        low, high = self.accuracy_interval
        count, names = len(self.labels), self.class_names
        lines = [f"accuracy {self.accuracy:.3f} on {counted(count, self.noun)} (95% interval {low:.3f} to {high:.3f})"]
        if self.is_uneven:
            lines.append(
                f"balanced accuracy {self.balanced_accuracy:.3f} (the mean recall: each class counts the same)"
            )
        if len(names) > 3:
            lines.append(f"The label is among the three most probable classes: {self.top_k(3):.3f}")
        rows = [["class", f"{self.noun}s", "precision", "recall", "f1"]]
        for k, name in enumerate(names):
            figures = [each[k] for each in (self.precision, self.recall, self.f1)]
            shown = ["" if np.isnan(figure) else f"{figure:.3f}" for figure in figures]
            rows.append([name, int(self.confusion[k].sum()), *shown])
        lines += ["", printable(table(rows))]
        lines += ["", *self._confusion_lines()]
        error, bins = self.calibration()
        lines += ["", f"Calibration error {error:.3f}: mean probability and accuracy, by probability"]
        rows = [["probability", f"{self.noun}s", "mean", "accuracy"]]
        rows += [[f"{a:.1f} to {b:.1f}", n, f"{mean:.3f}", f"{right:.3f}"] for a, b, n, mean, right in bins]
        lines.append(table(rows))
        if self.temperature is not None:
            those = f"chosen on these {self.noun}s"
            lines.append(wrapped(f"(The temperature {self.temperature:.2f} was {those}: the error is too small.)"))
        if self.mistakes():
            lines += ["", "The most confident mistakes:", *self._mistake_lines()]
        return "\n".join(lines)

    def _mistake_lines(self):
        """Return the most confident mistakes as lines."""
        rows = [[self.noun, "label", "prediction", "probability"]]
        rows += [[name, label, predicted, f"{p:.3f}"] for name, label, predicted, p in self.mistakes()]
        return [printable(table(rows))]

    def _confusion_lines(self):
        """Return the confusion matrix as lines. Where it does not fit the terminal: the classes confused most often."""
        names = [printable(name) for name in self.class_names]
        rows = [["", *names], *([name, *counts] for name, counts in zip(names, self.confusion))]
        widths = [max(len(str(row[k])) for row in rows) + 2 for k in range(len(rows[0]))]
        if sum(widths) - 2 <= columns():
            return ["Labels (rows) and predictions (columns):", table(rows)]
        pairs = self.confused(MOST_PAIRS)
        if not pairs:
            return ["No class was taken for another one."]
        rows = [["label", "taken for", f"{self.noun}s", "of the label"]]
        rows += [[label, predicted, count, f"{count / of:.0%}"] for label, predicted, count, of in pairs]
        return ["The classes that were confused most often:", printable(table(rows))]

    def confused(self, count=10):
        """Return the pairs of classes that were confused most often, as (label, prediction, images, images of the
        label)."""
        wrong = self.confusion * (1 - np.eye(len(self.class_names), dtype=int))
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        pairs = [np.unravel_index(place, wrong.shape) for place in order]
        return [
            (self.class_names[i], self.class_names[j], int(wrong[i, j]), int(self.confusion[i].sum()))
            for i, j in pairs
            if wrong[i, j]
        ]

    def as_data(self):
        """Return all figures, as JSON can hold them."""
        low, high = self.accuracy_interval
        error, rows = self.calibration()
        return {
            KEYS.get(self.noun, f"{self.noun}s"): len(self.labels),
            "accuracy": self.accuracy,
            "accuracy_interval": [low, high],
            "balanced_accuracy": self.balanced_accuracy,
            "temperature": self.temperature,
            "top_3": self.top_k(3) if len(self.class_names) > 3 else None,
            "confusion": self.confusion.tolist(),
            "classes": {
                name: {
                    key: None if np.isnan(value) else float(value)
                    for key, value in zip(
                        ("precision", "recall", "f1"), (self.precision[k], self.recall[k], self.f1[k])
                    )
                }
                for k, name in enumerate(self.class_names)
            },  # fmt: skip
            "calibration_error": error,
            "calibration": [list(row) for row in rows],
            "mistakes": [list(mistake) for mistake in self.mistakes()],
        }


def wilson_interval(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """Return Wilson's interval (95 % for z = 1.96) for a share that was measured on `count` images.

    Unlike share +- z sigma, it stays between 0 and 1, and it is right for few images too.
    """
    centre = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (centre - spread) / (1 + z * z / count), (centre + spread) / (1 + z * z / count)


def paired_interval(right: np.ndarray, other_right: np.ndarray, z: float = 1.96) -> tuple[float, float, float]:
    """Return the difference of two accuracies on the same images and its interval: (difference, low, high).

    right, other_right   (N,) bool: the images that the first and the second classifier predict rightly
    z                    1.96 for a 95 % interval

    Both classifiers are right, or both wrong, on most images. These images say nothing about the difference, so the
    difference is known far better than either accuracy. Half an image is added to each of the four cases (both right,
    one right, the other right, both wrong): this makes the interval right for few images too (Agresti & Min 2005).
    """
    count = len(right) + 2
    gained = (np.count_nonzero(right & ~other_right) + 0.5) / count
    lost = (np.count_nonzero(other_right & ~right) + 0.5) / count
    centre, spread = gained - lost, z * math.sqrt((gained + lost - (gained - lost) ** 2) / count)
    return float(np.mean(right) - np.mean(other_right)), centre - spread, centre + spread


def _share(part, whole):
    """Return part / whole, with NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
