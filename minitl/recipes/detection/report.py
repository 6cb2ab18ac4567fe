"""The report of a detector: a page with what it learned from, how well it finds boxes, and where it is wrong.

`report_on_detection` writes the page: `sections` returns what is special, and the package `report` has the rest.
"""

import numpy as np

from ...applications import NETWORKS
from ...applications.ssd import STRIDES
from ...data.drawing import class_colours, draw_boxes
from ...data.photos import open_photo
from ...errors import DataError
from ...terminal import counted
from ..place_settings import RANDOM
from ..report import write_page
from ..report.charts import bar, precision_and_recall
from ..report.html import figure, image, join, name, percent, table, tag
from ..report.page import whole_page
from ..report.record import Stage
from ..report.sections import LONGEST, duration, learning, left_out, steps, tile_row
from ..reporting import made_by
from .decoding import above

LONGEST_SIDE = 480  # pixels of an image on the page
MOST_EXAMPLES, MOST_WORST, MOST_RIGHT = 6, 12, 4
CURVES = (("loss", "Loss", "of boxes and classes together, for each prior that has to find something"),)


def report_on_detection(job, result):
    """Write the report of a finished `job.DetectionJob` with this `FinetunedDetection`, and print the page's path."""
    text = whole_page(
        title(result), headline(job, result), sections(job, result), made_by(job.settings, result.seconds)
    )
    print(f"\nReport: {write_page(text, job.settings.report)}", flush=True)


def sections(job, result):
    """Return the sections of the page as [(the name of its place, its title, its content as `Markup`)]."""
    stages = _stages(job, result)
    return [
        ("data", "The data", data(result)),
        ("steps", "Six steps", steps(_six_steps(job, result, stages), result.model.ledger)),
        ("learning", "How it learned", learning(stages, CURVES)),
        ("classes", "How well it finds them", classes(result.evaluation)),
        ("worst", "Where it is wrong", worst(job, result.evaluation)),
    ]


def title(result):
    """Return the title of the page."""
    names = result.folder.class_names
    what = f"{len(names)} kinds of things" if len(names) > 4 else ", ".join(names)
    return f"{what}, found in boxes: learned from {len(result.folder.train):,} photographs"


def headline(job, result):
    """Show the task, the mean average precision and the cost."""
    evaluation, model = result.evaluation, result.model
    found, missed, wrong = evaluation.counts.sum(axis=0).tolist()
    sure = []
    if evaluation.interval is not None:
        low, high = evaluation.interval
        sure = [" With so many images, it lies ", tag("strong", f"between {percent(low)} and {percent(high)}"),
                " (95% interval)."]  # fmt: skip
    verdict = tag(
        "div",
        tag("p", percent(evaluation.mean_average_precision), class_="big"),
        tag("p", "is the mean average precision on ", counted(len(evaluation.labels), "held-back image"), ": a box is "
            "found if it overlaps the true one by an IoU of 0.5.", sure, " Over IoUs of 0.5 to 0.95, as COCO has it: ",
            tag("strong", percent(evaluation.coco_average_precision)), "."),
        tag("p", f"With boxes shown from a score of {evaluation.score:g} on: ", tag("strong", f"{found:,} found"),
            f", {missed:,} missed, {wrong:,} wrong."),
    )  # fmt: skip
    tiles = [
        ("training photographs", f"{len(result.folder.train):,}", f"in {result.training_pictures:,} variations"),
        ("time since it was resumed" if job.settings.resume else "time", duration(result.seconds), ""),
        ("parameters that learned", f"{list(job.learned.values())[-1]:,}", f"of {model.count_params():,}"),
        ("priors", f"{len(job.priors):,}", "an image"),
    ]
    return join(
        tag("p", "minitl · transfer learning", class_="eyebrow"),
        tag("h1", title(result)),
        tag("div", verdict, class_="result"),
        tile_row(tiles),
    )


