"""Losses against Keras and PyTorch: every case of the table in `tests/cases/losses.py`, also for very wrong
predictions."""

import keras
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cases import random
from cases.losses import LOSSES

import minitl.layers
from minitl import losses
from minitl.layers import Activation, Softmax

from .compare import as_numpy, assert_close, leaf


@pytest.mark.parametrize("case", [case for case in LOSSES if case.keras], ids=lambda case: case.name)
def test_a_loss_gives_what_keras_gives(case):
    """Compare the value and the gradient."""
    criterion, labels, predictions = case.loss(), case.labels(), case.predictions()
    tensor = leaf(predictions)
    expected = case.keras_twin(keras.losses)(labels, tensor)
    assert criterion.forward(labels, predictions) == pytest.approx(expected.item(), rel=1e-6)
    if case.keras_gradient:
        expected.backward()
        assert_close(criterion.backward(), tensor.grad, 1e-5)


@pytest.mark.parametrize("name", ["CategoricalCrossentropy", "SparseCategoricalCrossentropy", "BinaryCrossentropy"])
@pytest.mark.parametrize("smoothing", [0, 0.3])
def test_probabilities_of_exactly_0_and_1(name, smoothing):
    """They count as 1e-7 and 1 - 1e-7, in rows that add up to 1, to less, and to more."""
    p = np.array([[1, 0, 0.1], [0, 0.5, 0.5], [0, 1, 1], [0.2, 0, 0.3], [1, 0.7, 0.2]], np.float32)
    labels = np.array([1, 0, 0, 0, 2])
    t = labels if name == "SparseCategoricalCrossentropy" else np.eye(3, dtype=np.float32)[labels]
    arguments = {"label_smoothing": smoothing} if smoothing and name != "SparseCategoricalCrossentropy" else {}
    criterion, twin, tensor = getattr(losses, name)(**arguments), getattr(keras.losses, name)(**arguments), leaf(p)
    expected = twin(t, tensor)
    expected.backward()
    assert criterion.forward(t, p) == pytest.approx(expected.item(), rel=1e-6)
    assert_close(criterion.backward(), tensor.grad, 1e-5)


LOGITS = {
    "ordinary": 2 * random(7, 5),
    "large": 30 * random(7, 5),
    "extreme": 1000 * np.sign(random(7, 5)) + random(7, 5),
}
LABELS = np.array([0, 4, 1, 1, 2, 3, 0])
ONE_HOT = np.eye(5, dtype=np.float32)[LABELS]

logits_of_each_size = pytest.mark.parametrize("z", LOGITS.values(), ids=LOGITS)


def torch_loss(function, z, labels):
    """Return (value, gradient) of a loss in PyTorch."""
    tensor = leaf(z)
    loss = function(tensor, torch.tensor(labels))
    loss.backward()
    return loss.item(), as_numpy(tensor.grad)


@pytest.mark.parametrize(
    "criterion, labels",
    [
        (losses.CategoricalCrossentropy, ONE_HOT),
        (losses.SparseCategoricalCrossentropy, LABELS),
        (losses.SparseCategoricalCrossentropy, LABELS[:, None]),
    ],
    ids=["one-hot", "integers", "integers-in-a-column"],
)
class TestCrossentropy:
    @logits_of_each_size
    def test_from_logits(self, criterion, labels, z):
        expected, gradient = torch_loss(F.cross_entropy, z, LABELS)
        criterion = criterion(from_logits=True)
        np.testing.assert_allclose(criterion.forward(labels, z), expected, rtol=1e-6)
        assert_close(criterion.backward(), gradient, 1e-6)

    @logits_of_each_size
    @pytest.mark.parametrize("softmax", [Softmax(), Activation("softmax")], ids=["Softmax", "Activation"])
    def test_behind_softmax(self, criterion, labels, z, softmax):
        """The gradient that reaches the logits is PyTorch's, however wrong the network is.

        The value is PyTorch's up to 73.5, where it stops growing.
        """
        expected, gradient = torch_loss(F.cross_entropy, z, LABELS)
        criterion = criterion()
        found = criterion.forward(labels, softmax.forward(z))
        if np.abs(z).max() < 30:
            np.testing.assert_allclose(found, expected, rtol=1e-6)
        else:
            assert found <= expected * (1 + 1e-6)
        assert_close(softmax.backward(criterion.backward()), gradient, 1e-6)

    @logits_of_each_size
    def test_behind_a_dense_layer(self, criterion, labels, z):
        """Dense(activation='softmax') with an identity kernel passes on the same gradient."""
        dense = minitl.layers.Dense(5, activation="softmax")
        dense.accept(z.shape)
        dense.kernel[...] = np.eye(5)
        criterion = criterion()
        criterion.forward(labels, dense.forward(z))
        _, gradient = torch_loss(F.cross_entropy, z, LABELS)
        assert_close(dense.backward(criterion.backward()), gradient, 1e-6)


def test_soft_labels():
    """Soft labels are rows that add up to 1 without being one-hot."""
    labels = np.exp(random(7, 5, seed=2))
    labels /= labels.sum(axis=1, keepdims=True)
    expected, gradient = torch_loss(F.cross_entropy, LOGITS["ordinary"], labels)
    criterion = losses.CategoricalCrossentropy(from_logits=True)
    np.testing.assert_allclose(criterion.forward(labels, LOGITS["ordinary"]), expected, rtol=1e-6)
    assert_close(criterion.backward(), gradient, 1e-6)


