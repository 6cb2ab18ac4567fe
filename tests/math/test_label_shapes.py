"""Labels and weights of any leading shape: pixels, time steps, masks, an ignored label.

An average counts the same predictions as the loss.
"""

import re

import numpy as np
import pytest
from cases.losses import NAMES

from minitl import losses, metrics
from minitl.errors import ArgumentError, DataError
from minitl.layers import Conv2D, Dense, Input
from minitl.losses import BinaryCrossentropy, CategoricalCrossentropy, MeanSquaredError, SparseCategoricalCrossentropy
from minitl.metrics import SparseCategoricalAccuracy
from minitl.models import Model, Sequential
from minitl.optimizers import SGD
from minitl.training import range_test


def segmentation(classes=3, **loss):
    model = Sequential([
        Conv2D(6, 3, padding="same", activation="relu", input_shape=(8, 7, 2)),
        Conv2D(classes, 1, activation="softmax"),
    ])  # fmt: skip
    model.compile(SGD(0.2, momentum=0.9), SparseCategoricalCrossentropy(**loss), metrics=["accuracy"])
    return model


@pytest.fixture
def maps(rng):
    """Return images in which the class of each pixel can be seen."""
    labels = rng.integers(0, 3, (20, 8, 7))
    x = np.stack([labels == 1, labels == 2], axis=-1) + 0.1 * rng.standard_normal((20, 8, 7, 2))
    return x.astype(np.float32), labels


def test_a_label_for_each_pixel_trains(maps):
    x, labels = maps
    model = segmentation()
    others = x + np.float32(1e-3)  # the same images would be warned of
    history = model.fit(x, labels, 5, 30, 0, validation_data=(others, labels[..., None])).history
    assert history["loss"][-1] < 0.2 * history["loss"][0] and history["accuracy"][-1] > 0.95
    assert history["val_accuracy"][-1] == pytest.approx((model.predict(others, verbose=0).argmax(-1) == labels).mean())
    one_hot = Model(model.input, model.output)
    one_hot.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    expected = model.evaluate(x, labels, verbose=0)
    assert one_hot.evaluate(x, np.eye(3)[labels], verbose=0) == pytest.approx(expected, rel=1e-6)


OUTPUT = (4, 12, 12, 3)
OF_ANOTHER_SHAPE = [
    (SparseCategoricalCrossentropy, (4, 1, 1)),
    (SparseCategoricalCrossentropy, (4, 12, 1)),
    (SparseCategoricalCrossentropy, (4, 1, 12)),
    (SparseCategoricalCrossentropy, (4, 12)),
    (SparseCategoricalCrossentropy, (4,)),
    (SparseCategoricalCrossentropy, (4, 12, 12, 3)),
    (SparseCategoricalCrossentropy, (4, 12, 12, 1, 1)),
    (CategoricalCrossentropy, (4, 1, 1, 3)),
    (CategoricalCrossentropy, (4, 3)),
    (CategoricalCrossentropy, (4, 12, 12)),
    (BinaryCrossentropy, (4, 1, 1, 3)),
    (BinaryCrossentropy, (4, 12, 12)),
    (MeanSquaredError, (4, 12, 12, 1)),
    (MeanSquaredError, (4, 1, 12, 3)),
]


@pytest.mark.parametrize("loss, shape", OF_ANOTHER_SHAPE, ids=lambda value: getattr(value, "__name__", str(value)))
def test_labels_of_another_shape_are_refused_by_both_shapes(loss, shape):
    """NumPy would broadcast most of them over the pixels without a warning."""
    labels = np.zeros(shape, int)
    if loss is CategoricalCrossentropy:
        labels[..., 0] = 1
    predictions = np.full(OUTPUT, 1 / 3, np.float32)
    with pytest.raises(DataError) as error:
        loss().forward(labels, predictions)
    assert str(shape) in str(error.value) and "12, 12, 3)" in str(error.value)
    model = Sequential([Dense(3, activation="softmax", input_shape=(12, 12, 2))])
    model.compile("sgd", loss())
    before = model.get_weights()
    for call in model.fit, model.evaluate, model.train_on_batch:
        with pytest.raises(DataError):
            call(np.zeros((4, 12, 12, 2), np.float32), labels)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


