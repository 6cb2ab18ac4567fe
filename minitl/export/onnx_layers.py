"""Each layer in ONNX's operations, as a function of (nodes, the call of the layer, the values of its inputs).

ONNX has the channels first and pads by numbers: all begins, then all ends. minitl's 'same' padding depends on the size
of the image where a stride is above 1 (the odd pixel goes to the end), so it is written out for the size that the model
has. A layer of your own may have a method `to_onnx(nodes, call, *values)`, which is used instead.
"""

import numpy as np

from .. import layers
from ..errors import ArgumentError
from ..weights.stated_values import pads_in
from .onnx_nodes import Value

ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}
SMALLEST_LENGTH = 1e-30  # a row of zeros stays zero


def nodes_of(nodes, call, values):
    """Add the nodes of a call, and return the value of its output. Raises ArgumentError for an unknown layer."""
    layer = call.layer
    write = getattr(layer, "to_onnx", None) or LAYERS.get(type(layer))
    if write is None:
        raise refused(layer, f"a {type(layer).__name__} cannot be exported", "Cut the model before it, or leave it out")
    if call.names or call.options:
        raise refused(
            layer, f"it takes {', '.join((*call.names, *call.options))}, which is not exported", "Leave it out"
        )
    nodes.layer = layer.name
    return write(nodes, call, *values)


def refused(layer, reason, advice):
    """Return an ArgumentError that names the layer."""
    return ArgumentError(f"layer '{layer.name}': {reason} to ONNX. {advice}.")


def activated(nodes, value, activation):
    """Return the value behind an activation by its name."""
    if activation == "linear":
        return value
    if activation == "softmax":
        return Value(value.rank, nodes.add("Softmax", nodes.last(value), axis=-1))
    if activation not in ACTIVATIONS:
        raise ArgumentError(
            f"layer '{nodes.layer}': its activation '{activation}' cannot be exported to ONNX. Expected one of linear, "
            f"softmax, {', '.join(ACTIVATIONS)}."
        )
    return nodes.elementwise(value, ACTIVATIONS[activation])


def pads(call):
    """Return the padding of a call as ONNX writes it: [top, left, bottom, right]."""
    found = pads_in(call.layer.padding, call)
    if found is None:
        raise refused(
            call.layer,
            "its padding 'same' with strides depends on the size of the image, which is not known, and is not exported",
            "Give the model's Input a height and a width (transfer.adapt_input)",
        )
    return [before for before, _ in found] + [after for _, after in found]


def convolution(nodes, call, x):
    """Write a Conv2D: kernel (KH, KW, C, F) -> (F, C, KH, KW)."""
    layer = call.layer
    weights = [nodes.constant(layer.kernel.transpose(3, 2, 0, 1), "kernel")]
    if layer.use_bias:
        weights.append(nodes.constant(layer.bias, "bias"))
    y = nodes.add(
        "Conv", nodes.first(x), *weights, kernel_shape=list(layer.kernel_size), strides=list(layer.strides),
        dilations=list(layer.dilation_rate), pads=pads(call),
    )  # fmt: skip
    return activated(nodes, Value(4, first=y), layer.activation)


def transposed_convolution(nodes, call, x):
    """Write a Conv2DTranspose: kernel (KH, KW, F, C) -> (C, F, KH, KW); what is cut off are its pads."""
    layer, cut = call.layer, call.layer.cut_off
    weights = [nodes.constant(layer.kernel.transpose(3, 2, 0, 1), "kernel")]
    if layer.use_bias:
        weights.append(nodes.constant(layer.bias, "bias"))
    y = nodes.add(
        "ConvTranspose", nodes.first(x), *weights, kernel_shape=list(layer.kernel_size), strides=list(layer.strides),
        pads=[before for before, _ in cut] + [max(after, 0) for _, after in cut],
        output_padding=[max(-after, 0) for _, after in cut],
    )  # fmt: skip
    return activated(nodes, Value(4, first=y), layer.activation)


def pooling(nodes, call, x):
    """Write a MaxPooling2D or an AveragePooling2D, whose mean leaves the border out."""
    layer = call.layer
    window = {"kernel_shape": list(layer.pool_size), "strides": list(layer.strides), "pads": pads(call)}
    if isinstance(layer, layers.MaxPooling2D):
        return Value(4, first=nodes.add("MaxPool", nodes.first(x), **window))
    return Value(4, first=nodes.add("AveragePool", nodes.first(x), count_include_pad=0, **window))


