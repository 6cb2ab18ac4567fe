"""Advise before fine-tuning: where to cut, what to unfreeze, and what it costs.

minitl advise photos/
minitl advise photos/ --within 10      the best plan of at most 10 minutes here
minitl advise photos/ --memory 4       the best plan of at most 4 GB
minitl advise photos/ --base resnet50
minitl advise photos/ --base all       which base: all that are on this machine
minitl advise                          the bundled images, on three blocks

Every training image goes once through the frozen base. The features at the
end of each block are scored by a head in closed form, and by scores from the
literature. A few batches through each block are timed. The held-back images
are not used. With --backtest, every plan is carried out, and its predicted
accuracy, time and memory are compared with the measured ones.

minitl advise reviews.csv --base minilm --within 10

With labelled texts: behind which layer of an encoder to cut, what that costs,
and how accurate a head is that learns from 10, 50 or 200 texts of each class.

minitl advise digits/ --pattern '{class}_{speaker}_*' --group speaker

With recordings: which base hears best what is to be told apart. All bases
whose weights are on this machine are compared by cross-validation; groups are
kept whole.
"""

from .. import interruption
from ..applications import bases
from ..arguments import whole_number
from ..cluster import map_on
from ..errors import ArgumentError
from ..files.results import write_json
from ..files.writable import check_writable
from ..recipes.advice import advise_bases, advise_clothing, advise_photographs
from ..recipes.advice.advising import SEEDS
from ..recipes.advice.bases import ALL
from ..recipes.settings import PhotographSettings, option
from ..recipes.sounds import SoundSettings, advise_sounds
from ..recipes.sounds.settings import BASES as SOUND_BASES
from ..recipes.tasks import TASKS, task_of
from ..recipes.texts.advice import advise_texts
from ..recipes.texts.settings import BASES, TextSettings
from . import photos_options
from .sounds_options import add_names
from .texts_options import add_columns

OF_TEXTS = ("length", "text", "label", "encoding")
OF_SOUNDS = ("pattern", "group", "seconds")
OF_PHOTOGRAPHS = ("memory", "weights", "image_size", "backtest", "seeds", "scheduler", "photos_at")
TEXT_BASES = [name for name, base in BASES.items() if not base.reads_steps]
HELP = "advise where to cut, what to unfreeze, and what it will cost"


def add_arguments(parser):
    """Add the arguments of the command."""
    add = parser.add_argument
    add(
        "photos",
        metavar="PHOTOS",
        nargs="?",
        help="a folder with a subfolder of photographs for each class; or labelled texts or recordings",
    )
    add("--within", type=float, metavar="MINUTES", help="advise the best plan that takes no longer than this")
    add("--memory", type=float, metavar="GB", help="advise the best plan that takes no more memory than this")
    add(
        "--base",
        metavar="NETWORK",
        choices=list(dict.fromkeys([*bases(), ALL, *TEXT_BASES, *SOUND_BASES])),
        help=f"choose the pre-trained network: {', '.join(bases())}; {ALL} compares those whose weights are on this "
        f"machine (default: {PhotographSettings.base}); for texts: {', '.join(TEXT_BASES)} (default: "
        f"{TextSettings.base}); for recordings: {', '.join(SOUND_BASES)} (default: {ALL})",
    )
    add("--weights", metavar="FILE", help="read the base's weights from this file (default: ImageNet's)")
    add("--image-size", type=int, help="set the image size in pixels (default: the base's own)")
    photos_options.add_which_photographs(add)
    photos_options.add_scheduler(add)
    add("--no-cache", action="store_true", help="do not keep the photographs' features for the next run")
    add(
        "--backtest",
        action="store_true",
        help="carry out all plans and compare them with the predictions (takes as long as all plans together)",
    )
    add("--seeds", type=int, help=f"run each plan of --backtest with so many seeds (default: {SEEDS})")
    of_texts = parser.add_argument_group("with texts").add_argument
    of_texts("--length", type=int, metavar="N", help="read so many tokens of a text at most (default: the base's own)")
    add_columns(of_texts)
    of_sounds = parser.add_argument_group("with recordings").add_argument
    of_sounds("--seconds", type=float, metavar="S", help="hear so much of a recording, its middle")
    add_names(of_sounds)


