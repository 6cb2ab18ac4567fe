"""Intersection over union (IoU) and accuracy of labelled pixels, from one table of counts.

confusion[i, j] is the number of pixels with the label i and the prediction j. It is added up over a whole set of images
(`pixel_confusion`, batch by batch). All numbers come from it:

    pixel accuracy   sum_i confusion[i, i] / sum of all               the share of pixels that are right
    IoU of class c   confusion[c, c] / (row c + column c - confusion[c, c])
                     pixels that are labelled c and predicted c / pixels that are one of the two
    mean IoU         the mean of the IoU over the classes that occur, in labels or in predictions

For the labels 0 0 1 1 and the predictions 0 1 1 1 the table is [[1, 1], [0, 2]]. The accuracy is 3/4, the IoUs are 1/2
and 2/3, their mean is 0.583.

A mean over batches of each batch's IoU would be another number, which depends on the batch size: a class with ten
pixels in one batch would count as much as in another, where it has ten thousand. So the counts are added up first.

Who calls this: `compile(metrics=[MeanIoU(21)])`, and programs with arrays of labels.
"""

import numpy as np

from ..arguments import DTYPE, keras_arguments, number, truth_value, whole_number
from ..errors import ArgumentError, DataError, warn_of_mistake
from ..losses.base import LAST_AXIS
from .base import Metric, spread


class MeanIoU(Metric):
    """The mean IoU over the classes that occur, of all pixels since `reset`.

    num_classes     the number of classes
    ignore_class    None, or a label whose pixels do not count, such as 255. Pixels that the loss ignores, or that have
                    a sample weight of 0, do not count either
    sparse_y_true   True: labels are class numbers. False: they are one-hot rows
    sparse_y_pred   True: predictions are class numbers, or have one score for each class (the largest one is the
                    prediction). Keras takes numbers only. False: they are scores

    Labels and predictions that are not from 0 to num_classes - 1 do not count, and a warning says so; Keras leaves them
    out without a word. Weights count as they are; Keras rounds them down to whole numbers unless dtype is a
    floating-point type.
    """

    name = "mean_io_u"
    larger_is_better = True
    state = ("confusion",)
    target_class_ids: tuple | None = None  # the classes that count; None: all

    @keras_arguments(after="sparse_y_pred", axis=LAST_AXIS)
    @keras_arguments(after="name", dtype=DTYPE)
    def __init__(self, num_classes, name=None, ignore_class=None, sparse_y_true=True, sparse_y_pred=True):
        self.num_classes = whole_number(num_classes, "num_classes")
        self.ignore_class = checked_ignore_class(ignore_class)
        self.sparse_y_true = truth_value(sparse_y_true, "sparse_y_true")
        self.sparse_y_pred = truth_value(sparse_y_pred, "sparse_y_pred")
        super().__init__(name=name)

    def reset(self):
        """Forget all batches."""
        self.confusion = np.zeros((self.num_classes, self.num_classes), np.int64)

    def update(self, y_true, y_pred, sample_weight=None):
        """Add a batch of labels and predictions. The axes of `sample_weight` are the first axes of the labels."""
        labels, predicted = np.asarray(y_true), np.asarray(y_pred)
        labels = labels if self.sparse_y_true else labels.argmax(axis=-1)
        predicted = predicted if self.sparse_y_pred else predicted.argmax(axis=-1)
        labels, predicted = _same_shape(labels, predicted, self.num_classes)
        labels, predicted, sample_weight = self._of_known_classes(labels, predicted, sample_weight)
        self.confusion = self.confusion + pixel_confusion(
            labels, predicted, self.num_classes, self.ignore_class, sample_weight
        )

    def _of_known_classes(self, labels, predicted, sample_weight):
        """Return labels, predictions and weights that are 0 where one of the two is no class; of this it warns, unless
        the label is to be ignored."""
        known = _is_class(labels, self.num_classes) & _is_class(predicted, self.num_classes)
        weight = spread(True if sample_weight is None else sample_weight, labels.shape, self.name)
        strange = np.count_nonzero(~known & (labels != self.ignore_class) & (weight != 0))
        if not strange:
            return labels, predicted, sample_weight
        warn_of_mistake(
            f"metric '{self.name}': {strange} labels or predictions are not from 0 to {self.num_classes - 1}, and do "
            "not count. If this is meant, give ignore_class, such as 255, or sample_weight."
        )
        return np.where(known, labels, 0), np.where(known, predicted, 0), weight * known

    def result(self):
        """Return the mean IoU; 0 before the first pixel."""
        of_classes = iou_from_confusion(self.confusion)
        if self.target_class_ids is not None:
            of_classes = of_classes[list(self.target_class_ids)]
        occurs = ~np.isnan(of_classes)
        return float(of_classes[occurs].mean()) if occurs.any() else 0.0


