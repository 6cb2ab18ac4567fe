"""Tables of labelled texts: one file, as rows of a text and a label. Nothing in a file is ever run.

    text,label                       {"text": "a fine film", "label": 1}         1 a fine film
    "a fine, small film",1           {"text": "dull", "label": 0}                0 dull
    .csv and .tsv                    .jsonl: one object a line                   labelled lines: .txt, .train, .dev, ...

A row that cannot be read is no reason to stop: it becomes a fault with its line, and the caller decides. The whole file
is refused where its rows cannot be trusted: a quote that is never closed may have swallowed half of the set.

Who calls this: `folder.read_texts`. Read next: `audit`, for what may be wrong with a text.
"""

import codecs
import csv
import json
import re
import threading
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from ...arguments import nearest
from ...errors import ArgumentError, DataError
from ...terminal import counted, printable, shortened
from ..photos import MOST_BYTES, read_content

SEPARATORS = {".csv": ",;\t", ".tsv": "\t", ".tab": "\t"}
JSON_ENDINGS = (".jsonl", ".ndjson")
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
NO_TEXT = {  # the beginning of files that are taken for tables. UTF-32 begins as UTF-16 does
    codecs.BOM_UTF32_LE: "UTF-32", b"PK\x03\x04": "a ZIP archive, as .xlsx and .docx are",
    b"\x1f\x8b": "a gzip archive", b"%PDF-": "a PDF file", b"PAR1\x15": "a Parquet file",
    b"\x89PNG": "an image", b"\xff\xd8\xff": "an image", b"\x89HDF": "an HDF5 file",
    b"\xd0\xcf\x11\xe0": "an old Office file",
}  # fmt: skip
USUAL_NAMES = {  # of columns in published sets, to be offered where the expected one is missing
    "text": ("sentence", "review", "content", "comment", "tweet", "message", "document", "question"),
    "label": ("class", "category", "sentiment", "target", "polarity", "rating", "stars", "coarse_label"),
}
LONGEST_LABEL = 200  # characters
MOST_LABELS = 100  # of the different first words of labelled lines
LEAST_SHARE = 0.95  # of the lines that begin with a word which begins another line as well
_limit = threading.Lock()  # the limit of csv is one for the whole program


class Row(NamedTuple):
    """One row: the line where it begins, counted from 1, the text, and the label as a string."""

    line: int
    text: str
    label: str


class Table(NamedTuple):
    """The rows of a file, and (line, reason) of each row that cannot be read."""

    rows: list
    faults: list


def read_table(path, text=None, label=None, encoding=None, known=()):
    """Read a file of labelled texts. Returns a `Table`.

    text, label   the names of the two columns (None: "text" and "label"). Labelled lines have no names
    encoding      None: UTF-8, or UTF-16 if the file begins with its mark; otherwise such as "latin-1"
    known         labels that are known already, as those of the training part are when another part is read

    Raises DataError for a file that is no such table.
    """
    path, columns = Path(path), (text or "text", label or "label")
    if columns[0] == columns[1]:
        raise ArgumentError(f"text and label are both {columns[0]!r}; expected the names of two columns.")
    content = read_text(path, encoding)
    ending, first = path.suffix.lower(), content.lstrip().split("\n", 1)[0]
    if ending == ".json":
        raise DataError(f"{path}: is JSON as a whole. Expected one object in each line, in a file that ends in .jsonl.")
    if ending in JSON_ENDINGS or (ending not in SEPARATORS and first.startswith("{")):
        return _json_lines(path, lines_of(content), columns)
    given = text is not None or label is not None
    if ending in SEPARATORS or given or _separator(first, "\t,;", columns):
        return _separated(path, lines_of(content), SEPARATORS.get(ending, "\t,;"), columns)
    return _labelled_lines(path, lines_of(content), known)


def read_text(path, encoding=None):
    """Return what a file holds, as one string. Raises DataError with the line of the first byte that is no text."""
    if encoding is not None:
        try:
            b"a".decode(encoding)  # of no bytes at all, Python would not look at the name
        except (LookupError, TypeError, UnicodeError):
            raise ArgumentError(f"encoding is {encoding!r}; expected one such as 'utf-8' or 'latin-1'.") from None
    content = read_content(path, "text", "texts")
    kind = next((kind for beginning, kind in NO_TEXT.items() if content.startswith(beginning)), None)
    if kind is not None:
        raise DataError(f"{path}: is {kind}. Expected text: save it as UTF-8.")
    found = next((name for mark, name in MARKS if content.startswith(mark)), encoding or "utf-8")
    try:
        text = content.decode(found)
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        line = content.count(b"\n", 0, start) + 1
        raise DataError(
            f"{path}:{line}: the byte 0x{content[start]:02x} is no {found.upper().removesuffix('-SIG')}. If the file "
            'is Western European text, give encoding="latin-1" or encoding="cp1252"; otherwise save it as UTF-8.'
        ) from None
    if text.count("\0") > len(text) // 20:
        sides = content[1:200:2].count(0), content[:200:2].count(0)
        hint = "It is no text." if max(sides) < 2 * min(sides) + 20 else "It may be UTF-16 without its mark: give "
        hint += "" if hint.endswith(".") else f'encoding="utf-16-{"le" if sides[0] > sides[1] else "be"}".'
        raise DataError(f"{path}: holds {text.count(chr(0)):,} zero bytes. {hint}")
    return text


