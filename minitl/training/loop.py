"""The training loop. `train_step` does one update, and `fit` repeats it over batches and epochs.

`layer.trainable` is read at each update, so freezing and unfreezing act at once, even between two batches. Layers in a
frozen beginning whose output is kept are the exception: unfreezing them acts from the next epoch on (`_run_epoch`).

Who calls this: `Model.fit`, `evaluate`, `predict`, `train_on_batch`. Read next: `optimizers.base`.
"""

import copy
import time
from contextlib import ExitStack, nullcontext

import numpy as np

from .. import interruption
from ..arguments import whole_number
from ..data.batches import in_order, read_ahead
from ..features import KeptFeatures, all_outputs, outputs
from ..kernels.memory import release
from ..progress import Progress
from ..randomness import generator
from .history import epoch_line
from .recovery.backup import BackupAndRestore, sources_digest
from .refused import as_list, check_batch, check_examples, check_task, refuse_divergence, statistics_survive_divergence
from .state import Averages, TrainingState
from .warned import about_range, before_training
from .weighting import batch_of, combined_weights


def train_step(model, x, y_true, sample_weight=None, part=None):
    """Do one update on one batch. Returns the loss before the update and the predictions that it was computed from.

    part   the trained end of the model, if the frozen beginning has been run before: then x is the output of that
           beginning. Default: the whole model
    """
    graph = model if part is None else part
    with statistics_survive_divergence(graph):
        y_pred = graph.forward(x, training=True)
        weights = () if sample_weight is None else (sample_weight,)
        loss = model.loss.forward(y_true, y_pred, *weights)
        refuse_divergence(model, graph, x, loss)
        graph.backward(model.loss.backward())
        model.optimizer.step(graph)
    return loss, y_pred


def fit(
    model,
    x,
    y=None,
    batch_size=32,
    epochs=1,
    verbose=1,
    callbacks=None,
    validation_split=0.0,
    validation_data=None,
    shuffle=True,
    class_weight=None,
    sample_weight=None,
    initial_epoch=0,
    frozen_once=True,
):
    """Train `model` on examples x (N, ...) and labels y. Returns a `History`.

    x, y               one array each. With several inputs or outputs: a list or dict of arrays. x may be a stream
                       (`data.PhotoStream`): then only one batch is in memory at a time
    batch_size         the number of examples per update
    epochs             the number of passes over all examples, less those before `initial_epoch`
    verbose            0 silent; 1 a progress bar (on a terminal) and a line per epoch; 2 a line per epoch
    callbacks          a `training.Callback` or several, called before and after every epoch and batch
    validation_split   the share of x and y, taken from their end, that is held back as validation data
    validation_data    (x, y) or (x, y, sample_weight) to evaluate on after each epoch: the "val_" numbers
    shuffle            True: a new random order of the examples in each epoch, from `utils.set_random_seed`
    class_weight       {class: weight}: how much a label of this class counts in the loss (1 if it is not named), for
                       classes with few examples. The "val_" numbers stay unweighted
    sample_weight      how much each label counts in the loss: (N,) for examples, (N, H, W) for pixels. A label of
                       weight 0 does not count. With several outputs: a list or dict, or one for all. If there is a
                       class_weight as well, the two are multiplied
    frozen_once        True: run a frozen beginning of the model only once and keep its output (`features`). The numbers
                       are the same up to rounding, and training is faster. A layer of that beginning that a callback
                       unfreezes within an epoch trains from the next epoch on

    The training loss of an epoch is the mean over its batches. Each is measured before its update.
    Raises DataError for arrays that do not fit. Raises DivergedError as soon as a loss or a gradient is not finite, or
    a gradient is so large that the update would not be finite.
    """
    batch_size = whole_number(32 if batch_size is None else batch_size, "batch_size")
    epochs, initial_epoch = whole_number(epochs, "epochs", 0), whole_number(initial_epoch, "initial_epoch", 0)
    task = check_task(model, x, y, sample_weight, validation_split, validation_data)
    before_training(model, task, batch_size, shuffle)
    weights = combined_weights(model, class_weight, task.sample_weight, task.y)
    callbacks = as_list(callbacks)

    def conditions():
        of_val = f"{sources_digest(task.x_val)} {sources_digest(task.y_val)}" if task.x_val is not None else False
        return {
            "training data": f"{sources_digest(task.x)} {sources_digest(task.y)}",
            "validation data": of_val,
            "sample weights": sources_digest(task.sample_weight),
            "options": f"batch_size {batch_size}, epochs {epochs}, shuffle {shuffle}, class_weight {class_weight}",
        }

    # `fit` has its own copy of the metrics, because a callback may call `evaluate` between two batches.
    averages = Averages(model, copy.deepcopy(model.metrics))
    state = TrainingState(initial_epoch, generator(), averages, callbacks, conditions)
    model.stop_training = False
    for callback in callbacks:
        callback.model, callback.state = model, state
    is_backed_up = any(isinstance(callback, BackupAndRestore) for callback in callbacks)
    kept = KeptFeatures(model)
    with interruption.graceful() if is_backed_up else nullcontext():
        try:
            call_each(callbacks, "on_train_begin")  # BackupAndRestore may restore an earlier state here
            while state.epoch < epochs and not (model.stop_training or state.finished):
                interruption.check()
                if not state.begun:
                    call_each(callbacks, "on_epoch_begin", state.epoch)
                    state.begun = True
                whole = model, task.x, task.x_val
                part, *shortened = kept.shorten(*whole[1:], batch_size, verbose) if frozen_once else whole
                _run_epoch(model, part, *shortened, task, weights, state, epochs, batch_size, shuffle, verbose)
            state.finished = True
        except interruption.Interrupted:
            call_each(callbacks, "on_interrupt")
            raise
        finally:  # also after an error: callbacks close their files and restore the best weights
            with ExitStack() as ending:  # calls each callback, even if one before it fails
                ending.callback(release)
                for callback in reversed(callbacks):
                    ending.callback(callback.on_train_end)
    return state.history


