"""Advice before a fine-tuning on texts: behind which layer to cut, what it costs, and how many texts are enough.

    from minitl.recipes import advise_texts
    advice = advise_texts("reviews.csv", base="minilm")
    print(advice)
    advice.advised.name, advice.command

Every training text goes once through the frozen base, and the mean vectors behind each of its layers are judged as
those of photographs are (`advice.judging`): a ridge head predicts each text after learning from all the others. The
texts that are held back are not used. The last layers of an encoder serve what it was trained for, so the best vectors
for another task often come from a layer before them.
"""

import shlex
import time
from functools import partial
from typing import NamedTuple

import numpy as np

from ... import interruption
from ...arguments import AnyPath
from ...data.labels import to_categorical
from ...features.on_disk import BATCH, kept_together
from ...layers import Input
from ...losses import CategoricalCrossentropy
from ...models import Model, Sequential
from ...optimizers import SGD
from ...progress import Progress
from ...terminal import counted, printable, silent_unless, table, wrapped
from ...training import ridge_head
from ...transfer import freeze
from ..advice.advising import require_limits
from ..advice.costs import STANDSTILL, median_seconds, seconds_of
from ..advice.judging import judge, rank
from ..advice.plans import choose
from ..advice.words import about_cuts, cut_data, cuts_table, duration
from ..head_choice import cost_of_choice
from ..heads import learning_layers
from ..run_folder import RunFolder
from ..settings import SettingError, option, require_path, settings_from
from .settings import BASES, TextSettings
from .source import TextSource
from .stages import TextStages, pooled_ends

MOST_TEXTS = 5000  # judged at most: an accuracy is known to 1 % then
ROUNDS = 3
FEW, DRAWS = (10, 50, 200), 20  # texts of a class to learn from, and how often they are drawn
BACKWARD = 3  # a training step takes the time of so many forward passes: one, and two products for each of its own
# The settings that advice does not take: it advises on the first ones, and trains and keeps nothing.
NOT_TO_ADVISE = (
    "cut", "unfreeze", "tune_epochs", "tune_rate", "run_folder", "resume", "despite_changes", "save", "report", "json"
)  # fmt: skip


class TextPlan(NamedTuple):
    """One way to fine-tune: what learns, the arguments of the command, and the predicted seconds of its phases.

    cut   the last layer kept, if the head learns alone; else None
    """

    what: str
    arguments: list
    first_pass: float
    stage_1: float
    stage_2: float
    cut: str | None = None

    @property
    def seconds(self):
        """Return the predicted seconds of all phases."""
        return self.first_pass + self.stage_1 + self.stage_2


