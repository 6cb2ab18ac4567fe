"""COCO files: images, objects and the names of classes in one JSON file, as plain data that was checked.

    {"images":      [{"id": 5, "file_name": "street.jpg", "height": 480, "width": 640}, ...],
     "annotations": [{"id": 1, "image_id": 5, "category_id": 90, "bbox": [x, y, width, height],
                      "segmentation": [[x1, y1, x2, y2, ...]], "area": 120.5, "iscrowd": 0}, ...],
     "categories":  [{"id": 7, "name": "train"}, {"id": 90, "name": "toothbrush"}]}

(Lin et al. 2014.) The numbers of categories have gaps, and a model counts its classes from 0. `CocoFile.class_of` and
`CocoFile.category_of` lead from one to the other: 7 and 90 are the classes 0 and 1.

The file comes from somewhere, so nothing in it is believed. It is JSON, not a program. A file name in it must lead to a
file within the folder of images. Where the file as a whole is wrong, `read_coco` raises an error. Where one entry is
wrong, it is left out and stands in `faults`: one bad box among 860,000 is no reason to stop, but it has to be named.

`segmentation_folder` makes masks of the objects (`CocoMask`), with the pixels that `polygons` draws. Boxes are given as
they are: they were checked to be four numbers, and no more than that. `coco_boxes` begins with the same `read_lists`,
and asks less of images and more of boxes.
"""

import json
import posixpath
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..arguments import AnyPath
from ..errors import DataError
from ..progress import Progress
from .annotations import is_background, leads_out
from .photos import MOST_PIXELS, read_content
from .polygons import segmentation_mask

LARGEST = 1e15  # a number of pixels beyond this is none


class CocoImage(NamedTuple):
    """One image: its number in the file, the name of its file, and its size in pixels."""

    number: int
    file_name: str
    height: int
    width: int


class CocoAnnotation(NamedTuple):
    """One object.

    place         the name of the entry for messages, such as "annotations[17]"
    image         the number of its image;   category   the number of its category, as in the file
    box           (left, top, width, height) in pixels as it stands in the file, or None
    segmentation  polygons or run lengths (`polygons.segmentation_mask`), or None
    is_crowd      whether it is a group of objects that nobody has told apart
    area          as it stands in the file, or None
    """

    place: str
    image: int
    category: int
    box: tuple | None
    segmentation: list | dict | None
    is_crowd: bool
    area: float | None


class Fault(NamedTuple):
    """An entry that was left out: its place in the file, the reason, and the number of its image, if that is known."""

    place: str
    reason: str
    image: int | None


@dataclass(eq=False)
class CocoFile:
    """The content of a COCO file.

    images       {number: `CocoImage`}, in the order of the file
    annotations  {number of an image: list of `CocoAnnotation`}, empty for an image without objects
    categories   {number: name}, by their numbers
    faults       list of `Fault`: the entries that were left out
    """

    path: Path
    images: dict
    annotations: dict
    categories: dict
    faults: list = field(default_factory=list)

    @property
    def class_names(self):
        """The names of the categories, by their numbers: a class is a position in this list."""
        return list(self.categories.values())

    @property
    def class_of(self):
        """The class from 0 of each category's number: {7: 0, 90: 1}."""
        return {category: position for position, category in enumerate(self.categories)}

    @property
    def category_of(self):
        """The category's number of each class from 0: [7, 90]."""
        return list(self.categories)

    def image_path(self, image, folder):
        """Return the path of a `CocoImage`'s file in the folder of images. Raises DataError if there is no such file,
        or if it lies outside of the folder."""
        place = safe_name(image.file_name)
        if place is None:
            raise DataError(
                f"{self.path}: the file name {image.file_name!r} leads out of the folder; expected one within {folder}."
            )
        path = Path(folder, place)
        try:
            target, root = path.resolve(strict=True), Path(folder).resolve()
        except (OSError, RuntimeError, ValueError):
            raise DataError(f"{path}: is named in {self.path.name}, and is not there.") from None
        if not target.is_relative_to(root):
            raise DataError(f"{path}: is a link out of the folder, which is not followed.")
        return path

    def __repr__(self):
        count = sum(map(len, self.annotations.values()))
        return (
            f"<CocoFile {self.path}: {len(self.images):,} images, {count:,} annotations, "
            f"{len(self.categories)} categories, {len(self.faults):,} entries left out>"
        )


