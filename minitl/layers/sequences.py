"""Convolution and pooling of sequences (N, T, D): of sound, of text. To the kernels a sequence is an image of one row.

    x (N, T, D)  ->  (N, 1, T, D)  ->  the math of `convolutional` and `pooling`, with windows of one row

So there is no new math here, and no gradient that is not derived there. What is new is the padding 'causal', and that a
mean over time can leave out the padding of a sequence.
"""

import numpy as np

from .. import initializers, kernels
from ..arguments import keras_arguments, one_size, truth_value
from ..errors import ShapeError
from ..kernels import channel_sums
from ..kernels.activations import WITH_SLOPE, linear
from ..kernels.geometry import spanned
from ..kernels.groups import convolution
from ..kernels.precision import as_float
from ..kernels.products import sums
from ..terminal import counted
from .activations import activated, activation_functions, activation_name
from .base import Layer
from .channels_first import DATA_FORMAT
from .masking import checked_mask
from .shared_arguments import OF_KERNELS
from .windows import check_padding, checked_groups, refuse_stride_and_dilation, refuse_uneven_groups, windowed_shape


class _OfSequences(Layer):
    """The base of the layers of sequences."""

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 3, "(N, T, D)")


class Conv1D(_OfSequences):
    """y = activation(convolution of x with `kernel` along the time + bias).  x (N, T, D) -> y (N, OT, F).

    kernel (K, D, F) with F = `filters`, bias (F,). `padding` is 'valid', 'same', or 'causal': all zeros stand before
    the first step, so that an output depends on its own step and on earlier ones, never on later ones. With a
    `dilation_rate` of 2 the kernel sees every second step; then the stride is 1. With `groups` G the kernel is (K, D/G,
    F): each filter sees the features of its group alone (`kernels.groups`).
    """

    config_names = ("filters", "kernel_size", "strides", "padding", "dilation_rate", "groups", "activation", "use_bias")
    takes_integers = False
    regularized = {"kernel_regularizer": "kernel", "bias_regularizer": "bias"}
    output_size_argument = "filters"
    input_axes = {"kernel": 1}
    torch_names = {"kernel": "weight", "bias": "bias"}
    torch_axes = {"kernel": "(F, D, K) -> (K, D, F)"}

    @keras_arguments(after="bias_initializer", **OF_KERNELS)
    @keras_arguments(after="padding", data_format=DATA_FORMAT)
    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        dilation_rate=1,
        groups=1,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = one_size(filters, "filters")
        self.kernel_size = one_size(kernel_size, "kernel_size")
        self.strides = one_size(strides, "strides")
        is_causal = isinstance(padding, str) and padding.lower() == "causal"
        self.padding = "causal" if is_causal else check_padding(padding, "'valid', 'same' or 'causal'")
        self.dilation_rate = one_size(dilation_rate, "dilation_rate")
        refuse_stride_and_dilation(self.strides, self.dilation_rate)
        self.groups = checked_groups(groups, self.filters)
        self.activation = activation_name(activation)
        self.activate, self.activation_gradient = activation_functions(self.activation, with_slope=True)
        self.use_bias = truth_value(use_bias, "use_bias")
        self.kernel_initializer = initializers.checked(kernel_initializer, "kernel_initializer")
        self.bias_initializer = initializers.checked(bias_initializer, "bias_initializer")
        self.kernel = self.bias = None

    @property
    def span(self):
        """Return the steps that the kernel spans: more than its size if it is dilated."""
        return spanned(self.kernel_size, self.dilation_rate)

    @property
    def image_padding(self):
        """Return the padding of the image of one row: (above and below, before and behind)."""
        return ((0, 0), (self.span - 1, 0)) if self.padding == "causal" else self.padding

    def build(self, input_shape):
        shape = self.kernel_size, input_shape[2] // self.groups, self.filters
        self.add_weight("kernel", shape, self.kernel_initializer)
        if self.use_bias:
            self.add_weight("bias", (self.filters,), self.bias_initializer)

    def check_input(self, input_shape):
        super().check_input(input_shape)
        if input_shape[2] is None:
            raise ShapeError(f"layer '{self.name}' needs to know how many features a step has, found {input_shape}.")
        if self.kernel is not None and input_shape[2] != self.kernel.shape[1] * self.groups:
            expected = counted(self.kernel.shape[1] * self.groups, "feature")
            raise ShapeError(f"layer '{self.name}' expected {expected} in each step, found {input_shape[2]}.")
        refuse_uneven_groups(self, input_shape[2])

    @property
    def math(self):
        """Return the convolution, its gradients of x and of the kernel, and the steps on an image of one row."""
        is_dilated = self.span != self.kernel_size
        return *convolution(is_dilated, self.groups), (1, self.dilation_rate if is_dilated else self.strides)

    def compute_output_shape(self, input_shape):
        return _windowed(input_shape, self.span, self.strides, self.image_padding, self.filters)

    def flops(self, input_shape):
        """Return 2 * K*D*F * OT: a product and a sum for each kernel number and each output step."""
        return 2 * self.kernel.size * self.compute_output_shape(input_shape)[1]

    def forward(self, x, training=False):
        self.accept(x.shape)
        convolve, _, _, steps = self.math
        by_slope = self.activation in WITH_SLOPE  # its gradient needs more than y
        activate = linear if by_slope else self.activate
        y = convolve(x[:, None], self.kernel[None], self.bias, steps, self.image_padding, activate)[:, 0]
        y, kept = activated(self.activation, y, out=y) if by_slope else (y, y)
        self.remember(x if self.trainable else None, x.shape[1], kept if self.activation != "linear" else None)
        return y

    def backward(self, grad):
        """Return dL/dx, as Conv2D does."""
        grad = self.backward_to_parameters(grad)[:, None]
        _, input_steps, _ = self.remembered()
        _, input_gradient, _, steps = self.math
        return input_gradient(grad, self.kernel[None], (1, input_steps), steps, self.image_padding)[:, 0]

    def backward_to_parameters(self, grad):
        """Compute dL/dz from grad = dL/dy, and from dL/dz the gradients of kernel and bias. Returns dL/dz."""
        x, _, y = self.remembered()
        grad = self.activation_gradient(grad, y)
        if self.trainable:
            self.require_input(x)
            _, _, kernel_gradient, steps = self.math
            row, window = grad[:, None], (1, self.kernel_size)
            self.gradients["kernel"] = kernel_gradient(x[:, None], row, window, steps, self.image_padding)[0]
            if self.use_bias:
                self.gradients["bias"] = channel_sums(grad)
        return grad


