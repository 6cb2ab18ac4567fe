"""Sums and copies of whole maps, number by number, by all cores.

One core moves about 10 GB a second, whatever it does with the numbers; so what is shared out is the moving. Results go
to used memory (`memory`).
"""

import numpy as np

from .memory import empty
from .parallel import image_slices, share


def add(a, b):
    """a + b, of one shape (or of shapes that NumPy stretches to one)."""
    if a.shape != b.shape:
        return a + b
    y = empty(a.shape, np.result_type(a, b))

    def add_images(parts):
        for part in parts:
            np.add(a[part], b[part], out=y[part])

    share(add_images, image_slices(y))
    return y


def concatenate(arrays, axis):
    """`np.concatenate` along an axis other than the first."""
    ends = np.cumsum([0, *(each.shape[axis] for each in arrays)])
    shape = list(arrays[0].shape)
    shape[axis] = ends[-1]
    y = empty(tuple(shape), np.result_type(*arrays))
    places = [np.moveaxis(np.moveaxis(y, axis, 0)[start:stop], 0, axis) for start, stop in zip(ends, ends[1:])]

    def copy_images(parts):
        for part in parts:
            for place, array in zip(places, arrays):
                np.copyto(place[part], array[part])

    share(copy_images, image_slices(y))
    return y
