"""The same program, with Keras and with minitl: callbacks, names and numbers of the history, single batches."""

import random
from contextlib import nullcontext

import keras
import numpy as np
import pytest

import minitl
from minitl import layers, metrics, optimizers, training

X = np.random.default_rng(0).standard_normal((23, 4)).astype(np.float32)
Y = (X[:, 0] > X[:, 1]).astype(int)
KERAS = keras.Sequential, keras.layers, keras.callbacks, keras.optimizers
MINITL = minitl.Sequential, layers, training, optimizers
LIBRARIES = [KERAS, MINITL]


def classifiers(metrics=("acc",), optimizer="sgd", **compiling):
    """Return [(model, its library)] of Keras and of minitl, with the same weights."""
    found = []
    for library in LIBRARIES:
        sequential, its_layers, _, its_optimizers = library
        model = sequential([its_layers.Input((4,)), its_layers.Dense(2, activation="softmax")])
        if found:
            model.set_weights(found[0][0].get_weights())
        arguments = {} if optimizer is None else {"optimizer": optimizer}
        if callable(optimizer):
            arguments = {"optimizer": optimizer(its_optimizers)}
        model.compile(loss="sparse_categorical_crossentropy", metrics=list(metrics), **arguments, **compiling)
        found.append((model, library))
    return found


def assert_same_history(found, expected):
    assert set(found) == set(expected)
    for name in expected:
        assert np.allclose(found[name], expected[name], rtol=1e-5, atol=1e-6), name


def watching(callback_class, seen):
    """Return a callback that notes each call of a hook, its number, and the names in its logs."""
    methods = {
        name: lambda self, *given, name=name, **named: seen.append(
            (name, given[:1] if isinstance(given[0], int) else (), sorted(named.get("logs", given[-1]) or {}))
        )
        for name in training.callbacks.HOOKS
        if name != "on_interrupt"
    }
    return type("Watch", (callback_class,), methods)()


def test_hooks():
    calls = []
    for model, library in classifiers():
        seen = []
        watch = watching(library[2].Callback, seen)
        model.fit(X, Y, 5, 2, verbose=0, validation_split=0.3, callbacks=[watch])
        model.evaluate(X, Y, 10, verbose=0, callbacks=[watch])
        model.predict(X, 10, verbose=0, callbacks=[watch])
        calls.append(seen)
    assert calls[1] == calls[0] and len(calls[0]) > 40


def test_old_hooks():
    calls = []
    for model, library in classifiers():
        seen = []
        methods = {
            name: lambda self, batch, logs=None, name=name, seen=seen: seen.append((name, batch, sorted(logs)))
            for name in ("on_batch_begin", "on_batch_end")
        }
        model.fit(X, Y, 5, verbose=0, callbacks=[type("Old", (library[2].Callback,), methods)()])
        calls.append(seen)
    assert calls[1] == calls[0] and len(calls[0]) == 10


@pytest.mark.parametrize("name", ["acc", "accuracy", "SparseCategoricalAccuracy", "sparse_categorical_accuracy"])
def test_names_of_metrics(name):
    expected, found = (
        model.fit(X, Y, 5, 2, 0, shuffle=False, validation_split=0.25).history for model, _ in classifiers([name])
    )
    assert_same_history(found, expected)


def test_the_default_optimizer():
    expected, found = (model.fit(X, Y, 5, 3, 0, shuffle=False).history for model, _ in classifiers(optimizer=None))
    assert_same_history(found, expected)


@pytest.mark.parametrize(
    "make",
    [
        lambda callbacks: callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)),
        lambda callbacks: callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5),
        lambda callbacks: callbacks.LearningRateScheduler(lambda epoch, rate=7.0: rate * 0.5),
        lambda callbacks: callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=9),
        lambda callbacks: callbacks.EarlyStopping("val_loss", patience=1, min_delta=9),
        lambda callbacks: callbacks.EarlyStopping("acc", mode="min"),
    ],
)
def test_what_callbacks_change(make):
    expected, found = (
        model.fit(X, Y, 5, 4, 0, [make(library[2])], 0.25, shuffle=False).history for model, library in classifiers()
    )
    assert_same_history(found, expected)


