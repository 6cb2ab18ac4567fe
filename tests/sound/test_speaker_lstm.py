"""The speaker LSTM: its front end against stored numbers of librosa, its pieces, its level. With its published weights
it is compared in `tests/peers/test_sound_networks.py`."""

from pathlib import Path

import numpy as np
import pytest

from minitl import initializers
from minitl.applications.speaker_lstm import (
    COVERAGE,
    HOP,
    PIECE,
    RATE,
    SpeakerLSTM,
    SpeakerMel,
    at_level,
    embed,
    piece_starts,
    preprocess_input,
)
from minitl.errors import ArgumentError, DataError
from minitl.layers import Dense
from minitl.models import Sequential


@pytest.fixture(scope="module")
def model():
    """Return the network with random weights, which are drawn faster than orthogonal ones."""
    rng = np.random.default_rng(0)
    with initializers.weights_will_be_loaded():
        model = SpeakerLSTM(weights=None)
    model.set_weights([rng.normal(0, 0.1, each.shape).astype(np.float32) for each in model.get_weights()])
    return model


def test_the_front_end_is_that_of_librosa():
    """The recording is louder than -30 dB, so its level stays; it is shorter than a piece, so silence follows."""
    with np.load(Path(__file__).parent.parent / "golden" / "sound_networks.npz") as golden:
        samples, expected = golden["samples"].astype(np.float32) / 2**15, golden["speaker"]
    (found,) = preprocess_input(samples, RATE)
    assert found.shape == (PIECE, 40) and found.dtype == np.float32
    inside = len(samples) // HOP - 1  # frames that silence behind the end does not reach
    np.testing.assert_allclose(found[:inside], expected[:inside], atol=1e-4)


def test_a_quiet_recording_is_made_louder(rng):
    """The root of the mean square of -30 dB is 0.0316. What is louder stays."""
    quiet, loud = (rng.normal(0, level, 10_000) for level in (1e-4, 0.1))
    assert np.sqrt(np.mean(at_level(quiet) ** 2)) == pytest.approx(10**-1.5)
    assert at_level(loud) is loud
    np.testing.assert_allclose(preprocess_input(quiet, RATE), preprocess_input(quiet * 50, RATE), rtol=1e-4, atol=1e-8)
    for silence in np.zeros(2_000), np.zeros(0):
        with pytest.raises(DataError, match="there is no voice"):
            preprocess_input(silence, RATE)


@pytest.mark.parametrize(
    "seconds, starts", [(0.3, [0]), (1.6, [0]), (2.1, [0, 77]), (1.9, [0]), (3.0, [0, 77, 154]), (2.6, [0, 77])]
)
def test_pieces_cover_a_recording(seconds, starts):
    """A piece has 160 frames, and the next begins 77 later. A last one that is less than 3/4 filled is left out."""
    count = int(seconds * RATE)
    found = piece_starts(count)
    filled = [min(count - start * HOP, PIECE * HOP) / (PIECE * HOP) for start in found]
    assert all(share >= COVERAGE for share in filled[1:])
    assert found == starts


def test_the_front_end_says_how_many_pieces_it_gives(rng):
    for seconds in 0.5, 3.0:
        sound, prepare = rng.normal(0, 0.1, int(8_000 * seconds)), SpeakerMel()
        assert prepare(sound, 8_000).shape == (prepare.steps(len(sound), 8_000), *prepare.shape)


def test_a_recording_alone_is_as_beside_longer_ones(model, rng):
    recordings = [rng.normal(0, 0.1, count).astype(np.float32) for count in (8_000, 36_000)]
    together = embed(model, recordings, RATE)
    assert together.shape == (2, 256)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    for recording, found in zip(recordings, together):
        np.testing.assert_allclose(embed(model, [recording], RATE)[0], found, atol=1e-5)
    assert embed(model, [], RATE).shape == (0, 256)
    with pytest.raises(ArgumentError, match=r"has outputs of shape \(None, 3\)"):
        embed(Sequential([Dense(3, input_shape=(2,))]), recordings, RATE)


def test_the_size_of_the_network(model):
    assert model.count_params() == 1_420_544
    assert model.output_shape == (None, 256)
