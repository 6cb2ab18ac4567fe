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
from pathlib import Path

import numpy as np

from .. import applications, initializers
from ..errors import ArgumentError, WeightsError
from ..models import load_model
from ..progress import Progress
from ..weights import convert, ledger, store
from ..weights.known import name_of
from ..weights.model_file import KERAS_3
from ..weights.naming import own_places, places
from ..weights.reading import open_weights
from ..weights.stored import FLOATS
from .output import check_writable, table, write_json

HELP = "list, get, convert, verify, inspect or compare files of weights"


def add_arguments(parser):
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = actions.add_parser
    add("list", help="what is published, and what of it is on this machine")
    get = add("get", help="fetch published weights into $MINITL_HOME/models (by default ~/.minitl/models)")
    get.add_argument("name", metavar="NAME", choices=store.CATALOGUE, help=", ".join(store.CATALOGUE))
    get.add_argument("--again", action="store_true", help="also where the file is there already")
    to = add("convert", help="write the weights of any format as HDF5")
    to.add_argument("source", metavar="SRC")
    to.add_argument("target", metavar="DST", help="a name ending in .h5, or in .weights.h5 for Keras 3's own layout")
    to.add_argument(
        "--model", metavar="MODEL", help="whose layers these are: vgg16, vgg16-notop, or a file from model.save()"
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
    size = Path(path).stat().st_size if Path(path).is_file() else 0
    with Progress(f"Reading {Path(path).name}", size, unit="MB", lines=True) as bar:
        return open_weights(path, bar.advance)


def show_list(options):
    rows, results = [["name", "what it is", "on this machine"]], {}
    for name, entry in store.CATALOGUE.items():
        place = store.present(name)
        rows.append([name, entry.about, f"yes: {place}" if place else "no"])
        results[name] = {"about": entry.about, "address": entry.address, "md5": entry.md5, "path": place and str(place)}
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    print("\n".join(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows))
    print(f"\nminitl weights get NAME brings one to {store.models_folder()}.")
    return results


def get(options):
    there = store.present(options.name)
    path = store.fetch(options.name, again=True) if options.again or not there else there
    proof = store.check(options.name, path)
    if proof is None:
        raise WeightsError(
            f"{path} is not the official file. Run `minitl weights get {options.name} --again`, or load it by its path."
        )
    print(f"{'Here already' if path == there and not options.again else 'Done'}: {path}\nChecked: {proof}")
    return {"name": options.name, "path": str(path), "checked": proof}


def to_hdf5(options):
    check_writable(options.target)
    names = None
    if options.names:
        try:
            names = json.loads(Path(options.names).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ArgumentError(f"{options.names}: expected JSON, {{name in SRC: layer}} ({error}).") from None
        if not isinstance(names, dict) or not all(isinstance(each, str) for each in names.values()):
            raise ArgumentError(f"{options.names}: expected JSON, {{name in SRC: layer}}.")
    with opened(options.source) as file:
        own_names = convert.names_its_layers(file)
        if options.model or not own_names:
            model = the_model(options.model) if options.model else fitting_application(file, names)
            report = convert.through_model(file, model, options.target, options.partial, names)
        else:
            report = convert.as_it_is(file, options.target)
        print(f"{file.listing.format} -> {options.target}\n{report}")
        if not options.model and not convert.order_is_kerass(file) and not options.target.endswith(KERAS_3):
            print("The source does not tell the order of the layers: Keras loads this file with by_name=True only, or")
            print("convert it with --model.")
        if not own_names:
            print("Prepare images as where these numbers come from: torchvision's networks want RGB from 0 to 1, minus")
            print("(0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225), and not minitl's preprocess_input.")
        return {"source": str(file.path), "sha256": file.sha256, **report._asdict()}


APPLICATIONS = {
    f"{name.lower()}{'' if include_top else '-notop'}": (getattr(applications, name), include_top)
    for name in applications.__all__
    for include_top in (True, False)
}


def the_model(name):
    """A model to convert for: an application's name, or a saved model."""
    if name not in APPLICATIONS:
        return load_model(name)
    application, include_top = APPLICATIONS[name]
    with initializers.weights_will_be_loaded():
        return application(weights=None, include_top=include_top)


def fitting_application(file, names):
    """The network that has exactly the layers that the file's names stand for."""
    for name in APPLICATIONS:
        model = the_model(name)
        layers = {layer.name for layer in model.layers if layer.weight_names}
        known = {theirs: ours for theirs, ours in (names or {}).items() if ours in layers}
        if {place.layer for place in places(file, model, known)} == layers:
            return model
    some = ", ".join(tensor.name for tensor in file.tensors[:3])
    raise WeightsError(
        f"{file.path}: its names ({some}, ...) are not those of a network that is known here "
        f"({', '.join(APPLICATIONS)}). Say whose layers these are with --model FILE (a model saved by "
        "minitl), and what it calls them with --names FILE."
    )


def verify(options):
    """Raises WeightsError for a file that is damaged."""
    with opened(options.file) as file:
        arrays = file.arrays_digest()
        recorded, _ = ledger.from_text(file.listing.texts.get(ledger.KEY))
        checked = problems = 0
        for place in own_places(file):
            array = file.read(place.tensor) if place.tensor.dtype in FLOATS else np.zeros(1)
            if not np.isfinite(array).all():
                raise WeightsError(f"{file.path}: {place.tensor.label} holds NaN or infinity.")
            _, saved = recorded.get(f"{place.layer}/{place.parameter}", (None, None))
            if saved is not None:
                checked += 1
                problems += saved != ledger.array_digest(file.read(place.tensor, place.tensor.dtype))
        names = [name for name, entry in store.CATALOGUE.items() if entry.arrays == arrays]
        published = names[0] if names else name_of(file.sha256)
        results = {
            "file": str(file.path), "format": file.listing.format, "sha256": file.sha256, "arrays_sha256": arrays,
            "tensors": len(file.tensors), "published_as": published, "checked_against_its_ledger": checked,
        }  # fmt: skip
        print(f"{file.path}: {file.listing.format}, {len(file.tensors)} tensors\nfile   sha256 {file.sha256}")
        print(f"arrays sha256 {arrays}")
        if problems:
            raise WeightsError(f"{file.path}: {problems} of {checked} tensors are not what was saved: it is damaged.")
        if published:
            print(f"These are the published weights {published}, to the last bit.")
        elif checked:
            print(f"All {checked} tensors are what was saved, to the last bit.")
        else:
            print("Whole and readable. Nobody has published a digest for it that is known here, and it carries none.")
        return results


def inspect(options):
    with opened(options.file) as file:
        print(f"{file.path}: {file.listing.format}, {file.path.stat().st_size:,} bytes, sha256 {file.sha256}\n")
        rows, results = [["tensor", "shape", "type", "at byte", "smallest", "mean", "largest"]], []
        for tensor in file.tensors:
            values = ["", "", ""]
            if tensor.dtype in FLOATS and tensor.offset is not None and tensor.size:
                array = file.read(tensor)
                values = [float(array.min()), float(array.mean(dtype=np.float64)), float(array.max())]
            place = "" if tensor.offset is None else "packed" if tensor.copied else f"{tensor.offset:,}"
            shown = [f"{value:.4g}" if value != "" else "" for value in values]
            rows.append([tensor.name, "x".join(map(str, tensor.shape)) or "1", tensor.dtype, place, *shown])
            results.append({"name": tensor.name, "layer": tensor.layer, "shape": tensor.shape, "dtype": tensor.dtype,
                            "offset": tensor.offset, "min_mean_max": values})  # fmt: skip
        print(table(rows))
        lines = ledger.text_as_lines(file.listing.texts.get(ledger.KEY))
        if lines:
            print("\nLedger\n" + "\n".join(lines))
        return {"file": str(file.path), "format": file.listing.format, "sha256": file.sha256, "tensors": results,
                "ledger": lines}  # fmt: skip


def diff(options):
    with opened(options.first) as a, opened(options.second) as b:
        first, second = ({(p.layer, p.parameter): p for p in own_places(file)} for file in (a, b))
        equal, rows = 0, []
        for key in [*first, *(key for key in second if key not in first)]:
            label = "/".join(map(str, key))
            if key not in first or key not in second:
                rows.append([label, f"only in {(b if key in second else a).path}", ""])
                continue
            x, y = first[key], second[key]
            if x.shape != y.shape:
                rows.append([label, f"shape {x.shape}, {y.shape}", ""])
                continue
            x, y = x.convert(a.read(x.tensor)), y.convert(b.read(y.tensor))
            if np.array_equal(x, y):
                equal += 1
            else:
                worst = float(np.abs(x.astype(np.float64) - y).max())
                rows.append([label, f"differs by up to {worst:.3g}", f"{np.mean(x != y):.1%} of its numbers"])
        print(f"{equal} tensors are equal, {len(rows)} are not" + (":" if rows else "."))
        for row in rows:
            print("  " + "  ".join(filter(None, row)))
        return {"equal": equal, "different": [row[:2] for row in rows]}
