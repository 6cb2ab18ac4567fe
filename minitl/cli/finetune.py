"""The main job: a network that has seen a million photographs learns ten kinds of clothing from 50 pictures of each.

VGG16's first blocks with their ImageNet weights get a new head, which is trained on a small part of Fashion-MNIST.
Then the same network is trained from scratch on the same pictures, and a table says what the transfer bought. All
of it is bundled; nothing is downloaded.

    minitl finetune
    minitl finetune --cut block2_pool --no-scratch        (where to cut is the interesting question)
    minitl finetune --save model.h5 --json results.json
    minitl finetune --report report                       (a page with pictures: report/index.html)

With a folder of photographs, one subfolder a class, it does the same for these, with all of VGG16's convolutions
(59 MB, fetched once), in two stages: see `finetune_photos`. Stopped or killed, it goes on with --resume.

    minitl finetune photos/ --save model.h5
    minitl finetune photos/ --save model.h5 --resume
"""

import textwrap
import time
from typing import NamedTuple

import numpy as np

from .. import __version__, data, transfer
from ..applications import VGG16, bases, cuts
from ..applications.vgg16 import preprocess_input
from ..errors import ArgumentError
from ..files.bundled import bundled_file
from ..files.results import check_writable, write_json
from ..graph.summary import flops
from ..kernels.memory import peak_bytes
from ..layers import BatchNormalization, Dense, Flatten
from ..optimizers import SGD
from ..randomness import set_random_seed
from ..recipes import photographs as finetune_photos
from ..recipes import reporting as finetune_report
from ..recipes.evaluation import wilson_interval
from ..terminal import table
from ..training import LearningRateHistory, LearningRateScheduler
from . import photos_options

HELP = "fine-tune VGG16's first blocks on the bundled pictures (the main job)"

WEIGHTS = "vgg16_imagenet_blocks1to3.h5"
IMAGE_SIZE = 48  # pixels: 28x28 enlarged, until the details have a size that the filters know
CUTS = ("block1_pool", "block2_pool", "block3_pool")


class Recipe(NamedTuple):
    """How a network is trained: SGD with momentum 0.9, at a tenth of the learning rate in the last third."""

    learning_rate: float
    epochs: int
    batch_size: int


# Learning rates were chosen on other images, from the original training file: larger ones make both networks worse. The
# network from scratch would still gain a little from more epochs, which are left out to keep this within a minute.
HEAD_ONLY = Recipe(learning_rate=0.001, epochs=20, batch_size=32)
FROM_SCRATCH = Recipe(learning_rate=0.001, epochs=8, batch_size=16)


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
    finetune_report.add_argument(parser)
    photos_options.add_arguments(parser)


def default(name):
    """The default of an option that means the bundled pictures and photographs alike."""
    return f"{getattr(HEAD_ONLY, name)}; photographs {photos_options.DEFAULTS[name]}"


