"""From examples to batches. An array gives a part of itself; a stream reads one batch ahead, so that reading and
computing overlap.

A *source* is an array, or a stream. A stream (`data.PhotoStream`, `features.on_disk.FeatureRows`) is anything that says
so with `is_stream = True` and has `shape` and `dtype` as the array that it stands for, `read(positions, epoch)` -> the
examples there, and `digest`, a text that is another one when the examples are.
"""

from concurrent.futures import ThreadPoolExecutor


def in_order(count, batch_size):
    """Return slices that cover all of `count` examples."""
    return [slice(first, min(first + batch_size, count)) for first in range(0, count, batch_size)]


def read_ahead(x, batches, epoch=None):
    """Yield the examples of each of `batches` (slices, or arrays of positions) from a source, or from a tuple of
    sources as a tuple. `epoch` is the one of a training: where examples are augmented they are others in each. None: as
    they are."""

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
    return getattr(x, "is_stream", False) is True
