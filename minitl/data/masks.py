"""Masks: images whose pixels are class numbers, as the labels of segmentation.

A file stores a mask in one of three ways, and read as a photograph, each of them gives wrong numbers:

    palette    a pixel is a number, and the palette has a colour for each. The numbers 0, 15, 255 with the usual palette
               (Everingham et al. 2010), read as grey, are 0, 147, 220: the brightness of the colours. `read_mask` gives
               the numbers, 0, 15, 255.
    grey       a pixel is its class number. The classes 0 to 4 look black to a person. They are right all the same.
    colours    a pixel is a colour, and somebody has to say which class it stands for: `colours`, a table

Where every number is 0 or 255, the file probably shows one class as white. But 255 usually marks pixels that nobody has
labelled, and a loss leaves those out: only class 0 would be learned. This is warned of.

The classes 2 and 4 have no mean: class 3 may be water. So masks are resized by taking the nearest pixel, and files that
a lossy compression has been over (JPEG) are refused: it makes numbers between those of two classes.

`segmentation_folder` reads masks with the functions here, and `polygons` draws those that are stored as outlines. Files
are opened by `photos.opened_image`. This needs Pillow (extra `images`).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..arguments import AnyPath
from ..errors import ArgumentError, DataError, warn_of_data
from .photos import MOST_PIXELS, opened_image, read_content, turn_upright

IGNORE = 255  # the number of pixels that nobody has labelled; also what lies outside of an image that was turned
FORMATS_OF_MASKS = ("PNG", "TIFF", "BMP")  # those that keep every number
LOSSY = {"JPEG": "JPEG", "MPO": "JPEG", "JPEG2000": "JPEG", "WEBP": "WebP", "AVIF": "AVIF", "HEIF": "HEIF"}
GREY_MODES = ("1", "L", "I", "I;16", "I;16B", "I;16L", "LA")  # Pillow's names for one number a pixel
STORED_LEVELS = {2: 3, 4: 15}  # bits of a grey pixel that Pillow stretches to 255: the largest number that they hold
SHOWN = 8  # colours or numbers that a message lists
BLACK_AND_WHITE = (
    "holds only 0 and 255. If 255 is an object and not the mark of unlabelled pixels, give colours={0: 0, 255: 1}"
)


class Decoded(NamedTuple):
    """A mask from a file: its class numbers uint8 (H, W), and the colours {number: (r, g, b)} of a palette, or {}."""

    values: np.ndarray
    palette: dict


def read_mask(path: AnyPath, colours: dict | None = None, classes=None, ignore: int = IGNORE) -> np.ndarray:
    """Return the class numbers in a file, uint8 (H, W), upright as `open_photo` shows the photograph.

    colours   None: the numbers in a file of grey pixels or with a palette. Or a table, {(r, g, b): class}, for any file
              with colours; {(r, g, b, alpha): class} for pixels that are not opaque; or {number: class} for other grey
              or palette numbers, such as {0: 0, 255: 1}. A class is a number, or a name: then the names are numbered in
              the order of the table
    classes   the count of classes, or None. A number from there on that is not `ignore` is refused

    Raises DataError for a file that cannot be read, for one that a lossy compression has been over, for colours without
    a table, and for a pixel whose class is unknown, with its place; ArgumentError for a table that is none. Warns with
    `DataWarning` of a mask that holds 0 and 255 alone.
    """
    table, names = colour_table(colours)
    decoded = decode_mask(path, read_content(path, thing="a mask"), table)
    count = classes if classes is not None else len(names) or None
    reason = unlisted(decoded.values, count, ignore)
    if reason:
        raise DataError(f"{path}: {reason}.")
    if not table and set(numbers_of(decoded.values)) == {0, 255}:
        warn_of_data(f"{path}: {BLACK_AND_WHITE}.")
    return decoded.values


def resize_mask(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a mask (H, W) with `height` rows and `width` columns: each new pixel is the nearest old one.

    Pixels are little squares: the centre of new pixel i lies at (i + 1/2) H/height on the old axis, where old pixel k
    reaches from k to k + 1. The row 0 2 becomes 0 0 2 2 at width 4. (A bilinear resizing would give 0 1 2 2, with a
    class that is not there.)
    """
    rows, cols = (
        np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(int)
        for old, new in zip(mask.shape, (height, width))
    )
    return mask[rows[:, None], cols]  # (height, width)


def turned(mask, orientation):
    """Return a mask (H, W) turned upright, as an image whose EXIF data has this orientation, from 1 to 8, is."""
    mask = mask.T if orientation > 4 else mask
    if orientation in (2, 3, 6, 7):
        mask = mask[:, ::-1]
    return np.ascontiguousarray(mask[::-1] if orientation in (3, 4, 7, 8) else mask)


