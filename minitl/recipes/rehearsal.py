"""A rehearsal of a fine-tuning (`minitl finetune PHOTOS --dry-run`): everything is checked, and nothing is done.

    from minitl.recipes import dry_run
    print(dry_run("photos/", PhotographSettings(save="insects.h5")))

It takes the first steps of the job itself: settings, places to write to, folder. So it raises the errors that the run
would raise. Then it says what the run would do: what it would fetch, which parameters would learn, what it would write.
For photographs by class, a few batches through the base give the time and memory that a run would take on this machine,
as in `advice`.

On the disk, it leaves nothing but the digest of a file of weights that was never read before, as all commands do.
"""

import time
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from ..applications import cuts
from ..arguments import AnyPath
from ..data.labels import to_categorical
from ..features.cache import size_text
from ..features.on_disk import BATCH, kept_keys, room_for
from ..files.writable import check_can_write
from ..kernels.memory import peak_bytes
from ..kernels.parallel import threads
from ..layers import GlobalAveragePooling2D, Input
from ..losses import CategoricalCrossentropy
from ..models import Model, Sequential
from ..optimizers import SGD
from ..progress import Progress
from ..terminal import counted, printable, silent_unless, wrapped
from ..weights.published.catalogue import notop_name, present, published
from .advice import costs, plans
from .advice.words import duration, gigabytes
from .base_features import published_weights, wanted_of
from .detection.job import DetectionJob
from .head_choice import MOST_EXAMPLES, cost_of_choice
from .heads import learning_layers
from .job_on_folder import checked
from .photograph_stages import PhotographStages
from .place_settings import RANDOM
from .run_folder import settings_named
from .segmentation.job import SegmentationJob
from .settings import AUTO, require_path
from .sounds.settings import BASES as SOUND_BASES
from .sounds.stages import SoundStages
from .texts.stages import TextStages
from .view import VIEWS

INDENT = 14  # columns of the names
HEAD_EPOCHS = 3  # of a head whose time is measured; the first one does not count


class Kind(NamedTuple):
    """The class of a job, by the class of its settings, and the word for its examples."""

    job: type
    noun: str


@dataclass
class DryRun:
    """The rehearsal of a run: `lines`, [(name, what the run would do)], and the same as data."""

    lines: list = field(default_factory=list)
    data: dict = field(default_factory=dict)

    def say(self, name, text, **data):
        """Add a line, and the data that it is made of."""
        self.lines.append((name, text))
        self.data.update(data)

    def __str__(self):
        shown = [wrapped(printable(f"{name:{INDENT}}{text}"), " " * INDENT) for name, text in self.lines]
        return "\n".join([*shown, "\nThis was a dry run: nothing was trained, fetched or written."])

    def as_data(self):
        """Return what the run would do, as JSON can hold it."""
        return dict(self.data)


def dry_run(folder: AnyPath, settings, verbose: int = 1) -> DryRun:
    """Check everything that a fine-tuning with these settings would check, and return a `DryRun`: what it would do.

    settings   a `PhotographSettings`, `TextSettings`, `SoundSettings`, `SegmentationSettings` or `DetectionSettings`
    verbose    1: print what was found in the folder; 0: print nothing

    Raises the errors that the run would raise.
    """
    kind = KINDS[type(settings).__name__]
    require_path("folder", folder)
    with silent_unless(verbose), settings_named():
        start = time.perf_counter()
        settings, runs = checked(kind.job, folder, settings)
        if settings.resume:
            runs.require_unfinished()
        check_can_write(runs.path / "checkpoint", "run_folder", makes_folder=True)
        job, found = kind.job(settings, runs), DryRun()
        job.find(folder)
        print(flush=True)
        train, val, noun = len(job.folder.train), len(job.folder.val), kind.noun
        found.say("Learn from", f"{counted(train, noun)}; {val:,} are held back", train=train, val=val)
        is_here = _weights(job, found)
        if is_here or kind.job is not TextStages:
            with Progress(f"Building {settings.base}"):
                job.build() if kind.job is TextStages else job.build(load=is_here)
            _stages(job, found)
        if kind.job is PhotographStages:
            _features(job, found, is_here)
            _estimate(job, found, is_here, time.perf_counter() - start)
        _files(job, found)
        return found


