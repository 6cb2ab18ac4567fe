"""Losses and metrics of pixels and of boxes: ignored labels, class weights, focal losses, the loss of SSD, mean IoU.
Also two mistakes of such models: an activation that the loss applies as well, and a last batch of a single image.

What holds for all losses is tested in `test_losses.py`; labels and weights of any shape in `test_label_shapes.py`.
"""

import numpy as np
import pytest
from cases.losses import matched_boxes
from test_gradients import assert_loss_gradient

from minitl import metrics
from minitl.applications.fcn import FCN
from minitl.applications.ssd import SSD
from minitl.errors import ArgumentError, DataError, MistakeWarning
from minitl.layers import Activation, Concatenate, Conv2D, Dense, Input, MaxPooling2D, Reshape, UpSampling2D
from minitl.losses import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    Huber,
    MultiBoxLoss,
    SparseCategoricalCrossentropy,
)
from minitl.losses.multibox import hard_negatives, hard_negatives_naive
from minitl.metrics import MeanIoU, SparseCategoricalAccuracy, iou_from_confusion, pixel_accuracy, pixel_confusion
from minitl.models import Model, Sequential
from minitl.optimizers import SGD
from minitl.training import BackupAndRestore, Callback

# ---- ignored labels and class weights ----


@pytest.fixture
def pixels(rng):
    """Return images (6, 4, 5, 2), and labels of three classes in which 255 stands for unknown."""
    labels = rng.integers(0, 3, (6, 4, 5)).astype(np.uint8)
    x = np.stack([labels == 1, labels == 2], axis=-1) + 0.5 * rng.standard_normal((6, 4, 5, 2))
    labels[rng.random(labels.shape) < 0.4] = 255
    return x.astype(np.float32), labels


def pixel_model(loss, classes=3, activation=None, **options):
    model = Sequential([Conv2D(classes, 1, activation=activation, kernel_initializer="zeros", input_shape=(4, 5, 2))])
    model.compile(SGD(0.5), loss, **options)
    return model


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_zero_scores_with_half_of_the_pixels_ignored(activation):
    """The loss of two classes is log 2 in `fit`, and 0 where all pixels are ignored: then nothing moves."""
    x, y = np.ones((1, 1, 4, 2), np.float32), np.array([[[0, 1, 255, 255]]], np.uint8)
    model = Sequential([Conv2D(2, 1, activation=activation, kernel_initializer="zeros", input_shape=(1, 4, 2))])
    loss = SparseCategoricalCrossentropy(from_logits=activation is None, ignore_class=255)
    model.compile(SGD(0.5), loss, metrics=["accuracy", MeanIoU(2, ignore_class=255)])
    assert model.evaluate(x, y, verbose=0) == pytest.approx([0.6931, 0.5, 0.25], abs=5e-5)
    before = model.get_weights()
    for weight in None, np.full((1, 1, 4), 3.0):
        history = model.fit(x, np.full_like(y, 255), verbose=0, sample_weight=weight).history
        assert history["loss"] == [0] and history["accuracy"] == [0]
        assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    three = np.repeat(x, 3, axis=0), np.concatenate([y, np.full_like(y, 255), y])
    assert model.evaluate(*three, batch_size=1, verbose=0) == pytest.approx([0.6931, 0.5, 0.25], abs=5e-5)


