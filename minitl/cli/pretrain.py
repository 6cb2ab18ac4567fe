"""Step 1 of transfer learning: train a base on Fashion-MNIST, from its four original files.

minitl pretrain fashion_mnist/ --save base.h5     all ten classes, four minutes
minitl pretrain fashion_mnist/ --classes A        half of them, as for the bases of `minitl study`

Fetch its four files from https://github.com/zalandoresearch/fashion-mnist into one folder; nothing
is downloaded by this command:

train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz,
t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz
"""

import textwrap
import time

from .. import __version__, data
from ..course.study import halves, pretraining
from ..errors import ArgumentError
from ..files.results import check_writable, write_json
from ..recipes.evaluation import wilson_interval

HELP = "train a base on Fashion-MNIST (step 1 of transfer learning)"


def add_arguments(parser):
    parser.add_argument("folder", metavar="IDX_FOLDER", help="the folder with Fashion-MNIST's four files")
    parser.add_argument(
        "--classes", choices=["all", "A", "B"], default="all", help="which classes to learn (default: %(default)s)"
    )
    parser.add_argument(
        "--split",
        choices=halves.HALVES,
        default="similar",
        help="how the classes are divided into the halves A and B (default: %(default)s)",
    )
    parser.add_argument("--epochs", type=int, default=6, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (default: %(default)s)")
    parser.add_argument("--save", metavar="FILE", help="write the trained model there")


def run(options):
    check_writable(options.json, options.save)
    if options.epochs < 1:
        raise ArgumentError(f"--epochs is {options.epochs}; expected at least 1.")
    start = time.perf_counter()
    pictures = data.fashion_mnist(options.folder)
    class_names = pictures.class_names if options.classes == "all" else halves.HALVES[options.split][options.classes]
    task = halves.task(pictures, class_names)
    print(textwrap.fill(f"Learning {', '.join(class_names)} from {len(task.x_train):,} pictures.", 100), flush=True)
    model, accuracy = pretraining.pretrain(task, options.epochs, seed=options.seed)
    low, high = wilson_interval(accuracy, len(task.x_test))
    seconds = time.perf_counter() - start
    print(f"accuracy {accuracy:.4f} on {len(task.x_test):,} test pictures (95% interval {low:.4f} to {high:.4f})")
    print(f"{model.count_params():,} parameters, {seconds:.0f} s in all.")
    if options.save:
        model.save(options.save)
        print(f"Saved: {options.save}. What is in it: minitl weights inspect {options.save}")
    write_json(
        options.json,
        {
            "classes": list(class_names),
            "test_accuracy": accuracy,
            "test_accuracy_interval": [low, high],
            "training_pictures": len(task.x_train),
            "parameters": model.count_params(),
            "epochs": options.epochs,
            "seed": options.seed,
            "seconds": seconds,
            "versions": {"minitl": __version__},
        },
    )
