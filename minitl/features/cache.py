"""The cache: what minitl keeps on the disk, and what of it is removed when it takes too much room.

    $MINITL_HOME/features/<key>/<set>/    features of photographs (`store`)
    $MINITL_HOME/runs/<key>/              checkpoints of unfinished runs
    $MINITL_HOME/models/                  weights that were downloaded

All features together take at most `limit_bytes`. What was not used for the longest time goes first. Features that a
process uses are never removed, and neither are checkpoints or weights, unless somebody asks for it (`clean`).

Who calls this: `on_disk`, after it has written; the command `minitl cache`.
"""

import json
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ArgumentError
from ..files.home import home_folder
from ..files.locks import is_held

LIMIT = 10.0  # GB
UNITS = {"": 1e9, "gb": 1e9, "g": 1e9, "mb": 1e6, "m": 1e6, "tb": 1e12, "t": 1e12}


@dataclass
class Entry:
    """Something that is kept, and is removed as a whole.

    kind       "features", "run" or "weights"
    name       the base of features, or the name of a file of weights
    folder     the folder of photographs that it belongs to, or "" if that is not known
    paths      the files and folders that it consists of
    size       bytes;   used   when it was last used, in seconds since 1970; of weights, when they were fetched
    count      the number of photographs, None where it has none;   noun   the word for them
    """

    kind: str
    name: str
    folder: str
    paths: list = field(default_factory=list)
    size: int = 0
    used: float = 0.0
    count: int | None = None
    noun: str = ""

    @property
    def is_used(self):
        """Return whether a process uses it now."""
        if self.kind == "features":
            return any(is_held(path / "rows") for path in self.paths)
        return self.kind == "run" and any(is_held(path / ".whole.lock") for path in self.paths)

    def remove(self):
        """Remove it, unless a process uses it. Returns whether it is gone."""
        if self.is_used:
            return False
        for path in self.paths:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
                if self.kind == "features":
                    _remove_if_empty(path)
            else:
                path.unlink(missing_ok=True)
        return not any(path.exists() for path in self.paths)

    def as_data(self):
        """Return the entry as JSON can hold it."""
        data = {"kind": self.kind, "name": self.name, "folder": self.folder, "bytes": self.size, "count": self.count}
        when = "fetched" if self.kind == "weights" else "last_used"
        return {**data, when: self.used, "in_use": self.is_used, "paths": [str(path) for path in self.paths]}


def contents(home=None):
    """Return all that is kept as a list of `Entry`: features, runs, weights; in each kind, the latest one first."""
    home = home_folder() if home is None else Path(home)
    found = [*kept_features_in(home / "features"), *_runs(home / "runs"), *_weights(home / "models")]
    kinds = ("features", "run", "weights")
    return sorted(found, key=lambda entry: (kinds.index(entry.kind), -entry.used))


def clean(kinds=("features",), home=None):
    """Remove what is kept of these kinds, but nothing that is in use. Returns (removed, left) as lists of `Entry`."""
    entries = [entry for entry in contents(home) if entry.kind in kinds]
    removed = [entry for entry in entries if entry.remove()]
    return removed, [entry for entry in entries if entry not in removed]


def limit_bytes():
    """Return the most bytes that features may take: $MINITL_CACHE_LIMIT, as "20" or "500 MB"; by default 10 GB.

    Raises ArgumentError if it is no such number.
    """
    text = os.environ.get("MINITL_CACHE_LIMIT", "").strip().lower()
    number = text.rstrip("gmtb ")
    try:
        factor, size = UNITS[text[len(number) :].strip()], float(number) if text else LIMIT
        if not 0 <= size < float("inf"):
            raise ValueError
    except (KeyError, ValueError):
        raise ArgumentError(f"MINITL_CACHE_LIMIT is {text!r}; expected a number of GB, such as 20 or 0.5.") from None
    return int(size * factor)


def keep_within_limit(folder):
    """Remove features from `folder` until they take at most `limit_bytes`, the least recently used first."""
    entries, limit = kept_features_in(folder), limit_bytes()
    total = sum(entry.size for entry in entries)
    for entry in sorted(entries, key=lambda entry: entry.used):
        if total <= limit:
            return
        if entry.remove():
            total -= entry.size
            place = f" of {entry.folder}" if entry.folder else ""
            print(f"Cache: features{place} were removed ({size_text(entry.size)}): the limit is {size_text(limit)}.")


def kept_features_in(folder):
    """Return an `Entry` for the features of each base and folder of photographs."""
    entries = {}
    for rows in sorted(Path(folder).glob("*/*/rows")):
        about, place = _about(rows.parent), rows.parent
        name, photographs = str(about.get("base", "?")), str(about.get("folder", ""))
        key = name, photographs or place.name, str(about.get("example"))
        entry = entries.setdefault(key, Entry("features", name, photographs, count=0, noun=str(about.get("noun", ""))))
        size, used = _size_and_date(place)
        entry.paths.append(place)
        entry.size, entry.used = entry.size + size, max(entry.used, used)
        entry.count = max(entry.count, _number_of_rows(place))
    return list(entries.values())


def _runs(folder):
    """Return an `Entry` for each folder of checkpoints."""
    found = []
    for path in sorted(path for path in folder.glob("*") if path.is_dir()):
        if any(path.rglob("*.safetensors")):
            size, used = _size_and_date(path)
            found.append(Entry("run", "checkpoints", str(_about(path).get("folder", "")), [path], size, used))
    return found


def _weights(folder):
    """Return an `Entry` for each file of downloaded weights."""
    files = sorted(path for path in folder.glob("*") if path.is_file() and not path.name.startswith("."))
    return [Entry("weights", path.name, "", [path], path.stat().st_size, path.stat().st_mtime) for path in files]


def _about(folder):
    """Return what a folder says about itself, or {}."""
    try:
        data = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _number_of_rows(folder):
    """Return the number of rows in the index of a set; 0 where it cannot be read."""
    try:
        return len(json.loads((folder / "index.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return 0


def _size_and_date(folder):
    """Return the bytes of all files in a folder, and the date of the newest."""
    size, used = 0, 0.0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.stat(os.path.join(place, name))
            except OSError:
                continue
            size, used = size + status.st_size, max(used, status.st_mtime)
    return size, used


def _remove_if_empty(place):
    """Remove the lock file of a removed set, and the folder of its store if nothing else is in it."""
    place.with_name(f".{place.name}.lock").unlink(missing_ok=True)
    try:
        place.parent.rmdir()
    except OSError:
        pass


def size_text(count):
    """Return a number of bytes as text."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def age_text(used):
    """Return how long ago something was used or fetched."""
    seconds = max(0.0, time.time() - used)
    for length, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {name}{'s' * (count != 1)} ago"
    return "just now"
