"""Programs written for Keras: what they hand over is done as Keras does it, or refused before the first batch.

`tests/peers/test_programs.py` runs the same programs with both libraries.
"""

import os
import random

import numpy as np
import pytest

import minitl
from minitl import metrics, optimizers, training
from minitl.errors import ArgumentError, CheckpointError, DataError, MinitlError, NotHereError
from minitl.files import locks
from minitl.layers import BatchNormalization, Dense, Input, Layer
from minitl.losses import Loss, MeanSquaredError, SparseCategoricalCrossentropy
from minitl.models import Model, Sequential
from minitl.training import (
    BackupAndRestore,
    Callback,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)

X, Y = np.eye(8, 4, dtype=np.float32) + np.eye(8, 4, -4, dtype=np.float32), np.arange(8) % 2


def small(metrics=("acc",), optimizer="sgd", **options):
    """Return a compiled classifier of two classes."""
    model = Sequential([Dense(2, "softmax", input_shape=(4,), name="out")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=list(metrics), **options)
    return model


class Count(Callback):
    """Counts the batches that were trained."""

    def __init__(self):
        self.batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1


def refused(callbacks, error=ArgumentError, match=None, model=None, **options):
    """Check that a training with these callbacks is refused before its first batch, and leaves the weights."""
    model, count = model or small(), Count()
    before = model.get_weights()
    with pytest.raises(error, match=match):
        model.fit(X, Y, 2, verbose=0, callbacks=[*callbacks, count], **options)
    assert count.batches == 0 and all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


# ---- import paths ----


def test_keras_import_paths():
    from minitl.callbacks import EarlyStopping, LambdaCallback, TerminateOnNaN  # noqa: F401
    from minitl.initializers import GlorotUniform  # noqa: F401
    from minitl.losses import BinaryCrossentropy  # noqa: F401
    from minitl.metrics import BinaryAccuracy  # noqa: F401
    from minitl.models import load_model
    from minitl.optimizers import RMSprop  # noqa: F401
    from minitl.optimizers.schedules import CosineDecay, ExponentialDecay, LearningRateSchedule
    from minitl.saving import load_model as same
    from minitl.utils import set_random_seed, to_categorical  # noqa: F401

    class Halving(LearningRateSchedule):
        def __call__(self, step):
            return 0.5**step

    assert optimizers.SGD(Halving()).learning_rate == 1 and issubclass(ExponentialDecay, CosineDecay.__base__)
    with pytest.raises(ArgumentError, match="class LearningRateSchedule has no __call__"):
        optimizers.SGD(LearningRateSchedule())
    assert (
        issubclass(Dense, minitl.Layer)
        and minitl.saving.load_model is load_model is same
        and minitl.callbacks.History is History
    )


# ---- names and numbers of the history ----


@pytest.mark.parametrize("name", ["acc", "accuracy", "sparse_categorical_accuracy", "SparseCategoricalAccuracy"])
def test_a_metric_is_called_as_it_was_given(name):
    history = small([name]).fit(X, Y, verbose=0, validation_split=0.5).history
    assert list(history) == ["loss", name, "val_loss", f"val_{name}"]
    small([name]).fit(X, Y, verbose=0, validation_split=0.5, callbacks=EarlyStopping(f"val_{name}", mode="max"))


def test_a_metric_object_has_the_name_that_it_was_given():
    model = small([metrics.SparseCategoricalAccuracy(name="right")])
    assert list(model.fit(X, Y, verbose=0).history) == ["loss", "right"]
    assert (
        metrics.BinaryAccuracy("b", None, 0.3).threshold == 0.3 and metrics.BinaryAccuracy().name == "binary_accuracy"
    )
    for wrong in lambda: metrics.BinaryAccuracy(0.3), lambda: metrics.TopKCategoricalAccuracy(k=0):
        with pytest.raises(ArgumentError, match="name is 0.3; expected a|k is 0"):
            wrong()


def test_what_callbacks_add_stands_in_the_history():
    model, given = small(), History()

    def add(epoch, logs):
        logs["twice"] = 2 * logs["loss"]

    rates = LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    found = model.fit(X, Y, epochs=2, verbose=0, callbacks=[LambdaCallback(on_epoch_end=add), rates, given])
    assert found is given is model.history and found.history["learning_rate"] == [0.1, 0.05]
    assert found.history["twice"] == [2 * loss for loss in found.history["loss"]]
    plateau = ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=10)
    assert small().fit(X, Y, epochs=3, verbose=0, callbacks=plateau).history["learning_rate"] == [0.01, 0.01, 0.005]


