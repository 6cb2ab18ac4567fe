"""A photograph with its mask: reading the two, and the look at them before a training.

`segmentation_folder.audit_segmentation` examines each pair once. A training then reads them with `read_pair`.

A photograph may be turned by its EXIF data, and its mask drawn on the stored image. Where the sides show this, the mask
is turned as its photograph is (`fitted`).
"""

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import DataError
from .coco import CocoMask
from .masks import Decoded, decode_mask, turned, unlisted
from .photos import photo_and_orientation, read_content


@dataclass(frozen=True)
class MaskedPhoto:
    """One photograph with its mask.

    path     the file of the photograph
    mask     the file of the mask, or a `coco.CocoMask`
    sha256   that of the photograph's file
    colours  the table of colours by which the mask is read (`masks.colour_table`), or None
    pixels   the count of pixels of each number from 0 to 255 in the mask, as the audit found them
    size     (height, width) of the upright photograph, as the audit found it
    """

    path: Path
    mask: Path | CocoMask
    sha256: str
    colours: dict | None = field(default=None, repr=False, compare=False)
    pixels: tuple = field(default=(), repr=False, compare=False)
    size: tuple = field(default=(), repr=False, compare=False)


def read_pair(masked_photo) -> tuple[np.ndarray, np.ndarray]:
    """Return (image uint8 (H, W, 3), mask uint8 (H, W)) of a `MaskedPhoto`. Raises DataError for a file that cannot be
    read (any more)."""
    photo = masked_photo
    image, orientation = photo_and_orientation(photo.path)
    mask = fitted(_decoded(photo.path, photo.mask, photo.colours or {}).values, image.size, orientation)
    if mask is None:
        raise DataError(f"{photo.path}: its mask has another size now. Look through the folder again.")
    return np.array(image), mask


def fitted(mask, size, orientation):
    """Return a mask (H, W) as it lies on a photograph of `size` (width, height) that was turned upright, or None if the
    sizes differ. A mask that has the stored photograph's sides, and not the upright one's, is turned as well."""
    height_and_width = size[::-1]
    if mask.shape == height_and_width:
        return mask
    upright = turned(mask, orientation)
    return upright if orientation > 1 and upright.shape == height_and_width else None


class Examination:
    """The look at all pairs, and what they have in common.

    classes    the count of classes, or None if it is unknown;   table   that of `masks.colour_table`
    ignore     the number of unlabelled pixels, or None
    palettes   {number in a mask: {colour: the first mask where it has this colour}}
    undecided  photographs of which nobody knows whether the mask was drawn on the upright image
    """

    def __init__(self, classes, table, ignore):
        self.classes, self.table, self.ignore = classes, table, ignore
        self.palettes, self.undecided, self.lock = {}, [], threading.Lock()

    def examine(self, pair):
        """Return a `MaskedPhoto`, or (the file at fault, the reason). Called from several threads."""
        at_fault = pair.path
        try:
            content = read_content(pair.path)
            image, orientation = photo_and_orientation(pair.path, content=content)
            at_fault = pair.path if isinstance(pair.mask, CocoMask) else pair.mask
            decoded = _decoded(pair.path, pair.mask, self.table)
        except (DataError, OSError) as error:
            return at_fault, str(error).removeprefix(f"{at_fault}: ").rstrip(".")
        mask = fitted(decoded.values, image.size, orientation)
        if mask is None:
            rows, columns = decoded.values.shape
            reason = f"its mask has {columns}x{rows} pixels, and the photograph {image.width}x{image.height}"
            return pair.path, reason
        reason = unlisted(mask, self.classes, self.ignore)
        if reason:
            return at_fault, reason
        with self.lock:
            if orientation > 1 and mask.shape == turned(mask, orientation).shape:
                self.undecided.append(pair.path)
            for number, colour in decoded.palette.items():
                files = self.palettes.setdefault(number, {})
                files[colour] = min(files.get(colour, pair.mask), pair.mask)
        pixels = tuple(np.bincount(mask.ravel(), minlength=256).tolist())
        digest = hashlib.sha256(content).hexdigest()
        return MaskedPhoto(pair.path, pair.mask, digest, self.table or None, pixels, mask.shape)


def _decoded(path, mask, table):
    """Return the mask of the photograph `path` as `masks.Decoded`. Raises DataError."""
    if not isinstance(mask, CocoMask):
        return decode_mask(mask, read_content(mask, thing="a mask"), table)
    try:
        return Decoded(mask.draw(), {})
    except DataError as error:
        raise DataError(f"{path}: {error} in {mask.file.path.name}") from None


def name_of(mask):
    """Return the name of a mask's file, or that of its photograph in a COCO file."""
    return mask.file.images[mask.number].file_name if isinstance(mask, CocoMask) else mask.name
