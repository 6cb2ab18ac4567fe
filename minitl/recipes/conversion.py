"""Write the weights of any format as HDF5 that minitl and Keras load, and a saved model for other programs."""

import json
from pathlib import Path

from ..applications import NETWORKS
from ..arguments import AnyPath, truth_value
from ..errors import ArgumentError, WeightsError
from ..export import ENDINGS
from ..files.writable import check_writable
from ..graph.keras_config import require_keras
from ..models import load_model
from ..weights import convert
from ..weights.inspection import opened
from ..weights.naming import has_keras_layout, places
from .models_by_name import NOTOP, model_by_name
from .settings import SettingError

KERAS_ENDINGS = (".keras", ".h5")


def known_models():
    """Return the names of the applications, each with and without its top."""
    return [f"{name}{ending}" for name in NETWORKS for ending in ("", NOTOP)]


def convert_weights(
    source: AnyPath, target: AnyPath, model: str | None = None, names=None, partial: bool = False
) -> tuple[str, dict]:
    """Convert the file `source` to HDF5 at `target`. Returns a report of it, as (text, data).

    target    ends in .h5, or in .weights.h5 for Keras 3's own layout
    model     the model that has these layers, as in `model_by_name` (default: the application that has these names)
    names     {name in source: layer} for names that minitl does not know, or the path of a JSON file with them
    partial   leave out layers that the model does not have
    """
    check_writable(target)
    partial = truth_value(partial, "partial")
    names = read_names(names) if names and not isinstance(names, dict) else names
    with opened(source) as file:
        foreign = not has_keras_layout(file)
        if model or foreign:
            network = model_by_name(model) if model else fitting_application(file, names)
            report = convert.through_model(file, network, target, partial, names)
        elif names or partial:
            text = "{} and {} go with {}: without a model, the file is copied under its own names."
            raise SettingError(text, "names", "partial", "model")
        else:
            report = convert.as_it_is(file, target)
        lines = [f"{file.listing.format} -> {target}", str(report)]
        if foreign:
            lines += [
                "Prepare images as the source of these weights does. torchvision's networks",
                "expect RGB from 0 to 1, minus (0.485, 0.456, 0.406), divided by",
                "(0.229, 0.224, 0.225): do not use minitl's preprocess_input for them.",
            ]
        return "\n".join(lines), {"source": str(file.path), "sha256": file.sha256, **report._asdict()}


def export_file(model: AnyPath, target: AnyPath, preprocessing: bool = False) -> dict:
    """Write a saved model for another program, by the ending of `target`. Returns a report of it, as data.

    model           the path of a model that minitl saved
    preprocessing   as in `export`, for .onnx

    Raises ArgumentError, naming the layer, for one that the other program does not have.
    """
    check_writable(target)
    loaded, ending = load_model(model), Path(target).suffix.lower()
    if ending in KERAS_ENDINGS and not preprocessing:
        require_keras(loaded)
        loaded.save(target)
    else:
        loaded.export(target, preprocessing)
    report = {"model": str(model), "target": str(target), "format": ENDINGS.get(ending, "Keras")}
    return {**report, "parameters": loaded.count_params()}


def read_names(path):
    """Return {name in the source: layer} from a JSON file."""
    try:
        names = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ArgumentError(f"{path}: expected JSON, {{name in SRC: layer}} ({error}).") from None
    if not isinstance(names, dict) or not all(isinstance(each, str) for each in names.values()):
        raise ArgumentError(f"{path}: expected JSON, {{name in SRC: layer}}.")
    return names


def fitting_application(file, names):
    """Return the application that has exactly the layers that the file names."""
    for name in known_models():
        model = model_by_name(name)
        layers = {layer.name for layer in model.layers if layer.weight_names}
        known = {theirs: ours for theirs, ours in (names or {}).items() if ours in layers}
        if {place.layer for place in places(file, model, known)} == layers:
            return model
    some = ", ".join(tensor.name for tensor in file.tensors[:3])
    raise WeightsError(
        f"{file.path}: its names ({some}, ...) are not those of a network that minitl knows "
        f"({', '.join(known_models())}). Name the model that has these layers with --model FILE (a model saved by "
        "minitl), and the names of its layers with --names FILE."
    )
