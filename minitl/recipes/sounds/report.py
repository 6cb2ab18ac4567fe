"""The report on a fine-tuning for recordings: a page with its figures, its confusions, and its mistakes to listen to.

Each recording is shown as a spectrogram with a player; for bases with maps, a second image shows the moments and the
frequencies that spoke for the prediction (Grad-CAM). All of it is in one file that loads nothing.

`job` calls `report_on_sounds`. The sections that every report has are in the package `report`.
"""

import math

import numpy as np

from ...data import resize
from ...data.sound import read_sound
from ...errors import DataError, MinitlError
from ...terminal import counted
from ..evaluation import wilson_interval
from ..report import write_page
from ..report.charts import bar, intervals
from ..report.grad_cam import grad_cam
from ..report.heat import coloured, laid_over, stretched
from ..report.html import figure, image, join, name, percent, sure, table, tag
from ..report.page import whole_page
from ..report.record import Stage
from ..report.results import confusion
from ..report.sections import LONGEST, duration, learning, left_out, steps, tile_row
from ..reporting import made_by
from .players import HEIGHT, WIDTH, player
from .settings import BASES

MOST_MISTAKES, MOST_RIGHT, MOST_CLASSES = 12, 6, 12
# The layer whose maps are looked at. Behind later ones of the speech embedding, the bands are no longer apart.
LOOKED_AT = {"speech": "block3_pool", "vgg16": "block3_conv3"}
CURVES = (
    ("loss", "Loss", "cross-entropy: the smaller, the higher the probabilities of the labels"),
    ("accuracy", "Accuracy", "the share of recordings that are predicted rightly"),
)


def report_on_sounds(job, evaluation, history, accuracy, seconds):
    """Write the report of a finished `stages.SoundStages`. Returns the page's path.

    evaluation   `SoundEvaluation`;   history, accuracy   {stage: ...} as in `job.FinetunedSounds`
    """
    settings, folder = job.settings, job.folder
    titles = {"head": "Stage 1, the new head on the frozen base", "blocks": f"Stage 2, from {settings.unfreeze} on"}
    reached = {"head": accuracy.get("head"), "blocks": accuracy["last"]}
    stages = [
        Stage(titles[key], each, job.learning_rates[key].learning_rates, job.learned[key], reached[key])
        for key, each in history.items()
    ]
    names = folder.class_names
    listed = f"{len(names)} classes of recordings" if len(names) > 4 else f"{', '.join(names[:-1])} and {names[-1]}"
    task = f"{listed}, learned from {counted(len(folder.train), 'recording')}"
    contents = [
        ("data", "The data", _data(job)),
        ("steps", "Six steps", steps(_six_steps(job), job.model.ledger)),
        *([("learning", "How it learned", learning(stages, CURVES, "recording"))] if stages else []),
        *([("groups", "Group by group", _groups(evaluation))] if len(evaluation.groups) > 1 else []),
        ("confusion", "What it confuses", confusion(evaluation)),
        ("mistakes", "The most confident mistakes", _mistakes(job, evaluation)),
        ("right", "Right predictions", _right(job, evaluation)),
    ]
    headline = _headline(job, task, evaluation, accuracy, seconds)
    return write_page(whole_page(task, headline, contents, made_by(settings, seconds)), settings.report)


def _headline(job, task, evaluation, accuracy, seconds):
    """Show the task, the accuracy and the cost."""
    low, high = evaluation.accuracy_interval
    count, right = len(evaluation.labels), int((evaluation.predicted == evaluation.labels).sum())
    held = "held-back recordings"
    if job.settings.leave_out:
        held = f"recordings were predicted rightly by a head that has not heard their {job.settings.leave_out}"
    else:
        held += " were predicted rightly"
    verdict = tag(
        "div",
        tag("p", percent(evaluation.accuracy), class_="big"),
        tag("p", tag("strong", f"{right:,} of {count:,}"), f" {held}. With so many recordings, the true accuracy lies ",
            tag("strong", f"between {percent(low)} and {percent(high)}"), " (95% interval)."),
    )  # fmt: skip
    rows = [("This model", evaluation.accuracy, "a")]
    if job.has_second_stage:
        rows.append(("After stage 1", accuracy["head"], "b"))
    if not job.settings.leave_out:
        rows.append(("Ridge head, in closed form", accuracy["ridge"], "b"))
    chart = intervals([(what, share, *wilson_interval(share, count), class_) for what, share, class_ in rows])
    tiles = [
        ("training recordings", f"{len(job.folder.train):,}", ""),
        ("time", duration(seconds), ""),
        ("parameters that learned", f"{list(job.learned.values())[-1]:,}", f"of {job.model.count_params():,}"),
        ("samples a second", f"{job.prepare.rate:,}", "others are resampled"),
    ]
    return join(
        tag("p", "minitl · transfer learning", class_="eyebrow"),
        tag("h1", task),
        tag("div", verdict, figure(chart, "Accuracy on the same recordings; the lines are 95% intervals."),
            class_="result"),
        tile_row(tiles),
    )  # fmt: skip


def _data(job):
    """Show the number of recordings of each class, one of each, and what was left out."""
    folder = job.folder
    train, val = folder.counts(folder.train), folder.counts(folder.val)
    rows = [
        (name(each, LONGEST), join(f"{a:,}", bar(a / max(train))), f"{b:,}")
        for each, a, b in zip(folder.class_names, train, val)
    ]
    rows.append((tag("b", "all"), tag("b", f"{sum(train):,}"), tag("b", f"{sum(val):,}")))
    first = {}
    for each in folder.train:
        first.setdefault(each.label, each)
    shown = [_heard(folder, each, tag("strong", name(folder.class_names[label], LONGEST)))
             for label, each in sorted(first.items())[:MOST_CLASSES]]  # fmt: skip
    return join(
        table(["class", "training #", "held back #"], rows, "Recordings of each class"),
        tag("p", "The first training recording of each class. Time goes to the right, high frequencies are at the "
            "top: a vowel is a stack of bright bands, an s a cloud at the top."),
        tag("div", shown, class_="charts"),
        [tag("p", f"Note: {note}", class_="muted") for note in folder.notes],
        left_out(folder.skipped, "Nothing: every file could be used."),
    )  # fmt: skip


