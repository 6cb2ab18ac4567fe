"""The table of losses. Every test that holds for all losses takes its cases from `LOSSES`.

To add a loss, write one line for each kind of argument and each shape of labels that it takes:

    LossCase("mean-squared-error-rows", lambda losses: losses.MeanSquaredError(), (7, 5), numbers, numbers),

The function makes the loss from a module, `minitl.losses` or `keras.losses`, and so gives Keras's twin as well. The
shape is that of the predictions: an example's may be a row (N, C), several steps (N, T, C), or a map (N, H, W, C). Then
come what labels and predictions are. `NAMES` gets the name that Keras gives the loss, for `compile(loss=...)`.

`test_losses.py` fails for a class of `minitl.losses` without a case.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import minitl.losses

from . import random

# Keras's name -> the class in minitl.losses. Keras has no "multibox" and no "nt_xent"
NAMES = {
    "binary_crossentropy": "BinaryCrossentropy",
    "binary_focal_crossentropy": "BinaryFocalCrossentropy",
    "categorical_crossentropy": "CategoricalCrossentropy",
    "categorical_generalized_cross_entropy": "CategoricalGeneralizedCrossEntropy",
    "circle": "Circle",
    "dice": "Dice",
    "log_cosh": "LogCosh",
    "logcosh": "LogCosh",
    "tversky": "Tversky",
    "categorical_focal_crossentropy": "CategoricalFocalCrossentropy",
    "ctc": "CTC",
    "categorical_hinge": "CategoricalHinge",
    "cosine_similarity": "CosineSimilarity",
    "hinge": "Hinge",
    "kl_divergence": "KLDivergence",
    "kld": "KLDivergence",
    "kullback_leibler_divergence": "KLDivergence",
    "mae": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "mean_absolute_error": "MeanAbsoluteError",
    "mean_absolute_percentage_error": "MeanAbsolutePercentageError",
    "mean_squared_logarithmic_error": "MeanSquaredLogarithmicError",
    "msle": "MeanSquaredLogarithmicError",
    "poisson": "Poisson",
    "squared_hinge": "SquaredHinge",
    "huber": "Huber",
    "mean_squared_error": "MeanSquaredError",
    "mse": "MeanSquaredError",
    "multibox": "MultiBoxLoss",
    "nt_xent": "NTXent",
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
}

# ---- labels and predictions: functions of the predictions' shape and a seed ----


def numbers(shape, seed):
    """Return any numbers; as predictions of a cross-entropy these are logits."""
    return random(*shape, seed=seed)


def probabilities(shape, seed):
    """Return positive rows that add up to 1, as a softmax gives them."""
    p = np.exp(random(*shape, seed=seed))
    return p / p.sum(axis=-1, keepdims=True)


def uneven_probabilities(shape, seed):
    """Return positive rows that add up to less or more than 1."""
    return yes_or_no_probabilities(shape, seed)


def yes_or_no_probabilities(shape, seed):
    """Return numbers between 0 and 1, as a sigmoid gives them."""
    return 1 / (1 + np.exp(-random(*shape, seed=seed)))


def classes(shape, seed):
    """Return the number of a class for each row of predictions."""
    return np.random.default_rng([seed, *shape]).integers(shape[-1], size=shape[:-1])


def classes_in_a_column(shape, seed):
    """Return the same with a last axis of size 1."""
    return classes(shape, seed)[..., None]


def classes_and_one_ignored(shape, seed):
    """Return the number of a class for each row, and 255 for one row of each example."""
    labels = classes(shape, seed)
    labels.reshape(len(labels), -1)[:, 1] = 255
    return labels


def matched_boxes(shape, seed):
    """Return labels of prior boxes for outputs (N, P, 5 + classes): two of each image are matched with an object, one
    is ignored, the others are background."""
    rng, priors = np.random.default_rng([seed, *shape]), np.zeros(shape[1])
    priors[:3] = 1, shape[2] - 5, -1
    numbers = np.array([rng.permutation(priors) for _ in range(shape[0])]).reshape(shape[:2])
    return np.concatenate([1.5 * random(*shape[:2], 4, seed=seed), numbers[..., None]], axis=-1).astype(np.float32)


def lists_of_classes(shape, seed):
    """Return lists of 0 to 3 class numbers from 1 on, padded with 0, for outputs (N, T, classes)."""
    labels = np.random.default_rng([seed, *shape]).integers(1, shape[2], size=(shape[0], 3))
    return np.where(np.arange(3) < np.arange(3, 3 + shape[0])[:, None] % 4, labels, 0)


def pairs_of_views(shape, seed):
    """Return the number of an image for each row: two neighbours are views of one image, in each half of the batch."""
    images = np.random.default_rng(seed).permutation(shape[0] // 2)
    return np.repeat(images, 2)


def one_hot(shape, seed):
    """Return rows with a 1 at the class and zeros elsewhere."""
    return np.eye(shape[-1], dtype=np.float32)[classes(shape, seed)]


def quantities(shape, seed):
    """Return numbers from about 1/2 up, all above 0."""
    return 0.5 + np.abs(random(*shape, seed=seed + 7))


def yes_or_no(shape, seed):
    """Return zeros and ones."""
    return (random(*shape, seed=seed) > 0).astype(np.float32)


def between_yes_and_no(shape, seed):
    """Return labels between no and yes: 0.1 and 0.7."""
    return np.clip(yes_or_no(shape, seed), 0.1, 0.7)


def rows_of_length_1(shape, seed):
    """Return rows (N, D) of length 1."""
    x = random(*shape, seed=seed)
    return x / np.sqrt((x * x).sum(axis=-1, keepdims=True))


def two_classes(shape, seed):
    """Return the numbers 3 and 8, each for half of the rows."""
    return np.where(np.random.default_rng(seed).permutation(shape[0]) % 2, 3, 8)


# ---- a case ----


class LossCase(NamedTuple):
    """A loss, and labels and predictions for it."""

    name: str
    make: Callable  # of a module like minitl.losses: makes the loss, a fresh one each time
    shape: tuple  # of the predictions, with the batch
    labels_of: Callable
    predictions_of: Callable
    keras: bool | Callable = True  # Keras's twin: made by `make` too; by another function; or False: there is none
    keras_gradient: bool = True  # False where Keras on PyTorch fails in its backward
    between_examples: bool = False  # True where the loss compares the rows of a batch: `fit` must not shuffle them

    def loss(self):
        """Return a new loss."""
        return self.make(minitl.losses)

    def labels(self, seed=5):
        """Return labels that fit the predictions."""
        return self.labels_of(self.shape, seed)

    def predictions(self, seed=0, dtype=np.float32):
        """Return predictions."""
        return self.predictions_of(self.shape, seed).astype(dtype)

    def keras_twin(self, keras_losses):
        """Return Keras's loss of the same kind; `keras_losses` is the module keras.losses."""
        return (self.make if self.keras is True else self.keras)(keras_losses)


