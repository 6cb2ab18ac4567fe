"""Figures made of images: rows of arrays beside each other, in one PNG file. They need Pillow (extra `images`)."""

import os
from pathlib import Path

import numpy as np

from ...data.drawing import COLOURS
from ...errors import MissingExtraError
from ...files.atomic import replacing
from ...files.writable import check_can_write

BACKGROUND = (226, 226, 226)
BETWEEN = 6  # pixels of white between two images, and around them
ENLARGED = 3  # times
COLOURS_IN_FILE = 200  # an image of two colours and noise needs no more; the file is a third of the size


def check(plots):
    """Check before the training that a figure can be drawn in the folder `plots`. None draws nothing."""
    if plots is None:
        return
    check_can_write(Path(plots) / "figure.png", "--plots", makes_folder=True)
    try:
        from PIL import Image  # noqa: F401
    except ImportError:
        raise MissingExtraError("--plots needs Pillow (the extra 'images'): python -m pip install pillow") from None


def class_map(mask):
    """Return a mask (H, W) as an image: the background grey, and each class in its colour."""
    return np.concatenate([[BACKGROUND], COLOURS])[mask].astype(np.uint8)


def enlarged(image, times):
    """Return an image (H, W, 3) whose pixels are blocks of times x times."""
    return image.repeat(times, axis=0).repeat(times, axis=1)


def pale(image):
    """Return an image (H, W, 3) in pale colours, on which lines can be seen."""
    return (150 + 0.4 * image.astype(np.float32)).astype(np.uint8)


def write_rows(rows, folder, name, times=ENLARGED):
    """Write rows of images of one size, each (H, W, 3) uint8, to a PNG file, and print its path."""
    from PIL import Image

    height, width = (times * side + BETWEEN for side in rows[0][0].shape[:2])
    page = np.full((len(rows) * height + BETWEEN, len(rows[0]) * width + BETWEEN, 3), 255, np.uint8)
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            top, left = r * height + BETWEEN, c * width + BETWEEN
            page[top : top + height - BETWEEN, left : left + width - BETWEEN] = enlarged(image, times)
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder) / name
    with replacing(path, check=os.path.getsize) as temporary:
        Image.fromarray(page).quantize(COLOURS_IN_FILE).save(temporary, format="PNG", optimize=True)
    print(f"Figure: {path}\n", flush=True)
