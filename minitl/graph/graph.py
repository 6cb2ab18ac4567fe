"""The heart: a graph of layers, run forward in order and backward in reverse order.

Layers called on each other's outputs leave symbolic tensors, each of which knows the call that computes it. A graph is
all calls on the way from its inputs to its outputs, in the order in which they were made; since a call is made after
those it depends on, that order is a valid order of computation, and its reverse a valid order for gradients.

The life of an activation: a call computes it; every later call that takes it as an input gets it from here; behind the
last of them it is let go. What a gradient will need of it is kept by the *graph*, call by call, from forward to
backward, and is let go as backward passes. The layers themselves keep nothing in between. So a layer may be called
several times in a graph (its gradients add up), and graphs that share layers do not disturb each other.

Read `forward` and `backward` here, then any layer. `models.Model` adds what people do with a graph. Beside this file:
`structure` (one array, a list or a dict), `order` (which calls, in which order), `fusion` (calls computed at once).
"""

import weakref

import numpy as np

from ..errors import DataError, GraphError, ShapeError
from ..kernels.elementwise import add
from ..layers import InputLayer
from .fusion import Fused, fused
from .layer_group import LayerGroup
from .order import calls_between, inputs_needed, layers_in_keras_order, settle_names
from .structure import Structure

GRADIENTS = ("none", "trainable", "input")


