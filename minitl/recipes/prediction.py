"""Predictions of a saved model: for single images, or for a folder of photographs on which it is measured.

    from minitl.recipes import classify, evaluate_folder
    classify("model.h5", ["shirt.jpg", "bag.png"])       # the two most probable classes of each
    evaluation, left_out = evaluate_folder("model.h5", "photos/val")
    print(evaluation)

The metadata of a model that a recipe has made name its classes, and how images are to be prepared for it. A model
without these metadata is refused: nothing is guessed.
"""

import os
from collections.abc import Sequence

import numpy as np

from .. import data, transfer
from ..applications import preprocessing
from ..arguments import AnyPath, truth_value, whole_number
from ..data.images import is_crop
from ..data.photos import in_threads
from ..errors import ArgumentError, DataError
from ..features.on_disk import kept_together
from ..features.one_pass import all_outputs
from ..features.side_by_side import side_by_side
from ..models import Model, load_model
from ..progress import Progress
from ..terminal import columns, printable, shortened, silent_unless, wrapped
from .base_features import kept_beginning
from .evaluation import Evaluation

EXAMPLES = 10  # bundled images that are classified when no file is named
MOST_PROBABLE = 2  # classes that are named for each image
BATCH = 8  # as fast as 32, and a quarter of the memory


class Classifier:
    """A model (or the file of one) with all that a prediction needs.

    class_names   the names of its outputs
    prepare       its `preprocess_input`
    crop          the part of an image that it is shown, as in `data.read_image`

    Raises ArgumentError where these are missing or do not fit.
    """

    def __init__(self, model):
        self.model, name = opened_model(model)
        require_task(self.model, name, "images")
        model = self.model
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
        if not is_crop(self.crop):
            raise ArgumentError(
                f"{name}: its metadata 'crop' is {self.crop!r}; expected the share of an image's side, up to 1, or "
                "'whole' or 'padded'."
            )
        self.prepare = preprocessing(model.metadata.get("preprocessing"))

    @property
    def size(self):
        """Return (height, width) of the model's input."""
        return self.model.input_shape[1:3]

    def image_or_reason(self, path):
        """Return the image of a file as the model is shown it (H, W, 3), or the reason why there is none, as text."""
        try:
            return self.prepare(data.read_image(path, *self.size, self.crop)[None])[0]
        except (DataError, OSError) as error:
            return str(error).removeprefix(f"{path}: ").rstrip(".")

    def probabilities(self, images):
        """Return the outputs of the model for prepared images: (N, classes)."""
        return self.model.forward(images, gradients="none")

    def best(self, probabilities, top):
        """Return the `top` most probable classes of one image, as `classify` does."""
        order = np.argsort(-probabilities, kind="stable")[:top]
        return [{"class": self.class_names[k], "probability": float(probabilities[k])} for k in order]

    def stream(self, photos):
        """Return `data.Photo`s as a source of examples, cropped and prepared for the model."""
        return data.PhotoStream(photos, self.prepare, *self.size, self.crop)


def opened_model(model):
    """Return (the model, its name in messages) of a `Model`, of the path of one, or of such a pair."""
    if isinstance(model, tuple):
        return model
    if isinstance(model, Model):
        return model, f"model '{model.name}'"
    path, model = model, load_model(model)
    transfer.freeze(model)  # it predicts, and is not trained: what is kept of its base can be used
    return model, path


# What a model answers, and the functions for it, by the entry "task" of its metadata (without one: "images").
ANSWERS = {
    "images": ("the class of an image", "classify and evaluate_folder"),
    "segment": ("the class of each pixel", "segment and evaluate_segmentation"),
    "detect": ("boxes around things", "detect and evaluate_detection"),
    "texts": ("the class of a text", "classify_texts and evaluate_texts"),
    "sounds": ("the class of a recording", "classify_sounds and evaluate_sounds"),
    "language": ("the token that comes next", "recipes.language.write and `minitl write`"),
}


