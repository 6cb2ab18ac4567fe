"""What every layer is: parameters, `forward`, and `backward`.

A layer is used in two ways. On arrays it computes: `y = layer.forward(x)`, then `dx = layer.backward(dy)`. On another
layer's output it builds a graph: `x = Flatten()(x)` computes nothing and returns a `SymbolicTensor`. The tensor knows
the `Call` that will compute it, and the call knows its layer and its inputs; `graph.Graph` follows these records. One
layer may be called several times: each call is a step of its own, and all of them use the same parameters.

What `forward` must keep for `backward` it hands to `remember`. A layer that runs on its own keeps it until the next
forward. A graph takes it out after each forward (`run`) and hands it back before the backward of the same call
(`put_back`), so the layer itself keeps nothing in between: it can be called again at once, in this graph or another.

A layer of your own is a subclass with `forward` and `backward`. One with parameters creates them in `build`, and its
`forward` begins with `self.accept(x.shape)`, which calls `build` at first sight of an input.
`minitl.testing.check_gradients` tells whether its gradient is right. Read next: `dense`, the shortest real layer.
"""

import itertools
import re

import numpy as np

from .. import initializers
from ..errors import ArgumentError, GraphError, ShapeError

_serial_numbers = itertools.count()

# Arguments of Keras's layers that minitl does not have, and the values that ask for nothing else than what it does.
KERAS_DEFAULTS = {
    "activity_regularizer": (None,),
    "bias_constraint": (None,),
    "bias_regularizer": (None,),
    "data_format": (None, "channels_last"),
    "dilation_rate": (1, (1, 1)),
    "dtype": (None, "float32"),
    "groups": (1,),
    "kernel_constraint": (None,),
    "kernel_regularizer": (None,),
}


class Call:
    """One use of a layer: `layer` computes `outputs` from `inputs`, two tuples of `SymbolicTensor`s.

    `serial` orders calls by the moment in which they were made: a call is always younger than those it depends on.
    """

    def __init__(self, layer, inputs, output_shapes, output_dtype):
        self.layer, self.inputs, self.serial = layer, inputs, next(_serial_numbers)
        self.outputs = tuple(SymbolicTensor(shape, self, output_dtype) for shape in output_shapes)

    def __repr__(self):
        return f"<Call of layer '{self.layer.name}' on {[tensor.shape for tensor in self.inputs]}>"


class SymbolicTensor:
    """The promise of an array.

    shape   of the array; None for the batch, and for sizes that may vary
    dtype   "float32", or another name of NumPy's for integers and truth values (`Input(dtype=...)`)
    call    the `Call` that computes it; that of an `InputLayer` has no inputs
    """

    def __init__(self, shape, call, dtype="float32"):
        self.shape, self.call, self.dtype = shape, call, dtype

    @property
    def layer(self):
        return self.call.layer

    @property
    def inputs(self):
        return self.call.inputs

    @property
    def is_floating(self):
        """Are these numbers that can have a gradient?"""
        return self.dtype.startswith("float")

    def __repr__(self):
        return f"<SymbolicTensor {self.shape} from layer '{self.layer.name}'>"


