"""Let the engine do one training step, and keep what went in and out of every layer, and which lines of it ran."""

import inspect
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import MismatchError
from ...kernels.parallel import in_this_thread

PACKAGE = Path(__file__).resolve().parents[2]


class LayerRecord:
    """What one layer did: `x` -> `y`, and back: `grad` = dL/dy -> `dx`, None where nobody asked for it. `gradients`
    and `before` (the parameters as they were) by name. `lines` are the (file, line number) that ran."""

    def __init__(self, layer):
        self.layer = layer
        self.before = {name: getattr(layer, name).copy() for name in layer.weight_names}
        self.x = self.y = self.grad = self.dx = None
        self.gradients, self.lines = {}, set()


class StepRecord(NamedTuple):
    """One update: the layers' records by name, the loss before it, dL/dy of the last layer, and the lines of the loss
    and of the optimizer that ran."""

    layers: dict
    loss: float
    lines: set


def record_step(model, criterion, optimizer, x, y_true):
    """One training step of `model`, in the four lines that every program has, watched."""
    records = {layer.name: LayerRecord(layer) for layer in model.layers}
    lines = set()
    with watched_layers(records.values()), in_this_thread():
        y = model.forward(x, training=True)
        with watched(lines):
            loss = criterion.forward(y_true, y)
            grad = criterion.backward()
        model.backward(grad)
        for record in records.values():
            record.gradients = {name: gradient.copy() for name, gradient in record.layer.gradients.items()}
        with watched(lines):
            optimizer.step(model)
    return StepRecord(records, loss, lines)


@contextmanager
def watched_layers(records):
    """Each record's layer notes there what passes through it. A method set on the object hides that of its class."""
    records = list(records)
    for record in records:
        _watch_forward(record)
        _watch_backward(record, "backward")
        _watch_backward(record, "backward_to_parameters")
    try:
        yield
    finally:
        for record in records:
            for method in ("forward", "backward", "backward_to_parameters"):
                delattr(record.layer, method)


def _watch_forward(record):
    forward = record.layer.forward

    def watched_forward(x, training=False):
        with watched(record.lines):
            y = forward(x, training=training)
        record.x, record.y = np.array(x), np.array(y)  # copies: a later step may use the memory again
        return y

    record.layer.forward = watched_forward


def _watch_backward(record, method):
    backward = getattr(record.layer, method)

    def watched_backward(grad):
        if record.grad is not None:  # called by the layer's own backward, which is being watched
            return backward(grad)
        record.grad = np.array(grad)
        with watched(record.lines):
            dx = backward(grad)
        if method == "backward":
            record.dx = np.array(dx)
        return dx

    setattr(record.layer, method, watched_backward)


@contextmanager
def watched(lines):
    """Add each line of this package that runs in this thread to `lines`, as (file, line number)."""

    def trace(frame, event, _):
        if not frame.f_code.co_filename.startswith(str(PACKAGE)):
            return None
        if event == "line":
            lines.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def source_line(lines, *places):
    """Where something was computed: "minitl/kernels/im2col.py:46  np.matmul(...)".

    `places` are (function, what stands in the line), the ways in which it might have been done; the one that ran is
    taken. Raises MismatchError if none did: what this page says would not be true.
    """
    for function, text in places:
        source, first = inspect.getsourcelines(function)
        file = inspect.getsourcefile(function)
        for number, line in enumerate(source, first):
            if text in line and (file, number) in lines:
                return f"minitl/{Path(file).resolve().relative_to(PACKAGE).as_posix()}:{number}", line.strip()
    names = ", ".join(f"{function.__qualname__} ({text})" for function, text in places)
    raise MismatchError(f"none of these lines ran, although they should have: {names}.")
