"""Write the weights of any format as HDF5 that minitl and Keras load."""

import json
from pathlib import Path

from ..applications import NETWORKS
from ..errors import ArgumentError, WeightsError
from ..files.results import check_writable
from ..weights import convert
from ..weights.inspection import opened
from ..weights.naming import has_keras_layout, places
from .models_by_name import NOTOP, model_by_name
from .settings import SettingError


def known_models():
    """Return the names of the applications, each with its top and without."""
    return [f"{name}{ending}" for name in NETWORKS for ending in ("", NOTOP)]


def convert_weights(source, target, model=None, names=None, partial=False):
    """Convert the file `source` to HDF5 at `target`. Returns (what was done, in words; the same as data).

    target    ends in .h5, or in .weights.h5 for Keras 3's own layout
    model     whose layers these are: as in `model_by_name` (default: whichever application has these names)
    names     {name in source: layer} for names that are not known, or the path of a JSON file with them
    partial   leave out layers that the model does not have
    """
    check_writable(target)
    names = read_names(names) if names and not isinstance(names, dict) else names
    with opened(source) as file:
        foreign = not has_keras_layout(file)
        if model or foreign:
            network = model_by_name(model) if model else fitting_application(file, names)
            report = convert.through_model(file, network, target, partial, names)
        elif names or partial:
            text = "{} and {} go with {}: only a model says what is to be called how."
            raise SettingError(text, "names", "partial", "model")
        else:
            report = convert.as_it_is(file, target)
        lines = [f"{file.listing.format} -> {target}", str(report)]
        if foreign:
            lines += [
                "Prepare images as where these numbers come from: torchvision's networks want RGB from 0 to 1, minus",
                "(0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225), and not minitl's preprocess_input.",
            ]
        return "\n".join(lines), {"source": str(file.path), "sha256": file.sha256, **report._asdict()}


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
    """Return the network that has exactly the layers that the file's names stand for."""
    for name in known_models():
        model = model_by_name(name)
        layers = {layer.name for layer in model.layers if layer.weight_names}
        known = {theirs: ours for theirs, ours in (names or {}).items() if ours in layers}
        if {place.layer for place in places(file, model, known)} == layers:
            return model
    some = ", ".join(tensor.name for tensor in file.tensors[:3])
    raise WeightsError(
        f"{file.path}: its names ({some}, ...) are not those of a network that is known here "
        f"({', '.join(known_models())}). Say whose layers these are with --model FILE (a model saved by "
        "minitl), and what it calls them with --names FILE."
    )