def lines_of(content):
    """Return the lines of a text. They end at a newline, and at nothing else: other characters at which
    `str.splitlines` breaks a line, such as \\x85 and \\u2028, are part of a text."""
    lines = content.split("\n") if "\n" in content else content.split("\r")
    return [line.removesuffix("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]


def excerpt(text, width=30):
    """Return the beginning of something from a file for a message, in quotes."""
    return repr(shortened(printable(str(text)), width))


# ---- .csv and .tsv ----


def _separated(path, lines, separators, columns):
    """Return the `Table` of lines with separated columns, of which the first has the names."""
    header, rows = separated_rows(path, lines, separators, columns)
    places = [place_of(path, header, name, usual) for name, usual in zip(columns, USUAL_NAMES)]
    table = Table([], [])
    for line, cells, reason in rows:
        if reason:
            table.faults.append((line, reason))
        else:
            _add(table, line, *(cells[place] for place in places))
    return table


def separated_rows(path, lines, separators, columns):
    """Return (the names of the columns, [(line, cells, None or the reason why it is no row)]) of lines with separated
    columns. `columns` are names that are expected, by which the separator is known."""
    start = next((number for number, line in enumerate(lines) if line.strip()), None)
    if start is None:
        raise DataError(f"{path}: holds no line. Expected the names of the columns, and a row for each text.")
    separator = _separator(lines[start], separators, columns) or separators[0]
    if separator == "\t":
        rows = _tab_separated(path, lines[start:])
    else:
        rows = _quoted(path, lines[start:], separator)
    (_, header, reason), *rows = rows
    if reason:
        raise DataError(f"{path}:{start + 1}: the names of the columns {reason}.")
    header, found = [name.strip() for name in header], []
    for line, cells, reason in rows:
        if not reason and len(cells) != len(header):
            reason = f"has {counted(len(cells), 'column')}; the first line has {len(header)}"
        found.append((start + line, cells, reason))
    return header, found


def _separator(line, separators, columns):
    """Return the first of the separators by which a line has both names of columns, or None."""
    for separator in separators:
        names = [name.strip().strip('"').strip() for name in line.split(separator)]
        if all(name in names for name in columns):
            return separator
    return None


def place_of(path, header, name, usual):
    """Return the position of a column. Raises DataError, with the nearest names, if it is not there once."""
    if header.count(name) == 1:
        return header.index(name)
    if name in header:
        raise DataError(f"{path}: has {header.count(name)} columns '{name}'. Expected one.")
    raise missing_column(path, header, name, usual)


class MissingColumnError(DataError):
    """A file has no column of a name. `usual` says which one is missing: "text" or "label"."""

    def __init__(self, text, usual):
        super().__init__(text)
        self.usual = usual


def missing_column(path, names, name, usual):
    """Return the error for a file without a column, which offers those that it has."""
    near = [each for each in names if each.lower() in (name, *USUAL_NAMES[usual])] or nearest(name, names, 1)
    shown = ", ".join(excerpt(each) for each in list(names)[:8]) + (", ..." if len(names) > 8 else "")
    hint = f"Give {usual}={near[0]!r}." if near else f"Give {usual}= the name of the column."
    if not near and path.suffix.lower() not in JSON_ENDINGS:
        hint += " If the first line is a text already, add a line with the names above it."
    return MissingColumnError(f"{path}: has no column '{name}'. Its columns are {shown}. {hint}", usual)


def _quoted(path, lines, separator):
    """Return (line, cells, reason or None) of each row. A cell in double quotes may hold separators and newlines."""
    found, before = [], 0
    with _limit:
        limit = csv.field_size_limit(MOST_BYTES)  # a long text is for the audit to judge
        try:
            reader = csv.reader((f"{line}\n" for line in lines), delimiter=separator, strict=True)
            while True:
                try:
                    cells = next(reader)
                except StopIteration:
                    return found
                except csv.Error as error:
                    if reader.line_num >= len(lines) and "end of data" in str(error):
                        raise DataError(
                            f"{path}:{before + 1}: a double quote is opened and never closed; all lines after it would "
                            'be one text. Close it, or write a quote within a text as "".'
                        ) from None
                    cells, reason = [], f"is no row of a table ({error})"
                    found.append((before + 1, cells, reason))
                else:
                    if cells:  # an empty line has none
                        found.append((before + 1, cells, None))
                before = reader.line_num
        finally:
            csv.field_size_limit(limit)


def _tab_separated(path, lines):
    """Return (line, cells, reason or None) of each row of a tab-separated file, with or without quotes.

    Programs differ here. Most published files have no quotes around cells, and a quote is a character of the text: read
    by the rules of CSV, an opening one would swallow all rows up to the next. Others follow CSV. So the columns are
    counted without quotes first. Only if that leaves rows with a wrong number, and the rules of CSV leave none, those
    are used.
    """
    plain = [(number, line.split("\t"), None) for number, line in enumerate(lines, 1) if line.strip("\r")]
    width = len(plain[0][1])
    if any(len(cells) != width for _, cells, _ in plain):
        try:
            quoted = _quoted(path, lines, "\t")
        except DataError:
            return plain
        return plain if any(reason or len(cells) != width for _, cells, reason in quoted) else quoted
    beginning = [cell for _, cells, _ in plain for cell in cells if cell.startswith('"')]
    if all(re.fullmatch(r'"(?:[^"]|"")*"', cell) for cell in beginning):
        unquoted = ([c[1:-1].replace('""', '"') if c.startswith('"') else c for c in cells] for _, cells, _ in plain)
        return [(number, cells, None) for (number, _, _), cells in zip(plain, unquoted)]
    return plain


# ---- .jsonl, and labelled lines ----


def _json_lines(path, lines, columns):
    """Return the `Table` of lines with a JSON object each."""
    table, names = Table([], []), {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            why = getattr(error, "msg", None) or str(error) or "nested too deeply"  # msg: without line and column
            table.faults.append((number, f"is no JSON ({why})"))
            continue
        if not isinstance(found, dict):
            table.faults.append((number, f"is no JSON object, but {excerpt(line)}"))
            continue
        names.update(dict.fromkeys(found))
        missing = [name for name in columns if name not in found]
        if missing:
            table.faults.append((number, f"has no '{missing[0]}'"))
            continue
        text, label = (found[name] for name in columns)
        if not isinstance(text, str):
            table.faults.append((number, f"has a text that is {excerpt(json.dumps(text))}; expected a string"))
        elif not isinstance(label, (str, int)) or isinstance(label, bool):
            reason = f"has the label {excerpt(json.dumps(label))}; expected a string or a whole number"
            table.faults.append((number, reason))
        else:
            _add(table, number, text, str(label))
    for name, usual in zip(columns, USUAL_NAMES):
        if names and name not in names:
            raise missing_column(path, list(names), name, usual)
    return table


def _labelled_lines(path, lines, known):
    """Return the `Table` of lines that begin with their label. Raises DataError if the lines begin with anything."""
    split = [(number, *_label_and_text(line)) for number, line in enumerate(lines, 1) if line.strip()]
    counts = Counter(label for _, label, _ in split)
    if all(re.fullmatch(r"[+-]?\d{1,9}", label) for label in counts):
        labels = set(counts)
    else:
        labels = {label for label, count in counts.items() if count > 1 or label in known}
    covered = sum(counts[label] for label in labels)
    if not labels or len(labels) > MOST_LABELS or covered < LEAST_SHARE * len(split):
        some = ", ".join(excerpt(label) for label, _ in counts.most_common(4))
        raise DataError(
            f"{path}: is no table of labelled texts. Expected lines LABEL TEXT that begin with one of a few labels; "
            f"they begin with {counted(len(counts), 'different word')} ({some}{', ...' if len(counts) > 4 else ''}). "
            "A table with named columns ends in .csv, .tsv or .jsonl."
        )
    table = Table([], [])
    for number, label, text in split:
        if label in labels:
            _add(table, number, text, label)
        else:
            some = ", ".join(sorted(labels)[:6])
            table.faults.append((number, f"begins with {excerpt(label)}, which is no label of other lines ({some})"))
    return table


def _label_and_text(line):
    """Return (label, text) of a line. They are separated by the first space or tab."""
    label, *rest = re.split(r"[ \t]", line.strip(" \t"), maxsplit=1)
    return label, rest[0] if rest else ""


def _add(table, line, text, label):
    """Add a row to a `Table`, or a fault if it has no label."""
    label = label.strip()
    if not label:
        table.faults.append((line, "has no label"))
    elif len(label) > LONGEST_LABEL:
        reason = f"has a label of {len(label):,} characters. Are the columns of text and label exchanged?"
        table.faults.append((line, reason))
    else:
        table.rows.append(Row(line, text, label))
