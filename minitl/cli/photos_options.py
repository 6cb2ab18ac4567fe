"""The options of `minitl finetune PHOTOS/`: every default, in one place."""

import math

from ..applications import NETWORKS, bases, cuts
from ..arguments import whole_number
from ..errors import ArgumentError
from ..optimizers import CosineDecay, PiecewiseConstantDecay, WarmUp

SCHEDULES = ("cosine", "constant", "step", "plateau")

# Chosen by cross-validation with VGG16 on the training half of ants and bees; the half for validation was not looked
# at. None: it depends on the base (`settle`).
DEFAULTS = {
    "base": "vgg16", "cut": None, "epochs": 60, "learning_rate": 0.001, "unfreeze": None, "tune_epochs": 2,
    "tune_rate": 0.00003, "head_factor": 1.0, "schedule": "cosine", "warm_up": 0.0, "patience": None, "batch_size": 32,
    "weight_decay": 0.0, "l2_sp": 0.0, "label_smoothing": 0.1, "clip_norm": None, "start": "zeros",
    "image_size": None,
}  # fmt: skip
FLAGS = (
    "class_weights",
    "mirror",
    "augment",
    "find_rate",
    "strict",
    "no_cache",
    "run_folder",
    "resume",
    "despite_changes",
)


def add_arguments(parser):
    """The options that only a folder of photographs has."""
    group = parser.add_argument_group("with a folder of photographs")
    networks = [NETWORKS[name] for name in bases()]
    add = group.add_argument
    add("--base", choices=bases(), help=f"the pre-trained network (default: {DEFAULTS['base']})")
    add(
        "--unfreeze",
        metavar="PART",
        help="the second stage trains from here on: none, or one of "
        + "; ".join(f"{', '.join(reversed(network.fine_tuning))} ({network.name})" for network in networks)
        + " (default: the last)",
    )
    add("--tune-epochs", type=int, help=f"of the second stage (default: {DEFAULTS['tune_epochs']})")
    add("--tune-rate", type=float, help=f"its learning rate (default: {DEFAULTS['tune_rate']})")
    add("--head-factor", type=float, help="in the second stage, the head's rate is this times as large (default: 1)")
    add("--schedule", choices=SCHEDULES, help=f"of the learning rate, in both stages (default: {DEFAULTS['schedule']})")
    add("--warm-up", type=float, metavar="EPOCHS", help="in which the rate rises from 0, in both stages (default: 0)")
    add(
        "--patience",
        type=int,
        help="stop a stage after so many epochs without a better val_loss; keep the best (which the held-back pictures "
        "choose then: their accuracy is a little too good)",
    )
    add("--batch-size", type=int, help=f"default: {DEFAULTS['batch_size']}")
    add("--weight-decay", type=float, help="towards 0, for the new head (default: 0)")
    add("--l2-sp", type=float, help="towards the pre-trained values, for the base (default: 0; try 100)")
    add("--label-smoothing", type=float, help=f"default: {DEFAULTS['label_smoothing']}")
    add("--clip-norm", type=float, help="the largest norm of all gradients together (default: no limit)")
    add("--class-weights", action="store_true", help="rare classes count more: as if there were as many of each")
    add("--start", choices=["zeros", "ridge"], help="what the head begins as: zeros (default), or the ridge solution")
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


def refuse_without_photos(options):
    """Options of a folder, given without one."""
    names = [*(name for name in DEFAULTS if name not in ("cut", "epochs", "learning_rate")), *FLAGS]
    given = [name for name in names if getattr(options, name) not in (None, False)]
    if given:
        raise ArgumentError(
            f"--{given[0].replace('_', '-')} goes with a folder of photographs: minitl finetune PHOTOS/"
        )


def parts_before(base, cut):
    """{what can be fine-tuned, from the end: the layer before it} of a base that is kept up to the layer `cut`."""
    ends, parts = cuts(base), NETWORKS[base].fine_tuning
    return {part: before for part, before in parts.items() if ends.index(before) < ends.index(cut)}


def settle(options):
    """Fill in the defaults, and refuse what cannot be meant."""
    for name, value in DEFAULTS.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    network = NETWORKS[options.base]
    ends = cuts(options.base)
    if options.cut is None:
        options.cut = ends[-1]
    if options.cut not in ends:
        raise ArgumentError(f"--cut is {options.cut}; expected a block's end in {options.base}: {', '.join(ends)}.")
    parts = parts_before(options.base, options.cut)
    if options.unfreeze is None:
        options.unfreeze = next(iter(parts), "none")
    if options.unfreeze not in (*parts, "none"):
        kept = "" if options.cut == ends[-1] else f" cut at {options.cut}"
        raise ArgumentError(
            f"--unfreeze is {options.unfreeze!r}; expected none or a part of {options.base}{kept}: "
            f"{', '.join(parts) or 'there is none'}."
        )
    if options.image_size is None:
        options.image_size = network.native_size
    for name in ("epochs", "batch_size", "image_size"):
        whole_number(getattr(options, name), f"--{name.replace('_', '-')}")
    smallest = network.smallest_size
    if not smallest <= options.image_size <= 4096:
        raise ArgumentError(
            f"--image-size is {options.image_size}; expected {smallest} (or nothing is left to look at) to 4096."
        )
    whole_number(options.tune_epochs, "--tune-epochs", 0)
    for name in ("learning_rate", "tune_rate"):
        if not 0 < getattr(options, name) < math.inf:
            raise ArgumentError(f"--{name.replace('_', '-')} is {getattr(options, name)}; expected a number above 0.")
    if not 0 <= options.warm_up <= options.epochs:
        raise ArgumentError(f"--warm-up is {options.warm_up}; expected a number of epochs, {options.epochs} at most.")
    if options.augment and (options.start == "ridge" or options.mirror):
        raise ArgumentError("--augment does not go with --start ridge and --mirror, which need kept features.")


def schedule(name, learning_rate, steps, warm_up):
    """A learning rate, or a function of the steps taken. After a warm-up from 0, it is what its name says."""
    if name == "step":
        after = PiecewiseConstantDecay(
            [steps // 2, steps * 3 // 4], [learning_rate, learning_rate / 3, learning_rate / 10]
        )
    elif name == "cosine":
        after = CosineDecay(learning_rate, max(1, steps - warm_up))
    elif warm_up and name == "plateau":
        raise ArgumentError("--warm-up does not go with --schedule plateau, which sets the rate itself.")
    else:
        return learning_rate if not warm_up else WarmUp(learning_rate, warm_up)
    return after if not warm_up else WarmUp(after, warm_up)
