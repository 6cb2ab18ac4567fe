"""Boxes as kernels: overlap, priors, matching, codes and suppression, by hand and against their loop twins."""

import math
import tracemalloc

import numpy as np
import pytest

from minitl.errors import ArgumentError, DataError, MinitlError, ShapeError
from minitl.kernels import boxes as kernel
from minitl.kernels import suppression
from minitl.kernels.boxes import (
    box_iou,
    box_iou_naive,
    decode_boxes,
    decode_boxes_naive,
    encode_boxes,
    encode_boxes_naive,
    match_boxes,
    match_boxes_naive,
)
from minitl.kernels.priors import prior_boxes, prior_boxes_naive
from minitl.kernels.suppression import (
    non_maximum_suppression,
    non_maximum_suppression_naive,
    suppress_per_class,
    suppress_per_class_naive,
)

SSD300 = {
    "maps": [(38, 38, 8), (19, 19, 16), (10, 10, 32), (5, 5, 64), (3, 3, 100), (1, 1, 300)],
    "sizes": [30, 60, 111, 162, 213, 264, 315],
    "ratios": [[2], [2, 3], [2, 3], [2, 3], [2], [2]],
}


def random_boxes(rng, count, size=12, dtype=np.float32):
    """Return boxes on a coarse grid: many overlap, many IoUs are equal, some boxes have no area."""
    corners = rng.integers(0, size, (count, 2, 2))
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).astype(dtype)  # (B, 4)


# ---- overlap ----


def test_overlap_by_hand():
    boxes = np.array([[0, 0, 4, 2], [0, 0, 4, 4], [1, 1, 1, 3]], np.float32)
    others = np.array([[2, 1, 6, 3], [0, 0, 4, 2], [4, 0, 8, 2], [1, 1, 1, 3]], np.float32)
    expected = [[2 / 14, 1, 0, 0], [4 / 20, 0.5, 0, 0], [0, 0, 0, 0]]  # 4/20: with a pixel more, 9/31; touching: 0
    np.testing.assert_allclose(box_iou(boxes, others), expected, rtol=1e-7)
    assert box_iou(boxes, others).dtype == np.float32 and box_iou(boxes.astype(float), others).dtype == np.float64
    assert box_iou(np.zeros((0, 4)), others).shape == (0, 4) and box_iou(boxes, np.zeros((0, 4))).shape == (3, 0)


def test_boxes_at_the_limits_of_float32_have_an_overlap():
    """Areas of 1e-60 and 1e77 lie beyond float32."""
    for size in (1e-30, 1e38):
        box = np.array([[0, 0, size, size]], np.float32)
        np.testing.assert_allclose(box_iou(box, box * [[1, 1, 1, 0.5]]), 0.5, rtol=1e-6)


def test_overlap_equals_its_twin(rng):
    for dtype in (np.float32, np.float64):
        boxes, others = random_boxes(rng, 40, 9, dtype), rng.normal(size=(30, 4)).astype(dtype).cumsum(axis=1)
        others[:, 2:] = np.maximum(others[:, :2], others[:, 2:])
        for each in (boxes, others):
            found, expected = box_iou(boxes, each), box_iou_naive(boxes, each)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)


# ---- priors ----


