"""Inspection of weight files without a model: verify a file, list its tensors, compare two files.

Each function returns a text for people and data for programs.
"""

import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import WeightsError
from ..progress import Progress
from ..terminal import counted, table
from . import ledger, loading
from .distrust.known_files import name_of
from .distrust.opening import open_weights
from .formats.stored_file import FLOATS, array_digest
from .naming import own_places
from .published.catalogue import names_of

WIDTH = 80  # columns of a terminal


def opened(path):
    """Open a file of weights, with a progress bar for its digest."""
    try:
        size = Path(path).stat().st_size
    except (OSError, ValueError):
        size = 0  # open_weights raises the error
    with Progress(f"Reading {Path(path).name}", size, unit="MB", lines=True) as bar:
        return open_weights(path, bar.advance)


class Verified:
    """The comparison of a file with the published or saved weights. Raises WeightsError if it holds NaN or infinity.

    text      the file's format and digests, for people
    data      the same for programs
    damaged   labels of the tensors that differ from the digests in the file's own ledger
    """

    def __init__(self, path):
        with opened(path) as file:
            self.path, self.recorded, self.damaged = file.path, loading.ledger_in(file)[0], []
            for place in own_places(file):
                array = file.read(place.tensor, dtype=None)
                if not np.isfinite(array).all():
                    raise WeightsError(
                        f"{file.path}: {place.tensor.label} holds NaN or infinity: the file is damaged, or its "
                        "training diverged. Download or save it again."
                    )
                _, saved = self.recorded.get((place.layer, place.parameter), (None, None))
                if saved not in (None, array_digest(array)):
                    self.damaged.append(place.tensor.label)
            arrays = file.arrays_digest()
            file.check_unchanged()
            self.published = (names_of(file) or [name_of(file.sha256)])[0]
            self.data = {
                "file": str(file.path), "format": file.listing.format, "sha256": file.sha256, "arrays_sha256": arrays,
                "tensors": len(file.tensors), "published_as": self.published,
                "checked_against_its_ledger": len(self.recorded),
            }  # fmt: skip
            self.text = (
                f"{file.path}: {file.listing.format}, {counted(len(file.tensors), 'tensor')}\n"
                f"file   sha256 {file.sha256}\narrays sha256 {arrays}"
            )

    def verdict(self):
        """Return the result in a sentence. Raises WeightsError if the file is damaged."""
        if self.damaged:
            raise WeightsError(
                f"{self.path}: {len(self.damaged)} of {len(self.recorded)} tensors are not what was saved: it is "
                f"damaged ({', '.join(self.damaged[:3])}{', ...' if self.damaged[3:] else ''})."
            )
        if self.published:
            return f"These are the published weights {self.published}, to the last bit."
        if self.recorded:
            return f"All {len(self.recorded)} tensors are what was saved, to the last bit."
        return "The file is complete and readable. No published digest of it is known, and it carries none itself."


def inspect(path):
    """Return (text, data) of a file's contents: every tensor, and the ledger of where it comes from."""
    with opened(path) as file:
        header = f"{file.path}: {file.listing.format}, {file.path.stat().st_size:,} bytes\nsha256 {file.sha256}"
        rows, tensors, digests = [["tensor", "shape", "type", "at byte", "smallest", "mean", "largest"]], [], {}
        for tensor in file.tensors:
            values = []
            if tensor.dtype in FLOATS and tensor.offset is not None and tensor.size:
                array = file.read(tensor, dtype=None)
                digests[tensor.name] = array_digest(array)
                values = [float(array.min()), float(array.mean(dtype=np.float64)), float(array.max())]
            place = "" if tensor.offset is None else "packed" if tensor.copied else f"{tensor.offset:,}"
            shown = [f"{value:.4g}" for value in values] or [""] * 3
            rows.append([tensor.name, "x".join(map(str, tensor.shape)) or "1", tensor.dtype, place, *shown])
            tensors.append({"name": tensor.name, "layer": tensor.layer, "shape": tensor.shape, "dtype": tensor.dtype,
                            "offset": tensor.offset,
                            "min_mean_max": [v if np.isfinite(v) else str(v) for v in values]})  # fmt: skip
        lines = ledger_lines(file, digests)
        text = "\n".join([header, "", _tensors_as_text(rows), *(["", "Ledger", *lines] if lines else [])])
        return _wrapped(text), {
            "file": str(file.path), "format": file.listing.format, "sha256": file.sha256, "tensors": tensors,
            "ledger": lines,
        }  # fmt: skip


