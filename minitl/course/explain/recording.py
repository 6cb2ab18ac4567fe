"""A recorder of one training step: the input and output of every layer, and the lines of source that ran."""

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
    """The record of one layer in one step.

    x, y         input and output of its forward
    grad, dx     upstream gradient dL/dy and result dL/dx of its backward; dx is None where it was not computed
    gradients    {name: gradient} of its parameters
    before       {name: weight} before the step
    lines        {(file, line number)} that ran
    """

    def __init__(self, layer):
        self.layer = layer
        self.before = {name: getattr(layer, name).copy() for name in layer.weight_names}
        self.x = self.y = self.grad = self.dx = None
        self.gradients, self.lines = {}, set()


class StepRecord(NamedTuple):
    """The record of one update: {name: `LayerRecord`}, the loss before it, and the lines of the loss and of the
    optimizer that ran."""

    layers: dict
    loss: float
    lines: set


def record_step(model, criterion, optimizer, x, y_true):
    """Do one training step of `model`, the four lines of every training loop, and return its `StepRecord`."""
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
    """Record the arrays that pass through each layer. A method set on the object hides that of its class."""
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
    """Replace the layer's `forward` by one that also keeps input, output and lines."""
    forward = record.layer.forward

    def watched_forward(x, training=False):
        with watched(record.lines):
            y = forward(x, training=training)
        record.x, record.y = np.array(x), np.array(y)  # copies: a later step may reuse the memory
        return y

    record.layer.forward = watched_forward


def _watch_backward(record, method):
    """Replace a backward method of the layer by one that also keeps gradients and lines."""
    backward = getattr(record.layer, method)

    def watched_backward(grad):
        if record.grad is not None:  # called by the layer's own backward, which is recorded already
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
    """Return where something was computed: ("minitl/kernels/im2col.py:46", "np.matmul(...)").

    `places` are pairs (function, text of the line), one for each algorithm that the engine may choose. The first one
    that ran is returned. Raises MismatchError if none ran: the page would cite a line that computed nothing.
    """
    for function, text in places:
        source, first = inspect.getsourcelines(function)
        file = inspect.getsourcefile(function)
        for number, line in enumerate(source, first):
            if text in line and (file, number) in lines:
                return f"minitl/{Path(file).resolve().relative_to(PACKAGE).as_posix()}:{number}", line.strip()
    names = ", ".join(f"{function.__qualname__} ({text})" for function, text in places)
    raise MismatchError(f"none of these lines ran, although they should have: {names}.")