def test_an_ignored_label_is_allowed_only_where_it_is_named(pixels):
    x, y = pixels
    model = pixel_model(SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(DataError, match="labels run from 0 to 255; the model has 3 outputs"):
        model.fit(x, y)
    model.compile("sgd", SparseCategoricalCrossentropy(from_logits=True, ignore_class=254))
    with pytest.raises(DataError, match="labels run from 0 to 255"):
        model.fit(x, y)


def test_one_class_means_the_label_0():
    """Labels that count the background first are off by one: with one class, 0 trains and 1 is refused."""
    x, label = np.ones((1, 4, 5, 2), np.float32), np.zeros((1, 4, 5), int)
    model = pixel_model(SparseCategoricalCrossentropy(from_logits=True), classes=1)
    assert model.fit(x, label, verbose=0).history["loss"] == [0]
    with pytest.raises(DataError, match="labels run from 1 to 1; .*between 0 and 0"):
        model.fit(x, label + 1, verbose=0)


def test_class_weights_of_pixels_with_an_ignored_label(pixels):
    """The dict need not name the ignored label. Weights by hand give the same training."""
    x, y = pixels
    class_weight, loss = {0: 0.5, 2: 4.0}, SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    by_hand = np.array([0.5, 1, 4] + [7] * 253)[y]  # an ignored pixel does not count, whatever its weight is
    model, twin = pixel_model(loss, metrics=["accuracy"]), pixel_model(loss, metrics=["accuracy"])
    found = model.fit(x, y, 4, 3, 0, shuffle=False, class_weight=class_weight).history
    assert found == twin.fit(x, y, 4, 3, 0, shuffle=False, sample_weight=by_hand).history
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), twin.get_weights()))
    z = np.zeros((*y.shape, 3), np.float32)
    expected = np.log(3) * by_hand[y != 255].sum() / (y != 255).sum()
    assert loss.forward(y, z, by_hand) == pytest.approx(expected) and not loss.backward()[y == 255].any()


def test_class_weights_round_soft_labels():
    x, y = np.zeros((2, 3), np.float32), np.array([[0.9], [0.1]])
    model = Sequential([Dense(1, "sigmoid", input_shape=(3,))])
    model.compile("sgd", "binary_crossentropy")
    assert model.train_on_batch(x, y, class_weight={1: 3.0, 0: 1.0}) == pytest.approx(2 * np.log(2))


# ---- an activation that the loss applies as well: sigmoid of a sigmoid ----


def pixels_ending_in(activation, classes, enlarged=False, joined=False):
    """Return a model for pixels that ends in probabilities, enlarged behind them, or joined from two parts."""
    x = images = Input((4, 6, 3))
    ends = [Conv2D(classes, 1, name=f"scores{k}")(x) for k in range(1 + joined)]
    ends = [Activation(activation, name=f"probabilities{k}")(end) if activation else end for k, end in enumerate(ends)]
    x = Concatenate()(ends) if joined else ends[0]
    return Model(images, UpSampling2D(2, interpolation="bilinear")(x) if enlarged else x)


def boxes_ending_in(activation, only_scores=False):
    """Return a model for two classes of boxes that ends in probabilities: all its numbers, or only the scores."""
    images = Input((2, 2, 3))
    codes, scores = Conv2D(4, 1)(images), Conv2D(3, 1)(images)
    if activation and only_scores:
        scores = Activation(activation, name="probabilities0")(scores)
    x = Reshape((4, 7))(Concatenate()([codes, scores]))
    return Model(images, Activation(activation, name="probabilities0")(x) if activation and not only_scores else x)


TWICE = {
    "sigmoid of pixels": (lambda end: pixels_ending_in(end, 1), "sigmoid", BinaryCrossentropy),
    "sigmoid of pixels, enlarged": (lambda end: pixels_ending_in(end, 1, enlarged=True), "sigmoid", BinaryCrossentropy),
    "sigmoid of pixels, joined": (lambda end: pixels_ending_in(end, 1, joined=True), "sigmoid", BinaryCrossentropy),
    "sigmoid of pixels, focal": (lambda end: pixels_ending_in(end, 1), "sigmoid", BinaryFocalCrossentropy),
    "softmax of pixels": (lambda end: pixels_ending_in(end, 3), "softmax", SparseCategoricalCrossentropy),
    "softmax of pixels, enlarged": (
        lambda end: pixels_ending_in(end, 3, enlarged=True), "softmax", SparseCategoricalCrossentropy),
    "sigmoid of boxes": (boxes_ending_in, "sigmoid", MultiBoxLoss),
    "sigmoid of scores": (lambda end: boxes_ending_in(end, only_scores=True), "sigmoid", MultiBoxLoss),
    "softmax of scores": (lambda end: boxes_ending_in(end, only_scores=True), "softmax", MultiBoxLoss),
}  # fmt: skip


