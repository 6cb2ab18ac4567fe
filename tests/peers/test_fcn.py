"""FCN-8s and 4s, cross-entropy with unlabelled pixels, and two training steps, beside PyTorch with the same weights."""

import pytest
import torch
import torch.nn.functional as F
from cases.layers import channels_last

from minitl.applications.fcn import FCN
from minitl.losses import SparseCategoricalCrossentropy
from minitl.optimizers import SGD
from minitl.training import train_step

from .compare import assert_close
from .small_vgg16 import Twin, randomized, small_vgg16

CLASSES, IGNORED = 4, 255


class TorchFCN(Twin):
    """FCN in PyTorch: (N, H, W, 3) -> the scores of each pixel (N, classes, H, W)."""

    def __init__(self, weights, stride, filters):
        super().__init__(weights)
        self.stride, self.filters = stride, filters

    def __call__(self, images, training):
        maps, scores = self.maps(images), None
        for stride, name in (32, "block5_pool"), (16, "block4_pool"), (8, "block3_pool"), (4, "block2_pool"):
            if stride < self.stride:
                break
            x = self.norm(maps[name], f"stride{stride}_normalized", training)
            x = self.conv(x, f"stride{stride}_conv", relu=True) if self.filters else x
            x = self.conv(x, f"stride{stride}_scores")
            if scores is not None:
                x = x + F.interpolate(scores, scale_factor=2, mode="bilinear", align_corners=False)
            scores = x
        return F.interpolate(scores, scale_factor=self.stride, mode="bilinear", align_corners=False)


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-4), ("float64", 1e-9)])
@pytest.mark.parametrize("stride, filters", [(8, 5), (4, 0)])
def test_outputs_loss_and_steps(stride, filters, dtype, tolerance, rng):
    model = FCN(small_vgg16(64, 96), CLASSES, stride, filters)
    weights = randomized(model, rng, dtype)
    twin = TorchFCN(weights, stride, filters)
    images = rng.normal(0, 1, (3, 64, 96, 3)).astype(dtype)
    labels = rng.integers(CLASSES, size=(3, 64, 96))
    labels[rng.random(labels.shape) < 0.2] = IGNORED
    labels[2, :40] = IGNORED
    expected = channels_last(F.softmax(twin(images, training=False), dim=1))
    assert_close(model.forward(images), expected, tolerance, "outputs")

    model.loss, model.optimizer = SparseCategoricalCrossentropy(ignore_class=IGNORED), SGD(0.05, momentum=0.9)
    optimizer = torch.optim.SGD(twin.learning, 0.05, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        expected = F.cross_entropy(twin(images, training=True), torch.tensor(labels), ignore_index=IGNORED)
        expected.backward()
        loss, _ = train_step(model, images, labels)
        assert loss == pytest.approx(expected.item(), rel=tolerance)
        optimizer.step()
    for layer in model.layers:
        for name in set(layer.weight_names) - {"moving_mean", "moving_variance"}:
            assert_close(getattr(layer, name), weights[f"{layer.name}/{name}"], tolerance, f"{layer.name}/{name}")
