"""The heart: a graph of layers, run forward in order and backward in reverse order.

Layers called on each other's outputs leave `SymbolicTensor`s, each of which knows its layer and its inputs. A graph
is all tensors on the way from one input to one output, in the order they were made; since a tensor is made after its
inputs, that order is a valid order of computation, and its reverse a valid order for gradients.

Read `forward` and `backward` here, then any layer. `model.Model` adds what people do with a graph.
"""

import numpy as np

from ..errors import DataError, GraphError, ShapeError
from ..layers import Conv2D, InputLayer, MaxPooling2D, SymbolicTensor

GRADIENTS = ("none", "trainable", "input")


class Graph:
    """The layers between `inputs` and `outputs`, two symbolic tensors.

    input, output   these tensors
    steps           every tensor that has to be computed, in order; `step.layer` computes it from `step.inputs`
    layers          their layers in the same order, with the InputLayer first where the graph begins with one
    """

    def __init__(self, inputs, outputs):
        self.connect(inputs, outputs)

    def connect(self, inputs, outputs):
        """Make this the graph between two symbolic tensors. Where that is refused, nothing changes."""
        start, end = one_tensor(inputs, "inputs"), one_tensor(outputs, "outputs")
        steps = _between(start, end)
        layers = [start.layer] * isinstance(start.layer, InputLayer) + [step.layer for step in steps]
        _refuse_shared(layers)
        _settle_names(layers)
        self.input, self.output, self.steps, self.layers = start, end, steps, layers
        self._path = None  # the tensors that carry a gradient: set by forward, used up by backward
        self._output_shape = None
        # After which step each tensor is used for the last time, so that forward can let go of it there.
        last_user = {tensor: step for step in steps for tensor in step.inputs}
        self._used_up_by = {}
        for tensor, step in last_user.items():
            self._used_up_by.setdefault(step, []).append(tensor)
        self._pooled = _pooled_convolutions(steps)

    def forward(self, x, training=False, gradients="trainable"):
        """x (N, ...) -> the output (N, ...): each layer in turn.

        training    layers behave as in training: Dropout drops, BatchNormalization uses the batch
        gradients   what `backward` will be asked for, which decides what is kept in memory for it:
                    "trainable"  the gradients of trainable parameters: what the trainable layers and all layers that
                                 depend on them need; nothing of what lies before the earliest of them
                    "input"      these and dL/dx
                    "none"       nothing: `backward` cannot be called
        """
        self.check_input(x)
        self._path = path = self._gradient_path(gradients)
        self._run = object()  # models may share layers: backward checks that what a layer keeps is from this run
        values = {self.input: x}
        for step in self.steps:
            layer = step.layer
            arguments = [values.get(tensor) for tensor in step.inputs]
            if path is None and step in self._pooled:
                values[self._pooled[step]] = layer.forward(arguments[0], training, pool=True)
            elif step not in values:
                values[step] = layer.forward(arguments if layer.merges else arguments[0], training=training)
            if path and step in path:
                layer.remembered_in = self._run
            else:
                layer.forget()  # no gradient will pass here
            for tensor in self._used_up_by.get(step, ()):
                values.pop(tensor, None)
        self._output_shape = values[self.output].shape
        return values[self.output]

    def backward(self, grad):
        """grad = dL/d(output). Every trainable layer gets its `gradients`. Returns dL/dx if forward was told to keep
        what that takes (gradients="input"), else None: the walk then ends where nothing trainable lies before.

        A tensor used by several layers gets the sum of what they send back: L depends on it along every path.
        """
        path = self._check_backward(grad)
        for layer in self.layers:
            layer.gradients.clear()  # none may be left from before: a frozen layer might be thawed and moved by it
        gradients = {self.output: grad}
        for step in reversed(self.steps):
            if step not in path:
                continue
            layer, grad = step.layer, gradients.pop(step)
            if any(tensor in path for tensor in step.inputs):
                input_grads = layer.backward(grad)
                for tensor, input_grad in zip(step.inputs, input_grads if layer.merges else [input_grads]):
                    if tensor in path:  # a merge sends gradients into branches, too, where nobody wants one
                        gradients[tensor] = gradients[tensor] + input_grad if tensor in gradients else input_grad
            else:
                layer.backward_to_parameters(grad)
            layer.forget()
        return gradients.get(self.input)

    def _check_backward(self, grad):
        """The gradient path of the latest forward, if there was one and nothing has come in between."""
        path, self._path = self._path, None
        if path is None:
            raise GraphError(
                "backward has nothing to go by: run forward first, once for each backward, and not with "
                "gradients='none' (as predict and evaluate do)."
            )
        if np.shape(grad) != self._output_shape:
            raise ShapeError(
                f"backward expected a gradient of the output's shape {self._output_shape}, found {np.shape(grad)}."
            )
        for step in path - {self.input}:
            if step.layer.remembered_in is not self._run:
                raise GraphError(
                    f"layer '{step.layer.name}' has been used by another model since this one's forward. Models that "
                    "share layers take turns: forward, backward, and only then the other's forward."
                )
        return path

    def _gradient_path(self, gradients):
        """The tensors whose gradient is needed: the outputs of trainable layers, and all that depends on them."""
        if gradients not in GRADIENTS:
            raise GraphError(f"gradients is {gradients!r}; expected one of {', '.join(map(repr, GRADIENTS))}.")
        if gradients == "none":
            return None
        path = {self.input} if gradients == "input" else set()
        for step in self.steps:
            if step.layer.trainable_names or any(tensor in path for tensor in step.inputs):
                path.add(step)
        return path

    def check_input(self, x):
        if not isinstance(x, np.ndarray):
            raise DataError(f"the model expected a NumPy array, found {type(x).__name__}.")
        self.check_shape(x.shape)

    def check_shape(self, shape):
        """Raise ShapeError if the model cannot take images (N, ...) of this shape."""
        expected = self.input.shape[1:]
        fits = len(shape) == len(expected) + 1 and all(e in (None, f) for e, f in zip(expected, shape[1:]))
        if not fits:
            sizes = ", ".join("any" if size is None else str(size) for size in expected)
            hint = ""
            if len(expected) == 3 and len(shape) == 4 and shape[1] == expected[2] and shape[3] != expected[2]:
                hint = " This looks like (N, C, H, W): use x.transpose(0, 2, 3, 1)."
            elif shape == expected:
                hint = " A single image needs a batch axis: x[None]."
            raise ShapeError(f"the model expected an input of shape (N, {sizes}), found {shape}.{hint}")

    @property
    def is_row(self):
        """Does every layer take the output of the one before it, and nothing else?"""
        return all(step.inputs == (before,) for before, step in zip([self.input, *self.steps], self.steps))

    def get_layer(self, name=None, index=None):
        """The layer called `name`, or the one at `index` of `layers`."""
        if index is not None:
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise GraphError(
            f"the model has no layer '{name}'. Its layers: {', '.join(each.name for each in self.layers)}."
        )

    def output_of(self, name):
        """The symbolic output of the layer called `name` in this graph."""
        layer = self.get_layer(name)
        return next(tensor for tensor in (self.input, *self.steps) if tensor.layer is layer)


