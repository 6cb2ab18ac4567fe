"""Boxes in photographs, found by a saved detector; and the measurement of one on a folder of photographs with boxes.

    from minitl.recipes import detect, evaluate_detection
    detect("cells.h5", ["blood.jpg"])            # boxes, best first, in pixels of each photograph
    evaluation, left_out = evaluate_detection("cells.h5", "more_cells/")
    print(evaluation)

A photograph of any size is stretched to the size that the model was trained with, and its boxes are measured in the
photograph again. The metadata of a model that `finetune_detection` has made say all that is needed. A model without
them is refused: nothing is guessed.
"""

import os
from collections.abc import Sequence

import numpy as np

from ...applications import preprocessing
from ...applications.ssd import CODES, ssd_priors
from ...arguments import AnyPath, is_number, is_whole_number, number, truth_value
from ...data.box_augmentation import resized
from ...data.detection_folder import audit_detection
from ...data.photos import in_threads, open_photo
from ...errors import ArgumentError, DataError, MinitlError
from ...models import Model
from ...progress import Progress
from ...terminal import printable, silent_unless, wrapped
from ..prediction import BATCH, files_in, opened_model, require_task
from .decoding import above, decoded, enlarged
from .evaluation import BoxEvaluation, labels_of

NO_BOXES = np.zeros((0, 4))


class Detector:
    """A model (or the file of one) with all that finding boxes needs, from its metadata.

    class_names        the names of the classes;   category_numbers   their numbers in the files that it learned from,
                       or None
    prepare            its `preprocess_input`
    shapes, priors     the shapes of its priors by map, and their boxes (P, 4)
    suppression, floor, most, score   as in `DetectionSettings`

    Raises ArgumentError where these are missing or do not fit.
    """

    def __init__(self, model):
        self.model, name = opened_model(model)
        require_task(self.model, name, "detect")
        about, shape = self.model.metadata, self.model.output_shape
        if len(self.model.input_shape) != 4 or None in self.model.input_shape[1:] or self.model.input_shape[3] != 3:
            raise ArgumentError(
                f"{name}: takes inputs of shape {self.model.input_shape}; expected images (N, height, width, 3)."
            )
        self.class_names, self.category_numbers = about.get("class_names"), about.get("category_numbers")
        if not isinstance(self.class_names, list) or shape[1:] != (shape[1], CODES + 1 + len(self.class_names)):
            raise ArgumentError(
                f"{name}: its outputs are of shape {shape}, and its metadata name the classes {self.class_names!r}; "
                f"expected (N, priors, {CODES} + 1 + classes), and a name for each class."
            )
        try:
            self.shapes = about["priors"]
            self.priors = ssd_priors(self.shapes, *self.size)
        except (KeyError, TypeError, ValueError, MinitlError):
            raise ArgumentError(
                f"{name}: its metadata 'priors' are {about.get('priors')!r}; expected the (width, height) of the "
                "priors of each map."
            ) from None
        if len(self.priors) != shape[1]:
            raise ArgumentError(
                f"{name}: has outputs for {shape[1]} priors, and its metadata describe {len(self.priors)}."
            )
        self.suppression, self.floor, self.score, self.most = (
            self._stated(name, about, key) for key in ("suppression", "floor", "score", "most")
        )
        numbers = self.category_numbers
        if numbers is not None and not (isinstance(numbers, list) and len(numbers) == len(self.class_names)):
            raise ArgumentError(
                f"{name}: its metadata 'category_numbers' are {numbers!r}; expected one for each class."
            )
        self.prepare = preprocessing(about.get("preprocessing"))

    @staticmethod
    def _stated(name, about, key):
        """Return a number of the metadata. Raises ArgumentError if it is missing or makes no sense."""
        found = about.get(key)
        fits = is_whole_number(found) and found > 0 if key == "most" else is_number(found) and 0 <= found <= 1
        if not fits:
            raise ArgumentError(f"{name}: its metadata '{key}' is {found!r}; expected what finetune_detection writes.")
        return found

    @property
    def size(self):
        """Return (height, width) of the model's input."""
        return self.model.input_shape[1:3]

    def image_or_reason(self, path):
        """Return (the image of a file as the model is shown it, the height and the width of the file's), or a text with
        the reason why there is none."""
        try:
            image = open_photo(path)
            return self.prepare(resized(image, NO_BOXES, *self.size)[0][None])[0], image.height, image.width
        except (DataError, OSError) as error:
            return str(error).removeprefix(f"{path}: ").rstrip(".")

    def found(self, images, sizes):
        """Return the detections in prepared images (N, height, width, 3), in pixels of photographs of these sizes."""
        outputs = self.model.forward(images, gradients="none")
        detections = decoded(outputs, self.priors, *self.size, self.floor, self.suppression, self.most)
        return [enlarged(each, *self.size, *size) for each, size in zip(detections, sizes)]

    def named(self, detections):
        """Return the detections of one image as plain data: [{"class", "score", "box"}], the best one first."""
        rows = zip(detections["classes"].tolist(), detections["scores"].tolist(), detections["boxes"].tolist())
        return [
            {"class": self.class_names[k], "score": score, "box": [round(side, 2) for side in box]}
            for k, score, box in rows
        ]

    def category_number(self, name):
        """Return the number of a class in the files that it was learned from; 1, 2, ... where these had names only."""
        k = self.class_names.index(name)
        return k + 1 if self.category_numbers is None else self.category_numbers[k]


