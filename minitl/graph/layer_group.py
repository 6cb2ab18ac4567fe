"""A group of layers: freeze them together, count and copy their weights."""

from collections.abc import Sequence

import numpy as np

from ..errors import GraphError, ShapeError
from ..layers import Layer


class LayerGroup:
    """The part of a graph that needs only its `layers`, not how they are connected."""

    _layers: Sequence = ()

    @property
    def layers(self) -> list[Layer]:
        """Return the layers as a new list. To change it changes no model, as in Keras."""
        return list(self._layers)

    @layers.setter
    def layers(self, value):
        raise GraphError(
            f"layers of '{self.name}' cannot be set: the layers follow from the graph. Make a new Model, or use "
            "transfer.remove_layers and transfer.replace_head."
        )

    @property
    def trainable(self):
        """Return whether any layer is trainable."""
        return any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, value):
        """Freeze or unfreeze every layer. This takes effect at once; the model need not be compiled again."""
        for layer in self.layers:
            layer.trainable = value

    @property
    def dtype(self):
        """Return the type in which the layers compute: that of the first weight, or None if there is none."""
        for layer in self.layers:
            for name in layer.weight_names:
                return getattr(layer, name).dtype
        return None

    def count_params(self, trainable_only: bool = False) -> int:
        """Return how many numbers the weights hold; with `trainable_only`, how many of them the optimizer updates."""
        if not trainable_only:
            return sum(layer.count_params() for layer in self.layers)
        return sum(getattr(layer, name).size for layer in self.layers for name in layer.trainable_names)

    @property
    def weights(self):
        """Return all parameters and statistics, layer by layer: the arrays themselves, no copies."""
        return [weight for layer in self.layers for weight in layer.weights]

    @property
    def trainable_weights(self):
        """Return the parameters that the optimizer updates: the arrays themselves, no copies."""
        return [weight for layer in self.layers for weight in layer.trainable_weights]

    @property
    def non_trainable_weights(self):
        """Return the other parameters and the statistics: the arrays themselves, no copies."""
        return [weight for layer in self.layers for weight in layer.non_trainable_weights]

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of all parameters and statistics, layer by layer."""
        return [weight for layer in self.layers for weight in layer.get_weights()]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Overwrite all parameters and statistics with a list in the order of `get_weights`. Raises ShapeError if one
        of them does not fit; then nothing is changed."""
        weights = list(weights)
        expected = sum(len(layer.weight_names) for layer in self.layers)
        if len(weights) != expected:
            raise ShapeError(f"the model expected {expected} weight arrays, found {len(weights)}.")
        parts = []
        for layer in self.layers:
            count = len(layer.weight_names)
            parts.append((layer, weights[:count]))
            weights = weights[count:]
        for layer, part in parts:  # all are checked before any is changed
            layer.check_weights(part)
        for layer, part in parts:
            layer.set_weights(part)
