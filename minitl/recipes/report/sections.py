"""The first four sections of the page: the result, the data, what was done, how it was learned.

Each function returns `Markup`; `results` and `section_network` have the others, `page` puts them together.
"""

import math

from ...graph.summary import flops
from ...weights.ledger import CHANGED, UNCHANGED
from ..evaluation import wilson_interval
from .charts import bar, intervals, legend, line_chart, shares
from .html import figure, join, name, percent, picture, table, tag

LONGEST = 28  # letters of a name in a table or beside a picture; the whole of it is in its title


def headline(fine_tuning):
    """Say what was learned, how well, and what it cost."""
    evaluation, model = fine_tuning.evaluation, fine_tuning.model
    low, high = evaluation.accuracy_interval
    right, count = int((evaluation.predicted == evaluation.labels).sum()), len(evaluation.labels)
    verdict = tag(
        "div",
        tag("p", percent(evaluation.accuracy), class_="big"),
        tag("p", tag("strong", f"{right:,} of {count:,}"), " held-back pictures were called by their right name. From "
            "so many pictures the true accuracy is known to lie ",
            tag("strong", f"between {percent(low)} and {percent(high)}"), " (95% interval)."),
    )  # fmt: skip
    tiles = [
        ("pictures to learn from", f"{len(fine_tuning.training):,}", ""),
        ("time since it was resumed" if fine_tuning.resumed else "time", duration(fine_tuning.seconds), ""),
        ("parameters that learned", f"{fine_tuning.stages[-1].parameters:,}", f"of {model.count_params():,}"),
        ("work for one picture", f"{flops(model) / 1e9:.2f}", "GFLOP"),
    ]
    return join(
        tag("p", "minitl · transfer learning", class_="eyebrow"),
        tag("h1", fine_tuning.task),
        tag("div", verdict, _comparison(fine_tuning), class_="result"),
        tag("dl", [_tile(*each) for each in tiles], class_="tiles"),
    )


def _tile(what, value, unit):
    return tag("div", tag("dt", what), tag("dd", value, " ", tag("small", unit)))


def _comparison(fine_tuning):
    """Show the accuracies of everything that was measured on the same pictures; if there is nothing else, of
    guessing."""
    evaluation, others = fine_tuning.evaluation, list(fine_tuning.others)
    if not others:
        usual = int(fine_tuning.training.counts(len(fine_tuning.class_names)).argmax())
        others = [("Always the most frequent class", float((evaluation.labels == usual).mean()), None, None)]
    rows = [("This model", evaluation.accuracy, "a"), *((what, accuracy, "b") for what, accuracy, _, _ in others)]
    count = len(evaluation.labels)
    chart = intervals([(what, share, *wilson_interval(share, count), class_) for what, share, class_ in rows])
    costs = [
        f" {what}: {parameters:,} parameters learned, in {duration(seconds)}."
        for what, _, parameters, seconds in others
        if parameters is not None
    ]
    return figure(chart, join("Accuracy on the same held-back pictures; the lines are 95% intervals.", costs))


def data(fine_tuning, findings):
    """Pictures a class, examples, and what the audit found."""
    names, classes = fine_tuning.class_names, len(fine_tuning.class_names)
    train, held_back = (pictures.counts(classes) for pictures in (fine_tuning.training, fine_tuning.held_back))
    rows = [
        (name(each, LONGEST), join(f"{a:,}", bar(a / max(train))), f"{b:,}")
        for each, a, b in zip(names, train, held_back)
    ]
    rows.append((tag("b", "all"), tag("b", f"{sum(train):,}"), tag("b", f"{sum(held_back):,}")))
    said = [
        f"The network learned from {sum(train):,} pictures of {classes} classes. {sum(held_back):,} others were held "
        "back: it has learned nothing from these, and its accuracy is measured on them."
    ]  # fmt: skip
    if max(train) > 3 * max(min(train), 1):
        said.append(
            f" The classes are out of balance ({min(train):,} to {max(train):,} training pictures): a network may do "
            "well by guessing the frequent ones, so look at each class's recall below."
        )
    examples = figure(
        tag("ul", [_example(*each) for each in zip(names, findings.examples)],
            class_="examples many" if max(map(len, findings.examples)) <= 1 else "examples"),
        "Training pictures of each class as the network was shown them, cut to a square and resized. Wrong labels show "
        "here first.",
    )  # fmt: skip
    counts = table(["class", "training #", "held back #"], rows, "Pictures of each class")
    return join(tag("p", said), tag("div", counts, examples, class_="beside"), _audit(fine_tuning))


def _example(each, pictures):
    images = [picture(rgb, f"training picture {number} of {each}") for number, rgb in enumerate(pictures, start=1)]
    shown = tag("div", images, class_="strip") if images else tag("p", "cannot be read any more", class_="muted")
    return tag("li", tag("p", name(each, LONGEST)), shown)


