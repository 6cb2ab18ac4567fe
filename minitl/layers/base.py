"""The base of every layer: parameters, `forward`, and `backward`.

A layer is used in two ways. On arrays it computes: `y = layer.forward(x)`, then `dx = layer.backward(dy)`;
`layer(x)` is `forward` in float32 (`on_arrays`). On another layer's output it builds a graph: `x = Flatten()(x)`
computes nothing and returns a `SymbolicTensor`. The tensor knows the `Call` that will compute it, and the call knows
its layer and its inputs. `graph.Graph` follows these records. One layer may be called several times: each call is a
step of its own, and all of them use the same parameters.

`forward` hands the arrays that `backward` will need to `remember`. A layer that runs on its own keeps them until the
next forward. A graph takes them out after each forward (`run`) and hands them back before the backward of the same call
(`put_back`). The layer itself keeps nothing in between, so it can be called again at once, in this graph or another.

A layer of your own is a subclass with `forward` and `backward`. If it has parameters, it creates them in `build`, and
its `forward` begins with `self.accept(x.shape)`, which calls `build` on the first input. `check_gradients` of
`minitl.testing` checks its gradient, and `course/add_your_own.md` shows which files a new layer touches. Read next:
`dense`, the shortest layer with parameters; then `graph/graph.py`, which runs layers one after the other.
"""

from typing import Any

from .. import constraints, regularizers
from ..arguments import refuse_methods, sizes, truth_value
from ..configured import plain
from ..errors import ArgumentError, GraphError, ShapeError
from ..not_here import no_attribute
from . import masking
from .array_masks import compute_mask
from .composed import call_composed, layers_within, output_shape
from .memory import Memory
from .mode import mode_of
from .names import check_name, snake_case
from .on_arrays import compute
from .parameters import Parameters
from .shared_arguments import OF_ALL_LAYERS
from .symbolic import Call, SymbolicTensor