def test_sizes_that_vary_are_checked_when_they_are_known():
    model = Sequential([Conv2D(3, 1, activation="softmax", input_shape=(None, None, 2))])
    model.compile("sgd", "sparse_categorical_crossentropy")
    x = np.zeros((2, 5, 6, 2), np.float32)
    assert np.isfinite(model.evaluate(x, np.zeros((2, 5, 6), int), verbose=0))
    with pytest.raises(DataError, match=r"labels have shape \(2, 5, 1\)"):
        model.evaluate(x, np.zeros((2, 5, 1), int), verbose=0)


def test_ignored_labels_count_neither_in_the_loss_nor_in_its_divisor():
    """Two classes have scores of zero; the labels are 0, 1 and twice the ignored one. The loss is log 2, not half of
    it."""
    criterion = SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    z = np.zeros((1, 4, 2), np.float32)
    assert criterion.forward(np.array([[0, 1, 255, 255]]), z) == pytest.approx(np.log(2)) and criterion.count == 2
    assert np.allclose(criterion.backward(), [[[-0.25, 0.25], [0.25, -0.25], [0, 0], [0, 0]]])
    assert criterion.forward(np.full((1, 4), 255), z) == 0 and not criterion.backward().any(), "none is left: no NaN"
    probabilities = SparseCategoricalCrossentropy(ignore_class=-1)
    assert probabilities.forward(np.array([-1, 1]), np.array([[0.3, 0.7], [0.2, 0.8]])) == pytest.approx(-np.log(0.8))
    with pytest.raises(DataError, match="labels run from 0 to 7"):
        criterion.forward(np.array([[0, 1, 7, 255]]), z)
    with pytest.raises(ArgumentError, match="ignore_class is 'void'"):
        SparseCategoricalCrossentropy(ignore_class="void")


def test_averages_count_what_the_loss_counted(maps, rng):
    """Batches with more ignored pixels weigh less, in loss and accuracy alike."""
    x, labels = maps
    labels = labels.copy()
    labels[:10][rng.random((10, 8, 7)) < 0.9] = 255
    model = segmentation(ignore_class=255)
    valid, best = labels != 255, model.predict(x, verbose=0)
    loss, accuracy = model.evaluate(x, labels, batch_size=5, verbose=0)
    of_truth = np.take_along_axis(best, np.where(valid, labels, 0)[..., None], axis=-1)[..., 0]
    assert loss == pytest.approx(-np.log(of_truth[valid]).mean(), rel=1e-5)
    assert accuracy == pytest.approx((best.argmax(-1) == labels)[valid].mean())
    assert model.evaluate(x, labels, batch_size=20, verbose=0) == pytest.approx([loss, accuracy], rel=1e-5)


def test_an_ignored_label_does_not_train(maps):
    x, labels = maps
    labels, changed = labels.copy(), labels.copy()
    labels[:, :4] = changed[:, :4] = 255
    x_changed = x.copy()
    x_changed[:, :3] += 1  # far enough from the labelled rows for a 3x3 window
    weights = []
    for pixels in x, x_changed:
        model = segmentation(ignore_class=255)
        model.set_weights([np.linspace(-1, 1, w.size).reshape(w.shape).astype(np.float32) for w in model.get_weights()])
        model.fit(pixels, labels, 5, 2, 0, shuffle=False)
        weights.append(model.get_weights())
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(*weights))


def test_a_mask_of_weights_is_an_ignored_label_up_to_the_divisor(maps, rng):
    x, labels = maps
    mask = (rng.random(labels.shape) < 0.5).astype(np.float32)
    model = segmentation(ignore_class=255)
    ignored = model.evaluate(x, np.where(mask, labels, 255), verbose=0)
    masked = model.evaluate(x, labels, verbose=0, sample_weight=mask)
    assert masked[0] == pytest.approx(ignored[0] * mask.mean(), rel=1e-5), "Keras divides by all labels"
    assert masked[1] == pytest.approx(ignored[1]), "a prediction of weight 0 is neither right nor wrong"


WEIGHTS = [(), (1,), (8,), (8, 7), (8, 7, 1)]


