"""Losses and metrics: values known by hand, the joined softmax, and labels that cannot be right.

Promises of all losses are tested for every case of the table in `cases/losses.py`. Gradients are checked in
`test_gradients.py`; that a training with any of them can be resumed, in `test_checkpoints.py`."""

import numpy as np
import pytest
from cases.losses import LOSSES, NAMES

from minitl import losses, metrics
from minitl.errors import ArgumentError, DataError
from minitl.kernels.circle import circle, circle_naive
from minitl.layers import Activation, Dense, Softmax
from minitl.losses import BinaryCrossentropy, CategoricalCrossentropy, MeanSquaredError, SparseCategoricalCrossentropy
from minitl.losses.overlap import tversky_naive
from minitl.models import Sequential

every_loss = pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.name)


def test_every_loss_is_in_the_table():
    """Every loss of `minitl.losses` has a case in `cases/losses.py`: without one, no test would run it."""
    names = [case.name for case in LOSSES]
    assert len(names) == len(set(names))
    public = {name for name in losses.__all__ if isinstance(getattr(losses, name), type)} - {"Loss", "WeightedSum"}
    assert {type(case.loss()).__name__ for case in LOSSES} == set(NAMES.values()) == public


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_is_found_by_its_name_in_keras(name):
    assert type(losses.get(name)) is getattr(losses, NAMES[name])


@every_loss
def test_a_loss_is_a_number_and_its_gradient_has_the_shape_of_the_predictions(case):
    """The gradient has the type of the predictions. `backward` may be called twice, and the arguments are not
    changed."""
    for dtype in np.float32, np.float64:
        criterion, labels, predictions = case.loss(), case.labels(), case.predictions(dtype=dtype)
        given = labels.copy(), predictions.copy()
        value, gradient = criterion.forward(labels, predictions), criterion.backward()
        assert type(value) is float and np.isfinite(value) and value == criterion(labels, predictions)
        assert gradient.shape == case.shape and gradient.dtype == dtype
        np.testing.assert_array_equal(criterion.backward(), gradient)
        np.testing.assert_array_equal(labels, given[0])
        np.testing.assert_array_equal(predictions, given[1])


@pytest.mark.parametrize("case", [case for case in LOSSES if not case.between_examples], ids=lambda case: case.name)
def test_a_loss_is_the_mean_over_the_examples(case):
    """Examples of equal size count alike, wherever they stand in the batch. A weight of one changes nothing."""
    criterion, labels, predictions = case.loss(), case.labels(), case.predictions(dtype=np.float64)
    value, gradient = criterion.forward(labels, predictions), criterion.backward()
    alone = []
    for number in range(len(predictions)):
        alone.append(criterion.forward(labels[number : number + 1], predictions[number : number + 1]))
        np.testing.assert_allclose(criterion.backward()[0] / len(predictions), gradient[number], rtol=1e-12, atol=1e-15)
    assert value == pytest.approx(np.mean(alone), rel=1e-12)
    assert value == pytest.approx(criterion.forward(labels, predictions, np.ones(len(predictions))), rel=1e-12)
    np.testing.assert_allclose(criterion.backward(), gradient, rtol=1e-12)


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


def test_rows_that_do_not_add_up_to_1_are_divided_by_their_sums():
    p = np.array([[0.9, 0.05, 0.05], [0.5, 0.89, 0.6], [0.05, 0.01, 0.94]], np.float32)
    expected = -np.mean(np.log([0.9, 0.89 / 1.99, 0.94]))  # 0.3240
    assert CategoricalCrossentropy().forward(np.eye(3), p) == pytest.approx(expected, rel=1e-6)
    assert SparseCategoricalCrossentropy().forward(np.arange(3), p) == pytest.approx(expected, rel=1e-6)
    criterion = CategoricalCrossentropy()
    halved = criterion.forward(np.eye(3), p / 2), criterion.backward()
    assert halved[0] == pytest.approx(expected, rel=1e-6), "a common factor changes nothing"
    assert np.abs((halved[1] * p).sum(axis=-1)).max() < 1e-6, "so there is no slope in its direction"