class Graph(LayerGroup):
    """The layers between `inputs` and `outputs`: symbolic tensors, each of the two one alone, a list, or a dict.

    inputs, outputs   lists of these tensors;  input, output   in the form in which they were given
    calls             every `Call` that has to be computed, in order
    layers            their layers, each once, in Keras's order, with the InputLayers where the graph begins with them
    metadata          anything JSON can hold that should be saved with the model: class names, preprocessing
    notes             lines for the ledger: what was skipped and removed
    """

    kind = "Model"  # what a file says that this is

    def __init__(self, inputs, outputs, name="graph"):
        self.name, self.metadata, self.notes = name, {}, []
        self.connect(inputs, outputs)

    def connect(self, inputs, outputs):
        """Make this the graph between these symbolic tensors. Where that is refused, nothing changes."""
        starts, ends = Structure(inputs, "inputs"), Structure(outputs, "outputs")
        if len(set(starts.tensors)) != len(starts.tensors):
            raise GraphError("inputs names a tensor twice; each input is an array of its own.")
        calls = calls_between(starts.tensors, ends.tensors)
        first_layers = [tensor.layer for tensor in starts.tensors if isinstance(tensor.layer, InputLayer)]
        settle_names(list(dict.fromkeys([*first_layers, *(call.layer for call in calls)])))
        self.input_structure, self.output_structure, self.calls = starts, ends, calls
        self.layers = layers_in_keras_order(starts.tensors, ends.tensors)
        self.overwritten = []  # layers whose gradients a graph that shares them has replaced since the latest backward
        self._path = None  # the tensors that carry a gradient: set by forward, used up by backward
        self._memory = {}  # call -> (what its layer remembered, the layer's `updates` then, shapes of its outputs)

    @property
    def inputs(self):
        return list(self.input_structure.tensors)

    @property
    def outputs(self):
        return list(self.output_structure.tensors)

    @property
    def input(self):
        return self.input_structure.value

    @property
    def output(self):
        return self.output_structure.value

    @property
    def tensors(self):
        """All symbolic tensors in order: the inputs, then what each call gives."""
        return [*self.inputs, *(tensor for call in self.calls for tensor in call.outputs)]

    def forward(self, x, training=False, gradients="trainable"):
        """x (N, ...) -> the output (N, ...): each call in turn. Several arrays go in and come out in the form of
        `input` and `output`: a list, or a dict.

        training    layers behave as in training: Dropout drops, BatchNormalization uses the batch
        gradients   what `backward` will be asked for, which decides what is kept in memory for it:
                    "trainable"  the gradients of trainable parameters: what the trainable layers and all layers that
                                 depend on them need; nothing of what lies before the earliest of them
                    "input"      these and dL/dx
                    "none"       nothing: `backward` cannot be called
        """
        arrays = self.input_structure.flat(x, "x")
        self.check_input(arrays)
        self._path, self._memory, memory = None, {}, {}
        path = self._gradient_path(gradients)
        values, outputs = dict(zip(self.inputs, arrays)), self.output_structure.tensors
        operations = self._operations(path, training)
        # Which operation uses a tensor for the last time: there it is let go of. An output stays to the end.
        last_user = {tensor: operation for operation in operations for tensor in operation.inputs}
        for operation in operations:
            arguments = [values[tensor] for tensor in operation.inputs]
            if isinstance(operation, Fused):
                values[operation.outputs[0]] = operation.forward(*arguments)
            else:
                layer, given = operation.layer, arguments if operation.layer.merges else arguments[0]
                if operation.outputs[0] in path:
                    y, remembered = layer.run(given, training)
                else:  # no gradient will pass here
                    y, remembered = layer.forward(given, training=training), None
                    layer.forget()
                found = [y] if len(operation.outputs) == 1 else y
                values.update(zip(operation.outputs, found))
                if operation.outputs[0] in path:
                    memory[operation] = remembered, layer.updates, [(np.shape(a), a.dtype) for a in found]
                del given, y, remembered, found
            del arguments
            for tensor in set(operation.inputs):
                if last_user[tensor] is operation and tensor not in outputs:
                    del values[tensor]
        self._path, self._memory = path if gradients != "none" else None, memory
        self._output_shapes = [values[tensor].shape for tensor in outputs]
        return self.output_structure.packed([values[tensor] for tensor in outputs])

    def _operations(self, path, training):
        """Return what forward computes, in order: the calls, joined where neither a gradient passes nor a batch is
        looked at (`fusion`). Found anew each time, since layers may have been frozen or unfrozen."""

        def may_be_fused(call):
            return call.outputs[0] not in path and not (training and call.layer.uses_batch)

        return fused(self.calls, self.inputs, self.outputs, may_be_fused)

    def backward(self, grad):
        """grad = dL/d(output), in the form of `output`; None for an output that the loss does not depend on.

        Every trainable layer gets its `gradients`. Returns dL/dx in the form of `input` if forward was told to keep
        what that takes (gradients="input"), else None: the walk then ends where nothing trainable lies before. An input
        of integers has no gradient: None.

        A tensor used several times gets the sum of what comes back, and so does a parameter of a layer that is called
        several times: L depends on it along every path.
        """
        try:
            path, gradients = self._check_backward(grad)
        except BaseException:
            self._memory = {}
            raise
        self._take_over_gradients()
        for call in reversed(self.calls):
            if call.outputs[0] not in path:
                continue
            memory, _, made = self._memory.pop(call)
            grads = [gradients.pop(tensor, None) for tensor in call.outputs]
            if all(each is None for each in grads):
                continue  # only outputs without a loss depend on it
            if len(grads) > 1:  # a part of the outputs that nobody used has the gradient 0
                grads = [np.zeros(*made[k]) if each is None else each for k, each in enumerate(grads)]
            is_wanted = any(tensor in path for tensor in call.inputs)
            input_grads = _backward_of(call, memory, grads if len(grads) > 1 else grads[0], is_wanted)
            for tensor, input_grad in zip(call.inputs, input_grads):
                if tensor in path:  # a merge sends gradients into branches, too, where nobody wants one
                    gradients[tensor] = add(gradients[tensor], input_grad) if tensor in gradients else input_grad
        if not any(tensor in path for tensor in self.inputs):
            return None
        return self.input_structure.packed([gradients.get(tensor) for tensor in self.inputs])

    def _take_over_gradients(self):
        """Clear what is left of an earlier backward: a layer that was frozen since might be unfrozen and moved by it. A
        graph that shares the layer, and whose gradient this was, is told that it has lost it."""
        self.overwritten = []
        for layer in self.layers:
            owner = layer.gradients_of and layer.gradients_of()
            if layer.gradients and owner not in (None, self):
                owner.overwritten.append(layer.name)
            layer.gradients.clear()
            layer.gradients_of = weakref.ref(self)

    def _check_backward(self, grad):
        """Return the gradient path of the latest forward, and {output: its gradient}, if there was a forward and
        nothing has changed since."""
        path, self._path = self._path, None
        if path is None:
            raise GraphError(
                "backward has nothing to go by: run forward first, once for each backward, and not with "
                "gradients='none' (as predict and evaluate do)."
            )
        gradients = {}
        for tensor, each, shape in zip(self.outputs, self.output_structure.flat(grad, "grad"), self._output_shapes):
            if each is None:
                continue
            found = each.shape if isinstance(each, np.ndarray) else type(each).__name__
            if found != shape:
                raise ShapeError(f"backward expected a gradient of the output's shape {shape}, found {found}.")
            gradients[tensor] = add(gradients[tensor], each) if tensor in gradients else each
        for call, (_, updates, _) in self._memory.items():
            if call.layer.updates != updates:
                raise GraphError(
                    f"layer '{call.layer.name}' has been moved by an optimizer since this model's forward: its "
                    "gradient would be of other weights. Run forward, backward and the step of one model, then those "
                    "of the next."
                )
        return path, gradients

    def _gradient_path(self, gradients):
        """Return the tensors whose gradient is needed: what trainable layers give, and all that depends on it."""
        if gradients not in GRADIENTS:
            raise GraphError(f"gradients is {gradients!r}; expected one of {', '.join(map(repr, GRADIENTS))}.")
        if gradients == "none":
            return set()
        path = {tensor for tensor in self.inputs if tensor.is_floating} if gradients == "input" else set()
        for call in self.calls:
            if call.layer.trainable_names or any(tensor in path for tensor in call.inputs):
                path.update(call.outputs)
        return path

    # ---- what may come in ----

    def check_input(self, arrays):
        """Raise DataError or ShapeError if the graph cannot take these arrays, one for each input."""
        for x, tensor, name in zip(arrays, self.inputs, self.input_structure.names):
            what = "" if len(arrays) == 1 else f" for '{name}'"
            if not isinstance(x, np.ndarray):
                raise DataError(f"the model expected a NumPy array{what}, found {type(x).__name__}.")
            if not tensor.is_floating and x.dtype.kind not in "iub":
                raise DataError(f"the model expected integers{what} ({tensor.dtype}), found {x.dtype}.")
        self.check_shape(*(x.shape for x in arrays))

    def check_shape(self, *shapes):
        """Raise ShapeError if the graph cannot take arrays (N, ...) of these shapes, one for each input."""
        for shape, tensor, name in zip(shapes, self.inputs, self.input_structure.names):
            expected = tensor.shape[1:]
            if len(shape) == len(expected) + 1 and all(e in (None, f) for e, f in zip(expected, shape[1:])):
                continue
            sizes = "".join(", any" if size is None else f", {size}" for size in expected) or ","
            hint = ""
            if len(expected) == 3 and len(shape) == 4 and shape[1] == expected[2] and shape[3] != expected[2]:
                hint = " This looks like (N, C, H, W): use x.transpose(0, 2, 3, 1)."
            elif shape == expected:
                hint = " A single image needs a batch axis: x[None]." if len(expected) == 3 else " Add a batch axis."
            what = "an input" if len(shapes) == 1 else f"an input '{name}'"
            raise ShapeError(f"the model expected {what} of shape (N{sizes}), found {shape}.{hint}")
        if len({shape[0] for shape in shapes}) > 1:
            counts = ", ".join(f"'{name}' {shape[0]}" for name, shape in zip(self.input_structure.names, shapes))
            raise ShapeError(f"the inputs hold different numbers of examples: {counts}.")

    # ---- parts ----

    def part(self, inputs, outputs, name=None):
        """Return the graph between symbolic tensors of this one. It shares the layers, and their parameters. Of a list
        of `inputs`, those that the outputs do not depend on are left out."""
        if isinstance(inputs, (list, tuple)):
            inputs = inputs_needed(inputs, Structure(outputs, "outputs").tensors)
        return self._of_same_kind(inputs, outputs, name or self.name)

    def _of_same_kind(self, inputs, outputs, name):
        return Graph(inputs, outputs, name)

    @property
    def cuts(self):
        """The symbolic tensors that all the rest is computed from alone: where the graph is a single path and can be
        cut in two. Not those within the branches of a block, for the other branch begins before them."""
        tensors = self.tensors
        position = {tensor: k for k, tensor in enumerate(tensors)}
        last_use = {tensor: position[call.outputs[0]] for call in self.calls for tensor in call.inputs}
        last_use.update({tensor: len(tensors) for tensor in self.outputs if tensor is not tensors[-1]})
        found, needed_until = [], 0
        for k, tensor in enumerate(tensors):
            is_alone = not any(each in last_use for each in tensor.call.outputs if each is not tensor)
            if needed_until <= k and is_alone and (k >= len(self.inputs) or len(self.inputs) == 1):
                found.append(tensor)  # nothing from before or beside it is used behind it
            needed_until = max(needed_until, last_use.get(tensor, 0))
        return found

    @property
    def is_row(self):
        """Does every layer take the output of the one before it, and nothing else?"""
        tensors = self.tensors
        is_single = len(self.inputs) == len(self.outputs) == 1 and len(tensors) == len(self.calls) + 1
        return is_single and all(call.inputs == (before,) for before, call in zip(tensors, self.calls))

    def get_layer(self, name=None, index=None):
        """Return the layer called `name`, or the one at `index` of `layers`."""
        if index is not None:
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise GraphError(
            f"the model has no layer '{name}'. Its layers: {', '.join(each.name for each in self.layers)}."
        )

    def output_of(self, name, call=None):
        """Return the symbolic output of the layer called `name` in this graph; where the layer is called several times,
        that of its call number `call`, counted from 0."""
        layer = self.get_layer(name)
        found = [each.outputs for each in self.calls if each.layer is layer]
        found = found or [(tensor,) for tensor in self.inputs if tensor.layer is layer]
        if call is None and len(found) > 1:
            raise GraphError(f"layer '{name}' is called {len(found)} times here; say which with call=0, 1, ....")
        outputs = found[call or 0]
        return outputs[0] if len(outputs) == 1 else list(outputs)


def _backward_of(call, memory, grad, is_wanted):
    """Run the backward of one call and add what it found to the layer's `gradients`. Returns the gradients of the
    inputs, or an empty list where they are not wanted."""
    layer = call.layer
    before, so_far = layer.put_back(memory), layer.gradients
    layer.gradients = {}
    if is_wanted:
        found = layer.backward(grad)
        input_grads = found if layer.merges else [found]
    else:
        layer.backward_to_parameters(grad)
        input_grads = []
    for name, gradient in layer.gradients.items():
        so_far[name] = add(so_far[name], gradient) if name in so_far else gradient
    layer.gradients = so_far
    layer.put_back(before)
    return input_grads
