"""Photographs from files, as the RGB pixels that a viewer shows. This needs Pillow (extra `images`).

The files in a folder of photographs come from phones, editors and web sites. A photograph may be rotated by its EXIF
data, in the colours of a printer, with a palette or an alpha channel, or with 16 bits a pixel. A file may be cut short,
or no image at all. Each file either becomes the image that a person sees, or an error names it.

`opened_image` is the only place where minitl opens an image. It accepts only formats that are images: what a file holds
never starts another program. (Pillow gives PostScript to Ghostscript, whatever the name of its file.) `open_photo` is
for photographs, and `masks.read_mask` for maps of classes, whose pixels are no colours. `colours` makes sRGB of all
kinds of pixels, and `file_kinds` says what a file is that cannot be read.
"""

import contextlib
import importlib
import io
import logging
import os
import re
import stat
import threading
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..arguments import AnyPath
from ..errors import DataError, MissingExtraError
from ..kernels.parallel import threads
from .colours import scale_transparency, to_rgb
from .file_kinds import kind_of

# A larger image is not decoded. Phones with up to 200 megapixels need a higher limit.
MOST_PIXELS = 100_000_000
MOST_BYTES = 2**30  # of a file that is read as a whole before it is decoded
ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held
# Pillow's names of the formats that it decodes itself, as images of 8 or 16 bits. Not among them: EPS and WMF (drawn by
# other programs), IPTC (which opens the file within it as any format), and formats of measurements.
FORMATS = (
    "JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "ICO", "ICNS", "PSD", "QOI", "SGI", "PCX",
    "DCX", "DIB", "DDS", "CUR", "BLP", "FLI", "FTEX", "GBR", "MSP", "PIXAR", "SUN", "XBM", "XPM", "XVTHUMB",
)  # fmt: skip
# Formats without a mark at the beginning of the file. Only the suffix tells.
FORMATS_BY_SUFFIX = {
    ".tga": "TGA", ".targa": "TGA", ".icb": "TGA", ".vda": "TGA", ".vst": "TGA", ".im": "IM", ".pcd": "PCD",
}  # fmt: skip
# Formats of other packages: {format: (package, the function that adds it to Pillow)}.
ADDED_FORMATS = {"HEIF": ("pillow_heif", "register_heif_opener")}
# Formats in which several frames are a film. In others they are versions or pages, of which the first is shown.
ANIMATED = ("GIF", "PNG", "WEBP", "AVIF", "FLI")


class TooManyPixelsError(DataError):
    """An image has more pixels than are decoded."""


def open_photo(path: AnyPath, most_pixels: int = MOST_PIXELS) -> Any:
    """Return a photograph as an upright Pillow image in RGB (sRGB, as a viewer shows it).

    Raises DataError with the name of the file, the reason, and what to do.
    """
    return photo_and_orientation(path, most_pixels)[0]


def photo_and_orientation(path, most_pixels=MOST_PIXELS, content=None):
    """Return (a photograph as `open_photo` returns it, how it is stored).

    content   the bytes of the file, where they were read before

    EXIF numbers from 1 (upright) to 8 how an image is stored; from 5 on, height and width are exchanged. What was drawn
    on the stored image, as masks and boxes may be, must be turned as well. Damaged EXIF data count as 1.
    """
    with opened_image(path, most_pixels, content) as image:
        orientation = 1
        with contextlib.suppress(Exception):
            orientation = image.getexif().get(ORIENTATION, 1)
        turn_upright(image)
        return to_rgb(image), orientation if orientation in range(1, 9) else 1


@contextlib.contextmanager
def opened_image(path, most_pixels=MOST_PIXELS, content=None):
    """Open a file for a block, as a decoded Pillow image of any mode, as it is stored: `turn_upright` turns it.

    content   the bytes of the file, where they were read before (`read_content`); then it is not read again

    Raises DataError with the name of the file, the reason, and what to do; also where the block raises any other error,
    because a damaged image makes Pillow raise nearly anything.
    """
    Image, _ = _pillow(path)
    if content is None:
        require_file(path)
    try:
        # Pillow maps a file that it opens itself into memory. It turns some of them wrongly, and the process ends where
        # a mapped file becomes shorter.
        stored = open(path, "rb") if content is None else io.BytesIO(content)
        with _pillow_is_quiet, stored as file, Image.open(file, formats=_formats(path)) as image:
            width, height = image.size
            if width * height > most_pixels:
                raise _too_large(path, f"{width}x{height}", most_pixels)
            if image.format in ANIMATED and getattr(image, "n_frames", 1) > 1:
                raise DataError(f"{path}: is animated ({image.n_frames} frames). Save one frame as a JPEG or PNG file.")
            if image.format == "PNG":
                scale_transparency(image)
            image.load()
            yield image
    except FileNotFoundError:
        raise DataError(f"{path}: is not there (any more).") from None
    except DataError:
        raise
    except Image.DecompressionBombError as error:  # raised before the size is known here
        pixels = re.search(r"\((\d+) pixels\)", str(error))
        raise _too_large(path, f"{int(pixels[1]):,}" if pixels else "too many", most_pixels) from None
    except Exception as error:  # a damaged file makes Pillow raise nearly anything
        if isinstance(error, Image.UnidentifiedImageError):
            reason = kind_of(path, "HEIF" in Image.OPEN, content)
        else:
            reason = _reason(error, path)
        raise DataError(f"{path}: cannot be read as an image ({reason}).") from None


