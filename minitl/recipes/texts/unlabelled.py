"""Texts without labels, for predictions and for search: the rows of a table, or the lines of a file.

    text                      {"text": "a fine film"}          a fine film
    "a fine, small film"      {"text": "dull"}                 dull
    .csv and .tsv             .jsonl: one object a line        lines: .txt

`data.text.tables` reads tables with labels, and has the rules for encodings and lines. A label that is there is passed
over here. Who calls this: `prediction` and `search`.
"""

import csv
import io
import json
import os
from pathlib import Path

from ...data.text.layout import ENDINGS
from ...data.text.tables import JSON_ENDINGS, SEPARATORS, lines_of, read_table, read_text
from ...errors import DataError

LONGEST_CELL = 2**30


def texts_of_table(path, column=None, encoding=None):
    """Return [(line, text)] of a table: .csv, .tsv, .jsonl, or lines that begin with a label. Return None for a file
    with another ending, such as .txt.

    column   the name of the column (None: "text")

    Raises DataError for a file without this column, or without a text.
    """
    ending, column = Path(path).suffix.lower(), column or "text"
    if ending in JSON_ENDINGS:
        rows = list(_of_json(path, read_text(path, encoding), column))
    elif ending in SEPARATORS:
        rows = list(_of_columns(path, read_text(path, encoding), SEPARATORS[ending], column))
    elif ending in ENDINGS and ending != ".txt":
        rows = [(row.line, row.text) for row in read_table(path, encoding=encoding).rows]
    else:
        return None
    rows = [(line, text.strip()) for line, text in rows if text.strip()]
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
        if rows is None:
            lines = enumerate(lines_of(read_text(file, encoding)), start=1)
            rows = [(number, line.strip()) for number, line in lines if line.strip()]
        found += [(f"{name}:{line}", text) for line, text in rows]
    if not found:
        endings = ", ".join(ENDINGS[:6])
        raise DataError(f"{path}: holds no texts. Expected files that end in {endings}, or a text file.")
    return found


def _of_json(path, content, column):
    """Yield (line, text) of lines with a JSON object each."""
    for number, line in enumerate(lines_of(content), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            raise DataError(f"{path}:{number}: is no JSON. Expected an object in each line.") from None
        text = found.get(column) if isinstance(found, dict) else None
        if not isinstance(text, str):
            raise DataError(f"{path}:{number}: has no text '{column}'. Expected an object with that key.")
        yield number, text


def _of_columns(path, content, separators, column):
    """Yield (line, text) of a table whose first line names its columns."""
    first = content.split("\n", 1)[0]
    separator = max(separators, key=first.count)
    with _cells_of_any_length():
        rows = csv.reader(io.StringIO(content, newline=""), delimiter=separator)
        try:
            header = [name.strip() for name in next(rows, [])]
            if header.count(column) != 1:
                shown = ", ".join(map(repr, header[:8]))
                raise DataError(
                    f"{path}: has {header.count(column)} columns '{column}'; expected one. Its columns are {shown}. "
                    "Give text= the name of the column."
                )
            place, line = header.index(column), rows.line_num + 1
            for cells in rows:
                if cells and len(cells) != len(header):
                    raise DataError(f"{path}:{line}: has {len(cells)} columns; the first line has {len(header)}.")
                if cells:
                    yield line, cells[place]
                line = rows.line_num + 1
        except csv.Error as error:
            raise DataError(f"{path}:{rows.line_num}: is no row of a table ({error}).") from None


class _cells_of_any_length:
    """A context in which cells of a table may be as long as a file."""

    def __enter__(self):
        self.before = csv.field_size_limit(LONGEST_CELL)

    def __exit__(self, *exception):
        csv.field_size_limit(self.before)
