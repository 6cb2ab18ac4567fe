"""Layers that are made from other layers: `Bidirectional` reads a sequence in both directions, `TimeDistributed` runs a
layer on each time step.

A wrapper owns the parameters of the layers within it, under names of its own ("forward_kernel"), so that optimizers,
weight files and checkpoints see one layer with these parameters. Before each forward and backward it lends them to the
layers within: no array is copied.
"""

import numpy as np

from ..arguments import NotHere, keras_arguments
from ..errors import ArgumentError, ShapeError
from ..kernels.elementwise import concatenate
from .base import Layer

MERGE_MODES = ("concat", "sum", "mul", "ave", None)


class _Wrapper(Layer):
    """The base of the layers that are made from others. `inner` is {prefix of its parameters' names: layer}."""

    @property
    def inner(self):
        raise NotImplementedError

    def build_inner(self, input_shape):
        """Create the parameters of the layers within, and own them."""
        for prefix, layer in self.inner.items():
            layer.accept(input_shape)
            for names, own in ((layer.parameter_names, self.parameter_names), (layer.statistic_names, self.statistic_names)):
                for name in names:
                    setattr(self, prefix + name, getattr(layer, name))
                    own.append(prefix + name)

    def lend(self):
        """Give the layers within their parameters, and freeze or unfreeze them as this layer is."""
        for prefix, layer in self.inner.items():
            layer.trainable = self.trainable
            for name in layer.weight_names:
                setattr(layer, name, getattr(self, prefix + name))

    def take_back(self):
        """Take the statistics that a forward has replaced from the layers within."""
        for prefix, layer in self.inner.items():
            for name in layer.statistic_names:
                setattr(self, prefix + name, getattr(layer, name))

    def backward_of(self, prefix, memory, grad, method="backward"):
        """Return what the layer's own `backward` gives, and take over the gradients of its parameters."""
        layer = self.inner[prefix]
        before = layer.put_back(memory)
        layer.gradients.clear()
        found = getattr(layer, method)(grad)
        layer.put_back(before)
        self.gradients.update({prefix + name: gradient for name, gradient in layer.gradients.items()})
        layer.gradients.clear()
        return found

    @property
    def uses_batch(self):
        self.lend()
        return any(layer.uses_batch for layer in self.inner.values())

    @property
    def is_fixed(self):
        return super().is_fixed and all(layer.is_fixed or layer.weight_names for layer in self.inner.values())

    def forget_prepared(self):
        for layer in self.inner.values():
            layer.forget_prepared()

    def keras_paths(self):
        return {
            prefix + name: (f"{layer.name}/{legacy}", f"{attribute}/{numbered}")
            for (prefix, layer), attribute in zip(self.inner.items(), self.keras_attributes)
            for name, (legacy, numbered) in layer.keras_paths().items()
        }


