"""Comparison of what a file states about its network, beside the arrays, with the model that the arrays go into.

The same numbers give other outputs if epsilon, a stride or an activation differs. Whole models of Keras state this in
their configuration, and ONNX in its operations. Both readers turn it into the words of Keras's layers, as data
(`formats.onnx_operations`); here it is compared. A file of arrays alone states nothing.

    stated and different     `differences`: nothing is loaded. With partial=True, which says that the file is of another
                             network, the arrays are loaded, and a warning and the report name the differences
    implied and different    `implied`: PyTorch's layers have epsilon 1e-5 unless they were made otherwise, but its
                             files do not state it. The arrays are loaded, the report says so, and so does a warning
                             if outputs change by more than a thousandth

What changes the training alone is not compared: `Layer.training_only`.
"""

import inspect
import json

import numpy as np

from .. import layers as all_layers
from ..layers import Layer, ZeroPadding2D
from .bert_names import is_bert
from .formats.keras_config import STATED
from .formats.stored_file import WITHIN
from .stated_values import as_text, has_rest, pads_in, pads_of, same

# What the layers here compute where they have no argument of that name.
FIXED = {"dilation_rate": 1, "groups": 1, "data_format": "channels_last", "alpha": 1, "beta": 1, "transA": 0,
         "training_mode": 0}  # fmt: skip
WORDS = {"transA": "transposed", "training_mode": "training mode"}
# Their arrays' shapes or names show a difference.
SEEN_BY_SHAPE = ("filters", "units", "kernel_size", "use_bias", "center", "scale")
# Layers of Keras that do nothing in inference, or that only move numbers.
NEUTRAL = ("ActivityRegularization", "AlphaDropout", "Dropout", "Flatten", "GaussianDropout", "GaussianNoise",
           "Identity", "InputLayer", "Permute", "Reshape", "SpatialDropout1D", "SpatialDropout2D",
           "SpatialDropout3D")  # fmt: skip
# Steps that compute masks: Keras writes them as operations of their own.
MASKS = ("Any", "LogicalAnd", "LogicalOr", "NotEqual", "PaddingMask", "StepMask")
MERGING = ("Add", "Concatenate")  # how many of them there are is a matter of notation
ENDS = ("softmax", "sigmoid")  # activations that a file for another program may leave to its reader


def differences(file, model, places, partial=False):
    """Return (sentences on what the file states and the model has otherwise, remarks on what is left to the reader).

    With `partial`, file and model may have other layers, so only those that both have are compared.
    """
    try:
        operations = json.loads(file.listing.texts.get(STATED) or "[]")
        if not operations:
            return [], []
        return _compared(operations, model, places, "layer" in operations[0], partial)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return [], []  # the text comes from an unknown file, and only the arrays are needed


def implied(file, layers, places):
    """Return [(sentence, largest relative change of the outputs), ...] on what PyTorch's layers have unless told
    otherwise, where the model's layers, which have their arrays already, have it otherwise.

    layers   the layers that were loaded;   places   their `Place`s in a file with PyTorch's words
    """
    if is_bert(layer.name for layer in layers):
        return []  # its configuration says them, and `bert_config` has read it
    words = {place.layer: place.tensor.name.rpartition(".")[2] for place in places}
    told = {each.get("tensor"): each["config"] for each in json.loads(file.listing.texts.get(STATED) or "[]")}
    told = {(place.layer, argument) for place in places for argument in told.get(place.tensor.name, ())}
    found = {}
    for layer in layers:
        if words.get(layer.name) not in layer.torch_names.values():
            continue
        for argument, value in layer.torch_defaults.items():
            if (layer.name, argument) not in told and not same(value, getattr(layer, argument)):
                found.setdefault((type(layer).__name__, argument, value, getattr(layer, argument)), []).append(layer)
    sentences = []
    for (kind, argument, value, own), each in found.items():
        change = max(_change(layer, argument, value) for layer in each)
        sentences.append((
            f"{_named(each)}: {argument} is {own:g}; PyTorch's {kind} has {value:g} unless it was made otherwise, and "
            f"the file does not say. With {argument}={value:g} outputs change by up to {change:.2g} of themselves.",
            change,
        ))  # fmt: skip
    return sentences


def _change(layer, argument, value):
    """Return by which part of itself the layer's response to an input changes with another argument."""
    sizes = [size or 1 for size in layer.input_shape[1:]]
    inputs, responses, own = np.ones((1, *sizes), "f"), [], getattr(layer, argument)
    try:
        for each in own, value:
            setattr(layer, argument, each)
            responses.append(layer.run(inputs)[0] - layer.run(0 * inputs)[0])
    finally:
        setattr(layer, argument, own)
    before, after = responses
    return float(np.abs(after - before).max() / max(np.abs(before).max(), 1e-30))