def detect(
    model: Model | AnyPath, files: Sequence[AnyPath], score: float | None = None, verbose: int = 1
) -> list[dict]:
    """Find boxes in photographs with a detector, or with the file of one.

    files   photographs; a folder means all files in it and below
    score   the lowest score of a box (None: the one of the model's settings)

    Returns for each photograph {"file", "boxes": [{"class", "score", "box": [left, top, right, bottom]}, ...]}, the
    best box first, in pixels of the upright photograph. Raises DataError for a file that cannot be read; `detect_each`
    goes on.
    """
    results = []
    for result in detect_each(model, files, score, verbose):
        if "error" in result:
            raise DataError(f"{result['file']}: {result['error']}.")
        results.append(result)
    return results


def detect_each(model, files, score=None, verbose=1):
    """Yield the entries of `detect`, one after the other, while later files are read.

    A file that cannot be read has {"file", "error": the reason}. `model` may be a `Detector`.
    """
    detector = model if isinstance(model, Detector) else Detector(model)
    score = detector.score if score is None else number(score, "score", 0, 1)
    paths = paths_in(files)
    with Progress("Finding boxes", len(paths), enabled=bool(verbose), lines=False) as bar:
        batch = []
        for place, (path, image) in enumerate(zip(paths, in_threads(detector.image_or_reason, paths)), start=1):
            batch.append((path, image))
            if len(batch) == BATCH or place == len(paths):
                yield from _found(detector, batch, score)
                bar.advance(len(batch))
                batch = []


def paths_in(files):
    """Return the paths of files as `files_in` does. Raises ArgumentError if there are none."""
    paths = files_in([files] if isinstance(files, (str, os.PathLike)) else files)
    if not paths:
        raise ArgumentError("no files to find boxes in: name photographs, or folders of them.")
    return paths


def _found(detector, batch, score):
    """Yield the entries of a batch of (path, (image, height, width) or the reason why there is none)."""
    read = [image for _, image in batch if not isinstance(image, str)]
    found = iter(detector.found(np.stack([each[0] for each in read]), [each[1:] for each in read]) if read else ())
    for path, image in batch:
        if isinstance(image, str):
            yield {"file": path, "error": image}
        else:
            yield {"file": path, "boxes": detector.named(above(next(found), score))}


def evaluate_detection(
    model: Model | AnyPath, folder: AnyPath, strict=False, verbose=1, follow_links=False, layout=None, val_list=None,
    score=None,
) -> tuple[BoxEvaluation, list]:  # fmt: skip
    """Measure a detector, or the file of one, on a folder of photographs with boxes.

    It is measured on the part for validation where the folder is divided, else on all photographs. Boxes of classes
    that the model does not have are left out, by name. The other arguments are those of `data.audit_detection`.

    Returns (`BoxEvaluation`, [(path, reason) of every file and box that was left out]). Raises DataError if a class of
    the model occurs nowhere in the folder.
    """
    strict, follow_links = truth_value(strict, "strict"), truth_value(follow_links, "follow_links")
    with silent_unless(verbose):
        detector = Detector(model)
        found = audit_detection(
            folder, val_share=0, class_names=detector.class_names, strict=strict, layout=layout, val_list=val_list,
            follow_links=follow_links, category_numbers=detector.category_numbers,
        )  # fmt: skip
        photos = found.val or found.train
        read, detections = [], []
        left_out = list(found.skipped)
        with Progress("Finding boxes", len(photos)) as bar:
            batch = []
            for photo, image in zip(photos, in_threads(lambda photo: detector.image_or_reason(photo.path), photos)):
                if isinstance(image, str):
                    left_out.append((photo.path.relative_to(found.path), image))
                else:
                    batch.append((photo, image[0]))
                if len(batch) == BATCH or photo is photos[-1]:
                    sizes = [(each.height, each.width) for each, _ in batch]
                    detections += detector.found(np.stack([image for _, image in batch]), sizes) if batch else []
                    read += [each for each, _ in batch]
                    batch = []
                bar.advance(1)
        left_out += [(file, f"the box {box} {reason}") for file, box, reason in found.left_out_boxes]
        for path, reason in left_out:
            print(wrapped(printable(f"left out: {path}: {reason}"), "  "))
        names = [str(photo.path.relative_to(found.path)) for photo in read]
        score = detector.score if score is None else score
        with Progress("Measuring"):
            evaluation = BoxEvaluation(detections, list(map(labels_of, read)), detector.class_names, names, score)
    return evaluation, left_out