def test_the_priors_of_ssd300():
    """8,732 priors; the centre of the last cell of the ten-cell map lies outside the image, at 304 of 300."""
    priors = prior_boxes(**SSD300)
    assert priors.shape == (8732, 4) and priors.dtype == np.float32
    centres = kernel.centre_form(priors)
    np.testing.assert_allclose(centres[0], [4, 4, 30, 30], rtol=1e-6)
    np.testing.assert_allclose(centres[1], [4, 4, math.sqrt(30 * 60)] + [math.sqrt(30 * 60)], rtol=1e-6)
    np.testing.assert_allclose(centres[2], [4, 4, 30 * math.sqrt(2), 30 / math.sqrt(2)], rtol=1e-6)  # lying
    np.testing.assert_allclose(centres[3], [4, 4, 30 / math.sqrt(2), 30 * math.sqrt(2)], rtol=1e-6)
    np.testing.assert_allclose(centres[4], [12, 4, 30, 30], rtol=1e-6)  # the next column, not the next row
    last_of_ten = 38 * 38 * 4 + 19 * 19 * 6 + 10 * 10 * 6 - 1
    np.testing.assert_allclose(centres[last_of_ten], [304, 304, 111 / math.sqrt(3), 111 * math.sqrt(3)], rtol=1e-6)
    np.testing.assert_allclose(centres[-4:, :2], 150)


def test_priors_of_other_images_equal_their_twin():
    for arguments in (
        SSD300,
        {
            "maps": [(30, 40, 8), (4, 5, (60, 64)), (1, 1, (240.0, 320.0))],
            "sizes": [12, 40.5, 90, 200],
            "ratios": [[2], [], [1.5, 4]],
        },
    ):
        found = prior_boxes(**arguments)
        np.testing.assert_allclose(found, prior_boxes_naive(**arguments), rtol=1e-6, atol=1e-5)
    assert len(found) == 30 * 40 * 4 + 4 * 5 * 2 + 6
    np.testing.assert_allclose(kernel.centre_form(found)[30 * 40 * 4 + 2, :2], [96, 30])  # x, y of row 0, column 1
    expected = [[10, 2, 14, 6], [9, 1, 15, 7], [8, 3, 16, 5], [11, 0, 13, 8]]
    np.testing.assert_allclose(prior_boxes([(2, 3, 8)], [4, 9], [[4]])[4:8], expected)


