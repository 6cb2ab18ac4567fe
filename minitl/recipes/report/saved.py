"""The report on a saved run: a page from the file of `minitl finetune --json`, or from the folder of an unfinished run.

    minitl report results.json --out report

A file of results holds figures, not images: what was measured, the curves, the names of the most confident mistakes,
the settings and the ledger. `minitl finetune --report` shows more, because it has the photographs and the model at
hand. The last section of the page says what is missing and which command shows it. Of an unfinished run, there are the
curves so far.

All that is read here may have been changed by hand: each figure is checked before it is shown.
"""

import json
import math
from pathlib import Path

import numpy as np

from ...errors import CheckpointError, DataError
from ...training.recovery.checkpoints import CheckpointFolder
from .charts import bar, intervals
from .html import join, name, percent, table, tag
from .page import whole_page
from .record import Stage
from .results import confusion
from .sections import LONGEST, duration, learning, left_out, tile_row

MOST_BYTES = 64 * 2**20  # of a file of results
TITLES = {"head": "Stage 1, the new head", "blocks": "Stage 2, the last block with the head", "text": "The training"}
# (key of the history, title, what it is) of all kinds of runs. A run has some of them.
CURVES = (
    ("loss", "Loss", "what the training makes small"),
    ("accuracy", "Accuracy", "the share of examples that are predicted rightly"),
    ("pixel_accuracy", "Pixel accuracy", "the share of pixels that are predicted rightly"),
    ("mean_iou", "Mean IoU", "the mean overlap of the classes"),
)
# What a run may be measured by: (key, what it is in words). The first that a file has is the large figure.
MEASURES = (
    ("accuracy", "of the held-back {noun}s were predicted rightly"),
    ("mean_iou", "is the mean IoU of the classes on the held-back images"),
    ("mean_average_precision", "is the mean average precision on the held-back images"),
    ("test_accuracy", "of the test images were predicted rightly"),
)


class SavedEvaluation:
    """The figures of an `Evaluation` as a file of results has them, with the attributes that the page needs."""

    def __init__(self, data, noun):
        self.noun, self.class_names = noun, list(data["classes"])
        self.confusion, self.accuracy = np.array(data["confusion"]), float(data["accuracy"])
        rows = list(data["classes"].values())
        self.precision, self.recall, self.f1 = (
            np.array([row[key] for row in rows], float) for key in ("precision", "recall", "f1")
        )  # None becomes NaN
        bins = [tuple(map(float, row)) for row in data["calibration"]]
        self.calibration = lambda: (float(data["calibration_error"]), bins)
        means = np.repeat([row[3] for row in bins], [int(row[2]) for row in bins])
        self.probabilities = means[:, None]  # of the predictions: their mean is that of the run
        classes = len(self.class_names)
        if self.confusion.shape != (classes, classes) or self.confusion.dtype.kind != "i" or not len(means):
            raise ValueError("confusion")


def report_saved(source, write):
    """Write the page about a saved run, and return its path.

    source   the file of `--json`, or the folder of an unfinished run;   write   called with the text of the page

    Raises DataError for a file that no fine-tuning has written, and CheckpointError for a folder without a checkpoint.
    """
    source = Path(source)
    if source.is_dir():
        return write(page_of_unfinished(source))
    data = results_in(source)
    try:
        return write(page_of_results(data, source.name))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        words = f"{type(error).__name__}: {error}"
        raise DataError(f"{source}: holds no whole results of `minitl finetune --json` ({words}).") from None


def results_in(path):
    """Return the data in a file of results. Raises DataError."""
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}). Name a file of --json, or a run's folder."
        ) from None
    if len(content) > MOST_BYTES:
        raise DataError(f"{path}: has more than {MOST_BYTES:,} bytes; results are smaller.")
    try:
        data = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise DataError(f"{path}: is no JSON; expected a file that `minitl finetune --json` has written.") from None
    if not isinstance(data, dict) or not any(key in data for key, _ in MEASURES):
        raise DataError(f"{path}: has no results of a fine-tuning; expected what `minitl finetune --json` writes.")
    return data


