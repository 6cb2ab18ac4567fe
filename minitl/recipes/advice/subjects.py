"""The data to advise on: a folder of photographs, or the bundled images.

Features and costs are measured as the recipe will run with its defaults. Read `advising` first.
"""

import time
import warnings
from dataclasses import replace

import numpy as np

from ... import data, transfer
from ...applications import NETWORKS, VGG16, cuts
from ...data.labels import to_categorical
from ...errors import MistakeWarning
from ...features.on_disk import BATCH, kept_together, room_for
from ...files.bundled import bundled_file
from ...kernels.memory import peak_bytes
from ...kernels.parallel import threads
from ...layers import Flatten, GlobalAveragePooling2D, Input
from ...losses import CategoricalCrossentropy
from ...models import Model
from ...optimizers import SGD
from ...progress import Progress
from ...terminal import printable, wrapped
from ...training import Callback
from ...weights.published.catalogue import present
from .. import clothing
from ..base_features import pooled_ends
from ..finding import found_photographs
from ..head_choice import cost_of_choice
from ..heads import learning_layers
from ..settings import AUTO, OF_THE_SECOND_STAGE, PhotographSettings, option, parts_before
from ..view import DEFAULT_VIEW, photograph_pixels, photograph_stream
from . import costs, plans
from .judging import features_at, judge, split_by_cut

MOST_PHOTOGRAPHS = 1000  # judged at most: an accuracy is known to 2 % then
UNFROZEN = 2  # so many of the base's last parts may learn: with more, it is slower, and forgets more
HEAD_EPOCHS = 6  # epochs of the head; all but the first are timed


class Subject:
    """The base class of both kinds of data. A subclass sets

    photos           the folder, or None for the bundled images
    base, cuts       the network without its top, and the layers at which its blocks end
    class_names, labels (N,)     of the training images that are judged
    features_at      {cut: the input of a head there (N, D)}
    old_classes      (N, classes) the probabilities of the base's own head, or None; `no_leep` is the reason
    images           a batch of these images, ready for the base, of the size of the first pass
    task             a `plans.Task`

    and has `plans(blocks)`, all possible plans, and `settings_for(plan)`, the recipe's settings for a plan.
    """

    photos = None
    learning = ()  # the blocks whose training steps are measured
    label_smoothing = 0.0

    def judge(self):
        """Return `judging.CutScores` of every cut, from the training images alone."""
        last, classes = self.cuts[-1], len(self.class_names)
        found = []
        with Progress("Judging the cuts", len(self.features_at)) as bar:
            for cut, features in self.features_at.items():
                found.append(judge(cut, features, self.labels, classes, self.old_classes if cut == last else None))
                bar.advance(1)
        return found

    def measure(self):
        """Measure the cost of the base's blocks on this machine. Returns (blocks, plans)."""
        blocks = costs.measure_blocks(self.base, self.cuts, self.images, self.learning)
        return blocks, self.plans(blocks)

    def head_model(self, features):
        """Return the recipe's head as a compiled model of its own, for features (N, D)."""
        tensor = features_in = Input(features.shape[1:])
        for layer in learning_layers(len(self.class_names)):
            tensor = layer(tensor)
        return self.compiled(Model(features_in, tensor))

    def compiled(self, model, learning_rate=costs.STANDSTILL):
        """Compile a model as the recipe does, with a learning rate of about 0. Returns the model."""
        loss = CategoricalCrossentropy(label_smoothing=self.label_smoothing)
        model.compile(SGD(learning_rate, momentum=0.9), loss, metrics=["accuracy"])
        return model

    def head_epoch(self, cut, val):
        """Return the seconds of an epoch of the head alone, with validation on `val` held-back images."""
        features, clock = self.features_at[cut], Clock()
        targets = to_categorical(self.labels, len(self.class_names))
        share = self.task.train / len(features)  # only some images are judged; the others take the same time
        held_back = np.arange(round(val / share)) % len(features)
        validation = (features[held_back], targets[held_back]) if len(held_back) else None
        with warnings.catch_warnings():  # only the time matters: validation on training images is no mistake here
            warnings.simplefilter("ignore", MistakeWarning)
            self.head_model(features).fit(
                features, targets, self.task.batch_size, HEAD_EPOCHS, 0, [clock], validation_data=validation
            )
        return float(np.median(clock.seconds[1:])) * share


