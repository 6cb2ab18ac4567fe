"""Keras's import path of `set_random_seed` and `to_categorical` (one-hot labels)."""

from ..data.labels import to_categorical
from ..not_here import missing
from ..randomness import set_random_seed

__all__ = ["set_random_seed", "to_categorical"]


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, __all__)
