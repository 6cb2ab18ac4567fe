"""Photographs and their masks: which file belongs to which, by their folders and names.

    streets/images/a.jpg, streets/masks/a.png                   one set, of which a part is held back for validation
    streets/train/images/..., streets/train/masks/...           two sets, `val` likewise
    streets/images/a.jpg, streets/annotations.json              a COCO file instead of masks, in the set's folder

A photograph and its mask have the same name up to its ending; the mask's name may also have a word more, such as
`a_mask.png`. Whatever does not pair is named. `segmentation_folder` calls `find_pairs` and then reads the files.
"""

import unicodedata
from pathlib import Path
from typing import NamedTuple

from ..errors import DataError
from .coco import CocoMask, read_coco
from .parts import parts_of
from .walk import Walk

IMAGES, MASKS = "images", "masks"
EXPECTED = "the folders images/ and masks/, or train/ and val/ with these two in each"
# Words that programs add to the name of a mask, behind the name of its photograph.
ENDINGS = ("_mask", "_masks", "_label", "_labels", "_seg", "_gt", "-mask", "-label", ".mask", ".label")
SHOWN = 10  # faults of a COCO file that belong to no image: a part of a larger file has them by the thousand
COCO_NAMES = ("annotations*.json", "instances*.json", "_annotations*.json")


class Pair(NamedTuple):
    """A photograph's file and its mask: a file, or a `CocoMask`."""

    path: Path
    mask: Path | CocoMask


class Found(NamedTuple):
    """The content of a folder.

    walk     the walk through it, with what was passed over in `walk.skipped`
    pairs    {"all": list of `Pair`}, or {"train": ..., "val": ...}
    faults   (path, reason) of what does not pair, in the order of the walk
    coco     the `CocoFile`s, in the order of the parts, or []
    """

    walk: Walk
    pairs: dict
    faults: list
    coco: list


def find_pairs(path, follow_links=False, verbose=1):
    """Return the pairs in a folder as `Found`. Raises DataError if it is laid out in none of the ways above."""
    walk, faults = Walk(path, follow_links, EXPECTED), []
    root = walk.root
    folders = {entry.name: entry for entry in walk.entries(root) if entry.is_dir()}
    is_one_set = MASKS in folders or (IMAGES in folders and _coco_files(walk, root))
    parts = {} if is_one_set else parts_of(root, folders)
    places = {part: folders[name] for part, name in parts.items()} or {"all": root}
    by_part = {part: _pairs_in(walk, place, faults, verbose) for part, place in places.items()}
    files = [file for _, file in by_part.values() if file]
    if len(files) not in (0, len(places)):
        raise DataError(
            f"{root}: one of train and val has a COCO file, and the other masks. Expected the same in both."
        )
    if len({tuple(file.categories.items()) for file in files}) > 1:
        raise DataError(f"{files[0].path} and {files[1].path} have different categories. Expected the same in both.")
    return Found(walk, {part: pairs for part, (pairs, _) in by_part.items()}, faults, files)


def _pairs_in(walk, place, faults, verbose):
    """Return (list of `Pair`, the `CocoFile` or None) of the folder of a set. Adds to the `faults`."""
    folders = {entry.name: entry for entry in walk.entries(place) if entry.is_dir()}
    files = _coco_files(walk, place)
    if MASKS in folders and IMAGES in folders:
        return _by_name(walk, _files(walk, folders[IMAGES]), _files(walk, folders[MASKS]), faults), None
    if len(files) > 1:
        names = " and ".join(file.name for file in files)
        raise DataError(f"{place}: has {names}. Expected one COCO file; put each into train/ and val/ with its images.")
    if files:
        file = read_coco(files[0], verbose)
        return _by_coco(walk, file, folders.get(IMAGES, place), faults), file
    found = ", ".join(f"{name}/" for name in sorted(folders)) or "no folders"
    hint = ""
    if IMAGES in folders:
        hint = f" Rename the folder of the masks to {MASKS}." if len(folders) > 1 else ""
        if parts_of(place, [entry.name for entry in walk.entries(folders[IMAGES]) if entry.is_dir()]):
            hint = " Expected train/images/ and not images/train/: move the folders."
    elif len(folders) > 1:
        hint = f" Rename the folders of the photographs and of the masks to {IMAGES} and {MASKS}."
    raise DataError(f"{place}: holds {found}; expected {EXPECTED}.{hint}")


