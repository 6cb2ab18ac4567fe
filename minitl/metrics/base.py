"""What a person wants to know besides the loss. A metric sees batch after batch and averages over images.

metric.reset();  metric.update(y_true, y_pred), batch by batch;  metric.result() -> float
"""

import numpy as np

from ..errors import DataError


class Metric:
    """The mean over all images of `score(y_true, y_pred)`, which gives one number for each image."""

    name = "metric"

    def __init__(self):
        self.reset()

    def reset(self):
        self.total, self.count = 0.0, 0

    def update(self, y_true, y_pred):
        try:
            scores = self.score(np.asarray(y_true), np.asarray(y_pred))
        except ValueError:
            raise DataError(
                f"metric '{self.name}' cannot compare labels {np.shape(y_true)} with predictions {np.shape(y_pred)}: "
                "one-hot labels go with the categorical metrics, integers with the sparse ones."
            ) from None
        self.total += float(scores.sum())
        self.count += scores.size

    def result(self):
        return self.total / max(self.count, 1)

    def score(self, y_true, y_pred):
        raise NotImplementedError
