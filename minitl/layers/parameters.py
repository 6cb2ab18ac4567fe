"""The parameters of a layer: how they are created, listed, read and overwritten.

A parameter is an array of NumPy and an attribute of its layer: `dense.kernel`. The layer knows the names. Read next:
`base`, the layer itself.
"""

import numpy as np

from .. import initializers
from ..errors import ArgumentError, ShapeError


class Parameters:
    """The part of a `Layer` that owns its arrays.

    parameter_names   learned by gradient descent
    statistic_names   measured on the data in training (batch-norm's moving mean and variance)
    regularizers      {parameter: `Regularizer`};   constraints   {parameter: `Constraint`}
    updates           how often they have changed
    """

    updates: int
    within: list  # the layers that a `call` of your own is made of (`composed`): their arrays belong to this layer, too
    _trainable: bool

    @property
    def trainable(self):
        """Return whether the parameters learn. Setting it freezes or unfreezes the layers within as well."""
        return self._trainable

    @trainable.setter
    def trainable(self, value):
        self._trainable = value
        for layer in self.within:
            layer.trainable = value

    def add_weight(self, name=None, shape=None, initializer="glorot_uniform", trainable=True):
        """Create the parameter `self.<name>`, and return its array: `self.w = self.add_weight("w", ...)`, as in Keras,
        is the same. With trainable=False it is a statistic: saved, but without a gradient."""
        if not isinstance(name, str) or not isinstance(shape, (tuple, list)):
            raise ArgumentError(
                f"add_weight got name={name!r} and shape={shape!r}; in minitl it takes add_weight(name, shape, "
                "initializer), and the array becomes the attribute of this name."
            )
        self.built = True
        setattr(self, name, initializers.get(initializer, f"{name}_initializer")(shape))
        (self.parameter_names if trainable else self.statistic_names).append(name)
        return getattr(self, name)

    @property
    def _owners(self):
        return [self, *self.within]

    @property
    def weight_names(self):
        """Return the names of all parameters and statistics, in the order of weight files."""
        return self.parameter_names + self.statistic_names

    @property
    def trainable_names(self):
        """Return the names of the parameters that the optimizer updates: none if the layer is frozen."""
        return self.parameter_names if self.trainable else []

    def keras_paths(self):
        """Return {parameter: (path in Keras's legacy files, path in `.weights.h5`)}, both within the layer's group."""
        return {name: (name, f"vars/{number}") for number, name in enumerate(self.weight_names)}

    @property
    def weights(self):
        """Return all parameters and statistics: the arrays themselves, no copies."""
        return [getattr(each, name) for each in self._owners for name in each.weight_names]

    @property
    def trainable_weights(self):
        """Return the parameters that the optimizer updates: the arrays themselves, no copies."""
        return [getattr(each, name) for each in self._owners for name in each.trainable_names]

    @property
    def non_trainable_weights(self):
        """Return the other parameters and the statistics: the arrays themselves, no copies."""
        return [
            getattr(each, name)
            for each in self._owners
            for name in each.weight_names
            if name not in each.trainable_names
        ]

    variables, trainable_variables, non_trainable_variables = weights, trainable_weights, non_trainable_weights

    @property
    def losses(self):
        """Return the penalties of the regularizers, as numbers: `fit` adds them to the loss."""
        return [
            penalty(getattr(each, name))
            for each in self._owners
            for name, penalty in each.regularizers.items()
            if name in each.trainable_names
        ]

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of all parameters and statistics, in the order of `weights`."""
        return [weight.copy() for weight in self.weights]

    def set_weights(self, weights) -> None:
        """Overwrite all parameters and statistics. `weights` is a list in the order of `get_weights`."""
        self.check_weights(weights)
        for array, weight in zip(self.weights, weights):
            array[...] = weight
        for each in self._owners:
            each.updates += 1

    def check_weights(self, weights):
        """Raise ShapeError if these arrays do not have the shapes that `set_weights` expects."""
        expected = [weight.shape for weight in self.weights]
        found = [np.shape(weight) for weight in weights]
        if found != expected:
            known = [name for each in self._owners for name in each.weight_names]
            names = ", ".join(f"{name} {shape}" for name, shape in zip(known, expected))
            hint = "" if expected else " The layer has no parameters yet: call it on an input first."
            raise ShapeError(f"layer '{self.name}' expected weights [{names}], found shapes {found}.{hint}")

    def count_params(self) -> int:
        """Return how many numbers the parameters and statistics hold."""
        return sum(weight.size for weight in self.weights)
