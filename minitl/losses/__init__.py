"""Losses under Keras's names. Reading order: `base` (what a loss is, which shapes go together), `regression` (the
shortest), `crossentropy`, `weighted_sum` (several outputs)."""

from ..errors import ArgumentError
from .base import Loss
from .crossentropy import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from .regression import MeanSquaredError
from .weighted_sum import WeightedSum

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Loss",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "WeightedSum",
    "get",
]

LOSSES = {
    "binary_crossentropy": BinaryCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
}


def get(loss):
    """Return a `Loss` from Keras's name for it, or the thing itself if it is one already."""
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]()
    if hasattr(loss, "forward") and hasattr(loss, "backward") and not isinstance(loss, type):
        return loss
    raise ArgumentError(f"loss is {loss!r}; expected one of {', '.join(LOSSES)}, or an object of minitl.losses.")