def page_of_results(data, title):
    """Return the page about the data of a finished run as text."""
    noun = next((each for each in ("text", "recording") if f"{each}s" in data), "image")
    histories = data.get("history") or {
        key: data[key]["history"] for key in ("transferred", "scratch") if data.get(key)
    }
    contents = [("learning", "How it learned", learned(histories, noun))]
    if "calibration" in data:
        contents.append(("confusion", "What it confuses", confusion(SavedEvaluation(data, noun))))
    else:
        contents += [("classes", "Class by class", by_class(data))] if has_classes(data) else []
    if rows := data.get("mistakes"):
        contents.append(("mistakes", "The most confident mistakes", mistakes(rows)))
    if rows := data.get("worst"):
        contents.append(("worst", "The images with the most mistakes", worst(rows)))
    if "left_out" in data:
        skipped = [(str(path), str(reason)) for path, reason in data["left_out"]]
        contents.append(("data", "What was left out", join(left_out(skipped, "None: every file could be read."))))
    contents.append(("made", "How it was made", made(data)))
    contents.append(("missing", "What this page lacks", missing(noun)))
    facts = [(key, str(value)) for key, value in data.get("versions", {}).items()]
    return whole_page(title, headline(data, title, noun), contents, facts)


def page_of_unfinished(folder):
    """Return the page about an unfinished run as text. Raises CheckpointError if there is no checkpoint."""
    histories = {}
    for stage in TITLES:
        if any((folder / stage).glob("*.safetensors")):
            checkpoints = CheckpointFolder(folder / stage)
            try:
                histories[stage] = checkpoints.newest()["history"][1]
            finally:
                checkpoints.release()
    if not histories:
        raise CheckpointError(
            f"{folder}: holds no checkpoint of an unfinished run. A run that has ended keeps its results in the file "
            "after --json."
        )
    about = {}
    if (folder / "about.json").is_file():
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    told = [
        tag("p", "minitl · transfer learning", class_="eyebrow"), tag("h1", "An unfinished run"),
        tag("p", "It was stopped, or it is still at work. The same command with --resume goes on with it."),
    ]  # fmt: skip
    lacks = "Nothing has been measured yet on the held-back examples as a whole: a run does that at its end."
    contents = [
        ("learning", "How it has learned so far", learned(histories, "example")),
        ("missing", "What this page lacks", tag("p", lacks)),
    ]
    return whole_page("An unfinished run", join(told), contents, [(key, str(value)) for key, value in about.items()])


def learned(histories, noun):
    """Show the curves of {stage: history}: those that there are."""
    stages = stages_of(histories)
    return learning(stages, [curve for curve in CURVES if any(curve[0] in stage.history for stage in stages)], noun)


def stages_of(histories):
    """Return {stage: history} as `Stage`s. Raises ValueError for curves that are no numbers."""
    stages = []
    for key, history in histories.items():
        lines = {each: [float(value) for value in values] for each, values in history.items()}
        if not all(math.isfinite(value) for values in lines.values() for value in values):
            raise ValueError("history")
        rates = lines.pop("learning_rate", [])
        stages.append(Stage(TITLES.get(key, str(key).capitalize()), lines, rates, None))
    return stages