def test_probabilities_of_exactly_0_and_1_count_as_nearly_so():
    """And teach nothing: the loss is constant there. No weight makes the gradient infinite."""
    binary = BinaryCrossentropy()
    y, p = np.array([[1, 0], [1, 0]]), np.array([[1, 1], [1, 0]], np.float32)
    assert binary.forward(y, p) == pytest.approx(3.98559, abs=1e-5)
    assert not binary.backward().any()
    sparse = SparseCategoricalCrossentropy()
    zero = np.array([[0, 1, 0]], np.float32)
    assert sparse.forward([0], zero, [1e6]) == pytest.approx(1e6 * 16.1181, rel=1e-5)
    assert not sparse.backward().any()
    for row in np.zeros((1, 3), np.float32), np.full((1, 3), 1e-40, np.float32):
        assert sparse.forward([0], row) == pytest.approx(16.1181, rel=1e-5)
        assert np.isfinite(sparse.backward()).all()
    small = np.array([[1e-10, 1 - 1e-10]], np.float32)
    assert sparse.forward([0], small) == pytest.approx(23.0259, rel=1e-5), "what is not 0 stays what it is"
    assert sparse.backward()[0, 0] == pytest.approx(-1e10, rel=1e-5)


def test_a_perfect_prediction_costs_nothing():
    z = np.array([[200.0, 0, -50]], np.float32)
    for layer in Softmax(), Activation("softmax"):
        criterion = SparseCategoricalCrossentropy()
        assert criterion.forward([0], layer.forward(z)) == 0
        assert np.abs(layer.backward(criterion.backward())).max() < 1e-30


@pytest.mark.parametrize("scale", [1, 100, 10_000])
@pytest.mark.parametrize("layer", [Softmax(), Activation("softmax")], ids=["Softmax", "Activation"])
def test_softmax_and_crossentropy_are_joined(rng, scale, layer):
    """softmax.backward(loss.backward()) is (p - t) / N in float32, however wrong the network is."""
    z = (rng.standard_normal((6, 4)) * scale).astype(np.float32)
    t = np.eye(4, dtype=np.float32)[z.argmin(axis=1)]  # always the most unlikely class
    criterion, p = CategoricalCrossentropy(), layer.forward(z)
    value = criterion.forward(t, p)
    assert np.isfinite(value) and value > 1
    assert np.abs(layer.backward(criterion.backward()) - (p - t) / 6).max() < 1e-6


@pytest.mark.parametrize("logit", [1.0, 30.0, 1000.0, -30.0, -1000.0])
def test_sigmoid_and_crossentropy_are_joined(logit):
    layer, criterion = Activation("sigmoid"), BinaryCrossentropy()
    z, t = np.array([[logit]], np.float32), np.array([float(logit < 0)])  # always the wrong prediction
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


def test_an_object_is_a_loss_and_an_unknown_name_is_none():
    criterion = BinaryCrossentropy()
    assert losses.get(criterion) is criterion
    for wrong in ("no_such_loss", Dense, None):
        with pytest.raises(ArgumentError, match="loss is .* expected one of binary_crossentropy"):
            losses.get(wrong)


def test_a_label_smoothing_that_makes_no_sense():
    with pytest.raises(ArgumentError, match="label_smoothing is 1"):
        CategoricalCrossentropy(label_smoothing=1)


def test_metrics_over_several_batches():
    name, metric = metrics.of_output("accuracy", CategoricalCrossentropy())
    assert name == "accuracy"
    metric.update(np.eye(3), np.eye(3))  # three right
    metric.update(np.eye(3)[:1], np.eye(3)[1:2])  # one wrong
    assert metric.result() == 0.75
    metric.reset()
    assert metric.result() == 0
    sparse = metrics.of_output("acc", SparseCategoricalCrossentropy())[1]
    sparse.update(np.array([[0], [2]]), np.eye(3)[[0, 1]])
    assert sparse.result() == 0.5
    binary = metrics.of_output("accuracy", BinaryCrossentropy())[1]
    binary.update(np.array([1, 0, 1, 0]), np.array([[0.9], [0.1], [0.2], [0.6]]))
    assert binary.result() == 0.5
    top = metrics.TopKCategoricalAccuracy(k=2)
    top.update(np.eye(3), np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]))
    assert top.result() == pytest.approx(2 / 3)
    assert metrics.of_output(top, None) == ("top_k_categorical_accuracy", top)
    with pytest.raises(ArgumentError, match="metric is 'no_such_metric'"):
        metrics.of_output("no_such_metric", MeanSquaredError())


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


