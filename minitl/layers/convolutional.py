"""Convolution, and zero padding as a layer of its own. The math is in `kernels/convolution.py`."""

from .. import initializers
from ..arguments import DATA_FORMAT, NotHere, keras_arguments, pair, truth_value, whole_number
from ..errors import ArgumentError, ShapeError
from ..kernels import channel_sums, conv2d, conv2d_input_gradient, conv2d_kernel_gradient
from ..kernels.geometry import PADDINGS, crop, output_size, pad, window
from ..kernels.kernel_transform import KernelTransform
from ..terminal import counted
from .activations import activation_functions
from .base import NO_REGULARIZERS, Layer


class Conv2D(Layer):
    """y = activation(convolution of x with `kernel` + bias).  x (N, H, W, C) -> y (N, OH, OW, F).

    kernel (KH, KW, C, F) with F = `filters`, bias (F,). `padding` is 'valid' or 'same' by TensorFlow's rules.
    """

    takes_integers = False
    config_names = ("filters", "kernel_size", "strides", "padding", "activation", "use_bias")
    output_size_argument = "filters"
    input_axes = {"kernel": 2}
    torch_names = {"kernel": "weight", "bias": "bias"}
    torch_axes = {"kernel": "(F, C, KH, KW) -> (KH, KW, C, F)"}

    @keras_arguments(after="bias_initializer", **NO_REGULARIZERS)
    @keras_arguments(
        after="padding",
        data_format=DATA_FORMAT,
        dilation_rate=NotHere((1, 1), (1, [1, 1])),
        groups=NotHere(1, instead="Every filter sees all channels here."),
    )
    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = whole_number(filters, "filters")
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.strides = pair(strides, "strides")
        self.padding = check_padding(padding)
        self.activation = "linear" if activation is None else activation
        self.activate, self.activation_gradient = activation_functions(self.activation)
        self.use_bias = truth_value(use_bias, "use_bias")
        self.kernel_initializer = initializers.checked(kernel_initializer, "kernel_initializer")
        self.bias_initializer = initializers.checked(bias_initializer, "bias_initializer")
        self.kernel = self.bias = None
        self.transform = KernelTransform()

    def build(self, input_shape):
        self.add_weight("kernel", (*self.kernel_size, input_shape[3], self.filters), self.kernel_initializer)
        if self.use_bias:
            self.add_weight("bias", (self.filters,), self.bias_initializer)

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 4, "(N, H, W, C)")
        if input_shape[3] is None:
            raise ShapeError(f"layer '{self.name}' needs to know how many channels it gets, found {input_shape}.")
        if self.kernel is not None and input_shape[3] != self.kernel.shape[2]:
            channels = counted(self.kernel.shape[2], "channel")
            raise ShapeError(
                f"layer '{self.name}' expected {channels}, found {input_shape[3]}: its input has "
                f"shape {tuple(input_shape)}. Images are (N, H, W, C); transfer.adapt_input changes a model's channels."
            )

    def compute_output_shape(self, input_shape):
        return windowed_shape(input_shape, self.kernel_size, self.strides, self.padding, channels=self.filters)

    def flops(self, input_shape):
        """Return 2 * KH*KW*C*F * OH*OW: a product and a sum for each kernel number and each output pixel."""
        _, oh, ow, _ = self.compute_output_shape(input_shape)
        return 2 * self.kernel.size * oh * ow

    def forget_prepared(self):
        self.transform.drop()

    def forward(self, x, training=False):
        self.accept(x.shape)
        transform = self.transform
        if training and self.trainable:  # the optimizer is about to change the kernel
            transform.drop()
            transform = None
        y = conv2d(x, self.kernel, self.bias, self.strides, self.padding, self.activate, transform)
        # Only what a gradient needs is kept: a frozen kernel needs no x, and a linear activation no y.
        self.remember(x if self.trainable else None, x.shape[1:3], y if self.activation != "linear" else None)
        return y

    def backward(self, grad, other=None):
        """Return dL/dx. The gradient goes back through the activation to z = convolution + bias, then to the
        parameters, then to x. With `other`, the gradient of x by another path, return the sum of both."""
        grad = self.backward_to_parameters(grad)
        _, image_hw, _ = self.remembered()
        return conv2d_input_gradient(grad, self.kernel, image_hw, self.strides, self.padding, other)

    def backward_to_parameters(self, grad):
        """Compute dL/dz from grad = dL/dy, and from dL/dz the gradients of kernel and bias. Returns dL/dz."""
        x, _, y = self.remembered()
        grad = self.activation_gradient(grad, y)
        if self.trainable:
            self.require_input(x)
            self.gradients["kernel"] = conv2d_kernel_gradient(x, grad, self.kernel_size, self.strides, self.padding)
            if self.use_bias:
                self.gradients["bias"] = channel_sums(grad)
        return grad


class ZeroPadding2D(Layer):
    """Zero padding: puts a border of zeros around the image.

    `padding` is n, (rows, columns), or ((top, bottom), (left, right)).
    """

    config_names = ("padding",)
    keeps_channels = True

    @keras_arguments(after="padding", data_format=DATA_FORMAT)
    def __init__(self, padding=(1, 1), **kwargs):
        super().__init__(**kwargs)
        try:
            rows, cols = padding if isinstance(padding, (tuple, list)) else (padding, padding)
            sides = [side if isinstance(side, (tuple, list)) else (side, side) for side in (rows, cols)]
            self.padding = tuple(
                (whole_number(before, "padding", 0), whole_number(after, "padding", 0)) for before, after in sides
            )
        except ValueError:  # an ArgumentError is one, too
            raise ArgumentError(
                f"padding is {padding!r}; expected n, (rows, columns) or ((top, bottom), (left, right)), all at "
                "least 0."
            ) from None

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 4, "(N, H, W, C)")

    def compute_output_shape(self, input_shape):
        return windowed_shape(input_shape, (1, 1), (1, 1), self.padding)

    def forward(self, x, training=False):
        self.accept(x.shape)
        rows, cols = window(x.shape[1:3], (1, 1), (1, 1), self.padding)
        self.remember(rows, cols)
        return pad(x, rows, cols)

    def backward(self, grad):
        """Return the image's part of the gradient. The border is constant, so its part is dropped."""
        rows, cols = self.remembered()
        return crop(grad, rows, cols)


def check_padding(padding):
    """Return `padding` in lower case. Raises ArgumentError unless it is 'valid' or 'same'."""
    if not isinstance(padding, str) or padding.lower() not in PADDINGS:
        raise ArgumentError(f"padding is {padding!r}; expected 'valid' or 'same'.")
    return padding.lower()


def windowed_shape(input_shape, kernel_hw, strides, padding, channels=None):
    """Return the output shape (N, OH, OW, C) of sliding a window over (N, H, W, C). H and W may be None, for images of
    any size."""
    n, h, w, c = input_shape
    paddings = (padding, padding) if isinstance(padding, str) else padding
    oh, ow = (output_size(*axis) for axis in zip((h, w), kernel_hw, strides, paddings))
    return n, oh, ow, channels or c
