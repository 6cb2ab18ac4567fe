"""Text for a terminal: names that come from files, tables, and silence."""

import contextlib
import io


def printable(text):
    """Text with names from files: what a terminal would obey, or cannot show, is written as an escape."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def table(rows):
    """Rows of cells as text: the first column to the left, numbers to the right."""
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            str(cell).rjust(w) if c else str(cell).ljust(w) for c, (cell, w) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    )


@contextlib.contextmanager
def silent_unless(verbose):
    """Let a long job print its progress, or, with verbose=0, throw away what it and all that it calls print."""
    if verbose:
        yield
    else:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
