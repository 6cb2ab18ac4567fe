"""The networks, weights and images that all engines use.

VGG16's base is plain data. The other networks are models of minitl, which the engines translate.
"""

import numpy as np

from minitl.applications import NETWORKS, VGG16
from minitl.applications.vgg16 import BLOCKS
from minitl.graph.summary import flops
from minitl.initializers import weights_will_be_loaded
from minitl.layers import Dense
from minitl.models import Model

CLASSES = 10


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
    """Return ResNet50 or InceptionV3 without its top, with an average over the map and a dense layer, as a `Model`."""
    build = NETWORKS[name].build
    with weights_will_be_loaded():
        base = build(weights=None, include_top=False, input_shape=(size, size, 3), pooling="avg")
        model = Model(base.input, Dense(CLASSES, activation="softmax", name="probabilities")(base.output))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        for key in layer.weight_names:
            weight = getattr(layer, key)
            weight[...] = rng.standard_normal(weight.shape, np.float32)
            if key == "kernel":  # He's initialization, as above
                weight *= np.float32(np.sqrt(2 / weight[..., 0].size))
            else:
                weight *= 0.1
            if key in ("gamma", "moving_variance"):
                weight += 1
        if layer.name.endswith("_3_bn"):
            layer.gamma *= 0.3  # otherwise every residual block doubles the variance
    return model


def last_stage(name):
    """Return the layer before the last stage, which is fine-tuned first."""
    return next(iter(NETWORKS[name].fine_tuning.values()))


def images(count, size):
    """Return images (count, size, size, 3), whose numbers are about as large as pixels that were scaled to -1 to 1."""
    return np.random.default_rng(1).standard_normal((count, size, size, 3), np.float32)


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
