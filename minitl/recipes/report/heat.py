"""Maps of numbers as colours, and sheets of several images."""

import numpy as np

from ...data import resize

# Seven of cividis's colours (Nunez, Anderton & Renslow 2018): from blue to yellow, equally bright for everybody, with
# normal sight and without red or green.
COLOURS = np.array([
    [0, 34, 78], [42, 63, 108], [87, 93, 109], [125, 124, 120], [165, 156, 116], [211, 193, 100], [254, 232, 56]
], np.float32)  # fmt: skip


def coloured(numbers):
    """Return numbers from 0 to 1, of any shape, as colours: float RGB (..., 3), 0 to 255."""
    places = np.clip(numbers, 0, 1) * (len(COLOURS) - 1)
    left = np.minimum(places.astype(int), len(COLOURS) - 2)
    share = (places - left)[..., None]
    return COLOURS[left] * (1 - share) + COLOURS[left + 1] * share


def stretched(maps):
    """Scale each map of (n, H, W) by itself to 0 to 1. A map of equal numbers becomes 0."""
    low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
    return (maps - low) / np.where(high > low, high - low, 1)


def laid_over(image, heat):
    """Lay a map (h, w) over its uint8 image (H, W, 3): the image becomes dark grey, and yellow where the map is large.

    A map of zeros leaves it grey.
    """
    height, width = image.shape[:2]
    heat = heat / max(float(heat.max()), 1e-12)
    heat = resize(heat[None], height, width)[0, ..., None]
    grey = (image @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    shown = (1 - heat) * 0.5 * grey + heat * COLOURS[-1] * (0.4 + 0.6 * grey / 255)
    return np.clip(shown, 0, 255).astype(np.uint8)


def sheet(tiles, columns, gap):
    """Lay tiles, uint8 RGB (n, h, w, 3), in rows of `columns`. Returns an RGBA image, transparent between the tiles.

    gap   pixels between two tiles
    """
    count, height, width, _ = tiles.shape
    rows = -(-count // columns)
    size = rows * (height + gap) - gap, columns * (width + gap) - gap
    whole = np.zeros((*size, 4), np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // columns * (height + gap), number % columns * (width + gap)
        whole[top : top + height, left : left + width, :3] = tile
        whole[top : top + height, left : left + width, 3] = 255
    return whole
