"""CTC: its sums are those over all paths, impossible labels are refused, and lists are compared by their edits.

What holds for all losses is tested in `test_losses.py` and `test_gradients.py`."""

import math

import numpy as np
import pytest

from minitl import metrics
from minitl.errors import ArgumentError, DataError
from minitl.kernels import log_softmax
from minitl.kernels.ctc import ctc, ctc_gradient, ctc_naive, frames_needed, labellings_naive, merged
from minitl.kernels.ctc_decoding import beam_search
from minitl.layers import Dense, Input
from minitl.losses import CTC, ctc_decode
from minitl.metrics import LabelErrorRate, SequenceAccuracy, edit_distance, error_rate
from minitl.metrics.edit_distance import edit_distance_naive
from minitl.models import Model
from minitl.optimizers import Adam

A_HALF = np.zeros((1, 3, 2))  # logits of three frames: the blank and "a" with 1/2 each


@pytest.mark.parametrize("labels, expected", [([1], -math.log(6 / 8)), ([1, 1], math.log(8)), ([], math.log(8))])
def test_values_known_by_hand(labels, expected):
    """Three frames have 8 paths: 6 give "a" (0.2877), one gives "aa" (2.0794), and one nothing."""
    padded = np.array([[*labels, 0, 0]])
    assert CTC().forward(padded, A_HALF) == pytest.approx(expected, rel=1e-14)


def test_labels_that_need_more_frames_are_refused_by_example():
    """Two frames cannot give "aa": a blank has to stand between. The other example is fine."""
    labels, scores = np.array([[1, 2], [1, 1]]), np.zeros((2, 2, 3))
    message = "example 1 has 2 frames, and its 2 labels need at least 3: .*1 here.*1 of 2 examples"
    with pytest.raises(DataError, match=message):
        CTC().forward(labels, scores)
    with pytest.raises(DataError, match=message):
        CTC().check_labels(labels, (None, 2, 3))
    CTC().check_labels(labels, (None, None, 3))
    assert np.isfinite(CTC().forward(labels, np.zeros((2, 3, 3))))
    weight = np.array([[1, 1, 1], [1, 1, 0]])
    with pytest.raises(DataError, match=message):
        CTC().forward(labels, np.zeros((2, 3, 3)), weight)
    np.testing.assert_array_equal(frames_needed(np.array([[1, 1, 1], [1, 2, 1], [2, 2, 0], [0, 0, 0]])), [5, 3, 3, 0])


def test_the_sums_are_those_over_all_paths(rng):
    """5 frames and 3 classes have 243 paths and 25 lists of labels, whose probabilities add up to 1."""
    z = rng.standard_normal((1, 5, 3)) * 2
    p = np.exp(log_softmax(z))[0]
    found = labellings_naive(p)
    assert len(found) == 25 and sum(found.values()) == pytest.approx(1, rel=1e-14)
    for labels, probability in found.items():
        padded = np.array([[*labels, *[0] * (5 - len(labels))]])
        assert CTC().forward(padded, z) == pytest.approx(-math.log(probability), rel=1e-12)
        assert ctc_naive(p, labels)[0] == pytest.approx(probability, rel=1e-12)
    by_search = {tuple(labels): math.exp(log_p) for labels, log_p in beam_search(np.log(p), 100)}
    assert by_search == pytest.approx(found, rel=1e-12)


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-13), ("float32", 1e-6)])
def test_a_batch_of_unequal_lengths_is_that_of_the_twin(rng, dtype, tolerance):
    """Each example is as it is alone, whatever stands behind its end. Frames that do not count have no gradient."""
    lengths = np.array([9, 4, 6, 1, 7])
    labels = np.array([[3, 3, 1, 2], [1, 2, 0, 0], [2, 2, 2, 0], [0, 0, 0, 0], [1, 3, 1, 3]])
    z = rng.standard_normal((5, 9, 4)).astype(dtype) * 3
    log_p = log_softmax(z)
    losses, alpha = ctc(log_p, labels, lengths)
    gradient = ctc_gradient(log_p, labels, lengths, losses, alpha)
    assert gradient.dtype == dtype
    for n, length in enumerate(lengths):
        p = np.exp(log_softmax(z[n, :length].astype(np.float64)))
        probability, occupancy = ctc_naive(p, [label for label in labels[n] if label])
        assert losses[n] == pytest.approx(-math.log(probability), rel=10 * tolerance)
        np.testing.assert_allclose(occupancy.sum(axis=1), 1, rtol=1e-12)
        np.testing.assert_allclose(gradient[n, :length], p - occupancy, atol=tolerance)
        assert not gradient[n, length:].any()


