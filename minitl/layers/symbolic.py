"""The record of a graph that is being described: `Call`, one use of a layer, and `SymbolicTensor`, an array to come.

`Layer.__call__` makes them, and `graph.Graph` follows them from the outputs back to the inputs. Signs and brackets of
symbolic tensors are calls of layers, which stand above this module: `arithmetic` sets x + y, and `part` x[:, 0].
"""

import contextlib
import itertools

_serial_numbers = itertools.count()


class Call:
    """One use of a layer: `layer` computes `outputs` from `inputs`, two tuples of `SymbolicTensor`s.

    inputs    those that are given by position, then those that are given by name, such as a mask
    names     the names of the latter
    options   {name: value} of what else was given by name: `use_causal_mask=True`
    training  the mode that this call fixes, True or False; None: that of the model
    serial    numbers the calls in the order in which they were made: a call is younger than those it depends on
    """

    def __init__(self, layer, inputs, output_shapes, output_dtype, by_name=None, options=None, training=None):
        by_name = by_name or {}
        self.layer, self.inputs, self.serial = layer, (*inputs, *by_name.values()), next(_serial_numbers)
        self.names, self.options, self.training = tuple(by_name), options or {}, training
        self.outputs = tuple(SymbolicTensor(shape, self, output_dtype) for shape in output_shapes)

    @property
    def by_position(self):
        """Return the inputs that are given by position. Only these have gradients."""
        return self.inputs[: len(self.inputs) - len(self.names)]

    def arguments(self, values, training=None):
        """Return (x, {name: value}) for the layer's forward from one value for each of `inputs`, and the mode of the
        model."""
        count = len(self.by_position)
        by_name = {**self.options, **dict(zip(self.names, values[count:])), "training": self.mode(training)}
        return self.layer.packed(values[:count]), by_name

    def mode(self, of_model):
        """Return the training mode of this call in a model that runs in the mode `of_model`."""
        return of_model if self.training is None else self.training

    def __repr__(self):
        return f"<Call of layer '{self.layer.name}' on {[tensor.shape for tensor in self.inputs]}>"


class SymbolicTensor:
    """A placeholder for an array that a graph will compute.

    shape   the array's shape; None for the batch, and for sizes that may vary
    dtype   "float32", or NumPy's name of a type of integers or booleans (`Input(dtype=...)`)
    call    the `Call` that computes the array; the call of an `InputLayer` has no inputs
    mask    the symbolic tensor (N, T) that says which of T time steps are real, or None if all are (`layers.masking`)
    padding_mask    of token numbers: the mask that the layers `Embedding(mask_zero=True)` behind them share
    """

    def __init__(self, shape, call, dtype="float32"):
        self.shape, self.call, self.dtype, self.mask, self.padding_mask = shape, call, dtype, None, None

    @property
    def layer(self):
        return self.call.layer

    @property
    def inputs(self):
        return self.call.inputs

    @property
    def is_floating(self):
        """Return whether the array is floating-point, so that it can have a gradient."""
        return self.dtype.startswith("float")

    @property
    def ndim(self):
        """Return the number of axes, the batch among them."""
        return len(self.shape)

    def __repr__(self):
        return f"<SymbolicTensor {self.shape} from layer '{self.layer.name}'>"


def placeholder(shape, dtype="float32"):
    """Return a symbolic tensor that no graph begins with: for a call that only asks for shapes, or is run at once."""
    return Call(None, (), [shape], dtype).outputs[0]


@contextlib.contextmanager
def unrecorded(layer):
    """Leave `layer.output` as it is in calls on placeholders, here and in the layers within."""
    before = {each: (each.input, each.output) for each in (layer, *layer.within)}
    try:
        yield
    finally:
        for each in (layer, *layer.within):
            each.input, each.output = before.get(each, (None, None))
