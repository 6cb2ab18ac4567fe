"""Callbacks that watch a number of the epoch: to stop early, to reduce the learning rate, to save the best model.

By Keras's rules, with one exception: a number that no epoch will have is refused before the first batch. Keras warns
after each epoch, and the callback never acts. Read next: `recovery.backup`.
"""

import os
import string
import warnings
from pathlib import Path

from ..arguments import number, whole_number
from ..errors import ArgumentError
from ..files.writable import check_can_write
from ..weights.saving import check_target
from .callbacks import Callback

# What the last words of a metric's name say about its direction, for metrics that do not say it themselves.
LARGER_IS_BETTER = ("acc", "accuracy", "auc", "dice", "f1", "f1_score", "iou", "precision", "r2_score", "recall")
SMALLER_IS_BETTER = ("crossentropy", "error", "hinge", "loss", "mae", "mape", "mse", "msle", "perplexity", "rmse")

LARGEST = 1e30  # of the numbers that are arguments


def moving_layers(model):
    """Return the layers whose weights training may have changed: the trainable ones, and those that the optimizer moved
    before they were frozen."""
    moved = {layer for layer, _ in getattr(model.optimizer, "state", {})}
    return [layer for layer in model.layers if layer.weight_names and (layer.trainable or layer in moved)]


class _Monitor(Callback):
    """The base of the callbacks below, which watch a number of the epoch and ask whether it has become better.

    mode   "min", "max", or "auto": the metric says whether larger numbers are better (`Metric.larger_is_better`), or
           the end of its name does
    """

    added_logs: tuple | None = ()

    def __init__(self, monitor, mode, min_delta=0.0):
        if mode not in ("auto", "min", "max"):
            raise ArgumentError(f"mode is {mode!r}; expected 'auto', 'min' or 'max'.")
        if not isinstance(monitor, str) or not monitor:
            raise ArgumentError(f"monitor is {monitor!r}; expected the name of a number in the history.")
        self.monitor, self.mode = monitor, mode
        self.min_delta = abs(number(min_delta, "min_delta", -LARGEST, LARGEST))
        self.larger_is_better = _direction_of_name(monitor) if mode == "auto" else mode == "max"

    def prepare(self):
        """Find out which numbers are better. Raises ArgumentError if that cannot be known, or if no epoch will have the
        watched number: without the error, the callback would silently never act."""
        if self.state is not None and not self.state.may_hold(self.monitor):
            raise ArgumentError(self._missing(self.state.log_names))
        if self.mode == "auto":
            name = self.monitor.removeprefix("val_")
            metrics = [each.metric for each in getattr(self.model, "metrics", ()) if each.name == name]
            directions = [getattr(metric, "larger_is_better", None) for metric in metrics]
            known = [each for each in (*directions, _direction_of_name(self.monitor)) if each is not None]
            if not known:
                raise ArgumentError(
                    f"{type(self).__name__} monitors '{self.monitor}' with mode='auto', and the name does not say "
                    "which numbers are better. Pass mode='max' or mode='min'."
                )
            self.larger_is_better = known[0]

    def watched(self, logs):
        """Return the watched number of this epoch, or None after an epoch without validation (`validation_freq`).
        Raises ArgumentError if there is no number of that name."""
        if self.monitor in (logs or {}):
            return logs[self.monitor]
        if self.state is not None and self.monitor in self.state.log_names:
            return None
        raise ArgumentError(self._missing(logs or {}))

    def _missing(self, names):
        hint = " Give fit validation_data or validation_split." if self.monitor.startswith("val_") else ""
        hint = "" if any(name.startswith("val_") for name in names) else hint
        return f"{type(self).__name__} monitors '{self.monitor}', and the epoch has {', '.join(names)}.{hint}"

    def is_better(self, value, than):
        """Return whether `value` is better than `than` by more than min_delta. Every first value is better than None.
        NaN is never better, and nothing is better than NaN."""
        if than is None:
            if value != value:
                warnings.warn(
                    f"{type(self).__name__}: the first '{self.monitor}' is {value}. As in Keras, it counts as the best "
                    "one, and no later number is better. Find out why it is not a number.",
                    stacklevel=2,
                )
            return True
        return value > than + self.min_delta if self.larger_is_better else value < than - self.min_delta