class _Pooling1D(_OfSequences):
    """The base of the two windowed poolings. By default, the stride is the size of the window."""

    config_names = ("pool_size", "strides", "padding")
    keeps_channels = True

    def __init__(self, pool_size, strides, padding, **kwargs):
        super().__init__(**kwargs)
        self.pool_size = one_size(pool_size, "pool_size")
        self.strides = self.pool_size if strides is None else one_size(strides, "strides")
        self.padding = check_padding(padding)

    @property
    def window(self):
        """Return the window, its stride and the padding on an image of one row."""
        return (1, self.pool_size), (1, self.strides), self.padding

    def compute_output_shape(self, input_shape):
        return _windowed(input_shape, self.pool_size, self.strides, self.padding)


class MaxPooling1D(_Pooling1D):
    """Max pooling: keeps the largest number of each window of steps, feature by feature. (N, T, D) -> (N, OT, D)."""

    @keras_arguments(after="padding", data_format=DATA_FORMAT)
    def __init__(self, pool_size=2, strides=None, padding="valid", name=None, **kwargs):
        super().__init__(pool_size, strides, padding, name=name, **kwargs)

    def forward(self, x, training=False):
        self.accept(x.shape)
        y = kernels.max_pool(x[:, None], *self.window)
        self.remember(x, y)
        return y[:, 0]

    def backward(self, grad):
        x, y = self.remembered()
        return kernels.max_pool_gradient(grad[:, None], x[:, None], y, *self.window)[:, 0]


