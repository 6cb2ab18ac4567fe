"""What there is to advise on: a folder of photographs, or the bundled pictures. Each is looked at, and measured, as the
recipe will do it with its defaults. Read `advising` first.
"""

import time
import warnings
from dataclasses import replace

import numpy as np

from ... import data, transfer
from ...applications import NETWORKS, VGG16, cuts
from ...data.labels import to_categorical
from ...errors import MistakeWarning
from ...features.on_disk import BATCH, kept_features
from ...files.bundled import bundled_file
from ...kernels.memory import peak_bytes
from ...kernels.parallel import threads
from ...layers import Flatten, GlobalAveragePooling2D, Input
from ...losses import CategoricalCrossentropy
from ...models import Model
from ...optimizers import SGD
from ...terminal import printable
from ...training import Callback
from ...weights.published.catalogue import present
from .. import clothing
from ..heads import learning_layers
from ..settings import PhotographSettings, option, parts_before
from ..view import photograph_pixels, photograph_stream
from . import costs, plans
from .judging import features_at, judge, split_by_cut

MOST_PICTURES = 1000  # that are judged: an accuracy is known to 2 % then
UNFROZEN = 2  # so many of the base's last parts may learn: the more, the slower, and the likelier to forget
HEAD_EPOCHS = 6  # of the head that are timed, the first of them not


class Subject:
    """What both kinds of pictures share. A subclass sets

    photos           the folder, or None for the bundled pictures
    base, cuts       the network without its top, and the layers at which its blocks end
    class_names, labels (N,)     of the training pictures that are judged
    features_at      {cut: what the head will see there (N, D)}
    old_classes      (N, classes) what the base's own head says of them, or None; `no_leep` says why
    images           some of them, ready for the base: as many as go through it at a time
    task             a `plans.Task`

    and has `plans(blocks)`, all that could be done, and `settings_for(plan)`, the recipe's settings for one of them.
    """

    photos = None
    learning = ()  # the blocks whose training steps are measured
    label_smoothing = 0.0

    def judge(self):
        """Return `judging.CutScores` of every cut, by the training pictures alone."""
        last, classes = self.cuts[-1], len(self.class_names)
        return [
            judge(cut, features, self.labels, classes, self.old_classes if cut == last else None)
            for cut, features in self.features_at.items()
        ]

    def measure(self):
        """Return (blocks, plans): what the base's blocks take on this machine, now; and what each plan will."""
        blocks = costs.measure_blocks(self.base, self.cuts, self.images, self.learning)
        return blocks, self.plans(blocks)

    def head_model(self, features):
        """Return the head that the recipe puts on, as a model of its own, for features (N, D)."""
        tensor = features_in = Input(features.shape[1:])
        for layer in learning_layers(len(self.class_names)):
            tensor = layer(tensor)
        return self.compiled(Model(features_in, tensor))

    def compiled(self, model, learning_rate=costs.STANDSTILL):
        loss = CategoricalCrossentropy(label_smoothing=self.label_smoothing)
        model.compile(SGD(learning_rate, momentum=0.9), loss, metrics=["accuracy"])
        return model

    def head_epoch(self, cut, val):
        """Return the seconds of an epoch of the head alone, with a look at `val` held-back pictures."""
        features, clock = self.features_at[cut], Clock()
        targets = to_categorical(self.labels, len(self.class_names))
        share = self.task.train / len(features)  # of the pictures, some are judged: the others take as long
        held_back = np.arange(round(val / share)) % len(features)
        validation = (features[held_back], targets[held_back]) if len(held_back) else None
        with warnings.catch_warnings():  # only the time matters: that it validates on what it has learned is no mistake
            warnings.simplefilter("ignore", MistakeWarning)
            self.head_model(features).fit(
                features, targets, self.task.batch_size, HEAD_EPOCHS, 0, [clock], validation_data=validation
            )
        return float(np.median(clock.seconds[1:])) * share


