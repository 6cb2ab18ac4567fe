"""Backup and restore: a training that was killed continues, and its result is the same to the last bit.

    model.fit(x, y, epochs=10, callbacks=[BackupAndRestore("run")])        # killed in epoch 7
    model.fit(x, y, epochs=10, callbacks=[BackupAndRestore("run")])        # the same program again: epochs 7 to 10

Besides the program and its data, a training depends on five things:

    the weights that may change, and the optimizer's state for them
    the order of the examples in this epoch, and how many of them are done
    the loss and the metrics so far
    the state of every random generator
    what the callbacks count

A checkpoint holds these, the history so far, and which layers are trainable. The training goes on from the newest
checkpoint: batches that were done after it are computed again. Frozen layers are not saved. Their digests are saved and
compared instead, and so are the conditions of the training: its data and options, the code and the machine. Read next:
`conditions`.
"""

import os
import time

from ... import randomness
from ...arguments import whole_number
from ...errors import ArgumentError, CheckpointError
from ...optimizers import Optimizer
from ..callbacks import Callback
from ..compiled import losses_of
from ..monitors import moving_layers
from .checkpoints import CheckpointFolder
from .conditions import conditions, weights_digest


class BackupAndRestore(Callback):
    """A callback that saves checkpoints of a training, and continues from the newest one if the folder holds any.

    backup_dir          the folder; only one run at a time may use it
    save_freq           "epoch", or a number of batches: then a checkpoint is also saved after each such number
    double_checkpoint   True in Keras: keep the checkpoint before the newest one as well. It is always kept here
    delete_checkpoint   True: remove the checkpoints once the training is finished. False: keep them, and calling `fit`
                        again restores the finished model
    seconds_between     skip a checkpoint that would come sooner than this after the last one
    despite_changes     continue even if the data, the code or the machine have changed
    conditions          {name: value} of further things that must not change between the runs, such as a seed

    After the first Ctrl-C or SIGTERM, the current batch is finished, a checkpoint is saved, and
    `interruption.Interrupted` (a KeyboardInterrupt) is raised. Raises CheckpointError if a checkpoint cannot be written
    or read, or if something has changed that would change the result.
    """

    comes_last = True  # a checkpoint has to hold what the other callbacks have counted in this epoch
    added_logs = ()

    def __init__(
        self,
        backup_dir,
        save_freq="epoch",
        double_checkpoint=False,
        delete_checkpoint=True,
        seconds_between=0,
        despite_changes=False,
        conditions=None,
    ):
        if save_freq != "epoch":
            whole_number(save_freq, "save_freq")
        if not isinstance(backup_dir, (str, os.PathLike)) or not os.fspath(backup_dir):
            raise ArgumentError(f"backup_dir is {backup_dir!r}; expected the path of a folder.")
        self.backup_dir, self.save_freq, self.seconds_between = backup_dir, save_freq, seconds_between
        self.delete_checkpoint, self.despite_changes = delete_checkpoint, despite_changes
        self.conditions, self.folder = conditions, None

    def on_train_begin(self, logs=None):
        if not isinstance(self.model.optimizer, Optimizer):
            raise ArgumentError(
                f"BackupAndRestore cannot save the state of the optimizer {type(self.model.optimizer).__name__}; "
                "expected an object of minitl.optimizers.Optimizer."
            )
        self.batches, self.last_saved = 0, time.monotonic()
        self.all_conditions = {**conditions(self.model, self.state), **(self.conditions or {})}
        self.digests = {layer.name: weights_digest(layer) for layer in self.model.layers if layer.weight_names}
        folder = CheckpointFolder(self.backup_dir)
        try:
            content = folder.newest()
            if content is not None:
                self._refuse_changes(content)
                restore(content, self.model, self.state)
        except BaseException:
            folder.release()  # the checkpoints stay: they may belong to another program
            raise
        self.folder = folder
        if content is not None:
            done = self.state.examples_done
            where = f"epoch {self.state.epoch + 1}" + f", example {done}" * bool(done)
            print(f"Going on from {self.backup_dir}: {'finished' if self.state.finished else where}.", flush=True)

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        self.batches += 1
        if self.save_freq != "epoch" and self.batches % self.save_freq == 0:
            self._save_if_due()

    def on_epoch_end(self, epoch, logs=None):
        self._save_if_due()

    def on_interrupt(self):
        self._save()
        try:
            print(f"Saved in {self.backup_dir}, to go on from there.", flush=True)
        except OSError:  # standard output is closed
            pass

    def on_train_end(self, logs=None):
        if self.folder is None:  # `on_train_begin` has failed
            return
        try:
            if self.state.finished and self.delete_checkpoint:
                self.folder.clear()
            elif self.state.finished:
                self._save()
        finally:
            self.folder.release()
            self.folder = None

    def _save_if_due(self):
        if time.monotonic() - self.last_saved >= self.seconds_between:
            self._save()

    def _save(self):
        content = captured(self.model, self.state)
        frozen = {name: digest for name, digest in self.digests.items() if name not in content["weights"]}
        self.folder.save({**content, "conditions": self.all_conditions, "frozen": frozen})
        self.last_saved = time.monotonic()

    def _refuse_changes(self, content):
        try:
            then, frozen = dict(content["conditions"]), dict(content["frozen"])
        except (KeyError, TypeError, ValueError):
            raise CheckpointError(
                f"{self.backup_dir}: holds checkpoints that are not of a training. Use another folder."
            ) from None
        changed = [
            f"{name} ({_shown(then.get(name))}, now {_shown(self.all_conditions.get(name))})"
            for name in {**then, **self.all_conditions}
            if then.get(name) != self.all_conditions.get(name)
        ]
        if any(self.digests.get(name) != digest for name, digest in frozen.items()):
            changed.append("the weights of frozen layers")
        if not changed:
            return
        what = f"{self.backup_dir}: since its checkpoint something has changed: {'; '.join(changed)}."
        if not self.despite_changes:
            raise CheckpointError(
                f"{what} Undo the change, start anew in another folder, or pass despite_changes=True "
                "(minitl finetune: --despite-changes) to go on all the same."
            )
        print(f"{what} Going on all the same: the result will differ.", flush=True)


