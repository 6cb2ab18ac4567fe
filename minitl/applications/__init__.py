"""Published networks: each file is one architecture as data, and the weights that go with it."""

from ..errors import ArgumentError
from . import inception_v3, resnet50, vgg16
from .inception_v3 import InceptionV3
from .resnet50 import ResNet50
from .vgg16 import VGG16

__all__ = ["VGG16", "ResNet50", "InceptionV3"]

# The name under which a saved model remembers how its images were prepared -> the function that does it.
_PREPROCESSING = {module.__name__.rpartition(".")[2]: module.preprocess_input for module in (vgg16, resnet50, inception_v3)}


def preprocessing(name):
    """The `preprocess_input` of an application, by the application's name. Raises ArgumentError for another."""
    if not isinstance(name, str) or name not in _PREPROCESSING:
        raise ArgumentError(f"preprocessing is {name!r}; expected one of {', '.join(_PREPROCESSING)}.")
    return _PREPROCESSING[name]
