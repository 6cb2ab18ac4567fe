"""Layers that bring images to a size: `Resizing` the whole image, `CenterCrop` its middle, `RandomCrop` a part of it.

Each takes a window of the image and, where that has another size, resizes it. The math is in `kernels/resampling.py`.
"""

import numpy as np

from ..arguments import NotHere, keras_arguments, number, truth_value, whole_number
from ..errors import ArgumentError
from ..kernels.precision import as_float
from ..kernels.resampling import interpolate, interpolate_gradient, weights_of
from ..randomness import generator
from .base import Layer
from .channels_first import DATA_FORMAT

INTERPOLATIONS = ("bilinear", "nearest", "bicubic")


class _Window(Layer):
    """The base of the layers below: x (N, H, W, C) -> (N, height, width, C). A subclass says which window is taken. One
    that reaches beyond the image has `fill_value` there."""

    takes_one_image = True
    keeps_channels = True
    interpolation, antialias, fill_value = "bilinear", False, 0.0

    def __init__(self, height, width, **kwargs):
        super().__init__(**kwargs)
        self.height, self.width = whole_number(height, "height"), whole_number(width, "width")

    def check_input(self, input_shape):
        self.expect_rank(input_shape, 4, "(N, H, W, C)")

    def compute_output_shape(self, input_shape):
        return input_shape[0], self.height, self.width, input_shape[3]

    def window(self, h, w, training):
        """Return (top, left, rows, columns) of the part of an image that is taken."""
        raise NotImplementedError

    def forward(self, x, training=False):
        self.accept(x.shape)
        window = self.window(*x.shape[1:3], training)
        within, of_window = _overlap(x.shape[1:3], window)
        rows, columns = window[2:]
        self.remember(x.shape, (rows, columns), within, of_window)
        x = as_float(x)
        part = x[within]
        if part.shape[1:3] != (rows, columns):
            part = np.full((len(x), rows, columns, x.shape[3]), self.fill_value, x.dtype)
            part[of_window] = x[within]
        if (rows, columns) == (self.height, self.width):
            return np.ascontiguousarray(part)
        weights = weights_of(self.interpolation, self.antialias)
        return interpolate(np.ascontiguousarray(part), self.height, self.width, weights)

    def backward(self, grad):
        """Return dL/dx: within the window the gradient of the resizing, and 0 outside, which has no influence on y."""
        shape, window_hw, within, of_window = self.remembered()
        if window_hw != grad.shape[1:3]:
            grad = interpolate_gradient(grad, window_hw, weights_of(self.interpolation, self.antialias))
        dx = np.zeros(shape, grad.dtype)
        dx[within] = grad[of_window]
        return dx


def _overlap(image_hw, window):
    """Return what an image and a window (top, left, rows, columns) have in common: as the index of images, and of
    windows."""
    within, of_window = [slice(None)], [slice(None)]
    for size, first, length in zip(image_hw, window[:2], window[2:]):
        start, stop = max(first, 0), min(first + length, size)
        within.append(slice(start, stop))
        of_window.append(slice(start - first, stop - first))
    return tuple(within), tuple(of_window)


class Resizing(_Window):
    """Resizing: x (N, H, W, C) -> (N, height, width, C).

    interpolation          "bilinear", "nearest" or "bicubic" (with Keys's curve, as in Keras on TensorFlow and JAX)
    crop_to_aspect_ratio   True: the largest part in the middle with the aspect ratio of the new size
    pad_to_aspect_ratio    True: the whole image in the middle of a border of `fill_value`
    antialias              True: a smaller image is the mean of all pixels. False, as in Keras: it is read from the
                           pixels around each new one
    """

    config_names = (
        "height", "width", "interpolation", "crop_to_aspect_ratio", "pad_to_aspect_ratio", "fill_value", "antialias"
    )  # fmt: skip

    @keras_arguments(after="antialias", data_format=DATA_FORMAT)
    @keras_arguments(after="pad_to_aspect_ratio", fill_mode=NotHere("constant"))
    def __init__(
        self,
        height,
        width,
        interpolation="bilinear",
        crop_to_aspect_ratio=False,
        pad_to_aspect_ratio=False,
        fill_value=0.0,
        antialias=False,
        **kwargs,
    ):
        super().__init__(height, width, **kwargs)
        if interpolation not in INTERPOLATIONS:
            raise ArgumentError(f"interpolation is {interpolation!r}; expected one of {', '.join(INTERPOLATIONS)}.")
        self.interpolation, self.antialias = interpolation, truth_value(antialias, "antialias")
        self.crop_to_aspect_ratio = truth_value(crop_to_aspect_ratio, "crop_to_aspect_ratio")
        self.pad_to_aspect_ratio = truth_value(pad_to_aspect_ratio, "pad_to_aspect_ratio")
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ArgumentError("crop_to_aspect_ratio and pad_to_aspect_ratio are both True; expected one of them.")
        self.fill_value = number(fill_value, "fill_value", -np.inf, np.inf)

    def window(self, h, w, training):
        if self.crop_to_aspect_ratio:
            return _largest_middle(h, w, self.height, self.width)
        if self.pad_to_aspect_ratio:
            above = (max(h, int(w * self.height / self.width)) - h) // 2
            before = (max(w, int(h * self.width / self.height)) - w) // 2
            return -above, -before, h + 2 * above, w + 2 * before
        return 0, 0, h, w


class CenterCrop(_Window):
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


class RandomCrop(_Window):
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
