"""Fine-tune on the bundled images: VGG16, pre-trained on a million photographs, learns ten kinds of clothing.

VGG16's first blocks with their ImageNet weights get a new head, which is trained on a small part of Fashion-MNIST: 50
images of each class. Then the same network is trained from scratch on the same images, and a table compares the two.
Weights and images are bundled; nothing is downloaded. `six_steps` is transfer learning itself, step by step.
"""

import textwrap
import time
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .. import data, transfer
from ..applications import VGG16
from ..applications.vgg16 import preprocess_input
from ..arguments import truth_value
from ..files.bundled import bundled_file
from ..files.results import write_json
from ..graph.summary import flops
from ..kernels.memory import peak_bytes
from ..models import Model
from ..optimizers import SGD
from ..randomness import set_random_seed
from ..terminal import counted, silent_unless, table
from ..training import LearningRateHistory, LearningRateScheduler
from ..version import __version__
from .evaluation import Evaluation, wilson_interval
from .heads import flattening_head
from .reporting import check_outputs, report_on_clothing
from .settings import SettingError, require_above_0, require_whole_number, settings_from

WEIGHTS = "vgg16_imagenet_blocks1to3.h5"
IMAGE_SIZE = 48  # pixels: 28x28 is enlarged, until details are as large as those that the filters were trained on
CUTS = ("block1_pool", "block2_pool", "block3_pool")


class TrainingPlan(NamedTuple):
    """The plan of a training: SGD with momentum 0.9, with a tenth of the learning rate in the last third."""

    learning_rate: float
    epochs: int
    batch_size: int


# The learning rates were chosen on other images, from the original training file: larger ones make both networks worse.
# The network from scratch would gain a little from more epochs. They are left out to keep the job within a minute.
HEAD_ONLY = TrainingPlan(learning_rate=0.001, epochs=20, batch_size=32)
FROM_SCRATCH = TrainingPlan(learning_rate=0.001, epochs=8, batch_size=16)


@dataclass(frozen=True)
class ClothingSettings:
    """The settings of `finetune_clothing`.

    cut              the last layer of VGG16 that is kept: one of CUTS
    epochs, learning_rate       of the new head
    seed             of all random numbers
    scratch          train the same network from scratch as well, for comparison: it takes most of the time
    save             file for the model;   report   folder for the report;   json   file for the results
    """

    cut: str = CUTS[-1]
    epochs: int = HEAD_ONLY.epochs
    learning_rate: float = HEAD_ONLY.learning_rate
    seed: int = 0
    scratch: bool = True
    save: str | None = None
    report: str | None = None
    json: str | None = None

    def check(self):
        """Raise SettingError for a value that makes no sense."""
        require_whole_number("epochs", self.epochs)
        require_above_0("learning_rate", self.learning_rate)
        require_whole_number("seed", self.seed, least=0)
        truth_value(self.scratch, "scratch")
        if self.cut not in CUTS:
            text = "{} is {found}; on the bundled images, expected one of {some}."
            raise SettingError(text, "cut", found=self.cut, some=", ".join(CUTS))


@dataclass(frozen=True)
class FinetunedClothing:
    """The result of a fine-tuning on the bundled images.

    model          ready to be saved: its metadata name its classes, and how images are to be prepared
    steps          (name, what was done) of the six steps
    transferred    the results of its training: test_accuracy, test_loss, history, seconds, ...
    scratch        the same for the network from scratch; None where it was left out
    frozen_digest  digest of all frozen weights: the same before and after
    pictures       the images, a `data.ImageSet`;   settings   the `ClothingSettings`
    seconds        in all;   peak_bytes   the most memory that the process had, or None
    """

    model: Model
    steps: list
    transferred: dict
    scratch: dict | None
    frozen_digest: str
    pictures: data.ImageSet
    settings: ClothingSettings
    seconds: float
    peak_bytes: int | None

    def __repr__(self):
        return f"<{type(self).__name__}: accuracy {self.accuracy:.3f} on the test images, {self.model!r}>"

    @property
    def accuracy(self):
        """Return the accuracy on the test images."""
        return self.transferred["test_accuracy"]

    @property
    def history(self):
        """Return the history of the new head's training: {"loss": [of each epoch], ...}."""
        return self.transferred["history"]

    @cached_property
    def evaluation(self):
        """Return the `Evaluation` on the test images."""
        names = [f"test image {k}" for k in range(len(self.pictures.y_test))]
        probabilities = self.model.predict(prepared(self.pictures.x_test), verbose=0)
        return Evaluation(self.pictures.y_test, probabilities, self.pictures.class_names, names)

    def as_data(self):
        """Return the results as JSON can hold them."""
        return {
            "test_accuracy": self.accuracy,
            "scratch_accuracy": self.scratch and self.scratch["test_accuracy"],
            "seconds": self.seconds,
            "peak_bytes": self.peak_bytes,
            "parameters": self.model.count_params(),
            "trainable_parameters": self.model.count_params(trainable_only=True),
            "frozen_digest": self.frozen_digest,
            "ledger": self.model.ledger.summary(),
            "cut": self.settings.cut,
            "seed": self.settings.seed,
            "transferred": self.transferred,
            "scratch": self.scratch,
            "versions": {"minitl": __version__, "numpy": np.__version__},
        }


