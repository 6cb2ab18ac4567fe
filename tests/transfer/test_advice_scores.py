"""The advice: scores against their definitions, the ranking's rules, the costs' sums, and the choice under limits."""

import numpy as np
import pytest

from minitl import transfer
from minitl.applications import NETWORKS, cuts
from minitl.errors import DataError
from minitl.graph.summary import flops
from minitl.initializers import weights_will_be_loaded
from minitl.layers import BatchNormalization, Conv2D, Dense, Flatten, GlobalAveragePooling2D, Input, MaxPooling2D
from minitl.models import Model
from minitl.recipes import advice
from minitl.recipes.advice import costs, plans, scores
from minitl.recipes.evaluation import paired_interval
from minitl.training import ridge_head


def made_up(rng, n, d, classes=3, signal=1.0):
    """Return features (n, d) of which the first few tell the classes apart, and labels."""
    labels = np.arange(n) % classes
    features = rng.normal(size=(n, d)) * np.geomspace(1, 5, d)
    features[:, : min(classes, d)] += signal * np.eye(classes)[labels][:, : min(classes, d)]
    return features, labels


# ---- scores ----


def log_likelihood(features, y, alpha, beta):
    """Return log N(y; 0, I/beta + F F^T/alpha), as it is written."""
    covariance = np.eye(len(y)) / beta + features @ features.T / alpha
    _, log_determinant = np.linalg.slogdet(covariance)
    return -0.5 * (len(y) * np.log(2 * np.pi) + log_determinant + y @ np.linalg.solve(covariance, y))


def largest_evidence(features, y):
    """Search alpha and beta in the whole range, then ever closer to the best."""
    centre, width, best = np.array([0.0, 0.0]), 12.0, -np.inf
    for _ in range(8):
        steps = np.linspace(-width, width, 13)
        tried = [(log_likelihood(features, y, *np.exp(centre + (a, b))), a, b) for a in steps for b in steps]
        best, a, b = max(tried)
        centre, width = centre + (a, b), width / 3
    return best


@pytest.mark.parametrize("n, d, signal", [(21, 4, 3.0), (12, 30, 2.0), (15, 15, 4.0)])
def test_logme_is_the_largest_evidence(rng, n, d, signal):
    features, labels = made_up(rng, n, d, signal=signal)
    expected = np.mean([largest_evidence(features, (labels == k) * 1.0) for k in range(3)]) / n
    assert advice.logme(features, labels) == pytest.approx(expected, abs=2e-4)


def test_the_example_of_logme_has_the_numbers_of_its_docstring():
    features, labels = np.array([[4.0, -1], [4, 2], [-2, 2]]), np.array([0, 0, 1])
    left, s = np.array([[2.0, -1], [2, 2], [-1, 2]]) / 3, np.array([6.0, 3])
    assert np.allclose(left * s, features) and np.allclose(left.T @ left, np.eye(2))
    y, unit = np.array([1.0, 1, 0]), 45 / 2  # the mean of s^2, in which the docstring's alpha is measured
    for alpha, beta, expected in (1, 1, -3.8399), (2.0320, 4.8723, -2.8101), (1.5252, 10.2636, -2.6496):
        assert log_likelihood(features, y, alpha * unit, beta) == pytest.approx(expected, abs=6e-5)
    evidence = [scores._evidence(s**2 / unit, left.T @ y, y @ y, 3) for y in (y, 1 - y)]
    assert evidence == pytest.approx([-2.6496, -2.6089], abs=6e-5)
    assert advice.logme(features, labels) == pytest.approx(-0.8764, abs=6e-5)


