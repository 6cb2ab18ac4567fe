"""Augmentation: random variations of an image that show the same thing.

A bee is a bee from the left and from the right, nearer and farther, at noon and in the evening. A network that has seen
few bees cannot know this, so it is trained on such variations.

A new variation is drawn for every image in every epoch. It depends only on the seed, the epoch and the number of the
image. So a training that was interrupted gets the same variations when it continues.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError

GREY = np.array([0.299, 0.587, 0.114], np.float32)  # how bright red, green and blue look to an eye (ITU-R BT.601)


@dataclass(frozen=True)
class Augmentation:
    """The random changes that are made to an image.

    flip        mirror it in half of the cases (switch this off for writing, or for hands)
    area        cut out a part whose share of the image's area is between these two
    aspect      the part is stretched in width or in height by at most this factor
    brightness  multiply the pixels by a factor that differs from 1 by at most this
    contrast    the same for the difference of each pixel from the mean grey
    saturation  the same for the difference of each pixel from its own grey

    The part is cut as in Szegedy et al. 2014, and the colours are changed as in Howard 2013.
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
            raise ArgumentError(
                f"{self}: expected areas between 0 and 1, an aspect of at least 1, and brightness, contrast and "
                "saturation from 0 to below 1."
            )

    def __call__(self, image, height, width, rng, aspect=None):
        """Return a variation of a Pillow image in RGB, as float32 (height, width, 3) from 0 to 255. `rng` draws it.

        aspect   of the part that is cut out, before it is stretched (default: that of the result)
        """
        from PIL import Image

        box = self.random_box(*image.size, aspect or width / height, rng)
        pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box), np.float32)
        if self.flip and rng.random() < 0.5:
            pixels = pixels[:, ::-1]
        return self.recoloured(pixels, rng)

    def random_box(self, columns, rows, wanted_aspect, rng):
        """Return (left, top, right, bottom) of a random part of the image with nearly the wanted aspect ratio."""
        share = rng.uniform(*self.area)
        aspect = wanted_aspect * math.exp(rng.uniform(-1, 1) * math.log(self.aspect))
        box_width = min(columns, math.sqrt(share * columns * rows * aspect))
        box_height = min(rows, box_width / aspect)
        box_width = min(box_width, box_height * aspect)
        left, top = rng.uniform(0, columns - box_width), rng.uniform(0, rows - box_height)
        return left, top, min(columns, left + box_width), min(rows, top + box_height)

    def recoloured(self, pixels, rng):
        """Return pixels (H, W, 3) with another brightness, contrast and saturation."""
        brightness, contrast, saturation = (
            np.float32(1 + rng.uniform(-most, most)) for most in (self.brightness, self.contrast, self.saturation)
        )
        pixels = pixels * brightness
        grey = (pixels @ GREY)[..., None]  # (H, W, 1)
        pixels = grey + (pixels - grey) * saturation
        mean = grey.mean()
        return np.clip(mean + (pixels - mean) * contrast, 0, 255)
