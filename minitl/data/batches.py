"""From images to batches. An array gives a part of itself; a stream of photographs reads one batch ahead, so that
decoding and computing overlap.

A stream (`data.PhotoStream`, `feature_store.FeatureRows`) is anything that says so with `is_stream = True` and has
`shape` and `dtype` as the array that it stands for, `read(positions, epoch)` -> the images there, and `digest`, a text
that is another one when the images are.
"""

from concurrent.futures import ThreadPoolExecutor


def in_order(count, batch_size):
    """Slices that cover all of `count` images."""
    return [slice(first, min(first + batch_size, count)) for first in range(0, count, batch_size)]


def read_ahead(x, batches, epoch=None):
    """The images of each of `batches` (slices, or arrays of positions). `epoch` is the one of a training: where images
    are augmented they are others in each. None: as they are."""
    if not is_stream(x):
        yield from (x[batch] for batch in batches)
        return
    with ThreadPoolExecutor(1) as reader:
        ahead = [reader.submit(x.read, batch, epoch) for batch in batches[:1]]
        for following in [*batches[1:], None]:
            images = ahead.pop().result()
            if following is not None:
                ahead.append(reader.submit(x.read, following, epoch))
            yield images


def is_stream(x):
    return getattr(x, "is_stream", False) is True
