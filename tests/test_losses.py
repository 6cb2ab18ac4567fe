"""Losses and metrics: values known by hand, the joined softmax, and labels that cannot be right."""

import numpy as np
import pytest

from minitl import losses, metrics
from minitl.errors import ArgumentError, DataError
from minitl.layers import Activation, Dense, Softmax
from minitl.losses import BinaryCrossentropy, CategoricalCrossentropy, MeanSquaredError, SparseCategoricalCrossentropy


def test_values_known_by_hand():
    p, t = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]), np.array([[1, 0, 0], [0, 0, 1]])
    expected = -(np.log(0.5) + np.log(0.8)) / 2
    assert CategoricalCrossentropy().forward(t, p) == pytest.approx(expected)
    assert SparseCategoricalCrossentropy().forward(np.array([0, 2]), p) == pytest.approx(expected)
    assert SparseCategoricalCrossentropy().forward(np.array([[0], [2]]), p) == pytest.approx(expected)
    assert CategoricalCrossentropy(from_logits=True).forward(t, np.log(p)) == pytest.approx(expected)
    assert BinaryCrossentropy().forward(np.array([1, 0]), np.array([[0.5], [0.2]])) == pytest.approx(
        -(np.log(0.5) + np.log(0.8)) / 2
    )
    assert MeanSquaredError().forward(np.array([[1.0, 2], [3, 4]]), np.array([[1.0, 2], [3, 0]])) == pytest.approx(4)


@pytest.mark.parametrize("scale", [1, 100, 10_000])
@pytest.mark.parametrize("layer", [Softmax(), Activation("softmax")], ids=["Softmax", "Activation"])
def test_softmax_and_crossentropy_are_joined(rng, scale, layer):
    """However wrong the network is, softmax.backward(loss.backward()) is (p - t) / N, in float32."""
    z = (rng.standard_normal((6, 4)) * scale).astype(np.float32)
    t = np.eye(4, dtype=np.float32)[z.argmin(axis=1)]  # always the most unlikely class
    criterion, p = CategoricalCrossentropy(), layer.forward(z)
    value = criterion.forward(t, p)
    assert np.isfinite(value) and value > 1
    assert np.abs(layer.backward(criterion.backward()) - (p - t) / 6).max() < 1e-6


@pytest.mark.parametrize("logit", [1.0, 30.0, 1000.0, -30.0, -1000.0])
def test_sigmoid_and_crossentropy_are_joined(logit):
    layer, criterion = Activation("sigmoid"), BinaryCrossentropy()
    z, t = np.array([[logit]], np.float32), np.array([float(logit < 0)])  # always the wrong answer
    assert np.isfinite(criterion.forward(t, layer.forward(z)))
    assert layer.backward(criterion.backward())[0, 0] == pytest.approx((1 + np.tanh(logit / 2)) / 2 - t[0], rel=1e-5)


@pytest.mark.parametrize("loss", [CategoricalCrossentropy, SparseCategoricalCrossentropy, BinaryCrossentropy])
def test_from_logits_is_exact_however_far(loss):
    z = np.array([[-1000.0, 1000.0]], np.float32)
    t = np.array([0]) if loss is SparseCategoricalCrossentropy else np.array([[1.0, 0.0]])
    criterion = loss(from_logits=True)
    expected = 1000 if loss is BinaryCrossentropy else 2000
    assert criterion.forward(t, z) == pytest.approx(expected)
    scale = 2 if loss is BinaryCrossentropy else 1
    assert np.allclose(criterion.backward() * scale, [[-1, 1]])


def test_integer_and_one_hot_labels_agree(rng):
    p, labels = rng.dirichlet(np.ones(5), 7), rng.integers(0, 5, 7)
    sparse, categorical = SparseCategoricalCrossentropy(), CategoricalCrossentropy()
    assert sparse.forward(labels, p) == categorical.forward(np.eye(5)[labels], p)
    assert np.array_equal(sparse.backward(), categorical.backward())


