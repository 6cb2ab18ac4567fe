"""Generalized cross-entropy: between cross-entropy and a mean absolute error, for labels of which some are wrong.

Cross-entropy lets a label that the model finds impossible pull hardest of all: its slope is -1 / p. Among labels that
are partly wrong, these are just the wrong ones. A mean absolute error, 1 - p, has the same slope for all, but hardly
learns many classes. Between the two lies

    L = (1 - p^q) / q        p: the probability that the model gives to the label;  0 < q < 1

which tends to -log p as q tends to 0, and is 1 - p for q = 1. For q = 1/2, labels with p = 0.9 and p = 0.01 cost 0.10
and 1.8; their slopes are -1.05 and -10, where those of cross-entropy are -1.1 and -100.

Source: Zhang & Sabuncu 2018, "Generalized cross entropy loss for training deep neural networks with noisy labels".
"""

import numpy as np

from ..arguments import DTYPE, is_number, keras_arguments
from ..errors import ArgumentError
from ..kernels import as_float
from .base import NAME, REDUCTION, of_rows, predictions_in, weights
from .crossentropy import SparseCategoricalCrossentropy, check_probabilities


class CategoricalGeneralizedCrossEntropy(SparseCategoricalCrossentropy):
    """The generalized cross-entropy of integer labels, for predictions that are probabilities.

    A probability of exactly 0 costs 1 / q and teaches nothing, since its slope would be infinite. Rows that do not add
    up to 1 stay what they are, as in Keras.
    """

    names = ("categorical_generalized_cross_entropy",)

    @keras_arguments(after="q", reduction=REDUCTION, name=NAME, dtype=DTYPE)
    def __init__(self, q=0.5, **kwargs):
        super().__init__(**kwargs)
        if not is_number(q) or not 0 < q < 1:
            raise ArgumentError(f"q is {q!r}; expected a number between 0 and 1.")
        self.q = float(q)

    def forward(self, y_true, y_pred, sample_weight=None):
        """Return (1/M) sum w (1 - p^q) / q."""
        y_pred = as_float(y_pred)
        self.check_labels(y_true, y_pred.shape)
        check_probabilities(y_pred)
        self.weight, self.count = weights(sample_weight, y_pred), predictions_in(y_pred)
        self.t = self.one_hot(y_true, y_pred)
        self.p = (self.t * y_pred).sum(axis=-1, keepdims=True)  # (N, ..., 1)
        losses = (1 - self.p**self.q) / self.q
        return self.reduced(of_rows(self.weight * losses), of_rows(self.weight))

    def backward(self):
        """Return dL/dy_pred: d/dp of (1 - p^q) / q is -p^(q - 1), in the place of the label."""
        slope = -np.where(self.p > 0, np.where(self.p > 0, self.p, 1) ** (self.q - 1), 0)
        return (self.weight * self.t * slope / self.divisor).astype(self.t.dtype, copy=False)
