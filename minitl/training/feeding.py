"""The batches of `fit`, `evaluate` and `predict`: parts of examples in arrays and streams, or made by a program.

Both kinds give `Batch`es, so that the loop does not ask which of them it has:

    Examples   arrays or streams of all examples (`data.batches`), of which each batch is a part
    Made       the batches of a generator and the like (`data.made_batches`), each checked when it comes

Read next: `loop`.
"""

from typing import NamedTuple

import numpy as np

from ..data.batches import in_order, is_set, one_pass, read_ahead, training_order
from ..data.made_batches import MadeBatches
from ..errors import ArgumentError, DataError, warn_of_data
from ..terminal import counted
from .refused import check_batch, check_examples
from .weighting import batch_of, combined_weights


class Batch(NamedTuple):
    """The examples of a batch, a tuple with an array for each input; labels and weights in the form of the outputs; and
    their positions among all examples, or None where these are unknown."""

    examples: tuple
    labels: object = None
    weights: object = None
    positions: object = None

    @property
    def count(self):
        return len(self.examples[0])


class Examples:
    """Examples in arrays and streams, with their labels and weights: tuples, checked by `refused`.

    steps   None: an epoch is one pass over all examples. A number: an epoch has so many batches, and the next one goes
            on from there
    """

    can_be_kept = True  # a frozen beginning has to run only once

    def __init__(self, model, x, y=None, weights=None, batch_size=32, shuffle=False, steps=None):
        self.model, self.x, self.y, self.weights = model, x, y, weights
        self.batch_size, self.shuffle = batch_size, shuffle
        self.of_pass = -(-len(x[0]) // batch_size)  # the number of batches of one pass
        self.steps = None if steps == self.of_pass else steps

    @property
    def number_of_batches(self):
        return self.steps or self.of_pass

    @property
    def goes_on(self):
        """True if an epoch goes on where the one before it has ended."""
        return self.steps is not None

    def total(self, began_at=0):
        """Return the number of examples of an epoch that begins at this one, for a progress bar."""
        return self._end(len(self.x[0]), began_at) - began_at

    def of_epoch(self, x, state):
        """Return (number, batch) for the rest of this epoch, from `state.examples_done` on. `x` stands for the
        examples: it is these, or their features behind a frozen beginning."""
        count = len(x[0])
        # The lengths differ if a training was resumed with other data (`despite_changes`).
        if state.order is None or len(state.order) != count:
            draws = self.shuffle  # the order is that of the whole model's examples, not of their features
            state.order = training_order(self.x, self.batch_size, state.generator) if draws else np.arange(count)
            state.examples_done = state.epoch_began_at = 0
        first = (state.examples_done - state.epoch_began_at) // self.batch_size
        return enumerate(self._rest(x, state, self._end(count, state.epoch_began_at)), first)

    def _end(self, count, began_at):
        return count if self.steps is None else min(count, began_at + self.steps * self.batch_size)

    def _rest(self, x, state, end):
        epoch, done = state.epoch, -(-(end - state.epoch_began_at) // self.batch_size)
        starts = range(state.examples_done, end, self.batch_size)
        yield from self._read(x, [state.order[first : first + self.batch_size] for first in starts], epoch)
        if self.steps is not None and done < self.steps:
            warn_of_data(
                f"the examples came to their end after {counted(done, 'batch')} of epoch {epoch + 1}, and "
                f"steps_per_epoch is {self.steps}. The next epoch begins with all examples. Leave steps_per_epoch out: "
                "then each epoch takes all of them."
            )

    def in_turn(self, x, in_their_order=False):
        """Yield the batches of a pass in which nothing is trained: all of them, or the first `steps`. These are in the
        order of the examples, unless all are wanted and a source asks for another one. `x` as in `of_epoch`."""
        if self.steps is None and not in_their_order:
            batches = one_pass(x, self.batch_size)
        else:
            batches = in_order(len(x[0]), self.batch_size)[: self.steps]
        return self._read(x, batches)

    def _read(self, x, batches, epoch=None):
        for batch, examples in zip(batches, read_ahead(x, batches, epoch)):
            of_model = batch_of(self.model, self.y, batch), batch_of(self.model, self.weights, batch)
            yield Batch(examples, *of_model, batch)


class Made:
    """Batches that a program makes. Each is checked when it comes. Its methods are those of `Examples`; there are no
    examples to choose from, so their `x` is None."""

    can_be_kept = goes_on = False
    x = None

    def __init__(self, model, made, steps=None, class_weight=None, shuffle=False, has_labels=True):
        self.model, self.class_weight, self.shuffle, self.has_labels = model, class_weight, shuffle, has_labels
        self.batches = MadeBatches(made, steps)

    @property
    def number_of_batches(self):
        return self.batches.total

    def total(self, began_at=0):
        """Return None: the number of examples is not known."""

    def of_epoch(self, x, state):
        """Return (number, batch) for the next epoch."""
        return enumerate(self._checked(self.batches.epoch(state.generator if self.shuffle else None)))

    def in_turn(self, x, in_their_order=True):
        """Yield the batches of an epoch in their order, or the next `steps`."""
        return self._checked(self.batches.epoch(begins_anew=True))

    def _checked(self, batches):
        for x, y, sample_weight in batches:
            if self.has_labels:
                x, y, weights = check_batch(self.model, x, y, sample_weight)
                yield one_batch(self.model, x, y, combined_weights(self.model, self.class_weight, weights, y))
            else:
                yield one_batch(self.model, check_examples(self.model, x))


def one_batch(model, x, y=None, weights=None):
    """Return all examples of a tuple of sources as one `Batch`, with their labels and weights."""
    everything = slice(None)
    (examples,) = read_ahead(x, [everything])
    return Batch(examples, batch_of(model, y, everything), batch_of(model, weights, everything))


def opened(x, y, sample_weight, batch_size, shuffle=False):
    """Return (x, y, sample_weight, batch_size, shuffle) as they are, or as a set says it (`data.batches`)."""
    if not is_set(x):
        return x, y, sample_weight, 32 if batch_size is None else batch_size, shuffle
    if y is not None or sample_weight is not None:
        name = type(x).__name__
        raise ArgumentError(f"x is a {name}, which holds the labels and their weights itself; leave the others out.")
    return (*x.examples, x.batch_size, x.shuffles)


def opened_validation(validation_data, batch_size):
    """Return (validation_data, validation_batch_size) as they are, or as a set says it."""
    if not is_set(validation_data):
        return validation_data, batch_size
    x, y, sample_weight = validation_data.examples
    return (x, y, sample_weight), validation_data.batch_size if batch_size is None else batch_size


def no_batch():
    """Return the error for a generator, or another object, that has made no batch at all."""
    return DataError("x has made no batch; expected at least one. Is the generator used up? Make a new one.")
