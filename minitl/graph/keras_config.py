"""A graph as Keras writes it into the files of whole models, so that `keras.models.load_model` opens minitl's.

The names of classes and arguments are Keras's already. What is left are the forms: the shape of an input has the batch
axis, and a call names its inputs by (layer, number of its call, number of the output). Keras refuses a layer that it
does not have by the name of its class, and takes one in `custom_objects`. minitl itself never reads this form back.
"""

from ..errors import ArgumentError
from ..layers import AnyMask, InputLayer, JoinedMask, PaddingMask, StepMask
from ..layers.masking import mask_names

ONLY_HERE = ("gelu_tanh",)  # activations that Keras has under no name
MASKS = AnyMask, JoinedMask, PaddingMask, StepMask  # Keras computes them on its own, within its layers
MODULES = {"Sequential": "keras", "Functional": "keras.src.models.functional"}


def keras_config(graph, with_modules=False):
    """Return `graph` as the data of Keras's `model_config`.

    with_modules   say of each class which module of Keras has it, as the archives of Keras 3 do
    """
    config = _config_of(graph)
    if with_modules:
        for entry in (config, *config["config"]["layers"]):
            if "module" not in entry:
                entry["module"] = "keras.layers" if entry is not config else MODULES[config["class_name"]]
                entry["registered_name"] = None
    return config


def require_keras(graph):
    """Raise ArgumentError, naming the layer, if Keras does not have a layer, an activation or a mask of `graph`.

    Keras computes masks itself, where an Embedding has mask_zero=True. One that a call was given by name is lost.
    """
    advice = "minitl opens its own file; for other programs, export the model to .onnx."
    for call in graph.calls:
        layer = call.layer
        if not layer.in_keras:
            raise ArgumentError(f"layer '{layer.name}': Keras has no {type(layer).__name__}. {advice}")
        if layer.output_activation in ONLY_HERE:
            raise ArgumentError(f"layer '{layer.name}': Keras has no activation '{layer.output_activation}'. {advice}")
        for name, position in mask_names(layer, len(call.by_position)).items():
            if name not in call.names and isinstance(getattr(call.by_position[position].mask, "layer", None), MASKS):
                raise ArgumentError(
                    f"layer '{layer.name}' was called without the mask of its input, and Keras would give it to it. "
                    f"Leave {name}=None out, or: {advice}"
                )
        for name, tensor in zip(call.names, call.inputs[len(call.by_position) :]):
            made = call.by_position[min(layer.masks_of.get(name, 0), len(call.by_position) - 1)].mask
            if isinstance(tensor.layer, MASKS) and tensor is not made:
                raise ArgumentError(
                    f"layer '{layer.name}': Keras has no {type(tensor.layer).__name__}, so its {name} would be lost. "
                    f"Give the Embedding mask_zero=True, or: {advice}"
                )


def _config_of(graph):
    """Return the configuration of a graph, without modules."""
    if graph.kind == "Sequential":
        layers = [graph.inputs[0].layer, *(call.layer for call in graph.calls)]
        entries = [{"class_name": type(layer).__name__, "config": _config(layer)} for layer in layers]
        return {"class_name": "Sequential", "config": {"name": graph.name, "trainable": True, "layers": entries}}
    places, entries, counts = {}, {}, {}  # places: symbolic tensor -> [layer, call, output]
    calls = [call for call in graph.calls if not isinstance(call.layer, MASKS)]
    for call in [*(tensor.call for tensor in graph.inputs), *calls]:
        layer = call.layer
        number = counts[layer] = counts.get(layer, -1) + 1
        places.update((tensor, [layer.name, number, k]) for k, tensor in enumerate(call.outputs))
        entry = entries.setdefault(layer, {**_class_and_config(layer), "name": layer.name, "inbound_nodes": []})
        if call.inputs:
            tensors = [_tensor(tensor, places[tensor]) for tensor in call.by_position]
            named = {} if layer.mask_of_each else dict(zip(call.names, call.inputs[len(tensors) :]))
            by_name = {name: _tensor(tensor, places[tensor]) for name, tensor in named.items() if tensor in places}
            mode = {"training": int(call.training)} if layer.has_mode and call.training is not None else {}
            entry["inbound_nodes"].append({"args": layer.keras_call(tensors), "kwargs": by_name | call.options | mode})
    config = {
        "name": graph.name,
        "trainable": graph.trainable,
        "layers": list(entries.values()),
        "input_layers": _packed(graph.input_structure, places),
        "output_layers": _packed(graph.output_structure, places),
    }
    return {"class_name": "Functional", "config": config}


def _class_and_config(layer):
    """Return the entry of a layer without its calls. Where Keras has an operation on arrays instead, it is that."""
    operation = layer.keras_operation
    if operation is not None:
        config = {"name": layer.name}
        return {
            "module": "keras.src.ops.numpy",
            "class_name": operation,
            "registered_name": operation,
            "config": config,
        }
    return {"class_name": type(layer).__name__, "config": _config(layer)}


def _config(layer):
    """Return the arguments of a layer in Keras's form."""
    config = _without_initializers(layer.get_config())
    if isinstance(layer, InputLayer):
        config["batch_shape"] = [layer.batch_size, *config.pop("shape")]
    return config


def _without_initializers(config):
    """Return a configuration without how its parameters were drawn: a file has their values, and a layer within a layer
    is described in the same way."""
    return {
        name: _without_initializers(value) if isinstance(value, dict) else value
        for name, value in config.items()
        if not name.endswith("_initializer")
    }


def _tensor(tensor, place):
    """Return a symbolic tensor in Keras's form."""
    config = {"shape": list(tensor.shape), "dtype": tensor.dtype, "keras_history": place}
    return {"class_name": "__keras_tensor__", "config": config}


def _packed(structure, places):
    """Return the places of a graph's inputs or outputs: one, a list, or a dict by name."""
    found = [places[tensor] for tensor in structure.tensors]
    if structure.kind == "dict":
        return dict(zip(structure.names, found))
    return found if structure.kind == "list" else found[0]
