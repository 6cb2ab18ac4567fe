"""What `minitl advise` advises on: a folder of photographs, or the bundled pictures. Each is looked at, and measured,
as `minitl finetune` will do it, with its defaults. Read `advise` first.
"""

import time
from argparse import Namespace

import numpy as np

from ... import data, transfer
from ...applications import NETWORKS, VGG16, cuts
from ...applications.vgg16 import preprocess_input
from ...cli import finetune, photos_options
from ...data.labels import to_categorical
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
from .. import advice
from ..photographs import CROP
from . import costs, plans

MOST_PICTURES = 1000  # that are judged: an accuracy is known to 2 % then
UNFROZEN = 2  # so many of the base's last parts may learn: the more, the slower, and the likelier to forget
HEAD_EPOCHS = 6  # of the head that are timed, the first of them not


class Subject:
    """What both kinds of pictures share. A subclass sets

    base, cuts       the network without its top, and the layers at which its blocks end
    class_names, labels (N,)     of the training pictures that are judged
    features_at      {cut: what the head will see there (N, D)}
    old_classes      (N, classes) what the base's own head says of them, or None; `no_leep` says why
    images           some of them, ready for the base: as many as go through it at a time
    task             a `plans.Task`
    """

    is_of_photographs = False
    learning = ()  # the blocks whose training steps are measured
    label_smoothing = 0.0

    def judge(self):
        """`advice.CutScores` of every cut, by the training pictures alone."""
        last, classes = self.cuts[-1], len(self.class_names)
        return [
            advice.judge(cut, features, self.labels, classes, self.old_classes if cut == last else None)
            for cut, features in self.features_at.items()
        ]

    def measure(self):
        """(blocks, plans): what the base's blocks take on this machine, now; and what each plan will."""
        blocks = advice.measure_blocks(self.base, self.cuts, self.images, self.learning)
        return blocks, self.plans(blocks)

    def head_model(self, features):
        """The head that `minitl finetune` puts on, as a model of its own, for features (N, D)."""
        tensor = features_in = Input(features.shape[1:])
        for layer in finetune.new_head(len(self.class_names))[1:]:  # they are flat already
            tensor = layer(tensor)
        return self.compiled(Model(features_in, tensor))

    def compiled(self, model, learning_rate=costs.STANDSTILL):
        loss = CategoricalCrossentropy(label_smoothing=self.label_smoothing)
        model.compile(SGD(learning_rate, momentum=0.9), loss, metrics=["accuracy"])
        return model

    def head_epoch(self, cut, val):
        """Seconds of an epoch of the head alone, with a look at `val` held-back pictures."""
        features, clock = self.features_at[cut], Clock()
        targets = to_categorical(self.labels, len(self.class_names))
        share = self.task.train / len(features)  # of the pictures, some are judged: the others take as long
        held_back = np.arange(round(val / share)) % len(features)
        validation = (features[held_back], targets[held_back]) if len(held_back) else None
        self.head_model(features).fit(
            features, targets, self.task.batch_size, HEAD_EPOCHS, 0, [clock], validation_data=validation
        )
        return float(np.median(clock.seconds[1:])) * share


