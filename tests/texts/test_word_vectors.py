"""The comparison of word vectors (`benchmarks/word_vectors.py`) on a few made-up texts."""

import json

import numpy as np
import pytest

from benchmarks import word_vectors
from minitl.errors import ArgumentError

GOOD = ["good", "great", "excellent", "wonderful", "superb", "brilliant", "beautiful", "fantastic"]
BAD = ["bad", "terrible", "awful", "horrible", "poor", "ugly", "dreadful", "worst"]


@pytest.fixture
def reviews(tmp_path):
    """Return a file of 80 texts of three words, one of which tells the class."""
    rng, lines = np.random.default_rng(0), []
    for k in range(80):
        words = ["film", "the", (GOOD, BAD)[k % 2][rng.integers(8)]]
        lines.append(f"{1 - k % 2} {' '.join(rng.permutation(words))}")
    path = tmp_path / "reviews"
    path.write_text("\n".join(lines))
    return path


def test_vectors_that_know_words_win_where_most_words_are_new(reviews, tmp_path, monkeypatch, capsys):
    """Random vectors learn nothing of words that the 24 texts do not have; GloVe knows their neighbours."""
    monkeypatch.setattr(word_vectors, "RATES", (0.01,))
    word_vectors.main([str(reviews), "--sizes", "24", "--seeds", "0", "1", "2", "--json", str(tmp_path / "a.json")])
    found = json.loads((tmp_path / "a.json").read_text())["24"]
    assert {name: len(each) for name, each in found.items()} == {"random": 3, "static": 3, "tuned": 3}
    assert np.mean(found["static"]) > np.mean(found["random"])
    said = capsys.readouterr().out
    assert f"{np.mean(found['static']):.3f}" in said and "seed 2" in said


def test_what_begins_as_glove_and_what_learns(reviews):
    texts, labels = word_vectors.read(reviews)
    tokens, numbers = word_vectors.numbered(texts)
    assert labels.tolist() == [1, 0] * 40 and tokens.shape == (80, 5) and 0 not in numbers.values()
    known = {"good": np.full(4, 2.0), "bad": np.full(4, -2.0)}
    begin = {each: word_vectors.first_vectors(numbers, each, known, np.random.default_rng(0))
             for each in word_vectors.VARIANTS}  # fmt: skip
    np.testing.assert_array_equal(begin["static"][numbers["good"]], known["good"])
    assert not begin["random"][0].any() and not (begin["random"][numbers["good"]] == 2).any()
    np.testing.assert_array_equal(begin["random"][numbers["film"]], begin["static"][numbers["film"]])
    for learns in (True, False):
        model = word_vectors.network(begin["static"], learns, 6)
        assert model.layers[1].trainable == learns


def test_an_interval_and_a_wrong_file(tmp_path):
    mean, half = word_vectors.interval([0.1, 0.2, 0.3])
    assert mean == pytest.approx(0.2) and half == pytest.approx(4.303 * 0.1 / np.sqrt(3))
    (tmp_path / "wrong").write_text("2 neither\n")
    with pytest.raises(ArgumentError, match="behind 0 or 1"):
        word_vectors.read(tmp_path / "wrong")