def test_the_update_of_logme_sets_both_derivatives_of_the_evidence_to_zero():
    """Follow the docstring of `logme`: gamma, m and the error give the derivatives, and the first update."""
    features, y, alpha, beta = np.array([[4.0, -1], [4, 2], [-2, 2]]) / np.sqrt(22.5), np.array([1.0, 1, 0]), 1.0, 1.0
    for step in range(200):
        m = np.linalg.solve(alpha * np.eye(2) + beta * features.T @ features, beta * features.T @ y)
        squares = np.linalg.svd(features, compute_uv=False) ** 2
        gamma, error = (beta * squares / (alpha + beta * squares)).sum(), ((y - features @ m) ** 2).sum()
        by_formula = (gamma / alpha - m @ m) / 2, ((len(y) - gamma) / beta - error) / 2
        h = 1e-6
        measured = [
            (log_likelihood(features, y, alpha + a, beta + b) - log_likelihood(features, y, alpha - a, beta - b))
            / 2
            / h
            for a, b in ((h, 0), (0, h))
        ]
        assert by_formula == pytest.approx(measured, abs=1e-8)
        alpha, beta = gamma / (m @ m), (len(y) - gamma) / error
        if step == 0:
            assert [gamma, m @ m, error, alpha, beta] == pytest.approx(
                [0.9011, 0.4435, 0.4308, 2.0320, 4.8723], abs=6e-5
            )
            assert np.abs(m) == pytest.approx([0.6487, 0.1506], abs=6e-5)
    assert [alpha, beta, gamma] == pytest.approx([1.5252, 10.2636, 1.6441], abs=6e-5)
    assert by_formula == pytest.approx((0, 0), abs=1e-8)


@pytest.mark.parametrize("n, d", [(30, 5), (12, 40)])
def test_logme_does_not_care_how_features_are_turned_or_scaled(rng, n, d):
    features, labels = made_up(rng, n, d)
    turned = features @ np.linalg.qr(rng.normal(size=(d, d)))[0]
    assert advice.logme(turned, labels) == pytest.approx(advice.logme(features, labels), abs=1e-7)
    assert advice.logme(1e4 * features, labels) == pytest.approx(advice.logme(features, labels), abs=1e-7)
    assert advice.h_score(turned, labels) == pytest.approx(advice.h_score(features, labels), rel=1e-9)


def h_score_as_defined(features, labels, shrinkage):
    n, d = features.shape
    centred = features - features.mean(axis=0)
    covariance = centred.T @ centred / n
    between = np.zeros((d, d))
    for k in np.unique(labels):
        mean = centred[labels == k].mean(axis=0)
        between += (labels == k).mean() * np.outer(mean, mean)
    mixed = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / d * np.eye(d)
    return np.trace(np.linalg.pinv(mixed, rcond=1e-10, hermitian=True) @ ((1 - shrinkage) * between))


def ledoit_wolf(features):
    """Return the shrinkage of Ledoit & Wolf 2004, lemma 3.2 to 3.4, image by image."""
    n, d = features.shape
    centred = features - features.mean(axis=0)
    covariance = centred.T @ centred / n
    target = np.trace(covariance) / d * np.eye(d)
    noise = sum(((np.outer(x, x) - covariance) ** 2).sum() for x in centred) / n**2
    return min(1.0, noise / ((covariance - target) ** 2).sum())


@pytest.mark.parametrize("n, d", [(40, 6), (12, 25)])
@pytest.mark.parametrize("shrinkage", [0, 0.3, None])
def test_h_score_by_its_definition(rng, n, d, shrinkage):
    features, labels = made_up(rng, n, d)
    expected = h_score_as_defined(features, labels, ledoit_wolf(features) if shrinkage is None else shrinkage)
    assert advice.h_score(features, labels, shrinkage) == pytest.approx(expected, rel=1e-8)


def test_h_score_does_not_care_for_invertible_maps(rng):
    features, labels = made_up(rng, 50, 6)
    mapped = features @ (rng.normal(size=(6, 6)) + 3 * np.eye(6)) + 7
    assert advice.h_score(mapped, labels, 0) == pytest.approx(advice.h_score(features, labels, 0), rel=1e-8)


