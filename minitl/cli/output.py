"""What the commands share: writing results, and refusing in time to write where that cannot work."""

import json
import os
from pathlib import Path

from ..errors import ArgumentError
from ..utils import printable as printable
from ..weights.atomic import replacing


def check_writable(*paths):
    """Refuse now, before a minute of work, what could not be saved after it."""
    for path in paths:
        if path is None:
            continue
        folder = Path(path).resolve().parent
        if not folder.is_dir() or not os.access(folder, os.W_OK) or Path(path).is_dir():
            raise ArgumentError(f"{path}: cannot be written. Its folder must exist and be writable.")


def write_json(path, results):
    """Results as JSON, for `--json FILE`. Does nothing without a path."""
    if path is not None:
        with replacing(path, check=lambda written: json.loads(Path(written).read_text())) as temporary:
            Path(temporary).write_text(json.dumps(results, indent=2) + "\n")


def table(rows):
    """Rows of cells as text: the first column to the left, numbers to the right."""
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            str(cell).rjust(w) if c else str(cell).ljust(w) for c, (cell, w) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    )
