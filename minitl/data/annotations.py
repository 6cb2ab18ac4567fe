"""Annotations: what the readers of boxes have in common.

`voc_boxes`, `coco_boxes` and `yolo_boxes` each read one layout. They return a `Found`: the images of each part, with
their boxes as the file has them. `box_checks` then makes pixels of the boxes. `detection_folder` has the order of
events. What is left out on the way goes to `Findings`.
"""

import re
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import DataError
from ..terminal import shortened
from .parts import TRAIN, VALIDATION, parts_of
from .walk import AdviceError

MOST_BYTES = 16_000_000  # in a file with the boxes of one image
BESIDE_IMAGES = (".xml", ".txt", ".json", ".yaml", ".yml", ".names", ".csv", ".md", ".cache", "")  # no photographs
BACKGROUND = ("background", "__background__", "_background_")  # names of a class that is no object
PART_WORDS = {"train": TRAIN[0], "val": VALIDATION[0] + VALIDATION[1], "test": VALIDATION[2]}


class RawBox(NamedTuple):
    """A box as a file has it.

    values      four numbers; None where they cannot be read
    name        the name of its class; None where the file does not say it
    text        the box in words, for messages
    difficult   hard to see: evaluations leave such a box out of the count
    crowd       around a group of things, not a single one
    fault       why the box cannot be used, or None
    """

    values: Sequence | None
    name: str | None
    text: str
    difficult: bool = False
    crowd: bool = False
    fault: str | None = None


class Annotated(NamedTuple):
    """An image and its boxes, as a file has them.

    image    the path of the photograph;   source   the path of the file with its boxes
    size     (height, width) as the file says, or None;   number   the number of the image in the file, or None
    """

    image: Path
    source: Path
    size: tuple | None
    boxes: list
    number: int | None = None


class Found(NamedTuple):
    """The images and classes that a reader has found in a folder.

    parts     {"train": [Annotated], "val": [...], "test": [...]}, or {"all": [...]} where the folder is not divided
    names     the names of the classes, in their order
    form      the format of the boxes' numbers, as in `box_geometry`
    numbers   {name: its number in the files}, or {} where the files have names only
    """

    parts: dict
    names: list
    form: str
    numbers: dict


class Findings:
    """The files and boxes that an audit leaves out, and the notes that it makes.

    skipped    (path, reason) of files;   left_out   (path, box, reason) of boxes;   notes   sentences
    strict     True: the first file or box that would be left out raises DataError instead
    """

    def __init__(self, root, strict=False):
        self.root, self.strict, self.skipped, self.left_out, self.notes, self.tallies = root, strict, [], [], [], {}

    def within(self, path):
        """Return a path as seen from the folder."""
        return path.relative_to(self.root) if path.is_absolute() == self.root.is_absolute() else path

    def skip(self, path, reason):
        """Leave out a file, or what a file names."""
        self._refuse_if_strict(path, reason)
        self.skipped.append((self.within(path), reason.rstrip(".")))

    def leave_out(self, path, box, reason):
        """Leave out a box of the annotation file `path`."""
        self._refuse_if_strict(path, f"the box {box} {reason}")
        self.left_out.append((self.within(path), box, reason))

    def tally(self, sentence, example):
        """Count one more case of a sentence, in which {count} stands for their number and {first} for the first."""
        count, first = self.tallies.get(sentence, (0, example))
        self.tallies[sentence] = count + 1, first

    def all_notes(self):
        """Return the notes, with those of the tallies."""
        texts = [sentence.format(count=f"{n:,}", first=first) for sentence, (n, first) in self.tallies.items()]
        return [*self.notes, *texts]

    def _refuse_if_strict(self, path, reason):
        if self.strict:
            go_on = "to go on without such files and boxes."
            text = f"{path}: {reason.rstrip('.')}."
            raise AdviceError(text, f"Give strict=False {go_on}", f"Leave out --strict {go_on}")


def read_bytes(path, may_be_empty=False):
    """Return the bytes of an annotation file. Raises DataError if it cannot be read, is empty, or is too large."""
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
    if len(content) > MOST_BYTES:
        raise DataError(f"{path}: has more than {MOST_BYTES:,} bytes, too many for a file with boxes.")
    if not content.strip() and not may_be_empty:
        raise DataError(f"{path}: is empty.")
    return content


def read_lines(path):
    """Return the lines of a text file, without blanks around them. Raises DataError as `read_bytes` does, but not for
    an empty file."""
    try:
        text = read_bytes(path, may_be_empty=True).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: is no text in UTF-8.") from None
    return [line.strip() for line in text.splitlines()]


def number_or_fault(text):
    """Return (a number, None) of a text or a number from a file, or (None, why it is none)."""
    try:
        if isinstance(text, bool) or not isinstance(text, (int, float, str)):
            raise ValueError
        return float(text), None
    except (ValueError, OverflowError):
        return None, f"has {shown(text)} where a number is expected"


def shown(thing):
    """Return a short text of something that a file holds, on one line, for messages."""
    return shortened(reprlib.repr(thing), 40)  # of something deep or long, only the beginning


def leads_out(name):
    """Return whether a file's name would lead out of a folder that it is added to."""
    parts = name.replace("\\", "/").split("/")
    return name.startswith(("/", "\\")) or ".." in parts or name[1:2] == ":"  # C:a.jpg is on another drive of Windows


def is_background(name):
    """Return whether the name of a class means the background: what is no object."""
    return isinstance(name, str) and name.lower() in BACKGROUND


def photographs(files):
    """Return those files that may be photographs: whose endings are not those of annotations and notes."""
    return [file for file in files if file.suffix.lower() not in BESIDE_IMAGES]


def folders_by_part(root, names):
    """Return {folder name: part} of those names of folders that are parts: "train", "val" and "test"."""
    found = parts_of(root, names)
    if not found:
        return {}
    by_folder = {found["train"]: "train", found["val"]: "val"}
    test = parts_of(root, [name for name in names if name != found["val"]]).get("val")
    return {**by_folder, **({test: "test"} if test else {})}


def part_in_words(text):
    """Return the part that a name of a file speaks of, as "train" for instances_train2017; "all" without one."""
    words = re.findall("[a-z]+", text.lower())
    return next((part for part, usual in PART_WORDS.items() if any(word in usual for word in words)), "all")


def arranged(parts):
    """Return {part: images} with the part to measure on called "val", or {"all": images} if there is one part only."""
    parts = {part: images for part, images in parts.items() if images}
    if "train" in parts and "val" not in parts and "test" in parts:
        parts["val"] = parts.pop("test")
    if "train" in parts and "val" in parts:
        return {part: parts[part] for part in ("train", "val", "test") if part in parts}
    return {"all": [image for images in parts.values() for image in images]}


def parts_by_folder(root, found):
    """Return the `Annotated` images of each part, by the folders that they lie in: train/a.jpg, images/train/a.jpg."""
    places = [each.image.relative_to(root).parts[:-1] for each in found]
    for depth in range(2):
        by_folder = folders_by_part(root, sorted({place[depth] for place in places if len(place) > depth}))
        if by_folder:
            parts = {}
            for each, place in zip(found, places):
                part = by_folder.get(place[depth], "all") if len(place) > depth else "all"
                parts.setdefault(part, []).append(each)
            return arranged(parts)
    return {"all": found}
