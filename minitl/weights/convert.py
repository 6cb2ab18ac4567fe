"""Conversion of weights from any format to HDF5 that Keras and minitl load.

There are two ways. `through_model` uses a model that knows the layers' order, their classes and the axes, so it writes
either layout from any format. `as_it_is` uses a Keras file that itself states enough: legacy to legacy, `.keras` to
either layout, `.weights.h5` to `.weights.h5`. Keras reads both layouts by position. It would silently load a file in
another order into the wrong layers, so a file that does not state the order is refused.
"""

import os
from typing import NamedTuple

import h5py
import numpy as np

from ..errors import ArgumentError, WeightsError
from ..files.atomic import replacing
from ..terminal import counted
from . import ledger
from .distrust.opening import open_weights
from .formats import keras_h5
from .loading import load_from
from .naming import has_keras_layout, own_places, owner_of
from .saving import KERAS_3, check_target


class ConversionReport(NamedTuple):
    """The counts of the layers and arrays that a conversion wrote."""

    layers: int
    tensors: int
    parameters: int

    def __str__(self):
        return f"{counted(self.layers, 'layer')}, {counted(self.tensors, 'tensor')}, {self.parameters:,} parameters"


def through_model(file, model, target, partial=False, names=None):
    """Load an open file into `model`, and write the layers that it had to `target`. Return a `ConversionReport`.

    Axes, order and names become the model's. With `partial`, the file may have only some of the model's layers.
    """
    _check_target(file, target)
    loaded = load_from(file, model, partial, names).loaded
    layers = [layer for layer in model.layers if layer.name in loaded]
    arrays = {layer.name: {name: getattr(layer, name) for name in layer.weight_names} for layer in layers}

    def write(written):
        keras_h5.write_layers(written, layers, numbered=str(target).endswith(KERAS_3))

    return _write(target, arrays, write, {ledger.KEY: ledger.as_text(model, layers)})


def as_it_is(file, target):
    """Write the tensors of an open Keras file to `target`, with their names and order. Return a `ConversionReport`."""
    _check_target(file, target)
    if not has_keras_layout(file):
        raise WeightsError(
            f"{file.path}: expected a file of Keras's, found {file.listing.format}. Convert it with --model, which "
            "names the network of these layers."
        )
    arrays, owners = {}, {}
    for place in own_places(file):
        owner = owners.setdefault(place.layer, owner_of(place.tensor))
        tensors = arrays.setdefault(place.layer, {})
        if owner != owner_of(place.tensor) or place.parameter in tensors:
            raise WeightsError(
                f"{file.path}: two layers are called '{place.layer}'. Convert it with --model, which tells them apart."
            )
        tensors[place.parameter] = file.read(place.tensor, dtype=None)
    numbered, from_numbered = str(target).endswith(KERAS_3), not file.listing.format.startswith("Keras HDF5")
    unclear = [
        name
        for name, tensors in arrays.items()
        if any(each.startswith("number ") or "/vars/" in each for each in tensors)
    ]
    if numbered and not from_numbered:
        raise WeightsError(
            f"{target}: Keras 3's layout counts the layers of each class, and {file.path} does not state the classes. "
            "Convert it with --model."
        )
    if not numbered and (file.listing.format.startswith("Keras 3 HDF5") or unclear):
        what = f"the names of the tensors of '{unclear[0]}'" if unclear else "the order of the layers"
        raise WeightsError(f"{file.path}: does not state {what}, which {target} needs. Convert it with --model.")

    def write(written):
        if numbered:
            keys = [owners[name].removeprefix("layers/") for name in arrays]
            paths = [
                {
                    key if "/vars/" in key else f"vars/{number}": array
                    for number, (key, array) in enumerate(each.items())
                }
                for each in arrays.values()
            ]
            keras_h5.write_numbered(written, list(zip(keys, arrays, paths)))
        else:
            keras_h5.write_legacy(written, list(arrays.items()))

    texts = {key: text for key, text in file.listing.texts.items() if key in keras_h5.TEXTS}
    texts = texts or {ledger.KEY: _ledger_of(file)}
    file.check_unchanged()
    return _write(target, arrays, write, texts)


def _ledger_of(file):
    """Return a ledger, as JSON, for a file that has none: every array was copied from it."""
    entries = []
    for place in own_places(file):
        numbers = file.digest(place.tensor, file.read(place.tensor, dtype=None))
        origin = ledger.Origin("copied", ledger.AS_IT_IS, "", file.path.name, file.sha256, place.tensor.name, numbers)
        entries.append((ledger.Entry(place.layer, place.parameter, place.shape, origin, ledger.UNCHANGED), numbers))
    return ledger.to_text(entries)


def _check_target(file, target):
    """Raise ArgumentError if `target` has a wrong ending or is the source file itself."""
    check_target(target)
    if os.path.exists(target) and os.path.samefile(file.path, target):
        raise ArgumentError(f"{target}: is the file to convert. Give the result another name.")


def _write(target, layers, write, texts):
    """Write a file, and read it back before it takes the name `target`. `layers` is {name: {parameter: array}}."""

    def check(written):
        with open_weights(written) as file:
            found = {(place.layer, place.parameter): place.tensor for place in own_places(file)}
            by_number = {(place.layer, place.tensor.parameter): place.tensor for place in own_places(file)}
            for name, arrays in layers.items():
                for number, (parameter, array) in enumerate(arrays.items()):
                    tensor = found.get((name, parameter)) or by_number.get((name, number))
                    if tensor is None or not np.array_equal(file.read(tensor, dtype=None), array, equal_nan=True):
                        raise WeightsError(f"{target}: '{name}' {parameter} read back differently; nothing was saved.")

    with replacing(target, check) as temporary, h5py.File(temporary, "w") as written:
        write(written)
        keras_h5.write_texts(written, texts)
    arrays = [array for tensors in layers.values() for array in tensors.values()]
    return ConversionReport(len(layers), len(arrays), sum(array.size for array in arrays))
