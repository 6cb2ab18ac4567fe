"""Layers with several inputs. `forward` takes a list and `backward` returns one: a gradient for each input."""

from functools import reduce

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..kernels.elementwise import add, concatenate
from .base import Layer


class Add(Layer):
    """y = x_1 + x_2 + ...  All inputs have one shape (a size of 1 is stretched, as NumPy does it)."""

    merges = True

    def compute_output_dtype(self, input_dtypes):
        return common_dtype(input_dtypes)

    def compute_output_shape(self, input_shapes):
        sizes = zip(*(shape[1:] for shape in input_shapes))
        return (None, *(None if None in axis else max(axis) for axis in sizes))

    def check_input(self, input_shapes):
        if len(input_shapes) < 2 or not _broadcast(shape[1:] for shape in input_shapes):
            raise ShapeError(
                f"layer '{self.name}' expected two or more inputs of one shape, found {list(input_shapes)}."
            )

    def forward(self, x, training=False):
        self.accept([each.shape for each in x])
        self.remember(*(each.shape for each in x))
        return reduce(add, of_one_type(x))

    def backward(self, grad):
        """dy/dx_k = 1 for every k: each input receives grad as it is."""
        return [_unstretch(grad, shape) for shape in self.remembered()]


class Concatenate(Layer):
    """The inputs one after the other along `axis`."""

    config_names = ("axis",)
    merges = True

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def compute_output_dtype(self, input_dtypes):
        return common_dtype(input_dtypes)

    def compute_output_shape(self, input_shapes):
        shape = list(input_shapes[0])
        sizes = [each[self.axis] for each in input_shapes]
        shape[self.axis] = None if None in sizes else sum(sizes)
        return tuple(shape)

    def check_input(self, input_shapes):
        rank = len(input_shapes[0])
        if not isinstance(self.axis, int) or not -rank < self.axis < rank or self.axis == 0:
            raise ArgumentError(
                f"layer '{self.name}': axis is {self.axis!r}; expected an axis of the inputs {list(input_shapes)} "
                "other than the batch."
            )
        rest = {
            tuple(np.delete(np.array(shape[1:], object), self._axis_without_batch(shape))) for shape in input_shapes
        }
        if len(input_shapes) < 2 or len(rest) != 1:
            raise ShapeError(
                f"layer '{self.name}' expected two or more inputs that differ only along axis {self.axis}, "
                f"found {list(input_shapes)}."
            )

    def _axis_without_batch(self, shape):
        return self.axis % len(shape) - 1

    def forward(self, x, training=False):
        self.accept([each.shape for each in x])
        self.remember(*(each.shape[self.axis] for each in x))
        return concatenate(of_one_type(x), self.axis)

    def backward(self, grad):
        """Each input gets back the slice of grad that lies where it was put."""
        ends = np.cumsum(self.remembered())[:-1]
        return np.split(grad, ends, axis=self.axis)


def common_dtype(dtypes):
    """Return the name of the type that inputs of these types are merged in: floating-point if one of them is, else the
    smallest type of integers that holds all."""
    return next((dtype for dtype in dtypes if dtype.startswith("float")), np.result_type(*dtypes).name)


def of_one_type(arrays):
    """Return the arrays in one type. NumPy would make float64 of integers and float32."""
    floats = [each.dtype for each in arrays if each.dtype.kind == "f"]
    if not floats:
        return arrays
    return [each if each.dtype.kind == "f" else each.astype(floats[0]) for each in arrays]


def _broadcast(shapes):
    """Do these shapes, without their batch axis, fit together? None fits anything."""
    shapes = list(shapes)
    return len({len(shape) for shape in shapes}) == 1 and all(len(set(axis) - {1, None}) <= 1 for axis in zip(*shapes))


def _unstretch(grad, shape):
    """A size-1 axis that was stretched was used many times: its gradient is the sum over all of them."""
    stretched = tuple(i for i, (found, own) in enumerate(zip(grad.shape, shape)) if own == 1 and found > 1)
    return grad.sum(axis=stretched, keepdims=True) if stretched else grad
