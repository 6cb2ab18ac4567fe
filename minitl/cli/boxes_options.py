"""The options of `minitl finetune FOLDER/` for boxes. Each has the name of a setting, and sets it.

Most options of photographs by class, and some of masks, go with boxes as well: `photos_options` and `places_options`
add those.
"""

from ..data.detection_folder import LAYOUTS
from ..recipes.detection import DetectionSettings
from .photos_options import goes_with

BOXES = DetectionSettings()


def add_arguments(parser):
    """Add the options that go with boxes only."""
    more = "--image-size that of the photographs, 320 at most. --variations, --filters and --turns go with boxes too."
    group = parser.add_argument_group(
        "with a folder of boxes (Pascal VOC, COCO, YOLO)",
        goes_with("boxes", DetectionSettings, more, beside=("variations", "filters")),
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
