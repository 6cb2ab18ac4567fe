"""Batch normalization: brings every channel to mean 0 and variance 1, then applies a learned scale and shift. Unit
normalization: brings every row of numbers to length 1. L2 normalization does so with the channels of each pixel, and
then applies a learned scale."""

import numpy as np

from .. import initializers
from ..arguments import CONSTRAINT, REGULARIZER, NotHere, axes, is_number, keras_arguments, number, truth_value
from ..errors import ArgumentError, ShapeError, warn_of_mistake
from ..kernels import channel_sums
from ..kernels.activations import relu_gradient
from ..kernels.lengths import to_unit_length, to_unit_length_gradient
from ..kernels.normalization import batch_statistics, gradient_sums, scale_and_shift, weighted_sum
from ..kernels.precision import as_float
from ..terminal import counted
from .base import Layer
from .channels_first import put_channels_first
from .masking import checked_mask, within_steps


class BatchNormalization(Layer):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, channel by channel.  x (N, ..., C) -> same shape.

    The layer's state decides which mean and variance are used. Using the wrong ones is the classic mistake of
    fine-tuning:

        training     those of this batch, and moving = momentum * moving + (1 - momentum) * batch for both
        inference    the moving mean and variance
        frozen       the moving mean and variance, even in training, and they stay as they are (trainable = False)

    Why a frozen layer uses its moving statistics: a frozen layer gives an example the same output as before, in
    training as in inference. The frozen layers behind it, and gamma and beta, were trained for numbers on the scale of
    the old data, which the moving statistics hold. Statistics of the batch would put the new data on another scale, let
    an example's output depend on the other examples of its batch, and train the head on numbers that it never gets in
    inference. In numbers, for a channel with moving mean 10, moving variance 4, gamma 1, beta 0 (and epsilon 0):

        batch (12, 14)    frozen: (1, 2)    by the batch's own mean 13 and variance 1: (-1, 1)
        batch (12, 10)    frozen: (1, 0)    by the batch's own mean 11 and variance 1: (1, -1)

    Frozen, the example 12 always gives 1. By the batch's statistics it gives -1 or 1, depending on the other example.
    `minitl mistakes batch-norm-runs-in-frozen-base` shows what this costs.

    With a mask (N, T) of a sequence (N, T, C), the statistics of a batch are those of the steps that are real.

    Parameters gamma, beta (C,); statistics moving_mean, moving_variance (C,). Ioffe & Szegedy 2015.
    """

    takes_integers = False
    config_names = ("axis", "momentum", "epsilon", "center", "scale")
    keeps_channels = is_elementwise = passes_mask = True
    keyword_inputs = ("mask",)
    input_axes = {"gamma": 0, "beta": 0, "moving_mean": 0, "moving_variance": 0}
    training_only = ("momentum",)
    torch_defaults = {"epsilon": 1e-5}
    torch_names = {
        "gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"
    }  # fmt: skip
    regularized = {"gamma_regularizer": "gamma", "beta_regularizer": "beta"}

    @keras_arguments(
        after="moving_variance_initializer",
        beta_regularizer=REGULARIZER,
        gamma_regularizer=REGULARIZER,
        beta_constraint=CONSTRAINT,
        gamma_constraint=CONSTRAINT,
        renorm=NotHere(False),
        renorm_clipping=NotHere(),
        renorm_momentum=NotHere(0.99),
        synchronized=NotHere(False),
    )
    def __init__(
        self,
        axis=-1,
        momentum=0.99,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        moving_mean_initializer="zeros",
        moving_variance_initializer="ones",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.axis = axes(axis, "axis")
        self.momentum, self.epsilon = number(momentum, "momentum", 0, 1), number(epsilon, "epsilon", 0, 1)
        self.center, self.scale = truth_value(center, "center"), truth_value(scale, "scale")
        self.initializers = {
            "beta": initializers.checked(beta_initializer, "beta_initializer"),
            "gamma": initializers.checked(gamma_initializer, "gamma_initializer"),
            "moving_mean": initializers.checked(moving_mean_initializer, "moving_mean_initializer"),
            "moving_variance": initializers.checked(moving_variance_initializer, "moving_variance_initializer"),
        }
        self.gamma = self.beta = self.moving_mean = self.moving_variance = None
        if self.axis == 1:
            put_channels_first(self)

    def build(self, input_shape):
        channels = (input_shape[-1],)
        if self.scale:
            self.add_weight("gamma", channels, self.initializers["gamma"])
        if self.center:
            self.add_weight("beta", channels, self.initializers["beta"])
        for name in "moving_mean", "moving_variance":
            self.add_weight(name, channels, self.initializers[name], trainable=False)

    def check_input(self, input_shape):
        if self.axis not in (-1, 1, len(input_shape) - 1):
            raise ShapeError(f"layer '{self.name}': axis is {self.axis}; channels are on the last axis, -1, or on 1.")
        channels = input_shape[-1]
        if channels is None or (self.moving_mean is not None and channels != len(self.moving_mean)):
            mean = self.moving_mean
            expected = "a known number of channels" if mean is None else counted(len(mean), "channel")
            raise ShapeError(f"layer '{self.name}' expected {expected}, found shape {tuple(input_shape)}.")

    @property
    def uses_batch(self):
        return self.trainable  # even if it has neither gamma nor beta

    def scale_and_shift(self):
        """Return scale (C,) and shift (C,): with fixed statistics, y = scale * x + shift."""
        return self._scale_and_shift(self.moving_mean, self.moving_variance)

    def _scale_and_shift(self, mean, variance):
        """Return scale and shift of the formula at the head of this class, written as scale * x + shift."""
        scale = self._inverse_std(variance) * (self.gamma if self.scale else 1)
        shift = -mean * scale
        return scale, shift + self.beta if self.center else shift

    def _inverse_std(self, variance):
        return 1 / np.sqrt(variance + self.epsilon)

    def forward(self, x, training=False, relu=False, mask=None):
        """Return y, with relu=True max(y, 0): a ReLU behind this layer takes no passes over the maps of its own then.
        `backward` goes back through both."""
        self.accept(x.shape)
        x = as_float(x)
        is_real = None if mask is None else checked_mask(self, mask, x.shape[:2])
        taken = x if is_real is None else x[is_real]  # what the statistics are taken from
        of_this_batch = training and self.uses_batch and taken.size > 0  # an empty batch has no statistics
        if of_this_batch:
            if taken.size == x.shape[-1]:
                warn_of_mistake(
                    f"layer '{self.name}' takes mean and variance from a batch of one example: every number is its own "
                    "mean, so the output does not depend on the example. To predict, leave training=True out. To "
                    "train, choose a batch size that leaves no single example over, or freeze the layer.",
                    "batch-of-one",
                )
            mean, variance = batch_statistics(taken)
            self._update_moving_statistics(mean, variance)
        else:
            mean, variance = self.moving_mean, self.moving_variance
        # The gradient of a frozen layer does not need x, so x is not kept.
        y = scale_and_shift(x, *self._scale_and_shift(mean, variance), relu)
        kept = x if self.trainable else None
        self.remember(kept, mean.copy(), variance.copy(), of_this_batch, y if relu else None, is_real)
        return y

    def _update_moving_statistics(self, mean, variance):
        """Move the moving statistics towards those of this batch. Skip a batch with NaN or infinity: its training step
        will be refused, and the moving statistics have to survive that as the parameters do."""
        if np.isfinite(mean).all() and np.isfinite(variance).all():
            for moving, batch in (self.moving_mean, mean), (self.moving_variance, variance):
                moving *= self.momentum
                moving += (1 - self.momentum) * batch

    def backward(self, grad):
        """Return dL/dx. Write v = x normalized, so y = gamma v + beta. Sums run over a channel's M = N*H*W numbers.

            dL/dgamma = sum grad * v        dL/dbeta = sum grad        dL/dv = gamma * grad

        With fixed statistics v = (x - mean) * inverse_std is linear in x:  dL/dx = dL/dv * inverse_std.

        With the batch's own statistics, every x_i also moves mean and variance:
            dmean/dx_i     = 1/M
            dvariance/dx_i = 1/M sum_j 2 (x_j - mean) (1[i = j] - dmean/dx_i)
                           = 2 (x_i - mean)/M - 2/M^2 sum_j (x_j - mean)  =  2 (x_i - mean)/M
        x_i changes the variance also through the mean: the term -2/M^2 sum_j (x_j - mean). This term is zero, since
        sum_j (x_j - mean) = M mean - M mean = 0. For x = (1, 2, 6): mean 3, (-2) + (-1) + 3 = 0, and
        dvariance/dx_3 = 2 * 3/3 = 2. With v_i = (x_i - mean) * inverse_std:
            dinverse_std/dx_i = -inverse_std^3 / 2 * dvariance/dx_i = -inverse_std^2 v_i / M
            dv_j/dx_i  = inverse_std * (1[i = j] - 1/M - v_i v_j / M)
            dL/dx_i    = sum_j dL/dv_j dv_j/dx_i
                       = gamma * inverse_std * (grad_i - mean(grad) - v_i * mean(grad * v))

        With v_i written out, this is  a * (grad_i + b * x_i + c)  with three numbers a, b, c for each channel.

        With a mask, M counts the real steps, and the sums still run over all steps: a padded y_j depends on mean and
        variance, too. A padded x_i moves neither of them, so there dL/dx = dL/dv * inverse_std.

        After forward(relu=True), dL/dy is grad where the output is positive, else 0, and takes the place of grad above.
        """
        x, mean, variance, used_batch, y, is_real = self.remembered()
        inverse_std = self._inverse_std(variance)
        scale = inverse_std * (self.gamma if self.scale else 1)
        if self.trainable or used_batch:
            grad, sum_grad, sum_grad_v = self._sums(grad, x, mean, inverse_std, y)
        elif y is not None:
            grad = relu_gradient(grad, y)
        if not used_batch:
            return scale_and_shift(grad, scale)
        pixels = grad.size // grad.shape[-1] if is_real is None else int(is_real.sum())  # M
        b = -inverse_std * sum_grad_v / pixels
        # With a ReLU, grad is an array that `gradient_sums` has made: it is used again, unless padded steps need it.
        may_overwrite = y is not None and is_real is None
        dx = weighted_sum(grad, x, scale, b, -b * mean - sum_grad / pixels, out=grad if may_overwrite else None)
        return dx if is_real is None else np.where(is_real[..., None], dx, scale_and_shift(grad, scale))

    def backward_to_parameters(self, grad):
        """Compute dL/dgamma and dL/dbeta alone, which `backward` derives."""
        x, mean, variance, _, y, _ = self.remembered()
        if self.trainable:
            self._sums(grad, x, mean, self._inverse_std(variance), y)

    def _sums(self, grad, x, mean, inverse_std, y):
        """Return grad (behind a ReLU: where y > 0), sum grad and sum grad * v. The last two are the gradients of beta
        and gamma, and are kept as these if the layer is trainable."""
        if self.trainable:
            self.require_input(x)
        grad, sum_grad, sum_grad_deviation = gradient_sums(grad, x, mean, y)
        sum_grad_v = sum_grad_deviation * inverse_std
        if self.trainable and self.scale:
            self.gradients["gamma"] = sum_grad_v
        if self.trainable and self.center:
            self.gradients["beta"] = sum_grad
        return grad, sum_grad, sum_grad_v


class UnitNormalization(Layer):
    """y = x / |x| along `axis`, where |x| is the square root of the sum of squares.  x (N, ..., D) -> same shape.

    It takes the length out of each row and keeps the direction. In front of a new head this takes out how bright and
    contrasty a photograph is: a pre-trained network answers a pale photograph with the same pattern of features as a
    vivid one, but with smaller numbers.

    axis   one axis, or several, over which the sum runs

    A row of zeros has no direction: it stays zero, and so does its gradient.
    """

    takes_integers = False
    config_names = ("axis",)

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axes(axis, "axis")
        self._axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)

    supports_masking = True  # type: ignore[assignment]

    @property
    def passes_mask(self):
        return within_steps(self.axis)

    def check_input(self, input_shape):
        rank = len(input_shape)
        positions = [each + rank if each < 0 else each for each in self._axes]
        if not all(0 < each < rank for each in positions) or len(set(positions)) < len(positions):
            raise ShapeError(
                f"layer '{self.name}': axis is {self.axis}, the input has shape {tuple(input_shape)}; expected axes of "
                f"an example, 1 to {rank - 1}, each once."
            )

    def forward(self, x, training=False):
        self.accept(x.shape)
        y, length = to_unit_length(as_float(x), self._axes)
        self.remember(y, length)
        return y

    def backward(self, grad):
        """Return dL/dx, which is derived in `kernels.lengths.to_unit_length_gradient`."""
        y, length = self.remembered()
        return to_unit_length_gradient(grad, y, length, self._axes)


class L2Normalization(Layer):
    """y = gamma * x / |x|, where |x| is the length of a pixel's row of channels.  x (N, ..., C) -> same shape.

    Maps of an early layer have larger numbers than those of a late one. A network that predicts from both, such as SSD
    from VGG16's block 4, brings every pixel of the early map to length 1 and learns how long it should be, channel by
    channel. Liu, Rabinovich & Berg 2015 (ParseNet), section 3.2. Keras has no such layer.

    scale   the first value of gamma (C,)
    axis    the axis of the channels: -1, the last one

    Pixels of zeros stay zero, and so does their gradient.
    """

    takes_integers = False
    config_names = ("scale", "axis")
    in_keras = False
    input_axes = {"gamma": 0}
    torch_names = {"gamma": "weight"}

    def __init__(self, scale=20, axis=-1, **kwargs):
        super().__init__(**kwargs)
        if not is_number(scale) or not 0 < scale < np.inf:
            raise ArgumentError(f"scale is {scale!r}; expected a number above 0.")
        self.scale, self.axis, self.gamma = float(scale), axes(axis, "axis"), None

    def build(self, input_shape):
        self.add_weight("gamma", (input_shape[-1],), "ones")
        self.gamma *= self.scale

    def check_input(self, input_shape):
        if self.axis not in (-1, len(input_shape) - 1) or len(input_shape) < 2:
            raise ShapeError(
                f"layer '{self.name}': axis is {self.axis}, the input has shape {tuple(input_shape)}; expected "
                "(N, ..., C), with the channels as last axis, -1."
            )
        channels = input_shape[-1]
        if channels is None or (self.gamma is not None and channels != len(self.gamma)):
            expected = "a known number of channels" if self.gamma is None else counted(len(self.gamma), "channel")
            raise ShapeError(f"layer '{self.name}' expected {expected}, found shape {tuple(input_shape)}.")

    def forward(self, x, training=False):
        self.accept(x.shape)
        v, length = to_unit_length(as_float(x), (-1,))
        self.remember(v, length)
        return v * self.gamma

    def backward(self, grad):
        """Return dL/dx. With v = x / |x|, y = gamma v:

        dL/dgamma[c] = sum over all pixels of  grad[..., c] * v[..., c]         dL/dv = gamma * grad

        and dL/dx follows from dL/dv as in `kernels.lengths.to_unit_length_gradient`.
        """
        v, length = self.remembered()
        if self.trainable:
            self.gradients["gamma"] = channel_sums(grad * v)
        return to_unit_length_gradient(grad * self.gamma, v, length, (-1,))
