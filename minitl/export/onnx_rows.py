"""Dense layers, normalizations and tables of vectors in ONNX's operations: what works on the rows of an array."""

import numpy as np

from .onnx_activations import activated
from .onnx_nodes import Value

SMALLEST_LENGTH = 1e-30  # a row of zeros stays zero


def product(nodes, name, kernel, bias, ending="kernel"):
    """Write x @ kernel + bias with a matrix for the kernel. `bias` may be None."""
    y = nodes.add("MatMul", name, nodes.constant(kernel, ending))
    return y if bias is None else nodes.add("Add", y, nodes.constant(bias, "bias"))


def dense(nodes, call, x):
    """Write a Dense: a product over the last axis, whatever the rank."""
    layer = call.layer
    return activated(nodes, Value(x.rank, product(nodes, nodes.last(x), layer.kernel, layer.bias)), layer.activation)


# ---- normalizations ----


def batch_normalization(nodes, call, x):
    """Write a BatchNormalization with its moving statistics and its epsilon. ONNX's has the channels second."""
    layer = call.layer
    ones, zeros = np.ones_like(layer.moving_mean), np.zeros_like(layer.moving_mean)
    gamma, beta = layer.gamma if layer.scale else ones, layer.beta if layer.center else zeros
    y = nodes.add(
        "BatchNormalization", nodes.first(x), gamma, beta, layer.moving_mean, layer.moving_variance,
        epsilon=layer.epsilon,
    )  # fmt: skip
    return Value(x.rank, first=y)


def layer_normalization(nodes, call, x):
    """Write a LayerNormalization. ONNX's runs along the last axes, so others are brought there and back."""
    layer, own = call.layer, call.layer.normalized_axes(x.rank)
    order = [*(axis for axis in range(x.rank) if axis not in own), *own]
    gamma = layer.gamma if layer.scale else np.ones(layer.normalized_shape(call.inputs[0].shape), np.float32)
    beta = [layer.beta] if layer.center else []
    rows = nodes.transposed(nodes.last(x), order)
    y = nodes.add("LayerNormalization", rows, gamma, *beta, axis=-len(own), epsilon=layer.epsilon)
    return Value(x.rank, nodes.transposed(y, np.argsort(order)))


def rms_normalization(nodes, call, x):
    """Write an RMSNormalization: scale * x / sqrt(mean(x^2) + epsilon)."""
    layer, own, name = call.layer, call.layer.normalized_axes(x.rank), nodes.last(x)
    squares = nodes.add("ReduceMean", nodes.add("Mul", name, name), axes=own, keepdims=1)
    y = nodes.add("Div", name, nodes.add("Sqrt", nodes.add("Add", squares, np.float32(layer.epsilon))))
    sizes = [size if axis in own else 1 for axis, size in enumerate(call.inputs[0].shape)]
    return Value(x.rank, nodes.add("Mul", y, layer.scale.reshape(sizes)))


def unit_rows(nodes, call, x):
    """Write a UnitNormalization or an L2Normalization: x / |x|, times gamma."""
    layer, x_name = call.layer, nodes.last(x)
    axes = [int(axis) for axis in np.atleast_1d(layer.axis)]
    length = nodes.add("ReduceL2", x_name, axes=axes, keepdims=1)
    y = nodes.add("Div", x_name, nodes.add("Max", length, np.float32(SMALLEST_LENGTH)))
    return Value(x.rank, nodes.add("Mul", y, layer.gamma) if "gamma" in layer.weight_names else y)


# ---- tables of vectors ----


def embedding(nodes, call, x):
    """Write an Embedding: the rows of its table."""
    tokens, table = nodes.last(x), nodes.constant(call.layer.embeddings, "embeddings")
    if call.inputs[0].dtype not in ("int32", "int64"):
        tokens = nodes.number_cast(tokens, np.int64)
    return Value(x.rank + 1, nodes.add("Gather", table, tokens))


def reversible_embedding(nodes, call, x):
    """Write a ReversibleEmbedding: the rows of its table, or with reverse=True the products with all rows."""
    if not call.options.get("reverse"):
        return embedding(nodes, call, x)
    layer = call.layer
    if layer.tie_weights:  # the table itself, so that a file has it once
        kernel = nodes.transposed(nodes.constant(layer.embeddings, "embeddings"), [1, 0])
    else:
        kernel = nodes.constant(layer.reverse_embeddings, "reverse_embeddings")
    y = nodes.add("MatMul", nodes.last(x), kernel)
    if layer.logit_soft_cap is not None:
        cap = np.float32(layer.logit_soft_cap)
        y = nodes.add("Mul", nodes.add("Tanh", nodes.add("Div", y, cap)), cap)
    return Value(x.rank, y)


def position_embedding(nodes, call, x):
    """Write a PositionEmbedding: x plus the first T rows of the table."""
    steps, table = nodes.add("Shape", nodes.last(x), start=1, end=2), nodes.constant(call.layer.embeddings)
    rows = nodes.add("Slice", table, np.array([0], np.int64), steps)
    return Value(3, nodes.add("Add", nodes.last(x), rows))


def token_type_embedding(nodes, call, x, *types):
    """Write a TokenTypeEmbedding: x plus the vector of each token's type, which is 0 if no types are given."""
    table = call.layer.embeddings
    if not types:
        return Value(3, nodes.add("Add", nodes.last(x), table[0]))
    numbers = nodes.number_cast(nodes.last(types[0]), np.int64)
    return Value(3, nodes.add("Add", nodes.last(x), nodes.add("Gather", nodes.constant(table), numbers)))