def run(options):
    """Run the command."""
    check_writable(options.json)
    if options.photos is not None and task_of(options.photos) == "texts":
        run_on_texts(options)
        return
    if options.photos is not None and task_of(options.photos) == "sounds":
        run_on_sounds(options)
        return
    refuse(options, OF_SOUNDS, "goes with recordings: minitl advise RECORDINGS/")
    refuse(options, OF_TEXTS, "goes with texts: minitl advise TEXTS")
    if options.seeds is not None and not options.backtest:
        raise ArgumentError("--seeds goes with --backtest, which runs each plan with so many seeds.")
    if options.backtest and options.base == ALL:
        raise ArgumentError(f"--backtest goes with one base, not with --base {ALL}.")
    seeds = whole_number(SEEDS if options.seeds is None else options.seeds, "--seeds")
    limits = {"within": options.within, "memory": options.memory}
    names = ("base", "weights", "image_size", "validation", "follow_links")
    given = {name: getattr(options, name) for name in names if photos_options.is_given(options, name)}
    with map_on(options.scheduler, options.photos_at) as map, interruption.graceful():
        if options.photos is not None:
            refuse_other_tasks(options.photos)
            advise = advise_photographs
            if options.base == ALL:
                advise = advise_bases
                del given["base"]
            advice = advise(options.photos, **limits, **given, keep_features=not options.no_cache, map=map)
        elif given or options.no_cache:
            name = next(iter(given), "no_cache")
            raise ArgumentError(f"{option(name)} goes with photographs: minitl advise PHOTOS/")
        else:
            advice = advise_clothing(**limits)
        print(f"\n{advice}", flush=True)
        if options.backtest:
            advice.carry_out_all(seeds, map=map)
    write_json(options.json, advice.as_data())


def run_on_texts(options):
    """Run the command on labelled texts."""
    refuse(options, OF_PHOTOGRAPHS, f"goes with photographs, and {options.photos} holds texts")
    refuse(options, OF_SOUNDS, f"goes with recordings, and {options.photos} holds texts")
    names = ("base", "length", "text", "label", "encoding", "validation", "follow_links")
    given = {name: getattr(options, name) for name in names if photos_options.is_given(options, name)}
    advice = advise_texts(options.photos, within=options.within, **given, keep_features=not options.no_cache)
    print(f"\n{advice}", flush=True)
    write_json(options.json, advice.as_data())


def run_on_sounds(options):
    """Run the command on labelled recordings."""
    refuse(options, ("within", *OF_PHOTOGRAPHS), f"goes with photographs, and {options.photos} holds recordings")
    refuse(options, OF_TEXTS, f"goes with texts, and {options.photos} holds recordings")
    names = ("base", "seconds", "pattern", "group", "validation", "follow_links")
    given = {name: getattr(options, name) for name in names if photos_options.is_given(options, name)}
    settings = SoundSettings(**{"base": ALL, **given}, keep_features=not options.no_cache)
    advice = advise_sounds(options.photos, settings)
    print(f"\n{advice}", flush=True)
    write_json(options.json, advice.as_data())


def refuse(options, names, why):
    """Raise ArgumentError for the first of these options that is given."""
    for name in names:
        if photos_options.is_given(options, name):
            raise ArgumentError(f"{option(name)} {why}. Leave it out.")


def refuse_other_tasks(folder):
    """Raise ArgumentError for a folder with masks or boxes: its subfolders are no classes."""
    task = task_of(folder)
    if task != "images":
        raise ArgumentError(
            f"{folder}: holds {TASKS[task].holds}; advice is for a folder with a subfolder of photographs for each "
            "class. For this one: minitl finetune."
        )
