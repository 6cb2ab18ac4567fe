"""Folders of photographs: one subfolder for each class. An audit checks every file before anything is trained.

    photos/ants/*.jpg, photos/bees/*.jpg                        one set, of which a part is held back for validation
    photos/train/ants/..., photos/val/ants/...                  two sets, for training and validation

A problem in the files can cost hours of training. So the audit reads every file once. It reports which files were left
out and why, how many photographs each class has, and which are the same. A photograph that is in the training set *and*
in the validation set makes the measured accuracy wrong, and one that is in two classes teaches both labels.

`audit_folder` has the order of events. `walk` finds the files, `parts` recognizes two sets, and `split` divides one.
"""

import hashlib
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from ..arguments import AnyPath
from ..errors import DataError
from ..progress import Progress
from ..terminal import counted
from .parts import require_no_parts
from .photos import MOST_PIXELS, in_threads, open_photo
from .split import held_back, require_share
from .walk import OUTSIDE, AdviceError, Walk

WIDTH = 80  # characters of a printed line


@dataclass(frozen=True)
class Photo:
    """One photograph: its file, its label (a position in `class_names`), and the sha256 of the file."""

    path: Path
    label: int
    sha256: str


@dataclass
class PhotoFolder:
    """The photographs of a folder, as the audit has found them.

    class_names      the names of the classes, sorted; a label is a position in this list
    train, val       lists of `Photo`
    skipped          (path, reason) of every file that was left out
    duplicates       lists of paths with the same content
    """

    path: Path
    class_names: list
    train: list
    val: list
    skipped: list = field(default_factory=list)
    duplicates: list = field(default_factory=list)

    def counts(self, photos):
        """Return the number of photographs of each class, in the order of `class_names`."""
        labels = [photo.label for photo in photos]
        return [labels.count(label) for label in range(len(self.class_names))]

    def repeated(self, wanted):
        """Return lists of the paths of the same photograph, of those for which `wanted(train, val)` is true.

        wanted   takes the `Photo`s with the same content in `train` and in `val`
        """
        by_content = {}
        for part, photos in enumerate((self.train, self.val)):
            for photo in photos:
                by_content.setdefault(photo.sha256, ([], []))[part].append(photo)
        return [
            [photo.path.relative_to(self.path) for photo in [*train, *val]]
            for train, val in by_content.values()
            if len(train) + len(val) > 1 and wanted(train, val)
        ]

    @property
    def with_two_labels(self):
        """Lists of the paths of one photograph that is in two or more classes."""
        return self.repeated(lambda train, val: len({photo.label for photo in (*train, *val)}) > 1)

    @property
    def in_both_parts(self):
        """Lists of the paths of one photograph that is in training and in validation."""
        return self.repeated(lambda train, val: bool(train and val))

    def __repr__(self):
        return (
            f"<PhotoFolder {self.path}: {len(self.class_names)} classes, "
            f"{counted(len(self.train), 'photograph')} for training, "
            f"{len(self.val):,} for validation, {len(self.skipped):,} left out>"
        )

    def __str__(self):
        train, val = self.counts(self.train), self.counts(self.val)
        rows = [("class", "training", "validation"), *zip(self.class_names, train, val), ("all", sum(train), sum(val))]
        width = max(len(str(row[0])) for row in rows)
        lines = [f"{row[0]!s:<{width}}  {row[1]!s:>8}  {row[2]!s:>10}" for row in rows]
        if max(train) > 3 * min(train):
            lines.append(f"The classes are out of balance: {min(train)} to {max(train)} training photographs.")
        lines += [f"left out: {one_line(path)}: {reason}" for path, reason in self.skipped]
        if any(reason == OUTSIDE for _, reason in self.skipped):
            lines.append("To follow the links: --follow-links (in Python: follow_links=True).")
        warned = [
            (self.with_two_labels, "WARNING: one photograph, two labels. Leave it in the right class alone:"),
            (self.in_both_parts, "WARNING: in training and in validation, the same photograph:"),
        ]
        said = set()
        for repeated, words in warned:
            lines += [f"{words} {', '.join(map(one_line, paths))}" for paths in repeated]
            said.update(frozenset(paths) for paths in repeated)
        harmless = [paths for paths in self.duplicates if frozenset(paths) not in said]
        lines += [f"the same photograph: {', '.join(map(one_line, paths))}" for paths in harmless]
        return "\n".join(short for line in lines for short in wrapped(line))


