"""How wrong a prediction is: one number, and its gradient.

    loss = criterion.forward(y_true, y_pred)     a float, the mean over the batch. forward(y_true, y_pred, weight)
                                                 counts row n weight[n] times (and divides by N all the same)
    grad = criterion.backward()                  dL/dy_pred, the shape of y_pred; feed it to model.backward

Softmax and cross-entropy are made for each other. With p = softmax(z) and one-hot t,

    L = -sum_k t_k log p_k        dL/dp_k = -t_k / p_k        dL/dz_k = p_k - t_k

The last line is what training needs, and it is as harmless as can be: never larger than 1, exact however wrong the
network is. Taken in two steps, the division by p here and the multiplication by p in the softmax's backward cancel,
as long as p has not been rounded to 0 on the way. `kernels.activations.softmax` therefore never returns less than
1.2e-32, which joins the two: the pair gives p - t for every z (the tests go to z = +-10,000), while each gradient is
still exactly what its name says. The loss *value* stops growing at -log(1.2e-32) = 73.5 (in float32). With
`from_logits=True` the model ends without a softmax, and value and gradient are taken from z directly. Sigmoid and
`BinaryCrossentropy` are joined in the same way.
"""

import numpy as np

from ..errors import DataError


class Loss:
    """What the losses share. A subclass writes `forward` and `backward`, and says what labels it takes.

    working_state      names of the attributes that `forward` leaves for `backward`; arrays need not be named. All
                       others are settings: a training that goes on from a checkpoint must have the same
    remembers          names of the attributes that last from batch to batch, such as a running mean: numbers, text and
                       arrays. A checkpoint keeps them
    final_activation   the activation that a model for this loss ends with, unless from_logits: "softmax", "sigmoid"
    """

    working_state = ()
    remembers = ()
    final_activation = None

    def __call__(self, y_true, y_pred, sample_weight=None):
        return self.forward(y_true, y_pred, sample_weight)

    def forward(self, y_true, y_pred, sample_weight=None):
        """Labels and predictions of a batch -> the mean loss, a float. Keeps what `backward` needs."""
        raise NotImplementedError

    def backward(self):
        """dL/dy_pred of the latest `forward`."""
        raise NotImplementedError

    def check_labels(self, y_true, output_shape):
        """Raise DataError if these labels cannot belong to outputs of this shape: (N, classes), or None for N."""

    def class_numbers(self, y_true):
        """Return labels as whole numbers (N,), one class an example; None where they are no classes, or several an
        example."""
        return None


def _weight(sample_weight, y_pred):
    """Weights (N,) in a shape that multiplies rows of y_pred; 1 where there are none."""
    if sample_weight is None:
        return y_pred.dtype.type(1)
    weight = np.asarray(sample_weight, y_pred.dtype)
    if weight.shape != (len(y_pred),) or not np.isfinite(weight).all() or weight.min(initial=0) < 0:
        raise DataError(f"sample_weight of shape {weight.shape}; expected {len(y_pred)} numbers of at least 0.")
    return weight.reshape(-1, *[1] * (y_pred.ndim - 1))


def _check_count(y_true, output_shape):
    """As many labels as predictions, and some."""
    count = np.shape(y_true)[0] if np.ndim(y_true) else 0
    if count == 0 or output_shape[0] not in (None, count):
        raise DataError(f"there are {count} labels for {output_shape[0]} predictions; expected one each, and some.")


def one_number_each(y_true):
    """Return labels (N,) or (N, 1) as (N,); None for other shapes."""
    return y_true.reshape(len(y_true)) if y_true.size == len(y_true) and y_true.ndim <= 2 else None


def _rows(y_pred):
    """Predictions in the batch: N, or N*H*W where every pixel has its own."""
    return y_pred.size // y_pred.shape[-1]


def _check_as_many(y_true, output_shape, loss):
    """Labels with one entry for each output; (N,) is read as (N, 1)."""
    _check_count(y_true, output_shape)
    shape, expected = np.shape(y_true)[1:], tuple(output_shape[1:])
    if shape != expected and not (shape == () and expected == (1,)):
        raise DataError(
            f"labels have shape {np.shape(y_true)}; {type(loss).__name__} expected one number for each output: "
            f"(N, {', '.join(map(str, expected))})."
        )