class CocoMask(NamedTuple):
    """The mask of an image in a `CocoFile`: drawn when it is wanted."""

    file: CocoFile
    number: int

    @property
    def size(self):
        """(height, width) of the image, as the file states them."""
        image = self.file.images[self.number]
        return image.height, image.width

    def draw(self):
        """Return the class of each pixel, uint8 (H, W): 0 is the background, and category number k of the file, counted
        from 0, is k + 1 (or k, if the first category is called background).

        Larger objects are drawn first, so that a small one in front of them is not lost. Raises DataError for an object
        without an outline: its pixels would count as background.
        """
        objects, class_of = [], self.file.class_of
        first = 0 if has_background(self.file.class_names) else 1
        for each in self.file.annotations[self.number]:
            if not each.segmentation:
                raise DataError(f"{each.place} has no segmentation (a box alone, perhaps)")
            try:
                pixels = segmentation_mask(each.segmentation, *self.size)
            except DataError as error:
                raise DataError(f"{each.place}: {error}") from None
            objects.append((class_of[each.category] + first, np.flatnonzero(pixels)))
        mask = np.zeros(self.size, np.uint8)
        for number, places in sorted(objects, key=lambda one: -len(one[1])):
            mask.reshape(-1)[places] = number
        return mask


def has_background(names):
    """Return whether the first of the names of classes is the background's."""
    return bool(names) and is_background(names[0])


def safe_name(file_name):
    """Return a file name from a COCO file as a relative path without detours, or None if it leads out of its folder (or
    is absolute, or is no name)."""
    is_safe = file_name and "\0" not in file_name and not leads_out(file_name)
    return posixpath.normpath(file_name) if is_safe else None


def read_coco(path: AnyPath, verbose: int = 1) -> CocoFile:
    """Return the content of a COCO file as a `CocoFile`.

    Raises DataError if it is not JSON, if it has no list of images, annotations or categories, if two images or two
    categories have the same number, or if a category has no number or no name. Any other wrong entry is left out and
    stands in `faults`.
    """
    path = Path(path)
    with Progress(f"Reading {path.name}", enabled=bool(verbose)):
        images, annotations, categories = read_lists(path)
        file = CocoFile(path, {}, {}, categories)
        for position, entry in enumerate(images):
            _add_image(file, f"images[{position}]", entry)
        known = {entry.get("id") for entry in images if isinstance(entry, dict) and type(entry.get("id")) is int}
        for position, entry in enumerate(annotations):
            _add_annotation(file, f"annotations[{position}]", entry, known)
    return file


def read_lists(path):
    """Return (list of images, list of annotations, {number: name} of the categories) of a COCO file.

    The categories are in the order of their numbers. The entries of the two lists are as they stand in the file: they
    may be anything, and a number may be NaN. Raises DataError as `read_coco` does, but for images.
    """
    content = _parsed(path)
    images, annotations, categories = (_list_of(path, content, key) for key in ("images", "annotations", "categories"))
    return images, annotations, _categories(path, categories)


def _parsed(path):
    """Return the object in a JSON file. Raises DataError."""
    try:
        content = json.loads(read_content(path, "JSON", "a COCO file"))
    except RecursionError:
        raise DataError(f"{path}: cannot be read as JSON (its lists are nested too deeply).") from None
    except DataError:
        raise
    except (ValueError, MemoryError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: cannot be read as JSON ({reason}). Export it again as COCO JSON.") from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds a {type(content).__name__}; expected a COCO file, an object with images.")
    return content


def _list_of(path, content, key):
    entries = content.get(key)
    if not isinstance(entries, list):
        found = f"{key!r} is {_kind(entries)}" if key in content else f"has no {key!r}"
        raise DataError(f"{path}: {found}; expected a COCO file, with the lists images, annotations and categories.")
    return entries


