"""The base of all losses: a loss is one number for how wrong the predictions are, and its gradient.

    loss = criterion.forward(y_true, y_pred)     a float, the mean over all predictions. forward(y_true, y_pred, weight)
                                                 multiplies each prediction's loss by its weight. The divisor is still
                                                 the number of predictions, as in Keras
    grad = criterion.backward()                  dL/dy_pred, in the shape of y_pred. model.backward(grad) comes next

A *prediction* is one row of y_pred along its last axis. Any number of axes may stand before that axis: y_pred is (N, C)
for one label an example, (N, T, C) for one label a time step, (N, H, W, C) for one label a pixel. Labels must have the
same leading axes. Labels (N, 1, 1) for pixels raise an error, because NumPy would broadcast them silently.

Sample weights have all the leading axes or the first few of them: (N,) weighs examples, (N, H, W) weighs pixels. A
padding mask and an ignored region are weights of 0.
"""

from typing import Any

import numpy as np

from ..arguments import DTYPE, NotHere, OfBase, call_text, keras_arguments
from ..configured import Configured
from ..errors import ArgumentError, DataError
from ..kernels import as_float

REDUCTION, NAME = OfBase("sum_over_batch_size"), OfBase()  # arguments that `Loss` has for all losses
ONLY_MEAN = NotHere("sum_over_batch_size", instead="This loss is a mean; multiply it, or use loss_weights.")
MEANS = "sum_over_batch_size", "mean"
REDUCTIONS = (*MEANS, "sum", "mean_with_sample_weight", "none", None)
LAST_AXIS = NotHere(-1, instead="Classes are the last axis of the predictions.")


