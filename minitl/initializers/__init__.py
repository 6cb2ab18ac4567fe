"""Initializers: the first values of a new parameter, under Keras's names.

The outputs of a layer are sums of many terms. They keep their size from layer to layer if the variance of the kernel is
about 1 / (number of terms). Each random initializer follows one version of this rule. `fan_in` is the number of terms
of the forward sum (the inputs of one output). `fan_out` is that of the backward sum (the outputs that one input feeds).
`Zeros` is for parameters that are added, such as a bias. `Ones` is for those that multiply, such as gamma. `Bilinear`
is for transposed convolutions that enlarge maps.

Reading order: `base`, `plain` (without random numbers), `drawn`.
"""

import numpy as np

from ..configured import from_data
from ..errors import ArgumentError
from ..not_here import missing
from .base import Initializer, fans, weights_will_be_loaded
from .drawn import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)
from .plain import Bilinear, Constant, Identity, Ones, Zeros

__all__ = [
    "Bilinear",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "checked",
    "fans",
    "get",
    "weights_will_be_loaded",
]

INITIALIZERS = {
    "bilinear": Bilinear,
    "constant": Constant,
    "glorot_normal": GlorotNormal,
    "glorot_uniform": GlorotUniform,
    "he_normal": HeNormal,
    "he_uniform": HeUniform,
    "identity": Identity,
    "lecun_normal": LecunNormal,
    "lecun_uniform": LecunUniform,
    "normal": RandomNormal,
    "ones": Ones,
    "orthogonal": Orthogonal,
    "random_normal": RandomNormal,
    "random_uniform": RandomUniform,
    "truncated_normal": TruncatedNormal,
    "uniform": RandomUniform,
    "variance_scaling": VarianceScaling,
    "zeros": Zeros,
}
CLASSES = {each.__name__: each for each in INITIALIZERS.values()}
CLASSES |= {f"{name}Initializer": CLASSES[name] for name in ("Identity", "Orthogonal")}  # Keras 1's names


def get(initializer, argument="initializer"):
    """Return the `Initializer` that Keras calls by this name, or that data of `get_config` describe. An array stands
    for its `Constant`. A function or an initializer is returned as it is.

    Raises ArgumentError, which names the `argument`, for anything else.
    """
    if isinstance(initializer, str) and initializer in {**INITIALIZERS, **CLASSES}:
        return {**INITIALIZERS, **CLASSES}[initializer]()
    if isinstance(initializer, dict):
        return from_data(initializer, CLASSES, argument)
    if isinstance(initializer, np.ndarray):
        return Constant(initializer)
    if callable(initializer) and not isinstance(initializer, type):
        return initializer
    raise ArgumentError(f"{argument} is {initializer!r}; expected one of {', '.join(INITIALIZERS)}, or an Initializer.")


def checked(initializer, argument):
    """Return `initializer` as it is. Raises ArgumentError, which names the `argument`, if `get` does not know it."""
    get(initializer, argument)
    return initializer


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, __all__)
