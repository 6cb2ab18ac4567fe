"""A whole model in one HDF5 file: its weights in Keras's legacy layout, its architecture as JSON text.

The architecture is data: class names from `minitl.layers` and the arguments of their constructors. Reading it builds
those layers and nothing else; no code is stored and none is run.
"""

import json

import h5py
import numpy as np

from .. import initializers, layers
from ..errors import CheckpointError, GraphError, MinitlError, WeightsError
from ..layers import InputLayer, Layer
from ..models import Model, Sequential
from .atomic import replacing
from .keras_h5 import open_hdf5, read_layout, write_layout
from .loading import load_weights

ARCHITECTURE = "minitl_architecture"  # the JSON text's place in the file
FORMAT = 1


def save_weights(model, path):
    """Write the weights of `model` in Keras's legacy layout: Keras's own load_weights reads them. Atomic."""
    _write(model, path, architecture=None)


def save_model(model, path):
    """Write architecture, weights, `metadata` and what is frozen. Atomic. What was compiled is not saved."""
    try:
        text = json.dumps(architecture(model))
    except TypeError as error:
        raise CheckpointError(
            f"{path}: the model's metadata or a layer's argument is not plain data ({error})."
        ) from None
    _write(model, path, text)


def _write(model, path, architecture):
    with replacing(path, check=lambda written: _check_written(model, written, path)) as temporary:
        with h5py.File(temporary, "w") as file:
            write_layout(file, model.layers)
            if architecture is not None:
                file[ARCHITECTURE] = np.bytes_(architecture.encode("utf-8"))


def _check_written(model, written, path):
    """Read the file back and compare every number."""
    try:
        with open_hdf5(written) as file:
            layout = read_layout(file)
            for layer in model.layers:
                for name in layer.weight_names:
                    if not np.array_equal(layout[layer.name][name][()], getattr(layer, name), equal_nan=True):
                        raise CheckpointError(
                            f"{path}: '{layer.name}' {name} read back differently; nothing was saved."
                        )
    except WeightsError as error:
        reason = str(error).replace(str(written), "the file")
        raise CheckpointError(f"{path}: could not be read back ({reason}). Nothing was saved.") from None


def architecture(model):
    """The model as data that JSON can hold: each layer's class, arguments, and the names of its inputs."""
    if not isinstance(model.input.layer, InputLayer):
        raise GraphError(f"model '{model.name}' begins in the middle of another; save the model that it was cut from.")
    steps = [model.input, *model.steps]
    return {
        "format": FORMAT,
        "class": "Sequential" if isinstance(model, Sequential) and _is_row(model) else "Model",
        "name": model.name,
        "metadata": model.metadata,
        "layers": [
            {
                "class": type(step.layer).__name__,
                "config": step.layer.get_config(),
                "inputs": [tensor.layer.name for tensor in step.inputs],
            }
            for step in steps
        ],
    }


def _is_row(model):
    """Does every layer take the output of the one before it, and nothing else?"""
    return all(step.inputs == (before,) for before, step in zip([model.input, *model.steps], model.steps))


def load_model(path, custom_objects=None):
    """Read a model that `save_model` wrote, as float32. It has to be compiled before it is trained on.

    Raises WeightsError if the file is not one or holds an unknown layer.
    """
    with open_hdf5(path) as file:
        text = file.get(ARCHITECTURE)
        if not isinstance(text, h5py.Dataset) or text.shape != ():
            raise WeightsError(
                f"{path}: holds no minitl model, only weights at most. Build the model and call "
                "model.load_weights(path), or save it with model.save(path)."
            )
        text = bytes(text[()])
    try:
        with initializers.weights_will_be_loaded():
            model = _build(json.loads(text), custom_objects or {})
    except (
        MinitlError,
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise WeightsError(f"{path}: its architecture cannot be built ({error}).") from error
    if model.count_params():
        load_weights(model, path)
    return model


def _build(data, custom_objects):
    """The opposite of `architecture`."""
    if data.get("format") != FORMAT:
        raise ValueError(f"format {data.get('format')!r}; this version reads format {FORMAT}")
    if not data["layers"] or data["layers"][0]["class"] != "InputLayer":
        raise ValueError("it does not begin with an InputLayer")
    classes = {name: getattr(layers, name) for name in layers.__all__}
    classes = {name: cls for name, cls in classes.items() if isinstance(cls, type) and issubclass(cls, Layer)}
    classes.update(custom_objects)
    outputs = {}
    for entry in data["layers"]:
        if entry["class"] not in classes:
            raise ValueError(f"unknown layer class {entry['class']!r}; name your own in custom_objects")
        layer = classes[entry["class"]](**entry["config"])
        inputs = [outputs[name] for name in entry["inputs"]]
        if isinstance(layer, InputLayer):
            tensor = layer.output
        else:
            tensor = layer(inputs if layer.merges else inputs[0])
        outputs[layer.name] = tensor
    tensors = list(outputs.values())
    if data["class"] == "Sequential":
        model = Sequential([each.layer for each in tensors], name=data["name"])
    else:
        model = Model(tensors[0], tensors[-1], name=data["name"])
    model.metadata = data["metadata"]
    return model
