"""Labels in the forms that losses expect."""

import numpy as np

from ..errors import DataError


def to_categorical(x, num_classes=None):
    """Return the class numbers x (...) as one-hot rows (..., num_classes) in float32. A last axis of size 1 is left
    out."""
    x = np.asarray(x)
    if x.dtype.kind == "f" and np.isfinite(x).all() and (x == np.floor(x)).all():
        x = x.astype(np.int64)  # class numbers that were read from a table
    if x.ndim > 1 and x.shape[-1] == 1:
        x = x[..., 0]
    if x.dtype.kind not in "iub":
        raise DataError(f"x is {x.dtype} of shape {x.shape}; expected the numbers of classes, from 0 on.")
    if not num_classes:
        num_classes = int(x.max()) + 1 if x.size else 0
    if x.size and not (0 <= x.min() and x.max() < num_classes):
        raise DataError(f"labels run from {x.min()} to {x.max()}; expected 0 to {num_classes - 1}.")
    return np.eye(num_classes, dtype=np.float32)[x.astype(np.int64)]


def normalize(x, axis=-1, order=2):
    """Return x with its vectors along `axis` divided by their norm of this order. Vectors of zeros stay as they are."""
    x = np.asarray(x)
    norm = np.atleast_1d(np.linalg.norm(x, order, axis))
    norm[norm == 0] = 1
    return x / np.expand_dims(norm, axis)


def balanced_weights(labels, classes):
    """Return {class: weight} by which all classes count the same: N / (classes * examples of this class)."""
    counts = np.bincount(labels, minlength=classes)
    return {label: len(labels) / (classes * count) for label, count in enumerate(counts.tolist()) if count}
