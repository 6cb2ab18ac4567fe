"""Yes-or-no metrics from counts of right and wrong answers: precision, recall, and the counts themselves.

An output above a threshold is a yes. With one number for each threshold:

    true positives    labelled yes, and a yes       false negatives    labelled yes, and a no
    false positives   labelled no, and a yes        true negatives     labelled no, and a no

    precision = TP / (TP + FP)    the share of the yeses that are right
    recall = TP / (TP + FN)       the share of the labelled ones that are found

The counts are added up over all batches first, and divided at the end; 0 / 0 counts as 0, as in Keras.
"""

import numpy as np

from ..arguments import number, whole_number
from ..errors import DataError
from .base import NamedMetric, number_type, spread


class _Counts(NamedMetric):
    """The base of the metrics below: the four counts for each of `thresholds`."""

    larger_is_better = True
    default_threshold = 0.5
    top_k = class_id = None
    rows: tuple = (0, 1, 2, 3)  # of the four counts: those that the metric is made from

    def __init__(self, thresholds=None, name=None, dtype=None):
        given = self.default_threshold if thresholds is None else thresholds
        self.thresholds = thresholds
        several = given if isinstance(given, (list, tuple)) else [given]
        self.limits = np.array([number(each, "thresholds", 0, 1) for each in several], number_type(dtype or self.dtype))
        super().__init__(name, dtype)

    @property
    def variables(self):
        """Return the counts that the metric is made from, as arrays with a number for each threshold."""
        return [self.counts[row] for row in self.rows]

    true_positives = property(lambda self: self.counts[0])
    false_positives = property(lambda self: self.counts[1])
    true_negatives = property(lambda self: self.counts[2])
    false_negatives = property(lambda self: self.counts[3])

    def reset(self):
        """Forget all batches."""
        self.counts = np.zeros((4, len(self.limits)))  # of TP, FP, TN, FN, for each threshold

    def update(self, y_true, y_pred, sample_weight=None):
        """Add a batch of labels 0 and 1 and outputs from 0 to 1. The axes of `sample_weight` are the first axes of the
        labels."""
        y_pred, y_true = np.asarray(y_pred, self.dtype), np.asarray(y_true)
        if y_true.size != y_pred.size:
            raise DataError(
                f"labels have shape {y_true.shape}; metric '{self.name}' expected a 0 or 1 for each output "
                f"{y_pred.shape}. Integer labels of classes become one-hot by minitl.utils.to_categorical."
            )
        if y_true.size and not (y_true.min() >= 0 and y_true.max() <= 1):
            raise DataError(
                f"metric '{self.name}' expected labels 0 and 1, found {y_true.min():.3g} to {y_true.max():.3g}. "
                "Compare them with the label that means yes: (y == yes).astype(int)."
            )
        y_true = y_true.reshape(y_pred.shape) != 0
        if y_pred.size and not (0 <= y_pred.min() and y_pred.max() <= 1):
            raise DataError(
                f"metric '{self.name}' expected outputs from 0 to 1, found {y_pred.min():.3g} to {y_pred.max():.3g}. "
                "End the model with a sigmoid or a softmax."
            )
        if self.class_id is not None and (y_pred.ndim < 2 or self.class_id >= y_pred.shape[-1]):
            raise DataError(
                f"metric '{self.name}' has class_id={self.class_id}; expected outputs (N, classes) that "
                f"have this class, found {y_pred.shape}."
            )
        weight = np.asarray(
            spread(1.0 if sample_weight is None else sample_weight, y_pred.shape, self.name), np.float64
        )
        if self.top_k is not None:  # all outputs but the k largest of a row are no's
            order = np.argsort(-y_pred, axis=-1, kind="stable")[..., : self.top_k]
            kept = np.zeros(y_pred.shape, bool)
            np.put_along_axis(kept, order, True, axis=-1)
            y_pred = np.where(kept, y_pred, -1)
        if self.class_id is not None:
            y_true, y_pred, weight = (each[..., self.class_id] for each in (y_true, y_pred, weight))
        self.count_answers(y_true.reshape(-1), y_pred.reshape(-1), weight.reshape(-1))

    def count_answers(self, is_true, scores, weight):
        """Add the four counts of flat arrays, for all thresholds.

        Scores are sorted once: those above a threshold stand behind the place where it would be put.
        """
        order = np.argsort(scores, kind="stable")
        places = np.searchsorted(scores[order], self.limits, side="right")
        for row, weights in ((0, weight * is_true), (1, weight * ~is_true)):
            sums = np.concatenate([[0], np.cumsum(weights[order])])
            above = sums[-1] - sums[places]
            self.counts[row] += above  # TP and FP
            self.counts[3 - row] += sums[-1] - above  # FN and TN

    def of_each_threshold(self, values):
        """Return one number, or an array of them if several thresholds were given."""
        return values if isinstance(self.thresholds, (list, tuple)) else float(values[0])


class TruePositives(_Counts):
    """The number of true positives."""

    name, row = "true_positives", 0

    @property
    def rows(self):
        return (self.row,)

    def result(self):
        """Return the count."""
        return self.of_each_threshold(self.counts[self.row])


class FalsePositives(TruePositives):
    """The number of false positives."""

    name, row, larger_is_better = "false_positives", 1, False


class TrueNegatives(TruePositives):
    """The number of true negatives."""

    name, row = "true_negatives", 2


class FalseNegatives(TruePositives):
    """The number of false negatives."""

    name, row, larger_is_better = "false_negatives", 3, False


class Precision(_Counts):
    """The share of the yeses that are right: TP / (TP + FP).

    thresholds   0.5, or another number, or a list of them: then the result has a number for each
    top_k        None; or k: only the k largest outputs of a row can be yeses, whatever their size
    class_id     None, or the only class that counts
    """

    name, other = "precision", 1

    @property
    def rows(self):
        return 0, self.other

    def __init__(self, thresholds=None, top_k=None, class_id=None, name=None, dtype=None):
        self.top_k = None if top_k is None else whole_number(top_k, "top_k")
        self.class_id = None if class_id is None else whole_number(class_id, "class_id", 0)
        self.default_threshold = 0.5 if top_k is None else 0.0
        super().__init__(thresholds, name, dtype)

    def result(self):
        """Return the share; 0 if there are none to count."""
        right = self.counts[0]
        return self.of_each_threshold(quotient(right, right + self.counts[self.other]))


class Recall(Precision):
    """The share of the labelled ones that are found: TP / (TP + FN). The arguments are those of `Precision`."""

    name, other = "recall", 3


def quotient(a, b):
    """Return a / b, and 0 where b is 0."""
    b = np.asarray(b)
    return np.where(b == 0, 0, a / np.where(b == 0, 1, b))
