"""Labelled texts from a file or a folder. An audit looks at every text before anything is trained.

    reviews.csv                                one file: `tables` has the formats
    train.tsv, val.tsv, test.tsv               a file for each part, also stsa.binary.train, .dev and .test
    train/pos/1.txt, train/neg/2.txt, ...      a file for each text, in a folder for each class; also without parts
    train/a.csv, val/b.csv                     files in a folder for each part

`layout` finds the parts. All of them are read by the same rules, and their labels mean the same: the names of the
classes are those of the texts to learn from, sorted, or in the order of their numbers if all of them are whole numbers.
A class that is only in another part is an error.

Where there is no part to measure on, `split` holds back a share of the texts: of each class, and copies beside their
original. `audit` says what is wrong with texts. Read next: `lengths` and `stream`, where texts are numbers.
"""

import hashlib
import re
import textwrap
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...arguments import AnyPath, whole_number
from ...errors import ArgumentError, DataError
from ...progress import Progress
from ...terminal import counted, printable, shortened, table
from ..folders import WIDTH, Photo, one_line
from ..split import held_back, require_share
from ..walk import AdviceError, Walk
from .audit import PARTS, counts_of, fault_of, key_of, notes_on, same_texts
from .layout import parts_in
from .tables import MissingColumnError, read_table, read_text

MOST_PRINTED = 20  # of the lines of one kind; all are in the attributes
WIDEST_NAME = 30


@dataclass(frozen=True)
class Text:
    """One labelled text: the text, its label (a position in `class_names`), and where it is from, as "file:line"."""

    text: str
    label: int
    source: str


