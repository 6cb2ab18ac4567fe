"""Kernels and layers for outputs that are maps or sets: dilation, transposed convolution, resampling, lengths."""

import itertools

import numpy as np
import pytest

from minitl import kernels, transfer
from minitl.errors import ArgumentError, ShapeError
from minitl.graph.fusion import Fused
from minitl.graph.summary import flops, summary_text
from minitl.initializers import Bilinear
from minitl.kernels import (
    conv2d_input_gradient_naive,
    conv2d_kernel_gradient_naive,
    dilation,
    geometry,
    groups,
    images,
    lengths,
    resampling,
)
from minitl.layers import (
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Conv2DTranspose,
    Cropping2D,
    Dense,
    GlobalAveragePooling2D,
    Input,
    L2Normalization,
    MaxPooling2D,
    Reshape,
    Softmax,
    UnitNormalization,
    UpSampling2D,
)
from minitl.losses import SparseCategoricalCrossentropy
from minitl.models import Model, load_model
from minitl.optimizers import SGD
from minitl.testing import check_gradients


def assert_close(found, expected, tolerance=1e-13):
    assert found.shape == expected.shape and found.dtype == expected.dtype
    assert np.abs(found - expected).max() <= tolerance * max(1, np.abs(expected).max())


# ---- dilation ----

DILATIONS = list(itertools.product([(7, 13), (8, 14)], [(3, 3), (2, 4)], [(1, 1), (2, 2), (3, 2), (1, 4)]))


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["valid", "same", ((1, 2), (6, 4))], ids=str)
@pytest.mark.parametrize("image, window, rate", DILATIONS, ids=str)
def test_dilated_convolution_equals_its_twin(rng, image, window, rate, padding):
    x, kernel, bias = (rng.standard_normal(shape) for shape in ((2, *image, 3), (*window, 3, 4), (4,)))
    expected = dilation.conv2d_dilated_naive(x, kernel, bias, rate, padding)
    grad = rng.standard_normal(expected.shape)
    dkernel = dilation.conv2d_dilated_kernel_gradient_naive(x, grad, window, rate, padding)
    dx = dilation.conv2d_dilated_input_gradient_naive(grad, kernel, image, rate, padding)
    for algorithm in "auto", "im2col", "winograd":
        kernels.set_convolution(algorithm)
        assert_close(dilation.conv2d_dilated(x, kernel, bias, rate, padding), expected)
        assert_close(dilation.conv2d_dilated_kernel_gradient(x, grad, window, rate, padding), dkernel)
        assert_close(dilation.conv2d_dilated_input_gradient(grad, kernel, image, rate, padding), dx)


def test_the_example_of_dilation():
    x, kernel = np.arange(1.0, 8).reshape(1, 7, 1, 1), np.array([1.0, 10]).reshape(2, 1, 1, 1)
    assert dilation.conv2d_dilated(x, kernel, dilation=(2, 1)).ravel().tolist() == [31, 42, 53, 64, 75]


