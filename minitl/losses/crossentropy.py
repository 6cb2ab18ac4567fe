"""Cross-entropy."""

import numpy as np

from ..errors import ArgumentError, DataError
from ..kernels import ACTIVATIONS, as_float, log_softmax
from .base import Loss, _check_as_many, _check_count, _rows, _weight, one_number_each


class _Crossentropy(Loss):
    """L = -(1/N) sum_n log p[n, label_n], for one-hot labels and for integers alike."""

    working_state = ("t", "y_pred", "weight")
    final_activation = "softmax"

    def __init__(self, from_logits=False):
        self.from_logits = from_logits

    def one_hot(self, y_true, y_pred):
        raise NotImplementedError

    def forward(self, y_true, y_pred, sample_weight=None):
        y_pred = as_float(y_pred)
        self.check_labels(y_true, y_pred.shape)
        self.weight = _weight(sample_weight, y_pred)
        if not self.from_logits and y_pred.size and not (y_pred.min() >= 0 and y_pred.max() <= 1.001):
            if np.isfinite(y_pred).all():
                raise DataError(
                    f"predictions run from {y_pred.min():.3g} to {y_pred.max():.3g}; cross-entropy expects "
                    "probabilities. End the model with a softmax, or use from_logits=True."
                )
        self.t = self.one_hot(y_true, y_pred) * self.weight
        self.y_pred = y_pred
        log_p = log_softmax(y_pred) if self.from_logits else np.log(_above_zero(y_pred))
        return float(-(self.t * log_p).sum() / _rows(y_pred))

    def backward(self):
        """From probabilities: dL/dp = -t / p / N.   From logits: dL/dz = (p - t) / N, derived above for one row of t
        that adds up to 1. A row of weight w has w t for t, which adds up to w: dL/dz = (w p - w t) / N."""
        if self.from_logits:
            return (np.exp(log_softmax(self.y_pred)) * self.weight - self.t) / _rows(self.y_pred)
        return -self.t / _above_zero(self.y_pred) / _rows(self.y_pred)


class CategoricalCrossentropy(_Crossentropy):
    """Cross-entropy for one-hot labels (N, classes).

    label_smoothing s   takes s from the right class and shares it among all: t' = (1 - s) t + s / classes. The network
                        then has no reason to become surer than 1 - s, and single wrong labels pull less
    """

    def __init__(self, from_logits=False, label_smoothing=0.0):
        super().__init__(from_logits)
        self.label_smoothing = _share(label_smoothing)

    def one_hot(self, y_true, y_pred):
        t = np.asarray(y_true, y_pred.dtype)
        if self.label_smoothing:
            t = t * (1 - self.label_smoothing) + self.label_smoothing / t.shape[-1]
        return t.astype(y_pred.dtype, copy=False)

    def class_numbers(self, y_true):
        is_one_hot = y_true.ndim == 2 and y_true.shape[1] > 1
        return y_true.argmax(axis=1) if is_one_hot else one_number_each(y_true)

    def check_labels(self, y_true, output_shape):
        _check_count(y_true, output_shape)
        shape, expected = np.shape(y_true), output_shape[1:]
        if shape[1:] != tuple(expected):
            hint = "For integer labels use loss='sparse_categorical_crossentropy'."
            if len(shape) == 2:
                hint = f"The model has {expected[-1]} outputs, the labels {shape[1]} classes: they must agree."
            raise DataError(
                f"labels have shape {shape}; expected one-hot rows (N, {', '.join(map(str, expected))}). {hint}"
            )
        sums = np.asarray(y_true).sum(axis=-1)
        if not np.allclose(sums, 1, atol=1e-3) or np.min(y_true) < 0:
            raise DataError(
                "one-hot labels must add up to 1 in each row, with nothing below 0; row "
                f"{int(np.abs(sums - 1).argmax())} does not. minitl.utils.to_categorical makes them from integers."
            )