def data(result):
    """Show the number of boxes of each class, some photographs with theirs, and what was left out."""
    folder, names = result.folder, result.folder.class_names
    train, held_back = folder.counts(folder.train), folder.counts(folder.val)
    rows = [
        (name(each, LONGEST), join(f"{a:,}", bar(a / max(*train, 1))), f"{b:,}")
        for each, a, b in zip(names, train, held_back)
    ]
    rows.append((tag("b", "all boxes"), tag("b", f"{sum(train):,}"), tag("b", f"{sum(held_back):,}")))
    rows.append(("photographs", f"{len(folder.train):,}", f"{len(folder.val):,}"))
    with_boxes = [photo for photo in folder.train if len(photo.boxes)]
    chosen = [with_boxes[k] for k in np.linspace(0, len(with_boxes) - 1, MOST_EXAMPLES).astype(int)]
    shown = [_with_boxes(photo, _of_photo(photo), names) for photo in dict.fromkeys(chosen)]
    items = [tag("li", image(pixels, "a training photograph with its boxes")) for pixels in shown if pixels is not None]
    boxes = [tag("h3", "Boxes that were left out")]
    if folder.left_out_boxes:
        faults = [(name(file, 60), str(box), why) for file, box, why in folder.left_out_boxes]
        boxes.append(table(["file", "box", "why"], faults, "Boxes that were left out"))
    else:
        boxes.append(tag("p", "None: every box lies in its photograph and has an area."))
    return join(
        tag("p", "The network learned from the training photographs. From those that were held back, it has learned "
            "nothing, and its figures are measured on them."),
        table(["class", "training #", "held back #"], rows, "Boxes of each class"),
        figure(tag("ul", items, class_="examples"), "Training photographs with their boxes. Boxes that are wrong or "
               "missing are often visible here."),
        left_out(folder.skipped, "None: every file is an image that can be read."),
        boxes,
        [tag("p", note, class_="muted") for note in folder.notes],
    )  # fmt: skip


def classes(evaluation):
    """Show the average precision of each class, and its curve of precision by recall."""
    rows, charts = [], []
    for k, each in enumerate(evaluation.class_names):
        found, missed, wrong = evaluation.counts[k].tolist()
        figures = [
            join(percent(value), bar(0 if np.isnan(value) else value))
            for value in (evaluation.average_precision[k], evaluation.coco[k])
        ]
        rows.append(
            (name(each, LONGEST), f"{evaluation.boxes[k]:,}", *figures, f"{found:,}", f"{missed:,}", f"{wrong:,}")
        )
        recalls, precisions = evaluation.curve(k)
        if len(recalls):
            chosen = (found / (found + missed), found / (found + wrong)) if found else None
            caption = join(
                tag("b", name(each, LONGEST)), f", average precision {percent(evaluation.average_precision[k])}"
            )
            charts.append(figure(precision_and_recall(each, recalls, precisions, chosen), caption))
    head = ["class", "boxes #", "at IoU 0.5 #", "0.5 to 0.95 #", "found #", "missed #", "wrong #"]
    return join(
        tag("p", tag("b", "Average precision"), " goes through the found boxes from the best score down: ",
            tag("b", "precision"), ", how many of them are right, is averaged over all ", tag("b", "recalls"),
            ", how many of the true boxes are found. Found, missed and wrong are counted at a score of "
            f"{evaluation.score:g}, the orange point in a chart."),
        table(head, rows, "Average precision of each class"),
        tag("div", charts, class_="charts"),
    )  # fmt: skip


def worst(job, evaluation):
    """Show the held-back photographs with the most mistakes, and some without: true boxes beside found ones."""
    positions = evaluation.worst(MOST_WORST)
    mistakes = evaluation.by_image[:, 1:].sum(axis=1)
    right = np.flatnonzero((mistakes == 0) & (evaluation.by_image[:, 0] > 0))[:MOST_RIGHT]
    without = tag("p", "There is none: at this score, every box was found, and nothing else.")
    return join(
        tag("p", f"On the left the true boxes, on the right those that were found with a score of {evaluation.score:g} "
            "and above. Look at the photographs with the most mistakes first: many a true box is missing or wrong."),
        _compared(job, evaluation, positions) if len(positions) else without,
        [tag("h3", "Without a mistake"), _compared(job, evaluation, right)] if len(right) else "",
    )  # fmt: skip


