"""Folders of photographs with masks, for segmentation. An audit checks every file before anything is trained.

    streets/images/a.jpg, streets/masks/a.png, streets/classes.txt

`pairing` has the other layouts, COCO files among them, and `masks` the ways in which a file stores class numbers. A
wrong mask does its harm in silence: a loss takes any numbers. So the audit reads every file, each once, and reports

- which pairs were left out, and why: no partner, another size, a number that is no class, a file that cannot be read
- how many pixels each class has, in training and in validation
- what may be wrong as a whole: 255 as an object, palettes that differ, a class without pixels

The names of the classes come from the first of these that is there: the argument `class_names`, the names in `colours`,
the COCO file, `classes.txt` (one name a line), and otherwise they are the numbers.

`masked_photos` reads a pair, and `split` divides a set that is not divided.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..arguments import AnyPath
from ..errors import ArgumentError, DataError
from ..progress import Progress
from ..terminal import counted, printable, shortened
from .coco import has_background
from .folders import Photo, one_line, wrapped
from .masked_photos import Examination, MaskedPhoto, name_of
from .masks import BLACK_AND_WHITE, IGNORE, colour_table
from .pairing import find_pairs
from .photos import in_threads, read_content
from .split import held_back, require_share
from .walk import AdviceError

NAMES_FILE = "classes.txt"
WIDEST_NAME = 30  # characters of a class's name in the table
MOST_CLASSES = 255  # that a mask of bytes can hold beside the mark of unlabelled pixels


@dataclass
class SegmentationFolder:
    """The photographs and masks of a folder, as the audit has found them.

    class_names   the names of the classes; a number in a mask is a position in this list
    train, val    lists of `MaskedPhoto`
    skipped       (path, reason) of everything that was left out
    notes         sentences about what may be wrong
    ignore        the number of pixels that nobody has labelled, or None
    """

    path: Path
    class_names: list
    train: list
    val: list
    skipped: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    ignore: int | None = IGNORE

    def pixel_counts(self, photos=None):
        """Return the number of pixels of each class in the masks of `photos` (None: of all), int64 (classes,). Ignored
        pixels are not counted."""
        counts = _all_numbers(self.train + self.val if photos is None else photos)
        if self.ignore is not None:
            counts[self.ignore] = 0
        return counts[: len(self.class_names)]

    def ignored_pixels(self, photos=None):
        """Return the number of ignored pixels in the masks of `photos` (None: of all)."""
        counts = _all_numbers(self.train + self.val if photos is None else photos)
        return 0 if self.ignore is None else int(counts[self.ignore])

    def __repr__(self):
        return (
            f"<SegmentationFolder {self.path}: {counted(len(self.class_names), 'class')}, "
            f"{counted(len(self.train), 'photograph')} for training, {len(self.val):,} for validation, "
            f"{len(self.skipped):,} left out>"
        )

    def __str__(self):
        parts = (self.train, self.val)
        rows = list(zip(self.class_names, *(self.pixel_counts(part).tolist() for part in parts)))
        rows = [row for number, row in enumerate(rows) if number != self.ignore]
        if self.class_names == _numbered(len(self.class_names)):
            rows = [row for row in rows if sum(row[1:])]  # of numbers without names, those that occur
        if self.ignore is not None:
            rows.append((f"ignored ({self.ignore})", *(self.ignored_pixels(part) for part in parts)))
        sums = [max(1, sum(counts)) for counts in list(zip(*rows))[1:]]
        names = [shortened(printable(one_line(row[0])), WIDEST_NAME) for row in rows]
        width = max(map(len, (*names, "pixels of a class")))
        lines = [f"{'photographs':<{width}}  {len(self.train):>13,}  {'':7}  {len(self.val):>13,}"]
        lines = [f"{'':<{width}}  {'training':>13}  {'':7}  {'validation':>13}", *lines, "pixels of a class"]
        for name, row in zip(names, rows):
            cells = (f"{count:>13,}  {count / total:>7.1%}" for count, total in zip(row[1:], sums))
            lines.append(f"{name:<{width}}  {'  '.join(cells)}")
        lines += [f"WARNING: {one_line(note)}" for note in self.notes]
        lines += [f"left out: {one_line(path)}: {one_line(reason)}" for path, reason in self.skipped]
        return "\n".join(short for line in lines for short in wrapped(line))


def audit_segmentation(
    path: AnyPath, val_share=0.2, class_names=None, colours=None, ignore=IGNORE, strict=False, verbose=1,
    follow_links=False,
) -> SegmentationFolder:  # fmt: skip
    """Check all files in a folder of photographs with masks. Returns a `SegmentationFolder`.

    val_share     the share to hold back for validation if the folder is not divided into `train/` and `val/`: from 0
                  (none) to below 1, as `split` does it
    class_names   the names of the classes, or None: those in the folder
    colours       the table for masks whose pixels are colours, or for other numbers, as in `read_mask`
    ignore        the number of pixels that nobody has labelled, or None if there are none
    strict        True: raise DataError for the first thing that would be left out
    follow_links  True: follow links that lead out of the folder as well

    Raises DataError if the folder is laid out otherwise, if no pair in it is good, or if there is one alone to divide;
    ArgumentError for other arguments.
    """
    require_share(val_share)
    if ignore is not None and (type(ignore) is not int or not 0 <= ignore <= 255):
        raise ArgumentError(f"ignore is {ignore!r}; expected the number of unlabelled pixels, from 0 to 255, or None.")
    found = find_pairs(path, follow_links, verbose)
    walk, root = found.walk, found.walk.root
    names = _names(root, found.coco, class_names)
    table, names_of_table = colour_table(colours, names)
    names = names or names_of_table or None
    everything = [(part, pair) for part, pairs in found.pairs.items() for pair in pairs]
    examination = Examination(None if names is None else len(names), table, ignore)
    skipped, good = list(dict.fromkeys(walk.skipped)), {part: [] for part in found.pairs}

    def leave_out(path, reason):
        if strict:
            raise AdviceError(
                f"{root / path}: {reason}.",
                "Give strict=False to go on without it.",
                "Leave out --strict to go on without it.",
            )
        skipped.append((path, reason))

    for fault in found.faults:
        leave_out(*fault)
    with Progress(f"Looking through {root.name}", len(everything), enabled=bool(verbose), lines=True) as bar:
        results = in_threads(lambda entry: examination.examine(entry[1]), everything)
        for (part, _), result in zip(everything, results):
            if isinstance(result, MaskedPhoto):
                good[part].append(result)
            else:
                file, reason = result
                leave_out(file.relative_to(root), reason)
            bar.advance(1)
    if "all" in good:
        good["train"], good["val"] = _divided(root, good["all"], val_share)
    for part in "train", "val":
        if not good[part] and (part == "train" or "all" not in good):
            first = f" The first that was left out is {skipped[0][0]}: {skipped[0][1]}." if skipped else ""
            purpose = "training" if part == "train" else "validation"
            raise DataError(f"{root}: has no photograph with a good mask for {purpose}.{first}")
    has_names = names is not None
    if not has_names:
        names = _numbered(_highest(_all_numbers(good["train"] + good["val"]), ignore) + 1)
    folder = SegmentationFolder(root, list(names), good["train"], good["val"], skipped, [], ignore)
    folder.notes = _notes(folder, examination, has_names)
    return folder


def _divided(root, photos, share):
    """Return (photographs to learn from, photographs that are held back)."""
    if share and len({photo.sha256 for photo in photos}) == 1:
        raise DataError(
            f"{root}: has one photograph with a mask only (not counting copies). Expected two or more: one to learn "
            "from, and one to measure on. Add some, or give val_share=0."
        )
    held = held_back([Photo(photo.path, 0, photo.sha256) for photo in photos], share)
    return [photo for photo in photos if photo.sha256 not in held], [photo for photo in photos if photo.sha256 in held]


def _notes(folder, examination, has_names):
    """Return sentences about what may be wrong with the folder as a whole."""
    used = np.flatnonzero(_all_numbers(folder.train + folder.val)).tolist()
    notes = []
    if used == [0, 255] and not examination.table:
        notes.append(f"each of the masks {BLACK_AND_WHITE}.")
    elif not has_names:
        notes.append(f"the classes have no names. Give class_names, or write them to {NAMES_FILE}, one a line.")
        listed = [number for number in used if number != folder.ignore]
        if listed and listed[-1] >= 2 * len(listed):
            table = ", ".join(f"{number}: {position}" for position, number in enumerate(listed[:6]))
            notes.append(
                f"the masks hold {len(listed)} different numbers up to {listed[-1]}. If each is a class, give "
                f"colours={{{table}{', ...' if len(listed) > 6 else ''}}}."
            )
    differing = [(number, found) for number, found in sorted(examination.palettes.items()) if len(found) > 1]
    for number, found in differing[:1]:
        (one, a), (other, b) = sorted(found.items(), key=lambda item: item[1])[:2]
        notes.append(
            f"the palettes differ: {number} is {one} in {a.name} and {other} in {b.name}. If the colours are right and "
            "the numbers are not, give a table of the colours: colours={(red, green, blue): number}."
        )
    for part, name in (folder.train, "training"), (folder.val, "validation"):
        counts = enumerate(folder.pixel_counts(part).tolist())
        absent = [folder.class_names[number] for number, count in counts if not count and number != folder.ignore]
        if part and absent and has_names:
            notes.append(f"without a pixel for {name}: {', '.join(map(one_line, absent[:10]))}.")
        empty = [each for each in part if folder.ignore is not None and each.pixels[folder.ignore] == sum(each.pixels)]
        if empty:
            first = name_of(empty[0].mask)
            notes.append(f"nothing is labelled in {counted(len(empty), 'mask')} for {name}, such as {first}.")
    learned = {photo.sha256 for photo in folder.train}
    for photo in folder.val:
        if photo.sha256 in learned:
            notes.append(f"in training and in validation, the same photograph: {photo.path.relative_to(folder.path)}.")
    if examination.undecided:
        first, count = min(examination.undecided).name, counted(len(examination.undecided), "photograph")
        notes.append(
            f"{count} turned by EXIF data, such as {first}: the masks are taken as drawn on the upright image. Their "
            "sizes do not show it."
        )
    return notes


def _names(root, coco, given):
    """Return the names of the classes that were given or that the folder has, or None. Raises DataError for a file that
    holds none, ArgumentError for an argument that holds none."""
    if given is not None:
        names, source, kind = list(given) if not isinstance(given, str) else [given], "class_names", ArgumentError
    elif coco:
        names, source, kind = coco[0].class_names, coco[0].path, DataError
        names = names if has_background(names) else ["background", *names]
    elif (root / NAMES_FILE).is_file():
        source, kind = root / NAMES_FILE, DataError
        try:
            lines = read_content(source, "text", "names of classes").decode("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise DataError(f"{source}: is not UTF-8. Expected the name of a class in each line.") from None
        names = [line.strip() for line in lines if line.strip()]
    else:
        return None
    if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise kind(f"{source}: holds {names!r}; expected the names of the classes, each once, by their numbers.")
    if len(names) > MOST_CLASSES:
        raise kind(
            f"{source}: names {len(names):,} classes; expected at most {MOST_CLASSES}: a mask's pixel is a byte."
        )
    return names


def _numbered(count):
    return [str(number) for number in range(count)]


def _all_numbers(photos):
    """Return the count of pixels of each number from 0 to 255 in the masks of `photos`, int64 (256,)."""
    return np.array([photo.pixels for photo in photos], np.int64).reshape(-1, 256).sum(axis=0)


def _highest(counts, ignore):
    """Return the highest number in masks that is not the ignored one; 0 if there is none."""
    return max((number for number in np.flatnonzero(counts).tolist() if number != ignore), default=0)
