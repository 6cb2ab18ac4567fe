"""The speech embedding: its front end against stored numbers of its package, its windows, and recordings of any length
and rate. With its published weights it is compared in `tests/peers/test_sound_networks.py`."""

from pathlib import Path

import numpy as np
import pytest

from minitl.applications.speech_embedding import (
    RATE,
    SHORTEST,
    STEP,
    WINDOW,
    SpeechEmbedding,
    SpeechMel,
    embed,
    preprocess_input,
    windows_in,
)
from minitl.data.sound.lengths import centred, longer_than
from minitl.errors import ArgumentError, DataError, ShapeError
from minitl.kernels.resampling_in_time import resample
from minitl.layers import Dense
from minitl.models import Sequential


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parent.parent / "golden" / "sound_networks.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def model():
    return SpeechEmbedding(weights=None)


def test_the_front_end_is_that_of_the_package(golden):
    found = preprocess_input(golden["samples"].astype(np.float32) / 2**15, RATE)
    assert found.shape == (*golden["speech"].shape, 1) and found.dtype == np.float32
    np.testing.assert_allclose(found[..., 0], golden["speech"], atol=1e-4)


def test_the_size_of_the_network(model):
    assert model.count_params() == 328_128
    assert model.output_shape == (None, None, 96)
    for frames, windows in (WINDOW, 1), (83, 1), (84, 2), (98, 3):
        assert windows_in(frames) == windows
        assert model.predict(np.zeros((1, frames, 32, 1), np.float32), verbose=0).shape == (1, windows, 96)
    assert windows_in(75) == 0


def test_a_recording_at_once_gives_what_its_windows_give(model, rng):
    x = rng.standard_normal((2, 101, 32, 1)).astype(np.float32)
    whole = model.predict(x, verbose=0)
    for number in range(windows_in(101)):
        window = x[:, number * STEP : number * STEP + WINDOW]
        alone = model.predict(window, verbose=0)[:, 0]
        np.testing.assert_allclose(whole[:, number], alone, atol=1e-5 * np.abs(whole).max())


def test_a_recording_alone_is_as_beside_longer_ones(model, rng):
    """Recordings of 0.5, 0.9 and 2 seconds: none is cut, and none changes another."""
    recordings = [rng.normal(0, 0.1, count).astype(np.float32) for count in (8_000, 14_400, 32_000, 14_400)]
    together = embed(model, recordings, RATE)
    assert [len(each) for each in together] == [1, 2, 16, 2]
    for recording, found in zip(recordings, together):
        alone = embed(model, [recording], RATE)[0]
        np.testing.assert_allclose(found, alone, atol=1e-5 * np.abs(alone).max())


def test_another_rate_is_resampled():
    """A tone of 1 kHz stays in the band of 1 kHz, and the duration stays."""
    bands = []
    for rate in 8_000, 16_000, 44_100:
        tone = 0.3 * np.sin(2 * np.pi * 1_000 * np.arange(rate) / rate)
        found = preprocess_input(tone, rate)
        assert found.shape == (97, 32, 1) and found.dtype == np.float32
        bands.append(int(found[40, :, 0].argmax()))
    assert bands == [bands[0]] * 3
    with pytest.raises(TypeError):
        preprocess_input(np.zeros(16_000))  # samples without a rate
    sound = np.random.default_rng(0).normal(0, 0.1, 8_000)
    np.testing.assert_array_equal(preprocess_input(sound, 8_000), preprocess_input(resample(sound, 8_000, RATE), RATE))


def test_what_is_no_recording_is_refused(model):
    with pytest.raises(DataError, match="samples are int16; expected floats from -1 to 1"):
        preprocess_input(np.zeros(16_000, np.int16), RATE)
    with pytest.raises(ShapeError, match="expected one row"):
        preprocess_input(np.zeros((16_000, 2)), RATE)
    assert np.isfinite(preprocess_input(np.zeros(10), RATE)).all(), "silence"
    with pytest.raises(ArgumentError, match=r"has outputs of shape \(None, 3\); expected"):
        embed(Sequential([Dense(3, input_shape=(2,))]), [np.zeros(9)], RATE)
    assert embed(model, [], RATE) == []


def test_clips_of_one_length():
    sound = np.arange(1.0, 6)
    assert centred(sound, 5).tolist() == [1, 2, 3, 4, 5]
    assert centred(sound, 8).tolist() == [0, 1, 2, 3, 4, 5, 0, 0]
    assert centred(sound, 2).tolist() == [2, 3]
    assert centred(sound, 3).tolist() == [2, 3, 4]
    assert longer_than([sound, sound[:2]], 4) == 1
    assert len(preprocess_input(np.ones(100), RATE)) == WINDOW == 1 + (SHORTEST - 512) // 160


def test_the_front_end_says_how_many_frames_it_gives(rng):
    sound = rng.normal(0, 0.1, 9_000)
    for length in None, 20_000, 14_000:
        prepare = SpeechMel(length)
        found = prepare(sound, 8_000)
        assert found.shape == (prepare.steps(9_000, 8_000), *prepare.shape)
    np.testing.assert_array_equal(SpeechMel(20_000)(sound, RATE), preprocess_input(centred(sound, 20_000), RATE))
    assert SpeechMel().described != SpeechMel(20_000).described
    assert SpeechMel().silence == -8