def _compared(job, evaluation, positions):
    """Show photographs with their true boxes beside those that were found."""
    names, rows = evaluation.class_names, []
    for n in positions:
        photo, (found, missed, wrong) = job.photos["_val"][n], evaluation.by_image[n].tolist()
        views = []
        for boxes, what in (
            (_of_photo(photo), "true boxes"),
            (above(evaluation.detections[n], evaluation.score), "found"),
        ):
            pixels = _with_boxes(photo, boxes, names)
            if pixels is not None:
                views.append(tag("figure", image(pixels, f"{evaluation.names[n]}: {what}"), tag("figcaption", what)))
        words = tag(
            "p", name(evaluation.names[n], 34), f": {found} found, {missed} missed, {wrong} wrong", class_="muted"
        )
        rows.append(tag("li", views or tag("p", "cannot be read any more", class_="muted"), words))
    return tag("ul", rows, class_="cams three")


def _of_photo(photo):
    """Return the true boxes of a photograph as `_with_boxes` takes them."""
    return {"boxes": photo.boxes, "classes": photo.labels}


def _with_boxes(photo, found, class_names):
    """Return a photograph of at most `LONGEST_SIDE` pixels with boxes on it, or None if it cannot be read any more."""
    try:
        opened = open_photo(photo.path)
    except (DataError, OSError):
        return None
    scale = min(1, LONGEST_SIDE / max(opened.size))
    small = opened.resize([max(1, round(side * scale)) for side in opened.size])
    texts = [class_names[k] for k in found["classes"]]
    if "scores" in found:
        texts = [f"{text} {score:.2f}" for text, score in zip(texts, found["scores"])]
    colours = class_colours(found["classes"])
    return draw_boxes(np.asarray(small), np.asarray(found["boxes"]) * scale, texts, colours, thickness=1)


def _stages(job, result):
    """Return the `Stage`s of the page."""
    titles = {
        "head": "Stage 1, the new layers on the frozen base",
        "blocks": f"Stage 2, from {job.settings.unfreeze} on",
    }
    return [
        Stage(titles[key], history, job.learning_rates[key].learning_rates, job.learned[key])
        for key, history in result.history.items()
    ]


def _six_steps(job, result, stages):
    """Return the six steps of transfer learning, as (name, what was done)."""
    settings, base = job.settings, job.base
    entries = [entry.origin.first for entry in result.model.ledger if entry.origin.first.file]
    files = ", ".join(dict.fromkeys(origin.file for origin in entries))
    height, width = job.image_hw
    used = ", ".join(f"stride {stride}: {len(shapes)}" for stride, shapes in zip(STRIDES, result.shapes))
    before = "random weights" if settings.weights == RANDOM else "pre-trained on photographs of 1,000 kinds of things"
    loaded, kinds = counted(len(entries), "tensor"), counted(len(result.folder.class_names), "class")
    load = f"{loaded} of its convolutions, {base.count_params():,} parameters, from {files}."
    if settings.weights == RANDOM:
        load = "nothing: its weights are random numbers, to see what pre-trained ones are worth."
    trained = ". ".join(f"{stage.name}: {stage.parameters:,} parameters learn" for stage in stages)
    return [
        ("Choose", f"{NETWORKS[settings.base].title}, {before}."),
        ("Load", load),
        ("Remove", "its dense layers (include_top=False), which say what is in an image, but not where."),
        ("Add", f"new convolutions, which say of {len(job.priors):,} priors what is in each ({used} at a place)."),
        ("Adapt", f"input {height}x{width} pixels; outputs for {kinds}; shapes of "
         "priors from the boxes of the training photographs."),
        ("Freeze and fine-tune", "every variation of a photograph goes once through the layers that stay frozen, and "
         f"their maps are kept. {trained}."),
    ]  # fmt: skip
