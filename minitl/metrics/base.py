"""The base of all metrics. A metric gets one batch after the other and averages a score over all predictions.

metric.reset();  metric.update(y_true, y_pred), batch by batch;  metric.result() -> float

Keras's names of the first two are `reset_state` and `update_state`, and `metric(y_true, y_pred)` is an update whose
result is returned.
"""

import numpy as np

from .. import initializers
from ..arguments import call_text
from ..configured import Configured
from ..errors import ArgumentError, DataError, MinitlError
from .variable import Variable, variables_in


class Metric(Configured):
    """The mean of `score(y_true, y_pred)`, which gives one number for each prediction (N, ...).

    name               the metric's name in the history; the class has a default
    dtype              the type of scores and weights: "int32" cuts 2.9 off to 2, as in Keras. Their sums are kept with
                       the digits of float64
    larger_is_better   whether larger numbers are better, for callbacks with mode="auto"; None: not said

    A metric of your own defines `score`; or, as in Keras, `update_state`, `result` and perhaps `reset_state`, with
    numbers made by `add_weight`.
    """

    name = "metric"
    larger_is_better: bool | None = None
    dtype = "float32"
    state: tuple = ("total", "count")  # names of what lasts from batch to batch

    def __init__(self, dtype=None, name=None):
        if name is not None:
            self.name = metric_name(name)
        if dtype not in (None, self.dtype):
            self.dtype = number_type(dtype)
        self.reset()

    def __repr__(self):
        return call_text(self)

    def get_config(self):
        """Return the constructor's arguments for an equal metric."""
        return {"name": self.name, "dtype": self.dtype, **super().get_config()}

    def reset(self):
        """Forget all batches."""
        self.total, self.count = 0.0, 0

    def add_weight(self, shape=(), initializer=None, dtype=None, name=None):
        """Return a `Variable` of this shape, which `reset_state` sets to 0: for a metric of your own. Raises
        ArgumentError if it has no `update_state`, which would change it."""
        if type(self).update_state is Metric.update_state:
            raise ArgumentError(f"class {type(self).__name__} has no update_state of its own that changes a weight.")
        initializer = initializers.get("zeros" if initializer is None else initializer)
        values = np.array(initializer(shape), self.dtype if dtype is None else number_type(dtype))
        return values.view(Variable)

    def add_variable(self, shape, initializer, dtype=None, aggregation="sum", name=None):
        """Return `add_weight` of the same arguments."""
        return self.add_weight(shape, initializer, dtype, name)

    @property
    def variables(self):
        """Return the numbers that last from batch to batch, as arrays: those of `add_weight`, if there are any."""
        return list(variables_in(vars(self))) or [np.asarray(getattr(self, name)) for name in self.state]

    def update_state(self, *args, **kwargs):
        """Add a batch, as `update` does."""
        self._refuse_symbolic(args)
        self.update(*args, **kwargs)

    def _refuse_symbolic(self, batch):
        """Raise DataError for a symbolic tensor in the place of an array."""
        if any(hasattr(each, "call") and hasattr(each, "layer") for each in batch):
            raise DataError(f"metric '{self.name}' got a symbolic tensor; expected arrays of labels and predictions.")

    def reset_state(self):
        """Forget all batches, as `reset` does."""
        for each in variables_in(vars(self)):
            each.assign(0)
        self.reset()

    def __call__(self, *args, **kwargs):
        """Add a batch and return the result of all batches so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def update(self, y_true, y_pred, sample_weight=None):
        """Add a batch to the mean.

        sample_weight   the weight of each score, or booleans: False leaves a score out. Its axes are the first axes
                        of the scores
        """
        try:
            scores = self.in_dtype(self.score(np.asarray(y_true), np.asarray(y_pred)))
        except MinitlError:
            raise
        except ValueError:
            raise DataError(
                f"metric '{self.name}' cannot compare labels {np.shape(y_true)} with predictions {np.shape(y_pred)}: "
                "one-hot labels go with the categorical metrics, integers with the sparse ones."
            ) from None
        if sample_weight is None:
            self.total += float(scores.sum())
            self.count += scores.size
            return
        weight = self.in_dtype(spread(sample_weight, scores.shape, self.name))
        self.total += float((scores * weight).sum())
        self.count += weight.sum().item()

    def in_dtype(self, scores):
        """Return scores in the type of the metric. The default is left out: it would only round them."""
        return scores if self.dtype == "float32" else scores.astype(self.dtype)

    def result(self):
        """Return the mean of all scores so far; 0 before the first one."""
        return self.total / self.count if self.count else 0.0

    def score(self, y_true, y_pred):
        """Return a score for each prediction (N, ...): a number, or a boolean for right or wrong."""
        raise ArgumentError(f"class {type(self).__name__} has no score(y_true, y_pred), which gives a number for each.")


class NamedMetric(Metric):
    """The base of the metrics here. As in Keras, their arguments begin with the name, those of `Metric` with dtype."""

    def __init__(self, name=None, dtype=None):
        super().__init__(dtype, name)


def spread(sample_weight, shape, name):
    """Return sample weights as an array of this shape, that of a metric's scores. Their axes are its first ones; an
    axis of size 1 stands for the same weights along it. Raises DataError for weights that do not fit."""
    weight = np.asarray(sample_weight)
    if weight.ndim == len(shape) + 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    aligned = weight.reshape((*weight.shape, *[1] * max(len(shape) - weight.ndim, 0)))
    if weight.ndim > len(shape) or any(given not in (1, size) for given, size in zip(aligned.shape, shape)):
        raise DataError(
            f"metric '{name}': sample_weight has shape {weight.shape}; its axes are the first axes of {tuple(shape)}."
        )
    return np.broadcast_to(aligned, shape)


def number_type(dtype):
    """Return the name of a type of numbers. Raises ArgumentError for anything else."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found.kind not in "fiu":
        raise ArgumentError(f"dtype is {dtype!r}; expected a type of numbers, such as 'float32'.")
    return found.name


def metric_name(name):
    """Return the name of a metric in the history. Raises ArgumentError unless it is a string that is not empty."""
    if not isinstance(name, str) or not name:
        raise ArgumentError(f"name is {name!r}; expected a string that is not empty.")
    return name