def test_soft_labels_are_never_right_for_a_binary_accuracy():
    metric = metrics.BinaryAccuracy()
    metric.update(np.array([[0.7], [1.0], [0.3], [0.0]]), np.array([[0.9], [0.51], [0.1], [0.2]], np.float32))
    assert metric.result() == 0.5


class F1(metrics.Metric):
    name = "f1"

    def score(self, y_true, y_pred):
        return (y_pred.argmax(-1) == y_true).astype(float)


class Odd(F1):
    name = "odd"


class Error(F1):
    name = "odd_too"
    larger_is_better = False


@pytest.mark.parametrize(
    "metric, monitor, larger_is_better",
    [
        ("acc", "val_acc", True),
        (F1(), "f1", True),
        (Error(), "val_odd_too", False),
        ("acc", "val_loss", False),
        (F1(name="my_auc"), "my_auc", True),
        (F1(name="precision"), "val_precision", True),
        (F1(name="mean_absolute_error"), "mean_absolute_error", False),
    ],
)
def test_which_numbers_are_better(metric, monitor, larger_is_better):
    for watch in EarlyStopping(monitor), ReduceLROnPlateau(monitor):
        small([metric]).fit(X, Y, verbose=0, validation_split=0.5, callbacks=watch)
        assert watch.larger_is_better is larger_is_better


def test_a_name_that_says_no_direction_is_refused():
    refused([EarlyStopping("odd")], match="monitors 'odd' with mode='auto'.*Pass mode='max'", model=small([Odd()]))
    small([Odd()]).fit(X, Y, verbose=0, callbacks=EarlyStopping("odd", mode="min"))


def test_a_metric_of_your_own_may_have_keras_names_of_its_methods():
    class Rows(metrics.Metric):
        def reset_state(self):
            self.rows = 0

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.rows += len(y_pred)

        def result(self):
            return float(self.rows)

    history = small([Rows(name="rows")]).fit(X, Y, epochs=2, verbose=0).history
    assert history["rows"] == [len(X)] * 2, "every epoch begins anew"

    class OfKeras1(metrics.Metric):
        def reset_states(self):
            pass

    with pytest.raises(ArgumentError, match=r"class OfKeras1 defines reset_states\(\).*A metric defines score"):
        small([OfKeras1()])
    with pytest.raises(MinitlError, match="has no score"):
        small([metrics.Metric()]).fit(X, Y, verbose=0)


def test_losses_and_optimizers_of_keras_are_refused():
    def written(call):
        return type("Mine", (Loss,), {"call": call} if call else {"forward": lambda self, y_true, y_pred: 0.0})()

    model = small()
    before = model.loss, model.optimizer
    for loss, message in (
        (written(print), r"class Mine has no slope\(\). A loss defines call.* and slope"),
        (written(None), r"Mine has no slope\(\)"),
    ):
        with pytest.raises(ArgumentError, match=message):
            model.compile("sgd", loss)
    stepping = type("Stepping", (optimizers.SGD,), {"update_step": print})()
    with pytest.raises(ArgumentError, match=r"class Stepping defines update_step\(\).*update\(parameter, gradient"):
        model.compile(stepping, "mse")
    assert before == (model.loss, model.optimizer)


# ---- callbacks ----


