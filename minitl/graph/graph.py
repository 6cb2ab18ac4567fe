"""The heart: a graph of layers, run forward in order and backward in reverse order.

Calling a layer on the outputs of others makes symbolic tensors, and each of them knows the call that computes it. A
graph is all calls on the way from its inputs to its outputs, in the order in which they were made. A call is made after
those it depends on, so this is a valid order of computation, and its reverse is a valid order for gradients.

The life of an activation (the output array of a call), from its layer to its end:
1. `Graph.forward` runs the layer with `Layer.run` and puts the output into `values`, where later calls find it.
2. While a layer runs, it hands to `Layer.remember` what its gradient will need, often its input or its output: by
   reference, not as a copy. `run` returns this, and the graph keeps it in `_memory` under the call. If no gradient will
   pass through the call (`_gradient_path`), nothing is kept, and the call may be fused with others (`fusion`).
3. Behind the last call that takes an activation, `forward` deletes it from `values`. If no call has remembered it, this
   is its end. The outputs of the graph stay until `forward` returns them.
4. `Graph.backward` visits the calls in reverse order. It takes what a call has remembered out of `_memory` and lends it
   to the layer (`Layer.put_back`) for its `backward`. With the next call, this reference is dropped. Activations that
   are still in `_memory` when the next forward begins are dropped there.
5. With its last reference the array is freed. If it is large, `kernels.memory.empty` gives its memory to a later array.

Between forward and backward, the layers themselves keep nothing. So a layer may be called several times in a graph (its
gradients add up), and graphs that share layers do not disturb each other.

Read `forward` and `backward` here, then any layer. `models.Model` adds what people do with a graph. Beside this file:
`structure` (one array, a list or a dict), `order` (of calls and of layers), `fusion` (several calls computed as one),
`relu_pairs` (the same in training), `in_parts` (the first calls for some images at a time), `without_padding` (calls on
the real tokens of texts alone).
"""

import weakref
from typing import Any

import numpy as np

from ..arguments import nearest
from ..errors import DataError, GraphError, ShapeError
from ..kernels.elementwise import add
from ..layers import Conv2D, InputLayer, Layer
from .fusion import Fused, fused
from .in_parts import in_parts
from .layer_group import LayerGroup
from .order import calls_between, cuts_between, inputs_needed, layers_in_keras_order, name_unnamed_layers
from .relu_pairs import is_watched, paired
from .structure import Structure
from .summary import described
from .without_padding import without_padding

GRADIENTS = ("none", "trainable", "input")


