"""Shapes on textures: a small set for segmentation and detection that needs no files. The course uses it.

    data = shapes_on_textures(100, 64, 64, seed=0)
    data.images (100, 64, 64, 3), data.masks (100, 64, 64), data.boxes, data.labels

An image has up to four discs, squares and triangles on a background. The background is striped or noisy, and a shape is
checked or dotted. All textures of an image are mixed from the same two colours, with a gradient, so the colour of a
pixel does not tell what it belongs to: one has to look at its surroundings. Only the outline tells the kind of a shape.
Shapes may touch and overlap; a later one covers an earlier one.

Each image has a random generator of its own, [seed, number of the image], so the first ten of a hundred images are the
same as ten.
"""

from typing import NamedTuple

import numpy as np

from ..arguments import whole_number
from ..progress import Progress
from .augmentation import GREY

KINDS = ("disc", "square", "triangle")
CORNERS = (1.0, 1.2, 1.45)  # the distance of the corners from the middle, in radii: the kinds are about equally large
BACKGROUNDS, SURFACES = ("stripes", "noise"), ("checks", "dots")  # the textures, of the background and of shapes
MOST_SHAPES = 4  # in an image
RADIUS = (0.14, 0.24)  # of a shape, as shares of the shorter side
LEAST_VISIBLE = 0.5  # of a shape; otherwise it is left out
LEAST_CONTRAST = 90  # of the two colours of an image in brightness, of 255
LEAST_SIDE = 16  # of an image, in pixels: in a smaller one, the shapes cannot be told apart


class Shapes(NamedTuple):
    """Images uint8 (N, H, W, 3), masks uint8 (N, H, W), and for each image boxes float32 (B, 4) and labels int64 (B,).

    masks    0 background, 1 disc, 2 square, 3 triangle
    boxes    (left, top, right, bottom) of the pixels that can be seen; right and bottom are the first ones outside
    labels   0 disc, 1 square, 2 triangle: the position in `class_names`
    """

    images: np.ndarray
    masks: np.ndarray
    boxes: list
    labels: list
    class_names: tuple = KINDS


def shapes_on_textures(count: int, height: int = 64, width: int = 64, seed: int = 0) -> Shapes:
    """Return `count` images with shapes, masks and boxes, as `Shapes`. Raises ArgumentError for sides below 16."""
    count = whole_number(count, "count", least=0)
    height, width = whole_number(height, "height", LEAST_SIDE), whole_number(width, "width", LEAST_SIDE)
    images, masks = np.empty((count, height, width, 3), np.uint8), np.empty((count, height, width), np.uint8)
    boxes, labels = [], []
    with Progress("Drawing shapes", count, lines=False) as bar:
        for number in range(count):
            rng = np.random.default_rng([seed, number])
            shapes = _visible([_random_shape(height, width, rng) for _ in range(rng.integers(1, MOST_SHAPES + 1))])
            images[number], owner = _drawn(shapes, height, width, rng)
            kinds = np.array([kind for kind, _ in shapes], np.int64)
            masks[number] = np.append(0, kinds + 1)[owner]
            boxes.append(np.array([_extent(owner == 1 + place) for place in range(len(shapes))], np.float32))
            labels.append(kinds)
            bar.advance(1)
    return Shapes(images, masks, boxes, labels)


def _random_shape(height, width, rng):
    """Return (kind, the pixels bool (H, W)) of a shape that lies within the image."""
    kind = int(rng.integers(len(KINDS)))
    radius = rng.uniform(*RADIUS) * min(height, width) * CORNERS[kind]
    angle = rng.uniform(0, 2 * np.pi)
    middle_row, middle_col = rng.uniform(radius, height - radius), rng.uniform(radius, width - radius)
    rows, cols = np.arange(height)[:, None] + 0.5 - middle_row, np.arange(width) + 0.5 - middle_col  # (H, 1), (W,)
    if kind == 0:
        return kind, rows**2 + cols**2 <= radius**2
    # A polygon with all corners at the radius: the pixels on the inner side of each of its sides.
    sides = 4 if kind == 1 else 3
    directions = angle + 2 * np.pi * np.arange(sides) / sides
    reach = radius * np.cos(np.pi / sides)  # from the middle to a side
    return kind, np.all([np.cos(a) * cols + np.sin(a) * rows <= reach for a in directions], axis=0)


def _visible(shapes):
    """Return the shapes of which enough can be seen, when each one covers those before it. One that is left out covers
    nothing, so they are looked at from the last to the first."""
    covered, kept = np.zeros(shapes[0][1].shape, bool), []
    for kind, pixels in reversed(shapes):
        if (pixels & ~covered).sum() >= LEAST_VISIBLE * pixels.sum():
            covered |= pixels
            kept.insert(0, (kind, pixels))
    return kept


def _drawn(shapes, height, width, rng):
    """Return (image uint8 (H, W, 3), the owner of each pixel (H, W): 0 background, else 1 + the shape's place)."""
    colours = rng.uniform(0, 255, (2, 3))
    while abs((colours[0] - colours[1]) @ GREY) < LEAST_CONTRAST:
        colours = rng.uniform(0, 255, (2, 3))
    owner = np.zeros((height, width), np.intp)
    textures = [_texture(height, width, rng, BACKGROUNDS)]
    for place, (_, pixels) in enumerate(shapes):
        owner[pixels] = place + 1
        textures.append(_texture(height, width, rng, SURFACES))
    share = np.choose(owner, textures)[..., None]  # of the second colour
    image = colours[0] * (1 - share) + colours[1] * share + rng.normal(0, 4, (height, width, 1))
    return np.clip(image + 0.5, 0, 255).astype(np.uint8), owner


def _texture(height, width, rng, kinds):
    """Return the share of the second colour in each pixel, (H, W) from 0 to 1, of a texture of one of the `kinds`."""
    kind = kinds[rng.integers(len(kinds))]
    angle, period, phase = rng.uniform(0, np.pi), rng.uniform(4, 7), rng.uniform(0, 2 * np.pi, 2)
    rows, cols = np.arange(height)[:, None], np.arange(width)
    along = 2 * np.pi / period * (np.cos(angle) * cols + np.sin(angle) * rows) + phase[0]
    across = 2 * np.pi / period * (np.cos(angle) * rows - np.sin(angle) * cols) + phase[1]
    waves = {
        "stripes": lambda: np.sin(along),
        "checks": lambda: np.sign(np.sin(along) * np.sin(across)),
        "dots": lambda: 2 * (np.sin(along) + np.sin(across) > 1) - 1.0,
        "noise": lambda: rng.uniform(-1, 1, (height, width)),
    }
    slope = rng.uniform(-0.3, 0.3, 2)  # a gradient over the whole image: neither colour is of one side alone
    gradient = slope[0] * (rows / height - 0.5) + slope[1] * (cols / width - 0.5)
    return np.clip(0.5 + 0.4 * waves[kind]() + gradient, 0, 1)


def _extent(pixels):
    """Return (left, top, right, bottom) of the true pixels (H, W); right and bottom are the first ones outside."""
    rows, cols = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    return cols[0], rows[0], cols[-1] + 1, rows[-1] + 1
