"""SSD, its loss and two steps of its training, beside PyTorch with the same weights."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from minitl.applications.ssd import SSD, ssd_priors
from minitl.losses import MultiBoxLoss
from minitl.optimizers import SGD
from minitl.recipes.detection.targets import prior_targets
from minitl.training import train_step

from .compare import assert_close
from .small_vgg16 import Twin, randomized, rows, small_vgg16

CLASSES, PRIORS = 3, (2, 3, 1)
SHAPES = [[(8, 8), (10, 6)], [(20, 20), (30, 12), (12, 30)], [(40, 40)]]


class TorchSSD(Twin):
    """SSD in PyTorch, written from the description of the network."""

    def __init__(self, weights, top_down, normalization):
        super().__init__(weights)
        self.top_down, self.normalization = top_down, normalization

    def block(self, x, name, training, strides=1):
        return F.relu(self.norm(self.conv(x, f"{name}_conv", strides), f"{name}_norm", training))

    def normalized(self, x, name, training):
        if self.normalization == "batch":
            return self.norm(x, name, training)
        return F.normalize(x, dim=1) * self.weights[f"{name}/gamma"][:, None, None]

    def __call__(self, images, training):
        maps = self.maps(images)
        fine = self.normalized(maps["block4_conv3"], "stride8_normalized", training)
        coarse = self.normalized(maps["block5_conv3"], "stride16_normalized", training)
        if self.top_down:
            coarse = self.block(coarse, "stride16", training)
            enlarged = F.interpolate(coarse, scale_factor=2, mode="nearest")
            fine = self.block(torch.cat([enlarged, fine], dim=1), "stride8", training)
            narrow = coarse
        else:
            narrow = self.block(coarse, "stride32_narrowed", training)
        last = self.block(narrow, "stride32", training, strides=2)
        outputs = [self.conv(x, f"stride{s}_outputs") for s, x in zip((8, 16, 32), (fine, coarse, last))]
        return torch.cat([rows(x, 5 + CLASSES) for x in outputs], dim=1)


def torch_multibox(targets, outputs, negatives=3):
    """Return SSD's loss, image by image."""
    boxes = scores = positives = 0
    for target, output in zip(torch.tensor(targets), outputs):
        classes = target[:, 4].long()
        is_positive = classes > 0
        boxes = boxes + F.smooth_l1_loss(output[is_positive, :4], target[is_positive, :4], reduction="sum")
        losses = F.cross_entropy(output[:, 4:], classes.clamp(min=0), reduction="none")
        hardest = losses[classes == 0].sort(descending=True).values[: negatives * max(int(is_positive.sum()), 1)]
        scores = scores + losses[is_positive].sum() + hardest.sum()
        positives += int(is_positive.sum())
    return (boxes + scores) / max(positives, 1)


def labelled_images(rng, dtype):
    """Return four images of 64x96 pixels and what is to be learned of them; the last one has no box."""
    images, priors, targets = rng.normal(0, 1, (4, 64, 96, 3)).astype(dtype), ssd_priors(SHAPES, 64, 96), []
    for count in (3, 1, 5, 0):
        corner = rng.uniform(0, 40, (count, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(6, 24, (count, 2))], axis=1).astype(np.float32)
        no = np.zeros(count, bool)
        targets.append(prior_targets(boxes, rng.integers(CLASSES, size=count), no, no, priors, 0.5))
    targets = np.stack(targets).astype(dtype)
    targets[..., 4][(targets[..., 4] == 0) & (rng.random(targets.shape[:2]) < 0.1)] = -1
    return images, targets


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-4), ("float64", 1e-9)])
@pytest.mark.parametrize("top_down, normalization", [(True, "batch"), (False, "l2")])
def test_outputs_loss_and_steps(top_down, normalization, dtype, tolerance, rng):
    model = SSD(small_vgg16(64, 96), CLASSES, PRIORS, 5, top_down, normalization)
    weights = randomized(model, rng, dtype)
    twin = TorchSSD(weights, top_down, normalization)
    images, targets = labelled_images(rng, dtype)
    assert (targets[..., 4] > 0).sum() >= 9 and (targets[..., 4] < 0).any()
    assert_close(model.forward(images), twin(images, training=False), tolerance, "outputs")

    model.loss, model.optimizer = MultiBoxLoss(), SGD(0.01, momentum=0.9)
    optimizer = torch.optim.SGD(twin.learning, 0.01, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        expected = torch_multibox(targets, twin(images, training=True))
        expected.backward()
        loss, _ = train_step(model, images, targets)
        assert loss == pytest.approx(expected.item(), rel=tolerance)
        optimizer.step()
    for layer in model.layers:
        for name in set(layer.weight_names) - {"moving_mean", "moving_variance"}:
            assert_close(getattr(layer, name), weights[f"{layer.name}/{name}"], tolerance, f"{layer.name}/{name}")
