"""Sums and copies of whole arrays, shared out to all cores.

One core reads and writes about 10 GB a second, whatever it computes on the way. Several cores together move more, so
each takes some of the examples. The results use memory that earlier arrays have released (see `memory`).
"""

import numpy as np

from .channels import blocks, long_rows
from .memory import empty
from .parallel import example_slices, share


def add(a, b):
    """Return a + b, for arrays of one shape or of shapes that NumPy broadcasts."""
    return _combine(np.add, a, b)


def multiply(a, b):
    """Return a * b, for arrays of one shape or of shapes that NumPy broadcasts."""
    return _combine(np.multiply, a, b)


def _combine(operation, a, b):
    """Return operation(a, b)."""
    if a.shape != b.shape:
        return operation(a, b)
    y = empty(a.shape, np.result_type(a, b))

    def combine_examples(parts):
        for part in parts:
            operation(a[part], b[part], out=y[part])

    share(combine_examples, example_slices(y))
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


def add_and_relu(a, b):
    """Return max(a + b, 0), in one pass over the arrays."""
    if a.shape != b.shape:
        return np.maximum(a + b, 0)
    y = empty(a.shape, np.result_type(a, b))
    (a_rows, b_rows, y_rows), _ = long_rows(a, b, y)
    zeros = np.zeros(y_rows.shape[1], y.dtype)  # faster than the number 0: see `channels`

    def compute(parts):
        for part in parts:
            block = np.add(a_rows[part], b_rows[part], out=y_rows[part])
            np.maximum(block, zeros, out=block)

    share(compute, blocks(y_rows))
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