def captured(model, state):
    """Return all that the rest of a training depends on, as dicts, lists, numbers and arrays (not copies)."""
    optimizer = model.optimizer
    return {
        "epoch": state.epoch, "begun": state.begun, "order": state.order, "examples_done": state.examples_done,
        "epoch_began_at": state.epoch_began_at, "finished": state.finished, "stop_training": model.stop_training,
        "averages": list(state.averages.totals.items()),
        "metrics": [vars(each.metric) for each in state.averages.metrics],
        "history": [state.history.epoch, state.history.history],
        "weights": {
            layer.name: {name: getattr(layer, name) for name in layer.weight_names}
            for layer in model.layers
            if layer.weight_names and (layer.name in state.moved or layer in moving_layers(model))
        },
        "trainable": {layer.name: bool(layer.trainable) for layer in model.layers},
        "optimizer": {
            "iterations": optimizer.iterations,
            "learning_rate": optimizer._learning_rate,
            "by_schedule": optimizer._schedule is not None,
            "state": [[layer.name, name, list(arrays)] for (layer, name), arrays in optimizer.state.items()],
            "start_points": [[layer.name, name, array] for (layer, name), array in optimizer.start_points.items()],
            "remembered": _remembered(optimizer),
        },
        "losses": [_remembered(loss) for _, loss in losses_of(model)],
        "callbacks": [
            [type(each).__name__, _remembered(each)] for each in state.callbacks
        ],
        "generators": {
            "order": state.generator.bit_generator.state,
            "library": randomness.random_state(),
            **{f"layer {name}": each.bit_generator.state for name, each in _layer_generators(model).items()},
        },
    }  # fmt: skip


def _remembered(thing):
    """Return {name: value} of the attributes that a callback, a loss or an optimizer lists in `remembers`."""
    return {name: getattr(thing, name) for name in getattr(thing, "remembers", ())}


def restore(content, model, state):
    """Restore the result of `captured`. Raises CheckpointError where it does not fit the model and its training."""
    try:
        _restore(content, model, state)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration) as error:
        raise CheckpointError(
            f"the checkpoint does not fit this model and its training ({error!r}). Build both as they were when it was "
            "saved."
        ) from None


def _restore(content, model, state):
    layers = {layer.name: layer for layer in model.layers}
    weights = {
        name: [arrays[each] for each in layers[name].weight_names] for name, arrays in content["weights"].items()
    }
    for name, arrays in weights.items():  # everything is checked before anything is changed
        layers[name].check_weights(arrays)
    for callback, (name, _) in zip(state.callbacks, content["callbacks"], strict=True):
        if type(callback).__name__ != name:
            raise ValueError(f"the callbacks have a {type(callback).__name__} where the checkpoint has a {name}")
    for name, arrays in weights.items():
        layers[name].set_weights(arrays)
    state.moved = set(weights)
    for name, trainable in content["trainable"].items():
        layers[name].trainable = trainable
    optimizer, saved = model.optimizer, content["optimizer"]
    optimizer.iterations, optimizer._learning_rate = saved["iterations"], saved["learning_rate"]
    if not saved["by_schedule"]:  # a callback has replaced the schedule by a fixed rate
        optimizer._schedule = None
    optimizer.state = {(layers[la], n): tuple(each.copy() for each in arrays) for la, n, arrays in saved["state"]}
    optimizer.start_points = {(layers[la], n): array.copy() for la, n, array in saved["start_points"]}
    vars(optimizer).update(saved["remembered"])
    for (_, loss), attributes in zip(losses_of(model), content["losses"], strict=True):
        if attributes:
            vars(loss).update(attributes)
    model.stop_training, state.finished = content["stop_training"], content["finished"]
    state.epoch, state.begun, state.order = content["epoch"], content["begun"], content["order"]
    state.examples_done, state.epoch_began_at = content["examples_done"], content["epoch_began_at"]
    state.averages.totals = dict(content["averages"])
    for each, attributes in zip(state.averages.metrics, content["metrics"], strict=True):
        vars(each.metric).update(attributes)
    state.history.epoch, state.history.history = content["history"]
    for callback, (_, attributes) in zip(state.callbacks, content["callbacks"]):
        vars(callback).update(attributes)
    generators = content["generators"]
    state.generator.bit_generator.state = generators["order"]
    randomness.set_random_state(generators["library"])
    for name, generator in _layer_generators(model).items():
        generator.bit_generator.state = generators[f"layer {name}"]


def _layer_generators(model):
    """Return {layer name: random generator} of the layers that have one, such as Dropout."""
    return {layer.name: layer.generator for layer in model.layers if hasattr(layer, "generator")}


def _shown(value):
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
