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

from .errors import ArgumentError, DataError
from .kernels import ACTIVATIONS, as_float, log_softmax


class Loss:
    """What the losses share. A subclass writes `forward` and `backward`, and says what labels it takes."""

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


class _Crossentropy(Loss):
    """L = -(1/N) sum_n log p[n, label_n], for one-hot labels and for integers alike."""

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

    def __init__(self, from_logits=False, label_smoothing=0.0):
        self.from_logits, self.label_smoothing = from_logits, _share(label_smoothing)

    def check_labels(self, y_true, output_shape):
        _check_as_many(y_true, output_shape, self)
        y_true = np.asarray(y_true)
        if y_true.size and not (0 <= y_true.min() and y_true.max() <= 1):
            raise DataError(f"labels run from {y_true.min()} to {y_true.max()}; binary cross-entropy expects 0 to 1.")

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


class MeanSquaredError(Loss):
    """mean((y_pred - y_true)^2) over all entries."""

    def check_labels(self, y_true, output_shape):
        _check_as_many(y_true, output_shape, self)

    def forward(self, y_true, y_pred, sample_weight=None):
        y_pred = as_float(y_pred)
        self.check_labels(y_true, y_pred.shape)
        self.weight = _weight(sample_weight, y_pred)
        self.difference = y_pred - np.asarray(y_true, y_pred.dtype).reshape(y_pred.shape)
        return float(np.mean(self.weight * self.difference**2))

    def backward(self):
        """d/dy_pred of (y_pred - y_true)^2 / M  =  2 (y_pred - y_true) / M."""
        return 2 * self.weight * self.difference / self.difference.size


LOSSES = {
    "binary_crossentropy": BinaryCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
}


def get(loss):
    """A `Loss` from Keras's name for it, or the thing itself if it is one already."""
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]()
    if hasattr(loss, "forward") and hasattr(loss, "backward") and not isinstance(loss, type):
        return loss
    raise ArgumentError(f"loss is {loss!r}; expected one of {', '.join(LOSSES)}, or an object of minitl.losses.")


def _share(label_smoothing):
    if not isinstance(label_smoothing, (int, float)) or not 0 <= label_smoothing < 1:
        raise ArgumentError(f"label_smoothing is {label_smoothing!r}; expected a number from 0 to below 1.")
    return float(label_smoothing)


def _weight(sample_weight, y_pred):
    """Weights (N,) in a shape that multiplies rows of y_pred; 1 where there are none."""
    if sample_weight is None:
        return y_pred.dtype.type(1)
    weight = np.asarray(sample_weight, y_pred.dtype)
    if weight.shape != (len(y_pred),) or not np.isfinite(weight).all() or weight.min(initial=0) < 0:
        raise DataError(f"sample_weight of shape {weight.shape}; expected {len(y_pred)} numbers of at least 0.")
    return weight.reshape(-1, *[1] * (y_pred.ndim - 1))


def _above_zero(p):
    """Probabilities that the model did not take from our softmax may be 0."""
    return np.maximum(p, np.finfo(p.dtype).tiny)


def _check_count(y_true, output_shape):
    """As many labels as predictions, and some."""
    count = np.shape(y_true)[0] if np.ndim(y_true) else 0
    if count == 0 or output_shape[0] not in (None, count):
        raise DataError(f"there are {count} labels for {output_shape[0]} predictions; expected one each, and some.")


def _rows(y_pred):
    """Predictions in the batch: N, or N*H*W where every pixel has its own."""
    return y_pred.size // y_pred.shape[-1]


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


def _check_as_many(y_true, output_shape, loss):
    """Labels with one entry for each output; (N,) is read as (N, 1)."""
    _check_count(y_true, output_shape)
    shape, expected = np.shape(y_true)[1:], tuple(output_shape[1:])
    if shape != expected and not (shape == () and expected == (1,)):
        raise DataError(
            f"labels have shape {np.shape(y_true)}; {type(loss).__name__} expected one number for each output: "
            f"(N, {', '.join(map(str, expected))})."
        )
