"""The report on a fine-tuning for texts: a page with its figures, its mistakes, the words that decided, and where an
encoder looks.

`job` calls `report_on_texts`. The sections that every report has, and the charts, are in the package `report`.
"""

import math

import numpy as np

from ...terminal import counted
from ..evaluation import wilson_interval
from ..report import write_page
from ..report.charts import bar, intervals, svg
from ..report.html import Markup, figure, join, name, percent, short, sure, table, tag
from ..report.page import whole_page
from ..report.record import Stage
from ..report.results import confusion
from ..report.sections import LONGEST, duration, learning, left_out, steps, tile_row
from ..reporting import made_by
from .prediction import TextClassifier
from .settings import BASES
from .words import WordContributions, attention_of, words_that_decide

MOST_MISTAKES, MOST_RIGHT, MOST_LOOKED_AT = 12, 6, 200
MOST_CHARACTERS = 700  # of a text on the page
SHORTEST, LONGEST_SENTENCE, SENTENCES = 5, 16, 2  # tokens of a text whose attention is drawn, and how many texts
WIDTH = 360  # of a chart, as in `report.charts`
CURVES = (
    ("loss", "Loss", "cross-entropy: the smaller, the higher the probabilities of the labels"),
    ("accuracy", "Accuracy", "the share of texts that are predicted rightly"),
)


def report_on_texts(job, evaluation, history, accuracy, seconds):
    """Write the report of a finished `stages.TextStages`. Returns the page's path.

    evaluation   `TextEvaluation`;   history, accuracy   {stage: ...} as in `job.FinetunedTexts`
    """
    settings, folder = job.settings, job.folder
    titles = {
        "head": "Stage 1, the new layers" if job.kind.reads_steps else "Stage 1, the new head on the frozen base",
        "blocks": f"Stage 2, from {settings.unfreeze} on",
    }
    reached = {"head": accuracy["head"], "blocks": accuracy["last"]}
    stages = [
        Stage(titles[key], each, job.learning_rates[key].learning_rates, job.learned[key], reached[key])
        for key, each in history.items()
    ]
    task = f"{_listed(folder.class_names)}, learned from {counted(len(folder.train), 'text')}"
    classifier = TextClassifier(job.model)
    shown = _Shown(classifier, job.tokens_val, evaluation)
    contents = [
        ("data", "The data", _data(job)),
        ("steps", "Six steps", steps(_six_steps(job, stages), job.model.ledger)),
        ("learning", "How it learned", learning(stages, CURVES, "text")),
        ("confusion", "What it confuses", confusion(evaluation)),
        ("mistakes", "The most confident mistakes", _mistakes(evaluation, shown)),
        ("words", "The words that decided", _words(evaluation, shown)),
    ]
    if looked := _attention(job, evaluation):
        contents.append(("attention", "Where it looks", looked))
    page = whole_page(task, _headline(job, task, evaluation, accuracy, seconds), contents, made_by(settings, seconds))
    return write_page(page, settings.report)


def _listed(names):
    """Return up to four names as text; for more names, their number."""
    return f"{len(names)} kinds of texts" if len(names) > 4 else f"{', '.join(names[:-1])} and {names[-1]}"


