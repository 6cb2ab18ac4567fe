"""How wrong a prediction is: one number, and its gradient.

    loss = criterion.forward(y_true, y_pred)     a float, the mean over all predictions. forward(y_true, y_pred, weight)
                                                 counts a prediction `weight` times (and divides by their number all
                                                 the same, as Keras does)
    grad = criterion.backward()                  dL/dy_pred, the shape of y_pred; feed it to model.backward

A *prediction* is one row of y_pred: its last axis. Before that stand any number of axes: (N, C) for a label an example,
(N, T, C) for one each time step, (N, H, W, C) for one each pixel. Labels have the same leading axes, or are refused:
NumPy would stretch labels (N, 1, 1) over the pixels without a word. Weights have the leading axes or the first few of
them: (N,) weighs examples, (N, H, W) pixels. That is how a padding mask and an ignored region work: weight 0.
"""

import numpy as np

from ..errors import DataError


class Loss:
    """The base of all losses. A subclass writes `forward` and `backward`, and says what labels it takes.

    names              what Keras calls it, for compile(loss=...)
    count              set by `forward`: how many predictions the mean was taken over. None: as many as examples
    final_activation   the activation that a model for this loss ends with, unless from_logits: "softmax", "sigmoid"
    working_state      names of attributes that `forward` leaves for `backward`; arrays need not be named. All others
                       are settings: a training that goes on from a checkpoint must have the same
    remembers          names of attributes that last from batch to batch, such as a running mean: numbers, text and
                       arrays. A checkpoint keeps them
    """

    names = ()
    accuracy = "categorical_accuracy"  # what metrics=["accuracy"] means beside this loss: a name of `minitl.metrics`
    final_activation = None
    from_logits = False
    count = None
    working_state = ("count",)
    remembers = ()

    def __call__(self, y_true, y_pred, sample_weight=None):
        return self.forward(y_true, y_pred, sample_weight)

    def forward(self, y_true, y_pred, sample_weight=None):
        """Return the mean loss of a batch, a float. Keeps what `backward` needs, and sets `count`."""
        raise NotImplementedError

    def backward(self):
        """Return dL/dy_pred of the latest `forward`."""
        raise NotImplementedError

    def check_labels(self, y_true, output_shape):
        """Raise DataError if these labels cannot belong to outputs of this shape: (N, ..., classes); None fits all."""

    def counted(self, y_true, y_pred, sample_weight=None):
        """Return which predictions count, for averages that count what the loss counts: truth values with the leading
        axes of y_pred; None where all do. What has the weight 0 does not."""
        if sample_weight is None or np.all(sample_weight):
            return None
        weight = weights(sample_weight, y_pred)
        return np.broadcast_to((weight[..., 0] if y_pred.ndim > 1 else weight) != 0, leading_shape(y_pred.shape))

    def class_numbers(self, y_true):
        """Return labels as whole numbers (N,), one class an example; None where they are no classes, or several an
        example."""
        return None


def leading_shape(shape):
    """Return the axes before the last one: one entry for each prediction."""
    return tuple(shape[:-1]) if len(shape) > 1 else tuple(shape)


def predictions_in(y_pred):
    """Return how many predictions there are: N, or N*H*W where every pixel has its own."""
    return max(int(np.prod(leading_shape(y_pred.shape))), 1)


def weights(sample_weight, y_pred):
    """Return sample weights in a shape that multiplies y_pred row by row; 1 where there are none. Raises DataError for
    weights whose axes are not the first axes of the predictions."""
    if sample_weight is None:
        return np.ones((1,) * y_pred.ndim, y_pred.dtype)
    weight, leading = np.asarray(sample_weight, y_pred.dtype), leading_shape(y_pred.shape)
    if weight.ndim == len(leading) + 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    check_weights(weight, leading)
    if y_pred.ndim == 1:
        return weight
    return weight.reshape(*weight.shape, *[1] * (y_pred.ndim - weight.ndim))


def check_weights(weight, leading):
    """Raise DataError unless the weights' axes are the first of `leading` and all are numbers of at least 0."""
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
    """Raise DataError unless there are as many labels as examples, and some."""
    count = np.shape(y_true)[0] if np.ndim(y_true) else 0
    if count == 0 or output_shape[0] not in (None, count):
        raise DataError(f"there are {count} labels for {output_shape[0]} predictions; expected one each, and some.")


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
    """Is this shape as expected? None fits any size."""
    return len(shape) == len(expected) and all(e in (None, f) for e, f in zip(expected, shape))
