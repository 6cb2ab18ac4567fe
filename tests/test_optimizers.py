"""Update rules, step by step with a pencil; and no step at all where a gradient is not finite."""

import numpy as np
import pytest

from minitl import optimizers
from minitl.errors import ArgumentError, DivergedError, MistakeWarning, ShapeError
from minitl.kernels import precision
from minitl.layers import Dense
from minitl.models import Sequential
from minitl.optimizers import SGD, Adam


def one_number(value=1.0):
    """A model that is a single number: y = kernel * x."""
    model = Sequential([Dense(1, use_bias=False, input_shape=(1,), name="number")])
    layer = model.get_layer("number")
    layer.kernel[...] = value
    return model, layer


def steps(optimizer, gradients, value=1.0):
    model, layer = one_number(value)
    for gradient in gradients:
        layer.gradients["kernel"] = np.full((1, 1), gradient, np.float32)
        optimizer.step(model)
    return float(layer.kernel[0, 0])


def test_plain_descent():
    assert steps(SGD(0.1), [2, -1]) == pytest.approx(1 - 0.2 + 0.1)


def test_momentum():
    # v: -0.2, then 0.9 * -0.2 + 0.1 = -0.08
    assert steps(SGD(0.1, momentum=0.9), [2, -1]) == pytest.approx(1 - 0.2 - 0.08)


def test_nesterov():
    # a step of momentum * v - lr * g:  0.9 * -0.2 - 0.2 = -0.38, then 0.9 * -0.08 + 0.1 = 0.028
    assert steps(SGD(0.1, momentum=0.9, nesterov=True), [2, -1]) == pytest.approx(1 - 0.38 + 0.028)


def test_weight_decay_is_decoupled():
    assert steps(SGD(0.1, weight_decay=0.5), [2]) == pytest.approx(1 * (1 - 0.05) - 0.2)
    assert steps(SGD(0.1, momentum=0.9, weight_decay=0.5), [0, 0]) == pytest.approx(0.95**2), "never in the momentum"


def test_adam_steps_by_the_learning_rate():
    """At the first step m / sqrt(v) is the gradient's sign, whatever its size."""
    for gradient in 0.1, 1.0, 1e3:
        assert steps(Adam(0.1), [gradient]) == pytest.approx(0.9, abs=1e-4)
    m, v = 0.1 * 2 * 0.9 + 0.1 * -1, 0.001 * 4 * 0.999 + 0.001 * 1
    second = 0.1 * np.sqrt(1 - 0.999**2) / (1 - 0.9**2) * m / (np.sqrt(v) + 1e-7)
    assert steps(Adam(0.1), [2, -1]) == pytest.approx(0.9 - second, abs=1e-5)


def test_lr_is_an_alias():
    assert Adam(lr=0.5).learning_rate == SGD(lr=0.5).learning_rate == 0.5
    optimizer = SGD()
    optimizer.lr = 0.3
    assert optimizer.learning_rate == 0.3


def test_a_frozen_layer_stays_and_its_momentum_waits():
    model, layer = one_number()
    optimizer = SGD(0.1, momentum=0.9)
    layer.gradients["kernel"] = np.ones((1, 1), np.float32)
    optimizer.step(model)
    layer.trainable = False
    with pytest.warns(MistakeWarning, match="a step has moved nothing"):
        optimizer.step(model)
    assert layer.kernel[0, 0] == pytest.approx(0.9)
    layer.trainable = True
    optimizer.step(model)
    assert layer.kernel[0, 0] == pytest.approx(0.9 - 0.19)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nothing_moves_if_one_gradient_is_not_finite(bad):
    model = Sequential([Dense(2, input_shape=(2,), name="first"), Dense(2, name="last")])
    before = model.get_weights()
    for layer in model.layers:
        layer.gradients = {"kernel": np.ones((2, 2), np.float32), "bias": np.ones(2, np.float32)}
    model.layers[1].gradients["kernel"][1, 1] = bad
    optimizer = SGD(0.1)
    with pytest.raises(DivergedError, match="step 1: the gradient of 'last' kernel is not finite. Nothing was updated"):
        optimizer.step(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights())) and optimizer.iterations == 0


def test_a_gradient_too_large_to_step_by_is_refused():
    assert precision.all_finite(np.full(10, 3e38, np.float32)), "its sum overflows, its entries do not"
    for optimizer, gradient in (SGD(1e20), 1e15), (Adam(0.1), 1e25):
        with pytest.raises(
            DivergedError, match=f"gradient of 'number' kernel reaches {gradient:.3g}".replace("+", ".")
        ):
            steps(optimizer, [gradient])
    for rate in float("nan"), float("inf"), -1, "fast":
        with pytest.raises(ArgumentError, match="learning_rate is"):
            SGD().learning_rate = rate


def test_names_and_arguments():
    assert isinstance(optimizers.get("adam"), Adam) and isinstance(optimizers.get("SGD"), SGD)
    for misuse in (
        lambda: optimizers.get("rmsprop"),
        lambda: SGD(-1),
        lambda: SGD(momentum=2),
        lambda: SGD(float("nan")),
    ):
        with pytest.raises(ArgumentError, match="expected"):
            misuse()


def test_a_gradient_of_the_wrong_shape_is_refused():
    model = Sequential([Dense(5, input_shape=(3,))])
    layer = model.layers[0]
    before = layer.kernel.copy()
    layer.gradients = {"kernel": np.ones((5, 3), np.float32), "bias": np.zeros(5, np.float32)}
    with pytest.raises(ShapeError, match=r"gradient of kernel has shape \(5, 3\), expected \(3, 5\)"):
        SGD(0.1).step(model)
    assert np.array_equal(layer.kernel, before)


def test_a_warm_up_and_what_comes_after_it():
    warm = optimizers.WarmUp(optimizers.CosineDecay(1.0, 10), 4)
    assert np.allclose([warm(step) for step in range(5)], [0.2, 0.4, 0.6, 0.8, 1.0])
    assert warm(4) == 1.0 and warm(9) == pytest.approx(0.5) and warm(14) == pytest.approx(0)
    assert optimizers.WarmUp(0.3, 0)(0) == 0.3 and optimizers.WarmUp(0.3, 2)(7) == 0.3


def test_rates_by_layer_are_checked():
    for factors in ({"a": -1}, {"a": "fast"}, {3: 1.0}, ["a"]):
        with pytest.raises(ArgumentError, match="rate_factors"):
            optimizers.SGD(rate_factors=factors)
    with pytest.raises(ArgumentError, match="l2_sp"):
        optimizers.Adam(l2_sp=-1)


def test_l2_sp_pulls_towards_what_was_loaded():
    """With no gradient, a loaded parameter goes back to where it began, and a new one to zero."""
    for make in (optimizers.SGD, optimizers.Adam):
        layers = [Dense(2, input_shape=(2,), name="loaded"), Dense(2, name="new")]
        model = Sequential(layers)
        layers[0].origins = {"kernel": "a file"}
        start = layers[0].kernel.copy()
        optimizer = make(0.1, l2_sp=1.0, weight_decay=1.0)
        for step in range(80):
            for layer in layers:
                layer.gradients = {name: np.zeros_like(getattr(layer, name)) for name in layer.trainable_names}
            if step == 1:
                layers[0].kernel += 1
            optimizer.step(model)
        assert np.allclose(layers[0].kernel, start, atol=1e-3) and np.allclose(layers[1].kernel, 0, atol=1e-3)
