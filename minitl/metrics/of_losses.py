"""Metrics that are the mean of a loss: how large it is, averaged as metrics are. The formulas are those of
`minitl.losses`; a loss here gives a number for each prediction (reduction=None)."""

import numpy as np

from .. import losses
from ..arguments import keras_arguments
from ..losses.base import LAST_AXIS
from .base import NamedMetric, spread


class _OfLoss(NamedMetric):
    """The base: the mean of a loss over all predictions."""

    larger_is_better = False
    loss_class = losses.Loss

    def settings(self):
        """Return the arguments of the loss."""
        return {}

    def score(self, y_true, y_pred):
        """Return the loss of each prediction."""
        return self.loss_class(reduction=None, **self.settings()).forward(y_true, np.asarray(y_pred, np.float32))


class BinaryCrossentropy(_OfLoss):
    """The cross-entropy of yes-or-no labels."""

    name, loss_class = "binary_crossentropy", losses.BinaryCrossentropy

    def __init__(self, name=None, dtype=None, from_logits=False, label_smoothing=0):
        super().__init__(name, dtype)
        self.from_logits, self.label_smoothing = from_logits, label_smoothing

    def settings(self):
        """Return the arguments of the loss."""
        return {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing}


class CategoricalCrossentropy(BinaryCrossentropy):
    """The cross-entropy of one-hot labels."""

    name, loss_class = "categorical_crossentropy", losses.CategoricalCrossentropy

    @keras_arguments(after="label_smoothing", axis=LAST_AXIS)
    def __init__(self, name=None, dtype=None, from_logits=False, label_smoothing=0):
        super().__init__(name, dtype, from_logits, label_smoothing)


class SparseCategoricalCrossentropy(_OfLoss):
    """The cross-entropy of integer labels.

    ignore_class   None, or a label whose loss is 0. As in Keras it still counts in the divisor of a mean without
                   weights, which it does not in the loss of this name
    """

    name, loss_class = "sparse_categorical_crossentropy", losses.SparseCategoricalCrossentropy

    @keras_arguments(after="ignore_class", axis=LAST_AXIS)
    def __init__(self, name=None, dtype=None, from_logits=False, ignore_class=None):
        super().__init__(name, dtype)
        self.from_logits, self.ignore_class = from_logits, ignore_class

    def settings(self):
        """Return the arguments of the loss."""
        return {"from_logits": self.from_logits, "ignore_class": self.ignore_class}

    def update(self, y_true, y_pred, sample_weight=None):
        """Add a batch. Where there are weights, that of an ignored label is 0."""
        if self.ignore_class is not None and sample_weight is not None:
            kept = np.asarray(y_true).reshape(np.shape(y_pred)[:-1]) != self.ignore_class
            sample_weight = spread(sample_weight, kept.shape, self.name) * kept
        super().update(y_true, y_pred, sample_weight)


class KLDivergence(_OfLoss):
    """The Kullback-Leibler divergence."""

    name, loss_class = "kl_divergence", losses.KLDivergence


class Poisson(_OfLoss):
    """The Poisson loss."""

    name, loss_class = "poisson", losses.Poisson


class Hinge(_OfLoss):
    """The hinge loss of labels -1 and 1."""

    name, loss_class = "hinge", losses.Hinge


class SquaredHinge(_OfLoss):
    """The squared hinge loss of labels -1 and 1."""

    name, loss_class = "squared_hinge", losses.SquaredHinge


class CategoricalHinge(_OfLoss):
    """The hinge loss of one-hot labels."""

    name, loss_class = "categorical_hinge", losses.CategoricalHinge


class MeanSquaredLogarithmicError(_OfLoss):
    """The mean squared difference of log(1 + y)."""

    name, loss_class = "mean_squared_logarithmic_error", losses.MeanSquaredLogarithmicError
