"""The input of a graph: the layer at which it begins, and `Input`, which makes one."""

import numpy as np

from ..errors import ArgumentError, ShapeError
from .base import Call, Layer


class InputLayer(Layer):
    """The beginning of a graph: hands on the array that the graph is given.

    shape   of one example, without the batch: (H, W, C), with None for a size that may vary; () for single numbers
    dtype   "float32"; or a type of integers ("int32", ...) or "bool", and then the input gets no gradient
    """

    config_names = ("shape", "dtype")
    keeps_channels = True

    def __init__(self, shape, dtype=None, **kwargs):
        super().__init__(**kwargs)
        sizes = list(shape) if isinstance(shape, (tuple, list)) else ["not a sequence"]
        if any(size is not None and not (isinstance(size, (int, np.integer)) and size > 0) for size in sizes):
            raise ShapeError(
                f"Input shape is {shape!r}; expected the sizes of one example without the batch, as (224, 224, 3)."
            )
        self.shape = tuple(None if size is None else int(size) for size in sizes)
        self.dtype = type_name(dtype)
        self.output = Call(self, (), [(None, *self.shape)], self.dtype).outputs[0]

    @property
    def input_shape(self):
        return self.output.shape

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
    if found is None or not (found.kind in "iub" or found == np.float32):
        raise ArgumentError(
            f"dtype is {dtype!r}; expected 'float32', or a type of integers such as 'int32', or 'bool'."
        )
    return found.name


def Input(shape, batch_size=None, dtype=None, name=None):
    """Return the symbolic input of a model.

    shape        of one example, without the batch: `Input((224, 224, 3))`
    batch_size   accepted as in Keras, and ignored: a model takes batches of any size
    dtype        the type of the numbers: `Input((128,), dtype="int32")` for 128 tokens
    """
    return InputLayer(shape, dtype=dtype, name=name).output
