"""Predictions of a saved model: for single images, or for a folder of photographs on which it is measured.

    from minitl.recipes import classify, evaluate_folder
    classify("model.h5", ["shirt.jpg", "bag.png"])       # the two most probable classes of each
    evaluation, left_out = evaluate_folder("model.h5", "photos/val")
    print(evaluation)

The metadata of a model that a recipe has made name its classes, and how images are to be prepared for it. A model
without these metadata is refused: nothing is guessed.
"""

from pathlib import Path

import numpy as np

from .. import data
from ..applications import preprocessing
from ..errors import ArgumentError, DataError
from ..features.one_pass import all_outputs
from ..models import Model, load_model
from ..terminal import printable, silent_unless, table
from .evaluation import Evaluation

EXAMPLES = 10  # bundled images that are classified when no file is named
MOST_PROBABLE = 2  # classes that are named for each image
BATCH = 32


class Classifier:
    """A model (or the file of one) with all that a prediction needs.

    class_names   the names of its outputs
    prepare       its `preprocess_input`
    crop          the share of an image's shorter side that it is shown

    Raises ArgumentError where these are missing or do not fit.
    """

    def __init__(self, model):
        name, model = (f"model '{model.name}'", model) if isinstance(model, Model) else (model, load_model(model))
        self.model = model
        self.class_names = model.metadata.get("class_names")
        self.crop, classes = model.metadata.get("crop", 1.0), model.output_shape[-1]
        if not isinstance(self.class_names, list) or len(self.class_names) != classes or len(model.output_shape) != 2:
            raise ArgumentError(
                f"{name}: its metadata do not name its {classes} outputs. Set model.metadata['class_names'] before "
                "model.save, as `minitl finetune --save` does."
            )
        if len(model.input_shape) != 4 or None in model.input_shape[1:] or model.input_shape[3] != 3:
            raise ArgumentError(
                f"{name}: takes inputs of shape {model.input_shape}; expected images (N, height, width, 3)."
            )
        if not isinstance(self.crop, float) or not 0 < self.crop <= 1:
            raise ArgumentError(
                f"{name}: its metadata 'crop' is {self.crop!r}; expected the share of an image's side, up to 1."
            )
        self.prepare = preprocessing(model.metadata.get("preprocessing"))

    @property
    def size(self):
        """Return (height, width) of the model's input."""
        return self.model.input_shape[1:3]

    def stream(self, photos):
        """Return `data.Photo`s as a source of examples, cropped and prepared for the model."""
        return data.PhotoStream(photos, self.prepare, *self.size, self.crop)


def classify(model, files=(), verbose=1):
    """Classify images with a model, or with the file of one.

    Returns for each image {"file", "predictions": [{"class", "probability"}, ...]}, the most probable class first.
    Without `files`, ten of the bundled images are classified, and each entry has its label as well: "truth".
    """
    classifier, labels = Classifier(model), None
    class_names = classifier.class_names
    if files:
        names = [str(file) for file in files]
        photos = [data.Photo(Path(name), label=None, sha256=None) for name in names]  # the classes are not known
        images = classifier.stream(photos)
    else:
        test = data.fashion_mnist_few_shot()
        if class_names != test.class_names:
            raise ArgumentError("no files to predict. The bundled images do not have this model's classes: name files.")
        names = [f"test image {i}" for i in range(EXAMPLES)]
        labels = [class_names[label] for label in test.y_test[:EXAMPLES]]
        images = classifier.prepare(data.resize(data.grey_to_rgb(test.x_test[:EXAMPLES]), *classifier.size))
    results = []
    for i, (name, probabilities) in enumerate(zip(names, classifier.model.predict(images, verbose=verbose))):
        best = np.argsort(probabilities)[::-1][:MOST_PROBABLE]
        predictions = [{"class": class_names[k], "probability": float(probabilities[k])} for k in best]
        results.append({"file": name, "predictions": predictions, **({"truth": labels[i]} if labels else {})})
    return results


def classified_table(results):
    """Return the results of `classify` as a table."""
    has_labels = "truth" in results[0]
    rows = [["image", *["label"] * has_labels, "prediction", "", "or", ""]]
    for result in results:
        predictions = [cell for p in result["predictions"] for cell in (p["class"], f"{p['probability']:.0%}")]
        rows.append([result["file"], *([result["truth"]] if has_labels else []), *predictions])
    return table(rows)


def evaluate_folder(model, folder, strict=False, verbose=1, follow_links=False):
    """Measure a model, or the file of one, on a folder of photographs.

    The folder has a subfolder for each class, with the name of one of the model's classes.
    Returns (`Evaluation`, [(path, reason) of every file that was left out]). With `strict`, raises DataError for the
    first of these files instead. With `follow_links`, links that lead out of the folder are followed.
    """
    with silent_unless(verbose):
        classifier = Classifier(model)
        class_names = classifier.class_names
        folder_found = data.audit_folder(folder, val_share=0, strict=strict, follow_links=follow_links)
        unknown = [name for name in folder_found.class_names if name not in class_names]
        if unknown:
            raise DataError(
                f"{folder}: the model has no class '{unknown[0]}'. Its classes are {', '.join(class_names)}."
            )
        photos = [*folder_found.train, *folder_found.val]
        labels = np.array([class_names.index(folder_found.class_names[photo.label]) for photo in photos])
        images = classifier.stream(photos)
        (probabilities,) = all_outputs(classifier.model, images, BATCH, "Classifying photographs", lines=True)
        names = [str(photo.path.relative_to(folder_found.path)) for photo in photos]
        for path, reason in folder_found.skipped:
            print(printable(f"left out: {path}: {reason}"))
    return Evaluation(labels, probabilities, class_names, names), folder_found.skipped
