"""The training loop. `train_step` does one update, and `fit` repeats it over batches and epochs.

    fit                     checks its arguments, and prepares the batches (`feeding`) and the state (`state`)
      _train                the callbacks of the whole training, and Ctrl-C
        _train_epochs       one epoch after the other
          _train_epoch      sets up the batches of an epoch
            _train_on_batches   one step after the other
              train_step        the update
          _end_epoch        validates (`measuring`), prints, and writes the history

`layer.trainable` is read at each update, so freezing and unfreezing act at once, even between two batches. The one
exception is described in `callbacks.Callback`.

A step of `fit`, in order (2 to 5 are `train_step`):
 1. The callbacks run: `on_train_batch_begin` of each, then `before_update` of each.
 2. Forward with training=True. Layers such as BatchNormalization update their moving statistics here.
 3. The loss of the batch is computed, with the penalties of regularizers. It must be finite. Loss and metrics are
    added to the averages of the epoch, so they are those before the update.
 4. Backward, first of the loss and then of the layers: every trainable parameter gets its gradient.
 5. `optimizer.step` (in `optimizers.base`):
    a. The slopes of the penalties are added. The shapes of all gradients are checked. Then all gradients must be
       finite and not too large, before clipping.
    b. The learning rate of the step is read (of a schedule: its rate after `iterations` steps).
    c. `iterations` grows by 1.
    d. The gradients are clipped. New parameters get their state, and for l2_sp a copy p0 of where they start.
    e. For each parameter, block by block: first the weight decay or the pull of l2_sp, then the update with the clipped
       gradient. Decay and pull act on the parameter and are not clipped.
 6. `on_train_batch_end` of each callback. After Ctrl-C, with BackupAndRestore, the training ends here.
If 2 to 5 raise an error, no weight changes: all is checked before 5e, and the moving statistics are restored.

Who calls this: `Model.fit` and `train_on_batch`. Read next: `optimizers.base`, and `measuring` for `evaluate` and
`predict`.
"""

import copy
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack, nullcontext
from typing import Any, NamedTuple

from .. import interruption, regularizers
from ..arguments import whole_number, whole_number_or_none
from ..errors import ArgumentError
from ..features import KeptFeatures
from ..kernels.memory import release
from ..progress import Progress
from ..randomness import generator
from .calling import as_list, call_each, introduce, refuse_schedule
from .feeding import Examples, Made, no_batch, one_batch, opened, opened_validation
from .history import epoch_line
from .measuring import measure, returned
from .recovery.backup import BackupAndRestore
from .refused import check_batch, check_task, refuse_divergence, statistics_survive_errors
from .state import Averages, TrainingState
from .warned import before_training
from .weighting import combined_weights


