"""Predict with a model: the class of images, pixels, texts or sounds, or boxes.

minitl finetune --save model.h5
minitl predict model.h5                      ten bundled test images and labels
minitl predict model.h5 shirt.jpg bag.png    your own files
minitl predict model.h5 photos/ --top 3      all photographs of a folder
minitl predict model.h5 photos/ --csv predictions.csv
minitl predict --base efficientnet_lite0 dog.jpg    one of ImageNet's classes
minitl predict streets.h5 photos/ --out found    masks, overlays, COCO file
minitl predict cells.h5 blood.jpg --out found    boxes on the images, COCO file
minitl predict reviews.h5 "a fine film" new.csv    texts, and files of them
minitl predict digits.h5 seven.wav recordings/     recordings of any rate

Each line is printed as soon as it is known. A file that cannot be read is
named, the others are predicted, and the exit status is 1. Photographs need
Pillow (the extra `images`); .npy files work without it.

A model for pixels takes photographs of any size, and shows them at the scale
of its training: --scale 0.5 shows them half as large, --scale fit small
enough to lie within the images that it was trained on. A model for boxes
names those with a score of --score or more.

A model for texts takes texts in quotes. What is the name of a file is read: a
.csv, .tsv or .jsonl has a text in each row, any other file is one text, and a
folder stands for its files. A word that ends like a file (.txt, .csv, ...) and
is none is an error.
"""

import sys

from ..applications import bases
from ..arguments import whole_number
from ..errors import ArgumentError, DataError
from ..files.results import csv_rows, json_list
from ..files.writable import check_writable
from ..recipes.detection import Detector, detect_each
from ..recipes.detection.written import DetectedLines, detect_into
from ..recipes.models_by_name import imagenet_model
from ..recipes.prediction import (
    ANSWERS,
    MOST_PROBABLE,
    ClassifiedLines,
    Classifier,
    classify_each,
    files_in,
    opened_model,
    task_of_model,
)
from ..recipes.segmentation import SegmentedLines, Segmenter, segment_each, segment_into
from ..recipes.settings import option
from ..recipes.sounds import SoundClassifier, classify_sounds_each
from ..recipes.tasks import task_called
from ..recipes.texts import TextClassifier, classify_texts_each
from ..recipes.texts.prediction import ClassifiedTexts
from ..recipes.texts.settings import TextFileError
from ..terminal import counted, printable, wrapped

HELP = "predict the class of images, pixels, texts or sounds, or find boxes, with a model"

# The options that go with some tasks only.
ONLY = {
    "text": ("texts",),
    "top": ("images", "texts", "sounds"),
    "out": ("segment", "detect"),
    "score": ("detect",),
    "scale": ("segment",),
}


def add_arguments(parser):
    """Add the arguments of the command."""
    add = parser.add_argument
    add("model", metavar="MODEL", nargs="?", help="a file from `minitl finetune --save`; leave it out with --base")
    add(
        "files",
        metavar="FILE",
        nargs="*",
        help="photographs, folders of them, or .npy files (default: ten bundled test images); texts, or files of them",
    )
    add("--base", choices=bases(), help="name one of ImageNet's 1,000 classes, with this network as it was published")
    add("--top", type=int, metavar="K", help=f"name the K most probable classes (default: {MOST_PROBABLE})")
    add("--csv", metavar="FILE", help="write the predictions to this file as CSV")
    add("--text", metavar="COLUMN", help="for texts: name the column of tables with them (default: as in training)")
    add("--out", metavar="DIR", help="write masks or boxes, on the images and as a COCO file, to this folder")
    add("--score", type=float, help="for boxes: name those with this score or more (default: as in training)")
    add("--scale", metavar="S", type=scale, help="for pixels: show photographs at S times the scale, or fit")


def scale(text):
    """Return 0.5 of "0.5", and the text itself of "fit"."""
    return text if text == "fit" else float(text)


def run(options):
    """Run the command."""
    check_writable(options.json, options.csv)
    named, (model, name) = model_and_files(options)
    task = task_of_model(model)
    task_called(task, name)
    files = named if task == "texts" else files_in(named)  # what is no file is a text
    for each, tasks in ONLY.items():
        if getattr(options, each) is not None and task not in tasks:
            answers = " or ".join(ANSWERS[each][0] for each in tasks)
            raise ArgumentError(f"{option(each)} goes with a model that answers {answers}, and {name} does not.")
    failed = PREDICT[task](options, (model, name), files)
    if failed:
        raise DataError(f"{failed} of {counted(len(files), 'file')} could not be read, as said above.")


def model_and_files(options):
    """Return (the files that are named, (the model, its name in messages)). With --base, no model is named: the first
    name is a file."""
    if options.base is None:
        if options.model is None:
            raise ArgumentError("expected MODEL, a file from `minitl finetune --save`, or --base and photographs.")
        return options.files, opened_model(options.model)
    if options.model is None:
        raise ArgumentError(f"--base {options.base} goes with photographs: minitl predict --base {options.base} FILE")
    return [options.model, *options.files], (imagenet_model(options.base), options.base)


def classify_files(options, model, files):
    """Print the classes of files. Returns the number of those that cannot be read."""
    top = whole_number(MOST_PROBABLE if options.top is None else options.top, "--top")
    classifier, failed, done = Classifier(model), 0, 0
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
                say_error(result)
            else:
                if not done:
                    print(lines.header())
                done += 1
                print(lines.line(result), flush=True)
    return failed


