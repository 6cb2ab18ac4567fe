"""Optimizers under Keras's names. Reading order: `base` (the walk over the parameters), `sgd`, `adam`, `schedules`.

`minitl/course/add_your_own.md` shows how to add one.
"""

from ..errors import ArgumentError
from . import schedules
from .adam import Adam
from .base import Optimizer
from .schedules import CosineDecay, PiecewiseConstantDecay, WarmUp
from .sgd import SGD

__all__ = ["SGD", "Adam", "CosineDecay", "Optimizer", "PiecewiseConstantDecay", "WarmUp", "get", "schedules"]

# {Keras's name: class}. Each class says its name itself.
OPTIMIZERS = {
    each.name: each for each in map(globals().get, sorted(__all__, key=str.lower)) if getattr(each, "name", None)
}


def get(optimizer):
    """Return an `Optimizer` from its Keras name, or the thing itself if it is one already."""
    if isinstance(optimizer, str) and optimizer.lower() in OPTIMIZERS:
        return OPTIMIZERS[optimizer.lower()]()
    if hasattr(optimizer, "step") and not isinstance(optimizer, type):
        return optimizer
    raise ArgumentError(f"optimizer is {optimizer!r}; expected one of {', '.join(OPTIMIZERS)}, or an Optimizer.")
