"""Sampling at any places, its gradient, and the layers that use it: fast functions against loops and by hand."""

import numpy as np
import pytest

from minitl import layers
from minitl.errors import ArgumentError, DataError, ShapeError
from minitl.kernels.resampling import (
    interpolate,
    interpolate_gradient,
    interpolate_gradient_naive,
    interpolate_naive,
    nearest_pixels,
)
from minitl.kernels.sampling import OUTSIDE, places, sample, sample_gradient, sample_gradient_naive, sample_naive
from minitl.models import Sequential
from minitl.testing import check_gradients


@pytest.mark.parametrize("outside", OUTSIDE)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_sampling_against_loops(rng, outside, interpolation):
    x = rng.normal(size=(2, 4, 5, 3))
    matrices = np.concatenate([rng.normal(size=(2, 2, 2)), rng.normal(size=(2, 2, 1)) * 9], axis=2)
    rows, columns = places(matrices, 3, 6)
    options = outside, 7.0, interpolation
    assert np.allclose(sample(x, rows, columns, *options), sample_naive(x, rows, columns, *options))
    grad, options = rng.normal(size=(2, 3, 6, 3)), ((4, 5), outside, interpolation)
    found = sample_gradient(grad, rows, columns, *options)
    assert np.allclose(found, sample_gradient_naive(grad, rows, columns, *options))
    if outside != "constant":  # the derivative of a linear map: <grad, sample(x)> = <sample_gradient(grad), x>
        y = sample(x, rows, columns, outside, 0.0, interpolation)
        assert (grad * y).sum() == pytest.approx((found * x).sum())


def test_places_by_hand():
    x = np.arange(12.0).reshape(1, 3, 4, 1)
    shifted = sample(x, *places(np.array([[[1, 0, 1], [0, 1, -1.0]]]), 3, 4), outside="constant", constant=-1.0)
    assert shifted[0, :, :, 0].tolist() == [[-1, 4, 5, 6], [-1, 8, 9, 10], [-1, -1, -1, -1]]
    mirrored = sample(x, *places(np.array([[[1, 0, 0], [0, 1, 2.0]]]), 3, 4), outside="reflect")
    assert mirrored[0, 0, :, 0].tolist() == [2, 3, 3, 2]


def test_nearest_pixels_against_loops(rng):
    x, grad = rng.normal(size=(2, 4, 7, 3)), rng.normal(size=(2, 6, 3, 3))
    assert np.array_equal(interpolate(x, 6, 3, nearest_pixels), interpolate_naive(x, 6, 3, True))
    found = interpolate_gradient(grad, (4, 7), nearest_pixels)
    assert np.allclose(found, interpolate_gradient_naive(grad, (4, 7), True))


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.RandomFlip(seed=1),
        lambda: layers.RandomRotation(0.2, seed=1),
        lambda: layers.RandomTranslation(0.3, 0.2, "wrap", seed=1),
        lambda: layers.RandomZoom(0.3, 0.1, "nearest", seed=1),
        lambda: layers.RandomContrast(0.5, (-9, 9), seed=1),
        lambda: layers.RandomContrast(0.5, (-0.5, 0.9), seed=1),
        lambda: layers.RandomBrightness(0.2, (-1, 1), seed=1),
        lambda: layers.RandomCrop(3, 2, seed=1),
    ],
)
def test_gradients_in_training(rng, make):
    x = rng.normal(size=(4, 5, 6, 2))

    class Same(layers.Layer):
        """The layer, which draws the same numbers in each forward."""

        def __init__(self):
            super().__init__()
            self.inner = make()

        def forward(self, x, training=False):
            self.inner.generator = np.random.default_rng(3)
            y = self.inner.forward(x, training=True)
            self.remember()
            return y

        def backward(self, grad):
            return self.inner.backward(grad)

    assert not np.array_equal(Same().forward(x), x[:, :3, :2] if make().name == "random_crop" else x)
    assert check_gradients(Same(), x).worst < 1e-7


def test_a_seed_fixes_the_variations_and_inference_has_none(rng):
    x = rng.random((3, 6, 5, 2)).astype(np.float32)
    for make in layers.RandomFlip, lambda seed: layers.RandomRotation(0.3, seed=seed):
        a, b = make(seed=5), make(seed=5)
        first = a.forward(x, training=True)
        assert np.array_equal(first, b.forward(x, training=True)) and not a.is_fixed
        assert not np.array_equal(first, a.forward(x, training=True)), "a sequence"
        assert np.array_equal(a.forward(x), x)
    assert layers.Rescaling(2).is_fixed


