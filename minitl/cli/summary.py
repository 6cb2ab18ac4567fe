"""Print the layers of a saved model, or of an application.

minitl summary vgg16
minitl summary vgg16 --no-top --input-shape 64 64 3
minitl summary resnet50
minitl summary my_model.h5
"""

from ..applications import NETWORKS
from ..files.results import write_json
from ..files.writable import check_writable
from ..recipes.models_by_name import model_by_name, summary_as_data

HELP = "print a model's layers, shapes and parameters"


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help=f"{', '.join(NETWORKS)}, or a file from model.save()")
    parser.add_argument("--no-top", action="store_true", help="leave out the dense layers of an application")
    parser.add_argument(
        "--input-shape",
        type=int,
        nargs=3,
        metavar=("H", "W", "C"),
        help="set the input of an application without its top",
    )


def run(options):
    """Run the command."""
    check_writable(options.json)
    model = model_by_name(options.model, include_top=not options.no_top, input_shape=options.input_shape)
    model.summary()
    results = summary_as_data(model)
    if "flops" in results:
        print(f"Cost of one image     {results['flops'] / 1e9:>13,.2f}  GFLOP forward")
    write_json(options.json, results)
