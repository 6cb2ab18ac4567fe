"""Make `fashion_mnist_few_shot.h5` from the original Fashion-MNIST files.

    python weights/make_fashion_mnist_few_shot.py FOLDER      (with the four *-ubyte.gz files in it)

The rule leaves no choice: of each class, it takes the first 50 images of the training file and the first 100 images of
the test file, in the order of the files.
"""

import sys
from pathlib import Path

import h5py
import numpy as np

from minitl.data.idx import CLASS_NAMES, fashion_mnist

TRAIN_PER_CLASS, TEST_PER_CLASS = 50, 100


def first_of_each_class(images, labels, count):
    """Return the first `count` images of each class and their labels, in the order of the file."""
    chosen = np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in range(len(CLASS_NAMES))]))
    return images[chosen], labels[chosen]


def main():
    """Read the folder and write the file beside this script."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    target = Path(__file__).parent / "fashion_mnist_few_shot.h5"
    dataset = fashion_mnist(sys.argv[1])
    parts = [
        ("train", dataset.x_train, dataset.y_train, TRAIN_PER_CLASS),
        ("test", dataset.x_test, dataset.y_test, TEST_PER_CLASS),
    ]
    with h5py.File(target, "w") as file:
        for name, *part in parts:
            images, labels = first_of_each_class(*part)
            file.create_dataset(f"x_{name}", data=images, compression="gzip", compression_opts=9)
            file.create_dataset(f"y_{name}", data=labels)
        file.attrs["class_names"] = np.array(CLASS_NAMES, dtype="S")
        file.attrs["source"] = "Fashion-MNIST, Copyright (c) 2017 Zalando SE, MIT licence"
    print(f"wrote {target} ({target.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
