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
from ..course.gan.study import study_gan
from ..course.self_supervised.study import QUICK, WHOLE, study_pretraining
from ..course.study.halves import HALVES
from ..course.study.plot import FORMATS
from ..course.study.whole import BUNDLED, ORIGINAL, study_transfer
from . import photos_options

PRETRAINING = """Measure what bases are worth that learned without labels.

minitl study pretraining --quick                   bundled images: a minute
minitl study pretraining --data fashion_mnist/ --quick          three minutes
minitl study pretraining --data fashion_mnist/ --keep study/    half an hour

Rotation, SimCLR and a masked autoencoder train the study's network on images
of half of the classes. Then few labels are given, of the same and of the
other classes: how good is a linear head on the features, and the fine-tuned
network? Supervised, random and VGG16's bases stand beside them.
"""
GAN = """Measure what images are worth that a generator makes.

minitl study gan --quick                           bundled images: two minutes
minitl study gan --data fashion_mnist/             20 minutes
minitl study gan --data fashion_mnist/ --plot samples.png     and a figure

A generator and a discriminator learn from each other. How close do the made
images come to real ones, is each of its class, and does a classifier learn
from them, alone or beside a few real ones?
"""
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
    _add_pretraining(studies)
    _add_gan(studies)
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


def _add_pretraining(studies):
    """Add the arguments of `minitl study pretraining`."""
    one = studies.add_parser(
        "pretraining",
        help="what is a base worth that learned without labels?",
        description=PRETRAINING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("--data", metavar="IDX_FOLDER", help="use Fashion-MNIST's four original files, in this folder")
    one.add_argument("--quick", action="store_true", help="use few images and epochs")
    one.add_argument("--seeds", type=int, help=f"repeat so often (default: {WHOLE.seeds}, quick {QUICK.seeds})")
    one.add_argument("--keep", metavar="FOLDER", help="keep what is done there, and go on there after a stop")
    one.add_argument("--plot", metavar="FILE", help=f"draw the curves in this file ({', '.join(FORMATS)})")
    one.add_argument("--json", metavar="FILE", default=argparse.SUPPRESS, help="write the results to this file as JSON")


def _add_gan(studies):
    """Add the arguments of `minitl study gan`."""
    one = studies.add_parser(
        "gan",
        help="what are images worth that a generator makes?",
        description=GAN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("--data", metavar="IDX_FOLDER", help="use Fashion-MNIST's four original files, in this folder")
    one.add_argument("--quick", action="store_true", help="use few images and epochs")
    one.add_argument("--seeds", type=int, help="repeat so often")
    one.add_argument("--keep", metavar="FOLDER", help="keep what is done there, and go on there after a stop")
    one.add_argument("--plot", metavar="FILE", help=f"draw the made images in this file ({', '.join(FORMATS)})")
    one.add_argument("--json", metavar="FILE", default=argparse.SUPPRESS, help="write the results to this file as JSON")


def run(options):
    """Run the command."""
    if options.study == "gan":
        study_gan(options.data, options.quick, options.seeds, options.plot, options.json, options.keep)
        return
    if options.study == "pretraining":
        study_pretraining(options.data, options.quick, options.seeds, options.keep, options.plot, options.json)
        return
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
