"""Metrics under Keras's names, and average precision. Reading order: `base` (what a metric is), `accuracy`,
`confusion` (precision, recall, AUC), `errors_of_numbers`, `iou` (pixels), `edit_distance` (labels in order); for
detectors `detections` (how boxes are given), `average_precision`."""

from ..arguments import refuse_methods
from ..errors import ArgumentError
from ..not_here import missing
from .accuracy import (
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from .average_precision import coco_average_precision, voc_average_precision
from .base import Metric
from .confusion import AUC, F1Score, FalseNegatives, FalsePositives, Precision, Recall, TrueNegatives, TruePositives
from .edit_distance import LabelErrorRate, SequenceAccuracy, edit_distance, error_rate
from .errors_of_numbers import (
    CosineSimilarity,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    RootMeanSquaredError,
)
from .iou import MeanIoU, iou_from_confusion, pixel_accuracy, pixel_confusion

__all__ = [
    "AUC",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "CosineSimilarity",
    "F1Score",
    "FalseNegatives",
    "FalsePositives",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "LabelErrorRate",
    "MeanIoU",
    "MeanSquaredError",
    "Metric",
    "Precision",
    "Recall",
    "RootMeanSquaredError",
    "SequenceAccuracy",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "coco_average_precision",
    "edit_distance",
    "error_rate",
    "get",
    "iou_from_confusion",
    "pixel_accuracy",
    "pixel_confusion",
    "voc_average_precision",
]

# {Keras's name: class}. The name stands in each class. Keras also finds a class by its own name. A metric that cannot
# be made without an argument has to be given as an object.
OBJECTS_ONLY = (Metric, MeanIoU)
METRICS = {
    each.name: each  # type: ignore[attr-defined]
    for each in map(globals().get, __all__)
    if isinstance(each, type) and each not in OBJECTS_ONLY
}
SHORT_NAMES = {"mse": "mean_squared_error", "mae": "mean_absolute_error", "mape": "mean_absolute_percentage_error"}
CLASSES = {each.__name__: each for each in METRICS.values()}


def get(metric, loss, output_shape=(None, None)):
    """Return the name that a metric has in the history, and the `Metric`. A metric that is given as text is called as
    the text says, in the history and to callbacks.

    'accuracy' or 'acc' stands for the accuracy that the loss names. For a single output it is the binary one, as in
    Keras, unless the loss takes integer labels.
    """
    if isinstance(metric, str) and metric.lower() in ("accuracy", "acc"):
        name = getattr(loss, "accuracy", CategoricalAccuracy.name)
        if name == CategoricalAccuracy.name and output_shape[-1] == 1:
            name = BinaryAccuracy.name
        if name == BinaryAccuracy.name:  # the logit 0 is the probability 1/2
            return metric, BinaryAccuracy(threshold=0.0 if getattr(loss, "from_logits", False) else 0.5)
        return metric, METRICS[name]()
    if isinstance(metric, str) and SHORT_NAMES.get(metric.lower(), metric) in {**METRICS, **CLASSES}:
        return metric, {**METRICS, **CLASSES}[SHORT_NAMES.get(metric.lower(), metric)]()
    if isinstance(metric, Metric):
        refuse_methods(
            metric,
            ("update_state", "reset_state", "reset_states"),
            "A metric defines score(y_true, y_pred), with a number for each prediction; or update(y_true, y_pred), "
            "result() and reset().",
        )
        return metric.name, metric
    raise ArgumentError(
        f"metric is {metric!r}; expected 'accuracy', {', '.join(METRICS)}, or an object of minitl.metrics."
    )


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, __all__)
