"""Fashion-MNIST from its four original files.

They are in idx, a very simple format from 1998:

    0  0  type  axes          two zero bytes; the type (8 means unsigned bytes); the number of axes
    size of each axis         a big-endian whole number of four bytes for each axis
    the numbers               row by row, and nothing behind them

Nearly all of a file is numbers, and a wrong byte among them cannot be recognized. Everything else is checked: the
header, the length of the file, and that the images and labels belong together. The published files are compressed with
gzip, which adds a checksum over all bytes.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from ..arguments import AnyPath
from ..errors import DataError
from .bundled import ImageSet

UNSIGNED_BYTES = 8
GZIP = b"\x1f\x8b"
MOST_BYTES = 2**30  # the largest array that is read; Fashion-MNIST's is 47 MB
PAGE = "https://github.com/zalandoresearch/fashion-mnist"
FILES = {
    "x_train": "train-images-idx3-ubyte", "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte", "y_test": "t10k-labels-idx1-ubyte",
}  # fmt: skip
CLASS_NAMES = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]  # fmt: skip
SIDE = 28  # pixels


def fashion_mnist(folder: AnyPath) -> ImageSet:
    """Return Fashion-MNIST, 60,000 training and 10,000 test images of 28x28 grey pixels, as an `ImageSet`.

    folder   the folder with the four files FILES, each as it is published (.gz) or unpacked

    A part of the set in the same format is accepted as well, if it has every class. Raises DataError for missing,
    damaged or unsuitable files.
    """
    folder = Path(folder)
    paths = {part: _place(folder, name) for part, name in FILES.items()}
    missing = [name for part, name in FILES.items() if paths[part] is None]
    if missing:
        found = f"a folder without {', '.join(missing)}" if folder.is_dir() else "no folder"
        raise DataError(
            f"{folder}: expected a folder with the four files {', '.join(f'{name}.gz' for name in FILES.values())}, "
            f"packed or unpacked; found {found}. Fetch them from {PAGE} (there under 'Get the Data')."
        )
    arrays = {part: read_idx(path) for part, path in paths.items()}
    for part in ("train", "test"):
        _check_pair(arrays[f"x_{part}"], paths[f"x_{part}"], arrays[f"y_{part}"], paths[f"y_{part}"])
    return ImageSet(**arrays, class_names=list(CLASS_NAMES))


def read_idx(path: AnyPath) -> np.ndarray:
    """Return the array of unsigned bytes in an idx file, packed with gzip or not. Raises DataError, naming the file."""
    path = Path(path)
    try:
        with open(path, "rb") as raw:
            is_packed = raw.read(len(GZIP)) == GZIP
            raw.seek(0)
            if not is_packed:
                return _read(raw, path)
            with gzip.open(raw) as unpacked:
                return _read(unpacked, path)
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: the gzip file is cut short or damaged ({error}). Fetch it again.") from None
    except OSError as error:  # gzip raises one without an error number for damaged data
        reason = error.strerror or f"the gzip file is damaged: {error}"
        raise DataError(f"{path}: cannot be read ({reason}). Fetch it again.") from None


def _read(file, path):
    """Return the array in an open file. No more is unpacked than the header announces, and one byte to find the end,
    because a small packed file can hold gigabytes of zeros."""
    start = _exactly(file, 4, path)
    zero, kind, axes = start[:2], start[2], start[3]
    if zero != b"\0\0" or axes == 0:
        raise DataError(
            f"{path}: is no idx file: it begins with the bytes {start.hex(' ')}; expected 00 00, the type and the "
            "number of axes. Fetch it again."
        )
    if kind != UNSIGNED_BYTES:
        raise DataError(f"{path}: holds numbers of type {kind:#04x}; expected unsigned bytes, {UNSIGNED_BYTES:#04x}.")
    shape = tuple(np.frombuffer(_exactly(file, 4 * axes, path), ">u4").tolist())
    size = math.prod(shape)
    if size > MOST_BYTES:
        raise DataError(f"{path}: says that it holds {size:,} bytes, shape {shape}; at most {MOST_BYTES:,} are read.")
    numbers = _exactly(file, size, path, shape)
    if file.read(1):
        raise DataError(f"{path}: goes on behind the {size:,} bytes of its shape {shape}. Fetch it again.")
    return np.frombuffer(numbers, np.uint8).reshape(shape)


def _exactly(file, count, path, shape=None):
    """Return the next `count` bytes of a file. Raises DataError if there are fewer."""
    content = file.read(count)
    if len(content) < count:
        what = f"the {count:,} bytes of its shape {shape}" if shape else "its header"
        raise DataError(f"{path}: is cut short: expected {what}, found {len(content):,} bytes. Fetch it again.")
    return content


def _place(folder, name):
    """Return the path of the file called `name`, unpacked or packed, or None if there is neither."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _check_pair(images, images_path, labels, labels_path):
    """Raise DataError unless these are images of 28x28 pixels with a label each, of all ten classes."""
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
        raise DataError(f"{images_path}: holds an array {images.shape}; expected images (N, {SIDE}, {SIDE}).")
    if labels.shape != images.shape[:1]:
        raise DataError(
            f"{labels_path}: holds an array {labels.shape}; expected a label for each of the {len(images):,} images "
            f"in {images_path.name}."
        )
    counts = np.bincount(labels, minlength=len(CLASS_NAMES))
    if len(counts) > len(CLASS_NAMES):
        raise DataError(f"{labels_path}: has the label {labels.max()}; expected 0 to {len(CLASS_NAMES) - 1}.")
    if not counts.all():
        raise DataError(f"{labels_path}: no image is of class {CLASS_NAMES[counts.argmin()]!r}; expected all ten.")
