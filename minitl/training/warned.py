"""What looks like a mistake: said as a `MistakeWarning`, and training goes on.

What cannot be is refused (`refused`). What stands here is possible and nearly never meant, and no number would show it
before an hour of training is lost. Each is a fact about the model or the data, found once in a `compile`, `fit`,
`evaluate` or `predict`, at the price of a look at the layers, the labels or the first batch. Two more are said where
they happen: a step that moves nothing (`optimizers`), batch statistics of a single number (`layers.normalization`).

`minitl mistakes NAME` shows what comes of each.
"""

import math

import numpy as np

from ..data.batches import is_stream
from ..data.preparation import PREPARATIONS
from ..errors import warn_of_mistake
from ..layers import InputLayer
from ..weights.published.catalogue import network_of
from .compiled import losses_of

LOOK_AT = 32  # pictures, for their range
FEWEST = 8  # labels: fewer are in order by chance
FIRST_COMPARED = 64  # numbers of a picture that are compared before the rest is
SHARE = 0.01  # of the validation pictures: fewer copies change no accuracy that anybody reads


def about_loss(model):
    """When a model is compiled: does each of its ends go with its loss?"""
    for call in model.calls:
        before = _computed_by(call.inputs[0])
        is_softmax_alone = call.layer.output_activation == "softmax" and not call.layer.weight_names
        if is_softmax_alone and before is not None and before.output_activation == "softmax":
            warn_of_mistake(
                f"layer '{call.layer.name}' takes a softmax of the softmax of '{before.name}'. Leave one of them out.",
                "softmax-twice",
            )
    for output, loss in losses_of(model):
        _about_end(output, loss)


def _about_end(output, loss):
    """Does the layer that computes this output go with its loss?"""
    last, expected = _computed_by(output), getattr(loss, "final_activation", None)
    if last is None or expected is None:
        return
    activation, from_logits = last.output_activation, getattr(loss, "from_logits", False)
    ends = f"the model ends with a {activation} ('{last.name}')"
    if activation == "softmax" and output.shape[-1] == 1:
        warn_of_mistake(f"{ends}, over a single output: that is always 1. Use activation='sigmoid'.", "softmax-twice")
    elif from_logits and activation in ("softmax", "sigmoid"):
        warn_of_mistake(
            f"{ends}, and the loss with from_logits=True takes another one. Leave from_logits out.", "softmax-twice"
        )
    elif not from_logits and activation in ("linear", "relu", "tanh"):
        what = "no activation" if activation == "linear" else f"activation '{activation}'"
        warn_of_mistake(
            f"the last layer, '{last.name}', has {what}, and {type(loss).__name__} expects probabilities. Give it "
            f"activation='{expected}', or the loss from_logits=True and the layer no activation.",
            "softmax-twice",
        )
    elif activation == "sigmoid" and expected == "softmax" and output.shape[-1] != 1:
        warn_of_mistake(
            f"{ends}, and {type(loss).__name__} is for classes that exclude each other: with a sigmoid, all of them "
            "can become 1 and the loss 0. Use activation='softmax'.",
            "softmax-twice",
        )


def before_training(model, task, batch_size, shuffle):
    """When `fit` is called, with a `Task` of labels and arrays that have been checked."""
    _about_freezing(model)
    _about_zeros(model)
    about_range(model, task.x)
    for k, (_, loss) in enumerate(losses_of(model)):
        y_val = None if task.y_val is None else task.y_val[k]
        _about_order(loss, task.y[k], y_val, batch_size, shuffle, task.was_split)
    if task.x_val is not None:
        about_range(model, task.x_val)
        common = examples_in_common(task.x, task.x_val)
        if common > SHARE * len(task.x_val[0]):
            warn_of_mistake(
                f"{common} of the {len(task.x_val[0])} validation pictures are training pictures, to the last bit: "
                "what is measured on them says nothing about new ones. Leave them out of one of the two.",
                "same-picture-in-both-sets",
            )


def _about_order(loss, y, y_val, batch_size, shuffle, was_split):
    """Are the labels of an output in order, class after class? `was_split`: y_val was taken from the end of y."""
    labels = _classes(loss, y)
    if labels is not None and not shuffle and len(labels) > max(batch_size, FEWEST) and labels[0] != labels[-1]:
        if (labels[1:] >= labels[:-1]).all():
            warn_of_mistake(
                "the labels are in order, class after class, and shuffle is False: most batches hold a single class. "
                "Leave shuffle=False out, or mix x and y in the same way.",
                "classes-in-order",
            )
    if labels is not None and was_split:
        never_seen = sorted(set(_classes(loss, y_val).tolist()) - set(labels.tolist()))
        if never_seen:
            warn_of_mistake(
                f"validation_split holds back the last {len(y_val)} pictures, and with them all of class "
                f"{never_seen[0]}: it is never trained. Mix x and y in the same way before.",
                "classes-in-order",
            )


