"""From any format to HDF5 that Keras and minitl load."""

from types import SimpleNamespace
from typing import NamedTuple

import h5py
import numpy as np

from ..errors import WeightsError
from . import keras_h5, ledger
from .atomic import replacing
from .loading import load_from
from .model_file import KERAS_3, check_target
from .naming import own_places
from .reading import open_weights
from .stored import FLOATS


class ConversionReport(NamedTuple):
    layers: int
    tensors: int
    parameters: int

    def __str__(self):
        return f"{self.layers} layers, {self.tensors} tensors, {self.parameters:,} parameters"


def order_is_kerass(file):
    """Do the layers of a Keras file come in the order in which Keras would ask for them in the legacy layout? Keras 3's
    HDF5 files have lost it: they count the layers of each class."""
    return not file.listing.format.startswith("Keras 3 HDF5")


def names_its_layers(file):
    """Does the file say which layer a tensor belongs to, as Keras's formats do?"""
    return all(tensor.layer is not None for tensor in file.tensors)


def through_model(file, model, target, partial=False, names=None):
    """Load an open file into `model`, so that axes, order and names become the model's, and write the layers that the
    file had: with `partial`, that may not be all of them."""
    check_target(target)
    loaded = load_from(file, model, partial, names).loaded
    rows = [layer for layer in keras_h5.keras_order(model) if layer.name in loaded]
    return _write(target, rows, ledger.as_text(model, rows))


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

    return _write(target, rows, file.listing.texts.get(ledger.KEY))


def _write(target, layers, ledger_text):
    def check(written):
        with open_weights(written) as again:
            found = {(place.layer, place.parameter): place.tensor for place in own_places(again)}
            for layer in layers:
                for name in layer.weight_names:
                    if not np.array_equal(again.read(found[layer.name, name]), getattr(layer, name)):
                        raise WeightsError(f"{target}: '{layer.name}' {name} read back differently; nothing was saved.")

    with replacing(target, check) as temporary, h5py.File(temporary, "w") as written:
        write = keras_h5.write_numbered if str(target).endswith(KERAS_3) else keras_h5.write_legacy
        write(written, layers)
        if ledger_text is not None:
            keras_h5.write_texts(written, {ledger.KEY: ledger_text})
    arrays = [getattr(layer, name) for layer in layers for name in layer.weight_names]
    return ConversionReport(len(layers), len(arrays), sum(array.size for array in arrays))


def _class_of(arrays):
    """Keras 3's layout counts the layers of each class; a layer's tensors tell its class."""
    if "moving_mean" in arrays:
        return "batch_normalization"
    return "conv2d" if arrays["kernel"].ndim == 4 else "dense"