def numbers_of(mask):
    """Return the different numbers in a mask, as a sorted list."""
    return np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist()


def unlisted(mask, classes, ignore):
    """Return what is wrong with a mask that holds a number which is no class, as a part of a sentence, or None.

    classes   the count of classes, or None if it is unknown;   ignore   the number of unlabelled pixels, or None
    """
    if classes is None:
        return None
    wrong = [number for number in numbers_of(mask) if number >= classes and number != ignore]
    if not wrong:
        return None
    row, column = _first(mask == wrong[0])
    expected = f"0 to {classes - 1}" + ("" if ignore is None else f", or {ignore} for unlabelled pixels")
    return f"holds {_listed(wrong)} ({wrong[0]} first at row {row}, column {column}); expected {expected}"


# ---- tables of colours ----


def colour_table(colours, class_names=None):
    """Return ({colour or number: class number}, names of the classes or []), of the argument `colours`, checked.

    class_names   the names in their order, if they are known. Otherwise they stand in the order of the table
    """
    if colours is None:
        return {}, []
    if not isinstance(colours, Mapping) or not colours:
        raise ArgumentError(
            f"colours is {colours!r}; expected a table such as {{(255, 0, 0): 'road', (0, 0, 0): 255}}."
        )
    keys = {_key(key): value for key, value in colours.items()}
    if len({isinstance(key, tuple) for key in keys}) > 1:
        raise ArgumentError("colours has numbers and colours as keys; expected one or the other.")
    words = list(dict.fromkeys(value for value in keys.values() if isinstance(value, str)))
    names = list(class_names) if class_names else words
    table = {}
    for key, value in keys.items():
        if isinstance(value, str):
            if value not in names:
                raise ArgumentError(f"colours has the class {value!r}; expected one of {', '.join(names)}.")
            value = names.index(value)
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value <= 255:
            raise ArgumentError(f"colours[{key}] is {value!r}; expected a class number from 0 to 255, or a name.")
        table[key] = int(value)
    if words and not class_names and any(value in range(len(words)) for value in keys.values()):
        raise ArgumentError(
            f"colours has names and numbers for the same classes: {', '.join(words)} are numbered from 0. Expected one "
            "or the other, and numbers beside names only for unlabelled pixels (255)."
        )
    return table, names if words else []


def _key(key):
    """Return a key of the table as an int or a tuple of three or four ints."""
    parts = tuple(key) if isinstance(key, (tuple, list)) else (key,)
    most = 255 if isinstance(key, (tuple, list)) else 65535
    whole = all(isinstance(part, (int, np.integer)) and not isinstance(part, bool) for part in parts)
    if not whole or not all(0 <= part <= most for part in parts) or len(parts) not in (1, 3, 4):
        raise ArgumentError(f"colours has the key {key!r}; expected (red, green, blue) from 0 to 255, or one number.")
    return tuple(map(int, parts)) if isinstance(key, (tuple, list)) else int(key)


# ---- from a file to numbers ----


def decode_mask(path, content, table, most_pixels=MOST_PIXELS):
    """Return the mask in `content`, the bytes of the file `path`, as `Decoded`; `table` comes from `colour_table`.
    Raises DataError."""
    with opened_image(path, most_pixels, content) as image:
        _require_exact(path, image)
        turn_upright(image)
        mode, by_colour = image.mode, bool(table) and isinstance(next(iter(table)), tuple)
        if mode in ("RGB", "RGBA") or (by_colour and mode in ("P", "1", "L", "LA")):
            return Decoded(_classes_of_colours(path, image, table if by_colour else {}), {})
        if mode == "P":
            numbers, palette = np.asarray(image), _palette(image)
        elif mode in GREY_MODES and not by_colour:
            numbers, palette = _grey_numbers(path, image, content), {}
        else:
            raise DataError(f"{path}: has pixels of the kind {mode}; expected grey, a palette or RGB. Save it as PNG.")
        if table:
            return Decoded(_looked_up(path, numbers, table, lambda number: str(number)), {})
        if numbers.min() < 0 or numbers.max() > 255:
            row, column = _first((numbers < 0) | (numbers > 255))
            raise DataError(
                f"{path}: holds {numbers[row, column]} at row {row}, column {column}; expected class numbers from 0 to "
                "255. If each number stands for a class, give a table of them: colours={number: class}."
            )
        values = numbers.astype(np.uint8)
        return Decoded(values, {number: palette[number] for number in numbers_of(values) if number in palette})


