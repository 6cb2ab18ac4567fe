"""The first four sections of the page: the result, the data, the six steps, and the curves of the training.

Each function returns `Markup`. `results` and `section_network` have the other sections, and `page` joins all.
"""

import math

from ...graph.summary import flops
from ...terminal import counted
from ...weights.ledger import CHANGED, UNCHANGED
from ..evaluation import wilson_interval
from .charts import bar, intervals, legend, line_chart, shares
from .html import figure, image, join, name, percent, table, tag

LONGEST = 28  # letters of a name in a table or beside an image; its title holds the whole name


def headline(fine_tuning):
    """Show the task, the accuracy and the cost."""
    evaluation, model = fine_tuning.evaluation, fine_tuning.model
    low, high = evaluation.accuracy_interval
    right, count = int((evaluation.predicted == evaluation.labels).sum()), len(evaluation.labels)
    verdict = tag(
        "div",
        tag("p", percent(evaluation.accuracy), class_="big"),
        tag("p", tag("strong", f"{right:,} of {count:,}"), " held-back images were predicted rightly. With so many "
            "images, the true accuracy lies ",
            tag("strong", f"between {percent(low)} and {percent(high)}"), " (95% interval). ",
            "Guessing (always predicting the class with the most training images) is right for "
            f"{percent(_chance(fine_tuning))}."),
    )  # fmt: skip
    tiles = [
        ("training images", f"{len(fine_tuning.training):,}", ""),
        ("time since it was resumed" if fine_tuning.resumed else "time", duration(fine_tuning.seconds), ""),
        ("parameters that learned", f"{fine_tuning.stages[-1].parameters:,}", f"of {model.count_params():,}"),
        ("work for one image", f"{flops(model) / 1e9:.2f}", "GFLOP"),
    ]
    return join(
        tag("p", "minitl · transfer learning", class_="eyebrow"),
        tag("h1", fine_tuning.task),
        tag("div", verdict, _comparison(fine_tuning), class_="result"),
        tile_row(tiles),
    )


def _chance(fine_tuning):
    """Return the accuracy of always predicting the class with the most training images."""
    usual = int(fine_tuning.training.counts(len(fine_tuning.class_names)).argmax())
    return float((fine_tuning.evaluation.labels == usual).mean())


def tile_row(tiles):
    """Show figures side by side, as [(what it is, its value, its unit)]."""
    shown = [tag("div", tag("dt", what), tag("dd", value, " ", tag("small", unit))) for what, value, unit in tiles]
    return tag("dl", shown, class_="tiles")


def _comparison(fine_tuning):
    """Show the accuracies of all models on the same images; if there is no other model, that of guessing."""
    evaluation, others = fine_tuning.evaluation, list(fine_tuning.others)
    if not others:
        others = [("Always the most frequent class", _chance(fine_tuning), None, None)]
    rows = [("This model", evaluation.accuracy, "a"), *((what, accuracy, "b") for what, accuracy, _, _ in others)]
    count = len(evaluation.labels)
    chart = intervals([(what, share, *wilson_interval(share, count), class_) for what, share, class_ in rows])
    costs = [
        f" {what}: {parameters:,} parameters learned, in {duration(seconds)}."
        for what, _, parameters, seconds in others
        if parameters is not None
    ]
    return figure(chart, join("Accuracy on the same held-back images; the lines are 95% intervals.", costs))