@pytest.mark.parametrize("channels, filters, count", [(4, 6, 2), (6, 3, 3), (5, 5, 5), (4, 8, 4)])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_convolution_in_groups_equals_its_twin(rng, channels, filters, count, padding):
    """The twin goes filter by filter. Its gradients are those of a convolution with zeros in the place of the channels
    that a filter does not see, of which only the own channels are kept."""
    x = rng.standard_normal((2, 7, 6, channels))
    kernel, bias = rng.standard_normal((3, 2, channels // count, filters)), rng.standard_normal(filters)
    convolve, input_gradient, kernel_gradient = groups.convolution(groups=count)
    expected = groups.conv2d_in_groups_naive(x, kernel, count, bias, (2, 1), padding)
    y = convolve(x, kernel, bias, (2, 1), padding)
    assert_close(y, expected)
    whole, grad = np.zeros((3, 2, channels, filters)), rng.standard_normal(y.shape)
    seen = np.arange(channels)[:, None] // (channels // count) == np.arange(filters) // (filters // count)  # (C, F)
    whole[:, :, seen] = np.concatenate([kernel] * count, axis=2)[:, :, seen]
    dkernel = conv2d_kernel_gradient_naive(x, grad, (3, 2), (2, 1), padding)
    found = np.zeros_like(dkernel)
    found[:, :, seen] = np.concatenate([kernel_gradient(x, grad, (3, 2), (2, 1), padding)] * count, axis=2)[:, :, seen]
    assert_close(found, np.where(seen, dkernel, 0))
    assert_close(
        input_gradient(grad, kernel, (7, 6), (2, 1), padding),
        conv2d_input_gradient_naive(grad, whole, (7, 6), (2, 1), padding),
    )


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ArgumentError, match="groups is 4, and filters is 6; expected a multiple"):
        Conv2D(6, 3, groups=4)
    with pytest.raises(ShapeError, match="has 3 groups, and its input 4 channels; expected a multiple"):
        Conv2D(6, 3, groups=3).accept((None, 8, 8, 4))


def test_winograd_serves_dilated_convolutions(rng, monkeypatch):
    """The maps are large and have many channels; the layer keeps the transform of its kernel."""
    taken, conv2d_winograd = [], kernels.winograd.conv2d_winograd
    monkeypatch.setattr(kernels.winograd, "conv2d_winograd", lambda *a: taken.append(1) or conv2d_winograd(*a))
    layer, x = Conv2D(32, 3, padding="same", dilation_rate=2), rng.standard_normal((2, 48, 48, 32), np.float32)
    y = layer.forward(x)
    assert taken and layer.transform.kept is not None
    expected = dilation.conv2d_dilated(x.astype(float), layer.kernel.astype(float), None, (2, 2), "same")
    assert np.abs(y - expected).max() < 1e-5 * np.abs(expected).max()


def test_a_dilation_of_1_takes_the_ordinary_path(rng, monkeypatch):
    layer, x = Conv2D(3, 3, dilation_rate=(1, 1)), rng.standard_normal((1, 6, 6, 2), np.float32)
    expected = layer.forward(x)
    monkeypatch.setattr("minitl.kernels.groups.conv2d_dilated", None)
    np.testing.assert_array_equal(layer.forward(x), expected)
    pointwise = Conv2D(3, 1, dilation_rate=4)  # its kernel leaves nothing out
    assert pointwise.forward(x).shape == (1, 6, 6, 3) and pointwise.is_plain


def dilated_network():
    """Build a residual block of dilated convolutions, with all that would be fused with an ordinary one."""
    images = Input((12, 10, 3))
    x = Conv2D(4, 3, padding="same", name="stem")(images)
    y = Conv2D(4, 3, padding="same", dilation_rate=2, name="first")(x)
    y = Activation("relu")(BatchNormalization(name="norm")(y))
    y = Conv2D(4, 3, padding="same", dilation_rate=(3, 1), name="second")(y)
    y = Activation("relu")(Add()([x, y]))
    y = MaxPooling2D()(Conv2D(4, 3, dilation_rate=2, activation="relu", name="last")(y))
    return Model(images, y)


def test_a_dilated_convolution_in_a_graph(rng):
    """It is computed by itself, and the gradient of the other branch is added to that of its input."""
    model, x = dilated_network(), rng.standard_normal((2, 12, 10, 3), np.float32)
    found = [each for each in model._operations(set(), False) if isinstance(each, Fused)]
    assert all(getattr(layer, "is_plain", True) for each in found for layer in each.layers)
    expected = model.forward(x)
    np.testing.assert_allclose(model.forward(x, gradients="none"), expected, rtol=1e-5, atol=1e-6)
    assert check_gradients(model, x, most=16).worst < 1e-5
    assert model.output_shape == (None, 4, 3, 4)
    per_pixel = {"stem": (3 * 4, 120), "first": (4 * 4, 120), "second": (4 * 4, 120), "last": (4 * 4, 8 * 6)}
    assert flops(model) == sum(2 * 9 * numbers * pixels for numbers, pixels in per_pixel.values())


# ---- transposed convolution ----


def test_the_example_of_transposed_convolution():
    layer = Conv2DTranspose(1, (1, 3), strides=(1, 2), use_bias=False)
    x = np.array([1.0, 2]).reshape(1, 1, 2, 1)
    layer.forward(x)
    layer.kernel = np.array([1.0, 10, 100]).reshape(1, 3, 1, 1)
    assert layer.forward(x).ravel().tolist() == [1, 10, 102, 20, 200]
    assert layer.backward(np.array([1.0, 0, 0, 0, 1]).reshape(1, 1, 5, 1)).ravel().tolist() == [1, 100]


@pytest.mark.parametrize(
    "kernel, stride, padding", list(itertools.product((1, 2, 3, 4, 5), (1, 2, 3), ("valid", "same")))
)
def test_a_transposed_convolution_is_the_way_back(rng, kernel, stride, padding):
    """sum(g * A^T x) = sum(A g * x) for the convolution A with TensorFlow's own padding of maps of y's size."""
    layer, x = Conv2DTranspose(2, kernel, stride, padding, use_bias=False), rng.standard_normal((1, 4, 5, 3))
    y = layer.forward(x)
    g = rng.standard_normal(y.shape)
    back = kernels.conv2d_naive(g, layer.kernel.astype(float), None, (stride, stride), padding)
    assert back.shape == x.shape and np.isclose((g * y).sum(), (back * x).sum(), rtol=1e-5)


def test_bilinear_weights_interpolate(rng):
    """Away from the edge, where the pixels outside count as 0 instead of repeating."""
    assert np.array_equal(16 * Bilinear()((4, 4, 1, 1))[:, :, 0, 0], np.outer((1, 3, 3, 1), (1, 3, 3, 1)))
    assert np.array_equal(2 * Bilinear()((1, 3, 1, 1)).ravel(), (1, 2, 1))
    x = rng.standard_normal((2, 5, 6, 3), np.float32)
    for times, inside in (2, slice(1, -1)), (4, slice(2, -2)):
        options = {"strides": times, "padding": "same", "kernel_initializer": "bilinear"}
        y = Conv2DTranspose(3, 2 * times, **options).forward(x)
        expected = UpSampling2D(times, interpolation="bilinear").forward(x)
        np.testing.assert_allclose(y[:, inside, inside], expected[:, inside, inside], atol=1e-5)
    with pytest.raises(ShapeError, match=r"'bilinear' got the shape \(4, 4, 2, 3\).*as many filters as channels"):
        Conv2DTranspose(2, 4, kernel_initializer="bilinear").forward(x)


def test_other_classes_of_a_network_that_ends_with_a_transposed_convolution(rng):
    """The filters are on the last axis but one of its kernel, as many as its channels here."""
    images = Input((4, 4, 3))
    model = Model(images, Conv2DTranspose(3, 4, strides=2, padding="same", name="up")(images))
    layer, x = model.get_layer("up"), rng.standard_normal((2, 4, 4, 3), np.float32)
    layer.bias[:] = 1, 2, 4
    new = transfer.adapt_classes(model, ["cat", "dog", "sky"], ["sky", "tree", "cat", "sea"])
    y, expected = new.predict(x, verbose=0), model.predict(x, verbose=0)
    np.testing.assert_allclose(y[..., [0, 2]], expected[..., [2, 0]], atol=1e-5)
    np.testing.assert_allclose(y[..., [1, 3]], expected.mean(axis=-1, keepdims=True).repeat(2, axis=-1), atol=1e-5)
    grey = transfer.adapt_input(model, (4, 4, 1))
    np.testing.assert_allclose(
        grey.predict(x[..., :1], verbose=0), model.predict(x[..., [0, 0, 0]], verbose=0), atol=1e-5
    )


# ---- resampling ----


@pytest.mark.parametrize("curve", ["bilinear", "bicubic"])
@pytest.mark.parametrize("is_wide", [False, True])
@pytest.mark.parametrize("old, new", [(7, 3), (3, 7), (5, 5), (1, 4), (9, 1)])
def test_weights_of_a_curve_equal_their_twin(old, new, curve, is_wide):
    weights = resampling.filtered(old, new, float, curve, is_wide)
    np.testing.assert_allclose(weights, resampling.filtered_naive(old, new, curve, is_wide), atol=1e-15)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    if curve == "bilinear" and not is_wide:
        np.testing.assert_allclose(weights, resampling.interpolation(old, new, float), atol=1e-15)


def test_an_antialiased_image_is_a_mean_of_all_pixels():
    stripes = np.tile([0.0, 0.0, 0.0, 1.0], 6).reshape(1, 1, 24, 1)  # every fourth one is white
    weights = resampling.weights_of("bilinear", True)
    assert np.ptp(resampling.interpolate(stripes, 1, 6, weights)[:, :, 1:-1]) < 1e-9
    assert resampling.interpolate(stripes, 1, 6).max() == 0, "pixels around the new centres alone miss all of them"


@pytest.mark.parametrize("band", [1, 3, 16])
@pytest.mark.parametrize(
    "old, new", [((5, 4), (10, 12)), ((4, 7), (4, 9)), ((1, 6), (3, 4)), ((9, 8), (5, 2))], ids=str
)
def test_interpolation_equals_its_twin(rng, monkeypatch, old, new, band):
    """Sizes that are no multiples of the old ones, and smaller ones, are right as well."""
    monkeypatch.setattr(resampling, "BAND", band)
    x, grad = rng.standard_normal((2, *old, 3)), rng.standard_normal((2, *new, 3))
    assert_close(resampling.interpolate(x, *new), resampling.interpolate_naive(x, *new))
    assert_close(resampling.interpolate_gradient(grad, old), resampling.interpolate_gradient_naive(grad, old))


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 1), (2, 5)], ids=str)
def test_repeated_pixels_equal_their_twin(rng, size):
    x = rng.standard_normal((2, 4, 3, 5))
    y = resampling.repeat_pixels(x, size)
    assert_close(y, resampling.repeat_pixels_naive(x, size))
    grad = rng.standard_normal(y.shape)
    assert_close(resampling.repeat_pixels_gradient(grad, size), resampling.repeat_pixels_gradient_naive(grad, size))


