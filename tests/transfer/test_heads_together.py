"""The heads of a cross-validation, trained all at once: the same as one model after the other, up to rounding."""

from types import SimpleNamespace

import numpy as np
import pytest

from minitl.errors import DivergedError
from minitl.recipes.head_choice import Head, stratified_folds
from minitl.recipes.heads_together import left_out, left_out_naive

HEADS = [Head("unit", 0.1, 0.0), Head("unit", 0.03, 0.0), Head("plain", 0.1, 0.1)]
USUAL = {
    "batch_size": 8,
    "start": "zeros",
    "schedule": "cosine",
    "warm_up": 0.0,
    "balance": False,
    "class_weights": False,
    "weight_decay": 0.0,
    "l2_sp": 0.0,
    "clip_norm": None,
    "seed": 3,
}


def examples(count, features=9, classes=3):
    """Return features (N, D) of which each class has its own mean, labels of classes of different sizes, and folds."""
    rng = np.random.default_rng(count)
    labels = rng.permutation(np.repeat(np.arange(classes), [count // 2, count // 3, count - count // 2 - count // 3]))
    x = 0.7 * rng.normal(size=(classes, features))[labels] + rng.normal(size=(count, features)) + 2
    return x.astype(np.float32), labels, stratified_folds(labels, np.arange(count), 5, seed=1)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"balance": True, "l2_sp": 1.0},
        *(
            pytest.param(changes, marks=pytest.mark.slow)
            for changes in (
                {"start": "ridge"},
                {"schedule": "constant", "warm_up": 1.5},
                {"schedule": "step", "weight_decay": 2.0, "seed": 4},
                {"clip_norm": 0.05},
                {"class_weights": True},
                {"schedule": "plateau", "batch_size": 1000},
            )
        ),
    ],
)
# Folds of one size, and of two. 33 = 4 * 8 + 1 examples need batches of 9.
@pytest.mark.parametrize("count", [pytest.param(40, marks=pytest.mark.slow), 42])
def test_together_is_one_after_the_other(changes, count):
    settings = SimpleNamespace(**{**USUAL, **changes})
    x, labels, fold = examples(count)
    together = left_out(settings, HEADS, x, labels, 3, fold, 12, verbose=0)
    singly = left_out_naive(settings, HEADS, x, labels, 3, fold, 12)
    assert list(together) == list(singly) == HEADS
    for head in HEADS:
        np.testing.assert_allclose(together[head], singly[head], atol=2e-5)
        assert np.abs(together[head] - 1 / 3).max() > 0.05, "it has learned"


def test_an_example_has_no_part_in_its_own_prediction():
    """Whatever its label is, the prediction is the same to the last bit. The predictions of the other folds are not."""
    settings = SimpleNamespace(**USUAL)
    x, labels, fold = examples(40)
    before = left_out(settings, HEADS, x, labels, 3, fold, 5, verbose=0)
    changed = np.where(fold == 2, (labels + 1) % 3, labels)
    after = left_out(settings, HEADS, x, changed, 3, fold, 5, verbose=0)
    for head in HEADS:
        assert (before[head][fold == 2] == after[head][fold == 2]).all()
        assert (before[head][fold != 2] != after[head][fold != 2]).any()


def test_the_same_heads_come_out_alone_and_among_others():
    settings = SimpleNamespace(**USUAL)
    x, labels, fold = examples(40)
    among = left_out(settings, HEADS, x, labels, 3, fold, 5, verbose=0)
    for head in HEADS:
        alone = left_out(settings, [head], x, labels, 3, fold, 5, verbose=0)[head]
        np.testing.assert_allclose(among[head], alone, atol=1e-6)


def test_a_head_that_diverges_says_so():
    settings = SimpleNamespace(**{**USUAL, "schedule": "constant"})
    x, labels, fold = examples(40)
    heads = [Head("plain", 0.001, 0.0), Head("plain", 1e25, 0.0)]
    with pytest.raises(DivergedError, match="smaller learning rate|learning rate below"):
        left_out(settings, heads, x, labels, 3, fold, 5, verbose=0)
