"""Metrics of quantities: how far predictions are off. Each is the mean over all predictions, or the root of it."""

import math

import numpy as np

from ..arguments import DTYPE, axes, keras_arguments, whole_number
from ..errors import ArgumentError, DataError
from .base import NamedMetric, spread


class _OfDifferences(NamedMetric):
    """The base: the mean of `error` along the last axis, then over all predictions."""

    larger_is_better = False

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


class LogCoshError(_OfDifferences):
    """mean(log(cosh(y_pred - y_true))): about the half square of a small difference, and the size of a large one."""

    name = "logcosh"

    def error(self, y_true, y_pred):
        """Return log((exp(d) + exp(-d)) / 2) = |d| + log(1 + exp(-2 |d|)) - log(2), where nothing can overflow."""
        size = np.abs(y_pred - y_true)
        return size + np.log1p(np.exp(-2 * size)) - math.log(2)


class R2Score(NamedMetric):
    """R^2, the share of the labels' variance that is predicted: 1 - sum (t - p)^2 / sum (t - mean t)^2.

    1 for perfect predictions; 0 for the mean of the labels as the prediction of all.

    class_aggregation   over several outputs: "uniform_average" their mean, "variance_weighted_average" weighted by the
                        variance of their labels, None a number for each
    num_regressors      0; or how many inputs p the predictions were made from: then R^2 is adjusted for them, to
                        1 - (1 - R^2) (n - 1) / (n - p - 1). n counts all labels, of all outputs, as in Keras
    """

    name = "r2_score"
    larger_is_better = True
    state = ("errors", "label_sums", "label_squares", "count", "numbers")

    @keras_arguments(after="name", dtype=DTYPE)
    def __init__(self, class_aggregation="uniform_average", num_regressors=0, name=None):
        if class_aggregation not in (None, "uniform_average", "variance_weighted_average"):
            raise ArgumentError(
                f"class_aggregation is {class_aggregation!r}; expected None, 'uniform_average' or "
                "'variance_weighted_average'."
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = whole_number(num_regressors, "num_regressors", 0)
        super().__init__(name=name)

    def reset(self):
        """Forget all batches."""
        self.errors = self.label_sums = self.label_squares = np.zeros(())
        self.count, self.numbers = 0.0, 0

    def update(self, y_true, y_pred, sample_weight=None):
        """Add a batch of labels and predictions (N, outputs)."""
        t, p = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
        if t.shape != p.shape or t.ndim != 2:
            raise DataError(f"metric '{self.name}' expected labels and predictions (N, outputs), found {t.shape} and "
                            f"{p.shape}.")  # fmt: skip
        w = np.ones((len(t), 1)) if sample_weight is None else spread(sample_weight, (len(t),), self.name)[:, None]
        self.errors = self.errors + (w * (t - p) ** 2).sum(axis=0)
        self.label_sums = self.label_sums + (w * t).sum(axis=0)
        self.label_squares = self.label_squares + (w * t * t).sum(axis=0)
        self.count, self.numbers = self.count + float(w.sum()), self.numbers + t.size

    def result(self):
        """Return R^2; 0 for an output whose labels do not vary. sum (t - mean)^2 = sum t^2 - (sum t)^2 / n."""
        spread_of_labels = self.label_squares - self.label_sums**2 / max(self.count, 1e-12)
        varies = spread_of_labels > 0
        scores = np.where(varies, 1 - self.errors / np.where(varies, spread_of_labels, 1), 0.0)
        if self.class_aggregation is None:
            found = scores
        elif self.class_aggregation == "uniform_average":
            found = scores.mean()
        else:
            found = (scores * spread_of_labels).sum() / max(spread_of_labels.sum(), 1e-12)
        n, regressors = self.numbers, self.num_regressors
        if regressors and n > regressors + 1:
            found = 1 - (1 - found) * (n - 1) / (n - regressors - 1)
        return found if self.class_aggregation is None else float(found)


class CosineSimilarity(NamedMetric):
    """The cosine of the angle between label and prediction along an axis: 1 for the same direction."""

    name = "cosine_similarity"
    larger_is_better = True

    def __init__(self, name=None, dtype=None, axis=-1):
        super().__init__(name, dtype)
        self.axis = axes(axis, "axis")

    def score(self, y_true, y_pred):
        """Return the cosine of each prediction; 0 where a vector is 0."""

        def unit(x):
            return x / np.sqrt(np.maximum((x * x).sum(axis=self.axis, keepdims=True), 1e-7))

        y_true = np.asarray(y_true, np.float64).reshape(y_pred.shape)
        return (unit(y_true) * unit(y_pred.astype(np.float64))).sum(self.axis)
