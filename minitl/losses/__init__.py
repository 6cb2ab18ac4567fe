"""Losses under Keras's names.

Reading order: `base` (what a loss is, and which shapes go together), `regression` (the shortest), `crossentropy`,
`focal`, `generalized_crossentropy`, `of_rows` (hinge and others), `overlap` (areas), `multibox` (boxes), `ctc` (labels
in order without their places), `contrastive` (pairs of views), `circle` (rows of a class), `weighted_sum` (several
outputs).
"""

from ..configured import from_data, plain
from ..errors import ArgumentError
from ..not_here import missing
from .base import Loss
from .circle import Circle, circle
from .contrastive import NTXent
from .crossentropy import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from .ctc import CTC, ctc_decode
from .focal import BinaryFocalCrossentropy, CategoricalFocalCrossentropy
from .functions import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    categorical_hinge,
    cosine_similarity,
    ctc,
    dice,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
    tversky,
)
from .generalized_crossentropy import CategoricalGeneralizedCrossEntropy
from .multibox import MultiBoxLoss
from .of_rows import (
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError,
    Poisson,
    SquaredHinge,
)
from .overlap import Dice, Tversky
from .regression import Huber, LogCosh, MeanSquaredError
from .weighted_sum import WeightedSum

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CTC",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "MultiBoxLoss",
    "NTXent",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "WeightedSum",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "cosine_similarity",
    "ctc",
    "ctc_decode",
    "deserialize",
    "dice",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
]

# {Keras's name: class}. The names stand in each class.
LOSSES = {name: each for each in map(globals().get, __all__) for name in getattr(each, "names", ())}
CLASSES = {each.__name__: each for each in LOSSES.values() if each is not None}


def get(loss):
    """Return the `Loss` that Keras calls by this name, or by this function; or that data of `get_config` describe. A
    loss object is returned as it is."""
    if isinstance(loss, str) and loss in {**LOSSES, **CLASSES}:
        return {**LOSSES, **CLASSES}[loss]()
    if isinstance(loss, dict):
        return from_data(loss, CLASSES, "loss")
    if isinstance(getattr(loss, "loss_class", None), type):
        return loss.loss_class()
    if loss is cosine_similarity:
        return CosineSimilarity()
    if hasattr(loss, "forward") and hasattr(loss, "backward") and not isinstance(loss, type):
        return loss
    raise ArgumentError(f"loss is {loss!r}; expected one of {', '.join(LOSSES)}, or an object of minitl.losses.")


def serialize(loss):
    """Return a loss as data, for `deserialize` and `get`."""
    return plain(get(loss))


def deserialize(config, custom_objects=None):
    """Return the loss that `serialize` has described."""
    return from_data(config, CLASSES, "config", custom_objects)


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, __all__)