KINDS = {
    "PhotographSettings": Kind(PhotographStages, "photograph"),
    "SegmentationSettings": Kind(SegmentationJob, "photograph"),
    "DetectionSettings": Kind(DetectionJob, "photograph"),
    "TextSettings": Kind(TextStages, "text"),
    "SoundSettings": Kind(SoundStages, "recording"),
}


def _weights(job, found):
    """Say where the base's weights are, and return whether they are on this machine."""
    settings = job.settings
    name = None
    if isinstance(job, PhotographStages):
        name = published_weights(settings)
    elif isinstance(job, TextStages):
        name = "minilm" if settings.base == "minilm" else None  # the others are bundled
    elif isinstance(job, SoundStages):
        name = SOUND_BASES[settings.base].weights
    elif settings.weights is None:
        name = notop_name(settings.base)
    cut = getattr(settings, "cut", None)
    base = f"{settings.base}{f' up to {cut}' if cut else ''}"
    path = name and present(name)
    if name is None:
        where = "random numbers" if settings.weights == RANDOM else settings.weights or "comes with minitl"
    elif path is None:
        where = f"would be fetched: {published(name).about}"
    else:
        where = f"on this machine, {path}"
    found.say("Base", f"{base}: {where}", base=settings.base, cut=cut, fetched=None if path or not name else name)
    return name is None or path is not None


def _stages(job, found):
    """Say what would learn in each stage."""
    settings = job.settings
    if word := getattr(settings, "leave_out", None):
        count = len(job.folder.groups)
        found.say("Heads", f"in closed form, {count} that leave out one {word} each, and one of all", heads=count + 1)
        return
    heads = getattr(job, "heads", [None])
    if len(heads) > 1:
        found.say("Head", f"chosen among {len(heads)} by cross-validation on the examples to learn from")
    job.freeze_base()
    count = job.model.count_params(trainable_only=True)
    epochs = counted(settings.epochs, "epoch")
    found.say("Stage 1", f"the new layers: {count:,} parameters learn, {epochs}", parameters={"head": count})
    if job.has_second_stage:
        job.unfreeze_layers()
        count = job.model.count_params(trainable_only=True)
        epochs = counted(settings.tune_epochs, "epoch")
        found.say("Stage 2", f"from {settings.unfreeze} on: {count:,} parameters learn, {epochs}")
        found.data["parameters"]["blocks"] = count
        job.freeze_base()


def _features(job, found, is_here):
    """Say how many photographs would go through the base, and how much room their features would take."""
    settings = job.settings
    views = len(VIEWS) if settings.view == AUTO else 1
    if settings.view == AUTO:
        job.settings = settings = replace(settings, view=next(iter(VIEWS)))
        text = f"chosen among {', '.join(VIEWS)}; photographs to learn from go through the base for each"
        found.say("View", text, view=AUTO)
    else:
        found.say("View", settings.view, view=settings.view)
    if settings.augment and not job.has_second_stage:
        found.say("Features", "none are kept: with augmentation, all photographs are read again in each epoch")
        return
    new, size = 0, 0
    for photos, mirrored in job.sets:
        stream = job.stream(photos, mirrored=mirrored)
        graphs = list(wanted_of(job.model, settings, job.kept_end).values())
        kept = set(stream.keys)
        if is_here and settings.keep_features:
            for graph in graphs:
                kept &= kept_keys(graph, stream, half=True)
        else:
            kept = set()
        new += len({key.removesuffix("mirrored") for key in set(stream.keys) - kept})
        bytes_of_all = room_for(graphs, stream, keep=False, half=True)[1]  # in no folder: nothing is kept there
        size += round(bytes_of_all * (1 - len(kept) / len(set(stream.keys))))
    text = f"{counted(new, 'photograph')} would go through the base{' for each view' * (views > 1)} ({size_text(size)})"
    found.say("Features", text, new_photographs=new, feature_bytes=size)
    found.data["views"] = views


