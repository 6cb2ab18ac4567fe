"""Each layer in ONNX's operations, as a function of (nodes, the call of the layer, the values of its inputs).

Inputs that a call has by name, such as masks, are given by name. The functions of most layers stand in modules of their
own; here are those that move numbers, merge inputs or make masks, and the table of all. A layer of your own may have a
method `to_onnx(nodes, call, *values)`, which is used instead.
"""

from types import SimpleNamespace

import numpy as np

from .. import layers
from ..layers.arithmetic import Divide, WithNumber
from ..layers.channels_first import ChannelsFirst
from ..layers.one_row import as_image
from ..layers.symbolic import Call
from . import onnx_activations, onnx_attention, onnx_maps, onnx_numbers, onnx_recurrent, onnx_rows
from .onnx_nodes import Value, refused

READ_TOKENS = (layers.Embedding, layers.ReversibleEmbedding, layers.TokenTypeEmbedding)


def nodes_of(nodes, call, values):
    """Add the nodes of a call, and return the values of its outputs. Raises ArgumentError for an unknown layer."""
    layer = call.layer
    if isinstance(layer, ChannelsFirst):
        return _with_channels_first(nodes, call, values)
    write = getattr(layer, "to_onnx", None) or LAYERS.get(type(layer))
    if write is None:
        raise refused(layer, f"a {type(layer).__name__} cannot be exported", "Cut the model before it, or leave it out")
    nodes.layer = layer.name
    count = len(call.by_position)
    inputs = [_in_type_of_output(nodes, call, each, value) for each, value in zip(call.inputs, values[:count])]
    masks = [value if each.dtype == "bool" else nodes.cast(value, bool)
             for each, value in zip(call.inputs[count:], values[count:])]  # fmt: skip
    found = write(nodes, call, *inputs, **dict(zip(call.names, masks)))
    return found if isinstance(found, list) else [found]


def _with_channels_first(nodes, call, values):
    """Write a layer that has the channels first in minitl as the one that has them last. What minitl moves lies in
    ONNX's order already, so usually no Transpose is left."""
    value, *others = values
    tensor, *named = call.inputs
    x = layers.SymbolicTensor(call.layer.shape_with_last(tensor.shape), None, tensor.dtype)
    (shape,) = (call.layer.shape_with_last(each.shape) for each in call.outputs)
    within = Call(call.layer.with_channels_last, (x,), [shape], call.outputs[0].dtype, dict(zip(call.names, named)))
    (y,) = nodes_of(nodes, within, [Value(value.rank, first=nodes.last(value)), *others])
    return [Value(y.rank, last=nodes.first(y))]


def _in_type_of_output(nodes, call, tensor, value):
    """Return an input in the type in which the layer computes, that of its output. Tables read whole numbers."""
    wanted = call.outputs[0].dtype
    if tensor.dtype == wanted or wanted == "bool" or isinstance(call.layer, READ_TOKENS):
        return value
    return nodes.cast(value, wanted)


def unchanged(nodes, call, x):
    """Write nothing: in inference, the output is the input."""
    return x


# ---- numbers in other places ----


def reshape(nodes, call, x):
    """Write a Reshape or a Flatten: the numbers of an example in the order (H, W, C). 0 copies the batch's size."""
    shape = getattr(call.layer, "target_shape", (-1,))
    y = nodes.add("Reshape", nodes.last(x), np.array([0, *shape], np.int64))
    return Value(1 + len(shape), y)


def permute(nodes, call, x):
    """Write a Permute: the batch, then the axes of an example in another order."""
    return Value(x.rank, nodes.transposed(nodes.last(x), [0, *call.layer.dims]))


def repeat_vector(nodes, call, x):
    """Write a RepeatVector: (N, D) -> (N, n, D)."""
    times = np.array([1, call.layer.n, 1], np.int64)
    return Value(3, nodes.add("Tile", nodes.widened(nodes.last(x), [1]), times))


def select_step(nodes, call, x):
    """Write a SelectStep: (N, T, D) -> (N, D)."""
    return Value(2, nodes.add("Gather", nodes.last(x), np.array(call.layer.position, np.int64), axis=1))


