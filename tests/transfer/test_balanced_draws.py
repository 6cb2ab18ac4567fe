"""Balanced draws: all classes come equally often, the same ones for the same seed, also after a stop."""

import numpy as np
import pytest

from minitl.data.balanced import BalancedDraws, balanced
from minitl.layers import Dense
from minitl.models import Sequential
from minitl.recipes import PhotographSettings, SettingError, TextSettings
from minitl.recipes.evaluation import Evaluation
from minitl.recipes.head_choice import CANDIDATES
from minitl.recipes.head_training import trained_head
from minitl.training import BackupAndRestore, LambdaCallback
from minitl.utils import set_random_seed

UNEVEN = np.repeat([0, 1, 2], [40, 9, 2])  # labels of 51 examples


def draws_of(labels, seed=0):
    """Return the positions that an epoch draws."""
    return BalancedDraws(np.zeros((len(labels), 1)), labels).order_for(8, np.random.default_rng(seed))


@pytest.mark.parametrize("labels", [UNEVEN, np.repeat([0, 3], [1, 30]), np.zeros(7, int), np.repeat([2, 1], [5, 6])])
def test_an_epoch_has_equally_many_draws_of_each_class(labels):
    draws = draws_of(labels)
    assert len(draws) == len(labels)
    counts = np.bincount(labels[draws])[np.unique(labels)]
    assert counts.max() - counts.min() <= 1
    for label in np.unique(labels):  # no example is drawn twice more than another of its class
        times = np.bincount(draws[labels[draws] == label], minlength=len(labels))[labels == label]
        assert times.max() - times.min() <= 1


def test_draws_follow_from_the_seed_and_are_mixed():
    assert np.array_equal(draws_of(UNEVEN), draws_of(UNEVEN)) and not np.array_equal(
        draws_of(UNEVEN), draws_of(UNEVEN, 1)
    )
    labels = UNEVEN[draws_of(UNEVEN)]
    assert all(len(set(labels[first : first + 17].tolist())) == 3 for first in (0, 17, 34))


def test_a_pass_without_training_takes_each_example_once():
    x = np.arange(51.0)[:, None]
    source = balanced(x, UNEVEN)
    assert np.array_equal(source.order_for(8), np.arange(51)) and np.array_equal(source.read(slice(3, 6)), x[3:6])
    assert source.shape == (51, 1) and not source.is_augmented
    assert source.digest != balanced(x + 1, UNEVEN).digest
    first, second = balanced((x, x), UNEVEN)
    assert isinstance(first, BalancedDraws) and second is x


def model_for(x):
    """Return a compiled classifier of three classes, always with the same first values."""
    set_random_seed(3)
    model = Sequential([Dense(3, activation="softmax", input_shape=x.shape[1:])])
    model.compile("sgd", loss="sparse_categorical_crossentropy")
    return model


def test_a_stopped_training_goes_on_with_the_same_draws(rng, tmp_path):
    x = rng.normal(size=(51, 4)).astype(np.float32)
    whole = model_for(x)
    whole.fit(balanced(x, UNEVEN), UNEVEN, batch_size=8, epochs=3, verbose=0)

    class Killed(Exception):
        pass

    def kill(batch, logs):
        if batch == 3 and model.history.epoch:
            raise Killed

    model = model_for(x)
    callbacks = [BackupAndRestore(tmp_path, save_freq=2), LambdaCallback(on_train_batch_end=kill)]
    with pytest.raises(Killed):
        model.fit(balanced(x, UNEVEN), UNEVEN, 8, 3, 0, callbacks)
    model = model_for(x)
    model.fit(balanced(x, UNEVEN), UNEVEN, 8, 3, 0, [BackupAndRestore(tmp_path, save_freq=2), LambdaCallback()])
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), whole.get_weights()))
    plain = model_for(x)
    plain.fit(x, UNEVEN, 8, 3, 0)
    assert not np.allclose(plain.get_weights()[0], whole.get_weights()[0])


@pytest.mark.slow
def test_a_head_finds_more_of_a_rare_class(rng):
    """Two overlapping clouds of 300 and 20 examples: the best plain head calls nearly all of them the large one."""
    labels = np.repeat([0, 1], [300, 20])
    x = (rng.normal(size=(320, 2)) + 1.0 * labels[:, None]).astype(np.float32)
    recalls = {}
    for name in "plain", "balance", "class_weights":
        settings = PhotographSettings(head="plain", **({} if name == "plain" else {name: True})).settled()
        head = trained_head(settings, CANDIDATES[-1], x, labels, 2, 30)
        recalls[name] = Evaluation(labels, head.predict(x, verbose=0), ["many", "few"]).recall
    assert recalls["plain"][1] < 0.5 < recalls["balance"][1] and recalls["balance"][0] > 0.5
    assert abs(recalls["balance"][1] - recalls["class_weights"][1]) < 0.25, "both ways make up for the sizes"


@pytest.mark.parametrize("kind", [PhotographSettings, TextSettings])
def test_both_ways_at_once_are_refused(kind):
    with pytest.raises(SettingError, match="balance and class_weights would both make up for rare classes"):
        kind(balance=True, class_weights=True).settled()
    assert kind(balance=1).settled().balance is True


def test_balanced_accuracy_stands_beside_the_accuracy_where_classes_differ():
    labels = np.repeat([0, 1], [8, 2])
    probabilities = np.tile([0.9, 0.1], (10, 1))  # all are called the large class
    uneven = Evaluation(labels, probabilities, ["many", "few"])
    assert uneven.accuracy == 0.8 and uneven.balanced_accuracy == 0.5
    assert "balanced accuracy 0.500" in str(uneven) and uneven.as_data()["balanced_accuracy"] == 0.5
    even = Evaluation(labels[3:], probabilities[3:], ["many", "few"])
    assert "balanced accuracy" in str(even), "5 and 2"
    even = Evaluation(labels[5:], probabilities[5:], ["many", "few"])
    assert "balanced accuracy" not in str(even) and even.as_data()["balanced_accuracy"] == 0.5
