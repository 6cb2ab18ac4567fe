"""VGG16's convolutions with few filters, in minitl and in PyTorch, for networks that are built on its maps."""

import numpy as np
import torch
import torch.nn.functional as F
from cases.layers import channels_first, channels_last, pad_same

from minitl.layers import Conv2D, Input, MaxPooling2D
from minitl.models import Model

BLOCKS = [(2, 3), (2, 4), (3, 5), (3, 6), (3, 7)]  # (convolutions, filters)


def small_vgg16(height, width):
    """Return a network whose layers have VGG16's names."""
    x = images = Input((height, width, 3))
    for block, (convolutions, filters) in enumerate(BLOCKS, start=1):
        for number in range(1, convolutions + 1):
            x = Conv2D(filters, 3, padding="same", activation="relu", name=f"block{block}_conv{number}")(x)
        x = MaxPooling2D(2, strides=2, name=f"block{block}_pool")(x)
    return Model(images, x, name="vgg16")


def randomized(model, rng, dtype):
    """Give all weights of a model random values of this type, and return {layer/weight: a copy as a tensor}."""
    tensors = {}
    for layer in model.layers:
        for name in layer.weight_names:
            array = getattr(layer, name)
            fan_in = np.prod(array.shape[:-1]) if array.ndim > 1 else 25
            values = rng.normal(0, np.sqrt(2 / fan_in), array.shape) + (name in ("gamma", "moving_variance"))
            setattr(layer, name, np.abs(values).astype(dtype) if name == "moving_variance" else values.astype(dtype))
            tensors[f"{layer.name}/{name}"] = torch.tensor(getattr(layer, name))
    return tensors


class Twin:
    """The layers of a network in PyTorch, by the names of minitl's, on tensors (N, C, H, W)."""

    def __init__(self, weights):
        self.weights = weights
        self.learning = [
            tensor.requires_grad_() for name, tensor in weights.items() if name.split("/")[1] not in STATISTICS
        ]

    def conv(self, x, name, strides=1, relu=False):
        kernel = self.weights[f"{name}/kernel"].permute(3, 2, 0, 1)  # HWIO -> OIHW
        x = F.conv2d(
            pad_same(F, x, kernel.shape[2:], (strides, strides)), kernel, self.weights.get(f"{name}/bias"), strides
        )
        return F.relu(x) if relu else x

    def norm(self, x, name, training):
        mean, variance, gamma, beta = (
            self.weights[f"{name}/{each}"] for each in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        # PyTorch would move its statistics towards another variance; copies are moved and thrown away.
        return F.batch_norm(x, mean.clone(), variance.clone(), gamma, beta, training=training, eps=1e-3)

    def maps(self, images):
        """Return {name of a layer: its output} of the convolutions, for images (N, H, W, 3)."""
        x, found = channels_first(torch.tensor(images)), {}
        for block, (convolutions, _) in enumerate(BLOCKS, start=1):
            for number in range(1, convolutions + 1):
                x = found[f"block{block}_conv{number}"] = self.conv(x, f"block{block}_conv{number}", relu=True)
            x = found[f"block{block}_pool"] = F.max_pool2d(x, 2)
        return found


STATISTICS = ("moving_mean", "moving_variance")


def rows(x, numbers):
    """Return maps (N, C, H, W) as rows (N, ..., numbers), in the order of places, then channels."""
    x = channels_last(x)
    return x.reshape(len(x), -1, numbers)
