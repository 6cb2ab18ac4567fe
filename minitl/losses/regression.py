"""Losses for regression, where the outputs are quantities."""

import numpy as np

from ..arguments import DTYPE, NAME, keras_arguments
from ..kernels import as_float
from .base import REDUCTION, Loss, check_one_for_each_output, mean, predictions_in, weights


class MeanSquaredError(Loss):
    """The mean squared error: mean((y_pred - y_true)^2) over all entries."""

    names = ("mean_squared_error", "mse")

    @keras_arguments(reduction=REDUCTION, name=NAME, dtype=DTYPE)
    def __init__(self):
        super().__init__()

    def check_labels(self, y_true, output_shape):
        """Raise DataError unless there is one label for each output."""
        check_one_for_each_output(y_true, output_shape, self)

    def forward(self, y_true, y_pred, sample_weight=None):
        """Return mean(w (y_pred - y_true)^2)."""
        y_pred = as_float(y_pred)
        self.check_labels(y_true, y_pred.shape)
        self.count = predictions_in(y_pred)
        self.weight = weights(sample_weight, y_pred)
        self.difference = y_pred - np.asarray(y_true, y_pred.dtype).reshape(y_pred.shape)
        return mean(self.weight * self.difference**2)

    def backward(self):
        """Return dL/dy_pred = d/dy_pred of (y_pred - y_true)^2 / M = 2 (y_pred - y_true) / M, with M entries."""
        return 2 * self.weight * self.difference / max(self.difference.size, 1)
