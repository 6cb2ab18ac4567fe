"""Killed, interrupted, out of disk, damaged: the resumed training ends like an undisturbed one, bit for bit.

`resumable.py` is the training, and kills it at random moments; it can be run by itself for more of them.
"""

import builtins
import errno
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from cases import random
from cases.losses import (
    LOSSES,
    probabilities,
    quantities,
    rows_of_length_1,
    uneven_probabilities,
    yes_or_no_probabilities,
)
from cases.optimizers import OPTIMIZERS
from conftest import REPOSITORY
from programs import resumable
from programs.resumable import FreezeAndUnfreeze, examples, network, train

from minitl import interruption, utils
from minitl.errors import ArgumentError, CheckpointError, DivergedError
from minitl.files import atomic
from minitl.layers import BatchNormalization, Dense, UnitNormalization
from minitl.models import Sequential
from minitl.optimizers import SGD, CosineDecay
from minitl.training import (
    BackupAndRestore,
    Callback,
    CSVLogger,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    loop,
)
from minitl.training.recovery import conditions
from minitl.training.recovery.checkpoints import CheckpointFolder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return {kind: the digest of a training that nothing has stopped}."""
    folder = tmp_path_factory.mktemp("whole")
    return {kind: train(folder / kind, kind)[0] for kind in ("sgd", "adam")}


class Stop(Callback):
    """A callback that calls `act` after the batch number `at`, counted over all epochs."""

    def __init__(self, at, act):
        self.at, self.act, self.batches = at, act, 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        if self.batches == self.at:
            self.act()


def power_cut():
    raise RuntimeError("the power is gone")


def interrupted_at(folder, batch, kind="sgd", error=RuntimeError, act=power_cut, **options):
    with pytest.raises(error):
        # One epoch of this has four batches. An object that is neither saved nor a condition does not matter.
        train(folder, kind, [Stop(batch, act)], **options)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize("batch", [1, 3, 4, 5, 11, 16, 23])
def test_it_goes_on_where_it_was(tmp_path, whole, kind, batch, capsys):
    interrupted_at(tmp_path / "run", batch, kind)
    assert train(tmp_path / "run", kind, [Stop(99, power_cut)])[0] == whole[kind]
    done = batch - 1  # the other callbacks come first: what this batch did was not saved
    where = f"epoch {done // 4 + 1}" + f", example {done % 4 * 8}" * bool(done % 4)
    assert done == 0 or f"Going on from {tmp_path / 'run'}: {where}." in capsys.readouterr().out


def test_it_goes_on_from_the_epoch(tmp_path, whole):
    interrupted_at(tmp_path / "run", 10, save_freq="epoch")
    assert train(tmp_path / "run", callbacks=[Stop(99, power_cut)], save_freq="epoch")[0] == whole["sgd"]


def test_a_finished_one_is_restored(tmp_path, whole, capsys):
    for _ in range(2):
        assert train(tmp_path / "run")[0] == whole["sgd"]
    assert "finished" in capsys.readouterr().out
    train(tmp_path / "other", delete_checkpoint=True)
    assert not (tmp_path / "other").exists(), "a finished training leaves no file and no folder behind"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes, which this system does not have")
@pytest.mark.parametrize("kills, seed", [(6, 1), pytest.param(24, 2, marks=pytest.mark.slow)])
def test_kill_9(tmp_path, kills, seed):
    training = str(REPOSITORY / "tests" / "programs" / "resumable.py")
    program = [sys.executable, "-W", "error", training, "--count", str(kills), "--seed", str(seed)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "MINITL_HOME": str(tmp_path)}
    result = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0 and " kills, 0 problems" in result.stdout, result.stdout + result.stderr


class Disk:
    """A disk whose operation number `fails_at` fails, and every one after it."""

    def __init__(self, monkeypatch, fails_at, error):
        self.operations, self.fails_at, self.error = 0, fails_at, error
        for module, name in (atomic.os, "replace"), (atomic.os, "fsync"), (atomic.tempfile, "mkstemp"):
            monkeypatch.setattr(module, name, self.counting(getattr(module, name)))
        ordinary = builtins.open

        def open_(path, mode="r", *arguments, **options):
            file = ordinary(path, mode, *arguments, **options)
            if "w" in mode and ".safetensors" in str(path):
                file = self.Slow(file, self)
            return file

        monkeypatch.setattr(builtins, "open", open_)

    class Slow:
        def __init__(self, file, disk):
            self.file, self.write = file, disk.counting(file.write)

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            self.file.close()

    def counting(self, operation):
        def counted(*arguments, **options):
            self.operations += 1
            if self.operations >= self.fails_at:
                raise OSError(self.error, os.strerror(self.error))
            return operation(*arguments, **options)

        return counted


@pytest.mark.slow
@pytest.mark.parametrize("error, each, steps", [(errno.ENOSPC, 60, 7), (errno.EROFS, 14, 15)])
def test_a_write_that_fails_at_every_save(tmp_path, whole, error, each, steps):
    """The disk is full or read-only from some moment on: at each operation of the first saves, then at some."""
    fails_at, tried = 1, 0
    while True:
        folder = tmp_path / str(fails_at)
        with pytest.MonkeyPatch.context() as patch:
            disk = Disk(patch, fails_at, error)
            try:
                train(folder, save_freq=2)
            except CheckpointError as found:
                said = "cannot write there", "could not be saved", "cannot be written"
                assert any(each in str(found) for each in said), found
            else:
                break
        tried += 1
        assert not list(folder.glob("*.part"))
        assert train(folder, save_freq=2)[0] == whole["sgd"], disk.operations
        fails_at += 1 if fails_at < each else steps
    assert tried > each


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:-1], lambda b: b[:700] + b"\0\1" + b[702:]])
def test_a_damaged_newest_checkpoint(tmp_path, whole, capsys, damage):
    interrupted_at(tmp_path / "run", 14)
    newest, before = sorted((tmp_path / "run").glob("*.safetensors"), reverse=True)
    newest.write_bytes(damage(newest.read_bytes()))
    assert train(tmp_path / "run", callbacks=[Stop(99, power_cut)])[0] == whole["sgd"]
    said = capsys.readouterr().out
    assert f"{newest} is damaged" in said and "going back to the one before" in said and "epoch 4" in said
    for path in (tmp_path / "run").glob("*.safetensors"):
        path.write_bytes(damage(path.read_bytes()))
    for _ in range(2):
        with pytest.raises(CheckpointError, match="all of its 2 checkpoints are damaged"):
            train(tmp_path / "run", callbacks=[Stop(99, power_cut)])


def test_one_callback_for_several_trainings(tmp_path):
    backup, model = BackupAndRestore(tmp_path / "run", conditions={"seed": 3}), network("sgd")
    for _ in range(2):
        model.fit(*examples(), 8, 2, verbose=0, callbacks=backup)
    assert backup.conditions == {"seed": 3}


def test_checkpoints_are_safetensors(tmp_path):
    from minitl.weights import open_weights

    interrupted_at(tmp_path / "run", 6)
    for path in (tmp_path / "run").glob("*.safetensors"):
        with open_weights(path) as file:
            assert file.listing.format == "safetensors" and len(file.tensors) > 8


def test_two_runs_in_one_folder(tmp_path):
    class Second(Callback):
        def on_epoch_end(self, epoch, logs=None):
            train(tmp_path / "run")

    with pytest.raises(CheckpointError, match="another run is at work in this folder"):
        train(tmp_path / "run", callbacks=[Second()])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_answered_between_two_batches(tmp_path, whole, number, capsys):
    before = signal.getsignal(number)
    with pytest.raises(interruption.Interrupted) as stopped:
        train(tmp_path / "run", callbacks=[Stop(7, lambda: signal.raise_signal(number))], save_freq="epoch")
    assert stopped.value.exit_status == 128 + number and signal.getsignal(number) is before
    assert f"Saved in {tmp_path / 'run'}, to go on from there." in capsys.readouterr().out
    assert train(tmp_path / "run", callbacks=[Stop(99, power_cut)], save_freq="epoch")[0] == whole["sgd"]
    assert "epoch 2, example 24." in capsys.readouterr().out


def test_a_signal_in_the_validation(tmp_path, whole, monkeypatch, capsys):
    class InValidation(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 3 and self.state.epoch == 1 and len(stopped) == 0:
                stopped.append(True)
                monkeypatch.setattr(loop, "measure", measure_after_signal)

    def measure_after_signal(*arguments, **named):
        monkeypatch.undo()
        signal.raise_signal(signal.SIGINT)
        return loop.measure(*arguments, **named)

    stopped = []
    with pytest.raises(interruption.Interrupted):
        train(tmp_path / "run", callbacks=[InValidation()], save_freq="epoch")
    assert train(tmp_path / "run", callbacks=[InValidation()], save_freq="epoch")[0] == whole["sgd"]
    assert "epoch 2, example 32." in capsys.readouterr().out


def test_a_second_signal_stops_at_once(tmp_path, whole):
    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as stopped:
        train(tmp_path / "run", callbacks=[Stop(7, twice)])
    assert not isinstance(stopped.value, interruption.Interrupted)
    assert train(tmp_path / "run", callbacks=[Stop(99, power_cut)])[0] == whole["sgd"]


def test_what_has_changed_is_named(tmp_path, whole, monkeypatch, capsys):
    interrupted_at(tmp_path / "run", 6)
    ordinary = resumable.examples

    def others():
        x, y = ordinary()
        x[3, 2] += 1e-3
        return x, y

    monkeypatch.setattr(resumable, "examples", others)
    with pytest.raises(CheckpointError, match="something has changed: training data .* start anew .*despite_changes"):
        train(tmp_path / "run", callbacks=[Stop(99, power_cut)])
    monkeypatch.setattr(resumable, "examples", ordinary)
    monkeypatch.setattr(conditions.parallel, "threads", lambda: 7)
    monkeypatch.setattr(conditions, "_code_digest", lambda: "other code")
    with pytest.raises(CheckpointError, match=r"changed: code \(.*, now other code\); threads \(\d+, now 7\)"):
        train(tmp_path / "run", callbacks=[Stop(99, power_cut)])
    result = train(tmp_path / "run", callbacks=[Stop(99, power_cut)], despite_changes=True)[0]
    assert result == whole["sgd"] and "Going on all the same" in capsys.readouterr().out
    monkeypatch.undo()
    monkeypatch.setattr(resumable, "EPOCHS", 7)
    with pytest.raises(CheckpointError, match="options .*epochs 6.* now .*epochs 7"):
        train(tmp_path / "run", callbacks=[Stop(99, power_cut)])


def test_another_model_or_other_callbacks(tmp_path):
    interrupted_at(tmp_path / "run", 6)
    with pytest.raises(CheckpointError, match="does not fit this model"):
        train(tmp_path / "run", callbacks=[], despite_changes=True)
    with pytest.raises(CheckpointError, match="the callbacks have a ModelCheckpoint where the checkpoint has a Stop"):
        train(tmp_path / "run", callbacks=[ModelCheckpoint(tmp_path / "x.h5")], despite_changes=True)


def small_run(tmp_path, stop_at, *callbacks, optimizer, layers=None):
    """Train with a stop after so many batches, then go on; and once without a stop. Returns both results."""
    results = []
    for folder, stops in ("whole", [99]), ("broken", [stop_at, 99]):
        for stop in stops:
            utils.set_random_seed(1)
            model = Sequential(layers() if layers else [Dense(3, "softmax", input_shape=(5,))])
            model.compile(optimizer(), "sparse_categorical_crossentropy")
            backup = BackupAndRestore(tmp_path / folder, save_freq=1)
            several = [*(make() for make in callbacks), Stop(stop, power_cut), backup]
            try:
                history = model.fit(*examples(), 8, 5, verbose=0, callbacks=several).history
                results.append((history, [w.tolist() for w in model.get_weights()], model.optimizer.learning_rate))
            except RuntimeError:
                assert stop == stop_at
    return results


@pytest.mark.parametrize(
    "make",
    [
        lambda: ReduceLROnPlateau("loss", patience=1, factor=0.5, min_delta=10),
        lambda: LearningRateScheduler(lambda epoch, rate: rate * 0.5),
    ],
)
@pytest.mark.parametrize("stop_at", [8, 13, 22])
def test_a_callback_that_sets_the_rate(tmp_path, make, stop_at):
    whole, broken = small_run(tmp_path, stop_at, make, optimizer=lambda: SGD(0.1, momentum=0.9))
    assert whole == broken
    with pytest.raises(
        ArgumentError, match=f"{type(make()).__name__} sets the learning rate, and so does .*CosineDecay"
    ):
        small_run(tmp_path / "schedule", stop_at, make, optimizer=lambda: SGD(CosineDecay(0.1, 20), momentum=0.9))


ENDINGS = {probabilities: "softmax", uneven_probabilities: "softmax"}
ENDINGS |= dict.fromkeys([yes_or_no_probabilities, quantities], "sigmoid")


@pytest.mark.slow
@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.name)
def test_a_training_with_any_loss_goes_on(tmp_path, case):
    """A loss keeps arrays for its backward. Arrays left over from another use do not prevent a training from
    going on."""
    shape, used = (8, *case.shape[1:]), case.loss()
    used.forward(case.labels(), case.predictions())
    used.backward()

    def trained(folder, stop, criterion):
        utils.set_random_seed(1)
        ending = ENDINGS.get(case.predictions_of, "linear")
        model = Sequential([Dense(shape[-1], ending, input_shape=(*shape[1:-1], 3))])
        if case.predictions_of is rows_of_length_1:
            model.add(UnitNormalization())
        model.compile(SGD(0.1), criterion)
        callbacks = [Stop(stop, power_cut), BackupAndRestore(folder, save_freq=1)]
        x, y = random(*shape[:-1], 3), case.labels_of(shape, 5)
        options = dict(verbose=0, callbacks=callbacks, shuffle=not case.between_examples)
        return model.fit(x, y, 4, 2, **options).history, model.get_weights()

    whole = trained(tmp_path / "whole", 99, case.loss())
    with pytest.raises(RuntimeError, match="the power is gone"):
        trained(tmp_path / "broken", 4, case.loss())
    history, weights = trained(tmp_path / "broken", 99, used)
    assert history == whole[0] and all(np.array_equal(a, b) for a, b in zip(weights, whole[1]))


@pytest.mark.slow
@pytest.mark.parametrize("stop", [14, pytest.param(5, marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", OPTIMIZERS, ids=lambda case: case.name)
def test_a_training_with_any_optimizer_goes_on(tmp_path, case, stop):
    """The optimizer comes back with all that it remembers of each parameter, also of layers that are frozen at that
    moment."""

    def trained(folder, stop):
        utils.set_random_seed(5)
        model = network(case.optimizer())
        callbacks = [FreezeAndUnfreeze(), Stop(stop, power_cut), BackupAndRestore(folder, save_freq=1)]
        history = model.fit(*examples(), 16, 6, verbose=0, callbacks=callbacks).history
        remembered = {(layer.name, name): arrays for (layer, name), arrays in model.optimizer.state.items()}
        return history, model.get_weights(), remembered, model.optimizer.iterations, model.optimizer.learning_rate

    whole = trained(tmp_path / "whole", 99)
    with pytest.raises(RuntimeError, match="the power is gone"):
        trained(tmp_path / "broken", stop)
    found = trained(tmp_path / "broken", 99)
    assert (found[0], *found[3:]) == (whole[0], *whole[3:])
    assert all(np.array_equal(a, b) for a, b in zip(found[1], whole[1], strict=True))
    assert found[2].keys() == whole[2].keys()
    for parameter, arrays in found[2].items():
        assert all(np.array_equal(a, b) for a, b in zip(arrays, whole[2][parameter], strict=True))


def test_statistics_that_were_unfrozen_once(tmp_path):
    """No optimizer has ever seen the layer, because it has neither gamma nor beta."""

    class Freeze(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.layers[1].trainable = epoch < 2

    def layers():
        return [BatchNormalization(center=False, scale=False, input_shape=(5,)), Dense(3, "softmax")]

    whole, broken = small_run(tmp_path, 20, Freeze, optimizer=lambda: SGD(0.1), layers=layers)
    assert whole == broken


def test_arrays_that_a_callback_remembers(tmp_path):
    class Mean(Callback):
        remembers = ("mean", "counts")

        def __init__(self):
            self.mean, self.counts = np.zeros(3), np.zeros(2, np.int32)

        def on_train_batch_end(self, batch, logs=None):
            self.mean *= 0.9
            self.counts += 1
            logs["loss"] = float(self.mean.sum())

    whole, broken = small_run(tmp_path, 9, Mean, optimizer=lambda: SGD(0.1))
    assert whole == broken


def test_a_table_that_is_appended_to(tmp_path):
    def lines(folder):
        path = tmp_path / f"{folder}.csv"
        path.write_text("epoch,loss\n7,0.5\n")
        for stop in [99] if folder == "whole" else [6, 99]:
            utils.set_random_seed(1)
            model = Sequential([Dense(3, "softmax", input_shape=(5,))])
            model.compile(SGD(0.1), "sparse_categorical_crossentropy")
            several = [CSVLogger(path, append=True), StopInEpochEnd(stop), BackupAndRestore(tmp_path / folder, 1)]
            try:
                model.fit(*examples(), 8, 3, verbose=0, callbacks=several)
            except RuntimeError:
                pass
        return path.read_text()

    class StopInEpochEnd(Callback):
        def __init__(self, at):
            self.at = at

        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0 and self.at != 99:
                raise RuntimeError("after the row, before the checkpoint")

    assert lines("broken") == lines("whole") and lines("whole").count("\n") > 2


def test_a_signal_waits_for_the_callbacks(tmp_path):
    """Some callbacks have run at the end of an epoch, and others have not: no checkpoint can be saved then."""

    class Ask(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1 and armed:
                signal.raise_signal(signal.SIGINT)
                self.model.evaluate(*examples(), verbose=0)

    results = []
    for folder, armed in ("whole", False), ("broken", True), ("broken", False):
        utils.set_random_seed(1)
        model = Sequential([Dense(3, "softmax", input_shape=(5,))])
        model.compile(SGD(0.1), "sparse_categorical_crossentropy")
        halve = LearningRateScheduler(lambda epoch, rate: rate * 0.5)
        try:
            model.fit(*examples(), 8, 3, verbose=0, callbacks=[halve, Ask(), BackupAndRestore(tmp_path / folder)])
            results.append([model.optimizer.learning_rate, *(w.tolist() for w in model.get_weights())])
        except interruption.Interrupted:
            assert armed
    assert results[0] == results[1]


def test_a_signal_when_nobody_listens(tmp_path, whole, monkeypatch):
    """Ctrl-C in `... | tee log` ends tee first."""

    def broken_pipe(*arguments):
        raise BrokenPipeError

    monkeypatch.setattr(interruption.os, "write", broken_pipe)
    with pytest.raises(interruption.Interrupted):
        train(tmp_path / "run", callbacks=[Stop(7, lambda: signal.raise_signal(signal.SIGTERM))], save_freq="epoch")
    assert train(tmp_path / "run", callbacks=[Stop(99, power_cut)], save_freq="epoch")[0] == whole["sgd"]


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruption.graceful():
            signal.raise_signal(signal.SIGINT)
            interruption.check()
    finally:
        signal.signal(signal.SIGINT, before)


def test_frozen_numbers_that_have_changed(tmp_path):
    x, y = examples()
    for scale, error in ((1, RuntimeError), (1, None), (2, CheckpointError)):
        model = network("sgd")
        early = model.get_layer("early")
        early.trainable = False
        early.kernel[...] = np.arange(45).reshape(5, 9) * scale / 45
        callbacks = [BackupAndRestore(tmp_path / "run"), Stop(9 if error is RuntimeError else 99, power_cut)]
        if error is None:
            with CheckpointFolderLook(tmp_path / "run") as content:
                assert list(content["weights"]) == ["normal", "out"], "frozen layers are not saved, only checked"
            continue
        with pytest.raises(error, match="the weights of frozen layers" if error is CheckpointError else "power"):
            model.fit(x, y, 8, 9, verbose=0, callbacks=callbacks)


class CheckpointFolderLook:
    """A look at a folder of checkpoints: its newest content."""

    def __init__(self, folder):
        self.folder = CheckpointFolder(folder)

    def __enter__(self):
        return self.folder.newest()

    def __exit__(self, *exception):
        self.folder.release()


def test_divergence_leaves_the_last_checkpoint(tmp_path):
    model = network("sgd")
    x, y = examples()
    x[40:] = np.inf
    with pytest.raises(DivergedError, match="Nothing was updated"), np.errstate(invalid="ignore"):
        model.fit(x, y, 8, verbose=0, shuffle=False, callbacks=[BackupAndRestore(tmp_path / "run", save_freq=1)])
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    with CheckpointFolderLook(tmp_path / "run") as content:
        assert content["examples_done"] == 40
        assert np.array_equal(content["weights"]["out"]["kernel"], model.get_layer("out").kernel)


def test_not_more_often_than_asked_for(tmp_path):
    saves = []

    class Count(Callback):
        comes_last = True

        def on_train_batch_end(self, batch, logs=None):
            saves.append(max(number for number, _ in CheckpointFolder.found(self.folder)) if self.any() else 0)

        def any(self):
            self.folder = CheckpointFolder.__new__(CheckpointFolder)
            self.folder.folder = tmp_path / "run"
            return list((tmp_path / "run").glob("*.safetensors"))

    train(tmp_path / "run", callbacks=[Count()], seconds_between=1000)
    assert saves == [0] * 24 and len(list((tmp_path / "run").glob("*.safetensors"))) == 1, "the finished one"