class Photographs(Subject):
    """A folder of photographs, for `minitl finetune PHOTOS/`."""

    is_of_photographs = True

    def __init__(self, options):
        given = {"base": options.base, "image_size": options.image_size, "augment": False, "mirror": False}
        self.settings = Namespace(**{**photos_options.DEFAULTS, **given, "unfreeze": None})
        self.settings.base = options.base or photos_options.DEFAULTS["base"]
        photos_options.settle(self.settings)
        self.photos, self.cuts = options.photos, cuts(self.settings.base)
        self.label_smoothing = self.settings.label_smoothing
        self.learning = self.cuts[-UNFROZEN:]
        self.prepare = NETWORKS[self.settings.base].preparation.function
        start = time.perf_counter()
        self.folder = data.audit_folder(options.photos)
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
        self.look(whole, keep=not options.no_cache)

    def build(self):
        """The base; returns the model with ImageNet's head on it, where its weights are on this machine, or the base
        again."""
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

    def look(self, whole, keep):
        """Every picture once through the frozen network."""
        model = advice.features_at(
            whole, self.cuts, GlobalAveragePooling2D, with_output=whole.output is not self.base.output
        )
        size = self.settings.image_size
        pictures = data.PhotoStream(some_of(self.folder.train), self.prepare, size, size, CROP)
        rows = kept_features(model, pictures, keep)
        for path, reason in rows.left_out:
            print(printable(f"left out: {path}: {reason}"))
        self.labels = np.array([photo.label for photo in rows.photos])
        self.features_at, self.old_classes = advice.apart(
            rows.read(slice(None)), self.base, self.cuts, GlobalAveragePooling2D
        )
        self.first_photos = [rows.photos[k % len(rows.photos)] for k in range(BATCH)]
        self.images = self.prepare(np.stack([self.read(photo) for photo in self.first_photos]))

    def read(self, photo):
        size = self.settings.image_size
        return data.read_image(photo.path, size, size, CROP)

    def plans(self, blocks):
        picture = np.median([costs.seconds_of(lambda: self.read(photo)) for photo in self.first_photos])
        task = self.task = self.task._replace(picture=float(picture))
        epochs = [self.head_epoch(cut, task.val) for cut in self.cuts]
        found = []
        for k, (cut, epoch) in enumerate(zip(self.cuts, epochs)):
            where = ["--cut", cut] if cut != self.cuts[-1] else []
            arguments = self.arguments(*where, "--unfreeze", "none")
            found.append(plans.head_plan(task, blocks[: k + 1], arguments, epoch))
        parts = photos_options.parts_before(self.settings.base, self.cuts[-1])
        for part, before in list(parts.items())[:UNFROZEN]:
            arguments, frozen = self.arguments("--unfreeze", part), self.cuts.index(before) + 1
            held = self.step_bytes(before)
            found.append(plans.blocks_plan(task, blocks, part, frozen, arguments, epochs[-1], held))
        return found

    def arguments(self, *more):
        """Of `minitl finetune`: what is not the default."""
        settings, network = self.settings, NETWORKS[self.settings.base]
        base = ["--base", settings.base] if settings.base != photos_options.DEFAULTS["base"] else []
        size = ["--image-size", str(settings.image_size)] if settings.image_size != network.native_size else []
        return [str(self.photos), *base, *size, *more]

    def step_bytes(self, before):
        """The most memory of a step of the second stage, through all that lies behind the layer `before`."""
        head = [GlobalAveragePooling2D(), *finetune.new_head(len(self.class_names))[1:]]
        whole = transfer.replace_head(self.base, head)
        prefix, part = Model(whole.input, whole.output_of(before)), Model(whole.output_of(before), whole.output)
        transfer.unfreeze(part)
        try:
            features = prefix.forward(self.images, gradients="none")
            checkpoint = (
                2 * 4 * part.count_params(trainable_only=True)
            )  # with the momentum; it is read back, to be sure
            return costs.step_bytes(self.compiled(part), features, self.task.batch_size) + checkpoint
        finally:
            transfer.freeze(part)


class Bundled(Subject):
    """The bundled pictures on VGG16's first three blocks, for `minitl finetune`."""

    cuts, old_classes = list(finetune.CUTS), None
    no_leep = "LEEP asks ImageNet's own head about the pictures; of VGG16, only the first three blocks are here."

    def __init__(self, options):
        start = time.perf_counter()
        pictures = data.fashion_mnist_few_shot()
        x, self.labels, self.class_names = (
            preprocess_input(finetune.enlarged(pictures.x_train)),
            pictures.y_train,
            pictures.class_names,
        )
        shape = (finetune.IMAGE_SIZE, finetune.IMAGE_SIZE, 3)
        network = VGG16(weights=None, include_top=False, input_shape=shape)
        network.load_weights(bundled_file(finetune.WEIGHTS), partial=True)
        self.base = transfer.remove_layers(network, self.cuts[-1])
        transfer.freeze(self.base)
        test_like = preprocess_input(finetune.enlarged(np.zeros_like(pictures.x_test)))  # their weight; nobody looks
        recipe = finetune.HEAD_ONLY
        self.task = plans.Task(
            train=len(x),
            val=len(pictures.x_test),
            batch_size=recipe.batch_size,
            epochs=recipe.epochs,
            tune_epochs=0,
            start=time.perf_counter() - start,
            picture=0.0,
            threads=threads(),
            bytes=peak_bytes() or 0,
        )
        del test_like
        self.images = x[: recipe.batch_size]
        rows = advice.features_at(self.base, self.cuts, Flatten).predict(x, recipe.batch_size)
        self.features_at, _ = advice.apart(rows, self.base, self.cuts, Flatten)

    def plans(self, blocks):
        found = []
        for k, (cut, features) in enumerate(self.features_at.items()):
            arguments = ["--cut", cut, "--no-scratch"]
            held = features.nbytes + costs.step_bytes(self.head_model(features), features, self.task.batch_size)
            found.append(plans.head_plan(self.task, blocks[: k + 1], arguments, self.head_epoch(cut, 0), held))
        return found


class Clock(Callback):
    """The seconds of each epoch."""

    def __init__(self):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)


def some_of(photos):
    """Of training pictures, those to judge: each content once, since a copy of a picture would be known however it was
    left out, and not more than MOST_PICTURES, chosen by their digests."""
    by_content = {photo.sha256: photo for photo in photos}
    return [by_content[sha256] for sha256 in sorted(by_content)][:MOST_PICTURES]