def audit_folder(
    path: AnyPath, val_share=0.2, strict=False, most_pixels=MOST_PIXELS, verbose=1, follow_links=False
) -> PhotoFolder:
    """Check all files in a folder of photographs. Returns a `PhotoFolder`.

    val_share     the share to hold back for validation if the folder is not divided into `train/` and `val/`: from 0
                  (none) to below 1. `split` has the rule: close to the share in each class, at least one photograph on
                  either side, copies beside their original, and hardly any that moves when photographs are added
    strict        True: raise DataError for the first file that would be left out
    most_pixels   a larger photograph is left out
    follow_links  True: follow links that lead out of the folder as well, once each

    Raises DataError if there are no photographs, only one class, an empty class, a class with one photograph alone, or
    classes that differ between training and validation; ArgumentError for another share.
    """
    require_share(val_share)
    walk = Walk(path, follow_links)
    root, skipped = walk.root, walk.skipped
    files = walk.files_by_part()
    class_names = _class_names(walk, files)
    found = {part: [] for part in files}
    everything = [
        (part, label, file)
        for part, classes in files.items()
        for label, name in enumerate(class_names)
        for file in classes[name]
    ]

    def digest_or_error(entry):
        """Return the sha256 of a photograph, or the error that describes the fault of its file."""
        _, _, file = entry
        try:
            open_photo(file, most_pixels)
            return hashlib.sha256(file.read_bytes()).hexdigest()
        except (DataError, OSError) as error:
            return error

    with Progress(f"Looking through {root.name}", len(everything), enabled=bool(verbose), lines=True) as bar:
        for (part, label, file), result in zip(everything, in_threads(digest_or_error, everything)):
            if isinstance(result, str):
                found[part].append(Photo(file, label, result))
            elif strict:
                go_on = "to go on without such files."
                raise AdviceError(f"{result}", f"Give strict=False {go_on}", f"Leave out --strict {go_on}") from None
            else:
                skipped.append((file.relative_to(root), _reason(result, file)))
            bar.advance(1)
    if "all" in found:
        held = held_back(found["all"], val_share)
        found["train"] = [photo for photo in found["all"] if photo.sha256 not in held]
        found["val"] = [photo for photo in found["all"] if photo.sha256 in held]
    folder = PhotoFolder(root, class_names, found["train"], found["val"], skipped)
    folder.duplicates = folder.repeated(lambda train, val: True)
    _require_photographs(folder, "all" in found, val_share)
    return folder


def _require_photographs(folder, is_divided_here, val_share):
    """Raise DataError unless each class has photographs to learn from, and, where some are held back, to measure on."""
    counts = {"training": folder.counts(folder.train), "validation": folder.counts(folder.val)}
    if is_divided_here:
        counts = {"training": [sum(both) for both in zip(*counts.values())]}
    for label, name in enumerate(folder.class_names):
        for purpose, count in counts.items():
            if not count[label]:
                raise DataError(
                    f"{folder.path}: class '{name}' has no readable photograph for {purpose}. Add some, or remove the "
                    "folder of this class."
                )
    if not is_divided_here or not val_share:
        return
    sides = zip(folder.class_names, folder.counts(folder.train), folder.counts(folder.val))
    few = [name for name, learned, measured in sides if not learned or not measured]
    if few:
        which = f"class '{few[0]}' has" if len(few) == 1 else f"the classes {', '.join(map(repr, few))} have each"
        raise DataError(
            f"{folder.path}: {which} one photograph only (not counting copies, and photographs that are in another "
            "class as well). Expected two or more in each class: one to learn from, and one to measure on. Add some, "
            "or remove the folder of this class."
        )


def one_line(path):
    """Return a path as one line of text. The name of a file may contain newlines."""
    return str(path).replace("\n", "\\n")


def wrapped(line):
    """Return a line as lines of at most 80 characters. Only long names make longer ones."""
    if len(line) <= WIDTH:
        return [line]
    return textwrap.wrap(line, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _class_names(walk, files):
    """Return the names of the classes, sorted. Raises DataError unless every part has the same classes, at least two,
    and none of them is empty or looks like a part."""
    root = walk.root
    for part, classes in files.items():
        if not classes:
            place = root if part == "all" else walk.parts[part]
            raise walk.nothing_in(place, f"{place}: has no subfolders. Expected one with photographs for each class.")
    if "train" in files:
        train, val = set(files["train"]), set(files["val"])
        if train != val:
            only = [f"'{name}' only in training" for name in sorted(train - val)]
            only += [f"'{name}' only in validation" for name in sorted(val - train)]
            raise DataError(
                f"{root}: training ({walk.parts['train'].name}/) and validation ({walk.parts['val'].name}/) have "
                f"different classes: {', '.join(only)}."
            )
    names = sorted(next(iter(files.values())))
    for part, classes in files.items():
        folder = root if part == "all" else walk.parts[part]
        empty = [name for name in names if not classes[name]]
        if empty:
            place = "" if part == "all" else f" in {part}"
            raise walk.nothing_in(
                folder / empty[0],
                f"{root}: the folder of class '{empty[0]}'{place} is empty. Remove it, or add photographs.",
            )
        inner = {name: walk.subfolders(folder / name, classes[name]) for name in names}
        if len(names) == 1:
            below, hint = inner[names[0]], ""
            if below and len(below) > 1:
                hint = f" It holds the folders {', '.join(sorted(below)[:4])}: if these are the classes, give "
                hint += f"{folder / names[0]}."
            raise DataError(
                f"{folder}: has one class only, '{names[0]}'. Expected a subfolder for each of two or more "
                f"classes.{hint}"
            )
        if part == "all":
            require_no_parts(root, inner)
    return names


def _reason(error, file):
    """Return the message of an error without the path of its file."""
    return str(error).removeprefix(f"{file}: ").rstrip(".")
