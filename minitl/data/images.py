"""Images as arrays: reading files, resizing, grey to RGB. Pixels are 0 to 255; channels are RGB and last."""

from pathlib import Path

import numpy as np

from ..errors import DataError
from .photos import open_photo


def resize(images, height, width):
    """Bilinear resizing: (N, H, W) or (N, H, W, C) -> float32 with `height` rows and `width` columns.

    Each new pixel is a weighted mean of old ones, the same along rows as along columns, so resizing is one matrix
    product from the left and one from the right. Meant for enlarging; shrink photographs with Pillow, which averages.
    """
    images = np.asarray(images, np.float32)
    rows = _interpolation(images.shape[1], height)  # (height, H)
    cols = _interpolation(images.shape[2], width)  # (width, W)
    images = np.tensordot(rows, images, axes=(1, 1))  # (height, N, W[, C])
    images = np.tensordot(cols, images, axes=(1, 2))  # (width, height, N[, C])
    return np.ascontiguousarray(np.moveaxis(images, (0, 1), (2, 1)))  # (N, height, width[, C])


def _interpolation(old, new):
    """(new, old): row i holds the weights of the two old pixels around new pixel i.

    Pixels are little squares: the centre of new pixel i lies at (i + 1/2) old/new - 1/2 on the old axis. Beyond the
    first and last centre the edge pixel counts alone.
    """
    position = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    left = np.minimum(position.astype(int), max(old - 2, 0))
    weights = np.zeros((new, old), np.float32)
    weights[np.arange(new), left] = 1 - (position - left)
    weights[np.arange(new), np.minimum(left + 1, old - 1)] += position - left
    return weights


def grey_to_rgb(images):
    """(N, H, W) or (N, H, W, 1) -> (N, H, W, 3): three equal channels, which is what grey is in RGB."""
    if images.ndim == 4:
        images = images[..., 0]
    return np.repeat(images[..., None], 3, axis=3)


def read_image(path, height, width, crop=1.0):
    """One picture from a file, as float32 RGB (height, width, 3): its shorter side resized, then the centre cut out.

    crop   the share of the shorter side that is kept. Published networks were measured with 224/256: a picture whose
           shorter side is made 256 pixels long, of which the 224 in the middle are looked at

    Formats are Pillow's (extra `images`), and `.npy` with a uint8 array (H, W) or (H, W, 3), which needs no extra.
    Raises DataError naming the file.
    """
    path = Path(path)
    if path.suffix == ".npy" and _is_npy(path):
        return _read_npy(path, height, width, crop)
    image = open_photo(path)
    from PIL import Image, ImageOps

    fitted = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR, bleed=(1 - crop) / 2)
    return np.asarray(fitted, np.float32)


def _is_npy(path):
    """Or is it a picture with a wrong name? What cannot be opened is for NumPy to complain about."""
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
    scale = crop * min(rows / height, cols / width)  # the largest centre part with the shape that is wanted
    kept_rows, kept_cols = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (rows - kept_rows) // 2, (cols - kept_cols) // 2
    return resize(image[None, top : top + kept_rows, left : left + kept_cols], height, width)[0]