def _named(layers):
    """Return the names of layers as text, the first three and how many more."""
    names = ", ".join(f"'{layer.name}'" for layer in layers[:3])
    return names + (f" and {len(layers) - 3} more" if len(layers) > 3 else "")


def _compared(operations, model, places, is_keras, partial):
    """Return the sentences and remarks of `differences`."""
    calls = {call.layer.name: call for call in reversed(model.calls)}  # the first call of each
    owners = {}  # tensor or layer of the file -> names in the model
    for place in places:
        outer, *_, named = (place.tensor.layer or "").split(WITHIN) * 2  # of "base//conv1"; or twice the same
        for key in {place.tensor.name, outer, named, named.rpartition("/")[2]}:
            owners.setdefault(key, set()).add(place.layer)
    problems, remarks, others, is_told = [], [], [], False
    for operation in operations:
        name = operation.get("layer" if is_keras else "tensor")
        owner = owners.get(name, set()) & set(calls)
        if len(owner) != 1:
            if name not in owners and not _has_weights(operation["class"]):
                others.append(operation)
            continue
        call = calls[owner.pop()]
        problems += _of_layer(operation, call, is_keras)
        then, own = operation.get("then"), _then(call, model)
        if then is None and not is_keras and own in ENDS:
            remarks.append(f"'{call.layer.name}': the file ends before the {own} that the model has behind it")
        elif then not in (None, "unknown") and own != "unknown" and not same(then, own):
            text = f"'{call.layer.name}': {_through(then)} in the file, {_through(own)} in the model"
            (remarks if partial else problems).append(text)  # a part may end before its activation
            is_told = True
    return problems + _of_others(operations, others, model, is_keras, is_told, partial), remarks


def _has_weights(kind):
    """Return whether layers of a class have weights; what is missing of them shows in the arrays."""
    return bool(getattr(getattr(all_layers, kind, None), "input_axes", None))


def _through(activation):
    """Return an activation in words."""
    return "no activation" if activation in (None, "linear") else f"activation {activation}"


def _of_layer(operation, call, is_keras):
    """Return sentences on the arguments of a layer with weights."""
    layer, found = call.layer, []
    for key, value in operation["config"].items():
        if key in SEEN_BY_SHAPE or key in layer.training_only or key in ("activation", "name", "trainable"):
            continue
        if key == "pads" or (key == "padding" and not is_keras):
            own, value = pads_of(call), pads_in(value, call)
            key = "padding"
            if own is None or value is None:
                continue
        elif key in layer.config_names or key in FIXED:
            own = getattr(layer, key, FIXED.get(key))
        else:
            continue
        rank = len(call.inputs[0].shape)
        if not same(value, own, rank if key == "axis" else None):
            what = WORDS.get(key, key)
            found.append(f"'{layer.name}': {what} is {as_text(value)} in the file, {as_text(own)} in the model")
    return found


def _then(call, model):
    """Return the activation behind a layer: its own, or the next layer's; "linear" for none."""
    own = getattr(call.layer, "activation", "linear")
    if own not in (None, "linear"):
        return own if isinstance(own, str) else "unknown"
    users = [each for each in model.calls if call.outputs[0] in each.inputs]
    if len(users) != 1 or call.outputs[0] in model.outputs:
        return "linear"
    following = users[0].layer
    if following.passes_numbers_on and following.random:  # a Dropout
        return _then(users[0], model)
    if type(following).__name__ == "Activation":
        return following.activation
    name = following.output_activation
    return "linear" if name is None and type(following).__name__ != "ReLU" else _plain_activation(following)


def _plain_activation(layer):
    """Return the name of the activation that a layer is; "unknown" for one with other arguments than the plain one."""
    if layer.weight_names:
        return "linear"
    if type(layer).__name__ == "ReLU":
        is_plain = (layer.max_value, layer.negative_slope, layer.threshold) == (None, 0, 0)
        return "relu" if is_plain else "unknown"
    return layer.output_activation or "linear"


