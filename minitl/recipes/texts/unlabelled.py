"""Texts without labels, for predictions and for search: the rows of a table, or the lines of a file.

    text                      {"text": "a fine film"}          a fine film
    "a fine, small film"      {"text": "dull"}                 dull
    .csv and .tsv             .jsonl: one object a line        lines: .txt

`data.text.tables` reads tables with labels, and has the rules for encodings and lines. A label that is there is passed
over here. Who calls this: `prediction` and `search`.
"""

import json
import os
from pathlib import Path

from ...data.text.layout import ENDINGS
from ...data.text.tables import (
    JSON_ENDINGS,
    SEPARATORS,
    lines_of,
    missing_column,
    place_of,
    read_table,
    read_text,
    separated_rows,
)
from ...errors import DataError


def texts_of_table(path, column=None, encoding=None):
    """Return [(line, text, None)] of a table: .csv, .tsv, .jsonl, or lines that begin with a label; for a row that
    cannot be read (line, None, reason). Return None for a file with another ending, such as .txt.

    column   the name of the column (None: "text")

    Raises DataError for a file without this column, or without a row.
    """
    ending, column = Path(path).suffix.lower(), column or "text"
    if ending in JSON_ENDINGS:
        rows = _of_json(path, lines_of(read_text(path, encoding)), column)
    elif ending in SEPARATORS:
        rows = _of_columns(path, lines_of(read_text(path, encoding)), SEPARATORS[ending], column)
    elif ending in ENDINGS and ending != ".txt":
        rows = [(row.line, row.text, None) for row in read_table(path, encoding=encoding).rows]
    else:
        return None
    if not rows:
        raise DataError(f"{path}: holds no text in its column '{column}'.")
    return rows


def passages(path, column=None, encoding=None):
    """Return [(source, text)] of a file or a folder: the rows of tables, and the lines of all other text files.

    source   "file:line". Raises DataError if there are none
    """
    root, found = Path(path), []
    if not root.exists():
        raise DataError(f"{path}: is not there.")
    files = [root]
    if root.is_dir():
        files = sorted(each for each in root.rglob("*") if each.is_file() and each.suffix.lower() in ENDINGS)
    for file in files:
        name = os.path.relpath(file, root) if root.is_dir() else file.name
        rows = texts_of_table(file, column, encoding)
        if rows is not None:
            wrong = next(((line, reason) for line, _, reason in rows if reason), None)
            if wrong is not None:
                raise DataError(f"{file}:{wrong[0]}: {wrong[1]}.")
            rows = [(line, text) for line, text, _ in rows if text]
        else:
            lines = enumerate(lines_of(read_text(file, encoding)), start=1)
            rows = [(number, line.strip()) for number, line in lines if line.strip()]
        found += [(f"{name}:{line}", text) for line, text in rows]
    if not found:
        endings = ", ".join(ENDINGS[:6])
        raise DataError(f"{path}: holds no texts. Expected files that end in {endings}, or a text file.")
    return found


def _of_json(path, lines, column):
    """Return the rows of lines with a JSON object each."""
    rows, names = [], {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            rows.append((number, None, "is no JSON; expected an object in each line"))
            continue
        names.update(dict.fromkeys(found) if isinstance(found, dict) else {})
        text = found.get(column) if isinstance(found, dict) else None
        if isinstance(text, str):
            rows.append((number, text.strip(), None))
        else:
            rows.append((number, None, f"has no text '{column}'; expected an object with that key"))
    if names and column not in names:
        raise missing_column(Path(path), list(names), column, "text")
    return rows


def _of_columns(path, lines, separators, column):
    """Return the rows of a table whose first line names its columns. Quotes are read as `read_table` reads them."""
    header, rows = separated_rows(path, lines, separators, (column,))
    place = place_of(Path(path), header, column, "text")
    return [(line, None if reason else cells[place].strip(), reason) for line, cells, reason in rows]