class Photographs(Subject):
    """A folder of photographs, for `finetune_photographs`; `settings` as for that."""

    def __init__(self, photos, settings):
        self.given = replace(settings, cut=None, unfreeze=None, augment=False, mirror=False)
        self.settings = self.given.settled()
        self.photos, self.cuts = str(photos), cuts(self.settings.base)
        self.label_smoothing = self.settings.label_smoothing
        self.learning = self.cuts[-UNFROZEN:]
        self.prepare = NETWORKS[self.settings.base].preparation.function
        start = time.perf_counter()
        self.folder = data.audit_folder(photos)
        print(printable(str(self.folder)), flush=True)
        self.class_names = self.folder.class_names
        program = peak_bytes() or 0
        whole = self.build()
        self.task = plans.Task(
            train=len(self.folder.train),
            val=len(self.folder.val),
            batch_size=self.settings.batch_size,
            epochs=self.settings.epochs,
            tune_epochs=self.settings.tune_epochs,
            start=time.perf_counter() - start,
            picture=0.0,
            threads=threads(),
            bytes=program + 4 * self.base.count_params(),
        )
        self.compute_features(whole)

    def build(self):
        """Make the base. Returns the model with ImageNet's head on it, where its weights are on this machine, or the
        base again."""
        name, size = self.settings.base, self.settings.image_size
        network = NETWORKS[name]
        native = size == network.native_size
        has_head = native and present(name) is not None
        whole = network.build(include_top=has_head, input_shape=(size, size, 3))
        self.base = Model(whole.input, whole.output_of(network.last_layer), name=name)
        transfer.freeze(whole)
        self.no_leep = ""
        if not has_head:
            reason = f"its weights ({name}) are not on this machine" if native else f"pictures of {size} pixels"
            self.no_leep = f"LEEP asks ImageNet's own head of {name} about the pictures; not here: {reason}."
        return whole

    def compute_features(self, whole):
        """Let every picture pass once through the frozen network."""
        has_output = whole.output is not self.base.output
        model = features_at(whole, self.cuts, GlobalAveragePooling2D, has_output)
        pictures = photograph_stream(some_of(self.folder.train), self.prepare, self.settings.image_size)
        rows = kept_features(model, pictures, self.settings.keep_features)
        for path, reason in rows.left_out:
            print(printable(f"left out: {path}: {reason}"))
        self.labels = np.array([photo.label for photo in rows.photos])
        self.features_at, self.old_classes = split_by_cut(
            rows.read(slice(None)), self.base, self.cuts, GlobalAveragePooling2D
        )
        self.first_photos = [rows.photos[k % len(rows.photos)] for k in range(BATCH)]
        self.images = self.prepare(np.stack([self.read(photo) for photo in self.first_photos]))

    def read(self, photo):
        return photograph_pixels(photo, self.settings.image_size, self.settings.image_size)

    def plans(self, blocks):
        picture = np.median([costs.seconds_of(lambda: self.read(photo)) for photo in self.first_photos])
        task = self.task = self.task._replace(picture=float(picture))
        epochs = [self.head_epoch(cut, task.val) for cut in self.cuts]
        found = []
        for k, (cut, epoch) in enumerate(zip(self.cuts, epochs)):
            where = ["--cut", cut] if cut != self.cuts[-1] else []
            arguments = self.arguments(*where, "--unfreeze", "none")
            found.append(plans.head_plan(task, blocks[: k + 1], arguments, epoch))
        parts = parts_before(self.settings.base, self.cuts[-1])
        for part, before in list(parts.items())[:UNFROZEN]:
            arguments, frozen = self.arguments("--unfreeze", part), self.cuts.index(before) + 1
            held = self.step_bytes(before)
            found.append(plans.blocks_plan(task, blocks, part, frozen, arguments, epochs[-1], held))
        return found

    def arguments(self, *more):
        """Return the arguments of `minitl finetune` that stand for the settings: what is not the default."""
        usual = PhotographSettings(base=self.settings.base).settled().as_data()
        usual["base"] = PhotographSettings.base
        found, arguments = self.settings.as_data(), [self.photos]
        for name, value in found.items():
            if value != usual[name] and name not in ("cut", "unfreeze"):  # these are the plan's
                arguments += [option(name)] if value is True else [option(name), str(value)]
        return [*arguments, *more]

    def settings_for(self, plan):
        """Return the settings that carry out a plan."""
        return replace(self.given, cut=plan.cut, unfreeze=plan.unfreeze or "none")

    def step_bytes(self, before):
        """Return the most memory of a step of the second stage, through all that lies behind the layer `before`."""
        head = [GlobalAveragePooling2D(), *learning_layers(len(self.class_names))]
        whole = transfer.replace_head(self.base, head)
        prefix, part = Model(whole.input, whole.output_of(before)), Model(whole.output_of(before), whole.output)
        transfer.unfreeze(part)
        try:
            features = prefix.forward(self.images, gradients="none")
            # With the momentum; it is read back, to be sure.
            checkpoint = 2 * 4 * part.count_params(trainable_only=True)
            return costs.step_bytes(self.compiled(part), features, self.task.batch_size) + checkpoint
        finally:
            transfer.freeze(part)


