"""Boxes of COCO: one JSON file for all photographs of a part.

    annotations/instances_train2017.json, instances_val2017.json     photographs in train2017/, val2017/ or images/
    train/_annotations.coco.json, valid/_annotations.coco.json       photographs beside the file (Roboflow)
    annotations.json                                                 photographs beside it or in images/

    {"images":      [{"id": 1, "file_name": "a.jpg", "height": 480, "width": 640}],
     "annotations": [{"image_id": 1, "category_id": 90, "bbox": [left, top, width, height], "iscrowd": 0}],
     "categories":  [{"id": 7, "name": "train"}, {"id": 90, "name": "toothbrush"}]}

The numbers of the classes have gaps, and need not begin at 0. A network needs labels without gaps: here 7 becomes 0 and
90 becomes 1, in the order of the numbers. `Found.numbers` maps them, and `as_coco` maps back: what a program writes
for COCO's evaluation has 7 and 90 again. Source: Lin et al. 2014, and the description of COCO's data format.
"""

import re

from ..errors import ArgumentError, DataError
from .annotations import (
    PART_WORDS,
    Annotated,
    Found,
    RawBox,
    arranged,
    leads_out,
    number_or_fault,
    part_in_words,
    photographs,
    shown,
)  # fmt: skip
from .box_geometry import SIZES
from .coco import read_lists

NAMES = re.compile(r"(.*coco.*|_?annotations.*|instances.*|labels|result)\.json", re.IGNORECASE)


def json_files(files):
    """Return those files whose names are usual for the JSON file of COCO's layout."""
    return [file for file in files if NAMES.fullmatch(file.name)]


def read_coco_folder(root, files, findings):
    """Return what a folder in COCO's layout holds, as a `Found`. Raises DataError for a file that is no such JSON, and
    for two files that give one class different numbers."""
    by_part, numbers = {}, {}
    for file in json_files(files):
        by_part.setdefault(part_in_words(file.relative_to(root).as_posix()), []).append(file)
    if "train" in by_part and len(by_part) > 1:
        for file in by_part.pop("all", []):
            findings.notes.append(f"{file.relative_to(root)} is not used: other files name their parts.")
    for part, its_files in by_part.items():
        if len(its_files) > 1:
            two = " and ".join(str(file) for file in its_files[:2])
            whose = f"of the part {part}" if part in PART_WORDS else "of all photographs"
            raise DataError(f"{two}: both seem to have the boxes {whose}. Expected one. Move the other one away.")
    places = _Places(root, files)
    parts = {}
    for part, (file,) in by_part.items():
        images, categories = read_boxes(file, places, findings)
        different = any(numbers.get(name, number) != number for name, number in categories.items())
        if different or len({*numbers.values(), *categories.values()}) != len(numbers | categories):
            raise DataError(f"{file}: numbers the classes otherwise than another part does. Expected the same numbers.")
        numbers |= categories
        parts[part] = images
    used = {each.image for images in parts.values() for each in images}
    folders, named = {image.parent for image in used}, {path for path, _ in findings.skipped}
    unlisted = [
        image
        for image in photographs(files)
        if image.parent in folders and image not in used and findings.within(image) not in named
    ]
    if unlisted:
        first = unlisted[0].relative_to(root)
        findings.notes.append(
            f"Photographs in no JSON file, which are not used: {len(unlisted):,} (the first: {first})."
        )
    return Found(arranged(parts), sorted(numbers, key=numbers.get), SIZES, numbers)


