"""Classify images with a saved model.

minitl finetune --save model.h5
minitl predict model.h5                      ten bundled test images and labels
minitl predict model.h5 shirt.jpg bag.png    your own files
minitl predict model.h5 photos/ --top 3      all photographs of a folder
minitl predict model.h5 photos/ --csv predictions.csv

Each line is printed as soon as it is known. A file that cannot be read is
named, the others are classified, and the exit status is 1. Photographs need
Pillow (the extra `images`); .npy files work without it.
"""

import sys

from ..arguments import whole_number
from ..errors import DataError
from ..files.results import csv_rows, json_list
from ..files.writable import check_writable
from ..recipes.prediction import MOST_PROBABLE, ClassifiedLines, Classifier, classify_each, files_in
from ..terminal import counted, printable

HELP = "classify images with a saved model"


def add_arguments(parser):
    """Add the arguments of the command."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="a file from `minitl finetune --save`")
    add(
        "files",
        metavar="FILE",
        nargs="*",
        help="photographs, folders of them, or .npy files (default: ten bundled test images)",
    )
    add("--top", type=int, metavar="K", default=MOST_PROBABLE, help="name the K most probable classes (default: 2)")
    add("--csv", metavar="FILE", help="write the predictions to this file as CSV")


def run(options):
    """Run the command."""
    check_writable(options.json, options.csv)
    top, failed, done = whole_number(options.top, "--top"), 0, 0
    files, classifier = files_in(options.files), Classifier(options.model)
    names, classes = files or ["test image 0"], len(classifier.class_names)
    if top > classes:
        print(f"--top is {top}, and the model has {counted(classes, 'class')}: all of them are named.")
        top = classes
    lines = ClassifiedLines(names, classifier.class_names, top, with_label=not files)
    with json_list(options.json) as add, csv_rows(options.csv) as write:
        write(["file", *(f"{name}_{k + 1}" for k in range(top) for name in ("class", "probability")), "error"])
        for result in classify_each(classifier, files, top):
            add(result)
            cells = [cell for each in result.get("predictions", ()) for cell in (each["class"], each["probability"])]
            write([result["file"], *cells, *[""] * (2 * top - len(cells)), result.get("error", "")])
            if "error" in result:
                failed += 1
                print(printable(f"minitl: {result['file']}: {result['error']}"), file=sys.stderr, flush=True)
            else:
                if not done:
                    print(lines.header())
                done += 1
                print(lines.line(result), flush=True)
    if failed:
        raise DataError(f"{failed} of {counted(len(files), 'file')} could not be read, as said above.")