def _direction_of_name(name):
    """Return whether larger numbers of this name are better; None if the name does not say it."""
    if name.endswith(SMALLER_IS_BETTER):
        return False
    return True if name.endswith(LARGER_IS_BETTER) else None


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
        self.patience, self.verbose = whole_number(patience, "patience", 0), verbose
        self.baseline = None if baseline is None else number(baseline, "baseline", -LARGEST, LARGEST)
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = whole_number(start_from_epoch, "start_from_epoch", 0)
        self._forget()

    remembers = ("wait", "stopped_epoch", "best_epoch", "best", "best_weights")

    def _forget(self):
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = self.best_weights = None

    def on_train_begin(self, logs=None):
        self._forget()
        self.prepare()

    def before_update(self):
        """Add the layers that were unfrozen since the best epoch to the best weights, before their first update."""
        if self.best_weights is not None:
            for layer in moving_layers(self.model):
                if layer.name not in self.best_weights:
                    self.best_weights[layer.name] = layer.get_weights()

    def _weights(self):
        """Return {layer name: copies of its weights} for the layers that training may have changed."""
        return {layer.name: layer.get_weights() for layer in moving_layers(self.model)}

    def on_epoch_end(self, epoch, logs=None):
        value = self.watched(logs)
        if value is None or epoch < self.start_from_epoch:
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
    """A callback that reduces the learning rate when `monitor` has not become better for `patience` epochs. The history
    gets a "learning_rate": that with which each epoch was trained.

    factor     the learning rate is multiplied by this
    cooldown   the number of epochs after a reduction that do not count against `patience`
    min_lr     the smallest learning rate that is set
    """

    sets_learning_rate, added_logs = True, ("learning_rate",)

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
        self.factor = number(factor, "factor", 0, 1)
        if self.factor in (0, 1):
            raise ArgumentError(f"factor is {factor!r}; expected a number between 0 and 1.")
        self.patience, self.verbose = whole_number(patience, "patience", 0), verbose
        self.cooldown, self.min_lr = whole_number(cooldown, "cooldown", 0), number(min_lr, "min_lr", 0, LARGEST)

    remembers = ("wait", "cooldown_left", "best")

    def on_train_begin(self, logs=None):
        self.wait = self.cooldown_left = 0
        self.best = None
        self.prepare()

    def on_epoch_end(self, epoch, logs=None):
        optimizer = self.model.optimizer
        if logs is not None:
            logs["learning_rate"] = float(optimizer.learning_rate)
        value = self.watched(logs)
        if value is None:
            return
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
    """A callback that saves the model after each epoch, atomically. It makes missing folders.

    filepath                  may contain numbers of the epoch: "model-{epoch:02d}-{val_loss:.3f}.h5" (epochs counted
                              from 1)
    save_best_only            save only when `monitor` has become better
    save_weights_only         use `model.save_weights` instead of `model.save`
    save_freq                 "epoch", or a number of batches: save after each such number. Then the numbers are those
                              of the epoch so far, without those of the validation, and the path may contain {batch}
    initial_value_threshold   with save_best_only: a first model must be better than this
    """

    def __init__(
        self,
        filepath,
        monitor="val_loss",
        verbose=0,
        save_best_only=False,
        save_weights_only=False,
        mode="auto",
        save_freq="epoch",
        initial_value_threshold=None,
    ):
        super().__init__(monitor, mode)
        if not isinstance(filepath, (str, os.PathLike)) or not os.fspath(filepath):
            raise ArgumentError(f"filepath is {filepath!r}; expected the path of a file to write.")
        self.filepath, self.verbose = os.fspath(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.save_freq = save_freq if save_freq == "epoch" else whole_number(save_freq, "save_freq")
        self.best, self.batches = None, 0
        if initial_value_threshold is not None:
            self.best = number(initial_value_threshold, "initial_value_threshold", -LARGEST, LARGEST)
        check_target(self.filepath, of_model=not save_weights_only)

    remembers = ("best", "batches")

    def on_train_begin(self, logs=None):
        """Check the path and the watched number, before the first batch."""
        self.batches = 0
        if self.save_best_only:
            self.prepare()
            if self.save_freq != "epoch" and self.monitor.startswith("val_"):
                raise ArgumentError(
                    f"ModelCheckpoint: after a batch there is no '{self.monitor}'. Leave save_freq out."
                )
        try:
            fields = {name for _, name, _, _ in string.Formatter().parse(self.filepath) if name}
        except ValueError as error:
            raise ArgumentError(f"ModelCheckpoint: filepath '{self.filepath}' is no pattern ({error}).") from None
        names = {name.split(".")[0].split("[")[0] for name in fields} - {"epoch"}
        if self.save_freq != "epoch":
            names -= {"batch"}
        if self.state is not None and not all(map(self.state.may_hold, names)):
            unknown = next(name for name in sorted(names) if not self.state.may_hold(name))
            raise ArgumentError(self._unknown_name(f"'{unknown}'", self.state.log_names))
        example = self._path(0, 0, dict.fromkeys(names, 0.5))
        check_can_write(example, "ModelCheckpoint's filepath", makes_folder=True)

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        self.batches += 1
        if self.save_freq != "epoch" and self.batches % self.save_freq == 0:
            self._save(self.state.epoch, batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        if self.save_freq == "epoch":
            self._save(epoch, None, logs)

    def _save(self, epoch, batch, logs):
        if self.save_best_only:
            value = self.watched(logs)
            if value is None or not self.is_better(value, self.best):
                return
            self.best = value
        path = self._path(epoch, batch, logs or {})
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: saved {path}.")

    def _path(self, epoch, batch, logs):
        """Return the path with the numbers of the epoch, or of the batch, in the place of their names."""
        numbers = {"epoch": epoch + 1, **({} if batch is None else {"batch": batch + 1}), **logs}
        try:
            return self.filepath.format(**numbers)
        except (KeyError, IndexError, ValueError) as error:
            raise ArgumentError(self._unknown_name(error, logs)) from None

    def _unknown_name(self, found, names):
        return (
            f"ModelCheckpoint: '{self.filepath}' names {found}, and the epoch has {', '.join(names)}. "
            "Use these names, or epoch."
        )
