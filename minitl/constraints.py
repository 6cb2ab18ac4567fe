"""Constraints on parameters, which hold after every step of an optimizer: `Dense(8, kernel_constraint="max_norm")`.

    MaxNorm      columns are at most 2 long          a longer one is made shorter and keeps its direction
    UnitNorm     columns have the length 1
    MinMaxNorm   columns have a length between 0 and 1
    NonNeg       no number is below 0                 those below become 0

A column is what reaches one unit: the numbers along `axis`, 0 for the kernel (inputs, units) of a Dense. For the kernel
(KH, KW, C, F) of a Conv2D, axis=[0, 1, 2] makes the numbers of a filter one column.

The step goes against the gradient first and back into the allowed set afterwards (*projected* gradient descent), so the
gradient is that without a constraint. For MaxNorm and NonNeg the way back leads to the nearest allowed point. A
regularizer pulls instead, and is a part of the loss.

A layer keeps its constraints by the names of its parameters (`Layer.constraints`). Who uses them: `Optimizer.step`.
"""

import numpy as np

from .arguments import axes, call_text, number
from .configured import Configured, in_keras_form
from .errors import ArgumentError
from .not_here import missing

SMALLEST_LENGTH = 1e-7  # is added to lengths, as in Keras: a column of zeros stays one


class Constraint(Configured):
    """The base of the constraints. A subclass of your own defines `__call__` and `get_config`."""

    def __repr__(self):
        return call_text(self)

    def __call__(self, parameter):
        """Return the parameter with the numbers that are allowed."""
        return parameter


class NonNeg(Constraint):
    """No number is below 0."""

    def __call__(self, parameter):
        return np.maximum(parameter, 0)


class MinMaxNorm(Constraint):
    """The columns of a parameter have a length from `min_value` to `max_value`. With a `rate` below 1 a step makes only
    this share of the way: 0.5 halves what is too long. `axis`, or several axes, are those of a column."""

    def __init__(self, min_value=0.0, max_value=1.0, rate=1.0, axis=0):
        self.min_value = number(min_value, "min_value", 0, 1e30)
        self.max_value = number(max_value, "max_value", 0, 1e30)
        self.rate, self.axis = number(rate, "rate", 0, 1), axes(axis, "axis")
        if isinstance(self.axis, tuple):
            self.axis = list(self.axis)  # as a file has it

    def __call__(self, parameter):
        along = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        lengths = np.sqrt(np.square(parameter).sum(axis=along, keepdims=True))
        wanted = self.rate * np.clip(lengths, self.min_value, self.max_value) + (1 - self.rate) * lengths
        return parameter * (wanted / (SMALLEST_LENGTH + lengths))


class MaxNorm(MinMaxNorm):
    """The columns of a parameter are at most `max_value` long. Srivastava et al. 2014, section 5.1, beside Dropout."""

    def __init__(self, max_value=2, axis=0):
        super().__init__(0.0, max_value, 1.0, axis)


class UnitNorm(MinMaxNorm):
    """The columns of a parameter have the length 1."""

    def __init__(self, axis=0):
        super().__init__(1.0, 1.0, 1.0, axis)


# Keras's other names of the same classes, which are also names for `kernel_constraint="max_norm"`
max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
CONSTRAINTS: dict[str, type] = {each.__name__: each for each in (MaxNorm, MinMaxNorm, NonNeg, UnitNorm)}
CONSTRAINTS |= {"max_norm": MaxNorm, "min_max_norm": MinMaxNorm, "non_neg": NonNeg, "unit_norm": UnitNorm}


def get(constraint, argument="constraint"):
    """Return the `Constraint` of a Keras name or of data {"class_name": "MaxNorm", "config": {"axis": 0}}; None for
    None. Raises ArgumentError, which names the `argument`, for anything else."""
    if constraint is None or isinstance(constraint, Constraint):
        return constraint
    name, config = constraint, {}
    if isinstance(constraint, dict):
        name, config = constraint.get("class_name"), constraint.get("config") or {}
    if isinstance(name, str) and name in CONSTRAINTS and isinstance(config, dict):
        return CONSTRAINTS[name].from_config(config)
    raise ArgumentError(
        f"{argument} is {constraint!r:.80}; expected 'max_norm', 'min_max_norm', 'non_neg', 'unit_norm', or an object "
        "such as MaxNorm(3)."
    )


def taken_from(arguments, regularized):
    """Take the arguments of a layer that are constraints out of `arguments`, and return {parameter: `Constraint`}.

    regularized   {argument: parameter} of the regularizers; constraints have the same parameters
    """
    names = {name.replace("_regularizer", "_constraint"): parameter for name, parameter in regularized.items()}
    found = {names[name]: get(arguments.pop(name), name) for name in list(arguments) if name in names}
    return {parameter: constraint for parameter, constraint in found.items() if constraint is not None}


def as_arguments(layer):
    """Return the arguments that give an equal layer the same constraints: data that JSON can hold, in Keras's form."""
    return {
        argument.replace("_regularizer", "_constraint"): in_keras_form(constraint, "keras.constraints")
        for argument, parameter in layer.regularized.items()
        if (constraint := layer.constraints.get(parameter)) is not None
    }


def apply(updates):
    """Bring parameters back to what their constraints allow, in place.

    updates   the parameters that a step has moved, as (layer, name, gradient)
    """
    for layer, name, _ in updates:
        if name in layer.constraints:
            parameter = getattr(layer, name)
            parameter[...] = layer.constraints[name](parameter)
            layer.updates += 1  # what was computed from the old values is no longer right


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, ["get", *CONSTRAINTS])
