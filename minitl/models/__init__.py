"""Graphs of layers. Reading order: `graph` (forward and backward), `model`, `sequential`, `summary`."""

from .model import Model
from .sequential import Sequential

__all__ = ["Model", "Sequential", "load_model"]


def load_model(path, custom_objects=None):
    """Read a model that `model.save(path)` wrote. `custom_objects` maps the names of your own layer classes to them.

    Raises WeightsError if the file is not such a model.
    """
    from .. import weights  # a door to a higher floor, as in model.py

    return weights.load_model(path, custom_objects)
