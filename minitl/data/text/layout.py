"""The layout of a folder of labelled texts: which files belong to which part.

A part is recognized by its name: `stsa.binary.dev`, `reviews_valid.csv` and `Validation/` are all "val". A test part
stays one: it is for the end, after all decisions, and is never taken for validation.

Who calls this: `folder.read_texts`. Read next: `tables`, for what is in a file.
"""

import re

from ...errors import DataError
from ...terminal import counted
from ..parts import FILLER, TRAIN, VALIDATION
from .audit import PARTS
from .tables import JSON_ENDINGS, SEPARATORS

PART_WORDS = {
    **dict.fromkeys(TRAIN[0], "train"), **dict.fromkeys(VALIDATION[0] + VALIDATION[1], "val"),
    **dict.fromkeys(VALIDATION[2], "test"),
}  # fmt: skip
ENDINGS = (*SEPARATORS, *JSON_ENDINGS, ".txt", *(f".{word}" for word in PART_WORDS))  # of files that are tables


def parts_in(walk):
    """Return {part: places} of a folder: the parts "train", "val" and "test", or "all" alone. The places are the files
    of tables, or {name of a class: files of texts}."""
    entries = list(walk.entries(walk.root))
    folders = [entry for entry in entries if entry.is_dir()]
    files = [entry for entry in entries if entry.is_file() and entry.suffix.lower() in ENDINGS]
    by_part = _one_for_each(walk.root, files, _part_of_file)
    if "train" not in by_part:
        by_part = _one_for_each(walk.root, folders, _part_of_folder)
    if "train" in by_part and len(by_part) > (by_part["train"].is_dir()):
        for entry in entries:
            if entry not in by_part.values():
                walk.skip(entry, f"lies beside {', '.join(each.name for each in by_part.values())}, and is not used")
        in_order = {part: by_part[part] for part in PARTS if part in by_part}
        return {part: _places(walk, place) if place.is_dir() else [place] for part, place in in_order.items()}
    if not folders and len(files) > 1:
        some = ", ".join(file.name for file in files[:4])
        raise DataError(
            f"{walk.root}: holds {counted(len(files), 'file')} ({some}). Expected one to learn from, called "
            "train.csv or the like, beside val.csv or test.csv; or give one of the files."
        )
    return {"all": _places(walk, walk.root)}


def _places(walk, folder):
    """Return the tables in a folder, or {name of a class: files} if it has a folder with texts for each class."""
    entries = list(walk.entries(folder))
    tables = [each for each in entries if each.is_file() and each.suffix.lower() in ENDINGS]
    classes = {each.name: _texts_below(walk, each) for each in entries if each.is_dir()}
    if not any(classes.values()):
        if not tables:
            raise DataError(
                f"{folder}: holds no texts. Expected tables ({', '.join(ENDINGS[:5])}, .txt), or a folder of .txt "
                "files for each class."
            )
        return tables
    for entry in entries:
        if not classes.get(entry.name):
            walk.skip(entry, "holds no .txt file" if entry.is_dir() else "lies beside the folders of the classes")
    return {name: files for name, files in classes.items() if files}


def _texts_below(walk, folder):
    files = walk.files_below(folder)
    for file in files:
        if file.suffix.lower() != ".txt":
            walk.skip(file, "is no .txt file")
    return [file for file in files if file.suffix.lower() == ".txt"]


def _one_for_each(root, entries, part_of):
    """Return {part: entry} of the entries whose name is that of a part. Raises DataError if two are the same part."""
    found = {}
    for entry in entries:
        part = part_of(entry.name)
        if part in found:
            raise DataError(
                f"{root}: {found[part].name} and {entry.name} seem to be the same part ({PARTS[part]}). Expected one "
                "of each. Move the other one away."
            )
        if part:
            found[part] = entry
    return found


def _part_of_file(name):
    """Return "train" of "train.tsv", "stsa.binary.train" and "reviews_train.csv"; None if no word is a part's."""
    words = re.findall("[a-z]+", name.lower())
    found = {PART_WORDS[word] for word in words if word in PART_WORDS}
    return found.pop() if len(found) == 1 else None


def _part_of_folder(name):
    """Return "train" of "train" and "training_set"; None of "test_cricket", which may be a class."""
    words = [word for word in re.findall("[a-z]+", name.lower()) if not re.fullmatch(FILLER, word)]
    return PART_WORDS.get(words[0]) if len(words) == 1 else None
