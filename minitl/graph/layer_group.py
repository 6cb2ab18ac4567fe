"""Several layers as one thing: freeze them, count and copy their parameters."""

from ..errors import ShapeError


class LayerGroup:
    """What a graph can do with its `layers` without knowing how they are connected."""

    layers = ()

    @property
    def trainable(self):
        return any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, value):
        """Freeze or unfreeze every layer. Takes effect at once; nothing has to be compiled again."""
        for layer in self.layers:
            layer.trainable = value

    @property
    def dtype(self):
        """The type the layers compute in: that of the first parameter. None where there is none."""
        for layer in self.layers:
            for name in layer.weight_names:
                return getattr(layer, name).dtype
        return None

    def count_params(self, trainable_only=False):
        """Return how many numbers are learned or measured; with `trainable_only`, those that the optimizer moves."""
        if not trainable_only:
            return sum(layer.count_params() for layer in self.layers)
        return sum(getattr(layer, name).size for layer in self.layers for name in layer.trainable_names)

    @property
    def weights(self):
        return [weight for layer in self.layers for weight in layer.weights]

    @property
    def trainable_weights(self):
        return [weight for layer in self.layers for weight in layer.trainable_weights]

    def get_weights(self):
        """Return copies of all parameters and statistics, layer by layer."""
        return [weight for layer in self.layers for weight in layer.get_weights()]

    def set_weights(self, weights):
        """Overwrite all parameters and statistics by a list in the order of `get_weights`. Raises ShapeError, with
        nothing changed, for one that does not fit."""
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
