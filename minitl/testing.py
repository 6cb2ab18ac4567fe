"""The gradient check: compares a gradient with the change of the loss when a number changes a little.

    check_gradients(Dense(3), x)        for any layer or model, your own included

For a random upstream gradient g, the scalar L = sum(g * y) has dL/dy = g. `backward(g)` computes dL/dx and
dL/d(parameters). The central difference (L(v + h) - L(v - h)) / 2h measures the same for one number v at a time.
Everything runs in float64: with h = 1e-5 the error of the difference is about h^2 = 1e-10 plus 1e-16 / h = 1e-11.
"""

from typing import NamedTuple

import numpy as np

from .errors import GradientError
from .graph import Graph

SMOOTH_TOLERANCE = 1e-7  # layers
NETWORK_TOLERANCE = 1e-5  # whole networks: the input of some ReLU or maximum may lie within h of its kink


class GradientReport(NamedTuple):
    """The result of a gradient check: the largest relative error of each tensor, and how many numbers were compared."""

    errors: dict[str, float]  # "x", or "layer parameter" -> relative error
    checked: int

    @property
    def worst(self) -> float:
        """Return the largest error of all tensors."""
        return max(self.errors.values(), default=0.0)


def check_gradients(
    layer_or_model, x, training: bool = True, tolerance: float | None = None, step: float = 1e-5,
    most: int = 60, seed: int = 0, keywords: dict | None = None,
) -> GradientReport:  # fmt: skip
    """Check every gradient of a layer or model at the input x, and return a `GradientReport`.

    x           an array; a list of arrays for a layer that merges; a list or dict for a model with several inputs.
                Integer inputs stay integers and have no gradient
    training    check the behaviour in training (default) or in inference. Random masks are the same at each run
    tolerance   the largest error allowed in a tensor, relative to its largest gradient. Default: 1e-7, for models 1e-5
    most        the most numbers to compare in a tensor. In a larger one, half have the largest gradients and half are
                random
    keywords    {name: value} of what a layer's forward takes by name: {"mask": mask}

    Raises GradientError, which names the tensor, the index and both values. Parameters, moving statistics and random
    states are as before afterwards.
    """
    is_model = isinstance(layer_or_model, Graph)
    layers = layer_or_model.layers if is_model else [layer_or_model]
    if tolerance is None:
        tolerance = NETWORK_TOLERANCE if is_model else SMOOTH_TOLERANCE
    rng = np.random.default_rng(seed)
    if is_model:  # x in the form of the model's inputs
        structure = layer_or_model.input_structure
        x = structure.packed([np.asarray(each) for each in structure.flat(x, "x")])
    inputs = {name: _in_float64(each) for name, each in _named(x, "x").items()}
    argument = _in_form_of(x, list(inputs.values()))

    def forward():
        for layer, state in random_states:
            layer.generator.bit_generator.state = state
        if is_model:
            return layer_or_model.forward(argument, training=training, gradients="input")
        return layer_or_model.forward(argument, training=training, **by_name)

    by_name = keywords or {}
    # This creates the parameters. In inference, no moving statistic changes.
    layer_or_model.forward(argument, **by_name)
    with_generator = [layer for layer in layers if hasattr(layer, "generator")]
    random_states = [(layer, layer.generator.bit_generator.state) for layer in with_generator]
    originals = [(layer, name, getattr(layer, name)) for layer in layers for name in layer.weight_names]
    try:
        for layer, name, array in originals:
            setattr(layer, name, array.astype(np.float64))
        y = forward()
        upstream = [rng.standard_normal(each.shape) for each in _named(y, "y").values()]
        input_grads = _named(layer_or_model.backward(_in_form_of(y, upstream)), "x")
        tensors = [(name, array, input_grads[name]) for name, array in inputs.items() if array.dtype.kind == "f"]
        for layer in layers:
            for name in layer.trainable_names:
                tensors.append((f"{layer.name} {name}", getattr(layer, name), layer.gradients.get(name)))
        errors, checked = {}, 0
        # The terms of a gradient may cancel to 0 (for a bias before batch-norm). Only rounding errors are left of it,
        # so its error is measured against the size of the other gradients.
        largest_gradients = [np.abs(grad).max(initial=0) for *_, grad in tensors if grad is not None]
        smallest_scale = 1e-3 * max(largest_gradients, default=0)
        for tensor_name, array, gradient in tensors:
            indices = _some_indices(array.shape, gradient, most, rng)
            differences = [_central_difference(array, index, step, forward, upstream) for index in indices]
            compared = array, gradient, indices, differences
            errors[tensor_name] = _compare(tensor_name, *compared, smallest_scale, tolerance)
            checked += len(indices)
    finally:
        for layer, name, array in originals:
            setattr(layer, name, array)
        for layer, state in random_states:
            layer.generator.bit_generator.state = state
        for layer in layers:
            layer.gradients.clear()
            layer.forget()
        if is_model:
            layer_or_model.forward(argument, gradients="none")  # frees the arrays that the last forward has kept
    return GradientReport(errors, checked)