class TextAdvice:
    """Advice on a fine-tuning for texts. Printed, it is a page of tables, with the command to run at its end.

    ranking     the ends in order: `advice.judging.Ranking`;   advised   the `CutScores` of the end to cut behind
    seconds     {end: seconds of a text from the tokens to this end, frozen}
    plans       `TextPlan`s;   plan   that of a head on the advised end
    within      the most minutes that it may take, or None;   fits   False if no plan is within them
    few         {texts of a class: (mean accuracy, lowest, highest)} on the texts that were not drawn
    """

    def __init__(self, path, settings, within=None):
        self.path, self.settings, self.within = str(path), settings, within
        job = TextStages(settings.settled(), RunFolder(path))  # nothing is written there
        job.find(path)
        with Progress(f"Loading {settings.base}"):
            job.build()
        self.folder, self.class_names = job.folder, job.folder.class_names
        start = time.perf_counter()
        texts = some_of(job.folder.train)
        self.source = TextSource([each.text for each in texts], job.tokenizer, job.settings.length)
        self.labels = np.array([each.label for each in texts])
        ends = pooled_ends(job.model, job.ends, job.mask)
        for graph in ends.values():
            freeze(graph)
        about = {"base": settings.base, "folder": str(job.folder.path)}
        kept = kept_together(list(ends.values()), self.source, settings.keep_features, about=about)
        features = {end: rows.read(slice(None)) for end, rows in zip(ends, kept)}
        self.pass_seconds = time.perf_counter() - start
        classes = len(self.class_names)
        with Progress("Judging the layers", len(ends)) as bar:
            judged = []
            for end, rows in features.items():
                judged.append(judge(end, rows, self.labels, classes))
                bar.advance(1)
        self.seconds = seconds_of_ends(job, self.source)
        self.ranking = rank(judged, [self.seconds[cut.name] for cut in judged])
        self.plans = self._plans(job.settings, features)
        ends = {cut.name: cut for cut in [self.ranking.advised, *self.ranking.order]}  # in the order of preference
        heads = {plan.cut: plan for plan in self.plans if plan.cut}
        self.plan, self.fits = choose([heads[name] for name in ends], within and within * 60)
        self.advised = ends[self.plan.cut]
        self.few = few_shot(features[self.advised.name], self.labels, classes, settings.seed)

    def _plans(self, settings, features):
        """Return the plans: a head behind each end, and the last layers with it."""
        base, (train, val) = BASES[settings.base], (len(self.folder.train), len(self.folder.val))
        epoch = self._head_epoch(features[self.ranking.advised.name], settings) * train / len(self.labels)
        stage_1 = (settings.epochs + cost_of_choice(settings.epochs, train)) * epoch
        plans = []
        for end in base.ends:
            first = (train + val) * self.seconds[end]
            cut = [] if end == base.ends[-1] else ["--cut", end]
            plans.append(TextPlan(f"a head on {end}", [*cut, "--unfreeze", "none"], first, stage_1, 0.0, end))
        cut = self.ranking.advised.name
        ends = base.ends[: base.ends.index(cut) + 1]
        for part in ends[-2:] if len(ends) > 1 else ends:
            before = base.parts[part]
            learning = self.seconds[cut] - (self.seconds[before] if before else 0.0)
            stage_2 = base.tune_epochs * (train * BACKWARD + val) * learning
            first = (train + val) * (self.seconds[cut] + (self.seconds[before] if before else 0.0))
            arguments = [*([] if cut == base.ends[-1] else ["--cut", cut]), "--unfreeze", part]
            what = f"{cut} and the head" if part == cut else f"{part} to {cut}, and the head"
            plans.append(TextPlan(what, arguments, first, stage_1, stage_2))
        return plans

    def _head_epoch(self, features, settings):
        """Return the seconds of an epoch of a head on these features (N, D)."""
        classes = len(self.class_names)
        model = Sequential([Input(features.shape[1:]), *learning_layers(classes)])
        model.compile(SGD(STANDSTILL, momentum=0.9), CategoricalCrossentropy())
        targets = to_categorical(self.labels, classes)
        fit = partial(model.fit, features, targets, settings.batch_size, 1, verbose=0)
        with Progress("Timing a head"):
            fit()
            return float(np.median([seconds_of(fit) for _ in range(ROUNDS)]))

    @property
    def command(self):
        """Return the command line that carries out the advice: a head behind the advised layer."""
        usual = TextSettings(base=self.settings.base)
        given = [] if self.settings.base == TextSettings.base else ["--base", self.settings.base]
        for name, value in self.settings.as_data().items():
            if name != "base" and value != getattr(usual, name):
                given += [option(name)] if value is True else [option(name), str(value)]
        cut = [] if self.advised.name == BASES[self.settings.base].ends[-1] else ["--cut", self.advised.name]
        return shlex.join(["minitl", "finetune", self.path, *given, *cut])

    def __repr__(self):
        return f"<TextAdvice on {self.path}: {self.command}; print it for the reasons>"

    def __str__(self):
        """Return the advice as text."""
        base = self.settings.base
        lines = [
            wrapped(f"Where to cut: {counted(len(self.labels), 'training text')}, each predicted by a head made from "
                    "all the others, on the mean vector behind each layer"), "",
            cuts_table(self.ranking), "",
        ]  # fmt: skip
        if len(self.ranking.order) > 1:
            lines += [wrapped(line, "  ") for line in about_cuts(self.ranking, "text")] + [""]
        rows = [["up to", "ms a text"], *([end, f"{1000 * each:.2f}"] for end, each in self.seconds.items())]
        lines += [f"The cost of {base}, frozen, on this machine", "", table(rows), ""]
        rows = [["what learns", "first pass", "stage 1", "stage 2", "in all"]]
        for plan in self.plans:
            seconds = plan.first_pass, plan.stage_1, plan.stage_2, plan.seconds
            rows.append([plan.what, *(duration(each) if each else "" for each in seconds)])
        train, val = len(self.folder.train), len(self.folder.val)
        lines += [f"The cost of each plan, with {counted(train, 'training text')} and {val:,} held back", "",
                  table(rows), "", wrapped("The next run finds the kept features: there is no first pass then, but for "
                                           "the layers that learn."), ""]  # fmt: skip
        if self.few:
            lines += [f"How many texts are enough? A head on {self.advised.name}, learned from a few of each",
                      f"class and measured on the others ({DRAWS} draws)", ""]  # fmt: skip
            rows = [["texts of a class", "accuracy", "lowest to highest"]]
            rows += [[f"{n}", f"{mean:.3f}", f"{low:.3f} to {high:.3f}"] for n, (mean, low, high) in self.few.items()]
            rows.append(["all", f"{self.advised.accuracy:.3f}", ""])
            lines += [table(rows), ""]
        lines += [wrapped(f"Advice: {self._reason()}"), "", f"    {printable(self.command)}"]
        return "\n".join(lines)

    def _reason(self):
        """Return what is advised and why, in a sentence or two."""
        first, preferred = self.ranking.order[0], self.ranking.advised
        if not self.fits:
            fastest = f"{self.plan.what}: {duration(self.plan.seconds)}"
            return f"no plan fits into {self.within:g} minutes. The fastest is {fastest}."
        text = f"cut behind {self.advised.name}."
        if self.advised is not preferred:
            return f"{text} It is the best place that fits; {preferred.name} would be better."
        return text if preferred is first else f"{text} It cannot be told apart from {first.name}, and is cheaper."

    def as_data(self):
        """Return the advice, as JSON can hold it."""
        ranking = self.ranking
        keys = ("what", "arguments", "first_pass", "stage_1", "stage_2")
        return {
            "task": "texts",
            "cuts": [cut_data(cut, behind) for cut, behind in zip(ranking.order, ranking.behind)],
            "cannot_be_told_apart": ranking.equals,
            "seconds_a_text": self.seconds,
            "plans": [{key: getattr(plan, key) for key in keys} for plan in self.plans],
            "fits": self.fits,
            "few_shot": {str(n): list(figures) for n, figures in self.few.items()},
            "advised": self.advised.name,
            "command": self.command,
            "texts": len(self.labels),
        }


