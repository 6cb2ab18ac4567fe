"""Layers with several inputs. `forward` takes a list of arrays, and `backward` returns a list: a gradient for each.

Sequences that are merged may have masks (N, T) (`masking`). By Keras's rules a step of the output is real where it is
real in any of the inputs, and if an input has no mask, neither has the output. `Multiply`, `Maximum` and `Minimum` take
the masks of their inputs: padding does not count as a number there.
"""

from functools import reduce

import numpy as np

from ..arguments import axes
from ..errors import ArgumentError, ShapeError
from ..kernels import elementwise
from ..kernels.activations import relu_gradient
from ..kernels.precision import as_float
from ..kernels.products import sums
from . import masking
from .base import Layer
from .padding_mask import AnyMask, JoinedMask


class _Merge(Layer):
    """The base of the layers that merge number by number. All inputs have one shape; a size of 1 is broadcast, as in
    NumPy."""

    merges = merges_masks = passes_mask = True

    def compute_output_dtype(self, input_dtypes):
        return common_dtype(input_dtypes)

    def compute_output_mask(self, tensors, mask):
        return _merged_mask(tensors)

    def keras_call(self, tensors):
        return list(tensors) if self.keras_operation else super().keras_call(tensors)

    def compute_output_shape(self, input_shapes):
        sizes = zip(*(shape[1:] for shape in input_shapes))
        return (input_shapes[0][0], *(None if None in axis else max(axis) for axis in sizes))

    def check_input(self, input_shapes):
        if len(input_shapes) < 2 or not _can_broadcast(shape[1:] for shape in input_shapes):
            raise ShapeError(
                f"layer '{self.name}' expected two or more inputs of one shape, found {list(input_shapes)}."
            )

    def arrays(self, x):
        """Return the inputs in one type, after a check of their shapes."""
        self.accept([each.shape for each in x])
        return cast_to_one_type(x)


class Add(_Merge):
    """y = x_1 + x_2 + ...  All inputs have one shape; a size of 1 is broadcast, as in NumPy."""

    def forward(self, x, training=False, relu=False):
        """Return y, with relu=True max(y, 0): a ReLU behind this layer takes no pass over the maps of its own then.
        `backward` goes back through both."""
        *others, last = self.arrays(x)
        y = (elementwise.add_and_relu if relu else elementwise.add)(reduce(elementwise.add, others), last)
        self.remember([each.shape for each in x], y if relu else None)
        return y

    def backward(self, grad):
        """Return grad for each input, since dy/dx_k = 1 for every k. Where an input was broadcast, grad is summed.
        After forward(relu=True), grad goes back through the ReLU first."""
        shapes, y = self.remembered()
        if y is not None:
            grad = relu_gradient(grad, y)
        return [sum_over_broadcast_axes(grad, shape) for shape in shapes]


class TwoInputs(_Merge):
    """The base of the layers that merge exactly two inputs."""

    def check_input(self, input_shapes):
        super().check_input(input_shapes)
        if len(input_shapes) > 2:
            raise ShapeError(f"layer '{self.name}' expected two inputs, found {len(input_shapes)}.")


class Subtract(TwoInputs):
    """y = x_1 - x_2, of two inputs."""

    def forward(self, x, training=False):
        a, b = self.arrays(x)
        self.remember(a.shape, b.shape)
        return a - b

    def backward(self, grad):
        """Return grad and -grad, since dy/dx_1 = 1 and dy/dx_2 = -1."""
        a, b = self.remembered()
        return [sum_over_broadcast_axes(grad, a), -sum_over_broadcast_axes(grad, b)]


class _MaskedMerge(_Merge):
    """The base of the layers in which padding does not count: mask_0 (N, T) is the mask of x_1, mask_1 that of x_2."""

    mask_of_each = True

    def real_steps(self, x, masks):
        """Return for each input where its steps are real, (N, T, 1, ...), or None if all are. Raises ArgumentError for
        the mask of an input that is not there, and DataError for an array that is no mask."""
        names = masking.mask_names(self, len(x))
        unknown = [name for name in masks if name not in names]
        if unknown:
            raise ArgumentError(f"layer '{self.name}' was given {unknown[0]}; its masks are {', '.join(names)}.")
        found = []
        for name, each in zip(names, x):
            real = masks.get(name)
            if real is not None:
                real = masking.checked_mask(self, real, each.shape[:2]).reshape(*each.shape[:2], *[1] * (each.ndim - 2))
            found.append(real)
        return found