def turn_upright(image):
    """Turn an opened image as the camera was held, in place: it may be large. Damaged EXIF data do not turn it."""
    from PIL import ImageOps

    with contextlib.suppress(Exception):  # as for damaged files; a viewer shows such a photograph as it is stored
        ImageOps.exif_transpose(image, in_place=True)


def read_content(path, form="an image", thing="a photograph"):
    """Return the bytes of a file that is to be decoded and digested, and so is read only once.

    form, thing   as in `require_file`

    Raises DataError if there is no such file, or if it is larger than MOST_BYTES.
    """
    require_file(path, form, thing)
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
    if len(content) > MOST_BYTES:
        raise DataError(f"{path}: is larger than the limit of {MOST_BYTES:,} bytes.")
    return content


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


def require_file(path, form="an image", thing="a photograph"):
    """Raise DataError unless `path` is a file that has content. A pipe is not opened: it might never end.

    form, thing   how the file is read and what is expected in it, for the messages
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise DataError(f"{path}: is not there (any more).") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise DataError(f"{path}: cannot be read as {form} ({getattr(error, 'strerror', None) or error}).") from None
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"{path}: is a folder; expected {thing}. Name the files in it.")
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path}: is a pipe or a device; expected a file with {thing}.")
    if status.st_size == 0:
        raise DataError(f"{path}: cannot be read as {form} (it is empty).")


def _too_large(path, found, most_pixels):
    return TooManyPixelsError(
        f"{path}: has {found} pixels, more than the limit of {most_pixels:,}. Save it smaller: a network is shown a "
        "few hundred pixels of each side."
    )


_adding = threading.Lock()
_was_asked = set()  # names of ADDED_FORMATS whose package was looked for


def _formats(path):
    """Return the names of the formats that Pillow may try on a file."""
    from PIL import Image

    with _adding:  # Pillow's list of formats is filled once
        Image.init()
        for name, (package, function) in ADDED_FORMATS.items():
            if name not in _was_asked:
                _was_asked.add(name)
                try:
                    getattr(importlib.import_module(package), function)()
                except Exception:  # not installed, or not for this Pillow: `kind_of` says what to install
                    continue
    by_suffix = FORMATS_BY_SUFFIX.get(os.path.splitext(path)[1].lower())
    return [name for name in (*FORMATS, *ADDED_FORMATS, by_suffix) if name in Image.OPEN]


class _Quiet(threading.local):
    """A block in which Pillow's warnings are ignored, in this thread alone. They are of files that it can read.

    `warnings.catch_warnings` is not for threads: it puts back the filters of the whole program, and where two threads
    overlap, the wrong ones. Here a filter is added once, and stays. Instead of the text of a warning, it looks at
    whether its thread is in such a block.
    """

    depth = 0
    # A program that copies filters, as scikit-learn does for its processes, takes this for `match`: it fits no text.
    pattern = "(?!)"

    def __enter__(self):
        self.depth += 1
        if warnings.filters[:1] != [_IGNORE]:  # or somebody has put a filter in front of it
            warnings.filters.insert(0, _IGNORE)

    def __exit__(self, *error):
        self.depth -= 1

    def match(self, text):
        """Return whether a warning is ignored: `warnings` asks this, in the thread that warns."""
        return self.depth > 0


_pillow_is_quiet = _Quiet()
_IGNORE = ("ignore", _pillow_is_quiet, Warning, None, 0)
# Pillow logs some of what is wrong with a file, without its name. Without a handler, Python would print it.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def _pillow(path):
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise MissingExtraError(
            f"{path}: reading images needs Pillow (the extra 'images'): python -m pip install pillow"
        ) from None
    return Image, ImageOps


def _reason(error, path):
    """Return the system's reason, or Pillow's message (without the path, because our message begins with it) and what
    to do."""
    if getattr(error, "strerror", None):
        return error.strerror
    text = str(error).replace(repr(str(path)), "it").replace(str(Path(path)), "it")
    words = " ".join(text.split()).rstrip(".") or type(error).__name__
    return f"{words}. Fetch it again, or save it as JPEG or PNG"
