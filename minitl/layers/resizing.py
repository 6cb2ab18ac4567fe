"""Layers that bring images to a size: `Resizing` the whole image, `CenterCrop` its middle, `RandomCrop` a part of it.

Each takes a window of the image and, where that has another size, resizes it. The math is in `kernels/resampling.py`.
"""

import numpy as np

from ..arguments import NotHere, keras_arguments, truth_value, whole_number
from ..errors import ArgumentError
from ..kernels.precision import as_float
from ..kernels.resampling import interpolate, interpolate_gradient, interpolation, nearest_pixels
from ..randomness import generator
from .base import Layer
from .channels_first import DATA_FORMAT

WEIGHTS = {"bilinear": interpolation, "nearest": nearest_pixels}


class Resizing(Layer):
    """Resizing: x (N, H, W, C) -> (N, height, width, C).

    interpolation          "bilinear" or "nearest". A smaller image is read from the pixels around each new one, as in
                           Keras; it is not the mean of all pixels
    crop_to_aspect_ratio   True: the largest part in the middle with the aspect ratio of the new size
    """

    takes_one_image = True
    config_names: tuple = ("height", "width", "interpolation", "crop_to_aspect_ratio")
    keeps_channels = True

    @keras_arguments(
        after="crop_to_aspect_ratio",
        pad_to_aspect_ratio=NotHere(False, instead="Put a ZeroPadding2D before it."),
        fill_mode=NotHere("constant"),
        fill_value=NotHere(0.0),
        antialias=NotHere(False),
        data_format=DATA_FORMAT,
    )
    def __init__(self, height, width, interpolation="bilinear", crop_to_aspect_ratio=False, **kwargs):
        super().__init__(**kwargs)
        self.height, self.width = whole_number(height, "height"), whole_number(width, "width")
        if not isinstance(interpolation, str) or interpolation not in WEIGHTS:
            raise ArgumentError(f"interpolation is {interpolation!r}; expected 'bilinear' or 'nearest'.")
        self.interpolation = interpolation
        self.crop_to_aspect_ratio = truth_value(crop_to_aspect_ratio, "crop_to_aspect_ratio")

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 4, "(N, H, W, C)")

    def compute_output_shape(self, input_shape):
        return input_shape[0], self.height, self.width, input_shape[3]

    def window(self, h, w, training):
        """Return (top, left, rows, columns) of the part of an image that is taken."""
        return _largest_middle(h, w, self.height, self.width) if self.crop_to_aspect_ratio else (0, 0, h, w)

    def forward(self, x, training=False):
        self.accept(x.shape)
        top, left, rows, columns = place = self.window(*x.shape[1:3], training)
        self.remember(x.shape, place)
        part = as_float(x)[:, top : top + rows, left : left + columns]
        if (rows, columns) == (self.height, self.width):
            return np.ascontiguousarray(part)
        return interpolate(np.ascontiguousarray(part), self.height, self.width, WEIGHTS[self.interpolation])

    def backward(self, grad):
        """Return dL/dx: within the window the gradient of the resizing, and 0 outside, which has no influence on y."""
        shape, (top, left, rows, columns) = self.remembered()
        if (rows, columns) != grad.shape[1:3]:
            grad = interpolate_gradient(grad, (rows, columns), WEIGHTS[self.interpolation])
        dx = np.zeros(shape, grad.dtype)
        dx[:, top : top + rows, left : left + columns] = grad
        return dx


class CenterCrop(Resizing):
    """Crop to the middle: x (N, H, W, C) -> (N, height, width, C). Of a smaller image, the largest part in the middle
    with this aspect ratio is resized bilinearly."""

    config_names = ("height", "width")

    @keras_arguments(after="width", data_format=DATA_FORMAT)
    def __init__(self, height, width, **kwargs):
        super().__init__(height, width, **kwargs)

    def window(self, h, w, training):
        if h < self.height or w < self.width:
            return _largest_middle(h, w, self.height, self.width)
        return (h - self.height) // 2, (w - self.width) // 2, self.height, self.width


class RandomCrop(Resizing):
    """Random crop: in training, the same random part for all images of a batch; in inference the largest part in the
    middle with this aspect ratio, resized bilinearly.  x (N, H, W, C) -> (N, height, width, C).

    `seed` fixes the sequence of parts. An image that is not larger in both directions is resized in training, too.
    """

    varies_when_called = True
    config_names = ("height", "width", "seed")
    random = True

    @keras_arguments(after="seed", data_format=DATA_FORMAT)
    def __init__(self, height, width, seed=None, name=None, **kwargs):
        super().__init__(height, width, name=name, **kwargs)
        self.seed, self.generator = seed, generator(seed)

    def window(self, h, w, training):
        if not training or h <= self.height or w <= self.width:
            return _largest_middle(h, w, self.height, self.width)
        top, left = self.generator.integers(h - self.height + 1), self.generator.integers(w - self.width + 1)
        return int(top), int(left), self.height, self.width


def _largest_middle(h, w, height, width):
    """Return (top, left, rows, columns) of the largest part in the middle with the aspect ratio height : width."""
    rows = max(min(h, int(w * height / width)), 1)
    columns = max(min(w, int(h * width / height)), 1)
    return (h - rows) // 2, (w - columns) // 2, rows, columns
