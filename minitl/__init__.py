"""minitl: transfer learning in plain NumPy, written to be read.

This is the reading order. Each package imports only from those before it:

    files, kernels, initializers, regularizers, constraints                                the engine
    losses, optimizers, metrics, layers, graph, testing
    weights, data, features, export, training, models, transfer, applications, recipes     transfer learning with it
    sklearn                                                                                doors to other tools
    course                                                                                 the course
    cli                                                                                    the command line
    activations, utils, preprocessing, callbacks, saving, config, backend                  Keras's import paths

Start reading at `minitl.graph.graph`: `forward` runs examples through the layers, and `backward` takes the gradient
back. Then read any layer, best `minitl.layers.dense` first.
"""

from . import starting as starting  # first: it says that the others take long

# isort: split
from . import (
    activations,
    applications,
    backend,
    callbacks,
    config,
    constraints,
    data,
    errors,
    features,
    initializers,
    kernels,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    preprocessing,
    regularizers,
    saving,
    testing,
    training,
    transfer,
    utils,
    weights,
)
from .layers import Input, Layer
from .models import Model, Sequential
from .not_here import missing
from .utils import set_random_seed
from .version import __version__ as __version__

__all__ = [
    "Input",
    "Layer",
    "Model",
    "Sequential",
    "activations",
    "applications",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "data",
    "errors",
    "features",
    "initializers",
    "kernels",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "preprocessing",
    "regularizers",
    "saving",
    "set_random_seed",
    "testing",
    "training",
    "transfer",
    "utils",
    "weights",
]


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, __all__)