@pytest.mark.parametrize("make, activation, loss", TWICE.values(), ids=TWICE)
def test_an_activation_that_the_loss_applies_as_well(make, activation, loss):
    """A sigmoid of a sigmoid lies between 1/2 and 0.73, so no pixel can ever be called background with certainty. The
    same model without its activation is silent (warnings are errors here), and so is one whose loss applies none."""
    logits = {} if loss is MultiBoxLoss else {"from_logits": True}
    with pytest.warns(MistakeWarning, match=f"ends with a {activation} .'probabilities0'") as said:
        make(activation).compile("sgd", loss(**logits))
    remedy = "Leave yours out" if loss is MultiBoxLoss else "Leave from_logits out"
    assert len(said) == 1 and remedy in str(said[0].message)
    make(None).compile("sgd", loss(**logits))
    if logits:
        make(activation).compile("sgd", loss())


# ---- a last batch of a single image ----


def small_base(size):
    """Return the layers of VGG16 that the networks for pixels and boxes begin with, with two filters each."""
    x = images = Input((size, size, 3))
    for block in range(1, 6):
        for number in range(1, 4 if block > 3 else 2):
            x = Conv2D(2, 3, padding="same", activation="relu", name=f"block{block}_conv{number}")(x)
        x = MaxPooling2D(2, name=f"block{block}_pool")(x)
    return Model(images, x, name="vgg16")


def place_model(task, size):
    """Return (a model for pixels or boxes that is compiled, its labels for five images)."""
    if task == "pixels":
        model, labels = FCN(small_base(size), 3, filters=4), np.arange(5 * size * size).reshape(5, size, size) % 3
        model.compile(SGD(0.01), SparseCategoricalCrossentropy())
    else:
        model = SSD(small_base(size), 2, filters=4)
        labels = np.zeros((5, model.output_shape[1], 5))
        labels[:, ::4, 4] = 1
        model.compile(SGD(0.01), MultiBoxLoss())
    return model, labels


