"""The destination of an export: the ending of its name decides what is written."""

import os
from pathlib import Path

from ..arguments import AnyPath, truth_value
from ..errors import ArgumentError
from ..graph.graph import Graph
from .onnx_model import write_onnx
from .state_dict import write_safetensors, write_torch

ENDINGS = {".onnx": "ONNX", ".safetensors": "safetensors", ".pt": "PyTorch", ".pth": "PyTorch"}


def export(model: Graph, path: AnyPath, preprocessing: bool = False, names: dict[str, str] | None = None) -> None:
    """Write `model` for another program; the ending of `path` says for which. The writing is atomic.

    preprocessing   ONNX: True puts the preparation of images into the graph, which then takes RGB from 0 to 255
    names           PyTorch: {layer: its name there}, such as {"fc1": "classifier.0"} (default: the layers' own names)

    Raises ArgumentError for another ending, and for a layer that the format does not have, by name.
    """
    ending = Path(path).suffix.lower() if isinstance(path, (str, os.PathLike)) else None
    if ending not in ENDINGS:
        keras = " For Keras, model.save writes .keras and .h5." if ending in (".keras", ".h5") else ""
        raise ArgumentError(f"{path}: expected a file name that ends in one of {', '.join(ENDINGS)}.{keras}")
    if truth_value(preprocessing, "preprocessing") and ending != ".onnx":
        raise ArgumentError(f"{path}: preprocessing=True is for .onnx; a file of weights does not prepare images.")
    if names is not None and ending == ".onnx":
        raise ArgumentError(f"{path}: names are for PyTorch's files; in ONNX the layers have their own names.")
    if ending == ".onnx":
        write_onnx(model, path, preprocessing)
    elif ending == ".safetensors":
        write_safetensors(model, path, names)
    else:
        write_torch(model, path, names)
