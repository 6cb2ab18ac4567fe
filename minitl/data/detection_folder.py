"""Folders of photographs with boxes, for object detection. An audit checks every file and box before anything is
trained.

    JPEGImages/a.jpg, Annotations/a.xml, ImageSets/Main/train.txt      Pascal VOC: `voc_boxes`
    annotations/instances_train.json, train/a.jpg                      COCO: `coco_boxes`
    images/a.jpg, labels/a.txt, classes.txt                            YOLO: `yolo_boxes`

A box is (left, top, right, bottom) in pixels of its upright photograph, whatever the files hold. Classes are those of
the things in boxes: the background is none of them, and label 0 is the first class. A photograph without boxes is an
example like others: it shows what the background looks like.

`audit_detection` has the order of events. `annotations` has what the readers share, and `box_checks` decides on each
box. Read `box_augmentation` next.
"""

import hashlib
import textwrap
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..arguments import AnyPath
from ..errors import ArgumentError, DataError
from ..progress import Progress
from ..terminal import counted, printable, table
from .annotations import Findings, is_background
from .box_checks import Size, boxes_on
from .coco_boxes import json_files, read_coco_folder
from .folders import WIDTH, Photo, one_line
from .photos import MOST_PIXELS, in_threads, photo_and_orientation, read_content
from .split import held_back, require_share
from .voc_boxes import read_voc_folder
from .walk import Walk
from .yolo_boxes import label_files, read_yolo_folder

LAYOUTS = {"voc": "Pascal VOC (.xml files)", "coco": "COCO (.json)", "yolo": "YOLO (.txt files in labels/)"}
MOST_PRINTED = 20  # boxes that are named when a `DetectionFolder` is printed; all are in `left_out_boxes`
PARTS = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True, eq=False)
class BoxedPhoto:
    """A photograph and its boxes.

    path, sha256    its file, and the digest of the file
    height, width   of the upright image in pixels
    boxes           float32 (B, 4): left, top, right, bottom in pixels
    labels          int (B,): positions in `class_names`
    difficult       bool (B,): hard to see, and not counted by VOC's evaluation
    crowd           bool (B,): around a group of things, and not counted by COCO's evaluation
    number          the number of the image in a JSON file of COCO; None elsewhere
    """

    path: Path
    sha256: str
    height: int
    width: int
    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray
    crowd: np.ndarray
    number: int | None = None


@dataclass
class DetectionFolder:
    """The photographs and boxes of a folder, as the audit has found them.

    class_names        the names of the classes, without the background; a label is a position in this list
    train, val, test   lists of `BoxedPhoto`
    skipped            (path, reason) of every file that was left out
    left_out_boxes     (file, box, reason) of every box that was left out
    notes              what else is worth knowing, as sentences
    category_numbers   the number of each class in the files, or None where they have names only
    """

    path: Path
    class_names: list
    train: list
    val: list
    test: list
    skipped: list = field(default_factory=list)
    left_out_boxes: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    category_numbers: list | None = None

    def counts(self, photos):
        """Return the number of boxes of each class, in the order of `class_names`."""
        labels = [photo.labels for photo in photos]
        return np.bincount(np.concatenate([*labels, np.zeros(0, int)]), minlength=len(self.class_names)).tolist()

    @property
    def in_two_parts(self):
        """Lists of the paths of one photograph that is in two of the parts training, validation and test."""
        by_content = {}
        for part in PARTS:
            for photo in getattr(self, part):
                by_content.setdefault(photo.sha256, []).append((part, photo.path.relative_to(self.path)))
        return [[path for _, path in same] for same in by_content.values() if len({part for part, _ in same}) > 1]

    def __repr__(self):
        return (
            f"<DetectionFolder {self.path}: {counted(len(self.class_names), 'class')}, "
            f"{counted(len(self.train), 'photograph')} for training, {len(self.val):,} for validation, "
            f"{len(self.test):,} for the test; left out: {counted(len(self.skipped), 'file')} "
            f"and {counted(len(self.left_out_boxes), 'box')}>"
        )

    def __str__(self):
        parts = {part: getattr(self, part) for part in PARTS if part != "test" or self.test}
        counts = [self.counts(photos) for photos in parts.values()]
        rows = [
            ("boxes", *(PARTS[part] for part in parts)),
            *zip(self.class_names, *counts),
            ("all boxes", *map(sum, counts)),
            ("photographs", *map(len, parts.values())),
            ("without boxes", *(sum(not len(photo.boxes) for photo in photos) for photos in parts.values())),
        ]
        rows = [[cell if isinstance(cell, str) else f"{cell:,}" for cell in row] for row in rows]
        lines = table(rows, WIDTH).split("\n")
        lines += [f"left out: {one_line(path)}: {reason}" for path, reason in self.skipped]
        boxes = self.left_out_boxes
        lines += [f"left out: {one_line(file)}: the box {box} {why}" for file, box, why in boxes[:MOST_PRINTED]]
        if len(boxes) > MOST_PRINTED:
            lines.append(f"left out: {counted(len(boxes) - MOST_PRINTED, 'box')} more (in Python: left_out_boxes)")
        lines += self.notes
        same = "WARNING: in two of training, validation and test, the same photograph:"
        lines += [f"{same} {', '.join(map(one_line, paths))}" for paths in self.in_two_parts]
        options = {"subsequent_indent": "  ", "break_long_words": False, "break_on_hyphens": False}
        return "\n".join(
            textwrap.fill(line, WIDTH, **options) if len(line) > WIDTH else line for line in map(printable, lines)
        )


