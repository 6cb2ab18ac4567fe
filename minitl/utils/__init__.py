"""Keras's `utils`: one seed for everything random, and one-hot labels. Nothing is decided here."""

from ..data.labels import to_categorical
from ..randomness import set_random_seed

__all__ = ["set_random_seed", "to_categorical"]
