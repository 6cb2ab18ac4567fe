"""The networks, weights and images that all engines use.

VGG16's base is plain data. The other networks are models of minitl, which the engines translate. So are those for
pixels and boxes, which stand on VGG16's base.
"""

import numpy as np

from minitl.applications import NETWORKS, VGG16
from minitl.applications.fcn import FCN
from minitl.applications.ssd import SSD
from minitl.applications.vgg16 import BLOCKS
from minitl.graph.summary import flops
from minitl.initializers import weights_will_be_loaded
from minitl.layers import Dense, DepthwiseConv2D
from minitl.models import Model

CLASSES = 10
VOC_CLASSES = 20  # of Pascal VOC, the background not counted
IOU_THRESHOLD = 0.45  # of suppression, as in SSD's paper

# {name: the network on VGG16's base}
ON_VGG16 = {
    "fcn8": lambda base: FCN(base, VOC_CLASSES + 1, stride=8),
    "ssd": lambda base: SSD(base, VOC_CLASSES),
}


def base_weights():
    """Return VGG16's weights: [[(kernel (3, 3, C, F), bias (F,)) for each convolution] for each block].

    He's initialization keeps the activations at one size through all layers, as trained weights do. With small random
    weights, later layers would compute with zeros. The time of a network does not depend on its weights otherwise.
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


def published(name, size):
    """Return a network with random weights, as a `Model`: ResNet50, InceptionV3 or EfficientNet-Lite0 without its top,
    with an average over the map and a dense layer; or one of ON_VGG16.

    size   of the images: pixels in each direction, or a pair (rows, columns)
    """
    shape = (*sides(size), 3)
    with weights_will_be_loaded():
        if name in ON_VGG16:
            model = ON_VGG16[name](VGG16(weights=None, include_top=False, input_shape=shape))
        else:
            base = NETWORKS[name].build(weights=None, include_top=False, input_shape=shape, pooling="avg")
            model = Model(base.input, Dense(CLASSES, activation="softmax", name="probabilities")(base.output))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        for key in layer.weight_names:
            weight = getattr(layer, key)
            weight[...] = rng.standard_normal(weight.shape, np.float32)
            if key == "kernel":  # He's initialization, as above
                seen = weight[..., 0, 0] if isinstance(layer, DepthwiseConv2D) else weight[..., 0]  # by an output
                weight *= np.float32(np.sqrt(2 / seen.size))
            else:
                weight *= 0.1
            if key in ("gamma", "moving_variance"):
                weight += 1
        if layer.name.endswith(("_3_bn", "_project_bn")):
            layer.gamma *= 0.3  # otherwise every residual block doubles the variance
    return model


def last_stage(name):
    """Return the layer before the last stage, which is fine-tuned first."""
    return next(iter(NETWORKS[name].fine_tuning.values()))


def sides(size):
    """Return (rows, columns) of images whose size is one number, or such a pair."""
    return tuple(size) if isinstance(size, (tuple, list)) else (size, size)


def images(count, size):
    """Return images (count, rows, columns, 3), whose numbers are about as large as pixels that were scaled to -1 to 1.
    `size` is as in `published`."""
    return np.random.default_rng(1).standard_normal((count, *sides(size), 3), np.float32)


def boxes(count):
    """Return what a detector finds in an image of 300x300 pixels before suppression: boxes (count, 4), which are those
    of 20 things, each moved and stretched by about a tenth, and their scores (count,)."""
    rng = np.random.default_rng(5)
    centres, sizes = rng.uniform(0, 300, (20, 2)), rng.uniform(20, 150, (20, 2))
    thing = rng.integers(0, 20, count)
    centre = centres[thing] + rng.normal(0, 0.1, (count, 2)) * sizes[thing]
    half = sizes[thing] * np.exp(rng.normal(0, 0.1, (count, 2))) / 2
    corners = np.concatenate([centre - half, centre + half], axis=1)
    return corners.astype(np.float32), rng.uniform(0.01, 1, count).astype(np.float32)


def labels(count):
    """Return integer labels (count,)."""
    return np.random.default_rng(2).integers(0, CLASSES, count)


def dense_weights(inputs, units):
    """Return the kernel (inputs, units) of a dense layer."""
    rng = np.random.default_rng(3)
    return rng.standard_normal((inputs, units), np.float32) * np.float32(np.sqrt(1 / inputs))


def convolution_flops(size):
    """Return the multiplications and additions of VGG16's convolutions for one image, when computed directly."""
    with weights_will_be_loaded():
        return flops(VGG16(weights=None, include_top=False, input_shape=(size, size, 3)))
