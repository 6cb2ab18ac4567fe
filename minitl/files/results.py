"""Results for people: refusing in time to write where that cannot work, and writing them as JSON."""

import json
import os
from pathlib import Path

from ..errors import ArgumentError
from .atomic import replacing


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
