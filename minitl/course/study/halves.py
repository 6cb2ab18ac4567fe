"""Fashion-MNIST's ten classes as two tasks of five: A, on which a base was trained before, and B.

Yosinski et al. divided ImageNet's 1,000 classes twice: at random, so that both halves have dogs and both have
vehicles, and by kind, into man-made and natural things. Ten classes can be divided in the same two ways:

    similar      every class of B has a relative in A: another garment with sleeves, another shoe
    dissimilar   B is tops, coats and dresses, A is everything else: shoes, bags and trousers

In both, B has the class Shirt and others that are easily confused with it. A task that every network solves could not
show whether anything was transferred.
"""

from typing import NamedTuple

import numpy as np

from ...errors import ArgumentError
from ...recipes.settings import SettingError, require_one_of

HALVES = {
    "similar": {
        "A": ("Trouser", "Pullover", "Coat", "Bag", "Ankle boot"),
        "B": ("T-shirt/top", "Dress", "Sandal", "Shirt", "Sneaker"),
    },
    "dissimilar": {
        "A": ("Trouser", "Sandal", "Sneaker", "Bag", "Ankle boot"),
        "B": ("T-shirt/top", "Pullover", "Dress", "Coat", "Shirt"),
    },
}
# Of the pixels of all training images: with these, `prepare` gives a mean of 0 and a variance of 1.
MEAN, DEVIATION = 72.94, 90.02


SPLIT = "similar"  # the usual one of the halves


def classes_of(classes, split=None):
    """Return the names of the classes that "A" or "B" stands for, or None for "all".

    split   how the classes are divided: one of HALVES (default: SPLIT). Raises SettingError for a wrong value.
    """
    require_one_of("classes", classes, ("all", "A", "B"))
    if split is not None:
        require_one_of("split", split, HALVES)
        if classes == "all":
            raise SettingError("{} goes with {} A or B: all classes need no division.", "split", "classes")
    return None if classes == "all" else HALVES[split or SPLIT][classes]


class Task(NamedTuple):
    """The images of some classes as the network takes them, float32 (N, 28, 28, 1), their labels (N,), and names."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple


def task(image_set, class_names):
    """Return the images of these classes of a `data.ImageSet` as a `Task`. Labels are counted from 0 in this order."""
    unknown = [name for name in class_names if name not in image_set.class_names]
    if unknown:
        raise ArgumentError(f"class {unknown[0]!r} is unknown; expected some of {', '.join(image_set.class_names)}.")
    new_label = np.full(len(image_set.class_names), -1)
    for label, name in enumerate(class_names):
        new_label[image_set.class_names.index(name)] = label
    arrays = []
    for images, labels in (image_set.x_train, image_set.y_train), (image_set.x_test, image_set.y_test):
        chosen = new_label[labels] >= 0
        arrays += [prepare(images[chosen]), new_label[labels[chosen]]]
    return Task(*arrays, tuple(class_names))


def prepare(images):
    """Return uint8 images (N, 28, 28) as float32 (N, 28, 28, 1), about mean 0 and variance 1."""
    return ((images - np.float32(MEAN)) / np.float32(DEVIATION))[..., None]


def fewer(task, per_class, seed):
    """Return the same task with `per_class` training images of each class, drawn at random, and all test images."""
    generator = np.random.default_rng(seed)
    chosen = []
    for label, name in enumerate(task.class_names):
        places = np.flatnonzero(task.y_train == label)
        if len(places) < per_class:
            raise ArgumentError(
                f"class {name!r} has {len(places):,} training images, and {per_class:,} were asked for. Ask for fewer."
            )
        chosen.append(generator.choice(places, per_class, replace=False))
    chosen = np.sort(np.concatenate(chosen))
    return task._replace(x_train=task.x_train[chosen], y_train=task.y_train[chosen])