def train_step(model, x, y_true, sample_weight=None, part=None, averages=None):
    """Do one update on one batch. Returns the loss before the update and the predictions that it was computed from. If
    that raises an error, the weights do not change. The steps are explained at the head of this file.

    part       the trained end of the model, if the frozen beginning has been run before: then x is the output of that
               beginning. Default: the whole model
    averages   `state.Averages` to which the batch is added before the update
    """
    graph = model if part is None else part
    with statistics_survive_errors(graph):
        y_pred = graph.forward(x, training=True)
        weights = () if sample_weight is None else (sample_weight,)
        loss, penalty = model.loss.forward(y_true, y_pred, *weights), regularizers.penalty(graph.layers)
        refuse_divergence(model, graph, x, loss + penalty)
        if averages is not None:
            averages.add(loss, y_true, y_pred, sample_weight, penalty)
        graph.backward(model.loss.backward())
        model.optimizer.step(graph)
    return loss + penalty, y_pred


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
    steps_per_epoch=None,
    validation_steps=None,
    validation_batch_size=None,
    validation_freq=1,
    *,
    frozen_once=True,
):
    """Train `model` on examples x (N, ...) and labels y. Returns a `History`.

    x, y               one array each. With several inputs or outputs: a list or dict of arrays. x may be a stream
                       (`data.PhotoStream`): then only one batch is in memory at a time. x alone may be a set, such as
                       `image_dataset_from_directory` returns, or make batches (x, y): a generator, a `PyDataset`, any
                       iterable
    batch_size         the number of examples per update; a set, and what makes batches, have their own
    epochs             the number of passes over all examples, less those before `initial_epoch`
    verbose            0 silent; 1 a progress bar (on a terminal) and a line per epoch; 2 a line per epoch
    callbacks          a `training.Callback` or several, called before and after every epoch and batch
    validation_split   the share of x and y, taken from their end, that is held back as validation data. Rounded as in
                       Keras: floor(N * (1 - share)) examples are left for training
    validation_data    (x, y) or (x, y, sample_weight) to evaluate on after each epoch: the "val_" numbers. Or a set, or
                       what makes batches
    shuffle            True: a new random order of the examples in each epoch, from `utils.set_random_seed`. For a set,
                       it is the set that says it. For a `PyDataset`, it is the order of the batches
    class_weight       {class: weight}: how much a label of this class counts in the loss (1 if it is not named), for
                       classes with few examples. With a label for each pixel, it is a weight for each pixel; a label
                       that the loss ignores needs none. The "val_" numbers stay unweighted
    sample_weight      how much each label counts in the loss: (N,) for examples, (N, H, W) for pixels. A label of
                       weight 0 does not count. With several outputs: a list or dict, or one for all. If there is a
                       class_weight as well, the two are multiplied
    validation_*       validation_steps: None, or the number of batches to evaluate on; validation_batch_size: None
                       (batch_size), or their size; validation_freq: evaluate after every so many epochs, or after
                       those in a list, which counts them from 1
    steps_per_epoch    None: an epoch is one pass over all examples. A number: an epoch has so many batches, and the
                       next one goes on from there. Where a generator never ends, it must be given
    frozen_once        True: run a frozen beginning of the model only once and keep its output (`features`). The numbers
                       are the same up to rounding, and training is faster. If a callback unfreezes layers, see
                       `training.Callback`

    The training loss of an epoch is the mean over its batches. Each is measured before its update.
    Raises DataError for arrays that do not fit. Raises DivergedError as soon as a loss or a gradient is not finite, or
    a gradient is so large that the update would not be finite.
    """
    x, y, sample_weight, batch_size, shuffle = opened(x, y, sample_weight, batch_size, shuffle)
    validation_data, validation_batch_size = opened_validation(validation_data, validation_batch_size)
    batch_size = whole_number(batch_size, "batch_size")
    steps = whole_number_or_none(steps_per_epoch, "steps_per_epoch")
    val_size = batch_size if validation_batch_size is None else validation_batch_size
    val_size = whole_number(val_size, "validation_batch_size")
    val_steps = whole_number_or_none(validation_steps, "validation_steps")
    is_validated = _validated_epochs(validation_freq)
    if shuffle not in (True, False):
        raise ArgumentError(f"shuffle is {shuffle!r}; expected True or False.")
    callbacks = as_list(callbacks)
    epochs, initial_epoch = whole_number(epochs, "epochs", 0), whole_number(initial_epoch, "initial_epoch", 0)
    task = check_task(model, x, y, sample_weight, validation_split, validation_data)
    before_training(model, task, batch_size, shuffle)
    refuse_schedule(callbacks, model.optimizer)

    if task.x is None:
        train = Made(model, x, steps, class_weight, shuffle)
    else:
        weights = combined_weights(model, class_weight, task.sample_weight, task.y)
        train = Examples(model, task.x, task.y, weights, batch_size, shuffle, steps)
    val = None
    if task.x_val is not None:
        val = Examples(model, task.x_val, task.y_val, task.sample_weight_val, val_size, steps=val_steps)
    elif validation_data is not None:
        val = Made(model, validation_data, val_steps)
    options = (
        f"batch_size {batch_size}, epochs {epochs}, shuffle {shuffle}, class_weight {class_weight}, "
        f"steps_per_epoch {steps}, validation {(val_size, val_steps)} {validation_freq}"
    )
    # `fit` has its own copy of the metrics, because a callback may call `evaluate` between two batches.
    averages = Averages(model, copy.deepcopy(model.metrics))
    state = TrainingState(initial_epoch, generator(), averages, callbacks, (task, options), val is not None)
    verbose = 1 if verbose == "auto" else verbose

    _train(_Training(model, train, val, state, epochs, is_validated, verbose, frozen_once))
    return state.history


class _Training(NamedTuple):
    """A training that `fit` has checked and prepared: its settings, and its `state`, which changes.

    train, val     the batches to train on, and those to validate on or None
    is_validated   a function that says whether epoch 0, 1, ... is validated
    """

    model: Any
    train: Examples | Made
    val: Examples | Made | None
    state: TrainingState
    epochs: int
    is_validated: Callable[[int], bool]
    verbose: int
    frozen_once: bool


def _train(training):
    """Run all epochs, with what surrounds them: the callbacks of the whole training, and the answer to a signal."""
    model, train, state = training.model, training.train, training.state
    callbacks = state.callbacks
    model.stop_training, model.history = False, state.history
    introduce(callbacks, model, training.verbose, training.epochs, train.number_of_batches)
    for callback in callbacks:
        callback.state = state
    is_backed_up = any(isinstance(callback, BackupAndRestore) for callback in callbacks)
    if is_backed_up and not all(each.can_be_kept for each in (train, training.val) if each is not None):
        raise ArgumentError(
            "BackupAndRestore cannot go on with batches that a program makes: it cannot have them made again from the "
            "middle. Give arrays, a stream, or a set such as image_dataset_from_directory returns; or leave it out."
        )
    with interruption.graceful() if is_backed_up else nullcontext():
        try:
            call_each(callbacks, "on_train_begin", {})  # BackupAndRestore may restore an earlier state here
            _train_epochs(training)
            if hasattr(model.optimizer, "finalize_variable_values"):  # averages of parameters, with use_ema
                model.optimizer.finalize_variable_values()
            state.finished = True
        except interruption.Interrupted:
            call_each(callbacks, "on_interrupt")
            raise
        finally:  # also after an error: callbacks close their files and restore the best weights
            with ExitStack() as ending:  # calls each callback, even if one before it fails
                ending.callback(release)
                for callback in reversed(callbacks):
                    ending.callback(callback.on_train_end, state.logs)


