"""Steps of a graph that are computed at once, because nobody looks at what lies between them.

A convolution leaves its output in the cache block by block. What comes next, number by number or channel by channel,
is cheapest there and then; written down first and read again later, it costs more than many a convolution does:

    convolution -> BatchNormalization -> Add -> ReLU -> 2x2 max pooling        each but the first may be missing

A batch normalization with fixed statistics is *folded* into the convolution before it. It is linear,

    gamma * (conv(x) + bias - mean) / sqrt(variance + epsilon) + beta  =  scale * conv(x) + shift
    scale = gamma / sqrt(variance + epsilon)        shift = beta + (bias - mean) * scale

so the kernel is multiplied by `scale`, and `shift` takes the place of the bias: the same numbers up to rounding. The
layers stay as they are. What can be fused is asked anew in each forward, so a layer that is thawed, or trained, is
computed by itself again: nothing is fused where a gradient will pass, or where a normalization looks at the batch.

Who calls this: `graph`. Inference of ResNet50 at batch 8 takes half the time with it (`minitl bench`).
"""

from ..kernels import conv2d
from ..kernels.activations import linear, relu
from ..layers import Activation, Add, BatchNormalization, Conv2D, MaxPooling2D, ReLU


class Fused:
    """A convolution and the steps behind it that are computed with it.

    output   the symbolic tensor of the last of them
    inputs   what all of them are computed from: the convolution's input, and the other summand of an Add
    layers   theirs
    """

    def __init__(self, step):
        self.output, self.inputs, self.layers = step, step.inputs, [step.layer]
        self.norm, self.activate, self.pool = None, step.layer.activate, False

    def forward(self, x, other=None):
        convolution, norm = self.layers[0], self.norm
        convolution.accept(x.shape)
        scale, shift = None, convolution.bias
        if norm is not None:
            scale, shift = norm.scale_and_shift()
            if convolution.use_bias:
                shift = shift + convolution.bias * scale
        for layer in self.layers:
            layer.forget()
        return conv2d(
            x,
            convolution.kernel,
            shift,
            convolution.strides,
            convolution.padding,
            self.activate,
            convolution.transform,
            self.pool,
            scale,
            other,
        )

    def takes(self, step, known):
        """Join `step`, the only one that uses the output so far, if that can be done. `known` are the tensors that will
        have been computed."""
        layer = step.layer  # of these very classes, since a subclass may compute something else
        is_linear = self.activate is linear and not self.pool
        if type(layer) is BatchNormalization and is_linear and len(self.layers) == 1:
            self.norm = layer
        elif type(layer) is Add and is_linear and len(self.inputs) == 1:
            others = [tensor for tensor in step.inputs if tensor is not self.output]
            if len(step.inputs) != 2 or len(others) != 1 or others[0] not in known:
                return False
            if others[0].shape != self.output.shape:  # it would have to be stretched
                return False
            self.inputs = (*self.inputs, *others)
        elif is_relu(layer) and is_linear:
            self.activate = relu
        elif is_2x2_max_pooling(layer) and self.activate in (linear, relu) and len(self.inputs) == 1:
            self.pool = True  # VGG16: 5 % of the time, and 300 MB at batch 32
        else:
            return False
        self.output = step
        self.layers.append(layer)
        return True


def is_relu(layer):
    if type(layer) is ReLU:
        return (layer.max_value, layer.negative_slope, layer.threshold) == (None, 0, 0)
    return type(layer) is Activation and layer.activation == "relu"


def is_2x2_max_pooling(layer):
    return type(layer) is MaxPooling2D and (layer.pool_size, layer.strides, layer.padding) == ((2, 2), (2, 2), "valid")


def fused(steps, may_be_fused):
    """What to compute, in order: the tensors of `steps`, and a `Fused` wherever two or more can be joined.

    may_be_fused(step)   False where the step has to be computed by itself
    """
    users = {}
    for step in steps:
        for tensor in step.inputs:
            users.setdefault(tensor, []).append(step)
    known, operations = set(steps[0].inputs) if steps else set(), []
    for step in steps:
        if step in known:
            continue  # with the convolution before it
        operation = step
        if type(step.layer) is Conv2D and may_be_fused(step):
            group = Fused(step)
            members = [step]
            while len(users.get(group.output, ())) == 1:
                (after,) = users[group.output]
                if not may_be_fused(after) or not group.takes(after, known):
                    break
                members.append(after)
            if len(members) > 1:
                operation = group
            known.update(members)
        known.add(step)
        operations.append(operation)
    return operations