def _estimate(job, found, is_here, start):
    """Say how much time and memory a run would take, from a few batches through the base. `start` are the seconds until
    now: the run will take them, too."""
    if not is_here or job.settings.augment:
        why = "augmentation runs the whole network in each epoch" if is_here else "the weights are not here"
        found.say("Estimate", f"none: {why}")
        return
    plan = _plan(job, found.data, start)
    parts = [("the base once", plan.first_pass), ("stage 1", plan.stage_1)]
    parts += [("stage 2", plan.stage_2)] * job.has_second_stage
    spent = ", ".join(f"{name} {duration(seconds)}" for name, seconds in parts)
    text = f"{duration(plan.seconds)} ({spent}), {gigabytes(plan.peak_bytes)} of memory, on this machine as it is now"
    found.say("Estimate", text, seconds=plan.seconds, peak_bytes=plan.peak_bytes)


def _plan(job, known, start):
    """Return the `advice.plans.Plan` of a job, with its predicted seconds and bytes. `known` is the data so far."""
    settings, folder = job.settings, job.folder
    ends, last = cuts(settings.base), settings.ends[-1]
    learning = ends[ends.index(job.last_frozen) + 1 : ends.index(last) + 1] if job.has_second_stage else []
    some = folder.train[:BATCH]
    reading = costs.seconds_of(lambda: job.stream(some).read(slice(None))) / len(some) * min(threads(), len(some))
    images = job.stream([some[k % len(some)] for k in range(BATCH)]).read(slice(None))
    base = Model(job.base.input, job.base.output_of(last), name=settings.base)
    task = plans.Task(
        train=len(folder.train) * (1 + settings.mirror),
        val=len(folder.val),
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        tune_epochs=settings.tune_epochs or 0,
        start=start,
        reading=reading,
        threads=threads(),
        bytes=(peak_bytes() or 0) + 4 * base.count_params(),
        choice=cost_of_choice(settings.epochs, len(folder.train)) * (len(job.heads) > 1),
    )
    blocks = costs.measure_blocks(base, ends[: ends.index(last) + 1], images, learning)
    epoch = _seconds_of_an_epoch(job, task)
    plan = plans.head_plan(task, blocks, (), epoch)
    if job.has_second_stage:
        head = [GlobalAveragePooling2D(), *learning_layers(len(folder.class_names))]
        held = costs.stage_bytes(base, head, job.last_frozen, images, settings.batch_size, _compiled)
        plan = plans.blocks_plan(task, blocks, settings.unfreeze, len(blocks) - len(learning), (), epoch, held)
    # Photographs whose features are kept from before are not read again.
    share = known["new_photographs"] / (len(folder.train) + len(folder.val))
    if known["views"] > 1:
        share += (known["views"] - 1) * len(folder.train) / (len(folder.train) + len(folder.val))
    return plan._replace(first_pass=task.start + share * (plan.first_pass - task.start))


def _seconds_of_an_epoch(job, task):
    """Return the seconds of an epoch of the head alone, measured on random features."""
    count, classes = min(task.train, MOST_EXAMPLES), len(job.folder.class_names)
    width = job.model.output_of(job.base_end).shape[-1]
    rng = np.random.default_rng(0)
    x, y = rng.random((count, width), np.float32), to_categorical(rng.integers(classes, size=count), classes)
    head = _compiled(Sequential([Input((width,)), *learning_layers(classes, unit_rows=True)]))

    def epoch():
        head.fit(x, y, task.batch_size, 1, verbose=0)

    with Progress("Timing the head"):
        spent = [costs.seconds_of(epoch) for _ in range(HEAD_EPOCHS)]
    return float(np.median(spent[1:])) * (task.train / count)


def _compiled(model):
    """Return a model, compiled as the recipe does, with a learning rate of about 0."""
    model.compile(SGD(costs.STANDSTILL, momentum=0.9), CategoricalCrossentropy())
    return model


def _files(job, found):
    """Say what would be written."""
    settings, runs = job.settings, job.runs
    files = [f"{name} {path}" for name in ("save", "report", "json") if (path := getattr(settings, name, None))]
    if runs.is_unfinished() and not settings.resume:
        files.append(f"the unfinished run in {runs} would be given up (resume goes on with it)")
    found.say("Write", "; ".join([*files, f"checkpoints in {runs}, until it has ended"]))