def segment_files(options, model, files):
    """Print the shares of the classes in photographs, and write masks. Returns the number of those that cannot be
    read."""
    segmenter, failed = Segmenter(model), 0
    if options.out is None:
        results = segment_each(segmenter, files, scale=options.scale)
    else:
        results = segment_into(segmenter, files, options.out, options.scale)
    lines, names = SegmentedLines(files), segmenter.class_names
    with json_list(options.json) as add, csv_rows(options.csv) as write:
        write(["file", *names, "error"])
        for result in results:
            mask = result.pop("mask", None)
            add(result if mask is None else {**result, "height": mask.shape[0], "width": mask.shape[1]})
            shares = result.get("classes", {})
            write([result["file"], *(shares.get(name, "") for name in names), result.get("error", "")])
            if "error" in result:
                failed += 1
                say_error(result)
            else:
                print(lines.line(result), flush=True)
    if options.out is not None and failed < len(files):
        print(f"Written to {options.out}: masks/, overlays/ and annotations.json.")
    return failed


def find_boxes(options, model, files):
    """Print how many boxes were found in photographs, and write them. Returns the number of files that cannot be
    read."""
    detector, failed = Detector(model), 0
    if options.out is None:
        results = detect_each(detector, files, options.score)
    else:
        results = detect_into(detector, files, options.out, options.score)
    lines = DetectedLines(files)
    with json_list(options.json) as add, csv_rows(options.csv) as write:
        write(["file", "class", "score", "left", "top", "right", "bottom", "error"])
        for result in results:
            add(result)
            for each in result.get("boxes", ()):
                write([result["file"], each["class"], each["score"], *each["box"], ""])
            if "error" in result:
                failed += 1
                write([result["file"], *[""] * 6, result["error"]])
                say_error(result)
            else:
                print(lines.line(result), flush=True)
    if options.out is not None and failed < len(files):
        print(f"Written to {options.out}: overlays/ and annotations.json.")
    return failed


def classify_some_texts(options, model, texts):
    """Print the classes of texts. Returns 0, or raises DataError if there are files or rows that cannot be read."""
    top = whole_number(MOST_PROBABLE if options.top is None else options.top, "--top")
    classifier, failed, cut, unknown, done = TextClassifier(model), 0, 0, 0, 0
    top = min(top, len(classifier.class_names))
    lines = ClassifiedTexts(classifier.class_names, top)
    with json_list(options.json) as add, csv_rows(options.csv) as write:
        names = (f"{name}_{k + 1}" for k in range(top) for name in ("class", "probability"))
        write(["file", "text", *names, "cut_off", "unknown", "error"])
        for result in classify_texts_each(classifier, texts, top, column=options.text):
            add(result)
            if "error" in result:
                failed += 1
                write([result["file"], "", *[""] * (2 * top), "", "", result["error"]])
                say_error({**result, "error": TextFileError(result["error"]).for_command_line()})
                continue
            cells = [cell for each in result["predictions"] for cell in (each["class"], each["probability"])]
            write([result["file"], result["text"], *cells, result["cut_off"], result["unknown"], ""])
            cut, unknown, done = cut + (result["cut_off"] > 0), unknown + result["unknown"], done + 1
            print(lines.line(result), flush=True)
    if cut:
        print(f"{counted(cut, 'text')} had more than {classifier.length} tokens: the ends were not read.")
    if unknown:
        has = "has" if unknown == 1 else "have"
        print(wrapped(f"{counted(unknown, 'text')} {has} no word that the model knows: its answer says nothing of it."))
    if failed:
        raise DataError(f"{failed} of {counted(done + failed, 'text')} could not be read, as said above.")
    return 0


def classify_recordings(options, model, files):
    """Print the classes of recordings. Returns the number of those that cannot be read."""
    top = whole_number(MOST_PROBABLE if options.top is None else options.top, "--top")
    classifier, failed, done, cut = SoundClassifier(model), 0, 0, 0
    top = min(top, len(classifier.class_names))
    lines = ClassifiedLines(files or [""], classifier.class_names, top)
    with json_list(options.json) as add, csv_rows(options.csv) as write:
        names = (f"{name}_{k + 1}" for k in range(top) for name in ("class", "probability"))
        write(["file", "seconds", "heard", *names, "error"])
        for result in classify_sounds_each(classifier, files, top):
            add(result)
            if "error" in result:
                failed += 1
                write([result["file"], "", "", *[""] * (2 * top), result["error"]])
                say_error(result)
                continue
            cells = [cell for each in result["predictions"] for cell in (each["class"], each["probability"])]
            write([result["file"], result["seconds"], result["heard"], *cells, ""])
            if not done:
                print(lines.header())
            done, cut = done + 1, cut + (result["heard"] < result["seconds"])
            print(lines.line(result), flush=True)
    if cut:
        words = f"{counted(cut, 'recording')} longer than {classifier.seconds:g} s: the middle was heard, not the ends."
        print(wrapped(words))
    return failed


def say_error(result):
    """Print which file cannot be read, and why."""
    print(printable(f"minitl: {result['file']}: {result['error']}"), file=sys.stderr, flush=True)


# {task: the function that prints and writes}
PREDICT = {
    "images": classify_files,
    "segment": segment_files,
    "detect": find_boxes,
    "texts": classify_some_texts,
    "sounds": classify_recordings,
}
