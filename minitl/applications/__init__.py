"""Published networks: each file is one architecture as data, and the weights that go with it."""

from ..errors import ArgumentError
from . import vgg16
from .vgg16 import VGG16

__all__ = ["VGG16"]

# The name under which a saved model remembers how its images were prepared -> the function that does it.
_PREPROCESSING = {"vgg16": vgg16.preprocess_input}


def preprocessing(name):
    """The `preprocess_input` of an application, by the application's name. Raises ArgumentError for another."""
    if not isinstance(name, str) or name not in _PREPROCESSING:
        raise ArgumentError(f"preprocessing is {name!r}; expected one of {', '.join(_PREPROCESSING)}.")
    return _PREPROCESSING[name]
