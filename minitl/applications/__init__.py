"""Published networks: each file is one architecture as data, the weights that go with it, and an `Application`, by
which all others know it.

A network of your own is a function like `VGG16` and a record: `applications.add(Application(...))` makes it known by its
name while a program runs; in this file, to the commands as well. With pre-trained weights it is a base for fine-tuning.
"""

from ..data.preparation import PREPARATIONS
from ..errors import ArgumentError
from . import inception_v3, resnet50, vgg16
from .building import Application
from .inception_v3 import InceptionV3
from .resnet50 import ResNet50
from .vgg16 import VGG16

__all__ = ["VGG16", "Application", "InceptionV3", "ResNet50", "add"]

NETWORKS = {}  # {name: Application}. A saved model remembers by this name how its images were prepared.


def add(application):
    """Make a network known by its name. One of the same name is replaced."""
    NETWORKS[application.name] = application
    PREPARATIONS[application.name] = application.preparation


add(vgg16.APPLICATION)
add(resnet50.APPLICATION)
add(inception_v3.APPLICATION)


def find(text):
    """Return the `Application` that a person means by its name or its title, in small or large letters; or None."""
    known_as = {name.lower(): each for each in NETWORKS.values() for name in (each.title, each.name)}
    return known_as.get(text.lower())


def bases():
    """Return the names of the networks that come with pre-trained weights: what a fine-tuning can begin with."""
    return [name for name, application in NETWORKS.items() if application.has_weights]


def cuts(name):
    """Return where an application, called by its name, can be cut: the last layer of each block, in order."""
    return NETWORKS[name].cuts


def preprocessing(name):
    """Return the `preprocess_input` of an application, by the application's name. Raises ArgumentError for another."""
    if not isinstance(name, str) or name not in NETWORKS:
        raise ArgumentError(f"preprocessing is {name!r}; expected one of {', '.join(NETWORKS)}.")
    return NETWORKS[name].preparation.function
