"""The options of `minitl finetune FOLDER/` for boxes. Each has the name of a setting, and sets it.

Most options of photographs by class, and some of masks, go with boxes as well: `photos_options` and `places_options`
add those.
"""

from ..data.detection_folder import LAYOUTS
from ..recipes.detection import DetectionSettings
from .places_options import described

BOXES = DetectionSettings()
DIFFERENT = ("epochs", "learning_rate", "batch_size", "warm_up", "variations", "filters")  # defaults in the help


def add_arguments(parser):
    """Add the options that go with boxes only."""
    named = ", ".join(f"--{name.replace('_', '-')} {getattr(BOXES, name):g}" for name in DIFFERENT)
    group = parser.add_argument_group(
        "with a folder of boxes (Pascal VOC, COCO, YOLO)",
        described(
            f"Most options above go with boxes as well, with these defaults: {named}; --tune-epochs "
            f"{BOXES.tune_epochs} and --tune-rate {BOXES.tune_rate:g} where --unfreeze asks for a second stage.",
        ),
    )
    add = group.add_argument
    add("--layout", choices=list(LAYOUTS), help="say how the boxes are written, where a folder has two kinds of files")
    add("--train-list", metavar="NAME", help="learn from this list of Pascal VOC's ImageSets/Main (default: train)")
    add("--val-list", metavar="NAME", help="measure on this list (default: val); test only after all decisions")
    add(
        "--priors",
        type=counts,
        metavar="N,N,N",
        help="spread so many priors from each place of the maps of stride 8, 16, 32 and 64 (default: "
        f"{','.join(map(str, BOXES.priors))})",
    )
    add("--score", type=float, help=f"show and count boxes from this score on (default: {BOXES.score:g})")


def counts(text):
    """Return (3, 3, 3) of "3,3,3"."""
    return tuple(int(each) for each in text.split(","))