class Photographs(Subject):
    """A folder of photographs, for `finetune_photographs`. `settings` are those of that recipe, `map` is, too."""

    def __init__(self, photos, settings, map=None):
        self.given, self.settings = settings, settings.settled()
        self.photos, self.cuts = str(photos), cuts(self.settings.base)
        self.label_smoothing = self.settings.label_smoothing or 0.0
        self.view = DEFAULT_VIEW if self.settings.view == AUTO else self.settings.view
        self.learning = self.cuts[-UNFROZEN:]
        for part in list(parts_before(self.settings.base, self.cuts[-1]))[:UNFROZEN]:
            replace(settings, unfreeze=part).settled()  # refuses now what a plan with a second stage would refuse
        self.prepare = NETWORKS[self.settings.base].preparation.function
        start = time.perf_counter()
        self.folder = found_photographs(photos, settings)
        self.class_names = self.folder.class_names
        program = peak_bytes() or 0
        whole = self.build()
        self.task = plans.Task(
            train=len(self.folder.train),
            val=len(self.folder.val),
            batch_size=self.settings.batch_size,
            epochs=self.settings.epochs,
            tune_epochs=self.settings.tune_epochs or NETWORKS[self.settings.base].second_stage.epochs,
            start=time.perf_counter() - start,
            reading=0.0,
            threads=threads(),
            bytes=program + 4 * self.base.count_params(),
            choice=cost_of_choice(self.settings.epochs, len(self.folder.train)),
        )
        self.compute_features(whole, map)

    def build(self):
        """Build the base. Returns the model with ImageNet's head if its weights are on this machine, else the base."""
        name, size = self.settings.base, self.settings.image_size
        network = NETWORKS[name]
        native = size == network.native_size
        weights = self.settings.weights
        own = {"weights": weights} if weights else {}  # the default is ImageNet's
        has_head = native and weights is None and present(name) is not None
        whole = network.build(**own, include_top=has_head, input_shape=(size, size, 3))
        self.base = Model(whole.input, whole.output_of(network.last_layer), name=name)
        transfer.freeze(whole)
        self.no_leep = ""
        if not has_head:
            reason = f"its weights ({name}) are not on this machine" if native else f"the images have {size} pixels"
            reason = reason if weights is None else "the base has weights of your own"
            self.no_leep = f"There is no LEEP, a score from the predictions of ImageNet's head of {name}: {reason}."
        return whole

    def compute_features(self, whole, map=None):
        """Run every photograph once through the frozen network, unless a run before has kept the features of all cuts.

        The probabilities of ImageNet's classes are kept with them.
        """
        photographs = photograph_stream(some_of(self.folder.train), self.prepare, self.settings.image_size, self.view)
        graphs, keep = list(pooled_ends(whole, self.settings.base).values()), self.settings.keep_features
        head = self.head_on_pooled(whole)
        with_output = head is None and whole.output is not self.base.output
        about = {"base": self.settings.base, "folder": str(self.folder.path)}
        missing, missing_output = (room_for(each, photographs, about=about)[1] for each in (graphs, whole))
        if with_output and keep and not missing and missing_output:
            with_output, why = False, "were not kept with the features, and would take another pass"
            self.no_leep = f"There is no LEEP: the predictions of ImageNet's head {why} (--no-cache)."
        kept = kept_together([*graphs, *[whole] * with_output], photographs, keep, about=about, map=map)
        for path, reason in kept[0].left_out:
            print(wrapped(printable(f"left out: {path}: {reason}"), "  "))
        self.labels = np.array([photo.label for photo in kept[0].photos])
        self.features_at = {cut: rows.read(slice(None)) for cut, rows in zip(self.cuts, kept)}
        self.old_classes = kept[-1].read(slice(None)) if with_output else None
        if head is not None:
            self.old_classes = head.predict(self.features_at[self.cuts[-1]], verbose=0)
        self.first_photos = [kept[0].photos[k % len(kept[0])] for k in range(BATCH)]
        self.images = self.prepare(np.stack([self.read(photo) for photo in self.first_photos]))

    def head_on_pooled(self, whole):
        """Return ImageNet's head as a model of its own if it begins with the pooled end of the base, else None."""
        for call in whole.calls:
            if isinstance(call.layer, GlobalAveragePooling2D) and call.inputs == (whole.output_of(self.cuts[-1]),):
                return Model(call.outputs[0], whole.output) if call.outputs[0] is not whole.output else None
        return None

    def read(self, photo):
        """Return the pixels of a photograph as they are shown to the network."""
        return photograph_pixels(photo, self.settings.image_size, self.settings.image_size, self.view)

    def plans(self, blocks):
        """Return all possible plans, with the costs of these blocks."""
        reading = np.median([costs.seconds_of(lambda: self.read(photo)) for photo in self.first_photos])
        task = self.task = self.task._replace(reading=float(reading))
        with Progress("Timing a head on each cut"):
            epochs = [self.head_epoch(cut, task.val) for cut in self.cuts]
        found = []
        for k, (cut, epoch) in enumerate(zip(self.cuts, epochs)):
            cut_here = ["--cut", cut] if cut != self.cuts[-1] else []
            arguments = self.arguments(*cut_here, "--unfreeze", "none")
            found.append(plans.head_plan(task, blocks[: k + 1], arguments, epoch))
        parts = parts_before(self.settings.base, self.cuts[-1])
        for part, before in list(parts.items())[:UNFROZEN]:
            arguments, frozen = self.arguments("--unfreeze", part), self.cuts.index(before) + 1
            held = self.step_bytes(before)
            found.append(plans.blocks_plan(task, blocks, part, frozen, arguments, epochs[-1], held))
        return found

    def arguments(self, *more):
        """Return the arguments of `minitl finetune` for the settings that are not the defaults."""
        usual = PhotographSettings(base=self.settings.base).settled().as_data()
        usual["base"] = PhotographSettings.base
        found, arguments = self.settings.as_data(), [self.photos]
        for name, value in found.items():
            if name in ("cut", "unfreeze") or (name in OF_THE_SECOND_STAGE and more[-1] == "none"):
                continue  # the plan sets the cut and the part to unfreeze
            if value != usual[name]:
                arguments += [option(name)] if value is True else [option(name), str(value)]
        return [*arguments, *more]

    def settings_for(self, plan):
        """Return the settings that carry out a plan."""
        if plan.unfreeze is not None:
            return replace(self.given, cut=plan.cut, unfreeze=plan.unfreeze)
        without = {name: nothing[0] for name, nothing in OF_THE_SECOND_STAGE.items()}
        return replace(self.given, cut=plan.cut, unfreeze="none", **without)

    def step_bytes(self, before):
        """Return the most memory of a step of the second stage, through all layers after the layer `before`."""
        head = [GlobalAveragePooling2D(), *learning_layers(len(self.class_names))]
        return costs.stage_bytes(self.base, head, before, self.images, self.task.batch_size, self.compiled)