def time_distributed(nodes, call, x):
    """Write a TimeDistributed: the steps of all examples as one batch, the layer within, and the steps apart again."""
    wrapper, (tensor,), (output,) = call.layer, call.inputs, call.outputs
    wrapper.lend()
    shapes = [(None, *each.shape[2:]) for each in (tensor, output)]
    step = layers.SymbolicTensor(shapes[0], None, tensor.dtype)
    within = Call(wrapper.layer, (step,), shapes[1:], output.dtype)
    size = nodes.add("Shape", nodes.last(x))
    apart = [nodes.add("Slice", size, *(np.array([at], np.int64) for at in ends)) for ends in ((0, 2), (2, x.rank))]
    together = nodes.add("Concat", np.array([-1], np.int64), apart[1], axis=0)
    flat = Value(x.rank - 1, nodes.add("Reshape", nodes.last(x), together))  # (N*T, ...)
    (y,) = nodes_of(nodes, within, [flat])
    of_one_step = nodes.add("Shape", nodes.last(y), start=1)
    y_name = nodes.add("Reshape", nodes.last(y), nodes.add("Concat", apart[0], of_one_step, axis=0))
    return Value(y.rank + 1, y_name)


# ---- several inputs ----

MERGES = {
    layers.Add: "Add", layers.Average: "Add", layers.Maximum: "Max", layers.Minimum: "Min", layers.Multiply: "Mul",
    layers.Subtract: "Sub", Divide: "Div",
}  # fmt: skip


def merge(nodes, call, *values):
    """Write a layer that merges two or more inputs number by number."""
    if call.names:
        raise refused(call.layer, "a merge of masked inputs cannot be exported", "Leave the masks out")
    order, rank = _common_order(values), values[0].rank
    first, *others = [getattr(nodes, order)(each) for each in values]
    for name in others:
        first = nodes.add(MERGES[type(call.layer)], first, name)
    if isinstance(call.layer, layers.Average):
        first = nodes.add("Div", first, np.float32(len(values)))
    return Value(rank, **{order: first})


def concatenate(nodes, call, *values):
    """Write a Concatenate; with the channels first, the axes are counted anew."""
    rank, order = values[0].rank, _common_order(values)
    axis = call.layer.axis % rank
    if order == "first":
        axis = 1 if axis == rank - 1 else axis + 1
    name = nodes.add("Concat", *(getattr(nodes, order)(each) for each in values), axis=axis)
    return Value(rank, **{order: name})


def _common_order(values):
    """Return the order of axes for inputs that are to meet: "first" if one of them is there in no other."""
    return "first" if any(each.order == "first" for each in values) else "last"


# ---- masks ----


def masking(nodes, call, x):
    """Write a Masking: x times whether a time step has any number that is not the mask's."""
    is_real = _is_real(nodes, nodes.last(x), call.layer.mask_value, keep=1)
    return Value(x.rank, nodes.add("Mul", nodes.last(x), is_real))


def step_mask(nodes, call, x):
    """Write a StepMask: (N, T, D) -> (N, T), whether a step is real."""
    x = x if call.inputs[0].is_floating else nodes.cast(x, np.float32)
    is_real = _is_real(nodes, nodes.last(x), call.layer.mask_value, keep=0)
    return Value(x.rank - 1, nodes.number_cast(is_real, bool))


def _is_real(nodes, name, mask_value, keep):
    """Return the name of 1.0 for each time step that has a number other than `mask_value`, else 0.0."""
    differs = nodes.add("Not", nodes.add("Equal", name, np.float32(mask_value)))
    return nodes.add("ReduceMax", nodes.number_cast(differs, np.float32), axes=[-1], keepdims=keep)


def padding_mask(nodes, call, x):
    """Write a PaddingMask: whether a token is none of padding."""
    padding = np.array(call.layer.padding, call.inputs[0].dtype)
    return Value(x.rank, nodes.add("Not", nodes.add("Equal", nodes.last(x), padding)))


def one_row(nodes, call, x):
    """Write a layer of sequences that is a layer of images with one row: with an axis of rows, and without it again."""
    of_images, rows = call.layer.lend(), np.array([2], np.int64)  # (N, C, T) -> (N, C, 1, T)
    shapes = [SimpleNamespace(shape=as_image(each.shape)) for each in (*call.inputs, *call.outputs)]
    as_call = SimpleNamespace(layer=of_images, inputs=shapes[:1], outputs=shapes[1:])
    image = Value(4, first=nodes.add("Unsqueeze", nodes.first(x), rows))
    y = LAYERS[type(of_images)](nodes, as_call, image)
    return Value(3, first=nodes.add("Squeeze", nodes.first(y), rows))


