"""From a finished `minitl finetune` to its report: what happened, told in the report's words.

The two commands call `check` before they work and `of_bundled` or `of_photos` when they have; `minitl.report` does the
rest.
"""

import datetime
import platform
import shlex
import sys

import numpy as np

from .. import __version__, data
from ..applications import NETWORKS, vgg16
from ..errors import ArgumentError
from .evaluation import Evaluation
from .report import Happened, Pictures, Stage, check_folder, write_report


def add_argument(parser):
    parser.add_argument(
        "--report",
        metavar="DIR",
        help="write a page with curves, mistakes, Grad-CAM and costs there, and its pictures as PNG (needs matplotlib)",
    )


def check(options):
    """Refuse in time what could not be written."""
    if options.report is None:
        return
    if getattr(options, "find_rate", False):
        raise ArgumentError("--report does not go with --find-rate, which trains nothing.")
    if not options.report:
        raise ArgumentError("--report '': name a folder.")
    check_folder(options.report)


def of_bundled(options, model, steps, pictures, enlarge, transferred, scratch, seconds):
    """The report of the bundled pictures. `enlarge` makes RGB pictures of the grey ones, as the network sees them."""
    prepare = vgg16.preprocess_input
    training, held_back = (
        Pictures(labels, [f"{part} picture {k}" for k in range(len(labels))], _reader(images, enlarge), prepare)
        for part, images, labels in (
            ("training", pictures.x_train, pictures.y_train),
            ("test", pictures.x_test, pictures.y_test),
        )
    )
    probabilities = model.predict(prepare(enlarge(pictures.x_test)), verbose=0)
    evaluation = Evaluation(pictures.y_test, probabilities, pictures.class_names, held_back.names)
    what = "The same network from scratch"
    others = scratch and (what, scratch["test_accuracy"], scratch["trainable_parameters"], scratch["seconds"])
    _write(
        options,
        Happened(
            task=f"Ten kinds of clothing, learned from {len(training):,} small pictures",
            class_names=pictures.class_names,
            training=training,
            held_back=held_back,
            steps=steps,
            stages=[_stage("The new head", transferred)],
            model=model,
            evaluation=evaluation,
            seconds=transferred["seconds"],
            others=[others] if others else [],
            other_stages=[_stage("For comparison, the same network from scratch", scratch)] if scratch else [],
            facts=_facts(options, seconds),
        ),
    )


def _reader(images, enlarge):
    return lambda position: enlarge(images[position : position + 1])[0]


def _stage(name, trained):
    return Stage(
        name, trained["history"], trained["learning_rates"], trained["trainable_parameters"], trained["test_accuracy"]
    )


def of_photos(run, crop, evaluation, history, accuracy, seconds):
    """The report of a folder of photographs; `run` is a `finetune_photos.Run` that has come to its end."""
    options, folder = run.options, run.folder
    training, held_back = (
        Pictures(
            np.array([photo.label for photo in photos]),
            [str(photo.path.relative_to(folder.path)) for photo in photos],
            lambda position, photos=photos: data.read_image(photos[position].path, *run.base.input_shape[1:3], crop),
            run.prepare,
        )
        for photos in (list(dict.fromkeys(x.photos)) for x in (run.x, run.x_val))  # a mirrored one is there twice
    )
    stages = [
        Stage(title, history[key].history, run.learning_rates[key].learning_rates, run.learned[key], reached)
        for key, title, reached in (
            ("head", "Stage 1, the new head on the frozen base", accuracy["head"]),
            ("blocks", f"Stage 2, from {options.unfreeze} on", evaluation.accuracy),
        )
        if key in history
    ]
    others = [("After stage 1", accuracy["head"], None, None)] if "blocks" in history else []
    if accuracy["ridge"] is not None:  # with --augment there is none
        others.append(("A head in closed form (ridge regression)", accuracy["ridge"], None, None))
    _write(
        options,
        Happened(
            task=f"{_listed(folder.class_names)}, learned from {len(training):,} photographs",
            class_names=folder.class_names,
            training=training,
            held_back=held_back,
            steps=photos_steps(run, stages),
            stages=stages,
            model=run.model,
            evaluation=evaluation,
            seconds=seconds,
            others=others,
            skipped=folder.skipped,
            duplicates=folder.duplicates,
            resumed=options.resume,
            facts=_facts(options, seconds),
        ),
    )


def _listed(names):
    """Two names or a few; of more, how many."""
    if len(names) > 4:
        return f"{len(names)} kinds of things"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def photos_steps(run, stages):
    """The six steps of transfer learning, with what was done in each."""
    options, base, model = run.options, run.base, run.model
    loaded = [entry.origin.first for entry in model.ledger if entry.origin.first.file]
    files = ", ".join(dict.fromkeys(origin.file for origin in loaded))
    height, width, _ = base.input_shape[1:]
    head = " → ".join(type(layer).__name__ for layer in [base.layers[-1], *run.head])
    trained = [f"{stage.name}: {stage.parameters:,} parameters learn" for stage in stages]
    how = "every picture goes through what stays frozen once, and what comes out is kept"
    if run.part is run.model:
        how = "the pictures are read anew in every epoch, and nothing of them is kept"
    imagenet = "ImageNet: 1.2 million photographs of 1,000 kinds of things"
    return [
        ("Choose", f"{NETWORKS[options.base].title}, pre-trained on {imagenet}."),
        ("Load", f"{len(loaded)} tensors of its convolutions, {base.count_params():,} parameters, from {files}."),
        ("Remove", "its dense layers (include_top=False): they name ImageNet's classes, which nobody asks for here."),
        ("Add", f"a new head: {head}."),
        ("Adapt", f"input {height}x{width} pixels; output 1,000 → {model.output_shape[-1]} classes."),
        ("Freeze and fine-tune", f"{how}. {'. '.join(trained)}."),
    ]  # fmt: skip


def _facts(options, seconds):
    by_command = "finetune" in sys.argv  # or by a program that called the function
    return [
        *([("command", f"minitl {shlex.join(sys.argv[1:])}")] if by_command else []),
        ("seed", options.seed),
        ("time in all", f"{seconds:.0f} s, without this report"),
        ("made", f"{datetime.date.today():%d %B %Y}"),
        ("with", f"minitl {__version__}, NumPy {np.__version__}, Python {platform.python_version()}"),
        ("on", f"{platform.system()} {platform.machine()}"),
    ]


def _write(options, happened):
    print(f"\nReport: {write_report(happened, options.report)}", flush=True)