def read_boxes(path, places, findings):
    """Return ([Annotated], {name of a class: its number}) of a JSON file.

    places   the `_Places` that find a photograph

    An image may have any id, also a text, and need not state its size. What is wrong goes to the `findings`: an image,
    or a box with its image's other boxes kept. Raises DataError as `coco.read_lists` does, and for lists that hold
    anything but objects.
    """
    images, annotations, names = read_lists(path)
    for key, entries in ("images", images), ("annotations", annotations):
        wrong = [each for each in entries if not isinstance(each, dict)]
        if wrong:
            raise DataError(f"{path}: '{key}' holds {shown(wrong[0])}; expected dicts only.")
    found, used = {}, {}
    for each in images:
        number, name = each.get("id"), each.get("file_name")
        if not isinstance(number, (int, str)) or isinstance(number, bool) or not isinstance(name, str) or not name:
            findings.skip(path, f"has the image {shown(each)}; expected an id and a file_name")
        elif number in found:
            findings.skip(path, f"gives the number {number} to {shown(name)}, and to another image before")
        elif leads_out(name):
            findings.skip(path, f"names the photograph {shown(name)}, which leads out of the folder")
            found[number] = None
        else:
            image = found[number] = places.find(path, name)
            if image is None:
                findings.skip(path, f"names the photograph {shown(name)}, which is not there")
            elif image in used:
                findings.skip(path, f"names the photograph {shown(name)} twice; the second time is left out")
                found[number] = None
            else:
                size = each.get("height"), each.get("width")
                used[image] = Annotated(image, path, size if all(map(_is_whole, size)) else None, [], number)
    for position, each in enumerate(annotations):
        box, number = _box(each, position, names), each.get("image_id")
        is_known = isinstance(number, (int, str)) and number in found
        if not is_known:
            findings.leave_out(path, box.text, f"is of the image number {shown(number)}, which is not listed")
        elif found[number] is not None:
            used[found[number]].boxes.append(box)
    return list(used.values()), {name: number for number, name in names.items()}


def as_coco(image_number, boxes, labels, scores, category_numbers):
    """Return the predictions for one image as COCO's evaluation reads them: a list of dicts, to be saved as JSON.

    image_number       the image's number in the JSON file: `BoxedPhoto.number`
    boxes              (B, 4) left, top, right, bottom;   labels   (B,);   scores   (B,)
    category_numbers   the number of each label in the file: `DetectionFolder.category_numbers`

    Raises ArgumentError for a label that has no number.
    """
    results = []
    for (left, top, right, bottom), label, score in zip(boxes, labels, scores):
        if not 0 <= label < len(category_numbers) or category_numbers[label] is None:
            raise ArgumentError(f"label {label} has no number in category_numbers, {category_numbers}.")
        sides = [float(left), float(top), float(right) - float(left), float(bottom) - float(top)]
        category = category_numbers[int(label)]
        results.append({"image_id": image_number, "category_id": category, "bbox": sides, "score": float(score)})
    return results


class _Places:
    """The photographs below a folder, by their names in a JSON file."""

    def __init__(self, root, files):
        self.root, self.by_place, self.by_name = root, {}, {}
        for file in photographs(files):
            self.by_place[file.relative_to(root).as_posix()] = file
            self.by_name.setdefault(file.name, []).append(file)
        self.folders = sorted({place.rpartition("/")[0] for place in self.by_place})

    def find(self, json_file, name):
        """Return the photograph of this name: beside the JSON file, in `images/`, in a folder that the name of the JSON
        file ends with (train2017), or the only one of this name."""
        name = name.replace("\\", "/").removeprefix("./")
        here = json_file.parent.relative_to(self.root).as_posix()
        own = [folder for folder in self.folders if folder and json_file.stem.endswith(folder.rpartition("/")[2])]
        for folder in (here, f"{here}/images", *own, ".", "images"):
            place = f"{folder}/{name}".removeprefix("./").removeprefix("./")
            if place in self.by_place:
                return self.by_place[place]
        named = self.by_name.get(name.rpartition("/")[2], [])
        return named[0] if len(named) == 1 else None


def _box(each, position, names):
    """Return the `RawBox` of one of the annotations."""
    sides, category = each.get("bbox"), each.get("category_id")
    name = names.get(category) if _is_whole(category) else None
    text = f"{shown(each['id']) if 'id' in each else f'at position {position}'}: {(name or '?')[:40]} {shown(sides)}"
    values, fault = None, None
    if not isinstance(sides, list) or len(sides) != 4:
        fault = f"has {shown(sides)} as bbox; expected four numbers: left, top, width, height"
    else:
        values = [None if isinstance(side, str) else number_or_fault(side)[0] for side in sides]
        fault = f"has {shown(sides)} as bbox; expected four numbers" if None in values else None
    if name is None:
        fault = f"is of the class number {shown(category)}, which 'categories' does not list"
    return RawBox(values, name, text, False, each.get("iscrowd") in (1, True), fault)


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)
