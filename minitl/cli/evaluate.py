"""Measure a saved model on a folder of pictures: a subfolder for each class, named as the model's classes.

minitl evaluate model.h5 photos/val
minitl evaluate model.h5 photos/val --json results.json

Prints the accuracy with its 95 % interval, what is confused with what, whether the probabilities can be trusted, and
the most confident mistakes by file name. Needs Pillow (the extra `images`).
"""

import numpy as np

from .. import data
from ..errors import DataError
from ..features.one_pass import all_outputs
from ..files.results import check_writable, write_json
from ..models import load_model
from ..recipes.evaluation import Evaluation
from ..terminal import printable, table
from .predict import how_to_read

HELP = "measure a saved model on a folder of pictures"
BATCH = 32


def add_arguments(parser):
    parser.add_argument("model", metavar="MODEL", help="a file from `minitl finetune --save`")
    parser.add_argument("folder", metavar="FOLDER", help="pictures in one subfolder a class")
    parser.add_argument("--strict", action="store_true", help="stop at the first file that is no picture")


def run(options):
    check_writable(options.json)
    model = load_model(options.model)
    class_names, prepare, crop = how_to_read(model, options.model)
    folder = data.audit_folder(options.folder, val_share=0, strict=options.strict)
    unknown = [name for name in folder.class_names if name not in class_names]
    if unknown:
        raise DataError(f"{options.folder}: the model has no class '{unknown[0]}'. It knows {', '.join(class_names)}.")
    photos = [*folder.train, *folder.val]
    labels = np.array([class_names.index(folder.class_names[photo.label]) for photo in photos])
    pictures = data.PhotoStream(photos, prepare, *model.input_shape[1:3], crop)
    (probabilities,) = all_outputs(model, pictures, BATCH, "Looking at pictures", lines=True)
    names = [str(photo.path.relative_to(folder.path)) for photo in photos]
    evaluation = Evaluation(labels, probabilities, class_names, names)
    for path, reason in folder.skipped:
        print(printable(f"left out: {path}: {reason}"))
    report(evaluation)
    write_json(options.json, {**evaluation.as_data(), "left_out": [[str(p), reason] for p, reason in folder.skipped]})


def report(evaluation):
    """The figures for people."""
    low, high = evaluation.accuracy_interval
    count = len(evaluation.labels)
    print(f"accuracy {evaluation.accuracy:.3f} on {count:,} pictures (95% interval {low:.3f} to {high:.3f})")
    if len(evaluation.class_names) > 3:
        print(f"the right class among the first three: {evaluation.top_k(3):.3f}")
    rows = [["class", "pictures", "precision", "recall", "f1"]]
    for k, name in enumerate(evaluation.class_names):
        figures = [each[k] for each in (evaluation.precision, evaluation.recall, evaluation.f1)]
        shown = ["" if np.isnan(figure) else f"{figure:.3f}" for figure in figures]
        rows.append([name, int(evaluation.confusion[k].sum()), *shown])
    print("\n" + printable(table(rows)))
    print("\nTrue class (rows) and what it was called (columns):")
    rows = [["", *evaluation.class_names]]
    rows += [[name, *counts] for name, counts in zip(evaluation.class_names, evaluation.confusion)]
    print(printable(table(rows)))
    error, bins = evaluation.calibration()
    print(f"\nCalibration error {error:.3f}. When it is so sure (mean), it is right so often:")
    rows = [["probability", "pictures", "mean", "right"]]
    rows += [[f"{a:.1f} to {b:.1f}", n, f"{mean:.3f}", f"{right:.3f}"] for a, b, n, mean, right in bins]
    print(table(rows))
    mistakes = evaluation.mistakes()
    if mistakes:
        print("\nThe most confident mistakes:")
        rows = [["picture", "is", "was called", "with"]]
        print(printable(table([*rows, *([name, true, said, f"{p:.3f}"] for name, true, said, p in mistakes)])))
