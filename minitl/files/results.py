"""Files of results: checks before the work that they can be written, and JSON."""

import json
import os
from pathlib import Path

from ..errors import ArgumentError
from .atomic import replacing


def check_writable(*paths):
    """Raise ArgumentError if a file could not be written at one of these paths, before the work for it begins."""
    for path in paths:
        if path is None:
            continue
        folder = Path(path).resolve().parent
        if not folder.is_dir() or not os.access(folder, os.W_OK) or Path(path).is_dir():
            raise ArgumentError(f"{path}: cannot be written. Its folder must exist and be writable.")


def write_json(path, results):
    """Write results as JSON, for `--json FILE`. Without a path, do nothing."""
    if path is not None:
        with replacing(path, check=lambda written: json.loads(Path(written).read_text())) as temporary:
            Path(temporary).write_text(json.dumps(results, indent=2) + "\n")
