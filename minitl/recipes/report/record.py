"""What a recipe hands to the report, as plain data: a fine-tuning from its data to its result."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ...errors import DataError
from ...models import Model
from ..evaluation import Evaluation


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures, read when they are needed.

    labels    (N,) positions in the class names
    names     what each is called: the name of its file
    read      position -> float32 RGB (H, W, 3), 0 to 255: what the network is shown
    prepare   RGB (N, H, W, 3) -> the network's input: its `preprocess_input`
    """

    labels: np.ndarray
    names: list
    read: Callable
    prepare: Callable

    def __len__(self):
        return len(self.labels)

    def rgb(self, position):
        """Return a picture as uint8 RGB (H, W, 3), or None if it cannot be read any more."""
        try:
            return np.clip(self.read(position) + 0.5, 0, 255).astype(np.uint8)
        except DataError:
            return None

    def counts(self, classes):
        return np.bincount(self.labels, minlength=classes)


class Stage(NamedTuple):
    """One training: its name, what `fit` noted, the learning rate with which each epoch began, how many parameters
    learned, and the accuracy after it (None: not measured)."""

    name: str
    history: dict
    learning_rates: list
    parameters: int
    accuracy: float | None = None


@dataclass(frozen=True)
class FineTuning:
    """A fine-tuning from its data to its result.

    task             what was learned, in a few words: "Ten kinds of clothing"
    class_names      in the order of the labels
    training, held_back   `Pictures`; the latter are those of the evaluation, in its order
    steps            (name, what was done) of the six steps of transfer learning
    stages           `Stage`s, in order
    model            after all of them
    evaluation       `Evaluation` of the held-back pictures
    seconds          what it took; `resumed`: since it was resumed
    others           (what, accuracy, parameters, seconds) of what it is compared with; None: not known
    other_stages     `Stage`s of these, where there are curves to show
    skipped          (path, reason) of files that were left out
    duplicates       lists of paths with the same content
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
    facts: list = field(default_factory=list)
