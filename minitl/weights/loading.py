"""From a file into a model: layer by layer, by name, all or nothing.

First every shape in the file is held against the model, and *all* differences are told in one message. Then the
arrays are read and checked for NaN. Only when everything is in order does the model change.
"""

from typing import NamedTuple

import numpy as np

from ..errors import WeightsError
from ..utils import all_finite
from .keras_h5 import open_hdf5, read_layout


class LoadReport(NamedTuple):
    """What a load did. Layer names, except for the path and the count of numbers."""

    path: str
    loaded: list  # layers that got their weights from the file
    not_in_file: list  # layers of the model that kept what they had
    not_in_model: list  # layers of the file that the model does not have
    parameters: int  # numbers read

    def __str__(self):
        lines = [f"loaded {len(self.loaded)} layers, {self.parameters:,} parameters, from {self.path}"]
        if self.not_in_file:
            lines.append(f"not in the file, left as they were: {', '.join(self.not_in_file)}")
        if self.not_in_model:
            lines.append(f"in the file but not in the model, skipped: {', '.join(self.not_in_model)}")
        return "\n".join(lines)


def load_weights(model, path, partial=False):
    """Read the weights of `model` from a Keras HDF5 file, layer by layer by name. Returns a `LoadReport`.

    With `partial`, layers may be missing in the file or in the model; the report names them. A layer that is in both
    must fit in any case. Raises WeightsError, with the model unchanged, if anything does not.
    """
    layers = {layer.name: layer for layer in model.layers if layer.weight_names}
    with open_hdf5(path) as file:
        layout = read_layout(file)
        problems = [] if partial else _missing(layers, layout)
        shared = [name for name in layers if name in layout]
        for name in shared:
            problems += _differences(layers[name], layout[name])
        if problems:
            raise WeightsError(_all_problems(path, problems))
        if not shared:
            raise WeightsError(f"{path}: none of its layers ({_some(layout)}) is in the model ({_some(layers)}).")
        arrays = {(name, key): _read(path, name, key, layers[name], layout[name][key])
                  for name in shared for key in layers[name].weight_names}  # fmt: skip
    for (name, key), array in arrays.items():
        setattr(layers[name], key, array)
    return LoadReport(
        path=str(path),
        loaded=shared,
        not_in_file=[name for name in layers if name not in layout],
        not_in_model=[name for name in layout if name not in layers],
        parameters=sum(array.size for array in arrays.values()),
    )


def _missing(layers, layout):
    """Layers that stand on one side only."""
    only_model = [f"'{name}' is in the model but not in the file" for name in layers if name not in layout]
    only_file = [f"'{name}' is in the file but not in the model" for name in layout if name not in layers]
    return only_model + only_file


def _differences(layer, tensors):
    """What does not fit between one layer and its tensors in the file."""
    problems = []
    for key in layer.weight_names:
        expected = getattr(layer, key).shape
        if key not in tensors:
            problems.append(f"'{layer.name}' {key}: expected {expected}, missing in the file")
        elif tensors[key].shape != expected:
            problems.append(f"'{layer.name}' {key}: expected {expected}, found {tensors[key].shape}")
        elif tensors[key].dtype.kind != "f":
            problems.append(f"'{layer.name}' {key}: expected floating-point numbers, found {tensors[key].dtype}")
    extra = [key for key in tensors if key not in layer.weight_names]
    problems += [f"'{layer.name}' {key}: in the file {tensors[key].shape}, not in the model" for key in extra]
    return problems


def _read(path, name, key, layer, dataset):
    """One array, in the model's type."""
    array = dataset.astype(getattr(layer, key).dtype)[()]
    if not all_finite(array):
        bad = np.argwhere(~np.isfinite(array))[0]
        raise WeightsError(
            f"{path}: '{name}' {key} holds {array[tuple(bad)]} at {tuple(map(int, bad))}: the file is damaged, or its "
            "training diverged. Nothing was loaded."
        )
    return array


def _all_problems(path, problems):
    count = "1 difference" if len(problems) == 1 else f"{len(problems)} differences"
    return (
        f"{path} does not fit the model ({count}; nothing was loaded):\n  "
        + "\n  ".join(problems)
        + "\nBuild the model that the file was saved from, or pass partial=True to load the layers that both have."
    )


def _some(names, most=4):
    names = list(names)
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "") if names else "none"
