"""One update of a network, with every number and the line of source that computed it.

minitl explain step                       a network so small that all of its numbers fit on the screen
minitl explain step --network vgg16       the last layers of VGG16, with a new head
"""

from ..course.explain import explain_small_network, explain_vgg16
from ..files.results import check_writable, write_json

HELP = "one training step, number by number, with its source"
NETWORKS = {"small": explain_small_network, "vgg16": explain_vgg16}


def add_arguments(parser):
    parser.add_argument("what", choices=["step"], help="step: one picture, one update")
    parser.add_argument("--network", choices=NETWORKS, default="small", help="default: %(default)s")


def run(options):
    check_writable(options.json)
    page, results = NETWORKS[options.network]()
    print(page)
    print(f"\n{page.checked:,} numbers were computed twice, by the formulas above and by the engine; the largest")
    print(f"difference is {page.largest_difference:.0e} of the largest number of its kind: float32's rounding.")
    write_json(options.json, results)
