"""Relatives of ReLU, the signs of arithmetic, parts, and noise, against their definitions as loops."""

import numpy as np
import pytest

from minitl import layers
from minitl.errors import MinitlError
from minitl.kernels.activations import ACTIVATIONS
from minitl.kernels.bent_units import sparsemax, sparsemax_naive
from minitl.kernels.smooth_units import DEFINITIONS, SELU_ALPHA, SELU_SCALE, unit_naive
from minitl.layers import Input
from minitl.layers.activations import activated
from minitl.models import Model, load_model
from minitl.testing import check_gradients


@pytest.mark.parametrize("name", DEFINITIONS)
def test_units_are_those_of_their_definitions(name, rng):
    x = 3 * rng.standard_normal((4, 5))
    function, gradient = ACTIVATIONS[name]
    y, slope = unit_naive(name, x)
    found, kept = activated(name, x)
    np.testing.assert_allclose(found, y, rtol=1e-12)
    np.testing.assert_allclose(gradient(np.ones_like(x), kept), slope, rtol=1e-11, atol=1e-14)
    out = np.empty_like(x)
    assert function(x, out=out) is out
    np.testing.assert_array_equal(out, function(x))


@pytest.mark.parametrize("name", DEFINITIONS)
def test_units_of_large_numbers_are_finite_where_their_definition_is(name):
    x = np.array([-1e4, -90, 0, 80, 1e4 if name != "exponential" else 80], np.float32)
    y, kept = activated(name, x)
    assert np.isfinite(y).all() and np.isfinite(ACTIVATIONS[name][1](np.ones_like(y), kept)).all()


def test_sparsemax_is_nearest_and_has_zeros(rng):
    x = rng.standard_normal((30, 5))
    y = sparsemax(x)
    np.testing.assert_allclose(y, [sparsemax_naive(row) for row in x], atol=1e-12)
    assert (y == 0).any() and y.sum(axis=-1) == pytest.approx(1)
    np.testing.assert_array_equal(sparsemax(x.T, axis=0), y.T)
    np.testing.assert_allclose(sparsemax(np.array([[1e4, 1e4, 0]], np.float32)), [[0.5, 0.5, 0]])
    large = np.array([[1e8, 0, 1], [1e30, 1e30, -1e30]], np.float32)  # to which 1 cannot be added
    np.testing.assert_array_equal(sparsemax(large), [[1, 0, 0], [0.5, 0.5, 0]])


def test_signs_make_calls_of_layers(rng, tmp_path):
    """Numbers, tensors and arrays on both sides; the model is saved, and its gradients are right."""
    a, b = Input((5,)), Input((5,))
    row = np.array([1.0, 2, 3, 4, 5])
    y = (a * 0.5 + b) / (1 + b**2) - a / 255.0 + -b
    y = 2 / (y + 10) + y[:, 1:2] * row - row * np.float32(0.5) * y + 3 - a[..., ::-1]
    model = Model([a, b], y)
    x, z = rng.standard_normal((2, 3, 5)).astype(np.float32)
    expected = (x * 0.5 + z) / (1 + z**2) - x / 255 - z
    expected = 2 / (expected + 10) + expected[:, 1:2] * row - row * 0.5 * expected + 3 - x[..., ::-1]
    np.testing.assert_allclose(model.forward([x, z]), expected, rtol=1e-5, atol=1e-6)
    assert check_gradients(model, [x, z]).worst < 1e-7
    model.save(tmp_path / "signs.h5")
    np.testing.assert_array_equal(load_model(tmp_path / "signs.h5").forward([x, z]), model.forward([x, z]))


def test_functions_call_layers(rng):
    a, b = Input((4,)), Input((4,))
    x = list(rng.standard_normal((2, 3, 4)).astype(np.float32))
    for function, expected in (
        (layers.add, x[0] + x[1]),
        (layers.subtract, x[0] - x[1]),
        (layers.multiply, x[0] * x[1]),
        (layers.average, (x[0] + x[1]) / 2),
        (layers.maximum, np.maximum(*x)),
        (layers.minimum, np.minimum(*x)),
        (layers.concatenate, np.concatenate(x, -1)),
        (lambda inputs, name: layers.concatenate(inputs, 1, name=name), np.concatenate(x, -1)),
        (lambda inputs, name: layers.dot(inputs, 1, name=name), (x[0] * x[1]).sum(1, keepdims=True)),
    ):
        model = Model([a, b], function([a, b], name="both"))
        np.testing.assert_allclose(model.forward(x), expected, rtol=1e-6)
        assert model.layers[-1].name == "both"


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda x: x + "1", "another symbolic tensor, a number"),
        (lambda x: x + np.zeros((2, 3)), "another symbolic tensor, a number"),
        (lambda x: x**x, "'power' of two symbolic tensors is not here"),
        (lambda x: x * [1, 2], "number has 2 entries"),
        (lambda x: x[0], "expected the whole batch"),
        (lambda x: x[:, 5], "has no .5."),
        (lambda x: x[:, [0]], "expected whole numbers, slices"),
        (lambda x: x[:, 0, 0], "fewer axes"),
    ],
)
def test_what_cannot_be_computed_is_refused(wrong, message):
    with pytest.raises(MinitlError, match=message):
        wrong(Input((3,)))


def test_a_symbolic_tensor_is_no_sequence():
    with pytest.raises(TypeError, match="cannot be iterated over"):
        list(Input((3,)))


def test_noise_has_the_mean_and_the_spread_that_it_should_have():
    """200,000 numbers: means to 0.01, and standard deviations to 1 %."""
    x = np.random.default_rng(0).standard_normal((2000, 100)).astype(np.float32)
    noise = layers.GaussianNoise(0.3, seed=1).forward(x, training=True) - x
    assert abs(noise.mean()) < 0.01 and abs(noise.std() / 0.3 - 1) < 0.01
    factors = layers.GaussianDropout(0.2, seed=1).forward(np.ones_like(x), training=True)
    assert abs(factors.mean() - 1) < 0.01 and abs(factors.std() / 0.5 - 1) < 0.01
    dropped = layers.AlphaDropout(0.3, seed=1).forward(x, training=True)
    assert abs(dropped.mean()) < 0.01 and abs(dropped.std() - 1) < 0.01
    lowest = dropped.min()
    share = np.isclose(np.sort(dropped.ravel()), np.median(dropped[np.isclose(dropped, _dropped(0.3), atol=1e-4)]))
    assert abs(share.mean() - 0.3) < 0.01 and lowest < 0


def _dropped(rate):
    """Return what AlphaDropout puts in the place of a dropped number."""
    c = -SELU_SCALE * SELU_ALPHA
    a = ((1 - rate) * (1 + rate * c * c)) ** -0.5
    return a * c - a * c * rate


@pytest.mark.parametrize("name, shape", [("SpatialDropout1D", (6, 5, 40)), ("SpatialDropout2D", (6, 3, 4, 40))])
def test_spatial_dropout_drops_whole_channels(name, shape):
    layer = getattr(layers, name)(0.5, seed=1)
    y = layer.forward(np.ones(shape, np.float32), training=True)
    axes = tuple(range(1, len(shape) - 1))
    np.testing.assert_array_equal(y.min(axis=axes), y.max(axis=axes))
    assert set(np.unique(y)) == {0, 2} and 0.3 < (y == 0).mean() < 0.7
    np.testing.assert_array_equal(layer.backward(np.ones_like(y)), y)
