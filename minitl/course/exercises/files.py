"""The files of a learner: NAME.py for each exercise that was begun, and `exercises.json`, which says how far one is.

Both are in the folder in which the commands run. Nothing else is kept anywhere.
"""

import hashlib
import json
import os
import textwrap
from pathlib import Path

from ...errors import ArgumentError, DataError
from ...files.atomic import replacing
from .checking import SECONDS
from .child import check_file

STATE = "exercises.json"
WIDTH = 80
INDENT = "    "


def start(exercise, folder=".", number=None):
    """Write the file in which the learner writes the answer, and return its path. A file that is there stays as it is:
    ArgumentError.

    number   ("exercise 3 of 24") of the first line, or None
    """
    path = Path(folder, exercise.file_name)
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(page(exercise, number))
    except FileExistsError:
        raise ArgumentError(
            f"{path} is there already, and stays as it is. To begin anew, give it another name first."
        ) from None
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be written ({error.strerror}). Choose another folder.") from None
    return path


def page(exercise, number=None):
    """Return the text of the file that `start` writes."""
    quoted = f"{exercise.title}{f' ({number})' if number else ''}"
    lines = [f'"""{quoted}', "", *textwrap.wrap(exercise.text, WIDTH)]
    for heading, described in ("Given", exercise.given), ("To return", exercise.returns):
        lines += ["", f"{heading}:", ""]
        width = max(map(len, described)) + 2
        for name, text in described.items():
            lead = f"{INDENT}{name:<{width}}"
            lines += textwrap.wrap(" ".join(text.split()), WIDTH, initial_indent=lead,
                                   subsequent_indent=" " * len(lead), break_on_hyphens=False)  # fmt: skip
    lines += ["", "Formula:", "", *(f"{INDENT}{line}".rstrip() for line in exercise.formula.split("\n")), ""]
    if not exercise.loops:
        lines += ["Without a loop over the numbers: let NumPy work on whole arrays.", ""]
    lines += [f"minitl exercises check {exercise.name}", '"""', "", "import numpy as np", "", ""]
    lines += [f"def {exercise.head}:", f"{INDENT}...  # write this function, in at most 20 lines", ""]
    return "\n".join(lines)


def check_in(folder, exercise, seconds=SECONDS, of=None):
    """Check the answer in a folder, write the result to `exercises.json` there, and return the `Verdict`."""
    path = Path(folder, exercise.file_name)
    if not path.is_file():
        raise ArgumentError(f"{path} is not there. minitl exercises start {exercise.name} writes it.")
    digest = digest_of(path)
    verdict = check_file(exercise, path, seconds, of)
    state = State(folder)
    entry = state.of(exercise.name)
    entry.update(checks=entry["checks"] + 1, passed=verdict.passed, file=digest)
    state.write()
    return verdict


def next_hint(folder, exercise):
    """Return the hints so far and the next one, and write how many those are to `exercises.json`."""
    state = State(folder)
    entry = state.of(exercise.name)
    entry["hints"] = min(entry["hints"] + 1, len(exercise.hints))
    state.write()
    return exercise.hints[: entry["hints"]]


def progress(folder, exercise):
    """Return how far one is: {"state": "not begun", "begun", "right" or "changed", "checks": ..., "hints": ...}.

    "changed" stands for a file that was right when it was checked and is another one now.
    """
    path, entry = Path(folder, exercise.file_name), State(folder).of(exercise.name)
    state = "begun" if path.is_file() else "not begun"
    if path.is_file() and entry["passed"]:
        state = "right" if digest_of(path) == entry["file"] else "changed"
    return {"state": state, "checks": entry["checks"], "hints": entry["hints"]}


def digest_of(path):
    """Return a checksum of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


class State:
    """The contents of `exercises.json` in a folder: {name: {"passed", "checks", "hints", "file"}}."""

    def __init__(self, folder):
        self.path = Path(folder, STATE)
        try:
            self.entries = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self.entries = {}
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path}: cannot be read ({error}). Remove it to begin anew.") from None
        if not isinstance(self.entries, dict):
            raise DataError(f"{self.path}: expected the progress of exercises. Remove it to begin anew.")

    def of(self, name):
        """Return the entry of an exercise, which may be changed."""
        entry = {"passed": False, "checks": 0, "hints": 0, "file": None}
        known = self.entries.get(name)
        for key in entry:
            if isinstance(known, dict) and isinstance(known.get(key), (type(entry[key]), str)):
                entry[key] = known[key]
        self.entries[name] = entry
        return entry

    def write(self):
        """Write the file, as a whole or not at all."""
        with replacing(self.path, check=os.path.getsize) as temporary:
            Path(temporary).write_text(json.dumps(self.entries, indent=2) + "\n", encoding="utf-8")
