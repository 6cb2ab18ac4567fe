"""Cross-entropy: -log of the probability that the model gives to the label.

Softmax and cross-entropy fit together. With p = softmax(z) and a one-hot label t,

    L = -sum_k t_k log p_k        dL/dz_k = p_k - t_k

The last formula follows from the gradient of softmax, dL/dz_k = p_k g_k - p_k sum_j g_j p_j, with g_j = -t_j / p_j:

    dL/dz_k = -t_k + p_k sum_j t_j = p_k - t_k        since t adds up to 1

For p = (0.7, 0.2, 0.1) and t = (0, 1, 0) it is (0.7, -0.8, 0.1).

Training needs the last formula. Its values lie between -1 and 1, and it is exact however wrong the prediction is. It is
computed in two steps: this loss divides by p, and the backward of softmax multiplies by p. The two cancel as long as p
has not been rounded to 0. `kernels.activations.softmax` therefore never returns less than 1.2e-32
(`kernels.precision.smallest_probability` says why this number). So the two steps give p - t for every z (the tests go
to z = +-10,000), and each step is still the exact gradient of its own function. The loss *value* stops growing at
-log(1.2e-32) = 73.5 (in float32).

Predictions that do not come from our softmax or sigmoid are taken as Keras takes them:

- Rows that do not add up to 1 are divided by their sums s, so L = -sum_k t_k log(p_k / s). With T = sum_k t_k,

      dL/dp_k = -t_k / p_k + T / s

  The second term is the same for all k of a row. If all p_k of a row have the same gradient c, softmax's backward gives
  p_k c - p_k sum_j p_j c = 0, so this term vanishes.
- A probability of 0 (anything below 1.2e-32) counts as 1e-7, and a yes-or-no probability of 1 as 1 - 1e-7. L is
  constant there, so its slope is 0: such a prediction teaches nothing. A probability of exactly 0 therefore costs 16.12
  = -log(1e-7), less than the 23.03 of 1e-10. Our softmax and sigmoid never return an exact 0, nor sigmoid an exact 1.
  (Where one of several classes has a probability of 1, L is exactly 0, in Keras 1.2e-7.)

A probability of 1e-10, say, stays what it is: L = 23.03. On TensorFlow Keras finds the softmax and gives the same
number. On PyTorch it gives 16.12 = -log(1e-7) and the slope 0, so the worst examples stop teaching.

With `from_logits=True` the model ends without a softmax, and value and gradient are computed directly from z. Sigmoid
and `BinaryCrossentropy` work together in the same way as softmax and cross-entropy.
"""

import numpy as np

from ..arguments import DTYPE, keras_arguments
from ..errors import ArgumentError, DataError
from ..kernels import ACTIVATIONS, as_float, log_softmax
from ..kernels.precision import smallest_probability
from .base import (
    LAST_AXIS,
    NAME,
    REDUCTION,
    Loss,
    check_count,
    check_one_for_each_output,
    leading_shape,
    mean_of_rows,
    of_rows,
    one_number_each,
    predictions_in,
    same_sizes,
    weights,
)

ZERO = 1e-7  # what a probability of 0 counts as; Keras's epsilon


