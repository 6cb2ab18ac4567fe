"""Fine-tuning on a folder of photographs: `minitl finetune PHOTOS/`.

The folder is looked through. A base pre-trained on ImageNet (--base; VGG16) looks at every picture once, up to where
something will learn; what they say is kept on the disk. Then there are two stages: a new head learns on the frozen
base, and then the base's last block with it, at a small learning rate. The result is measured on pictures that were
held back.

All of it can be stopped at any moment, and goes on with --resume.
"""

import hashlib
import shlex
import sys
import time
from pathlib import Path

import numpy as np

from .. import __version__, data, features, interruption, transfer
from ..applications import NETWORKS, cuts
from ..cli.evaluate import report
from ..cli.photos_options import DEFAULTS, schedule, settle
from ..data.labels import to_categorical
from ..errors import ArgumentError
from ..features.on_disk import kept_features, room_for
from ..files.home import home_folder
from ..files.locks import Lock
from ..files.results import write_json
from ..kernels.memory import peak_bytes
from ..layers import BatchNormalization, Dense, GlobalAveragePooling2D
from ..losses import CategoricalCrossentropy
from ..models import Model
from ..optimizers import SGD
from ..randomness import set_random_seed
from ..terminal import printable
from ..training import (
    BackupAndRestore,
    Callback,
    EarlyStopping,
    LearningRateHistory,
    ReduceLROnPlateau,
    range_test,
    ridge_head,
)
from ..training.history import epoch_line
from ..training.recovery.checkpoints import clear
from ..weights.saving import check_target
from . import reporting as finetune_report
from .evaluation import Evaluation

CROP = 224 / 256  # the share of a picture's shorter side that is looked at: as the published networks were measured


def run(options):
    settle(options)
    place = Path(options.run_folder) if options.run_folder else default_run_folder(options.photos)
    with interruption.graceful():
        lock = Lock(
            place / "whole",
            f"{place}: another run is at work in this folder. Wait for it, or give this one another with --run DIR.",
        )
        try:
            if options.resume and not unfinished(place):
                raise ArgumentError(f"--resume: there is no unfinished run in {place}. Leave it out to start one.")
            results = Run(options, place).results()
            write_json(options.json, results)
            if not options.find_rate:
                clear(place / "head")
                clear(place / "blocks")
        except interruption.Interrupted:
            say_how_to_go_on(place)
            raise
        finally:
            lock.release()


