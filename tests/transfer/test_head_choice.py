"""The choice of a head by cross-validation, and probabilities that fit how often predictions are right."""

import numpy as np
import pytest

from minitl.layers import Dense, Input, UnitNormalization
from minitl.models import Sequential
from minitl.recipes.head_choice import (
    CANDIDATES,
    Head,
    candidates,
    choose_head,
    fit_temperature,
    log_loss,
    stratified_folds,
)
from minitl.testing import check_gradients


class Prior:
    """A model that predicts fixed probabilities by the first feature: it stands for a trained head."""

    def __init__(self, confidence):
        self.confidence = confidence

    def predict(self, features, verbose=0):
        """Return (N, 2): `confidence` for the class that the first feature names."""
        sure = np.full((len(features), 2), 1 - self.confidence)
        sure[np.arange(len(features)), features[:, 0].astype(int)] = self.confidence
        return sure


def predicted_by(fit):
    """Return a function for `choose_head` that trains with fit(head, features, labels), one head after the other."""

    def predict(heads, features, labels, fold):
        found = {head: np.empty((len(labels), 2)) for head in heads}
        for head in heads:
            for out in (fold == k for k in range(fold.max() + 1)):
                found[head][out] = fit(head, features[~out], labels[~out]).predict(features[out])
        return found

    return predict


def noisy(count, share_right, rng):
    """Return features that name the label in so many of the cases, and labels."""
    labels = rng.integers(0, 2, count)
    named = np.where(rng.random(count) < share_right, labels, 1 - labels)
    return np.column_stack([named, np.ones(count)]).astype(np.float32), labels


def test_folds_hold_every_class_in_the_same_share_and_groups_together():
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat([0, 1, 2], [50, 23, 5]))
    groups = np.arange(len(labels))
    groups[:77:7] = groups[1:78:7]  # copies, some of them in two classes
    fold = stratified_folds(labels, groups, 5, seed=1)
    assert all(len(set(fold[groups == group])) == 1 for group in groups)
    for label, count in enumerate(np.bincount(labels)):
        in_folds = np.bincount(fold[labels == label], minlength=5)
        assert abs(in_folds - count / 5).max() <= 4, "within what copies move"
    assert (fold == stratified_folds(labels, groups, 5, seed=1)).all()
    assert (fold != stratified_folds(labels, groups, 5, seed=2)).any()


@pytest.mark.parametrize("sizes", [(5, 5), (10, 10), (50, 23, 5)])
def test_without_copies_folds_are_exactly_stratified(sizes):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    fold = stratified_folds(labels, np.arange(len(labels)), 5, seed=3)
    for label, count in enumerate(sizes):
        in_folds = np.bincount(fold[labels == label], minlength=5)
        assert in_folds.max() - in_folds.min() <= 1 and in_folds.sum() == count
    assert np.ptp(np.bincount(fold)) <= 1


def test_the_copies_of_a_photograph_are_left_out_together():
    labels, groups = np.tile([0, 1], 20), np.repeat(np.arange(20), 2)
    features = np.arange(80, dtype=np.float32).reshape(40, 2)
    seen = []

    def predict(heads, x, y, fold):
        seen.append(fold)
        assert heads == list(CANDIDATES) and (x == features).all() and (y == labels).all()
        return {head: np.full((40, 2), 0.5) for head in heads}

    choice = choose_head(list(CANDIDATES), predict, features, labels, groups, seed=0)
    (fold,) = seen
    assert choice.folds == 5 and set(fold) == set(range(5)) and (fold[::2] == fold[1::2]).all()


def test_two_photographs_of_two_classes_are_too_few_for_a_choice():
    """Each training would have two examples, and the ridge solution needs three."""
    labels, groups = np.array([0, 1, 0, 1]), np.arange(4)
    choice = choose_head(list(CANDIDATES), None, np.zeros((4, 2), np.float32), labels, groups, seed=0)
    assert choice.head == CANDIDATES[0] and "there are too few training images" in str(choice)


