"""Keras's variables in its tests: an array with a name, which an optimizer moves, and a layer that trains itself.

In minitl a parameter is an array of NumPy, and a learning rate a number. So `x.assign(...)`, `x.numpy()` and `x.value`
of a test are taken as what they stand for (`attribute`).
"""

import ast
import copy
import itertools
import types

import keras
import numpy as np

import minitl
from minitl.arguments import refuse_methods


def arrays(value):
    """Return nested values with arrays in the places of tensors and variables."""
    if isinstance(value, dict):
        return {name: arrays(each) for name, each in value.items()}
    if type(value) in (tuple, list):
        return type(value)(map(arrays, value))
    if isinstance(value, Variable):
        return value.value
    return keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else value


NUMBERS = itertools.count()


class Variable(np.lib.mixins.NDArrayOperatorsMixin):
    """An array with a name: to an optimizer, a layer with one parameter."""

    def __init__(self, initializer, shape=None, dtype=None, trainable=True, name=None, **others):
        value = initializer(shape) if callable(initializer) else initializer
        name = f"variable_{next(NUMBERS):05}" if name is None else name
        value = np.array(arrays(value), dtype or (None if hasattr(value, "dtype") else "float32"))
        self.value = value.astype("float32") if value.dtype == "float64" and dtype is None else value
        self.trainable, self.name, self.parameter_names, self.statistic_names = trainable, name, [name], []
        setattr(self, name, self.value)
        self.gradients, self.regularizers, self.origins, self.updates, self.constraint = {}, {}, {}, 0, None

    @property
    def constraints(self):
        return {} if self.constraint is None else {self.name: self.constraint}

    __hash__ = object.__hash__

    @property
    def trainable_names(self):
        return self.parameter_names if self.trainable else []

    def assign(self, value):
        self.value[...] = arrays(value)

    def numpy(self):
        return self.value.copy()

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return getattr(ufunc, method)(*arrays(list(inputs)), **kwargs)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.value, dtype)

    def __getitem__(self, index):
        return self.value[index]

    def __len__(self):
        return len(self.value)

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype.name)


class Moves:
    """Keras's way to call an optimizer: with gradients and variables in the place of a model."""

    def apply_gradients(self, grads_and_vars):
        gradients, variables = zip(*grads_and_vars)
        self.apply(gradients, variables)

    def apply(self, grads, trainable_variables=None):
        variables = self._moved = trainable_variables or self._moved
        for gradient, variable in zip(grads, variables):
            variable.gradients = {} if gradient is None else {variable.name: np.asarray(arrays(gradient))}
        self.step(types.SimpleNamespace(layers=list(variables), name="variables"))

    def build(self, variables):
        self._moved = variables

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        super().exclude_from_weight_decay(var_names=[each.name for each in var_list or ()] + (var_names or []))

    def finalize_variable_values(self, var_list=None):
        super().finalize_variable_values(None if var_list is None else [each.value for each in var_list])

    _iterations = property(lambda self: self.iterations * (self.gradient_accumulation_steps or 1) + self.waiting)
    _accumulated_gradients = _model_variables_moving_average = property(
        lambda self: [arrays[-1] for arrays in self.state.values()]
    )

    @property
    def variables(self):
        rate = [] if self._schedule is not None else [self.learning_rate]
        return [self.iterations, *rate, *(each for state in self.state.values() for each in state)]


class Trainer:
    """The methods of a model for a layer: its model has this layer alone."""

    def __init__(self):
        refuse_methods(
            self, ("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics"), "See README."
        )
        self._model = minitl.Sequential([self])

    optimizer = property(lambda self: self._model.optimizer)
    stop_training = property(lambda self: self._model.stop_training)
    loss = property(lambda self: self._model.loss)
    history = property(lambda self: self._model.history)

    @property
    def metrics(self):
        return [each.metric for each in self._model.metrics]


def _of_model(name):
    """Return a method that calls that of the model."""
    return lambda self, *args, **kwargs: getattr(self._model, name)(*arrays(args), **arrays(kwargs))


for _name in ("compile fit evaluate predict train_on_batch test_on_batch predict_on_batch").split():
    setattr(Trainer, _name, _of_model(_name))


def attribute(thing, name):
    """Return an attribute of a test's object. A parameter of minitl is an array, and a learning rate a number; what
    Keras's variables have besides stands for these."""
    if hasattr(thing, name) or not isinstance(thing, (np.ndarray, float)):
        return getattr(thing, name)
    if name == "assign":
        return lambda value: thing.__setitem__(..., arrays(value))
    return thing if name == "value" else lambda: copy.copy(thing)


class Variables(ast.NodeTransformer):
    """Replace x.assign, x.numpy and x.value by attribute(x, ...)."""

    def visit_Attribute(self, node):
        self.generic_visit(node)
        if node.attr in ("assign", "numpy", "value") and isinstance(node.ctx, ast.Load):
            call = ast.Call(ast.Name("keras_attribute", ast.Load()), [node.value, ast.Constant(node.attr)], [])
            return ast.copy_location(call, node)
        return node
