"""The figures of the report as PNG files, for slides. They need matplotlib (the extra `plots`).

They are made without pyplot: no global state changes, and no window opens.
"""

import warnings

import numpy as np

from ...errors import MissingExtraError
from ...terminal import printable
from .heat import coloured, laid_over, stretched
from .html import short
from .results import MOST_CELLS, MOST_PAIRS
from .section_network import kernel_sheet

A, B, GREY = "#0069a8", "#c8500a", "#6b7480"  # the colours of the page
SETTINGS = {"text.parse_math": False, "axes.spines.top": False, "axes.spines.right": False, "font.size": 9,
            "axes.grid": True, "grid.color": "#e4e4df", "axes.axisbelow": True}  # fmt: skip
NAMES = (
    "examples",
    "learning",
    "confusion",
    "classes",
    "calibration",
    "mistakes",
    "grad_cam",
    "kernels",
    "feature_maps",
    "costs",
)


def require_matplotlib():
    """Raise MissingExtraError if matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise MissingExtraError(
            "--report needs matplotlib (the extra 'plots'): python -m pip install matplotlib"
        ) from None


def drawings(fine_tuning, findings):
    """Yield (name, write) for each PNG file that has something to show; `write(path)` draws it."""
    drawn = {
        "examples": lambda: examples(fine_tuning, findings),
        "learning": lambda: learning(fine_tuning),
        "confusion": lambda: confusion(fine_tuning.evaluation),
        "classes": lambda: classes(fine_tuning.evaluation),
        "calibration": lambda: calibration(fine_tuning.evaluation),
        "mistakes": findings.mistakes and (lambda: mistakes(fine_tuning, findings)),
        "grad_cam": (findings.right or findings.mistakes) and (lambda: grad_cams(fine_tuning, findings)),
        "kernels": findings.kernels is not None and (lambda: kernels(findings)),
        "feature_maps": findings.maps and (lambda: feature_maps(fine_tuning, findings)),
        "costs": lambda: costs(findings),
    }
    for name in NAMES:
        if drawn[name]:
            yield name, lambda path, draw=drawn[name]: _write(draw, path)


def _write(draw, path):
    """Draw a figure and write it to a file."""
    import matplotlib

    with warnings.catch_warnings(), matplotlib.rc_context(SETTINGS):
        warnings.simplefilter("ignore")  # about letters that the font does not have: they become boxes
        options = {"format": "png", "dpi": 150, "bbox_inches": "tight", "pad_inches": 0.15}
        draw().savefig(path, **options, metadata={"Software": "minitl"})


def figure_of(width, height):
    """Return an empty figure of that size, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def image_grid(images, columns, size=1.5, label_lines=1):
    """Return a figure of images (array, label) in rows of `columns`, `size` inches each; None leaves a place empty.

    All lie in a single system of axes, whose units are inches: matplotlib takes a tenth of a second for each further
    system.
    """
    from matplotlib.figure import Figure

    cell = size + 0.14 * label_lines
    width, height = columns * size, -(-len(images) // columns) * cell
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    for number, each in enumerate(images):
        if each is not None:
            image, label = each
            row, column = divmod(number, columns)
            left, bottom = column * size, height - (row + 1) * cell
            breadth = 0.96 * size * min(1, image.shape[1] / image.shape[0])
            tall = breadth * image.shape[0] / image.shape[1]
            axes.imshow(image, extent=(left, left + breadth, bottom, bottom + tall), interpolation="nearest")
            axes.text(left, bottom + tall + 0.03, label, fontsize=6.5, va="bottom")
    axes.set(xlim=(0, width), ylim=(0, height), aspect="auto")
    return figure


def examples(fine_tuning, findings):
    """Draw some training images of each class."""
    most = max(map(len, findings.examples))
    columns = 4 if most <= 4 else 8  # in a row of eight
    if most <= 1:  # one of each of many classes
        of_class = zip(fine_tuning.class_names, findings.examples)
        shown = [(images[0], short(name, 14)) for name, images in of_class if images]
        return image_grid(shown, min(10, max(1, len(shown))), 1.0)
    shown = []
    for name, images in zip(fine_tuning.class_names, findings.examples):
        row = [(rgb, short(name, 22) if k == 0 else "") for k, rgb in enumerate(images)]
        shown += row + [None] * (columns - len(row))
    return image_grid(shown, 8, 1.0)


def learning(fine_tuning):
    """Draw loss, accuracy and learning rate of each stage, epoch by epoch."""
    stages = [stage for stage in [*fine_tuning.stages, *fine_tuning.other_stages] if stage.history.get("loss")]
    figure = figure_of(10, 2.9 * max(1, len(stages)))
    grid = figure.subplots(max(1, len(stages)), 3, squeeze=False)
    for stage, row in zip(stages, grid):
        epochs = np.arange(1, len(stage.history["loss"]) + 1)
        marker = "o" * (len(epochs) < 9)
        for axes, key in zip(row, ("loss", "accuracy")):
            for label, colour, style, each in ("training", A, "-", key), ("held back", B, "--", f"val_{key}"):
                if stage.history.get(each):
                    axes.plot(epochs, stage.history[each], style, color=colour, label=label, marker=marker)
            axes.set_title(f"{stage.name}: {key}")
            axes.legend(frameon=False)
        row[2].plot(np.arange(1, len(stage.learning_rates) + 1), stage.learning_rates, color=GREY, marker=marker)
        row[2].set_title("learning rate")
        for axes in row:
            axes.set_xlabel("epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def confusion(evaluation):
    """Draw the confusion matrix, or the most confused pairs of many classes."""
    names, counts = evaluation.class_names, evaluation.confusion
    if len(names) > MOST_CELLS:
        return confused_pairs(evaluation)
    size = 2 + 0.45 * len(names)
    figure = figure_of(size + 1, size)
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 0.6 else "black"
            axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(names)), [short(name, 16) for name in names], rotation=40, ha="right")
    axes.set_yticks(range(len(names)), [short(name, 24) for name in names])
    axes.set_xlabel("prediction")
    axes.set_ylabel("label")
    axes.grid(False)
    return figure


