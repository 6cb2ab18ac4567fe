"""Fine-tune a pre-trained network (the main job).

minitl finetune
minitl finetune --cut block2_pool --no-scratch      cut earlier and compare
minitl finetune --save model.h5 --json results.json
minitl finetune --report report                     write report/index.html

VGG16 was pre-trained on a million photographs. Its first blocks get a new
head, which learns ten kinds of clothing from 50 images of each, a small part
of Fashion-MNIST. Then the same network is trained from scratch on the same
images, and a table compares the two. Weights and images are bundled; nothing
is downloaded.

minitl finetune photos/ --save model.h5
minitl finetune photos/ --save model.h5 --resume

With a folder of photographs, one subfolder for each class, it fine-tunes on
these, with all of VGG16's convolutions (59 MB, fetched once):
see recipes/photographs.py. After a stop or a crash, --resume goes on.

minitl finetune streets/ --save streets.h5

With a folder that has images/ and masks/, it learns the class of each pixel:
see recipes/segmentation/job.py. With boxes of Pascal VOC, COCO or YOLO, it
learns to find these: see recipes/detection/job.py. --task says what is meant
where the folder does not.

minitl finetune reviews.csv --save reviews.h5
minitl finetune reviews/ --base minilm --unfreeze layer_4

With labelled texts (a .csv, .tsv or .jsonl with the columns text and label;
or a folder with .txt files for each class), it learns the class of a text:
see recipes/texts/job.py. The word vectors of --base glove and lstm are
bundled; minilm is fetched once (91 MB).

minitl finetune sounds/ --save sounds.h5
minitl finetune digits/ --pattern '{class}_{speaker}_*' --leave-out speaker

With recordings (a subfolder for each class, or names by a pattern), it learns
the class of a recording: see recipes/sounds/job.py. --base speech hears words,
--base speaker voices; their weights are fetched once (1.3 and 17 MB).
"""

import shlex
import sys
from dataclasses import fields
from pathlib import Path

from ..cluster import map_on
from ..errors import ArgumentError, DataError
from ..interruption import Interrupted
from ..recipes.clothing import CUTS, ClothingSettings, finetune_clothing
from ..recipes.photographs import find_learning_rate
from ..recipes.rehearsal import dry_run
from ..recipes.run_folder import RunFolder
from ..recipes.settings import SEVERAL, TOGETHER
from ..recipes.tasks import TASKS, holds_files, task_called, task_of
from ..terminal import printable, wrapped
from . import boxes_options, photos_options, places_options, sounds_options, texts_options

HELP = "fine-tune a network on the bundled images, or on your photographs, texts or recordings (the main job)"


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument(
        "photos",
        metavar="PHOTOS",
        nargs="?",
        help="a folder with a subfolder of photographs for each class, with images/ and masks/, or with boxes; or a "
        "file or folder of labelled texts; or a folder of recordings",
    )
    parser.add_argument(
        "--task", choices=list(TASKS), help="say what is to be learned, where the folder does not show it"
    )
    parser.add_argument(
        "--cut",
        metavar="LAYER",
        type=photos_options.layer_names,
        help=f"keep the base up to this layer: one of {', '.join(CUTS)} (default: the last); with photographs, the end "
        "of any block of the base, as block4_pool, conv4_block6_out, mixed7 (`minitl advise` chooses one); or several, "
        f"as block4_pool,block5_pool: their features side by side ({SEVERAL}: the last {TOGETHER})",
    )
    parser.add_argument("--epochs", type=int, help=f"train the new head so long (default: {default('epochs')})")
    parser.add_argument(
        "--learning-rate", type=float, help=f"set the head's learning rate (default: {default('learning_rate')})"
    )
    parser.add_argument("--seed", type=int, default=0, help="set the seed of all random numbers (default: %(default)s)")
    parser.add_argument(
        "--no-scratch", action="store_true", help="leave out the training from scratch, which takes most of the time"
    )
    parser.add_argument("--save", metavar="FILE", help="write the fine-tuned model to this file, for `minitl predict`")
    parser.add_argument(
        "--report",
        metavar="DIR",
        help="write a page with curves, mistakes, Grad-CAM and costs to this folder, and its figures as PNG (needs "
        "matplotlib)",
    )
    photos_options.add_arguments(parser)
    places_options.add_arguments(parser)
    boxes_options.add_arguments(parser)
    texts_options.add_arguments(parser)
    sounds_options.add_arguments(parser)


