"""Layers that bring the numbers of the input to another scale: `Rescaling` with given numbers, `Normalization` with the
mean and the variance of a set."""

import numpy as np

from ..arguments import axes, truth_value
from ..errors import ArgumentError, DataError, ShapeError
from ..kernels.precision import as_float
from .base import Layer

EPSILON = 1e-7  # the smallest standard deviation that is divided by


class Rescaling(Layer):
    """Rescaling: y = x * scale + offset.  x (N, ...) -> same shape.

    scale, offset   numbers, or lists with one for each channel. Rescaling(1 / 127.5, -1) brings 0 ... 255 to -1 ... 1
    """

    config_names = ("scale", "offset")
    keeps_channels = is_elementwise = passes_mask = True

    def __init__(self, scale, offset=0.0, **kwargs):
        super().__init__(**kwargs)
        self.scale, self.offset = _numbers(scale, "scale"), _numbers(offset, "offset")

    def forward(self, x, training=False):
        self.accept(x.shape)
        x = as_float(x)
        self.remember()
        return x * np.asarray(self.scale, x.dtype) + np.asarray(self.offset, x.dtype)

    def backward(self, grad):
        """Return dL/dx = grad * scale, since dy/dx = scale."""
        self.remembered()
        return grad * np.asarray(self.scale, grad.dtype)


class Normalization(Layer):
    """Normalization: y = (x - mean) / sqrt(variance), or its inverse.  x (N, ...) -> same shape.

    axis             the axes that have a mean and a variance of their own: -1, the channels; None: there is one of each
    mean, variance   given numbers. Without them, `adapt(data)` measures both
    invert           True: y = mean + x * sqrt(variance)

    The statistics are never trained, and stay as they are in training.
    """

    config_names = ("axis", "mean", "variance", "invert")
    is_elementwise = passes_mask = True

    def __init__(self, axis=-1, mean=None, variance=None, invert=False, **kwargs):
        super().__init__(**kwargs)
        if (mean is None) != (variance is None):
            raise ArgumentError("Normalization needs a mean and a variance, or neither.")
        self.axis = None if axis is None or axis in ([], ()) else axes(axis, "axis")  # Keras's files say [] for None
        self.given = mean is not None
        self.mean, self.variance = (None if each is None else _numbers(each, "mean") for each in (mean, variance))
        self.invert = truth_value(invert, "invert")

    def get_config(self):
        config = super().get_config()
        return config if self.given else {**config, "mean": None, "variance": None}

    def _kept(self, rank):
        """Return the axes that have statistics of their own, as positions from 0 on."""
        found = () if self.axis is None else self.axis if isinstance(self.axis, tuple) else (self.axis,)
        if any(not -rank <= axis < rank or axis % rank == 0 for axis in found):
            raise ShapeError(f"layer '{self.name}': axis is {self.axis}, and the input has {rank} axes with the batch.")
        return tuple(sorted(axis % rank for axis in found))

    @property
    def keeps_channels(self):
        return True  # each number depends on the number in its place alone

    def check_input(self, input_shape):
        sizes = [input_shape[axis] for axis in self._kept(len(input_shape))]
        if None in sizes:
            raise ShapeError(f"layer '{self.name}': the axes {self.axis} of {input_shape} must have known sizes.")
        if self.weight_names and self.mean.shape != tuple(sizes):
            raise ShapeError(f"layer '{self.name}' has statistics {self.mean.shape}; the input has {tuple(sizes)}.")

    def build(self, input_shape):
        super().build(input_shape)
        self.check_input(input_shape)
        if not self.given:
            sizes = tuple(input_shape[axis] for axis in self._kept(len(input_shape)))
            self.add_weight("mean", sizes, "zeros", trainable=False)
            self.add_weight("variance", sizes, "ones", trainable=False)
            self.add_weight("count", (), "zeros", trainable=False)  # of Keras's files; it is not used

    def adapt(self, data):
        """Measure the mean and the variance of `data`: an array, or batches (whose labels are left out)."""
        if self.given:
            raise ArgumentError(f"layer '{self.name}' was given its mean and variance; there is nothing to adapt.")
        count, mean, squares = 0, 0.0, 0.0
        batches = [np.asarray(data)] if hasattr(data, "__array__") else data
        if (
            batches is data and hasattr(data, "__len__") and hasattr(data, "__getitem__")
        ):  # a PyDataset may have no end of its own
            batches = (data[number] for number in range(len(data)))
        for x in batches:
            x = np.asarray(x[0] if isinstance(x, (tuple, list)) else x)
            x = x[:, None] if x.ndim == 1 else x
            self.accept(x.shape)
            others = tuple(axis for axis in range(x.ndim) if axis not in self._kept(x.ndim))
            of_batch = x.size // max(self.mean.size, 1)
            if not of_batch:
                continue
            mean_of_batch = x.mean(axis=others, dtype=np.float64)
            # The squares about the mean of all: those about the mean of each part, and the distance of the two means.
            distance, total = mean_of_batch - mean, count + of_batch
            squares = squares + x.var(axis=others, dtype=np.float64) * of_batch
            squares = squares + distance**2 * (count * of_batch / total)
            mean, count = mean + distance * (of_batch / total), total
        if not count:
            raise DataError(f"layer '{self.name}': adapt got no numbers; expected an array, or batches.")
        self.set_weights([np.float32(mean), np.float32(squares / count), np.float32(0)])

    def mean_and_deviation(self, shape, dtype):
        """Return both in a shape that goes with an input of this shape."""
        kept = self._kept(len(shape))
        shape = [size if axis in kept else 1 for axis, size in enumerate(shape)]
        arrays = [np.asarray(each, dtype) for each in (self.mean, self.variance)]
        mean, variance = (each if each.ndim == 0 or self.given else each.reshape(shape) for each in arrays)
        return mean, np.maximum(np.sqrt(variance), np.dtype(dtype).type(EPSILON))

    def forward(self, x, training=False):
        self.accept(x.shape)
        x = as_float(x)
        mean, deviation = self.mean_and_deviation(x.shape, x.dtype)
        self.remember(deviation)
        return mean + x * deviation if self.invert else (x - mean) / deviation

    def backward(self, grad):
        """Return dL/dx: dy/dx = 1 / sqrt(variance), or sqrt(variance) for the inverse."""
        (deviation,) = self.remembered()
        return grad * deviation if self.invert else grad / deviation


def _numbers(value, argument):
    """Return a number as a float, and several as a list. Raises ArgumentError for anything else."""
    try:
        found = np.asarray(value)
    except ValueError:  # rows of different lengths
        found = np.array("")
    if found.dtype.kind not in "iuf" or not found.size or not np.isfinite(found).all():
        raise ArgumentError(f"{argument} is {value!r}; expected a number, or a list with one for each channel.")
    return found.astype(np.float64).tolist()
