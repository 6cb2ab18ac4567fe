"""Metrics of quantities: how far predictions are off. Each is the mean over all predictions, or the root of it."""

import math

import numpy as np

from ..arguments import DTYPE, keras_arguments
from ..losses.base import LAST_AXIS
from .base import Metric


class _OfDifferences(Metric):
    """The base: the mean of `error` along the last axis, then over all predictions."""

    larger_is_better = False

    @keras_arguments(after="name", dtype=DTYPE)
    def __init__(self, name=None):
        super().__init__(name=name)

    def score(self, y_true, y_pred):
        """Return the mean error of each prediction."""
        errors = self.error(np.asarray(y_true, np.float64).reshape(y_pred.shape), y_pred.astype(np.float64))
        return errors.mean(axis=-1) if errors.ndim > 1 else errors


class MeanSquaredError(_OfDifferences):
    """mean((y_pred - y_true)^2)."""

    name = "mean_squared_error"

    def error(self, y_true, y_pred):
        """Return the squared differences."""
        return (y_pred - y_true) ** 2


class RootMeanSquaredError(MeanSquaredError):
    """The root of the mean squared error: in the unit of the labels."""

    name = "root_mean_squared_error"

    def result(self):
        """Return the root of the mean over all batches."""
        return math.sqrt(super().result())


class MeanAbsoluteError(_OfDifferences):
    """mean(|y_pred - y_true|)."""

    name = "mean_absolute_error"

    def error(self, y_true, y_pred):
        """Return the absolute differences."""
        return np.abs(y_pred - y_true)


class MeanAbsolutePercentageError(_OfDifferences):
    """100 mean(|y_pred - y_true| / |y_true|), where labels below 1e-7 count as 1e-7."""

    name = "mean_absolute_percentage_error"

    def error(self, y_true, y_pred):
        """Return the differences in percent of the labels."""
        return 100 * np.abs((y_pred - y_true) / np.maximum(np.abs(y_true), 1e-7))


class CosineSimilarity(Metric):
    """The cosine of the angle between label and prediction along the last axis: 1 for the same direction."""

    name = "cosine_similarity"
    larger_is_better = True

    @keras_arguments(after="name", dtype=DTYPE, axis=LAST_AXIS)
    def __init__(self, name=None):
        super().__init__(name=name)

    def score(self, y_true, y_pred):
        """Return the cosine of each prediction; 0 where a vector is 0."""

        def unit(x):
            return x / np.sqrt(np.maximum((x * x).sum(axis=-1, keepdims=True), 1e-7))

        return (unit(np.asarray(y_true, np.float64).reshape(y_pred.shape)) * unit(y_pred.astype(np.float64))).sum(-1)