def one_tensor(tensor, argument):
    """A symbolic tensor, also when it comes in a list of one."""
    if isinstance(tensor, (list, tuple)) and len(tensor) == 1:
        tensor = tensor[0]
    if not isinstance(tensor, SymbolicTensor):
        raise GraphError(
            f"{argument} is {type(tensor).__name__}; expected one symbolic tensor, from Input(...) or a layer's "
            "output. A model has one input and one output."
        )
    return tensor


def _between(start, end):
    """All tensors that `end` is computed from, back to `start` and without it, oldest first."""
    found, to_visit = set(), [end]
    while to_visit:
        tensor = to_visit.pop()
        if tensor in found or tensor is start:
            continue
        if not tensor.inputs:
            raise GraphError(
                f"the output depends on '{tensor.layer.name}', which is not the model's input ('{start.layer.name}'). "
                "Where models share layers, layer.output is the layer's first use; model.output_of(name) is this one's."
            )
        found.add(tensor)
        to_visit.extend(tensor.inputs)
    return sorted(found, key=lambda tensor: tensor.serial)


def _pooled_convolutions(steps):
    """Convolutions whose output is used by a 2x2 max pooling and by nothing else: {convolution: pooling}. Where no
    backward will ask for it, that output need not exist: in VGG16, the last one of each block. That saves 5 % of the
    time of inference, and 300 MB at batch 32."""
    pairs = {}
    for step in steps:
        tensor, layer = step.inputs[0], step.layer
        if (
            type(layer) is MaxPooling2D  # a subclass may compute something else
            and (layer.pool_size, layer.strides, layer.padding) == ((2, 2), (2, 2), "valid")
            and type(tensor.layer) is Conv2D
            and tensor.layer.activation in ("linear", "relu")
            and sum(tensor in each.inputs for each in steps) == 1
        ):
            pairs[tensor] = step
    return pairs


def _refuse_shared(layers):
    """A layer keeps one forward for its backward, so it can stand in a graph once."""
    seen = set()
    for layer in layers:
        if layer in seen:
            raise GraphError(f"layer '{layer.name}' is used twice in this model; make a second layer instead.")
        seen.add(layer)


def _settle_names(layers):
    """Names are unique in a model, since weight files go by them. A layer that nobody named is called by its class,
    with a number where that is taken (dense, dense_1, ...), in the first model that it joins; then the name stays."""
    taken = set()
    for layer in layers:
        if layer.name_is_settled and layer.name in taken:
            raise GraphError(f"two layers are named '{layer.name}'; give one of them another name (name=...).")
        if layer.name_is_settled:
            taken.add(layer.name)
    for layer in layers:
        if not layer.name_is_settled:
            number = 0
            while layer.name in taken:
                number += 1
                layer.name = f"{layer.class_name}_{number}"
            taken.add(layer.name)
            layer.name_is_settled = True