@pytest.mark.parametrize(
    "change",
    [
        {"sizes": [30, 60, 90]}, {"sizes": [60, 30]}, {"sizes": [30, "60"]}, {"ratios": [2]}, {"ratios": [[0.5]]},
        {"ratios": []}, {"maps": [(38, 38)]}, {"maps": [(0, 3, 8)]}, {"maps": [(3, 3, 0)]}, {"maps": []},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_maps_sizes_and_ratios_are_refused(change):
    right = {"maps": [(38, 38, 8)], "sizes": [30, 60], "ratios": [[2]]}
    prior_boxes(**right)
    with pytest.raises(ArgumentError):
        prior_boxes(**{**right, **change})


# ---- matching ----


def boxes_in_a_row(*lengths):
    """Return boxes of these lengths, one unit high, that begin at 0."""
    return np.array([[0, 0, length, 1] for length in lengths], np.float32)


def test_two_boxes_with_the_same_best_prior_both_get_one():
    priors = np.array([[0, 0, 10, 1], [0, 0, 2, 1], [50, 0, 60, 1]], np.float32)
    boxes = boxes_in_a_row(6, 7)  # IoU with prior 0: 0.6 and 0.7; with prior 1: 1/3 and 2/7
    assert match_boxes(boxes, priors).tolist() == [1, 0, -1]
    assert match_boxes(boxes[::-1], priors).tolist() == [0, 1, -1]  # whichever box comes first
    assert match_boxes(boxes, priors[:1]).tolist() == [1]  # there is only one: the better box gets it


def test_every_prior_that_overlaps_enough_gets_its_best_box():
    priors = boxes_in_a_row(10, 9, 5, 4, 2)
    assert match_boxes(boxes_in_a_row(10), priors).tolist() == [0, 0, 0, -1, -1]  # 0.5 is enough
    assert match_boxes(boxes_in_a_row(10), priors, threshold=0.51).tolist() == [0, 0, -1, -1, -1]
    assert match_boxes(boxes_in_a_row(10, 4), priors).tolist() == [0, 0, 1, 1, 1]  # 4/5 is more than 5/10
    assert match_boxes(boxes_in_a_row(10), priors, threshold=0).tolist() == [0] * 5


def test_ties_go_to_the_first_box_and_the_first_prior():
    same = np.array([[0, 0, 2, 2]] * 3, np.float32)
    assert match_boxes(same[:2], same).tolist() == [0, 1, 0]
    assert match_boxes(same, same[:2]).tolist() == [0, 1]


def test_boxes_that_overlap_nothing_get_no_prior():
    priors = boxes_in_a_row(10, 5)
    for box in ([3, 0, 3, 1], [20, 0, 30, 1]):
        assert match_boxes(np.array([box], np.float32), priors, threshold=0).tolist() == [-1, -1]
    assert match_boxes(np.zeros((0, 4)), priors).tolist() == [-1, -1]
    assert match_boxes(priors, np.zeros((0, 4))).shape == (0,)


def test_matching_equals_its_twin(rng):
    """The boxes lie on a coarse grid, so that many IoUs are equal."""
    for case in range(100):
        boxes, priors = random_boxes(rng, rng.integers(0, 9), 6), random_boxes(rng, rng.integers(0, 25), 6)
        for threshold in (0, 0.3, 0.5, 1):
            found = match_boxes(boxes, priors, threshold)
            assert found.tolist() == match_boxes_naive(boxes, priors, threshold).tolist(), case


def test_a_long_chain_of_rivals_takes_as_many_rounds_as_boxes():
    """Each box is nearest to the prior after it, and each prior nearer still to the next box: only the last pair of
    those that are left is the best for both."""
    lengths = np.exp(
        np.cumsum(0.1 - 0.001 * np.arange(40))
    )  # box, prior, box, prior, ...; the IoU is a ratio of lengths
    boxes, priors = boxes_in_a_row(*lengths[::2]), boxes_in_a_row(*lengths[1::2])
    assert match_boxes(boxes, priors).tolist() == list(range(20))
    assert match_boxes(priors, boxes).tolist() == match_boxes_naive(priors, boxes).tolist()


# ---- codes ----


def test_codes_by_hand():
    prior, box = np.array([[10, 10, 30, 30]], np.float32), np.array([[14, 12, 34, 22]], np.float32)
    code = encode_boxes(box, prior)
    np.testing.assert_allclose(code, [[2, -1.5, 0, math.log(0.5) / 0.2]], rtol=1e-6)
    np.testing.assert_allclose(decode_boxes(code, prior), box, rtol=1e-6)
    largest = decode_boxes(np.array([[0, 0, 100, 1000]], np.float32), prior)
    np.testing.assert_allclose(kernel.centre_form(largest), [[20, 20, 20 * 62.5, 20 * 62.5]], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_codes_equal_their_twins_and_come_back(rng, dtype):
    priors = prior_boxes([(3, 4, 30), (2, 2, (45, 60))], [20, 50, 90], [[2], [3]]).astype(dtype)
    start, size = rng.uniform(-20, 100, (2, len(priors), 2)), rng.uniform(1, 90, (2, len(priors), 2))
    boxes = np.concatenate([start, start + size], axis=-1).astype(dtype)  # (2, P, 4)
    codes = encode_boxes(boxes, priors)
    assert codes.dtype == dtype
    np.testing.assert_allclose(codes, encode_boxes_naive(boxes, priors), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(codes[1], encode_boxes(boxes[1], priors))
    decoded = decode_boxes(codes, priors)
    assert decoded.dtype == dtype
    np.testing.assert_allclose(decoded, decode_boxes_naive(codes, priors), rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(decoded, boxes, atol=2e-4 if dtype == np.float32 else 1e-11)
    wild = (10 * codes).astype(dtype)
    np.testing.assert_allclose(decode_boxes(wild, priors), decode_boxes_naive(wild, priors), rtol=1e-5, atol=1e-4)


# ---- suppression ----

CHAIN = np.array([[0, 0, 10, 1], [3, 0, 13, 1], [6, 0, 16, 1]], np.float32)  # IoU 7/13, 4/16, 7/13


def test_only_boxes_that_are_kept_suppress():
    assert non_maximum_suppression(CHAIN, [0.9, 0.8, 0.7]).tolist() == [0, 2]
    assert non_maximum_suppression(CHAIN, [0.7, 0.9, 0.8]).tolist() == [1]
    assert non_maximum_suppression(CHAIN, [0.5, 0.5, 0.5], 0.2).tolist() == [0]  # of equal scores, the first
    assert non_maximum_suppression(CHAIN, [0.1, 0.2, 0.3], 0.6).tolist() == [2, 1, 0]
    assert non_maximum_suppression(CHAIN, [0.1, 0.2, 0.3], 0.6, most=2).tolist() == [2, 1]
    half = boxes_in_a_row(10, 5)
    assert non_maximum_suppression(half, [1, 0], 0.5).tolist() == [0, 1]  # the IoU has to be above the threshold
    assert non_maximum_suppression(np.zeros((0, 4)), []).tolist() == []
    point = np.array([[1, 1, 1, 1]] * 2, np.float32)
    assert non_maximum_suppression(point, [1, 2]).tolist() == [1, 0]


def test_suppression_is_per_class():
    scores = [0.9, 0.8, 0.7]
    assert suppress_per_class(CHAIN, scores, [0, 1, 0]).tolist() == [0, 1, 2]
    assert suppress_per_class(CHAIN, scores, [5, 5, 5]).tolist() == [0, 2]
    assert suppress_per_class(CHAIN, [1, 1, 1], [2, 1, 0], most=2).tolist() == [0, 1]
    assert suppress_per_class(np.zeros((0, 4)), [], []).tolist() == []


@pytest.mark.parametrize("block", [2, 5, 128])
def test_suppression_equals_its_twin(rng, monkeypatch, block):
    """Check random cases with ties of scores and of IoUs, for each size of block."""
    monkeypatch.setattr(suppression, "BLOCK", block)
    for case in range(200):
        count = rng.integers(0, 25)
        boxes, scores = random_boxes(rng, count, 8), rng.integers(0, 12, count).astype(np.float32)
        threshold, most = rng.choice([0, 0.2, 0.25, 0.5, 0.7, 1]), rng.choice([1, 5, 200])
        found = non_maximum_suppression(boxes, scores, threshold, most)
        assert found.tolist() == non_maximum_suppression_naive(boxes, scores, threshold, most).tolist(), case
        classes = rng.integers(-1, 3, count)
        found = suppress_per_class(boxes, scores, classes, threshold, most)
        expected = suppress_per_class_naive(boxes, scores, classes, threshold, most)
        assert found.tolist() == expected.tolist(), case


def test_suppression_of_many_boxes_equals_its_twin(rng):
    """Blocks are full here, and most boxes are suppressed by boxes of earlier blocks."""
    start = rng.uniform(0, 90, (500, 2))
    boxes = np.concatenate([start, start + rng.uniform(5, 40, (500, 2))], axis=1).astype(np.float32)
    scores = rng.random(500)
    for most in (None, 130):
        found = non_maximum_suppression(boxes, scores, 0.4, most)
        assert found.tolist() == non_maximum_suppression_naive(boxes, scores, 0.4, most).tolist()
    assert len(found) == 130


def test_the_memory_of_suppression_stays_small(rng):
    """The IoUs of all pairs of 10,000 boxes would take 800 MB."""
    start = rng.integers(0, 9, (10_000, 2)) * 30 + rng.uniform(0, 2, (10_000, 2))
    boxes, scores = np.concatenate([start, start + 25], axis=1), rng.random(10_000)
    tracemalloc.start()
    kept = non_maximum_suppression(boxes, scores, most=None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(kept) == 81 and peak < 4e6


def test_the_longest_chain_takes_as_many_rounds_as_boxes(rng):
    """Each box overlaps only the next one, so every second one stays; in a random order, as the twin says."""
    start = np.arange(300)[:, None] * 3.0
    boxes = np.concatenate([start, 0 * start, start + 10, 0 * start + 1], axis=1)
    assert non_maximum_suppression(boxes, -np.arange(300), 0.5).tolist() == list(range(0, 300, 2))
    scores = rng.random(300)
    assert non_maximum_suppression(boxes, scores).tolist() == non_maximum_suppression_naive(boxes, scores).tolist()


# ---- errors ----

ONE = np.array([[0, 0, 2, 2]], np.float32)


@pytest.mark.parametrize(
    "wrong, kind, said",
    [
        ([1, 2, 3, 4], ShapeError, r"\(4,\)"),
        ([], ShapeError, r"\(0, 4\)"),
        ([[1, 2, 3]], ShapeError, r"\(1, 3\)"),
        ([[0, 0, 1, 1], [40, 60, 8, 90]], DataError, r"\[1\] is \[40.0, 60.0, 8.0, 90.0\].*width"),
        ([[0, 5, 1, 4]], DataError, "ends before it begins"),
        ([[0, 0, np.nan, 1]], DataError, "finite"),
        ([[0, 0, 1, np.inf]], DataError, "finite"),
        ([["0", "0", "1", "1"]], DataError, "no array of numbers"),
        ([[0, 0, 1, 1], [1, 2]], DataError, "no array of numbers"),
    ],
    ids=str,
)
def test_wrong_boxes_are_refused_by_every_function(wrong, kind, said):
    for call in (
        lambda: box_iou(wrong, ONE),
        lambda: box_iou(ONE, wrong),
        lambda: match_boxes(wrong, ONE),
        lambda: match_boxes(ONE, wrong),
        lambda: encode_boxes(ONE, wrong),
        lambda: non_maximum_suppression(wrong, [1] * len(wrong)),
        lambda: suppress_per_class(wrong, [1] * len(wrong), [1] * len(wrong)),
    ):
        with pytest.raises(kind, match=said):
            call()


@pytest.mark.parametrize(
    "call, kind",
    [
        (lambda: match_boxes(ONE, ONE, threshold=1.5), ArgumentError),
        (lambda: match_boxes(ONE, ONE, threshold=np.nan), ArgumentError),
        (lambda: encode_boxes(np.concatenate([ONE, ONE]), ONE), ShapeError),
        (lambda: encode_boxes(ONE * [[1, 1, 1, 0]], ONE), DataError),  # no height: its code would be minus infinity
        (lambda: encode_boxes(-ONE, ONE), DataError),
        (lambda: encode_boxes(ONE, ONE * [[1, 1, 0, 1]]), DataError),
        (lambda: decode_boxes([0, 0, 0, 0], ONE), ShapeError),
        (lambda: decode_boxes([[0, 0, 0, np.nan]], ONE), DataError),
        (lambda: decode_boxes([[0, 0, 0, 0]], ONE * [[1, 1, 1, 0]]), DataError),
        (lambda: non_maximum_suppression(ONE, [1, 2]), ShapeError),
        (lambda: non_maximum_suppression(ONE, [np.nan]), DataError),
        (lambda: non_maximum_suppression(ONE, ["high"]), DataError),
        (lambda: non_maximum_suppression(ONE, [1], iou_threshold=45), ArgumentError),
        (lambda: non_maximum_suppression(ONE, [1], most=0), ArgumentError),
        (lambda: suppress_per_class(ONE, [1], [0, 1]), ShapeError),
        (lambda: suppress_per_class(ONE, [1], [0.5]), DataError),
    ],
)
def test_other_wrong_arguments_are_refused(call, kind):
    with pytest.raises(MinitlError) as error:
        call()
    assert type(error.value) is kind and len(str(error.value)) > 30
