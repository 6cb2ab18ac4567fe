"""Accuracies: the share of predictions that are right."""

import numpy as np

from ..arguments import number, truth_value, whole_number
from .base import NamedMetric


class Accuracy(NamedMetric):
    """The share of predicted numbers that are equal to the label."""

    name = "accuracy"
    larger_is_better = True

    def score(self, y_true, y_pred):
        """Return whether each number is the label."""
        return y_true.reshape(y_pred.shape) == y_pred


class CategoricalAccuracy(NamedMetric):
    """The share of predictions whose largest output is the labelled class, for one-hot labels."""

    name = "categorical_accuracy"
    larger_is_better = True

    def score(self, y_true, y_pred):
        """Return whether each prediction is right."""
        return (y_true.reshape(y_pred.shape)).argmax(axis=-1) == y_pred.argmax(axis=-1)


class SparseCategoricalAccuracy(NamedMetric):
    """The share of predictions whose largest output is the labelled class, for integer labels."""

    name = "sparse_categorical_accuracy"
    larger_is_better = True

    def score(self, y_true, y_pred):
        """Return whether each prediction is right."""
        best = y_pred.argmax(axis=-1)
        return y_true.reshape(best.shape) == best


class BinaryAccuracy(NamedMetric):
    """The share of outputs on the right side of `threshold`: above it for the label 1, else for the label 0. For a
    label in between, such as 0.7, no output is right."""

    name = "binary_accuracy"
    larger_is_better = True

    def __init__(self, name=None, dtype=None, threshold=0.5):
        super().__init__(name, dtype)
        self.threshold = number(threshold, "threshold", -1e30, 1e30)

    def score(self, y_true, y_pred):
        """Return whether each output is on the right side."""
        return y_true.reshape(y_pred.shape) == (y_pred > self.threshold)


class SparseTopKCategoricalAccuracy(NamedMetric):
    """The share of predictions with the labelled class among the k largest outputs, for integer labels.

    from_sorted_ids   True: predictions are no outputs, but the numbers of the classes, the best one first
    """

    name = "sparse_top_k_categorical_accuracy"
    larger_is_better = True

    def __init__(self, k=5, name=None, dtype=None, from_sorted_ids=False):
        super().__init__(name, dtype)
        self.k, self.from_sorted_ids = whole_number(k, "k"), truth_value(from_sorted_ids, "from_sorted_ids")

    def score(self, y_true, y_pred):
        """Return whether fewer than k outputs are larger than that of the labelled class."""
        if self.from_sorted_ids:
            return (y_true.reshape(*y_pred.shape[:-1], 1) == y_pred[..., : self.k]).any(axis=-1)
        classes = y_true.reshape(y_pred.shape[:-1]).astype(np.int64)[..., None]
        labelled = np.take_along_axis(y_pred, classes, axis=-1)  # the output of the labelled class
        return (y_pred > labelled).sum(axis=-1) < self.k


class TopKCategoricalAccuracy(NamedMetric):
    """The share of predictions with the labelled class among the k largest outputs, for one-hot labels."""

    name = "top_k_categorical_accuracy"
    larger_is_better = True

    def __init__(self, k=5, name=None, dtype=None):
        super().__init__(name, dtype)
        self.k = whole_number(k, "k")

    def score(self, y_true, y_pred):
        """Return whether fewer than k outputs are larger than that of the labelled class."""
        classes = y_true.reshape(y_pred.shape).argmax(axis=-1)[..., None]
        labelled = np.take_along_axis(y_pred, classes, axis=-1)  # the output of the labelled class
        return (y_pred > labelled).sum(axis=-1) < self.k