def test_leep_by_loops(rng):
    n, old, new = 17, 5, 3
    probabilities = rng.dirichlet(np.full(old, 0.3), size=n)
    labels = np.arange(n) % new
    joint = np.zeros((new, old))
    for i in range(n):
        for z in range(old):
            joint[labels[i], z] += probabilities[i, z] / n
    expected = 0.0
    for i in range(n):
        right = sum(joint[labels[i], z] / joint[:, z].sum() * probabilities[i, z] for z in range(old))
        expected += np.log(right) / n
    assert advice.leep(probabilities, labels) == pytest.approx(expected, rel=1e-10)
    assert advice.leep(np.eye(3)[labels], labels) == 0, "old classes that are the new ones"
    assert advice.leep(np.full((n, old), 1 / old), labels) < np.log(0.36), "old classes that say nothing"


@pytest.mark.parametrize("score", [advice.logme, advice.h_score])
def test_better_features_score_higher(rng, score):
    found = [score(*made_up(np.random.default_rng(3), 60, 20, signal=signal)) for signal in (0, 2, 8)]
    assert found == sorted(found) and found[0] < found[1] < found[2]


@pytest.mark.parametrize("score", [advice.logme, advice.h_score])
def test_scores_of_what_is_hardly_data(rng, score):
    features, labels = made_up(rng, 12, 30)
    for odd in (
        np.zeros_like(features),
        np.ones_like(features),
        np.repeat(features[:, :1], 30, axis=1),  # thirty times the same feature
        np.repeat(features[:4], 3, axis=0),  # the same image in every class
        np.concatenate([features, features])[::2],
        np.eye(3)[labels],  # perfect: no error at all
        np.concatenate([np.eye(3)[labels], np.zeros((12, 30))], axis=1),
    ):
        assert np.isfinite(score(odd, labels))
    large = (15_000 * np.abs(features)).astype(np.float32)
    assert score(large, labels) == pytest.approx(score(large.astype(np.float64) / 15_000, labels), rel=1e-4)
    assert score(1e12 * large, labels) == pytest.approx(score(large, labels), rel=1e-4), "squares leave float32"
    assert score(features, labels * 7) == pytest.approx(score(features, labels)), "classes without examples"


@pytest.mark.parametrize(
    "features, labels, message",
    [
        (np.ones((4, 2)), np.zeros(4, int), "expected two or more"),
        (np.ones((4, 2)), np.array([0, 1, 1]), "expected (N, D) and integers (N,)"),
        (np.ones((4, 2)), np.array([0.0, 1, 1, 1]), "expected (N, D) and integers (N,)"),
        (np.ones((0, 2)), np.zeros(0, int), "expected (N, D) and integers (N,)"),
        (np.full((2, 2), np.nan), np.array([0, 1]), "NaN or infinity"),
    ],
)
def test_what_has_no_score(features, labels, message):
    for score in advice.logme, advice.h_score, advice.leep:
        with pytest.raises(DataError) as error:
            score(features, labels)
        assert message in str(error.value)


# ---- judging ----


@pytest.mark.parametrize("n, d", [(24, 6), (15, 40)])
def test_the_ridge_heads_left_out_scores_are_those_of_heads_made_without_each(rng, n, d):
    """Strength and normalization come from all examples. Each example is then left out of the regression by itself."""
    features, labels = made_up(rng, n, d)
    head = ridge_head(features, labels)
    x = (features - features.mean(axis=0)) / np.sqrt(features.var(axis=0) + 1e-3)
    targets = np.eye(3)[labels]
    for i in range(n):
        others = np.arange(n) != i
        a, b = x[others] - x[others].mean(axis=0), targets[others] - targets[others].mean(axis=0)
        w = np.linalg.solve(a.T @ a + head.strength * np.eye(d), a.T @ b)
        expected = (x[i] - x[others].mean(axis=0)) @ w + targets[others].mean(axis=0)
        assert np.allclose(head.left_out[i], expected, atol=1e-6)
    assert head.accuracy == np.mean(head.left_out.argmax(axis=1) == labels)


