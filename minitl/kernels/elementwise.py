"""Sums and copies of whole arrays, shared out to all cores.

One core reads and writes about 10 GB a second, whatever it computes on the way. Several cores together move more, so
each takes some of the examples. The results use memory that earlier arrays have released (see `memory`).
"""

import numpy as np

from .memory import empty
from .parallel import example_slices, share


def add(a, b):
    """Return a + b, for arrays of one shape or of shapes that NumPy broadcasts."""
    if a.shape != b.shape:
        return a + b
    y = empty(a.shape, np.result_type(a, b))

    def add_examples(parts):
        for part in parts:
            np.add(a[part], b[part], out=y[part])

    share(add_examples, example_slices(y))
    return y


def contiguous(array):
    """Return the array itself if its numbers lie in memory one after the other, otherwise a copy that does."""
    if array.flags.c_contiguous:
        return array
    y = empty(array.shape, array.dtype)

    def copy_examples(parts):
        for part in parts:
            np.copyto(y[part], array[part])

    share(copy_examples, example_slices(y))
    return y


def concatenate(arrays, axis):
    """Return the arrays joined along `axis`, as `np.concatenate` does. `axis` is not the first one."""
    ends = np.cumsum([0, *(each.shape[axis] for each in arrays)])
    shape = list(arrays[0].shape)
    shape[axis] = ends[-1]
    y = empty(tuple(shape), np.result_type(*arrays))
    places = [np.moveaxis(np.moveaxis(y, axis, 0)[start:stop], 0, axis) for start, stop in zip(ends, ends[1:])]

    def copy_examples(parts):
        for part in parts:
            for place, array in zip(places, arrays):
                np.copyto(place[part], array[part])

    share(copy_examples, example_slices(y))
    return y
