"""Balanced draws: every class is drawn equally often, whatever its size.

With 91 photographs of one class and 403 of another, a classifier gains most by being right on the large one. There are
two ways to make all classes count the same, and the expected gradient is the same for both:

    weights   each example counts in the loss by 1 / the size of its class. A batch of 32 may hold no example of a rare
              class, or one whose weight is large: single steps differ much, and a learning rate that suits the others
              is too high for this one
    draws     each batch holds about the same number of each class. Examples of a rare class come several times in an
              epoch, and not all of a large class come in each one

Both work for a head on kept features, whose problem is convex and whose examples cost nothing. In a second stage, where
kernels move and a rate that is too high does harm, draws are steadier: the recipes' `balance` draws, in both stages.
`class_weights` weighs. Weights are left for who wants each example once in each epoch. A head in closed form
(`training.ridge`) has no batches; it serves for comparison, and does neither.
"""

import hashlib

import numpy as np

from .batches import is_stream


def balanced(x, labels):
    """Return x as a source from which `fit` draws all classes equally often.

    x        an array, a stream, or a tuple of them (several inputs), with N examples;   labels   (N,) integers
    """
    if isinstance(x, tuple):
        return (BalancedDraws(x[0], labels), *x[1:])  # the first one decides the order of all
    return BalancedDraws(x, labels)


class BalancedDraws:
    """A stream of the examples of a source, whose order in training draws all classes equally often.

    An epoch has as many draws as there are examples. Every class has the same number of them, up to one. Its examples
    are drawn in a random order, and again in another order when all have been drawn. The draws follow from the random
    numbers of `fit`, and its checkpoints hold them, so that a resumed training goes on with the same ones.
    """

    is_stream = True

    def __init__(self, source, labels):
        self.source, self.labels = source, np.asarray(labels)
        self.shape, self.dtype = source.shape, source.dtype

    def __len__(self):
        return len(self.source)

    @property
    def is_augmented(self):
        """True if the examples differ in each epoch."""
        return getattr(self.source, "is_augmented", False)

    @property
    def digest(self):
        """A text that changes whenever the examples change."""
        inner = self.source.digest if is_stream(self.source) else hashlib.sha256(self.source.tobytes()).hexdigest()
        return f"balanced {inner}"

    def read(self, positions, epoch=None):
        """Return the examples at `positions` (a slice or an array)."""
        return self.source.read(positions, epoch) if is_stream(self.source) else self.source[positions]

    def order_for(self, batch_size, rng=None):
        """Return the positions of the draws of an epoch, in order: (N,). Without `rng`, all positions, each once."""
        if rng is None:
            of_source = getattr(self.source, "order_for", None)
            return np.arange(len(self)) if of_source is None else of_source(batch_size)
        classes = np.unique(self.labels)
        # The classes take turns, in a random order, so that their numbers differ by one at most.
        turns = np.arange(len(self)) % len(classes)
        draws = np.bincount(turns, minlength=len(classes))[rng.permutation(len(classes))]
        drawn = [_drawn(np.flatnonzero(self.labels == label), count, rng) for label, count in zip(classes, draws)]
        return rng.permutation(np.concatenate(drawn))


def _drawn(examples, count, rng):
    """Return `count` of the examples, in random orders one after the other."""
    rounds = -(-count // len(examples))
    return np.concatenate([rng.permutation(examples) for _ in range(rounds)])[:count]
