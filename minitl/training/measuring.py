"""Evaluation and prediction: a pass over examples in which nothing is updated.

Who calls this: `Model.evaluate` and `predict`, and `loop` for the validation after each epoch.
"""

import numpy as np

from .. import regularizers
from ..arguments import whole_number, whole_number_or_none
from ..data.made_batches import makes_batches
from ..features.one_pass import collected
from ..progress import Progress
from .calling import as_list, call_each, introduce
from .feeding import Examples, Made, no_batch, one_batch, opened
from .refused import check_batch, check_examples, refuse_beside_made
from .state import Averages
from .warned import about_range


def evaluate(
    model, x, y=None, batch_size=32, verbose=1, sample_weight=None, steps=None, callbacks=None, return_dict=False
):
    """Return the loss on examples x and labels y, or [loss, metrics...] if the model was compiled with metrics.

    x           as in `fit`: arrays, a stream, a set, or what makes batches
    steps       None, or the number of batches after which to stop
    callbacks   their methods on_test_* are called
    """
    x, y, sample_weight, batch_size, _ = opened(x, y, sample_weight, batch_size)
    batch_size, steps = whole_number(batch_size, "batch_size"), whole_number_or_none(steps, "steps")
    if makes_batches(x):
        refuse_beside_made(x, y=y, sample_weight=sample_weight)
        feed = Made(model, x, steps)
    else:
        feed = Examples(model, *check_batch(model, x, y, sample_weight), batch_size, steps=steps)
        about_range(model, feed.x)
    callbacks = as_list(callbacks)
    introduce(callbacks, model, verbose, 1, feed.number_of_batches)
    title = "Evaluating" if verbose else None
    results = measure(model, model, feed.in_turn(feed.x), feed.total(), title, callbacks)
    if not results:
        raise no_batch()
    if verbose:
        print("  ".join(f"{name} {value:.4f}" for name, value in results.items()), flush=True)
    return returned(results, return_dict)


def predict(model, x, batch_size=32, verbose=1, steps=None, callbacks=None):
    """Return the model's output for each example of x, computed `batch_size` at a time. The layers keep nothing for
    `backward`.

    x           as in `fit`: arrays, a stream, a set, or what makes batches; labels among these are not used
    steps       None, or the number of batches after which to stop
    callbacks   their methods on_predict_* are called
    """
    x, _, _, batch_size, _ = opened(x, None, None, batch_size)
    batch_size, steps = whole_number(batch_size, "batch_size"), whole_number_or_none(steps, "steps")
    if makes_batches(x):
        feed = Made(model, x, steps, has_labels=False)
    else:
        feed = Examples(model, check_examples(model, x), batch_size=batch_size, steps=steps)
        about_range(model, feed.x)
    callbacks = as_list(callbacks)
    introduce(callbacks, model, verbose, 1, feed.number_of_batches)
    model.stop_predicting, title = False, "Predicting" if verbose in (1, "auto") else None
    call_each(callbacks, "on_predict_begin", {})
    # A callback is shown the outputs of each batch, and may stop after any of them: so the examples come in order.
    batches, done = feed.in_turn(feed.x, in_their_order=bool(callbacks)), 0
    places, parts = None, []  # the outputs in the places of their examples; or, where places are unknown, in turn
    with Progress(title or "Predicting", feed.total(), enabled=title is not None) as bar:
        for number, batch in enumerate(batches):
            call_each(callbacks, "on_predict_batch_begin", number, {})
            y = model.forward(model.input_structure.packed(batch.examples), gradients="none")
            arrays = model.output_structure.flat(y, "outputs")
            if batch.positions is None:
                parts.append(arrays)
            else:
                places = collected(places, batch.positions, arrays, feed.total())
            done += batch.count
            call_each(callbacks, "on_predict_batch_end", number, {"outputs": y})
            if model.stop_predicting:
                break
            bar.advance(batch.count)
    call_each(callbacks, "on_predict_end", {})
    if not done:
        raise no_batch()
    found = map(np.concatenate, zip(*parts)) if places is None else [each[:done] for each in places]
    return model.output_structure.packed(tuple(found))


def test_on_batch(model, x, y=None, sample_weight=None, return_dict=False):
    """Return the loss on one batch, or [loss, metrics...]. Nothing is updated."""
    batch = one_batch(model, *check_batch(model, x, y, sample_weight))
    return returned(measure(model, model, [batch]), return_dict)


def predict_on_batch(model, x):
    """Return the model's output for one batch."""
    examples = one_batch(model, check_examples(model, x)).examples
    return model.forward(model.input_structure.packed(examples), gradients="none")


test_on_batch.__test__ = False  # type: ignore[attr-defined]  # no test for pytest


def measure(model, part, batches, total=None, title=None, callbacks=()):
    """Return the loss and the metrics of the model on these `feeding.Batch`es, by name; {} if there is none. Nothing is
    updated.

    part    the trained end of the model whose beginning has been run before, or the model itself
    total   the number of examples, if it is known, and `title`, the words before it: for the progress bar
    """
    averages = Averages(model, model.metrics)
    model.stop_evaluating, penalty = False, regularizers.penalty(part.layers)
    call_each(callbacks, "on_test_begin", {})
    with Progress(title or "Evaluating", total, enabled=title is not None) as bar:
        for number, batch in enumerate(batches):
            call_each(callbacks, "on_test_batch_begin", number, {})
            y_pred = part.forward(part.input_structure.packed(batch.examples), gradients="none")
            given = () if batch.weights is None else (batch.weights,)
            loss = model.loss.forward(batch.labels, y_pred, *given)
            averages.add(loss, batch.labels, y_pred, batch.weights, penalty)
            if callbacks:
                call_each(callbacks, "on_test_batch_end", number, averages.results())
            if model.stop_evaluating:
                break
            bar.advance(batch.count)
    logs = averages.results()
    call_each(callbacks, "on_test_end", logs)
    return logs if averages.totals else {}


def returned(results, return_dict):
    """Return results as Keras does: the loss alone, or a list that begins with the loss."""
    if return_dict:
        return results
    values = list(results.values())
    return values if len(values) > 1 else values[0]
