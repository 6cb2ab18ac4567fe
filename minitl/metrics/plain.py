"""Metrics without labels, or with a formula that is given: `Mean` and `Sum` of any numbers, `MeanMetricWrapper`."""

import numpy as np

from .. import losses
from ..errors import ArgumentError
from .base import NamedMetric, spread


class Mean(NamedMetric):
    """The mean of all numbers that it is given: `update(values, sample_weight=None)`."""

    name = "mean"

    def update(self, values, sample_weight=None):
        """Add numbers to the mean."""
        values = self.in_dtype(np.asarray(values, np.float64))
        weight = (
            np.ones(values.shape)
            if sample_weight is None
            else self.in_dtype(spread(sample_weight, values.shape, self.name))
        )
        self.total += float((values * weight).sum())
        self.count += float(weight.sum())


class Sum(Mean):
    """The sum of all numbers that it is given."""

    name, state = "sum", ("total",)

    def result(self):
        """Return the sum."""
        return self.total


class MeanMetricWrapper(NamedMetric):
    """The mean of fn(y_true, y_pred, **kwargs), which gives a number for each prediction (N, ...)."""

    def __init__(self, fn, name=None, dtype=None, **kwargs):
        if not callable(fn):
            raise ArgumentError(f"fn is {fn!r}; expected a function of labels and predictions.")
        self.fn, self.settings = fn, kwargs
        super().__init__(name=name or getattr(fn, "__name__", "mean"), dtype=dtype)

    def score(self, y_true, y_pred):
        """Return a number for each prediction."""
        return np.asarray(self.fn(y_true, y_pred, **self.settings))

    def get_config(self):
        """Return the arguments as data: the function by its name, which `from_config` takes for one of the losses."""
        return {
            "name": self.name,
            "dtype": self.dtype,
            "fn": getattr(self.fn, "__name__", str(self.fn)),
            **self.settings,
        }

    @classmethod
    def from_config(cls, config):
        """Return a metric with the arguments of `get_config`. The function must be one of `minitl.losses`."""
        cls_of_name = losses.LOSSES.get(config["fn"]) if isinstance(config["fn"], str) else None
        fn = config["fn"] if cls_of_name is None else getattr(losses, cls_of_name.names[0], config["fn"])
        return cls(**{**config, "fn": fn})