def global_pooling(nodes, call, x):
    """Write a GlobalAveragePooling2D or a GlobalMaxPooling2D."""
    kind = "GlobalMaxPool" if isinstance(call.layer, layers.GlobalMaxPooling2D) else "GlobalAveragePool"
    y = nodes.add(kind, nodes.first(x))  # (N, C, 1, 1)
    return Value(4, first=y) if call.layer.keepdims else Value(2, nodes.add("Flatten", y, axis=1))


def dense(nodes, call, x):
    """Write a Dense: a product over the last axis, whatever the rank."""
    layer = call.layer
    y = nodes.add("MatMul", nodes.last(x), nodes.constant(layer.kernel, "kernel"))
    if layer.use_bias:
        y = nodes.add("Add", y, nodes.constant(layer.bias, "bias"))
    return activated(nodes, Value(x.rank, y), layer.activation)


def reshape(nodes, call, x):
    """Write a Reshape or a Flatten: the numbers of an example in the order (H, W, C). 0 copies the batch's size."""
    shape = getattr(call.layer, "target_shape", (-1,))
    y = nodes.add("Reshape", nodes.last(x), np.array([0, *shape], np.int64))
    return Value(1 + len(shape), y)


def batch_normalization(nodes, call, x):
    """Write a BatchNormalization with its moving statistics and its epsilon."""
    layer = call.layer
    ones, zeros = np.ones_like(layer.moving_mean), np.zeros_like(layer.moving_mean)
    gamma, beta = layer.gamma if layer.scale else ones, layer.beta if layer.center else zeros
    if x.rank not in (2, 4):  # ONNX's has the channels second
        scale, shift = layer.scale_and_shift()
        return Value(x.rank, nodes.add("Add", nodes.add("Mul", nodes.last(x), scale), shift))
    y = nodes.add(
        "BatchNormalization", nodes.first(x) if x.rank == 4 else nodes.last(x),
        gamma, beta, layer.moving_mean, layer.moving_variance, epsilon=layer.epsilon,
    )  # fmt: skip
    return Value(4, first=y) if x.rank == 4 else Value(2, y)


def unit_rows(nodes, call, x):
    """Write a UnitNormalization or an L2Normalization: x / |x|, times gamma."""
    layer, x_name = call.layer, nodes.last(x)
    axes = [int(axis) for axis in np.atleast_1d(layer.axis)]
    length = nodes.add("ReduceL2", x_name, axes=axes, keepdims=1)
    y = nodes.add("Div", x_name, nodes.add("Max", length, np.float32(SMALLEST_LENGTH)))
    return Value(x.rank, nodes.add("Mul", y, layer.gamma) if "gamma" in layer.weight_names else y)


def relu(nodes, call, x):
    """Write a ReLU: x where x > threshold, else slope * (x - threshold); then limited to the maximum."""
    layer = call.layer
    slope, threshold = layer.negative_slope, layer.threshold
    order = "first" if x.is_first else "last"
    name = x.names[order]
    if threshold:
        below = nodes.add("Mul", nodes.add("Sub", name, np.float32(threshold)), np.float32(slope))
        y = nodes.add("Where", nodes.add("Greater", name, np.float32(threshold)), name, below)
    else:
        y = nodes.add("LeakyRelu", name, alpha=slope) if slope else nodes.add("Relu", name)
    if layer.max_value is not None:
        y = nodes.add("Min", y, np.float32(layer.max_value))
    return Value(x.rank, **{order: y})


def clip(nodes, call, x):
    """Write a Clip: a Max with the lower limit and a Min with the upper one."""
    order = "first" if x.is_first else "last"
    y = x.names[order]
    for operation, limit in (("Max", call.layer.min_value), ("Min", call.layer.max_value)):
        if limit is not None:
            y = nodes.add(operation, y, np.float32(limit))
    return Value(x.rank, **{order: y})


def softmax(nodes, call, x):
    """Write a Softmax over one axis."""
    axes = np.atleast_1d(call.layer.axis)
    if len(axes) > 1:
        raise refused(call.layer, "a softmax over several axes cannot be exported", "Use one axis")
    return Value(x.rank, nodes.add("Softmax", nodes.last(x), axis=int(axes[0])))


