"""Optimizers under Keras's names. Reading order: `base` (one step over all parameters), `sgd`, `rmsprop`, `adam`,
`schedules`.

`minitl/course/add_your_own.md` shows how to add one.
"""

from ..errors import ArgumentError
from . import schedules
from .adam import Adam
from .base import Optimizer
from .rmsprop import RMSprop
from .schedules import CosineDecay, PiecewiseConstantDecay, WarmUp
from .sgd import SGD

__all__ = ["SGD", "Adam", "CosineDecay", "Optimizer", "PiecewiseConstantDecay", "RMSprop", "WarmUp", "get", "schedules"]

# {Keras's name: class}. The name stands in each class.
OPTIMIZERS = {
    each.name: each  # type: ignore[union-attr]
    for each in map(globals().get, sorted(__all__, key=str.lower))
    if getattr(each, "name", None)
}


def get(optimizer):
    """Return the `Optimizer` that Keras calls by this name. An optimizer object is returned as it is."""
    if isinstance(optimizer, str) and optimizer.lower() in OPTIMIZERS:
        return OPTIMIZERS[optimizer.lower()]()
    if hasattr(optimizer, "step") and not isinstance(optimizer, type):
        return optimizer
    raise ArgumentError(f"optimizer is {optimizer!r}; expected one of {', '.join(OPTIMIZERS)}, or an Optimizer.")
