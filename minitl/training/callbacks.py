"""Callbacks: objects that `fit` calls around epochs and batches, under Keras's names and by Keras's rules."""

import csv
import math
import os

from ..arguments import NotHere, keras_arguments, whole_number
from ..errors import ArgumentError, CheckpointError


class Callback:
    """The base class of callbacks. `fit` sets `model` and `state` (`training.state`) and calls these methods.

    `logs` holds the numbers of the epoch: loss, accuracy, val_loss, ... After a batch they are those of the epoch so
    far.

    A callback may freeze or unfreeze layers. `layer.trainable` is read at each update, and no new `compile` is needed:

        on_epoch_begin         acts from this epoch on
        on_train_batch_begin   acts from this batch on
        on_train_batch_end     acts from the next batch on
        on_epoch_end           acts from the next epoch on

    There is one exception. While `fit` keeps the output of a frozen beginning (`features.prefix`), the layers in that
    beginning do not run at all, and `fit` decides only before each epoch which layers belong to it. So a layer that a
    batch callback unfreezes there is first trained in the next epoch. With `fit(frozen_once=False)` the table holds for
    all layers.
    """

    model = state = None
    remembers = ()  # names of attributes that change in training and belong into a checkpoint: plain data and arrays
    comes_last = False  # True: `fit` calls this callback after all others

    def on_train_begin(self, logs=None):
        pass

    def on_train_end(self, logs=None):
        """Clean up. This is also called when training ends with an error or by Ctrl-C."""

    def on_interrupt(self):
        """Respond to Ctrl-C or SIGTERM, after the current batch is finished. `on_train_end` follows."""

    def on_train_batch_begin(self, batch, logs=None):
        pass

    def on_train_batch_end(self, batch, logs=None):
        pass

    def on_epoch_begin(self, epoch, logs=None):
        pass

    def on_epoch_end(self, epoch, logs=None):
        pass


def moving_layers(model):
    """Return the layers whose weights training may have changed: the trainable ones, and those that the optimizer moved
    before they were frozen."""
    moved = {layer for layer, _ in getattr(model.optimizer, "state", {})}
    return [layer for layer in model.layers if layer.weight_names and (layer.trainable or layer in moved)]


class LearningRateScheduler(Callback):
    """A callback that sets the learning rate of each epoch to `schedule(epoch, learning_rate)`. Epochs count from 0."""

    @keras_arguments(after="schedule", verbose=NotHere(0, instead="Print in a callback of your own."))
    def __init__(self, schedule):
        self.schedule = schedule

    def on_epoch_begin(self, epoch, logs=None):
        optimizer = self.model.optimizer
        optimizer.learning_rate = float(self.schedule(epoch, optimizer.learning_rate))


class LearningRateHistory(Callback):
    """A callback that records in `learning_rates` the learning rate with which each epoch begins. Put it after a
    callback that sets the rate."""

    remembers = ("learning_rates",)

    def on_train_begin(self, logs=None):
        self.learning_rates = []

    def on_epoch_begin(self, epoch, logs=None):
        self.learning_rates.append(float(self.model.optimizer.learning_rate))


class _Monitor(Callback):
    """The base of the next three callbacks, which watch a number of the epoch and ask whether it has become better."""

    def __init__(self, monitor, mode, min_delta=0.0):
        if mode not in ("auto", "min", "max"):
            raise ArgumentError(f"mode is {mode!r}; expected 'auto', 'min' or 'max'.")
        self.monitor, self.min_delta = monitor, abs(min_delta)
        self.larger_is_better = mode == "max" or mode == "auto" and monitor.endswith(("acc", "accuracy", "auc"))
        self.worst = -math.inf if self.larger_is_better else math.inf

    def watched(self, logs):
        """Return the watched number of this epoch. Raises ArgumentError where the epoch has no number of that name:
        without the error, the callback would silently never act."""
        if self.monitor not in (logs or {}):
            hint = " Give fit validation_data or validation_split." if self.monitor.startswith("val_") else ""
            raise ArgumentError(
                f"{type(self).__name__} monitors '{self.monitor}', and the epoch has {', '.join(logs or {})}.{hint}"
            )
        return logs[self.monitor]

    def is_better(self, value, than):
        """Return whether `value` is better than `than` by more than min_delta. NaN is never better."""
        return value > than + self.min_delta if self.larger_is_better else value < than - self.min_delta


