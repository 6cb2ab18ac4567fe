"""Applications: published networks. Each file holds one architecture as data, its weights, and its `Application`, the
record that all other packages use.

To add a network of your own, write a function like `VGG16` and a record. `applications.add(Application(...))` makes the
network known by its name while a program runs. With such a line in this file, the commands know it as well. A network
with pre-trained weights can be the base of a fine-tuning.

`BERT` and `Decoder` read token numbers and no images, so they have no record: `recipes.texts` and `recipes.language`
build on them.
"""

from ..data.preparation import PREPARATIONS
from ..errors import ArgumentError
from ..not_here import missing
from . import efficientnet_lite0, inception_v3, resnet50, vgg16
from .bert import BERT
from .building import Application
from .decoder import Decoder
from .efficientnet_lite0 import EfficientNetLite0
from .inception_v3 import InceptionV3
from .resnet50 import ResNet50
from .vgg16 import VGG16

__all__ = ["BERT", "VGG16", "Application", "Decoder", "EfficientNetLite0", "InceptionV3", "ResNet50", "add"]

NETWORKS = {}  # {name: Application}. A saved model stores this name, and so how its images are prepared.


def add(application):
    """Make a network known by its name. It replaces a network of the same name."""
    NETWORKS[application.name] = application
    PREPARATIONS[application.name] = application.preparation


add(vgg16.APPLICATION)
add(resnet50.APPLICATION)
add(inception_v3.APPLICATION)
add(efficientnet_lite0.APPLICATION)


def find(text):
    """Return the `Application` with this name or title, in small or capital letters, or None if there is none."""
    known_as = {name.lower(): each for each in NETWORKS.values() for name in (each.title, each.name)}
    return known_as.get(text.lower())


def bases():
    """Return the names of the networks with pre-trained weights, which can be the base of a fine-tuning."""
    return [name for name, application in NETWORKS.items() if application.has_weights]


def cuts(name):
    """Return the names of the layers behind which the application `name` can be cut: the last one of each block."""
    return NETWORKS[name].cuts


def preprocessing(name):
    """Return the `preprocess_input` of the application `name`. Raises ArgumentError for an unknown name."""
    if not isinstance(name, str) or name not in NETWORKS:
        raise ArgumentError(f"preprocessing is {name!r}; expected one of {', '.join(NETWORKS)}.")
    return NETWORKS[name].preparation.function


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, __all__)
