"""The ledger: a record of where every array of a model comes from.

A fine-tuned file holds published weights, a new head, and arrays in between, such as an adapted kernel. After a few
steps of surgery nobody can tell them apart. So each layer keeps an `Origin` for each of its arrays: the file that it
was copied from and the sha256 of this file, how it was converted, and the sha256 of the array as it was put into the
model. A layer that is shared between models, removed or added keeps its origins. Training records nothing: `ledger_of`
takes the digest of each array again and compares it with the digest in the origin. A new array has no
digest until it is saved and loaded again. Until then, the count of its layer's updates shows whether it was trained.

The ledger is written into every file that minitl saves.
"""

import json
import math
from dataclasses import dataclass, replace

from ..terminal import counted
from .formats.stored_file import array_digest

KEY = "minitl_ledger"
FORMAT = 1
LONGEST = 8  # origins in a history; a longer history loses its middle
TEXTS = ("action", "how", "why", "file", "sha256", "name", "numbers", "became")
AS_IT_IS = "as it is"
UNCHANGED, CHANGED, NEW, TRAINED, DAMAGED = "unchanged", "changed", "new", "trained", "damaged"


@dataclass(frozen=True)
class Origin:
    """The origin of one array: what was done to put it into the model, and from which file.

    action    "copied", "adapted" (made from another array) or "initialised" (new)
    how       how it was made: "as it is", "axes (F, C, KH, KW) -> (KH, KW, C, F)", "glorot_uniform", ...
    why       the reason, if there is one to give
    file      the name of the file; `sha256` is the file's digest and `name` the tensor's name in it; None if new
    numbers   the sha256 of the array as it was put into the model (little-endian); None if new and never saved
    became    the sha256 of the array when it was saved or adapted, if it had changed by then
    before    the `Origin` that the array had before this one
    """

    action: str
    how: str = ""
    why: str = ""
    file: str | None = None
    sha256: str | None = None
    name: str | None = None
    numbers: str | None = None
    became: str | None = None
    before: "Origin | None" = None

    def as_data(self):
        """Return the fields that are set, as a dict for JSON."""
        data = {key: getattr(self, key) for key in TEXTS}
        data["before"] = self.before and self.before.as_data()
        return {key: value for key, value in data.items() if value}

    @classmethod
    def from_data(cls, data):
        """Return the Origin that `as_data` made `data` from.

        Raises ValueError, TypeError or AttributeError for other data.
        """
        texts = {key: value for key, value in data.items() if key != "before"}
        if not all(isinstance(value, str) for value in texts.values()):
            raise ValueError("an origin with a field that is no text")
        return cls(**texts, before=cls.from_data(data["before"]) if "before" in data else None)

    @property
    def row(self):
        """Return this origin, the one before it, and so on to the first."""
        return (self, *(self.before.row if self.before else ()))

    @property
    def first(self):
        """Return the oldest origin: the published file, even if the array went through several files since."""
        return self.row[-1]

    @property
    def intact(self):
        """Return whether the array was only copied, from file to file, and never changed in between."""
        return all(each.action == "copied" and each.became is None for each in self.row)

    def as_before(self, numbers):
        """Return the `before` of the next origin, or None if the array was new.

        `numbers` is the digest of the array that the next array is made from. An origin that merely copied an unchanged
        array from file to file is left out, and so is the middle of a long history.
        """
        if self.action == "initialised":
            return None
        changed = numbers != self.numbers
        if not changed and self.before and self.action == "copied" and self.how == AS_IT_IS:
            return self.before
        origin = replace(self, became=numbers if changed else None)
        if len(origin.row) >= LONGEST:
            origin = replace(origin, before=origin.before.before)
        return origin


@dataclass(frozen=True)
class Entry:
    """One line of the ledger: an array, its origin and its state.

    The state is "unchanged" (still what was put into the model), "changed" (trained, or set by hand), "new" (as it was
    initialised), "trained" (new, and trained or set by hand since), or, in a file, "damaged" (not what was saved).
    """

    layer: str
    parameter: str
    shape: tuple
    origin: Origin
    state: str

    @property
    def is_published(self):
        """Return whether the array equals, bit for bit, what the first file held."""
        return self.state == UNCHANGED and self.origin.intact