def headline(data, title, noun):
    """Show the large figure with its interval, and the other figures beside it."""
    key, words = next((key, words) for key, words in MEASURES if key in data)
    value, limits = data[key], data.get(f"{key}_interval")
    told = [tag("p", percent(value), class_="big")]
    told.append(tag("p", tag("strong", percent(value)), f" {words.format(noun=noun)}."))
    chart = ""
    if limits:
        low, high = map(float, limits)
        chart = tag("figure", intervals([("This model", float(value), low, high, "a")]), tag("figcaption", "The line "
            "is the 95% interval: so many held-back examples prove no more."))  # fmt: skip
    counts = [("training examples", data.get("training_pictures", data.get("training_texts")))]
    counts += [("held-back examples", data.get("texts", data.get("pictures")))]
    tiles = [(what, f"{count:,}", "") for what, count in counts if count is not None]
    tiles.append(("time", duration(float(data["seconds"])), ""))
    if data.get("peak_bytes"):
        tiles.append(("memory at most", f"{data['peak_bytes'] / 1e9:.1f}", "GB"))
    return join(
        tag("p", "minitl · transfer learning · a saved run", class_="eyebrow"),
        tag("h1", "The run in ", name(title, LONGEST)),
        tag("div", tag("div", told), chart, class_="result"),
        tile_row(tiles),
    )


def has_classes(data):
    """Return whether a file of results has figures of each class."""
    return any(key in data for key in ("iou_by_class", "average_precision_by_class"))


def by_class(data):
    """Show the IoU or the average precision of each class, the lowest first."""
    what, key = (
        ("IoU", "iou_by_class") if "iou_by_class" in data else ("average precision", "average_precision_by_class")
    )
    found = {each: float("nan") if value is None else float(value) for each, value in data[key].items()}
    rows = [
        (name(each, LONGEST), join(percent(value), bar(0 if math.isnan(value) else value)))
        for each, value in sorted(found.items(), key=lambda row: (math.isnan(row[1]), row[1]))
    ]
    return table(["class", f"{what} #"], rows, f"{what} by class")


def mistakes(rows):
    """Show the most confident mistakes by name; of texts, also what they say."""
    cells, has_text = [], any(len(row) > 4 for row in rows)
    for where, label, predicted, probability, *text in rows:
        told = [name(label, LONGEST), name(predicted, LONGEST), percent(float(probability))]
        cells.append((name(where, 60), *told, *([" ".join(text)[:300]] if has_text else [])))
    head = ["example", "label", "prediction", "probability #", *["text"] * has_text]
    return join(
        tag("p", "Look at these first: many are wrong labels."), table(head, cells, "The most confident mistakes")
    )


def worst(rows):
    """Show the images with the most mistakes by name, with their figures."""
    width = max(map(len, rows))
    heads = {2: ["image", "figure #"], 4: ["image", "found #", "missed #", "wrong #"]}
    head = heads.get(width, ["image", *["figure #"] * (width - 1)])
    cells = [
        [name(first, 60), *(f"{each:.3g}" if isinstance(each, float) else each for each in rest)]
        for first, *rest in rows
    ]
    return table(head, cells, "The images with the most mistakes")


def made(data):
    """Show the settings of a run, and where its parameters come from."""
    settings = data.get("options") or {key: data[key] for key in ("cut", "seed") if key in data}
    rows = [(tag("code", key), "–" if value is None else str(value)) for key, value in settings.items()]
    ledger = [tag("span", " ".join(str(line).split()), tag("br")) for line in data.get("ledger", ())]
    return join(
        table(["setting", "value"], rows, "The settings") if rows else "",
        tag("h3", "Where its parameters come from"),
        tag("p", ledger),
    )


def missing(noun):
    """Say what a file of results does not hold, and which command shows it."""
    places = {
        "text": "the words that decided",
        "recording": "their spectrograms and sounds, the moments that it looked at (Grad-CAM)",
    }.get(noun, "the places that it looked at (Grad-CAM), its first kernels")
    return join(
        tag("p", f"A file of results has no {noun}s and no model. So this page cannot show the {noun}s behind the "
            f"mistakes, {places}, what each layer costs, or how many parameters learned."),
        tag("p", "The same fine-tuning with ", tag("code", "--report DIR"), " shows them. For single examples, ",
            tag("code", "minitl serve MODEL"), " does."),
    )  # fmt: skip