def data(fine_tuning, findings):
    """Show the number of images of each class, some of them, and the files that were left out."""
    names, classes = fine_tuning.class_names, len(fine_tuning.class_names)
    train, held_back = (images.counts(classes) for images in (fine_tuning.training, fine_tuning.held_back))
    rows = [
        (name(each, LONGEST), join(f"{a:,}", bar(a / max(train))), f"{b:,}")
        for each, a, b in zip(names, train, held_back)
    ]
    rows.append((tag("b", "all"), tag("b", f"{sum(train):,}"), tag("b", f"{sum(held_back):,}")))
    words = (
        f"The network learned from {counted(sum(train), 'image')} of {classes} classes. From the images that were held "
        f"back, {sum(held_back):,} in all, it has learned nothing, and its accuracy is measured on them."
    )
    if max(train) > 3 * max(min(train), 1):
        words += (
            f" The classes are out of balance ({min(train):,} to {max(train):,} training images): a network may reach "
            "a high accuracy by predicting the frequent ones, so check each class's recall below."
        )
    examples = figure(
        tag("ul", [_example(*each) for each in zip(names, findings.examples)],
            class_="examples many" if max(map(len, findings.examples)) <= 1 else "examples"),
        "Training images of each class as the network was shown them, cropped to a square and resized. Wrong labels "
        "are often visible here.",
    )  # fmt: skip
    counts = table(["class", "training #", "held back #"], rows, "Images of each class")
    return join(tag("p", words), tag("div", counts, examples, class_="beside"), _audit(fine_tuning))


def _example(each, images):
    """Show some training images of one class."""
    tags = [image(rgb, f"training image {number} of {each}") for number, rgb in enumerate(images, start=1)]
    shown = tag("div", tags, class_="strip") if tags else tag("p", "cannot be read any more", class_="muted")
    return tag("li", tag("p", name(each, LONGEST)), shown)


def _audit(fine_tuning):
    """Show the files that were left out, with the reason, and the files with the same content."""
    parts = left_out(fine_tuning.skipped, "None: every file is an image that can be read.")
    two_labels = [sorted(paths) for paths in fine_tuning.two_labels]
    others = [paths for paths in fine_tuning.duplicates if sorted(paths) not in two_labels]
    parts += _repeated(
        "One image, two labels", "Each of these images is in two classes. Leave it in the right one alone.", two_labels
    )
    parts += _repeated(
        "The same image twice",
        "These files have the same content. An image in both parts makes the accuracy a little too good.",
        others,
    )
    return join(parts)


def left_out(skipped, none):
    """Show the files that were left out, with the reason, as a list of parts; the text `none` if there are none."""
    title = tag("h3", "Files that were left out")
    if not skipped:
        return [title, tag("p", none)]
    rows = [(name(path, 60), reason) for path, reason in skipped]
    count = tag("p", f"{counted(len(skipped), 'file')} cannot be used:")
    return [title, count, table(["file", "why"], rows, "Files that were left out")]


def _repeated(title, text, files):
    """Show the files that have the same content, if there are any."""
    if not files:
        return []
    rows = [(name(first, 60), join([name(each, 60) for each in rest], by=", ")) for first, *rest in files]
    return [tag("h3", title), tag("p", text), table(["file", "is the same as"], rows, title)]


def steps(done, ledger):
    """Show the six steps, as [(name, what was done)], and the ledger: the origin of every number."""
    rows = []
    numbers = {"bit for bit as published": 0, "published, then adapted or trained": 0, "new": 0}
    published, changed, new = numbers
    for entry in ledger:
        source = entry.origin.first.file
        numbers[published if entry.is_published else changed if source else new] += math.prod(entry.shape)
        state = {UNCHANGED: "unchanged", CHANGED: "changed since"}.get(entry.state, entry.state)
        rows.append((
            tag("code", f"{entry.layer}/{entry.parameter}"),
            tag("span", " × ".join(map(str, entry.shape)), class_="whole"),
            name(source or "initialised here", 48), tag("span", state, class_="whole"),
        ))  # fmt: skip
    total, kept = sum(numbers.values()), numbers[published]
    colours = {published: "a", changed: "c", new: "b"}
    parts = [(what, count, colours[what]) for what, count in numbers.items() if count]
    return join(
        tag("ol", [tag("li", tag("h3", what), tag("p", words.replace("->", "→"))) for what, words in done],
            class_="steps"),
        tag("h3", "The ledger: where every number comes from"),
        tag("p", tag("strong", f"{kept:,} of {total:,} numbers ({percent(kept / total, 2)})"),
            f" are those of the published file: {32 * kept:,} bits, of which not one has changed. This is verified: a "
            "digest of every tensor was computed when it was loaded, and again at the end.") if kept else
        tag("p", f"None of the {total:,} numbers is in a tensor that still is what a published file holds."),
        figure(
            join(shares(parts), legend(*((f"{what}: {count:,}", colour) for what, count, colour in parts))),
            join([tag("span", " ".join(line.split()), tag("br")) for line in ledger.summary()]),
        ),
        tag("details", tag("summary", f"All {len(rows)} tensors"),
            table(["tensor", "shape", "comes from", "is"], rows, "The ledger", wide=True)),
        [tag("p", f"Note: {note}", class_="muted") for note in ledger.notes],
    )  # fmt: skip


