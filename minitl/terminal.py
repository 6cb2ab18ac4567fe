"""Text for a terminal: printable names, tables, and output that can be switched off."""

import contextlib
import io


def printable(text):
    """Return a text without control characters. Names from files may contain some, and a terminal would obey them: they
    are written as escapes, as `\\x1b`."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def table(rows):
    """Return rows of cells as text: the first column aligned to the left, the others to the right."""
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        first, *others = [str(cell) for cell in row]
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:]))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


@contextlib.contextmanager
def silent_unless(verbose):
    """Throw away everything that is printed within the block if `verbose` is 0; otherwise change nothing."""
    if verbose:
        yield
    else:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
