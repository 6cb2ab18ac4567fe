"""Published networks: each file is one architecture as data, and the weights that go with it."""

from ..errors import ArgumentError
from . import inception_v3, resnet50, vgg16
from .inception_v3 import InceptionV3
from .resnet50 import ResNet50
from .vgg16 import VGG16

__all__ = ["VGG16", "ResNet50", "InceptionV3"]

# {name: (function, its module)}. A saved model remembers by this name how its images were prepared.
NETWORKS = {"vgg16": (VGG16, vgg16), "resnet50": (ResNet50, resnet50), "inception_v3": (InceptionV3, inception_v3)}


def cuts(name):
    """Where an application, called by its name, can be cut: the last layer of each block, in order."""
    module = NETWORKS[name][1]
    return [*reversed(module.FINE_TUNING.values()), module.LAST_LAYER]


def preprocessing(name):
    """The `preprocess_input` of an application, by the application's name. Raises ArgumentError for another."""
    if not isinstance(name, str) or name not in NETWORKS:
        raise ArgumentError(f"preprocessing is {name!r}; expected one of {', '.join(NETWORKS)}.")
    return NETWORKS[name][1].preprocess_input
