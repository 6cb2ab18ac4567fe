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

from ..files.results import check_writable, write_json
from ..recipes.conversion import convert_weights
from ..terminal import printable
from ..weights import inspection
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
    action = {"list": show_list, "get": get, "convert": convert, "verify": verify, "inspect": inspect, "diff": diff}
    write_json(options.json, action[options.action](options))


def show_list(options):
    found = catalogue.overview()
    rows = [["name", "what it is", "on this machine"]]
    rows += [[name, each["about"], f"yes: {each['path']}" if each["path"] else "no"] for name, each in found.items()]
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    print("\n".join(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows))
    print(f"\nminitl weights get NAME brings one to {catalogue.models_folder()}.")
    return found


def get(options):
    path, proof, fetched = catalogue.bring(options.name, options.again)
    print(f"{'Done' if fetched else 'Here already'}: {path}\nChecked: {proof}")
    return {"name": options.name, "path": str(path), "checked": proof}


def convert(options):
    text, results = convert_weights(options.source, options.target, options.model, options.names, options.partial)
    print(text)
    return results


def verify(options):
    found = inspection.Verified(options.file)
    print(printable(found.text))
    print(found.verdict())
    return found.data


def inspect(options):
    text, results = inspection.inspect(options.file)
    print(printable(text))
    return results


def diff(options):
    text, results = inspection.differences(options.first, options.second)
    print(printable(text))
    return results
