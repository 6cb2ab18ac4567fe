"""Train a base on Fashion-MNIST: step 1 of transfer learning.

minitl pretrain fashion_mnist/ --save base.h5   all classes, four minutes
minitl pretrain fashion_mnist/ --classes A      half of them, as `minitl study`
minitl pretrain fashion_mnist/ --method simclr --save encoder.h5   no labels

Fetch the four original files into one folder (this command downloads
nothing), from https://github.com/zalandoresearch/fashion-mnist:

train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz,
t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz
"""

from ..course.self_supervised import pretraining as without_labels
from ..course.self_supervised.methods import METHODS
from ..course.study.halves import HALVES, SPLIT
from ..course.study.pretraining import EPOCHS, pretrain_from_files

HELP = "train a base on Fashion-MNIST (step 1 of transfer learning)"


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("folder", metavar="IDX_FOLDER", help="the folder with Fashion-MNIST's four files")
    parser.add_argument(
        "--classes", choices=["all", "A", "B"], default="all", help="choose the classes to learn (default: %(default)s)"
    )
    parser.add_argument(
        "--split",
        choices=HALVES,
        help=f"with --classes A or B: choose how the classes are divided (default: {SPLIT})",
    )
    parser.add_argument(
        "--method",
        choices=METHODS,
        default="supervised",
        help="learn from labels, or without them: which way was an image turned, which views belong together, what is "
        "hidden (default: %(default)s)",
    )
    parser.add_argument(
        "--epochs", type=int, help=f"train so long (default: {EPOCHS}, without labels {without_labels.EPOCHS})"
    )
    parser.add_argument("--seed", type=int, default=0, help="set the seed of all random numbers (default: %(default)s)")
    parser.add_argument("--save", metavar="FILE", help="write the trained model to this file")


def run(options):
    """Run the command."""
    given = {} if options.epochs is None else {"epochs": options.epochs}
    what = {"classes": options.classes, "split": options.split, **given}
    where = {"seed": options.seed, "save": options.save, "json": options.json}
    if options.method == "supervised":
        pretrain_from_files(options.folder, **what, **where)
    else:
        without_labels.pretrain_from_files(options.folder, options.method, **what, **where)
