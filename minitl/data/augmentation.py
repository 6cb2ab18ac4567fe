"""Augmentation: other pictures of the same thing, made from one. A bee is a bee seen from the left and from the right,
nearer and farther, at noon and in the evening; a network that has seen few bees has to be told.

Each is drawn anew for every picture in every epoch, from the seed, the epoch and the picture's number alone: a training
that was interrupted sees the same ones when it goes on.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError

GREY = np.array([0.299, 0.587, 0.114], np.float32)  # how bright red, green and blue look to an eye (ITU-R BT.601)


@dataclass(frozen=True)
class Augmentation:
    """What is done to a picture, each time by chance.

    flip        mirror it in half of the cases (not for writing, or for hands)
    area        cut out a part with a share of its area between these two, and
    aspect      a width of this many heights at most (or a height of this many widths)
    brightness  multiply by a factor up to this far from 1, to either side
    contrast    the same for the distance of each pixel from the mean grey
    saturation  the same for the distance of each pixel from its own grey

    Cropping as in Szegedy et al. 2014, colours as in Howard 2013.
    """

    flip: bool = True
    area: tuple = (0.5, 1.0)
    aspect: float = 4 / 3
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2

    def __post_init__(self):
        low, high = self.area
        colours = (self.brightness, self.contrast, self.saturation)
        if not 0 < low <= high <= 1 or self.aspect < 1 or not all(0 <= c < 1 for c in colours):
            raise ArgumentError(f"{self}: expected areas within 0 to 1, an aspect of at least 1, colours below 1.")

    def __call__(self, image, height, width, rng):
        """A Pillow image in RGB -> float32 (height, width, 3), from 0 to 255. `rng` decides."""
        from PIL import Image

        box = self.random_box(*image.size, width / height, rng)
        pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box), np.float32)
        if self.flip and rng.random() < 0.5:
            pixels = pixels[:, ::-1]
        return self.recoloured(pixels, rng)

    def random_box(self, columns, rows, wanted_aspect, rng):
        """(left, top, right, bottom) of the part to look at: within the picture, its shape near the wanted one."""
        share = rng.uniform(*self.area)
        aspect = wanted_aspect * math.exp(rng.uniform(-1, 1) * math.log(self.aspect))
        box_width = min(columns, math.sqrt(share * columns * rows * aspect))
        box_height = min(rows, box_width / aspect)
        box_width = min(box_width, box_height * aspect)
        left, top = rng.uniform(0, columns - box_width), rng.uniform(0, rows - box_height)
        return left, top, min(columns, left + box_width), min(rows, top + box_height)

    def recoloured(self, pixels, rng):
        """Brightness, contrast and saturation of pixels (H, W, 3)."""
        brightness, contrast, saturation = (
            np.float32(1 + rng.uniform(-most, most)) for most in (self.brightness, self.contrast, self.saturation)
        )
        pixels = pixels * brightness
        grey = (pixels @ GREY)[..., None]  # (H, W, 1)
        pixels = grey + (pixels - grey) * saturation
        mean = grey.mean()
        return np.clip(mean + (pixels - mean) * contrast, 0, 255)