BAD_LABELS = [
    (SparseCategoricalCrossentropy(), np.array([0, 10]), "labels run from 0 to 10; the model has 10 outputs"),
    (SparseCategoricalCrossentropy(), np.array([-1, 3]), "between 0 and 9"),
    (SparseCategoricalCrossentropy(), np.array([0.5, 3]), "whole numbers"),
    (SparseCategoricalCrossentropy(), np.eye(10), "use loss='categorical_crossentropy'"),
    (CategoricalCrossentropy(), np.array([0, 3]), "use loss='sparse_categorical_crossentropy'"),
    (CategoricalCrossentropy(), np.eye(9), "10 outputs, the labels 9 classes"),
    (CategoricalCrossentropy(), np.full((2, 10), 0.3), "add up to 1"),
    (BinaryCrossentropy(), np.full((2, 10), 2), "expects 0 to 1"),
    (BinaryCrossentropy(), np.ones(2), "one number for each output"),
    (MeanSquaredError(), np.ones((2, 3)), "one number for each output"),
]


@pytest.mark.parametrize("criterion, labels, message", BAD_LABELS, ids=[message for *_, message in BAD_LABELS])
def test_labels_that_cannot_be_right(criterion, labels, message):
    with pytest.raises(DataError, match=message):
        criterion.check_labels(labels, (None, 10))


def test_names():
    assert isinstance(losses.get("mse"), MeanSquaredError)
    criterion = BinaryCrossentropy()
    assert losses.get(criterion) is criterion
    for wrong in ("huber", Dense, None):
        with pytest.raises(ArgumentError, match="loss is .* expected one of binary_crossentropy"):
            losses.get(wrong)


def test_metrics_over_several_batches():
    name, metric = metrics.get("accuracy", CategoricalCrossentropy())
    assert name == "accuracy"
    metric.update(np.eye(3), np.eye(3))  # three right
    metric.update(np.eye(3)[:1], np.eye(3)[1:2])  # one wrong
    assert metric.result() == 0.75
    metric.reset()
    assert metric.result() == 0
    sparse = metrics.get("acc", SparseCategoricalCrossentropy())[1]
    sparse.update(np.array([[0], [2]]), np.eye(3)[[0, 1]])
    assert sparse.result() == 0.5
    binary = metrics.get("accuracy", BinaryCrossentropy())[1]
    binary.update(np.array([1, 0, 1, 0]), np.array([[0.9], [0.1], [0.2], [0.6]]))
    assert binary.result() == 0.5
    top = metrics.TopKCategoricalAccuracy(k=2)
    top.update(np.eye(3), np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]))
    assert top.result() == pytest.approx(2 / 3)
    assert metrics.get(top, None) == ("top_k_categorical_accuracy", top)
    with pytest.raises(ArgumentError, match="metric is 'f1'"):
        metrics.get("f1", MeanSquaredError())


def test_a_forgotten_softmax_is_noticed():
    for criterion in CategoricalCrossentropy(), SparseCategoricalCrossentropy():
        labels = np.eye(3)[[0]] if type(criterion) is CategoricalCrossentropy else np.array([0])
        with pytest.raises(DataError, match="predictions run from -1 to 2; .* softmax, or use from_logits=True"):
            criterion.forward(labels, np.array([[2.0, -1.0, 0.5]]))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_as_many_labels_as_predictions(count):
    p = np.full((2, 2), 0.5)
    labels = {CategoricalCrossentropy: np.eye(2)[[0] * count], SparseCategoricalCrossentropy: np.zeros(count, int)}
    for criterion in (
        CategoricalCrossentropy(),
        SparseCategoricalCrossentropy(),
        BinaryCrossentropy(),
        MeanSquaredError(),
    ):
        with pytest.raises(DataError, match=f"{count} labels for 2 predictions"):
            criterion.forward(labels.get(type(criterion), np.zeros((count, 2))), p)


def test_integers_and_half_precision_are_computed_in_float():
    assert MeanSquaredError().forward(np.array([[1]]), np.array([[3]])) == 4
    assert np.allclose(Softmax().forward(np.array([[1, 1]])), 0.5)
    assert np.isfinite(Softmax().forward(np.array([[1, 9]], np.float16))).all()


def test_metrics_that_cannot_compare():
    for metric, labels in (
        (metrics.CategoricalAccuracy(), np.array([0, 1])),
        (metrics.SparseCategoricalAccuracy(), np.eye(3)),
    ):
        with pytest.raises(DataError, match="integers with the sparse ones"):
            metric.update(labels, np.eye(3))
    assert isinstance(metrics.get("accuracy", MeanSquaredError(), (None, 1))[1], metrics.BinaryAccuracy)
