"""Layer normalization and RMS normalization: each example, and each time step of it, is normalized on its own. The math
is in `kernels/layer_normalization.py`; that of batches is in `normalization`."""

import math

import numpy as np

from .. import initializers
from ..arguments import CONSTRAINT, REGULARIZER, NotHere, axes, keras_arguments, number, truth_value
from ..errors import ShapeError
from ..kernels import as_float
from ..kernels.layer_normalization import (
    layer_normalize,
    layer_normalize_gradient,
    rms_normalize,
    rms_normalize_gradient,
)
from . import masking
from .base import Layer


class _Rows(Layer):
    """The base of both: they work on rows of D numbers. With other axes than the last ones, x is transposed first."""

    takes_integers = False

    @property
    def passes_mask(self):
        return masking.within_steps(self.axis)

    def check_input(self, input_shape):
        rank, wanted = len(input_shape), np.atleast_1d(self.axis)
        if not all(-rank <= axis < rank and axis % rank for axis in wanted) or len({a % rank for a in wanted}) < len(
            wanted
        ):
            raise ShapeError(
                f"layer '{self.name}': axis is {self.axis}; expected axes of the input {tuple(input_shape)} other than "
                "the batch, each once."
            )
        shape = self.normalized_shape(input_shape)
        if None in shape or (self.weights and self.weights[0].shape != shape):
            expected = f"{self.weights[0].shape}" if self.weights else "known sizes"
            raise ShapeError(
                f"layer '{self.name}' expected {expected} along axis {self.axis}, found the input {tuple(input_shape)}."
            )

    def normalized_axes(self, rank):
        """Return the axes that are normalized, none negative, in order."""
        return sorted(int(axis) % rank for axis in np.atleast_1d(self.axis))

    def normalized_shape(self, input_shape):
        """Return the sizes of the axes that are normalized: the shape of the parameters."""
        return tuple(input_shape[axis] for axis in self.normalized_axes(len(input_shape)))

    def rows(self, x):
        """Return x as a matrix (M, D), D being the size of all normalized axes together."""
        own = self.normalized_axes(x.ndim)
        others = [axis for axis in range(x.ndim) if axis not in own]
        d = math.prod(self.normalized_shape(x.shape))
        return np.ascontiguousarray(x.transpose(*others, *own)).reshape(-1, d)

    def back(self, rows, shape):
        """Return the matrix that `rows` has made in the shape of x."""
        own = self.normalized_axes(len(shape))
        order = [*(axis for axis in range(len(shape)) if axis not in own), *own]
        return rows.reshape([shape[axis] for axis in order]).transpose(np.argsort(order))


class LayerNormalization(_Rows):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with the mean and the variance of each row of x.

    A row runs along `axis`, the last one by default: the features of one time step. With several axes it has the
    numbers of all of them. Parameters gamma, beta in the shape of a row. Training and inference are the same, and so is
    a frozen layer. Ba, Kiros & Hinton 2016.
    """

    config_names = ("axis", "epsilon", "center", "scale")
    input_axes = {"gamma": 0, "beta": 0}
    torch_defaults = {"epsilon": 1e-5}
    torch_names = {"gamma": "weight", "beta": "bias"}

    regularized = {"gamma_regularizer": "gamma", "beta_regularizer": "beta"}

    @keras_arguments(
        after="gamma_initializer",
        beta_regularizer=REGULARIZER,
        gamma_regularizer=REGULARIZER,
        beta_constraint=CONSTRAINT,
        gamma_constraint=CONSTRAINT,
        rms_scaling=NotHere(False, instead="Use RMSNormalization."),
    )
    def __init__(
        self,
        axis=-1,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.axis, self.epsilon = axes(axis, "axis"), number(epsilon, "epsilon", 0, 1)
        self.center, self.scale = truth_value(center, "center"), truth_value(scale, "scale")
        self.initializers = {
            "gamma": initializers.checked(gamma_initializer, "gamma_initializer"),
            "beta": initializers.checked(beta_initializer, "beta_initializer"),
        }
        self.gamma = self.beta = None

    def build(self, input_shape):
        super().build(input_shape)
        for name, is_wanted in (("gamma", self.scale), ("beta", self.center)):
            if is_wanted:
                self.add_weight(name, self.normalized_shape(input_shape), self.initializers[name])

    def forward(self, x, training=False):
        self.accept(x.shape)
        rows = self.rows(as_float(x))
        gamma, beta = (None if each is None else each.reshape(-1) for each in (self.gamma, self.beta))
        y, mean, inverse_std = layer_normalize(rows, gamma, beta, self.epsilon)
        self.remember(rows, mean, inverse_std, x.shape)
        return self.back(y, x.shape)

    def backward(self, grad):
        """Return dL/dx, derived in `kernels.layer_normalization.layer_normalize_gradient`."""
        rows, mean, inverse_std, shape = self.remembered()
        gamma = None if self.gamma is None else self.gamma.reshape(-1)
        dx, of_gamma, of_beta = layer_normalize_gradient(self.rows(grad), rows, mean, inverse_std, gamma)
        if self.trainable and self.scale:
            self.gradients["gamma"] = of_gamma.reshape(self.gamma.shape)
        if self.trainable and self.center:
            self.gradients["beta"] = of_beta.reshape(self.beta.shape)
        return self.back(dx, shape)


class RMSNormalization(_Rows):
    """y = scale * x / sqrt(mean(x^2) + epsilon), with the mean of each row of x. Zhang & Sennrich 2019.

    A row runs along `axis`, as in `LayerNormalization`. Parameter scale in the shape of a row.
    """

    config_names = ("axis", "epsilon")
    input_axes = {"scale": 0}
    torch_names = {"scale": "weight"}

    def __init__(self, axis=-1, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.axis, self.epsilon = axes(axis, "axis"), number(epsilon, "epsilon", 0, 1)
        self.scale = None

    def build(self, input_shape):
        self.add_weight("scale", self.normalized_shape(input_shape), "ones")

    def forward(self, x, training=False):
        self.accept(x.shape)
        rows = self.rows(as_float(x))
        y, inverse_rms = rms_normalize(rows, self.scale.reshape(-1), self.epsilon)
        self.remember(rows, inverse_rms, x.shape)
        return self.back(y, x.shape)

    def backward(self, grad):
        """Return dL/dx, derived in `kernels.layer_normalization.rms_normalize_gradient`."""
        rows, inverse_rms, shape = self.remembered()
        dx, of_scale = rms_normalize_gradient(self.rows(grad), rows, inverse_rms, self.scale.reshape(-1))
        if self.trainable:
            self.gradients["scale"] = of_scale.reshape(self.scale.shape)
        return self.back(dx, shape)