class SparseCategoricalCrossentropy(_Crossentropy):
    """Cross-entropy for integer labels (N,) or (N, 1)."""

    def one_hot(self, y_true, y_pred):
        labels = _flat_labels(y_true, y_pred.shape).astype(np.int64)
        return np.eye(y_pred.shape[-1], dtype=y_pred.dtype)[labels]

    def class_numbers(self, y_true):
        return one_number_each(y_true)

    def check_labels(self, y_true, output_shape):
        labels, classes = _flat_labels(y_true, output_shape), output_shape[-1]
        if np.any(labels != np.floor(labels)):
            raise DataError("labels must be whole numbers, the index of each image's class.")
        if labels.size and not (0 <= labels.min() and labels.max() < classes):
            raise DataError(
                f"labels run from {labels.min()} to {labels.max()}; the model has {classes} outputs, so they must lie "
                f"between 0 and {classes - 1}. Give the last layer one unit a class, or number the classes from 0."
            )


class BinaryCrossentropy(Loss):
    """-mean(t log p + (1 - t) log(1 - p)) over all entries: yes-or-no labels, one independent question an output.

    label_smoothing s   t' = (1 - s) t + s / 2
    """

    working_state = ("t", "p", "weight")
    final_activation = "sigmoid"

    def __init__(self, from_logits=False, label_smoothing=0.0):
        self.from_logits, self.label_smoothing = from_logits, _share(label_smoothing)

    def check_labels(self, y_true, output_shape):
        _check_as_many(y_true, output_shape, self)
        y_true = np.asarray(y_true)
        if y_true.size and not (0 <= y_true.min() and y_true.max() <= 1):
            raise DataError(f"labels run from {y_true.min()} to {y_true.max()}; binary cross-entropy expects 0 to 1.")

    def class_numbers(self, y_true):
        return one_number_each(y_true)

    def forward(self, y_true, y_pred, sample_weight=None):
        y_pred = as_float(y_pred)
        self.check_labels(y_true, y_pred.shape)
        self.weight = _weight(sample_weight, y_pred)
        self.t = np.asarray(y_true, y_pred.dtype).reshape(y_pred.shape)
        if self.label_smoothing:
            self.t = self.t * (1 - self.label_smoothing) + self.label_smoothing / 2
        if self.from_logits:
            # -log sigmoid(z) = log(1 + exp(-z)); with t of z taken out, nothing is left that could overflow.
            z = y_pred
            self.p = ACTIVATIONS["sigmoid"][0](z)
            return float(np.mean(self.weight * (np.maximum(z, 0) - z * self.t + np.log1p(np.exp(-np.abs(z))))))
        self.p = np.clip(y_pred, np.finfo(y_pred.dtype).tiny, 1 - np.finfo(y_pred.dtype).epsneg)
        return float(-np.mean(self.weight * (self.t * np.log(self.p) + (1 - self.t) * np.log1p(-self.p))))

    def backward(self):
        """dL/dp = (-t/p + (1 - t)/(1 - p)) / M = (p - t) / (p (1 - p)) / M, and dp/dz = p (1 - p) cancels the divisor
        when it is a sigmoid's: dL/dz = (p - t) / M. M is the number of entries."""
        if self.from_logits:
            return self.weight * (self.p - self.t) / self.p.size
        return self.weight * (self.p - self.t) / (self.p * (1 - self.p)) / self.p.size


def _share(label_smoothing):
    if not isinstance(label_smoothing, (int, float)) or not 0 <= label_smoothing < 1:
        raise ArgumentError(f"label_smoothing is {label_smoothing!r}; expected a number from 0 to below 1.")
    return float(label_smoothing)


def _above_zero(p):
    """Probabilities that the model did not take from our softmax may be 0."""
    return np.maximum(p, np.finfo(p.dtype).tiny)


def _flat_labels(y_true, output_shape):
    """Integer labels without a last axis of size 1, which some data sets have."""
    _check_count(y_true, output_shape)
    labels = np.asarray(y_true)
    if labels.dtype.kind not in "biuf":
        raise DataError(f"labels are of type {labels.dtype}; expected numbers. Number the classes from 0.")
    if labels.ndim == len(output_shape) and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.ndim != len(output_shape) - 1:
        raise DataError(
            f"labels have shape {labels.shape}; expected integers, one for each image. "
            "For one-hot labels use loss='categorical_crossentropy'."
        )
    return labels
