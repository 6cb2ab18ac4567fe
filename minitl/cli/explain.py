"""Show one update of a network: every number, and the line that computed it.

minitl explain step                      a small network, with all its numbers
minitl explain step --network vgg16      the last layers of VGG16
"""

from ..course.explain import explain_small_network, explain_vgg16
from ..files.results import write_json
from ..files.writable import check_writable

HELP = "show one training step, number by number, with its source"
NETWORKS = {"small": explain_small_network, "vgg16": explain_vgg16}


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("what", choices=["step"], help="step: show one update, with one example")
    parser.add_argument(
        "--network", choices=NETWORKS, default="small", help="choose the network (default: %(default)s)"
    )


def run(options):
    """Run the command."""
    check_writable(options.json)
    page, results = NETWORKS[options.network]()
    print(page)
    print(f"\n{page.checked:,} numbers were computed twice, by the formulas above and by the engine.")
    print(f"The largest difference is {page.largest_difference:.0e} of the largest number of its array: rounding.")
    write_json(options.json, results)
