"""The loop itself. `train_step` is what all of it is about; `fit` repeats it over batches and epochs.

`features.fit` calls this `fit`, and shortens the model where its beginning is frozen. Read next: `optimizers`.
"""

import time

import numpy as np

from ..progress import Progress
from ..utils import generator, whole_number
from .checks import (
    as_list,
    check_batch,
    check_images,
    check_task,
    refuse_divergence,
    statistics_survive_divergence,
)
from .history import History, epoch_line


def train_step(model, x, y_true):
    """One update on one batch. Returns the loss before it and the predictions that it was computed from."""
    with statistics_survive_divergence(model):
        y_pred = model.forward(x, training=True)
        loss = model.loss.forward(y_true, y_pred)
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
    initial_epoch=0,
    shorten=None,
):
    """Train `model` on images x (N, H, W, C) and labels y. Returns a `History`.

    batch_size         images an update
    epochs             passes over all images, counted from `initial_epoch`
    verbose            0 silent; 1 a progress bar (on a terminal) and a line an epoch; 2 a line an epoch
    callbacks          a `training.Callback` or several, called before and after every epoch
    validation_split   the share of x and y, taken from their end, to hold back as validation data
    validation_data    (x, y) to evaluate on after each epoch: the "val_" numbers
    shuffle            a new random order of the images each epoch, from `utils.set_random_seed`
    shorten            a function that says before each epoch which part of the model to train, and on what:
                       (x, x_val, batch_size, verbose) -> (model, x, x_val). `features` uses it; nobody else has to

    The training loss of an epoch is the mean over its batches, each measured before its update.
    Raises DataError for arrays that do not fit, DivergedError as soon as a loss or gradient is not finite,
    or a gradient so large that the update would not be.
    """
    batch_size = whole_number(32 if batch_size is None else batch_size, "batch_size")
    epochs, initial_epoch = whole_number(epochs, "epochs", 0), whole_number(initial_epoch, "initial_epoch", 0)
    x, y, x_val, y_val = check_task(model, x, y, validation_split, validation_data)
    callbacks = as_list(callbacks)
    history, order_generator = History(), generator()
    model.stop_training = False
    for callback in callbacks:
        callback.model = model
    try:
        for callback in callbacks:
            callback.on_train_begin()
        for epoch in range(initial_epoch, epochs):
            for callback in callbacks:
                callback.on_epoch_begin(epoch)
            part, part_x, part_x_val = (model, x, x_val) if shorten is None else shorten(x, x_val, batch_size, verbose)
            start = time.perf_counter()
            order = order_generator.permutation(len(x)) if shuffle else np.arange(len(x))
            with Progress(f"Epoch {epoch + 1}/{epochs}", len(x), enabled=verbose == 1) as bar:
                results = _train_epoch(part, part_x, y, order, batch_size, bar)
            if y_val is not None:
                validation = _measure(part, part_x_val, y_val, batch_size)
                results.update({f"val_{name}": value for name, value in validation.items()})
            history.add(epoch, results)
            if verbose:
                print(epoch_line(epoch + 1, epochs, results, time.perf_counter() - start), flush=True)
            for callback in callbacks:
                callback.on_epoch_end(epoch, results)
            if model.stop_training:
                break
    finally:  # also after an error: files are closed, and the best weights come back
        for callback in callbacks:
            callback.on_train_end()
    return history


def _train_epoch(model, x, y, order, batch_size, bar):
    """One pass over all images in this order. Returns the means of loss and metrics."""
    averages = _Averages(model)
    for first in range(0, len(x), batch_size):
        batch = order[first : first + batch_size]
        loss, y_pred = train_step(model, x[batch], y[batch])
        averages.add(loss, y[batch], y_pred)
        bar.advance(len(batch), f"loss {averages.loss():.4f}")
    return averages.results()


def evaluate(model, x, y, batch_size=32, verbose=1, return_dict=False):
    """The loss on images x and labels y, or [loss, metrics...] if the model was compiled with metrics."""
    batch_size = whole_number(32 if batch_size is None else batch_size, "batch_size")
    y = check_batch(model, x, y)
    results = _measure(model, x, y, batch_size, "Evaluating" if verbose else None)
    if verbose:
        print("  ".join(f"{name} {value:.4f}" for name, value in results.items()), flush=True)
    return _returned(results, return_dict)


def predict(model, x, batch_size=32, verbose=1):
    """The model's output for each image of x, computed `batch_size` at a time. Nothing is kept for a backward."""
    batch_size = whole_number(32 if batch_size is None else batch_size, "batch_size")
    check_images(model, x)
    outputs = None
    with Progress("Predicting", len(x), enabled=verbose == 1) as bar:
        for first in range(0, len(x), batch_size):
            y = model.forward(x[first : first + batch_size], gradients="none")
            if outputs is None:
                outputs = np.empty((len(x), *y.shape[1:]), y.dtype)
            outputs[first : first + len(y)] = y
            bar.advance(len(y))
    return outputs


def train_on_batch(model, x, y, return_dict=False):
    """One update. Returns the loss before it, or [loss, metrics...] if the model was compiled with metrics."""
    y = check_batch(model, x, y)
    averages = _Averages(model)
    loss, y_pred = train_step(model, x, y)
    averages.add(loss, y, y_pred)
    return _returned(averages.results(), return_dict)


def _measure(model, x, y, batch_size, title=None):
    """Loss and metrics of the model as it is, by name."""
    averages = _Averages(model)
    with Progress(title, len(x), enabled=title is not None) as bar:
        for first in range(0, len(x), batch_size):
            batch = slice(first, first + batch_size)
            y_pred = model.forward(x[batch], gradients="none")
            averages.add(model.loss.forward(y[batch], y_pred), y[batch], y_pred)
            bar.advance(len(y_pred))
    return averages.results()


class _Averages:
    """Loss and metrics over the batches so far; a smaller last batch counts for less."""

    def __init__(self, model):
        self.metrics = model.metrics
        self.total_loss, self.images = 0.0, 0
        for _, metric in self.metrics:
            metric.reset()

    def add(self, loss, y_true, y_pred):
        self.total_loss += loss * len(y_pred)
        self.images += len(y_pred)
        for _, metric in self.metrics:
            metric.update(y_true, y_pred)

    def loss(self):
        return self.total_loss / self.images

    def results(self):
        return {"loss": self.loss(), **{name: metric.result() for name, metric in self.metrics}}


def _returned(results, return_dict):
    """As Keras returns them: the loss alone, or a list that begins with it."""
    if return_dict:
        return results
    values = list(results.values())
    return values if len(values) > 1 else values[0]