class Bidirectional(_Wrapper):
    """A recurrent layer that reads the sequence from its beginning, and another that reads it from its end.

    layer           the recurrent layer, such as LSTM(8). Two equal layers are made from it: `forward_layer`, named
                    forward_..., and `backward_layer`, named backward_... and with go_backwards=True
    merge_mode      what becomes of the two outputs: 'concat' (side by side), 'sum', 'mul', 'ave' (their mean); None:
                    both are outputs
    backward_layer  the layer for the other direction, if it is to differ

    The outputs of the second layer are turned round, so that both outputs of a step stand beside each other. With a
    mask, the output of a masked step is 0, as in Keras. With return_state, the outputs are followed by the states of
    the first layer, then those of the second; `initial_state` takes them in this order.
    """

    config_names = ("merge_mode",)
    takes_integers = False
    takes_several = True
    keyword_inputs = ("mask",)
    keras_attributes = ("forward_layer", "backward_layer")

    @keras_arguments(after="merge_mode", weights=NotHere(instead="Use set_weights once the layer is built."))
    def __init__(self, layer, merge_mode="concat", backward_layer=None, **kwargs):
        super().__init__(**kwargs)
        if merge_mode not in MERGE_MODES:
            raise ArgumentError(f"merge_mode is {merge_mode!r}; expected one of {', '.join(map(repr, MERGE_MODES))}.")
        self.merge_mode = merge_mode
        layer = _recurrent(layer, "layer")
        self.is_given = backward_layer is not None  # it stands in the config then
        config = layer.get_config()
        self.forward_layer = type(layer)(**{**config, "name": _with_prefix("forward_", layer.name)})
        if self.is_given:
            self.backward_layer = _recurrent(backward_layer, "backward_layer")
        else:
            name = _with_prefix("backward_", layer.name.removeprefix("forward_"))
            self.backward_layer = type(layer)(**{**config, "name": name, "go_backwards": not layer.go_backwards})
        for name in ("return_sequences", "return_state"):
            values = [getattr(each, name) for each in self.inner.values()]
            if values[0] != values[1]:
                raise ArgumentError(f"backward_layer has {name}={values[1]}, and layer has {values[0]}; expected the same.")
            setattr(self, name, values[0])
        if self.forward_layer.go_backwards == self.backward_layer.go_backwards:
            raise ArgumentError(
                f"backward_layer has go_backwards={self.backward_layer.go_backwards}, and so has layer; expected two "
                "layers that read in different directions."
            )
        for each in self.inner.values():
            each.zero_output_for_mask = self.return_sequences
        self.random = any(each.random for each in self.inner.values())
        self.generator = self.backward_layer.generator = self.forward_layer.generator  # one state to save and restore

    @property
    def inner(self):
        return {"forward_": self.forward_layer, "backward_": self.backward_layer}

    @property
    def input_axes(self):
        return {"forward_kernel": 0, "backward_kernel": 0}

    def get_config(self):
        config = {**super().get_config(), "layer": _as_data(self.forward_layer)}
        return {**config, "backward_layer": _as_data(self.backward_layer)} if self.is_given else config

    def build(self, input_shape):
        self.build_inner(self._halves(input_shape)[0] if isinstance(input_shape, list) else input_shape)

    def check_input(self, input_shape):
        for layer, shape in zip(self.inner.values(), self._halves(input_shape)):
            try:
                layer.check_input(shape)
            except ShapeError as error:
                raise ShapeError(str(error).replace(f"layer '{layer.name}'", f"layer '{self.name}'", 1)) from None

    def _halves(self, values):
        """Return what each of the layers gets of the inputs, or of their shapes: x alone, or x and half of the states."""
        if not isinstance(values, list):
            return values, values
        x, *states = values
        half = len(states) // 2
        if 2 * half != len(states):
            raise ShapeError(f"layer '{self.name}' got {len(states)} states; expected as many for each direction.")
        return [x, *states[:half]], [x, *states[half:]]

    def compute_output_shape(self, input_shape):
        shapes = [each.compute_output_shape(input_shape) for each in self.inner.values()]
        (first, *states), (second, *more) = shapes if self.return_state else [[shape] for shape in shapes]
        if self.merge_mode is None:
            outputs = [first, second]
        else:
            outputs = [(*first[:-1], first[-1] + second[-1] if self.merge_mode == "concat" else first[-1])]
        outputs += [*states, *more]
        return outputs if len(outputs) > 1 else outputs[0]

    def compute_output_mask(self, tensors, mask):
        return mask if self.return_sequences else None

    def flops(self, input_shape):
        """Return the operations of both layers."""
        return sum(each.flops(shape) for each, shape in zip(self.inner.values(), self._halves(input_shape)))

    def __call__(self, inputs, initial_state=None, **keywords):
        if initial_state is not None:
            inputs = [*(inputs if isinstance(inputs, (list, tuple)) else [inputs]), *initial_state]
        return super().__call__(inputs, **keywords)

    def forward(self, x, training=False, mask=None):
        x = list(x) if isinstance(x, (list, tuple)) else x
        self.accept([each.shape for each in x] if isinstance(x, list) else x.shape)
        self.lend()
        found = [
            layer.run(part, training, mask=mask) for layer, part in zip(self.inner.values(), self._halves(x))
        ]
        (first, *states), (second, *more) = [y if self.return_state else [y] for y, _ in found]
        second = self._turned(second)
        self.remember([memory for _, memory in found], len(x) - 1 if isinstance(x, list) else 0,
                      (first, second) if self.merge_mode == "mul" else None)  # fmt: skip
        outputs = [*self._merged(first, second), *states, *more]
        return outputs if len(outputs) > 1 else outputs[0]

    def _turned(self, y):
        """Return a sequence of outputs turned round, and back. The last output alone stays as it is."""
        return np.ascontiguousarray(y[:, ::-1]) if self.return_sequences else y

    def _merged(self, first, second):
        """Return the outputs that come from the two layers' outputs."""
        if self.merge_mode is None:
            return [first, second]
        if self.merge_mode == "concat":
            return [concatenate([first, second], first.ndim - 1)]
        if self.merge_mode == "mul":
            return [first * second]
        y = first + second
        return [y / 2 if self.merge_mode == "ave" else y]

    def backward(self, grad):
        """Return dL/dx: the sum of what comes back through both layers. Each gets its part of the gradient as the merge
        demands: its half of a concatenation; all of a sum, half of it for a mean; for a product y = a * b, dL/da is
        grad * b."""
        first, second = self._both(grad, "backward")
        if not isinstance(first, list):
            return first + second
        return [first[0] + second[0], *first[1:], *second[1:]]

    def backward_to_parameters(self, grad):
        self._both(grad, "backward_to_parameters")

    def _both(self, grad, method):
        """Run backward of both layers, and return what each gives."""
        memories, _, factors = self.remembered()
        self.lend()
        grads = list(grad) if isinstance(grad, (list, tuple)) else [grad]
        if self.merge_mode is None:
            first, second, *states = grads
        else:
            y_grad, *states = grads
            if self.merge_mode == "concat":
                first, second = np.split(y_grad, [self.forward_layer.units], axis=-1)
            elif self.merge_mode == "mul":
                first, second = y_grad * factors[1], y_grad * factors[0]
            else:
                first = second = y_grad / 2 if self.merge_mode == "ave" else y_grad
        second = self._turned(second)
        if self.return_state:
            half = self.forward_layer.states
            first, second = [first, *states[:half]], [second, *states[half:]]
        return [self.backward_of(*each, method) for each in zip(self.inner, memories, (first, second))]