def test_a_paired_interval():
    right, other = np.zeros(50, bool), np.zeros(50, bool)
    right[:30], other[:20], other[30:35] = True, True, True  # 10 are right with the first alone, 5 with the other
    difference, low, high = paired_interval(right, other)
    centre, spread = 5 / 52, 1.96 * np.sqrt((16 / 52 - (5 / 52) ** 2) / 52)
    assert (difference, low, high) == pytest.approx((0.1, centre - spread, centre + spread))
    rng, covered = np.random.default_rng(0), 0
    for _ in range(1000):  # accuracies 0.85 and 0.80, and most mistakes in common
        easy = rng.random(120) < 0.7
        right, other = easy | (rng.random(120) < 0.5), easy | (rng.random(120) < 1 / 3)
        _, low, high = paired_interval(right, other)
        covered += low <= 0.05 <= high
    assert 930 <= covered <= 985


def cut(name, right, sure=0.9, logme=0.0):
    right = np.array(right, bool)
    return advice.CutScores(name, 10, logme, 0.0, None, right, np.log(np.where(right, sure, 1 - sure)))


def test_a_cut_that_separates_perfectly_comes_first(rng):
    labels = np.arange(60) % 3
    noise = rng.normal(size=(60, 20))
    perfect = np.concatenate([5 * np.eye(3)[labels] + 0.1 * rng.normal(size=(60, 3)), noise[:, :5]], axis=1)
    half = noise + 0.6 * np.eye(3, 20)[labels]
    judged = [advice.judge(name, features, labels, 3) for name, features in
              (("nothing", noise), ("perfect", perfect), ("half", half))]  # fmt: skip
    ranking = advice.rank(judged, [1, 3, 2])
    assert [each.name for each in ranking.order] == ["perfect", "half", "nothing"]
    assert ranking.order[0].accuracy == 1 and ranking.equals == ["perfect"] and ranking.advised.name == "perfect"
    assert max(judged, key=lambda each: each.logme).name == max(judged, key=lambda each: each.h_score).name == "perfect"


def test_what_cannot_be_told_apart_is_decided_by_its_price():
    dear, cheap = cut("dear", [1] * 81 + [0] * 19), cut("cheap", [0] + [1] * 80 + [0] * 19)
    assert advice.rank([cheap, dear], [1, 2]).equals == ["dear", "cheap"]
    assert advice.rank([cheap, dear], [1, 2]).advised is cheap
    assert advice.rank([cheap, dear], [1.95, 2]).advised is dear, "hardly cheaper"
    assert advice.rank([cheap, dear], [3, 2]).advised is dear
    worse = cut("worse", [0] * 25 + [1] * 56 + [0] * 19)
    assert advice.rank([worse, dear], [1, 2]).advised is dear, "25 images are more than chance"
    right = [1] * 95 + [0] * 5
    dear, unsure = cut("dear", right, logme=1), cut("unsure", right, sure=0.6)
    assert advice.rank([unsure, dear], [1, 2]).advised is dear, "as often right, but less sure of it"
    assert advice.rank([cut("a", [1, 0]), cut("b", [0, 1], logme=1)], [1, 1]).order[0].name == "b", "equal: by LogME"


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_can_be_cut_where_it_says(name):
    application = NETWORKS[name]
    with weights_will_be_loaded():
        base = application.build(weights=None, include_top=False, input_shape=(96, 96, 3))
    ends = cuts(name)
    assert base.output.layer.name == ends[-1]
    lengths = [len(transfer.remove_layers(base, end).layers) for end in ends]
    assert lengths == sorted(lengths) and len(ends) == len(application.fine_tuning) + 1
    model = advice.features_at(base, ends, GlobalAveragePooling2D)
    assert model.output_shape[1] == sum(base.output_of(end).shape[-1] for end in ends)


# ---- costs ----