def add(nodes, call, *values):
    """Write an Add of two or more."""
    first = all(each.rank == 4 for each in values) and any(each.is_first for each in values)
    names = [nodes.first(each) if first else nodes.last(each) for each in values]
    total = names[0]
    for name in names[1:]:
        total = nodes.add("Add", total, name)
    rank = max(each.rank for each in values)
    return Value(rank, first=total) if first else Value(rank, total)


def concatenate(nodes, call, *values):
    """Write a Concatenate; with the channels first, the axes are counted anew."""
    rank, axis = values[0].rank, call.layer.axis
    axis = axis % rank
    if rank == 4 and any(each.is_first for each in values):
        axis = {1: 2, 2: 3, 3: 1}[axis]
        return Value(4, first=nodes.add("Concat", *map(nodes.first, values), axis=axis))
    return Value(rank, nodes.add("Concat", *map(nodes.last, values), axis=axis))


def zero_padding(nodes, call, x):
    """Write a ZeroPadding2D."""
    (top, bottom), (left, right) = call.layer.padding
    sides = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    return Value(4, first=nodes.add("Pad", nodes.first(x), sides))


def cropping(nodes, call, x):
    """Write a Cropping2D. An end that is not cut off is the largest number."""
    (top, bottom), (left, right) = call.layer.cropping
    ends = [-side if side else np.iinfo(np.int64).max for side in (bottom, right)]
    limits = [np.array(each, np.int64) for each in ([top, left], ends, [2, 3])]
    return Value(4, first=nodes.add("Slice", nodes.first(x), *limits))


def upsampling(nodes, call, x):
    """Write an UpSampling2D: pixels are squares, and the middle of an old one is that of its new ones."""
    layer = call.layer
    scales = np.array([1, 1, *layer.size], np.float32)
    options = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    if layer.interpolation == "bilinear":
        options = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return Value(4, first=nodes.add("Resize", nodes.first(x), "", scales, **options))


def unchanged(nodes, call, x):
    """Write nothing: in inference, the output is the input."""
    return x


def activation(nodes, call, x):
    """Write an Activation."""
    return activated(nodes, x, call.layer.activation)


def masking(nodes, call, x):
    """Write a Masking: x times whether a time step has any number that is not the mask's."""
    return Value(x.rank, nodes.add("Mul", nodes.last(x), _is_real(nodes, nodes.last(x), call.layer.mask_value, keep=1)))


def step_mask(nodes, call, x):
    """Write a StepMask: (N, T, D) -> (N, T), whether a step is real."""
    found = _is_real(nodes, nodes.last(x), call.layer.mask_value, keep=0)
    return Value(x.rank - 1, nodes.add("Cast", found, to=nodes.onnx.TensorProto.BOOL))


def _is_real(nodes, name, mask_value, keep):
    """Return the name of 1.0 for each time step that has a number other than `mask_value`, else 0.0."""
    differs = nodes.add("Not", nodes.add("Equal", name, np.float32(mask_value)))
    ones = nodes.add("Cast", differs, to=nodes.onnx.TensorProto.FLOAT)
    return nodes.add("ReduceMax", ones, axes=[-1], keepdims=keep)


def padding_mask(nodes, call, x):
    """Write a PaddingMask: whether a token is none of padding."""
    padding = np.array(call.layer.padding, call.inputs[0].dtype)
    return Value(x.rank, nodes.add("Not", nodes.add("Equal", nodes.last(x), padding)))


LAYERS = {
    layers.Activation: activation,
    layers.Add: add,
    layers.AveragePooling2D: pooling,
    layers.BatchNormalization: batch_normalization,
    layers.Clip: clip,
    layers.Concatenate: concatenate,
    layers.Conv2D: convolution,
    layers.Conv2DTranspose: transposed_convolution,
    layers.Cropping2D: cropping,
    layers.Dense: dense,
    layers.Dropout: unchanged,
    layers.Flatten: reshape,
    layers.GlobalAveragePooling2D: global_pooling,
    layers.GlobalMaxPooling2D: global_pooling,
    layers.L2Normalization: unit_rows,
    layers.Masking: masking,
    layers.MaxPooling2D: pooling,
    layers.PaddingMask: padding_mask,
    layers.ReLU: relu,
    layers.Reshape: reshape,
    layers.Softmax: softmax,
    layers.StepMask: step_mask,
    layers.UnitNormalization: unit_rows,
    layers.UpSampling2D: upsampling,
    layers.ZeroPadding2D: zero_padding,
}
