"""Depthwise convolution, alone and followed by a 1x1 convolution. The math is in `kernels/depthwise.py`."""

from .. import initializers
from ..arguments import (
    keras_arguments,
    pair,
    truth_value,
    whole_number,
)
from ..errors import ShapeError
from ..kernels import channel_sums, conv2d, conv2d_input_gradient, conv2d_kernel_gradient
from ..kernels.activations import WITH_SLOPE, linear
from ..kernels.depthwise import depthwise, depthwise_input_gradient, depthwise_kernel_gradient
from ..kernels.geometry import spanned
from ..terminal import counted
from .activations import MIXING, activated, activation_functions, activation_name
from .base import Layer
from .channels_first import DATA_FORMAT
from .shared_arguments import OF_DEPTHWISE_KERNELS, OF_SEPARABLE_KERNELS
from .windows import check_padding, refuse_stride_and_dilation, windowed_shape


class _Depthwise(Layer):
    """The base of both layers: their common arguments, and the check of the input's channels. The depthwise kernel is
    the layer's parameter `kernel_name`."""

    takes_integers = False

    def __init__(
        self,
        kernel_size,
        strides,
        padding,
        depth_multiplier,
        dilation_rate,
        activation,
        use_bias,
        depthwise_initializer,
        bias_initializer,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.kernel_size, self.strides = pair(kernel_size, "kernel_size"), pair(strides, "strides")
        self.padding = check_padding(padding)
        self.depth_multiplier = whole_number(depth_multiplier, "depth_multiplier")
        self.dilation_rate = pair(dilation_rate, "dilation_rate")
        refuse_stride_and_dilation(self.strides, self.dilation_rate)
        self.activation = activation_name(activation)
        self.activate, self.activation_gradient = activation_functions(self.activation, with_slope=True)
        self.use_bias = truth_value(use_bias, "use_bias")
        self.depthwise_initializer = initializers.checked(depthwise_initializer, "depthwise_initializer")
        self.bias_initializer = initializers.checked(bias_initializer, "bias_initializer")
        self.bias = None

    @property
    def span(self):
        """Return the pixels (rows, columns) that the kernel spans: more than its size if it is dilated."""
        return tuple(map(spanned, self.kernel_size, self.dilation_rate))

    @property
    def windows(self):
        """Return the arguments of the kernels that say where the windows lie."""
        return self.strides, self.padding, self.dilation_rate

    def activated(self, convolve):
        """Return (y, what the activation's gradient takes) of `convolve(activate)`, which applies an activation while a
        block is in the cache. Where the gradient needs more than y, the activation is computed afterwards."""
        if self.activation not in WITH_SLOPE:
            y = convolve(self.activate)
            return y, None if self.activation == "linear" else y
        y = convolve(linear)
        return activated(self.activation, y, out=y)

    def kernel_shape(self, input_shape):
        """Return the shape (KH, KW, C, M) of the depthwise kernel."""
        return *self.kernel_size, input_shape[3], self.depth_multiplier

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 4, "(N, H, W, C)")
        if input_shape[3] is None:
            raise ShapeError(f"layer '{self.name}' needs to know how many channels it gets, found {input_shape}.")
        kernel = getattr(self, self.kernel_name)
        if kernel is not None and input_shape[3] != kernel.shape[2]:
            raise ShapeError(
                f"layer '{self.name}' expected {counted(kernel.shape[2], 'channel')}, found {input_shape[3]}: its "
                f"input has shape {tuple(input_shape)}. Images are (N, H, W, C)."
            )


