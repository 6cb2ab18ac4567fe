"""The options of `minitl finetune PHOTOS/`, and the settings that they stand for: each is called as its setting."""

from dataclasses import fields

from ..applications import NETWORKS, bases
from ..errors import ArgumentError
from ..recipes.settings import SCHEDULES, STARTS, PhotographSettings, option

DEFAULTS = PhotographSettings()
OF_BOTH = ("cut", "epochs", "learning_rate", "seed", "save", "report", "json")  # go with the bundled pictures as well


def add_arguments(parser):
    """Add the options that only a folder of photographs has."""
    group = parser.add_argument_group("with a folder of photographs")
    networks = [NETWORKS[name] for name in bases()]
    add = group.add_argument
    add("--base", choices=bases(), help=f"the pre-trained network (default: {DEFAULTS.base})")
    add(
        "--unfreeze",
        metavar="PART",
        help="the second stage trains from here on: none, or one of "
        + "; ".join(f"{', '.join(reversed(network.fine_tuning))} ({network.name})" for network in networks)
        + " (default: the last)",
    )
    add("--tune-epochs", type=int, help=f"of the second stage (default: {DEFAULTS.tune_epochs})")
    add("--tune-rate", type=float, help=f"its learning rate (default: {DEFAULTS.tune_rate})")
    add("--head-factor", type=float, help="in the second stage, the head's rate is this times as large (default: 1)")
    add("--schedule", choices=SCHEDULES, help=f"of the learning rate, in both stages (default: {DEFAULTS.schedule})")
    add("--warm-up", type=float, metavar="EPOCHS", help="in which the rate rises from 0, in both stages (default: 0)")
    add(
        "--patience",
        type=int,
        help="stop a stage after so many epochs without a better val_loss; keep the best (which the held-back pictures "
        "choose then: their accuracy is a little too good)",
    )
    add("--batch-size", type=int, help=f"default: {DEFAULTS.batch_size}")
    add("--weight-decay", type=float, help="towards 0, for the new head (default: 0)")
    add("--l2-sp", type=float, help="towards the pre-trained values, for the base (default: 0; try 100)")
    add("--label-smoothing", type=float, help=f"default: {DEFAULTS.label_smoothing}")
    add("--clip-norm", type=float, help="the largest norm of all gradients together (default: no limit)")
    add("--class-weights", action="store_true", help="rare classes count more: as if there were as many of each")
    add("--start", choices=STARTS, help="what the head begins as: zeros (default), or the ridge solution")
    add("--mirror", action="store_true", help="learn from every picture's mirror image as well")
    add(
        "--augment",
        action="store_true",
        help="other crops, mirror images and colours in each epoch (slow: no kept features)",
    )
    add(
        "--image-size",
        type=int,
        help="pixels (default: "
        + ", ".join(f"{network.native_size} for {network.name}" for network in networks)
        + "); fewer are faster and less accurate",
    )
    add("--find-rate", action="store_true", help="only try which learning rate suits the head, and show it")
    add("--strict", action="store_true", help="stop at the first file that is no photograph")
    add("--no-cache", action="store_true", help="do not keep the photographs' features for the next run")
    add("--run", dest="run_folder", metavar="DIR", help="for checkpoints (default: a folder in $MINITL_HOME/runs)")
    add("--resume", action="store_true", help="go on with a run that was stopped or killed")
    add("--despite-changes", action="store_true", help="also where data, code or machine have changed since then")


def settings_of(options):
    """Return the `PhotographSettings` that the options stand for: what is not given stays at its default."""
    given = {field.name: getattr(options, field.name, None) for field in fields(PhotographSettings)}
    given = {name: value for name, value in given.items() if value is not None}
    return PhotographSettings(**given, keep_features=not options.no_cache)


def refuse_without_photos(options):
    """Refuse options of a folder that are given without one."""
    names = [field.name for field in fields(PhotographSettings) if field.name not in OF_BOTH]
    given = [name for name in (*names, "find_rate", "no_cache") if getattr(options, name, None) not in (None, False)]
    if given:
        raise ArgumentError(f"{option(given[0])} goes with a folder of photographs: minitl finetune PHOTOS/")
