"""The errors of training: arguments and updates that are refused.

The checks of arguments raise before any work is done. The check for divergence raises before the weights are changed.
Read next: `warned`, for settings that are possible but nearly always a mistake.
"""

import copy
import math
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from ..data.batches import Converted, is_stream, part_of
from ..data.made_batches import makes_batches
from ..errors import ArgumentError, DataError, DivergedError, GraphError
from ..losses import WeightedSum
from ..metrics import Metric
from ..terminal import counted
from .compiled import losses_of
from .weighting import flat_weights


class Task(NamedTuple):
    """The checked training and validation data of `fit`, as tuples: a source for each input (`data.batches`), labels
    and weights for each output. Without weights, or without validation data, these fields are None. So are those of
    batches that a program makes: they are checked one by one."""

    x: tuple | None
    y: tuple | None
    sample_weight: tuple | None
    x_val: tuple | None
    y_val: tuple | None
    sample_weight_val: tuple | None
    was_split: bool  # True: the validation data is the end of the x and y that `fit` was given


def check_task(model, x, y, sample_weight=None, validation_split=0.0, validation_data=None):
    """Check the model and the data that `fit` was given, before any work is done. Returns a `Task`."""
    if not any(layer.trainable_names for layer in model.layers):
        raise GraphError("nothing to train: every layer with parameters is frozen. transfer.unfreeze opens layers.")
    is_made, nothing = makes_batches(x), (None, None, None)
    if is_made:
        refuse_beside_made(x, y=y, sample_weight=sample_weight, validation_split=validation_split or None)
    x, y, weights = nothing if is_made else check_batch(model, x, y, sample_weight)
    if makes_batches(validation_data):
        return Task(x, y, weights, *nothing, was_split=False)
    if validation_data is not None:
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
            kind = type(validation_data).__name__
            raise DataError(f"validation_data is {kind}; expected a pair (x, y), or (x, y, sample_weight).")
        return Task(x, y, weights, *check_batch(model, *validation_data), was_split=False)
    if not validation_split:
        return Task(x, y, weights, *nothing, was_split=False)
    count, is_share = len(x[0]), isinstance(validation_split, (int, float, np.number))
    held_back = count - math.floor(count * (1.0 - validation_split)) if is_share else 0  # rounded as Keras does
    if not 0 < held_back < count:
        raise ArgumentError(
            f"validation_split is {validation_split!r}: of {counted(count, 'example')} it would hold back "
            f"{held_back}. Expected a share between 0 and 1 that leaves at least one example for training and one for "
            "validation."
        )
    if any(is_stream(each) for each in x):
        raise ArgumentError(
            "validation_split takes the end of an array, but x is a stream. Divide the examples into two streams, and "
            "give the second one as validation_data."
        )
    parts = [
        tuple(each if each is None else part_of(each, where) for each in arrays) if arrays is not None else None
        for where in (slice(None, count - held_back), slice(count - held_back, None))
        for arrays in (x, y, weights)
    ]
    return Task(*parts, was_split=True)


def refuse_beside_made(made, **others):
    """Raise ArgumentError unless all `others`, the arguments beside an x that makes batches, are None."""
    given = [name for name, value in others.items() if value is not None]
    if given:
        raise ArgumentError(
            f"{given[0]} was given beside a {type(made).__name__}, which makes batches (x, y) or (x, y, "
            "sample_weight): put labels and weights into these, and validation data into validation_data."
        )


def check_examples(model, x):
    """Return x as a tuple of sources, one for each input. Arrays of another type than the model computes in are
    `Converted`, batch by batch. Raises DataError unless each is an array or a stream that is not empty and has the
    shape of its input, and all have the same number of examples."""
    found, dtype = [], model.dtype or np.dtype("float32")
    for each, tensor, name in zip(model.input_structure.flat(x, "x"), model.inputs, model.input_structure.names):
        what = "x" if len(model.inputs) == 1 else f"x for '{name}'"
        each = _source(each, what)
        if not each.shape:
            raise DataError(f"{what} is a single number; expected an array of examples (N, ...).")
        if len(each) == 0:
            raise DataError(f"{what} is empty: its shape is {each.shape}. Expected at least one example.")
        _check_type(each, tensor, what, dtype)
        is_array = isinstance(each, np.ndarray)
        found.append(Converted(each, dtype) if is_array and tensor.is_floating and each.dtype != dtype else each)
    model.check_shape(*(each.shape for each in found))
    return tuple(found)


def _source(given, what):
    """Return an array or a stream as it is; a list of numbers, or an array of another library, as a NumPy array."""
    if is_stream(given):
        _check_stream(given, what)
    elif not isinstance(given, np.ndarray):
        holds_arrays = isinstance(given, (list, tuple)) and any(np.ndim(each) > 1 for each in given)
        if holds_arrays or not (isinstance(given, (list, tuple)) or hasattr(given, "__array__")):
            hint = " np.stack(x) makes one of a list." if holds_arrays else ""
            raise DataError(
                f"{what} is {type(given).__name__}; expected a NumPy array of examples, as (N, H, W, C).{hint}"
            )
        try:
            given = np.asarray(given)
        except ValueError:
            raise DataError(f"{what} is a list of examples of different shapes; expected one shape for all.") from None
    return given


