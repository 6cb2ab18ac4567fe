"""Measure a saved model on a folder of pictures: a subfolder for each class, named as the model's classes.

minitl evaluate model.h5 photos/val
minitl evaluate model.h5 photos/val --json results.json

Prints the accuracy with its 95 % interval, what is confused with what, whether the probabilities can be trusted, and
the most confident mistakes by file name. Needs Pillow (the extra `images`).
"""

from ..files.results import check_writable, write_json
from ..recipes.prediction import evaluate_folder

HELP = "measure a saved model on a folder of pictures"


def add_arguments(parser):
    parser.add_argument("model", metavar="MODEL", help="a file from `minitl finetune --save`")
    parser.add_argument("folder", metavar="FOLDER", help="pictures in one subfolder a class")
    parser.add_argument("--strict", action="store_true", help="stop at the first file that is no picture")


def run(options):
    check_writable(options.json)
    evaluation, left_out = evaluate_folder(options.model, options.folder, options.strict)
    print(evaluation)
    write_json(options.json, {**evaluation.as_data(), "left_out": [[str(path), reason] for path, reason in left_out]})
