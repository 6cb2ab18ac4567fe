"""Loading weights from a file into a model: layer by layer, by name, all or nothing.

First every shape in the file is compared with the model, and one message names *all* differences. Then the arrays are
read, checked for NaN and infinity, and compared with the digests in the file's own ledger, if it has one (a file that
minitl saved does). Only when every check has passed does the model change, and its ledger with it.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import ArgumentError, WeightsError, warn_of_weights
from ..graph.graph import Graph
from ..kernels.precision import all_finite
from ..terminal import counted
from .distrust import known_files
from .distrust.opening import open_weights
from .formats.stored_file import FLOATS, WITHIN, array_digest
from .ledger import AS_IT_IS, KEY, Origin, from_text, restored
from .naming import has_keras_layout, own_places, places
from .published.catalogue import network_of
from .statements import differences, implied

WARN_FROM = 1e-3  # of the outputs of a layer


class LoadReport(NamedTuple):
    """The result of a load: the names of the layers that were loaded and that were not."""

    path: str
    loaded: list  # layers that got their weights from the file
    not_in_file: list  # layers of the model that kept the weights they had
    not_in_model: list  # layers of the file that the model does not have
    parameters: int  # count of the numbers that were read
    sha256: str  # of the file
    remarks: list = []  # sentences on what makes the outputs differ from those of the file's own network

    def __str__(self):
        lines = [f"loaded {counted(len(self.loaded), 'layer')}, {self.parameters:,} parameters, from {self.path}"]
        if self.not_in_file:
            lines.append(f"not in the file, left as they were: {', '.join(self.not_in_file)}")
        if self.not_in_model:
            lines.append(f"in the file but not in the model, skipped: {', '.join(self.not_in_model)}")
        return "\n".join([*lines, *self.remarks])


def load_weights(model, path, partial=False, names=None, skip_mismatch=False):
    """Read the weights of `model` from a file, layer by layer, by name. Return a `LoadReport`.

    path      Keras's .h5, .weights.h5 or .keras, safetensors, ONNX, or PyTorch's .pth
    partial   layers may be missing in the file or in the model; the report and the ledger name them. A layer that is in
              both must fit in any case. What the file states otherwise than the model (epsilon, strides, activations,
              ...) gives a warning; without `partial`, it is an error.
    names     {"features.0": "conv1", ...} if the file has other names for the layers (torchvision's VGG16 is known)
    skip_mismatch   True: a layer whose shapes are others in the file keeps its weights, and the report says so

    If the first layer has published weights afterwards, `model.metadata["preprocessing"]` names the application whose
    preprocessing these weights expect.

    Raises WeightsError if anything does not fit, and UnsafeFileError for a hostile file; the model is then unchanged.
    """
    with open_weights(path) as file:
        return load_from(file, model, partial, names, skip_mismatch=skip_mismatch)


def load_from(file, model, partial=False, names=None, restore=False, skip_mismatch=False, is_of_file=False):
    """Load weights, as `load_weights` does, from an open `StoredFile`.

    restore      the file is a save of this very model: the ledger goes on as if the model had never been saved
    is_of_file   the model was built from what the file states, so that this need not be compared
    """
    if not isinstance(model, Graph):
        raise ArgumentError(f"model is {type(model).__name__}; expected a Model.")
    layers = {layer.name: layer for layer in model.layers if layer.weight_names}
    wanted = {}  # layer name -> {parameter: Place}
    found = places(file, model, names, partial)
    for place in found:
        wanted.setdefault(place.layer, {})[place.parameter] = place
    problems = [] if partial else _missing(layers, wanted)
    shared = [name for name in layers if name in wanted]
    skipped = []
    for name in shared:
        found_here = _differences(layers[name], wanted[name])
        skipped += [f"skipped: {each}" for each in found_here] if skip_mismatch else []
        problems += [] if skip_mismatch else found_here
        if skip_mismatch and found_here:
            del wanted[name]
    shared = [name for name in shared if name in wanted]
    stated, remarks = ([], []) if restore or is_of_file else differences(file, model, found, partial)
    if problems or (stated and not partial):
        raise WeightsError(_all_problems(file.path, problems + stated, only_stated=not problems))
    if not shared:
        raise WeightsError(
            f"{file.path}: none of its layers ({_some(wanted)}) is in the model ({_some(layers)}). Choose the file of "
            "this model, or translate its names with names={name in the file: layer}."
        )

    recorded, notes = ledger_in(file)  # recorded: by the layer names of the file
    own_names = {place.tensor.name: place.layer for place in own_places(file)} if recorded else {}
    arrays, origins, digests = {}, {}, {}
    for name in shared:
        for key in layers[name].weight_names:
            place = wanted[name][key]
            stored, *more = (file.read(tensor, dtype=None) for tensor in place.tensors)
            with np.errstate(over="ignore"):
                array = np.asarray(place.convert(stored, *more), getattr(layers[name], key).dtype, order="C")
            _check_finite(file, place, array)
            digest = digests[place.tensor.name] = file.digest(place.tensor, stored)
            own_name = own_names.get(place.tensor.name, name)
            if WITHIN in (place.tensor.layer or "") and (own_name, key) not in recorded:
                own_name = name  # a part of a layer: only the model knows which of its parameters that is
            before, saved = recorded.get((own_name, key), (None, digest))
            if saved != digest:
                raise WeightsError(
                    f"{file.path}: {place.tensor.label} is not what was saved (sha256 {digest[:16]}, expected "
                    f"{saved[:16]}): the file is damaged. Nothing was loaded."
                )
            arrays[name, key] = array
            if restore and before:
                origins[name, key] = restored(before, saved)
            else:
                numbers = digest if array is stored else array_digest(array)
                origins[name, key] = Origin(
                    "copied", place.conversion, "", file.path.name, file.sha256, place.source, numbers,
                    before=before and before.origin.as_before(saved),
                )  # fmt: skip
    file.check_unchanged()
    network = network_of(model)
    for (name, key), array in arrays.items():
        setattr(layers[name], key, array)
        layers[name].updates += 1
        layers[name].origins[key] = origins[name, key]
    is_foreign = not restore and not has_keras_layout(file)
    of_torch = implied(file, [layers[name] for name in shared], found) if is_foreign else []
    warnings = stated + [text for text, change in of_torch if change > WARN_FROM]
    report = LoadReport(
        path=str(file.path),
        loaded=shared,
        not_in_file=[name for name in layers if name not in wanted],
        not_in_model=[name for name in wanted if name not in layers],
        parameters=sum(array.size for array in arrays.values()),
        sha256=file.sha256,
        remarks=[*skipped, *stated, *(text for text, _ in of_torch), *remarks],
    )
    if warnings:
        text = f"{file.path}: the model's outputs may not be those of the file's network."
        warn_of_weights(" ".join([text, *(f"{each.rstrip('.')}." for each in warnings)]))
    _note_skipped(model, layers, report, notes if restore and recorded else None)
    if not restore:
        _note_preprocessing(model, network)
    if any(tensor.sha256 is None and tensor.name in digests for tensor in file.tensors):
        known_files.remember(file.path, file.sha256, file.with_digests(digests), file.signature)
    return report


def ledger_in(file):
    """Return ({(layer, parameter): (Entry, digest as saved)}, notes) from the file's own ledger; empty without one."""
    try:
        return from_text(file.listing.texts.get(KEY))
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise WeightsError(f"{file.path}: its ledger cannot be read ({error}). Save the file again.") from None


def _note_skipped(model, layers, report, notes):
    """Add the layers that were skipped to the model's ledger, or take over the file's `notes`."""
    if notes is not None:
        model.notes = notes
        return
    source = f"{Path(report.path).name} ({report.sha256[:12]})"
    if report.not_in_model:
        model.notes.append(f"skipped in {source}, since the model has no such layer: {', '.join(report.not_in_model)}")
    for name in report.not_in_file:
        for key in layers[name].weight_names:
            layers[name].origins.setdefault(key, Origin("initialised", why=f"not in {source}"))


def _note_preprocessing(model, before):
    """Write the application whose preprocessing the new weights expect into the model's metadata, if it is known.

    `before` is the application that the first layer's weights came from before the load. If they come from none now,
    the entry that was written then is removed.
    """
    now = network_of(model)
    if now and now != before:
        model.metadata["preprocessing"] = now
    elif before and not now and model.metadata.get("preprocessing") == before:
        del model.metadata["preprocessing"]


def _missing(layers, wanted):
    """Return a sentence for each layer that only the model or only the file has."""
    only_model = [f"'{name}' is in the model but not in the file" for name in layers if name not in wanted]
    only_file = [
        f"'{name}' is in the file but not in the model"
        for name, places in wanted.items()
        if name not in layers and not all(place.optional for place in places.values())
    ]
    return only_model + only_file


def _differences(layer, places):
    """Return a sentence for each difference between one layer and its tensors in the file."""
    problems = []
    for key in layer.weight_names:
        expected = getattr(layer, key).shape
        if key not in places:
            problems.append(f"'{layer.name}' {key}: expected {expected}, missing in the file")
        elif places[key].tensor.dtype not in FLOATS and not places[key].tensor.shape:
            problems.append(f"'{layer.name}' {key}: expected {expected}, found {places[key].tensor.dtype}")
        elif places[key].shape != expected:
            in_file = "" if places[key].conversion == AS_IT_IS else f" ({places[key].tensor.shape} in the file)"
            problems.append(f"'{layer.name}' {key}: expected {expected}, found {places[key].shape}{in_file}")
        elif places[key].tensor.dtype not in FLOATS:
            problems.append(f"'{layer.name}' {key}: expected floating-point numbers, found {places[key].tensor.dtype}")
    extra = [key for key in places if key not in layer.weight_names]
    problems += [f"'{layer.name}' {key}: in the file {places[key].shape}, not in the model" for key in extra]
    return problems


def _check_finite(file, place, array):
    """Raise WeightsError if the array holds NaN or infinity."""
    if not all_finite(array):
        bad = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        raise WeightsError(
            f"{file.path}: {place.tensor.label} holds {array[bad]} at {bad}: the file is damaged, or its training "
            "diverged. Nothing was loaded."
        )


def _all_problems(path, problems, only_stated):
    """Return one message about all differences between a file and a model.

    only_stated   all arrays fit, and only what the file states beside them differs
    """
    count = "1 difference" if len(problems) == 1 else f"{len(problems)} differences"
    return (
        f"{path} does not fit the model ({count}; nothing was loaded):\n  "
        + "\n  ".join(problems)
        + "\nBuild the model that the file was saved from, or pass partial=True to load "
        + ("the arrays all the same." if only_stated else "the layers that both have.")
    )


def _some(names, most=4):
    """Return the first names as text, with "..." if there are more."""
    names = list(names)
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "") if names else "none"
