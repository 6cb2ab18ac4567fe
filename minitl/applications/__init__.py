"""Published networks: each file is one architecture as data, and the weights that go with it."""

from .vgg16 import VGG16

__all__ = ["VGG16"]
