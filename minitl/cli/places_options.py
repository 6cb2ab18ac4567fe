"""The options of `minitl finetune FOLDER/` for masks. Each has the name of a setting, and sets it.

Most options of photographs by class go with masks and boxes as well; `photos_options` adds those.
"""

from ..recipes.segmentation.settings import NETWORKS, SegmentationSettings
from .photos_options import given_settings, goes_with

PIXELS = SegmentationSettings()


def add_arguments(parser):
    """Add the options that go with masks or boxes only."""
    more = "--image-size that of the photographs, 512 at most (it may be ROWSxCOLUMNS)."
    group = parser.add_argument_group(
        "with a folder of images/ and masks/", goes_with("masks", SegmentationSettings, more)
    )
    add = group.add_argument
    add(
        "--network",
        choices=NETWORKS,
        help="score maps of stride 32 and of finer ones down to 32, 16, 8 or 4 (fcn), or join them before (unet) "
        f"(default: {PIXELS.network})",
    )
    add("--filters", type=int, help="set the filters of the convolution on each map (default: 128; 0: none)")
    add("--dropout", type=float, help="drop this share of their outputs in training (default: 0.5)")
    add("--variations", type=int, help=f"show each photograph in so many variations (default: {PIXELS.variations})")
    add("--turns", action="store_true", help="turn variations too: there is no above, as from the air")
    add("--colours", metavar="FILE", help="read which class a colour of the masks means: lines like 128 64 128: road")
    add(
        "--ignore",
        type=number_or_none,
        metavar="N",
        help=f"take N in masks for unlabelled pixels, or none (default: {PIXELS.ignore})",
    )


def number_or_none(text):
    """Return 255 of "255", and the text itself of "none"."""
    return text if text == "none" else int(text)


def settings_of(options, kind):
    """Return the settings of the class `kind`, one of `PlaceSettings`, that the options set."""
    given = given_settings(options, kind)
    if options.image_size is not None:
        size = options.image_size
        given["height"], given["width"] = size if isinstance(size, tuple) else (size, size)
    if given.get("ignore") == "none":
        given["ignore"] = None
    return kind(**given, keep_features=not options.no_cache)
