"""The options of `minitl finetune PHOTOS/`. Each has the name of a setting, and sets it."""

import argparse
import textwrap
from dataclasses import fields

from ..applications import NETWORKS, bases, cuts
from ..applications.building import SecondStage
from ..errors import ArgumentError
from ..recipes.settings import (
    AUTO,
    HEADS,
    SCHEDULES,
    SEVERAL,
    STARTS,
    VALIDATION,
    PhotographSettings,
    option,
)
from ..recipes.sounds.settings import BASES as SOUND_BASES
from ..recipes.texts.settings import BASES
from ..recipes.view import DEFAULT_VIEW, VIEWS
from ..terminal import columns
from .parser import did_you_mean

DEFAULTS = PhotographSettings()
OF_A_SECOND_STAGE = ("tune_epochs", "tune_rate")
OF_BOTH = ("cut", "epochs", "learning_rate", "seed", "save", "report", "json")  # go with the bundled images as well


def add_arguments(parser):
    """Add the options that go with a folder of photographs only."""
    group = parser.add_argument_group("with a folder of photographs")
    networks = [NETWORKS[name] for name in bases()]
    add = group.add_argument
    add(
        "--base",
        metavar="NETWORK",
        choices=list(dict.fromkeys([*bases(), *BASES, *SOUND_BASES])),
        help=f"choose the pre-trained network: {', '.join(bases())} (default: {DEFAULTS.base}); with texts: "
        f"{', '.join(BASES)}; with recordings: {', '.join(SOUND_BASES)}",
    )
    add("--weights", metavar="FILE", help="read the base's weights from this file (default: ImageNet's)")
    add(
        "--unfreeze",
        metavar="PART",
        help="train from this part on in the second stage: none, or one of "
        + "; ".join(f"{', '.join(reversed(network.fine_tuning))} ({network.name})" for network in networks)
        + " (default: none, or the last if --tune-epochs or --tune-rate is given)",
    )
    usual = SecondStage()
    others = [each for each in networks if each.second_stage != usual]
    epochs = "; ".join([f"{usual.epochs}", *(f"{each.second_stage.epochs} for {each.name}" for each in others)])
    rates = "; ".join([f"{usual.rate:g}", *(f"{each.second_stage.rate:g} for {each.name}" for each in others)])
    add("--tune-epochs", type=int, help=f"set the epochs of the second stage (default: {epochs})")
    add("--tune-rate", type=float, help=f"set its learning rate (default: {rates})")
    add(
        "--head",
        choices=HEADS,
        help="bring each photograph's features to length 1 first (unit), or leave them (plain); the default chooses by "
        "cross-validation on the training photographs, with the learning rate and the label smoothing",
    )
    add(
        "--view",
        choices=[*VIEWS, AUTO],
        help="show the base the centre of each photograph, all of it stretched to a square (whole), or all of it "
        f"between grey borders (padded); {AUTO}: chosen on the training photographs, of which each goes through the "
        f"base {len(VIEWS)} times (default: {DEFAULT_VIEW})",
    )
    add("--head-factor", type=float, help="multiply the head's rate by this in the second stage (default: 1)")
    add("--schedule", choices=SCHEDULES, help=f"choose the learning rate schedule (default: {DEFAULTS.schedule})")
    add("--warm-up", type=float, metavar="EPOCHS", help="let the rate rise from 0 so long, in both stages (default: 0)")
    add(
        "--patience",
        type=int,
        help="end a stage after so many epochs without a better val_loss, and go back to the best (the held-back "
        "photographs choose it, so their accuracy is a little too good)",
    )
    add("--batch-size", type=int, help=f"set the batch size (default: {DEFAULTS.batch_size})")
    add("--weight-decay", type=float, help="let the head's weights decay towards 0 (default: 0)")
    add("--l2-sp", type=float, help="pull the base towards its pre-trained values (default: 0; try 100)")
    add(
        "--label-smoothing",
        type=float,
        help="spread this share of a label over all classes (default: chosen by cross-validation)",
    )
    add("--clip-norm", type=float, help="limit the norm of all gradients together (default: no limit)")
    add("--balance", action="store_true", help="draw all classes equally often, whatever their sizes, in both stages")
    add(
        "--class-weights",
        action="store_true",
        help="take each example once an epoch, and let rare classes count more in the loss",
    )
    add("--start", choices=STARTS, help="begin the head with zeros (default) or the ridge solution")
    add("--mirror", action="store_true", help="learn from every photograph's mirror image as well")
    add(
        "--augment",
        action="store_true",
        help="use other crops, mirror images and colours in each epoch (slow: the base runs in each); where there is a "
        "second stage, only there",
    )
    add(
        "--image-size",
        type=size_in_pixels,
        metavar="N",
        help="set the image size in pixels (default: "
        + ", ".join(f"{network.native_size} for {network.name}" for network in networks)
        + "); smaller images are faster and less accurate",
    )
    add_which_photographs(add)
    add_scheduler(add)
    add("--find-rate", action="store_true", help="only find a learning rate for the head, and print it")
    add(
        "--dry-run",
        action="store_true",
        help="check everything, say what would be done and what it would cost, and do none of it",
    )
    add("--strict", action="store_true", help="stop at the first file that is no photograph")
    add("--no-cache", action="store_true", help="do not keep the photographs' features for the next run")
    add("--run", dest="run_folder", metavar="DIR", help="keep checkpoints here (default: in $MINITL_HOME/runs)")
    add("--resume", action="store_true", help="go on with a run that was stopped or killed")
    add("--despite-changes", action="store_true", help="go on even if data, code or machine have changed")


