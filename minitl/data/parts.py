"""The parts of a folder of photographs: a part to learn from and a part to measure on, recognized by their names.

    photos/train/ants/*.jpg     photos/val/ants/*.jpg
    Photos/Training/ants/...    Photos/Test_Set/ants/...

Published sets use many names for the two. If they are not recognized, the parts look like classes, and a model learns
to tell "training_set" from "test_set". `folders` calls `parts_of` before it reads anything, and `require_no_parts` when
it knows the files.
"""

import re

from ..errors import DataError

TRAIN = (("train", "training", "trn"),)
# In the order of preference: where a set has all three parts, the last one is for the end, after all decisions.
VALIDATION = (
    ("val", "valid", "validation", "validate", "validating"),
    ("dev", "eval", "evaluation", "holdout", "heldout"),
    ("test", "testing", "tst"),
)
# Words that say nothing about which part it is.
FILLER = r"the|my|all|part|folder|dir|split|sets?|data(?:sets?)?|images?|imgs?|phot[a-z]*|pi[cx][a-z]*|jpg|png|raw"
HINTS = re.compile(r"train|test|val(?![a-z])|valid|eval|fold|split|part|subset|batch", re.IGNORECASE)


def parts_of(root, names):
    """Return {"train": name, "val": name} of the subfolders that are parts, or {} if they are classes.

    A name is a part's if one of its words is in TRAIN or VALIDATION and the others are fillers, in upper or lower case.
    Raises DataError if two names fit the same part.
    """
    found = {}
    for part, ranks in ("train", TRAIN), ("val", VALIDATION):
        by_rank = ([name for name in names if _word_of(name) in words] for words in ranks)
        fitting = next(filter(None, by_rank), [])
        if fitting:
            usual = [name for name in fitting if name in ("train", "val", "test")]
            found[part] = usual or fitting
    if len(found) < 2:
        return {}
    for fitting in found.values():
        if len(fitting) > 1:
            raise DataError(
                f"{root}: the folders {' and '.join(fitting)} seem to be the same part. Expected one to learn from and "
                "one to measure on: call them train and val."
            )
    return {part: fitting[0] for part, fitting in found.items()}


def _word_of(name):
    """Return the only word of a name that is no filler, such as "training" of "Training_Set1", or None."""
    words = [word for word in re.findall("[a-z]+", name.lower()) if not re.fullmatch(FILLER, word)]
    return re.sub(f"(?:{FILLER})$", "", words[0]) if len(words) == 1 else None  # "train" of "trainset"


def require_no_parts(root, subfolders, noun="photographs"):
    """Raise DataError if the classes look like parts, or like folders of classes.

    subfolders   {class name: the names of the folders in it that hold photographs, or None if it holds photographs
                 itself};   noun   what the files are
    """
    names = sorted(name for name, inner in subfolders.items() if inner)
    for position, a in enumerate(names):
        for b in names[position + 1 :]:
            same = subfolders[a] & subfolders[b]
            are_many = 2 * len(same) >= len(subfolders[a] | subfolders[b]) and len(same) > 1
            # Folders that are numbered are those of a class, such as the films that its photographs were taken from.
            if are_many and (HINTS.search(a) or HINTS.search(b) or not all(name.isdigit() for name in same)):
                some = ", ".join(sorted(same)[:4]) + (", ..." if len(same) > 4 else "")
                raise DataError(
                    f"{root}: '{a}' and '{b}' hold the same subfolders ({some}), so these seem to be the classes. "
                    f"Expected {root.name}/CLASS/, or {root.name}/train/CLASS/ and {root.name}/val/CLASS/. Rename the "
                    f"two folders to train and val, or give one of them. If '{a}' and '{b}' are the classes, move "
                    f"their {noun} out of the subfolders."
                )
