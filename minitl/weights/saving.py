"""Saving a model as an HDF5 file: its weights in one of Keras's two layouts, its ledger, and its architecture.

`save_weights` leaves the architecture out; `save_model` writes it as JSON text (`graph.architecture`), and again in
Keras's form (`graph.keras_config`), so that `load_model` opens the file here and in Keras. A file that ends in .keras
is Keras 3's archive with the same contents (`formats.keras_archive`).
"""

import io
import json
import os
from pathlib import Path

import h5py
import numpy as np

from ..errors import ArgumentError, CheckpointError, MinitlError, WeightsError
from ..files.atomic import replacing
from ..graph.architecture import architecture
from ..graph.keras_config import keras_config
from . import ledger
from .distrust import child_process, known_files
from .distrust.opening import file_digest
from .formats import keras_archive, keras_h5
from .formats.stored_file import StoredFile
from .naming import places

ARCHITECTURE = keras_h5.ARCHITECTURE  # the name of the JSON text in the file
# The endings of the files that are written. A name without an ending is taken as it is, and so is one with a number
# behind its last dot, as in "epoch.10".
ENDINGS = ("", ".h5", ".hdf5", ".hdf", ".he5")
ARCHIVE = ".keras"  # of whole models
# Keras expects its version 3 layout in files with this ending, and the legacy layout in all others.
KERAS_3 = ".weights.h5"


def save_weights(model, path):
    """Write the weights of `model` as HDF5 that Keras's own load_weights reads.

    A name that ends in '.weights.h5' gets Keras 3's layout; any other gets the legacy layout of '.h5'. The writing is
    atomic: the file is the old one or the new one, never half of one.
    """
    _write(model, path, architecture_text=None)


def save_model(model, path):
    """Write architecture, weights, ledger, `metadata` and `trainable` of each layer, atomically.

    The optimizer, loss and metrics given to `compile` are not saved.
    """
    check_target(path, of_model=True)
    is_archive = isinstance(path, (str, os.PathLike)) and Path(path).suffix.lower() == ARCHIVE
    try:
        text, config = json.dumps(architecture(model)), json.dumps(keras_config(model, with_modules=is_archive))
    except (TypeError, ValueError) as error:
        if isinstance(error, MinitlError):
            raise
        raise CheckpointError(
            f"{path}: the model's metadata or a layer's argument is not plain data ({error}). Use numbers, texts, "
            "lists and dictionaries."
        ) from None
    _write(model, path, text, config)


def check_target(path, of_model=False):
    """Raise ArgumentError unless the ending of `path` is one of ENDINGS or a number, or .keras for a whole model."""
    suffix = Path(path).suffix.lower() if isinstance(path, (str, os.PathLike)) else ""
    if of_model and suffix == ARCHIVE:
        return
    if suffix not in ENDINGS and not suffix[1:].isdecimal():
        raise ArgumentError(
            f"{path}: minitl writes HDF5; name the file .h5 or .weights.h5, which Keras loads as well. Found the "
            f"ending '{suffix}', expected one of {', '.join(filter(None, ENDINGS))} (of a whole model also {ARCHIVE})."
        )


def _write(model, path, architecture_text, keras_text=None):
    """Write the file and read it back before it takes the name `path`. It is an archive if that ends in .keras, and
    there is an architecture to put into it."""
    is_archive = keras_text is not None and Path(path).suffix.lower() == ARCHIVE
    if not is_archive:
        check_target(path)
    written = None

    def check(temporary):
        nonlocal written
        written = _check_written(model, temporary, path)

    with replacing(path, check) as temporary:
        content = io.BytesIO() if is_archive else temporary
        with h5py.File(content, "w") as file:
            numbered = is_archive or str(path).endswith(KERAS_3)
            needs_group = keras_h5.TAKEN & {layer.name.split("/")[0] for layer in model.layers}
            root = file.create_group(keras_h5.WEIGHTS) if needs_group and not numbered else file
            keras_h5.write_layers(root, model.layers, numbered)
            if keras_text is not None and not numbered:
                keras_h5.write_config(file, keras_text)
            texts = {ledger.KEY: ledger.as_text(model), ARCHITECTURE: architecture_text}
            keras_h5.write_texts(file, {name: text for name, text in texts.items() if text is not None})
        if is_archive:
            keras_archive.write_archive(temporary, keras_text, content.getbuffer())
    known_files.remember(path, *written, on_disk=False)


def _check_written(model, temporary, path):
    """Read the written file back and compare every array with the model. Return the file's digest and its listing."""
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
