"""erf in float64 and float32, and GELU and SiLU with their slopes, against `math.erf` and their definitions."""

import math

import numpy as np
import pytest

from minitl.errors import ArgumentError
from minitl.kernels.activations import ACTIVATIONS, WITH_SLOPE
from minitl.kernels.error_function import error_function, error_function_naive
from minitl.kernels.gelu import (
    gelu,
    gelu_naive,
    gelu_tanh,
    gelu_tanh_with_slope,
    gelu_with_slope,
    silu,
    silu_naive,
    silu_with_slope,
)
from minitl.layers import LSTM


def numbers(rng, count=4000):
    """Return numbers around 0, around the seams at 1 and 6, very small ones, and those where erf is 1."""
    near_one = 1 + rng.uniform(-1, 1, count) * 10.0 ** -rng.integers(1, 15, count)
    tiny = 10 ** rng.uniform(-300, 0, count)
    found = [rng.uniform(-7, 7, count), rng.uniform(-1.2, 1.2, count), near_one, 6 * near_one, tiny, -tiny]
    return np.concatenate([*found, [0.0, -0.0, 30.0, -1e300]])


def test_float64_is_right_to_two_units_in_the_last_place(rng):
    x = numbers(rng)
    exact = np.array([math.erf(each) for each in x])
    error = np.abs(error_function(x) - exact) / np.spacing(np.abs(exact))
    assert error.max() <= 2
    assert np.isnan(error_function(np.array([np.nan]))).all()
    np.testing.assert_array_equal(error_function(np.array([np.inf, -np.inf])), [1, -1])


def test_float32_is_right_to_a_quarter_of_a_millionth(rng):
    x = numbers(rng).clip(-1e30, 1e30).astype(np.float32)
    y, exact = error_function(x), np.array([math.erf(each) for each in x])
    assert y.dtype == np.float32
    assert np.abs(y - exact).max() <= 2.5e-7
    is_normal = (np.abs(x) > 1e-30) & (np.abs(x) < 0.5)
    assert np.abs(y / np.where(exact == 0, 1, exact) - 1)[is_normal].max() <= 4e-7


def test_the_series_of_the_twin_gives_the_same(rng):
    x = np.concatenate([rng.uniform(-7, 7, 400), [0.0, 1e-200]])
    np.testing.assert_allclose(error_function_naive(x), error_function(x), rtol=1e-14)


FUNCTIONS = [
    (gelu, gelu_with_slope, gelu_naive),
    (gelu_tanh, gelu_tanh_with_slope, lambda x: gelu_naive(x, approximate=True)),
    (silu, silu_with_slope, silu_naive),
]
every_function = pytest.mark.parametrize("function, with_slope, naive", FUNCTIONS, ids=["gelu", "gelu-tanh", "silu"])


@every_function
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 4e-14), (np.float32, 4e-6)], ids=["float64", "float32"])
def test_values_and_slopes_are_those_of_the_definition(rng, function, with_slope, naive, dtype, tolerance):
    x = np.concatenate([rng.uniform(-8, 8, 900), rng.normal(size=900)]).astype(dtype)
    y, slope = with_slope(x)
    exact, exact_slope = naive(x.astype(np.float64))
    assert y.dtype == slope.dtype == dtype
    np.testing.assert_allclose(y, exact, rtol=0, atol=tolerance)
    np.testing.assert_allclose(slope, exact_slope, rtol=0, atol=tolerance)
    np.testing.assert_array_equal(function(x), y)


def test_the_exact_gelu_in_float32_is_right_to_a_millionth(rng):
    x = rng.normal(size=20000).astype(np.float32) * 2
    y, slope = gelu_with_slope(x)
    exact, exact_slope = gelu_naive(x.astype(np.float64))
    assert np.abs(y - exact).max() <= 1e-6 and np.abs(slope - exact_slope).max() <= 4e-7


def test_the_two_gelus_differ_most_at_minus_2_70():
    """The largest difference is 4.7e-4: more than rounding, so a network has to say which one it was trained with."""
    x = np.linspace(-6, 6, 24001)
    difference = np.abs(gelu(x) - gelu_tanh(x))
    assert 4.6e-4 < difference.max() < 4.8e-4
    assert abs(abs(x[difference.argmax()]) - 2.70) < 0.01


@every_function
def test_any_layout_and_any_size(rng, function, with_slope, naive):
    """Views with gaps, large arrays that threads share, single numbers, nothing; and the result in place of x."""
    x = rng.normal(size=(300, 70, 40)).astype(np.float32)
    expected = function(x)
    np.testing.assert_array_equal(function(x.transpose(2, 0, 1)), expected.transpose(2, 0, 1))
    np.testing.assert_array_equal(function(x[:, ::2]), expected[:, ::2])
    assert function(x[:0]).shape == (0, 70, 40)
    assert function(np.float32(1.5)) == function(np.array([1.5], np.float32))[0]
    for each in with_slope(x, out=x):
        assert each.shape == expected.shape
    np.testing.assert_array_equal(x, expected)


@every_function
def test_very_large_numbers_pass_or_vanish(function, with_slope, naive):
    y = function(np.array([-1e30, -40, 40, 1e30], np.float32))
    np.testing.assert_array_equal(y[[0, 2, 3]], np.array([0, 40, 1e30], np.float32))
    np.testing.assert_allclose(y[1], naive(np.array([-40.0]))[0], rtol=1e-5)  # 0, and for SiLU -1.7e-16


def test_a_layer_that_keeps_no_slopes_refuses_these_activations():
    """A recurrent layer finds gradients from outputs: it would compute a wrong one in silence."""
    assert set(WITH_SLOPE) < set(ACTIVATIONS)
    with pytest.raises(ArgumentError, match="activation is 'gelu'; expected one of .*tanh"):
        LSTM(3, activation="gelu")
