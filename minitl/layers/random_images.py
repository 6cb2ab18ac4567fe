"""Layers that vary images at random in training, each image of a batch in its own way, and leave them as they are in
inference: flips, rotations, shifts, zooms; brightness and contrast.

They stand at the beginning of a model, behind the input. The masks of `regularization.Dropout` are drawn in the same
way: `seed` fixes the sequence, and a training that was stopped goes on in it. A frozen base behind such a layer runs in
every epoch, since it is shown other images. The math of the geometric ones is in `kernels/sampling.py`.
"""

import numpy as np

from ..arguments import is_number, keras_arguments, number
from ..errors import ArgumentError
from ..kernels.precision import as_float
from ..kernels.sampling import OUTSIDE, places, sample, sample_gradient
from ..randomness import generator
from .base import Layer
from .channels_first import DATA_FORMAT


class RandomImages(Layer):
    """The base of these layers. A subclass defines `varied`, which draws and returns the varied images and what
    `gradient` needs.  x (N, H, W, C), or a single image (H, W, C) -> same shape."""

    random = keeps_channels = True
    takes_one_image = varies_when_called = True

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed, self.generator = seed, generator(seed)

    def check_input(self, input_shape):
        if len(input_shape) != 3 or None in input_shape:  # None: a batch of maps without an axis of channels
            self.expect_rank(input_shape, 4, "(N, H, W, C)")

    def uniform(self, least, most, count):
        """Return `count` random numbers between two numbers."""
        return self.generator.uniform(least, most, count)

    def varied(self, x):
        raise NotImplementedError

    def gradient(self, grad, *memory):
        raise NotImplementedError

    def forward(self, x, training=False):
        self.accept(x.shape)
        if not training:
            self.remember(None)
            return x
        y, *memory = self.varied(as_float(x.reshape(-1, *x.shape[-3:])))
        self.remember(memory)
        return y.reshape(x.shape)

    def backward(self, grad):
        """Return dL/dx: grad itself where nothing was varied."""
        (memory,) = self.remembered()
        if memory is None:
            return grad
        return self.gradient(grad.reshape(-1, *grad.shape[-3:]), *memory).reshape(grad.shape)


class RandomFlip(RandomImages):
    """Random flip: mirrors half of the images.

    mode   "horizontal" (left and right), "vertical" (up and down), or "horizontal_and_vertical", each for itself
    """

    config_names = training_only = ("mode", "seed")

    @keras_arguments(after="seed", data_format=DATA_FORMAT)
    def __init__(self, mode="horizontal_and_vertical", seed=None, **kwargs):
        super().__init__(seed, **kwargs)
        if mode not in ("horizontal", "vertical", "horizontal_and_vertical"):
            raise ArgumentError(f"mode is {mode!r}; expected 'horizontal', 'vertical' or 'horizontal_and_vertical'.")
        self.mode = mode

    def varied(self, x):
        names = "vertical", "horizontal"
        flips = [self.generator.random(len(x)) < 0.5 if name in self.mode else None for name in names]
        return _flipped(x, flips), flips

    def gradient(self, grad, flips):
        """Return grad, mirrored as x was: dL/dx[w] is grad at the place to which pixel w went."""
        return _flipped(grad, flips)


def _flipped(x, flips):
    """Return x with the images mirrored whose entry of `flips`, one array for rows and one for columns, is True."""
    y = x.copy()
    for axis, is_flipped in zip((1, 2), flips):
        if is_flipped is not None:
            y[is_flipped] = np.flip(y[is_flipped], axis)
    return y