def confused_pairs(evaluation):
    """Draw the most confused pairs of classes as bars."""
    names, wrong = evaluation.class_names, evaluation.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    pairs = [(int(wrong.flat[place]), *divmod(int(place), len(names))) for place in order if wrong.flat[place]][::-1]
    labels = [f"{short(names[a], 24)} → {short(names[b], 24)}" for _, a, b in pairs]
    return horizontal_bars(labels, [count for count, _, _ in pairs], "images (label → prediction)", B)


def horizontal_bars(labels, values, unit, colour):
    """Draw bars, the first one at the bottom."""
    figure = figure_of(8, 1 + 0.2 * len(labels))
    axes = figure.subplots()
    bars = axes.barh(range(len(values)), values, color=colour, height=0.7)
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.bar_label(bars, [f"{value:,.3g}" for value in values], fontsize=7, padding=2)
    axes.set_xlabel(unit)
    axes.grid(axis="y", visible=False)
    return figure


def classes(evaluation):
    """Draw precision and recall of each class."""
    order = np.argsort(np.nan_to_num(-evaluation.recall, nan=1), kind="stable")[::-1]
    order = order[-40:] if len(order) > 40 else order  # the lowest recalls are at its end
    figure = figure_of(8, 1 + 0.28 * len(order))
    axes = figure.subplots()
    places = np.arange(len(order))
    axes.plot(np.nan_to_num(evaluation.precision)[order], places, "o", color=B, label="precision", markersize=5)
    axes.plot(np.nan_to_num(evaluation.recall)[order], places, "s", color=A, label="recall", markersize=5)
    axes.set_yticks(places, [short(evaluation.class_names[k], 28) for k in order])
    axes.set_xlim(0, 1.02)
    axes.legend(frameon=False, loc="upper left")
    return figure


def calibration(evaluation):
    """Draw accuracy against probability."""
    error, rows = evaluation.calibration()
    counts, sure, right = (np.array([row[k] for row in rows]) for k in (2, 3, 4))
    figure = figure_of(4.5, 4.5)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], ":", color=GREY)
    axes.vlines(sure, np.minimum(sure, right), np.maximum(sure, right), color=B)
    axes.scatter(sure, right, s=12 + 250 * counts / counts.max(), color=A, zorder=3)
    axes.set(xlabel="mean probability of the predictions", ylabel="accuracy", xlim=(0, 1.05), ylim=(0, 1.05))
    axes.set_title(f"expected calibration error {error:.3f}")
    return figure


def mistakes(fine_tuning, findings):
    """Draw the most confident mistakes."""
    names, shown = fine_tuning.class_names, []
    for case in findings.mistakes:
        prediction = f"predicted {short(names[case.predicted], 18)} ({case.probability:.0%})"
        shown.append((case.rgb, f"{prediction}\nis {short(names[case.label], 18)}"))
    return image_grid(shown, min(6, len(shown)), 1.7, 2)


def grad_cams(fine_tuning, findings):
    """Draw images beside their Grad-CAM maps, three places for each."""
    names, shown = fine_tuning.class_names, []
    for case in findings.right + [case for case in findings.mistakes if case.cam_predicted is not None]:
        shown.append((case.rgb, f"is {short(names[case.label], 18)}"))
        shown.append((laid_over(case.rgb, case.cam_predicted), f"for {short(names[case.predicted], 18)}"))
        if case.cam_label is None:
            shown.append(None)
        else:
            shown.append((laid_over(case.rgb, case.cam_label), f"for {short(names[case.label], 18)}"))
    return image_grid(shown, 6 if len(shown) > 3 else 3)


def kernels(findings):
    """Draw the kernels of the first convolution."""
    return image_grid([(kernel_sheet(findings.kernels, 16), "the first kernels")], 1, 8)


def feature_maps(fine_tuning, findings):
    """Draw the feature maps of one image."""
    shown = []
    for maps in findings.maps:
        first = [printable(maps.layer)] + [""] * 7
        shown += zip(coloured(stretched(maps.maps[:8])).astype(np.uint8), first)
        shown += [None] * (-len(shown) % 8)
    return image_grid(shown, 8, 1.1)


def costs(findings):
    """Draw the time of each part as bars."""
    labels = [short(each.layers[-1], 30) for each in findings.costs][::-1]
    colours = [B if each.learning else A for each in findings.costs][::-1]
    seconds = [1000 * each.seconds for each in findings.costs][::-1]
    return horizontal_bars(labels, seconds, "ms an image (orange: trained in the last stage)", colours)
