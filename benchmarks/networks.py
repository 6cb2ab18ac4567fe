"""What all engines are given: VGG16's base as data, and the same weights and images."""

import numpy as np

from minitl.applications.vgg16 import BLOCKS

CLASSES = 10


def base_weights():
    """[[(kernel (3, 3, C, F), bias (F,)) for each convolution] for each block].

    He's initialization keeps the numbers at one size through all layers, as trained weights do: with small random
    numbers, later layers would compute with zeros. A network takes equally long with other weights.
    """
    rng = np.random.default_rng(0)
    blocks, channels = [], 3
    for convolutions, filters in BLOCKS:
        block = []
        for _ in range(convolutions):
            scale = np.float32(np.sqrt(2 / (9 * channels)))
            kernel = rng.standard_normal((3, 3, channels, filters), np.float32) * scale
            block.append((kernel, 0.1 * rng.standard_normal(filters, np.float32)))
            channels = filters
        blocks.append(block)
    return blocks


def images(count, size):
    """(count, size, size, 3), about as large as centred pixels that were scaled to -1 to 1."""
    return np.random.default_rng(1).standard_normal((count, size, size, 3), np.float32)


def labels(count):
    return np.random.default_rng(2).integers(0, CLASSES, count)


def dense_weights(inputs, units):
    rng = np.random.default_rng(3)
    return rng.standard_normal((inputs, units), np.float32) * np.float32(np.sqrt(1 / inputs))


def convolution_flops(size):
    """Multiplications and additions of VGG16's convolutions, computed directly, for one image."""
    flops, channels, pixels = 0, 3, size
    for convolutions, filters in BLOCKS:
        for _ in range(convolutions):
            flops += 2 * 9 * channels * filters * pixels**2
            channels = filters
        pixels //= 2
    return flops