def default(name):
    """Return the two defaults of an option that both jobs have, as text."""
    with_photographs = getattr(photos_options.DEFAULTS, name)
    chosen = "chosen by cross-validation" if with_photographs is None else with_photographs
    return f"{getattr(ClothingSettings, name)}; photographs: {chosen}"


def run(options):
    """Run the command."""
    kinds = {name: (task.holds, task.settings) for name, task in TASKS.items()}
    if options.photos is not None:
        run_on_photographs(options, kinds)
        return
    photos_options.refuse_without_photos(options, kinds)
    result = finetune_clothing(settings_of(options))
    print(f"\n{result.seconds:.0f} s in all. {what_comes_next(result.settings)}")


def what_comes_next(settings):
    """Return what to try after the job on the bundled images with these settings, as lines of text."""
    if settings.cut == CUTS[-1]:
        command = "Now try minitl finetune --cut block2_pool --no-scratch,"
        return f"{command}\nor read minitl/recipes/clothing.py, which did this."
    if settings.save is None:
        again = f"minitl finetune --cut {settings.cut} --no-scratch --save model.h5"
        return f"To keep the model and use it:\n{again}\nminitl predict model.h5"
    own = "Now try photographs of your own, with a subfolder for each class:"
    return f"{own}\nminitl advise PHOTOS/, then minitl finetune PHOTOS/"


def settings_of(options):
    """Return the `ClothingSettings` of the options; settings that are not given keep their defaults."""
    given = {field.name: getattr(options, field.name, None) for field in fields(ClothingSettings)}
    given = {name: value for name, value in given.items() if value is not None}
    return ClothingSettings(**given, scratch=not options.no_scratch)


def run_on_photographs(options, kinds):
    """Run the command on a folder of photographs. `kinds` are those of `photos_options.refuse_of_other_tasks`."""
    if options.dry_run and options.find_rate:
        raise ArgumentError("--dry-run says what a run would do, and --find-rate does something else. Give one.")
    name = options.task or task_of(options.photos)
    task = task_called(name, options.photos)
    photos_options.refuse_of_other_tasks(options, name, kinds)
    if name == "images":
        settings = photos_options.settings_of(options)
    elif name == "texts":
        settings = texts_options.settings_of(options)
    elif name == "sounds":
        settings = sounds_options.settings_of(options)
    else:
        settings = places_options.settings_of(options, task.settings)
    try:
        if options.dry_run:
            print(dry_run(options.photos, settings))
            return
        with map_on(options.scheduler, options.photos_at) as map:
            elsewhere = {} if map is None else {"map": map}  # the recipe for photographs by class takes it
            (find_learning_rate if options.find_rate else task.finetune)(options.photos, settings, **elsewhere)
    except DataError as error:
        path = Path(options.photos)
        if options.task is None and path.is_dir() and str(path) in str(error):
            if name != "images":
                print(
                    wrapped(printable(f"{options.photos} was taken as {task.holds}. --task says what else is meant."))
                )
            elif not holds_files(path):
                others = ", ".join(each.holds for key, each in TASKS.items() if key != name)
                print(wrapped(printable(f"{options.photos} holds no files. A folder may also hold {others}.")))
        raise
    except Interrupted:
        say_how_to_go_on(RunFolder(options.photos, settings.run_folder).is_unfinished())
        raise


def say_how_to_go_on(is_unfinished):
    """Print the command that goes on: the same one, with --resume if there is a checkpoint."""
    arguments = [each for each in sys.argv[1:] if each != "--resume"] + ["--resume"] * is_unfinished
    try:
        print(f"\nStopped. To go on: minitl {shlex.join(arguments)}", flush=True)
    except OSError:  # the output is closed
        pass
