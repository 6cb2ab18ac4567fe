"""Metrics."""

from ..errors import ArgumentError
from ..losses import BinaryCrossentropy, SparseCategoricalCrossentropy
from .accuracy import BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, TopKCategoricalAccuracy
from .base import Metric

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