@pytest.mark.parametrize("make", [layers.RandomFlip, lambda **given: layers.RandomRotation(0.3, **given)])
@pytest.mark.parametrize("channels_first", [False, True])
def test_a_single_image_is_a_batch_of_one(rng, make, channels_first):
    given = {"seed": 5, "data_format": "channels_first"} if channels_first else {"seed": 5}
    x, grad = rng.random((3, 6, 5)), rng.random((3, 6, 5))
    one, batch = make(**given), make(**given)
    for _ in range(3):
        np.testing.assert_array_equal(one.forward(x, training=True), batch.forward(x[None], training=True)[0])
        np.testing.assert_array_equal(one.backward(grad), batch.backward(grad[None])[0])
    assert one.compute_output_shape((3, 6, 5)) == (3, 6, 5)
    with pytest.raises(ShapeError, match=r"expected an input of shape \(N, H, W, C\)"):
        make()(layers.Input((28, 28)))  # images without an axis of channels: the first axis is the batch


def test_normalization_is_measured_in_batches(rng):
    x = rng.normal(3, 2, (40, 4, 5, 3))
    whole, parts = layers.Normalization(), layers.Normalization()
    whole.adapt(x)
    parts.adapt((x[first : first + 7], None) for first in range(0, 40, 7))
    for layer in whole, parts:
        assert np.allclose(layer.mean, x.mean(axis=(0, 1, 2)), rtol=1e-5)
        assert np.allclose(layer.variance, x.var(axis=(0, 1, 2)), rtol=1e-5)
    y = whole.forward(x.astype(np.float32))
    assert np.allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-5) and np.allclose(y.std(axis=(0, 1, 2)), 1, atol=1e-4)
    single = layers.Normalization(axis=None)
    single.adapt(x[:, 0, 0, 0])
    assert single.mean.shape == () and single.mean == pytest.approx(x[:, 0, 0, 0].mean(), rel=1e-5)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: layers.RandomRotation(2), "factor is 2; expected a number from -1 to 1"),
        (lambda: layers.RandomFlip("sideways"), "mode is 'sideways'"),
        (lambda: layers.RandomZoom(0.1, fill_mode="black"), "fill_mode is 'black'"),
        (lambda: layers.RandomBrightness(0.1, 255), "value_range is 255"),
        (lambda: layers.Rescaling("1/255"), "scale is '1/255'"),
        (lambda: layers.Resizing(0, 3), "height is 0"),
        (lambda: layers.Resizing(3, 3, "lanczos3"), "interpolation is 'lanczos3'; expected one of bilinear"),
        (lambda: layers.Resizing(3, 3, "nearest", True, True), "crop_to_aspect_ratio and pad_to_aspect_ratio are both"),
        (lambda: layers.Normalization(mean=1.0), "needs a mean and a variance"),
        (lambda: layers.Normalization(axis=0).adapt(np.ones((3, 4))), "axis is 0"),
        (lambda: layers.Normalization().adapt([]), "adapt got no numbers"),
        (lambda: layers.Normalization(mean=1.0, variance=1.0).adapt(np.ones((3, 4))), "nothing to adapt"),
        (lambda: layers.RandomFlip().forward(np.ones((3, 4))), r"\(N, H, W, C\)"),
    ],
)
def test_what_cannot_be(make, message):
    with pytest.raises((ArgumentError, DataError, ShapeError), match=message):
        make()


def test_a_row_of_random_layers_varies_images_when_it_is_called_alone():
    """As each of them does. A model with weights predicts, unless training=True."""
    images = np.random.default_rng(0).random((8, 6, 6, 3)).astype("float32")
    row = Sequential([layers.Input((6, 6, 3)), layers.RandomFlip(seed=1), layers.Rescaling(2.0)])
    assert not np.array_equal(row(images), 2 * images) and not np.array_equal(row(images, training=True), 2 * images)
    for quiet in (row(images, training=False), row.predict(images, verbose=0)):
        np.testing.assert_array_equal(quiet, 2 * images)
    model = Sequential([layers.Input((6, 6, 3)), layers.RandomFlip(seed=1), layers.BatchNormalization(epsilon=1e-7)])
    np.testing.assert_allclose(model(images), images, rtol=1e-5)
    assert not np.allclose(model(images, training=True), images)
