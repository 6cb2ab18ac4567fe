"""Keras's import path of images: `minitl.preprocessing.image`, and `image_dataset_from_directory`."""

from ..data.image_dataset import image_dataset_from_directory
from . import image

__all__ = ["image", "image_dataset_from_directory"]