@pytest.mark.parametrize("rest", WEIGHTS, ids=str)
def test_weights_have_the_first_axes_of_the_labels(maps, rest, rng):
    """Weights are (N,) for images, (N, 1) as Keras takes them, (N, H) for rows, (N, H, W) for pixels."""
    x, labels = maps
    weight = rng.uniform(0, 2, (20, *rest)).astype(np.float32)
    model = segmentation()
    if rest == (1,):
        with pytest.raises(DataError, match=r"sample_weight has shape \(20, 1\); expected \(20, 8, 7\)"):
            model.evaluate(x, labels, verbose=0, sample_weight=weight)
        return
    p = np.take_along_axis(model.predict(x, verbose=0), labels[..., None], axis=-1)[..., 0]
    each = weight.reshape(*weight.shape[:3], *[1] * (3 - len(weight.shape[:3])))
    expected = (-np.log(p) * each).mean()
    assert model.evaluate(x, labels, verbose=0, sample_weight=weight)[0] == pytest.approx(expected, rel=1e-5)
    others = x + np.float32(1e-3), labels, weight  # the same images would be warned of
    fitted = model.fit(x, labels, 20, 1, 0, sample_weight=weight, validation_data=others).history
    assert fitted["loss"][0] == pytest.approx(expected, rel=1e-5) and fitted["val_loss"][0] < fitted["loss"][0]


def test_one_weight_an_example_may_have_an_axis_of_its_own(rng):
    model = Sequential([Dense(2, activation="softmax", input_shape=(3,))])
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y, weight = rng.standard_normal((9, 3)).astype(np.float32), rng.integers(0, 2, 9), rng.random(9)
    expected = model.evaluate(x, y, verbose=0, sample_weight=weight)
    assert model.evaluate(x, y, verbose=0, sample_weight=weight[:, None]) == expected
    assert model.evaluate(x, y, verbose=0, sample_weight=weight.tolist()) == pytest.approx(expected)


@pytest.mark.parametrize(
    "weight, message",
    [
        (np.ones(19), r"sample_weight has shape \(19,\); expected \(20, 8, 7\)"),
        (np.ones((20, 7)), r"sample_weight has shape \(20, 7\); expected \(20, 8, 7\)"),
        (np.ones((20, 8, 7, 3)), r"sample_weight has shape \(20, 8, 7, 3\)"),
        (np.full(20, -1.0), "runs from -1.0 to -1.0; expected numbers of at least 0"),
        (np.full(20, np.nan), "expected numbers of at least 0"),
        (np.array(["a"] * 20), "is of type <U1"),
        (3.0, r"sample_weight has shape \(\)"),
    ],
)
def test_weights_that_do_not_fit_cost_nothing(maps, weight, message):
    x, labels = maps
    model = segmentation()
    before = model.get_weights()
    for call in model.fit, model.evaluate, model.train_on_batch:
        with pytest.raises(DataError, match=message):
            call(x, labels, sample_weight=weight)
    with pytest.raises(DataError, match=message):
        model.fit(x, labels, validation_data=(x, labels, weight))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