def _require_exact(path, image):
    """Raise DataError for a format that does not keep the numbers of a mask."""
    compression, form = str(image.info.get("compression")), image.format
    if form in LOSSY or "jpeg" in compression:
        raise DataError(
            f"{path}: is a {LOSSY.get(form, 'JPEG')} file, whose compression can make numbers between those of two "
            "classes; expected a mask as PNG, TIFF or BMP. Export it again from the program that it was drawn with."
        )
    if form not in FORMATS_OF_MASKS:
        why = " (programs that write GIF give the colours of a palette new numbers)" if form == "GIF" else ""
        raise DataError(f"{path}: is a {form} file; expected a mask as PNG, TIFF or BMP{why}.")


def _grey_numbers(path, image, content):
    """Return the numbers of grey pixels as they are stored, (H, W)."""
    numbers = np.asarray(image)
    if image.mode == "LA":
        if numbers[..., 1].min() < 255:
            raise DataError(
                f"{path}: has transparent pixels; expected class numbers alone. Save it without transparency."
            )
        numbers = numbers[..., 0]
    bits = content[24] if image.format == "PNG" else image.tag_v2.get(258, (8,))[0] if image.format == "TIFF" else 8
    if image.mode == "L" and bits in STORED_LEVELS:  # 7 of 15 was stretched to 119 of 255
        numbers = numbers // (255 // STORED_LEVELS[bits])
    return numbers.astype(np.uint8) if image.mode == "1" else numbers


def _palette(image):
    """Return the colours {number: (r, g, b)} of an image with a palette."""
    flat = image.getpalette() or []
    return {number: tuple(flat[3 * number : 3 * number + 3]) for number in range(len(flat) // 3)}


def _classes_of_colours(path, image, table):
    """Return the classes uint8 (H, W) of the pixels of an image with colours. Raises DataError for a colour that is not
    in the table, or for any if there is no table."""
    has_alpha = image.mode in ("RGBA", "LA") or (image.mode == "P" and "transparency" in image.info)
    channels = np.moveaxis(np.asarray(image.convert("RGBA" if has_alpha else "RGB")), 2, 0)  # (3 or 4, H, W)
    # A colour as one number: the opaque (r, g, b) as r, g, b in base 256, and what alpha lacks of 255 above them.
    codes = np.zeros(channels.shape[1:], np.uint32)
    for channel, shift in zip(channels, (16, 8, 0)):
        codes |= channel.astype(np.uint32) << np.uint32(shift)
    if has_alpha:
        codes |= (255 - channels[3]).astype(np.uint32) << np.uint32(24)
    if not table:
        raise DataError(f"{path}: {_without_table(codes)}")
    by_code = {_code(key): value for key, value in table.items()}
    return _looked_up(path, codes, by_code, lambda code: str(_colour(code)))


def _code(colour):
    red, green, blue, alpha = (*colour, 255)[:4]
    return ((255 - alpha) << 24) + (red << 16) + (green << 8) + blue


def _colour(code):
    colour = (code >> 16 & 255, code >> 8 & 255, code & 255)
    return colour if code < 2**24 else (*colour, 255 - (code >> 24))


def _without_table(codes):
    """Return what to write for an image with these colours, as a sentence."""
    found = [_colour(code) for code in np.unique(codes).tolist()]
    if len(found) > 256:
        return (
            f"has {len(found):,} different colours; expected a mask, with a colour for each class. It may be a "
            "photograph, or a mask that a lossy compression has been over. Export the mask again as PNG."
        )
    entries = ", ".join(f"{colour}: {number}" for number, colour in enumerate(found[:SHOWN]))
    more = f", ... ({len(found)} colours)" if len(found) > SHOWN else ""
    return (
        "its pixels are colours, and it is unknown which class each of them stands for. Give a table with the right "
        f"numbers or names of the classes: colours={{{entries}{more}}}."
    )


def _looked_up(path, codes, table, name_of):
    """Return the classes uint8 (H, W) of the numbers `codes` (H, W). Raises DataError for one that is not in the table
    {code: class}; `name_of` describes it."""
    known = np.array(sorted(table))
    place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    strange = known[place] != codes
    if strange.any():
        row, column = _first(strange)
        names = ", ".join(name_of(code) for code in known[:SHOWN].tolist())
        raise DataError(
            f"{path}: holds {name_of(int(codes[row, column]))} at row {row}, column {column}, and at "
            f"{int(strange.sum()) - 1:,} other places; expected only what is in the table: {names}"
            f"{', ...' if len(known) > SHOWN else ''}. Add it to colours."
        )
    return np.array([table[code] for code in known.tolist()], np.uint8)[place]


def _first(places):
    """Return (row, column) of the first true pixel of an array (H, W)."""
    return tuple(map(int, np.unravel_index(np.argmax(places), places.shape)))


def _listed(numbers):
    return ", ".join(map(str, numbers[:SHOWN])) + (", ..." if len(numbers) > SHOWN else "")
