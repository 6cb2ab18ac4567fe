"""Convolution, and transposed convolution, which makes maps larger. The math is in `kernels/convolution.py`; that of
convolutions with dilation is in `kernels/dilation.py`."""

import numpy as np

from .. import initializers
from ..arguments import NotHere, keras_arguments, pair, truth_value, whole_number
from ..errors import ArgumentError, ShapeError
from ..kernels import channel_sums, conv2d, conv2d_input_gradient, conv2d_kernel_gradient
from ..kernels.activations import WITH_SLOPE, linear
from ..kernels.channels import Repeated
from ..kernels.elementwise import add
from ..kernels.geometry import spanned, transposed_padding
from ..kernels.groups import convolution
from ..kernels.kernel_transform import KernelTransform
from ..terminal import counted
from .activations import activated, activation_functions, activation_name
from .base import Layer
from .channels_first import DATA_FORMAT
from .shared_arguments import OF_KERNELS
from .windows import check_padding, checked_groups, refuse_stride_and_dilation, refuse_uneven_groups, windowed_shape


class _Convolution2D(Layer):
    """The base of the two convolutions: their common arguments, and the check of the input's channels."""

    takes_integers = False
    regularized = {"kernel_regularizer": "kernel", "bias_regularizer": "bias"}
    output_size_argument = "filters"
    torch_names = {"kernel": "weight", "bias": "bias"}
    groups = 1

    def __init__(
        self,
        filters,
        kernel_size,
        strides,
        padding,
        activation,
        use_bias,
        kernel_initializer,
        bias_initializer,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = whole_number(filters, "filters")
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.strides = pair(strides, "strides")
        self.padding = check_padding(padding)
        self.activation = activation_name(activation)
        self.activate, self.activation_gradient = activation_functions(self.activation, with_slope=True)
        self.use_bias = truth_value(use_bias, "use_bias")
        self.kernel_initializer = initializers.checked(kernel_initializer, "kernel_initializer")
        self.bias_initializer = initializers.checked(bias_initializer, "bias_initializer")
        self.kernel = self.bias = None

    def build(self, input_shape):
        channels = [self.filters, self.filters]
        channels[self.input_axes["kernel"] - 2] = input_shape[3] // self.groups  # (C, F), or (F, C) if transposed
        self.add_weight("kernel", (*self.kernel_size, *channels), self.kernel_initializer)
        if self.use_bias:
            self.add_weight("bias", (self.filters,), self.bias_initializer)

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 4, "(N, H, W, C)")
        if input_shape[3] is None:
            raise ShapeError(f"layer '{self.name}' needs to know how many channels it gets, found {input_shape}.")
        channels = None if self.kernel is None else self.kernel.shape[self.input_axes["kernel"]] * self.groups
        if channels not in (None, input_shape[3]):
            channels = counted(channels, "channel")
            raise ShapeError(
                f"layer '{self.name}' expected {channels}, found {input_shape[3]}: its input has "
                f"shape {tuple(input_shape)}. Images are (N, H, W, C); transfer.adapt_input changes a model's channels."
            )


