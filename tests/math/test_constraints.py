"""Constraints: what is allowed, by hand; that it holds after every step; and that files keep it."""

import numpy as np
import pytest

from minitl import constraints
from minitl.constraints import MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from minitl.errors import ArgumentError
from minitl.layers import LSTM, Bidirectional, Conv2D, Dense, Embedding, Input
from minitl.models import Model, Sequential, load_model
from minitl.optimizers import SGD, Adam

COLUMNS = np.array([[3.0, 0.0, -0.3], [4.0, 0.0, 0.4]])  # their lengths are 5, 0 and 0.5


def test_what_is_allowed():
    np.testing.assert_allclose(MaxNorm(2)(COLUMNS), [[1.2, 0, -0.3], [1.6, 0, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(UnitNorm()(COLUMNS), [[0.6, 0, -0.6], [0.8, 0, 0.8]], rtol=1e-6)
    np.testing.assert_allclose(MinMaxNorm(1, 2)(COLUMNS), [[1.2, 0, -0.6], [1.6, 0, 0.8]], rtol=1e-6)
    np.testing.assert_allclose(MinMaxNorm(1, 2, 0.5)(COLUMNS), [[2.1, 0, -0.45], [2.8, 0, 0.6]], rtol=1e-6)
    np.testing.assert_allclose(NonNeg()(COLUMNS), [[3, 0, 0], [4, 0, 0.4]])
    kernel = np.random.default_rng(0).normal(size=(3, 3, 2, 5))
    lengths = np.sqrt(np.square(MaxNorm(2, axis=[0, 1, 2])(kernel)).sum(axis=(0, 1, 2)))
    assert lengths.shape == (5,) and (lengths <= 2).all() and (np.square(kernel).sum(axis=(0, 1, 2)) > 4).all()


@pytest.mark.parametrize("optimizer", [lambda: SGD(0.5, momentum=0.9), lambda: Adam(0.1)])
def test_they_hold_after_every_step(optimizer, rng):
    free, bound = Dense(4, name="free"), Dense(3, kernel_constraint=MaxNorm(0.5), bias_constraint="non_neg")
    model = Sequential([Input((5,)), free, bound])
    model.compile(optimizer(), "mse")
    x, y = rng.normal(size=(32, 5)).astype("float32"), rng.normal(size=(32, 3)).astype("float32")
    for _ in range(5):
        model.train_on_batch(x, y)
        lengths = np.sqrt(np.square(bound.kernel).sum(axis=0))
        assert lengths.max() <= 0.5 + 1e-6 and bound.bias.min() >= 0
    assert np.isclose(lengths.max(), 0.5, atol=1e-5) and np.square(free.kernel).sum(axis=0).max() > 0.25


def test_they_hold_while_gradients_are_added_up(rng):
    """Keras applies them behind every batch. With a rate below 1, each of these goes a part of the way."""
    layer = Dense(2, kernel_constraint=MinMaxNorm(0, 1, rate=0.5))
    model = Sequential([Input((3,)), layer])
    layer.kernel[...] = np.array([[4, 2], [0, 0], [0, 0]])
    model.compile(SGD(0.1, gradient_accumulation_steps=3), "mse")
    x = rng.normal(size=(4, 3)).astype("float32")
    for lengths in ([2.5, 1.5], [1.75, 1.25]):
        model.train_on_batch(x, np.zeros((4, 2), "float32"))
        np.testing.assert_allclose(np.linalg.norm(layer.kernel, axis=0), lengths, rtol=1e-5)


def test_gradients_that_are_only_added_up_are_no_update(rng):
    layer = Dense(2)
    model = Sequential([Input((3,)), layer])
    model.compile(SGD(0.1, gradient_accumulation_steps=2), "mse")
    x = rng.normal(size=(4, 3)).astype("float32")
    for updates in 0, 1:
        model.train_on_batch(x, np.zeros((4, 2), "float32"))
        assert layer.updates == updates


def test_a_frozen_layer_stays_as_it_is(rng):
    layer = Dense(3, kernel_constraint=UnitNorm())
    model = Sequential([Input((5,)), layer, Dense(2)])
    before, layer.trainable = layer.kernel.copy(), False
    model.compile(SGD(0.1), "mse")
    model.train_on_batch(rng.normal(size=(4, 5)).astype("float32"), np.ones((4, 2), "float32"))
    np.testing.assert_array_equal(layer.kernel, before)


def test_files_keep_them(tmp_path):
    tokens = Input((6,), dtype="int32")
    x = Embedding(9, 4, embeddings_constraint=UnitNorm(axis=1))(tokens)
    x = Bidirectional(LSTM(3, recurrent_constraint=MaxNorm(3)))(x)
    Model(tokens, Dense(2, kernel_constraint="non_neg")(x)).save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    embedding, both, dense = again.layers[-3:]
    assert repr(embedding.constraints["embeddings"]) == "UnitNorm(axis=1)"
    assert dense.constraints["kernel"].get_config() == {}
    assert len(both.constraints) == 2 and all(each.max_value == 3 for each in both.constraints.values())
    config = Conv2D(4, 3, kernel_constraint=MaxNorm(1.5, [0, 1, 2])).get_config()
    assert config["kernel_constraint"]["config"] == {"max_value": 1.5, "axis": [0, 1, 2]}
    assert Conv2D.from_config(config).get_config() == config


def test_names_and_refusals():
    assert isinstance(constraints.get("max_norm"), MaxNorm) and constraints.get(None) is None
    assert isinstance(constraints.get({"class_name": "MinMaxNorm", "config": {"rate": 0.5}}), MinMaxNorm)
    for wrong in "max", 3, {"class_name": "MaxNorm", "config": 1}, MaxNorm:
        with pytest.raises(ArgumentError, match="kernel_constraint is .*expected 'max_norm'"):
            Dense(3, kernel_constraint=wrong)
    with pytest.raises(ArgumentError, match="rate is 2"):
        MinMaxNorm(rate=2)
