"""Activations as layers of their own. Their formulas and gradients are in `kernels/activations.py`."""

import numpy as np

from ..errors import ArgumentError
from ..kernels import ACTIVATIONS
from ..kernels.activations import softmax, softmax_gradient
from .base import Layer


def activation_functions(name):
    """(function, gradient) of an activation by its Keras name."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ArgumentError(f"activation is {name!r}; expected one of {', '.join(ACTIVATIONS)}.")
    return ACTIVATIONS[name]


class Activation(Layer):
    """Any activation by name: 'relu', 'softmax', 'sigmoid', 'tanh', 'linear'."""

    config_names = ("activation",)

    def __init__(self, activation, **kwargs):
        super().__init__(**kwargs)
        self.activation = activation
        self.activate, self.activation_gradient = activation_functions(activation)
        self.keeps_channels = self.is_elementwise = activation != "softmax"  # which mixes the channels

    def forward(self, x, training=False):
        y = self.activate(x)
        self.remember(y)
        return y

    def backward(self, grad):
        (y,) = self.remembered()
        return self.activation_gradient(grad, y)


class ReLU(Layer):
    """x above `threshold`, at most `max_value`; negative_slope * (x - threshold) at the threshold and below."""

    config_names = ("max_value", "negative_slope", "threshold")
    keeps_channels = is_elementwise = True

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, **kwargs):
        super().__init__(**kwargs)
        for argument, value in (("max_value", max_value), ("negative_slope", negative_slope), ("threshold", threshold)):
            if value is None and argument == "max_value":
                continue  # no maximum
            if not (isinstance(value, (int, float, np.number)) and value >= 0):
                raise ArgumentError(f"{argument} is {value!r}; expected a number of at least 0.")
        self.max_value = None if max_value is None else float(max_value)
        self.negative_slope, self.threshold = float(negative_slope), float(threshold)

    @property
    def output_activation(self):
        return "relu" if self.negative_slope == 0 == self.threshold else None

    def forward(self, x, training=False):
        self.remember(x)
        if (self.max_value, self.negative_slope, self.threshold) == (None, 0, 0):
            return np.maximum(x, 0)
        y = np.where(x > self.threshold, x, self.negative_slope * (x - self.threshold))
        return y if self.max_value is None else np.minimum(y, self.max_value)

    def backward(self, grad):
        """The slope of the piece that x is on: 1 in the middle, negative_slope below, 0 above max_value."""
        (x,) = self.remembered()
        # At exactly x = 0 the plain ReLU has no derivative; 0 is taken, as in PyTorch and TensorFlow.
        slope = np.where(x > self.threshold, 1, self.negative_slope).astype(grad.dtype)
        if self.max_value is not None:
            slope[x >= self.max_value] = 0
        return grad * slope


class Softmax(Layer):
    """Positive numbers that add up to 1 along `axis`."""

    config_names = ("axis",)
    output_activation = "softmax"

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def forward(self, x, training=False):
        y = softmax(x, axis=self.axis)
        self.remember(y)
        return y

    def backward(self, grad):
        (y,) = self.remembered()
        return softmax_gradient(grad, y, axis=self.axis)
