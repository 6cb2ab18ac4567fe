"""The first four sections of the page: the result, the data, what was done, how it was learned.

Each function returns `Markup`; `results` and `inside` have the others, `page` puts them together.
"""

import math

from ..evaluation import wilson_interval
from ..models.summary import flops
from ..weights.ledger import CHANGED, UNCHANGED
from .charts import bar, intervals, legend, line_chart, shares
from .html import figure, join, name, percent, picture, table, tag

LONGEST = 28  # letters of a name in a table or beside a picture; the whole of it is in its title


def headline(happened):
    """What was learned, how well, and what it cost."""
    evaluation, model = happened.evaluation, happened.model
    low, high = evaluation.accuracy_interval
    count = len(evaluation.labels)
    right = int((evaluation.predicted == evaluation.labels).sum())
    learned, whole = happened.stages[-1].parameters, model.count_params()
    costs = [
        ("pictures to learn from", f"{len(happened.training):,}"),
        ("time", duration(happened.seconds)),
        ("parameters that learned", f"{learned:,}", f"of {whole:,}"),
        ("work for one picture", f"{flops(model) / 1e9:.2f}", "GFLOP"),
    ]
    return join(
        tag("p", "minitl · transfer learning", class_="eyebrow"),
        tag("h1", happened.task),
        tag(
            "div",
            tag(
                "div",
                tag("p", percent(evaluation.accuracy), class_="big"),
                tag("p", tag("strong", f"{right:,} of {count:,}"), " held-back pictures were called by their right name. "
                    "From so many pictures the true accuracy is known to lie ",
                    tag("strong", f"between {percent(low)} and {percent(high)}"), " (95% interval)."),
                class_="verdict",
            ),
            _comparison(happened),
            class_="result",
        ),
        tag("dl", [_fact(*each) for each in costs], class_="tiles"),
    )  # fmt: skip


def _fact(what, value, unit=None):
    return tag("div", tag("dt", what), tag("dd", value, tag("small", " ", unit) if unit else ""))


def _comparison(happened):
    """The accuracies of everything that was measured on the same pictures, if there is more than one."""
    count, result = len(happened.evaluation.labels), ("This model", happened.evaluation.accuracy, "a")
    rows = [result, *((what, accuracy, "b") for what, accuracy, _, _ in happened.others)]
    if len(rows) == 1:
        return ""
    chart = intervals([(what, share, *wilson_interval(share, count), class_) for what, share, class_ in rows])
    lines = [
        f" {what}: {parameters:,} parameters learned, in {duration(seconds)}."
        for what, _, parameters, seconds in happened.others
        if parameters is not None and seconds is not None
    ]
    caption = join("Accuracy on the same held-back pictures; the lines are 95% intervals.", lines)
    return figure(join(legend(*((f"{what} {percent(share)}", class_) for what, share, class_ in rows)), chart), caption)


def data(happened, findings):
    """Pictures a class, examples, and what the audit found."""
    names, classes = happened.class_names, len(happened.class_names)
    train, held_back = (pictures.counts(classes) for pictures in (happened.training, happened.held_back))
    most = max(train)
    rows = [
        (name(each, LONGEST), tag("span", f"{a:,}", bar(a / most, "a")), f"{b:,}")
        for each, a, b in zip(names, train, held_back)
    ]
    rows.append((tag("b", "all"), tag("b", f"{sum(train):,}"), tag("b", f"{sum(held_back):,}")))
    counts = table(["class", "training #", "held back #"], rows, "tall", "Pictures of each class")
    examples = [
        tag(
            "li",
            tag("p", name(each, LONGEST)),
            tag("div", [picture(rgb, f"training picture {k} of class {each}") for k, rgb in enumerate(pictures, 1)],
                class_="strip") if pictures else tag("p", "no picture can be read any more", class_="muted"),
        )
        for each, pictures in zip(names, findings.examples)
    ]  # fmt: skip
    said = [
        f"The network learned from {sum(train):,} pictures of {classes} classes. {sum(held_back):,} others were held back: "
        "it never learned from these, and every figure on this page is measured on them."
    ]
    if most > 3 * max(min(train), 1):
        said.append(
            f" The classes are out of balance ({min(train):,} to {most:,} training pictures): a network may do well by "
            "guessing the frequent ones, so look at each class's recall below."
        )
    return join(
        tag("p", said),
        tag("div", counts, figure(tag("ul", examples, class_="examples"),
            "Some training pictures of each class, as the network was shown them: cut to a square, and resized. Look for "
            "wrong labels here first."), class_="beside"),
        _audit(happened),
    )  # fmt: skip


def _audit(happened):
    """What was left out and why, and which files are the same."""
    parts = [tag("h3", "What was left out")]
    if happened.skipped:
        rows = [(name(path, 60), reason) for path, reason in happened.skipped]
        parts.append(tag("p", f"{len(rows):,} of the files cannot be used. Nothing was left out in silence:"))
        parts.append(table(["file", "why"], rows, "tall", "Files that were left out"))
    else:
        parts.append(tag("p", "Nothing: every file is a picture that can be read."))
    if happened.duplicates:
        rows = [
            (name(first, 60), join([name(each, 60) for each in rest], by=", ")) for first, *rest in happened.duplicates
        ]
        parts += [
            tag("h3", "The same picture twice"),
            tag(
                "p", "Files with the same content. One that is in both parts would make the accuracy a little too good."
            ),
            table(["file", "the same as"], rows, "tall", "Files with the same content"),
        ]
    return join(parts)


