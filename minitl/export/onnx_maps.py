"""Convolutions, poolings, padding and resizing in ONNX's operations, of images and of sequences.

ONNX has the channels first and pads by numbers: all begins, then all ends. The padding 'same' depends on the size of
the image where a stride is above 1 (the odd pixel goes to the end), so it is written out for the size that the model
has. A model for images of any size states SAME_UPPER instead, by which the runtime does the same sum.
"""

import numpy as np

from .. import layers
from ..weights.stated_values import pads_in
from .onnx_activations import activated
from .onnx_nodes import Value


def listed(sizes):
    """Return sizes as a list of whole numbers; layers of sequences have a single one."""
    return [int(size) for size in np.atleast_1d(sizes)]


def window(call, size):
    """Return ONNX's attributes of a window that slides over an image or a sequence."""
    found = {"kernel_shape": listed(size), "strides": listed(call.layer.strides)}
    pads = pads_in(call.layer.padding, call)
    if pads is None:
        return {**found, "auto_pad": "SAME_UPPER"}
    return {**found, "pads": [before for before, _ in pads] + [after for _, after in pads]}


def convolved(nodes, x, kernel, bias, attributes, name="kernel"):
    """Write one convolution with a kernel (KH, KW, C, F), or (K, D, F), which becomes (F, C, KH, KW)."""
    axes = kernel.ndim - 1, kernel.ndim - 2, *range(kernel.ndim - 2)
    weights = [nodes.constant(kernel.transpose(axes), name)]
    if bias is not None:
        weights.append(nodes.constant(bias, "bias"))
    return Value(kernel.ndim, first=nodes.add("Conv", nodes.first(x), *weights, **attributes))


def convolution(nodes, call, x):
    """Write a Conv2D or a Conv1D."""
    layer = call.layer
    attributes = {**window(call, layer.kernel_size), "dilations": listed(layer.dilation_rate), "group": layer.groups}
    return activated(nodes, convolved(nodes, x, layer.kernel, layer.bias, attributes), layer.activation)


def by_channel(nodes, call, x, kernel, bias=None):
    """Write a convolution of each channel by itself: kernel (KH, KW, C, M) -> (C*M, 1, KH, KW), with C groups."""
    layer, (kh, kw, c, m) = call.layer, kernel.shape
    attributes = {**window(call, layer.kernel_size), "dilations": listed(layer.dilation_rate), "group": c}
    return convolved(nodes, x, kernel.reshape(kh, kw, 1, c * m), bias, attributes, "depthwise_kernel")


def depthwise_convolution(nodes, call, x):
    """Write a DepthwiseConv2D."""
    layer = call.layer
    return activated(nodes, by_channel(nodes, call, x, layer.kernel, layer.bias), layer.activation)


def separable_convolution(nodes, call, x):
    """Write a SeparableConv2D: each channel by itself, then a convolution of 1x1."""
    layer = call.layer
    maps = by_channel(nodes, call, x, layer.depthwise_kernel)
    y = convolved(nodes, maps, layer.pointwise_kernel, layer.bias, {"kernel_shape": [1, 1]}, "pointwise_kernel")
    return activated(nodes, y, layer.activation)


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
    """Write a pooling with a window: of the largest number, or of the mean, which leaves the border out."""
    attributes = window(call, call.layer.pool_size)
    if isinstance(call.layer, (layers.MaxPooling2D, layers.MaxPooling1D)):
        return Value(x.rank, first=nodes.add("MaxPool", nodes.first(x), **attributes))
    return Value(x.rank, first=nodes.add("AveragePool", nodes.first(x), count_include_pad=0, **attributes))


def global_pooling(nodes, call, x, mask=None):
    """Write a pooling over all pixels or steps; with a mask, the mean is that of the real steps."""
    if mask is not None:
        return masked_mean(nodes, call, x, mask)
    is_max = isinstance(call.layer, (layers.GlobalMaxPooling2D, layers.GlobalMaxPooling1D))
    y = nodes.add("GlobalMaxPool" if is_max else "GlobalAveragePool", nodes.first(x))  # (N, C, 1, 1)
    return Value(x.rank, first=y) if call.layer.keepdims else Value(2, nodes.add("Flatten", y, axis=1))


def masked_mean(nodes, call, x, mask):
    """Write the mean over the steps that are real: 0 for a sequence that has none."""
    is_real, steps = nodes.widened(nodes.last(mask), [2]), np.array([1], np.int64)  # (N, T, 1)
    total = nodes.add("ReduceSum", nodes.add("Where", is_real, nodes.last(x), np.float32(0)), steps, keepdims=1)
    count = nodes.add("ReduceSum", nodes.number_cast(is_real, np.float32), steps, keepdims=1)
    y = nodes.add("Div", total, nodes.add("Max", count, np.float32(1)))  # (N, 1, D)
    return Value(3, y) if call.layer.keepdims else Value(2, nodes.add("Squeeze", y, steps))


def padding(nodes, call, x):
    """Write a ZeroPadding2D or a ZeroPadding1D. The batch and the channels, which come first, get none."""
    before, after = np.reshape(call.layer.padding, (-1, 2)).T
    sides = np.array([0, 0, *before, 0, 0, *after], np.int64)
    return Value(x.rank, first=nodes.add("Pad", nodes.first(x), sides))


def cropping(nodes, call, x):
    """Write a Cropping2D or a Cropping1D. An end that is not cut off is the largest number."""
    before, after = np.reshape(call.layer.cropping, (-1, 2)).T
    ends = [-side if side else np.iinfo(np.int64).max for side in after]
    limits = [np.array(each, np.int64) for each in (before, ends, range(2, x.rank))]
    return Value(x.rank, first=nodes.add("Slice", nodes.first(x), *limits))


def upsampling(nodes, call, x):
    """Write an UpSampling2D or an UpSampling1D: pixels are squares, and the middle of an old one is that of its new
    ones."""
    scales = np.array([1, 1, *listed(call.layer.size)], np.float32)
    options = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    interpolation = getattr(call.layer, "interpolation", "nearest")
    if interpolation != "nearest":
        options = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    if interpolation == "bicubic":
        options.update(mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1)
    return Value(x.rank, first=nodes.add("Resize", nodes.first(x), "", scales, **options))