def _coco_files(walk, place):
    """Return the COCO files directly in a folder."""
    entries = [entry for entry in walk.entries(place) if entry.is_file()]
    return [entry for entry in entries if any(entry.match(name) for name in COCO_NAMES)]


def _files(walk, folder):
    """Return the files directly in a folder, sorted by name. What else is in it is recorded as passed over."""
    found = []
    for entry in walk.entries(folder):
        if entry.is_file():
            found.append(entry)
        else:
            walk.skip(entry, "is a folder, which is not looked into" if entry.is_dir() else "is no file")
    return found


def _by_name(walk, photographs, masks, faults):
    """Return the pairs of files with the same name."""
    of_photograph, of_mask = {}, {}
    for path in photographs:
        of_photograph.setdefault(_stem(path), []).append(path)
    for path in masks:
        of_mask.setdefault(_stem_of_mask(path, of_photograph), []).append(path)
    pairs = []
    for stem, paths in of_photograph.items():
        partners = of_mask.get(stem, [])
        if len(paths) > 1:
            reason = f"has the same name as {_others(paths)}, and one mask is for one photograph. Rename one of them"
        elif not partners:
            reason = f"has no mask: there is no {MASKS}/{stem}.png"
        elif len(partners) > 1:
            reason = f"has the masks {_others([None, *partners])}. Leave the right one"
        else:
            pairs.append(Pair(paths[0], partners[0]))
            continue
        faults.append((paths[0].relative_to(walk.root), reason))
        faults += [(path.relative_to(walk.root), f"has the same name as {paths[0].name}") for path in paths[1:]]
    for stem, paths in of_mask.items():
        if stem not in of_photograph:
            faults += [(path.relative_to(walk.root), "is a mask without a photograph") for path in paths]
    return pairs


def _stem(path):
    """Return a name without its ending. A letter with an accent may be stored as one character or as two."""
    return unicodedata.normalize("NFC", path.stem)


def _stem_of_mask(path, stems):
    """Return the name of the photograph that a mask belongs to, or the mask's own name if there is none."""
    stem = _stem(path)
    if stem in stems:
        return stem
    shorter = [stem.removesuffix(ending) for ending in ENDINGS if stem.endswith(ending)]
    return next((each for each in shorter if each in stems), stem)


def _others(paths):
    return " and ".join(path.name for path in paths[1:])


def _by_coco(walk, file, folder, faults):
    """Return the pairs of the images in a COCO file. What is wrong in the file goes to the `faults`: an image with a
    wrong object is left out, because the pixels of the object would count as background."""
    name, pairs, used = file.path.relative_to(walk.root), [], set()
    of_images = [fault for fault in file.faults if fault.image in file.images]
    reasons = {fault.image: f"{fault.place} of {name} {fault.reason}" for fault in reversed(of_images)}
    others = [fault for fault in file.faults if fault.image not in file.images]
    faults += [(name, f"{fault.place} {fault.reason}") for fault in others[:SHOWN]]
    if len(others) > SHOWN:
        faults.append((name, f"and {len(others) - SHOWN:,} more entries like these"))
    for image in file.images.values():
        try:
            path = file.image_path(image, folder)
        except DataError as error:
            faults.append((name, str(error).removeprefix(f"{file.path}: ").rstrip(".")))
            continue
        used.add(path)
        if image.number in reasons:
            faults.append((path.relative_to(walk.root), reasons[image.number]))
        else:
            pairs.append(Pair(path, CocoMask(file, image.number)))
    unnamed = [path for path in _files(walk, folder) if path not in used and path != file.path]
    faults += [(path.relative_to(walk.root), f"is not among the images of {file.path.name}") for path in unnamed]
    return pairs
