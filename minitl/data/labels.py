"""Labels in the forms that losses expect."""

import numpy as np

from ..errors import DataError


def to_categorical(labels, num_classes=None):
    """Return integer labels (N,) as one-hot rows (N, num_classes) in float32."""
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"labels are {labels.dtype} of shape {labels.shape}; expected integers of shape (N,).")
    if num_classes is None:
        num_classes = int(labels.max()) + 1 if len(labels) else 0
    if len(labels) and not (0 <= labels.min() and labels.max() < num_classes):
        raise DataError(f"labels run from {labels.min()} to {labels.max()}; expected 0 to {num_classes - 1}.")
    return np.eye(num_classes, dtype=np.float32)[labels]


def balanced_weights(labels, classes):
    """Return {class: weight} by which all classes count the same: N / (classes * examples of this class)."""
    counts = np.bincount(labels, minlength=classes)
    return {label: len(labels) / (classes * count) for label, count in enumerate(counts.tolist()) if count}