def _of_others(operations, others, model, is_keras, activations_differ, partial):
    """Return sentences on layers without weights: poolings and activations. They are compared as a collection, since
    programs give them other names and orders."""
    theirs = [each for operation in others for each in _steps(operation["class"], operation["config"])]
    if is_keras:
        weighted = [each for each in operations if each not in others]
        theirs += [step for each in weighted for step in _fused(each["config"].get("activation"))]
        own = [step for layer in model.layers for step in _own_steps(layer, None)]
    else:
        own = [step for call in model.calls for step in _own_steps(call.layer, call)]
    if partial:
        equally_many = {kind for kind, *_ in own if _count(kind, own) == _count(kind, theirs)}
        own, theirs = ([step for step in steps if step[0] in equally_many] for steps in (own, theirs))
    own_left, left = list(own), []
    for step in theirs:
        match = next((each for each in own_left if _equal_steps(step, each)), None)
        if match is None:
            left.append(step)
        else:
            own_left.remove(match)
    if not is_keras:  # a pooling over the whole map, written as one with a window
        for step in [each for each in left if each[0] == "AveragePooling2D"]:
            match = next((each for each in own_left if each[0] == "GlobalAveragePooling2D"), None)
            if match:
                left.remove(step), own_left.remove(match)
    sides = [(left, "file"), (own_left, "model")]
    if activations_differ:
        sides = [([step for step in steps if step[0] != "Activation"], side) for steps, side in sides]
    elif not is_keras:
        ends = [step for step in own_left if step[1].get("activation") in ENDS]
        sides[1] = ([step for step in own_left if step not in ends], "model")
    return [f"only the {side} has {_words(step)}" for steps, side in sides for step in _without_repeats(steps)]


def _count(kind, steps):
    """Return how many steps are of a kind."""
    return sum(step[0] == kind for step in steps)


def _without_repeats(steps):
    """Return steps without those that read the same as one before."""
    return list({_words(step): step for step in steps}.values())


def _words(step):
    """Return a step as text: MaxPooling2D(pool_size=(3, 3))."""
    kind, config, _ = step
    return f"{kind}({', '.join(f'{key}={as_text(value)}' for key, value in config.items() if value is not None)})"


def _steps(kind, config):
    """Return the steps of one operation without weights of the file: none if it changes nothing in inference."""
    if kind in (*NEUTRAL, *MASKS, *MERGING) or kind.startswith("Random"):
        return []
    if kind[:-2] in ("MaxPooling", "AveragePooling") and same(config.get("pool_size"), 1) and same(
        config.get("strides"), 1
    ):  # fmt: skip
        return []
    if kind == "LeakyReLU":
        slope = config.get("negative_slope", config.get("alpha", 0.3))
        kind, config = "ReLU", {"negative_slope": slope, "max_value": None, "threshold": 0}
    if kind == "Activation":
        return _fused(config.get("activation"))
    if kind == "Softmax":
        return _fused("softmax")
    own = getattr(all_layers, kind, None)
    if isinstance(own, type) and issubclass(own, Layer):
        defaults = {key: each.default for key, each in inspect.signature(own).parameters.items()}
        kept = {*own.config_names, "pads", "dilation_rate", "ceil_mode", "count_include_pad", "data_format"}
        kept -= {"padding"} if "pads" in config else set()
        config = {**{key: defaults.get(key) for key in own.config_names if key in kept},
                  **{key: value for key, value in config.items() if key in kept}}  # fmt: skip
        if "pool_size" in config and config.get("strides") is None:
            config["strides"] = config["pool_size"]
        if kind == "ReLU" and not any(config.get(key) for key in ("negative_slope", "threshold")):
            if config.get("max_value") is None:
                return _fused("relu")
        return [(kind, {key: value for key, value in config.items() if key not in own.training_only}, None)]
    return [(kind, {}, None)]


def _fused(activation):
    """Return the step of an activation by its name."""
    return [] if activation in (None, "linear") else [("Activation", {"activation": activation}, None)]


def _own_steps(layer, call):
    """Return the steps of a layer of the model: what it does beside its weights."""
    kind = type(layer).__name__
    if layer.weight_names:
        return _fused(getattr(layer, "activation", None))
    if layer.passes_numbers_on or (call and kind in ("ZeroPadding2D", "Cropping2D")):
        return []
    found = _steps(kind, {key: getattr(layer, key) for key in layer.config_names})
    return [(name, config, call) for name, config, _ in found]


def _equal_steps(theirs, own):
    """Return whether a step of the file and one of the model compute the same."""
    (kind, config, _), (own_kind, own_config, call) = theirs, own
    is_global_1d = kind.startswith("Global") and own_kind == f"{kind.removesuffix('2D')}1D"
    if kind != own_kind and not (is_global_1d and call is not None):  # an ONNX file does not say which of the two
        return False
    for key, value in config.items():
        if key == "size" and value is None:
            continue  # a Resize whose factor the file computes
        if key in ("pads", "padding") and call is not None:
            own_pads, found = pads_of(call), pads_in(value, call)
            if own_pads is not None and found is not None and not same(found, own_pads):
                return False
        elif key == "ceil_mode":
            if value and call is not None and has_rest(call, config.get("pads")):
                return False
        elif key == "count_include_pad":
            counts = call is not None and isinstance(call.inputs[0].layer, ZeroPadding2D)
            if any(map(any, config.get("pads", []))) and bool(value) != counts:
                return False
        elif key in own_config or key in FIXED:
            if not same(value, own_config.get(key, FIXED.get(key)), -1 if key == "axis" else None):
                return False
    return True