def test_every_hook_is_called_in_order_with_logs():
    seen = []

    class Watch(Callback):
        pass

    for name in training.callbacks.HOOKS:
        setattr(Watch, name, lambda self, *given, name=name: seen.append((name, *given)))
    model, watch = small(), Watch()
    model.fit(X, Y, 4, validation_split=0.25, verbose=0, callbacks=watch)
    names = [name.removeprefix("on_") for name, *_ in seen]
    assert names == [
        *("train_begin", "epoch_begin"),
        *("train_batch_begin", "train_batch_end") * 2,
        *("test_begin", "test_batch_begin", "test_batch_end", "test_end"),
        *("epoch_end", "train_end"),
    ]
    logs = dict(zip(names, (given[-1] for _, *given in seen)))
    assert all(type(each) is dict for each in logs.values())
    assert logs["train_begin"] == logs["epoch_begin"] == logs["train_batch_begin"] == logs["test_batch_begin"] == {}
    assert list(logs["train_batch_end"]) == list(logs["test_end"]) == list(logs["test_batch_end"]) == ["loss", "acc"]
    assert logs["train_end"] == logs["epoch_end"] and list(logs["epoch_end"]) == ["loss", "acc", "val_loss", "val_acc"]
    assert watch.model is model and watch.params == {"verbose": 0, "epochs": 1, "steps": 2}
    seen.clear()
    results = model.evaluate(X, Y, 4, verbose=0, callbacks=[watch], return_dict=True)
    assert [name for name, *_ in seen] == [
        "on_test_begin",
        *["on_test_batch_begin", "on_test_batch_end"] * 2,
        "on_test_end",
    ]
    assert seen[-1][1] == results
    seen.clear()
    y = model.predict(X, 5, verbose=0, callbacks=[watch])
    begin_and_end = ["on_predict_batch_begin", "on_predict_batch_end"]
    assert [name for name, *_ in seen] == ["on_predict_begin", *begin_and_end * 2, "on_predict_end"]
    assert seen[4][1] == 1 and np.array_equal(seen[4][2]["outputs"], y[5:]) and len(y) == 8


def test_old_names_of_hooks():
    losses = []
    old = type("Old", (Callback,), {"on_batch_end": lambda self, batch, logs=None: losses.append(logs["loss"])})
    small().fit(X, Y, 1, verbose=0, callbacks=[old()])
    assert len(losses) == 8


def test_what_a_lambda_callback_cannot_be():
    for wrong in {"on_epoch_and": print}, {"on_epoch_end": 3}:
        with pytest.raises(ArgumentError, match="LambdaCallback: on_epoch_.* expected functions named after"):
            LambdaCallback(**wrong)
    small().fit(X, Y, verbose=0, callbacks=[TerminateOnNaN(), LambdaCallback(on_train_end=None)])


@pytest.mark.parametrize("event", ["on_train_batch_end", "on_train_batch_begin", "on_epoch_begin"])
def test_stopping_acts_after_the_batch(event):
    count = Count()

    def stop(number, logs):
        model.stop_training = number == (0 if event == "on_epoch_begin" else 2)

    model = small()
    history = model.fit(X, Y, 2, epochs=3, verbose=0, callbacks=[LambdaCallback(**{event: stop}), count])
    assert count.batches == (1 if event == "on_epoch_begin" else 3) and history.epoch == [0]


def test_stopping_an_evaluation_and_a_prediction():
    model = small()

    def stop(batch, logs):
        model.stop_evaluating = model.stop_predicting = True

    callback = LambdaCallback(on_test_batch_end=stop, on_predict_batch_end=stop)
    assert len(model.predict(X, 3, verbose=0, callbacks=callback)) == 3
    assert model.evaluate(X, Y, 3, 0, callbacks=callback) == model.evaluate(X[:3], Y[:3], verbose=0)
    assert model.evaluate(X, Y, 3, verbose=0, steps=1) == model.evaluate(X[:3], Y[:3], verbose=0)
    assert len(model.predict(X, 3, verbose=0, steps=2)) == 6