class Multiply(_MaskedMerge):
    """y = x_1 * x_2 * ...  With numbers from 0 to 1 in one input, it lets through a share of the other: a gate.

    Padding counts as 1 in the product. Where all inputs are padding, y is 0.
    """

    def forward(self, x, training=False, **masks):
        x = self.arrays(x)
        real = self.real_steps(x, masks)
        factors = [_where(some, each, each.dtype.type(1)) for each, some in zip(x, real)]
        any_real, y = _any_real(real), reduce(np.multiply, factors)
        self.remember(factors, real, any_real)
        return _where(any_real, y, y.dtype.type(0))

    def backward(self, grad):
        """Return for each input grad times the product of the others, which is dy/dx_k. (y / x_k would be 0 / 0 where
        x_k is 0.) Padding has the gradient 0."""
        x, real, any_real = self.remembered()
        grad = _where(any_real, grad, grad.dtype.type(0))
        slopes = [reduce(np.multiply, x[:k] + x[k + 1 :]) for k in range(len(x))]
        slopes = [_where(some, slope, slope.dtype.type(0)) for slope, some in zip(slopes, real)]
        return [sum_over_broadcast_axes(grad * slope, each.shape) for slope, each in zip(slopes, x)]


class Average(_Merge):
    """y = (x_1 + x_2 + ...) / M, the mean of M inputs."""

    def compute_output_dtype(self, input_dtypes):
        return "float32"

    def forward(self, x, training=False):
        x = self.arrays(x)
        self.remember([each.shape for each in x])
        return as_float(reduce(elementwise.add, x)) / len(x)

    def backward(self, grad):
        """Return grad / M for each input, since dy/dx_k = 1 / M."""
        (shapes,) = self.remembered()
        return [sum_over_broadcast_axes(grad / len(shapes), shape) for shape in shapes]


class Maximum(_MaskedMerge):
    """y = the largest of x_1, x_2, ... in each place. Padding is left out; where all inputs are padding, y is x_1."""

    of_two = staticmethod(np.maximum)

    def forward(self, x, training=False, **masks):
        x = self.arrays(x)
        counts = self.real_steps(x, masks)
        if _any_real(counts) is not None:
            counts[0] = counts[0] | ~_any_real(counts)
        y, so_far = x[0], counts[0]
        for each, now in zip(x[1:], counts[1:]):
            y = _where(so_far, _where(now, self.of_two(y, each), y), each)
            so_far = _any_real([so_far, now])
        self.remember(x, y, counts)
        return y

    def backward(self, grad):
        """Return for each input grad where the input is y, else 0: dy/dx_k is 1 for the largest and 0 for the others.
        Inputs that are equal there have no derivative; each gets an equal share of grad."""
        x, y, counts = self.remembered()
        is_y = [np.broadcast_to(_where(now, each == y, False), y.shape) for each, now in zip(x, counts)]
        share = grad / np.maximum(sum(each.astype(grad.dtype) for each in is_y), 1)
        return [sum_over_broadcast_axes(share * holds, each.shape) for holds, each in zip(is_y, x)]


class Minimum(Maximum):
    """y = the smallest of x_1, x_2, ... in each place. Its gradient is that of `Maximum`, for the smallest."""

    of_two = staticmethod(np.minimum)


