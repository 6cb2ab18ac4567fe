"""Callbacks: objects that `fit`, `evaluate` and `predict` call, under Keras's names and by Keras's rules.

Here is the base, and the callbacks that watch no number. Who calls them, and when: `calling`. Read next: `monitors`,
the callbacks that watch a number of the epoch.
"""

import csv
import inspect
import os

import numpy as np

from ..arguments import call_text
from ..errors import ArgumentError
from ..files.writable import check_can_write


class Callback:
    """The base class of callbacks. `fit`, `evaluate` and `predict` call these methods. `fit` also sets `state`
    (`training.state`).

    on_train_begin, on_train_end                   `fit`: around the whole training
    on_epoch_begin, on_epoch_end                   `fit`: around each epoch
    on_train_batch_begin, on_train_batch_end       `fit`: around each batch. Their old names on_batch_begin and
                                                   on_batch_end are called as well
    on_test_begin, on_test_end                     `evaluate`, and the validation in `fit`
    on_test_batch_begin, on_test_batch_end         around each batch of these
    on_predict_begin, on_predict_end               `predict`
    on_predict_batch_begin, on_predict_batch_end   around each batch of it

    `logs` is a dict. After an epoch it holds the numbers of the epoch: loss, accuracy, val_loss, ... After a batch it
    holds those of the epoch so far. After the training it holds those of the last epoch, and after a batch of `predict`
    the "outputs". Before something it is empty. The callbacks of a list get the same dict. What one of them adds to it
    after an epoch is seen by those behind it, and stands in the history.

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
    params = None  # {"verbose", "epochs", "steps"}; steps is the number of batches
    remembers: tuple = ()  # names of attributes that change in training and belong into a checkpoint: data and arrays
    comes_last = False  # True: `fit` calls this callback after all others, and after the history
    sets_learning_rate = False  # True: the optimizer must not have a schedule
    added_logs: tuple | None = None  # names that `on_epoch_end` adds to its logs; None: unknown

    def __repr__(self):
        return call_text(self)

    def set_model(self, model):
        self.model = model

    def set_params(self, params):
        self.params = params

    def on_train_begin(self, logs=None):
        pass

    def on_train_end(self, logs=None):
        """Clean up. This is also called when training ends with an error or by Ctrl-C."""

    def on_interrupt(self):
        """Respond to Ctrl-C or SIGTERM, after the current batch is finished. `on_train_end` follows."""

    def on_batch_begin(self, batch, logs=None):
        pass

    def on_batch_end(self, batch, logs=None):
        pass

    def on_train_batch_begin(self, batch, logs=None):
        self.on_batch_begin(batch, logs)

    def before_update(self):
        """Respond to what the callbacks have done in on_train_batch_begin. The update of the batch follows."""

    def on_train_batch_end(self, batch, logs=None):
        self.on_batch_end(batch, logs)

    def on_epoch_begin(self, epoch, logs=None):
        pass

    def on_epoch_end(self, epoch, logs=None):
        pass

    def on_test_begin(self, logs=None):
        pass

    def on_test_end(self, logs=None):
        pass

    def on_test_batch_begin(self, batch, logs=None):
        pass

    def on_test_batch_end(self, batch, logs=None):
        pass

    def on_predict_begin(self, logs=None):
        pass

    def on_predict_end(self, logs=None):
        pass

    def on_predict_batch_begin(self, batch, logs=None):
        pass

    def on_predict_batch_end(self, batch, logs=None):
        pass


# The names of all methods that a callback may define for `fit`, `evaluate` and `predict` to call.
HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class LambdaCallback(Callback):
    """A callback made of functions: `LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs))`. They take the
    arguments of the methods of `Callback` that they are named after. Every method may be given by its name."""

    def __init__(
        self,
        on_epoch_begin=None,
        on_epoch_end=None,
        on_train_begin=None,
        on_train_end=None,
        on_train_batch_begin=None,
        on_train_batch_end=None,
        **others,
    ):
        functions = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **others,
        }
        for name, function in functions.items():
            if name not in HOOKS or not (function is None or callable(function)):
                raise ArgumentError(
                    f"LambdaCallback: {name} is {function!r}; expected functions named after methods of Callback: "
                    f"{', '.join(HOOKS)}."
                )
            if function is not None:
                setattr(self, name, function)


class TerminateOnNaN(Callback):
    """Keras's callback that ends a training whose loss is not finite. Here `fit` does this by itself, with or without
    it: it raises DivergedError before the weights are changed.

    raise_error   Keras stops in silence unless it is True. An error is raised here in either case
    """

    added_logs = ()

    def __init__(self, raise_error=False):
        self.raise_error = raise_error


class LearningRateScheduler(Callback):
    """A callback that sets the learning rate of each epoch. Epochs count from 0. The history gets a "learning_rate".

    schedule   a function of the epoch, or of the epoch and the learning rate before it. It returns a number
    verbose    1: print the learning rate of each epoch
    """

    sets_learning_rate, added_logs = True, ("learning_rate",)

    def __init__(self, schedule, verbose=0):
        if not callable(schedule):
            raise ArgumentError(f"schedule is {schedule!r}; expected a function of the epoch and the learning rate.")
        self.schedule, self.verbose, self.takes_rate = schedule, verbose, _takes_two(schedule)

    def on_epoch_begin(self, epoch, logs=None):
        optimizer = self.model.optimizer
        arguments = (epoch, float(optimizer.learning_rate)) if self.takes_rate else (epoch,)
        learning_rate = self.schedule(*arguments)
        if not isinstance(learning_rate, (int, float, np.number)) or isinstance(learning_rate, bool):
            raise ArgumentError(
                f"LearningRateScheduler: the schedule returned {learning_rate!r} for epoch {epoch}; expected a number."
            )
        optimizer.learning_rate = float(learning_rate)
        if self.verbose:
            print(f"Epoch {epoch + 1}: learning rate {optimizer.learning_rate:g}.")

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


def _takes_two(schedule):
    """Return whether a function takes an epoch and a learning rate, and not an epoch alone."""
    try:
        inspect.signature(schedule).bind(0, 0.1)
    except TypeError:
        return False
    except ValueError:  # a builtin function without a signature
        pass
    return True


class LearningRateHistory(Callback):
    """A callback that records in `learning_rates` the learning rate with which each epoch begins. Put it after a
    callback that sets the rate."""

    remembers = ("learning_rates",)
    added_logs = ()

    def on_train_begin(self, logs=None):
        self.learning_rates = []

    def on_epoch_begin(self, epoch, logs=None):
        self.learning_rates.append(float(self.model.optimizer.learning_rate))


class CSVLogger(Callback):
    """A callback that writes the numbers of each epoch as a row of a CSV file. The file is complete after each epoch.

    append   add rows to an existing file
    """

    remembers = ("columns", "position")
    added_logs = ()

    def __init__(self, filename, separator=",", append=False):
        if not isinstance(filename, (str, os.PathLike)) or not os.fspath(filename):
            raise ArgumentError(f"filename is {filename!r}; expected the path of a file to write.")
        if not isinstance(separator, str) or len(separator) != 1 or separator in '\r\n"':
            raise ArgumentError(f"separator is {separator!r}; expected a single character.")
        self.filename, self.separator, self.append = os.fspath(filename), separator, append
        self.file = None

    def on_train_begin(self, logs=None):
        self.columns = None
        check_can_write(self.filename, "CSVLogger's filename")  # now, and not after the first epoch
        with open(self.filename, "ab") as file:
            self.position = file.seek(0, os.SEEK_END) if self.append else 0  # the rows begin here

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