class EarlyStopping(_Monitor):
    """A callback that stops training when `monitor` has not become better for `patience` epochs.

    min_delta              a value is better only if it is better by more than this
    baseline               an epoch that is better than the best one, but not better than this value, also counts
                           against `patience`
    restore_best_weights   at the end, go back to the weights of the best epoch
    start_from_epoch       ignore the epochs before this one

    After training it has `best`, `best_epoch` (counted from 0), and `stopped_epoch` (0 if training was not stopped).
    """

    def __init__(
        self,
        monitor="val_loss",
        min_delta=0,
        patience=0,
        verbose=0,
        mode="auto",
        baseline=None,
        restore_best_weights=False,
        start_from_epoch=0,
    ):
        super().__init__(monitor, mode, min_delta)
        self.patience, self.baseline = whole_number(patience, "patience", 0), baseline
        self.verbose, self.restore_best_weights, self.start_from_epoch = verbose, restore_best_weights, start_from_epoch
        self.on_train_begin()

    remembers = ("wait", "stopped_epoch", "best_epoch", "best", "best_weights")

    def on_train_begin(self, logs=None):
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best, self.best_weights = self.worst, None

    def on_train_batch_begin(self, batch, logs=None):
        """Add the layers that were unfrozen since the best epoch to the best weights.

        This happens before the first update of each epoch. So a layer that was unfrozen between two epochs still has
        the weights of the best epoch. A layer that a batch callback unfreezes within an epoch may have been updated
        already: its weights at the beginning of the next epoch are taken.
        """
        if batch == 0 and self.best_weights is not None:
            self.best_weights = {**self._weights(), **self.best_weights}

    def _weights(self):
        """Return {layer name: copies of its weights} for the layers that training may have changed."""
        return {layer.name: layer.get_weights() for layer in moving_layers(self.model)}

    def on_epoch_end(self, epoch, logs=None):
        value = self.watched(logs)
        if epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self._weights(), epoch  # in case no epoch is ever better
        self.wait += 1
        if self.is_better(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self._weights()
            if self.baseline is None or self.is_better(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch, self.model.stop_training = epoch, True

    def on_train_end(self, logs=None):
        if self.verbose and self.stopped_epoch:
            print(f"Stopped early, after epoch {self.stopped_epoch + 1}.")
        if self.best_weights is not None:
            if self.verbose:
                print(f"Back to the weights of the best epoch: {self.best_epoch + 1}.")
            for name, weights in self.best_weights.items():
                self.model.get_layer(name).set_weights(weights)
            self.best_weights = None


class ReduceLROnPlateau(_Monitor):
    """A callback that reduces the learning rate when `monitor` has not become better for `patience` epochs.

    factor     the learning rate is multiplied by this

    cooldown   the number of epochs after a reduction that do not count against `patience`
    min_lr     the smallest learning rate that is set
    """

    def __init__(
        self,
        monitor="val_loss",
        factor=0.1,
        patience=10,
        verbose=0,
        mode="auto",
        min_delta=1e-4,
        cooldown=0,
        min_lr=0.0,
    ):
        super().__init__(monitor, mode, min_delta)
        if not 0 < factor < 1:
            raise ArgumentError(f"factor is {factor!r}; expected a number between 0 and 1.")
        self.factor, self.patience, self.verbose = factor, whole_number(patience, "patience", 0), verbose
        self.cooldown, self.min_lr = cooldown, min_lr

    remembers = ("wait", "cooldown_left", "best")

    def on_train_begin(self, logs=None):
        self.wait = self.cooldown_left = 0
        self.best = self.worst

    def on_epoch_end(self, epoch, logs=None):
        value, optimizer = self.watched(logs), self.model.optimizer
        if self.cooldown_left > 0:
            self.cooldown_left -= 1
            self.wait = 0
        if self.is_better(value, self.best):
            self.best, self.wait = value, 0
        elif self.cooldown_left <= 0:
            self.wait += 1
            if self.wait >= self.patience and optimizer.learning_rate > self.min_lr:
                optimizer.learning_rate = max(optimizer.learning_rate * self.factor, self.min_lr)
                self.cooldown_left, self.wait = self.cooldown, 0
                if self.verbose:
                    print(f"Epoch {epoch + 1}: learning rate reduced to {optimizer.learning_rate:g}.")


class ModelCheckpoint(_Monitor):
    """A callback that saves the model after each epoch, atomically.

    filepath            may contain numbers of the epoch: "model-{epoch:02d}-{val_loss:.3f}.h5" (epochs counted from 1)
    save_best_only      save only when `monitor` has become better
    save_weights_only   use `model.save_weights` instead of `model.save`
    """

    @keras_arguments(
        after="mode",
        save_freq=NotHere("epoch", instead="BackupAndRestore saves after batches."),
        initial_value_threshold=NotHere(),
    )
    def __init__(
        self, filepath, monitor="val_loss", verbose=0, save_best_only=False, save_weights_only=False, mode="auto"
    ):
        super().__init__(monitor, mode)
        self.filepath, self.verbose = os.fspath(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.best = self.worst

    remembers = ("best",)

    def on_epoch_end(self, epoch, logs=None):
        if self.save_best_only:
            value = self.watched(logs)
            if not self.is_better(value, self.best):
                return
            self.best = value
        try:
            path = self.filepath.format(epoch=epoch + 1, **(logs or {}))
        except (KeyError, IndexError, ValueError) as error:
            raise ArgumentError(
                f"ModelCheckpoint: '{self.filepath}' names {error}, and the epoch has {', '.join(logs or {})}. "
                "Use these names, or epoch."
            ) from None
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: saved {path}.")


class CSVLogger(Callback):
    """A callback that writes the numbers of each epoch as a row of a CSV file. The file is complete after each epoch.

    append   add rows to an existing file
    """

    remembers = ("columns", "position")

    def __init__(self, filename, separator=",", append=False):
        self.filename, self.separator, self.append = os.fspath(filename), separator, append
        self.file = None

    def on_train_begin(self, logs=None):
        self.columns = None
        try:
            with open(self.filename, "ab") as file:  # a wrong path fails now and not after the first epoch
                self.position = file.seek(0, os.SEEK_END) if self.append else 0  # the rows begin here
        except OSError as error:
            raise CheckpointError(f"{self.filename}: cannot be written ({error.strerror}). Check the path.") from None

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        if self.file is None:
            self._open()
        if self.columns is None:
            self.columns = ["epoch", *sorted(logs)]
        writer = csv.DictWriter(self.file, self.columns, delimiter=self.separator, restval="NA", extrasaction="ignore")
        if self.file.tell() == 0:
            writer.writeheader()
        writer.writerow({"epoch": epoch, **logs})
        self.file.flush()
        self.position = self.file.tell()

    def _open(self):
        """Open the file at the place where the next row goes. In a resumed training this cuts off the rows of epochs
        after the checkpoint, because these epochs are trained again."""
        self.file = open(self.filename, "r+", newline="", encoding="utf-8")
        self.file.seek(min(self.position, self.file.seek(0, os.SEEK_END)))
        self.file.truncate()

    def on_train_end(self, logs=None):
        if self.file is not None:
            self.file.close()
            self.file = None