class Conv2D(_Convolution2D):
    """y = activation(convolution of x with `kernel` + bias).  x (N, H, W, C) -> y (N, OH, OW, F).

    kernel (KH, KW, C, F) with F = `filters`, bias (F,). `padding` is 'valid' or 'same' by TensorFlow's rules. With a
    `dilation_rate` of 2 the kernel sees every second row and column; then the stride is 1. With `groups` G the kernel
    is (KH, KW, C/G, F): each filter sees the channels of its group alone (`kernels.groups`).
    """

    config_names = ("filters", "kernel_size", "strides", "padding", "dilation_rate", "groups", "activation", "use_bias")
    input_axes = {"kernel": 2}
    torch_axes = {"kernel": "(F, C, KH, KW) -> (KH, KW, C, F)"}

    @keras_arguments(after="bias_initializer", **OF_KERNELS)
    @keras_arguments(after="padding", data_format=DATA_FORMAT)
    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        dilation_rate=(1, 1),
        groups=1,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            **kwargs,
        )
        self.dilation_rate = pair(dilation_rate, "dilation_rate")
        refuse_stride_and_dilation(self.strides, self.dilation_rate)
        self.groups = checked_groups(groups, self.filters)
        self.transform = KernelTransform()

    @property
    def span(self):
        """Return the pixels (rows, columns) that the kernel spans: more than its size if it is dilated."""
        return tuple(map(spanned, self.kernel_size, self.dilation_rate))

    @property
    def is_plain(self):
        """Return whether the kernel sees all pixels of its window and all channels. One of 1x1 leaves out no pixel,
        whatever its dilation."""
        return self.span == self.kernel_size and self.groups == 1

    @property
    def math(self):
        """Return the convolution, its gradients of x and of the kernel, and the steps that they take."""
        is_dilated = self.span != self.kernel_size
        return *convolution(is_dilated, self.groups), self.dilation_rate if is_dilated else self.strides

    def check_input(self, input_shape):
        super().check_input(input_shape)
        refuse_uneven_groups(self, input_shape[3])

    def compute_output_shape(self, input_shape):
        return windowed_shape(input_shape, self.span, self.strides, self.padding, channels=self.filters)

    def flops(self, input_shape):
        """Return 2 * KH*KW*C*F * OH*OW: a product and a sum for each kernel number and each output pixel."""
        _, oh, ow, _ = self.compute_output_shape(input_shape)
        return 2 * self.kernel.size * oh * ow

    def forget_prepared(self):
        self.transform.drop()

    def convolve(self, x, bias, activate, scale=None, other=None, pool=False):
        """Return activate(scale * convolution + bias + other), pooled if that is asked for: for fusion with the calls
        behind, in inference. The layer `is_plain`."""
        return conv2d(x, self.kernel, bias, self.strides, self.padding, activate, self.transform, pool, scale, other)

    def forward(self, x, training=False):
        self.accept(x.shape)
        transform = self.transform
        if training and self.trainable:  # the optimizer is about to change the kernel
            transform.drop()
            transform = None
        convolve, _, _, steps = self.math
        by_slope = self.activation in WITH_SLOPE  # its gradient needs more than y
        activate = linear if by_slope else self.activate
        y = convolve(x, self.kernel, self.bias, steps, self.padding, activate, transform)
        y, kept = activated(self.activation, y, out=y) if by_slope else (y, y)
        # Only what a gradient needs is kept: a frozen kernel needs no x, and a linear activation no y.
        self.remember(x if self.trainable else None, x.shape[1:3], kept if self.activation != "linear" else None)
        return y

    def backward(self, grad, other=None):
        """Return dL/dx. The gradient goes back through the activation to z = convolution + bias, then to the
        parameters, then to x. With `other`, the gradient of x by another path, return the sum of both."""
        grad = self.backward_to_parameters(grad)
        _, image_hw, _ = self.remembered()
        if self.is_plain:
            return conv2d_input_gradient(grad, self.kernel, image_hw, self.strides, self.padding, other)
        _, input_gradient, _, steps = self.math
        dx = input_gradient(grad, self.kernel, image_hw, steps, self.padding)
        return dx if other is None else add(dx, other)

    def backward_to_parameters(self, grad):
        """Compute dL/dz from grad = dL/dy, and from dL/dz the gradients of kernel and bias. Returns dL/dz."""
        x, _, y = self.remembered()
        grad = self.activation_gradient(grad, y)
        if self.trainable:
            self.require_input(x)
            _, _, kernel_gradient, steps = self.math
            self.gradients["kernel"] = kernel_gradient(x, grad, self.kernel_size, steps, self.padding)
            if self.use_bias:
                self.gradients["bias"] = channel_sums(grad)
        return grad


