"""Sums over many numbers: in float32 each addition rounds, and similar numbers are rounded in the same direction. Every
sum and mean of the engine is compared with the same one in float64."""

import math

import numpy as np
import pytest

from minitl import kernels, losses, metrics
from minitl.kernels import normalization
from minitl.kernels.products import column_sums, sums
from minitl.layers import Add, AveragePooling2D, BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D, Softmax
from minitl.optimizers import SGD
from minitl.transfer import adapt_channels

MAPS = {
    "1x112x112x64 of 0.1": np.full((1, 112, 112, 64), 0.1, np.float32),
    "1x1000x1500x3 of 255": np.full((1, 1000, 1500, 3), 255, np.float32),
    "2x301x203x5 from 0 to 1": np.random.default_rng(0).random((2, 301, 203, 5), np.float32),
    "2x301x203x5 around 1000": 1000 + np.random.default_rng(1).uniform(-1, 1, (2, 301, 203, 5)).astype(np.float32),
}
every_map = pytest.mark.parametrize("x", MAPS.values(), ids=MAPS)


def assert_relative(found, exact, tolerance):
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, rtol=tolerance, atol=0)


@every_map
def test_global_average_pooling(x):
    assert_relative(GlobalAveragePooling2D().forward(x), x.mean(axis=(1, 2), dtype=np.float64), 1e-6)


@pytest.mark.parametrize("rows", [1, 255, 256, 257, 1000])
def test_sums_of_columns_of_any_length(rng, rows):
    x = rng.random((2, rows, 3), np.float32)
    np.testing.assert_allclose(column_sums(x), x.sum(axis=1, dtype=np.float64), rtol=1e-6)
    assert column_sums(x).dtype == np.float64 and not column_sums(x[:, :0]).any()


@every_map
def test_average_pooling_with_large_windows(x):
    window = x.shape[1] // 2, x.shape[2] // 3
    layer = AveragePooling2D(window)
    y = layer.forward(x)
    for i, j in np.ndindex(y.shape[1:3]):
        part = x[:, i * window[0] :, j * window[1] :][:, : window[0], : window[1]]
        assert_relative(y[:, i, j], part.mean(axis=(1, 2), dtype=np.float64), 4e-6)


def test_the_gradient_of_average_pooling_with_windows_that_overlap():
    """Each pixel in the middle belongs to 40 x 40 windows."""
    layer = AveragePooling2D(40, strides=1)
    grad = np.full_like(layer.forward(np.zeros((1, 90, 90, 2), np.float32)), 0.1)
    dx = layer.backward(grad)
    assert_relative(dx[0, 40:50, 40:50], np.full((10, 10, 2), np.float64(np.float32(0.1))), 4e-6)


@every_map
def test_statistics_of_a_batch(x):
    """The variance with a small one around 1000, too."""
    mean, variance = normalization.batch_statistics(x)
    assert_relative(mean, x.mean(axis=(0, 1, 2), dtype=np.float64), 1e-6)
    exact = x.var(axis=(0, 1, 2), dtype=np.float64)
    np.testing.assert_allclose(variance, exact, rtol=1e-6, atol=1e-9 * float(x.max()) ** 2)


def test_a_batch_of_large_numbers_is_normalized(rng):
    x = (1e3 + rng.standard_normal((8, 56, 56, 3))).astype(np.float32)
    y = BatchNormalization(epsilon=0).forward(x, training=True)
    assert np.abs(y.mean(axis=(0, 1, 2), dtype=np.float64)).max() < 1e-4
    assert np.abs(y.var(axis=(0, 1, 2), dtype=np.float64) - 1).max() < 1e-5


@every_map
def test_gradients_of_a_bias_and_of_batch_normalization(x):
    assert_relative(kernels.channel_sums(x), x.sum(axis=(0, 1, 2), dtype=np.float64), 1e-6)
    mean = np.full(x.shape[-1], 0.5, np.float32)
    for found, of in zip(normalization.gradient_sums(x, x, mean)[1:], (x, np.float64(1) * x * (x - mean))):
        assert_relative(found, of.sum(axis=(0, 1, 2), dtype=np.float64), 2e-6)
    dense = Dense(x.shape[-1])
    dense.forward(np.zeros((*x.shape[:3], 1), np.float32))
    dense.backward_to_parameters(x)
    assert_relative(dense.gradients["bias"], x.sum(axis=(0, 1, 2), dtype=np.float64), 1e-6)