def test_class_weights_count_for_each_pixel_and_multiply_sample_weights(maps, rng):
    x, labels = maps
    weight = rng.random((20, 8)).astype(np.float32)
    by_hand = np.where(labels == 1, 3.0, 1.0) * weight[..., None]
    model = segmentation()
    weights = model.get_weights()
    found = model.train_on_batch(x, labels, sample_weight=weight, class_weight={1: 3.0})
    trained = model.get_weights()
    model.set_weights(weights)
    model.compile(SGD(0.2, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert model.train_on_batch(x, labels, sample_weight=by_hand) == pytest.approx(found, rel=1e-6)
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(trained, model.get_weights()))
    history = model.fit(x, labels, class_weight={0: 0.5, 2: 4.0}, verbose=0).history
    assert np.isfinite(history["loss"][0])


def test_train_on_batch_leaves_the_weights_alone_where_it_refuses(maps):
    x, labels = maps
    model = segmentation()
    before = model.get_weights()
    with pytest.raises(DataError):
        model.train_on_batch(x, labels, np.ones(3))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


def test_a_weighted_metric_weighs_and_a_metric_counts(rng):
    metric, weighted = SparseCategoricalAccuracy(), SparseCategoricalAccuracy()
    p, labels = np.eye(2)[[0, 1, 1, 0]], np.array([0, 1, 0, 1])
    weight = np.array([3.0, 1, 1, 0])
    metric.update(labels, p, weight != 0)
    weighted.update(labels, p, weight)
    assert metric.result() == pytest.approx(2 / 3) and weighted.result() == pytest.approx(4 / 5)
    weighted.update(labels, p, np.zeros(4))
    assert weighted.result() == pytest.approx(4 / 5), "a batch without a label that counts changes nothing"


def test_keras_argument_order(maps):
    """Keras has compile(optimizer, loss, loss_weights, metrics). Metrics in the third place are still taken for
    metrics."""
    model = segmentation()
    for arguments in (["accuracy"],), (None, ["accuracy"]), (0.5, ["accuracy"]), ("accuracy",):
        model.compile("sgd", "sparse_categorical_crossentropy", *arguments)
        assert [each.name for each in model.metrics] == ["accuracy"]
    x, labels = maps
    half = model.compile("sgd", "sparse_categorical_crossentropy", 0.5) or model.evaluate(x, labels, verbose=0)
    whole = model.compile("sgd", "sparse_categorical_crossentropy") or model.evaluate(x, labels, verbose=0)
    assert half == pytest.approx(whole / 2)
    loss = model.evaluate(x, labels, 7, 0, np.ones(20))
    assert loss == pytest.approx(whole)


def test_a_range_test_of_pixels(maps):
    x, labels = maps
    assert range_test(segmentation(), x, labels, batch_size=4, steps=20).suggestion > 0


def test_labels_of_one_number_each_time_step(rng):
    """Labels (N, T) fit outputs (N, T, 1): the last axis may be left out, the leading ones may not."""
    x = Input((5, 3))
    model = Model(x, Dense(1)(x))
    model.compile("sgd", "mse")
    pixels, y = rng.standard_normal((4, 5, 3)).astype(np.float32), rng.standard_normal((4, 5))
    assert model.evaluate(pixels, y, verbose=0) == pytest.approx(model.evaluate(pixels, y[..., None], verbose=0))
    with pytest.raises(DataError, match=r"labels have shape \(4, 1\); .*one number for each output: \(N, 5, 1\)"):
        model.evaluate(pixels, y[:, :1], verbose=0)


@pytest.mark.parametrize(
    "shape", [(5, 1, 1), (5, 12, 1), (5, 1, 12), (5, 1, 1, 3), (5, 12, 1, 3), (5, 12, 1, 1)], ids=str
)
@pytest.mark.parametrize("logits", [False, True])
def test_labels_that_numpy_would_stretch_are_refused_by_every_loss(shape, logits):
    """Both shapes are named. (5, 12, 12, 1) are labels of one number a pixel; all others would be broadcast."""
    p = np.full((5, 12, 12, 3), 0.3, np.float32)
    for name in NAMES.values():
        try:
            criterion = getattr(losses, name)(from_logits=logits)
        except (TypeError, ArgumentError):
            criterion = getattr(losses, name)()
        labels = (
            np.ones(shape, np.float32) if shape[-1] != 3 else np.eye(3, dtype=np.float32)[np.zeros(shape[:-1], int)]
        )
        for call in lambda: criterion.forward(labels, p), lambda: criterion.check_labels(labels, (None, 12, 12, 3)):
            with pytest.raises(DataError, match=rf"{re.escape(str(shape))}.*12, 12, 3\)"):
                call()


@pytest.mark.parametrize(
    "shape", [(5, 1, 1), (5, 12, 1), (5, 1, 12), (5, 1, 1, 3), (5, 12, 1, 3), (5, 12, 1, 1)], ids=str
)
def test_labels_that_numpy_would_stretch_are_refused_by_every_metric(shape):
    for name in metrics.METRICS.values():
        with pytest.raises(DataError, match=rf"{re.escape(str(shape))}.*12, 12, 3\)"):
            name().update(np.ones(shape), np.full((5, 12, 12, 3), 0.3))


@pytest.mark.parametrize(
    "metric, y_true, weight, words",
    [
        (metrics.AUC(), [-1, 1], None, "expected labels 0 and 1, found -1 to 1"),
        (metrics.Recall(), [0, np.nan], None, "expected labels 0 and 1, found nan"),
        (metrics.Precision(), [0, 1], [1, 2, 3], "sample_weight has shape (3,)"),
        (metrics.AUC(), [0, 1], [[1, 1], [2, 2]], "sample_weight has shape (2, 2)"),
        (metrics.Precision(class_id=5), [0, 1], None, "class_id=5; expected outputs (N, classes) that have this class"),
    ],
)
def test_yes_or_no_metrics_refuse_what_they_cannot_count(metric, y_true, weight, words):
    """Labels -1 and 1 would both count as a yes, and the numbers would be wrong."""
    with pytest.raises(DataError, match=re.escape(words)):
        metric.update(np.array(y_true), np.array([0.1, 0.9]), weight)


def test_auc_of_large_logits():
    metric = metrics.AUC(from_logits=True)
    metric.update(np.array([0, 1]), np.array([-1000.0, 1000.0]))
    assert metric.result() == 1