@pytest.mark.parametrize("task", ["pixels", "boxes"])
def test_a_last_batch_of_one_image(rng, task):
    """Five images in batches of four. At 64x64 pixels the coarsest map of one image has four places: they have a mean
    and a variance. At 32x32 it has a single one, which is its own mean: this is said. A frozen normalization uses its
    moving statistics, and is silent."""
    x = rng.standard_normal((5, 64, 64, 3)).astype(np.float32)
    model, y = place_model(task, 64)
    assert np.isfinite(model.fit(x, y, 4, 2, 0).history["loss"]).all()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    alone = model.predict(x, 4, verbose=0)[4:]
    np.testing.assert_allclose(alone, model.predict(x[4:], verbose=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(alone, model.predict(x, 5, verbose=0)[4:], rtol=1e-5, atol=1e-6)
    x, (model, y) = x[:, :32, :32], place_model(task, 32)
    with pytest.warns(MistakeWarning, match="stride32_norm.* takes mean and variance from a batch of one example"):
        model.fit(x, y, 4, 1, 0)
    model.fit(x, y, 5, 1, 0)
    for layer in model.layers:
        layer.trainable = not layer.statistic_names
    assert np.isfinite(model.fit(x, y, 4, 1, 0).history["loss"]).all()


# ---- smooth L1 and focal losses ----


def test_huber_by_hand():
    criterion = Huber()
    assert criterion.forward(np.zeros((1, 2)), np.array([[0.5, -3.0]])) == (0.125 + 2.5) / 2
    np.testing.assert_allclose(criterion.backward(), [[0.25, -0.5]])
    with pytest.raises(ArgumentError, match="delta is 0"):
        Huber(0)


def test_easy_predictions_count_less():
    """The ratio of the losses at 0.1 and 0.9 is 1,770, in cross-entropy 22."""
    losses = [BinaryFocalCrossentropy().forward(np.ones((1, 1)), np.array([[p]])) for p in (0.1, 0.9)]
    assert losses == pytest.approx([0.81 * 2.302585, 0.01 * 0.1053605])
    assert losses[0] / losses[1] == pytest.approx(1770, abs=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2, 5])
def test_focal_losses_are_exact_however_far(gamma, dtype):
    """The loss at z = -10,000 and the label 1 is 10,000 and its slope -1; at the label 0 both are 0."""
    z, t = np.array([[-1e4], [1e4], [-1e4], [1e4]], dtype), np.array([[1.0], [1], [0], [0]])
    binary = BinaryFocalCrossentropy(gamma=gamma, from_logits=True)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        assert binary.forward(t, z) == pytest.approx(2 * 1e4 / 4)
        np.testing.assert_allclose(binary.backward() * 4, [[-1], [0], [0], [1]], rtol=1e-6, atol=1e-10)
        categorical = CategoricalFocalCrossentropy(1.0, gamma, from_logits=True)
        assert categorical.forward(np.eye(2)[[1, 1, 0, 0]], z * [0, 1]) == pytest.approx(2 * 1e4 / 4)
        slope = categorical.backward() * 4
        np.testing.assert_allclose(slope, [[1, -1], [0, 0], [0, 0], [-1, 1]], rtol=1e-6, atol=1e-10)


def test_without_the_power_a_focal_loss_is_a_crossentropy(rng):
    y, z = rng.integers(0, 2, (5, 4)), rng.standard_normal((5, 4))
    focal, plain = BinaryFocalCrossentropy(gamma=0, from_logits=True), BinaryCrossentropy(from_logits=True)
    assert focal.forward(y, z) == pytest.approx(plain.forward(y, z), rel=1e-12)
    np.testing.assert_allclose(focal.backward(), plain.backward(), rtol=1e-12)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: BinaryFocalCrossentropy(alpha=2), "alpha is 2"),
        (lambda: BinaryFocalCrossentropy(gamma=-1), "gamma is -1"),
        (lambda: CategoricalFocalCrossentropy(alpha="a"), "alpha is 'a'; expected a number .* each class"),
        (lambda: CategoricalFocalCrossentropy([1, 2]).check_labels(np.eye(3), (3, 3)), "alpha has 2 numbers; .* 3 cla"),
        (lambda: MultiBoxLoss(negatives=-1), "negatives is -1"),
        (lambda: MultiBoxLoss(from_logits=False), "no argument from_logits=False .* leave the softmax out"),
        (lambda: MeanIoU(0), "num_classes is 0"),
        (lambda: MeanIoU(3, ignore_class="void"), "ignore_class is 'void'"),
        (lambda: metrics.of_output("MeanIoU", None), "metric is 'MeanIoU'; .* or a Metric"),
    ],
)
def test_settings_that_make_no_sense(make, message):
    with pytest.raises((ArgumentError, DataError), match=message):
        make()


# ---- the loss of SSD ----


def test_the_hardest_negatives_by_hand():
    assert hard_negatives([[2, 5, 1, 4]], [[True, False, False, False]], 2).tolist() == [[False, True, False, True]]


@pytest.mark.parametrize("ratio", [0, 1, 2.5, 3, 100])
@pytest.mark.parametrize("ignored", [0, 0.3, 1])
def test_hard_negatives_are_those_of_the_loops(rng, ratio, ignored):
    """Check ties, images without positives, more wanted than there are, ignored priors, NaN and no priors at all."""
    losses = rng.integers(0, 4, (40, 11)).astype(np.float32)  # many ties
    losses[:3, 4] = np.nan, np.inf, 0
    is_positive = rng.random((40, 11)) < np.linspace(0, 1, 40)[:, None]
    is_ignored = ~is_positive & (rng.random((40, 11)) < ignored)
    found = hard_negatives(losses, is_positive, ratio, is_ignored)
    np.testing.assert_array_equal(found, hard_negatives_naive(losses, is_positive, ratio, is_ignored))
    assert not (found & (is_positive | is_ignored)).any()
    if not ignored:
        np.testing.assert_array_equal(found, hard_negatives(losses, is_positive, ratio))
        assert not is_positive[0].any() and found[0].sum() == min(int(ratio), 11)
    assert hard_negatives(losses[:, :0], is_positive[:, :0], ratio).shape == (40, 0)