class Loss(Configured):
    """The base of all losses. A subclass defines `check_labels`, if it likes, and one of these:

    call, slope          `call(y_true, y_pred)` returns the loss of each prediction (N, ...), as in Keras; and
                         `slope(y_true, y_pred)` the derivative of each of them by the numbers of its own prediction, in
                         the shape of y_pred. Without `slope` a loss can be computed, but no model be trained with it
    forward, backward    as below: for losses that are not computed for each prediction by itself

    reduction            how the weighted losses of all predictions become one number (`reduced`)
        "sum_over_batch_size", "mean"   their sum, divided by the number of predictions: what `fit` needs
        "sum"                           their sum
        "mean_with_sample_weight"       their sum, divided by the sum of the weights
        None, "none"                    no number: `forward` returns the losses, an array (N, ...)

    names                Keras's names for the loss, for compile(loss=...)
    count                set by `forward`: the number of predictions in the mean. None stands for the number of examples
    final_activation     the activation that a model for this loss ends with, unless from_logits: "softmax", "sigmoid"
    takes_class_weight   False if `fit` should refuse a class_weight, because a label is more than one class
    working_state        names of attributes that `forward` leaves for `backward`. Arrays need not be named. All other
                         attributes are settings: training resumed from a checkpoint must have the same
    remembers            names of attributes that last from batch to batch, such as a running mean: numbers, text and
                         arrays. A checkpoint keeps them
    """

    names: tuple = ()
    accuracy = "categorical_accuracy"  # the name in `minitl.metrics` that metrics=["accuracy"] means with this loss
    final_activation: str | None = None
    from_logits = False
    takes_class_weight = True
    count = None
    divisor: Any = 1
    reduction: str | None = "sum_over_batch_size"
    name: str | None = None
    working_state: tuple = ("count", "divisor", "shape")
    remembers: tuple = ()

    @keras_arguments(after="reduction", dtype=DTYPE)
    def __init__(self, name=None, reduction="sum_over_batch_size"):
        if reduction not in REDUCTIONS:
            raise ArgumentError(f"reduction is {reduction!r}; expected one of {', '.join(map(repr, REDUCTIONS))}.")
        if reduction != "sum_over_batch_size":
            self.reduction = None if reduction == "none" else reduction
        if name is not None and not isinstance(name, str):
            raise ArgumentError(f"name is {name!r}; expected a string.")
        if name is not None:
            self.name = name

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Return `forward` of the same arguments."""
        return self.forward(y_true, y_pred, sample_weight)

    def __repr__(self):
        return call_text(self)

    def get_config(self):
        """Return the constructor's arguments for an equal loss."""
        return {"name": self.name, "reduction": self.reduction, **super().get_config()}

    def reduced(self, losses, weight=1.0):
        """Return the number for the weighted losses of all predictions (N, ...), by `reduction`. It sets `divisor`:
        what their sum is divided by, and so each gradient in `backward`.

        weight   the weights that the losses have been multiplied by, in a shape that fits theirs
        """
        total = losses.sum()
        if self.reduction in MEANS:
            self.divisor = max(losses.size if self.count is None else self.count, 1)
        elif self.reduction == "mean_with_sample_weight":
            self.divisor = float(np.broadcast_to(weight, losses.shape).sum()) or 1
        else:
            self.divisor = 1
            return losses if self.reduction is None else float(total)
        return float(total / self.divisor)

    def forward(self, y_true, y_pred, sample_weight=None) -> Any:
        """Return the mean loss of a batch, sum(w call) / M. It keeps what `backward` needs, and sets `count`."""
        if not hasattr(type(self), "call"):
            raise ArgumentError(f"class {type(self).__name__} has no call(y_true, y_pred): course/add_your_own.md.")
        y_pred = as_float(y_pred)
        self.check_labels(y_true, y_pred.shape)
        self.shape, self.t = y_pred.shape, np.asarray(y_true, y_pred.dtype)
        self.p = y_pred if y_pred.ndim > 1 else y_pred[:, None]
        if self.t.size == y_pred.size:  # (N,) and (N, 1) are the same
            self.t = self.t.reshape(self.p.shape)
        losses = np.asarray(self.call(self.t, self.p))
        if y_pred.ndim == 1 and losses.ndim == 2:
            losses = losses[:, 0]
        self.weight, self.count = weights_of(sample_weight, losses), losses.size
        return self.reduced(losses * self.weight, self.weight)

    def backward(self) -> Any:
        """Return dL/dy_pred = w slope / M of the latest `forward`."""
        if not hasattr(type(self), "slope"):
            raise ArgumentError(
                f"class {type(self).__name__} has no slope(y_true, y_pred), the derivative of its call: minitl has no "
                "tape that finds it. Write it in the shape of y_pred: course/add_your_own.md."
            )
        slope = self.slope(self.t, self.p)
        weight = self.weight.reshape((*self.weight.shape, *[1] * (slope.ndim - self.weight.ndim)))
        slope = (slope * (weight / self.divisor)).astype(self.p.dtype, copy=False)
        return slope.reshape(self.shape)

    def check_labels(self, y_true, output_shape):
        """Raise DataError if these labels do not fit outputs of this shape: (N, ..., classes); None fits any size."""

    def counted(self, y_true, y_pred, sample_weight=None):
        """Return which predictions count, as booleans with the leading axes of y_pred; None where all count.

        A prediction of weight 0 does not count. Metrics use this to average over the same predictions as the loss.
        """
        if sample_weight is None or np.all(sample_weight):
            return None
        weight = weights(sample_weight, y_pred)
        return np.broadcast_to((weight[..., 0] if y_pred.ndim > 1 else weight) != 0, leading_shape(y_pred.shape))

    def class_numbers(self, y_true):
        """Return labels as whole numbers (N,), one class for each example; None where that is impossible.

        It is impossible for labels that are not classes, and for several labels an example.
        """
        return None


def leading_shape(shape):
    """Return the axes before the last one: one entry for each prediction."""
    return tuple(shape[:-1]) if len(shape) > 1 else tuple(shape)


def predictions_in(y_pred):
    """Return the number of predictions: N, or N*H*W where every pixel has its own."""
    return max(int(np.prod(leading_shape(y_pred.shape))), 1)