def test_frames_behind_the_end_do_not_count(rng):
    """Sample weights (N, T) say where an example ends: it has the loss that it has alone, times its weight."""
    labels, z = np.array([[1, 2], [2, 0]]), rng.standard_normal((2, 6, 3))
    weight = np.array([[1, 1, 1, 1, 1, 1], [0.5, 0.5, 0.5, 0, 0, 0]])
    criterion = CTC()
    value, gradient = criterion.forward(labels, z, weight), criterion.backward()
    alone = [CTC().forward(labels[:1], z[:1]), CTC().forward(labels[1:], z[1:, :3])]
    assert value == pytest.approx((alone[0] + 0.5 * alone[1]) / 2, rel=1e-12)
    z[1, 3:] = rng.standard_normal((3, 3))
    assert criterion.forward(labels, z, weight) == value
    np.testing.assert_array_equal(criterion.backward(), gradient)
    assert CTC().forward(labels, z, [1, 0]) == pytest.approx(alone[0] / 2, rel=1e-12)
    for wrong in ([1, 0, 1, 1, 1, 1], [1, 1, 2, 0, 0, 0]):
        with pytest.raises(DataError, match=r"sample weights \(N, T\) of example 1 change within it"):
            CTC().forward(labels, z, np.array([weight[0], wrong]))


def test_what_is_impossible_gives_no_nan():
    """A logit of -inf is a class that cannot be. The loss is inf if the labels need it, and its gradient 0."""
    z = np.zeros((2, 4, 3))
    z[:, :, 2] = -np.inf
    criterion = CTC()
    assert criterion.forward(np.array([[1], [1]]), z) < np.inf and np.isfinite(criterion.backward()).all()
    assert criterion.forward(np.array([[1], [2]]), z) == np.inf
    gradient = criterion.backward()
    assert np.isfinite(gradient).all() and gradient[0].any() and not gradient[1].any()


def test_a_thousand_frames_in_float32(rng):
    """The probability of such a path is below the smallest float64; the gradient keeps its digits."""
    z = rng.standard_normal((1, 1000, 12)) * 3
    labels = rng.integers(1, 12, (1, 40))
    exact, single = CTC(), CTC()
    value = exact.forward(labels, z)
    assert value > 800 and single.forward(labels, z.astype(np.float32)) == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(single.backward(), exact.backward(), atol=1e-6)


WRONG = [
    ([[1, 0, 2]], (1, 4, 3), "example 0 have a 0 between them; 0 is the blank"),
    ([[1, 3]], (1, 4, 3), "run from 1 to 3; the model has 3 outputs, the blank, 0, among them"),
    ([[1, -1]], (1, 4, 3), "run from -1 to 1"),
    ([[1.5]], (1, 4, 3), "whole numbers"),
    ([1, 2], (2, 4, 3), r"expected labels \(N, labels\), padded with 0"),
    ([[1, 2]], (1, 3), r"outputs \(N, frames, classes\)"),
]


@pytest.mark.parametrize("labels, shape, message", WRONG, ids=[message for *_, message in WRONG])
def test_labels_that_cannot_be_right(labels, shape, message):
    with pytest.raises(DataError, match=message):
        CTC().forward(np.array(labels), np.zeros(shape))


# ---- decoding ----


def test_merge_first_then_drop_blanks():
    a, b = 1, 2
    assert merged([b, b, 0, b, a, a]) == [b, b, a]
    assert merged([a, a, a]) == [a]
    assert merged([0, 0]) == merged([]) == []
    assert merged([a, 0, a]) == [a, a]


def test_the_best_path_and_the_best_list_can_differ():
    """The blank has 0.6 in two frames: the best path is empty with 0.36, and three paths give "a" with 0.64."""
    z = np.log(np.array([[[0.6, 0.4], [0.6, 0.4]]]))
    assert ctc_decode(z) == [[]] and ctc_decode(z, beam_width=5) == [[1]]
    ((best, log_p), *_) = beam_search(z[0], 5)
    assert best == [1] and math.exp(log_p) == pytest.approx(0.64)


