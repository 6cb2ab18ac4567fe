"""Layers of sequences (N, T, D) that are layers of images with one row: `Conv1DTranspose`, `DepthwiseConv1D`,
`SeparableConv1D`.

    x (N, T, D)  ->  (N, 1, T, D)  ->  the layer of images, with kernels of one row  ->  (N, OT, F)

The math and its gradients are those of `convolutional` and `depthwise`. The layer here owns the parameters, without the
axis of rows, and lends them to its layer of images, which computes.
"""

from ..arguments import (
    NotHere,
    keras_arguments,
    one_size,
    whole_number,
)
from .base import Layer
from .channels_first import DATA_FORMAT
from .convolutional import Conv2DTranspose
from .depthwise import DepthwiseConv2D, SeparableConv2D
from .shared_arguments import OF_DEPTHWISE_KERNELS, OF_KERNELS, OF_SEPARABLE_KERNELS


class _OfOneRow(Layer):
    """The base of the layers below. `of_images` is the layer of images."""

    takes_integers = False

    def __init__(self, of_images, kernel_size, strides, dilation_rate, **kwargs):
        super().__init__(**kwargs)
        self.of_images = of_images
        self.kernel_size, self.strides = one_size(kernel_size, "kernel_size"), one_size(strides, "strides")
        self.dilation_rate = one_size(dilation_rate, "dilation_rate")
        self.padding, self.activation, self.use_bias = of_images.padding, of_images.activation, of_images.use_bias

    def build(self, input_shape):
        """Take over the parameters that the layer of images creates, without the axis of their one row."""
        self.of_images.build(as_image(input_shape))
        for name in self.of_images.parameter_names:
            parameter = getattr(self.of_images, name)
            setattr(self, name, parameter[0] if parameter.ndim > 1 else parameter)
        self.parameter_names, self.built = list(self.of_images.parameter_names), True

    def lend(self):
        """Hand the parameters to the layer of images, as the same arrays with an axis of one row."""
        inner = self.of_images
        inner.trainable, inner.name = self.trainable, self.name
        for name in self.parameter_names:
            parameter = getattr(self, name)
            setattr(inner, name, parameter[None] if parameter.ndim > 1 else parameter)
        return inner

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 3, "(N, T, D)")
        self.lend().check_input(as_image(input_shape))

    def compute_output_shape(self, input_shape):
        n, _, steps, features = self.of_images.compute_output_shape(as_image(input_shape))
        return n, steps, features

    def flops(self, input_shape):
        """Return those of the layer of images."""
        return self.lend().flops(as_image(input_shape))

    def forward(self, x, training=False):
        self.accept(x.shape)
        y, memory = self.lend().run(x[:, None], training)
        self.remember(memory)
        return y[:, 0]

    def backward(self, grad):
        """Return dL/dx: that of the layer of images, without the axis of rows."""
        return self._back(grad, type(self.of_images).backward)[:, 0]

    def backward_to_parameters(self, grad):
        """Fill `gradients` alone, as the layer of images does."""
        self._back(grad, type(self.of_images).backward_to_parameters)

    def _back(self, grad, backward):
        """Run one of the two ways back through the layer of images. Return what it returns."""
        (memory,) = self.remembered()
        inner = self.lend()
        before = inner.put_back(memory)
        found = backward(inner, grad[:, None])
        inner.put_back(before)
        if self.trainable:
            self.gradients = {name: each[0] if each.ndim > 1 else each for name, each in inner.gradients.items()}
        return found


