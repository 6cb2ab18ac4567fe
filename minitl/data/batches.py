"""Batches of examples from a source. An array is sliced. A stream reads one batch ahead, so that reading and computing
overlap.

A *source* is an array or a stream. A stream (`data.PhotoStream`, `features.on_disk.FeatureRows`) is any object with

    is_stream                  True
    __len__()                  the number of examples
    shape, dtype               those of the array that it stands for
    read(positions, epoch)     returns the examples at these positions
    digest                     a text that changes whenever the examples change
"""

from concurrent.futures import ThreadPoolExecutor


def in_order(count, batch_size):
    """Return slices of `batch_size` that cover `count` examples in order. The last one may be smaller."""
    return [slice(first, min(first + batch_size, count)) for first in range(0, count, batch_size)]


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