def advise_texts(
    path: AnyPath, settings: TextSettings | None = None, within=None, verbose: int = 1, **changes
) -> TextAdvice:
    """Return `TextAdvice` on labelled texts. The texts that are held back are not used.

    settings, changes   as for `finetune_texts`: base="minilm", length, ... The base "lstm" has one place to cut
    within              the most minutes that a plan may take
    """
    require_path("path", path)
    require_limits(within=within)
    settings = settings_from(TextSettings, settings, changes)
    for name in NOT_TO_ADVISE:
        if getattr(settings, name) != getattr(TextSettings, name):
            raise SettingError("{} does not go with advise_texts. Leave it out.", name)
    if BASES.get(settings.base, BASES["glove"]).reads_steps:
        text = "{} {base} learns anew what it reads: there is nothing to advise on. Expected {some}."
        some = " or ".join(name for name, base in BASES.items() if not base.reads_steps)
        raise SettingError(text, "base", base=settings.base, some=some)
    with silent_unless(verbose), interruption.graceful():
        return TextAdvice(path, settings, within)


def some_of(texts):
    """Return the training texts that are judged: at most MOST_TEXTS, evenly spread, and each text once. (A head that
    leaves out a text would otherwise have learned from its copy.)"""
    different = list({each.text: each for each in texts}.values())
    step = max(1.0, len(different) / MOST_TEXTS)
    return [different[int(k * step)] for k in range(min(len(different), MOST_TEXTS))]


def seconds_of_ends(job, source):
    """Return {end: seconds of a text from its tokens to this end}, of a `TextStages` that is built.

    Each layer is measured by itself, on a batch of texts of usual length, and the times are added up: so a moment in
    which another program is at work does not make one end look cheaper than the end before it.
    """
    usual = np.argsort(source.lengths, kind="stable")[len(source) // 2 :][:BATCH]
    tokens, mask, names = source.read(usual), source.mask.read(usual), list(job.ends)
    states = Model(job.model.input, list(job.ends.values())).forward(tokens, gradients="none")
    work = {names[0]: partial(Model(job.model.input, job.ends[names[0]]).forward, tokens, gradients="none")}
    for before, name, state in zip(names, names[1:], states):
        layer = job.model.part([job.ends[before], job.mask], job.ends[name])
        work[name] = partial(layer.forward, [state, mask], gradients="none")
    with Progress("Measuring this machine", ROUNDS * len(work)) as bar:
        found = median_seconds(work, ROUNDS, bar)
    return dict(zip(names, (np.cumsum([found[name] for name in names]) / len(tokens)).tolist()))


def few_shot(features, labels, classes, seed):
    """Return {n: (mean accuracy, lowest, highest)} of heads that learned from n examples of each class.

    features   (N, D);   labels   (N,). n is one of FEW. Where a class has not twice as many, n is left out
    """
    rng, found = np.random.default_rng(seed), {}
    by_class = [np.flatnonzero(labels == label) for label in range(classes)]
    sizes = [n for n in FEW if all(2 * n <= len(each) for each in by_class)]
    with Progress("Learning from a few", len(sizes) * DRAWS) as bar:
        for n in sizes:
            accuracies = []
            for _ in range(DRAWS):
                drawn = np.concatenate([rng.choice(each, n, replace=False) for each in by_class])
                others = np.ones(len(labels), bool)
                others[drawn] = False
                head = ridge_head(features[drawn], labels[drawn], classes)
                accuracies.append(float((head.predict(features[others]).argmax(axis=1) == labels[others]).mean()))
                bar.advance(1)
            found[n] = float(np.mean(accuracies)), min(accuracies), max(accuracies)
    return found
