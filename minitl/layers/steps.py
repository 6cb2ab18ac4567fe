"""Layers that move, repeat or cut off the time steps of sequences (N, T, D), and two that rearrange axes.

They are the counterparts of `reshaping` for sequences. No number is computed here: a step is copied, and its gradient
is the sum of its copies' gradients.
"""

import numpy as np

from ..arguments import is_whole_number, keras_arguments, one_size, whole_number
from ..errors import ArgumentError, ShapeError
from ..kernels.elementwise import contiguous
from ..kernels.products import sums
from .base import Layer
from .channels_first import DATA_FORMAT


class ZeroPadding1D(Layer):
    """Zero padding: puts steps of zeros around the sequence. `padding` is n, or (before, behind)."""

    config_names = ("padding",)
    keeps_channels = True

    @keras_arguments(after="padding", data_format=DATA_FORMAT)
    def __init__(self, padding=1, **kwargs):
        super().__init__(**kwargs)
        self.padding = _before_and_behind(padding, "padding")

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 3, "(N, T, D)")

    def compute_output_shape(self, input_shape):
        n, t, d = input_shape
        return n, None if t is None else t + sum(self.padding), d

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.remember(x.shape[1])
        return np.pad(x, ((0, 0), self.padding, (0, 0)))

    def backward(self, grad):
        """Return the sequence's part of the gradient. The zeros are constant, so their part is dropped."""
        (steps,) = self.remembered()
        return grad[:, self.padding[0] : self.padding[0] + steps]


class Cropping1D(Layer):
    """Cropping: cuts steps off both ends of the sequence. `cropping` is n, or (before, behind)."""

    config_names = ("cropping",)
    keeps_channels = True

    def __init__(self, cropping=(1, 1), **kwargs):
        super().__init__(**kwargs)
        self.cropping = _before_and_behind(cropping, "cropping")

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 3, "(N, T, D)")
        if input_shape[1] is not None and input_shape[1] <= sum(self.cropping):
            raise ShapeError(
                f"layer '{self.name}': cropping is {self.cropping}, which leaves nothing of an input of shape "
                f"{tuple(input_shape)}. Use longer sequences or crop less."
            )

    def compute_output_shape(self, input_shape):
        n, t, d = input_shape
        return n, None if t is None else t - sum(self.cropping), d

    def forward(self, x, training=False):
        self.accept(x.shape)
        return x[:, self.cropping[0] : x.shape[1] - self.cropping[1]]

    def backward(self, grad):
        """Return the gradient with zeros around: what is cut off has no influence on the loss."""
        return np.pad(grad, ((0, 0), self.cropping, (0, 0)))


class UpSampling1D(Layer):
    """Upsampling: repeats each step `size` times.  (N, T, D) -> (N, T * size, D)."""

    config_names = ("size",)
    keeps_channels = True

    def __init__(self, size=2, **kwargs):
        super().__init__(**kwargs)
        self.size = one_size(size, "size")

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 3, "(N, T, D)")

    def compute_output_shape(self, input_shape):
        n, t, d = input_shape
        return n, None if t is None else t * self.size, d

    def forward(self, x, training=False):
        self.accept(x.shape)
        return np.repeat(x, self.size, axis=1)

    def backward(self, grad):
        """Return dL/dx: each step gets the sum of the gradients of its copies."""
        n, t, d = grad.shape
        return sums(grad.reshape(n, t // self.size, self.size, d), 2)[:, :, 0]


class RepeatVector(Layer):
    """Repetition: makes a sequence of n equal steps of a vector.  (N, D) -> (N, n, D)."""

    config_names = ("n",)

    def __init__(self, n, **kwargs):
        super().__init__(**kwargs)
        self.n = whole_number(n, "n")

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 2, "(N, D)")

    def compute_output_shape(self, input_shape):
        return input_shape[0], self.n, input_shape[1]

    def forward(self, x, training=False):
        self.accept(x.shape)
        return np.repeat(x[:, None], self.n, axis=1)

    def backward(self, grad):
        """Return dL/dx: the sum of the gradients of all steps."""
        return sums(grad, 1)[:, 0]


class Permute(Layer):
    """Permutation of axes. `dims` numbers the axes of one example from 1: (2, 1) swaps the two of (N, T, D)."""

    config_names = ("dims",)
    keeps_integers = True

    def __init__(self, dims, **kwargs):
        super().__init__(**kwargs)
        found = list(dims) if isinstance(dims, (tuple, list)) else []
        if not found or not all(map(is_whole_number, found)) or sorted(found) != list(range(1, len(found) + 1)):
            raise ArgumentError(
                f"dims is {dims!r}; expected each of 1, 2, ... once, as (2, 1): the batch is not counted."
            )
        self.dims = tuple(map(int, found))

    def check_input(self, input_shape):
        if len(input_shape) != len(self.dims) + 1:
            raise ShapeError(
                f"layer '{self.name}': dims is {self.dims}, which does not fit an input of shape {tuple(input_shape)}."
            )

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[axis] for axis in (0, *self.dims))

    def forward(self, x, training=False):
        self.accept(x.shape)
        return contiguous(x.transpose(0, *self.dims))

    def backward(self, grad):
        """Return the gradient with the axes back in their places."""
        return contiguous(grad.transpose(np.argsort((0, *self.dims))))


def _before_and_behind(value, argument):
    """Return (before, behind) of n or such a pair. Raises ArgumentError for anything else."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(values) != 2 or any(not is_whole_number(each) or each < 0 for each in values):
        raise ArgumentError(f"{argument} is {value!r}; expected n or (before, behind), all at least 0.")
    return int(values[0]), int(values[1])
