"""The report on a fine-tuning for pixels: a page with its figures, and photographs beside labels and predictions.

`job` calls `report_on_segmentation`. The sections that every report has, and the charts, are in the package `report`.
"""

import numpy as np

from ...applications import NETWORKS as BASES
from ...data.drawing import overlay_mask
from ...data.masked_photos import read_pair
from ...data.masks import IGNORE, resize_mask
from ...errors import DataError
from ...graph.summary import flops
from ...progress import Progress
from ...terminal import counted
from ..report import write_page
from ..report.charts import bar, intervals
from ..report.html import Markup, figure, image, join, name, percent, table, tag
from ..report.page import whole_page
from ..report.record import Stage
from ..report.results import MOST_CELLS, matrix
from ..report.sections import LONGEST, duration, learning, left_out, steps, tile_row
from ..reporting import made_by
from .prediction import Segmenter
from .showing import renumbered, resized
from .written import OPACITY, colours_of

LONGEST_SIDE = 480  # pixels of an image on the page
MOST_WORST, MOST_BEST, MOST_PAIRS = 8, 4, 15
CURVES = (
    ("loss", "Loss", "cross-entropy of the labelled pixels: the smaller, the higher the probabilities of their labels"),
    ("mean_io_u", "Mean IoU", "over the classes that occur, on images as they are shown to the network"),
)


def report_on_segmentation(job, evaluation, history, mean_iou, seconds):
    """Write the report of a finished `job.SegmentationJob`. Returns the page's path.

    evaluation   `PixelEvaluation`;   history, mean_iou   {stage: ...} as in `job.FinetunedSegmentation`
    """
    settings, folder = job.settings, job.folder
    titles = {
        "head": "Stage 1, the new layers on the frozen base",
        "blocks": f"Stage 2, from {settings.unfreeze} on",
    }
    stages = [
        Stage(titles[key], each, job.learning_rates[key].learning_rates, job.learned[key])
        for key, each in history.items()
    ]
    segmenter = Segmenter(job.model)
    task = f"{_listed(folder.class_names)}: the class of each pixel, learned from {len(folder.train):,} photographs"
    contents = [
        ("data", "The data", _data(job, colours_of(segmenter)[0])),
        ("steps", "Six steps", steps(six_steps_of(job, stages), job.model.ledger)),
        ("learning", "How it learned", learning(stages, CURVES)),
        ("classes", "How well it knows each class", _classes(evaluation)),
        ("confusion", "What it confuses", _confusion(evaluation)),
        ("images", "Photographs, the worst first", _images(job, segmenter, evaluation)),
    ]
    headline = _headline(job, task, evaluation, mean_iou, seconds)
    return write_page(whole_page(task, headline, contents, made_by(settings, seconds)), settings.report)


def _listed(names):
    """Return up to four names as text; for more names, their number."""
    return f"{len(names)} classes" if len(names) > 4 else f"{', '.join(names[:-1])} and {names[-1]}"


def _headline(job, task, evaluation, mean_iou, seconds):
    """Show the task, the mean IoU and the cost."""
    model, interval = job.model, evaluation.mean_iou_interval
    labels = evaluation.confusion.sum(axis=1)
    usual = percent(labels.max() / max(1, labels.sum()))
    sure = f", between {percent(interval[0])} and {percent(interval[1])} (95% interval)" if interval else ""
    verdict = tag(
        "div",
        tag("p", percent(evaluation.mean_iou), class_="big"),
        tag("p", tag("strong", "mean IoU"), f" on {counted(len(evaluation.counts), 'held-back photograph')}{sure}. "
            "For one class it is the area that is both labelled and predicted as this class, divided by the area that "
            "is one of the two. ",
            tag("strong", f"{percent(evaluation.pixel_accuracy)} of all labelled pixels"),
            f" are right. Always answering with the most frequent class would be right for {usual} of them."),
    )  # fmt: skip
    rows = [("After the last stage", evaluation.mean_iou, *(interval or [evaluation.mean_iou] * 2), "a")]
    if len(mean_iou) > 1:
        rows.append(("After stage 1", mean_iou["head"], mean_iou["head"], mean_iou["head"], "b"))
    accuracy, limits = evaluation.pixel_accuracy, evaluation.pixel_accuracy_interval
    rows.append(("Pixels that are right", accuracy, *(limits or [accuracy] * 2), "c"))
    words = "Mean IoU and pixel accuracy on the held-back photographs; the lines are 95% intervals."
    tiles = [
        ("training images", f"{len(job.y):,}", f"of {counted(len(job.folder.train), 'photograph')}"),
        ("time since it was resumed" if job.settings.resume else "time", duration(seconds), ""),
        ("parameters that learned", f"{list(job.learned.values())[-1]:,}", f"of {model.count_params():,}"),
        (f"work for {job.image_hw[1]}x{job.image_hw[0]} pixels", f"{flops(model) / 1e9:.1f}", "GFLOP"),
    ]
    return join(
        tag("p", "minitl · transfer learning", class_="eyebrow"),
        tag("h1", task),
        tag("div", verdict, figure(intervals(rows, "Shares"), words), class_="result"),
        tile_row(tiles),
    )


