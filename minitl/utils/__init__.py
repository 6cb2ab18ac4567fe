"""Keras's import path of `set_random_seed` and `to_categorical` (one-hot labels)."""

from ..data.labels import to_categorical
from ..randomness import set_random_seed

__all__ = ["set_random_seed", "to_categorical"]