# ---- the table ----

SHAPES = {"rows": (7, 5), "steps": (3, 4, 5), "maps": (2, 3, 4, 5)}

OF_ALL_SHAPES = [
    case
    for where, shape in SHAPES.items()
    for case in (
        LossCase(f"categorical-{where}", lambda losses: losses.CategoricalCrossentropy(),
                 shape, one_hot, probabilities),
        LossCase(f"categorical-logits-{where}", lambda losses: losses.CategoricalCrossentropy(from_logits=True),
                 shape, one_hot, numbers),
        LossCase(f"categorical-soft-labels-{where}", lambda losses: losses.CategoricalCrossentropy(from_logits=True),
                 shape, probabilities, numbers),
        LossCase(f"categorical-smoothing-{where}", lambda losses: losses.CategoricalCrossentropy(label_smoothing=0.2),
                 shape, one_hot, probabilities),
        LossCase(f"categorical-smoothing-logits-{where}",
                 lambda losses: losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2),
                 shape, one_hot, numbers),
        LossCase(f"categorical-uneven-{where}", lambda losses: losses.CategoricalCrossentropy(),
                 shape, one_hot, uneven_probabilities),
        LossCase(f"categorical-uneven-smoothing-{where}",
                 lambda losses: losses.CategoricalCrossentropy(label_smoothing=0.2),
                 shape, one_hot, uneven_probabilities),
        LossCase(f"sparse-uneven-{where}", lambda losses: losses.SparseCategoricalCrossentropy(),
                 shape, classes, uneven_probabilities, keras_gradient=where != "maps"),
        LossCase(f"sparse-{where}", lambda losses: losses.SparseCategoricalCrossentropy(),
                 shape, classes, probabilities, keras_gradient=where != "maps"),
        LossCase(f"sparse-logits-{where}", lambda losses: losses.SparseCategoricalCrossentropy(from_logits=True),
                 shape, classes, numbers),
        LossCase(f"sparse-column-{where}", lambda losses: losses.SparseCategoricalCrossentropy(from_logits=True),
                 shape, classes_in_a_column, numbers),
        LossCase(f"binary-{where}", lambda losses: losses.BinaryCrossentropy(),
                 shape, yes_or_no, yes_or_no_probabilities),
        LossCase(f"binary-logits-{where}", lambda losses: losses.BinaryCrossentropy(from_logits=True),
                 shape, yes_or_no, numbers),
        LossCase(f"binary-soft-labels-{where}", lambda losses: losses.BinaryCrossentropy(from_logits=True),
                 shape, between_yes_and_no, numbers),
        LossCase(f"binary-smoothing-{where}", lambda losses: losses.BinaryCrossentropy(label_smoothing=0.2),
                 shape, yes_or_no, yes_or_no_probabilities),
        LossCase(f"binary-smoothing-logits-{where}",
                 lambda losses: losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2),
                 shape, yes_or_no, numbers),
        LossCase(f"binary-focal-{where}", lambda losses: losses.BinaryFocalCrossentropy(),
                 shape, yes_or_no, yes_or_no_probabilities),
        LossCase(f"binary-focal-logits-{where}", lambda losses: losses.BinaryFocalCrossentropy(from_logits=True),
                 shape, yes_or_no, numbers),
        LossCase(f"binary-focal-balanced-soft-labels-{where}",
                 lambda losses: losses.BinaryFocalCrossentropy(True, 0.3, 0.5, from_logits=True, label_smoothing=0.1),
                 shape, between_yes_and_no, numbers),
        LossCase(f"categorical-focal-{where}", lambda losses: losses.CategoricalFocalCrossentropy(),
                 shape, one_hot, uneven_probabilities),
        LossCase(f"categorical-focal-logits-{where}",
                 lambda losses: losses.CategoricalFocalCrossentropy(from_logits=True), shape, one_hot, numbers),
        LossCase(f"categorical-focal-alphas-smoothing-{where}",
                 lambda losses: losses.CategoricalFocalCrossentropy([0.1, 2, 0.3, 1, 0], 0.5, True, 0.2),
                 shape, one_hot, numbers),
        LossCase(f"mean-squared-error-{where}", lambda losses: losses.MeanSquaredError(), shape, numbers, numbers),
        LossCase(f"mean-absolute-error-{where}", lambda losses: losses.MeanAbsoluteError(), shape, numbers, numbers),
        LossCase(f"mean-absolute-percentage-error-{where}", lambda losses: losses.MeanAbsolutePercentageError(),
                 shape, quantities, numbers),
        LossCase(f"mean-squared-logarithmic-error-{where}", lambda losses: losses.MeanSquaredLogarithmicError(),
                 shape, quantities, quantities),
        LossCase(f"poisson-{where}", lambda losses: losses.Poisson(), shape, yes_or_no, quantities),
        LossCase(f"hinge-{where}", lambda losses: losses.Hinge(), shape, yes_or_no, numbers),
        LossCase(f"squared-hinge-{where}", lambda losses: losses.SquaredHinge(), shape, yes_or_no, numbers),
        LossCase(f"categorical-hinge-{where}", lambda losses: losses.CategoricalHinge(), shape, one_hot, numbers),
        LossCase(f"kl-divergence-{where}", lambda losses: losses.KLDivergence(), shape, probabilities, probabilities),
        LossCase(f"cosine-similarity-{where}", lambda losses: losses.CosineSimilarity(), shape, numbers, numbers),
        LossCase(f"huber-{where}", lambda losses: losses.Huber(), shape, numbers, numbers),
        LossCase(f"log-cosh-{where}", lambda losses: losses.LogCosh(), shape, numbers, numbers),
        LossCase(f"generalized-{where}", lambda losses: losses.CategoricalGeneralizedCrossEntropy(0.7),
                 shape, classes, uneven_probabilities),
        LossCase(f"dice-{where}", lambda losses: losses.Dice(axis=-1), shape, yes_or_no, yes_or_no_probabilities),
    )
]  # fmt: skip