def _data(job, colours):
    """Show the pixels of each class with its colour on this page, and what was left out."""
    folder = job.folder
    counts = [folder.pixel_counts(photos) for photos in (folder.train, folder.val)]
    sums = [max(1, int(each.sum())) for each in counts]
    rows = [
        (
            join(_swatch(colour), name(each, LONGEST)),
            join(percent(train / sums[0]), bar(train / sums[0])),
            percent(held / sums[1]),
        )
        for each, colour, train, held in zip(folder.class_names, colours, *counts)
    ]
    unlabelled = folder.ignored_pixels() / max(1, sum(sums) + folder.ignored_pixels())
    words = (
        f"The network learned from {counted(len(folder.train), 'photograph')} with masks, each in "
        f"{counted(job.settings.variations, 'variation')}. From the {len(folder.val):,} that were held back it has "
        f"learned nothing, and its figures are measured on them. {percent(unlabelled)} of all pixels are unlabelled: "
        "they count neither in training nor in the figures."
    )
    parts = [tag("p", words), table(["class", "training #", "held back #"], rows, "Pixels of each class")]
    if folder.notes:
        parts += [tag("h3", "What may be wrong"), [tag("p", note) for note in folder.notes]]
    return join(parts, left_out(folder.skipped, "None: every photograph has a mask that can be read."))


def _swatch(colour):
    """Return a small area of a class's colour, to stand before its name."""
    red, green, blue = (int(value) for value in colour)
    return tag("span", Markup(""), class_="swatch", style=f"--colour:rgb({red} {green} {blue})", aria_hidden="true")


def six_steps_of(job, stages):
    """Return the six steps of transfer learning, as (name, what was done)."""
    settings, base, model = job.settings, job.base, job.model
    loaded = [entry.origin.first for entry in model.ledger if entry.origin.first.file]
    files = ", ".join(dict.fromkeys(origin.file for origin in loaded))
    parameters = f"{base.count_params():,} parameters"
    load = f"{len(loaded)} tensors of its convolutions, {parameters}, from {files}."
    before = "pre-trained on photographs of 1,000 kinds of things"
    if not files:
        load, before = f"nothing: its {parameters} are random numbers.", "with random weights"
    height, width = job.image_hw
    new = [layer for layer in model.layers if layer not in base.layers and layer.weight_names]
    maps = " and ".join(f"{'×'.join(map(str, tensor.shape[1:]))}" for tensor in job.part.inputs)
    kind = "U-Net's decoder" if settings.network == "unet" else f"FCN-{settings.network.removeprefix('fcn')}s"
    trained = ". ".join(f"{stage.name}: {stage.parameters:,} parameters learn" for stage in stages)
    return [
        ("Choose", f"{BASES[settings.base].title}, {before}."),
        ("Load", load),
        ("Remove", "its dense layers: they answer for an image as a whole."),
        ("Add", f"{kind}: {len(new)} new layers with weights, on several maps, and a softmax for each pixel."),
        ("Adapt", f"images of {height}x{width} pixels; {model.output_shape[-1]} classes for each pixel."),
        ("Freeze and fine-tune", f"every variation goes once through the layers that stay frozen, and the maps that "
            f"the rest begins with ({maps}) are kept. {trained}."),
    ]  # fmt: skip


