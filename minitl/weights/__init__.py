"""Files of weights: what they look like inside, reading them with care, and writing them so that none is ever half
there. Reading order: `keras_h5` (the layout), `loading` (into a model), `model_file`, `store` (where files are found).
"""

from .loading import LoadReport, load_weights
from .model_file import load_model, save_model, save_weights
from .store import bundled_file, find_weights

__all__ = [
    "LoadReport",
    "bundled_file",
    "find_weights",
    "load_model",
    "load_weights",
    "save_model",
    "save_weights",
]
