"""Files of pre-trained weights: find them, fetch them, convert them, and look at what is inside.

minitl weights list                            what is published, and what of it is on this machine
minitl weights get vgg16-notop                 fetch it (from the official address, or a mirror), check it
minitl weights convert vgg16.pth vgg16.h5      from PyTorch, ONNX, safetensors or Keras to HDF5 that Keras loads, too
minitl weights verify model.h5                 is every number what it was when it was saved or published?
minitl weights inspect model.h5                the tensors, and the ledger: where each of them comes from
minitl weights diff before.h5 after.h5         which tensors differ, and by how much

Reads .h5, .weights.h5, .keras, .safetensors, .onnx and (with the extra `convert`) .pth.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from .. import initializers
from ..applications import NETWORKS, find
from ..errors import ArgumentError, WeightsError
from ..files.results import check_writable, write_json
from ..models import load_model
from ..progress import Progress
from ..terminal import printable, table
from ..weights import convert, ledger, loading
from ..weights.distrust.known_files import name_of
from ..weights.distrust.opening import open_weights
from ..weights.formats.stored_file import FLOATS, array_digest
from ..weights.naming import is_kerass, own_places, places
from ..weights.published import catalogue

HELP = "list, get, convert, verify, inspect or compare files of weights"


def add_arguments(parser):
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = actions.add_parser
    add("list", help="what is published, and what of it is on this machine")
    get = add("get", help="fetch published weights into $MINITL_HOME/models (by default ~/.minitl/models)")
    get.add_argument("name", metavar="NAME", choices=catalogue.CATALOGUE, help=", ".join(catalogue.CATALOGUE))
    get.add_argument("--again", action="store_true", help="also where the file is there already")
    to = add("convert", help="write the weights of any format as HDF5")
    to.add_argument("source", metavar="SRC")
    to.add_argument("target", metavar="DST", help="a name ending in .h5, or in .weights.h5 for Keras 3's own layout")
    to.add_argument(
        "--model",
        metavar="MODEL",
        help="whose layers these are: vgg16, resnet50, inception_v3 (or with -notop), or a file from model.save()",
    )
    to.add_argument("--names", metavar="FILE", help='JSON {"name in SRC": "layer", ...} for names that are not known')
    to.add_argument("--partial", action="store_true", help="leave out layers that the model does not have")
    for name, text in (
        ("verify", "hold a file against what was published or saved"),
        ("inspect", "what is in a file"),
    ):
        add(name, help=text).add_argument("file", metavar="FILE")
    difference = add("diff", help="compare two files, tensor by tensor")
    difference.add_argument("first", metavar="A")
    difference.add_argument("second", metavar="B")
    for action in actions.choices.values():  # the option may stand behind the action as well
        action.add_argument("--json", metavar="FILE", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run(options):
    check_writable(options.json)
    action = {"list": show_list, "get": get, "convert": to_hdf5, "verify": verify, "inspect": inspect, "diff": diff}
    write_json(options.json, action[options.action](options))


def opened(path):
    """The file with a progress bar for its digest."""
    try:
        size = Path(path).stat().st_size
    except (OSError, ValueError):
        size = 0  # open_weights will say what is wrong
    with Progress(f"Reading {Path(path).name}", size, unit="MB", lines=True) as bar:
        return open_weights(path, bar.advance)


def show_list(options):
    rows, results = [["name", "what it is", "on this machine"]], {}
    for name, entry in catalogue.CATALOGUE.items():
        place = catalogue.present(name)
        rows.append([name, entry.about, f"yes: {place}" if place else "no"])
        results[name] = {"about": entry.about, "address": entry.address, "md5": entry.md5, "path": place and str(place)}
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    print("\n".join(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows))
    print(f"\nminitl weights get NAME brings one to {catalogue.models_folder()}.")
    return results


def get(options):
    there = catalogue.present(options.name)
    path = catalogue.fetch(options.name, again=True) if options.again or not there else there
    proof = catalogue.check(options.name, path)
    if proof is None:
        raise catalogue.another_file(options.name, path)
    print(f"{'Here already' if path == there and not options.again else 'Done'}: {path}\nChecked: {proof}")
    return {"name": options.name, "path": str(path), "checked": proof}


def to_hdf5(options):
    check_writable(options.target)
    names = options.names and read_names(options.names)
    with opened(options.source) as file:
        foreign = not is_kerass(file)
        if options.model or foreign:
            model = the_model(options.model) if options.model else fitting_application(file, names)
            report = convert.through_model(file, model, options.target, options.partial, names)
        elif names or options.partial:
            raise ArgumentError("--names and --partial go with --model: only a model says what is to be called how.")
        else:
            report = convert.as_it_is(file, options.target)
        print(f"{file.listing.format} -> {options.target}\n{report}")
        if foreign:
            print("Prepare images as where these numbers come from: torchvision's networks want RGB from 0 to 1, minus")
            print("(0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225), and not minitl's preprocess_input.")
        return {"source": str(file.path), "sha256": file.sha256, **report._asdict()}


def read_names(path):
    try:
        names = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ArgumentError(f"{path}: expected JSON, {{name in SRC: layer}} ({error}).") from None
    if not isinstance(names, dict) or not all(isinstance(each, str) for each in names.values()):
        raise ArgumentError(f"{path}: expected JSON, {{name in SRC: layer}}.")
    return names


def known_models():
    """The names of the applications, each with its top and without."""
    return [f"{name}{ending}" for name in NETWORKS for ending in ("", "-notop")]


def the_model(name):
    """A model to convert for: an application's name, or a saved model."""
    application = find(name.lower().removesuffix("-notop"))
    if application is None:
        return load_model(name)
    with initializers.weights_will_be_loaded():
        return application.build(weights=None, include_top=not name.lower().endswith("-notop"))