def _classes(evaluation):
    """Show the IoU of each class with its interval, and how much of it is found."""
    order = np.argsort(-np.nan_to_num(evaluation.iou, nan=-1), kind="stable")
    found = [k for k in order if not np.isnan(evaluation.iou[k])]
    rows = []
    for k in found:
        iou, (low, high) = evaluation.iou[k], evaluation.iou_intervals[k]
        low, high = (iou, iou) if np.isnan(low) else (low, high)
        rows.append((evaluation.class_names[k], float(iou), float(low), float(high), "a"))
    right, labelled, predicted = evaluation.counts.sum(axis=0)
    cells = [
        (
            name(evaluation.class_names[k], LONGEST),
            join(percent(evaluation.iou[k]), bar(np.nan_to_num(evaluation.iou[k]))),
            percent(right[k] / labelled[k]) if labelled[k] else "–",
            percent(right[k] / predicted[k]) if predicted[k] else "–",
        )
        for k in order
    ]
    words = (
        "The lines are 95% intervals: those of drawing the held-back photographs anew. Found is the share of the "
        "pixels with this label that are predicted so; right is the share of such predictions that have the label."
    )
    chart = figure(intervals(rows, "IoU of the classes"), words) if rows else ""
    return tag(
        "div", chart, table(["class", "IoU #", "found #", "right #"], cells, "IoU by class"), class_="beside even"
    )


def _confusion(evaluation):
    """Show which class's pixels were taken for which: as a matrix, or for many classes as pairs."""
    pairs = evaluation.confused(MOST_PAIRS)
    rows = [
        (name(label, LONGEST), name(other, LONGEST), join(percent(share), bar(share, "b")), percent(of_all, 2))
        for label, other, share, of_all in pairs
    ]
    listed = join(
        tag("h3", "Most often confused"),
        table(
            ["label", "prediction", "of the label's pixels #", "of all #"], rows, "The most confused pairs of classes"
        )
        if rows
        else tag("p", "No class was taken for another one."),
    )
    if len(evaluation.class_names) > MOST_CELLS:
        return listed
    words = (
        "A row holds the pixels with one label, a column those with one prediction, as shares of the row. The diagonal "
        "(blue) is right. The other cells (orange) are mistakes; the stronger the colour, the more of them."
    )
    return join(matrix(evaluation.class_names, evaluation.confusion, words, lambda _, share: f"{share:.1%}"), listed)


def _images(job, segmenter, evaluation):
    """Show photographs beside their labels and predictions: the worst ones, then the best ones."""
    order = evaluation.worst_places()
    best = list(reversed(order[MOST_WORST:][-MOST_BEST:]))
    by_name = {str(photo.path.relative_to(job.folder.path)): photo for photo in job.folder.val}
    parts = [
        tag("p", "From left to right: the photograph, the labels of its mask, and the prediction. Look at the worst "
            "ones first: many a mask is wrong or coarse."),
    ]  # fmt: skip
    with Progress("Report", len(order[:MOST_WORST]) + len(best)) as progress:
        for title, places in ("The lowest mean IoU", order[:MOST_WORST]), ("The highest", best):
            shown = []
            for place, (iou, right) in places:
                views = _views(segmenter, by_name[evaluation.names[place]])
                words = f": mean IoU {percent(iou)}, {percent(right)} of its pixels are right"
                caption = tag("p", name(evaluation.names[place], 34), words, class_="muted")
                shown.append(tag("li", views or tag("p", "cannot be read any more", class_="muted"), caption))
                progress.advance(1)
            if shown:
                parts += [tag("h3", title), tag("ul", shown, class_="triples")]
    return join(parts)


def _views(segmenter, photo):
    """Return three images of a photograph: itself, with its labels, and with the prediction; [] if it is gone."""
    try:
        pixels, mask = read_pair(photo)
    except (DataError, OSError):
        return []
    (predicted,) = segmenter.masks([pixels])
    labels = renumbered(mask, segmenter.ignore)
    factor = min(1.0, LONGEST_SIDE / max(mask.shape))
    size = [max(1, round(side * factor)) for side in mask.shape]
    small, (colours, without) = resized(pixels, *size), colours_of(segmenter)
    views = [("the photograph", small)]
    for what, each in ("its labels", labels), ("the prediction", predicted):
        coloured = overlay_mask(small, resize_mask(each, *size), colours, OPACITY, (*without, IGNORE))
        views.append((what, coloured))
    found = [tag("figure", image(each, f"{photo.path.name}: {what}"), tag("figcaption", what)) for what, each in views]
    return tag("div", found)
