"""Layers that move numbers to other places and change none, and `UpSampling2D`, which adds pixels between pixels. The
math is in `kernels/geometry.py` and `kernels/resampling.py`."""

import math

import numpy as np

from ..arguments import is_whole_number, keras_arguments, pair, whole_number
from ..errors import ArgumentError, ShapeError
from ..kernels.geometry import crop, pad, window
from ..kernels.precision import as_float
from ..kernels.resampling import interpolate, interpolate_gradient, repeat_pixels, repeat_pixels_gradient, weights_of
from .base import Layer
from .channels_first import DATA_FORMAT
from .windows import windowed_shape

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


class Identity(Layer):
    """y = x: a place with a name, or a layer that takes the place of another one."""

    keeps_channels = is_elementwise = passes_numbers_on = passes_mask = keeps_integers = True

    def forward(self, x, training=False):
        self.remember()
        return x

    def backward(self, grad):
        self.remembered()
        return grad


class ZeroPadding2D(Layer):
    """Zero padding: puts a border of zeros around the image.

    `padding` is n, (rows, columns), or ((top, bottom), (left, right)).
    """

    config_names = ("padding",)
    keeps_channels = True

    @keras_arguments(after="padding", data_format=DATA_FORMAT)
    def __init__(self, padding=(1, 1), **kwargs):
        super().__init__(**kwargs)
        self.padding = _sides(padding, "padding")

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 4, "(N, H, W, C)")

    def compute_output_shape(self, input_shape):
        return windowed_shape(input_shape, (1, 1), (1, 1), self.padding)

    def forward(self, x, training=False):
        self.accept(x.shape)
        rows, cols = window(x.shape[1:3], (1, 1), (1, 1), self.padding)
        self.remember(rows, cols)
        return pad(x, rows, cols)

    def backward(self, grad):
        """Return the image's part of the gradient. The border is constant, so its part is dropped."""
        rows, cols = self.remembered()
        return crop(grad, rows, cols)


class Cropping2D(Layer):
    """Cropping: cuts a border off the image.

    `cropping` is n, (rows, columns), or ((top, bottom), (left, right)).
    """

    config_names = ("cropping",)
    keeps_channels = True

    @keras_arguments(after="cropping", data_format=DATA_FORMAT)
    def __init__(self, cropping=((0, 0), (0, 0)), **kwargs):
        super().__init__(**kwargs)
        self.cropping = _sides(cropping, "cropping")

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 4, "(N, H, W, C)")
        if any(size is not None and size < 1 for size in self.compute_output_shape(input_shape)[1:3]):
            raise ShapeError(
                f"layer '{self.name}': cropping is {self.cropping}, which leaves nothing of an input of shape "
                f"{tuple(input_shape)}. Use larger images or crop less."
            )

    def compute_output_shape(self, input_shape):
        n, *image_hw, c = input_shape
        h, w = (None if size is None else size - sum(sides) for size, sides in zip(image_hw, self.cropping))
        return n, h, w, c

    def forward(self, x, training=False):
        self.accept(x.shape)
        rows, cols = window(self.compute_output_shape(x.shape)[1:3], (1, 1), (1, 1), self.cropping)
        self.remember(rows, cols)
        return crop(x, rows, cols)

    def backward(self, grad):
        """Return the gradient with a border of zeros: what is cut off has no influence on the loss."""
        rows, cols = self.remembered()
        return pad(grad, rows, cols)


class UpSampling2D(Layer):
    """Upsampling: enlarges the image `size` = (rows, columns) times.  x (N, H, W, C) -> (N, H*rows, W*columns, C).

    interpolation   'nearest': every pixel becomes a block of equal pixels; 'bilinear': the new pixels are weighted
                    means of the old pixels around them. The pixels at the edge have the whole weight outside;
                    'bicubic': of 4 x 4 old pixels, as in Keras on TensorFlow and JAX
    """

    config_names = ("size", "interpolation")
    keeps_channels = True

    @keras_arguments(after="size", data_format=DATA_FORMAT)
    def __init__(self, size=(2, 2), interpolation="nearest", **kwargs):
        super().__init__(**kwargs)
        self.size = pair(size, "size")
        if not isinstance(interpolation, str) or interpolation.lower() not in INTERPOLATIONS:
            raise ArgumentError(f"interpolation is {interpolation!r}; expected one of {', '.join(INTERPOLATIONS)}.")
        self.interpolation = interpolation.lower()

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 4, "(N, H, W, C)")

    def compute_output_shape(self, input_shape):
        n, *image_hw, c = input_shape
        h, w = (None if size is None else size * times for size, times in zip(image_hw, self.size))
        return n, h, w, c

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.remember(x.shape[1:3])
        x = as_float(x)
        if self.interpolation == "nearest":
            return repeat_pixels(x, self.size)
        return interpolate(x, *self.compute_output_shape(x.shape)[1:3], weights_of(self.interpolation))

    def backward(self, grad):
        """Return dL/dx: each pixel gets the gradients of the new pixels it is in, times its weights there."""
        (image_hw,) = self.remembered()
        if self.interpolation == "nearest":
            return repeat_pixels_gradient(grad, self.size)
        return interpolate_gradient(grad, image_hw, weights_of(self.interpolation))