LOSSES = [
    *OF_ALL_SHAPES,
    LossCase("mean-squared-error-one-output", lambda losses: losses.MeanSquaredError(), (6, 1), numbers, numbers),
    LossCase("binary-one-output", lambda losses: losses.BinaryCrossentropy(),
             (6, 1), yes_or_no, yes_or_no_probabilities),
    LossCase("sparse-ignored-steps", lambda losses: losses.SparseCategoricalCrossentropy(ignore_class=255),
             (3, 4, 5), classes_and_one_ignored, probabilities),
    LossCase("sparse-ignored-logits-maps", lambda losses: losses.SparseCategoricalCrossentropy(True, 255),
             (2, 3, 4, 5), classes_and_one_ignored, numbers),
    LossCase("huber-small-delta", lambda losses: losses.Huber(0.3), (7, 5), numbers, numbers),
    LossCase("dice-one-region", lambda losses: losses.Dice(), (2, 3, 4, 5), yes_or_no, yes_or_no_probabilities,
             between_examples=True),
    LossCase("tversky-one-region", lambda losses: losses.Tversky(0.3, 0.8), (7, 5), between_yes_and_no,
             yes_or_no_probabilities, between_examples=True),
    LossCase("tversky-each-class", lambda losses: losses.Tversky(0.9, 0.2, axis=(-2, 1)),
             (2, 3, 4, 5), yes_or_no, yes_or_no_probabilities),
    LossCase("tversky-each-image", lambda losses: losses.Tversky(0.9, 0.2, axis=(1, 2, 3)),
             (2, 3, 4, 5), yes_or_no, yes_or_no_probabilities),
    LossCase("circle", lambda losses: losses.Circle(), (8, 3), two_classes, rows_of_length_1, between_examples=True),
    LossCase("circle-wide", lambda losses: losses.Circle(9, 0.1, remove_diagonal=False),
             (8, 5), two_classes, rows_of_length_1, between_examples=True),
    LossCase("ctc", lambda losses: losses.CTC(), (5, 7, 4), lists_of_classes, numbers),
    LossCase("ctc-repeats", lambda losses: losses.CTC(), (4, 6, 2), lists_of_classes, numbers),
    LossCase("multibox", lambda losses: losses.MultiBoxLoss(), (3, 13, 9), matched_boxes, numbers, keras=False),
    LossCase("multibox-one-class-one-negative", lambda losses: losses.MultiBoxLoss(negatives=1),
             (2, 8, 6), matched_boxes, numbers, keras=False),
    LossCase("nt-xent", lambda losses: losses.NTXent(), (8, 5), pairs_of_views, numbers, keras=False,
             between_examples=True),
    LossCase("nt-xent-cold", lambda losses: losses.NTXent(0.1), (8, 3), pairs_of_views, numbers, keras=False,
             between_examples=True),
]  # fmt: skip