def test_the_example_of_interpolation(rng):
    x = np.array([1.0, 5]).reshape(1, 1, 2, 1)
    assert resampling.interpolate(x, 1, 4).ravel().tolist() == [1, 2, 4, 5]
    x = rng.random((2, 6, 5, 3), np.float32)
    np.testing.assert_allclose(images.resize(x, 12, 15), resampling.interpolate(x, 12, 15), atol=1e-6)


# ---- lengths ----


@pytest.mark.parametrize("axes", [(-1,), (1, 2)], ids=str)
def test_unit_lengths_equal_their_twin(rng, axes):
    x = rng.standard_normal((2, 4, 3, 5))
    x[0, :, :, 1] = x[1, 2, 1] = 0
    y, length = lengths.to_unit_length(x, axes)
    for found, expected in zip((y, length), lengths.to_unit_length_naive(x, axes), strict=True):
        assert_close(found, expected)
    grad = rng.standard_normal(x.shape)
    arguments = grad, y, length, axes
    assert_close(lengths.to_unit_length_gradient(*arguments), lengths.to_unit_length_gradient_naive(*arguments))


@pytest.mark.parametrize("size", [1e-38, 1e-25, 1, 1e25, 3e37])
def test_l2_normalization_of_large_and_small_pixels(size):
    """Squares that overflow or vanish do not count, and a pixel of zeros has output and gradient 0."""
    layer, x = L2Normalization(scale=5), np.array([[[[3, 4], [0, 0]]]], np.float32) * np.float32(size)
    np.testing.assert_allclose(layer.forward(x), [[[[3, 4], [0, 0]]]], rtol=1e-6)
    grad = np.ones_like(x) * np.float32(min(size, 1))
    dx = layer.backward(grad)
    np.testing.assert_allclose(dx[0, 0, 0] * (size / min(size, 1)), [0.16, -0.12], rtol=1e-4)
    assert not dx[0, 0, 1].any()
    unit = UnitNormalization()
    np.testing.assert_allclose(unit.forward(x)[0, 0, 0], [0.6, 0.8], rtol=1e-6)