class Layer:
    """The base of all layers.

    name          how the layer is called in weight files and messages; unnamed layers are numbered by their model
    trainable     False freezes the layer: its parameters get no gradient and no update, but gradients still pass
    gradients     after `backward`: the gradient of each trainable parameter, by its name ("kernel", "bias", ...)
    """

    config_names = ()  # the constructor's arguments, kept as attributes of the same name and saved with the model
    merges = False  # True for layers that take a list of inputs
    takes_integers = True  # False for layers that multiply what comes in by weights of their own
    keeps_integers = False  # True for layers that hand numbers on as they are, so that integers stay integers
    random = False  # True where the output in training depends on random numbers

    # What others ask of a layer. They never ask for its class: a layer of your own answers here, and nowhere else.
    keeps_channels = False  # True if channel k comes out of channel k alone: a pooling, a relu, a border of zeros
    is_elementwise = False  # True if, to predict, each number comes out of the one in its place: a relu, a batch-norm
    passes_numbers_on = False  # True if, to predict, the numbers stay what they are: a dropout, a flatten
    output_size_argument = None  # name of the argument that says how many numbers come out: "units", "filters"
    input_axes = {}  # {parameter: which of its axes runs over the last axis of the input}; {"kernel": 0} in Dense
    torch_names = {}  # {parameter: what PyTorch calls it}; {"kernel": "weight", "bias": "bias"} in Dense
    torch_axes = {}  # {parameter: how its axes are turned}, where they differ: {"kernel": "(units, inputs) -> ..."}

    def __init__(self, name=None, trainable=True, input_shape=None, **unsupported):
        for argument, value in unsupported.items():
            if argument not in KERAS_DEFAULTS or value not in KERAS_DEFAULTS[argument]:
                raise ArgumentError(f"{type(self).__name__} has no argument {argument}={value!r} in minitl.")
        if name is not None and (not isinstance(name, str) or not name):
            raise ArgumentError(f"name is {name!r}; expected text.")
        self.class_name = snake_case(type(self).__name__)
        self.name, self.name_is_settled = name or self.class_name, name is not None
        self.trainable = trainable
        self.first_input_shape = input_shape  # of one example, without the batch; for Sequential
        self.parameter_names = []  # learned by gradient descent
        self.statistic_names = []  # learned by watching the data (batch-norm's moving mean and variance)
        self.gradients = {}
        self.origins = {}  # parameter -> where its numbers come from (minitl.weights.ledger); absent: new
        self.built = False
        self.input = self.output = None  # symbolic, from the first call
        self.updates = 0  # how often the parameters have been moved, or set
        self.gradients_of = None  # the graph whose backward the gradients come from, as a weak reference
        self._remembered = None

    # ---- what a subclass writes ----

    def build(self, input_shape):
        """Create the parameters. `input_shape` begins with None or the batch size."""

    def check_input(self, input_shape):
        """Raise ShapeError if this layer cannot work on such an input."""

    def compute_output_shape(self, input_shape):
        """Return the output's shape; a list of shapes for a layer with several outputs, whose `forward` returns a list
        of arrays and whose `backward` takes a list of gradients."""
        return input_shape

    def compute_output_dtype(self, input_dtypes):
        """Return the name of the outputs' type."""
        return input_dtypes[0] if self.keeps_integers else "float32"

    def forward(self, x, training=False):
        """x -> y. Keeps what `backward` will need with `self.remember`."""
        raise NotImplementedError

    def backward(self, grad):
        """dL/dy -> dL/dx, for the latest `forward`. Fills `gradients` where the layer is trainable."""
        raise NotImplementedError

    def backward_to_parameters(self, grad):
        """`backward` for a trainable layer with nothing trainable before it, where nobody asks for dL/dx."""
        self.backward(grad)

    # ---- what a subclass may answer otherwise ----

    @property
    def uses_batch(self):
        """True if in training, as it is now, an output depends on the other examples of the batch."""
        return False

    @property
    def output_activation(self):
        """Keras's name of the activation that this layer ends with, as "softmax"; None where that is not known."""
        return getattr(self, "activation", None)

    def flops(self, input_shape):
        """Return the floating-point operations of one example's way forward, as far as they are worth counting: those
        of matrix products. `input_shape` begins with the batch."""
        return 0

    def forget_prepared(self):
        """Forget what a first `forward` has prepared for later ones, such as a kernel's transform."""

    # ---- building a graph ----

    def __call__(self, inputs):
        tensors = tuple(inputs) if isinstance(inputs, (list, tuple)) else (inputs,)
        for tensor in tensors:
            if not isinstance(tensor, SymbolicTensor):
                raise GraphError(
                    f"layer '{self.name}' was called on {type(tensor).__name__}; expected the output of another layer. "
                    "Call layer.forward(array) to compute."
                )
        if len(tensors) != 1 and not self.merges:
            raise GraphError(f"layer '{self.name}' was called on {len(tensors)} tensors; it takes one.")
        if not self.takes_integers and not all(tensor.is_floating for tensor in tensors):
            raise GraphError(
                f"layer '{self.name}' was called on {tensors[0].dtype} numbers; it takes floating-point ones. Leave "
                "dtype out of the Input, or put a layer between that turns integers into vectors."
            )
        shape = [tensor.shape for tensor in tensors] if self.merges else tensors[0].shape
        self.accept(shape)
        found = self.compute_output_shape(shape)
        if isinstance(found, list) and len(found) < 2:
            raise GraphError(
                f"layer '{self.name}': compute_output_shape gives a list of {len(found)}; expected the shape itself, or a "
                "list for two or more outputs."
            )
        shapes = found if isinstance(found, list) else [found]
        call = Call(self, tensors, shapes, self.compute_output_dtype([tensor.dtype for tensor in tensors]))
        output = list(call.outputs) if isinstance(found, list) else call.outputs[0]
        if self.output is None:
            self.input, self.output = list(tensors) if self.merges else tensors[0], output
        return output

    def accept(self, input_shape):
        """Check an input's shape, and create the parameters if this is the first input ever seen."""
        self.check_input(input_shape)
        if not self.built:
            self.build(input_shape)
            self.built = True

    def expect_rank(self, input_shape, rank, axes):
        if len(input_shape) != rank:
            raise ShapeError(f"layer '{self.name}' expected an input of shape {axes}, found {_show(input_shape)}.")

    # ---- parameters ----

    def add_weight(self, name, shape, initializer="glorot_uniform", trainable=True):
        """Create the parameter `self.<name>`. With trainable=False it is a statistic: saved, never a gradient."""
        self.built = True
        setattr(self, name, initializers.get(initializer)(shape))
        (self.parameter_names if trainable else self.statistic_names).append(name)

    @property
    def weight_names(self):
        """All parameters and statistics, in the order of weight files."""
        return self.parameter_names + self.statistic_names

    @property
    def trainable_names(self):
        """The parameters that the optimizer moves now."""
        return self.parameter_names if self.trainable else []

    @property
    def is_fixed(self):
        """True if training cannot change what this layer makes of an example: nothing learned, nothing random, and
        nothing that depends on the batch."""
        return not (self.random or self.trainable_names or self.uses_batch)

    @property
    def weights(self):
        """All parameters and statistics: the arrays themselves."""
        return [getattr(self, name) for name in self.weight_names]

    @property
    def trainable_weights(self):
        """The parameters that the optimizer moves now: the arrays themselves."""
        return [getattr(self, name) for name in self.trainable_names]

    def get_weights(self):
        """Copies of all parameters and statistics, in the order of `weight_names`."""
        return [getattr(self, name).copy() for name in self.weight_names]

    def set_weights(self, weights):
        """Overwrite all parameters and statistics. `weights` is a list in the order of `weight_names`."""
        self.check_weights(weights)
        for name, weight in zip(self.weight_names, weights):
            getattr(self, name)[...] = weight
        self.updates += 1

    def check_weights(self, weights):
        """Raise ShapeError if `set_weights` cannot take these."""
        expected = [getattr(self, name).shape for name in self.weight_names]
        found = [np.shape(weight) for weight in weights]
        if found != expected:
            names = ", ".join(f"{name} {shape}" for name, shape in zip(self.weight_names, expected))
            hint = "" if expected else " The layer has no parameters yet: call it on an input first."
            raise ShapeError(f"layer '{self.name}' expected weights [{names}], found shapes {found}.{hint}")

    def count_params(self):
        return sum(getattr(self, name).size for name in self.weight_names)

    # ---- between forward and backward ----

    def remember(self, *arrays):
        """Keep what `backward` needs. These are references: nothing is copied."""
        self._remembered = arrays

    def run(self, x, training=False):
        """Return forward(x), and what it kept for `backward`. What the layer remembered before stays as it was."""
        before = self._remembered
        y = self.forward(x, training=training)
        memory, self._remembered = self._remembered, before
        return y, memory

    def put_back(self, memory):
        """Let the next `backward` belong to the `run` that returned this memory. Returns what was remembered before."""
        before, self._remembered = self._remembered, memory
        return before

    def remembered(self):
        if self._remembered is None:
            raise GraphError(
                f"layer '{self.name}': backward has nothing to work on. Run forward first; a model's backward uses up "
                "what its forward kept, and keeps nothing where no gradient passes."
            )
        return self._remembered

    def require_input(self, x):
        """The gradient of a kernel needs the input, which a frozen layer does not keep."""
        if x is None:
            raise GraphError(f"layer '{self.name}' was frozen in forward and is trainable now: run forward again.")

    def forget(self):
        self._remembered = None

    # ---- saving ----

    def get_config(self):
        """The arguments that make an equal layer: plain numbers, strings and lists."""
        return {name: getattr(self, name) for name in ("name", "trainable", *self.config_names)}

    @property
    def input_shape(self):
        return [t.shape for t in self.input] if self.merges else self.input.shape

    @property
    def output_shape(self):
        return [t.shape for t in self.output] if isinstance(self.output, list) else self.output.shape

    def __repr__(self):
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.config_names)
        return f"<{type(self).__name__} '{self.name}'{' ' + arguments if arguments else ''}>"


def pair(value, argument):
    """3 or (3, 3) -> (3, 3)."""
    values = (value, value) if isinstance(value, (int, np.integer)) else tuple(value)
    if len(values) != 2 or any(not isinstance(v, (int, np.integer)) or v < 1 for v in values):
        raise ArgumentError(f"{argument} is {value!r}; expected a positive integer or a pair of them.")
    return int(values[0]), int(values[1])


def _show(shape):
    return "(" + ", ".join("N" if i == 0 else str(size) for i, size in enumerate(shape)) + ")"


def snake_case(class_name):
    """MaxPooling2D -> max_pooling2d, as Keras names layers."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
