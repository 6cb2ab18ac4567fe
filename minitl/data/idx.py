"""Fashion-MNIST from its four original files.

They are in idx, a format from 1998 that is as plain as a format can be:

    0  0  type  axes          two zero bytes; 8 means unsigned bytes; how many axes the array has
    size of each axis         a big-endian whole number of four bytes for each
    the numbers               row by row, and nothing behind them

A file is nearly all numbers, so a wrong byte among them cannot be seen; everything else can, and is checked: what a
file says of itself, that it is as long as it says, and that pictures and labels belong together. The files are
published compressed by gzip, which checks a sum over all bytes by itself.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

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


def fashion_mnist(folder):
    """All of Fashion-MNIST, 60,000 training and 10,000 test images of 28x28 grey pixels, as an `ImageSet`.

    folder   holds the four files FILES, each as it is published (.gz) or unpacked

    A part of the set in the same format is taken as well, as long as it has every class. Raises DataError.
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


def read_idx(path):
    """The array of unsigned bytes in an idx file, packed by gzip or not. Raises DataError that names the file."""
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
    except OSError as error:  # gzip's own complaint is one of these, without a number
        reason = error.strerror or f"the gzip file is damaged: {error}"
        raise DataError(f"{path}: cannot be read ({reason}). Fetch it again.") from None


def _read(file, path):
    """The array in an open file. Not one byte more is unpacked than the header promises, and one to see the end: a
    small file can hold gigabytes of zeros."""
    start = _exactly(file, 4, path)
    zero, kind, axes = start[:2], start[2], start[3]
    if zero != b"\0\0" or axes == 0:
        raise DataError(
            f"{path}: is no idx file: it begins with the bytes {start.hex(' ')}, expected 00 00, the type and the "
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
    content = file.read(count)
    if len(content) < count:
        what = f"the {count:,} bytes of its shape {shape}" if shape else "its header"
        raise DataError(f"{path}: is cut short: expected {what}, found {len(content):,} bytes. Fetch it again.")
    return content


def _place(folder, name):
    """The file called `name`, unpacked or packed; None where there is neither."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _check_pair(images, images_path, labels, labels_path):
    """Pictures of 28x28 and their labels, as many, of all ten classes; else DataError."""
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
        raise DataError(f"{images_path}: holds an array {images.shape}; expected pictures (N, {SIDE}, {SIDE}).")
    if labels.shape != images.shape[:1]:
        raise DataError(
            f"{labels_path}: holds an array {labels.shape}; expected a label for each of the {len(images):,} pictures "
            f"in {images_path.name}."
        )
    counts = np.bincount(labels, minlength=len(CLASS_NAMES))
    if len(counts) > len(CLASS_NAMES):
        raise DataError(f"{labels_path}: has the label {labels.max()}; expected 0 to {len(CLASS_NAMES) - 1}.")
    if not counts.all():
        raise DataError(f"{labels_path}: no picture is of class {CLASS_NAMES[counts.argmin()]!r}; expected all ten.")
