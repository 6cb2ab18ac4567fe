"""Images between files, Pillow and arrays, under Keras's names: `load_img`, `img_to_array`, `array_to_img`, `save_img`.

The pixels are Keras's, for programs that come from there: an image is as it is stored, without the rotation of its EXIF
data and without its colour profile. `images.read_image` shows a photograph as a person sees it. Files are opened as
safely as there (`photos.opened_image`), and images are saved by Pillow (extra `images`).

Who calls this: `image_batches`; programs, by way of `minitl.utils` and `minitl.preprocessing.image`.
"""

import io
import os
from pathlib import Path

import numpy as np

from ..arguments import pair
from ..errors import ArgumentError, DataError, MissingExtraError, warn_of_data
from ..files.atomic import replacing
from .photos import opened_image, require_file

MODES = {"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}  # Keras's color_mode -> Pillow's mode
CHANNELS = {"rgb": 3, "rgba": 4, "grayscale": 1}
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
GREY_MODES = ("L", "I;16", "I")  # grey images that keep their 8, 16 or 32 bits


def load_img(path, color_mode="rgb", target_size=None, interpolation="nearest", keep_aspect_ratio=False):
    """Return the image in a file as a Pillow image.

    path                a path, or an `io.BytesIO` with the content of a file
    color_mode          "rgb", "rgba" or "grayscale"
    target_size         None, or (rows, columns)
    interpolation       to this size: "nearest", "bilinear", "bicubic", "hamming", "box" or "lanczos"
    keep_aspect_ratio   True: the largest part in the middle with the aspect ratio of the target size is resized, not
                        the whole image

    Raises DataError, naming the file; ArgumentError for other arguments.
    """
    require_color_mode(color_mode)
    if interpolation not in INTERPOLATIONS:
        raise ArgumentError(f"interpolation is {interpolation!r}; expected one of {', '.join(INTERPOLATIONS)}.")
    content = path.getvalue() if isinstance(path, io.BytesIO) else None
    path = "the image in memory" if content is not None else os.fsdecode(path)
    with opened_image(path, content=content) as image:
        mode = MODES[color_mode]
        keeps_mode = image.mode == mode or color_mode == "grayscale" and image.mode in GREY_MODES
        found = image.copy() if keeps_mode else image.convert(mode)
    if target_size is None:
        return found
    rows, columns = pair(target_size, "target_size")
    if found.size == (columns, rows):
        return found
    box = _middle(found.size, rows, columns) if keep_aspect_ratio else None
    return found.resize((columns, rows), _pillow().Resampling[interpolation.upper()], box)


def _middle(size, rows, columns):
    """Return (left, top, right, bottom) of the largest part in the middle that has the aspect ratio columns : rows."""
    width, height = size
    kept_height = min(height, width * rows // columns)
    kept_width = min(width, height * columns // rows)
    left, top = (width - kept_width) // 2, (height - kept_height) // 2
    return left, top, left + kept_width, top + kept_height


def img_to_array(img, data_format=None, dtype=None):
    """Return a Pillow image as an array (H, W, C), float32 unless another type is given. Grey images have C = 1."""
    require_channels_last(data_format)
    x = np.asarray(img, dtype=dtype or "float32")
    if x.ndim not in (2, 3):
        raise DataError(f"the image has the shape {x.shape}; expected (H, W) or (H, W, C).")
    return x[..., None] if x.ndim == 2 else x  # (H, W, C)


def array_to_img(x, data_format=None, scale=True, dtype=None):
    """Return an array (H, W, C) with C = 1, 3 or 4 as a Pillow image.

    scale   True: the smallest number becomes 0 and the largest 255. False: the numbers are pixels from 0 to 255
    """
    require_channels_last(data_format)
    x = np.asarray(x, dtype=dtype or "float32")
    if x.ndim != 3 or x.shape[2] not in (1, 3, 4):
        raise DataError(f"the image has the shape {x.shape}; expected (H, W, C) with 1, 3 or 4 channels.")
    if not x.size or not np.isfinite(x).all():
        raise DataError(f"the image {x.shape} has no pixels, or holds NaN or infinity.")
    if scale:
        x = x - x.min()
        largest = x.max()
        if largest != 0:
            x /= largest
        x *= 255
    if x.shape[2] == 1 and x.max() > 255:  # 32 bits a pixel
        return _pillow().fromarray(x[..., 0].astype(np.int32))
    with np.errstate(invalid="ignore"):  # pixels outside 0 to 255, which `scale=False` should not have
        x = x.astype(np.uint8)
    return _pillow().fromarray(x[..., 0] if x.shape[2] == 1 else x)


def save_img(path, x, data_format=None, file_format=None, scale=True, **kwargs):
    """Write an array (H, W, C) as an image to a path or an open file. The other arguments are those of `array_to_img`,
    and of Pillow's `Image.save`. `file_format` replaces the ending of the path."""
    img = array_to_img(x, data_format, scale)
    is_path = isinstance(path, (str, os.PathLike))
    file_format = Path(path).suffix[1:] if file_format is None and is_path else file_format
    file_format = "jpeg" if file_format and file_format.lower() == "jpg" else file_format
    if img.mode == "RGBA" and file_format and file_format.lower() == "jpeg":
        warn_of_data("JPEG has no transparency: the fourth channel is left out.")
        img = img.convert("RGB")
    Image = _pillow()
    Image.init()
    if not file_format or file_format.upper() not in Image.SAVE:
        raise ArgumentError(f"{path}: Pillow has no format {file_format!r}; expected an ending such as .png or .jpg.")
    if not is_path:
        img.save(path, file_format, **kwargs)
        return
    with replacing(path, require_file) as temporary:
        img.save(temporary, file_format, **kwargs)


def require_color_mode(color_mode):
    """Raise ArgumentError unless `color_mode` is one of Keras's."""
    if color_mode not in MODES:
        raise ArgumentError(f"color_mode is {color_mode!r}; expected one of {', '.join(MODES)}.")


def require_channels_last(data_format):
    """Raise ArgumentError for images with their channels first."""
    if data_format not in (None, "channels_last"):
        raise ArgumentError(f"data_format is {data_format!r}; images are (N, H, W, C) here: 'channels_last'.")


def _pillow():
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtraError("images need Pillow (the extra 'images'): python -m pip install pillow") from None
    return Image
