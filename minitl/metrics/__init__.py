"""Metrics under Keras's names. Reading order: `base` (what a metric is), `accuracy`."""

from ..errors import ArgumentError
from .accuracy import BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, TopKCategoricalAccuracy
from .base import Metric

__all__ = [
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "Metric",
    "SparseCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "get",
]

# {Keras's name: class}. The name stands in each class.
METRICS = {each.name: each for each in map(globals().get, __all__) if each not in (None, Metric)}


def get(metric, loss, output_shape=(None, None)):
    """Return the name that a metric has in the history, and the `Metric`.

    'accuracy' stands for the accuracy that the loss names. For a single output it is the binary one, as in Keras,
    unless the loss takes integer labels.
    """
    if isinstance(metric, str) and metric in ("accuracy", "acc"):
        name = getattr(loss, "accuracy", CategoricalAccuracy.name)
        if name == CategoricalAccuracy.name and output_shape[-1] == 1:
            name = BinaryAccuracy.name
        if name == BinaryAccuracy.name:  # the logit 0 is the probability 1/2
            return "accuracy", BinaryAccuracy(threshold=0.0 if getattr(loss, "from_logits", False) else 0.5)
        return "accuracy", METRICS[name]()
    if isinstance(metric, str) and metric in METRICS:
        return metric, METRICS[metric]()
    if isinstance(metric, Metric):
        return metric.name, metric
    raise ArgumentError(
        f"metric is {metric!r}; expected 'accuracy', {', '.join(METRICS)}, or an object of minitl.metrics."
    )