def _check_stream(stream, what):
    """Raise DataError if a stream lacks something that `data.batches` says a stream has."""
    needed = {
        "__len__": "the number of examples",
        "shape": "(N, ...), that of the array that it stands for",
        "dtype": "that of the array",
        "read": "a method read(positions, epoch) that returns these examples",
    }
    missing = [name for name in needed if not hasattr(type(stream) if name == "__len__" else stream, name)]
    if missing:
        raise DataError(
            f"{what} is a stream ({type(stream).__name__}) without {', '.join(missing)}. A stream has "
            f"{'; '.join(f'{name}: {meaning}' for name, meaning in needed.items())}."
        )
    if len(stream) != tuple(stream.shape)[0]:
        raise DataError(f"{what} is a stream of length {len(stream)} and of shape {stream.shape}; expected (N, ...).")


def _check_type(x, tensor, what, expected):
    """Raise DataError unless x has a type that its input takes: real numbers or an integer type. A stream has the type
    that the model computes in."""
    if not tensor.is_floating:
        if np.dtype(x.dtype).kind not in "iub":
            raise DataError(f"{what} is {x.dtype}; the input takes integers ({tensor.dtype}).")
        is_array = isinstance(x, np.ndarray)
        if tensor.dtype == "bool" and x.dtype != bool and not (is_array and np.isin(x, (0, 1)).all()):
            raise DataError(
                f"{what} is {x.dtype}; the input takes a mask: booleans, or 0 and 1. Are the inputs in another order?"
            )
    elif is_stream(x) and x.dtype != expected:
        raise DataError(f"{what} is a stream of {x.dtype}; the model computes in {expected}.")
    elif np.dtype(x.dtype).kind not in "biuf":
        raise DataError(f"{what} is {x.dtype}; expected numbers, as {expected}.")


def check_batch(model, x, y, sample_weight=None):
    """Return (x, y, sample_weight) as tuples: a source for each input, labels and weights for each output. Raises
    DataError unless there are as many labels as examples, in the form and range that the losses expect."""
    if model.loss is None:
        raise GraphError("the model is not compiled: call model.compile(optimizer=..., loss=...) first.")
    x = check_examples(model, x)
    count, is_sum = len(x[0]), isinstance(model.loss, WeightedSum)
    given = model.loss.flat_labels(y) if is_sum else model.output_structure.flat(y, "y")
    labels = []
    for each, (tensor, loss), name in zip(given, losses_of(model), model.output_structure.names):
        what = "labels" if len(given) == 1 else f"labels for '{name}'"
        if each is None and loss is None:
            labels.append(None)
            continue
        each = _checked_labels(each, count, what)
        if loss is not None:
            loss.check_labels(each, (count, *tensor.shape[1:]))
        labels.append(each)
    _check_metrics(model, labels)
    return x, tuple(labels), flat_weights(model, sample_weight, count)


def _check_metrics(model, labels):
    """Raise DataError for a metric that does not accept these labels. The check scores one prediction of zeros."""
    for name, metric, output, _ in model.metrics:
        if labels[output] is None:
            raise DataError(f"the metric '{name}' has no labels: pass some for '{model.output_names[output]}'.")
        sizes = model.outputs[output].shape[1:]
        has_score = type(metric).update is Metric.update and type(metric).update_state is Metric.update_state
        if has_score and None not in sizes:
            copy.copy(metric).update(labels[output][:1], np.zeros((1, *sizes), np.float32))


def _checked_labels(y, count, what):
    """Return labels as an array of `count` rows of finite numbers. Raises DataError for other labels."""
    try:
        y = np.asarray(y)
    except ValueError:
        raise DataError(
            f"{what} have rows of different lengths; expected one label, or one row of labels, for each example."
        ) from None
    if y.dtype == object and y.ndim == 0 and y.item() is None:
        raise DataError(f"there are no {what}: pass y, one label for each of the {count} examples.")
    labels_found = len(np.atleast_1d(y))
    if labels_found != count:
        raise DataError(
            f"x holds {counted(count, 'example')} and y {labels_found} {what}; expected one label for each example."
        )
    if y.dtype.kind not in "biuf":
        raise DataError(f"{what} are of type {y.dtype}; expected numbers. Number the classes from 0.")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise DataError(f"{what} hold NaN or infinity.")
    return y


@contextmanager
def statistics_survive_errors(model):
    """Restore the moving statistics if the step in the `with` block raises an error. Such a step must change nothing,
    but its forward pass has already updated the statistics of BatchNormalization."""
    before = [
        (getattr(layer, name), getattr(layer, name).copy()) for layer in model.layers for name in layer.statistic_names
    ]
    try:
        yield
    except BaseException:
        for statistic, value in before:
            statistic[...] = value
        raise


def refuse_divergence(model, graph, x, loss):
    """Raise DivergedError if the loss is not finite, before the weights are changed. `graph` is the trained part of the
    model, and x its input."""
    if math.isfinite(loss):
        return
    examples = graph.input_structure.flat(x, "x")
    if not all(np.isfinite(each).all() for each in examples):
        culprit = "the input already holds NaN or infinity"
    else:
        name = next(_broken_layers(graph, examples), None)
        culprit = "" if name is None else f"the first output that is not finite is that of '{name}'"
    raise DivergedError(
        f"step {model.optimizer.iterations + 1}: the loss is {loss}{culprit and '; ' + culprit}. Nothing was updated. "
        f"Try a learning rate below {model.optimizer.learning_rate:g}, or normalize the input of the new layers."
    )


def _broken_layers(graph, examples):
    """Yield the names of layers whose output is not finite, in the order of the graph. This runs the graph again, but
    only after the loss was found not to be finite."""
    known = dict(zip(graph.inputs, examples))
    with np.errstate(all="ignore"):
        for tensor in (tensor for call in graph.calls for tensor in call.outputs):
            part = graph.part(graph.inputs, tensor)
            output = part.forward([known[each] for each in part.inputs], gradients="none")
            if not np.isfinite(output).all():
                yield tensor.layer.name
