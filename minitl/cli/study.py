"""Measure how transferable features are (Yosinski et al. 2014).

minitl study transfer                         bundled images: ten minutes
minitl study transfer --quick                 three seeds and cuts: two minutes
minitl study transfer --plot study.svg        draw a figure (needs matplotlib)
minitl study transfer --data fashion_mnist/   more images, from original files

It repeats the experiment of the paper at small scale. A network learns task
B. Then, for every n, its first n layers, or those of a network that has
learned task A, are kept, frozen or not, and the rest is learned again. The
command prints the accuracies, and which of the paper's findings they show.
Ctrl-C ends it with the results so far.
"""

import argparse

from ..cluster import map_on
from ..course.study.halves import HALVES
from ..course.study.plot import FORMATS
from ..course.study.whole import BUNDLED, ORIGINAL, study_transfer
from . import photos_options

HELP = "measure how transferable each layer is (Yosinski et al. 2014)"


def add_arguments(parser):
    """Add the arguments of the command."""
    studies = parser.add_subparsers(dest="study", metavar="STUDY", required=True)
    one = studies.add_parser(
        "transfer",
        help="copy the first n layers, for every n",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("--data", metavar="IDX_FOLDER", help="use Fashion-MNIST's four original files, in this folder")
    one.add_argument("--quick", action="store_true", help="run three seeds and three cuts, on the bundled images")
    one.add_argument(
        "--split", choices=[*HALVES, "both"], default="both", help="choose how the classes are divided (default: both)"
    )
    one.add_argument(
        "--seeds",
        type=int,
        help=f"repeat so often (default: {BUNDLED.seeds}; with --data {ORIGINAL.seeds}; at least 2)",
    )
    one.add_argument(
        "--pictures",
        type=int,
        metavar="N",
        help=f"with --data: learn from N images a class (default: {ORIGINAL.pictures})",
    )
    one.add_argument("--plot", metavar="FILE", help=f"draw the curves in this file ({', '.join(FORMATS)})")
    photos_options.add_scheduler(one.add_argument, where_photos=False)
    one.add_argument("--json", metavar="FILE", default=argparse.SUPPRESS, help="write the results to this file as JSON")


def run(options):
    """Run the command."""
    with map_on(options.scheduler) as map:
        study_transfer(
            options.data,
            options.quick,
            options.split,
            options.seeds,
            options.pictures,
            picture=options.plot,
            json=options.json,
            map=map,
        )
