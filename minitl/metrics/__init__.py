"""Metrics under Keras's names, and average precision. Reading order: `base` (what a metric is), `variable` (numbers of
a metric of your own), `accuracy`, `confusion` (precision, recall), `area` (AUC), `best_point` (recall at a precision),
`f_score`, `errors_of_numbers`, `of_losses`, `plain` (means and sums), `iou` (pixels), `edit_distance` (labels in
order); for detectors `detections` (how boxes are given), `average_precision`."""

from ..arguments import refuse_methods
from ..configured import from_data, plain
from ..errors import ArgumentError
from ..not_here import missing
from .accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from .area import AUC
from .average_precision import coco_average_precision, voc_average_precision
from .base import Metric
from .best_point import (
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from .confusion import FalseNegatives, FalsePositives, Precision, Recall, TrueNegatives, TruePositives
from .edit_distance import LabelErrorRate, SequenceAccuracy, edit_distance, error_rate
from .errors_of_numbers import (
    CosineSimilarity,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    R2Score,
    RootMeanSquaredError,
)
from .f_score import F1Score, FBetaScore
from .iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU, iou_from_confusion, pixel_accuracy, pixel_confusion
from .of_losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    Hinge,
    KLDivergence,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from .plain import Mean, MeanMetricWrapper, Sum

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryIoU",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "IoU",
    "KLDivergence",
    "LabelErrorRate",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanIoU",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "OneHotIoU",
    "OneHotMeanIoU",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "R2Score",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SequenceAccuracy",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "coco_average_precision",
    "deserialize",
    "edit_distance",
    "error_rate",
    "get",
    "iou_from_confusion",
    "pixel_accuracy",
    "pixel_confusion",
    "serialize",
    "voc_average_precision",
]

# {Keras's name: class}. The name stands in each class. Keras also finds a class by its own name. A metric that cannot
# be made without an argument has to be given as an object.
OBJECTS_ONLY = (
    *(Metric, MeanIoU, IoU, OneHotIoU, OneHotMeanIoU, MeanMetricWrapper, Mean, Sum, Accuracy),
    *(PrecisionAtRecall, RecallAtPrecision, SensitivityAtSpecificity, SpecificityAtSensitivity),
)
METRICS = {
    each.name: each  # type: ignore[attr-defined]
    for each in map(globals().get, __all__)
    if isinstance(each, type) and each not in OBJECTS_ONLY
}
SHORT_NAMES = {"mse": "mean_squared_error", "mae": "mean_absolute_error", "mape": "mean_absolute_percentage_error"}
CLASSES = {each.__name__: each for each in METRICS.values()}

ALL_CLASSES = {name: each for name, each in globals().items() if isinstance(each, type) and issubclass(each, Metric)}
ADVICE = (
    "A metric defines score(y_true, y_pred), with a number for each prediction; or update_state(y_true, y_pred), "
    "result() and reset_state()."
)


def serialize(metric):
    """Return a metric as data, for `deserialize`."""
    return plain(metric)


def deserialize(config, custom_objects=None):
    """Return the metric that `serialize` has described."""
    return from_data(config, ALL_CLASSES, "config", custom_objects)


def get(identifier):
    """Return the `Metric` that Keras calls by this name, or that data of `serialize` describe. A metric is returned as
    it is."""
    if identifier is None:
        return None
    return deserialize(identifier) if isinstance(identifier, dict) else of_output(identifier, None)[1]


def of_output(metric, loss, output_shape=(None, None)):
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
        refuse_methods(metric, ("reset_states",), ADVICE)
        return metric.name, metric
    raise ArgumentError(f"metric is {metric!r}; expected 'accuracy', {', '.join(METRICS)}, or a Metric.")


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, __all__)
