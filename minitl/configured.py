"""Objects that are described by the arguments of their constructor: initializers, regularizers, losses, metrics,
optimizers, schedules. `get_config` gives these arguments as data, and `from_config` makes an equal object of them,
under Keras's names. (A layer lists them itself: `layers.base`.)"""

import numpy as np

from .arguments import constructor_settings
from .errors import ArgumentError
from .not_here import no_attribute


class Configured:
    """The base of the classes whose constructor keeps each argument as an attribute of the same name."""

    def get_config(self):
        """Return the constructor's arguments for an equal object: plain numbers, strings and lists."""
        return {name: plain(value) for name, value in constructor_settings(self).items()}

    @classmethod
    def from_config(cls, config):
        """Return an object with the arguments of `get_config`."""
        return cls(**config)

    def __getattr__(self, name):
        """Raise an error for an attribute that is not here; for one of Keras it says what to write."""
        raise no_attribute(self, name)


def plain(value):
    """Return a setting as data: lists for arrays, {"class_name", "config"} for objects that have a configuration."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if hasattr(value, "get_config") and not isinstance(value, type):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    return value


def in_keras_form(thing, module):
    """Return an object that has a configuration as data in the form of Keras 3, where it stands in this module."""
    return {"module": module, **plain(thing), "registered_name": None}


def from_data(data, classes, what, custom_objects=None):
    """Return the object of data {"class_name": ..., "config": ...}. `classes` are the known ones, by their names;
    `custom_objects` are more of them: classes of your own."""
    classes = {**classes, **(custom_objects or {})}
    name, config = data.get("class_name"), data.get("config")
    if name not in classes or not isinstance(config, dict):
        raise ArgumentError(f"{what} is {data!r:.80}; expected class_name, one of {', '.join(classes)}, and config.")
    return classes[name].from_config(config)
