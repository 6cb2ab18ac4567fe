"""The heart: a graph of layers, run forward in order and backward in reverse order.

Layers called on each other's outputs leave `SymbolicTensor`s, each of which knows its layer and its inputs. A graph
is all tensors on the way from one input to one output, in the order they were made; since a tensor is made after its
inputs, that order is a valid order of computation, and its reverse a valid order for gradients.

Read `forward` and `backward` here, then any layer. `model.Model` adds what people do with a graph.
"""

import numpy as np

from ..errors import DataError, GraphError, ShapeError
from ..kernels.elementwise import add
from ..layers import BatchNormalization, InputLayer, SymbolicTensor
from .fusion import Fused, fused

GRADIENTS = ("none", "trainable", "input")


class Graph:
    """The layers between `inputs` and `outputs`, two symbolic tensors.

    input, output   these tensors
    steps           every tensor that has to be computed, in order; `step.layer` computes it from `step.inputs`
    layers          their layers in Keras's order (`_in_keras_order`), with the InputLayer first where the graph begins
                    with one. In a row of layers that is the same order
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
        self.input, self.output, self.steps = start, end, steps
        self.layers = _in_keras_order(start, end, steps)
        self._path = None  # the tensors that carry a gradient: set by forward, used up by backward
        self._output_shape = None

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
        operations = self._operations(path, training)
        # Which operation uses a tensor for the last time: there it is let go of.
        last_user = {tensor: operation for operation in operations for tensor in operation.inputs}
        for operation in operations:
            arguments = [values[tensor] for tensor in operation.inputs]
            if isinstance(operation, Fused):
                values[operation.output] = operation.forward(*arguments)
            else:
                layer = operation.layer
                values[operation] = layer.forward(arguments if layer.merges else arguments[0], training=training)
                if path and operation in path:
                    layer.remembered_in = self._run
                else:
                    layer.forget()  # no gradient will pass here
            del arguments
            for tensor in set(operation.inputs):
                if last_user[tensor] is operation:
                    del values[tensor]
        self._output_shape = values[self.output].shape
        return values[self.output]

    def _operations(self, path, training):
        """What forward computes, in order: the steps, joined where neither a gradient passes nor a batch is looked at
        (`fusion`). Found anew each time, since layers may have been frozen or thawed."""

        def may_be_fused(step):
            looks_at_the_batch = training and isinstance(step.layer, BatchNormalization) and step.layer.trainable
            return not (path and step in path) and not looks_at_the_batch

        return fused(self.steps, may_be_fused)

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
                        gradients[tensor] = add(gradients[tensor], input_grad) if tensor in gradients else input_grad
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
    def cuts(self):
        """The symbolic tensors that all the rest is computed from alone: where the graph is a single path and can be
        cut in two. Not those within the branches of a block, for the other branch begins before them."""
        tensors = [self.input, *self.steps]
        last_use = {tensor: position for position, step in enumerate(tensors) for tensor in step.inputs}
        found, needed_until = [], 0
        for position, tensor in enumerate(tensors):
            if needed_until <= position:  # nothing from before it is used behind it
                found.append(tensor)
            needed_until = max(needed_until, last_use.get(tensor, 0))
        return found

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


def _in_keras_order(start, end, steps):
    """The layers as Keras's `model.layers` has them, which weight files without names and programs that freeze
    `model.layers[:249]` go by: the longer the way from a layer to the output, the earlier it comes; among equals, the
    one first met when walking back from the output."""
    met, to_visit = {}, [end]
    while to_visit:  # not recursive: a deep network is deeper than Python's stack
        tensor = to_visit.pop()
        if tensor not in met:
            met[tensor] = len(met)
            to_visit.extend(() if tensor is start else reversed(tensor.inputs))
    way = {tensor: 0 for tensor in met}  # steps to the output
    for step in reversed(steps):  # everybody who uses a tensor comes before it here
        for tensor in step.inputs:
            way[tensor] = max(way[tensor], way[step] + 1)
    found = [tensor.layer for tensor in sorted(met, key=lambda tensor: (-way[tensor], met[tensor]))]
    return found if isinstance(start.layer, InputLayer) else [layer for layer in found if layer is not start.layer]


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
