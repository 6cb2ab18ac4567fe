"""The inside of a network: its first kernels as colours, the maps of one image, and the cost of each part.

Maps and costs follow the model's `cuts`: the tensors at which the model is a single path and can be run part by part.
"""

import math
import time
from typing import NamedTuple

import numpy as np

from ...graph.summary import flops
from ...layers import Conv2D, InputLayer
from ...models import Model
from .grad_cam import sees_something

MOST_STAGES = 6
REPEATS = 3


def first_kernels(model, prepare):
    """Return the kernels of the first convolution as RGB images: float (F, KH, KW, 3) from 0 to 1.

    Returns None where its input does not have three channels. Grey is 0, and each kernel is scaled by its largest
    number. `prepare` shows the order of the channels: the channel that grows for a red image is red.
    """
    layer = next((call.layer for call in model.calls if isinstance(call.layer, Conv2D)), None)
    if layer is None or layer.kernel.shape[2] != 3:
        return None
    black, colours = np.zeros((1, 1, 1, 3)), 255 * np.eye(3)[:, None, None]  # red, green, blue: (3, 1, 1, 3)
    order = np.argmax((prepare(colours) - prepare(black))[:, 0, 0], axis=1)  # the channel of each
    kernels = np.moveaxis(layer.kernel[:, :, order], 3, 0)
    largest = np.maximum(np.abs(kernels).max(axis=(1, 2, 3), keepdims=True), 1e-12)
    return 0.5 + 0.5 * kernels / largest


class Maps(NamedTuple):
    """Some channels of a layer's output.

    layer      its name;   shape   of its output (H, W, C)
    channels   those that are here;   maps   their numbers (n, H, W)
    """

    layer: str
    shape: tuple
    channels: list
    maps: np.ndarray


def feature_maps(model, x, count=16):
    """Return a list of `Maps` that one image x (1, H, W, C) becomes on its way through the network.

    Of each size of maps it takes the last layer that `sees_something`, and of its channels the `count` that vary most
    over the image.
    """
    last_of_size = {}
    for tensor in model.cuts:
        if len(tensor.shape) == 4 and sees_something(tensor.layer):
            last_of_size[tensor.shape[1:3]] = tensor
    tensors = list(last_of_size.values())
    if len(tensors) > MOST_STAGES:
        tensors = [tensors[i] for i in np.linspace(0, len(tensors) - 1, MOST_STAGES).round().astype(int)]
    found, start = [], model.input
    for tensor in tensors:
        x, start = Model(start, tensor).forward(x, gradients="none"), tensor
        channels = np.sort(np.argsort(-x[0].std(axis=(0, 1)), kind="stable")[:count])
        found.append(Maps(tensor.layer.name, x.shape[1:], channels.tolist(), np.moveaxis(x[0][:, :, channels], 2, 0)))
    return found


class Cost(NamedTuple):
    """The cost of one part of a model.

    layers     names;   shape   of its output, without the batch
    multiply_adds, seconds      for an image
    parameters                  all, and the number of those that learn (`learning`)
    """

    layers: list
    shape: tuple
    multiply_adds: int
    seconds: float
    parameters: int
    learning: int


def costs(model, x, advance=lambda: None):
    """Return the `Cost` of each part of the model between two cuts: of a layer, or of a block with branches.

    x         some images, ready for the model; the time is that of the fastest of three runs, divided by their number
    advance   called after each part

    An elementwise layer counts as part of the layer before it, if that has parameters or merges branches. The sum of
    all times is a little more than the time of the whole model, which computes some neighbours together
    (`graph.fusion`).
    """
    found, start = [], model.input
    for cut in _ends_of_parts(model):
        part = Model(start, cut)
        seconds = math.inf
        for _ in range(REPEATS):
            begin = time.perf_counter()
            y = part.forward(x, gradients="none")
            seconds = min(seconds, time.perf_counter() - begin)
        names = [call.layer.name for call in part.calls]
        learning = part.count_params(trainable_only=True)
        shape = y.shape[1:]
        found.append(Cost(names, shape, flops(part) // 2, seconds / len(x), part.count_params(), learning))
        x, start = y, cut
        advance()
    return found


def _ends_of_parts(model):
    """Return the cuts at which the parts end."""
    ends = []
    for cut in model.cuts:
        before = ends[-1].layer if ends else None
        takes_on = before is not None and (before.weight_names or before.merges or before.is_elementwise)
        if cut.layer.is_elementwise and takes_on:
            ends[-1] = cut
        elif not isinstance(cut.layer, InputLayer):
            ends.append(cut)
    return ends
