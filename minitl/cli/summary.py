"""Print a model's layers: of a saved model, or of an application by name.

minitl summary vgg16
minitl summary vgg16 --no-top --input-shape 64 64 3
minitl summary resnet50
minitl summary my_model.h5
"""

from .. import initializers
from ..applications import NETWORKS, find
from ..errors import ArgumentError
from ..files.results import check_writable, write_json
from ..graph.summary import flops
from ..models import load_model

HELP = "print a model's layers, shapes and parameters"


def add_arguments(parser):
    parser.add_argument("model", metavar="MODEL", help=f"{', '.join(NETWORKS)}, or a file from model.save()")
    parser.add_argument("--no-top", action="store_true", help="an application without its dense layers")
    parser.add_argument(
        "--input-shape", type=int, nargs=3, metavar=("H", "W", "C"), help="of an application without its top"
    )


def run(options):
    check_writable(options.json)
    application = find(options.model)
    if application is not None:
        with initializers.weights_will_be_loaded():  # nobody will look at the numbers
            model = application.build(weights=None, include_top=not options.no_top, input_shape=options.input_shape)
    elif options.no_top or options.input_shape:
        raise ArgumentError(f"--no-top and --input-shape go with an application's name ({', '.join(NETWORKS)}).")
    else:
        model = load_model(options.model)
    model.summary()
    results = {
        "name": model.name,
        "parameters": model.count_params(),
        "trainable_parameters": model.count_params(trainable_only=True),
        "layers": [
            {
                "name": tensor.layer.name,
                "class": type(tensor.layer).__name__,
                "output_shape": tensor.shape,
                "parameters": tensor.layer.count_params(),
                "trainable": tensor.layer.trainable,
            }
            for tensor in model.tensors
        ],
    }
    if None not in model.input_shape[1:]:
        results["flops"] = flops(model)
        print(f"Cost of one image     {flops(model) / 1e9:>13,.2f}  GFLOP forward")
    write_json(options.json, results)