def default_run_folder(photos):
    """One for each folder of photographs."""
    name = hashlib.sha256(str(Path(photos).resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return home_folder() / "runs" / name


def unfinished(place):
    return any(any((place / stage).glob("*.safetensors")) for stage in ("head", "blocks"))


def say_how_to_go_on(place):
    arguments = [each for each in sys.argv[1:] if each != "--resume"] + ["--resume"] * unfinished(place)
    try:
        print(f"\nStopped. To go on: minitl {shlex.join(arguments)}", flush=True)
    except OSError:  # nobody reads it any more
        pass


class Run:
    """One fine-tuning, step by step: `results` is the order of events."""

    def __init__(self, options, place):
        self.options, self.place, self.start = options, place, time.perf_counter()
        network = NETWORKS[options.base]
        self.application, self.parts, self.prepare = network.build, network.fine_tuning, network.preparation.function
        for rate in options.learning_rate, options.tune_rate:  # what cannot be is refused now, and not after an hour
            self.optimizer(rate, steps=10, warm_up=round(options.warm_up), rate_factors={"*": options.head_factor})
        self.learned, self.learning_rates = {}, {}  # of each stage: how many parameters, a LearningRateHistory
        self.callbacks("head", 1)
        CategoricalCrossentropy(label_smoothing=options.label_smoothing)
        if options.save:
            check_target(options.save)
        set_random_seed(options.seed)

    def results(self):
        options = self.options
        self.folder = data.audit_folder(options.photos, strict=options.strict)
        print(printable(str(self.folder)), flush=True)
        self.build()
        self.look()
        if options.find_rate:
            return self.find_rate()
        pooled = self.pool()
        baseline = self.ridge(pooled)
        history = {"head": self.train_head(pooled)}
        accuracy = {"ridge": baseline, "head": self.evaluation().accuracy}
        print(f"Accuracy on the held-back pictures after this stage: {accuracy['head']:.3f}", flush=True)
        if options.unfreeze != "none" and options.tune_epochs:
            history["blocks"] = self.train_blocks()
        evaluation = self.evaluation()
        print("\nOn the pictures that were held back:")
        report(evaluation)
        model = self.model
        model.metadata = {"class_names": self.folder.class_names, "preprocessing": options.base, "crop": CROP}
        print("\nWhat the model is made of:")
        print("\n".join(model.ledger.summary()))
        if options.save:
            model.save(options.save)
            print(f"\nSaved: {options.save}. Try it: minitl predict {options.save} PICTURE ...")
        seconds = time.perf_counter() - self.start
        print(f"\n{seconds:.0f} s in all.")
        if options.report:
            finetune_report.of_photos(self, CROP, evaluation, history, accuracy, seconds)
        return {
            **evaluation.as_data(),
            "accuracy_by_stage": {**accuracy, "last": evaluation.accuracy},
            "history": {stage: each.history for stage, each in history.items()},
            "training_pictures": len(self.y),
            "left_out": [[str(path), reason] for path, reason in self.folder.skipped],
            "ledger": model.ledger.summary(),
            "options": {
                name: getattr(options, name) for name in (*DEFAULTS, "class_weights", "mirror", "augment", "seed")
            },
            "seconds": seconds,
            "peak_bytes": peak_bytes(),
            "versions": {"minitl": __version__, "numpy": np.__version__},
        }

    def build(self):
        """Steps 1 to 5: the pre-trained base, cut and pooled, and a head for the new classes.

        The head normalizes, since VGG16's features differ in size by orders of magnitude, and has a dense layer that
        starts at zero: its problem is convex.
        """
        size, classes = self.options.image_size, len(self.folder.class_names)
        self.base = self.application(include_top=False, input_shape=(size, size, 3), pooling="avg")
        if self.options.cut != cuts(self.options.base)[-1]:
            self.base = transfer.replace_head(self.base, GlobalAveragePooling2D(name="average"), after=self.options.cut)
        transfer.freeze(self.base)
        self.head = [
            BatchNormalization(momentum=0.9, name="features"),
            Dense(classes, activation="softmax", kernel_initializer="zeros", name="predictions"),
        ]
        self.model = transfer.replace_head(self.base, self.head)

    def look(self):
        """Run what stays frozen over every picture, once, and keep what it says: `x` and `x_val`, for the rest of the
        network, `part`. With augmentation there is nothing to keep: `part` is the whole model."""
        options, folder = self.options, self.folder
        cut = self.first_cut()
        if cut is None:
            size = options.image_size
            augment = data.Augmentation() if options.augment else None
            self.part = self.model
            self.x = data.PhotoStream(folder.train, self.prepare, size, size, CROP, augment, options.seed)
            self.x_val = self.as_they_are(folder.val)
        else:
            prefix, self.part = features.split(self.model, self.model.output_of(cut))
            self.x, self.x_val = (
                kept_features(prefix, self.as_they_are(photos, mirrored), not options.no_cache)
                for photos, mirrored in ((folder.train, options.mirror), (folder.val, False))
            )
            vanished = [*self.x.left_out, *self.x_val.left_out]
            for path, reason in vanished:
                print(printable(f"left out: {path}: {reason}"))
            folder.skipped += [(path.relative_to(folder.path), reason) for path, reason in vanished]
        self.y, self.y_val = (np.array([photo.label for photo in x.photos]) for x in (self.x, self.x_val))

    def as_they_are(self, photos, mirrored=False):
        """The pictures without augmentation; `mirrored`: their mirror images behind them."""
        size = self.options.image_size
        return data.PhotoStream(photos, self.prepare, size, size, CROP, mirrored=mirrored)

    def first_cut(self):
        """The name of the layer whose output is kept; None for none."""
        if self.options.augment:
            return None
        stages = self.options.unfreeze != "none" and self.options.tune_epochs
        cut = self.parts[self.options.unfreeze] if stages else self.base.layers[-1].name
        prefix = transfer.remove_layers(self.model, cut)
        options, bytes_wanted = self.options, 0
        for photos, mirrored in (self.folder.train, options.mirror), (self.folder.val, False):
            enough, size = room_for(prefix, self.as_they_are(photos, mirrored), not options.no_cache)
            bytes_wanted += size
            if not enough:
                print(
                    f"No room to keep {bytes_wanted / 1e6:,.0f} MB of features: every epoch will look at the pictures "
                    "again, without --mirror and --start ridge."
                )
                return None
        return cut

    def find_rate(self):
        self.freeze_base()
        self.compile(self.part, SGD(self.options.learning_rate, momentum=0.9))
        print("\nThe head, a batch at each learning rate:")
        y = to_categorical(self.y, len(self.folder.class_names))
        found = range_test(self.part, self.x, y, self.options.batch_size)
        print(f"{found}\nThe largest rate that learns is not the one that generalizes best: try a tenth as well.")
        return found._asdict()

    def pool(self):
        """The frozen base's whole output for every picture, once: what ridge regression and the first stage work on.
        Returns (features, features for validation), and None where they would be others in each epoch."""
        if self.part is self.model:
            return None
        base_end = self.base.layers[-1]
        if self.part.input.layer is base_end:
            return tuple(x.read(slice(None)) for x in (self.x, self.x_val))
        pooled = transfer.remove_layers(self.part, base_end.name)
        return tuple(pooled.predict(x, verbose=0) for x in (self.x, self.x_val))

    def ridge(self, pooled):
        """The head in closed form, as a baseline and perhaps as a start."""
        if pooled is None:
            return None
        head = ridge_head(pooled[0], self.y, len(self.folder.class_names))
        accuracy = float((head.predict(pooled[1]).argmax(axis=1) == self.y_val).mean())
        print(f"\nFor comparison, a head in closed form (ridge regression): {accuracy:.3f}", flush=True)
        if self.options.start == "ridge":
            head.put_into(*self.head)
        return accuracy

    def train_head(self, pooled):
        """Stage 1: the base is frozen, the head learns."""
        self.freeze_base()
        options = self.options
        if not options.resume:
            if unfinished(self.place):
                print(f"\nThe unfinished run in {self.place} is given up: --resume would have gone on with it.")
            clear(self.place / "head")
            clear(self.place / "blocks")
        print(f"\nStage 1: the head, {self.learning()}, {options.epochs} epochs.", flush=True)
        if pooled is None:
            return self.fit(self.part, self.x, self.x_val, "head", options.epochs, options.learning_rate)
        head = Model(self.model.output_of(self.base.layers[-1].name), self.model.output)
        return self.fit(head, *pooled, "head", options.epochs, options.learning_rate)

    def train_blocks(self):
        """Stage 2: the last blocks learn with it. Every BatchNormalization is frozen, that of the head as well: the
        statistics of a few pictures would change faster than the weights can follow."""
        options = self.options
        transfer.unfreeze(self.model, after=self.parts[options.unfreeze])
        for layer in self.model.layers:
            layer.trainable = layer.trainable and not layer.statistic_names
        print(f"\nStage 2: from {options.unfreeze} on, {self.learning()}, {options.tune_epochs} epochs.", flush=True)
        factors = {"predictions": options.head_factor}
        return self.fit(self.part, self.x, self.x_val, "blocks", options.tune_epochs, options.tune_rate, factors)

    def freeze_base(self):
        transfer.freeze(self.model, until=self.base.layers[-1].name)

    def learning(self):
        return f"{self.model.count_params(trainable_only=True):,} parameters learn"

    def compile(self, part, optimizer):
        loss = CategoricalCrossentropy(label_smoothing=self.options.label_smoothing)
        part.compile(optimizer, loss, metrics=["accuracy"])

    def optimizer(self, learning_rate, steps, warm_up=0, rate_factors=None):
        options = self.options
        return SGD(
            schedule(options.schedule, learning_rate, steps, warm_up),
            momentum=0.9,
            weight_decay=options.weight_decay or None,
            l2_sp=options.l2_sp or None,
            global_clipnorm=options.clip_norm,
            rate_factors=rate_factors,
        )

    def callbacks(self, stage, epochs):
        options = self.options
        watching = []
        if options.patience is not None:
            watching.append(EarlyStopping(patience=options.patience, restore_best_weights=True, verbose=1))
        if options.schedule == "plateau":
            watching.append(ReduceLROnPlateau(factor=0.3, patience=2, verbose=1))
        backup = BackupAndRestore(
            self.place / stage,
            save_freq=1,
            seconds_between=10,
            delete_checkpoint=False,
            despite_changes=options.despite_changes,
            conditions={f"--{name}": getattr(options, name) for name in ("seed", "start", "patience")},
        )
        self.learning_rates[stage] = LearningRateHistory()
        return [*watching, Lines(epochs), self.learning_rates[stage], backup]

    def fit(self, part, x, x_val, stage, epochs, learning_rate, rate_factors=None):
        """Train a part of the model on what the part before it says of the pictures."""
        options = self.options
        steps_an_epoch = -(-len(self.y) // options.batch_size)
        warm_up = round(options.warm_up * steps_an_epoch)
        self.compile(part, self.optimizer(learning_rate, epochs * steps_an_epoch, warm_up, rate_factors))
        classes = len(self.folder.class_names)
        self.learned[stage] = self.model.count_params(trainable_only=True)
        return part.fit(
            x,
            to_categorical(self.y, classes),
            options.batch_size,
            epochs,
            verbose=0,
            callbacks=self.callbacks(stage, epochs),
            validation_data=(x_val, to_categorical(self.y_val, classes)),
            class_weight=balanced(self.y) if options.class_weights else None,
        )

    def evaluation(self):
        names = [str(photo.path.relative_to(self.folder.path)) for photo in self.x_val.photos]
        return Evaluation(self.y_val, self.part.predict(self.x_val, verbose=0), self.folder.class_names, names)


class Lines(Callback):
    """A line for an epoch, or for some of many."""

    def __init__(self, epochs):
        self.epochs, self.every = epochs, max(1, epochs // 5)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.epochs:
            print(epoch_line(epoch + 1, self.epochs, logs), flush=True)


def balanced(labels):
    """{class: weight} that makes all classes count the same: N / (classes * pictures of this one)."""
    counts = np.bincount(labels)
    return {label: len(labels) / (len(counts) * count) for label, count in enumerate(counts.tolist()) if count}
