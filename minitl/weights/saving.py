"""A model as an HDF5 file: its weights in one of Keras's layouts, its ledger and, for a whole model, its architecture
(`graph.architecture`) as JSON text. `models.load_model` reads it back.
"""

import json
import os
from pathlib import Path

import h5py
import numpy as np

from ..errors import ArgumentError, CheckpointError, MinitlError, WeightsError
from ..files.atomic import replacing
from ..graph.architecture import architecture
from . import ledger
from .distrust import child_process, known_files
from .distrust.opening import file_digest
from .formats import keras_h5
from .formats.stored_file import StoredFile
from .naming import places

ARCHITECTURE = "minitl_architecture"  # the JSON text's place in the file
# Files of this ending get Keras 3's layout, as Keras expects it there; all others the legacy one.
KERAS_3 = ".weights.h5"


def save_weights(model, path):
    """Write the weights of `model` as HDF5 that Keras's own load_weights reads: Keras 3's layout where the name ends in
    '.weights.h5', else the legacy one of '.h5'. Atomic."""
    _write(model, path, architecture_text=None)


def save_model(model, path):
    """Write architecture, weights, ledger, `metadata` and what is frozen. Atomic. What was compiled is not saved."""
    try:
        text = json.dumps(architecture(model))
    except (TypeError, ValueError) as error:
        if isinstance(error, MinitlError):
            raise
        raise CheckpointError(
            f"{path}: the model's metadata or a layer's argument is not plain data ({error})."
        ) from None
    _write(model, path, text)


def check_target(path):
    """Refuse a name that promises another format."""
    suffix = Path(path).suffix if isinstance(path, (str, os.PathLike)) else ""
    if suffix in (".keras", ".pth", ".pt", ".onnx", ".safetensors"):
        raise ArgumentError(f"{path}: minitl writes HDF5; name the file .h5 or .weights.h5, which Keras loads as well.")


def _write(model, path, architecture_text):
    check_target(path)
    written = None

    def check(temporary):
        nonlocal written
        written = _check_written(model, temporary, path)

    with replacing(path, check) as temporary:
        with h5py.File(temporary, "w") as file:
            keras_h5.write_layers(file, model.layers, numbered=str(path).endswith(KERAS_3))
            texts = {ledger.KEY: ledger.as_text(model), ARCHITECTURE: architecture_text}
            keras_h5.write_texts(file, {name: text for name, text in texts.items() if text is not None})
    known_files.remember(path, *written, on_disk=False)


def _check_written(model, temporary, path):
    """Read the file back and compare every number. Returns its digest and its listing."""
    try:
        listing, sha256 = child_process.list_file(temporary, child_process.Copy(os.devnull, 0)), file_digest(temporary)
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