class DepthwiseConv2D(_Depthwise):
    """y = activation(each channel of x convolved with a kernel of its own + bias).  x (N, H, W, C) -> y (N, OH, OW,
    C*M).

    kernel (KH, KW, C, M), bias (C*M,). M is `depth_multiplier`: each channel gives M outputs, which lie side by side.
    `padding` is 'valid' or 'same' by TensorFlow's rules.
    """

    config_names = (
        "kernel_size", "strides", "padding", "depth_multiplier", "dilation_rate", "activation", "use_bias"
    )  # fmt: skip
    kernel_name = "kernel"
    input_axes = {"kernel": 2}
    torch_names = {"kernel": "weight", "bias": "bias"}
    torch_axes = {"kernel": "(C*M, 1, KH, KW) -> (KH, KW, C*M, 1)"}  # with groups=C; for M > 1 see `weights.naming`
    regularized = {"depthwise_regularizer": "kernel", "bias_regularizer": "bias"}

    @keras_arguments(after="bias_initializer", **OF_DEPTHWISE_KERNELS)
    @keras_arguments(after="depth_multiplier", data_format=DATA_FORMAT)
    def __init__(
        self,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        depth_multiplier=1,
        dilation_rate=(1, 1),
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(
            kernel_size,
            strides,
            padding,
            depth_multiplier,
            dilation_rate,
            activation,
            use_bias,
            depthwise_initializer,
            bias_initializer,
            **kwargs,
        )
        self.kernel = None

    @property
    def keeps_channels(self):
        return self.depth_multiplier == 1 and self.activation not in MIXING

    @property
    def groups(self):
        """Return how many groups of channels PyTorch and ONNX see here: one for each channel."""
        return None if self.kernel is None else self.kernel.shape[2]

    def build(self, input_shape):
        shape = self.kernel_shape(input_shape)
        self.add_weight("kernel", shape, self.depthwise_initializer)
        if self.use_bias:
            self.add_weight("bias", (shape[2] * shape[3],), self.bias_initializer)

    def compute_output_shape(self, input_shape):
        channels = input_shape[3] * self.depth_multiplier
        return windowed_shape(input_shape, self.span, self.strides, self.padding, channels)

    def flops(self, input_shape):
        """Return 2 * KH*KW*C*M * OH*OW: a product and a sum for each kernel number and each output pixel."""
        _, oh, ow, _ = self.compute_output_shape(input_shape)
        return 2 * self.kernel.size * oh * ow

    def convolve(self, x, bias, activate, scale=None, other=None):
        """Return activate(scale * convolution + bias + other): for `forward`, and for fusion with the calls behind."""
        return depthwise(x, self.kernel, bias, *self.windows, activate, scale, other)

    def forward(self, x, training=False):
        self.accept(x.shape)
        y, kept = self.activated(lambda activate: self.convolve(x, self.bias, activate))
        # Only what a gradient needs is kept: a frozen kernel needs no x, and a linear activation no y.
        self.remember(x if self.trainable else None, x.shape[1:3], kept)
        return y

    def backward(self, grad):
        """Return dL/dx. The gradient goes back through the activation to z = convolution + bias, then to the
        parameters, then to x."""
        grad = self.backward_to_parameters(grad)
        _, image_hw, _ = self.remembered()
        return depthwise_input_gradient(grad, self.kernel, image_hw, *self.windows)

    def backward_to_parameters(self, grad):
        """Compute dL/dz from grad = dL/dy, and from dL/dz the gradients of kernel and bias. Returns dL/dz."""
        x, _, y = self.remembered()
        grad = self.activation_gradient(grad, y)
        if self.trainable:
            self.require_input(x)
            self.gradients["kernel"] = depthwise_kernel_gradient(x, grad, self.kernel.shape, *self.windows)
            if self.use_bias:
                self.gradients["bias"] = channel_sums(grad)
        return grad


class SeparableConv2D(_Depthwise):
    """y = activation(1x1 convolution of (each channel of x convolved by itself) + bias).  x (N, H, W, C) -> y (N, OH,
    OW, F).

    This is a DepthwiseConv2D without bias and a Conv2D of 1x1 with F = `filters`, as one layer: depthwise_kernel (KH,
    KW, C, M), pointwise_kernel (1, 1, C*M, F), bias (F,). M is `depth_multiplier`. Chollet 2017 (Xception).
    """

    config_names = (
        "filters", "kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier", "activation", "use_bias"
    )  # fmt: skip
    kernel_name = "depthwise_kernel"
    regularized = {
        "depthwise_regularizer": "depthwise_kernel",
        "pointwise_regularizer": "pointwise_kernel",
        "bias_regularizer": "bias",
    }
    output_size_argument = "filters"
    input_axes = {"depthwise_kernel": 2}

    @keras_arguments(after="bias_initializer", **OF_SEPARABLE_KERNELS)
    @keras_arguments(after="padding", data_format=DATA_FORMAT)
    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        dilation_rate=(1, 1),
        depth_multiplier=1,
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        pointwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(
            kernel_size,
            strides,
            padding,
            depth_multiplier,
            dilation_rate,
            activation,
            use_bias,
            depthwise_initializer,
            bias_initializer,
            **kwargs,
        )
        self.filters = whole_number(filters, "filters")
        self.pointwise_initializer = initializers.checked(pointwise_initializer, "pointwise_initializer")
        self.depthwise_kernel = self.pointwise_kernel = None

    def build(self, input_shape):
        shape = self.kernel_shape(input_shape)
        self.add_weight("depthwise_kernel", shape, self.depthwise_initializer)
        pointwise_shape = 1, 1, shape[2] * shape[3], self.filters
        self.add_weight("pointwise_kernel", pointwise_shape, self.pointwise_initializer)
        if self.use_bias:
            self.add_weight("bias", (self.filters,), self.bias_initializer)

    def compute_output_shape(self, input_shape):
        return windowed_shape(input_shape, self.span, self.strides, self.padding, self.filters)

    def flops(self, input_shape):
        """Return 2 * (KH*KW*C*M + C*M*F) * OH*OW: a product and a sum for each kernel number and output pixel."""
        _, oh, ow, _ = self.compute_output_shape(input_shape)
        return 2 * (self.depthwise_kernel.size + self.pointwise_kernel.size) * oh * ow

    def forward(self, x, training=False):
        self.accept(x.shape)
        maps = depthwise(x, self.depthwise_kernel, None, *self.windows)  # (N, OH, OW, C*M)
        y, kept = self.activated(lambda activate: conv2d(maps, self.pointwise_kernel, self.bias, activate=activate))
        inputs = (x, maps) if self.trainable else (None, None)
        self.remember(*inputs, x.shape[1:3], kept)
        return y

    def backward(self, grad):
        """Return dL/dx: back through the activation, then the 1x1 convolution, then the depthwise one."""
        grad = self._backward_to_maps(grad)
        _, _, image_hw, _ = self.remembered()
        return depthwise_input_gradient(grad, self.depthwise_kernel, image_hw, *self.windows)

    def backward_to_parameters(self, grad):
        self._backward_to_maps(grad)

    def _backward_to_maps(self, grad):
        """Compute the gradients of all parameters from grad = dL/dy, and return dL/dmaps."""
        x, maps, _, y = self.remembered()
        grad = self.activation_gradient(grad, y)
        dmaps = conv2d_input_gradient(grad, self.pointwise_kernel, grad.shape[1:3])
        if self.trainable:
            self.require_input(x)
            shape = self.depthwise_kernel.shape
            self.gradients["depthwise_kernel"] = depthwise_kernel_gradient(x, dmaps, shape, *self.windows)
            self.gradients["pointwise_kernel"] = conv2d_kernel_gradient(maps, grad, (1, 1))
            if self.use_bias:
                self.gradients["bias"] = channel_sums(grad)
        return dmaps
