"""Activations as layers of their own. Their formulas and gradients are in `kernels/activations.py`."""

import numpy as np

from ..arguments import axes, is_number, number
from ..errors import ArgumentError, ShapeError
from ..kernels import ACTIVATIONS
from ..kernels.activations import WITH_SLOPE, softmax, softmax_gradient
from ..kernels.precision import as_float
from ..kernels.smooth_units import elu, elu_gradient
from . import masking
from .base import Layer

MIXING = "softmax", "sparsemax"  # activations that mix the channels


def activation_name(activation):
    """Return the name of an activation that is given as a name, as a function of `minitl.activations`, or as None: no
    activation."""
    return "linear" if activation is None else getattr(activation, "activation_name", activation)


def activation_functions(name, argument="activation", with_slope=False):
    """Return (function, gradient) of the activation with this Keras name. Raises ArgumentError for an unknown name.

    with_slope   the layer calls `activated`, so those whose gradient takes a slope (WITH_SLOPE) are possible, too
    """
    known = [each for each in ACTIVATIONS if with_slope or each not in WITH_SLOPE]
    if not isinstance(name, str) or name not in known:
        raise ArgumentError(f"{argument} is {name!r}; expected one of {', '.join(known)}.")
    return ACTIVATIONS[name]


def activated(name, x, out=None):
    """Return y = activation(x), and what its gradient function takes: y, or the slopes of those in WITH_SLOPE."""
    if name in WITH_SLOPE:
        return WITH_SLOPE[name](x, out)
    y = ACTIVATIONS[name][0](x, out=out)
    return y, y


class Activation(Layer):
    """An activation by its name: 'relu', 'relu6', 'leaky_relu', 'elu', 'selu', 'softmax', 'sigmoid', 'hard_sigmoid',
    'tanh', 'gelu', 'silu', 'softplus', 'softsign', 'exponential', 'linear', or another one of `minitl.activations`.

    'swish' is Keras's other name of 'silu'. 'gelu' is the exact one; 'gelu_tanh' is Google's approximation of it
    (`kernels.gelu`).
    """

    config_names = ("activation",)
    passes_mask = True

    def __init__(self, activation, **kwargs):
        super().__init__(**kwargs)
        self.activation = activation_name(activation)
        self.activate, self.activation_gradient = activation_functions(self.activation, with_slope=True)
        self.keeps_channels = self.is_elementwise = self.activation not in MIXING

    def forward(self, x, training=False):
        y, kept = activated(self.activation, x)
        self.remember(kept)
        return y

    def backward(self, grad):
        (kept,) = self.remembered()
        return self.activation_gradient(grad, kept)


class ReLU(Layer):
    """y = x where x > threshold, else negative_slope * (x - threshold); then limited to at most max_value.

    With the defaults this is y = max(x, 0), and with max_value=6 alone the activation 'relu6'. These two are
    computed in one pass each.
    """

    config_names: tuple = ("max_value", "negative_slope", "threshold")
    keeps_channels = is_elementwise = passes_mask = True

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, **kwargs):
        super().__init__(**kwargs)
        for argument, value in (("max_value", max_value), ("negative_slope", negative_slope), ("threshold", threshold)):
            if value is None and argument == "max_value":
                continue  # no maximum
            if not (is_number(value) and value >= 0):
                raise ArgumentError(f"{argument} is {value!r}; expected a number of at least 0.")
        self.max_value = None if max_value is None else float(max_value)
        self.negative_slope, self.threshold = float(negative_slope), float(threshold)
        self.activate = self.activation_gradient = None
        if self.negative_slope == 0 == self.threshold and self.max_value in (None, 6):
            name = "relu" if self.max_value is None else "relu6"
            self.activate, self.activation_gradient = activation_functions(name)

    @property
    def output_activation(self):
        return "relu" if self.negative_slope == 0 == self.threshold else None

    def forward(self, x, training=False):
        if self.activate is not None:
            y = self.activate(x)
            self.remember(y)
            return y
        self.remember(x)
        if self.threshold == 0 < self.negative_slope <= 1:  # then x is the larger of the two exactly where x > 0
            y = np.multiply(x, self.negative_slope, dtype=x.dtype)
            np.maximum(x, y, out=y)
        else:
            y = np.where(x > self.threshold, x, self.negative_slope * (x - self.threshold))
        return y if self.max_value is None else np.minimum(y, self.max_value)

    def backward(self, grad):
        """Return grad times the slope at x: 1 above the threshold, negative_slope below it, 0 from max_value on."""
        (x,) = self.remembered()  # or y, where the gradient is that of an activation
        if self.activate is not None:
            return self.activation_gradient(grad, x)
        # At exactly x = 0 the plain ReLU has no derivative; 0 is taken, as in PyTorch and TensorFlow.
        slope = np.where(x > self.threshold, 1, self.negative_slope).astype(grad.dtype)
        if self.max_value is not None:
            slope[x >= self.max_value] = 0
        return grad * slope