class Reshape(Layer):
    """Reshaping: arranges the numbers of each example in another shape, in the same order.

    target_shape   the shape of an example, without the batch; one of its sizes may be -1, which stands for the rest
    """

    config_names = ("target_shape",)
    passes_numbers_on = True
    keeps_integers = True

    def __init__(self, target_shape, **kwargs):
        super().__init__(**kwargs)
        sizes = tuple(target_shape) if isinstance(target_shape, (tuple, list)) else ()
        is_valid = all(is_whole_number(size) and (size > 0 or size == -1) for size in sizes)
        if not sizes or not is_valid or sizes.count(-1) > 1:
            raise ArgumentError(
                f"target_shape is {target_shape!r}; expected the sizes of one example without the batch, as (-1, 4), "
                "with -1 at most once."
            )
        self.target_shape = tuple(map(int, sizes))

    def check_input(self, input_shape):
        sizes, known = input_shape[1:], math.prod(size for size in self.target_shape if size > 0)
        if None in sizes:
            return  # only the arrays show whether the numbers fit
        fits = math.prod(sizes) % known == 0 if -1 in self.target_shape else math.prod(sizes) == known
        if not fits:
            raise ShapeError(
                f"layer '{self.name}': target_shape is {self.target_shape}, which does not hold the numbers of an "
                f"input of shape {tuple(input_shape)}."
            )

    def compute_output_shape(self, input_shape):
        sizes, known = input_shape[1:], math.prod(size for size in self.target_shape if size > 0)
        rest = None if None in sizes else math.prod(sizes) // known
        return (input_shape[0], *(rest if size == -1 else size for size in self.target_shape))

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.remember(x.shape)
        return x.reshape(self.compute_output_shape(x.shape))

    def backward(self, grad):
        """Return the gradient in the input's shape: the output holds the same numbers, only arranged differently."""
        (shape,) = self.remembered()
        return grad.reshape(shape)


def _sides(value, argument):
    """Return ((top, bottom), (left, right)) of n, (rows, columns) or these pairs. Raises ArgumentError for others."""
    try:
        rows, cols = value if isinstance(value, (tuple, list)) else (value, value)
        sides = [side if isinstance(side, (tuple, list)) else (side, side) for side in (rows, cols)]
        return tuple((whole_number(before, argument, 0), whole_number(after, argument, 0)) for before, after in sides)
    except ValueError:  # an ArgumentError is one, too
        raise ArgumentError(
            f"{argument} is {value!r}; expected n, (rows, columns) or ((top, bottom), (left, right)), all at least 0."
        ) from None


class SelectStep(Layer):
    """Selection: takes one time step, and leaves the others.  x (N, T, D) -> (N, D).

    position   of the step, from 0 on; a negative one counts from the end. A mask is not looked at.
    """

    config_names = ("position",)
    in_keras = False
    keeps_channels = drops_mask = True

    def __init__(self, position=0, **kwargs):
        super().__init__(**kwargs)
        if not is_whole_number(position):
            raise ArgumentError(f"position is {position!r}; expected the number of a time step, such as 0.")
        self.position = int(position)

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 3, "(N, T, D)")
        steps = input_shape[1]
        if steps is not None and not -steps <= self.position < steps:
            raise ShapeError(f"layer '{self.name}': position is {self.position}, and the input has {steps} time steps.")

    def compute_output_shape(self, input_shape):
        return input_shape[0], input_shape[2]

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.remember(x.shape)
        return np.ascontiguousarray(x[:, self.position])

    def backward(self, grad):
        """Return grad at the time step that was taken, and 0 at all others."""
        (shape,) = self.remembered()
        dx = np.zeros(shape, grad.dtype)
        dx[:, self.position] = grad
        return dx
