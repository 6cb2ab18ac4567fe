"""The figure of the study: accuracy by the number of labels, a panel for each task and way.

It can be read without colour: each base has a marker of its own, open for those that learned nothing here. Needs
matplotlib (extra `plots`).
"""

from ..study.plot import check, figure_file
from .findings import PLACES

__all__ = ["check", "draw"]

# Base: colour (all differ in lightness), marker, filled?
STYLES = {
    "vgg16": ("#000000", "*", False),
    "supervised": ("#7a1022", "s", True),
    "simclr": ("#123a78", "o", True),
    "rotation": ("#2f7d4f", "^", True),
    "mae": ("#d2604a", "v", True),
    "random": ("#8c8c8c", "D", False),
    "pixels": ("#b9b9b9", "x", False),
}
WAYS = {"probe": "linear head", "tuned": "fine-tuned"}


def draw(summary, path, what):
    """Write the figure of a `findings.summary` to `path`. `what` is the text below it: what was measured."""
    places = [(name, way) for name in summary for way in summary[name]]
    with figure_file(path, (3.3 * len(places) + 0.6, 4.3)) as figure:
        panels = figure.subplots(1, len(places), sharey=True, squeeze=False)[0]
        for panel, (name, way) in zip(panels, places):
            _panel(panel, summary[name][way], f"{PLACES[name]}, {WAYS[way]}")
        panels[0].set_ylabel("accuracy on the test images")
        handles, labels = panels[0].get_legend_handles_labels()
        legend = figure.legend(handles, labels, loc="outside lower center", ncols=len(STYLES), frameon=False)
        legend.set_title(what, prop={"size": 8})


def _panel(panel, bases, title):
    """Draw the curves of a task and a way: accuracy over the labels of each class, on a logarithmic axis."""
    for place, (base, (color, marker, filled)) in enumerate(STYLES.items()):
        if base in bases:
            labels = sorted(bases[base])
            intervals = [bases[base][count] for count in labels]
            shift = 1.03 ** (place - len(STYLES) / 2)  # side by side, so that no interval hides another
            panel.errorbar(
                [count * shift for count in labels],
                [each.mean for each in intervals],
                yerr=[0 if each.high is None else each.high - each.mean for each in intervals],
                color=color,
                marker=marker,
                markersize=5.5,
                markerfacecolor=color if filled else "white",
                linewidth=1.2,
                linestyle="-" if filled else "--",
                elinewidth=0.9,
                capsize=2,
                label=base,
            )
    panel.set_xscale("log")
    panel.set_xticks(labels, [str(count) for count in labels])
    panel.minorticks_off()
    panel.set_title(title, fontsize=10, loc="left")
    panel.set_xlabel("labels of each class")
    panel.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    panel.set_axisbelow(True)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
