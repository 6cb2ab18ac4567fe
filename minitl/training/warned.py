"""Likely mistakes: each gives a `MistakeWarning`, and training goes on.

Impossible settings are refused with an error (`refused`). The settings in this module are possible but nearly never
intended, and an hour of training can be lost before a number shows it. Each warning states a fact about the model or
the data. A `compile`, `fit`, `evaluate` or `predict` checks it once. That costs one look at the layers, the labels or
the first batch. Two more warnings are given where their mistakes happen: an update that moves nothing (`optimizers`),
and batch statistics of a single number (`layers.normalization`).

`minitl mistakes NAME` shows the consequences of each mistake.
"""

import math

import numpy as np

from ..data.batches import is_stream
from ..data.preparation import PREPARATIONS
from ..errors import warn_of_mistake
from ..layers import Concatenate, InputLayer, UpSampling2D
from ..weights.published.catalogue import network_of
from .compiled import losses_of

EXAMPLES_FOR_RANGE = 32  # so many images are checked for their range
FEWEST_LABELS = 8  # so few labels, or fewer, may be in order by chance
FIRST_COMPARED = 64  # so many numbers of an image are compared before all the others
TOLERATED_SHARE = 0.01  # of the validation examples: fewer copies do not change the accuracy noticeably


def about_loss(model):
    """Warn where an output of a model that is being compiled does not go with its loss."""
    for call in model.calls:
        before = _computed_by(call.inputs[0])
        activation = call.layer.output_activation
        is_alone = activation in ("softmax", "sigmoid") and not call.layer.weight_names
        if is_alone and before is not None and before.output_activation == activation:
            warn_of_mistake(
                f"layer '{call.layer.name}' takes a {activation} of the {activation} of '{before.name}'. Leave one of "
                "them out.",
                "softmax-twice",
            )
    for output, loss in losses_of(model):
        _about_output(output, loss)


def _about_output(output, loss):
    """Warn where the layer that computes this output does not go with its loss."""
    last, expected = _computed_by(output), getattr(loss, "final_activation", None)
    if last is None or expected is None:
        return
    from_logits = getattr(loss, "from_logits", False)
    last = (_ends_in_probabilities(output) or last) if from_logits else last
    activation = last.output_activation
    ends = f"the model ends with a {activation} ('{last.name}')"
    if activation == "softmax" and output.shape[-1] == 1:
        warn_of_mistake(f"{ends}, over a single output: that is always 1. Use activation='sigmoid'.", "softmax-twice")
    elif from_logits and activation in ("softmax", "sigmoid"):
        if getattr(type(loss), "from_logits", False):  # of this loss it is no setting
            text = f"{type(loss).__name__} takes scores (logits): it applies a {expected} itself. Leave yours out."
        else:
            text = "the loss with from_logits=True applies another one. Leave from_logits out."
        warn_of_mistake(f"{ends}, and {text}", "softmax-twice")
    elif not from_logits and activation in ("linear", "relu", "tanh"):
        what = "no activation" if activation == "linear" else f"activation '{activation}'"
        warn_of_mistake(
            f"the last layer, '{last.name}', has {what}, and {type(loss).__name__} expects probabilities. Give the "
            f"layer activation='{expected}', or give the loss from_logits=True and the layer no activation.",
            "softmax-twice",
        )
    elif activation == "sigmoid" and expected == "softmax" and output.shape[-1] != 1:
        warn_of_mistake(
            f"{ends}, and {type(loss).__name__} is for classes that exclude each other: with a sigmoid, all of them "
            "can become 1 and the loss 0. Use activation='softmax'.",
            "softmax-twice",
        )


def before_training(model, task, batch_size, shuffle):
    """Warn of likely mistakes in the model and the data before `fit` trains. `task` is a checked `Task`."""
    _about_freezing(model)
    _about_zeros(model)
    if task.x is None:  # nothing is known of batches before they are made
        return
    about_range(model, task.x)
    for k, (_, loss) in enumerate(losses_of(model)):
        y_val = None if task.y_val is None else task.y_val[k]
        _about_order(loss, task.y[k], y_val, batch_size, shuffle, task.was_split)
    if task.x_val is not None:
        about_range(model, task.x_val)
        common = examples_in_common(task.x, task.x_val)
        if common > TOLERATED_SHARE * len(task.x_val[0]):
            warn_of_mistake(
                f"{common} of the {len(task.x_val[0])} validation examples are also training examples, bit for bit: "
                "the accuracy on them says nothing about new examples. Leave them out of one of the two sets.",
                "same-picture-in-both-sets",
            )


def _about_order(loss, y, y_val, batch_size, shuffle, was_split):
    """Warn if the labels of an output are in order, class after class. `was_split` is True if y_val was taken from the
    end of y."""
    labels = _classes(loss, y)
    if labels is not None and not shuffle and len(labels) > max(batch_size, FEWEST_LABELS) and labels[0] != labels[-1]:
        if (labels[1:] >= labels[:-1]).all():
            warn_of_mistake(
                "the labels are in order, class after class, and shuffle is False: most batches hold a single class. "
                "Leave shuffle=False out, or shuffle x and y in the same way.",
                "classes-in-order",
            )
    if labels is not None and was_split:
        never_seen = sorted(set(_classes(loss, y_val).tolist()) - set(labels.tolist()))
        if never_seen:
            warn_of_mistake(
                f"validation_split holds back the last {len(y_val)} examples, and with them all examples of class "
                f"{never_seen[0]}: this class is never trained. Shuffle x and y in the same way before.",
                "classes-in-order",
            )


