"""Keras's import path of the activations, as functions of an array: `relu(x)`. A layer takes one in the place of its
name: `Dense(8, activation=activations.relu)`. Formulas and gradients are in `kernels.activations`."""

import numpy as np

from .errors import ArgumentError
from .kernels import activations as kernels
from .kernels import bent_units, smooth_units
from .kernels.activations import ACTIVATIONS
from .layers.activations import ELU, ReLU, activation_functions
from .layers.on_arrays import as_array
from .not_here import missing

__all__ = [
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]


def _of_name(name):
    """Return the function of an activation that has no settings."""

    def activation(x):
        return ACTIVATIONS[name][0](as_array(x))

    activation.__name__ = activation.__qualname__ = name
    activation.__doc__ = f"Return the activation '{name}' of each number."
    activation.activation_name = name
    return activation


exponential = _of_name("exponential")
hard_sigmoid = _of_name("hard_sigmoid")
hard_silu = hard_swish = _of_name("hard_silu")
hard_tanh = _of_name("hard_tanh")
linear = _of_name("linear")
log_sigmoid = _of_name("log_sigmoid")
mish = _of_name("mish")
relu6 = _of_name("relu6")
selu = _of_name("selu")
sigmoid = _of_name("sigmoid")
silu = swish = _of_name("silu")
softplus = _of_name("softplus")
softsign = _of_name("softsign")
sparse_plus = _of_name("sparse_plus")
sparse_sigmoid = _of_name("sparse_sigmoid")
tanh = _of_name("tanh")
tanh_shrink = _of_name("tanh_shrink")


def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    """Return max(x, 0), or what the layer `ReLU` gives with these settings."""
    return ReLU(max_value, negative_slope, threshold).forward(as_array(x))


def leaky_relu(x, negative_slope=0.2):
    """Return x where x > 0, else negative_slope * x."""
    return ReLU(negative_slope=negative_slope).forward(as_array(x))


def elu(x, alpha=1.0):
    """Return x where x > 0, else alpha (exp(x) - 1)."""
    return ELU(alpha).forward(as_array(x))


def celu(x, alpha=1.0):
    """Return x where x > 0, else alpha (exp(x / alpha) - 1)."""
    return smooth_units.celu(as_array(x), alpha=alpha)


def squareplus(x, b=4):
    """Return (x + sqrt(x^2 + b)) / 2."""
    return smooth_units.squareplus(as_array(x), b=b)


def soft_shrink(x, threshold=0.5):
    """Return x, moved towards 0 by `threshold`."""
    return bent_units.soft_shrink(as_array(x), threshold=threshold)


def hard_shrink(x, threshold=0.5):
    """Return x where |x| > threshold, else 0."""
    return bent_units.hard_shrink(as_array(x), threshold=threshold)


def threshold(x, threshold, default_value):
    """Return x where x > threshold, else default_value. It is a function of arrays; no layer takes it."""
    x = as_array(x)
    return np.where(x > threshold, x, x.dtype.type(default_value))


def glu(x, axis=-1):
    """Return the first half of x along `axis` times the sigmoid of the second. It is a function of arrays; no layer
    takes it, since it changes the shape."""
    x = as_array(x)
    if x.shape[axis] % 2:
        raise ArgumentError(f"glu got {x.shape[axis]} numbers along axis {axis}; expected an even number of them.")
    half, gate = np.split(x, 2, axis)
    return half * ACTIVATIONS["sigmoid"][0](gate)


def gelu(x, approximate=False):
    """Return x times the probability that a standard normal number is below x; `approximate`: by tanh."""
    return ACTIVATIONS["gelu_tanh" if approximate else "gelu"][0](as_array(x))


def softmax(x, axis=-1):
    """Return exp(x_j) / sum_k exp(x_k) along `axis`."""
    return kernels.softmax(_with_axes(x), axis=axis)


def sparsemax(x, axis=-1):
    """Return the probabilities along `axis` that are nearest to x."""
    return bent_units.sparsemax(_with_axes(x), axis=axis)


def log_softmax(x, axis=-1):
    """Return the logarithm of `softmax`."""
    return kernels.log_softmax(_with_axes(x), axis=axis)


def _with_axes(x):
    """Return x as an array, or raise ArgumentError for a single number: along which axis would it be 1?"""
    x = as_array(x)
    if x.ndim == 0:
        raise ArgumentError("softmax got a single number; expected an array of at least one axis.")
    return x


for _function in (relu, leaky_relu, elu, celu, squareplus, soft_shrink, hard_shrink, gelu, softmax, sparsemax):
    _function.activation_name = _function.__name__  # type: ignore[attr-defined]


def get(identifier):
    """Return the function that Keras calls by this name. None stands for `linear`; a function is returned as it is."""
    if identifier is None:
        return linear
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if callable(identifier):
        return identifier
    activation_functions(identifier, "identifier", with_slope=True)  # raises ArgumentError for an unknown name
    return globals().get(identifier, linear if identifier == "linear" else _of_name(identifier))


def serialize(activation):
    """Return the name of an activation's function."""
    name = getattr(activation, "activation_name", None)
    if name is None:
        raise ArgumentError(f"activation is {activation!r}; expected a function of minitl.activations.")
    return name


def deserialize(config, custom_objects=None):
    """Return the function that `serialize` has named; `custom_objects` are functions of your own, by their names."""
    name = config["config"] if isinstance(config, dict) else config
    return custom_objects[name] if name in (custom_objects or {}) else get(name)


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, __all__)