class IoU(MeanIoU):
    """The mean IoU over some classes, those of them that occur. The other arguments are those of `MeanIoU`.

    target_class_ids   the numbers of these classes: [1] gives the IoU of class 1
    """

    name = "io_u"

    @keras_arguments(after="sparse_y_pred", axis=LAST_AXIS)
    @keras_arguments(after="name", dtype=DTYPE)
    def __init__(
        self, num_classes, target_class_ids, name=None, ignore_class=None, sparse_y_true=True, sparse_y_pred=True
    ):
        super().__init__(
            num_classes,
            name=name,
            ignore_class=ignore_class,
            sparse_y_true=sparse_y_true,
            sparse_y_pred=sparse_y_pred,
        )
        given = target_class_ids if isinstance(target_class_ids, (list, tuple)) else [target_class_ids]
        self.target_class_ids = [whole_number(each, "target_class_ids", 0) for each in given]
        if max(self.target_class_ids, default=num_classes) >= num_classes:
            raise ArgumentError(
                f"target_class_ids is {target_class_ids!r}; expected numbers from 0 to {num_classes - 1}."
            )


class BinaryIoU(IoU):
    """The IoU of yes and no: outputs of at least `threshold` are of class 1, the others of class 0."""

    name = "binary_io_u"

    @keras_arguments(after="name", dtype=DTYPE)
    def __init__(self, target_class_ids=(0, 1), threshold=0.5, name=None):
        super().__init__(2, target_class_ids, name=name)
        self.threshold = number(threshold, "threshold", -1e30, 1e30)

    def update(self, y_true, y_pred, sample_weight=None):
        """Add a batch of labels 0 and 1 and outputs of the same shape."""
        super().update(y_true, (np.asarray(y_pred) >= self.threshold).astype(np.intp), sample_weight)


class OneHotIoU(IoU):
    """The IoU of some classes, for one-hot labels and scores (N, ..., classes)."""

    name = "one_hot_io_u"

    @keras_arguments(after="sparse_y_pred", axis=LAST_AXIS)
    @keras_arguments(after="name", dtype=DTYPE)
    def __init__(self, num_classes, target_class_ids, name=None, ignore_class=None, sparse_y_pred=False):
        super().__init__(
            num_classes,
            target_class_ids,
            name=name,
            ignore_class=ignore_class,
            sparse_y_true=False,
            sparse_y_pred=sparse_y_pred,
        )


class OneHotMeanIoU(MeanIoU):
    """The mean IoU of all classes, for one-hot labels and scores (N, ..., classes)."""

    name = "one_hot_mean_io_u"

    @keras_arguments(after="sparse_y_pred", axis=LAST_AXIS)
    @keras_arguments(after="name", dtype=DTYPE)
    def __init__(self, num_classes, name=None, ignore_class=None, sparse_y_pred=False):
        super().__init__(
            num_classes, name=name, ignore_class=ignore_class, sparse_y_true=False, sparse_y_pred=sparse_y_pred
        )