def test_a_stopped_epoch_that_is_resumed_is_not_trained_further(tmp_path):
    def training_of(folder, failing):
        model, count = small(), Count()

        def stop(batch, logs):
            model.stop_training = batch == 1

        def fail(logs):
            if failing:
                raise RuntimeError("the power is gone")

        callbacks = [LambdaCallback(on_train_batch_end=stop, on_test_begin=fail), count]
        callbacks += [BackupAndRestore(folder, save_freq=1)]
        history = model.fit(X, Y, 2, 3, verbose=0, callbacks=callbacks, validation_split=0.25)
        return history.history, count.batches, model.get_weights()

    minitl.set_random_seed(1)
    whole = training_of(tmp_path / "whole", False)
    minitl.set_random_seed(1)
    with pytest.raises(RuntimeError):
        training_of(tmp_path / "broken", True)
    resumed = training_of(tmp_path / "broken", False)
    assert whole[1] == 2 and resumed[1] == 0 and whole[0] == resumed[0]
    assert all(np.array_equal(a, b) for a, b in zip(whole[2], resumed[2]))


def test_validation_options():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((10, 4)).astype(np.float32), rng.integers(0, 2, 10)
    validated, batches = [], []
    watch = LambdaCallback(
        on_test_end=lambda logs: validated.append(logs["loss"]),
        on_test_batch_end=lambda batch, logs: batches.append(batch),
    )
    model = small()
    history = model.fit(
        x, y, 4, 4, 0, [watch, EarlyStopping(patience=9)], 0.25,
        validation_batch_size=2, validation_steps=1, validation_freq=2,
    ).history  # fmt: skip
    assert len(history["loss"]) == 4 and history["val_loss"] == validated and len(validated) == 2 and batches == [0, 0]
    assert len(model.fit(x, y, 4, 3, 0, validation_data=(x, y), validation_freq=[1, 3]).history["val_loss"]) == 2


def test_validation_split_cuts_where_keras_cuts():
    seen = []
    for count, share in (10, 0.25), (7, 0.3), (100, 0.29), (8, 0.01):
        counted = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
        seen.clear()
        small().fit(X[:1].repeat(count, 0), np.zeros(count), 1, verbose=0, callbacks=counted, validation_split=share)
        assert len(seen) == int(np.floor(count * (1 - share)))


# ---- what is refused before the first batch ----


@pytest.mark.parametrize(
    "make", [EarlyStopping, ReduceLROnPlateau, lambda m: ModelCheckpoint("x.h5", m, save_best_only=True)]
)
@pytest.mark.parametrize("monitor", ["val_acc", "val_loss", "accuracy"])
def test_a_monitor_that_no_epoch_will_have(make, monitor):
    hint = r"\. Give fit validation_data" if monitor.startswith("val_") else ""
    refused([make(monitor)], match=f"monitors '{monitor}', and the epoch has loss, acc.*{hint}")
    make(monitor.replace("accuracy", "acc"))  # a number that another callback may add is waited for
    added = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update({monitor: 1.0}))
    if make is not ReduceLROnPlateau and make is EarlyStopping:
        small().fit(X, Y, verbose=0, callbacks=[added, make(monitor)])


@pytest.mark.parametrize(
    "rate", [ReduceLROnPlateau("loss"), LearningRateScheduler(lambda epoch: 0.1), LearningRateScheduler(max)]
)
def test_a_callback_that_would_replace_a_schedule(rate):
    model = small(optimizer=optimizers.SGD(optimizers.CosineDecay(0.1, 10)))
    refused([rate], match="sets the learning rate, and so does the optimizer's CosineDecay", model=model)


def test_what_a_schedule_by_epochs_returns():
    for wrong in None, "0.1", True, np.zeros(2):

        def schedule(epoch, rate, wrong=wrong):
            return wrong

        refused([LearningRateScheduler(schedule)], match="returned .* for epoch 0; expected a num")
    with pytest.raises(ArgumentError, match="schedule is 0.1; expected a function"):
        LearningRateScheduler(0.1)
    for good in lambda epoch: 0.2, lambda epoch, rate: 0.2, lambda epoch, rate=None: np.float32(0.2), lambda *a: 0.2:
        model = small()
        model.fit(X, Y, verbose=0, callbacks=LearningRateScheduler(good, 0))
        assert model.optimizer.learning_rate == pytest.approx(0.2)