def steps(happened):
    """The six steps, and the ledger of where every number comes from."""
    items = [tag("li", tag("h3", what), tag("p", done)) for what, done in happened.steps]
    ledger = happened.model.ledger
    groups = {"published": 0, "changed": 0, "new": 0}
    rows = []
    for entry in ledger:
        kind = "published" if entry.is_published else "changed" if entry.origin.first.file else "new"
        groups[kind] += math.prod(entry.shape)
        state = {UNCHANGED: "unchanged", CHANGED: "changed since it was loaded"}.get(entry.state, entry.state)
        source = entry.origin.first.file or "initialised here"
        shape = " × ".join(map(str, entry.shape))
        rows.append((f"{entry.layer} / {entry.parameter}", shape, name(source, 48), state))
    numbers = sum(groups.values())
    published = groups["published"]
    bits = f"{published:,} of {numbers:,} numbers ({percent(published / numbers)}) are, bit for bit, those of the published file"
    return join(
        tag("ol", items, class_="steps"),
        tag("h3", "The ledger: where every number comes from"),
        tag("p", tag("strong", bits), f": {published * 32:,} bits, of which not one has changed. This is no promise: the "
            "digest of every tensor was taken when it was loaded, and again at the end."),
        figure(
            join(shares([("bit for bit as published", groups["published"], "a"), ("from there, then trained", groups["changed"], "c"),
                         ("new", groups["new"], "b")]),
                 legend(("bit for bit as published", "a"), ("from there, then trained", "c"), ("new: the head", "b"))),
            join([tag("span", " ".join(line.split()), tag("br")) for line in ledger.summary()]),
        ),
        tag("details", tag("summary", f"All {len(rows)} tensors"),
            table(["tensor", "shape", "comes from", "is"], rows, "tall", "The ledger")),
        [tag("p", f"Note: {note}", class_="muted") for note in ledger.notes],
    )  # fmt: skip


def learning(happened):
    """The curves of every stage."""
    names = legend(("training", "a"), ("held back", "b"))
    parts = [
        tag("p", "One point an epoch, which is one pass over all training pictures. Both lines of a chart should fall (loss) "
            "or rise (accuracy) together; where the held-back line turns while the other goes on, the network has begun to "
            "learn its pictures by heart."),
        names,
    ]  # fmt: skip
    for stage in [*happened.stages, *happened.other_stages]:
        epochs = len(stage.history.get("loss", ()))
        title = f"{stage.name}: {stage.parameters:,} parameters learned, {epochs} epoch{'s' * (epochs != 1)}"
        title += f", accuracy {percent(stage.accuracy)} in the end" * (stage.accuracy is not None)
        parts.append(tag("h3", title))
        parts.append(
            tag("div", _curves(stage), class_="charts") if epochs else tag("p", "It did not train.", class_="muted")
        )
    return join(
        parts,
        tag("p", "The training line is measured while the network learns, batch by batch, the held-back line after each "
            "epoch, with the network as it is then: early on, the latter is ahead for that reason alone. Where labels are "
            "smoothed, the training loss cannot fall to 0.", class_="muted"),
    )  # fmt: skip


def _curves(stage):
    history, charts = stage.history, []
    for key, title, what in (
        ("loss", "Loss", "cross-entropy: how surprised the network is by the right answers"),
        ("accuracy", "Accuracy", "the share of pictures called by their right name"),
    ):
        series = [
            (who, class_, history[each])
            for who, class_, each in (("training", "a", key), ("held back", "b", f"val_{key}"))
            if history.get(each)
        ]
        values = [value for _, _, line in series for value in line]
        options = {"y_range": (min(values), min(1, max(values) + 0.001)), "y_text": "{:.0%}".format}
        if key == "accuracy" and max(values) - min(values) < 0.04:
            options = {"y_range": (min(values), max(values) + 0.001), "y_text": "{:.1%}".format}
        charts.append(
            figure(
                line_chart(title, series, **(options if key == "accuracy" else {})), join(tag("b", title), ", ", what)
            )
        )
    rates = stage.learning_rates
    if len(set(rates)) > 1:
        caption = join(tag("b", "Learning rate"), " at the beginning of each epoch")
        charts.append(figure(line_chart("Learning rate", [("learning rate", "c", rates)]), caption))
    elif rates:
        charts.append(tag("p", f"Learning rate: {rates[0]:g} throughout.", class_="muted"))
    return charts


def duration(seconds):
    """ "48 s", "3 min 20 s", "2 h 5 min"."""
    seconds = round(seconds) if seconds >= 1 else 1
    if seconds < 100:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes} min {seconds} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
