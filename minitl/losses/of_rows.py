"""Losses with a formula for each row of predictions: hinge losses, Poisson, Kullback-Leibler, cosine, and errors of
quantities other than the squared one.

With the loss l_m of row m, L = sum_m w_m l_m / M over M rows, so dL/dp of a row is w_m dl_m/dp / M. A subclass has
`call`, which is l, and `slope`, which is dl/dp: `Loss.forward` and `backward` do the rest. C is the number of entries
of a row.
"""

import numpy as np

from ..arguments import DTYPE, keras_arguments
from .base import LAST_AXIS, NAME, REDUCTION, Loss, check_one_for_each_output

SMALLEST = 1e-7  # Keras's epsilon, below which no number counts that is divided by, or whose logarithm is taken


class _OfRows(Loss):
    """The base of the losses below."""

    @keras_arguments(reduction=REDUCTION, name=NAME, dtype=DTYPE)
    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def check_labels(self, y_true, output_shape):
        """Raise DataError unless there is one label for each output."""
        check_one_for_each_output(y_true, output_shape, self)


class MeanAbsoluteError(_OfRows):
    """mean |p - t|: the median of the labels has the lowest loss, not their mean."""

    names = ("mean_absolute_error", "mae")

    def call(self, t, p):
        return np.abs(p - t).mean(axis=-1)

    def slope(self, t, p):
        """Return sign(p - t) / C; 0 where they are equal, as in Keras."""
        return np.sign(p - t) / p.shape[-1]


class MeanAbsolutePercentageError(_OfRows):
    """100 mean |p - t| / |t|, where a smaller |t| than 1e-7 counts as 1e-7."""

    names = ("mean_absolute_percentage_error", "mape")

    def call(self, t, p):
        return 100 * (np.abs(p - t) / np.maximum(np.abs(t), SMALLEST)).mean(axis=-1)

    def slope(self, t, p):
        """Return 100 sign(p - t) / |t| / C."""
        return 100 * np.sign(p - t) / np.maximum(np.abs(t), SMALLEST) / p.shape[-1]


class MeanSquaredLogarithmicError(_OfRows):
    """mean (log(1 + p) - log(1 + t))^2, for quantities above 0 whose ratio counts."""

    names = ("mean_squared_logarithmic_error", "msle")

    def call(self, t, p):
        return ((np.log1p(np.maximum(p, SMALLEST)) - np.log1p(np.maximum(t, SMALLEST))) ** 2).mean(axis=-1)

    def slope(self, t, p):
        """Return 2 (log(1 + p) - log(1 + t)) / (1 + p) / C, and 0 where p is cut off."""
        difference = np.log1p(np.maximum(p, SMALLEST)) - np.log1p(np.maximum(t, SMALLEST))
        return np.where(p > SMALLEST, 2 * difference / (1 + np.maximum(p, 0)), 0) / p.shape[-1]


class Poisson(_OfRows):
    """mean (p - t log p): minus the logarithm of the probability of the counts t, but for a constant."""

    names = ("poisson",)

    def call(self, t, p):
        return (p - t * np.log(p + SMALLEST)).mean(axis=-1)

    def slope(self, t, p):
        """Return (1 - t / p) / C."""
        return (1 - t / (p + SMALLEST)) / p.shape[-1]


class _Hinge(_OfRows):
    """The base of the two below: labels -1 and 1. Labels 0 and 1 become these."""

    def sides(self, t):
        """Return the labels as -1 and 1."""
        return 2 * t - 1 if np.isin(t, (0, 1)).all() else t


class Hinge(_Hinge):
    """mean max(1 - t p, 0): no loss for a prediction that is beyond 1 on the right side."""

    names = ("hinge",)

    def call(self, t, p):
        return np.maximum(1 - self.sides(t) * p, 0).mean(axis=-1)

    def slope(self, t, p):
        """Return -t / C where t p < 1, else 0."""
        t = self.sides(t)
        return np.where(t * p < 1, -t, 0) / p.shape[-1]


class SquaredHinge(_Hinge):
    """mean max(1 - t p, 0)^2."""

    names = ("squared_hinge",)

    def call(self, t, p):
        return (np.maximum(1 - self.sides(t) * p, 0) ** 2).mean(axis=-1)

    def slope(self, t, p):
        """Return -2 t max(1 - t p, 0) / C."""
        t = self.sides(t)
        return -2 * t * np.maximum(1 - t * p, 0) / p.shape[-1]


class CategoricalHinge(_OfRows):
    """max(1 + n - q, 0), where q is the prediction of the labelled class and n the largest of the others, or 0."""

    names = ("categorical_hinge",)

    def call(self, t, p):
        return np.maximum(1 + ((1 - t) * p).max(axis=-1) - (t * p).sum(axis=-1), 0)

    def slope(self, t, p):
        """Return (1 - t) for the largest of the others and -t for all, where the loss is above 0."""
        others = (1 - t) * p
        is_largest = others == others.max(axis=-1, keepdims=True)
        share = is_largest / is_largest.sum(axis=-1, keepdims=True)
        return (share * (1 - t) - t) * (self.call(t, p) > 0)[..., None]


class KLDivergence(_OfRows):
    """sum t log(t / p), for rows of probabilities: how much longer messages get if p is taken for t. Both are cut off
    at 1e-7 and 1."""

    names = ("kl_divergence", "kld", "kullback_leibler_divergence")

    def call(self, t, p):
        t, p = np.clip(t, SMALLEST, 1), np.clip(p, SMALLEST, 1)
        return (t * np.log(t / p)).sum(axis=-1)

    def slope(self, t, p):
        """Return -t / p, and 0 where p is cut off."""
        is_inside = (p >= SMALLEST) & (p <= 1)
        return np.where(is_inside, -np.clip(t, SMALLEST, 1) / np.clip(p, SMALLEST, 1), 0)


class CosineSimilarity(_OfRows):
    """Minus the cosine of the angle between label and prediction: -1 for the same direction."""

    names = ("cosine_similarity",)

    @keras_arguments(axis=LAST_AXIS, reduction=REDUCTION, name=NAME, dtype=DTYPE)
    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def call(self, t, p):
        return -(_unit(t) * _unit(p)).sum(axis=-1)

    def slope(self, t, p):
        """Return -(u - v (u v)) / |p|, with the unit vectors u of t and v of p.

        v = p / |p|, and dv_j/dp_i = (1[i = j] - v_i v_j) / |p|. So for l = -sum_j u_j v_j,
        dl/dp_i = -(u_i - v_i sum_j u_j v_j) / |p|
        """
        u, v = _unit(t), _unit(p)
        return -(u - v * (u * v).sum(axis=-1, keepdims=True)) / _length(p)


def _length(x):
    """Return the length of each row (..., 1), at least that of Keras: the root of 1e-7."""
    return np.sqrt(np.maximum((x * x).sum(axis=-1, keepdims=True), SMALLEST))


def _unit(x):
    return x / _length(x)