class RandomGeometry(RandomImages):
    """The base of layers whose new pixels come from other places of the image. A subclass draws the affine matrices.

    fill_mode       what lies outside the image: "reflect", "wrap", "constant" (fill_value) or "nearest"
    interpolation   "bilinear" or "nearest"
    """

    def __init__(self, fill_mode, interpolation, seed, fill_value, **kwargs):
        super().__init__(seed, **kwargs)
        if fill_mode not in OUTSIDE:
            raise ArgumentError(f"fill_mode is {fill_mode!r}; expected one of {', '.join(OUTSIDE)}.")
        if interpolation not in ("bilinear", "nearest"):
            raise ArgumentError(f"interpolation is {interpolation!r}; expected 'bilinear' or 'nearest'.")
        self.fill_mode, self.interpolation = fill_mode, interpolation
        self.fill_value = number(fill_value, "fill_value", -np.inf, np.inf)

    def matrices(self, n, h, w):
        """Return random matrices (N, 2, 3) that lead from new pixels to old places."""
        raise NotImplementedError

    def varied(self, x):
        rows, columns = places(self.matrices(*x.shape[:3]), *x.shape[1:3])
        how = self.fill_mode, self.fill_value, self.interpolation
        return sample(x, rows, columns, *how), rows, columns

    def gradient(self, grad, rows, columns):
        """Return dL/dx: each pixel gets the gradients of the new pixels that were made of it."""
        return sample_gradient(grad, rows, columns, grad.shape[1:3], self.fill_mode, self.interpolation)


def _matrices(n, rows, columns):
    """Return matrices (N, 2, 3) of the numbers (a, b, c) and (d, e, f) of `places`, each (N,) or a single number."""
    found = np.zeros((n, 2, 3))
    for k, numbers in enumerate((rows, columns)):
        for place, each in enumerate(numbers):
            found[:, k, place] = each
    return found


class RandomRotation(RandomGeometry):
    """Random rotation about the middle of the image.

    factor   the largest rotation in either direction, or (least, most), as a share of a full turn: 0.1 is 36 degrees
    """

    config_names = training_only = ("factor", "fill_mode", "interpolation", "seed", "fill_value")

    @keras_arguments(after="fill_value", data_format=DATA_FORMAT)
    def __init__(self, factor, fill_mode="reflect", interpolation="bilinear", seed=None, fill_value=0.0, **kwargs):
        super().__init__(fill_mode, interpolation, seed, fill_value, **kwargs)
        self.factor = limits(factor, "factor")

    def matrices(self, n, h, w):
        """Return the rotations: with c and s the cosine and sine of an angle, and (p, q) the middle of the image, the
        new pixel (i, j) comes from (p + c (i - p) + s (j - q), q - s (i - p) + c (j - q))."""
        angle = 2 * np.pi * self.uniform(*self.factor, n)
        c, s, p, q = np.cos(angle), np.sin(angle), (h - 1) / 2, (w - 1) / 2
        return _matrices(n, (c, s, p - c * p - s * q), (-s, c, q + s * p - c * q))


class RandomTranslation(RandomGeometry):
    """Random shift.

    height_factor, width_factor   the largest shift down and to the right, in either direction, or (least, most), as a
                                  share of the size
    """

    config_names = training_only = (
        "height_factor", "width_factor", "fill_mode", "interpolation", "seed", "fill_value"
    )  # fmt: skip

    @keras_arguments(after="fill_value", data_format=DATA_FORMAT)
    def __init__(
        self, height_factor, width_factor, fill_mode="reflect", interpolation="bilinear", seed=None, fill_value=0.0,
        **kwargs,
    ):  # fmt: skip
        super().__init__(fill_mode, interpolation, seed, fill_value, **kwargs)
        self.height_factor = limits(height_factor, "height_factor")
        self.width_factor = limits(width_factor, "width_factor")

    def matrices(self, n, h, w):
        down, right = h * self.uniform(*self.height_factor, n), w * self.uniform(*self.width_factor, n)
        return _matrices(n, (1, 0, -down), (0, 1, -right))


