"""Objects made again from their configuration; the initializers' variances; the penalty on rows that are alike."""

import json

import numpy as np
import pytest

from minitl import activations, initializers, losses, metrics, optimizers, regularizers
from minitl.errors import ArgumentError, NoAttributeError
from minitl.layers import Dense
from minitl.optimizers import schedules

OBJECTS = [
    initializers.VarianceScaling(2.0, "fan_avg", "uniform", seed=3),
    initializers.Constant(0.5),
    initializers.Orthogonal(2.0, seed=1),
    regularizers.L1L2(0.1, 0.2),
    regularizers.OrthogonalRegularizer(0.1, "columns"),
    losses.CategoricalFocalCrossentropy([0.1, 0.2], 3.0, label_smoothing=0.1),
    losses.Huber(2.0, reduction="sum"),
    metrics.Precision([0.2, 0.6], name="right"),
    metrics.AUC(7, "PR"),
    metrics.BinaryIoU([1], 0.3),
    metrics.RecallAtPrecision(0.4, 11),
    metrics.MeanMetricWrapper(losses.mean_squared_error, "mse"),
    optimizers.SGD(0.1, momentum=0.9, clipnorm=1.0),
    optimizers.Adam(schedules.CosineDecay(0.1, 20)),
]


@pytest.mark.parametrize("thing", OBJECTS, ids=lambda thing: type(thing).__name__)
def test_an_equal_object_is_made_of_a_configuration_that_json_can_hold(thing):
    config = json.loads(json.dumps(thing.get_config()))
    again = type(thing).from_config(config)
    assert again.get_config() == thing.get_config() and type(again) is type(thing)


def test_an_attribute_of_keras_that_is_not_here_says_what_to_write():
    for thing in Dense(2), optimizers.SGD(), metrics.AUC():
        with pytest.raises(NoAttributeError, match="has no attribute 'quantize'. minitl computes in float32"):
            thing.quantize("int8")
        assert not hasattr(thing, "quantize") and not hasattr(thing, "no_such_attribute")
    with pytest.raises(NoAttributeError, match="dtype_policy"):
        Dense(2).dtype_policy = "int8"


# The fans of a kernel (50, 2000) are 50 and 2000.
@pytest.mark.parametrize("name, variance", [
    ("glorot_normal", 2 / 2050), ("glorot_uniform", 2 / 2050), ("he_normal", 2 / 50), ("he_uniform", 2 / 50),
    ("lecun_normal", 1 / 50), ("lecun_uniform", 1 / 50),
])  # fmt: skip
def test_an_initializer_draws_numbers_of_its_variance(name, variance):
    drawn = type(initializers.get(name))(seed=4)((50, 2000))
    assert drawn.var() == pytest.approx(variance, rel=0.03) and abs(drawn.mean()) < 0.01


def test_orthogonal_rows_cost_nothing_and_the_slope_is_the_derivative(rng):
    penalty = regularizers.OrthogonalRegularizer(0.3)
    assert penalty(np.eye(3, 5)) == 0
    assert penalty(np.ones((2, 4))) == pytest.approx(0.3), "the cosine of the one pair is 1"
    for mode in "rows", "columns":
        penalty, p = regularizers.OrthogonalRegularizer(0.3, mode), rng.standard_normal((4, 3))
        found = penalty.gradient(p)
        for place in np.ndindex(p.shape):
            step = np.zeros_like(p)
            step[place] = 1e-6
            assert found[place] == pytest.approx((penalty(p + step) - penalty(p - step)) / 2e-6, abs=1e-7)


def test_activations_are_functions_and_names_of_layers():
    x = np.array([-2.0, 0.5], np.float32)
    assert activations.relu(x).tolist() == [0, 0.5] and activations.leaky_relu(x, 0.1).tolist()[1] == 0.5
    assert Dense(2, activation=activations.tanh).activation == "tanh"
    assert activations.get(activations.serialize(activations.softmax)) is activations.softmax
    with pytest.raises(ArgumentError, match="identifier is 'no'"):
        activations.get("no")
