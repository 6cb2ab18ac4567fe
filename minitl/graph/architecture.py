"""A graph as data that JSON can hold, and back: class names from `minitl.layers`, the arguments of their constructors,
and who takes whose output. Building a graph from it builds those layers and nothing else; no code is stored and none is
run.

    {"format": 1, "class": "Model", "name": "model", "metadata": {}, "layers": [
        {"class": "InputLayer", "config": {"name": "input_layer", "shape": [3]}, "inputs": []},
        {"class": "Dense", "config": {"name": "dense", "units": 2}, "inputs": ["input_layer"]}]}

An entry is a call. Where a layer is called again, the entry is {"call": its name, "inputs": [...]}, and the outputs of
such calls, as of layers with several outputs, are named [layer, call, output], counted from 0. A graph begins with the
first entry and ends with the last one, unless it says otherwise in "inputs" and "outputs": {"form": "one", "list" or
"dict", "tensors": [...], "keys": [...]}. Files that need this are of format 2.
"""

from .. import layers
from ..errors import GraphError
from ..layers import InputLayer, Layer

MOST_CALLS = 10_000  # InceptionV3 has 313
FORMATS = (1, 2)


def architecture(graph):
    """Return `graph` as data. Raises GraphError for one that begins in the middle of another."""
    if not all(isinstance(tensor.layer, InputLayer) for tensor in graph.inputs):
        raise GraphError(f"model '{graph.name}' begins in the middle of another; save the model that it was cut from.")
    if len(graph.calls) + len(graph.inputs) > MOST_CALLS:
        raise GraphError(f"model '{graph.name}' has {len(graph.calls)} calls; {MOST_CALLS:,} can be saved at most.")
    keys = [*graph.input_structure.names, *graph.output_structure.names]
    if not isinstance(graph.metadata, dict) or not all(isinstance(key, str) for key in (*graph.metadata, *keys)):
        raise GraphError(
            f"model '{graph.name}': its metadata is no dictionary with names for keys, or an input or output has a name "
            "that is no text; such a model cannot be saved."
        )
    names, entries, counts = {}, [], {}
    for call in [*(tensor.call for tensor in graph.inputs), *graph.calls]:
        layer = call.layer
        number = counts[layer] = counts.get(layer, -1) + 1
        what = {"call": layer.name} if number else {"class": type(layer).__name__, "config": layer.get_config()}
        entries.append({**what, "inputs": [names[tensor] for tensor in call.inputs]})
        for k, tensor in enumerate(call.outputs):
            is_only_one = number == 0 and len(call.outputs) == 1
            names[tensor] = layer.name if is_only_one else [layer.name, number, k]
    data = {"format": 1, "class": graph.kind, "name": graph.name, "metadata": graph.metadata, "layers": entries}
    is_plain = len(graph.inputs) == len(graph.outputs) == 1 and graph.outputs[0] is graph.tensors[-1]
    if not is_plain or {graph.input_structure.kind, graph.output_structure.kind} != {"one"}:
        data["inputs"] = _form(graph.input_structure, names)
        data["outputs"] = _form(graph.output_structure, names)
    if "inputs" in data or any(not isinstance(name, str) for name in names.values()):
        data["format"] = 2
    return data


def _form(structure, names):
    form = {"form": structure.kind, "tensors": [names[tensor] for tensor in structure.tensors]}
    return {**form, "keys": list(structure.names)} if structure.kind == "dict" else form


def build(data, custom_objects=None):
    """Return (inputs, outputs, layers) of a graph that `architecture` has described: symbolic tensors in their form,
    and the layers in the order of their first calls.

    custom_objects   {class name: class} of layers that are not minitl's

    Raises ValueError, or whatever a layer raises, for data that describes no graph.
    """
    if data.get("format") not in FORMATS:
        raise ValueError(f"format {data.get('format')!r}; this version reads format {' and '.join(map(str, FORMATS))}")
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
            output = layer(inputs if layer.merges else inputs[0])
        calls.setdefault(layer.name, []).append(output if isinstance(output, list) else [output])
    first, last = calls[next(iter(made))][0][0], output if not isinstance(output, list) else output[-1]
    inputs, outputs = (
        _formed(data[end], calls) if end in data else default for end, default in (("inputs", first), ("outputs", last))
    )
    return inputs, outputs, list(made.values())


def _tensor(calls, name):
    """Return the symbolic tensor that a name, or [layer, call, output], stands for."""
    layer, call, output = (name, 0, 0) if isinstance(name, str) else name
    return calls[layer][call][output]


def _formed(form, calls):
    tensors = [_tensor(calls, name) for name in form["tensors"]]
    if form["form"] == "dict":
        return dict(zip(form["keys"], tensors, strict=True))
    if form["form"] not in ("one", "list"):
        raise ValueError(f"inputs or outputs in the form {form['form']!r}")
    return tensors if form["form"] == "list" else tensors[0]
