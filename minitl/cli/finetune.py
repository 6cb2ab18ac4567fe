"""The main job: a network that has seen a million photographs learns ten kinds of clothing from 50 pictures of each.

VGG16's first blocks with their ImageNet weights get a new head, which is trained on a small part of Fashion-MNIST.
Then the same network is trained from scratch on the same pictures, and a table says what the transfer bought. All
of it is bundled; nothing is downloaded.

    minitl finetune
    minitl finetune --cut block2_pool --no-scratch        (where to cut is the interesting question)
    minitl finetune --save model.h5 --json results.json
    minitl finetune --report report                       (a page with pictures: report/index.html)

With a folder of photographs, one subfolder a class, it does the same for these, with all of VGG16's convolutions
(59 MB, fetched once), in two stages: see recipes/photographs.py. Stopped or killed, it goes on with --resume.

    minitl finetune photos/ --save model.h5
    minitl finetune photos/ --save model.h5 --resume
"""

import shlex
import sys
from dataclasses import fields

from ..applications import bases, cuts
from ..interruption import Interrupted
from ..recipes.clothing import CUTS, ClothingSettings, finetune_clothing
from ..recipes.photographs import find_learning_rate, finetune_photographs
from ..recipes.run_folder import RunFolder
from . import photos_options

HELP = "fine-tune a pre-trained network on the bundled pictures, or on a folder of your own photographs (the main job)"


def add_arguments(parser):
    parser.add_argument(
        "photos", metavar="PHOTOS", nargs="?", help="a folder with a subfolder of photographs for each class"
    )
    parser.add_argument(
        "--cut",
        metavar="LAYER",
        choices=list(dict.fromkeys(cut for base in bases() for cut in cuts(base))),
        help=f"last layer to keep: one of {', '.join(CUTS)} (default: the last); with photographs, the end of any "
        "block of the base, as block4_pool, conv4_block6_out, mixed7 (`minitl advise` says which)",
    )
    parser.add_argument("--epochs", type=int, help=f"for the new head (default: {default('epochs')})")
    parser.add_argument("--learning-rate", type=float, help=f"default: {default('learning_rate')}")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (default: %(default)s)")
    parser.add_argument(
        "--no-scratch", action="store_true", help="leave out the comparison, which takes most of the time"
    )
    parser.add_argument("--save", metavar="FILE", help="write the fine-tuned model there, for `minitl predict`")
    parser.add_argument(
        "--report",
        metavar="DIR",
        help="write a page with curves, mistakes, Grad-CAM and costs there, and its pictures as PNG (needs matplotlib)",
    )
    photos_options.add_arguments(parser)


def default(name):
    """Return the default of an option that means the bundled pictures and photographs alike."""
    return f"{getattr(ClothingSettings, name)}; photographs {getattr(photos_options.DEFAULTS, name)}"


def run(options):
    if options.photos is not None:
        run_on_photographs(options)
        return
    photos_options.refuse_without_photos(options)
    result = finetune_clothing(settings_of(options))
    print(f"\n{result.seconds:.0f} s in all. Now try minitl finetune --cut block2_pool --no-scratch,")
    print("or read minitl/recipes/clothing.py, which did this.")


def settings_of(options):
    """Return the `ClothingSettings` that the options stand for: what is not given stays at its default."""
    given = {field.name: getattr(options, field.name, None) for field in fields(ClothingSettings)}
    given = {name: value for name, value in given.items() if value is not None}
    return ClothingSettings(**given, scratch=not options.no_scratch)


def run_on_photographs(options):
    settings = photos_options.settings_of(options)
    try:
        (find_learning_rate if options.find_rate else finetune_photographs)(options.photos, settings)
    except Interrupted:
        say_how_to_go_on(RunFolder(options.photos, settings.run_folder).is_unfinished())
        raise


def say_how_to_go_on(is_unfinished):
    """Print the command again, with --resume where there is something to go on with."""
    arguments = [each for each in sys.argv[1:] if each != "--resume"] + ["--resume"] * is_unfinished
    try:
        print(f"\nStopped. To go on: minitl {shlex.join(arguments)}", flush=True)
    except OSError:  # nobody reads it any more
        pass
