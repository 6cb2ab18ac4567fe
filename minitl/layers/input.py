"""The input of a graph: the layer at which it begins, and `Input`, which makes one."""

import numpy as np

from ..arguments import NotHere, keras_arguments, sizes, whole_number
from ..errors import ArgumentError
from .base import Layer
from .symbolic import Call

DENSE_TENSORS = {"sparse": NotHere(None, (False,)), "ragged": NotHere(None, (False,))}


class InputLayer(Layer):
    """The beginning of a graph: hands on the array that the graph is given.

    shape   of one example, without the batch: (H, W, C), with None for a size that may vary; () for single numbers
    dtype   "float32"; or a type of integers ("int32", ...) or "bool", and then the input gets no gradient. "float64"
            says the same as "float32", in which layers compute, in Keras as here
    """

    config_names = ("shape", "dtype")
    keeps_channels = True
    sparse = ragged = optional = False  # arrays of NumPy are dense

    @keras_arguments(after="batch_shape", input_tensor=NotHere(), optional=NotHere(False))
    @keras_arguments(after="dtype", **DENSE_TENSORS)
    def __init__(self, shape=None, batch_size=None, dtype=None, batch_shape=None, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        if batch_shape is not None:
            if shape is not None:
                raise ArgumentError("shape and batch_shape are both given; expected one of them.")
            if not isinstance(batch_shape, (tuple, list)):
                raise ArgumentError(f"batch_shape is {batch_shape!r}; expected a shape such as (None, 224, 224, 3).")
            shape = sizes(batch_shape[1:], "batch_shape without its first number")
            if batch_size is not None:
                raise ArgumentError("batch_size and batch_shape are both given; expected one of them.")
            batch_size = batch_shape[0]
        self.batch_size = None if batch_size is None else whole_number(batch_size, "batch_size")
        self.shape = sizes(shape, "Input shape")
        self.dtype = type_name(dtype)
        self.output = Call(self, (), [(self.batch_size, *self.shape)], self.dtype).outputs[0]

    @property
    def input_shape(self):
        return self.output.shape

    batch_shape = input_shape

    def forward(self, x, training=False):
        return x

    def backward(self, grad):
        return grad


def type_name(dtype):
    """Return NumPy's name of an input's type. Raises ArgumentError for a type that no network computes with."""
    try:
        found = np.dtype("float32" if dtype is None else dtype)
    except TypeError:
        found = None
    if found is None or not (found.kind in "iub" or found in (np.float32, np.float64)):
        raise ArgumentError(
            f"dtype is {dtype!r}; expected 'float32', or a type of integers such as 'int32', or 'bool'."
        )
    return "float32" if found.kind == "f" else found.name


@keras_arguments(after="name", tensor=NotHere(), optional=NotHere(False))
@keras_arguments(after="dtype", **DENSE_TENSORS)
def Input(shape=None, batch_size=None, dtype=None, batch_shape=None, name=None):
    """Return the symbolic input of a model.

    shape        of one example, without the batch: `Input((224, 224, 3))`
    batch_size   the first number of the shapes; the model takes batches of any size all the same
    dtype        the type of the numbers: `Input((128,), dtype="int32")` for 128 tokens
    batch_shape  instead of `shape`: the shape with the batch, `(None, 224, 224, 3)`
    """
    return InputLayer(shape, batch_size, dtype, batch_shape=batch_shape, name=name).output
