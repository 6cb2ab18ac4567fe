"""The base of all metrics. A metric gets one batch after the other and averages a score over all predictions.

metric.reset();  metric.update(y_true, y_pred), batch by batch;  metric.result() -> float
"""

import numpy as np

from ..arguments import DTYPE, call_text, keras_arguments
from ..errors import ArgumentError, DataError, MinitlError


class Metric:
    """The mean of `score(y_true, y_pred)`, which gives one number for each prediction (N, ...).

    name               the metric's name in the history; the class has a default
    larger_is_better   whether larger numbers are better, for callbacks with mode="auto"; None: not said
    """

    name = "metric"
    larger_is_better: bool | None = None

    @keras_arguments(dtype=DTYPE)
    def __init__(self, name=None):
        if name is not None:
            self.name = metric_name(name)
        self.reset()

    def __repr__(self):
        return call_text(self)

    def reset(self):
        """Forget all batches."""
        self.total, self.count = 0.0, 0

    def update(self, y_true, y_pred, sample_weight=None):
        """Add a batch to the mean.

        sample_weight   the weight of each score, or booleans: False leaves a score out. Its axes are the first axes
                        of the scores
        """
        try:
            scores = self.score(np.asarray(y_true), np.asarray(y_pred))
        except MinitlError:
            raise
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
        """Return the mean of all scores so far; 0 before the first one."""
        return self.total / self.count if self.count else 0.0

    def score(self, y_true, y_pred):
        """Return a score for each prediction (N, ...): a number, or a boolean for right or wrong."""
        raise ArgumentError(f"class {type(self).__name__} has no score(y_true, y_pred), which gives a number for each.")


def metric_name(name):
    """Return the name of a metric in the history. Raises ArgumentError unless it is a string that is not empty."""
    if not isinstance(name, str) or not name:
        raise ArgumentError(f"name is {name!r}; expected a string that is not empty.")
    return name