# What is shown epoch by epoch: (key of the history, title, what it is).
CURVES = (
    ("loss", "Loss", "cross-entropy: the smaller, the higher the probabilities of the labels"),
    ("accuracy", "Accuracy", "the share of images that are predicted rightly"),
)


def learning(stages, curves=CURVES, noun="image"):
    """Show the curves of every `record.Stage`. `noun` is the word for an example."""
    ways = [f"{'fall' if key == 'loss' else 'rise'} ({title[0].lower()}{title[1:]})" for key, title, _ in curves]
    parts = [
        tag("p", f"There is one point for each epoch, which is one pass over all training {noun}s. Both lines of a "
            f"chart should {' or '.join(ways)} together. Where the held-back line turns while the other goes on, "
            f"the network has begun to learn its training {noun}s by heart (overfitting)."),
        legend(("training", "a"), ("held back", "b dashed")),
    ]  # fmt: skip
    for stage in stages:
        epochs = len(stage.history.get("loss", ()))
        learned = "" if stage.parameters is None else f"{stage.parameters:,} parameters learned, "
        title = f"{stage.name}: {learned}{counted(epochs, 'epoch')}"
        reached = "" if stage.accuracy is None else f", accuracy {percent(stage.accuracy)} at the end"
        parts.append(tag("h3", title + reached))
        parts.append(tag("div", _curves(stage, curves), class_="charts") if epochs else tag("p", "It did not train."))
    return join(
        parts,
        tag("p", "The training line is measured batch by batch while the network learns. The held-back line is "
            "measured after each epoch, with the network at the end of the epoch. In early epochs it may be ahead "
            "for that reason alone. Where labels are smoothed, no loss can fall to 0.", class_="muted"),
    )  # fmt: skip


def _curves(stage, curves):
    """Show each of `curves` and the learning rate of a stage, epoch by epoch."""
    history, charts = stage.history, []
    for key, title, what in curves:
        lines = ("training", "a", key), ("held back", "b dashed", f"val_{key}")
        series = [(label, class_, history[each]) for label, class_, each in lines if history.get(each)]
        if not series:
            continue
        values = [value for _, _, line in series for value in line]
        options = {}
        if key != "loss":  # a share
            low, high = min(0.99, *values), max(values)
            options = {"y_range": (low, max(high, low + 0.01)), "y_text": f"{{:.{int(high - low < 0.04)}%}}".format}
        charts.append(figure(line_chart(title, series, **options), join(tag("b", title), ", ", what)))
    rates = stage.learning_rates
    if len(set(rates)) > 1:
        chart = line_chart("Learning rate", [("learning rate", "c", rates)], stepwise=True)
        charts.append(figure(chart, join(tag("b", "Learning rate"), " at the beginning of each epoch")))
    elif rates:
        charts.append(tag("p", f"Learning rate: {rates[0]:g} throughout.", class_="muted"))
    return charts


def duration(seconds):
    """Return a time as text: "48 s", "3 min 20 s", "2 h 5 min"."""
    seconds = max(1, round(seconds))
    if seconds < 100:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes} min {seconds} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
