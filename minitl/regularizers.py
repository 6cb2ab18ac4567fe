"""Penalties on large parameters, which `fit` adds to the loss: `Dense(8, kernel_regularizer="l2")`.

    L1    l1 sum |p|          its slope, l1 sign(p), is the same for small numbers: many become exactly 0
    L2    l2 sum p^2          its slope, 2 l2 p, takes away a share of each number
    OrthogonalRegularizer     the mean |cosine| of two rows, so that they say different things

A layer keeps them by the names of its parameters (`Layer.regularizers`). Who uses them: `training.loop` adds the
penalty of all trainable parameters to the loss, as Keras does, and `Optimizer.step` adds its slope to their gradients.
A frozen parameter has no penalty. `weight_decay` of an optimizer also holds numbers small, but is no part of the loss.
"""

import numpy as np

from .arguments import call_text, number
from .configured import Configured, in_keras_form
from .errors import ArgumentError, ShapeError
from .not_here import missing


class Regularizer(Configured):
    """The base of the penalties. A subclass of your own defines `__call__`, `gradient` and `get_config`."""

    def __repr__(self):
        return call_text(self)

    def __call__(self, parameter):
        """Return the penalty, a number."""
        raise ArgumentError(f"class {type(self).__name__} has no __call__(parameter), which returns the penalty.")

    def gradient(self, parameter):
        """Return the derivative of the penalty by each number of the parameter."""
        raise ArgumentError(f"class {type(self).__name__} has no gradient(parameter), the slope of its penalty.")


class L1L2(Regularizer):
    """The penalty l1 sum |p| + l2 sum p^2."""

    def __init__(self, l1=0.0, l2=0.0):
        self.l1, self.l2 = number(0.0 if l1 is None else l1, "l1", 0, 1e30), number(l2 or 0.0, "l2", 0, 1e30)

    def __call__(self, parameter):
        return float(self.l1 * np.abs(parameter).sum() + self.l2 * np.square(parameter).sum())

    def gradient(self, parameter):
        """Return l1 sign(p) + 2 l2 p. At p = 0, |p| has no derivative; 0 is taken, as in Keras."""
        return (self.l1 * np.sign(parameter) + 2 * self.l2 * parameter).astype(parameter.dtype, copy=False)


class L1(L1L2):
    """The penalty l1 sum |p|."""

    def __init__(self, l1=0.01):
        super().__init__(l1, 0.0)

    def get_config(self):
        return {"l1": self.l1}


class L2(L1L2):
    """The penalty l2 sum p^2."""

    def __init__(self, l2=0.01):
        super().__init__(0.0, l2)

    def get_config(self):
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """The penalty factor * the mean |cosine| of two different rows, or columns, of a matrix: 0 if all are at right
    angles to each other. `mode` is "rows" or "columns".

    With the unit vectors u_i = p_i / |p_i| of n rows there are n (n - 1) / 2 pairs, and each is counted once:

        penalty = factor / (n (n - 1)) sum_{i != j} |u_i . u_j|
    """

    def __init__(self, factor=0.01, mode="rows"):
        self.factor = number(factor, "factor", 0, 1e30)
        if mode not in ("rows", "columns"):
            raise ArgumentError(f"mode is {mode!r}; expected 'rows' or 'columns'.")
        self.mode = mode

    def _units(self, parameter):
        """Return (the unit vectors as rows, their lengths before, what a pair's |cosine| is multiplied with)."""
        if np.ndim(parameter) != 2:
            raise ShapeError(f"OrthogonalRegularizer got a parameter {np.shape(parameter)}; expected a matrix.")
        rows = np.asarray(parameter if self.mode == "rows" else np.transpose(parameter))
        lengths = np.sqrt(np.maximum((rows * rows).sum(axis=1, keepdims=True), 1e-12))
        return rows / lengths, lengths, self.factor / max(len(rows) * (len(rows) - 1), 1)

    def __call__(self, parameter):
        units, _, share = self._units(parameter)
        cosines = np.abs(units @ units.T)
        return float(share * (cosines.sum() - np.trace(cosines)))

    def gradient(self, parameter):
        """Return the derivative by each number.

        With S = sign(u u^T) without its diagonal, the penalty is share * sum_ij S_ij u_i . u_j. Each u_i stands in two
        equal sums, so d/du_i = 2 share sum_j S_ij u_j = g_i. And du/dp = (1 - u u^T) / |p| takes away what of g_i lies
        along u_i:  d/dp_i = (g_i - u_i (u_i . g_i)) / |p_i|
        """
        units, lengths, share = self._units(parameter)
        signs = np.sign(units @ units.T)
        np.fill_diagonal(signs, 0)
        slope = 2 * share * (signs @ units)
        found = (slope - units * (units * slope).sum(axis=1, keepdims=True)) / lengths
        return (found if self.mode == "rows" else found.T).astype(parameter.dtype, copy=False)


# Keras's other names of the same classes, and names for `kernel_regularizer="l2"`
l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer
REGULARIZERS: dict[str, type] = {"l1": L1, "l2": L2, "l1_l2": L1L2, "L1": L1, "L2": L2, "L1L2": L1L2, "l1l2": L1L2}
REGULARIZERS |= {"orthogonal_regularizer": OrthogonalRegularizer, "OrthogonalRegularizer": OrthogonalRegularizer}


def get(regularizer, argument="regularizer"):
    """Return the `Regularizer` of a Keras name or of data {"class_name": "L2", "config": {"l2": 0.1}}; None for None.

    Raises ArgumentError, which names the `argument`, for anything else.
    """
    if regularizer is None or (isinstance(regularizer, Regularizer) and not isinstance(regularizer, type)):
        return regularizer
    name, config = regularizer, {}
    if isinstance(regularizer, dict):
        name, config = regularizer.get("class_name"), regularizer.get("config") or {}
    if isinstance(name, str) and name in REGULARIZERS and isinstance(config, dict):
        return REGULARIZERS[name](
            **{key: value for key, value in config.items() if key in ("l1", "l2", "factor", "mode")}
        )
    raise ArgumentError(
        f"{argument} is {regularizer!r:.80}; expected 'l1', 'l2', 'l1_l2', or an object such as L2(1e-4)."
    )


def taken_from(arguments, regularized):
    """Take the arguments of a layer that are regularizers out of `arguments`, and return {parameter: `Regularizer`}.

    regularized   {argument: parameter}, such as {"kernel_regularizer": "kernel"}
    """
    found = {regularized[name]: get(arguments.pop(name), name) for name in list(arguments) if name in regularized}
    return {parameter: regularizer for parameter, regularizer in found.items() if regularizer is not None}


def as_arguments(layer):
    """Return the arguments that give an equal layer the same regularizers: data that JSON can hold, in Keras's form."""
    return {
        argument: in_keras_form(regularizer, "keras.regularizers")
        for argument, parameter in layer.regularized.items()
        if (regularizer := layer.regularizers.get(parameter)) is not None
    }


def with_slope(layer, name, gradient):
    """Return the gradient of a layer's parameter, plus the slope of its penalty if it has one."""
    regularizer = layer.regularizers.get(name)
    return gradient if regularizer is None else gradient + regularizer.gradient(getattr(layer, name))


def penalty(layers):
    """Return the penalties of all trainable parameters of these layers: the number that is added to the loss."""
    return sum(
        regularizer(getattr(layer, name))
        for layer in layers
        for name, regularizer in layer.regularizers.items()
        if name in layer.trainable_names
    )


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, ["get", *REGULARIZERS])
