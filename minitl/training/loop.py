"""The loop itself. `train_step` is what all of it is about; `fit` repeats it over batches and epochs.

`features.fit` calls this `fit`, and shortens the model where its beginning is frozen. Read next: `optimizers`.
"""

import copy
import time
from contextlib import ExitStack, nullcontext

import numpy as np

from .. import interruption
from ..arguments import whole_number
from ..data.batches import in_order, read_ahead
from ..progress import Progress
from ..randomness import generator
from .history import epoch_line
from .recovery.backup import BackupAndRestore, array_or_stream_digest
from .refused import (
    as_list,
    check_batch,
    check_images,
    check_task,
    refuse_divergence,
    sample_weights,
    statistics_survive_divergence,
)
from .state import Averages, TrainingState
from .warned import about_range, before_training


def train_step(model, x, y_true, sample_weight=None):
    """One update on one batch. Returns the loss before it and the predictions that it was computed from."""
    with statistics_survive_divergence(model):
        y_pred = model.forward(x, training=True)
        weights = () if sample_weight is None else (sample_weight,)
        loss = model.loss.forward(y_true, y_pred, *weights)
        refuse_divergence(model, x, loss)
        model.backward(model.loss.backward())
        model.optimizer.step(model)
    return loss, y_pred


def fit(
    model,
    x,
    y,
    batch_size=32,
    epochs=1,
    verbose=1,
    callbacks=None,
    validation_split=0.0,
    validation_data=None,
    shuffle=True,
    class_weight=None,
    initial_epoch=0,
    shorten=None,
):
    """Train `model` on images x (N, H, W, C) and labels y. Returns a `History`.

    x                  an array, or a stream of photographs (`data.PhotoStream`): then a batch is in memory at a time
    batch_size         images an update
    epochs             passes over all images, counted from `initial_epoch`
    verbose            0 silent; 1 a progress bar (on a terminal) and a line an epoch; 2 a line an epoch
    callbacks          a `training.Callback` or several, called before and after every epoch and batch
    validation_split   the share of x and y, taken from their end, to hold back as validation data
    validation_data    (x, y) to evaluate on after each epoch: the "val_" numbers
    shuffle            a new random order of the images each epoch, from `utils.set_random_seed`
    class_weight       {class: weight}: how much an image of this class counts in the loss (1 if it is not named), for
                       classes with few images. The "val_" numbers stay unweighted
    shorten            a function that says before each epoch which part of the model to train, and on what:
                       (x, x_val, batch_size, verbose) -> (model, x, x_val). `features` uses it; nobody else has to

    The training loss of an epoch is the mean over its batches, each measured before its update.
    Raises DataError for arrays that do not fit, DivergedError as soon as a loss or gradient is not finite,
    or a gradient so large that the update would not be.
    """
    batch_size = whole_number(32 if batch_size is None else batch_size, "batch_size")
    epochs, initial_epoch = whole_number(epochs, "epochs", 0), whole_number(initial_epoch, "initial_epoch", 0)
    x, y, x_val, y_val = check_task(model, x, y, validation_split, validation_data)
    was_split = validation_data is None and y_val is not None
    before_training(model, x, y, x_val, y_val, batch_size, shuffle, was_split)
    weights = sample_weights(class_weight, y, model.output_shape[-1])
    callbacks = as_list(callbacks)

    def task():
        return {
            "training data": f"{array_or_stream_digest(x)} {array_or_stream_digest(y)}",
            "validation data": x_val is not None and f"{array_or_stream_digest(x_val)} {array_or_stream_digest(y_val)}",
            "options": f"batch_size {batch_size}, epochs {epochs}, shuffle {shuffle}, class_weight {class_weight}",
        }

    averages = Averages(copy.deepcopy(model.metrics))  # its own: between two batches, a callback may call evaluate
    state = TrainingState(initial_epoch, generator(), averages, callbacks, task)
    model.stop_training = False
    for callback in callbacks:
        callback.model, callback.state = model, state
    is_backed_up = any(isinstance(callback, BackupAndRestore) for callback in callbacks)
    with interruption.graceful() if is_backed_up else nullcontext():
        try:
            tell(callbacks, "on_train_begin")  # BackupAndRestore may take the state to where it was
            while state.epoch < epochs and not (model.stop_training or state.finished):
                interruption.check()
                if not state.begun:
                    tell(callbacks, "on_epoch_begin", state.epoch)
                    state.begun = True
                parts = (model, x, x_val) if shorten is None else shorten(x, x_val, batch_size, verbose)
                _run_epoch(state, epochs, *parts, y, y_val, weights, batch_size, shuffle, verbose)
            state.finished = True
        except interruption.Interrupted:
            tell(callbacks, "on_interrupt")
            raise
        finally:  # also after an error: files are closed, and the best weights come back
            with ExitStack() as ending:  # each is told, even if one before it fails
                for callback in reversed(callbacks):
                    ending.callback(callback.on_train_end)
    return state.history


