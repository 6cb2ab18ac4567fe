"""Where `fit` is. Together with the model and the optimizer, this is all that the rest of a training depends on."""

import numpy as np

from ..losses import WeightedSum
from .compiled import takes_weights
from .history import History


class TrainingState:
    """What `fit` goes by, and a checkpoint keeps.

    epoch           the one that is being trained, from 0
    begun           have callbacks been told of its beginning?
    order           the order of the examples in it, or None before it is drawn
    examples_done   how many of them, from its front, have been trained on
    averages        loss and metrics over these
    generator       draws the orders
    history         of the epochs before
    finished        the training came to its end
    moved           names of the layers that have been trainable in some epoch
    task            what is trained on what, as a function without arguments: only a checkpoint wants to know
    """

    def __init__(self, epoch, generator, averages, callbacks, task):
        self.epoch, self.generator, self.averages = epoch, generator, averages
        self.callbacks, self.task = callbacks, task
        self.history = History()
        self.finished, self.moved = False, set()
        self.start_epoch(epoch)

    def start_epoch(self, epoch):
        self.epoch, self.begun, self.order, self.examples_done = epoch, False, None, 0
        self.averages.reset()


class Averages:
    """Loss and metrics over the batches so far. A batch counts by the number of predictions that its loss was a mean
    over: a smaller last batch counts for less, and so does one in which more labels are ignored.

    model     what was compiled
    metrics   its `CompiledMetric`s, or copies of them
    """

    def __init__(self, model, metrics):
        self.loss_function, self.structure, self.metrics = model.loss, model.output_structure, metrics
        self.reset()

    def reset(self):
        self.totals = {}  # output (None: the only one) -> [sum of loss * count, count]
        for each in self.metrics:
            each.metric.reset()

    def add(self, loss, y_true, y_pred, sample_weight=None):
        """Add a batch, right after its loss was computed; `loss` is the value."""
        outputs = self.structure.flat(y_pred, "y_pred")
        if isinstance(self.loss_function, WeightedSum):
            criteria, labels = self.loss_function.losses, self.loss_function.flat_labels(y_true)
            values, weights = self.loss_function.values, self.structure.settings(sample_weight, "sample_weight")
        else:
            criteria, labels, values, weights = [self.loss_function], [y_true], [loss], [sample_weight]
        for k, (criterion, value, y) in enumerate(zip(criteria, values, outputs)):
            if criterion is not None:
                count = getattr(criterion, "count", None)
                count = len(y) if count is None else count  # a loss of one's own may not count
                total = self.totals.setdefault(k, [0.0, 0])
                total[0] += value * count
                total[1] += count
        for each in self.metrics:
            k = each.output
            weight = _metric_weight(criteria[k], labels[k], outputs[k], weights[k], each.is_weighted)
            if weight is None:
                each.metric.update(labels[k], outputs[k])
            elif takes_weights(each.metric):
                each.metric.update(labels[k], outputs[k], weight)
            else:  # it gets the examples that count
                kept = np.asarray(weight).reshape(len(weight), -1).any(axis=1)
                each.metric.update(labels[k][kept], outputs[k][kept])

    def loss(self):
        """Return the loss that is trained: of several outputs, the weighted sum of theirs."""
        is_sum = isinstance(self.loss_function, WeightedSum)
        return sum((self.loss_function.weights[k] if is_sum else 1) * mean for k, mean in self._means().items())

    def _means(self):
        return {k: total / count if count else 0.0 for k, (total, count) in self.totals.items()}

    def results(self):
        """Return {name: number} as Keras names them: loss, that of each output where there are several, the metrics."""
        means = self._means()
        of_outputs = {f"{self.structure.names[k]}_loss": mean for k, mean in means.items()} if len(means) > 1 else {}
        return {"loss": self.loss(), **of_outputs, **{each.name: each.metric.result() for each in self.metrics}}


def _metric_weight(criterion, y_true, y_pred, sample_weight, is_weighted):
    """Return how much each prediction counts in a metric; None where all count alike: those that the loss counts, and
    in a weighted metric times their weights."""
    counted = criterion.counted(y_true, y_pred, sample_weight) if hasattr(criterion, "counted") else None
    if not is_weighted or sample_weight is None:
        return counted
    if counted is None:
        return sample_weight
    weight = sample_weight.reshape(*sample_weight.shape, *[1] * (counted.ndim - sample_weight.ndim))
    return weight * counted