def call_each(callbacks, event, *arguments):
    """Call the method named `event` of each callback. A signal (Ctrl-C) waits until all callbacks have run. A
    checkpoint in between would hold the counts of some callbacks from before the event, and those of others from after
    it."""
    with interruption.deferred():
        for callback in callbacks:
            getattr(callback, event)(*arguments)


def _run_epoch(model, part, x, x_val, task, weights, state, epochs, batch_size, shuffle, verbose):
    """Train on the rest of this epoch's examples, validate, and report both. `part` is the trained end of the model,
    and x its examples.

    `part` stays the same for the whole epoch. A layer that was in the kept frozen beginning when the epoch began is not
    in `part`, so unfreezing it in a batch callback acts from the next epoch on. For a layer in `part`, freezing and
    unfreezing act on the next update.
    """
    start, epoch, count = time.perf_counter(), state.epoch, len(x[0])
    state.moved.update(layer.name for layer in part.layers if layer.trainable)
    # The lengths differ if a training was resumed with other data (`despite_changes`).
    if state.order is None or len(state.order) != count:
        state.order = state.generator.permutation(count) if shuffle else np.arange(count)
        state.examples_done = 0
    with Progress(f"Epoch {epoch + 1}/{epochs}", count, enabled=verbose == 1) as bar:
        bar.advance(state.examples_done)
        _train_on_rest(model, part, x, task.y, weights, state, batch_size, bar)
    results = state.averages.results()
    if task.y_val is not None:
        averages = Averages(model, model.metrics)
        validation = _measure(model, part, x_val, task.y_val, task.sample_weight_val, batch_size, averages)
        results.update({f"val_{name}": value for name, value in validation.items()})
    state.history.add(epoch, results)
    if verbose:
        print(epoch_line(epoch + 1, epochs, results, time.perf_counter() - start), flush=True)
    state.start_epoch(epoch + 1)
    call_each(state.callbacks, "on_epoch_end", epoch, results)


def _train_on_rest(model, part, x, y, weights, state, batch_size, bar):
    """Do an update for each batch from `state.examples_done` on. The state is up to date at each call of a callback."""
    starts = range(state.examples_done, len(state.order), batch_size)
    batches = [state.order[first : first + batch_size] for first in starts]
    for batch, examples in zip(batches, read_ahead(x, batches, state.epoch)):
        number = state.examples_done // batch_size
        call_each(state.callbacks, "on_train_batch_begin", number)
        labels, sample_weight = batch_of(model, y, batch), batch_of(model, weights, batch)
        loss, y_pred = train_step(model, part.input_structure.packed(examples), labels, sample_weight, part)
        state.averages.add(loss, labels, y_pred, sample_weight)
        state.examples_done += len(batch)
        call_each(state.callbacks, "on_train_batch_end", number, state.averages.results())
        bar.advance(len(batch), f"loss {state.averages.loss():.4f}")  # raises Interrupted after Ctrl-C


def evaluate(model, x, y=None, batch_size=32, verbose=1, sample_weight=None, return_dict=False):
    """Return the loss on examples x and labels y, or [loss, metrics...] if the model was compiled with metrics."""
    batch_size = whole_number(32 if batch_size is None else batch_size, "batch_size")
    x, y, weights = check_batch(model, x, y, sample_weight)
    about_range(model, x)
    averages = Averages(model, model.metrics)
    results = _measure(model, model, x, y, weights, batch_size, averages, "Evaluating" if verbose else None)
    if verbose:
        print("  ".join(f"{name} {value:.4f}" for name, value in results.items()), flush=True)
    return _returned(results, return_dict)


def predict(model, x, batch_size=32, verbose=1):
    """Return the model's output for each example of x, computed `batch_size` at a time. The layers keep nothing for
    `backward`."""
    batch_size = whole_number(32 if batch_size is None else batch_size, "batch_size")
    x = check_examples(model, x)
    about_range(model, x)
    return model.output_structure.packed(all_outputs(model, x, batch_size, "Predicting" if verbose == 1 else None))


def train_on_batch(model, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
    """Do one update. Returns the loss before the update, or [loss, metrics...] if the model was compiled with
    metrics."""
    x, y, weights = check_batch(model, x, y, sample_weight)
    weights = combined_weights(model, class_weight, weights, y)
    averages = Averages(model, model.metrics)
    everything = slice(None)
    labels, sample_weight = batch_of(model, y, everything), batch_of(model, weights, everything)
    (examples,) = read_ahead(x, [everything])
    loss, y_pred = train_step(model, model.input_structure.packed(examples), labels, sample_weight)
    averages.add(loss, labels, y_pred, sample_weight)
    return _returned(averages.results(), return_dict)


def _measure(model, part, x, y, weights, batch_size, averages, title=None):
    """Return the loss and the metrics of the model on these examples, by name. Nothing is updated."""
    averages.reset()
    batches = in_order(len(x[0]), batch_size)
    for batch, y_pred in outputs(part, x, batches, title):
        labels, sample_weight = batch_of(model, y, batch), batch_of(model, weights, batch)
        given = () if sample_weight is None else (sample_weight,)
        averages.add(model.loss.forward(labels, y_pred, *given), labels, y_pred, sample_weight)
    return averages.results()


def _returned(results, return_dict):
    """Return results as Keras does: the loss alone, or a list that begins with the loss."""
    if return_dict:
        return results
    values = list(results.values())
    return values if len(values) > 1 else values[0]
