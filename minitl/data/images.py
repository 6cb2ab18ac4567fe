"""Images from files, as arrays. Pixels run from 0 to 255, and the channels are RGB and last."""

from pathlib import Path

import numpy as np

from ..errors import DataError
from ..kernels.images import grey_to_rgb, resize
from .photos import open_photo


def read_image(path, height, width, crop=1.0):
    """Return the image in a file as float32 RGB (height, width, 3): its centre, resized to this size.

    crop   the share of the shorter side that is kept. Published networks were measured with 224/256: the shorter side
           of the image is resized to 256 pixels, and the 224 in the middle are kept

    The file may be in any format of Pillow (extra `images`), or a `.npy` file with a uint8 array (H, W) or (H, W, 3),
    which needs no extra. Raises DataError, naming the file.
    """
    path = Path(path)
    if path.suffix == ".npy" and _is_npy(path):
        return _read_npy(path, height, width, crop)
    image = open_photo(path)
    from PIL import Image, ImageOps

    fitted = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR, bleed=(1 - crop) / 2)
    return np.asarray(fitted, np.float32)


def _is_npy(path):
    """Return whether a file called .npy is a NumPy file, and not a JPEG or PNG image with a wrong name. For a file that
    cannot be opened, return True: NumPy then raises the error."""
    try:
        with open(path, "rb") as file:
            return file.read(3) not in (b"\xff\xd8\xff", b"\x89PN")
    except OSError:
        return True


def _read_npy(path, height, width, crop):
    try:
        image = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as a NumPy array ({error}).") from None
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise DataError(f"{path}: holds {image.dtype} {image.shape}; expected uint8 (H, W) or (H, W, 3).")
    if 0 in image.shape:
        raise DataError(f"{path}: holds an empty array, {image.shape}.")
    image = grey_to_rgb(image[None])[0] if image.ndim == 2 else image
    rows, cols = image.shape[:2]
    scale = crop * min(rows / height, cols / width)  # of the largest centre part with this aspect ratio
    kept_rows, kept_cols = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (rows - kept_rows) // 2, (cols - kept_cols) // 2
    return resize(image[None, top : top + kept_rows, left : left + kept_cols], height, width)[0]
