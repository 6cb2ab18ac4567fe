"""The conditions of a training: what must be the same when it goes on, or the result would be another one.

They are compared with those in the checkpoint, before anything is computed. Large ones, such as the arrays of the data,
are compared by a digest.

Who calls this: `backup`.
"""

import hashlib
import json
import platform
from pathlib import Path

import numpy as np

from ...data.batches import Converted
from ...errors import ArgumentError
from ...kernels import parallel


def conditions(model, state):
    """Return {name: value} of all that must not change before a training continues, or its result would differ."""
    layers = [[layer.name, type(layer).__name__, layer.get_config()] for layer in model.layers]
    for _, _, config in layers:
        config.pop("trainable", None)  # this is part of the checkpoint, because a callback may change it
    return {
        **_of_data(*state.given),
        "layers": _short(json.dumps(layers, default=repr)),
        "optimizer": _description(model.optimizer),
        "callbacks": [type(callback).__name__ for callback in state.callbacks],
        "loss": _description(model.loss),
        "code": _code_digest(),
        "NumPy": np.__version__,
        "threads": parallel.threads(),
        "machine": f"{platform.system()} {platform.machine()} {platform.processor()}".strip(),
    }


def _of_data(task, options):
    """Return the conditions that the arguments of `fit` make: its data, a `Task`, and its options, a text."""
    of_validation = f"{sources_digest(task.x_val)} {sources_digest(task.y_val)}" if task.x_val is not None else False
    return {
        "training data": f"{sources_digest(task.x)} {sources_digest(task.y)}",
        "validation data": of_validation,
        "sample weights": sources_digest(task.sample_weight),
        "options": options,
    }


def sources_digest(sources):
    """Return a digest of a tuple of arrays and streams: a text that changes whenever the data changes. `sources` and
    its members may be None, for no data."""
    return " ".join("none" if each is None else _source_digest(each) for each in sources or ())


def _source_digest(x):
    if isinstance(x, Converted):
        x = x.array
    if not isinstance(x, np.ndarray):
        if not hasattr(x, "digest"):
            raise ArgumentError(
                f"BackupAndRestore: the stream {type(x).__name__} has no digest, a text that changes whenever the "
                "examples change. Without it, a training cannot go on safely."
            )
        return x.digest
    return _short(f"{x.dtype.str} {x.shape}".encode(), np.ascontiguousarray(x).data.cast("B") if x.size else b"")


def _description(thing):
    """Return the class and the settings of a loss or optimizer as text.

    An object that JSON cannot hold, such as a schedule, is described by its class and settings as well. Attributes that
    the object lists in `working_state` or `remembers` are not settings. Arrays are not settings either: they are what a
    `forward` has left, and whether they exist depends on what ran before.
    """
    return json.dumps([type(thing).__name__, _settings(thing)], sort_keys=True, default=_class_and_settings)


def _settings(thing):
    changing = {*getattr(thing, "working_state", ()), *getattr(thing, "remembers", ())}
    attributes = getattr(thing, "__dict__", {})
    return {name: value for name, value in attributes.items() if not (name in changing or _holds_array(value))}


def _holds_array(value):
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return isinstance(value, np.ndarray) or any(_holds_array(part) for part in parts)


def _class_and_settings(thing):
    name = getattr(thing, "__qualname__", type(thing).__name__)
    return [name, _settings(thing)]


def _code_digest():
    """Return a digest of minitl's own source code. The smallest change in a kernel can change the result."""
    root = Path(__file__).resolve().parents[2]
    files = sorted(root.rglob("*.py"))
    return _short(*(part for path in files for part in (path.relative_to(root).as_posix().encode(), path.read_bytes())))


def weights_digest(layer):
    """Return a digest of the parameters and statistics of a layer."""
    return _short(*(np.ascontiguousarray(getattr(layer, name)).data.cast("B") for name in layer.weight_names))


def _short(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
    return digest.hexdigest()[:16]