def _headline(job, task, evaluation, accuracy, seconds):
    """Show the task, the accuracy and the cost."""
    low, high = evaluation.accuracy_interval
    right, count = int((evaluation.predicted == evaluation.labels).sum()), len(evaluation.labels)
    usual = int(np.argmax(job.folder.counts(job.folder.train)))
    chance = float((evaluation.labels == usual).mean())
    verdict = tag(
        "div",
        tag("p", percent(evaluation.accuracy), class_="big"),
        tag("p", tag("strong", f"{right:,} of {count:,}"), " held-back texts were predicted rightly. With so many "
            "texts, the true accuracy lies ", tag("strong", f"between {percent(low)} and {percent(high)}"),
            " (95% interval). Guessing (always predicting the class with the most training texts) is right for "
            f"{percent(chance)}."),
    )  # fmt: skip
    rows = [("This model", evaluation.accuracy, "a")]
    if job.has_second_stage:
        rows.append(("After stage 1", accuracy["head"], "b"))
    if accuracy["ridge"] is not None:
        rows.append(("Ridge head, in closed form", accuracy["ridge"], "b"))
    if len(rows) == 1:
        rows.append(("Always the most frequent class", chance, "b"))
    chart = intervals([(what, share, *wilson_interval(share, count), class_) for what, share, class_ in rows])
    tiles = [
        ("training texts", f"{len(job.folder.train):,}", ""),
        ("time since it was resumed" if job.settings.resume else "time", duration(seconds), ""),
        ("parameters that learned", f"{list(job.learned.values())[-1]:,}", f"of {job.model.count_params():,}"),
        ("tokens of a text, the median", f"{int(np.median(job.tokens.lengths)):,}", f"{job.settings.length:,} at most"),
    ]
    return join(
        tag("p", "minitl · transfer learning", class_="eyebrow"),
        tag("h1", task),
        tag("div", verdict,
            figure(chart, "Accuracy on the same held-back texts; the lines are 95% intervals."), class_="result"),
        tile_row(tiles),
    )  # fmt: skip


def _data(job):
    """Show the number of texts of each class, one of each, and what was left out."""
    folder = job.folder
    train, val = folder.counts(folder.train), folder.counts(folder.val)
    rows = [
        (name(each, LONGEST), join(f"{a:,}", bar(a / max(train))), f"{b:,}")
        for each, a, b in zip(folder.class_names, train, val)
    ]
    rows.append((tag("b", "all"), tag("b", f"{sum(train):,}"), tag("b", f"{sum(val):,}")))
    first = {}
    for text in folder.train:
        first.setdefault(text.label, text.text)
    examples = [
        tag("li", tag("p", tag("strong", name(folder.class_names[label], LONGEST)), class_="muted"),
            tag("p", short(" ".join(text.split()), 240)))
        for label, text in sorted(first.items())[:12]
    ]  # fmt: skip
    words = (
        f"The network learned from {counted(sum(train), 'text')} of {len(folder.class_names)} classes. From the "
        f"{sum(val):,} that were held back it has learned nothing, and its accuracy is measured on them."
    )
    dropped = np.concatenate([job.tokens.dropped_of, job.tokens_val.dropped_of])
    cut = int((dropped > 0).sum())
    if cut:
        words += f" {counted(cut, 'text')} are longer than {job.settings.length} tokens: their ends were not read."
    counts = table(["class", "training #", "held back #"], rows, "Texts of each class")
    notes = [tag("p", f"Note: {note}", class_="muted") for note in folder.notes]
    return join(
        tag("p", words),
        tag("div", counts, figure(tag("ul", examples, class_="sentences"), "The first training text of each class."),
            class_="beside"),
        notes,
        left_out(folder.skipped, "Nothing: every row could be used."),
    )  # fmt: skip


def _six_steps(job, stages):
    """Return the six steps of transfer learning, as (name, what was done)."""
    settings, kind = job.settings, BASES[job.settings.base]
    loaded = [entry.origin.first for entry in job.model.ledger if entry.origin.first.file]
    files = ", ".join(dict.fromkeys(origin.file for origin in loaded))
    published = sum(math.prod(entry.shape) for entry in job.model.ledger if entry.origin.first.file)
    removed = job.model.notes[-1] if job.base.notes else "nothing: the base has no layers of an old task"
    head = " → ".join(type(layer).__name__ for layer in [job.base.layers[-1], *job.head])
    trained = [f"{stage.name}: {stage.parameters:,} parameters learn" for stage in stages]
    how = "every text goes once through the layers that stay frozen, and the mean of its vectors is kept"
    if kind.reads_steps:
        how = "the vectors of the words stay as they are, and new layers read them one by one"
    from_where = {
        "glove": "learned from six billion words of the Wikipedia and of newspapers",
        "lstm": "learned from six billion words of the Wikipedia and of newspapers",
        "minilm": "an encoder of six layers, trained on a billion pairs of sentences of similar meaning",
    }
    return [
        ("Choose", f"{kind.title}, {from_where[settings.base]}."),
        ("Load", f"{counted(len(loaded), 'tensor')}, {published:,} parameters, from {files}."),
        ("Remove", f"{removed}."),
        ("Add", f"new layers: {head}."),
        ("Adapt", f"input: {settings.length} tokens at most; output: {len(job.folder.class_names)} classes."),
        ("Freeze and fine-tune", f"{how}. {'. '.join(trained)}."),
    ]