# ---- whole models ----


def labels_of_pixels(size=None, channels=4):
    """Build a small encoder and decoder for images of any size: classes (N, H, W, 3)."""
    x = images = Input((size, size, 2))
    x = early = Conv2D(channels, 3, padding="same", activation="relu")(x)
    x = Conv2D(channels, 3, padding="same", dilation_rate=2, activation="relu")(MaxPooling2D()(x))
    x = Concatenate()([early, UpSampling2D(interpolation="bilinear")(x)])
    x = Conv2DTranspose(channels, 4, strides=2, padding="same")(x)
    x = Conv2D(3, 3, strides=2, padding="same")(Cropping2D(((0, 0), (0, 0)))(x))
    return Model(images, Softmax()(x))


def labels_of_boxes(size=None):
    """Build predictions (N, P, 3) from maps of two sizes, for images of any size."""
    x = images = Input((size, size, 2))
    x = Conv2D(4, 3, padding="same", activation="relu")(x)
    late = Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    rows = [Reshape((-1, 3))(Conv2D(6, 3, padding="same")(each)) for each in (L2Normalization(scale=2)(x), late)]
    return Model(images, Activation("softmax")(Concatenate(axis=1)(rows)))


COUNTS = {  # the function that makes a model -> the leading sizes of its output for an image of h x w pixels
    labels_of_pixels: lambda h, w: (h, w),
    labels_of_boxes: lambda h, w: (2 * h * w + 2 * (h // 2) * (w // 2),),
}


@pytest.mark.parametrize("make, count", COUNTS.items(), ids=lambda each: each.__name__.strip("<>"))
def test_a_model_for_images_of_any_size(rng, tmp_path, make, count):
    """It learns from maps or sets of labels, is measured, predicts for another size, and is the same when loaded."""
    model = make()
    assert model.output_shape == (None, *[None] * len(count(2, 2)), 3)
    x = rng.standard_normal((12, 8, 8, 2), np.float32)
    t = (model.predict(x, verbose=0)[..., 0] > 1 / 3).astype(np.int32)  # something that the network can learn
    assert t.shape == (12, *count(8, 8))
    model.compile(SGD(0.3, momentum=0.9), SparseCategoricalCrossentropy(), metrics=["accuracy"])
    history = model.fit(x, t, batch_size=4, epochs=6, verbose=0, validation_split=0.25)
    assert history.history["loss"][-1] < 0.8 * history.history["loss"][0]
    loss, accuracy = model.evaluate(x, t, verbose=0)
    assert np.isclose(accuracy, (model.predict(x, verbose=0).argmax(axis=-1) == t).mean())
    larger = rng.standard_normal((2, 12, 16, 2), np.float32)
    y = model.predict(larger, verbose=0)
    assert y.shape == (2, *count(12, 16), 3)
    assert np.isfinite(model.evaluate(larger, y.argmax(axis=-1), verbose=0)).all()
    model.fit(larger, y.argmax(axis=-1), verbose=0, sample_weight=rng.random(y.shape[:-1]))
    assert f"(None, {'None, ' * len(count(2, 2))}3)" in summary_text(model)
    model.save(tmp_path / "model.h5")
    loaded = load_model(tmp_path / "model.h5")
    assert [layer.get_config() for layer in loaded.layers] == [layer.get_config() for layer in model.layers]
    np.testing.assert_array_equal(loaded.predict(larger, verbose=0), model.predict(larger, verbose=0))
    check_gradients(make(), x[:2], most=12)
    assert flops(make(8)) > 0


def test_a_frozen_beginning_for_maps(rng):
    """The maps behind the frozen layers are kept, and the rest learns."""
    model, x = labels_of_pixels(8), rng.standard_normal((8, 8, 8, 2), np.float32)
    for layer in model.layers[:4]:
        layer.trainable = False
    model.compile(SGD(0.1), SparseCategoricalCrossentropy())
    losses = model.fit(x, np.zeros((8, 8, 8), int), epochs=2, verbose=0).history["loss"]
    assert losses[1] < losses[0]


def test_an_input_of_the_wrong_size_is_named():
    """A decoder doubles what the encoder has rounded down: the sizes differ by a pixel."""
    with pytest.raises(ShapeError, match="expected two or more inputs that differ only along axis -1"):
        labels_of_pixels().forward(np.zeros((1, 7, 8, 2), np.float32))
    with pytest.raises(ShapeError, match="expected 4 inputs, found 5|needs to know how many"):
        Dense(2)(Reshape((-1,))(Input((None, None, 3))))
    assert GlobalAveragePooling2D()(UpSampling2D(3)(Input((None, None, 3)))).shape == (None, 3)
    assert geometry.transposed_padding(4, 2, "same") == (1, 1)
