"""Models: a graph with methods to train, evaluate, save and load it.

Reading order: `graph.graph` first, then `model`, `waiting` (for the shape of its input: models with `call`),
`sequential`, `loading` (whole models from files, also Keras's), and `compiled_config` (how a model of Keras was
compiled).
"""

from ..not_here import missing
from .loading import clone_model, load_model, model_from_json, save_model
from .model import Model
from .sequential import Sequential

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, __all__)