@pytest.mark.parametrize("share", [0.25, 0.3, 0.29, 0.1, 0.05, 0.9])
def test_where_the_validation_begins(share):
    expected, found = (
        model.fit(X, Y, 5, 1, 0, validation_split=share, shuffle=False).history for model, _ in classifiers()
    )
    assert_same_history(found, expected)


def test_validation_options():
    options = {"validation_freq": 2, "validation_batch_size": 3, "validation_steps": 2}
    expected, found = (
        model.fit(X, Y, 5, 4, 0, validation_split=0.5, shuffle=False, **options).history for model, _ in classifiers()
    )
    assert_same_history(found, expected)


@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_train_batch_begin", "on_epoch_begin", "on_epoch_end"])
def test_stopping(hook):
    histories = []
    for model, library in classifiers():

        def stop(self, number, logs=None):
            if number == 1:
                self.model.stop_training = True

        callback = type("Stop", (library[2].Callback,), {hook: stop})()
        histories.append(model.fit(X, Y, 5, 3, 0, [callback], 0.25, shuffle=False).history)
    assert_same_history(histories[1], histories[0])


def test_a_schedule_is_not_replaced():
    for model, library in classifiers(optimizer=lambda its: its.SGD(its.schedules.CosineDecay(0.1, 400))):
        for callback in (
            library[2].ReduceLROnPlateau("loss", patience=1, min_delta=9),
            library[2].LearningRateScheduler(lambda epoch, rate: rate),
        ):
            with pytest.raises((TypeError, minitl.errors.ArgumentError)):
                model.fit(X, Y, 5, 4, 0, [callback])
        with pytest.raises((TypeError, minitl.errors.ArgumentError)):
            model.optimizer.learning_rate = 0.1


def test_single_batches():
    numbers = []
    weights = np.linspace(0.1, 2, len(Y))
    for model, _ in classifiers():
        numbers.append(
            [
                model.train_on_batch(X, Y, weights),
                model.train_on_batch(X, Y, class_weight={0: 1.0, 1: 5.0}),
                model.test_on_batch(X, Y),
                model.test_on_batch(X, Y, weights),
                *model.predict_on_batch(X),
                *model.get_weights(),
            ]
        )
    for found, expected in zip(numbers[1], numbers[0]):
        assert np.allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("values", [[np.nan, 0.9, 0.8, 0.7, 0.6], [0.9, np.nan, 0.8, np.nan, np.nan, np.nan, 0.1]])
def test_numbers_that_are_none(values):
    epochs = []
    for model, library in classifiers():

        def say(self, epoch, logs=None):
            logs["loss"] = values[epoch]

        say = type("Say", (library[2].Callback,), {"on_epoch_end": say})()
        stop = library[2].EarlyStopping("loss", patience=2, restore_best_weights=True)
        with pytest.warns(UserWarning) if library is MINITL and values[0] != values[0] else nullcontext():
            model.fit(X, Y, 5, len(values), 0, [say, stop])
        epochs.append((stop.stopped_epoch, stop.best_epoch, repr(float(stop.best))))
    assert epochs[1] == epochs[0]


def test_binary_accuracy_of_soft_labels(rng):
    y_true, y_pred = rng.choice([0, 0.3, 0.5, 0.7, 1], (200, 3)), rng.random((200, 3)).astype(np.float32)
    for threshold in 0.5, 0.3:
        ours, theirs = (each.BinaryAccuracy("b", None, threshold) for each in (metrics, keras.metrics))
        ours.update(y_true, y_pred)
        theirs.update_state(y_true, y_pred)
        assert ours.name == theirs.name == "b" and ours.result() == pytest.approx(float(theirs.result()))


def test_one_seed():
    draws = []
    for seed in (minitl.set_random_seed, keras.utils.set_random_seed):
        seed(5)
        draws.append((np.random.rand(), random.random()))  # noqa: NPY002
    assert draws[0] == draws[1]