class RandomZoom(RandomGeometry):
    """Random zoom about the middle of the image.

    height_factor, width_factor   the largest zoom in either direction, or (least, most): 0.2 shows 1.2 times as much
                                  of the image, smaller; -0.2 shows 0.8 of it, larger. Without a width_factor, both
                                  sides are zoomed alike
    """

    config_names = training_only = RandomTranslation.config_names

    @keras_arguments(after="fill_value", data_format=DATA_FORMAT)
    def __init__(
        self, height_factor, width_factor=None, fill_mode="reflect", interpolation="bilinear", seed=None,
        fill_value=0.0, **kwargs,
    ):  # fmt: skip
        super().__init__(fill_mode, interpolation, seed, fill_value, **kwargs)
        self.height_factor = limits(height_factor, "height_factor")
        self.width_factor = None if width_factor is None else limits(width_factor, "width_factor")

    def matrices(self, n, h, w):
        zoom_h = 1 + self.uniform(*self.height_factor, n)
        zoom_w = zoom_h if self.width_factor is None else 1 + self.uniform(*self.width_factor, n)
        return _matrices(n, (zoom_h, 0, (h - 1) / 2 * (1 - zoom_h)), (0, zoom_w, (w - 1) / 2 * (1 - zoom_w)))


class RandomBrightness(RandomImages):
    """Random brightness: adds the same number to all pixels of an image, and cuts off what leaves `value_range`.

    factor   the largest share of the range that is added or subtracted, or (least, most)
    """

    config_names = training_only = ("factor", "value_range", "seed")

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(seed, **kwargs)
        self.factor, self.value_range = limits(factor, "factor"), _range(value_range)

    def varied(self, x):
        least, most = self.value_range
        added = (most - least) * self.uniform(*self.factor, len(x))
        return _cut_off(x + added.astype(x.dtype)[:, None, None, None], self.value_range)

    def gradient(self, grad, is_inside):
        """Return dL/dx = grad, since dy/dx = 1, and 0 where y was cut off."""
        return grad * is_inside


class RandomContrast(RandomImages):
    """Random contrast: y = mean + factor (x - mean), with the mean of each channel of an image. What leaves
    `value_range` is cut off.

    factor   the largest change of the factor from 1, or how far it may lie (below, above)
    """

    config_names = training_only = ("factor", "value_range", "seed")

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(seed, **kwargs)
        limits(factor, "factor")
        below, above = factor if isinstance(factor, (tuple, list)) else (factor, factor)
        self.factor, self.value_range = [float(below), float(above)], _range(value_range)

    def varied(self, x):
        factor = self.uniform(1 - self.factor[0], 1 + self.factor[1], len(x)).astype(x.dtype)[:, None, None, None]
        mean = x.mean(axis=(1, 2), keepdims=True)
        return *_cut_off(mean + factor * (x - mean), self.value_range), factor

    def gradient(self, grad, is_inside, factor):
        """Return dL/dx. With g = grad where y was not cut off, and M pixels in a channel,

        y[m] = factor x[m] + (1 - factor) / M * sum of x        dL/dx[m] = factor g[m] + (1 - factor) mean of g
        """
        grad = grad * is_inside
        return factor * grad + (1 - factor) * grad.mean(axis=(1, 2), keepdims=True)


def _cut_off(y, value_range):
    """Return (y within its range, where it lay within it before)."""
    least, most = value_range
    return np.clip(y, least, most), (y >= least) & (y <= most)


def limits(factor, argument):
    """Return [least, most] of a factor: [-0.2, 0.2] of 0.2. Raises ArgumentError for numbers beyond -1 and 1."""
    found = list(factor) if isinstance(factor, (tuple, list)) else [factor, factor]
    if len(found) != 2 or not all(is_number(each) and -1 <= each <= 1 for each in found):
        raise ArgumentError(f"{argument} is {factor!r}; expected a number from -1 to 1, or (least, most).")
    if not isinstance(factor, (tuple, list)):
        found = [-abs(factor), abs(factor)]
    return sorted(map(float, found))


def _range(value_range):
    if not isinstance(value_range, (tuple, list)) or len(value_range) != 2 or not all(map(is_number, value_range)):
        raise ArgumentError(f"value_range is {value_range!r}; expected (least, most), as (0, 255) or (0, 1).")
    return sorted(map(float, value_range))