def tell(callbacks, event, *arguments):
    """Call this method of each. A signal has to wait until all have been told: what some of them have done already
    cannot be saved as done, nor as not done."""
    with interruption.deferred():
        for callback in callbacks:
            getattr(callback, event)(*arguments)


def _run_epoch(state, epochs, model, x, x_val, y, y_val, weights, batch_size, shuffle, verbose):
    """What is left of one pass over all images, its validation, and what is told of it."""
    start, epoch = time.perf_counter(), state.epoch
    state.moved.update(layer.name for layer in model.layers if layer.trainable)
    if state.order is None or len(state.order) != len(x):  # the latter: resumed with other data, as was asked for
        state.order = state.generator.permutation(len(x)) if shuffle else np.arange(len(x))
        state.images_done = 0
    with Progress(f"Epoch {epoch + 1}/{epochs}", len(x), enabled=verbose == 1) as bar:
        bar.advance(state.images_done)
        _train_on_rest(state, model, x, y, weights, batch_size, bar)
    results = state.averages.results()
    if y_val is not None:
        validation = _measure(model, x_val, y_val, batch_size, Averages(model.metrics))
        results.update({f"val_{name}": value for name, value in validation.items()})
    state.history.add(epoch, results)
    if verbose:
        print(epoch_line(epoch + 1, epochs, results, time.perf_counter() - start), flush=True)
    state.start_epoch(epoch + 1)
    tell(state.callbacks, "on_epoch_end", epoch, results)


def _train_on_rest(state, model, x, y, weights, batch_size, bar):
    """An update for each batch from `state.images_done` on. The state is right whenever a callback is called."""
    batches = [state.order[first : first + batch_size] for first in range(state.images_done, len(x), batch_size)]
    for batch, images in zip(batches, read_ahead(x, batches, state.epoch)):
        number = state.images_done // batch_size
        tell(state.callbacks, "on_train_batch_begin", number)
        loss, y_pred = train_step(model, images, y[batch], None if weights is None else weights[batch])
        state.averages.add(loss, y[batch], y_pred)
        state.images_done += len(batch)
        tell(state.callbacks, "on_train_batch_end", number, state.averages.results())
        bar.advance(len(batch), f"loss {state.averages.loss():.4f}")  # raises Interrupted, if that was asked for


def evaluate(model, x, y, batch_size=32, verbose=1, return_dict=False):
    """The loss on images x and labels y, or [loss, metrics...] if the model was compiled with metrics."""
    batch_size = whole_number(32 if batch_size is None else batch_size, "batch_size")
    y = check_batch(model, x, y)
    about_range(model, x)
    results = _measure(model, x, y, batch_size, Averages(model.metrics), "Evaluating" if verbose else None)
    if verbose:
        print("  ".join(f"{name} {value:.4f}" for name, value in results.items()), flush=True)
    return _returned(results, return_dict)


def predict(model, x, batch_size=32, verbose=1):
    """The model's output for each image of x, computed `batch_size` at a time. Nothing is kept for a backward."""
    batch_size = whole_number(32 if batch_size is None else batch_size, "batch_size")
    check_images(model, x)
    about_range(model, x)
    outputs, batches = None, in_order(len(x), batch_size)
    with Progress("Predicting", len(x), enabled=verbose == 1) as bar:
        for batch, images in zip(batches, read_ahead(x, batches)):
            y = model.forward(images, gradients="none")
            if outputs is None:
                outputs = np.empty((len(x), *y.shape[1:]), y.dtype)
            outputs[batch] = y
            bar.advance(len(y))
    return outputs


def train_on_batch(model, x, y, return_dict=False):
    """One update. Returns the loss before it, or [loss, metrics...] if the model was compiled with metrics."""
    y = check_batch(model, x, y)
    averages = Averages(model.metrics)
    loss, y_pred = train_step(model, x, y)
    averages.add(loss, y, y_pred)
    return _returned(averages.results(), return_dict)


def _measure(model, x, y, batch_size, averages, title=None):
    """Loss and metrics of the model as it is, by name."""
    averages.reset()
    batches = in_order(len(x), batch_size)
    with Progress(title, len(x), enabled=title is not None) as bar:
        for batch, images in zip(batches, read_ahead(x, batches)):
            y_pred = model.forward(images, gradients="none")
            averages.add(model.loss.forward(y[batch], y_pred), y[batch], y_pred)
            bar.advance(len(y_pred))
    return averages.results()


def _returned(results, return_dict):
    """As Keras returns them: the loss alone, or a list that begins with it."""
    if return_dict:
        return results
    values = list(results.values())
    return values if len(values) > 1 else values[0]
