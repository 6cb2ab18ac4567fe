"""A whole model in one HDF5 file: its weights in one of Keras's layouts, its architecture and its ledger as JSON text.

The architecture is data: class names from `minitl.layers` and the arguments of their constructors. Reading it builds
those layers and nothing else; no code is stored and none is run.
"""

import json
import os
from pathlib import Path

import h5py
import numpy as np

from .. import initializers, layers
from ..errors import ArgumentError, CheckpointError, GraphError, MinitlError, WeightsError
from ..files.atomic import replacing
from ..layers import InputLayer, Layer
from ..models import Model, Sequential
from . import ledger
from .distrust import child_process as child
from .distrust import known_files as known
from .distrust.opening import file_digest, open_weights
from .formats import keras_h5
from .formats.stored_file import StoredFile
from .loading import load_from
from .naming import places

ARCHITECTURE = "minitl_architecture"  # the JSON text's place in the file
FORMAT = 1
MOST_LAYERS = 10_000  # InceptionV3 has 313
KERAS_3 = (
    ".weights.h5"  # files of this ending get Keras 3's layout, as Keras expects it there; all others the legacy one
)


def save_weights(model, path):
    """Write the weights of `model` as HDF5 that Keras's own load_weights reads: Keras 3's layout where the name ends in
    '.weights.h5', else the legacy one of '.h5'. Atomic."""
    _write(model, path, architecture=None)


def save_model(model, path):
    """Write architecture, weights, ledger, `metadata` and what is frozen. Atomic. What was compiled is not saved."""
    try:
        text = json.dumps(architecture(model))
    except TypeError as error:
        raise CheckpointError(
            f"{path}: the model's metadata or a layer's argument is not plain data ({error})."
        ) from None
    _write(model, path, text)


def check_target(path):
    """Refuse a name that promises another format."""
    suffix = Path(path).suffix if isinstance(path, (str, os.PathLike)) else ""
    if suffix in (".keras", ".pth", ".pt", ".onnx", ".safetensors"):
        raise ArgumentError(f"{path}: minitl writes HDF5; name the file .h5 or .weights.h5, which Keras loads as well.")


def _write(model, path, architecture):
    check_target(path)
    written = None

    def check(temporary):
        nonlocal written
        written = _check_written(model, temporary, path)

    with replacing(path, check) as temporary:
        with h5py.File(temporary, "w") as file:
            keras_h5.write_layers(file, model.layers, numbered=str(path).endswith(KERAS_3))
            texts = {ledger.KEY: ledger.as_text(model), ARCHITECTURE: architecture}
            keras_h5.write_texts(file, {name: text for name, text in texts.items() if text is not None})
    known.remember(path, *written, on_disk=False)


def _check_written(model, temporary, path):
    """Read the file back and compare every number. Returns its digest and its listing."""
    try:
        listing, sha256 = child.list_file(temporary, child.Copy(os.devnull, 0)), file_digest(temporary)
        with StoredFile(temporary, listing, sha256) as file:
            found = {(place.layer, place.parameter): place.tensor for place in places(file, model)}
            for layer in model.layers:
                for name in layer.weight_names:
                    array = getattr(layer, name)
                    if not np.array_equal(file.read(found[layer.name, name], None), array, equal_nan=True):
                        raise CheckpointError(
                            f"{path}: '{layer.name}' {name} read back differently; nothing was saved."
                        )
    except (WeightsError, KeyError) as error:
        reason = str(error).replace(str(temporary), "the file")
        raise CheckpointError(f"{path}: could not be read back ({reason}). Nothing was saved.") from None
    return sha256, listing


def architecture(model):
    """The model as data that JSON can hold: each layer's class, arguments, and the names of its inputs."""
    if not isinstance(model.input.layer, InputLayer):
        raise GraphError(f"model '{model.name}' begins in the middle of another; save the model that it was cut from.")
    steps = [model.input, *model.steps]
    return {
        "format": FORMAT,
        "class": "Sequential" if isinstance(model, Sequential) and model.is_row else "Model",
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


def load_model(path, custom_objects=None):
    """Read a model that `save_model` wrote, as float32. It has to be compiled before it is trained on.

    Raises WeightsError if the file is not one or holds an unknown layer.
    """
    with open_weights(path) as file:
        text = file.listing.texts.get(ARCHITECTURE)
        if text is None:
            raise WeightsError(
                f"{path}: holds no minitl model, only weights at most. Build the model and call "
                "model.load_weights(path), or save it with model.save(path)."
            )
        model = _model(path, text, custom_objects or {})
        if model.count_params():
            load_from(file, model, restore=True)
        return model


def _model(path, text, custom_objects):
    try:
        with initializers.weights_will_be_loaded():
            return _build(json.loads(text), custom_objects)
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


def _build(data, custom_objects):
    """The opposite of `architecture`."""
    if data.get("format") != FORMAT:
        raise ValueError(f"format {data.get('format')!r}; this version reads format {FORMAT}")
    if not isinstance(data.get("metadata", {}), dict) or len(data["layers"]) > MOST_LAYERS:
        raise ValueError(f"metadata that is no dictionary, or more than {MOST_LAYERS:,} layers")
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
    model.metadata = data.get("metadata", {})
    return model