class Conv2DTranspose(_Convolution2D):
    """Transposed convolution: the way back of a convolution, which enlarges maps.  x (N, H, W, C) -> y (N, OH, OW, F).

    Every pixel of x is multiplied by the kernel, and the results are added up, `strides` pixels apart. In one row, with
    x = (1, 2), the kernel (1, 10, 100), stride 2 and no padding:

        1 * (1, 10, 100)          1  10  100
        2 * (1, 10, 100)                   2  20  200
        y                         1  10  102  20  200

    kernel (KH, KW, F, C) with F = `filters`: its last two axes are those of the convolution that goes the other way,
    from F channels to C. bias (F,). Size of y: W * stride for 'same'; (W - 1) * stride + KW for 'valid', and at least
    W * stride; `output_padding` says it otherwise (`kernels.geometry.transposed_padding`). As a start for a layer that
    only enlarges, `initializers.Bilinear` interpolates. Long, Shelhamer & Darrell 2015.

    Why this is the gradient of a convolution: let A be the convolution that takes maps of y's size to maps of x's size,

        (A v)[i, c] = sum over a, f of  v[i*s + a - before, f] * kernel[a, f, c]              (one row)

    A pixel of v reaches output i through entry a. This layer takes x back the same way: y = A^T x,

        y[h, f] = sum over i, c of  x[i, c] * kernel[h + before - i*s, f, c]

    which is `conv2d_input_gradient` with x in the place of the upstream gradient.
    """

    config_names = ("filters", "kernel_size", "strides", "padding", "output_padding", "activation", "use_bias")
    input_axes = {"kernel": 3}
    output_axes = {"kernel": 2}
    torch_axes = {"kernel": "(C, F, KH, KW) -> (KH, KW, F, C)"}

    @keras_arguments(after="bias_initializer", **OF_KERNELS)
    @keras_arguments(after="output_padding", data_format=DATA_FORMAT, dilation_rate=NotHere((1, 1), (1, [1, 1])))
    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        output_padding=None,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            **kwargs,
        )
        self.output_padding = None if output_padding is None else pair(output_padding, "output_padding", least=0)
        if any(more >= stride for more, stride in zip(self.output_padding or (), self.strides)):
            raise ArgumentError(
                f"output_padding is {self.output_padding}; expected less than strides, which is {self.strides}."
            )

    @property
    def cut_off(self):
        """Return the pixels ((top, bottom), (left, right)) that are cut off the sum of all kernels; negative where
        zeros are added."""
        more = self.output_padding or (None, None)
        axes = zip(self.kernel_size, self.strides, more)
        return tuple(transposed_padding(kernel, stride, self.padding, each) for kernel, stride, each in axes)

    @property
    def convolution_padding(self):
        """Return the padding of the convolution A, which goes the other way. It does not see the zeros that are added:
        they are fewer than a stride."""
        return tuple((before, max(after, 0)) for before, after in self.cut_off)

    def check_input(self, input_shape):
        super().check_input(input_shape)
        if any(size is not None and size < 1 for size in self.compute_output_shape(input_shape)[1:3]):
            raise ShapeError(f"layer '{self.name}' has no output for an input of shape {tuple(input_shape)}.")

    def compute_output_shape(self, input_shape):
        n, *image_hw, _ = input_shape
        axes = zip(image_hw, self.kernel_size, self.strides, self.cut_off)
        oh, ow = (None if size is None else (size - 1) * s + k - sum(cut) for size, k, s, cut in axes)
        return n, oh, ow, self.filters

    def flops(self, input_shape):
        """Return 2 * KH*KW*F*C * H*W: a product and a sum for each kernel number and each input pixel."""
        return 2 * self.kernel.size * input_shape[1] * input_shape[2]

    def forward(self, x, training=False):
        self.accept(x.shape)
        _, *output_hw, _ = self.compute_output_shape(x.shape)
        y = conv2d_input_gradient(x, self.kernel, tuple(output_hw), self.strides, self.convolution_padding)
        if self.use_bias:
            Repeated(self.bias).combine(np.add, y, y)
        y, kept = activated(self.activation, y, out=y)
        self.remember(x if self.trainable else None, kept if self.activation != "linear" else None)
        return y

    def backward(self, grad):
        """Return dL/dx. With g = dL/dz for z = A^T x + bias:

            L changes by  sum(g * A^T dx) = sum(A g * dx)      so      dL/dx = A g

        the convolution of g. In the example of the class, with g = (1, 0, 0, 0, 1): dL/dx = (1, 100). The first pixel
        reaches y[0] through the entry 1, the second reaches y[4] through the entry 100.
        """
        grad = self.backward_to_parameters(grad)
        return conv2d(grad, self.kernel, None, self.strides, self.convolution_padding)

    def backward_to_parameters(self, grad):
        """Compute dL/dz from grad = dL/dy, and from g = dL/dz the gradients of kernel and bias. Returns dL/dz.

        sum(g * A^T x) = sum(A g * x): as a function of the kernel, this is a convolution of g whose outputs have the
        upstream gradient x. So dL/dkernel is `conv2d_kernel_gradient` with g for the input and x for the gradient:

            dL/dkernel[a, f, c] = sum over i of  g[i*s + a - before, f] * x[i, c]              (one row)
        """
        x, y = self.remembered()
        grad = self.activation_gradient(grad, y)
        if self.trainable:
            self.require_input(x)
            padding = self.convolution_padding
            self.gradients["kernel"] = conv2d_kernel_gradient(grad, x, self.kernel_size, self.strides, padding)
            if self.use_bias:
                self.gradients["bias"] = channel_sums(grad)
        return grad