def _categories(path, entries):
    """Return {number: name} in the order of the numbers."""
    found = {}
    for position, entry in enumerate(entries):
        number, name = (entry.get(key) if isinstance(entry, dict) else None for key in ("id", "name"))
        if type(number) is not int or not isinstance(name, str) or not name.strip():
            raise DataError(f"{path}: categories[{position}] is {_short(entry)}; expected an id (number) and a name.")
        name = " ".join(name.split())
        if number in found:
            raise DataError(f"{path}: categories[{position}] has the id {number}, as '{found[number]}' has.")
        if name in found.values():
            raise DataError(f"{path}: two categories are called '{name}'. Expected a name of its own for each.")
        found[number] = name
    if not found:
        raise DataError(f"{path}: has no categories. Expected the names of the classes.")
    return dict(sorted(found.items()))


def _add_image(file, place, entry):
    """Add an image to the file, or a fault."""
    checked = {"id": int, "file_name": str, "height": int, "width": int}
    reason = _wrong_key(entry, checked)
    number = entry["id"] if isinstance(entry, dict) and type(entry.get("id")) is int else None
    if not reason and (min(entry["height"], entry["width"]) < 1 or entry["height"] * entry["width"] > MOST_PIXELS):
        reason = f"has a size of {_short(entry['width'])}x{_short(entry['height'])} pixels"
    if not reason and safe_name(entry["file_name"]) is None:
        reason = f"has the file name {entry['file_name']!r}, which leads out of the folder"
    if number is not None and number in file.images:
        raise DataError(f"{file.path}: {place} has the id {number}, as an image before it has.")
    if reason:
        file.faults.append(Fault(place, reason, number))
    else:
        file.images[number] = CocoImage(number, entry["file_name"], entry["height"], entry["width"])
        file.annotations[number] = []


def _add_annotation(file, place, entry, known):
    """Add an object to its image, or a fault. `known` are the numbers of all images, also of those left out."""
    reason = _wrong_key(entry, {"image_id": int, "category_id": int})
    number = entry["image_id"] if isinstance(entry, dict) and type(entry.get("image_id")) is int else None
    if not reason and number not in known:
        reason = f"is of image {number}, which is not among the images"
    if not reason and entry["category_id"] not in file.categories:
        reason = f"is of category {entry['category_id']}, which is not among the categories"
    box, area, crowd, segmentation = {}, None, 0, None
    if isinstance(entry, dict):
        box, area, crowd = entry.get("bbox") or None, entry.get("area"), entry.get("iscrowd", 0)
        segmentation = entry.get("segmentation")
    if not reason and box is not None and not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))):
        reason = f"has the bbox {_short(box)}; expected [x, y, width, height]"
    if not reason and area is not None and not _is_number(area):
        reason = f"has the area {_short(area)}; expected a number"
    if not reason and crowd not in (0, 1, None):
        reason = f"has iscrowd {_short(crowd)}; expected 0 or 1"
    if not reason and segmentation is not None and not isinstance(segmentation, (list, dict)):
        reason = f"has the segmentation {_short(segmentation)}; expected polygons or run lengths"
    if reason:
        file.faults.append(Fault(place, reason, number))
    elif number in file.images:  # otherwise its image was left out, and stands in the faults itself
        box = None if box is None else tuple(map(float, box))
        file.annotations[number].append(
            CocoAnnotation(place, number, entry["category_id"], box, segmentation or None, bool(crowd), area)
        )


def _wrong_key(entry, checked):
    """Return what is wrong with an entry that should have these keys {name: type}, or None."""
    if not isinstance(entry, dict):
        return f"is {_kind(entry)}; expected an object with {', '.join(checked)}"
    for key, kind in checked.items():
        if key not in entry:
            return f"has no {key!r}"
        if type(entry[key]) is not kind:
            return f"has the {key} {_short(entry[key])}; expected {'a text' if kind is str else 'a whole number'}"
    return None


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool) and abs(value) < LARGEST


def _kind(value):
    return "null" if value is None else f"a {type(value).__name__}"


def _short(thing):
    text = repr(thing)
    return text if len(text) <= 60 else f"{text[:57]}..."