def multibox_loss_naive(y_true, y_pred, negatives, weight):
    """Return the loss of SSD, written as loops over images and priors."""
    total, count = 0.0, 0
    for n in range(len(y_true)):
        positives, costs = 0, []
        for p in range(len(y_true[n])):
            kind, scores = int(y_true[n, p, 4]), y_pred[n, p, 4:]
            if kind < 0:
                continue
            cost = weight[n, p] * (np.log(np.exp(scores).sum()) - scores[kind])
            if kind == 0:
                costs.append(cost)
                continue
            positives += 1
            total += cost
            for k in range(4):
                d = abs(y_pred[n, p, k] - y_true[n, p, k])
                total += weight[n, p] * (d * d / 2 if d <= 1 else d - 0.5)
        total += sum(sorted(costs, reverse=True)[: negatives * max(positives, 1)])
        count += positives
    return total / max(count, 1)


@pytest.mark.parametrize("positives", ["some", "none"])
@pytest.mark.parametrize("weights", ["none", "images", "priors"])
def test_the_loss_of_boxes_is_its_formula_and_the_gradient_its_derivative(rng, positives, weights):
    y_true, y_pred = matched_boxes((4, 12, 8), 3).astype(float), rng.standard_normal((4, 12, 8))
    y_true[1, :, 4] = 0  # an image without boxes
    if positives == "none":
        y_true[..., 4] = np.minimum(y_true[..., 4], 0)
    weight = {"none": None, "images": rng.random(4), "priors": rng.random((4, 12))}[weights]
    given = () if weight is None else (weight,)
    criterion = MultiBoxLoss()
    each = np.broadcast_to(1 if weight is None else weight.reshape(4, -1), (4, 12))
    assert criterion.forward(y_true, y_pred, *given) == pytest.approx(
        multibox_loss_naive(y_true, y_pred, 3, each), rel=1e-12
    )
    assert criterion.count == (6 if positives == "some" else 1)

    class Weighted(MultiBoxLoss):
        def forward(self, y_true, y_pred):
            return super().forward(y_true, y_pred, *given)

    assert_loss_gradient(Weighted(), y_true, y_pred)
    gradient = Weighted()
    gradient.forward(y_true, y_pred)
    assert not gradient.backward()[y_true[..., 4] < 0].any(), "what is ignored does not train"
    assert gradient.backward()[1, :, 4:].any() and not gradient.backward()[1, :, :4].any()


def box_model(classes):
    model = Sequential([Dense(5 + classes, kernel_initializer="zeros", input_shape=(9, 3))])
    model.compile(SGD(0.5), MultiBoxLoss())
    return model


def test_a_batch_of_one_image_without_boxes_trains_as_background(rng):
    """The three hardest priors cost log 2 each: the loss of zero scores is finite and not 0, and becomes smaller."""
    x, y = rng.standard_normal((1, 9, 3)).astype(np.float32), np.zeros((1, 9, 5))
    model = box_model(classes=1)
    history = model.fit(x, y, 1, 50, 0).history
    assert history["loss"][0] == pytest.approx(3 * np.log(2)) and history["loss"][-1] < 0.1
    scores = model.predict(x, verbose=0)[..., 4:]
    assert (scores[..., 0] > scores[..., 1]).all() and np.isfinite(scores).all()


def test_class_numbers_of_boxes_that_cannot_be_right():
    """A single class has the number 1, because 0 is the background: label 1 trains, label 2 is refused."""
    x, y = np.zeros((2, 9, 3), np.float32), np.zeros((2, 9, 5))
    model = box_model(classes=1)
    y[:, 0, 4], y[:, 1, 4] = 1, -1
    assert np.isfinite(model.fit(x, y, verbose=0).history["loss"][0])
    for wrong, message in (2, r"run from -1 to 2; .* between 1 and 1, or be 0"), (-2, "run from -2"), (0.5, "whole"):
        y[0, 0, 4] = wrong
        with pytest.raises(DataError, match=f"class numbers.*{message}"):
            model.fit(x, y, verbose=0)
    for labels in y[..., :4], y[..., None], y[:, :5]:
        with pytest.raises(DataError, match=r"labels have shape \(2, .*outputs \(N, 9, 6\)"):
            model.fit(x, labels, verbose=0)
    with pytest.raises(ArgumentError, match="class_weight does not go with MultiBoxLoss; use sample_weight"):
        model.fit(x, np.zeros((2, 9, 5)), verbose=0, class_weight={1: 2.0})