def _named(arrays, what):
    """Return {name: array} for one array, a list or a dict, with names such as "x", "x[0]" or "x['left']"."""
    if isinstance(arrays, dict):
        return {f"{what}['{name}']": each for name, each in arrays.items()}
    if isinstance(arrays, (list, tuple)) and len(arrays) > 1:
        return {f"{what}[{number}]": each for number, each in enumerate(arrays)}
    return {what: arrays[0] if isinstance(arrays, (list, tuple)) else arrays}


def _in_form_of(form, arrays):
    """Return a list of arrays in the form of `form`: one array, a list, or a dict."""
    if isinstance(form, dict):
        return dict(zip(form, arrays))
    return list(arrays) if isinstance(form, (list, tuple)) else arrays[0]


def _in_float64(array):
    """Return a copy in float64. Integers and booleans keep their type."""
    array = np.asarray(array)
    return array.copy() if array.dtype.kind in "iub" else array.astype(np.float64)


def _central_difference(array, index, step, forward, upstream):
    """Return (L(v + h) - L(v - h)) / 2h for v = array[index] and h = `step`.

    The outputs are subtracted before they are summed. L itself is large, and the difference of two large numbers would
    lose the digits that matter.
    """
    value = array[index]
    array[index] = value + step
    above = [each.copy() for each in _named(forward(), "y").values()]  # some layers return a view of their input
    array[index] = value - step
    below = [each.copy() for each in _named(forward(), "y").values()]
    array[index] = value
    return float(sum(np.sum((a - b) * g) for a, b, g in zip(above, below, upstream))) / (2 * step)


def _compare(tensor_name, array, gradient, indices, differences, smallest_scale, tolerance):
    """Return the largest error of a tensor, relative to its largest gradient, or raise GradientError if too large."""
    if gradient is None:
        raise GradientError(f"{tensor_name}: backward gave no gradient.")
    if gradient.shape != array.shape:
        raise GradientError(f"{tensor_name}: the gradient has shape {gradient.shape}, expected {array.shape}.")
    found = np.array([gradient[index] for index in indices])
    differences = np.array(differences)
    scale = max(np.abs(found).max(initial=0), np.abs(differences).max(initial=0), smallest_scale)
    error = np.abs(found - differences) / (scale or 1)
    worst = int(error.argmax()) if error.size else 0
    if error.size and not error[worst] <= tolerance:  # also when it is NaN
        index = tuple(map(int, indices[worst]))
        raise GradientError(
            f"{tensor_name} at {index}: backward says {found[worst]:.9g}, the central difference "
            f"{differences[worst]:.9g}; relative error {error[worst]:.2g}, allowed {tolerance:.0e}."
        )
    return float(error.max(initial=0))


def _some_indices(shape, gradient, most, rng):
    """Return all indices of an array, or at most `most` of them.

    Half of these have the largest gradients by backward, half are random. Most gradients of a maximum are 0, and to
    compare zeros would prove little.
    """
    flat = np.arange(int(np.prod(shape)))
    if len(flat) > most:
        sizes = np.zeros(shape) if gradient is None or gradient.shape != shape else np.abs(gradient)
        largest = np.argsort(sizes, axis=None)[len(flat) - most // 2 :]
        flat = np.union1d(largest, rng.choice(flat, most - most // 2, replace=False))
    return [tuple(np.unravel_index(i, shape)) for i in flat]
