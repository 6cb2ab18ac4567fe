"""Things that happen around epochs, under Keras's names and by Keras's rules."""

import csv
import math
import os

from ..arguments import whole_number
from ..errors import ArgumentError, CheckpointError


class Callback:
    """`fit` sets `model` and `state` (`training.state`) and calls these methods; `logs` are the epoch's numbers: loss,
    accuracy, val_loss, ..., or after a batch those of the epoch so far."""

    model = state = None
    remembers = ()  # attributes that change in training, and that a checkpoint must hold: plain data and arrays
    comes_last = False  # `fit` calls these behind all others

    def on_train_begin(self, logs=None):
        pass

    def on_train_end(self, logs=None):
        """Also called when training ends with an error or by Ctrl-C."""

    def on_interrupt(self):
        """Ctrl-C or SIGTERM has come, and the batch at work is finished. `on_train_end` follows."""

    def on_train_batch_begin(self, batch, logs=None):
        pass

    def on_train_batch_end(self, batch, logs=None):
        pass

    def on_epoch_begin(self, epoch, logs=None):
        pass

    def on_epoch_end(self, epoch, logs=None):
        pass


def moving_layers(model):
    """The layers whose numbers training may have changed: trainable ones, and those that the optimizer has moved
    before they were frozen."""
    moved = {layer for layer, _ in getattr(model.optimizer, "state", {})}
    return [layer for layer in model.layers if layer.weight_names and (layer.trainable or layer in moved)]


class LearningRateScheduler(Callback):
    """`schedule(epoch, learning_rate)` gives the learning rate of each epoch, counted from 0."""

    def __init__(self, schedule):
        self.schedule = schedule

    def on_epoch_begin(self, epoch, logs=None):
        optimizer = self.model.optimizer
        optimizer.learning_rate = float(self.schedule(epoch, optimizer.learning_rate))


class LearningRateHistory(Callback):
    """Notes in `learning_rates` the learning rate with which each epoch begins. It goes behind a callback that sets
    the rate."""

    remembers = ("learning_rates",)

    def on_train_begin(self, logs=None):
        self.learning_rates = []

    def on_epoch_begin(self, epoch, logs=None):
        self.learning_rates.append(float(self.model.optimizer.learning_rate))


class _Monitor(Callback):
    """What the next three share: a number to watch, and whether it has become better."""

    def __init__(self, monitor, mode, min_delta=0.0):
        if mode not in ("auto", "min", "max"):
            raise ArgumentError(f"mode is {mode!r}; expected 'auto', 'min' or 'max'.")
        self.monitor, self.min_delta = monitor, abs(min_delta)
        self.larger_is_better = mode == "max" or mode == "auto" and monitor.endswith(("acc", "accuracy", "auc"))
        self.worst = -math.inf if self.larger_is_better else math.inf

    def watched(self, logs):
        """The number of this epoch. Raises ArgumentError where there is none of that name: it would never happen."""
        if self.monitor not in (logs or {}):
            hint = " Give fit validation_data or validation_split." if self.monitor.startswith("val_") else ""
            raise ArgumentError(
                f"{type(self).__name__} monitors '{self.monitor}', and the epoch has {', '.join(logs or {})}.{hint}"
            )
        return logs[self.monitor]

    def is_better(self, value, than):
        """By more than min_delta. NaN is never better."""
        return value > than + self.min_delta if self.larger_is_better else value < than - self.min_delta


class EarlyStopping(_Monitor):
    """Stop when `monitor` has not become better for `patience` epochs.

    min_delta              what counts as better at least
    baseline               a value that has to be passed, or patience runs out as well
    restore_best_weights   at the end, go back to the weights of the best epoch
    start_from_epoch       epochs before this one are not looked at

    After training: `best`, `best_epoch` (counted from 0), and `stopped_epoch`, 0 if it was not stopped.
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
        """Keep the weights of layers that were unfrozen since the best epoch: before their first step, they are what
        they were then."""
        if batch == 0 and self.best_weights is not None:
            self.best_weights = {**self._weights(), **self.best_weights}

    def _weights(self):
        """{layer name: copies of its weights}, without the layers that stay as they are."""
        return {layer.name: layer.get_weights() for layer in moving_layers(self.model)}

    def on_epoch_end(self, epoch, logs=None):
        value = self.watched(logs)
        if epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self._weights(), epoch  # should none ever be better
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
    """Multiply the learning rate by `factor` when `monitor` has not become better for `patience` epochs.

    cooldown   epochs after a reduction in which nothing is counted;   min_lr   it does not go below
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
    """Save the model after each epoch, atomically.

    filepath            may name numbers of the epoch: "model-{epoch:02d}-{val_loss:.3f}.h5" (epochs counted from 1)
    save_best_only      only when `monitor` has become better
    save_weights_only   `model.save_weights` instead of `model.save`
    """

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
                f"ModelCheckpoint: '{self.filepath}' names {error}, and the epoch has {', '.join(logs or {})}."
            ) from None
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: saved {path}.")


class CSVLogger(Callback):
    """Write the numbers of each epoch as a row of a CSV file, which is complete after each of them.

    append   go on with a file that is there
    """

    remembers = ("columns", "position")

    def __init__(self, filename, separator=",", append=False):
        self.filename, self.separator, self.append = os.fspath(filename), separator, append
        self.file = None

    def on_train_begin(self, logs=None):
        self.columns = None
        try:
            with open(self.filename, "ab") as file:  # now, and not after an hour
                self.position = file.seek(0, os.SEEK_END) if self.append else 0  # rows begin behind it
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
        """Where a restored training goes on, rows from after its checkpoint are cut off: they will come again."""
        self.file = open(self.filename, "r+", newline="", encoding="utf-8")
        self.file.seek(min(self.position, self.file.seek(0, os.SEEK_END)))
        self.file.truncate()

    def on_train_end(self, logs=None):
        if self.file is not None:
            self.file.close()
            self.file = None