def run(options):
    check_writable(options.json, options.save)
    finetune_report.check(options)
    if options.photos is not None:
        finetune_photos.run(options)
        return
    photos_options.refuse_without_photos(options)
    for name in ("epochs", "learning_rate"):
        if getattr(options, name) is None:
            setattr(options, name, getattr(HEAD_ONLY, name))
    if options.epochs < 1 or not options.learning_rate > 0:
        raise ArgumentError("--epochs must be at least 1 and --learning-rate above 0.")
    options.cut = options.cut or CUTS[-1]
    if options.cut not in CUTS:
        raise ArgumentError(f"--cut is {options.cut}; without photographs, expected one of {', '.join(CUTS)}.")
    start = time.perf_counter()
    set_random_seed(options.seed)
    pictures = data.fashion_mnist_few_shot()
    x_train, x_test = (preprocess_input(enlarged(images)) for images in (pictures.x_train, pictures.x_test))
    task = (x_train, pictures.y_train), (x_test, pictures.y_test)

    model, steps = six_steps(options.cut, pictures)
    digest = transfer.frozen_digest(model)
    recipe = HEAD_ONLY._replace(epochs=options.epochs, learning_rate=options.learning_rate)
    transferred = train(model, recipe, *task, watch=options.report)
    if transfer.frozen_digest(model) != digest:
        raise AssertionError("a frozen weight has moved")  # a bug in the library, not in anybody's input
    print(f"          Not one bit of the frozen layers has changed: their digest is still {digest[:16]}.")
    print("          What the model is made of now:")
    print("".join(f"          {line.strip()}\n" for line in model.ledger.summary()))
    if options.save:
        model.metadata = {"preprocessing": "vgg16", "class_names": pictures.class_names}
        model.save(options.save)

    scratch = None
    if not options.no_scratch:
        network = same_network_from_scratch(options.cut, pictures)
        print(
            f"From scratch: the same network on the same {len(x_train)} pictures, nothing transferred, nothing frozen."
        )
        scaled_task = tuple((x / np.float32(60), y) for x, y in task)  # about unit variance, for untrained filters
        scratch = train(network, FROM_SCRATCH, *scaled_task, watch=options.report)
        print()

    report(transferred, scratch, len(x_test))
    if options.save:
        print(f"\nSaved: {options.save}. Try it: minitl predict {options.save}")
    seconds = time.perf_counter() - start
    write_json(options.json, results(model, transferred, scratch, digest, options, seconds))
    if options.report:
        finetune_report.of_bundled(options, model, steps, pictures, enlarged, transferred, scratch, seconds)
    print(f"\n{seconds:.0f} s in all. Now try minitl finetune --cut block2_pool --no-scratch,")
    print("or read minitl/cli/finetune.py, which did this.")


def enlarged(images):
    """Grey uint8 (N, 28, 28) -> float32 RGB (N, 48, 48, 3). `preprocess_input` makes of it what VGG16 expects: BGR with
    the mean colour subtracted."""
    return data.grey_to_rgb(data.resize(images, IMAGE_SIZE, IMAGE_SIZE))


def new_head(classes):
    """The layers that learn the new task.

    VGG16's activations are large (up to thousands) and of very different size from channel to channel: a dense layer
    on them would overflow at any useful learning rate, so each feature is normalized first. momentum=0.9 lets the
    moving statistics settle within the few hundred steps of a small data set. The dense layer starts at zero: its
    problem is convex and needs no random start, and 92,160 random numbers are noise that 500 images cannot wash out.
    """
    return [
        Flatten(name="flatten"),
        BatchNormalization(momentum=0.9, name="features"),
        Dense(classes, activation="softmax", kernel_initializer="zeros", name="predictions"),
    ]


def six_steps(cut, pictures):
    """The steps of transfer learning, each printed as it is done. Returns the model, ready for training, and what was
    said, as (name, text)."""
    classes, said = len(pictures.class_names), []

    def say(name, text):
        said.append((name, text))
        print_step(len(said), name, text)

    model = VGG16(weights=None, include_top=False)
    say("Choose", "VGG16, pre-trained on ImageNet: 1.2 million photographs of 1,000 kinds of things.")

    loaded = model.load_weights(bundled_file(WEIGHTS), partial=True)
    numbers = f"{len(loaded.loaded)} layers, {loaded.parameters:,} parameters"
    say("Load", f"{numbers}, from {WEIGHTS} (the first three of five blocks).")

    whole, model = model, transfer.remove_layers(model, after=cut)
    removed = f"the {len(whole.layers) - len(model.layers)} layers behind {cut}"
    why = "the later a layer, the more it is about photographs"
    say("Remove", f"{removed}: {why}. (The dense layers were left out from the start: include_top=False.)")

    head = new_head(classes)
    say("Add", f"a new head: {' -> '.join(type(layer).__name__ for layer in head)}.")

    base = transfer.adapt_input(model, (IMAGE_SIZE, IMAGE_SIZE, 3))
    model = transfer.replace_head(base, head)
    size = f"{IMAGE_SIZE}x{IMAGE_SIZE} pixels (28x28 enlarged, grey as three equal channels)"
    cost = f"{model.count_params():,} parameters, {flops(model) / 1e9:.2f} GFLOP an image"
    say("Adapt", f"input 224x224 -> {size}; output 1,000 -> {classes} classes. {cost}.")

    transfer.freeze(model, until=cut)
    learn = model.count_params(trainable_only=True)
    say("Freeze", f"everything up to {cut}: {base.count_params():,} parameters stay as they are, {learn:,} learn.")
    print_step(" ", "", f"Fine-tune on {len(pictures.x_train)} pictures:")
    return model, said


