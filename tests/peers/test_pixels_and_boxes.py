"""Losses and metrics of pixels and boxes against Keras, and against PyTorch's autograd of their published formulas.

Each loss of the table in `tests/cases/losses.py` is compared with Keras in `test_losses.py`. Here are the cases that
the table has no place for: sample weights, everything ignored, MeanIoU, and the loss of SSD, which Keras does not have.
"""

import keras
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cases.losses import matched_boxes

import minitl
from minitl import losses, metrics

from .compare import assert_close, leaf


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore", [255, -1, 2])
@pytest.mark.parametrize("shape", [(9, 4), (3, 5, 4), (2, 3, 4, 5)], ids=str)
def test_ignored_labels_as_in_keras(rng, shape, ignore, weighted, from_logits):
    """The mean runs over the labels that are not ignored, with weights too. Where all are ignored, both give 0."""
    predictions = rng.standard_normal(shape).astype(np.float32)
    if not from_logits:
        predictions = np.exp(predictions) / np.exp(predictions).sum(axis=-1, keepdims=True)
    labels = rng.integers(0, shape[-1], shape[:-1])
    weight = rng.uniform(0, 2, shape[:-1]).astype(np.float32) if weighted else None
    for share in 0.5, 1:
        labels[rng.random(labels.shape) < share] = ignore
        criterion = losses.SparseCategoricalCrossentropy(from_logits, ignore)
        twin, tensor = keras.losses.SparseCategoricalCrossentropy(from_logits, ignore), leaf(predictions)
        expected = twin(labels, tensor, sample_weight=weight)
        assert criterion.forward(labels, predictions, weight) == pytest.approx(expected.item(), rel=1e-6)
        if from_logits or len(shape) < 4:  # from probabilities of pixels, Keras's backward fails on PyTorch
            expected.backward()
            assert_close(criterion.backward(), tensor.grad, 1e-6)
    assert expected.item() == 0 and not criterion.backward().any()


def test_rounded_labels_under_class_weight_as_in_keras():
    x, y = np.zeros((4, 3), np.float32), np.array([[0.9], [0.1], [0.5], [1.0]], np.float32)
    found = []
    for k in minitl, keras:
        model = k.models.Sequential([k.layers.Input((3,)), k.layers.Dense(1, "sigmoid", kernel_initializer="zeros")])
        model.compile("sgd", "binary_crossentropy")
        found.append(float(model.train_on_batch(x, y, class_weight={0: 0.25, 1: 3.0})))
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_keras_has_no_class_weights_of_pixels():
    """There is nothing to compare: its `fit` fails where minitl has a weight for each pixel."""
    x, y, fits = np.zeros((4, 5, 6, 3), np.float32), np.ones((4, 5, 6), int), []
    for k in minitl, keras:
        model = k.models.Sequential([k.layers.Input((5, 6, 3)), k.layers.Conv2D(2, 1, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        fits.append(model.fit)
    assert fits[0](x, y, class_weight={1: 3.0}, verbose=0).history["loss"][0] == pytest.approx(3 * np.log(2))
    with pytest.raises(TypeError):
        fits[1](x, y, class_weight={1: 3.0}, verbose=0)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_the_focal_loss_as_in_the_paper(rng, balanced, gamma):
    """The formula as torchvision's `sigmoid_focal_loss` has it, and its derivative by autograd, in float64."""
    y, z = rng.integers(0, 2, (6, 7)), 4 * rng.standard_normal((6, 7))
    tensor, targets = leaf(z), torch.tensor(y, dtype=torch.float64)
    p = torch.sigmoid(tensor)
    crossentropy = F.binary_cross_entropy_with_logits(tensor, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    expected = crossentropy * (1 - p_t) ** gamma
    if balanced:
        expected = (0.25 * targets + 0.75 * (1 - targets)) * expected
    expected = expected.mean()
    expected.backward()
    criterion = losses.BinaryFocalCrossentropy(balanced, gamma=gamma, from_logits=True)
    assert criterion.forward(y, z) == pytest.approx(expected.item(), rel=1e-12)
    assert_close(criterion.backward(), tensor.grad, 1e-12)


def ssd_loss(y_true, y_pred, ratio, weight):
    """Return SSD's loss in PyTorch. Negatives are chosen as in ssd.pytorch and torchvision, by their rank in two sorts;
    an image without positives counts as one with a single positive."""
    classes = y_true[..., 4].long()
    positive = classes > 0
    crossentropy = weight * F.cross_entropy(y_pred[..., 4:].permute(0, 2, 1), classes.clamp(min=0), reduction="none")
    mined = crossentropy.detach().clone()
    mined[classes != 0] = -float("inf")
    rank = mined.sort(dim=1, descending=True, stable=True)[1].argsort(dim=1)
    negative = (rank < ratio * positive.sum(1, keepdim=True).clamp(min=1)) & (classes == 0)
    boxes = F.smooth_l1_loss(y_pred[..., :4], y_true[..., :4], reduction="none", beta=1.0).sum(-1)
    total = (weight * boxes)[positive].sum() + crossentropy[positive | negative].sum()
    return total / positive.sum().clamp(min=1)


@pytest.mark.parametrize("positives", ["equal", "some images", "none"])
@pytest.mark.parametrize("weights", ["none", "images", "priors"])
@pytest.mark.parametrize("ratio", [1, 3, 100])
def test_the_loss_of_boxes_is_that_of_autograd(rng, positives, weights, ratio):
    y_true, y_pred = matched_boxes((5, 40, 12), 1).astype(np.float64), 2 * rng.standard_normal((5, 40, 12))
    if positives != "equal":
        without = slice(2, 4) if positives == "some images" else slice(None)
        y_true[without, :, 4] = np.minimum(y_true[without, :, 4], 0)
    weight = {"none": np.ones((5, 40)), "images": rng.random(5), "priors": rng.random((5, 40))}[weights]
    tensor = leaf(y_pred)
    each = np.broadcast_to(weight.reshape(5, -1), (5, 40)).copy()
    expected = ssd_loss(torch.tensor(y_true), tensor, ratio, torch.tensor(each))
    expected.backward()
    criterion = losses.MultiBoxLoss(ratio)
    assert criterion.forward(y_true, y_pred, weight) == pytest.approx(expected.item(), rel=1e-10)
    assert_close(criterion.backward(), tensor.grad, 1e-10)
    assert tensor.grad.abs().max() > 0


@pytest.mark.parametrize("options", [{}, {"ignore_class": 255}, {"ignore_class": 0}, {"sparse_y_true": False}], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_mean_iou_as_in_keras(rng, options, weighted):
    """Compare two batches. Class 4 does not occur; weights are whole, because Keras rounds others down."""
    ours, twin = metrics.MeanIoU(5, **options), keras.metrics.MeanIoU(5, sparse_y_pred=False, **options)
    for _ in range(2):
        labels, scores = rng.integers(0, 4, (3, 4, 5)), rng.random((3, 4, 5, 5)).astype(np.float32)
        scores[..., 4] = 0
        if options.get("ignore_class") == 255:
            labels[rng.random(labels.shape) < 0.3] = 255
        if options.get("sparse_y_true") is False:
            labels = np.eye(5, dtype=np.float32)[labels]
        weight = rng.integers(0, 3, (3, 4, 5)) if weighted else None
        ours.update(labels, scores, weight)
        twin.update_state(labels, scores, weight)
    np.testing.assert_array_equal(ours.confusion, twin.total_cm.numpy())
    assert ours.result() == pytest.approx(float(twin.result()), rel=1e-6) and 0 < ours.result() < 1