class LeakyReLU(ReLU):
    """y = x where x > 0, else negative_slope * x. So a unit that is negative for all examples still learns. Maas et al.
    2013.

    alpha   Keras 2's name of negative_slope
    """

    config_names = ("negative_slope",)

    def __init__(self, negative_slope=0.3, *, alpha=None, **kwargs):
        if alpha is not None:
            negative_slope = number(alpha, "alpha", 0, 1e30)
        super().__init__(negative_slope=negative_slope, **kwargs)


class ELU(Layer):
    """y = x where x > 0, else alpha (exp(x) - 1). Clevert et al. 2016."""

    config_names = ("alpha",)
    keeps_channels = is_elementwise = passes_mask = True

    def __init__(self, alpha=1.0, **kwargs):
        super().__init__(**kwargs)
        self.alpha = number(alpha, "alpha", 0, 1e30)

    def forward(self, x, training=False):
        y = elu(x, alpha=self.alpha)
        self.remember(y)
        return y

    def backward(self, grad):
        """Return grad times the slope, which `elu_gradient` derives."""
        (y,) = self.remembered()
        return elu_gradient(grad, y, self.alpha)


class Softmax(Layer):
    """Softmax: turns the input into positive numbers that add up to 1 along `axis`.

    mask   numbers or booleans that can be broadcast to x: what is False, or at most 0.5, takes no part, and its y is 0
    """

    keyword_inputs = ("mask",)
    masks_of = {}  # its mask is given by name alone: it says more than which time steps are real
    config_names = ("axis",)
    output_activation = "softmax"

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axes(axis, "axis")

    @property
    def passes_mask(self):
        return masking.within_steps(self.axis)

    def check_input(self, input_shape):
        rank = len(input_shape)
        if not all(-rank <= axis < rank for axis in np.atleast_1d(self.axis)):
            raise ShapeError(
                f"layer '{self.name}': axis is {self.axis}; the input {tuple(input_shape)} has no such axis."
            )

    def forward(self, x, training=False, mask=None):
        self.accept(x.shape)
        if mask is None:
            y = softmax(x, axis=self.axis)
        else:
            kept = self._kept(np.asarray(mask), x.shape)
            x = as_float(x)
            y = softmax(np.where(kept, x, np.finfo(x.dtype).min / 2), axis=self.axis) * kept
        self.remember(y)
        return y

    def _kept(self, mask, shape):
        """Return a mask as booleans. Raises ShapeError unless it can be broadcast to the input's shape."""
        if mask.ndim > len(shape) or any(m not in (1, size) for m, size in zip(mask.shape[::-1], shape[::-1])):
            raise ShapeError(f"layer '{self.name}': a mask {mask.shape} cannot be broadcast to the input {shape}.")
        return mask if mask.dtype == bool else mask > 0.5

    def backward(self, grad):
        """Return the gradient of the softmax. It is 0 where the mask has made y 0, for it has y as a factor."""
        (y,) = self.remembered()
        return softmax_gradient(grad, y, axis=self.axis)