def about_range(model, x):
    """Warn if the images were not prepared as the model's first layers expect.

    Nothing is checked where the expected preparation is unknown. It is known from `metadata["preprocessing"]`. In a
    model that was made from the layers of another, it is known if the first weights are published ones.
    """
    preparation = PREPARATIONS.get(_expects_preprocessing_of(model))
    if preparation is None or is_stream(x[0]):
        return
    (x,) = x
    smallest, largest = float(x[:EXAMPLES_FOR_RANGE].min()), float(x[:EXAMPLES_FOR_RANGE].max())
    mistake = preparation.mistake(smallest, largest)
    if mistake is not None and smallest < largest:
        warn_of_mistake(
            f"the images run from {smallest:.4g} to {largest:.4g}; '{model.calls[0].layer.name}' was trained on "
            f"{preparation.range}. Pass pixels from 0 to 255 through {preparation.name} once.",
            mistake,
        )


def examples_in_common(x, x_val):
    """Return how many examples of x_val (N', ...) are also in x (N, ...), bit for bit. Both are tuples of one array.

    Two kinds of examples do not count, because equal ones are no mistake: images of one colour, and rows of only a few
    numbers. With several inputs nothing is compared, because the same image may be part of many pairs.
    """
    if len(x) > 1:
        return 0
    (x,), (x_val,) = x, x_val
    if is_stream(x) or is_stream(x_val):
        return 0
    size = math.prod(x.shape[1:])
    if x.shape[1:] != x_val.shape[1:] or size < FIRST_COMPARED:
        return 0
    places = np.unravel_index(np.random.default_rng(0).integers(size, size=FIRST_COMPARED), x.shape[1:])
    found, examples_by_bytes = 0, {}
    for n, numbers in enumerate(x[(slice(None), *places)]):  # (N, 64)
        examples_by_bytes.setdefault(numbers.tobytes(), []).append(n)
    for example, numbers in zip(x_val, x_val[(slice(None), *places)]):
        candidates = examples_by_bytes.get(numbers.tobytes(), ())
        if candidates and example.min() != example.max():
            found += any(np.array_equal(x[n], example) for n in candidates[:FIRST_COMPARED])
    return found


def _about_freezing(model):
    """Warn of a trainable layer with moving statistics (a BatchNormalization) between frozen layers. Its statistics
    change, and the frozen layers behind it no longer get the input that they were trained for."""
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
            f"{type(running[0]).__name__} '{running[0].name}'{more} is trainable, and the layers before and behind it "
            "are frozen: they were trained for its old statistics. Freeze it as well (trainable = False).",
            "batch-norm-runs-in-frozen-base",
        )


def _nearest(start, neighbours):
    """Return the first layers with weights on every path from the tensor `start`, in the direction of `neighbours`."""
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
    """Warn of a kernel of zeros before a relu. There relu gives 0 and has slope 0, so no gradient ever reaches the
    kernel, or any layer before it."""
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
                f"layer '{layer.name}' has a kernel of zeros before a relu: no gradient will ever reach it. Start with "
                "random numbers (leave kernel_initializer out).",
                "zeros-in-a-hidden-layer",
            )


def _computed_by(tensor):
    """Return the layer that computes the numbers of this tensor, looking past layers that only pass numbers on. Return
    None for an input of the model."""
    while tensor.inputs and tensor.layer.passes_numbers_on:
        tensor = tensor.inputs[0]
    return tensor.layer if tensor.inputs else None


def _ends_in_probabilities(tensor):
    """Return a layer with a softmax or sigmoid whose numbers are in this tensor: among others, where several tensors
    are joined, or enlarged. Return None if there is none."""
    if not tensor.inputs:
        return None
    if tensor.layer.passes_numbers_on or isinstance(tensor.layer, (Concatenate, UpSampling2D)):
        return next(filter(None, map(_ends_in_probabilities, tensor.inputs)), None)
    return tensor.layer if tensor.layer.output_activation in ("softmax", "sigmoid") else None


def _classes(loss, y):
    """Return labels as integers (N,). Return None where they are not classes, or where an example has many labels."""
    class_numbers = getattr(loss, "class_numbers", None)  # a loss of your own may have no such method
    return class_numbers(y) if class_numbers else None


def _expects_preprocessing_of(model):
    """Return the name of the application whose preparation of images the model expects, or None if it is unknown."""
    if len(model.inputs) > 1 or not isinstance(model.inputs[0].layer, InputLayer) or len(model.inputs[0].shape) != 4:
        return None
    name = model.metadata.get("preprocessing")
    if isinstance(name, str) and name in PREPARATIONS:
        return name
    return network_of(model)