class Ledger:
    """The entries of all arrays of a model, and `notes` on what was skipped or removed, oldest first."""

    def __init__(self, entries, notes):
        self.entries, self.notes = tuple(entries), tuple(notes)

    def __iter__(self):
        return iter(self.entries)

    def __len__(self):
        return len(self.entries)

    def __getitem__(self, key):
        """Return an entry: `ledger["block1_conv1", "kernel"]`. Raises KeyError if there is none."""
        for entry in self.entries:
            if (entry.layer, entry.parameter) == key:
                return entry
        raise KeyError(key)

    def __repr__(self):
        numbers = sum(math.prod(entry.shape) for entry in self.entries)
        return (
            f"<Ledger of {counted(len(self), 'array')} with {numbers:,} numbers; print it to see where each comes from>"
        )

    def summary(self):
        """Return one line for each source and state, with its count of parameters and tensors."""
        counts = {}
        for entry in self.entries:
            key = _summary_line(entry)
            tensors, numbers = counts.get(key, (0, 0))
            counts[key] = tensors + 1, numbers + math.prod(entry.shape)
        return [
            f"{numbers:>11,} parameters in {tensors:>3} {'tensor: ' if tensors == 1 else 'tensors:'} {key}"
            for key, (tensors, numbers) in counts.items()
        ]

    def sources(self):
        """Return {sha256: (number, file name)} of all files that an array came from, numbered from 1."""
        files = {}
        for entry in self.entries:
            for origin in entry.origin.row:
                if origin.sha256:
                    files.setdefault(origin.sha256, (len(files) + 1, origin.file))
        return files

    def __str__(self):
        sources = self.sources()
        rows, last = [], None
        for entry in self.entries:
            layer = entry.layer if entry.layer != last else ""
            rows.append((layer, entry.parameter, "x".join(map(str, entry.shape)), _line(entry, sources)))
            last = entry.layer
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
        lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[3]]) for row in rows]
        lines += [f"[{number}] {file}  sha256 {sha256}" for sha256, (number, file) in sources.items()]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes), *self.summary()])


def ledger_of(model):
    """Return the `Ledger` of a model as it is now.

    The digest of every array that came from a file is taken again: 0.05 s for 60 MB.
    """
    entries = []
    for layer in model.layers:
        for name in layer.weight_names:
            origin = layer.origins.get(name)
            known = origin is not None and origin.numbers is not None
            entries.append(_entry(layer, name, array_digest(getattr(layer, name)) if known else None))
    return Ledger(entries, model.notes)


def _entry(layer, name, digest):
    """Return the `Entry` of one array, which has this digest now."""
    origin = layer.origins.get(name) or _initialised(layer, name)
    if origin.action == "initialised":
        has_changed = layer.updates > 0 if origin.numbers is None else digest != origin.numbers
        state = TRAINED if origin.became or has_changed else NEW
    else:
        state = UNCHANGED if digest == origin.numbers else CHANGED
    return Entry(layer.name, name, getattr(layer, name).shape, origin, state)


def _initialised(layer, name):
    """Return the origin of an array that its layer initialised."""
    initializer = getattr(layer, f"{name}_initializer", None)
    how = initializer if isinstance(initializer, str) else type(initializer).__name__ if initializer else ""
    return Origin("initialised", how)


def as_text(model, layers=None):
    """Return the ledger as JSON, for a file with all or some of the model's `layers`.

    Each entry also has the digest of the array as it is now, so that a reader can recognize a damaged file.
    """
    entries = []
    for layer in model.layers if layers is None else layers:
        for name in layer.weight_names:
            digest = array_digest(getattr(layer, name))
            entries.append((_entry(layer, name, digest), digest))
    return to_text(entries, model.notes)


