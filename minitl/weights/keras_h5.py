"""Keras's legacy HDF5 layout, the one that published VGG16, ResNet50 and InceptionV3 weights come in.

    /                                attribute layer_names  = [b"block1_conv1", b"block1_pool", ...]
    /block1_conv1                    attribute weight_names = [b"block1_conv1/kernel:0", b"block1_conv1/bias:0"]
    /block1_conv1/block1_conv1/kernel:0     float32 (3, 3, 3, 64)

The two attributes say which arrays there are and in which order; the paths of the arrays are whatever the writer
liked (Keras 1 wrote `block1_conv1_W_1:0`), so a reader follows the attributes and never guesses a path. In a file
saved from a whole model the same groups lie under `/model_weights`. An attribute too large for HDF5's 64 KB limit is
split into `layer_names0`, `layer_names1`, ...
"""

import os
import re
from contextlib import contextmanager

import h5py
import numpy as np

from ..errors import ArgumentError, MinitlError, UnsafeFileError, WeightsError

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
ATTRIBUTE_LIMIT = 60_000  # bytes; HDF5 stores attributes up to 64 KB, headers included

# How Keras 1 ended the names of its tensors -> our name. What it called std is the variance.
KERAS_1_ENDINGS = {"W": "kernel", "b": "bias", "running_mean": "moving_mean", "running_std": "moving_variance"}


@contextmanager
def open_hdf5(path):
    """An HDF5 file opened for reading. Whatever is wrong with it becomes a WeightsError that names the file."""
    if not isinstance(path, (str, os.PathLike)):
        raise ArgumentError(f"path is {path!r}; expected the path of a file.")
    try:
        with open(path, "rb") as file:
            head = file.read(512)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be read ({getattr(error, 'strerror', error)}). Check the path.") from None
    if not head.startswith(HDF5_SIGNATURE):
        raise WeightsError(f"{path}: expected an HDF5 file, found {_kind_of_file(head)}. Download or save it again.")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, MinitlError):
            raise
        raise WeightsError(f"{path}: the HDF5 file is damaged ({error}). Download or save it again.") from None


def read_layout(file):
    """The arrays of an open file, not read yet: {layer name: {parameter name: h5py.Dataset}}, layers with any only."""
    root = _member(file, "model_weights", h5py.Group) if "model_weights" in file else file
    if "layer_names" not in root.attrs and "layer_names0" not in root.attrs:
        raise WeightsError(
            f"{file.filename}: has no attribute 'layer_names', so it is not in Keras's legacy layout. Expected a .h5 "
            "file from minitl, or from Keras 1, 2 or 3 (whose .weights.h5 files have another layout)."
        )
    layout = {}
    for layer_name in _names(root, "layer_names"):
        group = _member(root, layer_name, h5py.Group)
        tensors = {}
        for name in _names(group, "weight_names"):
            parameter = _parameter_name(name)
            if parameter in tensors:
                raise WeightsError(f"{file.filename}: layer '{layer_name}' has two tensors called '{parameter}'.")
            tensors[parameter] = _member(group, name, h5py.Dataset)
        if tensors:
            layout[layer_name] = tensors
    return layout


def write_layout(root, layers):
    """Write the weights of `layers` into an open, empty group, the way Keras does."""
    root.attrs["backend"] = "minitl"
    root.attrs["keras_version"] = "2.15.0"  # whose layout this is; Keras asks for it to read the file
    _write_names(root, "layer_names", [layer.name for layer in layers])
    for layer in layers:
        group = root.create_group(layer.name)
        _write_names(group, "weight_names", [f"{layer.name}/{name}:0" for name in layer.weight_names])
        for name in layer.weight_names:
            group.create_dataset(f"{layer.name}/{name}:0", data=getattr(layer, name))


def _parameter_name(name):
    """'block1_conv1/kernel:0' -> 'kernel';  Keras 1's 'block1_conv1_W_1:0' -> 'kernel'."""
    last = name.rsplit("/", 1)[-1].split(":")[0]
    if "/" in name:
        return last  # Keras 1 wrote no paths
    keras_1 = re.fullmatch(r".*_(W|b|gamma|beta|running_mean|running_std)(_\d+)?", last)
    if keras_1:
        return KERAS_1_ENDINGS.get(keras_1[1], keras_1[1])
    return last


def _names(group, attribute):
    """A list of names from an attribute: bytes or text, in one piece or split."""
    if attribute in group.attrs:
        pieces = [group.attrs[attribute]]
    else:
        pieces = []
        while f"{attribute}{len(pieces)}" in group.attrs:
            pieces.append(group.attrs[f"{attribute}{len(pieces)}"])
    return [name.decode("utf-8") if isinstance(name, bytes) else str(name) for piece in pieces for name in piece]


def _write_names(group, attribute, names):
    """The opposite of `_names`. Keras writes fixed-length bytes."""
    encoded = np.array([name.encode("utf-8") for name in names], dtype="S" if names else "S1")
    pieces = -(-encoded.nbytes // ATTRIBUTE_LIMIT)
    if pieces <= 1:
        group.attrs[attribute] = encoded
        return
    for i, piece in enumerate(np.array_split(encoded, pieces)):
        group.attrs[f"{attribute}{i}"] = piece


def _member(group, name, kind):
    """`group[name]`, if it is there, of the kind expected, and really in this file."""
    parts = name.split("/")
    for end in range(1, len(parts) + 1):  # a link may hide half-way along the path
        link = group.get("/".join(parts[:end]), getlink=True)
        if not isinstance(link, h5py.HardLink):
            place = f"{group.file.filename}: '{group.name.rstrip('/')}/{name}'"
            if link is None:
                raise WeightsError(f"{place} is missing. Download or save the file again.")
            raise UnsafeFileError(
                f"{place} is a link to somewhere else, which is never followed. Do not trust this file."
            )
    member = group[name]
    if not isinstance(member, kind):
        raise WeightsError(
            f"{group.file.filename}: '{group.name}/{name}' is a {type(member).__name__}, expected a {kind.__name__}."
        )
    return member


def _kind_of_file(head):
    """What a file is that is no HDF5, for the message."""
    if not head:
        return "an empty file"
    if head.lstrip()[:1] == b"<":
        return "an HTML or XML page (a failed download?)"
    if head.startswith(b"PK"):
        return "a zip archive (a .keras file?)"
    if head.startswith((b"\x1f\x8b", b"BZh")):
        return "a compressed file"
    if head.startswith(b"version https://git-lfs"):
        return "a git-lfs pointer instead of the file"
    return "text" if head.isascii() and b"\0" not in head else "binary data of another kind"