class Layer(Memory, Parameters):
    """The base of all layers.

    name          the layer's name in weight files and messages; unnamed layers are numbered by their model
    trainable     False freezes the layer: its parameters get no gradient and no update, but gradients pass through it
    gradients     after `backward`: the gradient of each trainable parameter, by its name ("kernel", "bias", ...)
    """

    config_names: tuple = ()  # the constructor's arguments: attributes of the same name, saved with the model
    regularized: dict = {}  # {argument: parameter}: {"kernel_regularizer": "kernel"}
    random = False  # True if the output in training depends on random numbers

    # The inputs of a call
    merges = False  # True for layers that take a list of inputs
    takes_several = False  # True for layers that take one input, or a list that begins with it
    keyword_inputs: tuple = ()  # names of further inputs: ("mask",), if there is forward(x, training=False, mask=None)
    call_options: tuple = ()  # names of further arguments of a call that are no arrays: ("use_causal_mask",)
    takes_integers = True  # False for layers that multiply their input by weights of their own
    keeps_integers = False  # True for layers that leave the numbers as they are, so that integers stay integers
    takes_one_image = False  # True if a call on an array also takes a single image (H, W, C), as Keras's layers do
    varies_when_called = False  # True if a call on an array varies it, unless training=False: a RandomFlip

    # Masks (`masking`)
    masks_of = {"mask": 0}  # {name of a keyword input: the position of the input whose time steps it masks}
    mask_of_each = False  # True if forward takes the mask of every input by name: mask_0, mask_1, ...
    passes_mask = False  # True if each time step of the output depends on that of the input alone, as in a Dense
    merges_masks = False  # True if `compute_output_mask` makes one mask of those of all inputs
    makes_mask = False  # True if the output has a mask that the input did not have: Masking, Embedding(mask_zero=True)
    drops_mask = False  # True if the output needs no mask although its input has one: a pooling that ignores padding

    # Properties that other packages ask for. A layer of your own only has to set these. A few places, such as
    # `graph.fusion`, look for certain layers of minitl instead; other layers work without them. "In inference" means
    # training=False.
    keeps_channels = False  # True if output channel k depends on input channel k alone: a pooling, a ReLU, zero padding
    is_elementwise = False  # True if, in inference, each output number depends on the input number in its place alone
    passes_numbers_on = False  # True if, in inference, the output holds the input's numbers: a Dropout, a Flatten
    output_size_argument: str | None = None  # the argument with the size of the output's last axis: "units", "filters"
    input_axes: dict = {}  # {parameter: its axis that runs over the last axis of the input}; {"kernel": 0} in Dense
    output_axes: dict = {}  # {parameter: its axis that runs over the last axis of the output}, where it is not the last
    training_only: tuple = ()  # those of config_names that change nothing in inference: a "momentum"

    # The layer in files of Keras and PyTorch
    in_keras = True  # False if Keras has no layer of this name
    keras_operation: str | None = None  # Keras's operation on arrays in the place of this layer, which Keras lacks
    torch_names: dict = {}  # {parameter: its name in PyTorch}; {"kernel": "weight", "bias": "bias"} in Dense
    torch_axes: dict = {}  # {parameter: how its axes are permuted}, where they differ: "(units, inputs) -> ..."
    torch_cells: dict = {}  # {"" or "_reverse" behind PyTorch's names: (prefix of the parameters, recurrent layer)}
    torch_defaults: dict = {}  # {argument: what PyTorch's layer has unless told otherwise}; its files do not state it

    def __init_subclass__(cls, **arguments):
        """Understand `supports_masking = True` in a class of your own, as Keras does."""
        super().__init_subclass__(**arguments)
        if isinstance(vars(cls).get("supports_masking"), bool):
            cls.passes_mask = cls.supports_masking
            del cls.supports_masking  # the property is behind it again

    def __init__(self, *, name=None, trainable=True, input_shape=None, **others):
        if type(self).forward is not Layer.forward:
            refuse_methods(self, ("call",), "It has a forward: write this and backward(grad): course/add_your_own.md.")
        self.regularizers = regularizers.taken_from(others, self.regularized)
        self.constraints = constraints.taken_from(others, self.regularized)
        for argument, value in others.items():
            if argument not in OF_ALL_LAYERS:
                raise ArgumentError(f"{type(self).__name__} has no argument {argument}={value!r} in minitl.")
            OF_ALL_LAYERS[argument].check(type(self).__name__, argument, value)
        check_name(name)
        self.class_name = snake_case(type(self).__name__)
        self.name, self.name_is_final, self.is_named = name or self.class_name, name is not None, name is not None
        self.trainable = truth_value(trainable, "trainable")
        self.first_input_shape = (
            None if input_shape is None else sizes(input_shape, "input_shape")
        )  # of one example, without the batch; for Sequential
        self.parameter_names = []  # learned by gradient descent
        self.statistic_names = []  # measured on the data in training (batch-norm's moving mean and variance)
        self.gradients = {}
        self.origins = {}  # parameter -> where its values come from (minitl.weights.ledger); absent: new
        self.built = False
        self.input = self.output = None  # symbolic tensors of the first call
        self.updates = 0  # how often the parameters have been updated or set
        self.gradients_of = None  # weak reference to the graph whose backward computed the gradients
        self._remembered = None

    # ---- what a subclass writes ----

    def build(self, input_shape):
        """Create the weights. `input_shape` begins with None or the batch size."""
        if self.is_composed and not self.built and type(self).build is Layer.build:
            output_shape(self, input_shape)
        self.built = True

    def check_input(self, input_shape):
        """Raise ShapeError if this layer cannot take an input of this shape."""

    def compute_output_shape(self, input_shape):
        """Return the output's shape. A layer with several outputs returns a list of shapes, its `forward` returns a
        list of arrays, and its `backward` takes a list of gradients."""
        if self.is_composed:
            return output_shape(self, input_shape)
        if type(self).forward is Layer.forward:
            raise GraphError(f"class {type(self).__name__} has no forward, so the shape of its output is unknown.")
        return input_shape

    def compute_output_dtype(self, input_dtypes):
        """Return NumPy's name of the outputs' type."""
        return input_dtypes[0] if self.keeps_integers else "float32"

    def forward(self, x, training: bool = False) -> Any:
        """Return the output y of the input x, and hand the arrays that `backward` needs to `self.remember`."""
        raise GraphError(f"class {type(self).__name__} has no forward(x, training=False), which computes its output.")

    def backward(self, grad) -> Any:
        """Return dL/dx, given grad = dL/dy of the latest `forward`. Fills `gradients` if the layer is trainable."""
        raise GraphError(f"class {type(self).__name__} has no backward(grad), which returns the gradient dL/dx.")

    def backward_to_parameters(self, grad):
        """Fill `gradients` alone. A graph calls this if nothing before this layer needs a gradient."""
        self.backward(grad)

    # ---- what a subclass may override ----

    @property
    def uses_batch(self):
        """Return whether in training an output depends on the other examples of the batch, as `trainable` is now."""
        return False

    @property
    def takes_mask(self):
        """Return whether forward takes a mask by name."""
        return any(name in self.masks_of for name in self.keyword_inputs)

    @property
    def supports_masking(self):
        """Return whether a mask of the input's time steps reaches the output, or is used here: Keras's name."""
        return bool(self.passes_mask or self.takes_mask or self.merges_masks or self.makes_mask or self.drops_mask)

    @supports_masking.setter
    def supports_masking(self, value):
        self.passes_mask = truth_value(value, "supports_masking")

    @property
    def output_activation(self):
        """Return Keras's name of the activation that this layer ends with, such as "softmax"; None if it is unknown."""
        return getattr(self, "activation", None)

    @property
    def is_composed(self):
        """Return whether this is a class of your own with `call` (`composed`)."""
        return hasattr(type(self), "call")

    @property
    def within(self):
        """Return the layers that `call` is made of: all of them are frozen and copied with this one."""
        return layers_within(self) if self.is_composed else []

    def flops(self, input_shape):
        """Return the number of floating-point operations of `forward` for one example. Only matrix products count:
        the rest is small beside them. `input_shape` begins with the batch."""
        return 0

    def forget_prepared(self):
        """Drop what a first `forward` has prepared for later ones, such as the transform of a kernel."""

    # ---- building a graph ----

    def __call__(self, inputs=None, *others, **by_name) -> Any:
        """Record a call of this layer on symbolic tensors, and return its symbolic output. On arrays: compute.

        by_name   inputs and options that forward takes by name (`keyword_inputs`, `call_options`). A mask that is not
                  named is the mask of the input (`masking`). With `training`, the mode of this call
        """
        if self.is_composed:
            return call_composed(self, (inputs, *others), by_name)
        if others:
            raise GraphError(
                f"layer '{self.name}' was called with {len(others) + 1} arguments; give several inputs as a list, and "
                "masks and options by name."
            )
        tensors = tuple(inputs) if isinstance(inputs, (list, tuple)) else (inputs,)
        if not any(isinstance(tensor, SymbolicTensor) for tensor in tensors):
            return compute(self, inputs, by_name)
        for tensor in tensors:
            if not isinstance(tensor, SymbolicTensor):
                raise GraphError(
                    f"layer '{self.name}' was called on {type(tensor).__name__} and on the output of another layer; "
                    "expected arrays alone, or outputs of layers alone."
                )
        if len(tensors) != 1 and not (self.merges or self.takes_several):
            raise GraphError(
                f"layer '{self.name}' was called on {len(tensors)} tensors; it takes one. Concatenate them first."
            )
        if not self.takes_integers and not all(tensor.is_floating for tensor in tensors):
            raise GraphError(
                f"layer '{self.name}' was called on {tensors[0].dtype} numbers; it takes floating-point ones. Leave "
                "dtype out of the Input, or put a layer in between that turns integers into vectors."
            )
        training = mode_of(by_name.pop("training", None))
        named, options = masking.inputs_by_name(self, tensors, by_name)
        shape = self.packed([tensor.shape for tensor in tensors])
        self.accept(shape)
        found = self.compute_output_shape(shape, **options)
        if isinstance(found, list) and len(found) < 2:
            raise GraphError(
                f"layer '{self.name}': compute_output_shape gives a list of {len(found)}; expected the shape itself, "
                "or a list of shapes for two or more outputs."
            )
        shapes = found if isinstance(found, list) else [found]
        dtype = self.compute_output_dtype([tensor.dtype for tensor in tensors])
        call = Call(self, tensors, shapes, dtype, named, options, training)
        output = list(call.outputs) if isinstance(found, list) else call.outputs[0]
        masking.set_output_mask(call)
        if self.output is None:
            self.input, self.output = self.packed(tensors), output
        return output

    def packed(self, values):
        """Return one value for each input in the form in which `forward` takes them: a list, or a single one."""
        return list(values) if self.merges or len(values) > 1 else values[0]

    def keras_call(self, tensors):
        """Return the positional arguments of this call in Keras, which are its inputs here."""
        return [self.packed(tensors)]

    compute_mask = compute_mask

    def compute_output_mask(self, tensors, mask):
        """Return the symbolic mask of the first output, or None if it has no time steps that could be padding.

        tensors   the inputs given by position;   mask   that of the call, or of the first input
        """
        return mask if self.passes_mask else None

    def accept(self, input_shape):
        """Check an input's shape, and create the weights if this is the first input."""
        self.check_input(input_shape)
        if not self.built:
            self.build(input_shape)
            self.built = True

    def expect_rank(self, input_shape, rank, axes):
        """Raise ShapeError if the input does not have `rank` axes. `axes` names them for the message."""
        if len(input_shape) != rank:
            found = _shape_text(input_shape)
            raise ShapeError(f"layer '{self.name}' expected an input of shape {axes}, found {found}.")

    @property
    def has_mode(self):
        """Return whether the output of minitl's layers of this class may differ in training."""
        return self.random or type(self).uses_batch is not Layer.uses_batch

    @property
    def is_fixed(self):
        """Return whether this layer's output for an example stays the same in training: nothing in it is learned, is
        random, or depends on the batch."""
        return not (self.random or self.trainable_names or self.uses_batch)

    # ---- saving ----

    def get_config(self):
        """Return the constructor's arguments for an equal layer: plain numbers, strings and lists."""
        config = {name: getattr(self, name) for name in ("name", "trainable", *self.config_names)}
        drawn = {name: plain(each) for name, each in vars(self).items() if name.endswith("_initializer")}
        known = {name: each for name, each in drawn.items() if isinstance(each, (str, dict))}  # a function is no data
        return {**config, **known, **regularizers.as_arguments(self), **constraints.as_arguments(self)}

    @classmethod
    def from_config(cls, config):
        """Return a layer with the arguments of `get_config`. Keras's own are read by `load_model`."""
        return cls(**config)

    def _keeps_dtype(self, value=None):
        """Refuse to set a type of numbers, which would be ignored in silence."""
        raise no_attribute(self, "dtype_policy")

    dtype_policy = property(_keeps_dtype, _keeps_dtype)

    def __getattr__(self, name):
        """Raise an error for an attribute that is not here; for one of Keras it says what to write."""
        raise no_attribute(self, name)

    @property
    def input_shape(self):
        return [t.shape for t in self.input] if isinstance(self.input, list) else self.input.shape

    @property
    def output_shape(self):
        return [t.shape for t in self.output] if isinstance(self.output, list) else self.output.shape

    def __repr__(self):
        arguments = "".join(f", {name}={getattr(self, name)!r}" for name in self.config_names)
        return f"<{type(self).__name__} '{self.name}'{arguments}{'' if self.trainable else ', frozen'}>"


def _shape_text(shape):
    """Return a shape as text, with N for the batch."""
    return "(" + ", ".join("N" if i == 0 else str(size) for i, size in enumerate(shape)) + ")"