def mean_of_rows(losses):
    """Return the mean loss of each prediction, over its numbers (the last axis): (N, ..., C) -> (N, ...)."""
    return losses if losses.ndim < 2 else losses.sum(axis=-1) / max(losses.shape[-1], 1)


def of_rows(weight):
    """Return weights that fit predictions (N, ..., C) without the last axis, as they fit their losses."""
    return weight[..., 0] if weight.ndim > 1 else weight


def weights(sample_weight, y_pred):
    """Return sample weights in a shape that multiplies y_pred row by row; ones where `sample_weight` is None.

    Raises DataError for weights whose axes are not the first axes of the predictions.
    """
    if sample_weight is None or np.ndim(sample_weight) == 0:  # one weight for all
        weight = np.full((1,) * y_pred.ndim, 1 if sample_weight is None else sample_weight, y_pred.dtype)
        check_weights(weight.reshape(1), (1,))
        return weight
    weight, leading = np.asarray(sample_weight, y_pred.dtype), leading_shape(y_pred.shape)
    if weight.ndim == len(leading) + 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    check_weights(weight, leading)
    if y_pred.ndim == 1:
        return weight
    return weight.reshape(*weight.shape, *[1] * (y_pred.ndim - weight.ndim))


def weights_of(sample_weight, losses):
    """Return sample weights in a shape that multiplies losses (N, ...); 1 where `sample_weight` is None. Their axes are
    the first ones of the losses. To a single loss, of the whole batch, all shapes fit."""
    weight = np.asarray(1 if sample_weight is None else sample_weight, losses.dtype)
    check_weights(weight.reshape(-1), (None,))
    if not weight.ndim or not losses.ndim:
        return weight
    if weight.ndim == losses.ndim + 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    check_weights(weight, losses.shape)
    return weight.reshape((*weight.shape, *[1] * (losses.ndim - weight.ndim)))


def check_weights(weight, leading):
    """Raise DataError unless the axes of `weight` are the first of `leading`, and all weights are finite and >= 0."""
    fits = 0 < weight.ndim <= len(leading) and all(e in (None, f) for e, f in zip(leading, weight.shape))
    if not fits:
        sizes = ", ".join("any" if size is None else str(size) for size in leading)
        raise DataError(
            f"sample_weight has shape {weight.shape}; expected ({sizes}{',' if len(leading) == 1 else ''}), one number "
            "for each prediction, or the first axes of that."
        )
    if not np.isfinite(weight).all() or weight.min(initial=0) < 0:
        raise DataError(f"sample_weight runs from {weight.min()} to {weight.max()}; expected numbers of at least 0.")


def check_count(y_true, output_shape):
    """Raise DataError unless there are as many labels as examples. No labels fit an empty batch alone."""
    count = np.shape(y_true)[0] if np.ndim(y_true) else 0
    if output_shape[0] != count and (count == 0 or output_shape[0] is not None):
        raise DataError(
            f"there are {count} labels for {output_shape[0]} predictions; expected one label for each, at least one."
        )


def one_number_each(y_true):
    """Return labels (N,) or (N, 1) as (N,); None for other shapes."""
    return y_true.reshape(len(y_true)) if y_true.size == len(y_true) and y_true.ndim <= 2 else None


def check_one_for_each_output(y_true, output_shape, loss):
    """Raise DataError unless labels have one entry for each output; a last axis of size 1 may be left out."""
    check_count(y_true, output_shape)
    shape, expected = np.shape(y_true)[1:], tuple(output_shape[1:])
    if not (same_sizes(shape, expected) or same_sizes((*shape, 1), expected)):
        raise DataError(
            f"labels have shape {np.shape(y_true)}; {type(loss).__name__} expected one number for each output: "
            f"(N, {', '.join(map(str, expected))})."
        )


def same_sizes(shape, expected):
    """Return whether a shape is as expected. None in `expected` fits any size."""
    return len(shape) == len(expected) and all(e in (None, f) for e, f in zip(expected, shape))