def to_text(entries, notes=()):
    """Return (`Entry`, digest of its array as saved) pairs and the notes as JSON."""
    tensors = {
        f"{entry.layer}/{entry.parameter}": {
            **entry.origin.as_data(),
            "shape": list(entry.shape),
            "state": entry.state,
            "saved": saved,
        }
        for entry, saved in entries
    }
    return json.dumps({"format": FORMAT, "tensors": tensors, "notes": list(notes)})


def from_text(text):
    """Return ({(layer, parameter): (Entry, digest as saved)}, notes) from a file's ledger; empty for text None.

    A text that is no ledger raises the errors of its parsing (ValueError, KeyError, RecursionError, ...), which
    `loading.ledger_in` turns into a WeightsError.
    """
    if text is None:
        return {}, []
    data, entries = json.loads(text), {}
    if data["format"] != FORMAT:
        raise ValueError(f"format {data['format']!r}; this version reads format {FORMAT}")
    for key, values in data["tensors"].items():
        layer, _, parameter = key.rpartition("/")
        origin = Origin.from_data({name: value for name, value in values.items() if name in (*TEXTS, "before")})
        shape, state, saved = tuple(values["shape"]), values["state"], values["saved"]
        if not all(type(n) is int for n in shape) or not isinstance(saved, str):
            raise ValueError(f"the entry '{key}' has a shape or a digest of the wrong type")
        if state not in (UNCHANGED, CHANGED, NEW, TRAINED):
            raise ValueError(f"unknown state {state!r}")
        entries[layer, parameter] = Entry(layer, parameter, shape, origin, state), saved
    return entries, [str(note) for note in data["notes"]]


def restored(entry, saved):
    """Return the origin of an array that is read back from a save of the same model, where it had the digest `saved`.

    From there on, the digest shows whether a new array is trained."""
    if entry.origin.action != "initialised":
        return entry.origin
    return replace(entry.origin, numbers=saved, became=saved if entry.state == TRAINED else None)


def adapted(origin, how, why, old, new):
    """Return the origin of the array `new`, which was made from the array `old` of the given origin."""
    return Origin("adapted", how, why, numbers=array_digest(new), before=origin.as_before(array_digest(old)))


def _summary_line(entry):
    """Return the line of the summary that an entry is counted under."""
    if entry.state == DAMAGED:
        return "damaged: not what was saved"
    first = entry.origin.first
    if entry.origin.action == "initialised" or first.file is None:
        return "new here, trained since" if entry.state in (TRAINED, CHANGED) else "new here"
    source = f"from {first.file} ({first.sha256[:12]})"
    if entry.is_published:
        return f"{source}, not one bit changed"
    row = entry.origin.row
    what = f"adapted {source}" if any(each.action == "adapted" for each in row) else source
    changed = entry.state == CHANGED or any(each.became for each in row)
    return f"{what}, changed since" if changed else what


def _line(entry, sources):
    """Return the origin and state of one array in words, `sources` giving the numbers of the files."""
    if entry.origin.action == "initialised":
        origin = entry.origin
        words = ["new:", origin.how or "initialised", f"({origin.why})" if origin.why else ""]
        return " ".join(filter(None, words)) + {TRAINED: ", trained since", DAMAGED: ", DAMAGED"}.get(entry.state, "")
    words = []
    for origin in entry.origin.row:
        source = f" from [{sources[origin.sha256][0]}]" if origin.sha256 else ""
        plain = origin.name is None or entry.layer in origin.name and entry.parameter in origin.name
        how = "" if origin.how == AS_IT_IS else f", {origin.how}"
        why = f" ({origin.why})" if origin.why else ""
        changed = ", then changed" if origin.became else ""
        words.append(f"{origin.action}{source}{'' if plain else ' ' + origin.name}{how}{why}{changed}")
    end = {CHANGED: ", changed since", DAMAGED: ", DAMAGED since"}.get(entry.state, "")
    return words[0] + end + "".join(f"; before that {each}" for each in words[1:])
