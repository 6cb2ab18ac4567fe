"""The state of a training: how far `fit` has come.

Together with the model and the optimizer, this state is all that the rest of a training depends on.
"""

import numpy as np

from ..losses import WeightedSum
from .calling import added_logs
from .compiled import takes_weights
from .history import History


class TrainingState:
    """The state that `fit` reads and writes, and that a checkpoint keeps.

    epoch           the number of the current epoch, counted from 0
    begun           True once `on_epoch_begin` of this epoch has been called
    order           the order of the examples in this epoch, or None before it is drawn
    examples_done   how many examples at the front of this order have been trained on
    epoch_began_at  how many of them were done in earlier epochs: not 0 only where `steps_per_epoch` divides a pass
    averages        the loss and the metrics over these examples
    generator       the random generator that draws the orders
    history         the `History` of the earlier epochs
    finished        True once the training has come to its end
    moved           the names of the layers that have been trainable in some epoch
    log_names       the names of the numbers that an epoch will have, as far as they are known
    logs            the numbers of the last epoch
    given           what `fit` was given: (the checked data, a `refused.Task`; the options, a text). Only a checkpoint
                    asks for it
    """

    def __init__(self, epoch, generator, averages, callbacks, given, has_validation=False):
        self.epoch, self.generator, self.averages = epoch, generator, averages
        self.callbacks, self.given = callbacks, given
        self.history = next((each for each in callbacks if isinstance(each, History)), None) or History()
        self.finished, self.moved, self.logs = False, set(), {}
        names, added = averages.names(), added_logs(callbacks)
        of_validation = [f"val_{name}" for name in names] if has_validation else []
        self.log_names, self.all_names_known = [*names, *of_validation, *(added or ())], added is not None
        self.start_epoch(epoch)

    def may_hold(self, name):
        """Return whether an epoch may have a number of this name. A callback of your own may add any."""
        return name in self.log_names or not self.all_names_known

    def start_epoch(self, epoch, goes_on=False):
        """Begin an epoch. With `goes_on`, it takes the examples that the pass before it has left over, if any."""
        self.epoch, self.begun = epoch, False
        if not goes_on or self.order is None or self.examples_done >= len(self.order):
            self.order, self.examples_done = None, 0
        self.epoch_began_at = self.examples_done
        self.averages.reset()


PENALTY = -1  # the key of the regularizers' penalties in `Averages.totals`


class Averages:
    """The loss and the metrics over the batches so far.

    A batch counts by the number of predictions that its loss is the mean of. So a smaller last batch counts less, and
    so does a batch in which more labels are ignored.

    model     the compiled model
    metrics   its `CompiledMetric`s, or copies of them
    """

    def __init__(self, model, metrics):
        self.loss_function, self.structure, self.metrics = model.loss, model.output_structure, metrics
        self.reset()

    def reset(self):
        self.totals = {}  # position of the output, or PENALTY -> [sum of loss * count, count]
        for each in self.metrics:
            each.metric.reset_state()

    def add(self, loss, y_true, y_pred, sample_weight=None, penalty=0):
        """Add a batch right after its loss, the number `loss`, was computed; `penalty` is that of the regularizers."""
        outputs = self.structure.flat(y_pred, "y_pred")
        if isinstance(self.loss_function, WeightedSum):
            criteria, labels = self.loss_function.losses, self.loss_function.flat_labels(y_true)
            values, weights = self.loss_function.values, self.structure.settings(sample_weight, "sample_weight")
        else:
            criteria, labels, values, weights = [self.loss_function], [y_true], [loss], [sample_weight]
        if penalty or PENALTY in self.totals:
            self._add(PENALTY, penalty, len(outputs[0]))
        for k, (criterion, value, y) in enumerate(zip(criteria, values, outputs)):
            if criterion is not None:
                count = getattr(criterion, "count", None)
                count = len(y) if count is None else count  # a loss of your own may have no `count`
                self._add(k, value, count)
        for each in self.metrics:
            k = each.output
            weight = _metric_weight(criteria[k], labels[k], outputs[k], weights[k], each.is_weighted)
            if weight is None:
                each.metric.update_state(labels[k], outputs[k])
            elif takes_weights(each.metric):
                each.metric.update_state(labels[k], outputs[k], weight)
            else:  # this metric takes no weights, so it gets only the examples that count
                kept = np.asarray(weight).reshape(len(weight), -1).any(axis=1)
                each.metric.update_state(labels[k][kept], outputs[k][kept])

    def _add(self, key, value, count):
        """Add a number that is the mean of `count` losses."""
        total = self.totals.setdefault(key, [0.0, 0])
        total[0] += value * count
        total[1] += count

    def loss(self):
        """Return the loss that is trained: with several outputs, the weighted sum of their losses; and the penalty."""
        is_sum = isinstance(self.loss_function, WeightedSum)
        total, count = self.totals.get(PENALTY, (0.0, 1))
        losses = ((self.loss_function.weights[k] if is_sum else 1) * mean for k, mean in self._means().items())
        return sum(losses) + total / count

    def _means(self):
        """Return the mean loss of each output, by its position."""
        totals = {key: each for key, each in self.totals.items() if key != PENALTY}
        return {k: total / count if count else 0.0 for k, (total, count) in totals.items()}

    def names(self):
        """Return the names of `results`."""
        return result_names(self.loss_function, self.structure, self.metrics)

    def results(self):
        """Return {name: number} with Keras's names: the loss, with several outputs the loss of each, the metrics."""
        means = self._means()
        of_outputs = {f"{self.structure.names[k]}_loss": mean for k, mean in means.items()} if len(means) > 1 else {}
        return {"loss": self.loss(), **of_outputs, **{each.name: each.metric.result() for each in self.metrics}}


def result_names(loss, output_structure, metrics):
    """Return the names of what `evaluate` gives: the loss, with several outputs the loss of each, and the metrics."""
    criteria = loss.losses if isinstance(loss, WeightedSum) else [loss]
    with_loss = [name for name, criterion in zip(output_structure.names, criteria) if criterion is not None]
    of_outputs = [f"{name}_loss" for name in with_loss] if len(with_loss) > 1 else []
    return ["loss", *of_outputs, *(each.name for each in metrics)]


def _metric_weight(criterion, y_true, y_pred, sample_weight, is_weighted):
    """Return how much each prediction counts in a metric, or None if all count alike. A prediction that the loss
    ignores counts 0. In a weighted metric, the others count by their weights."""
    counted = criterion.counted(y_true, y_pred, sample_weight) if hasattr(criterion, "counted") else None
    if not is_weighted or sample_weight is None:
        return counted
    if counted is None:
        return sample_weight
    weight = sample_weight.reshape(*sample_weight.shape, *[1] * (counted.ndim - sample_weight.ndim))
    return weight * counted
