"""From any format to HDF5 that Keras and minitl load."""

from types import SimpleNamespace
from typing import NamedTuple

import h5py
import numpy as np

from ..errors import WeightsError
from . import keras_h5, ledger
from .atomic import replacing
from .loading import load_from
from .model_file import KERAS_3, check_target, save_weights
from .naming import own_places
from .reading import open_weights
from .stored import FLOATS


class ConversionReport(NamedTuple):
    layers: int
    tensors: int
    parameters: int

    def __str__(self):
        return f"{self.layers} layers, {self.tensors} tensors, {self.parameters:,} parameters"


def names_its_layers(file):
    """Does the file say which layer a tensor belongs to, as Keras's formats do?"""
    return all(tensor.layer is not None for tensor in file.tensors)


def through_model(file, model, target, partial=False, names=None):
    """Load an open file into `model` (axes, order and names become the model's) and save its weights."""
    report = load_from(file, model, partial, names)
    layers = [layer for layer in model.layers if layer.name in report.loaded]
    save_weights(model, target)
    return ConversionReport(len(layers), sum(len(layer.weight_names) for layer in layers), report.parameters)


def as_it_is(file, target):
    """Write the tensors of a Keras file in the other layout, or in the same. Nothing but the file is needed."""
    check_target(target)
    layers = {}
    for place in own_places(file):
        if place.tensor.dtype not in FLOATS:
            raise WeightsError(f"{file.path}: {place.tensor.label} holds {place.tensor.dtype}, which is no weight.")
        layers.setdefault(place.layer, {})[place.parameter] = file.read(place.tensor)
    nameless = [name for name, arrays in layers.items() if any(key.startswith("number ") for key in arrays)]
    if nameless:
        raise WeightsError(
            f"{file.path}: only numbers the tensors of '{nameless[0]}', and their shapes do not tell which is which. "
            "Convert it with --model, which knows."
        )
    rows = [
        SimpleNamespace(name=name, class_name=_class_of(arrays), weight_names=list(arrays), **arrays)
        for name, arrays in layers.items()
    ]

    def check(written):
        with open_weights(written) as again:
            found = {(place.layer, place.parameter): place.tensor for place in own_places(again)}
            for layer in rows:
                for name in layer.weight_names:
                    if not np.array_equal(again.read(found[layer.name, name]), getattr(layer, name)):
                        raise WeightsError(f"{target}: '{layer.name}' {name} read back differently; nothing was saved.")

    with replacing(target, check) as temporary, h5py.File(temporary, "w") as written:
        write = keras_h5.write_numbered if str(target).endswith(KERAS_3) else keras_h5.write_legacy
        write(written, rows)
        if ledger.KEY in file.listing.texts:
            written[ledger.KEY] = np.bytes_(file.listing.texts[ledger.KEY].encode("utf-8"))
    arrays = [array for each in layers.values() for array in each.values()]
    return ConversionReport(len(rows), len(arrays), sum(array.size for array in arrays))


def _class_of(arrays):
    """Keras 3's layout counts the layers of each class; a layer's tensors tell its class."""
    if "moving_mean" in arrays:
        return "batch_normalization"
    return "conv2d" if arrays["kernel"].ndim == 4 else "dense"