class _Crossentropy(Loss):
    """The base of the two losses below: L = -(1/M) sum_m log p[m, label_m] over the M predictions."""

    final_activation = "softmax"

    def __init__(self, from_logits=False, **kwargs):
        super().__init__(**kwargs)
        self.from_logits = from_logits

    def one_hot(self, y_true, y_pred):
        """Return the labels as an array in the shape and type of y_pred."""
        raise NotImplementedError

    def forward(self, y_true, y_pred, sample_weight=None):
        """Return -(1/M) sum w t log p."""
        log_p = self.log_probabilities(y_true, y_pred, sample_weight)
        return self.reduced(-(self.t * log_p).sum(axis=-1), of_rows(self.weight))

    def log_probabilities(self, y_true, y_pred, sample_weight=None):
        """Return log p of each class, in the shape of y_pred. It keeps w t as `t`, and what else `backward` needs."""
        y_pred = as_float(y_pred)
        self.check_labels(y_true, y_pred.shape)
        self.weight = weights(sample_weight, y_pred)
        self.count = self.count_labels(y_true, y_pred)
        if not self.from_logits:
            check_probabilities(y_pred)
        self.t = self.one_hot(y_true, y_pred) * self.weight
        if self.from_logits:
            self.log_p = log_softmax(y_pred)
            return self.log_p
        self.y_pred = y_pred
        self.is_zero, self.row_sums = y_pred < smallest_probability(y_pred.dtype), _row_sums(y_pred)
        return np.log(np.where(self.is_zero, ZERO, y_pred / self.row_sums))

    def count_labels(self, y_true, y_pred):
        """Return the number of predictions, M."""
        return predictions_in(y_pred)

    def backward(self):
        """Return dL/dy_pred, from probabilities or from logits.

        Probabilities: dL/dp = (-t / p + T / s) / M, without the terms of probabilities that count as 1e-7: these are
        constant.

        Logits: dL/dz = (p - t) / M. The formula at the head of this file holds for a row of t that adds up to 1. With
        weight w the row is w t, which adds up to w, so dL/dz = (w p - w t) / M.
        """
        if self.from_logits:
            return (np.exp(self.log_p) * self.weight - self.t) / self.divisor
        t = np.where(self.is_zero, 0, self.t)
        slope = t.sum(axis=-1, keepdims=True) / self.row_sums - t / np.where(self.is_zero, 1, self.y_pred)
        return slope / self.divisor


class CategoricalCrossentropy(_Crossentropy):
    """Cross-entropy for one-hot labels (N, classes).

    label_smoothing s   takes s from the labelled class and shares it among all classes: t' = (1 - s) t + s / classes.
                        The loss is then lowest at a probability of 1 - s + s / classes, not at 1, and a single wrong
                        label has less influence
    """

    names = ("categorical_crossentropy",)

    @keras_arguments(after="label_smoothing", axis=LAST_AXIS, reduction=REDUCTION, name=NAME, dtype=DTYPE)
    def __init__(self, from_logits=False, label_smoothing=0.0, **kwargs):
        super().__init__(from_logits, **kwargs)
        self.label_smoothing = _checked_smoothing(label_smoothing)

    def one_hot(self, y_true, y_pred):
        """Return the labels, smoothed if label_smoothing is not 0."""
        t = np.asarray(y_true, y_pred.dtype)
        if self.label_smoothing:
            t = t * (1 - self.label_smoothing) + self.label_smoothing / t.shape[-1]
        return t.astype(y_pred.dtype, copy=False)

    def class_numbers(self, y_true):
        """Return the class of each example (N,) from one-hot or integer labels; None for other shapes."""
        is_one_hot = y_true.ndim == 2 and y_true.shape[1] > 1
        return y_true.argmax(axis=1) if is_one_hot else one_number_each(y_true)

    def check_labels(self, y_true, output_shape):
        """Raise DataError unless labels are rows in the shape of the outputs that add up to 1, nothing below 0."""
        check_count(y_true, output_shape)
        shape, expected = np.shape(y_true), output_shape[1:]
        if not same_sizes(shape[1:], expected):
            hint = "For integer labels use loss='sparse_categorical_crossentropy'."
            if len(shape) == 2:
                hint = f"The model has {expected[-1]} outputs, the labels {shape[1]} classes: they must agree."
            raise DataError(
                f"labels have shape {shape}; expected one-hot rows (N, {', '.join(map(str, expected))}). {hint}"
            )
        sums = np.asarray(y_true).sum(axis=-1)
        if not np.allclose(sums, 1, atol=1e-3) or np.min(y_true, initial=0) < 0:
            raise DataError(
                "one-hot labels must add up to 1 in each row, with nothing below 0; row "
                f"{int(np.abs(sums - 1).argmax())} does not. minitl.utils.to_categorical makes them from integers."
            )


