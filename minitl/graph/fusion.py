"""Fusion: several calls of a graph that are computed as one, because nothing else needs the arrays between them.

A convolution computes its output block by block, and each block is in the cache for a moment. Operations on single
numbers or channels are cheapest at that moment. If the whole output is written to memory first and read again later,
such an operation can take longer than a convolution. So these calls are computed as one:

    convolution -> BatchNormalization -> Add -> ReLU or ReLU6 -> 2x2 max pooling    each but the first may be missing

The convolution may be a depthwise one; then there is no pooling.

A batch normalization with fixed statistics is *folded* into the convolution before it. It is linear,

    gamma * (conv(x) + bias - mean) / sqrt(variance + epsilon) + beta  =  scale * conv(x) + shift
    scale = gamma / sqrt(variance + epsilon)        shift = beta + (bias - mean) * scale

so the kernel is multiplied by `scale`, and `shift` takes the place of the bias: the same numbers up to rounding. The
layers stay as they are. Each forward decides anew what to fuse, so a layer that has been unfrozen is computed by itself
again: nothing is fused where a gradient will pass, or where a normalization uses statistics of the batch.

A 1x1 convolution behind an average pooling changes places with it. The convolution is a sum over channels and the
pooling a sum over pixels, so the result does not depend on their order. In a block of Inception the convolution gives a
quarter of the channels that it takes, so behind it the pooling has a quarter of the work.

Two groups belong to encoders of text. An Add and the LayerNormalization behind it are computed block by block
(`NormalizedSum`). A Dense with a GELU or SiLU computes no slopes, which only its gradient would need (`WithoutSlopes`).

Who calls this: `graph`. Inference of ResNet50 at batch 8 takes 0.8 of the time with it (`minitl bench`).
"""

import numpy as np

from ..kernels import conv2d
from ..kernels.activations import WITH_SLOPE, linear, relu, relu6
from ..kernels.affine import affine
from ..kernels.layer_normalization import layer_normalize
from ..layers import (
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    LayerNormalization,
    MaxPooling2D,
    ReLU,
)

MONOTONIC = (linear, relu, relu6)  # activations that a maximum may be taken before


class Fused:
    """A convolution and the calls behind it that are computed with it.

    inputs   the symbolic tensors that the group takes: the convolution's input, and the residual, if there is an Add
    outputs  the symbolic output of its last call, as a tuple of one
    layers   the layers of its calls, in order
    average  the average pooling before the convolution that changes places with it, or None
    """

    def __init__(self, call, pooling=None):
        self.outputs, self.convolution = call.outputs, call.layer
        self.average = None if pooling is None else pooling.layer
        self.inputs = call.inputs if pooling is None else pooling.inputs
        self.layers = [call.layer] if pooling is None else [pooling.layer, call.layer]
        self.norm, self.activate, self.pool = None, call.layer.activate, False

    def forward(self, x, residual=None):
        """Compute the output of the last call. `residual` is the array that an Add adds to the convolution's output."""
        layer = self.convolution
        self.layers[0].accept(x.shape)
        if residual is not None and residual.shape != layer.compute_output_shape(x.shape):
            # In a model for images of any size, only the arrays show that the residual has to be broadcast.
            return self.one_by_one(x, residual)
        scale, shift = None, layer.bias
        if self.norm is not None:
            scale, shift = self.norm.scale_and_shift()
            if layer.use_bias:
                shift = shift + layer.bias * scale
        if self.average is None:
            pool = {"pool": True} if self.pool else {}
            return layer.convolve(x, shift, self.activate, scale, residual, **pool)
        y, _ = self.average.run(conv2d(x, layer.kernel, scale=scale))
        if shift is not None:
            y += shift
        return self.activate(y, out=y)

    def one_by_one(self, x, residual):
        """Compute the output of the last call without fusion, layer by layer."""
        for layer in self.layers:
            x, _ = layer.run([x, residual] if layer.merges else x)
        return x

    def try_to_join(self, call, known):
        """Add `call` to the group if it can be computed with it, and return whether it can.

        call    the only call that uses the group's output so far
        known   the tensors that have been computed before the group
        """
        layer, (output,) = call.layer, self.outputs
        is_linear = self.activate is linear and not self.pool
        # The class has to be exactly this one, since a subclass may compute something else.
        if type(layer) is BatchNormalization and is_linear and self.layers[-1] is self.convolution:
            self.norm = layer
        elif type(layer) is Add and is_linear and len(self.inputs) == 1 and self.average is None:
            residuals = [tensor for tensor in call.inputs if tensor is not output]
            if len(call.inputs) != 2 or len(residuals) != 1 or residuals[0] not in known:
                return False
            if residuals[0].shape != output.shape:  # it would have to be broadcast
                return False
            self.inputs = (*self.inputs, *residuals)
        elif is_linear and relu_function(layer) is not None:
            self.activate = relu_function(layer)
        elif is_2x2_max_pooling(layer) and self.activate in MONOTONIC and self.can_take_pooling:
            self.pool = True  # VGG16: 5 % of the time
        else:
            return False
        self.outputs = call.outputs
        self.layers.append(layer)
        return True

    @property
    def can_take_pooling(self):
        """Return whether a 2x2 max pooling can still join: not behind an Add, an average, another pooling, or a
        depthwise convolution."""
        is_full = type(self.convolution) is Conv2D
        return is_full and len(self.inputs) == 1 and self.average is None and not self.pool