def audit_detection(
    path: AnyPath, val_share=0.2, class_names=None, strict=False, verbose=1, layout=None, train_list=None,
    val_list=None, most_pixels=MOST_PIXELS, follow_links=False, category_numbers=None,
) -> DetectionFolder:  # fmt: skip
    """Check all photographs and boxes in a folder. Returns a `DetectionFolder`.

    val_share      the share to hold back for validation if the folder is not divided: from 0 (none) to below 1. The
                   rule is that of `split`, in groups of photographs with the same rarest class
    class_names    the classes in the order of their labels, such as those of a trained model. Boxes of other classes
                   are left out. None: those of the files, sorted by their names (VOC) or numbers (COCO, YOLO)
    strict         True: raise DataError for the first file or box that would be left out
    layout         "voc", "coco" or "yolo" where the folder has boxes in two of them
    train_list     the list in VOC's `ImageSets/Main` to learn from: "train", or "trainval" for the last training
    val_list       the list to measure on: "val", or "test" after all decisions
    most_pixels    a larger photograph is left out
    follow_links   True: follow links that lead out of the folder as well
    category_numbers   the numbers of `class_names` in the files, for YOLO's files that do not name their classes
                   (None: 0, 1, 2, ...). Where the background was number 0, they begin with 1

    Raises DataError if there are no boxes or no photographs to learn from, or the files contradict each other;
    ArgumentError for arguments that do not fit.
    """
    require_share(val_share)
    _check_names(class_names)
    root = Path(path)
    if not root.is_dir():
        raise DataError(f"{root}: is no folder. Expected a folder with photographs and the files of their boxes.")
    walk, findings = Walk(root, follow_links), Findings(root, strict)
    files = walk.files_below(root)
    layout = _layout(root, files, layout)
    if (train_list or val_list) and layout != "voc":
        raise ArgumentError(f"{root}: has boxes as {LAYOUTS[layout]}; train_list and val_list are for Pascal VOC.")
    if layout == "voc":
        found = read_voc_folder(root, files, findings, train_list, val_list)
    elif layout == "coco":
        found = read_coco_folder(root, files, findings)
    else:
        numbered = class_names and zip(category_numbers or range(len(class_names)), class_names)
        found = read_yolo_folder(root, files, findings, dict(numbered or {}))
    names = list(class_names or [name for name in found.names if not is_background(name)])
    parts = _boxed_photos(root, found, names, findings, most_pixels, verbose)
    if "all" in parts:
        parts = _divided(parts["all"], val_share)
    numbers = [found.numbers.get(name) for name in names] if found.numbers else None
    folder = DetectionFolder(root, names, parts["train"], parts["val"], parts.get("test", []))
    folder.skipped, folder.left_out_boxes = walk.skipped + findings.skipped, findings.left_out
    folder.notes, folder.category_numbers = findings.all_notes(), numbers
    _look_over(folder)
    return folder


def _check_names(class_names):
    if class_names is None:
        return
    names = [] if isinstance(class_names, str) else list(class_names)
    if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) != len(names):
        raise ArgumentError(f"class_names is {class_names!r}; expected a list of different names.")
    background = [name for name in names if is_background(name)]
    if background:
        raise ArgumentError(
            f"class_names has {background[0]!r}; expected the classes of things in boxes only. The background is none "
            "of them: label 0 is the first class."
        )