def test_errors_within_a_schedule_are_its_own():
    def schedule(epoch, rate):
        return rate + "?"

    with pytest.raises(TypeError, match="unsupported operand"):
        small().fit(X, Y, verbose=0, callbacks=LearningRateScheduler(schedule))


def paths_that_cannot_work(folder):
    (folder / "file").write_text("no folder")
    (folder / "taken.h5").mkdir()
    (folder / "taken.csv").mkdir()
    long = "n" * 300
    return [
        (lambda: ModelCheckpoint(folder / "file" / "m.h5"), "cannot be written"),
        (lambda: ModelCheckpoint(folder / "taken.h5"), "it is a folder"),
        (lambda: ModelCheckpoint("/proc/no/m.h5"), "cannot be written"),
        (lambda: ModelCheckpoint(folder / f"{long}.h5"), "cannot be written"),
        (lambda: ModelCheckpoint(folder / "m.png"), "minitl writes HDF5"),
        (lambda: ModelCheckpoint(folder / "{val_loss}.h5"), "names 'val_loss', and the epoch has loss, acc"),
        (lambda: ModelCheckpoint(folder / "{epoch:zz}.h5"), "names|pattern"),
        (lambda: ModelCheckpoint(folder / "{epoch.h5"), "is no pattern"),
        (lambda: ModelCheckpoint(folder / "{}.h5"), "names"),
        (lambda: ModelCheckpoint(""), "filepath is ''"),
        (lambda: ModelCheckpoint(None), "filepath is None"),
        (lambda: CSVLogger(folder / "no" / "log.csv"), "cannot be written"),
        (lambda: CSVLogger(folder / "taken.csv"), "it is a folder"),
        (lambda: CSVLogger("/proc/log.csv"), "cannot be written"),
        (lambda: BackupAndRestore(""), "backup_dir is ''"),
        (lambda: BackupAndRestore(folder / "file"), "cannot be made|cannot be written"),
        (lambda: BackupAndRestore("/proc/run"), "cannot be made|cannot be written"),
    ]


def test_paths_are_tried_before_the_first_batch(tmp_path):
    for make, message in paths_that_cannot_work(tmp_path):
        model, count = small(), Count()
        with pytest.raises(MinitlError, match=message):
            model.fit(X, Y, 2, verbose=0, callbacks=[count, make()])
        assert count.batches == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken.csv", "taken.h5"], (
        "nothing is left behind"
    )


def test_a_checkpoint_makes_its_folder(tmp_path):
    path = tmp_path / "runs" / "{epoch}" / "m-{batch}.h5"
    small().fit(X, Y, 2, 2, verbose=0, callbacks=ModelCheckpoint(path, save_freq=3))
    assert sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*.h5")) == [
        "runs/1/m-3.h5",
        "runs/2/m-2.h5",
    ]
    worse = ModelCheckpoint(tmp_path / "worse.h5", "loss", save_best_only=True, initial_value_threshold=1e-9)
    small().fit(X, Y, verbose=0, callbacks=worse)
    assert not (tmp_path / "worse.h5").exists()
    refused(
        [ModelCheckpoint(tmp_path / "v.h5", save_best_only=True, save_freq=2)], match="val_loss", validation_split=0.5
    )