class Clothing(Subject):
    """The bundled pictures on VGG16's first three blocks, for `finetune_clothing`."""

    cuts, old_classes = list(clothing.CUTS), None
    no_leep = "LEEP asks ImageNet's own head about the pictures; of VGG16, only the first three blocks are here."

    def __init__(self):
        start = time.perf_counter()
        pictures = data.fashion_mnist_few_shot()
        self.labels, self.class_names = pictures.y_train, pictures.class_names
        x = clothing.prepared(pictures.x_train)
        shape = (clothing.IMAGE_SIZE, clothing.IMAGE_SIZE, 3)
        network = VGG16(weights=None, include_top=False, input_shape=shape)
        network.load_weights(bundled_file(clothing.WEIGHTS), partial=True)
        self.base = transfer.remove_layers(network, self.cuts[-1])
        transfer.freeze(self.base)
        # As heavy as the test pictures are in the recipe; nobody looks at the real ones here.
        test_like = clothing.prepared(np.zeros_like(pictures.x_test))
        plan = clothing.HEAD_ONLY
        self.task = plans.Task(
            train=len(x),
            val=len(pictures.x_test),
            batch_size=plan.batch_size,
            epochs=plan.epochs,
            tune_epochs=0,
            start=time.perf_counter() - start,
            picture=0.0,
            threads=threads(),
            bytes=peak_bytes() or 0,
        )
        del test_like
        self.images = x[: plan.batch_size]
        rows = features_at(self.base, self.cuts, Flatten).predict(x, plan.batch_size)
        self.features_at, _ = split_by_cut(rows, self.base, self.cuts, Flatten)

    def plans(self, blocks):
        found = []
        for k, (cut, features) in enumerate(self.features_at.items()):
            arguments = ["--cut", cut, "--no-scratch"]
            held = features.nbytes + costs.step_bytes(self.head_model(features), features, self.task.batch_size)
            found.append(plans.head_plan(self.task, blocks[: k + 1], arguments, self.head_epoch(cut, 0), held))
        return found

    def settings_for(self, plan):
        """Return the settings that carry out a plan."""
        return clothing.ClothingSettings(cut=plan.cut, scratch=False)


class Clock(Callback):
    """The seconds of each epoch."""

    def __init__(self):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)


def some_of(photos):
    """Return those training pictures that are judged: each content once, since a copy of a picture would be known
    however it was left out, and not more than MOST_PICTURES, chosen by their digests."""
    by_content = {photo.sha256: photo for photo in photos}
    return [by_content[sha256] for sha256 in sorted(by_content)][:MOST_PICTURES]
