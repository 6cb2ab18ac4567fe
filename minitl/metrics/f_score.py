"""F-beta and F1: precision and recall in one number, for each class."""

import numpy as np

from ..arguments import DTYPE, keras_arguments, number
from ..errors import ArgumentError, DataError
from .base import Metric
from .confusion import quotient


class FBetaScore(Metric):
    """F-beta of each class, for one-hot labels or several yes-or-no labels: the mean of precision and recall that
    counts recall beta times as much.

    beta        above 0; 1 gives F1

    average     None: a number for each class; "macro": their mean; "micro": of all classes together; "weighted": their
                mean, weighted by how often a class is labelled
    threshold   None: the largest output of a row is the yes; or a number, above which an output is a yes
    """

    name = "fbeta_score"
    larger_is_better = True

    state = ("counts",)

    @keras_arguments(after="name", dtype=DTYPE)
    def __init__(self, average=None, beta=1.0, threshold=None, name="fbeta_score"):
        if not isinstance(beta, float):
            raise ArgumentError(f"beta is {beta!r}; expected a number above 0, such as 2.0.")
        self.beta = number(beta, "beta", 1e-30, 1e15)
        if average not in (None, "micro", "macro", "weighted"):
            raise ArgumentError(f"average is {average!r}; expected None, 'micro', 'macro' or 'weighted'.")
        self.average = average
        if threshold is not None and not isinstance(threshold, float):
            raise ArgumentError(f"threshold is {threshold!r}; expected None, or a number from 0 to 1 such as 0.5.")
        self.threshold = None if threshold is None else number(threshold, "threshold", 1e-30, 1)
        super().__init__(name=name)

    def reset(self):
        """Forget all batches."""
        self.counts = None

    def update(self, y_true, y_pred, sample_weight=None):
        """Add a batch of labels (N, classes) and outputs (N, classes)."""
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
        if y_true.shape != y_pred.shape or y_pred.ndim != 2:
            raise DataError(
                f"metric '{self.name}' expected labels and outputs (N, classes), found {y_true.shape} and "
                f"{y_pred.shape}. Integer labels become one-hot by minitl.utils.to_categorical."
            )
        if self.threshold is None:
            is_yes = (y_pred == y_pred.max(axis=-1, keepdims=True)) & (np.abs(y_pred) > 1e-9)
        else:
            is_yes = y_pred > self.threshold
        weight = np.ones(len(y_true)) if sample_weight is None else np.asarray(sample_weight, np.float64).reshape(-1)
        labelled, weight = y_true != 0, weight[:, None]
        found = np.stack([(weight * each).sum(0) for each in (labelled & is_yes, is_yes & ~labelled, labelled)])
        self.counts = found if self.counts is None else self.counts + found  # TP, FP, labelled: (3, classes)

    def result(self):
        """Return F = (1 + b^2) TP / ((1 + b^2) TP + b^2 FN + FP), as `average` says; 0 before the first batch.

        TP + FN is the number of those that are labelled, so the divisor is b^2 labelled + TP + FP.
        """
        if self.counts is None:
            return 0.0
        counts = self.counts.sum(axis=1, keepdims=True) if self.average == "micro" else self.counts
        right, wrong, labelled = counts
        square = self.beta**2
        of_classes = quotient((1 + square) * right, square * labelled + right + wrong)
        if self.average is None:
            return of_classes
        if self.average == "weighted":
            return float(quotient((of_classes * labelled).sum(), labelled.sum()))
        return float(of_classes.mean())


class F1Score(FBetaScore):
    """F1 of each class, 2 precision recall / (precision + recall): `FBetaScore` with beta = 1."""

    name = "f1_score"

    @keras_arguments(after="name", dtype=DTYPE)
    def __init__(self, average=None, threshold=None, name="f1_score"):
        super().__init__(average, 1.0, threshold, name)
