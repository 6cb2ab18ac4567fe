"""Callbacks: they follow Keras's rules (`peers/test_callbacks.py` compares), and are tried on small trainings."""

import csv

import numpy as np
import pytest

from minitl import optimizers
from minitl.errors import ArgumentError, CheckpointError
from minitl.layers import Dense
from minitl.models import Sequential, load_model
from minitl.training import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
)


@pytest.fixture
def task(rng):
    """Return a model, and data that it can learn."""
    x = rng.standard_normal((40, 5)).astype(np.float32)
    y = (x @ rng.standard_normal((5, 3))).argmax(axis=1)
    model = Sequential([Dense(3, activation="softmax", input_shape=(5,), name="out")])
    model.compile(optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, x, y


class Logs(Callback):
    """A callback that replaces the numbers of the epochs with those of the test."""

    def __init__(self, **numbers):
        self.numbers = numbers

    def on_epoch_end(self, epoch, logs=None):
        logs.update({name: values[epoch] for name, values in self.numbers.items()})


def fit(task, *callbacks, epochs=10):
    model, x, y = task
    return model.fit(x, y, epochs=epochs, verbose=0, callbacks=list(callbacks))


def test_early_stopping_and_the_best_weights(task):
    model = task[0]
    seen = []

    class Watch(Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.model.get_weights())

    stop = EarlyStopping(patience=2, restore_best_weights=True)
    history = fit(task, Logs(val_loss=[5, 4, 3, 3.5, 3.2, 1, 0]), Watch(), stop)
    assert len(history.epoch) == 5 and stop.stopped_epoch == 4 and stop.best_epoch == 2 and stop.best == 3
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), seen[2]))


def test_early_stopping_the_other_way_round(task):
    for mode, monitor in ("auto", "accuracy"), ("max", "val_something"):
        stop = EarlyStopping(monitor, mode=mode, patience=1, min_delta=0.05)
        assert len(fit(task, Logs(**{monitor: [0.5, 0.6, 0.62, 0.9]}), stop, epochs=4).epoch) == 3
    stop = EarlyStopping("loss", start_from_epoch=3, patience=0)
    assert len(fit(task, Logs(loss=[1, 2, 3, 4, 5, 6]), stop, epochs=6).epoch) == 5
    stop = EarlyStopping("loss", baseline=0.5, patience=2)
    assert len(fit(task, Logs(loss=[9, 8, 8.5, 6]), stop, epochs=4).epoch) == 3, "better, but not good enough"


def test_the_best_weights_come_back_after_an_error_too(task):
    class Fail(Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise RuntimeError("the power is gone")

    kept = []

    class Keep(Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept.append(self.model.get_weights())

    with pytest.raises(RuntimeError, match="the power is gone"):
        fit(
            task,
            Logs(loss=[1, 2, 3]),
            EarlyStopping("loss", patience=9, restore_best_weights=True),
            Keep(),
            Fail(),
        )
    assert all(np.array_equal(a, b) for a, b in zip(task[0].get_weights(), kept[0]))


def test_reducing_the_rate_on_a_plateau(task):
    rates = []

    class Watch(Callback):
        def on_epoch_end(self, epoch, logs=None):
            rates.append(self.model.optimizer.learning_rate)

    reduce = ReduceLROnPlateau("loss", factor=0.5, patience=2, cooldown=1, min_lr=0.03)
    fit(task, Logs(loss=[1, 1, 1, 1, 1, 1, 1, 0.5, 1, 1]), reduce, Watch())
    assert np.allclose(rates, [0.1, 0.1, 0.05, 0.05, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03], rtol=1e-6)


def test_checkpoints(task, tmp_path):
    path = tmp_path / "{epoch:02d}-{loss:.1f}.h5"
    fit(task, Logs(loss=[3, 2, 2.5, 1]), ModelCheckpoint(path, "loss", save_best_only=True), epochs=4)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["01-3.0.h5", "02-2.0.h5", "04-1.0.h5"]
    saved = load_model(tmp_path / "04-1.0.h5")
    assert all(np.array_equal(a, b) for a, b in zip(saved.get_weights(), task[0].get_weights()))
    fit(task, ModelCheckpoint(tmp_path / "w.weights.h5", save_weights_only=True), epochs=1)
    task[0].load_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ArgumentError, match="names 'val_loss', and the epoch has loss, accuracy"):
        fit(task, ModelCheckpoint(tmp_path / "{val_loss}.h5"), epochs=1)


def test_a_table_of_the_epochs(task, tmp_path):
    path = tmp_path / "log.csv"
    history = fit(task, CSVLogger(path), epochs=2)
    fit(task, CSVLogger(path, append=True), epochs=1)
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "0"] and list(rows[0]) == ["epoch", "accuracy", "loss"]
    assert float(rows[1]["loss"]) == pytest.approx(history.history["loss"][1])
    with pytest.raises(CheckpointError, match="cannot be written"):
        fit(task, EarlyStopping("loss"), CSVLogger(tmp_path / "no" / "folder.csv"), epochs=1)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: EarlyStopping(mode="up"), "mode is 'up'"),
        (lambda: EarlyStopping(patience=-1), "patience is -1"),
        (lambda: ReduceLROnPlateau(factor=1), "factor is 1"),
        (lambda: ReduceLROnPlateau(factor="half"), "factor is 'half'"),
        (lambda: ReduceLROnPlateau(min_lr="low"), "min_lr is 'low'"),
        (lambda: ReduceLROnPlateau(cooldown=-1), "cooldown is -1"),
        (lambda: EarlyStopping(min_delta="a"), "min_delta is 'a'"),
        (lambda: EarlyStopping(baseline="a"), "baseline is 'a'"),
        (lambda: EarlyStopping(start_from_epoch=None), "start_from_epoch is None"),
        (lambda: EarlyStopping(None), "monitor is None"),
        (lambda: ModelCheckpoint("a.h5", save_freq=0), "save_freq is 0"),
        (lambda: ModelCheckpoint("a.h5", initial_value_threshold="a"), "initial_value_threshold is 'a'"),
        (lambda: CSVLogger(None), "filename is None"),
        (lambda: CSVLogger("log.csv", separator=";;"), "separator is ';;'"),
    ],
)
def test_arguments_that_make_no_sense(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_a_monitor_that_does_not_exist_is_told(task):
    with pytest.raises(ArgumentError, match="EarlyStopping monitors 'val_loss', .* Give fit validation_data"):
        fit(task, EarlyStopping(), epochs=1)


def test_a_schedule_by_epochs_sets_the_rate(task):
    fit(task, LearningRateScheduler(lambda epoch, rate: rate / 2), epochs=3)
    assert task[0].optimizer.learning_rate == pytest.approx(0.0125)