def same_network_from_scratch(cut, pictures):
    """The architecture of `six_steps` with nothing transferred: random weights, nothing frozen."""
    base = VGG16(weights=None, include_top=False, input_shape=(IMAGE_SIZE, IMAGE_SIZE, 3))
    return transfer.replace_head(base, new_head(len(pictures.class_names)), after=cut)


def train(model, recipe, train_set, test_set, watch=False):
    """Train by a recipe and measure on the test set; if it is to be watched, after each epoch as well. Returns what
    happened, as data."""
    start, rates = time.perf_counter(), LearningRateHistory()
    rate, slow_from = recipe.learning_rate, round(recipe.epochs * 2 / 3)
    model.compile(SGD(rate, momentum=0.9), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        *train_set,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        callbacks=[LearningRateScheduler(lambda epoch, _: rate if epoch < slow_from else rate / 10), rates],
        validation_data=test_set if watch else None,
    )
    test_loss, test_accuracy = model.evaluate(*test_set, verbose=0)
    return {
        "test_accuracy": test_accuracy,
        "test_loss": test_loss,
        "epochs": recipe.epochs,
        "trainable_parameters": model.count_params(trainable_only=True),
        "seconds": time.perf_counter() - start,
        "history": history.history,
        "learning_rates": rates.learning_rates,
    }


def report(transferred, scratch, test_images):
    """The table that the whole thing is for."""
    columns = [("transferred", transferred), *([("from scratch", scratch)] if scratch else [])]
    rows = [
        [f"accuracy on {test_images:,} test pictures", *(f"{c['test_accuracy']:.3f}" for _, c in columns)],
        [
            "  95% interval",
            *(
                f"{low:.3f} to {high:.3f}"
                for low, high in (wilson_interval(c["test_accuracy"], test_images) for _, c in columns)
            ),
        ],
        ["parameters that learned", *(f"{c['trainable_parameters']:,}" for _, c in columns)],
        ["epochs", *(c["epochs"] for _, c in columns)],
        ["time", *(f"{c['seconds']:.0f} s" for _, c in columns)],
    ]
    text = table([["", *(name for name, _ in columns)], *rows])
    rule = "-" * max(map(len, text.splitlines()))
    print(f"{rule}\n{text}\n{rule}")


def results(model, transferred, scratch, digest, options, seconds):
    """What `--json` writes."""
    return {
        "test_accuracy": transferred["test_accuracy"],
        "scratch_accuracy": scratch and scratch["test_accuracy"],
        "seconds": seconds,
        "peak_bytes": peak_bytes(),
        "parameters": model.count_params(),
        "trainable_parameters": model.count_params(trainable_only=True),
        "frozen_digest": digest,
        "ledger": model.ledger.summary(),
        "cut": options.cut,
        "seed": options.seed,
        "transferred": transferred,
        "scratch": scratch,
        "versions": {"minitl": __version__, "numpy": np.__version__},
    }


def print_step(number, name, text):
    """One step of the six, its text wrapped beside its name."""
    print(textwrap.fill(text, 100, initial_indent=f"{number} {name:<8}", subsequent_indent=" " * 10), flush=True)