def _layout(root, files, layout):
    """Return the layout of a folder: "voc", "coco" or "yolo". Raises DataError unless it has one, or is told which."""
    if layout is not None and layout not in LAYOUTS:
        raise ArgumentError(f"layout is {layout!r}; expected one of: {', '.join(LAYOUTS)}.")
    fitting = {
        "voc": any(file.suffix.lower() == ".xml" for file in files),
        "coco": bool(json_files(files)),
        "yolo": bool(label_files(root, files)),
    }
    found = [name for name, fits in fitting.items() if fits]
    if layout is None and len(found) > 1:
        raise DataError(
            f"{root}: has boxes as {' and as '.join(LAYOUTS[name] for name in found)}. Say which are meant, such as "
            f"layout={found[0]!r}."
        )
    if layout not in (None, *found) or not found:
        raise DataError(
            f"{root}: has no boxes{f' as {LAYOUTS[layout]}' if layout else ''}. Expected JPEGImages/ with "
            "Annotations/*.xml (Pascal VOC), annotations.json or instances_*.json (COCO), or images/ with labels/*.txt "
            "(YOLO)."
        )
    return layout or found[0]


def _boxed_photos(root, found, names, findings, most_pixels, verbose):
    """Return {part: [BoxedPhoto]} of the photographs that can be read and whose boxes belong to them."""
    labels = {name: label for label, name in enumerate(names)}
    everything = [(part, each) for part, images in found.parts.items() for each in images]

    def size_and_digest(entry):
        """Return (the size of a photograph, the sha256 of its file), or the error that describes its fault."""
        file = entry[1].image
        try:
            content = read_content(file)
            image, orientation = photo_and_orientation(file, most_pixels, content)
            return Size(image.height, image.width, orientation), hashlib.sha256(content).hexdigest()
        except (DataError, OSError) as error:
            return error

    parts = {part: [] for part in found.parts}
    with Progress(f"Looking through {root.name}", len(everything), enabled=bool(verbose), lines=True) as bar:
        for (part, each), result in zip(everything, in_threads(size_and_digest, everything)):
            if isinstance(result, Exception):
                findings.skip(each.image, str(result).removeprefix(f"{each.image}: "))
            else:
                size, digest = result
                boxes = boxes_on(each, found.form, size, labels, findings)
                if boxes is not None:
                    parts[part].append(BoxedPhoto(each.image, digest, size.height, size.width, *boxes, each.number))
            bar.advance(1)
    return parts


def _divided(photos, share):
    """Return {"train": photographs, "val": those that are held back}.

    Photographs show several classes at once. Each is put into the group of the rarest class in it, or that of those
    without boxes, and `split` holds back the share of each group: so rare classes are on both sides.
    """
    counts = Counter(label for photo in photos for label in photo.labels.tolist())
    groups = [min(set(photo.labels.tolist()), key=lambda k: (counts[k], k), default=-1) for photo in photos]
    held = held_back([Photo(photo.path, group, photo.sha256) for photo, group in zip(photos, groups)], share)
    return {
        "train": [photo for photo in photos if photo.sha256 not in held],
        "val": [photo for photo in photos if photo.sha256 in held],
    }


def _look_over(folder):
    """Add notes on the classes. Raises DataError if there is nothing to learn from."""
    counts = folder.counts(folder.train)
    if not sum(counts):
        faults = [f"{one_line(path)}: {reason}" for path, reason in folder.skipped]
        faults += [f"{one_line(file)}: the box {box} {reason}" for file, box, reason in folder.left_out_boxes]
        first = f" The first of {len(faults):,} that were left out: {faults[0]}." if faults else ""
        raise DataError(f"{folder.path}: has no box to learn from. Expected photographs with boxes.{first}")
    for name, learned, measured in zip(folder.class_names, counts, folder.counts(folder.val)):
        if not learned:
            folder.notes.append(f"No box for training is of the class {name!r}: a model will not find it.")
        elif not measured and folder.val:
            folder.notes.append(f"No box for validation is of the class {name!r}: nothing is measured on it.")
    lower = Counter(name.lower() for name in folder.class_names)
    same = [name for name in folder.class_names if lower[name.lower()] > 1]
    if same:
        folder.notes.append(f"WARNING: classes that differ in capital letters only: {', '.join(map(repr, same))}.")