class Graph(LayerGroup):
    """The layers between `inputs` and `outputs`. Each of the two is a symbolic tensor, a list of them, or a dict.

    inputs, outputs   lists of the symbolic tensors
    input, output     the same in the form in which they were given
    calls             every `Call` that has to be computed, in order
    layers            the layers of these calls and the graph's InputLayers, each once, in Keras's order (`order`)
    metadata          anything JSON can hold that should be saved with the model: class names, preprocessing
    notes             lines for the ledger: what was skipped and removed
    """

    kind = "Model"  # the class that is written into a file of this graph

    def __init__(self, inputs, outputs, name="graph"):
        self.name, self.metadata, self.notes = name, {}, []
        self.connect(inputs, outputs)

    def connect(self, inputs, outputs):
        """Make this the graph between these symbolic tensors. If that is refused, nothing changes."""
        starts, ends = Structure(inputs, "inputs"), Structure(outputs, "outputs")
        if len(set(starts.tensors)) != len(starts.tensors):
            raise GraphError("inputs names a tensor twice; each input is an array of its own.")
        calls = calls_between(starts.tensors, ends.tensors)
        first_layers = [tensor.layer for tensor in starts.tensors if isinstance(tensor.layer, InputLayer)]
        name_unnamed_layers(list(dict.fromkeys([*first_layers, *(call.layer for call in calls)])))
        self.input_structure, self.output_structure, self.calls = starts, ends, calls
        self._layers = layers_in_keras_order(starts.tensors, ends.tensors)
        self.overwritten = []  # names of layers whose gradients another graph has replaced since the latest backward
        self._path = None  # the tensors that carry a gradient: set by forward, used up by backward
        # operation -> (what its layer remembered, the layer's `updates` then, shapes of its outputs), in order
        self._memory = {}

    def __repr__(self):
        return described(self) if "calls" in vars(self) else f"<{type(self).__name__} '{self.name}' without layers>"

    @property
    def inputs(self):
        """Return the symbolic inputs as a list."""
        return list(self.input_structure.tensors)

    @property
    def outputs(self):
        """Return the symbolic outputs as a list."""
        return list(self.output_structure.tensors)

    @property
    def input(self):
        """Return the symbolic inputs in the form in which they were given."""
        return self.input_structure.value

    @property
    def output(self):
        """Return the symbolic outputs in the form in which they were given."""
        return self.output_structure.value

    @property
    def tensors(self):
        """Return all symbolic tensors in order: the inputs, then the outputs of each call."""
        return [*self.inputs, *(tensor for call in self.calls for tensor in call.outputs)]

    def forward(self, x, training: bool = False, gradients: str = "trainable") -> Any:
        """Compute the output (N, ...) of x (N, ...), call by call. Several arrays go in and come out in the form of
        `input` and `output`: a list, or a dict.

        training    layers behave as in training: Dropout drops, BatchNormalization uses the batch
        gradients   the gradients that `backward` will compute, which decide what is kept in memory for it:
                    "trainable"  those of trainable parameters. Arrays are kept for the trainable layers and for all
                                 layers that depend on them, and none for the layers before the first of these
                    "input"      these gradients and dL/dx
                    "none"       no gradients: `backward` cannot be called
        """
        arrays = self.input_structure.flat(x, "x")
        self.check_input(arrays)
        self._path, self._memory, memory = None, {}, {}
        path = self._gradient_path(gradients)
        values, outputs = dict(zip(self.inputs, arrays)), self.output_structure.tensors
        operations = in_parts(self._operations(path, training), values, outputs, path)
        operations = without_padding(operations, values, outputs, path, training)
        # Each tensor is deleted behind the last operation that uses it. Outputs stay to the end.
        last_user = {tensor: operation for operation in operations for tensor in operation.inputs}
        for operation in operations:
            arguments = [values[tensor] for tensor in operation.inputs]
            if isinstance(operation, Fused):
                values[operation.outputs[0]] = operation.forward(*arguments)
            else:
                layer, (layer_input, by_name) = operation.layer, operation.arguments(arguments, training)
                if operation.outputs[0] in path:
                    y, remembered = layer.run(layer_input, **by_name)
                else:  # no gradient will pass here
                    y, remembered = layer.forward(layer_input, **by_name), None
                    layer.forget()
                arrays_out = [y] if len(operation.outputs) == 1 else y
                values.update(zip(operation.outputs, arrays_out))
                if operation.outputs[0] in path:
                    memory[operation] = remembered, layer.updates, [(np.shape(a), a.dtype) for a in arrays_out]
                del layer_input, by_name, y, remembered, arrays_out
            del arguments
            for tensor in set(operation.inputs):
                if last_user[tensor] is operation and tensor not in outputs:
                    del values[tensor]
        self._path, self._memory = path if gradients != "none" else None, memory
        self._output_shapes = [values[tensor].shape for tensor in outputs]
        return self.output_structure.packed([values[tensor] for tensor in outputs])

    def _operations(self, path, training):
        """Return the operations of forward in order: the calls, some of them fused (`fusion`). A call through which a
        gradient will pass is not fused, nor one that uses statistics of the batch, except with a ReLU (`relu_pairs`).
        This is decided anew in each forward, since layers may have been frozen or unfrozen."""

        def may_be_fused(call):
            return call.outputs[0] not in path and not (call.mode(training) and call.layer.uses_batch)

        return paired(fused(self.calls, self.inputs, self.outputs, may_be_fused), self.outputs, path)

    def backward(self, grad) -> Any:
        """Compute all gradients from grad = dL/d(output): call by call, in reverse order.

        `grad` has the form of `output`, with None for an output that the loss does not depend on. Every trainable layer
        gets its `gradients`. Returns dL/dx in the form of `input` after forward(gradients="input"), with None for an
        input of integers, which has no gradient. Otherwise returns None: the walk ends at the first trainable layer.

        A tensor that is used several times gets the sum of the gradients that come back, and so does a parameter of a
        layer that is called several times: L depends on it along every path.
        """
        try:
            path, gradients = self._check_backward(grad)
        except BaseException:
            self._memory = {}
            raise
        self._take_over_gradients()
        while self._memory:
            call, (memory, _, made) = self._memory.popitem()  # the last one of those that are left
            grads = [gradients.pop(tensor, None) for tensor in call.outputs]
            if all(each is None for each in grads):
                continue  # the loss does not depend on this call
            if len(grads) > 1:  # an output that the loss does not depend on has the gradient 0
                grads = [np.zeros(*made[k]) if each is None else each for k, each in enumerate(grads)]
            is_wanted = any(tensor in path for tensor in call.by_position)
            input_grads = _backward_of(call, memory, grads if len(grads) > 1 else grads[0], is_wanted, gradients)
            for tensor, input_grad in zip(call.by_position, input_grads):
                if tensor in path:  # a merging layer also gives gradients for branches that need none
                    gradients[tensor] = add(gradients[tensor], input_grad) if tensor in gradients else input_grad
        if not any(tensor in path for tensor in self.inputs):
            return None
        return self.input_structure.packed([gradients.get(tensor) for tensor in self.inputs])

    def _take_over_gradients(self):
        """Clear the gradients of an earlier backward. Otherwise a layer that has been frozen since could be unfrozen
        and then updated by an old gradient. If the gradient belonged to another graph that shares the layer, the layer
        is noted in that graph's `overwritten`."""
        self.overwritten = []
        for layer in self.layers:
            owner = layer.gradients_of and layer.gradients_of()
            if layer.gradients and owner not in (None, self):
                owner.overwritten.append(layer.name)
            layer.gradients.clear()
            layer.gradients_of = weakref.ref(self)

    def _check_backward(self, grad):
        """Return the gradient path of the latest forward, and {output: its gradient}. Raises GraphError if there was no
        forward, or if a layer has been updated since."""
        path, self._path = self._path, None
        if path is None:
            raise GraphError(
                "backward has nothing to work on: run forward first, once for each backward, and not with "
                "gradients='none', as predict and evaluate do."
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
                    "gradient would belong to other weights. Run forward, backward and the optimizer's step of one "
                    "model, then those of the next."
                )
        return path, gradients

    def _gradient_path(self, gradients):
        """Return the tensors whose gradient is needed: the outputs of trainable layers, and all that depend on them."""
        if gradients not in GRADIENTS:
            raise GraphError(f"gradients is {gradients!r}; expected one of {', '.join(map(repr, GRADIENTS))}.")
        if gradients == "none":
            return set()
        path = {tensor for tensor in self.inputs if tensor.is_floating} if gradients == "input" else set()
        for call in self.calls:
            if call.layer.trainable_names or any(tensor in path for tensor in call.by_position):
                path.update(tensor for tensor in call.outputs if tensor.is_floating)
        return path

    # ---- checks of the input ----

    def check_input(self, arrays):
        """Raise DataError or ShapeError if the graph cannot take these arrays, one for each input."""
        for x, tensor, name in zip(arrays, self.inputs, self.input_structure.names):
            for_input = "" if len(arrays) == 1 else f" for '{name}'"
            if not isinstance(x, np.ndarray):
                raise DataError(f"the model expected a NumPy array{for_input}, found {type(x).__name__}.")
            if not tensor.is_floating and x.dtype.kind not in "iub":
                raise DataError(f"the model expected integers{for_input} ({tensor.dtype}), found {x.dtype}.")
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
            an_input = "an input" if len(shapes) == 1 else f"an input '{name}'"
            raise ShapeError(f"the model expected {an_input} of shape (N{sizes}), found {shape}.{hint}")
        if len({shape[0] for shape in shapes}) > 1:
            counts = ", ".join(f"'{name}' {shape[0]}" for name, shape in zip(self.input_structure.names, shapes))
            raise ShapeError(f"the inputs hold different numbers of examples: {counts}.")

    # ---- parts ----

    def part(self, inputs, outputs, name: str | None = None) -> Any:
        """Return the graph between two symbolic tensors of this one, or two lists of them. It shares the layers and
        their weights. From a list of `inputs`, those that the outputs do not depend on are left out."""
        if isinstance(inputs, (list, tuple)):
            inputs = inputs_needed(inputs, Structure(outputs, "outputs").tensors)
        return self._of_same_kind(inputs, outputs, name or self.name)

    def _of_same_kind(self, inputs, outputs, name):
        """Return a new graph of this class; a subclass overrides this."""
        return Graph(inputs, outputs, name)

    @property
    def cuts(self):
        """Return the symbolic tensors at which the graph can be cut in two: everything behind such a tensor is computed
        from it alone. A tensor within a branch of a block is no cut, since the other branch begins before it."""
        return cuts_between(self.inputs, self.calls, self.outputs)

    @property
    def is_row(self):
        """Return whether every layer takes the output of the one before it, and nothing else."""
        tensors = self.tensors
        is_single = len(self.inputs) == len(self.outputs) == 1 and len(tensors) == len(self.calls) + 1
        return is_single and all(call.inputs == (before,) for before, call in zip(tensors, self.calls))

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return the layer named `name`, or the one at `index` of `layers`."""
        if index is not None:
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [each.name for each in self.layers]
        near = nearest(name, names) if len(names) > 8 else names
        shown = near or [*names[:4], "..."]
        text = f"The nearest of its {len(names)} layers" if near and near is not names else "Its layers"
        raise GraphError(f"the model has no layer '{name}'. {text}: {', '.join(shown)}.")

    def output_of(self, name: str, call: int | None = None) -> Any:
        """Return the symbolic output of the layer named `name` in this graph. If the layer is called several times,
        `call` is the number of the call, counted from 0."""
        layer = self.get_layer(name)
        found = [each.outputs for each in self.calls if each.layer is layer]
        found = found or [(tensor,) for tensor in self.inputs if tensor.layer is layer]
        if call is None and len(found) > 1:
            raise GraphError(f"layer '{name}' is called {len(found)} times here; say which with call=0, 1, ....")
        outputs = found[call or 0]
        return outputs[0] if len(outputs) == 1 else list(outputs)


def _backward_of(call, memory, grad, is_wanted, gradients):
    """Run the backward of one call, and add the gradients of its parameters to the layer's `gradients`. Returns the
    gradients of the inputs, or an empty list if they are not wanted. A convolution adds what `gradients` has for its
    input already, which is taken out."""
    layer = call.layer
    before, so_far = layer.put_back(memory), layer.gradients
    layer.gradients = {}
    if is_wanted:
        adds = type(layer) is Conv2D and call.inputs[0] in gradients and not is_watched(layer)
        found = layer.backward(grad, gradients.pop(call.inputs[0])) if adds else layer.backward(grad)
        input_grads = found if isinstance(found, list) else [found]
    else:
        layer.backward_to_parameters(grad)
        input_grads = []
    for name, gradient in layer.gradients.items():
        so_far[name] = add(so_far[name], gradient) if name in so_far else gradient
    layer.gradients = so_far
    layer.put_back(before)
    return input_grads
