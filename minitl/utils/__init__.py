"""Keras's import path of `set_random_seed` and `to_categorical` (one-hot labels)."""

from ..data.labels import to_categorical
from ..data.made_batches import PyDataset
from ..randomness import set_random_seed

Sequence = PyDataset  # its name in Keras 2

__all__ = ["PyDataset", "Sequence", "set_random_seed", "to_categorical"]