def test_decoding_ends_where_an_example_ends(rng):
    z = rng.standard_normal((3, 7, 4)) * 3
    for width in None, 8:
        for n, length in enumerate([7, 2, 0]):
            assert ctc_decode(z, [7, 2, 0], width)[n] == ctc_decode(z[n : n + 1, :length], beam_width=width)[0]
    with pytest.raises(DataError, match="at most 7"):
        ctc_decode(z, [7, 8, 0])
    with pytest.raises(DataError, match="expected .N, frames, classes."):
        ctc_decode(z[0])
    with pytest.raises(ArgumentError, match="beam_width is 0"):
        ctc_decode(z, beam_width=0)


@pytest.mark.parametrize("width", [1, 2, 4])
def test_a_narrow_search_finds_no_more_than_there_is(rng, width):
    """Dropped beginnings take their paths with them: no probability is above the exact one."""
    for _ in range(20):
        p = rng.dirichlet(np.ones(3), 4)
        exact = labellings_naive(p)
        for labels, log_p in beam_search(np.log(p), width):
            assert math.exp(log_p) <= exact[tuple(labels)] * (1 + 1e-12)


# ---- error rates ----


def test_the_edit_distance_is_that_of_the_definition(rng):
    for _ in range(200):
        right, found = (rng.integers(3, size=rng.integers(6)).tolist() for _ in range(2))
        assert edit_distance(right, found) == edit_distance_naive(right, found) == edit_distance(found, right)
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance(["two", "one"], ["two", "two", "one"]) == 1


def test_the_error_rate_of_a_set_is_summed():
    """A missed clip of one word and nine right words are 1 error of 10 words, not half of two clips."""
    right = [["yes"], "one two three four five six seven eight nine".split()]
    assert error_rate(right, [[], right[1]]) == pytest.approx(0.1)
    assert error_rate(right, [["a", "b", "c"], []]) == pytest.approx(1.2), "what is too much counts as well"
    with pytest.raises(DataError, match="2 right lists and 1 found"):
        error_rate(right, right[:1])
    with pytest.raises(DataError, match="no labels"):
        error_rate([[]], [[1]])


def test_metrics_decode_what_counts():
    """The blank separates: a, a, -, a is "aa". Frames of weight 0 are not read, and neither are such examples."""
    z = np.eye(3)[np.array([[1, 1, 0, 1], [2, 0, 1, 1], [1, 1, 1, 1]])]
    labels = np.array([[1, 1], [2, 0], [2, 2]])
    rate, whole = LabelErrorRate(), SequenceAccuracy()
    for metric, expected in (rate, (0 + 1 + 2) / 5), (whole, 1 / 3):
        metric.update(labels, z)
        assert metric.result() == pytest.approx(expected)
        metric.reset()
        metric.update(labels, z, np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]]))
        assert metric.result() == (1 if metric is whole else 0)
        metric.reset()
        metric.update(labels, z, np.array([0, 1, 0]))
        assert metric.result() == (0 if metric is whole else 1)
    assert type(metrics.of_output("accuracy", CTC())[1]) is SequenceAccuracy
    with pytest.raises(DataError, match="cannot compare labels"):
        rate.update(np.array([1, 2]), z)


def test_a_network_learns_lists_without_their_places(rng):
    """Frames are noisy one-hot rows; each label lasts for one to three frames, and silence lies between."""
    x, y = np.zeros((60, 15, 4), np.float32), np.zeros((60, 3), int)
    for n in range(60):
        place = 0
        for k, label in enumerate(rng.integers(1, 4, 1 + n % 3)):
            place += rng.integers(1, 3)
            lasts = rng.integers(1, 4)
            x[n, place : place + lasts, label] = 1
            y[n, k], place = label, place + lasts
        x[n, x[n].sum(axis=-1) == 0, 0] = 1
    frames = Input((15, 4))
    model = Model(frames, Dense(4)(frames))
    model.compile(Adam(0.1), "ctc", metrics=["accuracy", LabelErrorRate()])
    history = model.fit(x, y, batch_size=20, epochs=25, verbose=0).history
    assert history["loss"][-1] < 0.1 * history["loss"][0]
    loss, accuracy, rate = model.evaluate(x, y, verbose=0)
    assert accuracy > 0.95 and rate < 0.05 and loss < 1
    assert ctc_decode(model.predict(x[:5], verbose=0)) == [[label for label in row if label] for row in y[:5]]
