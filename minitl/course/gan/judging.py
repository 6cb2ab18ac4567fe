"""The worth of made images: are they like real ones, are they of their class, and can one learn from them?

**Fréchet distance.** Real and made images go through a network that was trained on real ones; each set is described by
the mean and the covariance of its features. Two normal distributions with means m1, m2 and covariances C1, C2 have the
distance

    |m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^1/2)

0 for equal ones. (Heusel et al. 2017 use a network trained on ImageNet, and call it FID; here it is the study's network
on clothes, so the numbers cannot be compared with theirs.)

**Classes.** A network that was trained on real images names the made ones. If it agrees with the class that was asked
for, each class is produced: a generator that has *collapsed*, and makes the same few images over and over, fails that.
"""

from typing import NamedTuple

import numpy as np

from ...models import Model
from ...randomness import set_random_seed
from ..study.halves import Task, prepare
from ..study.network import network
from ..study.pretraining import train

FEATURES = "dense1"  # the layer of the study's network whose output is compared: 128 numbers


class Judge(NamedTuple):
    """A network that was trained on real images, and the description of real images by its features."""

    model: Model
    features: Model
    mean: np.ndarray
    covariance: np.ndarray

    def distance(self, images):
        """Return the Fréchet distance of images (N, 28, 28, 1), as `prepare` gives them, to the real ones."""
        return frechet_distance(self.mean, self.covariance, *described(self.features, images))

    def named_right(self, images, labels):
        """Return the share of images whose class the network names as it was asked for, in all and of each class."""
        named = self.model.predict(images, batch_size=250, verbose=0).argmax(axis=1)
        return float((named == labels).mean()), [float((named == k)[labels == k].mean()) for k in np.unique(labels)]


def new_judge(task, epochs, seed=0):
    """Return a `Judge` that has learned a `study.halves.Task`, and knows its test images."""
    set_random_seed(seed)
    model = network(len(task.class_names))
    train(model, task, epochs, batch_size=32)
    features = model.part(model.input, model.output_of(FEATURES))
    return Judge(model, features, *described(features, task.x_test))


def described(features, images):
    """Return the mean (D,) and the covariance (D, D) of the features of images, in float64."""
    found = features.predict(images, batch_size=250, verbose=0).astype(np.float64)
    return found.mean(axis=0), np.cov(found, rowvar=False)


def frechet_distance(mean1, covariance1, mean2, covariance2):
    """Return |m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^1/2) of two normal distributions.

    The square root of C1 C2 is not needed, only its trace. With R the symmetric root of C1, the matrix R C2 R is
    symmetric and has the eigenvalues of C1 C2 (the eigenvalues of AB are those of BA). So the trace is the sum of the
    roots of its eigenvalues. Rounding may make the smallest ones negative: these count as 0.
    """
    values, vectors = np.linalg.eigh(covariance1)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    both = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ covariance2 @ root), 0)).sum()
    difference = mean1 - mean2
    return float(difference @ difference + np.trace(covariance1) + np.trace(covariance2) - 2 * both)


def as_prepared(images):
    """Return made images (N, 28, 28, 1) from -1 to 1 in the scale of `study.halves.prepare`: rounded to whole pixels
    first, as a file of them would be."""
    return prepare(np.clip(np.rint((images[..., 0] + 1) * 127.5), 0, 255).astype(np.uint8))


def worth(x, y, task, epochs, seed):
    """Return the accuracy on real test images of a new network that learned from images x with classes y."""
    set_random_seed(seed)
    learned = Task(x, y, task.x_test, task.y_test, task.class_names)
    accuracy, _ = train(network(len(task.class_names)), learned, epochs, batch_size=32)
    return accuracy