@pytest.fixture
def small():
    """Build two blocks, the second one with a normalization."""
    x = images = Input((16, 16, 3))
    x = Conv2D(8, 3, padding="same", activation="relu", name="a1")(x)
    x = MaxPooling2D(2, name="a")(x)
    x = Conv2D(12, 3, padding="same", name="b1")(x)
    x = BatchNormalization(name="b2")(x)
    x = Conv2D(4, 1, name="b3")(x)
    return Model(images, MaxPooling2D(2, name="b")(x))


def test_features_of_all_cuts_at_once(small, rng):
    images = rng.normal(size=(5, 16, 16, 3)).astype(np.float32)
    for flat in GlobalAveragePooling2D, Flatten:
        model = advice.features_at(small, ["a", "b"], flat)
        found, rest = advice.split_by_cut(model.predict(images, verbose=0), small, ["a", "b"], flat)
        assert rest is None and list(found) == ["a", "b"]
        for name, features in found.items():
            maps = transfer.remove_layers(small, name).predict(images, verbose=0)
            expected = maps.mean(axis=(1, 2)) if flat is GlobalAveragePooling2D else maps.reshape(5, -1)
            assert np.allclose(features, expected, atol=1e-5)


def test_features_and_old_classes_at_once(small, rng):
    images = rng.normal(size=(5, 16, 16, 3)).astype(np.float32)
    whole = transfer.replace_head(small, [Flatten(), Dense(7, activation="softmax")])
    rows = advice.features_at(whole, ["a", "b"], GlobalAveragePooling2D, with_output=True).predict(images, verbose=0)
    found, old = advice.split_by_cut(rows, whole, ["a", "b"], GlobalAveragePooling2D)
    assert found["b"].shape == (5, 4) and np.allclose(old, whole.predict(images, verbose=0), atol=1e-6)


def test_blocks_are_measured_and_left_as_they_were(small, rng):
    images = rng.normal(size=(8, 16, 16, 3)).astype(np.float32)
    transfer.freeze(small)
    before = transfer.frozen_digest(small)
    a, b = advice.measure_blocks(small, ["a", "b"], images, learning=["b"], rounds=2)
    assert transfer.frozen_digest(small) == before, "nothing has moved, and all is frozen"
    assert (a.name, b.name) == ("a", "b") and a.flops + b.flops == flops(small)
    assert a.step is None and 0 < b.forward < b.step_seconds(32, is_first=False) < 5
    assert b.step_seconds(32, True) <= b.step_seconds(32, False)
    # b's backward products: 9 * 8 * 12 + 12 * 4 for the kernels and as many for the inputs. b1's input has 9 * 8 * 12.
    assert b.first_share == pytest.approx(864 / (2 * (864 + 48)))
    assert 8 * 16 * 16 * 8 * 4 <= a.forward_bytes <= b.forward_bytes < 50e6
    assert max(a.kept_bytes, b.kept_bytes) < 1e5, "no kernel was worth a transform"


def test_bytes_of_a_training_step_grow_with_the_batch(rng):
    x = images = Input((16, 16, 3))
    for number in range(3):
        x = Conv2D(16, 3, padding="same", activation="relu", name=f"c{number}")(x)
    model = Model(images, Dense(2, activation="softmax")(GlobalAveragePooling2D()(x)))
    model.compile("sgd", "categorical_crossentropy")
    pixels = rng.normal(size=(8, 16, 16, 3)).astype(np.float32)
    small, large = (costs.step_bytes(model, pixels, size) for size in (8, 64))
    kept = 3 * 16 * 16 * 16 * 4  # what an image leaves in three layers
    assert 56 * kept <= large - small <= 8 * 56 * kept


def test_a_line_through_two_measurements():
    assert costs.line_through(4, 1.4, 16, 2.6) == pytest.approx((1.0, 0.1))
    assert costs.line_through(4, 1.0, 16, 8.0) == pytest.approx((0.0, 0.5)), "not below 0 at no images"
    assert costs.line_through(4, 2.0, 16, 1.0) == pytest.approx((2.0, 0.0)), "noise"


