"""`Dot`: sums of products of two inputs, example by example."""

import math

import numpy as np

from ..arguments import NotHere, is_whole_number, keras_arguments
from ..errors import ArgumentError, ShapeError
from ..kernels import as_float
from .base import Layer


class Dot(Layer):
    """The dot product of two inputs (N, ..., K, ...) along one axis of each, for each example.

    y[n, i, j] = sum_k a[n, i, k] b[n, j, k], where i stands for the other axes of a and j for those of b. Without other
    axes y is (N, 1).

    axes   the axis to sum over: one number for both inputs, or a pair
    """

    supports_masking = True  # type: ignore[assignment]  # as Keras says; the output has none
    config_names = ("axes",)
    merges = True

    @keras_arguments(after="axes", normalize=NotHere(False, instead="Put UnitNormalization before each input."))
    def __init__(self, axes, **kwargs):
        super().__init__(**kwargs)
        pair = list(axes) if isinstance(axes, (list, tuple)) else [axes, axes]
        if len(pair) != 2 or not all(is_whole_number(axis) and axis != 0 for axis in pair):
            raise ArgumentError(f"axes is {axes!r}; expected an axis other than the batch, or a pair of them.")
        self.axes = axes if is_whole_number(axes) else [int(axis) for axis in pair]
        self.of_each = [int(axis) for axis in pair]

    def check_input(self, input_shapes):
        fits = len(input_shapes) == 2 and all(
            0 < axis % len(shape) and -len(shape) <= axis < len(shape)
            for axis, shape in zip(self.of_each, input_shapes)
        )
        if not fits or len({shape[axis] for axis, shape in zip(self.of_each, input_shapes)} - {None}) > 1:
            raise ShapeError(
                f"layer '{self.name}' expected two inputs with equal sizes along the axes {self.axes}, found "
                f"{list(input_shapes)}."
            )

    def compute_output_shape(self, input_shapes):
        others = [
            size
            for axis, shape in zip(self.of_each, input_shapes)
            for place, size in enumerate(shape)
            if place not in (0, axis % len(shape))
        ]
        return (input_shapes[0][0], *(others or [1]))

    def forward(self, x, training=False):
        self.accept([each.shape for each in x])
        a, b = (np.moveaxis(as_float(each), axis, -1) for axis, each in zip(self.of_each, x))  # (N, ..., K)
        rows_a = a.reshape(len(a), math.prod(a.shape[1:-1]), a.shape[-1])  # (N, I, K)
        rows_b = b.reshape(len(b), math.prod(b.shape[1:-1]), b.shape[-1])  # (N, J, K)
        self.remember(rows_a, rows_b, a.shape, b.shape)
        y = rows_a @ rows_b.transpose(0, 2, 1)  # (N, I, J)
        return y.reshape(len(a), *((*a.shape[1:-1], *b.shape[1:-1]) or (1,)))

    def backward(self, grad):
        """Return the gradients of a and b, for y_ij = sum_k a_ik b_jk:

        dL/da_ik = sum_j g_ij b_jk        dL/db_jk = sum_i g_ij a_ik
        """
        a, b, *shapes = self.remembered()
        grad = grad.reshape(len(a), a.shape[1], b.shape[1])
        found = grad @ b, grad.transpose(0, 2, 1) @ a
        return [np.moveaxis(each.reshape(shape), -1, axis) for each, shape, axis in zip(found, shapes, self.of_each)]


def dot(inputs, axes=-1, **kwargs):
    """Return the symbolic output of a new `Dot` on a list of two symbolic tensors."""
    return Dot(axes, **kwargs)(inputs)
