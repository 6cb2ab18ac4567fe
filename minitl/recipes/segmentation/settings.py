"""The settings of a fine-tuning for pixels, and the table of colours as a file.

Masks whose pixels are colours need a table that says which class a colour stands for. It is a text file with a line for
each colour, red green blue and the class behind a colon:

    128 64 128: road
    70 130 180: sky
    0 0 0: 255          unlabelled pixels

One number before the colon stands for a grey or palette number, as in `255: object`.
"""

import os
from dataclasses import dataclass, replace

from ...data.masks import IGNORE, colour_table
from ...data.photos import read_content
from ...errors import ArgumentError, DataError
from ..place_settings import PlaceSettings
from ..settings import SettingError, is_number, require_one_of

NETWORKS = ("fcn4", "fcn8", "fcn16", "fcn32", "unet")
MOST_FILTERS = 4096  # of a convolution
LARGEST_WEIGHT = 10.0  # of a class: beyond it, a handful of pixels would decide


@dataclass(frozen=True)
class SegmentationSettings(PlaceSettings):
    """The settings of `finetune_segmentation`: those of `PlaceSettings`, and these.

    network        fcn4, fcn8, fcn16, fcn32: scores of maps of stride 32, and of finer ones up to this stride, are added
                   (`applications.fcn`); unet: maps are joined before they are scored (`applications.unet`)
    filters        of the 3x3 convolution on each map. 0 (not for unet): the maps themselves are scored
    dropout        the share of their outputs that is dropped in training (None: 0.5 if there are filters)
    class_weights  let the pixels of rare classes count more: a class weighs 1 / (classes * its share of all labelled
                   training pixels), but `LARGEST_WEIGHT` at most. It finds more of rare classes, and takes more other
                   pixels for them
    colours        the table for masks whose pixels are colours, {(red, green, blue): class}, or the file of one (None:
                   the numbers in the masks are the classes)
    ignore         the number of unlabelled pixels in masks, or None if all are labelled
    """

    network: str = "fcn4"
    filters: int = 128
    dropout: float | None = None
    class_weights: bool = False
    colours: dict | str | None = None
    ignore: int | None = IGNORE

    def settled(self):
        """Return these settings, checked, with the table of colours read from its file."""
        settled = super().settled()
        require_one_of("network", self.network, NETWORKS)
        least = 1 if self.network == "unet" else 0
        if type(self.filters) is not int or not least <= self.filters <= MOST_FILTERS:
            text = "{} is {found!r}; expected a whole number from {least} to {most}."
            raise SettingError(text, "filters", found=self.filters, least=least, most=MOST_FILTERS)
        dropout = (0.5 if self.filters else 0.0) if self.dropout is None else self.dropout
        if not is_number(dropout) or not 0 <= dropout < 1:
            raise SettingError("{} is {found!r}; expected a share from 0 to below 1.", "dropout", found=dropout)
        if dropout and not self.filters:
            raise SettingError("{} acts on the convolutions, and {} is 0. Leave it out.", "dropout", "filters")
        if self.ignore is not None and (type(self.ignore) is not int or not 0 <= self.ignore <= 255):
            text = "{} is {found!r}; expected the number of unlabelled pixels, from 0 to 255."
            raise SettingError(text, "ignore", found=self.ignore)
        colours = self.colours
        if isinstance(colours, (str, os.PathLike)):
            colours = read_colours(colours)
        colour_table(colours)
        return replace(settled, colours=colours, dropout=dropout)

    def as_data(self):
        """Return the settings that change the result, as JSON can hold them."""
        colours = self.colours
        if isinstance(colours, dict):
            keys = [key if isinstance(key, (tuple, list)) else (key,) for key in colours]
            colours = {" ".join(map(str, key)): value for key, value in zip(keys, colours.values())}
        elif colours is not None:
            colours = str(colours)
        return {**super().as_data(), "colours": colours}


def read_colours(path):
    """Return the table {(red, green, blue) or number: class} of a text file. Raises DataError, naming the line."""
    try:
        lines = read_content(path, "text", "a table of colours").decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not UTF-8. Expected a text with a line for each colour.") from None
    table = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        colour, colon, name = line.partition(":")
        parts, name = colour.replace(",", " ").split(), name.strip()
        if not colon or not name or len(parts) not in (1, 3, 4) or not all(part.isdecimal() for part in parts):
            raise DataError(
                f"{path}: line {number} is {line.strip()!r:.60}; expected red green blue and a class, as in "
                "128 64 128: road."
            )
        key = tuple(map(int, parts)) if len(parts) > 1 else int(parts[0])
        if key in table:
            raise DataError(f"{path}: line {number} has the colour {colour.strip()} once more. Leave one of them.")
        table[key] = int(name) if name.isdecimal() else name
    try:
        colour_table(table)
    except ArgumentError as error:
        raise DataError(f"{path}: {error}") from None
    return table
