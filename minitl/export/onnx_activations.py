"""Activations in ONNX's operations: by their names within other layers, and as layers of their own.

ONNX has an operation Gelu from opset 20 on only. Here it is written with Erf or Tanh, by the formulas of
`kernels.gelu`.
"""

import math

import numpy as np

from ..errors import ArgumentError
from .onnx_nodes import Value, refused

OPERATIONS = {
    "celu": "Celu", "elu": "Elu", "exponential": "Exp", "hard_silu": "HardSwish", "hard_swish": "HardSwish",
    "relu": "Relu", "selu": "Selu", "sigmoid": "Sigmoid", "softplus": "Softplus", "softsign": "Softsign",
    "tanh": "Tanh",
}  # fmt: skip


def relu6(nodes, name):
    """Write max(x, 0), but at most 6."""
    return nodes.add("Clip", name, np.float32(0), np.float32(6))


def leaky_relu(nodes, name):
    """Write x where it is positive, else 0.2 x: Keras's slope for the name, while that of the layer is 0.3."""
    return nodes.add("LeakyRelu", name, alpha=0.2)


def hard_sigmoid(nodes, name):
    """Write x / 6 + 1/2, cut off below 0 and above 1."""
    return nodes.add("HardSigmoid", name, alpha=1 / 6, beta=0.5)


def hard_tanh(nodes, name):
    """Write x, cut off at -1 and 1."""
    return nodes.add("Clip", name, np.float32(-1), np.float32(1))


def hard_shrink(nodes, name):
    """Write x where it is further than 1/2 from 0, else 0."""
    return nodes.add("Shrink", name, lambd=0.5, bias=0.0)


def soft_shrink(nodes, name):
    """Write x, moved towards 0 by 1/2."""
    return nodes.add("Shrink", name, lambd=0.5, bias=0.5)


def tanh_shrink(nodes, name):
    """Write x - tanh(x)."""
    return nodes.add("Sub", name, nodes.add("Tanh", name))


def sparse_sigmoid(nodes, name):
    """Write (x + 1) / 2, cut off below 0 and above 1."""
    return nodes.add("HardSigmoid", name, alpha=0.5, beta=0.5)


def sparse_plus(nodes, name):
    """Write (x + 1)^2 / 4 with x + 1 cut off at 0 and 2, and x - 1 where it is positive added to it."""
    part = nodes.add("Mul", sparse_sigmoid(nodes, name), sparse_sigmoid(nodes, name))
    return nodes.add("Add", part, nodes.add("Relu", nodes.add("Sub", name, np.float32(1))))


def squareplus(nodes, name):
    """Write (x + sqrt(x^2 + 4)) / 2."""
    root = nodes.add("Sqrt", nodes.add("Add", nodes.add("Mul", name, name), np.float32(4)))
    return nodes.add("Mul", nodes.add("Add", name, root), np.float32(0.5))


def log_sigmoid(nodes, name):
    """Write -softplus(-x)."""
    return nodes.add("Neg", nodes.add("Softplus", nodes.add("Neg", name)))


def mish(nodes, name):
    """Write x * tanh(softplus(x))."""
    return nodes.add("Mul", name, nodes.add("Tanh", nodes.add("Softplus", name)))


def silu(nodes, name):
    """Write x * sigmoid(x)."""
    return nodes.add("Mul", name, nodes.add("Sigmoid", name))


def gelu(nodes, name):
    """Write x * (1 + erf(x / sqrt 2)) / 2."""
    return _gated(nodes, name, nodes.add("Erf", nodes.add("Mul", name, np.float32(math.sqrt(1 / 2)))))


def gelu_tanh(nodes, name):
    """Write x * (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 as x * (1 + tanh(x * (a + b x^2))) / 2."""
    a = math.sqrt(2 / math.pi)
    squares = nodes.add("Mul", nodes.add("Mul", name, name), np.float32(0.044715 * a))
    return _gated(nodes, name, nodes.add("Tanh", nodes.add("Mul", name, nodes.add("Add", squares, np.float32(a)))))


def _gated(nodes, name, shape):
    """Write x * (1 + shape) / 2."""
    return nodes.add("Mul", nodes.add("Mul", name, nodes.add("Add", shape, np.float32(1))), np.float32(0.5))


FORMULAS = {
    "gelu": gelu, "gelu_tanh": gelu_tanh, "hard_shrink": hard_shrink, "hard_sigmoid": hard_sigmoid,
    "hard_tanh": hard_tanh, "leaky_relu": leaky_relu, "log_sigmoid": log_sigmoid, "mish": mish, "relu6": relu6,
    "silu": silu, "soft_shrink": soft_shrink, "sparse_plus": sparse_plus, "sparse_sigmoid": sparse_sigmoid,
    "squareplus": squareplus, "swish": silu, "tanh_shrink": tanh_shrink,
}  # fmt: skip


def activated(nodes, value, activation):
    """Return the value behind an activation by its name."""
    if activation == "linear":
        return value
    if activation == "softmax":
        return Value(value.rank, nodes.add("Softmax", nodes.last(value), axis=-1))
    if activation in OPERATIONS:
        return nodes.elementwise(value, OPERATIONS[activation])
    if activation not in FORMULAS:
        raise ArgumentError(f"layer '{nodes.layer}': its activation '{activation}' cannot be exported to ONNX.")
    return Value(value.rank, **{value.order: FORMULAS[activation](nodes, value.names[value.order])})


def activation(nodes, call, x):
    """Write an Activation."""
    return activated(nodes, x, call.layer.activation)


def relu(nodes, call, x):
    """Write a ReLU: x where x > threshold, else slope * (x - threshold); then limited to the maximum."""
    layer = call.layer
    slope, threshold = layer.negative_slope, layer.threshold
    name = x.names[x.order]
    if threshold:
        below = nodes.add("Mul", nodes.add("Sub", name, np.float32(threshold)), np.float32(slope))
        y = nodes.add("Where", nodes.add("Greater", name, np.float32(threshold)), name, below)
    else:
        y = nodes.add("LeakyRelu", name, alpha=slope) if slope else nodes.add("Relu", name)
    if layer.max_value is not None:
        y = nodes.add("Min", y, np.float32(layer.max_value))
    return Value(x.rank, **{x.order: y})


def softmax(nodes, call, x, mask=None):
    """Write a Softmax. ONNX's has one axis; over several it is written out, with the largest number taken off first."""
    if mask is not None:
        raise refused(call.layer, "a Softmax with a mask cannot be exported", "Cut the model before it")
    axes = [int(axis) for axis in np.atleast_1d(call.layer.axis)]
    name = nodes.last(x)
    if len(axes) == 1:
        return Value(x.rank, nodes.add("Softmax", name, axis=axes[0]))
    y = nodes.add("Exp", nodes.add("Sub", name, nodes.add("ReduceMax", name, axes=axes, keepdims=1)))
    return Value(x.rank, nodes.add("Div", y, nodes.add("ReduceSum", y, np.array(axes, np.int64), keepdims=1)))


def swiglu(nodes, call, a, b):
    """Write a SwiGLU: silu(a) * b."""
    return Value(a.rank, nodes.add("Mul", silu(nodes, nodes.last(a)), nodes.last(b)))
