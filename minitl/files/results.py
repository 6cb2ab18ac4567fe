"""Files of results: checks before the work that they can be written, JSON and CSV."""

import csv
import json
import os
import tempfile
import textwrap
from contextlib import contextmanager
from pathlib import Path

from ..errors import ArgumentError
from .atomic import replacing


def check_writable(*paths):
    """Raise ArgumentError if a file could not be written at one of these paths, before the work for it begins.

    A file is really made beside each path, and removed: permissions alone do not tell, as for /proc.
    """
    for path in paths:
        if path is None:
            continue
        if not str(path):
            raise ArgumentError("the path of a file to write is empty. Expected its name.")
        place = Path(path).resolve()
        try:
            if place.is_dir():
                raise OSError(None, "it is a folder")
            if place.exists() and not os.access(place, os.W_OK):
                raise OSError(None, "it is write-protected")
            check_folder_writable(place.parent)
        except OSError as error:
            raise ArgumentError(
                f"{path}: cannot be written ({error.strerror}). Its folder must exist and be writable."
            ) from None


def check_folder_writable(folder):
    """Raise OSError if no file can be made in this folder. A file is made there, and removed."""
    if not Path(folder).is_dir():
        raise OSError(None, "there is no such folder")
    handle, name = tempfile.mkstemp(prefix=".minitl.", suffix=".part", dir=folder)
    os.close(handle)
    os.unlink(name)


def write_json(path, results):
    """Write results as JSON, for `--json FILE`. Without a path, do nothing."""
    if path is not None:
        with json_list(path, is_list=False) as add:
            add(results)


@contextmanager
def json_list(path, is_list=True):
    """Yield a function that adds an entry to a list in a JSON file: the list is never in memory as a whole. The file
    appears at the end of the block. Without a path, the function does nothing.

    is_list   False: the file is the one entry that is added
    """
    if path is None:
        yield lambda entry: None
        return
    with replacing(path, check=os.path.getsize) as temporary, open(temporary, "w", encoding="utf-8") as file:
        count = 0

        def add(entry):
            nonlocal count
            text = json.dumps(entry, indent=2)
            if is_list:
                file.write("[\n" if not count else ",\n")
                text = textwrap.indent(text, "  ")
            file.write(text)
            count += 1

        yield add
        file.write(("\n]\n" if count else "[]\n") if is_list else "\n")


@contextmanager
def csv_rows(path):
    """Yield a function that writes a row of cells to a CSV file, which appears at the end of the block. Without a path,
    the function does nothing."""
    if path is None:
        yield lambda row: None
        return
    with replacing(path, check=os.path.getsize) as temporary:
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            yield csv.writer(file).writerow