class Clothing(Subject):
    """The bundled images on VGG16's first three blocks, for `finetune_clothing`."""

    cuts, old_classes = list(clothing.CUTS), None
    no_leep = "There is no LEEP, a score from ImageNet's head: only the first three blocks of VGG16 are bundled."

    def __init__(self):
        start = time.perf_counter()
        dataset = data.fashion_mnist_few_shot()
        self.labels, self.class_names = dataset.y_train, dataset.class_names
        x = clothing.prepared(dataset.x_train)
        shape = (clothing.IMAGE_SIZE, clothing.IMAGE_SIZE, 3)
        network = VGG16(weights=None, include_top=False, input_shape=shape)
        network.load_weights(bundled_file(clothing.WEIGHTS), partial=True)
        self.base = transfer.remove_layers(network, self.cuts[-1])
        transfer.freeze(self.base)
        # The recipe holds the prepared test images. Black ones take the same memory; the real ones are not used here.
        test_like = clothing.prepared(np.zeros_like(dataset.x_test))
        plan = clothing.HEAD_ONLY
        self.task = plans.Task(
            train=len(x),
            val=len(dataset.x_test),
            batch_size=plan.batch_size,
            epochs=plan.epochs,
            tune_epochs=0,
            start=time.perf_counter() - start,
            reading=0.0,
            threads=threads(),
            bytes=peak_bytes() or 0,
        )
        del test_like
        self.images = x[: plan.batch_size]
        rows = features_at(self.base, self.cuts, Flatten).predict(x, plan.batch_size)
        self.features_at, _ = split_by_cut(rows, self.base, self.cuts, Flatten)

    def plans(self, blocks):
        """Return all possible plans, with the costs of these blocks."""
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
    """A callback that measures the seconds of each epoch."""

    def __init__(self):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        """Note the time."""
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Note the seconds of the epoch."""
        self.seconds.append(time.perf_counter() - self.start)


def some_of(photos):
    """Return the training photographs that are judged: at most MOST_PHOTOGRAPHS, chosen by their digests.

    Among photographs with the same content, only one is judged. Otherwise a head that leaves out a photograph would
    have learned from its copy.
    """
    by_content = {photo.sha256: photo for photo in photos}
    return [by_content[sha256] for sha256 in sorted(by_content)][:MOST_PHOTOGRAPHS]
