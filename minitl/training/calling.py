"""When callbacks are called: the list of them that `fit`, `evaluate` and `predict` are given, and its order.

Read next: `loop`.
"""

from .. import interruption
from ..errors import ArgumentError
from .callbacks import Callback


def as_list(callbacks):
    """Return `callbacks` (None, one callback, or several, also in lists) as a list, with those that come last at its
    end. Raises ArgumentError for anything else."""
    found = list(_flat(callbacks))
    for callback in found:
        if isinstance(callback, type) and issubclass(callback, Callback):
            name = callback.__name__
            raise ArgumentError(f"callbacks holds the class {name}; expected an object of it, as {name}().")
        if not isinstance(callback, Callback):
            raise ArgumentError(f"callbacks holds {callback!r}; expected objects of minitl.training.Callback.")
    return sorted(found, key=lambda callback: callback.comes_last)


def _flat(callbacks):
    if isinstance(callbacks, (list, tuple)):
        for each in callbacks:
            yield from _flat(each)
    elif callbacks is not None:
        yield callbacks


def introduce(callbacks, model, verbose, epochs, steps):
    """Tell each callback its model and the parameters of the work, before the first call."""
    for callback in callbacks:
        callback.set_model(model)
        callback.set_params({"verbose": verbose, "epochs": epochs, "steps": steps})


def call_each(callbacks, event, *arguments):
    """Call the method named `event` of each callback. A signal (Ctrl-C) waits until all callbacks have run. A
    checkpoint in between would hold the counts of some callbacks from before the event, and those of others from after
    it."""
    with interruption.deferred():
        for callback in callbacks:
            getattr(callback, event)(*arguments)


def refuse_schedule(callbacks, optimizer):
    """Raise ArgumentError if a callback sets the learning rate, and the optimizer's schedule sets it as well."""
    for callback in callbacks:
        if callback.sets_learning_rate and getattr(optimizer, "_schedule", None) is not None:
            raise ArgumentError(
                f"{type(callback).__name__} sets the learning rate, and so does the optimizer's "
                f"{type(optimizer._schedule).__name__}. Leave one of them out: give the optimizer a number as its "
                "learning_rate, or fit no such callback."
            )


def added_logs(callbacks):
    """Return the names that these callbacks add to the numbers of an epoch, or None if that is unknown."""
    names = []
    for callback in callbacks:
        if callback.added_logs is not None:
            names += callback.added_logs
        elif getattr(callback.on_epoch_end, "__func__", None) is not Callback.on_epoch_end:
            return None
    return names