class Conv1DTranspose(_OfOneRow):
    """y = activation(sum of `kernel`s, weighted by x and set `strides` steps apart + bias).  x (N, T, D) -> (N, OT, F).

    kernel (K, F, D) with F = `filters`, bias (F,). `Conv2DTranspose` says more.
    """

    config_names = ("filters", "kernel_size", "strides", "padding", "output_padding", "activation", "use_bias")
    regularized = Conv2DTranspose.regularized
    output_size_argument = "filters"
    input_axes = {"kernel": 2}
    output_axes = {"kernel": 1}

    @keras_arguments(after="bias_initializer", **OF_KERNELS)
    @keras_arguments(after="output_padding", data_format=DATA_FORMAT, dilation_rate=NotHere(1, ((1,), [1])))
    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        output_padding=None,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        size, stride = one_size(kernel_size, "kernel_size"), one_size(strides, "strides")
        is_one = isinstance(output_padding, (tuple, list)) and len(output_padding) == 1
        more = output_padding[0] if is_one else output_padding
        more = None if more is None else whole_number(more, "output_padding", 0)
        of_images = Conv2DTranspose(
            filters,
            (1, size),
            (1, stride),
            padding,
            None if more is None else (0, more),
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
        )
        super().__init__(of_images, kernel_size, strides, 1, **kwargs)
        self.filters, self.output_padding = of_images.filters, more


class DepthwiseConv1D(_OfOneRow):
    """y = activation(each feature of x convolved along the time with a kernel of its own + bias).  x (N, T, D) ->
    (N, OT, D*M).

    kernel (K, D, M), bias (D*M,). M is `depth_multiplier`. `DepthwiseConv2D` says more.
    """

    config_names = DepthwiseConv2D.config_names
    regularized = DepthwiseConv2D.regularized
    input_axes = {"kernel": 1}

    @keras_arguments(after="bias_initializer", **OF_DEPTHWISE_KERNELS)
    @keras_arguments(after="depth_multiplier", data_format=DATA_FORMAT)
    def __init__(
        self,
        kernel_size,
        strides=1,
        padding="valid",
        depth_multiplier=1,
        dilation_rate=1,
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        of_images = DepthwiseConv2D(
            (1, one_size(kernel_size, "kernel_size")),
            (1, one_size(strides, "strides")),
            padding,
            depth_multiplier,
            dilation_rate=(1, one_size(dilation_rate, "dilation_rate")),
            activation=activation,
            use_bias=use_bias,
            depthwise_initializer=depthwise_initializer,
            bias_initializer=bias_initializer,
        )
        super().__init__(of_images, kernel_size, strides, dilation_rate, **kwargs)
        self.depth_multiplier = of_images.depth_multiplier


class SeparableConv1D(_OfOneRow):
    """y = activation(a DepthwiseConv1D without bias, then a Conv1D of one step + bias).  x (N, T, D) -> (N, OT, F).

    depthwise_kernel (K, D, M), pointwise_kernel (1, D*M, F), bias (F,). `SeparableConv2D` says more.
    """

    config_names = SeparableConv2D.config_names
    regularized = SeparableConv2D.regularized
    output_size_argument = "filters"
    input_axes = {"depthwise_kernel": 1}

    @keras_arguments(after="bias_initializer", **OF_SEPARABLE_KERNELS)
    @keras_arguments(after="padding", data_format=DATA_FORMAT)
    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        dilation_rate=1,
        depth_multiplier=1,
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        pointwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        of_images = SeparableConv2D(
            filters,
            (1, one_size(kernel_size, "kernel_size")),
            (1, one_size(strides, "strides")),
            padding,
            dilation_rate=(1, one_size(dilation_rate, "dilation_rate")),
            depth_multiplier=depth_multiplier,
            activation=activation,
            use_bias=use_bias,
            depthwise_initializer=depthwise_initializer,
            pointwise_initializer=pointwise_initializer,
            bias_initializer=bias_initializer,
        )
        super().__init__(of_images, kernel_size, strides, dilation_rate, **kwargs)
        self.filters, self.depth_multiplier = of_images.filters, of_images.depth_multiplier


def as_image(input_shape):
    """Return the shape of a sequence as an image of one row, (N, 1, T, D)."""
    n, steps, features = input_shape
    return n, 1, steps, features
