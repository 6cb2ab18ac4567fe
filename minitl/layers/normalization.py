"""Batch normalization: bring every channel to mean 0 and variance 1, then let it learn its own scale and shift."""

import numpy as np

from ..errors import ArgumentError, ShapeError, warn_of_mistake
from ..kernels.normalization import batch_statistics, gradient_sums, scale_and_shift, weighted_sum
from ..kernels.precision import as_float
from .base import Layer


class BatchNormalization(Layer):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, channel by channel.  x (N, ..., C) -> same shape.

    Which mean and variance depends on the state, and mixing them up is the classic mistake of fine-tuning:

        training     of this batch; the moving statistics follow: moving = momentum * moving + (1 - momentum) * batch
        inference    the moving statistics
        frozen       the moving statistics, even in training, and they stay as they are (trainable = False)

    Parameters gamma, beta (C,); statistics moving_mean, moving_variance (C,). Ioffe & Szegedy 2015.
    """

    takes_integers = False
    config_names = ("axis", "momentum", "epsilon", "center", "scale")
    keeps_channels = is_elementwise = True
    input_axes = {"gamma": 0, "beta": 0, "moving_mean": 0, "moving_variance": 0}
    torch_names = {
        "gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"
    }  # fmt: skip

    def __init__(self, axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True, **kwargs):
        super().__init__(**kwargs)
        for argument, value in ("momentum", momentum), ("epsilon", epsilon):
            if not isinstance(value, (int, float, np.number)) or not 0 <= value <= 1:
                raise ArgumentError(f"{argument} is {value!r}; expected a number from 0 to 1.")
        self.axis, self.momentum, self.epsilon = axis, momentum, epsilon
        self.center, self.scale = center, scale
        self.gamma = self.beta = self.moving_mean = self.moving_variance = None

    def build(self, input_shape):
        channels = (input_shape[-1],)
        if self.scale:
            self.add_weight("gamma", channels, "ones")
        if self.center:
            self.add_weight("beta", channels, "zeros")
        self.add_weight("moving_mean", channels, "zeros", trainable=False)
        self.add_weight("moving_variance", channels, "ones", trainable=False)

    def check_input(self, input_shape):
        if self.axis not in (-1, len(input_shape) - 1):
            raise ShapeError(f"layer '{self.name}': axis is {self.axis}; channels are the last axis, -1, here.")
        channels = input_shape[-1]
        if channels is None or (self.moving_mean is not None and channels != len(self.moving_mean)):
            expected = "a known number of" if self.moving_mean is None else len(self.moving_mean)
            raise ShapeError(f"layer '{self.name}' expected {expected} channels, found shape {tuple(input_shape)}.")

    @property
    def uses_batch(self):
        return self.trainable  # even if it has neither gamma nor beta

    def scale_and_shift(self):
        """(C,) and (C,): with fixed statistics, y = scale * x + shift."""
        return self._scale_and_shift(self.moving_mean, self.moving_variance)

    def _scale_and_shift(self, mean, variance):
        """The formula at the head of this class, with x taken out of it."""
        scale = self._inverse_std(variance) * (self.gamma if self.scale else 1)
        shift = -mean * scale
        return scale, shift + self.beta if self.center else shift

    def _inverse_std(self, variance):
        return 1 / np.sqrt(variance + self.epsilon)

    def forward(self, x, training=False):
        self.accept(x.shape)
        x = as_float(x)
        of_this_batch = training and self.uses_batch and x.size > 0  # no images have no statistics
        if of_this_batch:
            if x.size == x.shape[-1]:
                warn_of_mistake(
                    f"layer '{self.name}' takes mean and variance from a batch of one: every number is its own mean, "
                    "and what comes out does not depend on the picture. To predict, leave training=True out; to train, "
                    "choose a batch size that leaves no single picture over, or freeze the layer.",
                    "batch-of-one",
                )
            mean, variance = batch_statistics(x)
            self._follow(mean, variance)
        else:
            mean, variance = self.moving_mean, self.moving_variance
        # Frozen, it needs nothing large for its gradient: x is not kept.
        self.remember(x if self.trainable else None, mean.copy(), variance.copy(), of_this_batch)
        return scale_and_shift(x, *self._scale_and_shift(mean, variance))

    def _follow(self, mean, variance):
        """Move the moving statistics towards this batch's. A batch with NaN or infinity must not get into them: the
        training step will be refused, and they have to survive it as the weights do."""
        if np.isfinite(mean).all() and np.isfinite(variance).all():
            for moving, batch in (self.moving_mean, mean), (self.moving_variance, variance):
                moving *= self.momentum
                moving += (1 - self.momentum) * batch

    def backward(self, grad):
        """Write v = x normalized, so y = gamma v + beta, and sums run over the M = N*H*W numbers of a channel.

            dL/dgamma = sum grad * v        dL/dbeta = sum grad        dL/dv = gamma * grad

        With fixed statistics v = (x - mean) * inverse_std is linear in x:  dL/dx = dL/dv * inverse_std.

        With the batch's own, every x also moves mean and variance:
            dmean/dx_i = 1/M,   dvariance/dx_i = 2 (x_i - mean)/M,   so   dinverse_std/dx_i = -inverse_std^2 v_i / M
            dv_j/dx_i  = inverse_std * (1[i = j] - 1/M - v_i v_j / M)
            dL/dx_i    = sum_j dL/dv_j dv_j/dx_i
                       = gamma * inverse_std * (grad_i - mean(grad) - v_i * mean(grad * v))

        which, with v_i = (x_i - mean) * inverse_std, is  a * grad_i + b * x_i + c  with three numbers for each channel.
        """
        x, mean, variance, used_batch = self.remembered()
        inverse_std = self._inverse_std(variance)
        scale = inverse_std * (self.gamma if self.scale else 1)
        if self.trainable:
            self.require_input(x)
        if self.trainable or used_batch:
            sum_grad, sum_grad_deviation = gradient_sums(grad, x, mean)
            sum_grad_v = sum_grad_deviation * inverse_std
        if self.trainable and self.scale:
            self.gradients["gamma"] = sum_grad_v
        if self.trainable and self.center:
            self.gradients["beta"] = sum_grad
        if not used_batch:
            return scale_and_shift(grad, scale)
        pixels = grad.size // grad.shape[-1]  # M
        b = -scale * inverse_std * sum_grad_v / pixels
        return weighted_sum(grad, x, scale, b, -b * mean - scale * sum_grad / pixels)