def test_crossentropy_of_every_pixel():
    """Predictions are (N, H, W, classes), and the mean is over all pixels."""
    z = random(2, 3, 4, 5)
    labels = np.random.default_rng(0).integers(5, size=(2, 3, 4))
    expected, gradient = torch_loss(F.cross_entropy, z.reshape(-1, 5), labels.ravel())
    for criterion, given in (
        (losses.SparseCategoricalCrossentropy(from_logits=True), labels),
        (losses.CategoricalCrossentropy(from_logits=True), np.eye(5, dtype=np.float32)[labels]),
    ):
        np.testing.assert_allclose(criterion.forward(given, z), expected, rtol=1e-6)
        assert_close(criterion.backward(), gradient.reshape(z.shape), 1e-6)


YES_OR_NO = (random(7, 5, seed=3) > 0).astype(np.float32)


@logits_of_each_size
@pytest.mark.parametrize("labels", [YES_OR_NO, np.clip(YES_OR_NO, 0.1, 0.7)], ids=["hard", "soft"])
def test_binary_crossentropy(z, labels):
    expected, gradient = torch_loss(F.binary_cross_entropy_with_logits, z, labels)
    criterion = losses.BinaryCrossentropy(from_logits=True)
    np.testing.assert_allclose(criterion.forward(labels, z), expected, rtol=1e-6)
    assert_close(criterion.backward(), gradient, 1e-6)


@logits_of_each_size
@pytest.mark.parametrize("labels", [YES_OR_NO, np.clip(YES_OR_NO, 0.1, 0.7)], ids=["hard", "soft"])
def test_binary_crossentropy_behind_sigmoid(z, labels):
    expected, gradient = torch_loss(F.binary_cross_entropy_with_logits, z, labels)
    sigmoid, criterion = Activation("sigmoid"), losses.BinaryCrossentropy()
    found = criterion.forward(labels, sigmoid.forward(z))
    if np.abs(z).max() < 10:
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert_close(sigmoid.backward(criterion.backward()), gradient, 1e-6)


@pytest.mark.parametrize("shape", [(7, 5), (6, 1), (2, 3, 4, 2)], ids=str)
def test_mean_squared_error(shape):
    y_true, y_pred = random(*shape, seed=1), random(*shape, seed=2)
    expected, gradient = torch_loss(F.mse_loss, y_pred, y_true)
    criterion = losses.MeanSquaredError()
    np.testing.assert_allclose(criterion.forward(y_true, y_pred), expected, rtol=1e-6)
    assert_close(criterion.backward(), gradient, 1e-6)


def lists_of_labels(count, longest, classes, seed):
    """Return labels (count, longest), padded with 0, with repeats among them, and the length of each list."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, longest + 1, count)
    labels = rng.integers(1, min(classes, 4), (count, longest))
    return np.where(np.arange(longest) < lengths[:, None], labels, 0), lengths


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1, 10])
@pytest.mark.parametrize("frames, longest, classes", [(12, 5, 4), (50, 12, 11), (300, 30, 29)])
def test_ctc_is_that_of_pytorch(frames, longest, classes, scale, dtype):
    """Compare value and gradient for examples of unequal lengths, lists with repeats and empty ones.

    PyTorch computes in float64. In float32 its own gradient of 300 frames is up to 2e-4 off, because it adds up the
    logarithms in float32; minitl's is compared in both.
    """
    labels, label_lengths = lists_of_labels(9, longest, classes, seed=frames)
    z = (scale * random(9, frames, classes)).astype(dtype)
    lengths = np.random.default_rng(frames).integers(2 * longest, frames + 1, 9)
    tensor = leaf(z.astype(np.float64))
    expected = F.ctc_loss(
        torch.log_softmax(tensor, -1).transpose(0, 1), torch.tensor(labels), torch.tensor(lengths),
        torch.tensor(label_lengths), reduction="sum",
    ) / 9  # fmt: skip
    expected.backward()
    criterion = losses.CTC()
    weight = (np.arange(frames) < lengths[:, None]).astype(dtype)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    assert criterion.forward(labels, z, weight) == pytest.approx(expected.item(), rel=tolerance)
    gradient = criterion.backward()
    assert gradient.dtype == dtype
    np.testing.assert_allclose(gradient, as_numpy(tensor.grad), atol=tolerance)


def test_greedy_decoding_is_that_of_keras():
    z = 3 * random(6, 20, 5)
    lengths = np.array([20, 3, 11, 1, 20, 8])
    decoded, _ = keras.ops.ctc_decode(z, lengths, strategy="greedy", mask_index=0)
    expected = [[int(label) for label in row if label > 0] for row in as_numpy(decoded)[0]]
    assert losses.ctc_decode(z, lengths) == expected


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize(
    "make",
    [
        lambda losses, **reduction: losses.Dice(**reduction),
        lambda losses, **reduction: losses.Tversky(0.3, 0.9, axis=1, **reduction),
        lambda losses, **reduction: losses.Circle(20, **reduction),
    ],
    ids=["one region", "a region each", "circle"],
)
def test_weights_of_regions_and_rows(make, reduction):
    """A row that costs nothing, here one without a partner, does not count in the mean of the circle loss."""
    p, weight = np.abs(random(6, 3, seed=4)), np.array([2, 0, 1, 0.5, 3, 1], np.float32)
    p /= np.sqrt((p * p).sum(axis=1, keepdims=True))
    criterion, twin, tensor = make(losses, reduction=reduction), make(keras.losses, reduction=reduction), leaf(p)
    labels = np.array([1, 1, 2, 2, 3, 1]) if isinstance(criterion, losses.Circle) else (p > 0.4).astype(np.float32)
    expected = twin(labels, tensor, weight)
    expected.backward()
    assert criterion.forward(labels, p, weight) == pytest.approx(expected.item(), rel=1e-5)
    assert_close(criterion.backward(), tensor.grad, 1e-5)