def task_of_model(model):
    """Return the task of a model from its metadata: a key of `ANSWERS`."""
    return model.metadata.get("task", "images")


def require_task(model, name, task):
    """Raise ArgumentError unless a model has this task."""
    found = task_of_model(model)
    if found != task:
        answers, functions = ANSWERS.get(found, (f"the task {found!r}", "another version of minitl"))
        raise ArgumentError(f"{name}: answers {answers}, not {ANSWERS[task][0]}. It goes with {functions}.")


def classify(
    model: Model | AnyPath,
    files: Sequence[AnyPath] = (),
    verbose: int = 1,
    top: int = MOST_PROBABLE,
) -> list[dict]:
    """Classify images with a model, or with the file of one.

    files   photographs and .npy files; a folder means all files in it and below
    top     the number of classes to name for each image

    Returns for each image {"file", "predictions": [{"class", "probability"}, ...]}, the most probable class first.
    Without `files`, ten of the bundled images are classified, and each entry has its label as well: "truth". Raises
    DataError for a file that cannot be read; `classify_each` goes on.
    """
    results = []
    for result in classify_each(model, files, top, verbose):
        if "error" in result:
            raise DataError(f"{result['file']}: {result['error']}.")
        results.append(result)
    return results


def classify_each(model, files=(), top=MOST_PROBABLE, verbose=1):
    """Yield the entries of `classify`, one after the other, while later files are read.

    A file that cannot be read has {"file", "error": the reason}. Only a few images are in memory, however many files
    there are. `model` may be a `Classifier`.
    """
    classifier = model if isinstance(model, Classifier) else Classifier(model)
    whole_number(top, "top")
    if not files:
        yield from _bundled(classifier, top)
        return
    paths = files_in([files] if isinstance(files, (str, os.PathLike)) else files)
    with Progress("Predicting", len(paths), enabled=bool(verbose), lines=False) as bar:
        batch = []
        for path, image in zip(paths, in_threads(classifier.image_or_reason, paths)):
            batch.append((path, image))
            if len(batch) == BATCH or path is paths[-1]:
                yield from _classified(classifier, batch, top)
                bar.advance(len(batch))
                batch = []


def _classified(classifier, batch, top):
    """Yield the entries of a batch of (path, image or the reason why there is none)."""
    images = [image for _, image in batch if not isinstance(image, str)]
    rows = iter(classifier.probabilities(np.stack(images)) if images else ())
    for path, image in batch:
        if isinstance(image, str):
            yield {"file": path, "error": image}
        else:
            yield {"file": path, "predictions": classifier.best(next(rows), top)}


def _bundled(classifier, top):
    """Yield the entries of the bundled test images."""
    test = data.fashion_mnist_few_shot()
    if classifier.class_names != test.class_names:
        raise ArgumentError("no files to predict. The bundled images do not have this model's classes: name files.")
    images = data.resize(data.grey_to_rgb(test.x_test[:EXAMPLES]), *classifier.size)
    for k, row in enumerate(classifier.probabilities(classifier.prepare(images))):
        found = {"file": f"test image {k}", "predictions": classifier.best(row, top)}
        yield {**found, "truth": classifier.class_names[test.y_test[k]]}


def files_in(paths):
    """Return the paths of files as a list of texts. In place of a folder stand all files in it and below, sorted by
    name, without hidden ones. Raises DataError for a path that is not there, and for a folder without files."""
    found, paths = [], [os.fspath(path) for path in paths]
    missing = [path for path in paths if not os.path.lexists(path)]  # a link to nothing is named when it is read
    if missing:
        raise DataError(f"{missing[0]}: is not there. Nothing was classified.")
    for path in paths:
        if not os.path.isdir(path):
            found.append(str(path))
            continue
        before = len(found)
        for folder, below, names in os.walk(path):
            below[:] = sorted(name for name in below if not name.startswith("."))
            found += [os.path.join(folder, name) for name in sorted(names) if not name.startswith(".")]
        if len(found) == before:
            raise DataError(f"{path}: there are no files in this folder.")
    return found


