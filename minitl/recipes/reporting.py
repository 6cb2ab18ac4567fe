"""The way from a finished fine-tuning to its report: results become the plain data that the report is made from.

The recipes call `check_outputs` before they work, and `report_on_clothing` or `report_on_photographs` afterwards. The
package `report` writes the page.
"""

import datetime
import platform
import shlex
import sys

import numpy as np

from ..applications import NETWORKS
from ..files.writable import check_writable
from ..version import __version__
from ..weights.saving import check_target
from .report import FineTuning, Pictures, Stage, check_folder, write_report
from .settings import require_path
from .view import photograph_pixels


def check_outputs(settings, has_figures=True):
    """Raise an error now, before an hour of work, if the model, the results or the report could not be written.

    has_figures   whether the report has PNG files, which need matplotlib
    """
    for name in "save", "report", "json":
        if getattr(settings, name, None) is not None:  # not every job has a report
            require_path(name, getattr(settings, name))
    check_writable(settings.json, settings.save)
    if settings.save is not None:
        check_target(settings.save)
    if getattr(settings, "report", None) is not None:
        check_folder(settings.report, has_figures)


def report_on_clothing(result, enlarge, prepare):
    """Write the report of a fine-tuning on the bundled images.

    result    a `clothing.FinetunedClothing`
    enlarge   grey images -> RGB as the network is shown them;   prepare   RGB -> the network's input
    """
    dataset, transferred, scratch = result.pictures, result.transferred, result.scratch
    training, held_back = (
        Pictures(labels, [f"{part} image {k}" for k in range(len(labels))], _reader(images, enlarge), prepare)
        for part, images, labels in (
            ("training", dataset.x_train, dataset.y_train),
            ("test", dataset.x_test, dataset.y_test),
        )
    )
    what = "The same network from scratch"
    others = scratch and (what, scratch["test_accuracy"], scratch["trainable_parameters"], scratch["seconds"])
    _write(
        result.settings,
        FineTuning(
            task=f"Ten kinds of clothing, learned from {len(training):,} small images",
            class_names=dataset.class_names,
            training=training,
            held_back=held_back,
            steps=result.steps,
            stages=[_stage("The new head", transferred)],
            model=result.model,
            evaluation=result.evaluation,
            seconds=transferred["seconds"],
            others=[others] if others else [],
            other_stages=[_stage("For comparison, the same network from scratch", scratch)] if scratch else [],
            facts=made_by(result.settings, result.seconds),
        ),
    )


def _reader(images, enlarge):
    """Return a function from a position to the enlarged image at that position."""
    return lambda position: enlarge(images[position : position + 1])[0]


def _stage(name, trained):
    """Return the `Stage` of a training whose results are those of `clothing.train`."""
    return Stage(
        name, trained["history"], trained["learning_rates"], trained["trainable_parameters"], trained["test_accuracy"]
    )


def report_on_photographs(job, evaluation, history, accuracy, seconds):
    """Write the report of a fine-tuning on photographs. `job` is a finished `photograph_stages.PhotographStages`."""
    settings, folder = job.settings, job.folder
    height, width = job.base.input_shape[1:3]
    training, held_back = (
        Pictures(
            np.array([photo.label for photo in photos]),
            [str(photo.path.relative_to(folder.path)) for photo in photos],
            lambda position, photos=photos: photograph_pixels(photos[position], height, width, settings.view),
            job.prepare,
        )
        for photos in (list(dict.fromkeys(each)) for each in (job.photos, job.photos_val))  # mirrored ones occur twice
    )
    stages = [
        Stage(title, history[key], job.learning_rates[key].learning_rates, job.learned[key], reached)
        for key, title, reached in (
            ("head", "Stage 1, the new head on the frozen base", accuracy["head"]),
            ("blocks", f"Stage 2, from {settings.unfreeze} on", evaluation.accuracy),
        )
        if key in history
    ]
    others = [("After stage 1", accuracy["head"], None, None)] if "blocks" in history else []
    if accuracy["ridge"] is not None:  # with augmentation there is none
        others.append(("Ridge head, in closed form", accuracy["ridge"], None, None))
    _write(
        settings,
        FineTuning(
            task=f"{_listed(folder.class_names)}, learned from {len(training):,} photographs",
            class_names=folder.class_names,
            training=training,
            held_back=held_back,
            steps=six_steps_of(job, stages),
            stages=stages,
            model=job.model,
            evaluation=evaluation,
            seconds=seconds,
            others=others,
            skipped=folder.skipped,
            duplicates=folder.duplicates,
            two_labels=folder.with_two_labels,
            resumed=settings.resume,
            facts=made_by(settings, seconds),
        ),
    )


def _listed(names):
    """Return up to four names as text; for more names, their number."""
    if len(names) > 4:
        return f"{len(names)} kinds of things"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def six_steps_of(job, stages):
    """Return the six steps of transfer learning, as (name, what was done)."""
    settings, base, model = job.settings, job.base, job.model
    loaded = [entry.origin.first for entry in model.ledger if entry.origin.first.file]
    files = ", ".join(dict.fromkeys(origin.file for origin in loaded))
    height, width, _ = base.input_shape[1:]
    head = " → ".join(type(layer).__name__ for layer in [base.layers[-1], *job.head])
    trained = [f"{stage.name}: {stage.parameters:,} parameters learn" for stage in stages]
    how = "every photograph goes once through the layers that stay frozen, and the features are kept"
    if job.part is job.model:
        how = "the photographs are read again in every epoch, and no features are kept"
    imagenet = "ImageNet: 1.2 million photographs of 1,000 kinds of things"
    return [
        ("Choose", f"{NETWORKS[settings.base].title}, pre-trained on {imagenet}."),
        ("Load", f"{len(loaded)} tensors of its convolutions, {base.count_params():,} parameters, from {files}."),
        ("Remove", "its dense layers (include_top=False): they predict ImageNet's classes, which are not needed here."),
        ("Add", f"a new head: {head}."),
        ("Adapt", f"input {height}x{width} pixels; output 1,000 → {model.output_shape[-1]} classes."),
        ("Freeze and fine-tune", f"{how}. {'. '.join(trained)}."),
    ]  # fmt: skip


def made_by(settings, seconds):
    """Return how a report was made, as [(name, value)]."""
    by_command = "finetune" in sys.argv  # else a program has called the function
    return [
        *([("command", f"minitl {shlex.join(sys.argv[1:])}")] if by_command else []),
        ("seed", settings.seed),
        ("time in all", f"{seconds:.0f} s, without this report"),
        ("made", f"{datetime.date.today():%d %B %Y}"),
        ("with", f"minitl {__version__}, NumPy {np.__version__}, Python {platform.python_version()}"),
        ("on", f"{platform.system()} {platform.machine()}"),
    ]


def _write(settings, fine_tuning):
    """Write the report, and print the path of its page."""
    print(f"\nReport: {write_report(fine_tuning, settings.report)}", flush=True)
