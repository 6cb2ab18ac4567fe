"""Evaluation and prediction: a pass over examples in which nothing is updated.

Who calls this: `Model.evaluate` and `predict`, and `loop` for the validation after each epoch.
"""

from ..arguments import whole_number
from ..data.batches import in_order, one_pass
from ..features import outputs
from ..features.one_pass import collected
from .calling import as_list, call_each, introduce
from .refused import check_batch, check_examples
from .state import Averages
from .warned import about_range
from .weighting import batch_of


def evaluate(
    model, x, y=None, batch_size=32, verbose=1, sample_weight=None, steps=None, callbacks=None, return_dict=False
):
    """Return the loss on examples x and labels y, or [loss, metrics...] if the model was compiled with metrics.

    steps       None, or the number of batches after which to stop
    callbacks   their methods on_test_* are called
    """
    batch_size = whole_number(32 if batch_size is None else batch_size, "batch_size")
    x, y, weights = check_batch(model, x, y, sample_weight)
    about_range(model, x)
    batches, callbacks = _batches(x, batch_size, steps), as_list(callbacks)
    introduce(callbacks, model, verbose, 1, len(batches))
    averages = Averages(model, model.metrics)
    results = measure(model, model, x, y, weights, batches, averages, "Evaluating" if verbose else None, callbacks)
    if verbose:
        print("  ".join(f"{name} {value:.4f}" for name, value in results.items()), flush=True)
    return returned(results, return_dict)


def predict(model, x, batch_size=32, verbose=1, steps=None, callbacks=None):
    """Return the model's output for each example of x, computed `batch_size` at a time. The layers keep nothing for
    `backward`.

    steps       None, or the number of batches after which to stop
    callbacks   their methods on_predict_* are called
    """
    batch_size = whole_number(32 if batch_size is None else batch_size, "batch_size")
    x = check_examples(model, x)
    about_range(model, x)
    callbacks = as_list(callbacks)
    # A callback is shown the outputs of each batch, and may stop after any of them: so the examples come in order.
    batches = _batches(x, batch_size, steps, in_their_order=bool(callbacks))
    introduce(callbacks, model, verbose, 1, len(batches))
    model.stop_predicting = False
    call_each(callbacks, "on_predict_begin", {})
    found, count, done = None, len(x[0]) if steps is None else batches[-1].stop, 0
    title = "Predicting" if verbose in (1, "auto") else None
    for number, batch, y in _announced(model, x, batches, title, callbacks, "on_predict_batch_begin"):
        arrays = model.output_structure.flat(y, "outputs")
        found = collected(found, batch, arrays, count)
        done += len(arrays[0])
        call_each(callbacks, "on_predict_batch_end", number, {"outputs": y})
        if model.stop_predicting:
            break
    call_each(callbacks, "on_predict_end", {})
    return model.output_structure.packed(tuple(each[:done] for each in found))


def test_on_batch(model, x, y=None, sample_weight=None, return_dict=False):
    """Return the loss on one batch, or [loss, metrics...]. Nothing is updated."""
    x, y, weights = check_batch(model, x, y, sample_weight)
    averages = Averages(model, model.metrics)
    return returned(measure(model, model, x, y, weights, in_order(len(x[0]), len(x[0])), averages), return_dict)


def predict_on_batch(model, x):
    """Return the model's output for one batch."""
    x = check_examples(model, x)
    ((_, y),) = outputs(model, x, in_order(len(x[0]), len(x[0])))
    return y


test_on_batch.__test__ = False  # type: ignore[attr-defined]  # no test for pytest


def measure(model, part, x, y, weights, batches, averages, title=None, callbacks=()):
    """Return the loss and the metrics of the model on these batches, by name. Nothing is updated.

    part   the trained end of the model whose beginning has been run before, or the model itself
    """
    averages.reset()
    model.stop_evaluating, logs = False, {}
    call_each(callbacks, "on_test_begin", {})
    for number, batch, y_pred in _announced(part, x, batches, title, callbacks, "on_test_batch_begin"):
        labels, sample_weight = batch_of(model, y, batch), batch_of(model, weights, batch)
        given = () if sample_weight is None else (sample_weight,)
        averages.add(model.loss.forward(labels, y_pred, *given), labels, y_pred, sample_weight)
        if callbacks:
            call_each(callbacks, "on_test_batch_end", number, averages.results())
        if model.stop_evaluating:
            break
    logs = averages.results()
    call_each(callbacks, "on_test_end", logs)
    return logs


def returned(results, return_dict):
    """Return results as Keras does: the loss alone, or a list that begins with the loss."""
    if return_dict:
        return results
    values = list(results.values())
    return values if len(values) > 1 else values[0]


def _batches(x, batch_size, steps, in_their_order=False):
    """Return batches for all examples of x, or for the first `steps` batches. These are slices, unless all examples are
    wanted and a source asks for another order."""
    if steps is None and not in_their_order:
        return one_pass(x, batch_size)
    batches = in_order(len(x[0]), batch_size)
    return batches if steps is None else batches[: whole_number(steps, "steps")]


def _announced(part, x, batches, title, callbacks, event):
    """Yield (number, batch, output) for each of the batches. The method `event` of the callbacks is called before the
    batch is computed."""
    running = outputs(part, x, batches, title)
    for number in range(len(batches)):
        call_each(callbacks, event, number, {})
        for batch, y in running:
            yield number, batch, y
            break
    for _ in running:  # its end: the progress bar is removed, and a signal is answered
        pass
