"""Text for a terminal: printable names, tables, lines that fit, and output that can be switched off."""

import contextlib
import io
import re
import shutil
import textwrap

from .progress import watched

PIPE_COLUMNS = 80  # where the output is no terminal
LEAST_COLUMNS = 40
LEAST_CELLS = (36, 12)  # the first column of a table, which names its rows, and the others are not made narrower
DOTS = "..."
WORD = re.compile(r"[^\W\d_]{3}")  # cells without one are numbers, such as "0.1 to 0.9": they are never shortened


def columns():
    """Return the width of the terminal in characters; 80 where the output is none."""
    return max(LEAST_COLUMNS, shutil.get_terminal_size((PIPE_COLUMNS, 24)).columns)


def printable(text):
    """Return a text without control characters. Names from files may contain some, and a terminal would obey them: they
    are written as escapes, as `\\x1b`."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def counted(count, noun):
    """Return a number with its noun: "1 image", "2,000 images", "3 classes", "2 boxes", "5 batches"."""
    return f"{count:,} {noun}{'' if count == 1 else 'es' if noun.endswith(('s', 'x', 'tch')) else 's'}"


def shortened(text, width):
    """Return a text of at most `width` characters: what is too long loses its middle, `photos/a...7.jpg`."""
    text = str(text)
    if len(text) <= width:
        return text
    if width <= len(DOTS) + 2:
        return text[:width]
    end = (width - len(DOTS)) // 2
    return text[: width - len(DOTS) - end] + DOTS + text[len(text) - end :]


def wrapped(text, indent=""):
    """Return text whose lines fit the terminal. The lines after the first begin with `indent`. A word that is longer
    than a line, such as a path, stays whole."""
    options = {"subsequent_indent": indent, "break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(text, columns(), **options)


def fitted(text):
    """Return lines of text with those that are too long for the terminal wrapped, each beneath its own beginning."""
    lines = []
    for line in text.split("\n"):
        start = line[: len(line) - len(line.lstrip())]
        lines.append(start + wrapped(line.lstrip(), start + "  ") if len(line) > columns() else line)
    return "\n".join(lines)


def table(rows, width=None):
    """Return rows of cells as text: the first column aligned to the left, the others to the right.

    width   of a line (None: that of the terminal). Where the table is wider, the longest words are shortened. Where
            that is not enough, the table is folded: its last columns follow below, beside the first column
    """
    rows, most = [[str(cell) for cell in row] for row in rows], width or columns()
    widths = column_widths(rows, most)
    groups = [[0]]
    for k in range(1, len(widths)):
        if len(groups[-1]) > 1 and sum(widths[each] + 2 for each in groups[-1]) + widths[k] > most:
            groups.append([0])
        groups[-1].append(k)
    parts = [_lines([[row[k] for k in group] for row in rows], [widths[k] for k in group]) for group in groups]
    return "\n\n".join(parts)


def _lines(rows, widths):
    """Return the lines of a table whose columns have these widths."""
    lines = []
    for row in rows:
        first, *others = [shortened(cell, width) for cell, width in zip(row, widths)]
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:]))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def column_widths(rows, most):
    """Return the widths of a table's columns: as wide as their cells, or, where a line would have more than `most`
    characters, with the widest columns of words made narrower."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    least = [LEAST_CELLS[k > 0] if any(WORD.search(row[k]) for row in rows[1:]) else w for k, w in enumerate(widths)]
    while (excess := sum(widths) + 2 * (len(widths) - 1) - most) > 0:
        wide = [k for k, width in enumerate(widths) if width > least[k]]
        if not wide:
            break
        widest = max(wide, key=lambda k: widths[k])
        second = max((widths[k] for k in wide if k != widest), default=0)
        widths[widest] -= max(1, min(excess, widths[widest] - second, widths[widest] - least[widest]))
    return widths


@contextlib.contextmanager
def silent_unless(verbose):
    """Throw away everything that is printed within the block if `verbose` is 0. Otherwise let nothing within it be
    silent for long (`progress.watched`)."""
    if verbose:
        with watched():
            yield
    else:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
