"""Pairs of calls in training: a ReLU is computed together with the BatchNormalization or Add before it.

These layers do little with each number. Most of their time goes into reading and writing maps, and a ReLU of its own
would read and write them once more, forward and backward. So the layer before it computes max(y, 0) in its own pass
(`forward(x, training, relu=True)`), and its `backward` begins with the gradient of the ReLU. The numbers are the same.

`fusion` does this and more where no gradient passes. Who calls this: `graph`. A training step of ResNet50 at batch 8
takes 0.98 of the time with it.
"""

from ..layers import Add, BatchNormalization
from .fusion import is_relu


class WithReLU:
    """The calls of a layer and of the ReLU behind it, in the form of one call."""

    def __init__(self, call, relu):
        self.layer, self.inputs, self.by_position, self.mode = call.layer, call.inputs, call.by_position, call.mode
        self.outputs = relu.outputs

    def arguments(self, values, training=None):
        """Return (x, {name: value}) for the layer's forward from one value for each of `inputs`."""
        return self.layer.packed(values), {"relu": True, "training": self.mode(training)}


def paired(operations, outputs, path):
    """Return operations of a forward in order, with a `WithReLU` in the place of two calls that are computed as one.

    outputs   the graph's symbolic outputs: one of them is returned, so the ReLU behind it needs an array of its own
    path      the tensors that carry a gradient
    """
    users = {}
    for operation in operations:
        for tensor in operation.inputs:
            users.setdefault(tensor, []).append(operation)
    found, done = [], set()
    for operation in operations:
        if operation in done:
            continue
        output, layer = operation.outputs[0], getattr(operation, "layer", None)
        after = users.get(output, ())
        # The class has to be exactly this one, since a subclass may compute something else.
        has_mask = bool(getattr(operation, "names", ()))  # a `WithReLU` takes nothing by name
        is_first = type(layer) in (Add, BatchNormalization) and not has_mask
        if is_first and output in path and output not in outputs and len(after) == 1:
            relu = getattr(after[0], "layer", None)
            if is_relu(relu) and not (is_watched(layer) or is_watched(relu)):
                done.add(after[0])
                operation = WithReLU(operation, after[0])
        found.append(operation)
    return found


def is_watched(layer):
    """Return whether a program has replaced a method of this one layer, to see its arrays (`course/explain` does)."""
    return any(name in vars(layer) for name in ("forward", "backward", "backward_to_parameters"))
