"""Batches of examples from a source. An array is sliced. A stream reads one batch ahead, so that reading and computing
overlap.

A *source* is an array or a stream. A stream (`data.PhotoStream`, `features.on_disk.FeatureRows`) is any object with

    is_stream                  True
    __len__()                  the number of examples
    shape, dtype               those of the array that it stands for
    read(positions, epoch)     returns the examples at these positions
    digest                     a text that changes whenever the examples change

A stream whose batches should not be any batches also has

    order_for(batch_size, rng)   returns all positions in the order in which a pass takes them, `batch_size` at a time.
                                 `rng` draws the order of a training; None: a pass in which nothing is trained

A stream of texts of different lengths uses it to bring equal ones together (`text.stream`). Its `shape` is (N, None):
each batch has a length of its own.

A *set* is an object that says how it wants to be trained on:

    is_set                     True
    examples                   (x, y, sample_weight): a source, and labels and weights or None
    batch_size, shuffles       as `batch_size` and `shuffle` of `fit`
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np


class Converted:
    """An array (N, ...) in another type, converted batch by batch: a copy of it as a whole may not fit into memory."""

    def __init__(self, array, dtype):
        self.array, self.dtype, self.shape = array, np.dtype(dtype), array.shape

    def __len__(self):
        return len(self.array)

    def __getitem__(self, batch):
        return self.array[batch].astype(self.dtype)


def part_of(x, where):
    """Return a part of an array, or of a `Converted` one; nothing is copied or converted for a slice."""
    return Converted(x.array[where], x.dtype) if isinstance(x, Converted) else x[where]


def in_order(count, batch_size):
    """Return slices of `batch_size` that cover `count` examples in order. The last one may be smaller."""
    return [slice(first, min(first + batch_size, count)) for first in range(0, count, batch_size)]


def training_order(sources, batch_size, rng):
    """Return the positions of all examples in the order of an epoch, drawn by `rng`: (N,). `sources` is a tuple; the
    first one with `order_for` decides."""
    chooser = _chooser(sources)
    return rng.permutation(len(sources[0])) if chooser is None else chooser.order_for(batch_size, rng)


def one_pass(sources, batch_size):
    """Return the batches of a pass in which nothing is trained: slices in order, or arrays of positions if one of the
    sources, a tuple, has `order_for`. Every example is in one batch."""
    chooser, batches = _chooser(sources), in_order(len(sources[0]), batch_size)
    if chooser is None:
        return batches
    order = chooser.order_for(batch_size, None)
    return [order[batch] for batch in batches]


def _chooser(sources):
    return next((each for each in sources if is_stream(each) and hasattr(each, "order_for")), None)


def varies(x):
    """Return whether the batches of a source differ in a size, so that they do not fit into one array."""
    return None in tuple(x.shape)


def read_ahead(x, batches, epoch=None):
    """Yield the examples of each of the `batches` (slices, or arrays of positions).

    x       a source, or a tuple of sources; then a tuple is yielded for each batch
    epoch   the epoch of a training: augmented examples differ in each epoch. None: the examples are unchanged
    """

    def read(batch):
        if isinstance(x, tuple):
            return tuple(each.read(batch, epoch) if is_stream(each) else each[batch] for each in x)
        return x.read(batch, epoch) if is_stream(x) else x[batch]

    if not any(map(is_stream, x if isinstance(x, tuple) else (x,))):
        yield from map(read, batches)
        return
    with ThreadPoolExecutor(1) as reader:
        ahead = [reader.submit(read, batch) for batch in batches[:1]]
        for following in [*batches[1:], None]:
            examples = ahead.pop().result()
            if following is not None:
                ahead.append(reader.submit(read, following))
            yield examples


def is_stream(x):
    """Return whether the source x is a stream."""
    return getattr(x, "is_stream", False) is True


def is_set(x):
    """Return whether x is a set: examples with their labels."""
    return getattr(x, "is_set", False) is True
