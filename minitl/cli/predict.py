"""Classify images with a saved model.

minitl finetune --save model.h5
minitl predict model.h5                      ten bundled test images and labels
minitl predict model.h5 shirt.jpg bag.png    your own files

Photographs need Pillow (the extra `images`); .npy files work without it.
"""

from ..files.results import check_writable, write_json
from ..recipes.prediction import classified_table, classify

HELP = "classify images with a saved model"


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="a file from `minitl finetune --save`")
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help="photographs or .npy files (default: ten bundled test images)"
    )


def run(options):
    """Run the command."""
    check_writable(options.json)
    results = classify(options.model, options.files)
    print(classified_table(results))
    write_json(options.json, results)
