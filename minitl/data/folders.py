"""Folders of photographs: one subfolder for each class. An audit checks every file before anything is trained.

    photos/ants/*.jpg, photos/bees/*.jpg                        one set, of which a part is held back for validation
    photos/train/ants/..., photos/val/ants/...                  two sets, for training and validation

A problem in the files can cost hours of training. So the audit reads every file once. It reports which files were left
out and why, how many photographs each class has, and which are the same. A photograph that is in the training set *and*
in the validation set makes the measured accuracy wrong.
"""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DataError
from ..progress import Progress
from .photos import MOST_PIXELS, in_threads, open_photo

TRAIN, VALIDATION = ("train", "training"), ("val", "valid", "validation", "test")


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

    def __str__(self):
        train, val = self.counts(self.train), self.counts(self.val)
        rows = [("class", "training", "validation"), *zip(self.class_names, train, val), ("all", sum(train), sum(val))]
        width = max(len(str(row[0])) for row in rows)
        lines = [f"{row[0]!s:<{width}}  {row[1]!s:>8}  {row[2]!s:>10}" for row in rows]
        if max(train) > 3 * min(train):
            lines.append(f"The classes are out of balance: {min(train)} to {max(train)} training photographs.")
        lines += [f"left out: {one_line(path)}: {reason}" for path, reason in self.skipped]
        lines += [f"the same photograph: {', '.join(map(one_line, paths))}" for paths in self.duplicates]
        return "\n".join(lines)


def audit_folder(path, val_share=0.2, strict=False, most_pixels=MOST_PIXELS, verbose=1):
    """Check all files in a folder of photographs. Returns a `PhotoFolder`.

    val_share     the share to hold back for validation if the folder has no `val/`. Whether a photograph is held back
                  depends on its content alone. So adding photographs never moves another one between the two parts,
                  and a copy is in the same part as its original
    strict        True: raise DataError for the first file that would be left out
    most_pixels   a larger photograph is left out

    Raises DataError if there are no photographs, only one class, an empty class, or classes that differ between
    training and validation.
    """
    root = Path(path)
    if not _is_folder(root):
        raise DataError(f"{root}: is no folder. Expected a folder with a subfolder of photographs for each class.")
    skipped = []
    parts = {part: _subfolder(root, names) for part, names in (("train", TRAIN), ("val", VALIDATION))}
    if parts["train"] is None or parts["val"] is None:
        parts = {"all": root}
    files = {part: _files_by_class(folder, root, skipped) for part, folder in parts.items()}
    class_names = _class_names(root, files)
    found = {part: [] for part in parts}
    total = sum(len(paths) for classes in files.values() for paths in classes.values())
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

    with Progress(f"Looking through {root.name}", total, enabled=bool(verbose), lines=True) as bar:
        for (part, label, file), result in zip(everything, in_threads(digest_or_error, everything)):
            if isinstance(result, str):
                found[part].append(Photo(file, label, result))
            elif strict:
                raise DataError(f"{result} Leave out --strict to go on without such files.") from None
            else:
                skipped.append((file.relative_to(root), _reason(result, file)))
            bar.advance(1)
    if "all" in found:
        held_back = [is_held_back(photo.sha256, val_share) for photo in found["all"]]
        found["train"] = [photo for photo, held in zip(found["all"], held_back) if not held]
        found["val"] = [photo for photo, held in zip(found["all"], held_back) if held]
    folder = PhotoFolder(root, class_names, found["train"], found["val"], skipped, _duplicates(root, found))
    for part in ("train", "val") if val_share or "all" not in found else ("train",):
        empty = [name for name, count in zip(class_names, folder.counts(getattr(folder, part))) if not count]
        if empty:
            raise DataError(
                f"{root}: class '{empty[0]}' has no readable photograph for {_PURPOSES[part]}. Add some, or divide the "
                "photographs yourself into train/ and val/."
            )
    return folder


