"""minitl: transfer learning with convolutional networks in plain NumPy, written to be read.

    kernels -> layers, losses, optimizers, metrics -> models -> weights, data -> training -> features, transfer
            -> applications -> cli            (each imports only what stands to the left of it)

Start reading at `minitl.models.graph`: `forward` runs an image through the layers, `backward` its gradient back.
"""

from . import (
    applications,
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
    testing,
    training,
    transfer,
    utils,
    weights,
)
from .layers import Input
from .models import Model, Sequential
from .randomness import set_random_seed

__version__ = "0.1.0"

__all__ = [
    "Input",
    "Model",
    "Sequential",
    "applications",
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
    "set_random_seed",
    "testing",
    "training",
    "transfer",
    "utils",
    "weights",
]