def finetune_clothing(settings: ClothingSettings | None = None, verbose: int = 1, **changes) -> FinetunedClothing:
    """Fine-tune VGG16's first blocks on the bundled images. Returns `FinetunedClothing`.

    settings, changes   a `ClothingSettings`, and single settings by name: cut="block2_pool"
    verbose             1: print each step and its progress; 0: print nothing
    """
    settings = settings_from(ClothingSettings, settings, changes)
    with silent_unless(verbose):
        check_outputs(settings)
        settings.check()
        result = _finetuned(settings)
        write_json(settings.json, result.as_data())
        if settings.report:
            report_on_clothing(result, enlarge=enlarged, prepare=preprocess_input)
    return result


def _finetuned(settings):
    """Run the whole job, step by step."""
    start = time.perf_counter()
    set_random_seed(settings.seed)
    images, watch = data.fashion_mnist_few_shot(), bool(settings.report)
    train_set, test_set = (prepared(images.x_train), images.y_train), (prepared(images.x_test), images.y_test)
    model, steps = six_steps(settings.cut, images)
    digest = transfer.frozen_digest(model)
    plan = HEAD_ONLY._replace(epochs=settings.epochs, learning_rate=settings.learning_rate)
    transferred = train(model, plan, train_set, test_set, watch)
    if transfer.frozen_digest(model) != digest:
        raise AssertionError("a frozen weight has changed")  # a bug in the library, not in anybody's input
    print_step(" ", "", f"Not one bit of the frozen layers has changed: their digest is still {digest[:16]}.")
    print_step(" ", "", "Where the model's parameters come from:")
    for line in model.ledger.summary():
        print_step(" ", "", line.strip())
    print()
    model.metadata = {"preprocessing": "vgg16", "class_names": images.class_names}
    if settings.save:
        model.save(settings.save)
    scratch = None
    if settings.scratch:
        network = same_network_from_scratch(settings.cut, images)
        print(f"From scratch: the same network on the same {len(images.x_train)} images,")
        print("with nothing transferred and nothing frozen.")
        scaled = ((x / np.float32(60), y) for x, y in (train_set, test_set))  # about unit variance: untrained filters
        scratch = train(network, FROM_SCRATCH, *scaled, watch)
        print()
    print(comparison(transferred, scratch, len(images.x_test)))
    if settings.save:
        print(f"\nSaved: {settings.save}. Try it: minitl predict {settings.save}")
    seconds = time.perf_counter() - start
    return FinetunedClothing(model, steps, transferred, scratch, digest, images, settings, seconds, peak_bytes())


def enlarged(images):
    """Return grey uint8 images (N, 28, 28) as float32 RGB (N, 48, 48, 3)."""
    return data.grey_to_rgb(data.resize(images, IMAGE_SIZE, IMAGE_SIZE))


def prepared(images):
    """Return grey uint8 images (N, 28, 28) as VGG16 expects them: enlarged, BGR with the mean colour subtracted."""
    return preprocess_input(enlarged(images))


