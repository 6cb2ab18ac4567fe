"""Keras's import path of images in files and of `ImageDataGenerator`."""

from ..data.image_data_generator import ImageDataGenerator
from ..data.pillow_images import array_to_img, img_to_array, load_img, save_img

__all__ = ["ImageDataGenerator", "array_to_img", "img_to_array", "load_img", "save_img"]