def one_line(path):
    """Return a path as one line of text. The name of a file may contain newlines."""
    return str(path).replace("\n", "\\n")


_PURPOSES = {"train": "training", "val": "validation"}


def is_held_back(sha256, share):
    """Return whether a file with this digest belongs to the validation part. A digest serves as a random number."""
    return int(sha256[:8], 16) < share * 2**32


def _is_folder(path):
    """Return whether `path` is a folder. A path that the system does not accept is none."""
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, say
        return False


def _subfolder(root, names):
    return next((root / name for name in names if (root / name).is_dir()), None)


def _entries(folder, root, skipped):
    """Yield the paths in a folder, sorted by name, without hidden files. Links that lead out of `root` are skipped."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        skipped.append((Path(folder).relative_to(root), f"cannot be read ({error.strerror})"))
        return
    for entry in entries:
        path = Path(entry.path)
        if _leaves(path, root):
            skipped.append((path.relative_to(root), "is a link out of the folder, or in a circle"))
        elif not entry.name.startswith("."):
            yield path


def _files_by_class(folder, root, skipped):
    """Return {class name: sorted files} of the subfolders of `folder`."""
    classes = {}
    for path in _entries(folder, root, skipped):
        if path.is_dir():
            classes[path.name] = _files(path, path.resolve(), root, skipped, {path.resolve()})
        else:
            skipped.append((path.relative_to(root), "lies beside the classes' folders"))
    return classes


def _files(folder, top, root, skipped, visited):
    """Return all files below the folder `top` of a class. `visited` collects the folders, so that each one is visited
    only once, even if links form a circle."""
    found = []
    for path in _entries(folder, root, skipped):
        if path.is_dir():
            if path.resolve() in visited:
                skipped.append((path.relative_to(root), "is a link to a folder that was visited already"))
            elif not path.resolve().is_relative_to(top):
                skipped.append((path.relative_to(root), "is a link to a folder of another class"))
            else:
                visited.add(path.resolve())
                found += _files(path, top, root, skipped, visited)
        elif path.is_file():
            found.append(path)
        else:
            skipped.append((path.relative_to(root), "is no file"))
    return found


def _leaves(path, root):
    """Return whether `path` is a link that leads out of `root`, or to nothing."""
    if not path.is_symlink():
        return False
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        return True
    return not target.is_relative_to(root.resolve())


def _class_names(root, files):
    """Return the names of the classes, sorted. Raises DataError unless every part has the same classes, at least two,
    and none of them is empty."""
    if "train" in files:
        train, val = set(files["train"]), set(files["val"])
        if train != val:
            only = [f"'{name}' only in training" for name in sorted(train - val)]
            only += [f"'{name}' only in validation" for name in sorted(val - train)]
            raise DataError(f"{root}: training and validation have different classes: {', '.join(only)}.")
    names = sorted(next(iter(files.values())))
    if not names:
        raise DataError(f"{root}: has no subfolders. Expected one with photographs for each class.")
    for part, classes in files.items():
        empty = [name for name in names if not classes[name]]
        if empty:
            place = "" if part == "all" else f" in {part}"
            raise DataError(f"{root}: the folder of class '{empty[0]}'{place} is empty. Remove it, or add photographs.")
    if len(names) == 1:
        raise DataError(
            f"{root}: has one class only, '{names[0]}'. Expected a subfolder for each of two or more classes."
        )
    return names


def _duplicates(root, found):
    """Return lists of paths of files with the same content, and so with the same photograph."""
    by_content = {}
    for photo in found.get("all") or [*found["train"], *found["val"]]:
        by_content.setdefault(photo.sha256, []).append(photo.path.relative_to(root))
    return [paths for paths in by_content.values() if len(paths) > 1]


def _reason(error, file):
    """Return the message of an error without the path of its file."""
    return str(error).removeprefix(f"{file}: ").rstrip(".")