def _six_steps(job):
    """Return the six steps of transfer learning, as (name, what was done)."""
    settings, base = job.settings, BASES[job.settings.base]
    loaded = [entry.origin.first for entry in job.model.ledger if entry.origin.first.file]
    files = ", ".join(dict.fromkeys(origin.file for origin in loaded)) or "no file"
    published = sum(math.prod(entry.shape) for entry in job.model.ledger if entry.origin.first.file)
    head = " → ".join(type(layer).__name__ for layer in [job.base.layers[-1], *job.head])
    heard = "all of a recording" if settings.seconds is None else f"{settings.seconds:g} s of a recording"
    learned = ", ".join(f"{count:,} parameters" for count in job.learned.values())
    return [
        ("Choose", f"{base.title}, {base.knows}."),
        ("Load", f"{counted(len(loaded), 'tensor')}, {published:,} parameters, from {files}."),
        ("Remove", "what stands behind the vectors of the base, if anything does."),
        ("Add", f"new layers: {head}."),
        ("Adapt", f"input: {heard}, at {job.prepare.rate:,} Hz; output: {len(job.folder.class_names)} classes."),
        ("Freeze and fine-tune", "every recording goes once through the frozen base, and its vector is kept. "
         f"{learned} learned."),
    ]  # fmt: skip


def _groups(evaluation):
    """Show the accuracy on each group, the lowest first."""
    rows = [(name(group, LONGEST), join(percent(share), bar(share)))
            for group, share in sorted(evaluation.groups.items(), key=lambda each: each[1])]  # fmt: skip
    rows.append((tag("b", "the mean"), tag("b", percent(evaluation.mean_of_groups))))
    return table(["group", "accuracy #"], rows, "Accuracy on the recordings of each group")


def _mistakes(job, evaluation):
    """Show the most confident mistakes, to look at and to listen to."""
    count, wrong = len(evaluation.labels), int((evaluation.predicted != evaluation.labels).sum())
    if not wrong:
        return tag("p", f"There is no mistake: all {count:,} recordings were predicted rightly.")
    places = evaluation.surest(right=False, count=MOST_MISTAKES)
    which = f"the {len(places)} most confident ones" if wrong > len(places) else "all of them"
    return join(
        tag("p", f"{wrong:,} of {count:,} recordings were predicted wrongly. Here are {which}. Listen to them: a label "
            "may be wrong, or the recording cut in the middle of a word."),
        _looked_at(job), tag("div", _cards(job, evaluation, places), class_="charts"),
    )  # fmt: skip


def _right(job, evaluation):
    """Show right predictions, the most confident ones."""
    places = evaluation.surest(right=True, count=MOST_RIGHT)
    if not len(places):
        return tag("p", "No recording was predicted rightly.")
    return join(_looked_at(job), tag("div", _cards(job, evaluation, places), class_="charts"))


def _looked_at(job):
    """Say what the second image of a recording is, where there is one."""
    if job.settings.base not in LOOKED_AT:
        return ""
    return tag("p", "Below each player: where the network looked (Grad-CAM). Yellow moments and frequencies spoke for "
               "the prediction, grey ones did not.")  # fmt: skip


def _cards(job, evaluation, places):
    """Return a figure for each recording at `places`."""
    names, found = evaluation.class_names, []
    for place in places:
        label, predicted = int(evaluation.labels[place]), int(evaluation.predicted[place])
        words = ["predicted ", tag("strong", name(names[predicted], LONGEST)),
                 f" ({sure(evaluation.probabilities[place, predicted])})"]  # fmt: skip
        if label != predicted:
            words += [", is ", tag("strong", name(names[label], LONGEST))]
        recording = evaluation.recordings[place]
        found.append(_heard(job.folder, recording, join(*words), _map_of(job, recording, predicted)))
    return found


def _heard(folder, recording, words, more=""):
    """Return the figure of a recording: its spectrogram, a player, and words. `more` stands below."""
    file = folder.name_of(recording)
    caption = join(words, tag("br"), name(file, 40))
    try:
        sound = read_sound(recording.path)
    except DataError:
        return tag("p", name(file, 40), " cannot be read any more.", class_="muted")
    return tag("div", player(sound, file, caption), more)


def _map_of(job, recording, label):
    """Return where the network looked for the class `label`, as an image, or "" for a base without maps."""
    layer = LOOKED_AT.get(job.settings.base)
    if layer is None:
        return ""
    try:
        x = job.stream([recording]).read(slice(None))
    except MinitlError:
        return ""
    heat, picture = grad_cam(job.model, x, [label], layer)[0], x[0, ..., 0]
    if job.settings.base == "speech":  # (frames, bands): its time goes down
        heat, picture = heat.T[::-1], picture.T[::-1]
    grey = resize(coloured(stretched(picture[None]))[..., :3].astype(np.float32), HEIGHT, WIDTH)[0]
    overlay = laid_over(grey.astype(np.uint8), np.ascontiguousarray(heat, np.float32))
    return figure(image(overlay, "the moments and frequencies that spoke for it"), "Grad-CAM")