class Concatenate(Layer):
    """Concatenation: puts the inputs one after the other along `axis`."""

    config_names = ("axis",)
    merges = merges_masks = passes_mask = True

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axes(axis, "axis")

    def compute_output_mask(self, tensors, mask):
        """Return the mask of sequences side by side, or one behind the other. Without a mask, all steps are real."""
        if self.axis % len(tensors[0].shape) != 1:
            return _merged_mask(tensors)
        masks = [each.mask for each in tensors]
        if not any(masks):
            return None
        return JoinedMask()([tensor if mask is None else mask for tensor, mask in zip(tensors, masks)])

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
        if len(input_shapes) < 2 or len({self._other_sizes(shape) for shape in input_shapes}) != 1:
            raise ShapeError(
                f"layer '{self.name}' expected two or more inputs that differ only along axis {self.axis}, "
                f"found {list(input_shapes)}."
            )

    def _other_sizes(self, shape):
        """Return the sizes along all axes but `axis` and the batch."""
        sizes = list(shape[1:])
        del sizes[self.axis % len(shape) - 1]
        return tuple(sizes)

    def forward(self, x, training=False):
        self.accept([each.shape for each in x])
        self.remember(*(each.shape[self.axis] for each in x))
        return elementwise.concatenate(cast_to_one_type(x), self.axis)

    def backward(self, grad):
        """Return for each input the slice of grad at the place where the input was put."""
        ends = np.cumsum(self.remembered())[:-1]
        return np.split(grad, ends, axis=self.axis)


def check_one_shape(layer, input_shapes, count):
    """Raise ShapeError unless a layer gets `count` inputs of one shape."""
    if len(input_shapes) != count or len({tuple(shape[1:]) for shape in input_shapes}) != 1:
        raise ShapeError(f"layer '{layer.name}' expected {count} inputs of one shape, found {list(input_shapes)}.")


def common_dtype(dtypes):
    """Return the name of the type in which inputs of these types are merged: the floating-point type if there is one,
    otherwise the smallest type of integers that holds all of them."""
    return next((dtype for dtype in dtypes if dtype.startswith("float")), np.result_type(*dtypes).name)


def cast_to_one_type(arrays):
    """Return the arrays in one type: the floating-point type if there is one. NumPy would turn integers and float32
    into float64."""
    floats = [each.dtype for each in arrays if each.dtype.kind == "f"]
    if not floats:
        return arrays
    return [each if each.dtype.kind == "f" else each.astype(floats[0]) for each in arrays]


def _any_real(real):
    """Return where a step is real in any of the inputs, or None if one of them has no mask."""
    return None if any(each is None for each in real) else reduce(np.logical_or, real)


def _where(condition, x, other):
    """Return x where the condition holds and `other` elsewhere; x if the condition is None."""
    return x if condition is None else np.where(condition, x, other)


def _merged_mask(tensors):
    """Return the symbolic mask of sequences that are merged step by step, or None if one of them has no mask."""
    masks = list(dict.fromkeys(each.mask for each in tensors))
    if None in masks:
        return None
    return masks[0] if len(masks) == 1 else AnyMask()(masks)


def _can_broadcast(shapes):
    """Return whether these shapes, without their batch axis, can be broadcast together. None fits any size."""
    shapes = list(shapes)
    return len({len(shape) for shape in shapes}) == 1 and all(len(set(axis) - {1, None}) <= 1 for axis in zip(*shapes))


def sum_over_broadcast_axes(grad, shape):
    """Return grad in an input's `shape`. Where a size of 1 was broadcast, one number was used many times: its gradient
    is the sum over all the places where it was used."""
    axes = tuple(axis for axis, (found, own) in enumerate(zip(grad.shape, shape)) if own == 1 and found > 1)
    return sums(grad, axes) if axes else grad


# ---- Keras's functions: each calls a new layer ----


def add(inputs, **kwargs):
    """Return the symbolic output of a new `Add` on a list of symbolic tensors."""
    return Add(**kwargs)(inputs)


def subtract(inputs, **kwargs):
    """Return the symbolic output of a new `Subtract` on a list of two symbolic tensors."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs, **kwargs):
    """Return the symbolic output of a new `Multiply` on a list of symbolic tensors."""
    return Multiply(**kwargs)(inputs)


def average(inputs, **kwargs):
    """Return the symbolic output of a new `Average` on a list of symbolic tensors."""
    return Average(**kwargs)(inputs)


def maximum(inputs, **kwargs):
    """Return the symbolic output of a new `Maximum` on a list of symbolic tensors."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs, **kwargs):
    """Return the symbolic output of a new `Minimum` on a list of symbolic tensors."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs, axis=-1, **kwargs):
    """Return the symbolic output of a new `Concatenate` on a list of symbolic tensors."""
    return Concatenate(axis, **kwargs)(inputs)