def test_the_mean_over_batches_of_boxes_is_that_of_one_batch(rng):
    """Batches count by their positives."""
    x, y = rng.standard_normal((6, 9, 3)).astype(np.float32), matched_boxes((6, 9, 7), 0)
    y[2:4, :, 4] = np.where(y[2:4, :, 4] == 1, 0, y[2:4, :, 4])  # fewer positives in the second batch
    model = box_model(classes=2)
    whole = model.evaluate(x, y, batch_size=6, verbose=0)
    assert model.evaluate(x, y, batch_size=2, verbose=0) == pytest.approx(whole, rel=1e-6)


# ---- mean IoU ----


def confusion_naive(labels, predicted, classes, ignore=None):
    table = np.zeros((classes, classes), int)
    for label, prediction in zip(np.ravel(labels), np.ravel(predicted)):
        if label != ignore:
            table[label, prediction] += 1
    return table


def test_iou_by_hand():
    table = pixel_confusion([0, 0, 1, 1], [0, 1, 1, 1], 3)
    assert table.tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 0]] and pixel_accuracy(table) == 0.75
    np.testing.assert_allclose(iou_from_confusion(table), [1 / 2, 2 / 3, np.nan])
    metric = MeanIoU(3)
    metric.update([0, 0, 1, 1], [0, 1, 1, 1])
    assert metric.result() == pytest.approx(7 / 12), "class 2 does not occur"
    metric.reset()
    assert metric.result() == 0 and pixel_accuracy(metric.confusion) == 0


@pytest.mark.parametrize("lead", [(), (1,), (1, 1, 1)], ids=str)
def test_probabilities_are_turned_into_the_class_with_the_largest(lead):
    """A pixel with 0.4 and 0.6 whose label is 1 has an IoU of 1."""
    metric = MeanIoU(2)
    metric.update(np.full(lead, 1), np.broadcast_to([0.4, 0.6], (*lead, 2)))
    assert metric.result() == 1
    with pytest.raises(DataError, match="predictions are not whole numbers; .* one score for each class"):
        metric.update(np.full((*lead, 1), 1), np.full((*lead, 1), 0.6))


def test_iou_is_that_of_the_whole_set(rng):
    """It comes from one table of counts, not from a mean over batches; ignored pixels do not count."""
    labels, scores = rng.integers(0, 4, (7, 5, 6)), rng.random((7, 5, 6, 4)).astype(np.float32)
    labels[labels == 3], labels[:2] = 255, np.minimum(labels[:2], 0)
    table = confusion_naive(labels, scores.argmax(-1), 4, 255)
    np.testing.assert_array_equal(pixel_confusion(labels, scores, 4, 255), table)
    expected = np.nanmean(iou_from_confusion(table))
    one_hot = np.eye(4)[np.where(labels == 255, 0, labels)]
    for size in 1, 3, 7:
        metric, rows = MeanIoU(4, ignore_class=255), MeanIoU(4, sparse_y_true=False, sparse_y_pred=False)
        for start in range(0, 7, size):
            batch = slice(start, start + size)
            metric.update(labels[batch, ..., None], scores[batch])
            rows.update(one_hot[batch], scores[batch], labels[batch] != 255)
        assert metric.result() == pytest.approx(expected, rel=1e-12) and rows.result() == metric.result()
    weight = rng.random((7, 5))
    weighted = pixel_confusion(labels, scores, 4, 255, weight)
    assert weighted.sum() == pytest.approx(weight.repeat(6).reshape(7, 5, 6)[labels != 255].sum())


