"""The data of both programs: shapes on textures, and the maps that VGG16's first blocks make of them.

A map of stride s has a place for s x s pixels, with some numbers for each place. Of an image of 64x64 pixels:

    block2_pool   stride 4    16x16 places, 128 numbers each
    block3_pool   stride 8    8x8 places, 256 numbers, which depend on the 44x44 pixels around the place

VGG16 is frozen, so it runs once over each image and its maps are kept. The networks of `pixels` and `boxes` begin with
these maps.
"""

from typing import NamedTuple

from ...applications import VGG16
from ...applications.vgg16 import preprocess_input
from ...data import shapes_on_textures
from ...data.shapes import Shapes
from ...files.bundled import bundled_file
from ...models import Model

SIDE = 64  # of an image, in pixels
ENDS = {4: "block2_pool", 8: "block3_pool"}  # {stride: the layer whose output is the map}
TRAINING_SEED, TEST_SEED = 0, 1  # of the shapes


class Examples(NamedTuple):
    """Shapes with their images, masks and boxes, and VGG16's maps of the images: {stride: (N, rows, columns, C)}."""

    shapes: Shapes
    maps: dict


def examples(training, test, strides):
    """Return so many `Examples` to learn from, and so many to test on, with the maps of these strides."""
    base = VGG16(weights=None, include_top=False, input_shape=(SIDE, SIDE, 3))
    base.load_weights(bundled_file("vgg16_imagenet_blocks1to3.h5"), partial=True)
    blocks = Model(base.input, [base.output_of(ENDS[stride]) for stride in strides])
    found = []
    for count, seed in (training, TRAINING_SEED), (test, TEST_SEED):
        shapes = shapes_on_textures(count, SIDE, SIDE, seed)
        outputs = blocks.predict(preprocess_input(shapes.images), verbose=0)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        found.append(Examples(shapes, dict(zip(strides, outputs))))
    return found