class _Shown:
    """Held-back texts with the contributions of their words, as HTML."""

    def __init__(self, classifier, source, evaluation):
        self.contributions, self.source, self.evaluation = WordContributions(classifier), source, evaluation

    def text(self, position, label):
        """Return a text with its words on the colours of their contributions to the class `label`."""
        row = self.contributions.of(self.source, np.array([position]), np.array([label]))[0]
        text = self.evaluation.texts[position]
        words = self.contributions.words(text, row[: self.source.lengths[position]])
        largest = max((abs(value) for _, value in words if value), default=1.0)
        parts, room = [], MOST_CHARACTERS
        for word, value in words:
            if len(word) > room:
                parts.append("…")
                break
            room -= len(word)
            if value is None:
                parts.append(tag("span", word, class_="cut"))
            elif abs(value) < 0.05 * largest:
                parts.append(word)
            else:
                side = "for" if value > 0 else "against"
                parts.append(tag("span", word, class_=side, style=f"--share:{abs(value) / largest:.3f}"))
        return tag("p", tag("bdi", parts), class_="words")

    def card(self, position):
        """Return the card of a text: its words, the prediction and the label."""
        evaluation = self.evaluation
        label, predicted = int(evaluation.labels[position]), int(evaluation.predicted[position])
        names, probabilities = evaluation.class_names, evaluation.probabilities[position]
        verdict = ["predicted ", tag("strong", name(names[predicted], LONGEST)), f" ({sure(probabilities[predicted])})"]
        if label != predicted:
            verdict += [", is ", tag("strong", name(names[label], LONGEST)), f" ({sure(probabilities[label])})"]
        return tag("li", self.text(position, predicted), tag("p", *verdict, class_="muted"),
                   tag("p", name(evaluation.names[position], 40), class_="muted"))  # fmt: skip


def _legend():
    """Show what the colours of words mean."""
    parts = (tag("span", "speaks for the prediction", class_="for", style="--share:0.8"),
             tag("span", "speaks against it", class_="against", style="--share:0.8"))  # fmt: skip
    return tag("p", join(parts, by=" "), class_="words key-of-words")


def _mistakes(evaluation, shown):
    """Show the texts of the most confident mistakes, with the words that decided."""
    count, wrong = len(evaluation.labels), int((evaluation.predicted != evaluation.labels).sum())
    if not wrong:
        all_right = f"There is no mistake: all {count:,} held-back texts were predicted rightly."
        return tag("p", all_right, " The interval at the top says how much that proves.")
    places = evaluation.surest(right=False, count=MOST_MISTAKES)
    which = f"the {len(places)} most confident ones" if wrong > len(places) else "all of them"
    words = (
        f"{wrong:,} of {count:,} held-back texts were predicted wrongly. Here are {which}. Read them: a label may be "
        "wrong, the text may say both, or irony may have hidden what is meant."
    )
    return join(tag("p", words), _legend(), tag("ul", [shown.card(place) for place in places], class_="sentences"))


