"""Files of results: JSON and CSV, written as a whole or not at all."""

import csv
import json
import os
import textwrap
from contextlib import contextmanager

from .atomic import replacing


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
