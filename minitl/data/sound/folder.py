"""Labelled recordings in a folder. An audit listens to every file before anything is trained.

    sounds/yes/*.wav, sounds/no/*.wav                         a subfolder for each class
    sounds/train/yes/..., sounds/val/yes/...                  the same for two parts
    sounds/0_george_10.wav, ...                               names by a pattern: "{class}_{speaker}_*" (`naming`)

Recordings of one group, such as a speaker, are either learned from or measured on (`groups`): `group="speaker"` names
the word of the pattern. Where the folder is not divided into parts, a share of each class is held back, in whole
groups, and copies beside their original.

`audit` says what is wrong with recordings. Read next: `stream`, where they become batches.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ...errors import ArgumentError, DataError, MissingExtraError
from ...progress import Progress
from ...terminal import counted, printable, shortened, table
from ..folders import WIDTH, one_line, wrapped
from ..photos import in_threads
from ..split import held_back, require_share
from ..text.folder import sorted_names
from ..walk import OUTSIDE, AdviceError, Walk
from .audit import LONGEST, PARTS, SHORTEST, counts_of, digest_of, fault_of, notes_on, same_sounds
from .groups import held_groups, require_whole_groups
from .layout import by_pattern, by_subfolder
from .naming import NamePattern
from .reading import read_sound

MOST_PRINTED = 20  # of the lines of one kind; all are in the attributes
WIDEST_NAME = 30


@dataclass(frozen=True)
class Recording:
    """One recording: its file, its label (a position in `class_names`), and the sha256 of its samples.

    group      what it must not be divided from, or None;   fields   {word: text} of its name, by the pattern
    count      samples at `rate` a second;   channels, clipped   as in `reading.Sound`
    """

    path: Path
    label: int
    sha256: str
    group: str | None
    fields: dict = field(compare=False)
    count: int
    rate: int
    channels: int
    clipped: int

    @property
    def seconds(self):
        """The duration."""
        return self.count / self.rate


@dataclass
class SoundFolder:
    """The recordings of a folder, as the audit has found them.

    class_names   the names of the classes; a label is a position in this list
    train, val    lists of `Recording`
    skipped       (path, reason) of every file that was left out
    notes         sentences about what is doubtful
    """

    path: Path
    class_names: list
    train: list
    val: list
    skipped: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    @property
    def parts(self):
        """{part: list of `Recording`} of the parts that hold recordings."""
        return {part: getattr(self, part) for part in PARTS if getattr(self, part)}

    @property
    def groups(self):
        """The names of all groups, sorted."""
        return sorted({each.group for each in (*self.train, *self.val)} - {None})

    def counts(self, recordings):
        """Return the number of recordings of each class, in the order of `class_names`."""
        return counts_of(recordings, len(self.class_names))

    def divided(self, is_held):
        """Return a `SoundFolder` of the same recordings, divided anew.

        is_held   takes a `Recording` and says whether it is held back: `lambda each: each.group == "george"`

        Raises DataError if a group would be on both sides, or a class would have none to learn from.
        """
        everything = [*self.train, *self.val]
        train = [each for each in everything if not is_held(each)]
        val = [each for each in everything if is_held(each)]
        require_whole_groups(self.path, train, val)
        folder = replace(self, train=train, val=val)
        folder.notes = notes_on(self.class_names, folder.parts, folder.name_of)
        _require_recordings(folder)
        return folder

    def name_of(self, recording):
        """Return the path of a recording within the folder, as one line."""
        return one_line(recording.path.relative_to(self.path).as_posix())

    @property
    def duplicates(self):
        """Lists of (part, `Recording`) with the same samples."""
        return same_sounds(self.parts)

    def __repr__(self):
        return (
            f"<SoundFolder {self.path}: {counted(len(self.class_names), 'class')}, "
            f"{counted(len(self.train), 'recording')} for training, {len(self.val):,} for validation, "
            f"{len(self.skipped):,} left out>"
        )

    def __str__(self):
        shown, names = self.parts, [shortened(printable(one_line(name)), WIDEST_NAME) for name in self.class_names]
        counts = [self.counts(recordings) for recordings in shown.values()]
        seconds = [[each.seconds for each in recordings] for recordings in shown.values()]
        rows = [
            ("class", *(PARTS[part] for part in shown)),
            *list(zip(names, *counts))[:MOST_PRINTED],
            ("all recordings", *map(len, shown.values())),
        ]
        if self.groups:
            rows.append(("groups", *(len({each.group for each in recordings}) for recordings in shown.values())))
        rows = [[cell if isinstance(cell, str) else f"{cell:,}" for cell in row] for row in rows]
        rows += [
            ["seconds: the median", *(f"{np.median(each):.2f}" for each in seconds)],
            ["seconds: the shortest", *(f"{min(each):.2f}" for each in seconds)],
            ["seconds: the longest", *(f"{max(each):.2f}" for each in seconds)],
        ]
        lines = table(rows, WIDTH).split("\n")
        if len(names) > MOST_PRINTED:
            lines.insert(MOST_PRINTED + 1, f"({len(names) - MOST_PRINTED} more classes)")
        lines += _few([f"left out: {one_line(path)}: {reason}" for path, reason in self.skipped], "left out")
        if any(reason == OUTSIDE for _, reason in self.skipped):
            lines.append("To follow the links: --follow-links (in Python: follow_links=True).")
        lines += [f"WARNING: {note}" for note in self.notes]
        lines += _few(*self._said_of_copies())
        return "\n".join(short for line in lines for short in wrapped(printable(one_line(line))))

    def _said_of_copies(self):
        """Return (lines on recordings that are there more than once, the word before their number)."""
        lines = []
        for group in self.duplicates:
            words = "the same recording"
            if len({part for part, _ in group}) > 1:
                words = "WARNING: in training and in validation, the same recording"
            if len({each.label for _, each in group}) > 1:
                words = "WARNING: one recording, two labels. Leave it in the right class alone"
            lines.append(f"{words}: {', '.join(self.name_of(each) for _, each in group[:4])}")
        return sorted(lines, key=lambda line: not line.startswith("WARNING")), "the same recording"


def audit_sounds(
    path, pattern=None, group=None, val_share=0.2, shortest=SHORTEST, longest=LONGEST, strict=False, verbose=1,
    follow_links=False,
) -> SoundFolder:  # fmt: skip
    """Listen to all files in a folder of recordings. Returns a `SoundFolder`.

    pattern     how names of files say what is in them: "{class}_{speaker}_*" (None: a subfolder for each class)
    group       the word of the pattern whose recordings stay together, such as "speaker". None: "group", if the pattern
                has this word
    val_share   the share to hold back for validation if the folder is not divided into `train/` and `val/`: from 0
                (none) to below 1
    shortest, longest   in seconds: other recordings are left out
    strict      True: raise DataError for the first file that would be left out
    follow_links   True: follow links that lead out of the folder as well, once each

    Raises DataError if there are no recordings, only one class, classes that differ between training and validation, a
    class that cannot be divided, or a group in both parts.
    """
    require_share(val_share)
    pattern = None if pattern is None else NamePattern(pattern)
    group = _checked_group(group, pattern)
    walk = Walk(path, follow_links, noun="recordings")
    files = by_pattern(walk, pattern) if pattern else by_subfolder(walk)
    class_names = sorted_names({fields["class"] for each in files.values() for _, fields in each})
    _require_classes(walk, class_names, files)
    numbers, found = {name: number for number, name in enumerate(class_names)}, {part: [] for part in files}
    everything = [(part, file, fields) for part, each in files.items() for file, fields in each]

    def listened(entry):
        """Return the `Recording` in a file, or why there is none."""
        _, file, fields = entry
        try:
            sound = read_sound(file)
            fault = fault_of(sound, shortest, longest)
        except (DataError, MissingExtraError, OSError) as error:
            fault = str(error).removeprefix(f"{file}: ").rstrip(".")
        if fault:
            return fault
        return Recording(
            file, numbers[fields["class"]], digest_of(sound), fields.get(group), fields, len(sound.samples),
            sound.rate, sound.channels, sound.clipped,
        )  # fmt: skip

    with Progress(f"Listening to {walk.root.name}", len(everything), enabled=bool(verbose), lines=True) as bar:
        for (part, file, _), result in zip(everything, in_threads(listened, everything)):
            if isinstance(result, Recording):
                found[part].append(result)
            elif strict:
                go_on = "to go on without such files."
                raise AdviceError(f"{file}: {result}.", f"Give strict=False {go_on}", f"Leave out --strict {go_on}")
            else:
                walk.skip(file, result)
            bar.advance(1)
    if "all" in found:
        everything = found.pop("all")
        held = _held(everything, group, val_share)
        found["train"] = [each for each in everything if not held(each)]
        found["val"] = [each for each in everything if held(each)]
    folder = SoundFolder(walk.root, class_names, found["train"], found["val"], walk.skipped)
    require_whole_groups(folder.path, folder.train, folder.val)
    folder.notes = notes_on(class_names, folder.parts, folder.name_of)
    _require_recordings(folder, group, needs_both="all" in files and val_share > 0)
    return folder


def _held(recordings, group, share):
    """Return the function that says of a recording whether it is held back."""
    if group is None:
        digests = held_back(recordings, share)
        return lambda each: each.sha256 in digests
    groups = held_groups(recordings, share)
    return lambda each: each.group in groups


def _checked_group(group, pattern):
    names = pattern.names if pattern else []
    if group is None:
        return "group" if "group" in names else None
    if group not in names or group == "class":
        known = ", ".join(name for name in names if name != "class") or "none, without a pattern"
        raise ArgumentError(f"group is {group!r}; expected one of the words of the pattern: {known}.")
    return group


def _require_classes(walk, class_names, files):
    """Raise DataError unless there are two classes, and each part has all of them."""
    if len(class_names) < 2:
        raise DataError(f"{walk.root}: has one class only, '{class_names[0]}'. Expected recordings of two or more.")
    for part, each in files.items():
        absent = sorted(set(class_names) - {fields["class"] for _, fields in each})
        if absent:
            raise DataError(f"{walk.root}: there are no recordings of class '{absent[0]}' for {PARTS[part]}.")


def _require_recordings(folder, group=None, needs_both=False):
    """Raise DataError unless each class has recordings to learn from, and, if `needs_both`, to measure on."""
    sides = zip(folder.class_names, folder.counts(folder.train), folder.counts(folder.val))
    for name, learned, measured in sides:
        if not learned + measured:
            raise DataError(f"{folder.path}: no recording of class '{name}' can be used. {_first_skipped(folder)}")
        if learned and (measured or not needs_both):
            continue
        if needs_both and group:
            raise DataError(
                f"{folder.path}: class '{name}' cannot be divided: all its recordings are of one {group}, or of some "
                "that share recordings. Expected two in each class: one to learn from, and one to measure on."
            )
        purpose = "measure on" if learned else "learn from"
        raise DataError(
            f"{folder.path}: class '{name}' has no recording to {purpose}. Add some, or divide differently."
        )


def _first_skipped(folder):
    return ": ".join(["The first that was left out is " + str(folder.skipped[0][0]), folder.skipped[0][1]]) + "."


def _few(lines, words):
    """Return the first lines, and a line that says how many more there are."""
    more = len(lines) - MOST_PRINTED
    return lines if more <= 0 else [*lines[:MOST_PRINTED], f"{words}: {more:,} more"]
