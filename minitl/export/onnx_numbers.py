"""Layers that compute with given numbers, in ONNX's operations: scaling, limits, and the signs of symbolic tensors."""

import numpy as np

from .onnx_nodes import Value

SIGNS = {"add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "power": "Pow"}


def clip(nodes, call, x):
    """Write a Clip: a Max with the lower limit and a Min with the upper one."""
    y = x.names[x.order]
    for operation, limit in (("Max", call.layer.min_value), ("Min", call.layer.max_value)):
        if limit is not None:
            y = nodes.add(operation, y, np.float32(limit))
    return Value(x.rank, **{x.order: y})


def elu(nodes, call, x):
    """Write an ELU: x where it is positive, else alpha (e^x - 1)."""
    return Value(x.rank, **{x.order: nodes.add("Elu", x.names[x.order], alpha=float(call.layer.alpha))})


def rescaling(nodes, call, x):
    """Write a Rescaling: x * scale + offset."""
    scale, offset = (np.asarray(each, np.float32) for each in (call.layer.scale, call.layer.offset))
    return Value(x.rank, nodes.add("Add", nodes.add("Mul", nodes.last(x), scale), offset))


def with_number(nodes, call, x):
    """Write an operation with a number on either side."""
    layer, name = call.layer, nodes.last(x)
    number = np.asarray(layer.number, np.float32)
    both = (number, name) if layer.is_first else (name, number)
    return Value(x.rank, nodes.add(SIGNS[layer.operation], *both))


def normalization(nodes, call, x):
    """Write a Normalization: (x - mean) / deviation, or its inverse, with the layer's own statistics."""
    mean, deviation = call.layer.mean_and_deviation(call.inputs[0].shape, np.float32)
    name = nodes.last(x)
    if call.layer.invert:
        return Value(x.rank, nodes.add("Add", nodes.add("Mul", name, deviation), mean))
    return Value(x.rank, nodes.add("Div", nodes.add("Sub", name, mean), deviation))
