"""Depthwise convolution: the fast kernels against their loop twins, and fused with the layers behind."""

import itertools

import numpy as np
import pytest

from minitl.errors import ArgumentError, ShapeError
from minitl.graph.fusion import Fused
from minitl.graph.summary import flops
from minitl.kernels import depthwise, parallel
from minitl.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    Input,
    MaxPooling2D,
    ReLU,
    SeparableConv2D,
)
from minitl.models import Model, load_model
from minitl.testing import check_gradients

# Even and odd sizes, windows and strides of several sizes; at stride 2 and an even size, 'same' adds one pixel behind.
CASES = [
    *itertools.product([(7, 9), (8, 6)], [(3, 3), (2, 4), (5, 1)], [(1, 1), (2, 2), (3, 2)], [(1, 1)]),
    *itertools.product([(7, 9), (8, 6)], [(3, 3), (2, 4)], [(1, 1)], [(2, 1), (2, 3)]),
]


def assert_close(found, expected, tolerance=1e-13):
    assert found.shape == expected.shape and found.dtype == expected.dtype
    assert np.abs(found - expected).max() <= tolerance * max(1, np.abs(expected).max())


def check_against_the_twins(x, kernel, bias, rng, *windows):
    y = depthwise.depthwise(x, kernel, bias, *windows)
    assert_close(y, depthwise.depthwise_naive(x, kernel, bias, *windows))
    grad = rng.standard_normal(y.shape)
    assert_close(
        depthwise.depthwise_kernel_gradient(x, grad, kernel.shape, *windows),
        depthwise.depthwise_kernel_gradient_naive(x, grad, kernel.shape, *windows),
    )
    assert_close(
        depthwise.depthwise_input_gradient(grad, kernel, x.shape[1:3], *windows),
        depthwise.depthwise_input_gradient_naive(grad, kernel, x.shape[1:3], *windows),
    )


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("image, size, strides, dilation", CASES, ids=str)
def test_depthwise_convolution_equals_its_twin(rng, image, size, strides, dilation, padding, multiplier):
    shapes = (2, *image, 3), (*size, 3, multiplier), (3 * multiplier,)
    if padding == "valid" and any((k - 1) * d >= s for k, d, s in zip(size, dilation, image)):
        with pytest.raises(ShapeError, match="does not fit"):
            depthwise.depthwise(np.zeros(shapes[0]), np.zeros(shapes[1]), None, strides, padding, dilation)
        return
    arrays = (rng.standard_normal(shape) for shape in shapes)
    check_against_the_twins(*arrays, rng, strides, padding, dilation)


@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
@pytest.mark.parametrize("most", [1, 40, 400])
def test_blocks_of_any_size_and_several_threads(rng, monkeypatch, most, strides):
    """Some rows of an image, whole images, long rows of one pixel and of several."""
    monkeypatch.setattr(depthwise, "BLOCK_SIZE", most)
    monkeypatch.setattr(depthwise, "LONG_ROW", most)
    monkeypatch.setattr(parallel, "_allowed", 3)
    arrays = (rng.standard_normal(shape) for shape in ((5, 9, 8, 3), (3, 3, 3, 1), (3,)))
    check_against_the_twins(*arrays, rng, strides, "same")


def test_the_example():
    """Check that at stride 2, an image of even size has padding behind it only: the first window begins at pixel 0."""
    x, kernel = np.arange(1.0, 5).reshape(1, 4, 1, 1), np.ones((3, 1, 1, 1))
    y = depthwise.depthwise(x, kernel, None, (2, 1), "same")
    assert y.ravel().tolist() == [6, 7]  # 1 + 2 + 3, 3 + 4 + 0


def test_the_example_of_the_input_gradient():
    grad, kernel = np.array([2.0, 3]).reshape(1, 2, 1, 1), np.array([1.0, 10, 100]).reshape(3, 1, 1, 1)
    dx = depthwise.depthwise_input_gradient(grad, kernel, (5, 1), (2, 1))
    assert dx.ravel().tolist() == [2, 20, 203, 30, 300]


def test_an_empty_batch_and_numbers_that_are_none(rng):
    kernel = rng.standard_normal((3, 3, 4, 1)).astype(np.float32)
    assert depthwise.depthwise(np.zeros((0, 5, 6, 4), np.float32), kernel, None, (1, 1), "same").shape == (0, 5, 6, 4)
    empty = np.zeros((0, 5, 6, 4), np.float32)
    assert not depthwise.depthwise_kernel_gradient(empty, empty, kernel.shape, (1, 1), "same").any()
    x = rng.standard_normal((1, 6, 6, 4)).astype(np.float32)
    x[0, 2, 2, 1] = np.nan
    y = depthwise.depthwise(x, kernel, None, (1, 1), "same")
    assert np.isnan(y).sum() == 9 and np.isnan(y[0, 1:4, 1:4, 1]).all(), "a NaN stays in its channel and its windows"


def test_sums_over_many_pixels_keep_their_digits():
    x, kernel = np.full((8, 64, 64, 1), 0.1, np.float32), (1, 1, 1, 1)
    found = depthwise.depthwise_kernel_gradient(x, np.ones_like(x), kernel)
    assert found[0, 0, 0, 0] == pytest.approx(x.size * np.float64(np.float32(0.1)), rel=1e-6)


