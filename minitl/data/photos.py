"""Photographs from files, as the RGB pixels that a viewer shows. Needs Pillow (extra `images`).

What lies in a folder of photographs has been through phones, editors and web sites: turned by a note in its EXIF data,
in the colours of a printer, with a palette or an alpha channel, with 16 bits a pixel, cut short, or not a picture at
all. A network should see what a person sees, or the file should be named.
"""

import os
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ..errors import DataError, MissingExtraError
from ..kernels.parallel import threads

MOST_PIXELS = (
    100_000_000  # a larger picture is not decoded; phones make up to 200 megapixels, and set it aside for that
)
ANIMATED = ("GIF", "PNG", "WEBP")  # formats whose several frames are a film; a phone's MPO is one photograph
BACKGROUND = (255, 255, 255)  # behind transparent pixels, as on a web page


def open_photo(path, most_pixels=MOST_PIXELS):
    """A picture as a Pillow image in RGB, upright. Raises DataError with the file's name and what is wrong with it."""
    Image, ImageOps = _pillow(path)
    try:
        if os.path.getsize(path) == 0:
            raise DataError(f"{path}: cannot be read as a picture (it is empty).")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, about pictures that it reads all the same; the limit is ours
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
        raise DataError(f"{path}: cannot be read as a picture ({_reason(error, path)}).") from None


def in_threads(work, things):
    """`work(thing)` for each of `things`, in their order, on several cores: Pillow decodes without Python's lock. Not
    many are worked on ahead of what is taken, so an error costs little."""
    with ThreadPoolExecutor(threads()) as workers:
        ahead = deque()
        for thing in things:
            ahead.append(workers.submit(work, thing))
            if len(ahead) > 4 * threads():
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def to_rgb(image):
    """Any kind of Pillow image -> RGB, as it is shown."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits a pixel (32 in older files): the upper eight are what is shown
        grey = np.asarray(image, np.float64)
        largest = 65535 if grey.max(initial=0) > 255 or image.mode != "I" else 255
        return Image.fromarray((np.clip(grey / largest, 0, 1) * 255 + 0.5).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers, and nobody knows which of them is white")
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
            f"{path}: reading pictures needs Pillow (the extra 'images'): python -m pip install pillow"
        ) from None
    return Image, ImageOps


def _reason(error, path):
    """Pillow's words without the path, which is named already."""
    return str(error).replace(repr(str(path)), "it").replace(str(Path(path)), "it") or type(error).__name__