# ---- plans ----

BLOCKS = [
    advice.Block("a", 10, 0.01, None, 0.5, 1000, 10),
    advice.Block("b", 10, 0.02, None, 0.5, 1500, 30),
    advice.Block("c", 10, 0.03, (0.5, 0.07), 0.25, 1500, 40),
    advice.Block("d", 10, 0.04, (0.2, 0.10), 0.5, 1600, 60),
]
TASK = plans.Task(
    train=100, val=20, batch_size=32, epochs=10, tune_epochs=2, start=3.0, reading=0.01, threads=2, bytes=5000
)


def test_the_time_of_a_head():
    plan = plans.head_plan(TASK, BLOCKS[:2], ["x"], head_epoch=0.1)
    assert plan.first_pass == pytest.approx(3 + 120 * (0.01 + 0.02 + 0.005)) and plan.stage_1 == pytest.approx(1.0)
    assert (plan.cut, plan.unfreeze, plan.stage_2, plan.peak_bytes) == ("b", None, 0, 5000 + 1500)
    assert plans.head_plan(TASK, BLOCKS[:2], [], 0.1, head_bytes=9000).peak_bytes == 5000 + 30 + 9000


def test_the_time_of_blocks_that_learn():
    plan = plans.blocks_plan(TASK, BLOCKS, "c", 2, ["x"], head_epoch=0.1, step_bytes=7000)
    assert plan.first_pass == pytest.approx(3 + 120 * (0.10 + 0.005)), (
        "the learning blocks, too, for the head to begin on"
    )
    # Four batches of 25 images. In c, the first part that learns, a quarter of the backward products is left out.
    step = 0.5 + 25 * (0.07 - 0.25 * 0.04) + 0.2 + 25 * 0.10
    assert plan.stage_2 == pytest.approx(2 * 4 * step + 4 * 20 * (0.03 + 0.04))
    assert plan.peak_bytes == 5000 + 30 + 7000 and plan.unfreeze == "c"


def a_plan(name, seconds, count, unfreeze=None):
    return plans.Plan(name, unfreeze, (name,), seconds, 0.0, 0.0, count)


def test_the_choice_under_limits():
    best, good, poor = a_plan("best", 100, 900), a_plan("good", 50, 500), a_plan("poor", 10, 700)
    ordered = [best, good, poor]
    assert plans.choose(ordered) == (best, True)
    assert plans.choose(ordered, most_seconds=60) == (good, True)
    assert plans.choose(ordered, most_seconds=60, most_bytes=600) == (good, True)
    assert plans.choose(ordered, most_seconds=20) == (poor, True)
    assert plans.choose(ordered, most_seconds=5) == (poor, False), "the fastest"
    assert plans.choose(ordered, most_seconds=20, most_bytes=600) == (good, False), "the fastest there is memory for"
    assert plans.choose(ordered, most_bytes=100) == (good, False), "the smallest"


def test_the_order_of_plans():
    first, second = cut("d", [1, 1, 1]), cut("c", [1, 0, 0])
    heads = [a_plan("c", 1, 1), a_plan("d", 2, 1)]
    blocks = [a_plan("d", 3, 1, "last"), a_plan("d", 4, 1, "last two")]
    ranking = advice.Ranking([first, second], [(0, 0, 0)] * 2, ["d"], first)
    names = [(plan.cut, plan.unfreeze) for plan in plans.in_order(heads + blocks, ranking, 50)]
    assert names == [("d", None), ("c", None), ("d", "last"), ("d", "last two")], "few images: a frozen base"
    assert plans.in_order(heads + blocks, ranking, 500)[0].unfreeze == "last"
    early = ranking._replace(advised=second)
    assert plans.in_order(heads + blocks, early, 500)[0].cut == "c", "blocks that are cut off cannot be unfrozen"