def test_strides_do_not_go_with_dilation():
    with pytest.raises(ArgumentError, match="expected one of them to be 1"):
        DepthwiseConv2D(3, strides=2, dilation_rate=2)
    with pytest.raises(ShapeError, match="expected 3 channels, found 2"):
        layer = DepthwiseConv2D(3)
        layer.forward(np.zeros((1, 5, 5, 3), np.float32))
        layer.forward(np.zeros((1, 5, 5, 2), np.float32))


# ---- in a network ----


def inverted_residual():
    """Build two blocks as MobileNetV2 and EfficientNet-Lite have them, the first one with stride 2."""
    images = x = Input((12, 10, 6))
    for name, stride in ("a", 2), ("b", 1):
        y = Conv2D(12, 1, use_bias=False, name=f"{name}_expand")(x)
        y = Activation("relu6", name=f"{name}_relu6")(BatchNormalization(name=f"{name}_expand_norm")(y))
        y = DepthwiseConv2D(3, stride, padding="same", name=f"{name}_depthwise")(y)
        y = ReLU(6, name=f"{name}_relu")(BatchNormalization(name=f"{name}_norm")(y))
        y = Conv2D(6, 1, name=f"{name}_project")(y)
        y = BatchNormalization(name=f"{name}_project_norm")(y)
        x = Add(name=f"{name}_add")([y, x]) if stride == 1 else y
    return Model(images, x)


def randomized(model, rng):
    for layer in model.layers:
        for name in layer.weight_names:
            values = rng.standard_normal(getattr(layer, name).shape)
            getattr(layer, name)[...] = np.exp(values / 2) if name == "moving_variance" else 2 * values
    return model


def joined(model):
    found = model._operations(model._gradient_path("none"), False)
    return [[layer.name for layer in each.layers] for each in found if isinstance(each, Fused)]


def test_batch_normalization_and_relu6_are_computed_with_the_convolution(rng):
    model = randomized(inverted_residual(), rng)
    assert joined(model) == [
        ["a_expand", "a_expand_norm", "a_relu6"],
        ["a_depthwise", "a_norm", "a_relu"],
        ["a_project", "a_project_norm"],
        ["b_expand", "b_expand_norm", "b_relu6"],
        ["b_depthwise", "b_norm", "b_relu"],
        ["b_project", "b_project_norm", "b_add"],
    ]
    x = rng.standard_normal((3, 12, 10, 6)).astype(np.float32)
    expected, found = model.forward(x), model.forward(x, gradients="none")  # the first keeps every map
    assert np.abs(found - expected).max() < 2e-5 * np.abs(expected).max()
    inner = Model(model.input, model.get_layer("b_relu").output)
    y = inner.forward(x, gradients="none")
    assert (y == 0).any() and (y == 6).any() and ((y > 0) & (y < 6)).any(), "both limits of ReLU6 are reached"
    for row in range(3):
        assert np.allclose(model.forward(x[row : row + 1], gradients="none"), found[row : row + 1], rtol=1e-5)


def test_an_add_and_no_pooling_join_a_depthwise_convolution(rng):
    images = Input((8, 8, 3))
    y = BatchNormalization(name="norm")(DepthwiseConv2D(3, padding="same", name="conv")(images))
    y = Activation("relu", name="relu")(Add(name="add")([y, images]))
    model = randomized(Model(images, MaxPooling2D(name="pool")(y)), rng)
    assert joined(model) == [["conv", "norm", "add", "relu"]]
    x = rng.standard_normal((2, 8, 8, 3)).astype(np.float32)
    assert np.allclose(model.forward(x, gradients="none"), model.forward(x), atol=1e-5)


@pytest.mark.slow
def test_gradients_of_the_blocks(rng):
    model = inverted_residual()
    for layer in model.layers:
        if isinstance(layer, BatchNormalization):
            layer.beta += 1.5  # few inputs of ReLU6 lie near 0 or 6
    check_gradients(model, rng.standard_normal((3, 12, 10, 6)), tolerance=1e-5)


@pytest.mark.parametrize("kind", [DepthwiseConv2D, SeparableConv2D])
def test_saved_and_loaded(rng, tmp_path, kind):
    images = Input((7, 6, 3))
    first = {"filters": 4} if kind is SeparableConv2D else {}
    layer = kind(**first, kernel_size=3, strides=2, padding="same", depth_multiplier=2, activation="relu6")
    model = randomized(Model(images, layer(images)), rng)
    model.save(tmp_path / "model.h5")
    x = rng.standard_normal((2, 7, 6, 3)).astype(np.float32)
    assert np.array_equal(load_model(tmp_path / "model.h5").predict(x, verbose=0), model.predict(x, verbose=0))


def test_the_cost_is_counted():
    images = Input((8, 8, 6))
    assert flops(Model(images, DepthwiseConv2D(3, padding="same")(images))) == 2 * 9 * 6 * 64
    assert flops(Model(images, SeparableConv2D(4, 3, padding="same")(images))) == 2 * (9 * 6 + 6 * 4) * 64
