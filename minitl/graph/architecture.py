"""A graph as data that JSON can hold, and back.

The data are class names from `minitl.layers`, the arguments of their constructors, and which call takes whose output.
Building a graph from them builds those layers and nothing else. No code is stored, and none is run.

    {"format": 1, "class": "Model", "name": "model", "metadata": {}, "layers": [
        {"class": "InputLayer", "config": {"name": "input_layer", "shape": [3]}, "inputs": []},
        {"class": "Dense", "config": {"name": "dense", "units": 2}, "inputs": ["input_layer"]}]}

An entry is a call. If a layer is called again, the entry is {"call": its name, "inputs": [...]}. The outputs of such
calls, and of layers with several outputs, are named [layer, call, output], counted from 0. Inputs that a call takes by
name stand under "named", {"mask": ...}, its other arguments under "options", and the mode that it fixes under
"training". A graph begins with the first entry and ends with the last one. Any other graph has the entries "inputs" and
"outputs": {"form": "one", "list" or "dict", "tensors": [...], "keys": [...]}. Files with any of these two are of format
2, and those with anything given by name are of format 3.
"""

from .. import layers
from ..errors import GraphError
from ..layers import InputLayer, Layer
from ..layers.masking import mask_names

MOST_CALLS = 10_000  # InceptionV3 has 313
FORMATS = (1, 2, 3)


def architecture(graph):
    """Return `graph` as data. Raises GraphError if it begins in the middle of another, or is too large."""
    if not all(isinstance(tensor.layer, InputLayer) for tensor in graph.inputs):
        raise GraphError(f"model '{graph.name}' begins in the middle of another; save the model that it was cut from.")
    if len(graph.calls) + len(graph.inputs) > MOST_CALLS:
        raise GraphError(f"model '{graph.name}' has {len(graph.calls):,} calls; at most {MOST_CALLS:,} can be saved.")
    keys = [*graph.input_structure.names, *graph.output_structure.names]
    if not isinstance(graph.metadata, dict) or not all(isinstance(key, str) for key in (*graph.metadata, *keys)):
        raise GraphError(
            f"model '{graph.name}' cannot be saved: expected metadata that is a dictionary with strings for keys, and "
            "strings for the names of inputs and outputs."
        )
    names, entries, counts = {}, [], {}
    for call in [*(tensor.call for tensor in graph.inputs), *graph.calls]:
        layer = call.layer
        number = counts[layer] = counts.get(layer, -1) + 1
        entry = {"call": layer.name} if number else {"class": type(layer).__name__, "config": layer.get_config()}
        entry["inputs"] = [names[tensor] for tensor in call.by_position]
        if call.names:
            entry["named"] = {name: names[tensor] for name, tensor in zip(call.names, call.inputs[-len(call.names) :])}
        if call.options:
            entry["options"] = call.options
        if call.training is not None:
            entry["training"] = call.training
        entries.append(entry)
        is_only_output = number == 0 and len(call.outputs) == 1
        for k, tensor in enumerate(call.outputs):
            names[tensor] = layer.name if is_only_output else [layer.name, number, k]
    data = {"format": 1, "class": graph.kind, "name": graph.name, "metadata": graph.metadata, "layers": entries}
    is_plain = len(graph.inputs) == len(graph.outputs) == 1 and graph.outputs[0] is graph.tensors[-1]
    if not is_plain or {graph.input_structure.kind, graph.output_structure.kind} != {"one"}:
        data["inputs"] = _structure_as_data(graph.input_structure, names)
        data["outputs"] = _structure_as_data(graph.output_structure, names)
    if "inputs" in data or any(not isinstance(name, str) for name in names.values()):
        data["format"] = 2
    if any({"named", "options", "training"}.intersection(entry) for entry in entries):
        data["format"] = 3
    return data


def _structure_as_data(structure, names):
    """Return the form and the names of a graph's inputs or outputs."""
    form = {"form": structure.kind, "tensors": [names[tensor] for tensor in structure.tensors]}
    return {**form, "keys": list(structure.names)} if structure.kind == "dict" else form


def build(data, custom_objects=None):
    """Return (inputs, outputs, layers) of the graph that `architecture` has described.

    inputs, outputs  symbolic tensors: one, a list or a dict
    layers           in the order of their first calls
    custom_objects   {class name: class} of layers that are not minitl's

    Raises ValueError, or the error of a layer, for data that describe no graph.
    """
    if data.get("format") not in FORMATS:
        raise ValueError(f"format {data.get('format')!r}; this version reads formats {FORMATS[0]} to {FORMATS[-1]}")
    if not isinstance(data.get("metadata", {}), dict) or len(data["layers"]) > MOST_CALLS:
        raise ValueError(f"metadata that is no dictionary, or more than {MOST_CALLS:,} layers")
    if not data["layers"] or data["layers"][0].get("class") != "InputLayer":
        raise ValueError("it does not begin with an InputLayer")
    classes = {name: getattr(layers, name) for name in layers.__all__}
    classes = {name: cls for name, cls in classes.items() if isinstance(cls, type) and issubclass(cls, Layer)}
    classes.update(custom_objects or {})
    made, calls = {}, {}  # name -> layer; name -> the outputs of each of its calls
    for entry in data["layers"]:
        if "call" in entry:
            layer = made[entry["call"]]
        elif entry["class"] not in classes:
            raise ValueError(f"unknown layer class {entry['class']!r}; name your own in custom_objects")
        else:
            layer = classes[entry["class"]](**entry["config"])
            if layer.name in made:
                raise ValueError(f"two layers called {layer.name!r}")
            made[layer.name] = layer
        inputs = [_tensor(calls, name) for name in entry["inputs"]]
        if isinstance(layer, InputLayer):
            output = layer.output
        else:
            by_name = dict.fromkeys(mask_names(layer, len(inputs)))  # a mask that is not in the file is none
            by_name |= {name: _tensor(calls, place) for name, place in entry.get("named", {}).items()}
            training = {"training": entry["training"]} if "training" in entry else {}
            output = layer(layer.packed(inputs), **by_name, **entry.get("options", {}), **training)
        calls.setdefault(layer.name, []).append(output if isinstance(output, list) else [output])
    first, last = calls[next(iter(made))][0][0], output[-1] if isinstance(output, list) else output
    inputs = _structured(data["inputs"], calls) if "inputs" in data else first
    outputs = _structured(data["outputs"], calls) if "outputs" in data else last
    return inputs, outputs, list(made.values())


def _tensor(calls, name):
    """Return the symbolic tensor for a layer's name, or for [layer, call, output]."""
    layer, call, output = (name, 0, 0) if isinstance(name, str) else name
    return calls[layer][call][output]


def _structured(form, calls):
    """Return the symbolic tensors that `_structure_as_data` has described: one, a list or a dict."""
    tensors = [_tensor(calls, name) for name in form["tensors"]]
    if form["form"] == "dict":
        return dict(zip(form["keys"], tensors, strict=True))
    if form["form"] not in ("one", "list"):
        raise ValueError(f"inputs or outputs in the form {form['form']!r}")
    return tensors if form["form"] == "list" else tensors[0]
