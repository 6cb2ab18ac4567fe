"""Calls of a graph that are computed at once, because nobody looks at what lies between them.

A convolution leaves its output in the cache block by block. What comes next, number by number or channel by channel,
is cheapest there and then; written down first and read again later, it costs more than many a convolution does:

    convolution -> BatchNormalization -> Add -> ReLU -> 2x2 max pooling        each but the first may be missing

A batch normalization with fixed statistics is *folded* into the convolution before it. It is linear,

    gamma * (conv(x) + bias - mean) / sqrt(variance + epsilon) + beta  =  scale * conv(x) + shift
    scale = gamma / sqrt(variance + epsilon)        shift = beta + (bias - mean) * scale

so the kernel is multiplied by `scale`, and `shift` takes the place of the bias: the same numbers up to rounding. The
layers stay as they are. What can be fused is asked anew in each forward, so a layer that is unfrozen, or trained, is
computed by itself again: nothing is fused where a gradient will pass, or where a normalization looks at the batch.

A 1x1 convolution behind an average pooling changes places with it. The one is a sum over channels and the other a sum
over pixels, so it does not matter which is done first; but a block of Inception has four times fewer channels after it.

Who calls this: `graph`. Inference of ResNet50 at batch 8 takes 0.8 of the time with it (`minitl bench`).
"""

from ..kernels import conv2d
from ..kernels.activations import linear, relu
from ..layers import Activation, Add, AveragePooling2D, BatchNormalization, Conv2D, MaxPooling2D, ReLU


class Fused:
    """A convolution and the calls behind it that are computed with it.

    outputs  the symbolic tensor that the last of them gives, as a tuple of one
    inputs   what all of them are computed from: the convolution's input, and the other summand of an Add
    layers   theirs
    average  the average pooling in front of the convolution that changes places with it, or None
    """

    def __init__(self, call, pooling=None):
        self.outputs, self.convolution = call.outputs, call.layer
        self.average = None if pooling is None else pooling.layer
        self.inputs = call.inputs if pooling is None else pooling.inputs
        self.layers = [call.layer] if pooling is None else [pooling.layer, call.layer]
        self.norm, self.activate, self.pool = None, call.layer.activate, False

    def forward(self, x, other=None):
        layer = self.convolution
        self.layers[0].accept(x.shape)
        if other is not None and other.shape != layer.compute_output_shape(x.shape):
            return self.one_by_one(x, other)  # images of any size: only now is it known that it has to be stretched
        scale, shift = None, layer.bias
        if self.norm is not None:
            scale, shift = self.norm.scale_and_shift()
            if layer.use_bias:
                shift = shift + layer.bias * scale
        if self.average is None:
            place = layer.strides, layer.padding
            return conv2d(x, layer.kernel, shift, *place, self.activate, layer.transform, self.pool, scale, other)
        y, _ = self.average.run(conv2d(x, layer.kernel, scale=scale))
        if shift is not None:
            y += shift
        return self.activate(y, out=y)

    def one_by_one(self, x, other):
        for layer in self.layers:
            x, _ = layer.run([x, other] if layer.merges else x)
        return x

    def takes(self, call, known):
        """Join `call`, the only one that uses the output so far, if that can be done. `known` are the tensors that will
        have been computed."""
        layer, (output,) = call.layer, self.outputs
        is_linear = self.activate is linear and not self.pool
        # Of these very classes, since a subclass may compute something else.
        if type(layer) is BatchNormalization and is_linear and self.layers[-1] is self.convolution:
            self.norm = layer
        elif type(layer) is Add and is_linear and len(self.inputs) == 1 and self.average is None:
            others = [tensor for tensor in call.inputs if tensor is not output]
            if len(call.inputs) != 2 or len(others) != 1 or others[0] not in known:
                return False
            if others[0].shape != output.shape:  # it would have to be stretched
                return False
            self.inputs = (*self.inputs, *others)
        elif is_relu(layer) and is_linear:
            self.activate = relu
        elif is_2x2_max_pooling(layer) and self.activate in (linear, relu) and self.takes_a_pooling:
            self.pool = True  # VGG16: 5 % of the time, and 300 MB at batch 32
        else:
            return False
        self.outputs = call.outputs
        self.layers.append(layer)
        return True

    @property
    def takes_a_pooling(self):
        return len(self.inputs) == 1 and self.average is None and not self.pool


def is_relu(layer):
    if type(layer) is ReLU:
        return (layer.max_value, layer.negative_slope, layer.threshold) == (None, 0, 0)
    return type(layer) is Activation and layer.activation == "relu"


def is_2x2_max_pooling(layer):
    return type(layer) is MaxPooling2D and (layer.pool_size, layer.strides, layer.padding) == ((2, 2), (2, 2), "valid")


def change_places(average, convolution):
    """Is it right, and less work, to average what the convolution has made of the pixels?"""
    is_average = type(average) is AveragePooling2D and type(convolution) is Conv2D
    if not is_average or (convolution.kernel_size, convolution.strides) != ((1, 1), (1, 1)):
        return False
    return average.strides == (1, 1) and convolution.kernel.shape[3] < convolution.kernel.shape[2]


def fused(calls, inputs, outputs, may_be_fused):
    """Return what to compute, in order: `calls`, with a `Fused` wherever two or more can be joined.

    inputs, outputs      of the graph, symbolic tensors: an output is looked at, so nothing is joined behind it
    may_be_fused(call)   False where the call has to be computed by itself
    """
    users = {}
    for call in calls:
        for tensor in call.inputs:
            users.setdefault(tensor, []).append(call)

    def only_user(tensor):
        """Return the call that alone uses a tensor, if there is one and it may be fused."""
        found = users.get(tensor, ())
        return found[0] if len(found) == 1 and tensor not in outputs and may_be_fused(found[0]) else None

    known, done, operations = set(inputs), set(), []
    for call in calls:
        if call in done:
            continue  # with a convolution before it
        group, after = None, only_user(call.outputs[0])
        if type(call.layer) is Conv2D and may_be_fused(call):
            group = Fused(call)
        elif after is not None and may_be_fused(call) and change_places(call.layer, after.layer):
            group = Fused(after, pooling=call)
            done.add(after)
        known.update(call.outputs)
        if group is None:
            operations.append(call)
            continue
        known.update(group.outputs)
        while (after := only_user(group.outputs[0])) is not None and group.takes(after, known):
            known.update(after.outputs)
            done.add(after)
        operations.append(group if len(group.layers) > 1 else call)
    return operations