def six_steps(cut, images):
    """Take the six steps of transfer learning, and print each.

    Returns the model, ready for training, and the printed steps as [(name, text)].
    """
    classes, steps = len(images.class_names), []

    def say(name, text):
        steps.append((name, text))
        print_step(len(steps), name, text)

    model = VGG16(weights=None, include_top=False)
    say("Choose", "VGG16, pre-trained on ImageNet: 1.2 million photographs of 1,000 kinds of things.")

    loaded = model.load_weights(bundled_file(WEIGHTS), partial=True)
    numbers = f"{len(loaded.loaded)} layers, {loaded.parameters:,} parameters"
    say("Load", f"{numbers}, from {WEIGHTS} (the first three of five blocks).")

    whole, model = model, transfer.remove_layers(model, after=cut)
    removed = f"the {counted(len(whole.layers) - len(model.layers), 'layer')} after {cut}"
    why = "the later a layer, the more it is specialized in photographs"
    say("Remove", f"{removed}: {why}. (The dense layers were left out from the start: include_top=False.)")

    head = flattening_head(classes)
    say("Add", f"a new head: {' -> '.join(type(layer).__name__ for layer in head)}.")

    base = transfer.adapt_input(model, (IMAGE_SIZE, IMAGE_SIZE, 3))
    model = transfer.replace_head(base, head)
    size = f"{IMAGE_SIZE}x{IMAGE_SIZE} pixels (28x28 enlarged, grey as three equal channels)"
    cost = f"{model.count_params():,} parameters, {flops(model) / 1e9:.2f} GFLOP an image"
    say("Adapt", f"input 224x224 -> {size}; output 1,000 -> {classes} classes. {cost}.")

    transfer.freeze(model, until=cut)
    learn = model.count_params(trainable_only=True)
    say("Freeze", f"everything up to {cut}: {base.count_params():,} parameters stay as they are, {learn:,} learn.")
    print_step(" ", "", f"Fine-tune on {len(images.x_train)} images:")
    return model, steps


def same_network_from_scratch(cut, images):
    """Return the architecture of `six_steps` with random weights and nothing frozen."""
    base = VGG16(weights=None, include_top=False, input_shape=(IMAGE_SIZE, IMAGE_SIZE, 3))
    return transfer.replace_head(base, flattening_head(len(images.class_names)), after=cut)


def train(model, plan, train_set, test_set, watch=False):
    """Train by a `TrainingPlan` and measure on the test set; with `watch`, after each epoch as well.

    Returns {"test_accuracy": ..., "history": ..., ...}, as JSON can hold it.
    """
    start, rates = time.perf_counter(), LearningRateHistory()
    rate, slow_from = plan.learning_rate, round(plan.epochs * 2 / 3)
    model.compile(SGD(rate, momentum=0.9), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        *train_set,
        batch_size=plan.batch_size,
        epochs=plan.epochs,
        callbacks=[LearningRateScheduler(lambda epoch, _: rate if epoch < slow_from else rate / 10), rates],
        validation_data=test_set if watch else None,
    )
    test_loss, test_accuracy = model.evaluate(*test_set, verbose=0)
    return {
        "test_accuracy": test_accuracy,
        "test_loss": test_loss,
        "epochs": plan.epochs,
        "trainable_parameters": model.count_params(trainable_only=True),
        "seconds": time.perf_counter() - start,
        "history": history.history,
        "learning_rates": rates.learning_rates,
    }


def comparison(transferred, scratch, test_images):
    """Return a table that compares the transferred network with the one from scratch."""
    columns = [("transferred", transferred), *([("from scratch", scratch)] if scratch else [])]
    intervals = [wilson_interval(trained["test_accuracy"], test_images) for _, trained in columns]
    text = table([
        ["", *(name for name, _ in columns)],
        [f"accuracy on {test_images:,} test images", *(f"{each['test_accuracy']:.3f}" for _, each in columns)],
        ["  95% interval", *(f"{low:.3f} to {high:.3f}" for low, high in intervals)],
        ["parameters that learned", *(f"{each['trainable_parameters']:,}" for _, each in columns)],
        ["epochs", *(each["epochs"] for _, each in columns)],
        ["time", *(f"{each['seconds']:.0f} s" for _, each in columns)],
    ])  # fmt: skip
    rule = "-" * max(map(len, text.splitlines()))
    return f"{rule}\n{text}\n{rule}"


def print_step(number, name, text):
    """Print one of the six steps, with its text wrapped beside its name."""
    print(textwrap.fill(text, 79, initial_indent=f"{number} {name:<8}", subsequent_indent=" " * 10), flush=True)
