"""The figure of a study: accuracy over n, one panel for each way to divide the classes, after the paper's figure 2.

It can be read without colour: each treatment has a marker of its own, open where the copied layers are frozen and
filled where they are fine-tuned. Needs matplotlib (extra `plots`).
"""

import os
from contextlib import contextmanager

from ...errors import ArgumentError, MissingExtraError
from ...files.atomic import replacing
from .network import CUTTABLE
from .transfer_study import BASE

FORMATS = (".png", ".svg", ".pdf")
# Treatment: text of the legend, colour (all differ in lightness), marker, filled?
STYLES = {
    "AnB+": ("AnB+  from A, fine-tuned", "#7a1022", "s", True),
    "BnB+": ("BnB+  from B, fine-tuned", "#123a78", "o", True),
    "BnB": ("BnB   from B, frozen", "#4a7fc4", "o", False),
    "AnB": ("AnB   from A, frozen", "#d2604a", "s", False),
    "RnB": ("RnB   random, frozen", "#8c8c8c", "^", False),
}
TITLES = {
    "similar": "Similar halves: a relative in A for every class of B",
    "dissimilar": "Dissimilar halves: B is tops, coats and dresses, A all else",
}


def check(path):
    """Check before the study that its figure can be drawn. Raises MissingExtraError or ArgumentError."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtraError(
            f"{path}: drawing needs matplotlib (the extra 'plots'): python -m pip install matplotlib"
        ) from None
    if os.path.splitext(path)[1].lower() not in FORMATS:
        raise ArgumentError(
            f"{path}: cannot be drawn in this format; expected a name that ends in {', '.join(FORMATS)}."
        )


def draw(summary, path, what):
    """Write the figure of a `findings.summary` to `path`. `what` is the text below it: what was measured."""
    with figure_file(path, (4.6 * len(summary) + 0.6, 4.3)) as figure:
        panels = figure.subplots(1, len(summary), sharey=True, squeeze=False)[0]
        for panel, (split, curves) in zip(panels, summary.items()):
            _panel(panel, split, curves)
        panels[0].set_ylabel("accuracy on B's test images")
        handles, labels = panels[0].get_legend_handles_labels()
        legend = figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        legend.set_title(what, prop={"size": 8})


@contextmanager
def figure_file(path, size):
    """Yield a figure of this size in inches, and write it to `path` at the end: the same bytes for the same figure."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "path", "svg.hashsalt": "minitl", "font.size": 9}):
        figure = Figure(figsize=size, facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        suffix = os.path.splitext(path)[1].lower()
        metadata = {".svg": {"Date": None}, ".png": {"Software": None}, ".pdf": {"CreationDate": None}}[suffix]
        with replacing(path, check=os.path.getsize) as temporary:
            figure.savefig(temporary, format=suffix[1:], dpi=160, metadata=metadata)


def _panel(panel, split, curves):
    """Draw the curves of a split, and baseB as a dotted line with its interval in grey."""
    base = curves[BASE][0]
    panel.axhline(base.mean, color="black", linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    if base.high is not None:
        panel.axhspan(base.low, base.high, color="#eeeeee", zorder=0)
    _points(panel, [0], [base], color="black", marker="D", filled=True, label="baseB  B alone, nothing copied")
    shift = {name: 0.06 * (place - (len(STYLES) - 1) / 2) for place, name in enumerate(STYLES)}
    for name, (label, color, marker, filled) in STYLES.items():
        if name in curves:
            cuts = sorted(curves[name])
            places = [cut + shift[name] for cut in cuts]  # side by side, so that no interval hides another
            _points(panel, places, [curves[name][cut] for cut in cuts], color, marker, filled, label)
    panel.set_title(TITLES.get(split, split), fontsize=10, loc="left")
    names = ["nothing", *CUTTABLE]
    panel.set_xticks(range(len(names)), [f"{n}\n{name}" for n, name in enumerate(names)])
    panel.set_xlabel("n, and the last layer that is copied")
    panel.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    panel.set_axisbelow(True)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def _points(panel, places, intervals, color, marker, filled, label):
    """Draw a curve with a bar from the lower to the upper end of each interval."""
    means = [each.mean for each in intervals]
    halves = [0 if each.high is None else each.high - each.mean for each in intervals]
    panel.errorbar(
        places,
        means,
        yerr=halves,
        color=color,
        marker=marker,
        markersize=5.5,
        markerfacecolor=color if filled else "white",
        linewidth=1.3,
        linestyle="-" if filled else "--",
        elinewidth=0.9,
        capsize=2,
        label=label,
    )
