"""The loss of a model with several outputs: the weighted sum of one loss for each."""

import copy

from ..errors import ArgumentError
from .base import Loss


class WeightedSum(Loss):
    """The weighted sum of several losses: L = sum_k weight_k * L_k, so dL/dy_k = weight_k * dL_k/dy_k.

    structure   the form of the outputs (`graph.structure.Structure`): one array, a list, or a dict
    losses      a `Loss` for each output, or None for an output without a loss. Its gradient is None
    weights     a number for each output

    After `forward`, `values` holds the value of each loss, without its weight.
    """

    working_state = (*Loss.working_state, "structure", "values")

    def __init__(self, structure, losses, weights):
        self.structure, self.weights, self.values = structure, weights, ()
        # One object for two outputs would overwrite what it keeps of the first, so the second gets a copy.
        self.losses = [copy.copy(loss) if loss in losses[:k] else loss for k, loss in enumerate(losses)]
        if not any(loss is not None for loss in losses):
            raise ArgumentError("none of the outputs has a loss; expected one for at least one of them.")

    @property
    def without_a_loss(self):
        """Return the names of the outputs that have no loss. Their labels may be left out."""
        return {name for name, loss in zip(self.structure.names, self.losses) if loss is None}

    def flat_labels(self, y_true):
        """Return the labels of each output as a tuple; None where there are none."""
        return self.structure.flat(y_true, "y", optional=self.without_a_loss)

    def forward(self, y_true, y_pred, sample_weight=None):
        """Return the weighted sum of the losses of all outputs."""
        labels, outputs = self.flat_labels(y_true), self.structure.flat(y_pred, "y_pred")
        weights = self.structure.settings(sample_weight, "sample_weight")
        self.values = tuple(
            None if loss is None else loss.forward(*each) if each[2] is not None else loss.forward(*each[:2])
            for loss, *each in zip(self.losses, labels, outputs, weights)
        )
        return sum(weight * value for weight, value in zip(self.weights, self.values) if value is not None)

    def backward(self):
        """Return the gradient with respect to each output, in the form of the outputs."""
        pairs = zip(self.losses, self.weights)
        return self.structure.packed([None if loss is None else _weighted(w, loss.backward()) for loss, w in pairs])


def _weighted(weight, gradient):
    """Return weight * gradient in the gradient's type."""
    return gradient if weight == 1 else gradient * gradient.dtype.type(weight)