@every_loss
@pytest.mark.parametrize("weighted", [False, True])
def test_no_examples_cost_nothing(case, weighted):
    criterion, p = case.loss(), case.predictions()[:0]
    weight = [np.ones(0)] if weighted else []
    assert criterion.forward(case.labels()[:0], p, *weight) == 0
    grad = criterion.backward()
    assert grad.shape == p.shape and grad.dtype == p.dtype


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
    assert isinstance(metrics.of_output("accuracy", MeanSquaredError(), (None, 1))[1], metrics.BinaryAccuracy)


# losses of whole examples or pairs, and losses of a whole batch
ONLY_MEANS = "multibox", "multibox-one-class-one-negative", "nt-xent", "nt-xent-cold"
OF_A_BATCH = "dice-one-region", "tversky-one-region"


@pytest.mark.parametrize(
    "case", [each for each in LOSSES if each.name not in (*ONLY_MEANS, *OF_A_BATCH)], ids=lambda case: case.name
)
def test_reductions_differ_by_their_divisor_alone(case, rng):
    """The sum of the weighted losses, and its gradient, are divided by another number, or by none. An equal loss is
    made of the configuration."""
    y_true, y_pred, mean = case.labels(), case.predictions(), case.loss()
    config = mean.get_config()
    leading = type(mean).from_config({**config, "reduction": None}).forward(y_true, y_pred).shape
    weight = rng.integers(1, 4, leading).astype(np.float32)
    value, gradient = mean.forward(y_true, y_pred, weight), mean.backward()
    counted = mean.counted(y_true, y_pred, weight) if leading == case.shape[:-1] else None
    weights = weight.sum() if counted is None else weight[counted].sum()
    for reduction, factor in ("sum", mean.count), ("mean_with_sample_weight", mean.count / weights), ("mean", 1):
        other = type(mean).from_config({**config, "reduction": reduction})
        assert other.forward(y_true, y_pred, weight) == pytest.approx(value * factor, rel=1e-5)
        np.testing.assert_allclose(other.backward(), gradient * factor, rtol=1e-4, atol=1e-7 * mean.count)
    of_each = type(mean).from_config({**config, "reduction": None}).forward(y_true, y_pred, weight)
    assert of_each.shape == leading and of_each.sum() / mean.count == pytest.approx(value, rel=1e-5)


def test_a_loss_without_one_number_is_refused_before_training():
    model = Sequential([Dense(2, input_shape=(3,))])
    with pytest.raises(ArgumentError, match="reduction=None"):
        model.compile("sgd", MeanSquaredError(reduction=None))
    model.compile("sgd", losses.mean_squared_error)  # Keras's function stands for the loss
    assert type(model.loss) is MeanSquaredError
    assert losses.mean_squared_error(np.zeros((2, 2)), np.ones((2, 2))).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("alpha, beta", [(0.5, 0.5), (0.9, 0.2), (1.0, 0.0)])
def test_tversky_equals_its_twin(rng, alpha, beta):
    t, p = (rng.random((3, 4, 5)) > 0.6).astype(float), rng.random((3, 4, 5))
    expected = tversky_naive(t, p, alpha, beta)
    assert losses.Tversky(alpha, beta).forward(t, p) == pytest.approx(expected, rel=1e-12)
    of_images = losses.Tversky(alpha, beta, axis=(1, 2), reduction=None).forward(t, p)
    np.testing.assert_allclose(of_images, [tversky_naive(*each, alpha, beta) for each in zip(t, p)], rtol=1e-12)
    with pytest.raises(ArgumentError, match="axis is 3; the predictions have 3 axes"):
        losses.Tversky(axis=3).forward(t, p)


def test_dice_of_the_head_of_its_file():
    t, p = np.array([[1, 1, 0]]), np.array([[1, 0, 0.5]])
    assert losses.Dice().forward(t, p) == pytest.approx(0.42857, abs=1e-5)
    assert losses.Tversky(1, 1).forward(t, p) == pytest.approx(1 - 1 / 2.5), "1 - IoU"
    assert losses.Dice().forward(np.zeros((2, 3)), np.zeros((2, 3))) == 1


@pytest.mark.parametrize("gamma, margin", [(80, 0.4), (5, 0.1)])
def test_circle_equals_its_twin(rng, gamma, margin):
    x, labels = rng.standard_normal((9, 4)), np.array([1, 1, 2, 2, 2, 3, 4, 4, 1])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    same = labels[:, None] == labels
    pairs = same & ~np.eye(9, dtype=bool), ~same
    expected = circle_naive(x, *pairs, gamma, margin)
    np.testing.assert_allclose(circle(x, *pairs, gamma=gamma, margin=margin)[0], expected, rtol=1e-9)
    assert expected[5] == 0, "a row without a partner costs nothing"
    criterion = losses.Circle(gamma, margin)
    assert criterion.forward(labels, x) == pytest.approx(sum(expected) / 8), "and does not count"
    assert criterion.backward()[5].any(), "but others are held away from it"


