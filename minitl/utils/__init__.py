"""Keras's import path of small tools: seeds, one-hot labels, images in files and folders, `PyDataset`."""

from ..data.image_dataset import image_dataset_from_directory
from ..data.labels import normalize, to_categorical
from ..data.made_batches import PyDataset
from ..data.pillow_images import array_to_img, img_to_array, load_img, save_img
from ..not_here import missing
from ..randomness import set_random_seed

Sequence = PyDataset  # its name in Keras 2

__all__ = [
    "PyDataset",
    "Sequence",
    "array_to_img",
    "image_dataset_from_directory",
    "img_to_array",
    "load_img",
    "normalize",
    "save_img",
    "set_random_seed",
    "to_categorical",
]


def __getattr__(name):
    """Raise an error that says what to write in the place of a name that is not here."""
    raise missing(__name__, name, __all__)