@dataclass
class TextFolder:
    """The labelled texts of a file or folder, as the audit has found them.

    class_names        the names of the classes; a label is a position in this list
    train, val, test   lists of `Text`
    skipped            (file or "file:line", reason) of everything that was left out
    notes              sentences about what is doubtful
    """

    path: Path
    class_names: list
    train: list
    val: list
    test: list = field(default_factory=list)
    skipped: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    @property
    def parts(self):
        """{part: list of `Text`} of the parts that hold texts."""
        return {part: getattr(self, part) for part in PARTS if getattr(self, part)}

    def counts(self, texts):
        """Return the number of texts of each class, in the order of `class_names`."""
        return counts_of(texts, len(self.class_names))

    @property
    def duplicates(self):
        """Lists of (part, `Text`) that are the same text."""
        return same_texts(self.parts)

    @property
    def in_two_parts(self):
        """The `duplicates` that are in two of training, validation and test."""
        return list(filter(_has_two_parts, self.duplicates))

    @property
    def with_two_labels(self):
        """The `duplicates` that have two or more labels."""
        return list(filter(_has_two_labels, self.duplicates))

    def __repr__(self):
        return (
            f"<TextFolder {self.path}: {counted(len(self.class_names), 'class')}, "
            f"{counted(len(self.train), 'text')} for training, {len(self.val):,} for validation, "
            f"{len(self.test):,} for the test, {len(self.skipped):,} left out>"
        )

    def __str__(self):
        shown = self.parts
        words = {part: [len(text.text.split()) for text in texts] for part, texts in shown.items()}
        counts = [self.counts(texts) for texts in shown.values()]
        names = [shortened(printable(one_line(name)), WIDEST_NAME) for name in self.class_names]
        rows = [
            ("class", *(PARTS[part] for part in shown)),
            *list(zip(names, *counts))[:MOST_PRINTED],
            ("all texts", *map(len, shown.values())),
            ("words: the median", *(round(float(np.median(each))) for each in words.values())),
            ("words: the most", *(max(each) for each in words.values())),
        ]
        rows = [[cell if isinstance(cell, str) else f"{cell:,}" for cell in row] for row in rows]
        lines = table(rows, WIDTH).split("\n")
        if len(names) > MOST_PRINTED:
            lines.insert(MOST_PRINTED + 1, f"({len(names) - MOST_PRINTED} more classes)")
        same = self.duplicates
        two_labels, two_parts = list(filter(_has_two_labels, same)), list(filter(_has_two_parts, same))
        harmless = [group for group in same if not (_has_two_labels(group) or _has_two_parts(group))]
        lines += _few([f"left out: {source}: {reason}" for source, reason in self.skipped], "left out", "skipped")
        lines += [f"WARNING: {note}" for note in self.notes]
        for words, groups, attribute in (
            ("WARNING: one text, two labels", two_labels, "with_two_labels"),
            ("WARNING: the same text in two parts", two_parts, "in_two_parts"),
        ):
            listed = [f"{words}: {', '.join(text.source for _, text in group[:4])}" for group in groups]
            lines += _few(listed, words, attribute, MOST_PRINTED // 4)
        if harmless:
            copies = sum(len(group) - 1 for group in harmless)
            first = " and ".join(text.source for _, text in harmless[0][:2])
            lines.append(f"copies of a text within its part: {copies:,}, such as {first}")
        return "\n".join(short for line in lines for short in _wrapped(printable(one_line(line))))


def read_texts(
    path: AnyPath, text=None, label=None, val_share=0.2, seed=0, encoding=None, class_names=None, strict=False,
    verbose=1, follow_links=False,
) -> TextFolder:  # fmt: skip
    """Read labelled texts from a file or a folder, and look for what is wrong. Returns a `TextFolder`.

    text, label   the names of the columns (None: "text" and "label")
    val_share     the share to hold back for validation where there is no part for it: from 0 (none) to below 1. The
                  rule is that of `data.split`: close to the share in each class, copies on one side
    seed          of the choice of the texts that are held back
    encoding      None: UTF-8, or UTF-16 with its mark; otherwise that of all the files, such as "latin-1"
    class_names   the classes in the order of their labels, such as those of a trained model (None: those of the files)
    strict        True: raise DataError for the first thing that would be left out
    follow_links  True: follow links that lead out of the folder as well

    Raises DataError for a file that is no table of texts, for a part without texts, for a single class, and for a class
    that is in one part and not among those to learn from; ArgumentError for other arguments.
    """
    require_share(val_share)
    whole_number(seed, "seed", 0)
    given = _checked_names(class_names)
    root = Path(path)
    if root.is_dir():
        walk = Walk(root, follow_links, "labelled texts")
        found, skipped = parts_in(walk), [(one_line(each.as_posix()), reason) for each, reason in walk.skipped]
    else:
        root, found, skipped = root.parent, {"all": [root]}, []
    reading = _Reading(path, root, {"text": text, "label": label, "encoding": encoding}, strict, skipped)
    rows = {}
    for part, places in found.items():
        rows[part] = reading.rows(part, places, verbose)
    learned = rows["train"] if "train" in rows else rows["all"]
    names = given or sorted_names({label for _, label, _ in learned})
    _check_classes(path, names, rows, given, reading)
    numbers = {name: number for number, name in enumerate(names)}
    parts = {part: [Text(text, numbers[name], source) for text, name, source in each] for part, each in rows.items()}
    if "val" not in parts:
        parts["train"], parts["val"] = _divided(path, names, parts.pop("all", None) or parts["train"], val_share, seed)
    folder = TextFolder(Path(path), names, parts["train"], parts["val"], parts.get("test", []), reading.skipped)
    folder.notes = notes_on(names, folder.parts, reading.left_out, reading.read)
    return folder


def sorted_names(labels):
    """Return the names of classes in a stable order: by their numbers if all are whole numbers, otherwise sorted."""
    if all(re.fullmatch(r"[+-]?\d{1,18}", label) for label in labels):
        return sorted(labels, key=lambda label: (int(label), label))
    return sorted(labels)


def folds(texts, count=10):
    """Return the number of the fold of each text, from 0 to count - 1, as the published splits of some sets state them:
    the line number within the class, modulo `count`. The first text of each class is in fold 0, the second in fold 1.

    For fold 3: `[t for t, fold in zip(texts, folds(texts)) if fold == 3]` are to be measured on, the others to learn
    from. `texts` are `Text`s in the order of their file, as `read_texts(path, val_share=0).train` has them.
    """
    count, seen, found = whole_number(count, "count", 2), Counter(), []
    for text in texts:
        found.append(seen[text.label] % count)
        seen[text.label] += 1
    return found


# ---- reading, and what is refused ----


class _Reading:
    """The reading of all files: good rows are returned, all others recorded.

    path      what is read, for messages;   root   the folder that names of files begin in
    skipped   (source, reason);   read, left_out   {file: number of rows}
    """

    def __init__(self, path, root, options, strict, skipped):
        self.path, self.root, self.options, self.strict, self.skipped = path, root, options, strict, skipped
        self.read, self.left_out, self.known = Counter(), Counter(), set()

    def rows(self, part, places, verbose):
        """Return [(text, name of its class, source)] of a part."""
        if isinstance(places, dict):
            found = self._from_files(places, verbose)
        else:
            found = [row for file in places for row in self._from_table(part, file)]
        if not found and part != "test":
            first = f" The first that was left out is {': '.join(self.skipped[0])}." if self.skipped else ""
            raise DataError(f"{self.path}: has no text for {PARTS.get(part, 'training')}.{first}")
        self.known.update(label for _, label, _ in found)
        return found

    def _from_table(self, part, file):
        name = self._name(file)
        try:
            table = read_table(file, **self.options, known=self.known)
        except MissingColumnError as error:
            if part != "test" or error.usual != "label" or self.strict:
                raise
            self.skipped.append((name, "is a test part without labels"))  # as published where the labels are secret
            return []
        self.read[name] += len(table.rows) + len(table.faults)
        faults, found = list(table.faults), []
        for row in table.rows:
            text = row.text.strip()
            reason = fault_of(text or row.text)
            if reason:
                faults.append((row.line, reason))
            else:
                found.append((text, row.label, f"{name}:{row.line}"))
        for line, reason in sorted(faults):
            self._leave_out(name, f"{name}:{line}", reason)
        return found

    def _from_files(self, classes, verbose):
        found = []
        with Progress(f"Reading {self.root.name}", sum(map(len, classes.values())), enabled=bool(verbose)) as bar:
            for name, files in classes.items():
                for file in files:
                    source, text = self._name(file), ""
                    try:
                        text = read_text(file, self.options["encoding"])
                        reason = fault_of(text.strip() or text)
                    except DataError as error:
                        reason = str(error).removeprefix(str(file)).lstrip(":").strip().rstrip(".")
                    self.read[source.rsplit("/", 1)[0] + "/"] += 1
                    if reason:
                        self._leave_out(source.rsplit("/", 1)[0] + "/", source, reason)
                    else:
                        found.append((text.strip(), name, f"{source}:1"))
                    bar.advance(1)
        return found

    def _name(self, file):
        return one_line(file.relative_to(self.root).as_posix())

    def _leave_out(self, file, source, reason):
        if self.strict:
            go_on = "to go on without it."
            text = f"{self.root / source}: {reason}."
            raise AdviceError(text, f"Give strict=False {go_on}", f"Leave out --strict {go_on}")
        self.left_out[file] += 1
        self.skipped.append((source, reason))


def _checked_names(class_names):
    """Return the given names of the classes as a list of strings, or None. Raises ArgumentError."""
    if class_names is None:
        return None
    names = [] if isinstance(class_names, str) else [str(name) for name in class_names]
    if not names or len(set(names)) != len(names):
        raise ArgumentError(f"class_names is {class_names!r}; expected a list of different names.")
    return names


def _check_classes(path, names, rows, given, reading):
    """Raise DataError for one class only, for labels that are none, and for a label that is no class to learn."""
    learned = rows.get("train", rows.get("all"))
    if len(names) == 1 and not given:
        first = f" The first that was left out is {': '.join(reading.skipped[0])}." if reading.skipped else ""
        raise DataError(f"{path}: has one class only, '{names[0]}'. Expected texts of two or more classes.{first}")
    if len(names) > 50 and 2 * len(names) > len(learned) and not given:
        raise DataError(
            f"{path}: has {len(names):,} different labels for {len(learned):,} texts, such as '{names[0][:40]}'. "
            "Expected a few classes. Are the columns of text and label exchanged?"
        )
    known = set(names)
    for part, each in rows.items():
        for _, label, source in each:
            if label not in known:
                shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
                whose = "the given classes" if given else "the texts to learn from"
                what = f"for {PARTS[part]} the class" if part in PARTS else "the class"
                raise DataError(f"{path}: {source} has {what} '{label}', which {whose} do not have ({shown}).")


def _divided(path, names, texts, share, seed):
    """Return (texts to learn from, texts that are held back). Raises DataError for a class that cannot be divided."""
    digests = [hashlib.sha256(f"{seed} {key_of(text.text)}".encode()).hexdigest() for text in texts]
    held = held_back([Photo(None, text.label, digest) for text, digest in zip(texts, digests)], share)
    train = [text for text, digest in zip(texts, digests) if digest not in held]
    val = [text for text, digest in zip(texts, digests) if digest in held]
    if share:
        sides = zip(names, counts_of(texts, len(names)), counts_of(train, len(names)), counts_of(val, len(names)))
        for name, count, learned, measured in sides:
            if count and not (learned and measured):
                text = (
                    f"{path}: class '{name}' has one text only (not counting copies, and texts that are in another "
                    "class as well). Expected two or more: one to learn from, and one to measure on."
                )
                raise AdviceError(text, "Add some, or give val_share=0.", "Add some.")
    return train, val


def _has_two_parts(group):
    return len({part for part, _ in group}) > 1


def _has_two_labels(group):
    return len({text.label for _, text in group}) > 1


def _few(lines, words, attribute, most=MOST_PRINTED):
    """Return the first lines, and a line that says how many more there are."""
    more = len(lines) - most
    return lines if more <= 0 else [*lines[:most], f"{words}: {more:,} more (in Python: {attribute})"]


def _wrapped(line):
    return textwrap.wrap(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False) or [line]
