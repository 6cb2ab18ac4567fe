"""The same program, with Keras and with minitl: `fit`, `evaluate` and `predict` on generators, `PyDataset`s, iterables,
parts of an epoch, and arrays of any type."""

import warnings

import keras
import numpy as np
import pytest
import torch

import minitl
from minitl import layers, utils

X = np.random.default_rng(0).standard_normal((23, 4)).astype(np.float32)
Y = (X[:, 0] > X[:, 1]).astype(int)
WEIGHTS = np.linspace(0.1, 2, len(Y)).astype(np.float32)
LIBRARIES = [(keras.Sequential, keras.layers, keras.utils), (minitl.Sequential, layers, utils)]


def histories(run, metrics=("acc",), **compiling):
    """Return what `run(model, its utils)` returns with Keras and with minitl, and the weights after it."""
    found, weights = [], None
    for sequential, its_layers, its_utils in LIBRARIES:
        model = sequential([its_layers.Input((4,)), its_layers.Dense(2, activation="softmax")])
        weights = model.get_weights() if weights is None else weights
        model.set_weights(weights)
        compiling = {"optimizer": "sgd", "loss": "sparse_categorical_crossentropy", **compiling}
        model.compile(metrics=list(metrics), **compiling)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = run(model, its_utils)
        found.append([getattr(result, "history", result), model.get_weights()])
    return found


def assert_equal(found):
    """Check that both libraries have the same numbers."""
    expected, ours = found
    if isinstance(expected[0], dict):
        assert set(expected[0]) == set(ours[0])
        expected[0], ours[0] = (list(each.values()) for each in ({n: e[0][n] for n in expected[0]} for e in found))
    for theirs, mine in zip([*expected[0], *expected[1]], [*ours[0], *ours[1]], strict=True):
        assert np.allclose(np.asarray(theirs, float), np.asarray(mine, float), rtol=1e-5, atol=1e-6)


def endless(size=5, weights=False):
    """Yield batches without end; the last one of each pass is smaller."""
    while True:
        for first in range(0, len(X), size):
            part = slice(first, first + size)
            yield (X[part], Y[part], WEIGHTS[part]) if weights else (X[part], Y[part])


def dataset(its_utils, size=5, **options):
    """Return batches by their numbers."""

    class Batches(its_utils.PyDataset):
        def __len__(self):
            return -(-len(X) // size)

        def __getitem__(self, number):
            return X[number * size : (number + 1) * size], Y[number * size : (number + 1) * size]

    return Batches(**options)


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("steps", [3, 5, 7])
def test_a_generator(steps, weights):
    assert_equal(histories(lambda model, _: model.fit(endless(5, weights), steps_per_epoch=steps, epochs=4, verbose=0)))


def test_validation_in_steps_begins_anew_in_each_epoch():
    assert_equal(
        histories(
            lambda model, its: model.fit(
                endless(), steps_per_epoch=4, epochs=4, verbose=0, validation_data=dataset(its, 3), validation_steps=2
            )
        )
    )


@pytest.mark.parametrize("steps", [None, 2, 3, 5, 8])
def test_a_dataset(steps):
    assert_equal(
        histories(
            lambda model, its: model.fit(
                dataset(its), steps_per_epoch=steps, epochs=4, verbose=0, shuffle=False, validation_data=dataset(its, 7)
            )
        )
    )


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 9])
def test_arrays_in_steps(steps):
    assert_equal(histories(lambda model, _: model.fit(X, Y, 5, 5, 0, shuffle=False, steps_per_epoch=steps)))


def test_class_weight_with_a_dataset():
    assert_equal(
        histories(
            lambda model, its: model.fit(
                dataset(its), epochs=2, verbose=0, shuffle=False, class_weight={0: 1.0, 1: 3.0}
            )
        )
    )


def test_batches_of_pytorch():
    pairs = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    assert_equal(
        histories(
            lambda model, _: model.fit(
                torch.utils.data.DataLoader(pairs, batch_size=6), epochs=3, verbose=0, shuffle=False
            )
        )
    )


def test_evaluate_and_predict():
    assert_equal(histories(lambda model, _: model.evaluate(endless(), steps=4, verbose=0)))
    assert_equal(histories(lambda model, its: model.evaluate(dataset(its), verbose=0)))
    assert_equal(histories(lambda model, _: model.predict(endless(), steps=4, verbose=0)))
    assert_equal(histories(lambda model, its: model.predict(dataset(its), verbose=0)))


@pytest.mark.parametrize("dtype", ["float64", "float16", "uint8", "int64", "bool"])
def test_arrays_of_any_type(dtype):
    x = (np.abs(X) * 3).astype(dtype)
    assert_equal(histories(lambda model, _: model.fit(x, Y, 5, 3, 0, shuffle=False, validation_split=0.3)))
    assert_equal(histories(lambda model, _: model.predict(x, verbose=0)))
