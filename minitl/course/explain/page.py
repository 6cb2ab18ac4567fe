"""The page that `minitl explain` prints: 80 columns wide, and every number on it is computed twice."""

import re
import textwrap

import numpy as np

from ...errors import MismatchError

WIDTH = 80
NO_BREAK = "\u00a0"  # a space at which no line ends
BETWEEN = "   "  # blocks of numbers
LABEL = 10  # columns for the label of a line
TOLERANCE = 3e-5  # relative to the largest number compared: rounding of float32, larger with Winograd's sums


class Page:
    """Lines of text, and the checks of their numbers.

    checked               how many numbers were computed a second time
    largest_difference    between the two results, relative to the largest number of the array compared
    """

    def __init__(self):
        self.lines, self.checked, self.largest_difference = [], 0, 0.0

    def __str__(self):
        return "\n".join(self.lines)

    def heading(self, text):
        """Add a heading with a line below it."""
        self.lines += ["", text.upper(), "-" * WIDTH]

    def paragraph(self, text):
        """Add a wrapped paragraph."""
        self.lines += textwrap.wrap(text, WIDTH)

    def layer(self, title, text):
        """Add the first line of a layer's section."""
        self.lines += ["", f"{title:<{LABEL}}  {text}"]

    def item(self, label, text):
        """Add a labelled text, wrapped beside its label. No line ends within brackets of either kind."""
        lead = f"  {label:<{LABEL}}"
        text = re.sub(r"\([^()]*\)|\[[^][]*\]", lambda brackets: brackets[0].replace(" ", NO_BREAK), text)
        lines = textwrap.wrap(
            text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), break_on_hyphens=False
        )
        self.lines += [line.replace(NO_BREAK, " ") for line in lines]

    def source(self, place, line):
        """Add a line of source and the place where it stands."""
        self.lines.append(f"  {'source':<{LABEL}}{place}")
        lead = " " * (LABEL + 4)
        wrapped = textwrap.wrap(
            line, WIDTH, initial_indent=lead, subsequent_indent=lead + "    ", break_on_hyphens=False
        )
        self.lines += wrapped

    def arrays(self, label, *titled, decimals=3):
        """Add arrays (rows, columns) side by side. Arrays that do not fit go below.

        titled    (title, array) or (title, array, decimals) of each
        """
        bands, room = [], 0
        for title, array, *own_decimals in titled:
            block = _block(title, np.atleast_2d(array), *own_decimals or [decimals])
            room -= len(BETWEEN) + len(block[0])
            if room < 0:
                bands.append([])
                room = WIDTH - LABEL - 2 - len(block[0])
            bands[-1].append(block)
        for band in bands:
            for row in range(max(map(len, band))):
                cells = [block[row] if row < len(block) else " " * len(block[0]) for block in band]
                self.lines.append(f"  {label:<{LABEL}}{BETWEEN.join(cells)}".rstrip())
                label = ""

    def check(self, what, by_formula, by_engine):
        """Compare numbers or arrays computed by formula with those of the engine.

        `what` names them. Raises MismatchError where they differ by more than rounding.
        """
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
                f"engine {by_engine[place]:.7g}. One of the two is wrong, so no number of this page can be trusted."
            )
        self.checked += by_engine.size
        self.largest_difference = max(self.largest_difference, worst)


def _block(title, array, decimals):
    """Return an array and its title as lines of the same length."""
    cells = [[f"{number:.{decimals}f}" for number in row] for row in array]
    cells = [["0" if not float(cell) and not number else cell for cell, number in zip(*rows)]
             for rows in zip(cells, array)]  # fmt: skip
    width = max(len(cell) for row in cells for cell in row)
    most = (WIDTH - LABEL - 1) // (width + 1)  # numbers that fit into a line
    cells = [row[first : first + most] for row in cells for first in range(0, len(row), most)]
    lines = [" ".join(cell.rjust(width) for cell in row) for row in cells]
    width = max(len(title), len(lines[0]))
    return [line.ljust(width) for line in [title, *lines]]


def signed_products(terms, decimals=1):
    """Return pairs of numbers as a sum of products: "0.2*0.3 + 0.5*(-0.1)"."""
    return " + ".join(f"{_bracketed(a, decimals)}*{_bracketed(b, decimals)}" for a, b in terms)


def _bracketed(number, decimals):
    """Return a number as text, a negative one in brackets."""
    return f"({number:.{decimals}f})" if number < 0 else f"{number:.{decimals}f}"
