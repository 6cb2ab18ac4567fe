"""Show how networks work: one update with every number; pixels; boxes; texts.

minitl explain step                    an update of a small network in numbers
minitl explain step --network vgg16    the last layers of VGG16
minitl explain pixels                  train a network to classify pixels
minitl explain boxes                   train one that draws boxes around things
minitl explain boxes --plots figures   draw a figure as well (needs Pillow)
minitl explain sentences               read word by word: an RNN and LSTMs
minitl explain attention               look at all words at once

Of a step, every number is printed, and the line of source that computed it.
The networks learn from shapes on textures or from made-up sentences, in about
a minute. Figures of sentences and attention need matplotlib.
"""

from pathlib import Path

from ..course.explain import explain_small_network, explain_vgg16
from ..course.reading import explain_attention, explain_sentences
from ..course.where import explain_boxes, explain_pixels
from ..errors import ArgumentError
from ..files.results import write_json
from ..files.writable import check_writable

HELP = "show how networks work: a training step in numbers; pixels; boxes; texts"
NETWORKS = {"small": explain_small_network, "vgg16": explain_vgg16}
TRAINED = {"pixels": explain_pixels, "boxes": explain_boxes}
TRAINED |= {"sentences": explain_sentences, "attention": explain_attention}


def add_arguments(parser):
    """Add the arguments of the command."""
    what = (
        "step: one update with one example; pixels, boxes: where things are; sentences, attention: how texts are read"
    )
    parser.add_argument("what", choices=["step", *TRAINED], help=what)
    parser.add_argument("--network", choices=NETWORKS, help="of a step: choose the network (default: small)")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="of all but step: draw a figure in this folder")


def run(options):
    """Run the command."""
    check_writable(options.json)
    if options.what in TRAINED:
        if options.network:
            raise ArgumentError(f"--network does not go with {options.what}, which has its own networks. Leave it out.")
        write_json(options.json, TRAINED[options.what](options.plots))
        return
    if options.plots:
        raise ArgumentError("--plots does not go with step, which draws no figure. Leave it out.")
    page, results = NETWORKS[options.network or "small"]()
    print(page)
    print(f"\n{page.checked:,} numbers were computed twice, by the formulas above and by the engine.")
    print(f"The largest difference is {page.largest_difference:.0e} of the largest number of its array: rounding.")
    write_json(options.json, results)
