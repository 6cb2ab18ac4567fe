"""The tasks that a network can be fine-tuned for, and which of them a folder is meant for.

    images    photos/ants/*.jpg, photos/bees/*.jpg         one class for a whole photograph
    segment   streets/images/, streets/masks/              the class of each pixel
    detect    boxes of Pascal VOC, COCO or YOLO            boxes around things
    texts     reviews.csv; pos/*.txt, neg/*.txt            one class for a whole text
    sounds    yes/*.wav, no/*.wav; 0_george_10.wav, ...    one class for a whole recording

The command line asks `task_of` what a folder holds, and finds the functions in `TASKS`. A model that was made for one
of the tasks says so in its metadata (`prediction.task_of_model`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..data.annotations import photographs
from ..data.coco_boxes import json_files
from ..data.pairing import IMAGES, MASKS
from ..data.parts import parts_of
from ..data.sound.sound_kinds import ENDINGS as SOUND_ENDINGS
from ..data.text.layout import ENDINGS
from ..data.yolo_boxes import label_files
from ..errors import ArgumentError, DataError
from .detection import DetectionSettings, evaluate_detection, finetune_detection
from .photographs import finetune_photographs
from .prediction import ANSWERS, evaluate_folder
from .segmentation import SegmentationSettings, evaluate_segmentation, finetune_segmentation
from .settings import PhotographSettings
from .sounds import SoundSettings, evaluate_sounds, finetune_sounds
from .texts import TextSettings, evaluate_texts, finetune_texts


class Task(NamedTuple):
    """The functions of a task.

    holds      what a folder for it holds, in words
    settings   the class of its settings
    finetune   `finetune(folder, settings)`
    evaluate   `evaluate(model, folder, strict=, follow_links=)` -> (evaluation, [(path, reason) of what was left out])
    """

    holds: str
    settings: type
    finetune: Callable
    evaluate: Callable


TASKS = {
    "images": Task("photographs by class", PhotographSettings, finetune_photographs, evaluate_folder),
    "segment": Task("photographs with masks", SegmentationSettings, finetune_segmentation, evaluate_segmentation),
    "detect": Task("photographs with boxes", DetectionSettings, finetune_detection, evaluate_detection),
    "texts": Task("labelled texts", TextSettings, finetune_texts, evaluate_texts),
    "sounds": Task("labelled recordings", SoundSettings, finetune_sounds, evaluate_sounds),
}


def task_called(name, whose):
    """Return the `Task` of this name, which is that of the model or folder `whose`. Raises ArgumentError if there is
    none."""
    if name not in TASKS and name in ANSWERS:
        answers, functions = ANSWERS[name]
        raise ArgumentError(f"{whose}: answers {answers}. It goes with {functions}.")
    if name not in TASKS:
        raise ArgumentError(f"{whose}: is for the task {name!r}; this minitl knows {', '.join(TASKS)}.")
    return TASKS[name]


def task_of(folder):
    """Return the task that a folder is meant for: "segment" if it has images/ and masks/ (or each of its parts has),
    "detect" if it has boxes in one of the usual layouts, "sounds" if it has recordings and no photographs,
    "texts" if it has tables or texts and neither, and otherwise "images". A file is one for "texts".

    Only names are looked at. A folder that is not there is one for "images", whose job says what is wrong with it.
    """
    root = Path(folder)
    if root.is_file() or (root.suffix.lower() in ENDINGS and not root.exists()):
        return "texts"
    try:
        entries = sorted(root.iterdir())
    except (OSError, ValueError):
        return "images"
    folders = {entry.name: entry for entry in entries if entry.is_dir()}
    try:
        places = [root, *(folders[name] for name in parts_of(root, folders).values())]
    except DataError:  # two folders that seem to be the same part: the job says so
        places = [root]
    if any((place / IMAGES).is_dir() and (place / MASKS).is_dir() for place in places):
        return "segment"
    has_boxes = any(map(_has_boxes_beside, places)) or any(map(_has_folder_of_boxes, [*places, *folders.values()]))
    if has_boxes:
        return "detect"
    if _holds(entries, SOUND_ENDINGS, beside=ENDINGS):
        return "sounds"
    return "texts" if _holds(entries, ENDINGS) else "images"


def holds_files(folder):
    """Return whether there are files in a folder or in the folders directly below it."""
    try:
        return any(entry.is_file() for pattern in ("*", "*/*") for entry in Path(folder).glob(pattern))
    except OSError:
        return False


def _holds(entries, endings, beside=(), depth=2):
    """Return whether there are files with one of these endings among these entries of a folder, or in the folders
    below, and nothing else that may be a photograph. `beside` are endings of other files that may be there."""
    found, to_visit = False, [(entries, depth)]
    while to_visit:
        some, depth = to_visit.pop()
        files = [entry for entry in some if entry.is_file()]
        if any(file.suffix and file.suffix.lower() not in (*endings, *beside) for file in photographs(files)):
            return False
        found = found or any(file.suffix.lower() in endings for file in files)
        for folder in (entry for entry in some if depth and entry.is_dir()):
            try:
                to_visit.append((list(folder.iterdir()), depth - 1))
            except OSError:
                continue
    return found


def _has_boxes_beside(place):
    """Return whether a folder holds photographs, and files with their boxes beside them. (The folders of classes are
    not asked: captions may stand beside photographs there.)"""
    try:
        files = [entry for entry in place.iterdir() if entry.is_file()]
    except OSError:
        return False
    images = photographs(files)
    stems = {image.stem for image in images}
    of_voc = any(file.suffix.lower() == ".xml" and file.stem in stems for file in files)
    return (
        of_voc or bool(label_files(place, files)) or bool(json_files(files) and (images or (place / IMAGES).is_dir()))
    )


def _has_folder_of_boxes(place):
    """Return whether a folder has a subfolder for files of boxes: Annotations/ with XML or COCO's JSON, or labels/ with
    texts beside images/."""
    try:
        folders = {entry.name.lower(): entry for entry in place.iterdir() if entry.is_dir()}
        annotations = list(folders["annotations"].iterdir()) if "annotations" in folders else []
    except OSError:
        return False
    texts = folders["labels"].rglob("*.txt") if "labels" in folders and IMAGES in folders else ()
    of_voc = any(file.suffix.lower() == ".xml" for file in annotations)
    return of_voc or bool(json_files(annotations)) or next(iter(texts), None) is not None