def about_range(model, x):
    """Have the pictures been prepared as the model's first layers expect? Only asked where that is known: from
    `metadata["preprocessing"]`, or, in a model that was put together from the layers of another, because the first
    weights are published ones."""
    preparation = PREPARATIONS.get(_expects_preprocessing_of(model))
    if preparation is None or is_stream(x[0]):
        return
    (x,) = x
    smallest, largest = float(x[:LOOK_AT].min()), float(x[:LOOK_AT].max())
    mistake = preparation.mistake(smallest, largest)
    if mistake is not None and smallest < largest:
        warn_of_mistake(
            f"the pictures run from {smallest:.4g} to {largest:.4g}; '{model.calls[0].layer.name}' was trained on "
            f"{preparation.range}. Let pixels from 0 to 255 go through {preparation.name}, once.",
            mistake,
        )


def examples_in_common(x, x_val):
    """Return how many examples of x_val (N', ...) are also in x (N, ...), bit for bit; both are tuples of one array.
    Images of one colour do not count, nor do rows of a few numbers, which may well be equal. With several inputs
    nothing is compared: the same photograph may rightly stand in many pairs."""
    if len(x) > 1:
        return 0
    (x,), (x_val,) = x, x_val
    size = math.prod(x.shape[1:])
    if is_stream(x) or is_stream(x_val) or x.shape[1:] != x_val.shape[1:] or size < FIRST_COMPARED:
        return 0
    places = np.unravel_index(np.random.default_rng(0).integers(size, size=FIRST_COMPARED), x.shape[1:])
    found, places_of = 0, {}
    for n, numbers in enumerate(x[(slice(None), *places)]):  # (N, 64)
        places_of.setdefault(numbers.tobytes(), []).append(n)
    for picture, numbers in zip(x_val, x_val[(slice(None), *places)]):
        alike = places_of.get(numbers.tobytes(), ())
        if alike and picture.min() != picture.max():
            found += any(np.array_equal(x[n], picture) for n in alike[:FIRST_COMPARED])
    return found


def _about_freezing(model):
    """A layer that keeps statistics (a BatchNormalization) and learns between layers that do not: its statistics drift
    away from what they expect."""
    behind = {}
    for call in model.calls:
        for tensor in call.inputs:
            behind.setdefault(tensor, []).extend(call.outputs)
    running = [
        call.layer
        for call in model.calls
        if call.layer.statistic_names
        and call.layer.trainable
        and _all_frozen(_nearest(call.outputs[0], lambda tensor: tensor.inputs))
        and _all_frozen(_nearest(call.outputs[0], lambda tensor: behind.get(tensor, ())))
    ]
    if running:
        more = f" (and {len(running) - 1} more)" if len(running) > 1 else ""
        warn_of_mistake(
            f"{type(running[0]).__name__} '{running[0].name}'{more} learns, and the layers before and behind it are "
            "frozen: they were made for the statistics that it had. Freeze it as well (trainable = False).",
            "batch-norm-runs-in-frozen-base",
        )


def _nearest(start, neighbours):
    """The first layers with parameters that are met on every way from here, in the direction of `neighbours`."""
    found, seen, to_visit = [], set(), list(neighbours(start))
    while to_visit:
        tensor = to_visit.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        if tensor.layer.weight_names:
            found.append(tensor.layer)
        else:
            to_visit.extend(neighbours(tensor))
    return found


def _all_frozen(layers):
    return bool(layers) and not any(layer.trainable for layer in layers)


def _about_zeros(model):
    """Behind a kernel of zeros, relu gives 0 and has slope 0: no gradient will ever reach the kernel, nor pass it."""
    users = {call.inputs[0]: call.layer for call in model.calls}
    for call in model.calls:
        layer = call.layer
        kernel = getattr(layer, "kernel", None) if layer.trainable else None
        both = [each.output_activation for each in (layer, users.get(call.outputs[0])) if each is not None]
        if kernel is None or kernel.flat[0] != 0 or "relu" not in both:
            continue
        bias = getattr(layer, "bias", None)
        if not kernel.any() and (bias is None or bias.max() <= 0):
            warn_of_mistake(
                f"layer '{layer.name}' has a kernel of zeros before a relu: no gradient will ever reach it. Give it "
                "random numbers (leave kernel_initializer out).",
                "zeros-in-a-hidden-layer",
            )


def _computed_by(tensor):
    """The layer that the numbers of this tensor come from, through layers that hand them on. None for the input."""
    while tensor.inputs and tensor.layer.passes_numbers_on:
        tensor = tensor.inputs[0]
    return tensor.layer if tensor.inputs else None


def _classes(loss, y):
    """Return labels as integers (N,), or None where they are no classes, or many for one example."""
    class_numbers = getattr(loss, "class_numbers", None)  # an object that only resembles a loss may have none
    return class_numbers(y) if class_numbers else None


def _expects_preprocessing_of(model):
    """The name of the application whose pictures the model takes, if that is known."""
    if len(model.inputs) > 1 or not isinstance(model.inputs[0].layer, InputLayer) or len(model.inputs[0].shape) != 4:
        return None
    name = model.metadata.get("preprocessing")
    if isinstance(name, str) and name in PREPARATIONS:
        return name
    return network_of(model)