class ClassifiedLines:
    """The lines of a table of classified images, each of which can be printed as soon as it is known.

    names   the names of all images;   top   the number of classes of each;   with_label   whether labels are shown
    """

    def __init__(self, names, class_names, top=MOST_PROBABLE, with_label=False):
        longest = max(map(len, class_names), default=1)
        self.word = min(max(longest, 10), 24)
        self.pair, self.with_label = self.word + 2 + 4, with_label
        left = columns() - (self.word + 2) * with_label
        shown = max(1, min(top, len(class_names), (left - 20) // (self.pair + 2)))
        self.image = max(5, min(max(map(len, names)), left - shown * (self.pair + 2)))
        self.per_line = shown

    def header(self):
        """Return the line above the columns."""
        label = ["label".rjust(self.word)] * self.with_label
        titles = ["prediction", *["or"] * (self.per_line - 1)]
        pairs = [title.rjust(self.word) + " " * 6 for title in titles]
        return "  ".join(["image".ljust(self.image), *label, *pairs]).rstrip()

    def line(self, result):
        """Return the line of an image; several lines where its classes do not fit on one."""
        first = shortened(printable(result["file"]), self.image).ljust(self.image)
        label = [shortened(result["truth"], self.word).rjust(self.word)] if self.with_label else []
        pairs = [
            f"{shortened(printable(p['class']), self.word):>{self.word}}  {p['probability']:>4.0%}"
            for p in result["predictions"]
        ]
        lines = []
        for k in range(0, len(pairs), self.per_line):
            start = [first, *label] if k == 0 else [" " * self.image, *[" " * self.word] * self.with_label]
            lines.append("  ".join([*start, *pairs[k : k + self.per_line]]).rstrip())
        return "\n".join(lines)


def classified_table(results):
    """Return the results of `classify` as a table."""
    names = [result["file"] for result in results]
    classes = {p["class"] for result in results for p in result["predictions"]} | {r.get("truth", "") for r in results}
    lines = ClassifiedLines(names, classes, len(results[0]["predictions"]), "truth" in results[0])
    return "\n".join([lines.header(), *map(lines.line, results)])


def evaluate_folder(
    model: Model | AnyPath,
    folder: AnyPath,
    strict: bool = False,
    verbose: int = 1,
    follow_links: bool = False,
) -> tuple[Evaluation, list]:
    """Measure a model, or the file of one, on a folder of photographs.

    The folder has a subfolder for each class, with the name of one of the model's classes.
    Returns (`Evaluation`, [(path, reason) of every file that was left out]). With `strict`, raises DataError for the
    first of these files instead. With `follow_links`, links that lead out of the folder are followed.
    """
    strict, follow_links = truth_value(strict, "strict"), truth_value(follow_links, "follow_links")
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
        split = kept_beginning(classifier.model, images)
        if split is None:
            (probabilities,) = all_outputs(classifier.model, images, BATCH, "Classifying photographs", lines=True)
        else:  # the same base has seen photographs before: the features are used, and those of new ones kept
            beginnings, head = split
            about = {"base": beginnings[0].name, "folder": str(folder_found.path)}
            features = side_by_side(kept_together(beginnings, images, about=about))
            probabilities = head.predict(features.read(slice(None)), verbose=0)
            photos, labels = features.photos, labels[features.positions]
            vanished = [(path.relative_to(folder_found.path), reason) for path, reason in features.left_out]
            folder_found.skipped += vanished
        names = [str(photo.path.relative_to(folder_found.path)) for photo in photos]
        for path, reason in folder_found.skipped:
            print(wrapped(printable(f"left out: {path}: {reason}"), "  "))
    return Evaluation(labels, probabilities, class_names, names), folder_found.skipped
