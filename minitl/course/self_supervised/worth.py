"""The worth of a base for transfer: the accuracies that are reached with it from few labels.

A base is trained on the images of one half of the classes, A. Then it is tried on two tasks:

    same     the classes of A: the base has seen such images, but (without labels) was never told what they are
    other    the classes of B, of which the base has seen nothing: transfer

and in two ways, with 10, 50 and 500 labels of each class:

    probe    the encoder is frozen, its maps behind the second and the fourth convolution, both pooled, are the
             features of a linear head in closed form (`training.ridge`): how well do the features, as they are, tell
             the classes apart?
    tuned    the encoder and two new dense layers are trained together, in the way of the transfer study

Beside the bases of `methods` stand three that learned nothing here: `pixels` (the probe alone, on the images as they
are), `random` (the encoder with random weights), and `vgg16` (the probe alone, on the first three blocks of VGG16,
which learned from a million photographs with labels).

For one seed, all bases get the same labelled images, so they can be compared in pairs.
"""

import time
from typing import NamedTuple

import numpy as np

from ... import data, transfer
from ...applications import VGG16
from ...files.bundled import bundled_file
from ...randomness import set_random_seed
from ...recipes.clothing import CUTS, IMAGE_SIZE, WEIGHTS, prepared
from ...training.ridge import ridge_head
from ..study.halves import DEVIATION, HALVES, MEAN, fewer, task
from ..study.pretraining import train
from .methods import METHODS, classifier, encoder_of
from .pretraining import pretrain

BASES = ("pixels", "random", "vgg16", *METHODS)
ONLY_PROBED = ("pixels", "vgg16")  # these are no encoders of the study's network
TASKS = {"same": "A", "other": "B"}
EPOCHS = {10: 40, 40: 20, 50: 20, 500: 6}  # of a fine-tuning, by the labels of each class: 80, 200 and 600 steps
BATCH_SIZE = 25
READ = ("pool2", "pool4")  # the layers that the probe reads


class Extent(NamedTuple):
    """The extent of a study.

    folder         Fashion-MNIST's four files; None: the bundled images
    unlabelled     images of A that a base is trained on;   epochs   of that training
    labels         of each class, in the tasks;   test_images   of each task
    split          how the classes are divided (`study.halves`)
    """

    folder: str | None
    unlabelled: int
    epochs: int
    labels: tuple
    test_images: int
    seeds: int
    split: str = "similar"


class Worth(NamedTuple):
    """The accuracy that is reached with a base on a task, in one way, from so many labels of each class."""

    base: str
    task: str
    way: str
    labels: int
    seed: int
    accuracy: float


def measure(extent, base, seed):
    """Train a base, and measure what it is worth. Returns (list of `Worth`, seconds of the pre-training)."""
    images = data.fashion_mnist(extent.folder) if extent.folder else data.fashion_mnist_few_shot()
    tasks = {name: _shortened(task(images, HALVES[extent.split][half]), extent) for name, half in TASKS.items()}
    started = time.perf_counter()
    encoder = _trained(extent, base, tasks["same"], seed)
    seconds, found = time.perf_counter() - started, []
    for name, whole in tasks.items():
        test_features = features(base, encoder, whole.x_test, seed)
        for labels in extent.labels:
            few = fewer(whole, labels, seed)
            head = ridge_head(features(base, encoder, few.x_train, seed), few.y_train, len(few.class_names))
            right = head.predict(test_features).argmax(axis=1) == few.y_test
            found.append(Worth(base, name, "probe", labels, seed, float(right.mean())))
            if base not in ONLY_PROBED and labels in EPOCHS:
                accuracy = tuned(encoder, few, EPOCHS[labels], seed)
                found.append(Worth(base, name, "tuned", labels, seed, accuracy))
    return found, seconds


def _shortened(whole, extent):
    """Return a task with the first test images only."""
    return whole._replace(x_test=whole.x_test[: extent.test_images], y_test=whole.y_test[: extent.test_images])


def _trained(extent, base, whole, seed):
    """Return {name: weights} of the encoder after its training on unlabelled images of A; {} if it has none."""
    if base not in METHODS:
        return {}
    chosen = np.random.default_rng(seed).permutation(len(whole.x_train))[: extent.unlabelled]
    images, labels = whole.x_train[chosen], whole.y_train[chosen]
    model, _ = pretrain(base, images, labels, len(whole.class_names), extent.epochs, seed, verbose=0)
    return encoder_of(model)


def with_weights(encoder, classes, seed):
    """Return a classifier with random weights, and those of the encoder where there are some."""
    set_random_seed(1000 + seed)
    model = classifier(classes)
    for name, weights in encoder.items():
        model.get_layer(name).set_weights(weights)
    return model


def features(base, encoder, images, seed):
    """Return the features (N, D) of images (N, 28, 28, 1) by a base, for the probe."""
    if base == "pixels":
        return images.reshape(len(images), -1)
    if base == "vgg16":
        return features_of_vgg16(images)
    model = with_weights(encoder, 2, seed)
    maps = model.part(model.input, [model.output_of(name) for name in READ]).predict(images, batch_size=250, verbose=0)
    return np.concatenate([each.reshape(len(images), -1) for each in maps], axis=1)  # (N, 7*7*32 + 3*3*48)


def features_of_vgg16(images):
    """Return the maps of VGG16's third block (N, 6*6*256) of images as `study.halves.prepare` gives them."""
    base = VGG16(weights=None, include_top=False, input_shape=(IMAGE_SIZE, IMAGE_SIZE, 3))
    base.load_weights(bundled_file(WEIGHTS), partial=True)
    base = transfer.remove_layers(base, after=CUTS[-1])
    grey = np.clip(np.rint(images[..., 0] * DEVIATION + MEAN), 0, 255).astype(np.uint8)
    found = [base.predict(prepared(grey[first : first + 250]), verbose=0) for first in range(0, len(grey), 250)]
    return np.concatenate(found).reshape(len(images), -1)


def tuned(encoder, few, epochs, seed):
    """Return the accuracy after fine-tuning the encoder with new layers on a task."""
    model = with_weights(encoder, len(few.class_names), seed)
    accuracy, _ = train(model, few, epochs, BATCH_SIZE)
    return accuracy
