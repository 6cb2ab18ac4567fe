"""Models: a graph with methods to train, evaluate, save and load it.

Reading order: `graph.graph` first, then `model`, `sequential`, `loading`.
"""

from .loading import clone_model, load_model, model_from_json, save_model
from .model import Model
from .sequential import Sequential

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]