def add_which_photographs(add):
    """Add the options that say which photographs are used, with argparse's `add`."""
    add(
        "--validation",
        type=float,
        metavar="SHARE",
        help="hold back this share of each class to measure on, where the folder has no train/ and val/ (default: "
        f"{VALIDATION})",
    )
    add("--follow-links", action="store_true", help="follow links that lead out of the folder")


def add_scheduler(add, where_photos=True):
    """Add the options for a Dask cluster, with argparse's `add`. `where_photos` also says where photographs are."""
    add("--scheduler", metavar="ADDRESS", help="let the workers of this Dask scheduler do the work (extra 'dask')")
    if where_photos:
        add(
            "--photos-at",
            metavar="PLACE",
            help="the same folder for the workers, as /mnt/photos or s3://bucket/photos (default: the same path; where "
            "they cannot read it, the photographs are sent)",
        )


def goes_with(what, kind, more, beside=()):
    """Return, for the help, which of these options go with another kind of folder as well, and their defaults there.

    what   the folder's content, in words;   kind   the class of its settings;   more   the end of the sentence
    beside   names of other settings whose defaults are named
    """
    ours, theirs = ({field.name: field.default for field in fields(each)} for each in (PhotographSettings, kind))
    without = [option(name) for name in ours if name not in theirs and name != "image_size"]
    # Those of the second stage stand in `more`: they have none where there is no such stage.
    usual = {**ours, "validation": VALIDATION, "unfreeze": "none", **{name: theirs[name] for name in OF_A_SECOND_STAGE}}
    names = [name for name in usual if name in theirs and theirs[name] != usual[name]]
    defaults = [f"{option(name)} {shown(theirs[name])}" for name in (*names, *beside) if theirs[name] is not None]
    if theirs["tune_epochs"] is not None:
        defaults.append(
            f"--tune-epochs {theirs['tune_epochs']} and --tune-rate {theirs['tune_rate']:g} where --unfreeze asks for "
            "a second stage"
        )
    text = (
        f"The options for photographs but {', '.join(without)} and --find-rate go with {what} as well, with these "
        f"defaults: {', '.join(defaults)}; {more}"
    )
    return textwrap.fill(text, columns() - 4, break_long_words=False, break_on_hyphens=False)  # argparse indents it


def shown(value):
    """Return a default as text."""
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def settings_of(options):
    """Return the `PhotographSettings` of the options; settings that are not given keep their defaults."""
    if isinstance(options.image_size, tuple):
        raise ArgumentError("--image-size has two sides; photographs by class are shown as squares: give one number.")
    return PhotographSettings(**given_settings(options, PhotographSettings), keep_features=not options.no_cache)


def given_settings(options, kind):
    """Return {name: value} of the settings of the class `kind` that options set."""
    given = {field.name: getattr(options, field.name, None) for field in fields(kind)}
    return {name: value for name, value in given.items() if value is not None}


def is_given(options, name):
    """Return whether an option is given: 0 is a value."""
    value = getattr(options, name, None)
    return value is not None and value is not False


def layer_names(text):
    """Return the names of layers in a text such as "block4_pool,block5_pool", if a base has such ends of blocks."""
    known = [*dict.fromkeys(cut for base in bases() for cut in cuts(base)), *BASES["minilm"].ends, SEVERAL]
    for name in text.split(","):
        if name.strip() not in known:
            raise argparse.ArgumentTypeError(f"{name!r} is no end of a block{did_you_mean(name, known)}")
    return text


def size_in_pixels(text):
    """Return 224 of "224", and (256, 384) of "256x384": the rows and the columns."""
    rows, x, columns = text.lower().partition("x")
    return (int(rows), int(columns)) if x else int(text)


# The options that are no settings of a task, and where each of them acts.
ALL_TASKS = ("images", "segment", "detect", "texts", "sounds")
OTHERS = {
    "find_rate": ("images",),
    "scheduler": ("images",),
    "photos_at": ("images",),
    "no_cache": ALL_TASKS,
    "dry_run": ALL_TASKS,
    "no_scratch": (),
}
ALWAYS = ("photos", "task", "json", "run")  # go with everything


def refuse_of_other_tasks(options, task, kinds):
    """Raise ArgumentError for an option that is given and does not go with a task.

    kinds   {task: (what a folder for it holds, the class of its settings)}
    """
    goes_with = dict(OTHERS)
    for name, (_, kind) in kinds.items():
        has_sides = name in ("segment", "detect")  # their images have a height and a width
        for setting in (*(field.name for field in fields(kind)), *({"image_size"} if has_sides else ())):
            goes_with[setting] = (*goes_with.get(setting, ()), name)
    for name in vars(options):
        tasks = goes_with.get(name, ())
        if name in ALWAYS or task in tasks or not is_given(options, name):
            continue
        if not tasks:
            raise ArgumentError(
                f"{option(name)} goes with the bundled images: on photographs, nothing is trained from scratch."
            )
        holds = " or ".join(kinds[each][0] for each in tasks)
        raise ArgumentError(f"{option(name)} goes with {holds}, and {options.photos} is taken as {kinds[task][0]}.")


def refuse_without_photos(options, kinds):
    """Raise ArgumentError for options of a folder of photographs that are given without one. `kinds` are those of
    `refuse_of_other_tasks`."""
    names = dict.fromkeys(field.name for _, kind in kinds.values() for field in fields(kind))
    names = [name for name in names if name not in OF_BOTH]
    others = ("task", "find_rate", "scheduler", "photos_at", "dry_run", "no_cache")
    given = [name for name in (*names, *others) if is_given(options, name)]
    if given:
        raise ArgumentError(f"{option(given[0])} goes with a folder of photographs: minitl finetune PHOTOS/")
