"""What a person wants to know besides the loss. A metric sees batch after batch and averages over images.

metric.reset();  metric.update(y_true, y_pred), batch by batch;  metric.result() -> float
"""

import numpy as np

from .errors import ArgumentError, DataError
from .losses import BinaryCrossentropy, SparseCategoricalCrossentropy


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


class CategoricalAccuracy(Metric):
    """The share of images whose largest output is the labelled class; one-hot labels."""

    name = "categorical_accuracy"

    def score(self, y_true, y_pred):
        return (y_true.reshape(y_pred.shape)).argmax(axis=-1) == y_pred.argmax(axis=-1)


class SparseCategoricalAccuracy(Metric):
    """The share of images whose largest output is the labelled class; integer labels."""

    name = "sparse_categorical_accuracy"

    def score(self, y_true, y_pred):
        best = y_pred.argmax(axis=-1)
        return y_true.reshape(best.shape) == best


class BinaryAccuracy(Metric):
    """The share of outputs on the right side of `threshold`."""

    name = "binary_accuracy"

    def __init__(self, threshold=0.5):
        super().__init__()
        self.threshold = threshold

    def score(self, y_true, y_pred):
        return (y_true.reshape(y_pred.shape) > 0.5) == (y_pred > self.threshold)


class TopKCategoricalAccuracy(Metric):
    """The share of images whose class is among the k largest outputs; one-hot labels."""

    name = "top_k_categorical_accuracy"

    def __init__(self, k=5):
        super().__init__()
        self.k = k

    def score(self, y_true, y_pred):
        own = np.take_along_axis(y_pred, y_true.reshape(y_pred.shape).argmax(axis=-1)[..., None], axis=-1)
        return (y_pred > own).sum(axis=-1) < self.k


METRICS = {
    cls.name: cls for cls in (CategoricalAccuracy, SparseCategoricalAccuracy, BinaryAccuracy, TopKCategoricalAccuracy)
}


def get(metric, loss, output_shape=(None, None)):
    """A `Metric` and the name it has in the history. 'accuracy' means the accuracy that fits loss and output, as in
    Keras: binary for a single output."""
    if metric in ("accuracy", "acc"):
        if isinstance(loss, SparseCategoricalCrossentropy):
            return "accuracy", SparseCategoricalAccuracy()
        if isinstance(loss, BinaryCrossentropy) or output_shape[-1] == 1:
            return "accuracy", BinaryAccuracy(threshold=0.0 if getattr(loss, "from_logits", False) else 0.5)
        return "accuracy", CategoricalAccuracy()
    if isinstance(metric, str) and metric in METRICS:
        return metric, METRICS[metric]()
    if isinstance(metric, Metric):
        return metric.name, metric
    raise ArgumentError(
        f"metric is {metric!r}; expected 'accuracy', {', '.join(METRICS)}, or an object of minitl.metrics."
    )
