"""The plain data that a recipe passes to the report: a fine-tuning from its data to its result."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ...errors import DataError
from ...models import Model
from ..evaluation import Evaluation


@dataclass(frozen=True)
class Pictures:
    """Labelled images, which are read when they are needed.

    labels    (N,) positions in the class names
    names     the name of each image, or of its file
    read      position -> float32 RGB (H, W, 3), 0 to 255, as it is shown to the network
    prepare   RGB (N, H, W, 3) -> the network's input: its `preprocess_input`
    """

    labels: np.ndarray
    names: list
    read: Callable
    prepare: Callable

    def __len__(self):
        return len(self.labels)

    def rgb(self, position):
        """Return an image as uint8 RGB (H, W, 3), or None if it cannot be read any more."""
        try:
            return np.clip(self.read(position) + 0.5, 0, 255).astype(np.uint8)
        except DataError:
            return None

    def counts(self, classes):
        """Return the number of images of each class."""
        return np.bincount(self.labels, minlength=classes)


class Stage(NamedTuple):
    """One training.

    history          of `fit`
    learning_rates   at the beginning of each epoch
    parameters       the number of those that learned (None: not known)
    accuracy         afterwards (None: not measured)
    """

    name: str
    history: dict
    learning_rates: list
    parameters: int | None
    accuracy: float | None = None


@dataclass(frozen=True)
class FineTuning:
    """A fine-tuning from its data to its result.

    task             a title in a few words: "Ten kinds of clothing"
    class_names      in the order of the labels
    training, held_back   `Pictures`; the latter are those of the evaluation, in its order
    steps            (name, what was done) of the six steps of transfer learning
    stages           `Stage`s, in order
    model            after all stages
    evaluation       `Evaluation` on the held-back images
    seconds          the time of the training;   resumed   True: the time since it was resumed
    others           (name, accuracy, parameters, seconds) of each model to compare with; None: not known
    other_stages     `Stage`s of these models, where there are curves to show
    skipped          (path, reason) of files that were left out
    duplicates       lists of paths with the same content;   two_labels   those of them that are in two classes
    facts            (name, value) of how it was made: command, seed
    """

    task: str
    class_names: list
    training: Pictures
    held_back: Pictures
    steps: list
    stages: list
    model: Model
    evaluation: Evaluation
    seconds: float
    others: list = field(default_factory=list)
    other_stages: list = field(default_factory=list)
    resumed: bool = False
    skipped: list = field(default_factory=list)
    duplicates: list = field(default_factory=list)
    two_labels: list = field(default_factory=list)
    facts: list = field(default_factory=list)
