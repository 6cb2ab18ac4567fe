"""The table of formats of weight files. Every test that holds for all of them takes its cases from `FORMATS`.

To add a format, write one line:

    FormatCase("safetensors", ".safetensors", write_safetensors),

Its name is the name of the tests. Then come the ending of such files, and a function that writes one as other programs
write it: by the format's own library, or by hand, but never by minitl. It gets a path and {"layer.parameter": array}
with Keras's words and axes, as {"conv.kernel": (KH, KW, C, F)}.

Formats whose own library is PyTorch's, ONNX's or Keras's are tested in `peers`.
"""

import json
from collections.abc import Callable
from typing import NamedTuple

import h5py
import numpy as np


class FormatCase(NamedTuple):
    """A format of weight files, and how other programs write it."""

    name: str
    ending: str
    write: Callable  # (path, {"layer.parameter": array})


def write_safetensors(path, arrays):
    """Write the length of the header, the header as JSON, and the arrays one behind the other."""
    header, position = {}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [position, position + array.nbytes]}
        position += array.nbytes
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(each.tobytes() for each in arrays.values()))


def write_legacy_hdf5(path, arrays):
    """Write Keras's older layout: a group for each layer, with the names of its arrays in an attribute."""
    layers = {}
    for name, array in arrays.items():
        layer, _, parameter = name.rpartition(".")
        layers.setdefault(layer, {})[f"{layer}/{parameter}:0"] = array
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer, members in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in members]
            for name, array in members.items():
                group.create_dataset(name, data=np.asarray(array))


FORMATS = [
    FormatCase("safetensors", ".safetensors", write_safetensors),
    FormatCase("legacy-hdf5", ".h5", write_legacy_hdf5),
]
