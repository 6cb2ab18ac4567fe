"""The options of `minitl finetune TEXTS` for labelled texts. Each has the name of a setting, and sets it.

Most options of photographs by class go with texts as well; `photos_options` adds those.
"""

from ..recipes.texts.settings import BASES, TextSettings
from .photos_options import given_settings, goes_with

TEXTS = TextSettings()


def add_arguments(parser):
    """Add the options that go with texts only."""
    ends = "; ".join(f"{', '.join(base.ends)} ({name})" for name, base in BASES.items())
    more = f"--cut and --unfreeze name layers of the base: {ends}."
    group = parser.add_argument_group(
        "with labelled texts (a file or a folder)", goes_with("texts", TextSettings, more)
    )
    add = group.add_argument
    lengths = ", ".join(f"{base.length} for {name}" for name, base in BASES.items())
    add("--length", type=int, metavar="N", help=f"read so many tokens of a text at most (default: {lengths})")
    add_columns(add)


def add_columns(add):
    """Add the options that say how files of texts are read, with argparse's `add`."""
    add("--text", metavar="COLUMN", help="name the column with the texts (default: text)")
    add("--label", metavar="COLUMN", help="name the column with the labels (default: label)")
    add("--encoding", metavar="NAME", help="name the encoding of the files, as latin-1 (default: UTF-8)")


def settings_of(options):
    """Return the `TextSettings` of the options; settings that are not given keep their defaults."""
    return TextSettings(**given_settings(options, TextSettings), keep_features=not options.no_cache)