@pytest.mark.parametrize(
    "labels, predicted, message",
    [
        ([0, 3], [0, 1], "labels run from 0 to 3; expected class numbers from 0 to 2, or a label to ignore"),
        ([0, -1], [0, 1], "labels run from -1 to 0"),
        ([0.5, 1], [0, 1], "labels are not whole numbers"),
        ([0, 1], [0, 3], "predictions run from 0 to 3"),
        ([0, 1], [0, 1, 2], r"labels have shape \(2,\), predictions \(3,\); expected one class number"),
        ([0, 1], np.ones((2, 4)), r"predictions \(2, 4\); .* or 3 scores"),
        ([[0, 1]], np.ones((1, 2, 2, 3)), r"labels have shape \(1, 2\), predictions \(1, 2, 2, 3\)"),
        (np.eye(3)[[0, 1]], np.full((2, 3), 0.2), "predictions are not whole numbers"),
    ],
)
def test_labels_and_predictions_that_cannot_be_right(labels, predicted, message):
    with pytest.raises(DataError, match=message):
        pixel_confusion(labels, predicted, 3)


def test_what_is_no_class_does_not_count_and_is_warned_of():
    for metric in MeanIoU(2), MeanIoU(2, ignore_class=7):
        with pytest.warns(MistakeWarning, match="2 labels or predictions are not from 0 to 1, and do not count"):
            metric.update([0, 3, 1], [0, 1, -1])
        assert metric.confusion.tolist() == [[1, 0], [0, 0]] and metric.result() == 1
        metric.update([1, 255], [0, 0], sample_weight=[2, 0])
        assert metric.confusion.tolist() == [[1, 0], [2, 0]]
    metric.update([7, 0], [5, 0])
    assert metric.confusion.tolist() == [[2, 0], [2, 0]]


def test_metrics_of_pixels_count_what_the_loss_counts(pixels):
    """Check `fit` and `evaluate` with an ignored label and a mask, and arrays with a mask."""
    x, y = pixels
    loss = SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    model = pixel_model(loss, metrics=["accuracy", MeanIoU(3)], weighted_metrics=[MeanIoU(3, name="weighted")])
    history = model.fit(x, y, 4, 5, 0, validation_data=(x + np.float32(1e-3), y)).history
    assert history["mean_io_u"][-1] > history["mean_io_u"][0] > 0 and "val_mean_io_u" in history
    mask = np.ones(y.shape, np.float32)
    mask[:3] = 0
    mask[3] = 2
    found = model.evaluate(x, y, 2, 0, sample_weight=mask, return_dict=True)
    predicted = model.predict(x, verbose=0)
    table = confusion_naive(y[3:], predicted[3:].argmax(-1), 3, 255)
    doubled = table + confusion_naive(y[3], predicted[3].argmax(-1), 3, 255)
    assert found["accuracy"] == pytest.approx(pixel_accuracy(table))
    assert found["mean_io_u"] == pytest.approx(np.nanmean(iou_from_confusion(table)))
    assert found["weighted"] == pytest.approx(np.nanmean(iou_from_confusion(doubled)))
    accuracy = SparseCategoricalAccuracy()
    accuracy.update(y, predicted, y != 255)
    assert accuracy.result() == pytest.approx(pixel_accuracy(pixel_confusion(y, predicted, 3, 255)))


def test_a_training_with_mean_iou_goes_on(pixels, tmp_path):
    """The table of counts is kept in the checkpoint, in the middle of an epoch."""

    class Stop(Callback):
        def __init__(self, at):
            self.at = at

        def on_train_batch_end(self, batch, logs=None):
            if batch == self.at:
                raise RuntimeError("the power is gone")

    def history(*callbacks):
        loss = SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
        model = pixel_model(loss, metrics=[MeanIoU(3, ignore_class=255)])
        return model.fit(*pixels, 2, 2, 0, list(callbacks), shuffle=False).history

    with pytest.raises(RuntimeError, match="the power is gone"):
        history(BackupAndRestore(tmp_path / "run", save_freq=1), Stop(1))
    assert history(BackupAndRestore(tmp_path / "run", save_freq=1), Stop(99)) == history()
