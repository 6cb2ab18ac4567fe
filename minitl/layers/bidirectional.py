"""`Bidirectional`: two recurrent layers that read a sequence from both ends, so that each output has seen what comes
before and what comes behind its step. `wrappers` has what it shares with other layers that are made from layers."""

import numpy as np

from ..arguments import NotHere, keras_arguments
from ..errors import ArgumentError, ShapeError
from ..kernels.elementwise import concatenate
from .wrappers import Wrapper, as_data, layer_of

MERGE_MODES = ("concat", "sum", "mul", "ave", None)


class Bidirectional(Wrapper):
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
                raise ArgumentError(
                    f"backward_layer has {name}={values[1]}, and layer has {values[0]}; expected the same."
                )
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
        self.freeze_inner()

    @property
    def inner(self):
        return {"forward_": self.forward_layer, "backward_": self.backward_layer}

    @property
    def torch_cells(self):
        return {"_reverse" if each.go_backwards else "": (prefix, each) for prefix, each in self.inner.items()}

    @property
    def input_axes(self):
        return {"forward_kernel": 0, "backward_kernel": 0}

    def get_config(self):
        config = {**super().get_config(), "layer": as_data(self.forward_layer)}
        is_special = self.is_given or self.forward_layer.trainable != self.backward_layer.trainable
        return {**config, "backward_layer": as_data(self.backward_layer)} if is_special else config

    def build(self, input_shape):
        self.build_inner(self._halves(input_shape)[0] if isinstance(input_shape, list) else input_shape)

    def check_input(self, input_shape):
        for layer, shape in zip(self.inner.values(), self._halves(input_shape)):
            try:
                layer.check_input(shape)
            except ShapeError as error:
                raise ShapeError(str(error).replace(f"layer '{layer.name}'", f"layer '{self.name}'", 1)) from None

    def _halves(self, values):
        """Return what each layer gets of the inputs, or of their shapes: x alone, or x and half of the states."""
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
        found = [layer.run(part, training, mask=mask) for layer, part in zip(self.inner.values(), self._halves(x))]
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


def _with_prefix(prefix, name):
    """Return 'forward_lstm' for 'lstm' and for 'forward_lstm'."""
    return prefix + name.removeprefix(prefix)


def _recurrent(layer, argument):
    """Return the recurrent layer that is given. Raises ArgumentError if it is none."""
    layer = layer_of(layer, argument)
    if not (hasattr(layer, "go_backwards") and hasattr(layer, "return_sequences")):
        raise ArgumentError(
            f"{argument} is {type(layer).__name__}; expected a recurrent layer: SimpleRNN, LSTM or GRU."
        )
    return layer
