"""Say what a fine-tuned model sees in pictures.

minitl finetune --save model.h5
minitl predict model.h5                       (some of the bundled test images, and what they really are)
minitl predict model.h5 shirt.jpg bag.png     (Pillow's formats need the extra `images`; .npy works without)
"""

from pathlib import Path

import numpy as np

from .. import data
from ..applications import preprocessing
from ..errors import ArgumentError
from ..files.results import check_writable, write_json
from ..models import load_model
from ..terminal import table

HELP = "classify pictures with a saved model"
EXAMPLES = 10  # bundled images shown when no file is named


def add_arguments(parser):
    parser.add_argument("model", metavar="MODEL", help="a file from `minitl finetune --save`")
    parser.add_argument("files", metavar="FILE", nargs="*", help="pictures; default: ten bundled test images")


def run(options):
    check_writable(options.json)
    model = load_model(options.model)
    class_names, prepare, crop = how_to_read(model, options.model)
    height, width = model.input_shape[1:3]
    if options.files:
        names, truth = options.files, None
        photos = [data.Photo(Path(name), label=None, sha256=None) for name in names]  # their classes are asked for
        images = data.PhotoStream(photos, prepare, height, width, crop)
    else:
        test = data.fashion_mnist_few_shot()
        if class_names != test.class_names:
            raise ArgumentError("no files to predict: the bundled images are of other classes than this model's.")
        names = [f"test image {i}" for i in range(EXAMPLES)]
        truth = [class_names[label] for label in test.y_test[:EXAMPLES]]
        images = prepare(data.resize(data.grey_to_rgb(test.x_test[:EXAMPLES]), height, width))
    probabilities = model.predict(images)
    results = []
    for i, name in enumerate(names):
        best = np.argsort(probabilities[i])[::-1][:2]
        guesses = [{"class": class_names[k], "probability": float(probabilities[i, k])} for k in best]
        results.append({"file": name, "predictions": guesses})
        if truth:
            results[-1]["truth"] = truth[i]
    rows = [["picture", *(["really"] if truth else []), "looks like", "", "or", ""]]
    for result in results:
        guesses = [cell for p in result["predictions"] for cell in (p["class"], f"{p['probability']:.0%}")]
        rows.append([result["file"], *([result["truth"]] if truth else []), *guesses])
    print(table(rows))
    write_json(options.json, results)


def how_to_read(model, path):
    """(class names, preprocessing function, crop) that the model was saved with. Raises ArgumentError where they are
    missing or do not belong to it: a prediction would be a guess."""
    names, preprocessing_name = model.metadata.get("class_names"), model.metadata.get("preprocessing")
    classes = model.output_shape[-1]
    if not isinstance(names, list) or len(names) != classes or len(model.output_shape) != 2:
        raise ArgumentError(
            f"{path}: does not say what its {classes} outputs are called. Set model.metadata['class_names'] before "
            "model.save, as `minitl finetune --save` does."
        )
    if len(model.input_shape) != 4 or None in model.input_shape[1:] or model.input_shape[3] != 3:
        raise ArgumentError(f"{path}: takes inputs of shape {model.input_shape}; pictures are (N, height, width, 3).")
    crop = model.metadata.get("crop", 1.0)
    if not isinstance(crop, float) or not 0 < crop <= 1:
        raise ArgumentError(f"{path}: says that {crop!r} of a picture's side is looked at; expected a share up to 1.")
    return names, preprocessing(preprocessing_name), crop
