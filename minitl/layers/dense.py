"""The fully connected layer, and `Flatten`, which turns a feature map into the vector that this layer takes."""

import math

from .. import initializers
from ..arguments import NotHere, keras_arguments, truth_value, whole_number
from ..errors import ShapeError
from ..kernels import channel_sums, matmul
from ..kernels.activations import WITH_SLOPE
from ..kernels.affine import affine
from ..terminal import counted
from .activations import activation_functions, activation_name
from .base import Layer
from .channels_first import DATA_FORMAT
from .shared_arguments import OF_KERNELS


class Dense(Layer):
    """y = activation(x @ kernel + bias).  x (N, inputs) -> y (N, units).

    kernel (inputs, units), bias (units,). On an input with more axes the layer works on each pixel by itself, as in
    Keras: (N, H, W, C) -> (N, H, W, units).
    """

    takes_integers = False
    passes_mask = True
    config_names = ("units", "activation", "use_bias")
    regularized = {"kernel_regularizer": "kernel", "bias_regularizer": "bias"}
    output_size_argument = "units"
    input_axes = {"kernel": 0}
    torch_names = {"kernel": "weight", "bias": "bias"}
    torch_axes = {"kernel": "(units, inputs) -> (inputs, units)"}

    @keras_arguments(
        after="bias_initializer",
        **OF_KERNELS,
        lora_rank=NotHere(),
        lora_alpha=NotHere(),
        quantization_config=NotHere(),
    )
    def __init__(
        self,
        units,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = whole_number(units, "units")
        self.activation = activation_name(activation)
        self.activate, self.activation_gradient = activation_functions(self.activation, with_slope=True)
        self.use_bias = truth_value(use_bias, "use_bias")
        self.kernel_initializer = initializers.checked(kernel_initializer, "kernel_initializer")
        self.bias_initializer = initializers.checked(bias_initializer, "bias_initializer")
        self.kernel = self.bias = None

    def build(self, input_shape):
        self.add_weight("kernel", (input_shape[-1], self.units), self.kernel_initializer)
        if self.use_bias:
            self.add_weight("bias", (self.units,), self.bias_initializer)

    def check_input(self, input_shape):
        inputs = input_shape[-1]
        if len(input_shape) < 2 or inputs is None:
            raise ShapeError(
                f"layer '{self.name}' needs to know how many numbers it gets, found the input shape {input_shape}. "
                "Give the model a fixed input_shape, or pool globally before this layer."
            )
        if self.kernel is not None and inputs != len(self.kernel):
            raise ShapeError(f"layer '{self.name}' expected {counted(len(self.kernel), 'input')}, found {inputs}.")

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def flops(self, input_shape):
        """Return 2 * inputs*units: a product and a sum for each kernel number; of a map, this for each pixel."""
        return 2 * self.kernel.size * math.prod(input_shape[1:-1])  # the product of no axes is 1

    def forward(self, x, training=False):
        self.accept(x.shape)
        flat_x, activate = x.reshape(-1, x.shape[-1]), None if self.activation == "linear" else self.activate
        y, slope = affine(flat_x, self.kernel, self.bias, activate, WITH_SLOPE.get(self.activation))
        y = y.reshape(*x.shape[:-1], self.units)
        kept = None if self.activation == "linear" else y if slope is None else slope.reshape(y.shape)
        self.remember(x if self.trainable else None, kept)
        return y

    def backward(self, grad):
        """Return dL/dx. With z = x @ kernel + bias:

        dL/dx[n, i] = sum_u dL/dz[n, u] * dz[n, u]/dx[n, i]
                    = sum_u dL/dz[n, u] * kernel[i, u]         = (dL/dz @ kernel^T)[n, i]
        """
        flat_grad = self.backward_to_parameters(grad)
        return matmul(flat_grad, self.kernel.T).reshape(*grad.shape[:-1], len(self.kernel))

    def backward_to_parameters(self, grad):
        """Compute the gradients of kernel and bias.

        dL/dkernel[i, u] = sum_n x[n, i] * dL/dz[n, u]      = (x^T @ dL/dz)[i, u]
        dL/dbias[u]      = sum_n dL/dz[n, u]

        Returns dL/dz (N, units), from which `backward` goes on.
        """
        x, kept = self.remembered()
        grad = self.activation_gradient(grad, kept).reshape(-1, self.units)  # dL/dz
        if self.trainable:
            self.require_input(x)
            self.gradients["kernel"] = matmul(x.reshape(-1, x.shape[-1]).T, grad)
            if self.use_bias:
                self.gradients["bias"] = channel_sums(grad)
        return grad


class Flatten(Layer):
    """Flattening: (N, H, W, C) -> (N, H*W*C), in that order of axes."""

    passes_numbers_on = True
    keeps_integers = True

    @keras_arguments(data_format=DATA_FORMAT)
    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def compute_output_shape(self, input_shape):
        sizes = input_shape[1:]
        return input_shape[0], None if None in sizes else math.prod(sizes)

    def forward(self, x, training=False):
        self.remember(x.shape)
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def backward(self, grad):
        """Return the gradient in the input's shape: the output holds the same numbers, only arranged differently."""
        (shape,) = self.remembered()
        return grad.reshape(shape)
