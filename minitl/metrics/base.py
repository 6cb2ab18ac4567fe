"""What a person wants to know besides the loss. A metric sees batch after batch and averages over predictions.

metric.reset();  metric.update(y_true, y_pred), batch by batch;  metric.result() -> float
"""

import numpy as np

from ..errors import DataError


class Metric:
    """The mean of `score(y_true, y_pred)`, which gives one number for each prediction (N, ...)."""

    name = "metric"

    def __init__(self):
        self.reset()

    def reset(self):
        self.total, self.count = 0.0, 0

    def update(self, y_true, y_pred, sample_weight=None):
        """Add a batch. `sample_weight` has the first axes of the scores: how much each counts; truth values leave out
        those that do not."""
        try:
            scores = self.score(np.asarray(y_true), np.asarray(y_pred))
        except ValueError:
            raise DataError(
                f"metric '{self.name}' cannot compare labels {np.shape(y_true)} with predictions {np.shape(y_pred)}: "
                "one-hot labels go with the categorical metrics, integers with the sparse ones."
            ) from None
        if sample_weight is None:
            self.total += float(scores.sum())
            self.count += scores.size
            return
        weight = np.asarray(sample_weight)
        weight = np.broadcast_to(weight.reshape(*weight.shape, *[1] * (scores.ndim - weight.ndim)), scores.shape)
        self.total += float((scores * weight).sum())
        self.count += weight.sum().item()

    def result(self):
        """Return the mean so far; 0 before anything was counted."""
        return self.total / self.count if self.count else 0.0

    def score(self, y_true, y_pred):
        """Return how right each prediction is, as numbers or truth values."""
        raise NotImplementedError