def begins_group(layer):
    """Return whether the layer is a convolution that other calls can be computed with."""
    return type(layer) is DepthwiseConv2D or (type(layer) is Conv2D and layer.is_plain)


def relu_function(layer):
    """Return `relu` or `relu6` if that is all that the layer computes, else None."""
    return layer.activate if type(layer) in (Activation, ReLU) and layer.activate in (relu, relu6) else None


class NormalizedSum(Fused):
    """An Add of two tensors and the LayerNormalization behind it: the sum is normalized while it is in the cache."""

    def __init__(self, call, after):
        self.inputs, self.outputs, self.layers = call.inputs, after.outputs, [call.layer, after.layer]

    def forward(self, x, other):
        """Compute the output of the normalization."""
        add, norm = self.layers
        add.accept([x.shape, other.shape])
        norm.accept(x.shape)
        if x.shape != other.shape or x.dtype != other.dtype:  # one of them has to be broadcast or converted
            return norm.run(add.run([x, other])[0])[0]
        d = x.shape[-1]
        y, *_ = layer_normalize(x.reshape(-1, d), norm.gamma, norm.beta, norm.epsilon, other.reshape(-1, d))
        return y.reshape(x.shape)


class WithoutSlopes(Fused):
    """A Dense whose activation has slopes that no gradient will ask for."""

    def __init__(self, call):
        self.inputs, self.outputs, self.layers = call.inputs, call.outputs, [call.layer]

    def forward(self, x):
        """Compute the output of the layer."""
        (layer,) = self.layers
        layer.accept(x.shape)
        y, _ = affine(x.reshape(-1, x.shape[-1]), layer.kernel, layer.bias, layer.activate)
        return y.reshape(*x.shape[:-1], layer.units)


def is_normalized_sum(call, after):
    """Return whether these are an Add of two tensors and a LayerNormalization along the last axis."""
    if type(call.layer) is not Add or type(after.layer) is not LayerNormalization or len(call.inputs) != 2:
        return False
    return np.atleast_1d(after.layer.axis).tolist() in ([-1], [len(call.outputs[0].shape) - 1])


def layers_of(operation):
    """Return the layers of an operation of a graph: a call, or a `Fused`."""
    return operation.layers if isinstance(operation, Fused) else [operation.layer]


def is_relu(layer):
    """Return whether the layer computes max(x, 0)."""
    return relu_function(layer) is relu


def is_2x2_max_pooling(layer):
    """Return whether the layer is a 2x2 max pooling with stride 2 and without padding."""
    return type(layer) is MaxPooling2D and (layer.pool_size, layer.strides, layer.padding) == ((2, 2), (2, 2), "valid")


def can_change_places(average, convolution):
    """Return whether these are an average pooling and a 1x1 convolution that may change places, with less work then."""
    is_average = type(average) is AveragePooling2D and type(convolution) is Conv2D
    if not is_average or (convolution.kernel_size, convolution.strides) != ((1, 1), (1, 1)):
        return False
    return average.strides == (1, 1) and convolution.kernel.shape[3] < convolution.kernel.shape[2]


def fused(calls, inputs, outputs, may_be_fused):
    """Return what to compute, in order: `calls`, with a `Fused` in the place of two or more that are computed as one.

    inputs, outputs      the graph's symbolic tensors. An output is returned, so nothing behind it is fused with it
    may_be_fused(call)   returns False if the call has to be computed by itself
    """
    users = {}
    for call in calls:
        for tensor in call.inputs:
            users.setdefault(tensor, []).append(call)

    def only_user(tensor):
        """Return the only call that uses a tensor, if it may be fused. Otherwise return None."""
        found = users.get(tensor, ())
        return found[0] if len(found) == 1 and tensor not in outputs and may_be_fused(found[0]) else None

    known, done, operations = set(inputs), set(), []
    for call in calls:
        if call in done:
            continue  # already in a group
        group, after = None, only_user(call.outputs[0])
        if begins_group(call.layer) and may_be_fused(call):
            group = Fused(call)
        elif after is not None and may_be_fused(call) and can_change_places(call.layer, after.layer):
            group = Fused(after, pooling=call)
            done.add(after)
        elif after is not None and may_be_fused(call) and is_normalized_sum(call, after):
            operations.append(NormalizedSum(call, after))
            known.update((*call.outputs, *after.outputs))
            done.add(after)
            continue
        known.update(call.outputs)
        if group is None:
            has_slopes = type(call.layer) is Dense and call.layer.activation in WITH_SLOPE and may_be_fused(call)
            operations.append(WithoutSlopes(call) if has_slopes else call)
            continue
        known.update(group.outputs)
        while (after := only_user(group.outputs[0])) is not None and group.try_to_join(after, known):
            known.update(after.outputs)
            done.add(after)
        operations.append(group if len(group.layers) > 1 else call)
    return operations
