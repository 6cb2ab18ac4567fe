"""Measure a saved model on photographs, texts or recordings.

minitl evaluate model.h5 photos/val
minitl evaluate model.h5 photos/val --json results.json

The folder has a subfolder for each class, with the name of one of the model's
classes. The command prints the accuracy with its 95 % interval, the confused
classes, the calibration of the probabilities, and the most confident mistakes
by file name. It needs Pillow (the extra `images`).

A model for pixels takes a folder with images/ and masks/. The command prints
the IoU of each class and its mean, and the share of pixels that are right. A
model for boxes takes a folder with boxes, and average precision is printed.

minitl evaluate reviews.h5 other_reviews.csv

A model for texts takes labelled texts in a file or a folder. Where these have
a test part, it is measured on this part.

minitl evaluate digits.h5 others/ --pattern '{class}_*'

A model for recordings takes a folder of them. --pattern and --group are those
that it learned with, unless told otherwise.
"""

from ..errors import ArgumentError
from ..files.results import write_json
from ..files.writable import check_writable
from ..recipes.prediction import opened_model, task_of_model
from ..recipes.tasks import task_called
from .sounds_options import add_names
from .texts_options import add_columns

HELP = "measure a saved model on a folder of photographs, labelled texts or recordings"
OF_TEXTS = ("text", "label", "encoding")
OF_SOUNDS = ("pattern", "group")


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="a file from `minitl finetune --save`")
    parser.add_argument("folder", metavar="FOLDER", help="a folder like the one the model was trained on")
    parser.add_argument("--strict", action="store_true", help="stop at the first file or row that cannot be used")
    parser.add_argument("--follow-links", action="store_true", help="follow links that lead out of the folder")
    add_columns(parser.add_argument_group("with texts").add_argument)
    add_names(parser.add_argument_group("with recordings").add_argument)


def run(options):
    """Run the command."""
    check_writable(options.json)
    model, name = opened_model(options.model)
    task = task_called(task_of_model(model), name)
    given = {each: getattr(options, each) for each in (*OF_TEXTS, *OF_SOUNDS) if getattr(options, each) is not None}
    for own, words, names in ("texts", "texts", OF_TEXTS), ("sounds", "recordings", OF_SOUNDS):
        wrong = [each for each in given if each in names]
        if wrong and task_of_model(model) != own:
            raise ArgumentError(f"--{wrong[0]} goes with a model for {words}, and {name} is for {task.holds}.")
    evaluation, left_out = task.evaluate(
        (model, name), options.folder, strict=options.strict, follow_links=options.follow_links, **given
    )
    print(evaluation)
    write_json(options.json, {**evaluation.as_data(), "left_out": [[str(path), reason] for path, reason in left_out]})
