"""The configuration in Keras's whole models: what it states about each layer. It is read as data and never run.

`stated` returns a list of operations as data, in the form that `onnx_operations` describes, with "layer" in place of
"tensor". "then" is None where it is not known. A configuration that cannot be read states nothing: the arrays are read
without it.
"""

import json

STATED = "stated"  # the name of this text in a listing
KERAS_MODEL, KERAS_TRAINING = "keras_model", "keras_training"  # and those of the whole configurations, for `load_model`
MOST_CONFIG = 2**26  # bytes
DEEPEST = 50
PLAIN = (int, float, str, bool, type(None))
LINEAR = (None, "linear")


def stated(config):
    """Return the operations of a model's configuration: parsed JSON, or its text."""
    try:
        if isinstance(config, (str, bytes)):
            config = json.loads(config) if len(config) <= MOST_CONFIG else {}
        return list(_operations(config, 0))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def _operations(model, depth):
    """Yield the operations of a model, and of the models within it."""
    if depth > DEEPEST:
        return
    if "config" not in model:  # minitl's own architecture
        layers = [{"class_name": e["class"], "config": e["config"]} for e in model["layers"] if "class" in e]
        model = {"class_name": model["class"], "config": {"layers": layers}}
    config = model["config"]
    layers = config if isinstance(config, list) else config.get("layers", [])  # Keras 1 and early 2: a bare list
    is_row = model["class_name"] == "Sequential"
    for position, layer in enumerate(layers):
        if isinstance(layer["config"], list) or "layers" in layer["config"]:
            yield from _operations(layer, depth + 1)
            continue
        found = {str(key): _plain(value) for key, value in layer["config"].items()}
        found = {key: value for key, value in found.items() if value is not ...}
        then = found.get("activation")
        if then in LINEAR:
            after = layers[position + 1] if is_row and position + 1 < len(layers) else None
            then = _activation(after) if after else None
        yield {"class": str(layer["class_name"]), "layer": str(layer["config"]["name"]),
               "then": then if isinstance(then, str) else None, "config": found}  # fmt: skip


def _activation(layer):
    """Return the activation that a layer is by itself: "linear" if it is none, None if it is not known."""
    if layer["class_name"] == "Activation":
        return layer["config"].get("activation")
    return {"ReLU": None, "LeakyReLU": None, "PReLU": None, "ELU": None, "Softmax": "softmax"}.get(
        layer["class_name"], "linear"
    )


def _plain(value):
    """Return a value of a configuration as a number, a text or a list of them; ... for anything else."""
    if isinstance(value, dict) and "value" in value:
        value = value["value"]  # {"type": "ndarray", "value": 0.1}
    if isinstance(value, dict) and isinstance(value.get("config"), str):
        return value["config"]  # a function by its name
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        parts = [_plain(each) for each in value]
        return ... if ... in parts else parts
    return ...