class SparseCategoricalCrossentropy(_Crossentropy):
    """Cross-entropy for integer labels: (N,) for outputs (N, classes), (N, H, W) for outputs (N, H, W, classes).

    Labels may have one more axis of size 1 at the end.

    ignore_class   None, or a label that does not count, such as 255 for unlabelled pixels. It counts neither in the sum
                   nor in the divisor of the mean. Where no label counts, loss and gradient are 0
    """

    names = ("sparse_categorical_crossentropy",)
    accuracy = "sparse_categorical_accuracy"

    @keras_arguments(after="ignore_class", reduction=REDUCTION, axis=LAST_AXIS, name=NAME, dtype=DTYPE)
    def __init__(self, from_logits=False, ignore_class=None, **kwargs):
        super().__init__(from_logits, **kwargs)
        if ignore_class is not None and not isinstance(ignore_class, (int, np.integer)):
            raise ArgumentError(f"ignore_class is {ignore_class!r}; expected None or a whole number.")
        self.ignore_class = ignore_class

    def one_hot(self, y_true, y_pred):
        """Return the integer labels as one-hot rows; a row of zeros, with weight 0, for an ignored label."""
        labels = _flat_labels(y_true, y_pred.shape).astype(np.int64)
        t = np.zeros_like(y_pred)
        if self.ignore_class is None:
            np.put_along_axis(t, labels[..., None], 1, axis=-1)
            return t
        valid = (labels != self.ignore_class)[..., None]  # (N, ..., 1)
        np.put_along_axis(t, np.where(valid, labels[..., None], 0), valid, axis=-1)
        self.weight = self.weight * valid
        return t

    def count_labels(self, y_true, y_pred):
        """Return the number of predictions whose label is not ignored."""
        if self.ignore_class is None:
            return predictions_in(y_pred)
        return int(np.count_nonzero(_flat_labels(y_true, y_pred.shape) != self.ignore_class))

    def counted(self, y_true, y_pred, sample_weight=None):
        """Return which predictions count: those that are not ignored and have a weight above 0; None for all."""
        counted = super().counted(y_true, y_pred, sample_weight)
        if self.ignore_class is None:
            return counted
        valid = _flat_labels(y_true, y_pred.shape) != self.ignore_class
        return valid if counted is None else valid & counted

    def class_numbers(self, y_true):
        """Return the labels as (N,); None for several labels an example."""
        return one_number_each(y_true)

    def check_labels(self, y_true, output_shape):
        """Raise DataError unless each prediction has a whole number below the number of classes, or `ignore_class`."""
        labels, classes = _flat_labels(y_true, output_shape), output_shape[-1]
        if self.ignore_class is not None:
            labels = labels[labels != self.ignore_class]
        if np.any(labels != np.floor(labels)):
            raise DataError("labels must be whole numbers, the index of each example's class.")
        if labels.size and not (0 <= labels.min() and labels.max() < classes):
            raise DataError(
                f"labels run from {labels.min()} to {labels.max()}; the model has {classes} outputs, so they must lie "
                f"between 0 and {classes - 1}. Give the last layer one unit a class, or number the classes from 0."
            )


