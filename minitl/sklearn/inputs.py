"""Inputs of the estimators, X, as a source of examples: paths of photographs, arrays of images, or flat rows.

    paths     a list, a row or a column of texts or `pathlib.Path`s: read as every recipe reads photographs
    images    (N, H, W, 3), (N, H, W, 1) or (N, H, W), pixels from 0 to 255: resized to the size that the base takes
    rows      (N, H * W * C), as scikit-learn's own tables are, together with an `input_shape` (H, W, C)

Read next: `estimators`, which calls this.
"""

import hashlib
import math
import os
from pathlib import Path

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from ..data import Photo, grey_to_rgb, resize
from ..data.photos import in_threads, require_file
from ..data.preparation import PREPARATIONS
from ..errors import DataError, ShapeError, warn_of_mistake
from ..recipes.view import photograph_stream

EXAMPLES_FOR_RANGE = 64  # images whose range is looked at


def is_paths(X):
    """Return whether X holds texts or paths."""
    if isinstance(X, (str, os.PathLike)):
        raise DataError(f"X is one path, {X}; expected a list of paths, one for each photograph.")
    if hasattr(X, "iloc"):  # a table or a column of pandas
        X = X.to_numpy()
    if not isinstance(X, (list, tuple, np.ndarray)) or isinstance(X, np.ndarray) and not X.ndim:
        return False
    first = X[0] if len(X) else None
    if isinstance(first, (list, tuple, np.ndarray)) and len(first):
        first = first[0]
    return isinstance(first, (str, os.PathLike))


def photographs(X, prepare, size):
    """Return the photographs at the paths X as a stream of examples (size, size, 3)."""
    paths = np.array(X, dtype=object)
    if paths.ndim == 2 and paths.shape[1] == 1:  # a column of a table
        paths = paths[:, 0]
    if paths.ndim != 1 or not all(isinstance(path, (str, os.PathLike)) for path in paths):
        raise DataError(f"X holds paths and has shape {paths.shape}; expected a path for each example: (N,) or (N, 1).")

    def photo(path):
        require_file(path)
        return Photo(path, 0, hashlib.sha256(path.read_bytes()).hexdigest())

    return photograph_stream(list(in_threads(photo, [Path(path) for path in paths])), prepare, size)


def numbers(estimator, X, reset):
    """Return X as a finite array of numbers. Tables (N, D) are checked by all of scikit-learn's rules.

    reset   True in `fit`, which notes the number and the names of the columns; False afterwards, when they must fit
    """
    axes = X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim
    if axes < 3:
        return validate_data(estimator, X, reset=reset)
    return check_array(X, ensure_2d=False, allow_nd=True)


def images(array, input_shape):
    """Return an array of images or of flat rows as (N, H, W, C), C = 1 or 3.

    input_shape   (H, W) or (H, W, C) of an image in a flat row; one of the numbers may be -1, for what is left
    """
    if array.ndim == 2:
        array = array.reshape(len(array), *_shape_of_a_row(array.shape[1], input_shape))
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] not in (1, 3):
        raise ShapeError(
            f"X has shape {array.shape}; expected images (N, height, width, 3), or (N, height, width) in grey."
        )
    return array


def _shape_of_a_row(count, input_shape):
    """Return the shape of the image in a flat row of `count` numbers."""
    if input_shape is None:
        raise ShapeError(
            f"X has {count} numbers for each example; expected paths or images (N, height, width, 3). For flat rows, "
            "give input_shape=(height, width, channels); for features that are computed already, base=None."
        )
    sizes = list(input_shape) if isinstance(input_shape, (list, tuple)) else []
    if not all(isinstance(size, (int, np.integer)) and (size > 0 or size == -1) for size in sizes):
        sizes = []
    if len(sizes) not in (2, 3) or sizes.count(-1) > 1:
        raise ShapeError(f"input_shape is {input_shape!r}; expected (height, width, channels), one of them -1 at most.")
    known = math.prod(size for size in sizes if size != -1)
    if count % known or (-1 not in sizes and count != known):
        raise ShapeError(f"X has {count} numbers for each example; input_shape {tuple(sizes)} has {known}.")
    return [count // known if size == -1 else size for size in sizes]


class ImageStream:
    """A stream of images that are in memory, prepared for a network: resized to (size, size, 3).

    The image is stretched where it is no square. (Of a photograph's file, the middle is taken.) The attributes are
    those that `features.on_disk` asks of a source.
    """

    is_stream = True
    dtype = np.dtype("float32")
    noun = "image"

    def __init__(self, images, prepare, size):
        self.images, self.prepare = images, prepare
        self.shape, self.origins = (len(images), size, size, 3), range(len(images))
        about = f"{images.dtype.str} {images.shape[1:]}".encode()
        self.keys = [hashlib.sha256(about + np.ascontiguousarray(each).tobytes()).hexdigest() for each in images]
        self.preparation = ["arrays", f"{prepare.__module__}.{prepare.__qualname__}"]

    def __len__(self):
        return len(self.images)

    def read(self, positions, epoch=None):
        """Return the prepared images at `positions`: (n, size, size, 3). They are the same in every epoch."""
        found, (_, height, width, _) = self.images[positions], self.shape
        if found.shape[1:3] != (height, width):
            found = resize(found, height, width)
        return self.prepare(grey_to_rgb(found) if found.shape[3] == 1 else found)

    def read_unchanged(self, positions):
        """Return (the prepared images at `positions`, {}): arrays in memory can all be read."""
        return self.read(positions), {}


def warn_of_range(images, base, smallest_size):
    """Warn if images run from 0 to 1, or are prepared already: the estimators prepare pixels from 0 to 255 themselves.

    A table of numbers that was put into the shape of a tiny image is no photograph, and has any range.
    """
    if min(images.shape[1:3]) < smallest_size or images.shape[3] != 3:
        return
    some = images[:EXAMPLES_FOR_RANGE]
    prepared = PREPARATIONS[base].function(some)
    mistake = PREPARATIONS[base].mistake(float(prepared.min()), float(prepared.max()))
    if mistake is not None and some.min() < some.max():
        warn_of_mistake(
            f"the images run from {some.min():.4g} to {some.max():.4g}; expected pixels from 0 to 255, which the "
            f"estimator prepares for {base} itself.",
            mistake,
        )