def _audit(fine_tuning):
    """Say what was left out and why, and which files are the same."""
    parts = [tag("h3", "What was left out")]
    if fine_tuning.skipped:
        count = len(fine_tuning.skipped)
        parts.append(
            tag("p", f"{count:,} file{'s' * (count > 1)} that cannot be used. Nothing is left out in silence:")
        )
        rows = [(name(path, 60), reason) for path, reason in fine_tuning.skipped]
        parts.append(table(["file", "why"], rows, "Files that were left out"))
    else:
        parts.append(tag("p", "Nothing: every file is a picture that can be read."))
    if fine_tuning.duplicates:
        rows = [
            (name(first, 60), join([name(each, 60) for each in rest], by=", "))
            for first, *rest in fine_tuning.duplicates
        ]
        parts += [
            tag("h3", "The same picture twice"),
            tag("p", "Files with the same content. One that is in both parts makes the accuracy a little too good."),
            table(["file", "is the same as"], rows, "Files with the same content"),
        ]  # fmt: skip
    return join(parts)


def steps(fine_tuning):
    """Show the six steps, and the ledger of where every number comes from."""
    ledger, rows = fine_tuning.model.ledger, []
    numbers = {"bit for bit as published": 0, "published, then trained": 0, "new": 0}
    published, changed, new = numbers
    for entry in ledger:
        source = entry.origin.first.file
        numbers[published if entry.is_published else changed if source else new] += math.prod(entry.shape)
        state = {UNCHANGED: "unchanged", CHANGED: "changed since"}.get(entry.state, entry.state)
        rows.append((
            tag("code", f"{entry.layer}/{entry.parameter}"),
            tag("span", " × ".join(map(str, entry.shape)), class_="whole"),
            name(source or "initialised here", 48), state,
        ))  # fmt: skip
    total, kept = sum(numbers.values()), numbers[published]
    colours = {published: "a", changed: "c", new: "b"}
    parts = [(what, count, colours[what]) for what, count in numbers.items() if count]
    return join(
        tag("ol", [tag("li", tag("h3", what), tag("p", done.replace("->", "→"))) for what, done in fine_tuning.steps],
            class_="steps"),
        tag("h3", "The ledger: where every number comes from"),
        tag("p", tag("strong", f"{kept:,} of {total:,} numbers ({percent(kept / total)})"),
            f" are those of the published file: {32 * kept:,} bits, of which not one has changed. This is no promise: "
            "a digest of every tensor was taken when it was loaded, and again at the end."),
        figure(
            join(shares(parts), legend(*((f"{what}: {count:,}", colour) for what, count, colour in parts))),
            join([tag("span", " ".join(line.split()), tag("br")) for line in ledger.summary()]),
        ),
        tag("details", tag("summary", f"All {len(rows)} tensors"),
            table(["tensor", "shape", "comes from", "is"], rows, "The ledger")),
        [tag("p", f"Note: {note}", class_="muted") for note in ledger.notes],
    )  # fmt: skip


def learning(fine_tuning):
    """Show the curves of every stage."""
    parts = [
        tag("p", "One point an epoch, which is one pass over all training pictures. Both lines of a chart should fall "
            "(loss) or rise (accuracy) together; where the held-back line turns while the other goes on, the network "
            "has begun to learn its pictures by heart."),
        legend(("training", "a"), ("held back", "b dashed")),
    ]  # fmt: skip
    for stage in [*fine_tuning.stages, *fine_tuning.other_stages]:
        epochs = len(stage.history.get("loss", ()))
        title = f"{stage.name}: {stage.parameters:,} parameters learned, {epochs} epoch{'s' * (epochs != 1)}"
        reached = "" if stage.accuracy is None else f", accuracy {percent(stage.accuracy)} in the end"
        parts.append(tag("h3", title + reached))
        parts.append(tag("div", _curves(stage), class_="charts") if epochs else tag("p", "It did not train."))
    return join(
        parts,
        tag("p", "The training line is measured while the network learns, batch by batch; the held-back line after "
            "each epoch, with the network as it is then. Early on, the latter may be ahead for that reason alone. "
            "Where labels are smoothed, no loss can fall to 0.", class_="muted"),
    )  # fmt: skip


def _curves(stage):
    history, charts = stage.history, []
    for key, title, what in (
        ("loss", "Loss", "cross-entropy: how surprised the network is by the right answers"),
        ("accuracy", "Accuracy", "the share of pictures called by their right name"),
    ):
        lines = ("training", "a", key), ("held back", "b dashed", f"val_{key}")
        series = [(who, class_, history[each]) for who, class_, each in lines if history.get(each)]
        values = [value for _, _, line in series for value in line]
        options = {}
        if key == "accuracy":
            low, high = min(values), max(values)
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
    """ "48 s", "3 min 20 s", "2 h 5 min"."""
    seconds = max(1, round(seconds))
    if seconds < 100:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes} min {seconds} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
