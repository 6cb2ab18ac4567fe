"""Measure minitl beside the frameworks that are installed.

minitl bench --quick                  minitl alone, less than a minute
minitl bench                          all that is installed, 45 minutes
minitl bench --only inference_8 --rounds 3
minitl bench --json bench.json --markdown bench.md --plots figures/

It measures inference, training, memory and errors. Every program runs in a
process of its own, all in turn. Install those frameworks first that you want
to compare (benchmarks/README.md names the versions that it measured):
python -m pip install torch keras onnx onnxruntime dezero opencv-python-headless
"""

import importlib
import os
import sys
from pathlib import Path

from ..arguments import whole_number
from ..errors import ArgumentError
from ..files.atomic import replacing
from ..files.results import write_json
from ..files.writable import check_can_write, check_writable

HELP = "measure minitl beside the frameworks that are installed"


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("--quick", action="store_true", help="measure minitl alone, in less than a minute")
    parser.add_argument("--only", nargs="+", metavar="GROUP", help="measure only these groups")
    parser.add_argument("--list", action="store_true", help="list the groups, and measure nothing")
    parser.add_argument("--rounds", type=int, metavar="N", help="measure each program N times")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to this file")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw figures in this folder (needs matplotlib)")


def run(options):
    """Run the command."""
    check_writable(options.json, options.markdown)
    if options.plots is not None:
        check_can_write(options.plots / "inference_8.png", "--plots", makes_folder=True)
    if options.rounds is not None:
        whole_number(options.rounds, "--rounds")
    if options.list:
        given = [name for name in ("rounds", "json", "markdown", "plots") if getattr(options, name) is not None]
        if given:
            raise ArgumentError(f"--{given[0]} does not go with --list, which measures nothing. Leave it out.")
    results, text = benchmarks().measure(options)
    if results is None:
        return
    write_json(options.json, results)
    if options.markdown:
        with replacing(options.markdown, check=os.path.getsize) as temporary:
            Path(temporary).write_text(text)


def benchmarks():
    """Return the module `benchmarks.main`. A checkout has it beside the library, an installed package within it."""
    try:
        return importlib.import_module("minitl._benchmarks.main")
    except ModuleNotFoundError as error:
        if error.name != "minitl._benchmarks":
            raise
    checkout = str(Path(__file__).resolve().parents[2])
    sys.path.insert(0, checkout)  # before a folder of that name where the command is run
    try:
        return importlib.import_module("benchmarks.main")
    except ModuleNotFoundError as error:
        raise ArgumentError(f"the benchmarks are missing ({error}). Run this from a copy of the repository.") from None
    finally:
        sys.path.remove(checkout)
