"""Words for what happened when an answer ran: its error, what it printed, which arguments it got."""

import builtins

import numpy as np

from ...arguments import nearest
from ..explain.page import signed_products

MOST_PRINTED_LINES = 3
MOST_TERMS = 9  # of a sum that are written out
MOST_SHOWN = 6  # numbers of an argument that are printed


def joined(words):
    """Return words as a list in a sentence: "a, b and c"."""
    words = list(words)
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def about_error(exercise, case, run):
    """Return a text about an exception that the function raised."""
    error = run.error
    line = f" in line {run.line}" if run.line else ""
    line += f" ({run.source})" if run.source else ""
    message = " ".join(str(error).split())
    text = f"{exercise.name} stopped{line} with {type(error).__name__}{': ' if message else ''}{message}"
    text += "" if text.endswith((".", "?", "!")) else "."
    return f"{text}{_advice(error, message)}{about_printed(run)}"


def _advice(error, message):
    """Return a sentence that says what such an error often means, with a space before it; "" if there is none."""
    if isinstance(error, NameError) and getattr(error, "name", None):
        near = nearest(error.name, [*dir(builtins), "np"], 1)
        if error.name == "numpy":
            return " The file says `import numpy as np`, so its name is np."
        return f" Did you mean {near[0]}?" if near else " Every name has to be set before it is used."
    if isinstance(error, RecursionError):
        return " The function calls itself without end."
    if isinstance(error, (SystemExit, EOFError)):
        return " An answer only computes: it does not end the program, and asks nobody."
    if isinstance(error, NotImplementedError):
        return " It waits for you to write it."
    if isinstance(error, ValueError) and ("matmul" in message or "broadcast" in message or "aligned" in message):
        return " Write the two shapes down: a product (P, Q) @ (Q, R) needs the same Q, and .T swaps the axes."
    if isinstance(error, IndexError):
        return " The first index is 0, and the last one is the size of the axis minus 1."
    return ""


def about_printed(run):
    """Return a sentence about what the function printed, with a space before it; "" if it printed nothing."""
    lines = run.printed.strip().splitlines()
    if not lines:
        return ""
    more = " ..." if len(lines) > MOST_PRINTED_LINES else ""
    return f" It printed: {' / '.join(line.strip() for line in lines[:MOST_PRINTED_LINES])}{more}"


def about_arguments(exercise, case):
    """Return a text about the arguments of a case: shapes of arrays, other values as they are."""
    return "Its arguments: " + ", ".join(
        f"{name} {_shown_argument(value)}" for name, value in zip(exercise.given, case.arguments)
    )


def _shown_argument(value):
    """Return a small array or a number as it is, of a larger array its shape, of anything else its kind."""
    if isinstance(value, np.ndarray):
        if value.size <= MOST_SHOWN:
            return f"= {np.array2string(value, precision=4, separator=', ', max_line_width=200)}"
        return f"{value.shape}"
    if isinstance(value, (int, float, str, bool, tuple)) or value is None:
        return f"= {value!r}"
    return f"(a {type(value).__name__})"


def first_products(terms, decimals=2):
    """Return pairs of numbers as a sum of products, "0.20*0.31 + 0.52*(-0.10)", of which the first ones are written
    out."""
    rest = len(terms) - MOST_TERMS
    return signed_products(terms[:MOST_TERMS], decimals) + (f" + {rest} more products" if rest > 0 else "")
