"""Squared errors."""

import numpy as np

from ..kernels import as_float
from .base import Loss, _check_as_many, _weight


class MeanSquaredError(Loss):
    """mean((y_pred - y_true)^2) over all entries."""

    working_state = ("weight", "difference")

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
