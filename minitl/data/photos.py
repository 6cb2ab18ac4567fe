"""Photographs from files, as the RGB pixels that a viewer shows. This needs Pillow (extra `images`).

The files in a folder of photographs come from phones, editors and web sites. A photograph may be rotated by its EXIF
data, in the colours of a printer, with a palette or an alpha channel, or with 16 bits a pixel. A file may be cut short,
or no image at all. Each file either becomes the image that a person sees, or an error names it.
"""

import os
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ..errors import DataError, MissingExtraError
from ..kernels.parallel import threads

# A larger image is not decoded. Phones with up to 200 megapixels need a higher limit.
MOST_PIXELS = 100_000_000
ANIMATED = ("GIF", "PNG", "WEBP")  # formats in which several frames are a film; an MPO file is one photograph
BACKGROUND = (255, 255, 255)  # behind transparent pixels, as on a web page


def open_photo(path, most_pixels=MOST_PIXELS):
    """Return a photograph as an upright Pillow image in RGB. Raises DataError with the name of the file and the
    reason."""
    Image, ImageOps = _pillow(path)
    try:
        if os.path.getsize(path) == 0:
            raise DataError(f"{path}: cannot be read as an image (it is empty).")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of images that it can read; the size is checked below
            with Image.open(path) as image:
                width, height = image.size
                if width * height > most_pixels:
                    raise DataError(f"{path}: has {width}x{height} pixels, more than the limit of {most_pixels:,}.")
                if image.format in ANIMATED and getattr(image, "n_frames", 1) > 1:
                    raise DataError(f"{path}: is animated ({image.n_frames} frames).")
                return to_rgb(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise DataError(f"{path}: is not there (any more).") from None
    except (ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError,
            TypeError, ValueError, Image.DecompressionBombError) as error:  # fmt: skip
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: cannot be read as an image ({_reason(error, path)}).") from None


def in_threads(work, things):
    """Yield `work(thing)` for each of `things` in order, computed on several cores. (Pillow decodes without Python's
    lock.) Only a few results are computed ahead, so little work is lost after an error."""
    with ThreadPoolExecutor(threads()) as workers:
        ahead = deque()
        for thing in things:
            ahead.append(workers.submit(work, thing))
            if len(ahead) > 4 * threads():
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def to_rgb(image):
    """Return any kind of Pillow image as RGB, as a viewer shows it."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits a pixel (32 in older files), of which a viewer shows the upper eight
        grey = np.asarray(image, np.float64)
        largest = 65535 if grey.max(initial=0) > 255 or image.mode != "I" else 255
        return Image.fromarray((np.clip(grey / largest, 0, 1) * 255 + 0.5).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers, and it is unknown which of them is white")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        shown = Image.new("RGBA", image.size, (*BACKGROUND, 255))
        shown.alpha_composite(image)
        return shown.convert("RGB")
    return image.convert("RGB")


def _pillow(path):
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise MissingExtraError(
            f"{path}: reading images needs Pillow (the extra 'images'): python -m pip install pillow"
        ) from None
    return Image, ImageOps


def _reason(error, path):
    """Return Pillow's message without the path, because our message begins with it."""
    return str(error).replace(repr(str(path)), "it").replace(str(Path(path)), "it") or type(error).__name__
