"""Shares of right answers."""

import numpy as np

from .base import Metric


class CategoricalAccuracy(Metric):
    """The share of predictions whose largest output is the labelled class; one-hot labels."""

    name = "categorical_accuracy"

    def score(self, y_true, y_pred):
        return (y_true.reshape(y_pred.shape)).argmax(axis=-1) == y_pred.argmax(axis=-1)


class SparseCategoricalAccuracy(Metric):
    """The share of predictions whose largest output is the labelled class; integer labels."""

    name = "sparse_categorical_accuracy"

    def score(self, y_true, y_pred):
        best = y_pred.argmax(axis=-1)
        return y_true.reshape(best.shape) == best


class BinaryAccuracy(Metric):
    """The share of outputs on the right side of `threshold`."""

    name = "binary_accuracy"

    def __init__(self, threshold=0.5):
        super().__init__()
        self.threshold = threshold

    def score(self, y_true, y_pred):
        return (y_true.reshape(y_pred.shape) > 0.5) == (y_pred > self.threshold)


class TopKCategoricalAccuracy(Metric):
    """The share of predictions whose class is among the k largest outputs; one-hot labels."""

    name = "top_k_categorical_accuracy"

    def __init__(self, k=5):
        super().__init__()
        self.k = k

    def score(self, y_true, y_pred):
        own = np.take_along_axis(y_pred, y_true.reshape(y_pred.shape).argmax(axis=-1)[..., None], axis=-1)
        return (y_pred > own).sum(axis=-1) < self.k