def fitting_application(file, names):
    """The network that has exactly the layers that the file's names stand for."""
    for name in known_models():
        model = the_model(name)
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


def verify(options):
    """Raises WeightsError for a file that is damaged."""
    with opened(options.file) as file:
        recorded, _ = loading.ledger_in(file)
        problems = []
        for place in own_places(file):
            array = file.read(place.tensor, dtype=None)
            if not np.isfinite(array).all():
                raise WeightsError(f"{file.path}: {place.tensor.label} holds NaN or infinity.")
            _, saved = recorded.get((place.layer, place.parameter), (None, None))
            if saved not in (None, array_digest(array)):
                problems.append(place.tensor.label)
        arrays = file.arrays_digest()
        file.check_unchanged()
        published = (catalogue.names_of(file) or [name_of(file.sha256)])[0]
        say(f"{file.path}: {file.listing.format}, {len(file.tensors)} tensors\nfile   sha256 {file.sha256}")
        print(f"arrays sha256 {arrays}")
        if problems:
            raise WeightsError(
                f"{file.path}: {len(problems)} of {len(recorded)} tensors are not what was saved: it is damaged "
                f"({', '.join(problems[:3])}{', ...' if problems[3:] else ''})."
            )
        if published:
            print(f"These are the published weights {published}, to the last bit.")
        elif recorded:
            print(f"All {len(recorded)} tensors are what was saved, to the last bit.")
        else:
            print("Whole and readable. Nobody has published a digest for it that is known here, and it carries none.")
        return {
            "file": str(file.path), "format": file.listing.format, "sha256": file.sha256, "arrays_sha256": arrays,
            "tensors": len(file.tensors), "published_as": published, "checked_against_its_ledger": len(recorded),
        }  # fmt: skip


def inspect(options):
    with opened(options.file) as file:
        say(f"{file.path}: {file.listing.format}, {file.path.stat().st_size:,} bytes, sha256 {file.sha256}\n")
        rows, results, digests = [["tensor", "shape", "type", "at byte", "smallest", "mean", "largest"]], [], {}
        for tensor in file.tensors:
            values = []
            if tensor.dtype in FLOATS and tensor.offset is not None and tensor.size:
                array = file.read(tensor, dtype=None)
                digests[tensor.name] = array_digest(array)
                values = [float(array.min()), float(array.mean(dtype=np.float64)), float(array.max())]
            place = "" if tensor.offset is None else "packed" if tensor.copied else f"{tensor.offset:,}"
            shown = [f"{value:.4g}" for value in values] or [""] * 3
            rows.append([tensor.name, "x".join(map(str, tensor.shape)) or "1", tensor.dtype, place, *shown])
            results.append({"name": tensor.name, "layer": tensor.layer, "shape": tensor.shape, "dtype": tensor.dtype,
                            "offset": tensor.offset,
                            "min_mean_max": [v if np.isfinite(v) else str(v) for v in values]})  # fmt: skip
        say(table(rows))
        lines = ledger_lines(file, digests)
        if lines:
            say("\nLedger\n" + "\n".join(lines))
        return {"file": str(file.path), "format": file.listing.format, "sha256": file.sha256, "tensors": results,
                "ledger": lines}  # fmt: skip


def ledger_lines(file, digests):
    """The file's own ledger, held against the numbers that are there: `digests` is {tensor name: sha256}."""
    recorded, notes = loading.ledger_in(file)
    names = {(place.layer, place.parameter): place.tensor.name for place in own_places(file)}
    entries = []
    for key, (entry, saved) in recorded.items():
        whole = digests.get(names.get(key)) == saved
        entries.append(entry if whole else replace(entry, state=ledger.DAMAGED))
    return str(ledger.Ledger(entries, notes)).splitlines() if entries else []


def diff(options):
    with opened(options.first) as a, opened(options.second) as b:
        first, second = ({(p.layer, p.parameter): p for p in own_places(file)} for file in (a, b))
        equal, rows = 0, []
        for key in [*first, *(key for key in second if key not in first)]:
            label = "/".join(key)
            if key not in first or key not in second:
                rows.append([label, f"only in {(b if key in second else a).path}"])
                continue
            x, y = (file.read(places[key].tensor, dtype=None) for file, places in ((a, first), (b, second)))
            if x.shape != y.shape:
                rows.append([label, f"shape {x.shape}, {y.shape}"])
            elif np.array_equal(x, y, equal_nan=True):
                equal += 1
            else:
                worst = float(np.abs(x.astype(np.float64) - y).max())
                rows.append([label, f"differs by up to {worst:.3g}", f"{np.mean(x != y):.1%} of its numbers"])
        print(f"{equal} tensors are equal, {len(rows)} are not" + (":" if rows else "."))
        for row in rows:
            say("  " + "  ".join(row))
        return {"equal": equal, "different": [row[:2] for row in rows]}


def say(text):
    """Print text with names from files."""
    print(printable(text))
