"""Images from files, as arrays. Pixels run from 0 to 255, and the channels are RGB and last."""

import io
import math
from pathlib import Path

import numpy as np

from ..arguments import AnyPath
from ..errors import DataError
from ..kernels.images import grey_to_rgb, resize
from .colours import colour_management
from .photos import MOST_PIXELS, open_photo, photo_and_orientation, require_file

EDITION = 3  # of how a file becomes pixels. Add 1 when it changes: features that were kept before are then not used


WHOLE, PADDED = "whole", "padded"  # the crops that leave nothing out
BORDER = 127  # of the borders of a padded image: about the mean of all images, which no network takes for a thing


def read_image(
    path: AnyPath, height: int, width: int, crop: float | str = 1.0, content: bytes | None = None
) -> np.ndarray:
    """Return the image in a file as float32 RGB (height, width, 3): its centre, resized to this size.

    crop   the share of the shorter side that is kept. Published networks were measured with 224/256: the shorter side
           of the image is resized to 256 pixels, and the 224 in the middle are kept. "whole": all of the image is kept,
           and stretched to this size. "padded": all of it, in its proportions, between grey borders
    content   the bytes of the file, where they were read before

    The file may be in any format of Pillow (extra `images`), or a `.npy` file with a uint8 array (H, W) or (H, W, 3),
    which needs no extra. Raises DataError, naming the file.
    """
    path = Path(path)
    if content is None:
        require_file(path)
    if path.suffix == ".npy" and _is_npy(path, content):
        return _read_npy(path, height, width, crop, content)
    return fitted(photo_and_orientation(path, content=content)[0], height, width, crop)


def fitted(image, height, width, crop=1.0):
    """Return a Pillow image in RGB as `read_image` does: cropped and resized, float32 (height, width, 3)."""
    from PIL import Image, ImageOps

    size, bilinear = (width, height), Image.Resampling.BILINEAR
    if crop == WHOLE:
        image = image.resize(size, bilinear)
    elif crop == PADDED:
        image = ImageOps.pad(image, size, bilinear, (BORDER, BORDER, BORDER))
    else:
        image = ImageOps.fit(image, size, bilinear, bleed=(1 - crop) / 2)
    return np.asarray(image, np.float32)


def is_crop(found):
    """Return whether `found` is a crop of `read_image`: a share above 0, 1 at most, or one of the two words."""
    if isinstance(found, str):
        return found in (WHOLE, PADDED)
    return isinstance(found, (int, float)) and not isinstance(found, bool) and 0 < found <= 1


def read_whole_image(path):
    """Return the image in a file as uint8 RGB (H, W, 3), as large as it is. The formats are those of `read_image`.
    Raises DataError, naming the file."""
    path = Path(path)
    require_file(path)
    if path.suffix != ".npy" or not _is_npy(path):
        return np.asarray(open_photo(path))
    image = _opened_npy(path)
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image


def _is_npy(path, content=None):
    """Return whether a file called .npy is a NumPy file, and not a JPEG or PNG image with a wrong name. For a file that
    cannot be opened, return True: `_read_npy` then raises the error."""
    try:
        with _opened(path, content) as file:
            return file.read(3) not in (b"\xff\xd8\xff", b"\x89PN")
    except OSError:
        return True


def reading():
    """Return a description, as plain data, of how a file becomes pixels on this machine."""
    return [EDITION, {None: "without Pillow", False: "without colour profiles", True: "in sRGB"}[colour_management()]]


def _opened(path, content):
    """Return the bytes of a file as an open file: `content`, where they were read before."""
    return open(path, "rb") if content is None else io.BytesIO(content)


def _opened_npy(path, content=None):
    """Return the pixels uint8 (H, W) or (H, W, 3) in a NumPy file."""
    try:
        with _opened(path, content) as file:
            image = _array_of_pixels(path, file)
    except OSError as error:
        raise DataError(f"{path}: cannot be read as a NumPy array ({error.strerror}).") from None
    if 0 in image.shape:
        raise DataError(f"{path}: holds an empty array, {image.shape}.")
    return image


def _read_npy(path, height, width, crop, content=None):
    image = _opened_npy(path, content)
    image = grey_to_rgb(image[None])[0] if image.ndim == 2 else image
    rows, cols = image.shape[:2]
    if crop == WHOLE:
        return resize(image[None], height, width)[0]
    if crop == PADDED:
        scale = min(height / rows, width / cols)
        kept_rows, kept_cols = max(1, round(rows * scale)), max(1, round(cols * scale))
        top, left = (height - kept_rows) // 2, (width - kept_cols) // 2
        padded = np.full((height, width, 3), BORDER, np.float32)
        padded[top : top + kept_rows, left : left + kept_cols] = resize(image[None], kept_rows, kept_cols)[0]
        return padded
    scale = crop * min(rows / height, cols / width)  # of the largest centre part with this aspect ratio
    kept_rows, kept_cols = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (rows - kept_rows) // 2, (cols - kept_cols) // 2
    return resize(image[None, top : top + kept_rows, left : left + kept_cols], height, width)[0]


def _array_of_pixels(path, file):
    """Return the array in an open .npy file. Its header is checked before any number is read: a few bytes can announce
    an array that no memory holds."""
    try:
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = read_header[version](file)
        if dtype.hasobject:
            raise ValueError("it holds objects of Python, not numbers")
        if dtype == np.uint8 and len(shape) in (2, 3) and shape[2:] in ((), (3,)):
            if math.prod(shape[:2]) > MOST_PIXELS:
                raise DataError(f"{path}: has {shape[1]}x{shape[0]} pixels, more than the limit of {MOST_PIXELS:,}.")
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
    except DataError:
        raise
    except Exception as error:  # a damaged header makes NumPy raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: cannot be read as a NumPy array ({reason}).") from None
    raise DataError(f"{path}: holds {dtype} {shape}; expected uint8 (H, W) or (H, W, 3).")