def test_a_clearly_better_head_is_chosen_and_of_equal_ones_the_first():
    features, labels = noisy(400, 0.9, np.random.default_rng(1))
    first, second = Head("unit", 0.1, 0.0), Head("unit", 0.2, 0.0)

    def choose(fit):
        return choose_head([first, second], predicted_by(fit), features, labels, np.arange(400), seed=0)

    blind = choose(lambda head, x, y: Prior(0.5 if head == first else 0.9))
    assert blind.head == second and blind.trials[0].accuracy == pytest.approx(0.9, abs=0.05)
    assert blind.trials[0].log_loss < blind.trials[1].log_loss
    same = choose(lambda head, x, y: Prior(0.9))
    assert same.head == first
    assert "<- chosen" in str(same) and all(len(line) <= 80 for line in str(same).splitlines())
    data = same.as_data()
    assert data["folds"] == 5 and data["examples"] == 400 and len(data["trials"]) == 2


@pytest.mark.parametrize("confidence", [0.6, 0.99, 0.9999])
def test_temperature_makes_probabilities_what_they_say(confidence):
    """90 % are right. Whatever the head says, its probability becomes 0.9, and no prediction changes."""
    features, labels = noisy(4000, 0.9, np.random.default_rng(2))
    before = Prior(confidence).predict(features)
    temperature, after = fit_temperature(before, labels)
    right = (before.argmax(axis=1) == labels).mean()
    assert after.max(axis=1).mean() == pytest.approx(right, abs=0.01)
    assert (temperature > 1) == (confidence > 0.9) and (after.argmax(axis=1) == before.argmax(axis=1)).all()
    assert log_loss(after, labels) <= log_loss(before, labels)
    np.testing.assert_allclose(after.sum(axis=1), 1, rtol=1e-6)


def test_dividing_the_scores_of_a_dense_layer_is_the_temperature():
    x = np.random.default_rng(3).standard_normal((20, 4)).astype(np.float32)
    model = Sequential([Input((4,)), Dense(3, activation="softmax")])
    before, temperature = model.predict(x, verbose=0), 2.5
    model.layers[-1].set_weights([array / np.float32(temperature) for array in model.layers[-1].get_weights()])
    expected = before ** (1 / temperature)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected / expected.sum(axis=1, keepdims=True), rtol=1e-5)


def test_where_nothing_can_be_chosen_the_first_is_taken_with_a_reason():
    choice = choose_head(list(CANDIDATES), None, np.ones((3, 2)), np.array([0, 0, 1]), np.arange(3), 0)
    assert choice.head == CANDIDATES[0] and choice.temperature == 1 and "too few training images" in str(choice)
    choice = choose_head([CANDIDATES[2]], None, np.ones((3, 2)), np.array([0, 0, 1]), np.arange(3), 0)
    assert choice.head == CANDIDATES[2] and "the only one that fits what was asked for" in str(choice)


def test_what_is_asked_for_is_not_chosen():
    assert candidates() == list(CANDIDATES)
    assert candidates(rows="plain") == [Head("plain", 0.001, 0.1)]
    assert candidates(learning_rate=0.5, label_smoothing=0.2) == [Head("unit", 0.5, 0.2), Head("plain", 0.5, 0.2)]
    assert candidates("unit", 0.5, 0.0) == [Head("unit", 0.5, 0.0)]


def test_many_photographs_are_chosen_on_a_part():
    features, labels = noisy(2500, 0.9, np.random.default_rng(4))
    predict = predicted_by(lambda head, x, y: Prior(0.9))
    choice = choose_head(list(CANDIDATES[:2]), predict, features, labels, np.arange(2500), seed=0)
    assert 800 <= len(choice.labels) <= 1000
    assert abs(choice.labels.mean() - labels.mean()) < 0.01, "stratified"


def test_rows_of_any_size_get_length_1():
    """The square of 1e30 overflows float32, and that of 1e-30 is 0."""
    x = np.array([[3e30, 4e30], [3e-30, 4e-30], [3, 4], [0, 0]], np.float32)
    layer = UnitNormalization()
    np.testing.assert_allclose(layer.forward(x), [[0.6, 0.8], [0.6, 0.8], [0.6, 0.8], [0, 0]], rtol=1e-6)
    gradient = layer.backward(np.ones_like(x))
    assert np.isfinite(gradient).all() and (gradient[3] == 0).all()
    assert (
        check_gradients(UnitNormalization(axis=(1, 2)), np.random.default_rng(5).normal(size=(2, 3, 4, 2))).worst < 1e-7
    )
