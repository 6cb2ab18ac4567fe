"""The options of `minitl finetune RECORDINGS/` for labelled recordings. Each has the name of a setting, and sets it.

Most options of photographs by class go with recordings as well; `photos_options` adds those.
"""

from ..recipes.sounds.settings import BASES, SoundSettings
from .photos_options import given_settings, goes_with

SOUNDS = SoundSettings()


def add_arguments(parser):
    """Add the options that go with recordings only."""
    parts = "; ".join(f"{', '.join(base.parts)} ({name})" for name, base in BASES.items() if base.parts)
    more = f"--unfreeze names a part of the base: {parts}."
    group = parser.add_argument_group("with a folder of recordings", goes_with("recordings", SoundSettings, more))
    lengths = ", ".join(f"{base.seconds:g} for {name}" for name, base in BASES.items() if base.seconds)
    group.add_argument(
        "--seconds", type=float, metavar="S", help=f"hear so much of a recording, its middle (default: {lengths})"
    )
    add_names(group.add_argument)
    group.add_argument(
        "--leave-out",
        metavar="WORD",
        help="leave out each group once, as speaker: each is measured by a head that has not heard it",
    )


def add_names(add):
    """Add the options that say how recordings are found, with argparse's `add`."""
    add(
        "--pattern",
        metavar="NAMES",
        help="say what is in the names of files, as '{class}_{speaker}_*' (default: a subfolder for each class)",
    )
    add("--group", metavar="WORD", help="keep the recordings of each group on one side, as speaker")


def settings_of(options):
    """Return the `SoundSettings` of the options; settings that are not given keep their defaults."""
    return SoundSettings(**given_settings(options, SoundSettings), keep_features=not options.no_cache)