class AveragePooling1D(_Pooling1D):
    """Average pooling: takes the mean of each window of steps, feature by feature. (N, T, D) -> (N, OT, D)."""

    @keras_arguments(after="padding", data_format=DATA_FORMAT)
    def __init__(self, pool_size, strides=None, padding="valid", name=None, **kwargs):
        super().__init__(pool_size, strides, padding, name=name, **kwargs)

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.remember(x.shape[1])
        return kernels.average_pool(x[:, None], *self.window)[:, 0]

    def backward(self, grad):
        (steps,) = self.remembered()
        return kernels.average_pool_gradient(grad[:, None], (1, steps), *self.window)[:, 0]


class _GlobalPooling1D(_OfSequences):
    """The base of the two global poolings: (N, T, D) -> (N, D), or (N, 1, D) with keepdims=True."""

    config_names = ("keepdims",)
    keeps_channels = True

    @keras_arguments(data_format=DATA_FORMAT)
    def __init__(self, keepdims=False, **kwargs):
        super().__init__(**kwargs)
        self.keepdims = truth_value(keepdims, "keepdims")

    def compute_output_shape(self, input_shape):
        n, _, d = input_shape
        return (n, 1, d) if self.keepdims else (n, d)


class GlobalAveragePooling1D(_GlobalPooling1D):
    """Global average pooling: takes the mean of each feature over all steps.

    With a mask (N, T) it is the mean over the steps that are real: of the steps (2, 4), (4, 0), (6, 6), (6, 6), of
    which the last two are padding, it is (3, 2). A sequence without a real step has the mean 0 (in Keras it is NaN).
    """

    keyword_inputs = ("mask",)

    def forward(self, x, training=False, mask=None):
        self.accept(x.shape)
        x = as_float(x)
        if mask is None:
            y = kernels.global_average_pool(x[:, None])
            self.remember(x.shape, None)
            return y[:, None] if self.keepdims else y
        is_real = checked_mask(self, mask, x.shape[:2])[:, :, None]  # (N, T, 1)
        share = is_real / np.maximum(is_real.sum(axis=1, keepdims=True), 1).astype(x.dtype)  # of each step in the mean
        self.remember(x.shape, share)
        y = sums(np.where(is_real, x, x.dtype.type(0)) * share, 1)  # (N, 1, D)
        return y if self.keepdims else y[:, 0]

    def backward(self, grad):
        """Return dL/dx: with the mean y = sum over t of share_t * x_t, dL/dx_t = share_t * dL/dy."""
        shape, share = self.remembered()
        grad = grad.reshape(shape[0], 1, shape[2])
        if share is None:
            return kernels.global_average_pool_gradient(grad[:, 0], (1, shape[1]))[:, 0]
        return grad * share


class GlobalMaxPooling1D(_GlobalPooling1D):
    """Global max pooling: keeps the largest number of each feature. As in Keras it takes no mask: padding counts."""

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.remember(x)
        y = kernels.global_max_pool(x[:, None])
        return y[:, None] if self.keepdims else y

    def backward(self, grad):
        (x,) = self.remembered()
        return kernels.global_max_pool_gradient(grad.reshape(len(grad), grad.shape[-1]), x[:, None])[:, 0]


def _windowed(input_shape, window, stride, padding, features=None):
    """Return the output shape (N, OT, D) of sliding a window over the steps of (N, T, D)."""
    n, t, d = input_shape
    n, _, t, d = windowed_shape((n, 1, t, d), (1, window), (1, stride), padding, channels=features)
    return n, t, d