def test_circle_without_pairs_costs_nothing():
    criterion = losses.Circle()
    for labels in [0, 1, 2], [4, 4, 4]:
        assert criterion.forward(labels, np.eye(3)) == 0
        assert not criterion.backward().any()
    with pytest.raises(DataError, match=r"Circle expected \(N,\) and \(N, D\)"):
        criterion.forward([0.5, 1, 1], np.eye(3))


def test_generalized_crossentropy_lies_between_crossentropy_and_an_absolute_error():
    y, p = [0, 1], np.array([[0.9, 0.1], [0.99, 0.01]])
    half = losses.CategoricalGeneralizedCrossEntropy(0.5, reduction=None)
    np.testing.assert_allclose(half.forward(y, p), [0.10263, 1.8], atol=1e-5)
    near_zero = losses.CategoricalGeneralizedCrossEntropy(1e-6).forward(y, p)
    assert near_zero == pytest.approx(SparseCategoricalCrossentropy().forward(y, p), rel=1e-4)
    zero = losses.CategoricalGeneralizedCrossEntropy()
    assert zero.forward([0], np.array([[0.0, 1.0]])) == 2 and not zero.backward().any()
    with pytest.raises(DataError, match="softmax"):
        zero.forward([0], np.array([[-1.0, 2.0]]))
    with pytest.raises(ArgumentError, match="q is 1"):
        losses.CategoricalGeneralizedCrossEntropy(1)


class Quartic(losses.Loss):
    """A loss that is written for Keras, with its derivative."""

    def call(self, y_true, y_pred):
        return ((y_pred - y_true) ** 4).sum(axis=-1)

    def slope(self, y_true, y_pred):
        return 4 * (y_pred - y_true) ** 3


class QuarticOfEntries(Quartic):
    """The same with a loss for each number."""

    def call(self, y_true, y_pred):
        return (y_pred - y_true) ** 4


@pytest.mark.parametrize("shape", [(6,), (6, 1), (4, 3), (2, 4, 3)])
@pytest.mark.parametrize("make", [Quartic, QuarticOfEntries])
def test_a_loss_that_is_written_for_keras(rng, make, shape):
    """Compare with its formula, and its gradient with central differences."""
    t, p, weight = rng.standard_normal(shape), rng.standard_normal(shape), rng.random(shape[0])
    of_entries = make is QuarticOfEntries and len(shape) > 1
    count = p.size if of_entries else p.size // (shape[-1] if len(shape) > 1 else 1)
    w = weight.reshape(-1, *[1] * (len(shape) - 1))
    criterion = make()
    assert criterion.forward(t, p, weight) == pytest.approx((w * (p - t) ** 4).sum() / count)
    gradient = criterion.backward()
    assert gradient.shape == shape
    for place in [(0,) * len(shape), tuple(size - 1 for size in shape)]:
        step = np.zeros(shape)
        step[place] = 1e-5
        change = criterion.forward(t, p + step, weight) - criterion.forward(t, p - step, weight)
        assert gradient[place] == pytest.approx(change / 2e-5, rel=1e-6)
    assert make(reduction="sum").forward(t, p) == pytest.approx(((p - t) ** 4).sum())
    assert make.from_config(make(name="q").get_config()).name == "q"


def test_a_loss_without_its_slope_is_computed_and_trains_nothing():
    class Alone(losses.Loss):
        def call(self, y_true, y_pred):
            return abs(y_true - y_pred).mean(axis=-1)

    criterion = Alone()
    assert criterion(np.array([1, 2]), np.array([[3.0], [2.0]])) == 1
    with pytest.raises(ArgumentError, match="class Alone has no slope"):
        criterion.backward()
    model = Sequential([Dense(2, input_shape=(3,))])
    with pytest.raises(ArgumentError, match=r"class Alone has no slope\(\)"):
        model.compile("sgd", criterion)
    model.compile("sgd", Quartic())
    assert np.isfinite(model.fit(np.ones((4, 3)), np.zeros((4, 2)), verbose=0).history["loss"]).all()
