"""Masks that are computed: from the sequence itself (`PaddingMask`, `Masking`), and from the masks of sequences that
are merged (`AnyMask`, `JoinedMask`). `masking` says how they are used."""

from functools import reduce

import numpy as np

from ..arguments import is_number, whole_number
from ..errors import ArgumentError
from .base import Layer


class PaddingMask(Layer):
    """The mask of token numbers: True where a number is not `padding`.  x (N, T) -> (N, T), booleans."""

    config_names = ("padding",)

    def __init__(self, padding=0, **kwargs):
        super().__init__(**kwargs)
        self.padding = whole_number(padding, "padding", least=0)

    def compute_output_dtype(self, input_dtypes):
        return "bool"

    def forward(self, x, training=False):
        self.remember(x.shape)
        return x != self.padding

    def backward(self, grad):
        """Return 0: the mask changes by jumps."""
        (shape,) = self.remembered()
        return np.zeros(shape, np.float32)


class StepMask(Layer):
    """The mask of time steps: True where a number of the step is not `mask_value`.  x (N, T, D) -> (N, T), booleans."""

    drops_mask = True
    config_names = ("mask_value",)

    def __init__(self, mask_value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.mask_value = _number(mask_value)

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 3, "(N, T, D)")

    def compute_output_shape(self, input_shape):
        return input_shape[:2]

    def compute_output_dtype(self, input_dtypes):
        return "bool"

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.remember(x.shape)
        return (x != self.mask_value).any(axis=-1)

    def backward(self, grad):
        """Return 0: the mask changes by jumps."""
        (shape,) = self.remembered()
        return np.zeros(shape, np.float32)


class Masking(Layer):
    """Masking: time steps whose numbers are all `mask_value` are padding.  x (N, T, D) -> (N, T, D).

    The layers behind it that take a mask get the one that `StepMask` computes. The padding itself becomes 0, as in
    Keras.
    """

    makes_mask = True
    config_names = ("mask_value",)

    def __init__(self, mask_value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.mask_value = _number(mask_value)
        self._step_mask = StepMask(mask_value)

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 3, "(N, T, D)")

    def compute_output_mask(self, tensors, mask):
        return self._step_mask(tensors[0])

    def forward(self, x, training=False):
        self.accept(x.shape)
        is_real = (x != self.mask_value).any(axis=-1, keepdims=True)  # (N, T, 1)
        self.remember(is_real)
        return x * is_real

    def backward(self, grad):
        (is_real,) = self.remembered()
        return grad * is_real


class AnyMask(Layer):
    """The mask of sequences that are merged number by number: True where a step of any of them is real.

    x   their masks, a list of arrays (N, T) -> (N, T), booleans
    """

    merges = True

    def compute_output_shape(self, input_shapes):
        return tuple(None if None in sizes else max(sizes) for sizes in zip(*input_shapes))

    def compute_output_dtype(self, input_dtypes):
        return "bool"

    def forward(self, x, training=False):
        self.remember([each.shape for each in x])
        return reduce(np.logical_or, x)

    def backward(self, grad):
        """Return 0: the mask changes by jumps."""
        (shapes,) = self.remembered()
        return [np.zeros(shape, np.float32) for shape in shapes]


class JoinedMask(AnyMask):
    """The mask of sequences that are put one behind the other.

    x   for each of them its mask (N, T), or the sequence itself (N, T, ...) if all of its steps are real
    """

    def compute_output_shape(self, input_shapes):
        steps = [shape[1] for shape in input_shapes]
        return None, None if None in steps else sum(steps)

    def forward(self, x, training=False):
        self.remember([each.shape for each in x])
        masks = [each if each.ndim == 2 else np.ones(each.shape[:2], bool) for each in x]
        return np.concatenate(masks, axis=1).astype(bool)


def _number(mask_value):
    """Return `mask_value` as a float. Raises ArgumentError unless it is a number."""
    if not is_number(mask_value) or mask_value != mask_value:  # nothing equals NaN, so it would mark no step
        raise ArgumentError(f"mask_value is {mask_value!r}; expected a number.")
    return float(mask_value)