def _words(evaluation, shown):
    """Show the words that speak most for each class, and right predictions with the words that decided."""
    rng = np.random.default_rng(0)
    some = np.sort(rng.permutation(len(evaluation.labels))[:MOST_LOOKED_AT])
    found = words_that_decide(shown.contributions, shown.source, evaluation.texts, evaluation.predicted, some)
    columns = []
    for label, rows in sorted(found.items())[:12]:
        rows = [(word, mean, count) for word, mean, count in rows if mean > 0]
        if not rows:
            continue
        largest = rows[0][1]
        cells = [
            (name(word, LONGEST), join(f"{mean:.2f}", bar(mean / largest)), f"{count:,}") for word, mean, count in rows
        ]
        title = f"for {evaluation.class_names[label]}"
        columns.append(tag("div", tag("h3", title), table(["word", "contribution #", "texts #"], cells, title)))
    rights = [shown.card(place) for place in evaluation.surest(right=True, count=MOST_RIGHT)]
    return join(
        tag("p", "How much of the score of a class comes from a word: the gradient of the score with respect to the "
            "word's vector, times this vector, added up over its numbers. The gradient is a mean over the way from no "
            "words to the text. Check whether the words that decide are those that should."),
        tag("h3", "On average over held-back texts") if columns else "",
        tag("p", f"The words with the largest mean contribution in {len(some):,} texts, among those that stand in "
            "three texts or more of the predicted class.") if columns else "",
        tag("div", columns, class_="beside even") if columns else "",
        tag("h3", "Right predictions, the most confident ones"),
        _legend(),
        tag("ul", rights, class_="sentences") if rights else tag("p", "No text was predicted rightly."),
    )  # fmt: skip


def _attention(job, evaluation):
    """Show the attention of each layer for a few short texts, or "" for a network without attention."""
    source = job.tokens_val
    fits = np.flatnonzero((source.lengths >= SHORTEST) & (source.lengths <= LONGEST_SENTENCE))
    right = [place for place in fits if evaluation.predicted[place] == evaluation.labels[place]]
    places = sorted(right, key=lambda place: -source.lengths[place])[:SENTENCES]
    shown = []
    for place in places:
        tokens = source.read(np.array([place]))
        maps = attention_of(job.model, tokens)
        if not maps:
            return ""
        names = [job.tokenizer.tokens[number] for number in tokens[0].tolist()]
        drawn = [
            figure(_map_of_tokens(names, weights[0].mean(axis=0)), layer.removesuffix("_attention"))
            for layer, weights in maps
        ]
        shown.append(join(tag("h3", name(" ".join(evaluation.texts[place].split()), 120)),
                          tag("div", drawn, class_="charts")))  # fmt: skip
    if not shown:
        return ""
    return join(
        tag("p", "A row shows how much a token takes from each token (the columns, in the same order): the stronger "
            "the colour, the more, as the mean over the heads of a layer. Attention says what is looked at, not what "
            "it is used for: much of it goes to [CLS], [SEP] and the full stop, where nothing is taken."),
        shown,
    )  # fmt: skip


def _map_of_tokens(names, weights):
    """Return the weights (T, T) as a chart with the tokens at its rows."""
    left, cell = 84, (WIDTH - 84) / len(names)
    parts = []
    for row, token in enumerate(names):
        middle = round((row + 0.5) * cell + 4, 1)
        parts.append(tag("text", short(token, 12), x=left - 6, y=middle, text_anchor="end"))
        for column, weight in enumerate(weights[row]):
            place = {"x": round(left + column * cell, 1), "y": round(row * cell, 1)}
            size = {"width": round(cell - 1, 1), "height": round(cell - 1, 1)}
            title = tag("title", f"{token} takes {weight:.0%} from {names[column]}")
            parts.append(tag("rect", title, **place, **size, class_="weight", fill_opacity=f"{weight:.3f}"))
    strongest = [names[int(np.argmax(row))] for row in weights]
    label = "Attention. " + "; ".join(f"{token} looks most at {at}" for token, at in zip(names, strongest)) + "."
    return Markup(svg(label, parts, height=round(len(names) * cell)))
