"""Find, fetch, convert and inspect files of weights.

minitl weights list                        list published weights
minitl weights get vgg16-notop             fetch them and check them
minitl weights convert vgg16.pth vgg16.h5  convert to HDF5 for minitl and Keras
minitl weights export model.h5 model.onnx  write a model for another program
minitl weights verify model.h5             check that no number has changed
minitl weights inspect model.h5            list the tensors and their origins
minitl weights diff before.h5 after.h5     show which tensors differ, how much
                                           (exit status 1 if any does)

Reads .h5, .weights.h5, .keras, .safetensors, .onnx and (with the extra
`convert`) .pth.
"""

import argparse

from ..errors import WeightsError
from ..export import ENDINGS
from ..files.results import write_json
from ..files.writable import check_writable
from ..recipes.conversion import convert_weights, export_file
from ..terminal import counted, fitted, printable, wrapped
from ..weights import inspection
from ..weights.published import catalogue

HELP = "list, get, convert, verify, inspect or compare files of weights"


def add_arguments(parser):
    """Add the arguments of the command."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = actions.add_parser
    add("list", help="list the published weights, and those on this machine")
    get = add("get", help="fetch published weights into $MINITL_HOME/models (default: ~/.minitl/models)")
    names = ", ".join(catalogue.CATALOGUE)
    get.add_argument(
        "name", metavar="NAME", type=catalogue.as_in_the_catalogue, choices=catalogue.CATALOGUE, help=names
    )
    get.add_argument("--again", action="store_true", help="fetch the file even if it is there already")
    to = add("convert", help="convert weights of any format to HDF5")
    to.add_argument("source", metavar="SRC")
    to.add_argument(
        "target", metavar="DST", help="a file name that ends in .h5, or in .weights.h5 for Keras 3's layout"
    )
    to.add_argument(
        "--model",
        metavar="MODEL",
        help="name the model with these layers: vgg16, resnet50, inception_v3 (or with -notop), or a file from "
        "model.save()",
    )
    to.add_argument("--names", metavar="FILE", help='read {"name in SRC": "layer", ...} from this JSON file')
    to.add_argument("--partial", action="store_true", help="leave out layers that the model does not have")
    out = add("export", help="write a saved model for ONNX Runtime, PyTorch or Keras")
    out.add_argument("model", metavar="MODEL", help="a file from model.save() or minitl finetune --save")
    out.add_argument("target", metavar="FILE", help=f"a name that ends in {', '.join(ENDINGS)}, .keras or .h5")
    out.add_argument("--preprocessing", action="store_true", help="of .onnx: take RGB from 0 to 255, unprepared")
    for name, text in (
        ("verify", "check that a file is as it was published or saved"),
        ("inspect", "show what a file holds"),
    ):
        add(name, help=text).add_argument("file", metavar="FILE")
    difference = add("diff", help="compare two files, tensor by tensor; exit status 1 if they differ")
    difference.add_argument("first", metavar="A")
    difference.add_argument("second", metavar="B")
    for action in actions.choices.values():  # the option may follow the action as well
        action.add_argument("--json", metavar="FILE", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run(options):
    """Run the command."""
    check_writable(options.json)
    action = {
        "export": export_model,
        "list": show_list,
        "get": get,
        "convert": convert,
        "verify": verify,
        "inspect": inspect,
        "diff": diff,
    }
    results = action[options.action](options)
    write_json(options.json, results)
    if options.action == "diff" and results["different"]:  # as the command diff of Unix
        count = len(results["different"])
        of_all = counted(count + results["equal"], "tensor")
        raise WeightsError(f"{options.first} and {options.second} differ in {count} of {of_all}.")


def show_list(options):
    """Print the published weights. Returns them as data, as all actions do."""
    found = catalogue.overview()
    for name, each in found.items():
        print(wrapped(f"{name}: {each['about']}; licence: {each['licence']}", "    "))
        print(fitted(f"    on this machine: {each['path'] or 'no'}"))
    print("\n" + wrapped(f"minitl weights get NAME fetches one into {catalogue.models_folder()}.", "  "))
    return found


def get(options):
    """Fetch published weights, unless they are there."""
    path, proof, fetched = catalogue.bring(options.name, options.again)
    print(f"{'Fetched' if fetched else 'Already here'}: {path}\nChecked: {proof}")
    return {"name": options.name, "path": str(path), "checked": proof}


def convert(options):
    """Convert a file to HDF5."""
    text, results = convert_weights(options.source, options.target, options.model, options.names, options.partial)
    print(text)
    return results


def export_model(options):
    """Write a saved model for another program."""
    results = export_file(options.model, options.target, options.preprocessing)
    print(f"{results['format']}: {options.target}")
    return results


def verify(options):
    """Check that a file is as it was published or saved."""
    found = inspection.Verified(options.file)
    print(fitted(printable(found.text)))
    print(found.verdict())
    return found.data


def inspect(options):
    """Print the contents of a file."""
    text, results = inspection.inspect(options.file)
    print(fitted(printable(text)))
    return results


def diff(options):
    """Print the differences of two files."""
    text, results = inspection.differences(options.first, options.second)
    print(fitted(printable(text)))
    return results
