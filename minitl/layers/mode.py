"""The training mode of a call: training=True or False.

A model hands its mode to all layers: True in `fit`, False in `predict`. A call may fix another one for itself, as in
`base(x, training=False)`. This holds in `fit` and `predict`, too, as Keras's guide to transfer learning says (in Keras
3.15 it holds for a call of the model, but `fit` and `predict` overrule it). If the `call` of a layer of your own
(`composed`) was given a mode, it is that of all calls within.
"""

import contextlib
import contextvars

from ..errors import GraphError

_around: contextvars.ContextVar = contextvars.ContextVar("training", default=None)
_is_inside: contextvars.ContextVar = contextvars.ContextVar("is_inside", default=False)


class _AsInModel:
    """The `training` of a `call` on symbolic tensors: not known yet, since it is that of the model when it runs. It can
    be handed on to layers, and to nothing else."""

    def _refuse(self, *others):
        raise GraphError(
            "call() asks for the value of training, which is not known yet: call runs once, and then the model's graph "
            "does the work, in training and in inference. Hand training on to layers such as Dropout, or write a layer "
            "with forward(x, training=False) and backward(grad): course/add_your_own.md."
        )

    __bool__ = __eq__ = __int__ = __float__ = _refuse
    __hash__ = object.__hash__


AS_IN_MODEL = _AsInModel()


def mode_around():
    """Return the `training` of the `call` that is running, or None."""
    return _around.get()


def is_inside_call():
    """Return whether the `call` of a layer or model is running."""
    return _is_inside.get()


def mode_of(training):
    """Return True or False for a call that was given `training`, or None: the mode is that of the model."""
    training = _around.get() if training is None else training
    return None if training is None or training is AS_IN_MODEL else bool(training)


@contextlib.contextmanager
def inside(training):
    """Make `training` that of all calls within, in which no other is given."""
    before, was_inside = _around.set(training), _is_inside.set(True)
    try:
        yield
    finally:
        _around.reset(before)
        _is_inside.reset(was_inside)
