"""The data that comes with the project: a small target task for transfer learning."""

from typing import NamedTuple

import numpy as np

from ..files.bundled import bundled_file
from ..files.hdf5 import opened


class ImageSet(NamedTuple):
    """Training and test images uint8 (N, H, W) or (N, H, W, 3), integer labels (N,) from 0, and the class names."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: list


def fashion_mnist_few_shot() -> ImageSet:
    """Return a few images of ten kinds of clothing, 28x28 grey: 50 training images a class, and 1,000 test images.

    They are the first ones of each class in the original files (`weights/make_fashion_mnist_few_shot.py`).
    Fashion-MNIST is by Zalando SE, MIT licence; Xiao, Rasul & Vollgraf 2017.
    """
    path = bundled_file("fashion_mnist_few_shot.h5")
    with opened(path, path.name) as file:
        arrays = [file[name][()] for name in ("x_train", "y_train", "x_test", "y_test")]
        return ImageSet(*arrays, class_names=[name.decode() for name in file.attrs["class_names"]])
