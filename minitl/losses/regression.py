"""Losses for regression, where the outputs are quantities."""

import numpy as np

from ..arguments import DTYPE, keras_arguments, number
from ..kernels import as_float
from .base import (
    NAME,
    REDUCTION,
    Loss,
    check_one_for_each_output,
    mean_of_rows,
    of_rows,
    predictions_in,
    weights,
)


class _OfDifferences(Loss):
    """The base of the losses below: L = sum(w cost(d)) / M over all M entries, with d = y_pred - y_true."""

    def cost(self, difference):
        """Return what each difference costs."""
        raise NotImplementedError

    def slope(self, difference):
        """Return the derivative of `cost`."""
        raise NotImplementedError

    def check_labels(self, y_true, output_shape):
        """Raise DataError unless there is one label for each output."""
        check_one_for_each_output(y_true, output_shape, self)

    def forward(self, y_true, y_pred, sample_weight=None):
        """Return mean(w cost(y_pred - y_true))."""
        y_pred = as_float(y_pred)
        self.check_labels(y_true, y_pred.shape)
        self.count = predictions_in(y_pred)
        self.weight = weights(sample_weight, y_pred)
        self.difference = y_pred - np.asarray(y_true, y_pred.dtype).reshape(y_pred.shape)
        return self.reduced(mean_of_rows(self.weight * self.cost(self.difference)), of_rows(self.weight))

    def backward(self):
        """Return dL/dy_pred = w slope(y_pred - y_true) / M, since dd/dy_pred = 1."""
        entries = max(self.difference.size // max(self.count, 1), 1)  # of a prediction
        return self.weight * self.slope(self.difference) / (entries * self.divisor)


class MeanSquaredError(_OfDifferences):
    """The mean squared error: mean((y_pred - y_true)^2) over all entries."""

    names = ("mean_squared_error", "mse")

    @keras_arguments(reduction=REDUCTION, name=NAME, dtype=DTYPE)
    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def cost(self, difference):
        """Return d^2."""
        return difference**2

    def slope(self, difference):
        """Return 2 d."""
        return 2 * difference


class Huber(_OfDifferences):
    """The Huber loss: a squared error near 0, an absolute error far away. So a label that is far off pulls no harder
    than one that is `delta` off.

    With d = y_pred - y_true, the mean over all entries of

        d^2 / 2                       for |d| <= delta
        delta |d| - delta^2 / 2       for |d| > delta

    For delta = 1, errors of 0.5 and 3 cost 0.125 and 2.5. The two forms and their slopes meet at |d| = delta: the value
    is delta^2 / 2, the slope delta. With delta = 1 it is called smooth L1, and trains the boxes of `multibox`.

    Source: Huber 1964, "Robust estimation of a location parameter".
    """

    names = ("huber",)

    @keras_arguments(after="delta", reduction=REDUCTION, name=NAME, dtype=DTYPE)
    def __init__(self, delta=1.0, **kwargs):
        super().__init__(**kwargs)
        self.delta = number(delta, "delta", 1e-30, 1e30)

    def get_config(self):
        """Return the constructor's arguments for an equal loss. Keras leaves `delta` out, and so loses it; here it is
        left out where it is the default."""
        config = super().get_config()
        return {name: value for name, value in config.items() if (name, value) != ("delta", 1.0)}

    def cost(self, difference):
        """Return `huber` of each difference."""
        return huber(difference, self.delta)

    def slope(self, difference):
        """Return the derivative of `huber`."""
        return huber_slope(difference, self.delta)


class LogCosh(_OfDifferences):
    """The mean over all entries of log cosh(y_pred - y_true): d^2 / 2 near 0, |d| - log 2 far away."""

    names = ("log_cosh", "logcosh")

    @keras_arguments(reduction=REDUCTION, name=NAME, dtype=DTYPE)
    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def cost(self, difference):
        """Return log((exp(d) + exp(-d)) / 2) = |d| + log(1 + exp(-2 |d|)) - log 2, where nothing can overflow."""
        size = np.abs(difference)
        return size + np.log1p(np.exp(-2 * size)) - np.log(2).astype(size.dtype)

    def slope(self, difference):
        """Return (exp(d) - exp(-d)) / (exp(d) + exp(-d)) = tanh d."""
        return np.tanh(difference)


def huber(difference, delta=1.0):
    """Return d^2 / 2 for |d| <= delta, else delta |d| - delta^2 / 2, number by number.

    With c = d cut off at -delta and delta, both are c (d - c / 2): c = d gives d^2 / 2, and c = delta * sign(d) gives
    delta |d| - delta^2 / 2.
    """
    cut_off = np.clip(difference, -delta, delta)
    return cut_off * (difference - cut_off / 2)


def huber_slope(difference, delta=1.0):
    """Return the derivative of `huber`: d for |d| <= delta, else delta * sign(d). That is d cut off at +-delta."""
    return np.clip(difference, -delta, delta)