def _train_epochs(training):
    """Train and validate, epoch by epoch, until the last one, a callback, or the end of the batches."""
    model, train, val, state = training.model, training.train, training.val, training.state
    kept = KeptFeatures(model)
    while state.epoch < training.epochs and not (state.finished or model.stop_training and not state.begun):
        interruption.check()
        if not state.begun:
            call_each(state.callbacks, "on_epoch_begin", state.epoch, {})
            state.begun = True
        part, x, x_val = model, train.x, None if val is None else val.x
        if training.frozen_once and train.can_be_kept:
            part, x, x_val = kept.shorten(x, x_val, train.batch_size, training.verbose)
        if not _train_epoch(training, part, x):
            break
        _end_epoch(training, part, x_val)


def _train_epoch(training, part, x):
    """Train on the rest of this epoch's batches. `part` is the trained end of the model, and x its examples. Returns
    whether there was a batch. Raises DataError if there was never one.

    `part` stays the same for the whole epoch; hence the exception described in `callbacks.Callback`. For a layer in
    `part`, freezing and unfreezing act on the next update.
    """
    train, state = training.train, training.state
    state.started = time.perf_counter()
    state.moved.update(layer.name for layer in part.layers if layer.trainable)
    batches, title = train.of_epoch(x, state), f"Epoch {state.epoch + 1}/{training.epochs}"
    with Progress(title, train.total(state.epoch_began_at), enabled=training.verbose == 1) as bar:
        bar.advance(state.examples_done - state.epoch_began_at)
        _train_on_batches(training.model, part, batches, state, bar)
    if state.examples_done == 0 and not state.history.epoch:
        raise no_batch()
    return state.examples_done > 0


def _train_on_batches(model, part, batches, state, bar):
    """Do an update for each (number, batch), until a callback sets `stop_training`. The state is up to date at each
    call of a callback."""
    if model.stop_training and state.examples_done:
        return  # resumed from a checkpoint behind the batch that was the last one
    for number, batch in batches:
        call_each(state.callbacks, "on_train_batch_begin", number, {})
        call_each(state.callbacks, "before_update")
        examples = part.input_structure.packed(batch.examples)
        train_step(model, examples, batch.labels, batch.weights, part, state.averages)
        state.examples_done += batch.count
        call_each(state.callbacks, "on_train_batch_end", number, state.averages.results())
        bar.advance(batch.count, f"loss {state.averages.loss():.4f}")  # raises Interrupted after Ctrl-C
        if model.stop_training:
            break


def _end_epoch(training, part, x_val):
    """Validate, report the numbers of the epoch, and put them into the history. `x_val` is what `part` is validated
    on."""
    model, val, state = training.model, training.val, training.state
    epoch, logs = state.epoch, state.averages.results()
    if val is not None and training.is_validated(epoch):
        found = measure(model, part if val.can_be_kept else model, val.in_turn(x_val), callbacks=state.callbacks)
        logs.update({f"val_{name}": value for name, value in found.items()})
    if training.verbose:
        print(epoch_line(epoch + 1, training.epochs, logs, time.perf_counter() - state.started), flush=True)
    state.start_epoch(epoch + 1, training.train.goes_on)
    with interruption.deferred():
        call_each([each for each in state.callbacks if not each.comes_last], "on_epoch_end", epoch, logs)
        state.history.add(epoch, logs)  # with what the callbacks have added
        state.logs = logs
        call_each([each for each in state.callbacks if each.comes_last], "on_epoch_end", epoch, logs)


def _validated_epochs(freq):
    """Return a function that says whether epoch 0, 1, ... is validated: each `freq`-th one, or those in a list, which
    counts them from 1."""
    if isinstance(freq, Collection) and not isinstance(freq, str):
        return lambda epoch: epoch + 1 in freq
    freq = whole_number(freq, "validation_freq")
    return lambda epoch: (epoch + 1) % freq == 0


def train_on_batch(model, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
    """Do one update. Returns the loss before the update, or [loss, metrics...] if the model was compiled with
    metrics."""
    x, y, weights = check_batch(model, x, y, sample_weight)
    averages = Averages(model, model.metrics)
    batch = one_batch(model, x, y, combined_weights(model, class_weight, weights, y))
    examples = model.input_structure.packed(batch.examples)
    train_step(model, examples, batch.labels, batch.weights, averages=averages)
    return returned(averages.results(), return_dict)
