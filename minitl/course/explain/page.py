"""The page that `minitl explain` prints: 100 columns, every number on it computed twice."""

import re
import textwrap

import numpy as np

from ...errors import MismatchError

WIDTH = 100
NO_BREAK = "\u00a0"  # a space at which no line ends
LABEL = 10  # columns for what a line is about
TOLERANCE = 3e-5  # of the largest number compared: float32, and what Winograd's sums cost


class Page:
    """Lines of text, and the checks of their numbers.

    checked               how many numbers were computed a second time
    largest_difference    between the two, relative to the largest number of its kind
    """

    def __init__(self):
        self.lines, self.checked, self.largest_difference = [], 0, 0.0

    def __str__(self):
        return "\n".join(self.lines)

    def heading(self, text):
        self.lines += ["", text.upper(), "-" * WIDTH]

    def paragraph(self, text):
        self.lines += textwrap.wrap(text, WIDTH)

    def layer(self, title, text):
        self.lines += ["", f"{title:<{LABEL}}  {text}"]

    def item(self, label, text):
        """A labelled text, wrapped beside its label. It is not broken within brackets."""
        lead = f"  {label:<{LABEL}}"
        text = re.sub(r"\([^()]*\)", lambda brackets: brackets[0].replace(" ", NO_BREAK), text)
        lines = textwrap.wrap(
            text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), break_on_hyphens=False
        )
        self.lines += [line.replace(NO_BREAK, " ") for line in lines]

    def source(self, place, line):
        self.lines.append(f"  {'source':<{LABEL}}{place}")
        self.lines.append(f"{'':<{LABEL + 4}}{line[: WIDTH - LABEL - 4]}")

    def arrays(self, label, *titled, decimals=3):
        """Some arrays (rows, columns) side by side, each under its title."""
        blocks = [_block(title, np.atleast_2d(array), decimals) for title, array in titled]
        height = max(map(len, blocks))
        for row in range(height):
            cells = [block[row] if row < len(block) else " " * len(block[0]) for block in blocks]
            self.lines.append(f"  {label if row == 0 else '':<{LABEL}}{'   '.join(cells)}".rstrip())

    def check(self, what, by_formula, by_engine):
        """Compare numbers, or arrays of them, that were computed by formula with those of the engine. Raises
        MismatchError where they differ by more than rounding."""
        by_formula, by_engine = np.asarray(by_formula, np.float64), np.asarray(by_engine, np.float64)
        if by_formula.shape != by_engine.shape:
            raise MismatchError(f"{what}: {by_formula.shape} numbers by formula, {by_engine.shape} by the engine.")
        scale = max(float(np.abs(by_formula).max(initial=0)), 1e-6)
        errors = np.abs(by_formula - by_engine) / scale
        worst = float(errors.max(initial=0))
        if not worst <= TOLERANCE:  # not NaN either
            place = np.unravel_index(int(np.argmax(errors)), errors.shape)
            raise MismatchError(
                f"{what}{list(map(int, place)) if place else ''}: the formula gives {by_formula[place]:.7g}, the "
                f"engine {by_engine[place]:.7g}. One of the two is wrong; nothing of this page can be trusted."
            )
        self.checked += by_engine.size
        self.largest_difference = max(self.largest_difference, worst)


def _block(title, array, decimals):
    """A titled array as lines of the same length."""
    cells = [[f"{number:.{decimals}f}" for number in row] for row in array]
    cells = [["0" if not float(cell) and not number else cell for cell, number in zip(*rows)]
             for rows in zip(cells, array)]  # fmt: skip
    width = max(len(cell) for row in cells for cell in row)
    lines = [" ".join(cell.rjust(width) for cell in row) for row in cells]
    width = max(len(title), len(lines[0]))
    return [line.ljust(width) for line in [title, *lines]]


def signed_products(terms, decimals=1):
    """ "0.2*0.3 - 0.5*0.1": pairs of numbers as a sum of products."""
    return " + ".join(f"{a:.{decimals}f}*{_bracketed(b, decimals)}" for a, b in terms)


def _bracketed(number, decimals):
    return f"({number:.{decimals}f})" if number < 0 else f"{number:.{decimals}f}"
