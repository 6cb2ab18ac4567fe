"""Optimizers under Keras's names. Reading order: `base` (one step over all parameters), `averaging`, `sgd`, `rmsprop`,
`adam` (and its relatives `adamw`, `adamax`, `nadam`), `adagrad`, `adadelta`, `schedules`.

`minitl/course/add_your_own.md` shows how to add one.
"""

from ..configured import from_data, plain
from ..errors import ArgumentError
from ..not_here import missing
from . import schedules
from .adadelta import Adadelta
from .adagrad import Adagrad
from .adam import Adam
from .adamax import Adamax
from .adamw import AdamW
from .base import Optimizer
from .nadam import Nadam
from .rmsprop import RMSprop
from .schedules import CosineDecay, PiecewiseConstantDecay, WarmUp
from .sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "CosineDecay",
    "Nadam",
    "Optimizer",
    "PiecewiseConstantDecay",
    "RMSprop",
    "WarmUp",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]

# {Keras's name: class}. The name stands in each class.
OPTIMIZERS = {
    each.name: each  # type: ignore[union-attr]
    for each in map(globals().get, sorted(__all__, key=str.lower))
    if getattr(each, "name", None)
}


def get(optimizer):
    """Return the `Optimizer` that Keras calls by this name, or that data of `serialize` describe. An optimizer object
    is returned as it is."""
    if isinstance(optimizer, str) and optimizer.lower() in OPTIMIZERS:
        return OPTIMIZERS[optimizer.lower()]()
    if isinstance(optimizer, dict):
        return deserialize(optimizer)
    if hasattr(optimizer, "step") and not isinstance(optimizer, type):
        return optimizer
    raise ArgumentError(f"optimizer is {optimizer!r}; expected one of {', '.join(OPTIMIZERS)}, or an Optimizer.")


def serialize(optimizer):
    """Return an optimizer as data, for `deserialize`: its arguments, without its state."""
    return plain(optimizer)


def deserialize(config, custom_objects=None):
    """Return the optimizer that `serialize` has described."""
    known = {name: each for each in OPTIMIZERS.values() for name in (each.__name__, each.__name__.lower())}
    return from_data(config, known, "optimizer", custom_objects)


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, __all__)