class TimeDistributed(_Wrapper):
    """A layer that is run on each time step, with the same parameters.  (N, T, ...) -> (N, T, ...).

    The steps of all examples together are one batch of N * T examples for the layer. A Dense does this by itself; this
    wrapper is for others, such as a Conv2D on the images of a film.
    """

    passes_mask = True
    keras_attributes = ("layer",)

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = _layer_of(layer, "layer")
        if self.layer.merges:
            raise ArgumentError(f"layer is {type(self.layer).__name__}; expected one that takes one input.")
        self.random = self.layer.random
        self.takes_integers, self.keeps_integers = self.layer.takes_integers, self.layer.keeps_integers
        if hasattr(self.layer, "generator"):
            self.generator = self.layer.generator

    @property
    def inner(self):
        return {"": self.layer}

    def get_config(self):
        return {**super().get_config(), "layer": _as_data(self.layer)}

    def build(self, input_shape):
        self.build_inner(_of_one_step(input_shape))

    def check_input(self, input_shape):
        if len(input_shape) < 3:
            raise ShapeError(f"layer '{self.name}' expected an input of shape (N, T, ...), found {tuple(input_shape)}.")
        self.layer.check_input(_of_one_step(input_shape))

    def compute_output_shape(self, input_shape):
        found = self.layer.compute_output_shape(_of_one_step(input_shape))
        if isinstance(found, list):
            raise ShapeError(f"layer '{self.name}': the layer within gives {len(found)} outputs; expected one.")
        return (input_shape[0], input_shape[1], *found[1:])

    def compute_output_dtype(self, input_dtypes):
        return self.layer.compute_output_dtype(input_dtypes)

    def flops(self, input_shape):
        """Return the operations of the layer, for each step."""
        return (input_shape[1] or 0) * self.layer.flops(_of_one_step(input_shape))

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.lend()
        y, memory = self.layer.run(x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), training)  # (N*T, ...)
        self.take_back()
        self.remember(memory, x.shape, y.shape)
        return y.reshape(*x.shape[:2], *y.shape[1:])

    def backward(self, grad):
        """Return dL/dx: each step has its own, and the gradients of the parameters are sums over examples and steps."""
        return self._backward(grad, "backward").reshape(self.remembered()[1])

    def backward_to_parameters(self, grad):
        self._backward(grad, "backward_to_parameters")

    def _backward(self, grad, method):
        memory, _, y_shape = self.remembered()
        self.lend()
        return self.backward_of("", memory, grad.reshape(y_shape), method)


def _of_one_step(input_shape):
    """Return the shape of one step of sequences (N, T, ...)."""
    return (input_shape[0], *input_shape[2:])


def _with_prefix(prefix, name):
    """Return 'forward_lstm' for 'lstm' and for 'forward_lstm'."""
    return prefix + name.removeprefix(prefix)


def _as_data(layer):
    """Return a layer as {"class_name": ..., "config": ...}, in the form in which Keras writes it."""
    return {"module": "keras.layers", "class_name": type(layer).__name__, "config": layer.get_config()}


def _layer_of(layer, argument):
    """Return a layer, or make the one that `_as_data` has described. Raises ArgumentError for anything else."""
    if isinstance(layer, Layer):
        return layer
    if isinstance(layer, dict) and set(layer) >= {"class_name", "config"} and isinstance(layer["config"], dict):
        found = _subclasses(Layer).get(layer["class_name"])
        if found is not None and not found.__name__.startswith("_"):
            return found(**layer["config"])
    raise ArgumentError(f"{argument} is {layer!r:.80}; expected a layer, such as LSTM(8).")


def _subclasses(cls):
    """Return {name: class} of all layers that have been written, also outside of minitl. Of two with the same name it
    is the one that was there first."""
    found = {}
    for each in cls.__subclasses__():
        found = {**_subclasses(each), each.__name__: each, **found}
    return found


def _recurrent(layer, argument):
    """Return the recurrent layer that is given. Raises ArgumentError if it is none."""
    layer = _layer_of(layer, argument)
    if not (hasattr(layer, "go_backwards") and hasattr(layer, "return_sequences")):
        raise ArgumentError(f"{argument} is {type(layer).__name__}; expected a recurrent layer: SimpleRNN, LSTM or GRU.")
    return layer