def test_the_gradient_of_gamma_keeps_its_digits_where_the_mean_is_large(rng):
    x = (1e3 + rng.standard_normal((8, 28, 28, 64))).astype(np.float32)
    grad = rng.standard_normal(x.shape).astype(np.float32)
    mean = x.mean(axis=(0, 1, 2), dtype=np.float64).astype(np.float32)
    _, _, found = normalization.gradient_sums(grad, x, mean)
    exact = (grad.astype(float) * (x.astype(float) - mean)).sum(axis=(0, 1, 2))
    assert np.abs(found - exact).max() <= 1e-6 * np.abs(exact).max()


def test_the_gradient_of_a_kernel(rng):
    """A sum over all pixels of all examples."""
    x = np.full((4, 112, 112, 2), 0.1, np.float32)
    for layer in Conv2D(3, 1), Conv2D(3, 3):
        y = layer.forward(x)
        grad = np.full_like(y, 0.3)
        layer.backward_to_parameters(grad)
        exact = np.full(layer.kernel.shape, float(np.float32(0.1)) * float(np.float32(0.3)) * y[..., 0].size)
        assert_relative(layer.gradients["kernel"], exact, 1e-5)


@pytest.mark.parametrize("axis", [1, 2, 3, -1, (1, 2), (0, 1, 2)], ids=str)
def test_sums_along_an_axis(axis):
    x = np.full((2, 3000, 30, 40), 0.1, np.float32)
    found = sums(x, axis)
    exact = x.sum(axis=axis, keepdims=True, dtype=np.float64)
    assert found.shape == exact.shape
    assert_relative(found, exact, 1e-6)


def test_softmax_along_the_rows():
    y = Softmax(axis=1).forward(np.zeros((1, 100_000, 3), np.float32))
    assert_relative(y, np.full(y.shape, 1e-5), 1e-6)


def test_the_gradient_of_a_broadcast_input():
    layer, x = Add(), MAPS["1x112x112x64 of 0.1"]
    layer.forward([x, x[:, :1, :1]])
    assert_relative(layer.backward(x)[1], x.sum(axis=(1, 2), keepdims=True, dtype=np.float64), 1e-6)


def test_losses(rng):
    """The mean over a million predictions keeps its digits."""
    p, labels = np.full((1_000_000, 2), 0.3, np.float32), np.ones(1_000_000, int)
    exact = -math.log(np.float32(0.3))
    mse = losses.MeanSquaredError()
    assert mse.forward(p * 0, p) == pytest.approx(float(np.float32(0.3)) ** 2, rel=1e-6)
    binary = losses.BinaryCrossentropy()
    assert binary.forward(np.ones_like(p), p) == pytest.approx(exact, rel=1e-6)
    p[:, 0] = 0.7
    for shape in (-1, 2), (1000, 1000, 2):
        for order in "C", "F":
            rows = np.asarray(p.reshape(shape), order=order)
            criterion = losses.SparseCategoricalCrossentropy()
            assert criterion.forward(labels.reshape(shape[:-1] if len(shape) > 2 else -1), rows) == pytest.approx(
                exact, rel=1e-6
            )


def test_metrics():
    class Error(metrics.Metric):
        def score(self, y_true, y_pred):
            return y_pred

    metric = Error()
    for _ in range(1000):
        metric.update(np.zeros(5000), np.full(5000, 0.1, np.float32))
    assert metric.result() == pytest.approx(float(np.float32(0.1)), rel=1e-6)


def test_the_norm_of_a_gradient():
    layer = Dense(1000, use_bias=False)
    layer.forward(np.zeros((1, 3000), np.float32))
    layer.gradients["kernel"] = np.full_like(layer.kernel, 0.1)
    before = layer.kernel.copy()
    model = type("OneLayer", (), {"layers": [layer], "name": "one"})
    SGD(1.0, clipnorm=1.0).step(model)
    step = np.linalg.norm((before - layer.kernel).astype(np.float64))
    assert step == pytest.approx(1, rel=1e-4), "the numbers of the step are rounded, the norm is not"


def test_channels_of_an_adapted_kernel():
    kernel = np.full((1, 1, 50_000, 2), 0.1, np.float32)
    assert_relative(adapt_channels(kernel, 1, 2), kernel.sum(axis=2, keepdims=True, dtype=np.float64), 1e-6)
    mean = kernel.mean(axis=2, keepdims=True, dtype=np.float64)
    assert_relative(adapt_channels(kernel, 2, 2), np.repeat(mean * 25_000, 2, axis=2), 1e-6)
