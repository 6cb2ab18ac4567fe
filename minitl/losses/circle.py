"""The circle loss, between examples: rows of one class belong together."""

import numpy as np

from ..arguments import DTYPE, keras_arguments, number, truth_value
from ..errors import DataError
from ..kernels import as_float
from ..kernels import circle as kernel
from .base import NAME, REDUCTION, Loss, check_count, of_rows, weights


class Circle(Loss):
    """The circle loss, for predictions (N, D) of length 1 and the number of a class for each, (N,).

    A batch must hold several rows of a class, and several classes. Rows without a partner, or without a row of another
    class, cost 0 and do not count in the mean.

    gamma             how steep the loss is
    margin            m: positives should have a distance below m, negatives one above 1 - m
    remove_diagonal   whether a row is no positive of itself

    The derivation stands in `kernels.circle`, and with it the source.
    """

    names = ("circle",)
    takes_class_weight = False
    working_state = (*Loss.working_state, "kept")

    @keras_arguments(after="remove_diagonal", reduction=REDUCTION, name=NAME, dtype=DTYPE)
    def __init__(self, gamma=80.0, margin=0.4, remove_diagonal=True, **kwargs):
        super().__init__(**kwargs)
        self.gamma, self.margin = number(gamma, "gamma", 0, 1e6), number(margin, "margin", 0, 1)
        self.remove_diagonal = truth_value(remove_diagonal, "remove_diagonal")

    def check_labels(self, y_true, output_shape):
        """Raise DataError unless the outputs are rows (N, D), with a whole number each."""
        check_count(y_true, output_shape)
        labels = np.asarray(y_true)
        if len(output_shape) != 2 or labels.size != len(labels) or np.any(labels != np.floor(labels)):
            raise DataError(
                f"labels have shape {labels.shape}, and predictions {tuple(output_shape)}; Circle expected (N,) and "
                "(N, D): the number of a class for each row."
            )

    def forward(self, y_true, y_pred, sample_weight=None):
        """Return the mean loss of the rows that have one."""
        y_pred = as_float(y_pred)
        self.check_labels(y_true, y_pred.shape)
        self.weight = of_rows(weights(sample_weight, y_pred))
        labels = np.reshape(y_true, -1)
        same = _pairs(labels, labels, self.remove_diagonal)
        losses, self.kept = kernel.circle(y_pred, *same, gamma=self.gamma, margin=self.margin)
        counts = losses > 0
        self.count = int(np.count_nonzero(counts))
        return self.reduced(losses * self.weight, self.weight * counts)

    def backward(self):
        """Return dL/dy_pred (N, D) of the latest `forward`."""
        x = self.kept[0]
        grad = np.broadcast_to(self.weight / self.divisor, len(x)).astype(x.dtype, copy=False)
        return kernel.circle_gradient(grad, self.kept)

    def counted(self, y_true, y_pred, sample_weight=None):
        """Return None: to a metric, all predictions count."""


def circle(
    y_true, y_pred, ref_labels=None, ref_embeddings=None, remove_diagonal=True, gamma=80, margin=0.4
):  # Keras's order
    """Return the circle loss of each row (N,), against other rows with labels if `ref_embeddings` is given."""
    labels, rows = np.reshape(y_true, -1), as_float(y_pred)
    of_references = labels if ref_labels is None else np.reshape(ref_labels, -1)
    references = None if ref_embeddings is None else np.asarray(ref_embeddings, rows.dtype)
    pairs = _pairs(labels, of_references, remove_diagonal)
    return kernel.circle(rows, *pairs, references, gamma, margin)[0]


circle.loss_class = Circle  # type: ignore[attr-defined]


def _pairs(labels, of_references, remove_diagonal):
    """Return which references are positives, and which are negatives of each row: booleans (N, M)."""
    same = labels[:, None] == of_references
    others = ~np.eye(len(labels), len(of_references), dtype=bool) if remove_diagonal else True
    return same & others, ~same