ONLY_IN_TRAINING = (
    layers.AlphaDropout, layers.Dropout, layers.GaussianDropout, layers.GaussianNoise, layers.RandomBrightness,
    layers.RandomContrast, layers.RandomFlip, layers.RandomRotation, layers.RandomTranslation, layers.RandomZoom,
    layers.SpatialDropout1D, layers.SpatialDropout2D,
)  # fmt: skip
LAYERS = {
    **dict.fromkeys(MERGES, merge),
    **dict.fromkeys((layers.Identity, *ONLY_IN_TRAINING), unchanged),
    WithNumber: onnx_numbers.with_number,
    layers.Clip: onnx_numbers.clip,
    layers.ELU: onnx_numbers.elu,
    layers.LeakyReLU: onnx_activations.relu,
    layers.Normalization: onnx_numbers.normalization,
    layers.Rescaling: onnx_numbers.rescaling,
    layers.Activation: onnx_activations.activation,
    layers.AveragePooling1D: onnx_maps.pooling,
    layers.AveragePooling2D: onnx_maps.pooling,
    layers.BatchNormalization: onnx_rows.batch_normalization,
    layers.Bidirectional: onnx_recurrent.bidirectional,
    layers.CausalSelfAttention: onnx_attention.causal_self_attention,
    layers.Concatenate: concatenate,
    layers.Conv1D: onnx_maps.convolution,
    layers.Conv1DTranspose: one_row,
    layers.Conv2D: onnx_maps.convolution,
    layers.Conv2DTranspose: onnx_maps.transposed_convolution,
    layers.Cropping1D: onnx_maps.cropping,
    layers.Cropping2D: onnx_maps.cropping,
    layers.Dense: onnx_rows.dense,
    layers.DepthwiseConv1D: one_row,
    layers.DepthwiseConv2D: onnx_maps.depthwise_convolution,
    layers.Embedding: onnx_rows.embedding,
    layers.Flatten: reshape,
    layers.GRU: onnx_recurrent.recurrent,
    layers.GlobalAveragePooling1D: onnx_maps.global_pooling,
    layers.GlobalAveragePooling2D: onnx_maps.global_pooling,
    layers.GlobalMaxPooling1D: onnx_maps.global_pooling,
    layers.GlobalMaxPooling2D: onnx_maps.global_pooling,
    layers.L2Normalization: onnx_rows.unit_rows,
    layers.LSTM: onnx_recurrent.recurrent,
    layers.LayerNormalization: onnx_rows.layer_normalization,
    layers.Masking: masking,
    layers.MaxPooling1D: onnx_maps.pooling,
    layers.MaxPooling2D: onnx_maps.pooling,
    layers.MultiHeadAttention: onnx_attention.attention,
    layers.PaddingMask: padding_mask,
    layers.Permute: permute,
    layers.PositionEmbedding: onnx_rows.position_embedding,
    layers.RMSNormalization: onnx_rows.rms_normalization,
    layers.ReLU: onnx_activations.relu,
    layers.RepeatVector: repeat_vector,
    layers.Reshape: reshape,
    layers.ReversibleEmbedding: onnx_rows.reversible_embedding,
    layers.SelectStep: select_step,
    layers.SeparableConv1D: one_row,
    layers.SeparableConv2D: onnx_maps.separable_convolution,
    layers.SimpleRNN: onnx_recurrent.recurrent,
    layers.Softmax: onnx_activations.softmax,
    layers.StepMask: step_mask,
    layers.SwiGLU: onnx_activations.swiglu,
    layers.TimeDistributed: time_distributed,
    layers.TokenTypeEmbedding: onnx_rows.token_type_embedding,
    layers.UnitNormalization: onnx_rows.unit_rows,
    layers.UpSampling1D: onnx_maps.upsampling,
    layers.UpSampling2D: onnx_maps.upsampling,
    layers.ZeroPadding1D: onnx_maps.padding,
    layers.ZeroPadding2D: onnx_maps.padding,
}
