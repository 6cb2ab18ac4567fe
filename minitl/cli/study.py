"""How transferable are features? The experiment of Yosinski et al. (2014) at small scale.

minitl study transfer                          on the bundled pictures: ten minutes on two cores
minitl study transfer --quick                  three seeds and three cuts: two minutes
minitl study transfer --plot study.svg         a picture as well (needs matplotlib)
minitl study transfer --data fashion_mnist/    on more pictures, from the original files

A network learns task B. Then, for every n, the first n layers of it, or of a network that has
learned task A, are kept, frozen or not, and the rest is learned anew. Prints the accuracies, and
which of the paper's findings they show. Ctrl-C ends it with what is done until then.
"""

import argparse

from ..course.study.halves import HALVES
from ..course.study.plot import FORMATS
from ..course.study.whole import BUNDLED, ORIGINAL, study_transfer

HELP = "which layers carry over to another task? (Yosinski et al. 2014)"


def add_arguments(parser):
    studies = parser.add_subparsers(dest="study", metavar="STUDY", required=True)
    one = studies.add_parser(
        "transfer",
        help="copy the first n layers, for every n",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("--data", metavar="IDX_FOLDER", help="the folder with Fashion-MNIST's four original files")
    one.add_argument("--quick", action="store_true", help="three seeds, three cuts, the bundled pictures")
    one.add_argument(
        "--split", choices=[*HALVES, "both"], default="both", help="how the classes are divided (default: both)"
    )
    one.add_argument(
        "--seeds", type=int, help=f"repetitions (default: {BUNDLED.seeds}; with --data {ORIGINAL.seeds}; at least 2)"
    )
    one.add_argument(
        "--pictures", type=int, metavar="N", help=f"with --data: to learn from, a class (default: {ORIGINAL.pictures})"
    )
    one.add_argument("--plot", metavar="FILE", help=f"draw the curves there ({', '.join(FORMATS)})")
    one.add_argument("--json", metavar="FILE", default=argparse.SUPPRESS, help="write the results there as well")


def run(options):
    study_transfer(
        options.data,
        options.quick,
        options.split,
        options.seeds,
        options.pictures,
        picture=options.plot,
        json=options.json,
    )
