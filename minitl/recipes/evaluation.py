"""What a classifier gets right, what it gets wrong, and how far to trust the figures.

An accuracy measured on 150 pictures is known to about 4 %: `accuracy_interval` says so. Where the mistakes lie is what
one can act on: `confusion` and the per-class figures name the classes, `mistakes` the pictures, most confident first,
because those are most often wrong labels or wrong crops. `calibration` asks whether the probabilities mean what they
say: of the pictures that the model is 90 % sure of, are 90 % right?
"""

import math
from functools import cached_property

import numpy as np

from ..errors import DataError
from ..terminal import printable, table


class Evaluation:
    """Labels (N,), the model's probabilities (N, classes), and what the classes are called; `names` of the pictures, if
    they have any.

    confusion        (classes, classes): row true, column predicted
    accuracy, accuracy_interval, precision, recall, f1 (classes,), top_k(k), calibration, surest, mistakes(count)

    Printed, it shows all of them as tables.
    """

    def __init__(self, labels, probabilities, class_names, names=None):
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
        self.predicted = probabilities.argmax(axis=1)

    @cached_property
    def confusion(self):
        classes = len(self.class_names)
        return np.bincount(self.labels * classes + self.predicted, minlength=classes**2).reshape(classes, classes)

    @property
    def accuracy(self):
        return float(np.mean(self.predicted == self.labels))

    @property
    def accuracy_interval(self):
        """Return (low, high): where the true accuracy lies with 95 % confidence."""
        return wilson_interval(self.accuracy, len(self.labels))

    @property
    def precision(self):
        """Return for each class k the share that are k of the pictures called k. NaN where none was called so."""
        return _share(self.confusion.diagonal(), self.confusion.sum(axis=0))

    @property
    def recall(self):
        """Return for each class k the share that were called k of the pictures of k. NaN for a class without
        pictures."""
        return _share(self.confusion.diagonal(), self.confusion.sum(axis=1))

    @property
    def f1(self):
        """Return the harmonic mean of precision and recall: 2 right / (called k + pictures of k)."""
        return _share(2 * self.confusion.diagonal(), self.confusion.sum(axis=0) + self.confusion.sum(axis=1))

    def top_k(self, k):
        """Return the share of pictures whose true class is among the k most probable ones."""
        best = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :k]
        return float((best == self.labels[:, None]).any(axis=1).mean())

    def calibration(self, bins=10):
        """Return (expected calibration error, rows): rows of (from, to, pictures, mean probability, accuracy) for the
        pictures whose highest probability lies in a bin; the error is the mean gap between the last two, weighted by
        pictures. Guo et al. 2017."""
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
        """Return the positions of the pictures that were called rightly (`right`), or wrongly, the most confident
        first."""
        chosen = np.flatnonzero((self.predicted == self.labels) == right)
        return chosen[np.argsort(-self.probabilities[chosen, self.predicted[chosen]], kind="stable")][:count]

    def mistakes(self, count=10):
        """Return the most confident mistakes, as (name, true class, predicted class, its probability)."""
        return [
            (self.names[i], self.class_names[self.labels[i]], self.class_names[self.predicted[i]],
             float(self.probabilities[i, self.predicted[i]]))
            for i in self.surest(right=False, count=count)
        ]  # fmt: skip

    def __str__(self):
        """Return the figures as tables for people."""
        low, high = self.accuracy_interval
        count, names = len(self.labels), self.class_names
        lines = [f"accuracy {self.accuracy:.3f} on {count:,} pictures (95% interval {low:.3f} to {high:.3f})"]
        if len(names) > 3:
            lines.append(f"the right class among the first three: {self.top_k(3):.3f}")
        rows = [["class", "pictures", "precision", "recall", "f1"]]
        for k, name in enumerate(names):
            figures = [each[k] for each in (self.precision, self.recall, self.f1)]
            shown = ["" if np.isnan(figure) else f"{figure:.3f}" for figure in figures]
            rows.append([name, int(self.confusion[k].sum()), *shown])
        lines += ["", printable(table(rows))]
        lines += ["", "True class (rows) and what it was called (columns):"]
        rows = [["", *names], *([name, *counts] for name, counts in zip(names, self.confusion))]
        lines.append(printable(table(rows)))
        error, bins = self.calibration()
        lines += ["", f"Calibration error {error:.3f}. When it is so sure (mean), it is right so often:"]
        rows = [["probability", "pictures", "mean", "right"]]
        rows += [[f"{a:.1f} to {b:.1f}", n, f"{mean:.3f}", f"{right:.3f}"] for a, b, n, mean, right in bins]
        lines.append(table(rows))
        if mistakes := self.mistakes():
            rows = [["picture", "is", "was called", "with"]]
            rows += [[name, true, said, f"{p:.3f}"] for name, true, said, p in mistakes]
            lines += ["", "The most confident mistakes:", printable(table(rows))]
        return "\n".join(lines)

    def as_data(self):
        """Return everything as JSON can hold it."""
        low, high = self.accuracy_interval
        error, rows = self.calibration()
        return {
            "pictures": len(self.labels),
            "accuracy": self.accuracy,
            "accuracy_interval": [low, high],
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


def wilson_interval(share, count, z=1.96):
    """Return Wilson's interval (95 % for z = 1.96) for a share measured on `count` pictures. Unlike share +- z sigma it
    stays within 0 and 1, and is right for few pictures too."""
    centre = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (centre - spread) / (1 + z * z / count), (centre + spread) / (1 + z * z / count)


def paired_interval(right, other_right, z=1.96):
    """Return (difference, low, high) of two accuracies on the same pictures, with its interval (95 % for z = 1.96).

    right, other_right   (N,) bool: was the picture classified right by the one, by the other?

    Most pictures are right, or wrong, with both, and say nothing about the difference; so it is known far better than
    either accuracy. One more half picture of each of the four kinds makes the interval right for few pictures too
    (Agresti & Min 2005).
    """
    count = len(right) + 2
    gained = (np.count_nonzero(right & ~other_right) + 0.5) / count
    lost = (np.count_nonzero(other_right & ~right) + 0.5) / count
    centre, spread = gained - lost, z * math.sqrt((gained + lost - (gained - lost) ** 2) / count)
    return float(np.mean(right) - np.mean(other_right)), centre - spread, centre + spread


def _share(part, whole):
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
