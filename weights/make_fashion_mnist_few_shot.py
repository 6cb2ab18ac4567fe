"""Make `fashion_mnist_few_shot.h5` from the original Fashion-MNIST files.

    python weights/make_fashion_mnist_few_shot.py FOLDER      (with the four *-ubyte.gz files in it)

The rule leaves nothing to choose: of each class, the first 50 images of the training file and the first 100 of the
test file, in file order.
"""

import gzip
import sys
from pathlib import Path

import h5py
import numpy as np

TRAIN_PER_CLASS, TEST_PER_CLASS = 50, 100
CLASS_NAMES = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]  # fmt: skip


def read_idx(path):
    """An idx file: two zero bytes, the type (8 = uint8), the number of axes, each axis as a big-endian int32, data."""
    raw = gzip.decompress(path.read_bytes())
    if raw[:3] != b"\0\0\x08":
        raise SystemExit(f"{path} is not an idx file of bytes.")
    axes = raw[3]
    shape = np.frombuffer(raw, ">i4", count=axes, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)


def first_of_each_class(folder, part, count):
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")  # (N, 28, 28)
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")  # (N,)
    chosen = np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in range(len(CLASS_NAMES))]))
    return images[chosen], labels[chosen]


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    folder, target = Path(sys.argv[1]), Path(__file__).parent / "fashion_mnist_few_shot.h5"
    with h5py.File(target, "w") as file:
        for name, part, count in ("train", "train", TRAIN_PER_CLASS), ("test", "t10k", TEST_PER_CLASS):
            images, labels = first_of_each_class(folder, part, count)
            file.create_dataset(f"x_{name}", data=images, compression="gzip", compression_opts=9)
            file.create_dataset(f"y_{name}", data=labels)
        file.attrs["class_names"] = np.array(CLASS_NAMES, dtype="S")
        file.attrs["source"] = "Fashion-MNIST, Copyright (c) 2017 Zalando SE, MIT licence"
    print(f"wrote {target} ({target.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
