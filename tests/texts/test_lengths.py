"""Padding is at the end, the mask says what is real, and batches of equal lengths hold little padding."""

import numpy as np
import pytest
from conftest import shared

from minitl.data.text.lengths import batches_by_length, pad, pad_naive, padding_share
from minitl.errors import ArgumentError, DataError, DataWarning, ShapeError


def test_a_batch_by_hand():
    tokens, mask, dropped = pad([[5, 8, 2], [7], []])
    assert tokens.tolist() == [[5, 8, 2], [7, 0, 0], [0, 0, 0]] and tokens.dtype == np.int32
    assert mask.tolist() == [[True, True, True], [True, False, False], [False] * 3] and dropped == 0
    assert pad([]).tokens.shape == (0, 0) and pad([[]]).tokens.shape == (1, 0)


def test_what_has_no_room_is_counted_and_said():
    """Seven words and a limit of four: three are dropped. The figure is FIELDS' smallest case."""
    with pytest.warns(DataWarning, match="1 sequence longer than 4 lost the end, 3 tokens in all"):
        tokens, mask, dropped = pad([range(1, 8), [1, 2]], length=4, pad=-1)
    assert tokens.tolist() == [[1, 2, 3, 4], [1, 2, -1, -1]] and dropped == 3 and mask.sum() == 6


@pytest.mark.filterwarnings("ignore::minitl.errors.DataWarning")
@pytest.mark.parametrize("length", [None, 1, 4, 30])
def test_the_twin(rng, length):
    sequences = [rng.integers(0, 99, rng.integers(0, 12)).tolist() for _ in range(20)]
    fast, slow = pad(sequences, length, 7), pad_naive(sequences, length, 7)
    assert np.array_equal(fast.tokens, slow.tokens) and np.array_equal(fast.mask, slow.mask)
    assert fast.dropped == slow.dropped and fast.tokens.dtype == slow.tokens.dtype


@pytest.mark.parametrize(
    ("sequences", "match"),
    [
        ([[1], "text"], r"sequences\[1\] is str"),
        ([[1], [0.5]], r"sequences\[1\] holds float64"),
        ([[[1, 2]]], r"sequences\[0\] is of shape \(1, 2\)"),
        ([[[1], [1, 2]]], r"sequences\[0\]"),
        ([3], r"sequences\[0\] is int"),
        ([[2**31]], "fit into int32"),
        ([[True]], "holds bool"),
        ([["a"]], "expected token numbers"),
        ([None], "NoneType"),
    ],
)
def test_no_sequences(sequences, match):
    with pytest.raises((DataError, ShapeError), match=match):
        pad(sequences)


def test_wrong_arguments():
    with pytest.raises(ArgumentError, match="length"):
        pad([[1]], length=0)
    for value in 0.5, 2**31, None, True:
        with pytest.raises(DataError, match="pad is"):
            pad([[1]], pad=value)
    with pytest.raises(ArgumentError, match="batch_size"):
        batches_by_length([1, 2], 0)
    with pytest.raises(DataError, match="lengths are float64"):
        batches_by_length([1.0, 2.0], 1)


# ---- batches ----


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 64, 100])
@pytest.mark.parametrize("drawn", [True, False])
def test_every_sequence_is_in_one_batch(rng, count, drawn):
    lengths = rng.integers(1, 30, count)
    batches = batches_by_length(lengths, 8, rng if drawn else None, bucket=3)
    assert sorted(np.concatenate([*batches, np.zeros(0, int)]).tolist()) == list(range(count))
    assert [len(batch) for batch in batches] == [8] * (count // 8) + [count % 8] * (count % 8 > 0)


def test_the_order_is_drawn():
    lengths = np.random.default_rng(0).integers(1, 30, 100)

    def flat(seed):
        return np.concatenate(batches_by_length(lengths, 8, np.random.default_rng(seed), 4)).tolist()

    assert flat(1) == flat(1) and flat(1) != flat(2)
    longest = [lengths[batch].max() for batch in batches_by_length(lengths, 8, np.random.default_rng(1), 50)]
    assert sorted(longest) != longest and sorted(longest, reverse=True) != longest, "the batches are shuffled"
    in_order = batches_by_length(lengths, 8)
    assert [lengths[batch].max() for batch in in_order] == sorted((lengths[b].max() for b in in_order), reverse=True)
    assert np.array_equal(np.concatenate(in_order), np.argsort(-lengths, kind="stable"))


def test_the_smaller_batch_is_not_always_that_of_the_longest():
    lengths, rng = np.arange(1, 36), np.random.default_rng(0)
    mean = [lengths[batches_by_length(lengths, 8, rng)[-1]].mean() for _ in range(200)]
    assert 15 < np.mean(mean) < 21 and min(mean) == 2 and max(mean) == 34


def test_equal_lengths_are_shuffled_as_if_there_were_none():
    batches = batches_by_length(np.full(40, 5), 8, np.random.default_rng(0))
    assert max(np.ptp(batch) for batch in batches) > 20, "no batch is a piece of the original order"


def test_padding_by_hand():
    lengths = [1, 10, 2, 9]
    assert padding_share(lengths, [[0, 1], [2, 3]]) == pytest.approx(16 / 38)
    assert padding_share(lengths, [[0, 2], [3, 1]]) == pytest.approx(2 / 24)
    assert padding_share([0, 0], [[0, 1]]) == 0 and padding_share(lengths, [slice(0, 2), slice(2, 4)]) > 0.4


def test_the_figures_of_sst2():
    """The figures at the head of `lengths`, of all sentences in batches of 32."""
    path = shared("data/text/stsa.binary.train", "the sentences of SST-2")
    lengths = np.array([len(line.split()) - 1 for line in path.read_text(encoding="utf-8").splitlines()])
    rng = np.random.default_rng(0)
    shuffled = rng.permutation(len(lengths))
    shares = [padding_share(lengths, [shuffled[first : first + 32] for first in range(0, len(lengths), 32)])]
    shares += [padding_share(lengths, batches_by_length(lengths, 32, rng, bucket)) for bucket in (10, 50)]
    shares += [padding_share(lengths, batches_by_length(lengths, 32))]
    assert [round(100 * share) for share in shares] == [52, 12, 3, 1]