def _tensors_as_text(rows):
    """Return the table of tensors. Where it is too wide, each name has a line of its own above its numbers."""
    text = table(rows)
    if max(map(len, text.splitlines())) <= WIDTH:
        return text
    numbers = table([["   ", *row[1:]] for row in rows]).splitlines()
    return "\n".join(line for row, numbers_line in zip(rows, numbers) for line in (row[0], numbers_line))


def _wrapped(text):
    """Return a text whose lines fit a terminal; what goes on in the next line is indented."""
    lines = []
    for line in text.splitlines():
        options = {"subsequent_indent": "        ", "break_long_words": False, "break_on_hyphens": False}
        lines += textwrap.wrap(line, WIDTH, **options) if len(line) > WIDTH else [line]
    return "\n".join(lines)


def ledger_lines(file, digests):
    """Return the lines of the file's own ledger; an entry is "damaged" if the digest of its array has changed.

    `digests` is {tensor name: sha256} of the arrays that the file holds now.
    """
    recorded, notes = loading.ledger_in(file)
    names = {(place.layer, place.parameter): place.tensor.name for place in own_places(file)}
    entries = []
    for key, (entry, saved) in recorded.items():
        is_unchanged = digests.get(names.get(key)) == saved
        entries.append(entry if is_unchanged else replace(entry, state=ledger.DAMAGED))
    return str(ledger.Ledger(entries, notes)).splitlines() if entries else []


def differences(first_path, second_path):
    """Return (text, data) of the tensors that differ between two files, and by how much.

    data   "A" and "B" are the files; "equal", "other_numbers", "other_shapes", "only_in_a" and "only_in_b" count
           tensors; "different" lists [name, how it differs]
    """
    with opened(first_path) as a, opened(second_path) as b:
        first, second = ({(p.layer, p.parameter): p for p in own_places(file)} for file in (a, b))
        equal, rows, counts = 0, [], {"numbers": 0, "shape": 0, "A": 0, "B": 0}
        for key in [*first, *(key for key in second if key not in first)]:
            label = "/".join(key)
            if key not in first or key not in second:
                side = "B" if key in second else "A"
                counts[side] += 1
                rows.append([label, f"only in {side}"])
                continue
            x, y = (file.read(places[key].tensor, dtype=None) for file, places in ((a, first), (b, second)))
            if x.shape != y.shape:
                counts["shape"] += 1
                rows.append([label, f"shape {x.shape} in A, {y.shape} in B"])
            elif np.array_equal(x, y, equal_nan=True):
                equal += 1
            else:
                counts["numbers"] += 1
                worst = float(np.abs(x.astype(np.float64) - y).max())
                rows.append([label, f"differs by up to {worst:.3g}", f"{np.mean(x != y):.1%} of its numbers"])
        words = {"numbers": "with other numbers", "shape": "with another shape", "A": "only in A", "B": "only in B"}
        kinds = ", ".join(f"{count} {words[kind]}" for kind, count in counts.items() if count)
        heads = [f"{side}  {file.path}: {file.listing.format}, {counted(len(places), 'tensor')}"
                 for side, file, places in (("A", a, first), ("B", b, second))]  # fmt: skip
        are, are_not = ("is" if count == 1 else "are" for count in (equal, len(rows)))
        kinds = f" ({kinds}):" if rows else "."
        lines = [f"{counted(equal, 'tensor')} {are} equal, {len(rows)} {are_not} not{kinds}"]
        lines += ["  " + "  ".join(row) for row in rows]
        data = {"A": str(a.path), "B": str(b.path), "equal": equal, "different": [row[:2] for row in rows],
                "other_numbers": counts["numbers"], "other_shapes": counts["shape"], "only_in_a": counts["A"],
                "only_in_b": counts["B"]}  # fmt: skip
        return _wrapped("\n".join([*heads, *lines])), data
