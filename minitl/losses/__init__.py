"""Losses under Keras's names.

Reading order: `base` (what a loss is, and which shapes go together), `regression` (the shortest), `crossentropy`,
`focal`, `of_rows` (hinge and others), `multibox` (boxes), `ctc` (labels in order without their places), `contrastive`
(pairs of views), `weighted_sum` (several outputs).
"""

from ..errors import ArgumentError
from ..not_here import missing
from .base import Loss
from .contrastive import NTXent
from .crossentropy import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from .ctc import CTC, ctc_decode
from .focal import BinaryFocalCrossentropy, CategoricalFocalCrossentropy
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
from .regression import Huber, MeanSquaredError
from .weighted_sum import WeightedSum

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CTC",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Hinge",
    "Huber",
    "KLDivergence",
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
    "WeightedSum",
    "ctc_decode",
    "get",
]

# {Keras's name: class}. The names stand in each class.
LOSSES = {name: each for each in map(globals().get, __all__) for name in getattr(each, "names", ())}


def get(loss):
    """Return the `Loss` that Keras calls by this name. A loss object is returned as it is."""
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]()
    if hasattr(loss, "forward") and hasattr(loss, "backward") and not isinstance(loss, type):
        return loss
    raise ArgumentError(f"loss is {loss!r}; expected one of {', '.join(LOSSES)}, or an object of minitl.losses.")


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, __all__)