class BinaryCrossentropy(Loss):
    """Cross-entropy for yes-or-no labels, where each output is an independent question.

    L = -mean(t log p + (1 - t) log(1 - p)) over all entries.

    label_smoothing s   t' = (1 - s) t + s / 2
    """

    names: tuple = ("binary_crossentropy", "bce")
    accuracy = "binary_accuracy"
    final_activation = "sigmoid"

    @keras_arguments(after="label_smoothing", axis=LAST_AXIS, reduction=REDUCTION, name=NAME, dtype=DTYPE)
    def __init__(self, from_logits=False, label_smoothing=0.0, **kwargs):
        super().__init__(**kwargs)
        self.from_logits, self.label_smoothing = from_logits, _checked_smoothing(label_smoothing)

    def check_labels(self, y_true, output_shape):
        """Raise DataError unless there is one label from 0 to 1 for each output."""
        check_one_for_each_output(y_true, output_shape, self)
        y_true = np.asarray(y_true)
        if y_true.size and not (0 <= y_true.min() and y_true.max() <= 1):
            raise DataError(f"labels run from {y_true.min()} to {y_true.max()}; binary cross-entropy expects 0 to 1.")

    def class_numbers(self, y_true):
        """Return the labels as (N,); None for several labels an example."""
        return one_number_each(y_true)

    def forward(self, y_true, y_pred, sample_weight=None):
        """Return -mean(w (t log p + (1 - t) log(1 - p)))."""
        entries = self.entries(y_true, y_pred, sample_weight)
        return self.reduced(mean_of_rows(self.weight * entries), of_rows(self.weight))

    def entries(self, y_true, y_pred, sample_weight=None):
        """Return -t log p - (1 - t) log(1 - p) of each entry, in the shape of y_pred. It keeps t, p and the weights."""
        y_pred = as_float(y_pred)
        self.check_labels(y_true, y_pred.shape)
        self.weight = weights(sample_weight, y_pred)
        self.count = predictions_in(y_pred)
        self.t = np.asarray(y_true, y_pred.dtype).reshape(y_pred.shape)
        if self.label_smoothing:
            self.t = self.t * (1 - self.label_smoothing) + self.label_smoothing / 2
        if self.from_logits:
            # L = log(1 + exp(-z)) + (1 - t) z = max(z, 0) - t z + log(1 + exp(-|z|)), where nothing can overflow.
            z = y_pred
            self.p = ACTIVATIONS["sigmoid"][0](z)
            return np.maximum(z, 0) - z * self.t + np.log1p(np.exp(-np.abs(z)))
        is_zero, is_one = y_pred < smallest_probability(y_pred.dtype), y_pred >= 1
        self.is_certain = is_zero | is_one
        self.p = np.where(is_zero, ZERO, np.where(is_one, 1 - ZERO, y_pred)).astype(y_pred.dtype)
        return -(self.t * np.log(self.p) + (1 - self.t) * np.log1p(-self.p))

    def backward(self):
        """Return dL/dy_pred, where M is the number of entries.

        Probabilities: dL/dp = (-t/p + (1 - t)/(1 - p)) / M = (p - t) / (p (1 - p)) / M, and 0 where p counts as 1e-7
        or 1 - 1e-7 and L is constant.

        Logits: dp/dz = p (1 - p) for a sigmoid, which cancels the divisor: dL/dz = (p - t) / M.
        """
        if self.from_logits:
            return self.weight * (self.p - self.t) / self.entries_count()
        slope = self.weight * (self.p - self.t) / (self.p * (1 - self.p)) / self.entries_count()
        return np.where(self.is_certain, 0, slope)

    def entries_count(self):
        """Return M: the numbers of a prediction, times what the sum of the predictions' losses is divided by."""
        return max(self.p.size // max(self.count, 1), 1) * self.divisor


def check_probabilities(y_pred):
    """Raise DataError for predictions that are finite, and not all from 0 to 1: they are logits."""
    if y_pred.size and not (y_pred.min() >= 0 and y_pred.max() <= 1.001) and np.isfinite(y_pred).all():
        raise DataError(
            f"predictions run from {y_pred.min():.3g} to {y_pred.max():.3g}; cross-entropy expects "
            "probabilities. End the model with a softmax, or use from_logits=True."
        )


def _checked_smoothing(label_smoothing):
    """Return label_smoothing as a float, or raise ArgumentError."""
    if not isinstance(label_smoothing, (int, float)) or not 0 <= label_smoothing < 1:
        raise ArgumentError(f"label_smoothing is {label_smoothing!r}; expected a number from 0 to below 1.")
    return float(label_smoothing)


def _row_sums(p):
    """Return the sum of each row, (N, ..., 1); 1 for a row of zeros, which stays what it is."""
    sums = p.sum(axis=-1, keepdims=True)
    return np.where(sums == 0, 1, sums)


def _flat_labels(y_true, output_shape):
    """Return integer labels without the last axis of size 1 that some data sets have.

    Raises DataError unless there is one number for each prediction.
    """
    check_count(y_true, output_shape)
    labels, leading = np.asarray(y_true), leading_shape(output_shape)
    if labels.dtype.kind not in "biuf":
        raise DataError(f"labels are of type {labels.dtype}; expected numbers. Number the classes from 0.")
    if labels.ndim == len(leading) + 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if not same_sizes(labels.shape, leading):
        each = "example" if len(leading) == 1 else f"prediction: the outputs have shape {tuple(output_shape)}"
        raise DataError(
            f"labels have shape {np.shape(y_true)}; expected integers, one for each {each}. "
            "For one-hot labels use loss='categorical_crossentropy'."
        )
    return labels
