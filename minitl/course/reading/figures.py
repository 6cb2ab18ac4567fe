"""Figures of both commands: as text of 80 columns, and with matplotlib (extra `plots`) as PNG files."""

import os
from pathlib import Path

import numpy as np

from ...errors import MissingExtraError
from ...files.atomic import replacing
from ...files.writable import check_can_write

CELL, MOST_LABEL = 6, 9  # characters of a cell of a map, and of the name of its row
DECADES = 6  # of the chart
COLOURS = ("#7a1022", "#4a7fc4", "#123a78")
MARKERS = ("s", "o", "D")


def check(plots):
    """Check before the work that a figure can be drawn in the folder `plots`. None draws nothing."""
    if plots is None:
        return
    check_can_write(Path(plots) / "figure.png", "--plots", makes_folder=True)
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtraError(
            "--plots needs matplotlib (the extra 'plots'): python -m pip install matplotlib"
        ) from None


# ---- as text ----


def map_as_text(rows, columns, weights):
    """Return weights (rows, columns) as lines of text: whole percents, and a point for less than one."""
    width = min(MOST_LABEL, max(map(len, rows)))
    lines = [" " * width + "".join(f"{name[: CELL - 1]:>{CELL}}" for name in columns)]
    for name, row in zip(rows, weights):
        cells = (f"{100 * weight:.0f}" if weight >= 0.005 else "." for weight in row)
        lines.append(f"{name[:width]:<{width}}" + "".join(f"{cell:>{CELL}}" for cell in cells))
    return "\n".join(lines)


def chart_as_text(curves):
    """Return curves of positive numbers, {name: [...]}, as a chart in powers of ten. Each is drawn with a letter: A, B,
    ... from the first on; where two meet, the first letter is seen."""
    length = max(map(len, curves.values()))
    grid = [[" "] * length for _ in range(2 * DECADES + 1)]
    for letter, numbers in reversed(list(zip("ABCDEFG", curves.values()))):
        for t, number in enumerate(numbers):
            place = round(-2 * np.log10(max(number, 1e-30)))
            if 0 <= place < len(grid):
                grid[place][t] = letter
    lines = []
    for place, row in enumerate(grid):
        label = f"10^{-place // 2}" if place and place % 2 == 0 else "1" if not place else ""
        lines.append(f"{label:>6} |{' '.join(row)}".rstrip())
    lines.append(" " * 7 + "+" + "-" * (2 * length))
    marks = [t for t in range(1, length + 1) if t == 1 or t % 5 == 0]
    axis = [" "] * (2 * length + 2)
    for t in marks:
        axis[2 * t - 2 : 2 * t - 2 + len(str(t))] = str(t)
    lines.append(" " * 8 + "".join(axis).rstrip() + "  word t")
    lines += [f"{' ' * 8}{letter}  {name}" for letter, name in zip("ABCDEFG", curves)]
    return "\n".join(lines)


# ---- as images ----


def draw_gradients(curves, folder, name):
    """Write a figure of curves {name: [|dL/dh_1|, ..., |dL/dh_T|]}, each divided by its last number, to a PNG file."""

    def panels(figure):
        panel = figure.subplots()
        for (label, numbers), colour, marker in zip(curves.items(), COLOURS, MARKERS):
            steps = range(1, len(numbers) + 1)
            panel.semilogy(steps, numbers, color=colour, marker=marker, markersize=4, label=label, linewidth=1.5)
        panel.set_xlabel("word t")
        panel.set_ylabel("|dL/dh at t|, relative to the last word")
        panel.grid(True, which="major", color="#dddddd", linewidth=0.7)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False, loc="upper left")

    _write(panels, (6.2, 3.6), folder, name)


def draw_maps(maps, folder, name):
    """Write maps of attention in rows of two, [(title, rows, columns, weights)], to a PNG file."""
    height = -(-len(maps) // 2)

    def panels(figure):
        for panel, (title, rows, columns, weights) in zip(np.ravel(figure.subplots(height, 2, squeeze=False)), maps):
            panel.imshow(weights, cmap="Blues", vmin=0, vmax=1)
            panel.set_xticks(range(len(columns)), columns, rotation=90)
            panel.set_yticks(range(len(rows)), rows)
            panel.tick_params(length=0)
            panel.set_title(title, fontsize=9)

    _write(panels, (6.4, 3.4 * height), folder, name)


def _write(panels, size, folder, name):
    """Let `panels(figure)` draw a figure of this size in inches, write it, and print its path."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder) / name
    with rc_context({"font.size": 9}):
        figure = Figure(figsize=size, facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
        panels(figure)
        with replacing(path, check=os.path.getsize) as temporary:
            figure.savefig(temporary, format="png", dpi=130, metadata={"Software": None})
    print(f"Figure: {path}\n", flush=True)