def pixel_confusion(labels, predicted, classes, ignore=None, weights=None):
    """Return how often each label and prediction occur together: (classes, classes), whole numbers.

    labels      class numbers of any shape, such as (N, H, W); a last axis of size 1 may follow
    predicted   class numbers of the same shape; or one score for each class, (N, H, W, classes): then the class with
                the largest score is the prediction. A pixel with the scores 0.4 and 0.6 is of class 1
    ignore      None, or a label whose pixels are left out
    weights     None, or how much each pixel counts: then the entries are sums of weights. Booleans: False leaves a
                pixel out. The axes are the first axes of the labels

    Raises DataError for shapes that do not go together, for numbers that are not whole, and for labels or predictions
    that are not from 0 to classes - 1.
    """
    labels, predicted = _same_shape(np.asarray(labels), np.asarray(predicted), classes)
    counts = None if ignore is None else labels != ignore
    if weights is not None:
        weights = np.asarray(weights)
        if weights.ndim > labels.ndim or weights.shape != labels.shape[: weights.ndim]:
            raise DataError(f"sample_weight has shape {weights.shape}; the labels have {labels.shape}.")
        weights = np.broadcast_to(weights.reshape(*weights.shape, *[1] * (labels.ndim - weights.ndim)), labels.shape)
        counts = weights != 0 if counts is None else counts & (weights != 0)
    if counts is not None:
        labels, predicted = labels[counts], predicted[counts]
    if weights is not None:
        weights = None if weights.dtype == bool else weights[counts]
    advice = "" if ignore is not None else ", or a label to ignore (ignore_class, such as 255)"
    labels = _class_numbers(labels, classes, "labels", advice)
    predicted = _class_numbers(predicted, classes, "predictions", ", or one score for each class along the last axis")
    pairs = (labels * classes + predicted).reshape(-1)  # a number for each pair: row and column of the table
    if weights is not None:
        weights = weights.reshape(-1)
    return np.bincount(pairs, weights, minlength=classes * classes).reshape(classes, classes)


def iou_from_confusion(confusion):
    """Return the IoU of each class, (classes,); NaN for a class that occurs neither in labels nor in predictions."""
    both = np.diag(confusion).astype(np.float64)
    one_of_them = confusion.sum(axis=0) + confusion.sum(axis=1) - both
    return np.where(one_of_them > 0, both / np.where(one_of_them > 0, one_of_them, 1), np.nan)


def pixel_accuracy(confusion):
    """Return the share of pixels that are right; 0 if there are none."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else 0.0


def checked_ignore_class(ignore_class):
    """Return ignore_class. Raises ArgumentError unless it is None or a whole number."""
    if ignore_class is not None and (isinstance(ignore_class, bool) or not isinstance(ignore_class, (int, np.integer))):
        raise ArgumentError(f"ignore_class is {ignore_class!r}; expected None or a whole number.")
    return None if ignore_class is None else int(ignore_class)


def _same_shape(labels, predicted, classes):
    """Return labels and predictions in the same shape: scores become the class with the largest one, and last axes of
    size 1 that one of the two does not have are left out. Raises DataError for other shapes."""
    shapes = f"labels have shape {labels.shape}, predictions {predicted.shape}"
    if labels.ndim == predicted.ndim and labels.shape[-1:] == (1,) and predicted.shape[-1:] != (1,):
        labels = labels[..., 0]
    if predicted.ndim == labels.ndim + 1 and predicted.shape[-1] == classes:
        predicted = predicted.argmax(axis=-1)
    elif predicted.ndim == labels.ndim + 1 and predicted.shape[-1] == 1:
        predicted = predicted[..., 0]
    elif labels.ndim == predicted.ndim + 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.shape != predicted.shape:
        raise DataError(
            f"{shapes}; expected one class number for each label, or {classes} scores (num_classes) on one more axis."
        )
    return labels, predicted


def _is_class(numbers, classes):
    """Return which numbers are at least 0 and below `classes`."""
    return (numbers >= 0) & (numbers < classes)


def _class_numbers(numbers, classes, what, advice):
    """Return class numbers as integers. Raises DataError unless they are whole and from 0 to classes - 1."""
    if numbers.dtype.kind not in "biuf" or (numbers.dtype.kind == "f" and np.any(numbers != np.floor(numbers))):
        raise DataError(f"{what} are not whole numbers; expected class numbers from 0 to {classes - 1}{advice}.")
    if numbers.size and not (0 <= numbers.min() and numbers.max() < classes):
        raise DataError(
            f"{what} run from {numbers.min():g} to {numbers.max():g}; expected class numbers from 0 to "
            f"{classes - 1}{advice}."
        )
    return numbers.astype(np.intp)