def test_a_name_of_another_format_is_refused(tmp_path):
    for name in "model.png", "model.npz", "model.H6":
        for save in small().save, small().save_weights:
            with pytest.raises(ArgumentError, match="minitl writes HDF5"):
                save(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_other_mistakes_are_found_before_the_first_batch():
    refused([], match="class_weight is {5: 1.0}", class_weight={5: 1.0})
    refused([], DataError, "labels|x", validation_data=(X, Y[:3]))
    refused([], MinitlError, r"expected an input of shape \(N, 4\), found \(8, 3\)", validation_data=(X[:, :3], Y))
    refused([EarlyStopping], match=r"the class EarlyStopping; expected an object of it, as EarlyStopping\(\)")
    assert small().fit(X, Y, epochs=0, verbose=0).history == {}


# ---- nothing is left behind ----


def test_a_lock_leaves_no_file_and_is_held_by_one(tmp_path, monkeypatch):
    first = locks.Lock(tmp_path / "run", "busy")
    with pytest.raises(CheckpointError, match="busy"):
        locks.Lock(tmp_path / "run", "busy")
    first.release()
    assert os.listdir(tmp_path) == []
    opened, found = [], locks._lock_file

    def open_it(target):
        """Open the file just before its owner removes it, the first time."""
        opened.append(found(target))
        if len(opened) == 1:
            os.unlink(opened[0].name)
        return opened[-1]

    monkeypatch.setattr(locks, "_lock_file", open_it)
    second = locks.Lock(tmp_path / "run", "busy")
    assert len(opened) == 2 and second.file is opened[1] and os.listdir(tmp_path) == [".run.lock"]
    second.release()


def test_a_finished_training_leaves_no_files(tmp_path):
    folder = tmp_path / "run"
    small().fit(X, Y, verbose=0, callbacks=BackupAndRestore(folder))
    assert not folder.exists()
    small().fit(X, Y, verbose=0, callbacks=BackupAndRestore(folder, delete_checkpoint=False))
    assert [path.suffix for path in folder.iterdir()] == [".safetensors"] * len(os.listdir(folder))
    other = tmp_path / "other"
    refused([BackupAndRestore(other), EarlyStopping("no")], match="monitors 'no'")
    assert not other.exists()


class Broken(metrics.Metric):
    """A metric that fails when it is updated with a whole batch."""

    name = "broken"

    def update(self, y_true, y_pred, sample_weight=None):
        raise RuntimeError("the metric is broken")


def test_an_error_in_a_step_leaves_the_weights():
    model = Sequential([BatchNormalization(input_shape=(4,)), Dense(2, "softmax")])
    model.compile(optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=[Broken()])
    before = model.get_weights()
    for step in lambda: model.train_on_batch(X, Y), lambda: model.fit(X, Y, verbose=0):
        with pytest.raises(RuntimeError, match="the metric is broken"):
            step()
        assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    assert model.optimizer.iterations == 0 and model.optimizer.state == {}


def test_weights_of_single_batches():
    model = Sequential([Dense(1, input_shape=(4,), kernel_initializer="ones")])
    model.compile("sgd", "mse")
    before = model.get_weights()
    assert model.train_on_batch(X, np.zeros(8), np.zeros(8)) == 0
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    with pytest.raises(DataError):
        model.train_on_batch(X, np.zeros(8), np.zeros(3))
    one, two = small(), small()
    two.set_weights(one.get_weights())
    one.train_on_batch(X, Y, class_weight={1: 3})
    two.train_on_batch(X, Y, np.where(Y == 1, 3.0, 1.0))
    assert all(np.allclose(a, b) for a, b in zip(one.get_weights(), two.get_weights()))
    assert one.test_on_batch(X, Y) == one.evaluate(X, Y, 8, verbose=0)
    assert one.test_on_batch(X, Y, np.ones(8), return_dict=True).keys() == {"loss", "acc"}
    assert np.array_equal(one.predict_on_batch(X), one.predict(X, 8, verbose=0))


@pytest.mark.parametrize("event", ["on_train_batch_begin", "on_train_batch_end", "on_epoch_begin", "on_epoch_end"])
@pytest.mark.parametrize("first", [True, False])
def test_the_best_weights_of_a_layer_that_is_unfrozen_later(event, first):
    """Whenever a callback unfreezes it, its weights of the best epoch come back."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((12, 4)).astype(np.float32), rng.integers(0, 2, 12)
    model = Sequential([Dense(3, input_shape=(4,), name="late"), Dense(2, "softmax")])
    model.compile(optimizers.SGD(1.0), "sparse_categorical_crossentropy")
    model.get_layer("late").trainable = False
    late, best = model.get_layer("late").get_weights(), []

    class Unfreeze(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_epoch_end(self, epoch, logs=None):
            logs["loss"] = float(epoch)  # the first epoch is the best one
            if epoch == 0:
                best.append(model.get_weights())

    def unfreeze(number, logs):
        if unfreezing.epoch == 1 and (number == 1 or event.startswith("on_epoch")):
            model.get_layer("late").trainable = True

    unfreezing, stop = Unfreeze(), EarlyStopping("loss", patience=9, restore_best_weights=True)
    other = LambdaCallback(**{event: unfreeze})
    callbacks = [unfreezing, other, stop] if first else [unfreezing, stop, other]
    model.fit(x, y, 2, 4, verbose=0, callbacks=callbacks, frozen_once=False)
    assert model.get_layer("late").updates > 1, "it was trained"
    assert all(np.array_equal(a, b) for a, b in zip(late, model.get_layer("late").get_weights()))
    assert all(np.array_equal(a, b) for a, b in zip(best[0], model.get_weights()))


def test_a_first_number_that_is_none():
    """As in Keras it counts as the best one. That is said."""
    stop = EarlyStopping("loss", patience=2)
    nothing = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(loss=[np.nan, 0.9, 0.8, 0.7, 0.6][epoch]))
    with pytest.warns(UserWarning, match="the first 'loss' is nan. As in Keras, it counts as the best one"):
        assert len(small().fit(X, Y, epochs=5, verbose=0, callbacks=[nothing, stop]).epoch) == 3


# ---- seeds, streams, weights ----


def test_one_seed_for_everything():
    drawn = []
    for _ in range(2):
        minitl.set_random_seed(7)
        drawn.append((np.random.rand(), random.random(), Dense(3, input_shape=(2,)).name))  # noqa: NPY002
    assert drawn[0] == drawn[1]
    minitl.set_random_seed(2**40)


class Stream:
    is_stream, shape, dtype = True, X.shape, X.dtype

    def read(self, positions, epoch=None):
        return X[positions]


class LongStream(Stream):
    def __len__(self):
        return len(X)


def test_a_stream_that_lacks_something(tmp_path):
    with pytest.raises(DataError, match=r"x is a stream \(Stream\) without __len__. A stream has __len__: the number"):
        small().fit(Stream(), Y, verbose=0)
    for name in "read", "shape", "dtype":
        lacking = type("Lacking", (LongStream,), {})()
        hidden = type("Hidden", (), {k: v for k, v in {**vars(Stream), **vars(LongStream)}.items() if k != name})
        with pytest.raises(DataError, match=f"without {name}"):
            small().fit(hidden(), Y, verbose=0)
        assert small().predict(lacking, verbose=0).shape == (8, 2)
    with pytest.raises(ArgumentError, match="x is a stream. Divide the examples into two streams"):
        small().fit(LongStream(), Y, verbose=0, validation_split=0.5)
    refused(
        [BackupAndRestore(tmp_path / "run")],
        match="the stream LongStream has no digest",
        validation_data=(LongStream(), Y),
    )


def test_class_weights_of_pixels():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 2, 3, 4)).astype(np.float32), rng.integers(0, 3, (6, 2, 3))
    images = Input((2, 3, 4))
    model = Model(images, Dense(3, "softmax")(images))
    model.compile(optimizers.SGD(0.5), SparseCategoricalCrossentropy())
    start = model.get_weights()
    weights = {0: 0.0, 2: 4.0}
    model.fit(x, y, 3, shuffle=False, verbose=0, class_weight=weights)
    by_class = model.get_weights()
    model.set_weights(start)
    model.fit(x, y, 3, shuffle=False, verbose=0, sample_weight=np.array([0.0, 1.0, 4.0])[y])
    assert all(np.allclose(a, b) for a, b in zip(by_class, model.get_weights()))


class Keeping(MeanSquaredError):
    """A loss that keeps an array of its latest forward, without naming it."""

    def forward(self, y_true, y_pred, sample_weight=None):
        self.kept = np.asarray(y_pred).copy()
        return super().forward(y_true, y_pred, sample_weight)


def test_a_loss_that_keeps_an_array_is_resumed(tmp_path):
    def trained(stop):
        minitl.set_random_seed(3)
        model = Sequential([Dense(1, input_shape=(4,))])
        model.compile("sgd", Keeping())
        model.loss.forward(np.zeros((2, 1)), np.zeros((2, 1), np.float32))  # an earlier stage has used it

        def fail(epoch, logs):
            if epoch == stop:
                raise RuntimeError("the power is gone")

        callbacks = [LambdaCallback(on_epoch_begin=fail), BackupAndRestore(tmp_path / "run")]
        return model.fit(X, Y, epochs=3, verbose=0, callbacks=callbacks).history

    whole = trained(None)
    with pytest.raises(RuntimeError):
        trained(2)
    assert trained(None) == whole


def test_the_folder_of_a_table_is_not_made(tmp_path):
    refused([CSVLogger(tmp_path / "no" / "log.csv")], CheckpointError, "cannot be written .*filename")
    assert os.listdir(tmp_path) == []


NAMES_NOT_HERE = [
    (lambda: minitl.ops, "On arrays use NumPy"),
    (lambda: minitl.backend.set_value, "optimizer.learning_rate = 0.01"),
    (lambda: minitl.config.set_dtype_policy, "computes in float32"),
    (lambda: minitl.Loss, "It is minitl.losses.Loss"),
    (lambda: small().trainable_variables, "trainable_weights has the arrays"),
]


@pytest.mark.parametrize("use, advice", NAMES_NOT_HERE)
def test_a_name_that_is_not_here_says_what_to_write(use, advice):
    with pytest.raises((AttributeError, NotHereError), match=advice):
        use()


def test_settings_can_be_asked_for_and_set_to_what_they_are():
    K, config = minitl.backend, minitl.config
    assert (K.image_data_format(), K.floatx(), K.epsilon()) == ("channels_last", "float32", 1e-7)
    K.set_image_data_format(K.image_data_format())
    config.set_floatx(config.floatx())
    config.set_epsilon(config.epsilon())
    K.clear_session()
    for use in lambda: K.set_image_data_format("channels_first"), lambda: K.set_floatx("float16"):
        with pytest.raises(ArgumentError, match="here: 'channels_last'|computes in float32"):
            use()
    with pytest.raises(ArgumentError, match="epsilon is 0.1; it is 1e-07 here"):
        config.set_epsilon(0.1)


def test_preprocessing_is_there_without_an_import_of_its_own():
    assert minitl.preprocessing.image.ImageDataGenerator is not None


def test_the_advice_about_base_classes_is_true():
    for name in "Loss", "Metric", "Optimizer", "Initializer", "Regularizer":
        with pytest.raises(NotHereError) as error:
            getattr(minitl, name)
        package = str(error.value).split("minitl.")[-1].split(".")[0]
        assert isinstance(getattr(getattr(minitl, package), name), type)


class Linear(Layer):
    """x @ w, whose `build` is written as for Keras."""

    def build(self, input_shape):
        self.w = self.add_weight(name="w", shape=(input_shape[-1], 2), initializer="ones")

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2)

    def forward(self, x, training=False):
        self.accept(x.shape)
        self.remember(x)
        return x @ self.w

    def backward(self, grad):
        (x,) = self.remembered()
        if self.trainable:
            self.gradients["w"] = x.T @ grad
        return grad @ self.w.T


def test_add_weight_returns_the_parameter():
    layer = Linear()
    model = Sequential([Input((4,)), layer])
    model.compile("sgd", "mse")
    model.fit(X, np.full((8, 2), 3.0, np.float32), verbose=0)
    assert layer.w is layer.weights[0] and (layer.w != 1).any()
