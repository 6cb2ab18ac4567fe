"""The loss and the metrics of each output, from the arguments of `Model.compile`."""

import copy
import inspect
from typing import NamedTuple

from .. import losses, metrics
from ..arguments import number, refuse_methods
from ..errors import ArgumentError
from ..metrics import Metric


class CompiledMetric(NamedTuple):
    """A metric of one output: its name in the history, the `Metric`, the position of the output, and whether the metric
    is weighted as the loss is."""

    name: str
    metric: Metric
    output: int = 0
    is_weighted: bool = False


def compiled(model, loss, loss_weights=None, wanted=None, weighted=None):
    """Return (loss, [`CompiledMetric`, ...]) for a model, from the arguments of `Model.compile`.

    For a model with one output, the loss is returned as it is. With several outputs, or with loss weights, it is a
    `losses.WeightedSum`. Raises ArgumentError for unknown names, and for outputs that the model does not have.
    """
    structure = model.output_structure
    if loss is None and wanted is None and weighted is None:
        return None, ()  # for predict, which needs neither
    if loss is None:
        raise ArgumentError("compile needs a loss, as in loss='categorical_crossentropy'.")
    if isinstance(loss, dict):
        missing = [name for name in structure.names if name not in loss]
        if missing:
            raise ArgumentError(
                f"loss has no entry for the output '{missing[0]}'. Give it a loss, or None for an output without one."
            )
    of_each = [_loss(each) for each in structure.settings(loss, "loss")]
    if len(of_each) == 1 and loss_weights is None and of_each[0] is not None and structure.kind != "dict":
        criterion = of_each[0]
    else:
        weights = structure.settings(1.0 if loss_weights is None else loss_weights, "loss_weights")
        weights = [number(1.0 if each is None else each, "loss_weights", -1e30, 1e30) for each in weights]
        criterion = losses.WeightedSum(structure, of_each, weights)
    found = list(_metrics(structure, of_each, wanted, weighted))
    # `evaluate` returns a list in this order. With several outputs, Keras sorts the metrics by name.
    return criterion, found if len(of_each) == 1 else sorted(found, key=lambda each: each.name)


def _loss(given):
    """Return the loss that `given` stands for: a name, an object, a list of one of these, or None. Raises ArgumentError
    for an object that is written as Keras's losses."""
    given = given[0] if isinstance(given, (list, tuple)) and len(given) == 1 else given
    if given is None:
        return None
    loss = losses.get(given)
    advice = "A loss defines call(y_true, y_pred) and slope(y_true, y_pred): course/add_your_own.md."
    if not isinstance(loss, losses.Loss):
        refuse_methods(loss, ("call",), advice)
    if getattr(loss, "reduction", "sum") is None:
        raise ArgumentError(
            "the loss has reduction=None, so it gives a number for each prediction; training needs one: leave it out."
        )
    for name, part in ("forward", "call"), ("backward", "slope"):
        if getattr(type(loss), name, None) is getattr(losses.Loss, name) and not hasattr(type(loss), part):
            raise ArgumentError(f"class {type(loss).__name__} has no {part}(). {advice}")
    return loss


def _metrics(structure, of_each, wanted, weighted):
    """Yield a `CompiledMetric` for each metric that was asked for, unweighted ones first. A metric object that is given
    for several outputs would mix their numbers, so each output gets its own copy."""
    names, seen = set(), []
    for is_weighted, given, what in (False, wanted, "metrics"), (True, weighted, "weighted_metrics"):
        for output, of_output in enumerate(structure.settings(given, what, are_lists=True)):
            for each in _flat(of_output):
                name, metric = metrics.of_output(each, of_each[output], structure.tensors[output].shape)
                if is_weighted and not takes_weights(metric):
                    raise ArgumentError(f"weighted_metrics: update of '{name}' takes no sample_weight.")
                metric = copy.deepcopy(metric) if any(metric is earlier for earlier in seen) else metric
                seen.append(metric)
                name = _unique(name, structure.names[output] if len(of_each) > 1 else None, is_weighted, names)
                yield CompiledMetric(name, metric, output, is_weighted)


def _update(metric):
    """Return the method with which a metric takes a batch: `update`, or Keras's name of it if that is its own."""
    own = type(metric).update_state is not Metric.update_state
    return metric.update_state if own else metric.update


def takes_weights(metric):
    """Return whether `metric.update` takes weights as a third argument. A metric of your own may take only labels and
    predictions."""
    return len(inspect.signature(_update(metric)).parameters) > 2


def _flat(given):
    """Return the metrics of one output as a flat list. `given` may be None, one metric, a list, or a list that contains
    a list, as in Keras."""
    if isinstance(given, (list, tuple)):
        return [each for some in given for each in _flat(some)]
    return [] if given is None else [given]


def _unique(name, output, is_weighted, names):
    """Return Keras's name for a metric. With several outputs, the name of the output comes first. Where a name is
    already taken, "weighted_" comes before it, or a number after it."""
    in_front = f"{output}_" if output else ""
    found, number = in_front + name, 0
    if found in names and is_weighted:
        found = f"{in_front}weighted_{name}"
    stem = found
    while found in names:
        number += 1
        found = f"{stem}_{number}"
    names.add(found)
    return found


def holds_metrics(value):
    """Return whether `value` is a metric or a list of metrics, and so cannot be loss weights."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return all(isinstance(each, (str, Metric)) for each in values)


def losses_of(model):
    """Return [(output tensor, its loss or None), ...]."""
    loss = model.loss
    of_each = loss.losses if isinstance(loss, losses.WeightedSum) else [loss]
    return list(zip(model.outputs, of_each))
