"""Frames, spectra, mel bands and PCEN are those of their definitions, and librosa's, with librosa not installed."""

import numpy as np
import pytest
from cases.sounds import RATE, SETTINGS, rising_tone, sine
from conftest import REPOSITORY

from minitl.errors import ArgumentError, DataError, DataWarning, ShapeError
from minitl.kernels import gain_normalization, mel, spectra

SMALL = [dict(n_fft=16, hop=5), dict(n_fft=15, hop=7, win_length=9), dict(n_fft=8, hop=11, win_length=8)]


@pytest.fixture(scope="module")
def golden():
    """Return librosa's arrays."""
    with np.load(REPOSITORY / "tests" / "golden" / "sound.npz") as stored:
        return dict(stored)


# ---- frames and windows ----


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("count", [16, 17, 40, 101])
@pytest.mark.parametrize("settings", SMALL, ids=str)
def test_frames_and_their_power_are_those_of_the_loop_twins(rng, settings, count, center):
    x = rng.normal(size=count)
    length, hop = settings["n_fft"], settings["hop"]
    found = spectra.frames(x, length, hop, center)
    np.testing.assert_array_equal(found, spectra.frames_naive(x, length, hop, center))
    assert len(found) == spectra.number_of_frames(count, length, hop, center)
    power = spectra.power_spectrogram(x, center=center, **settings)
    np.testing.assert_allclose(power, spectra.power_spectrogram_naive(x, center=center, **settings), atol=1e-12)


def test_centred_frames_have_zeros_on_both_sides():
    found = spectra.frames(np.arange(1.0, 6), 4, 2)  # 1 + 5 // 2 frames
    np.testing.assert_array_equal(found, [[0, 0, 1, 2], [1, 2, 3, 4], [3, 4, 5, 0]])
    np.testing.assert_array_equal(spectra.frames(np.arange(1.0, 6), 4, 2, False), [[1, 2, 3, 4]])


def test_a_window_is_periodic():
    np.testing.assert_allclose(spectra.hann(4), [0, 0.5, 1, 0.5], atol=1e-16)
    window = spectra.hann(400)
    np.testing.assert_allclose(window[:200] + window[200:], 1)
    assert np.abs(spectra.hann(400) - np.hanning(400)).max() == pytest.approx(0.006, abs=3e-4)
    np.testing.assert_array_equal(spectra.frame_window(8, 4), [0, 0, *spectra.hann(4), 0, 0])


def test_a_tone_between_two_bins_has_the_power_known_by_hand():
    """A cosine of height 1 at a frequency of the transform: half the sum of the window, squared."""
    x = np.cos(2 * np.pi * 10 * np.arange(640) / 64)
    power = spectra.power_spectrogram(x, 64, 32, center=False)
    np.testing.assert_allclose(power[:, 10], 64**2 / 16)
    np.testing.assert_allclose(power[:, 9], 64**2 / 64)  # Hann's neighbours: half of the sum's half
    np.testing.assert_allclose(power[:, 12:], 0, atol=1e-20)


def test_blocks_change_no_number(rng, monkeypatch):
    x = rng.normal(size=400).astype(np.float32)
    whole = spectra.power_spectrogram(x, 32, 7)
    monkeypatch.setattr(spectra, "BLOCK", 5)
    np.testing.assert_array_equal(spectra.power_spectrogram(x, 32, 7), whole)
    assert whole.dtype == np.float32


# ---- mel ----


def test_one_kilohertz_on_both_scales():
    assert mel.hz_to_mel(1000, "htk") == pytest.approx(999.99, abs=0.006)
    assert mel.hz_to_mel(1000, "slaney") == pytest.approx(15)
    for scale in mel.SCALES:
        frequencies = np.array([0, 100, 999.9, 1000, 1000.1, 7000])
        np.testing.assert_allclose(mel.mel_to_hz(mel.hz_to_mel(frequencies, scale), scale), frequencies, atol=1e-9)


def test_the_two_scales_are_not_one():
    centres = {}
    for scale in mel.SCALES:
        low, high = mel.hz_to_mel([0, 8000], scale)
        centres[scale] = mel.mel_to_hz(np.linspace(low, high, 42)[1:-1], scale)
    assert np.abs(centres["htk"] - centres["slaney"]).max() == pytest.approx(262, abs=1)


@pytest.mark.parametrize("scale", mel.SCALES)
@pytest.mark.parametrize("norm", mel.NORMS, ids=str)
def test_filters_are_triangles(scale, norm):
    options = dict(rate=16000, n_fft=1024, n_mels=30, fmin=50, fmax=7000, scale=scale, norm=norm)
    filters = mel.mel_filters(**options)
    np.testing.assert_allclose(filters, mel.mel_filters_naive(**options), atol=1e-12)
    low, high = mel.hz_to_mel([50, 7000], scale)
    corners = mel.mel_to_hz(np.linspace(low, high, 32), scale)
    peaks = filters.argmax(axis=0) * 16000 / 1024
    assert np.abs(peaks - corners[1:-1]).max() <= 16000 / 1024  # the peak is within a bin of the centre
    if norm == "slaney":  # each area is 1, up to what few bins can tell
        assert np.abs(filters.sum(axis=0) * 16000 / 1024 - 1).max() < 0.2
    else:
        bins = np.arange(513) * 16000 / 1024
        between = (bins > corners[1]) & (bins < corners[-2])
        np.testing.assert_allclose(filters.sum(axis=1)[between], 1)


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_spectrograms_are_librosas(golden, number):
    settings = SETTINGS[number]
    of_filters = {key: value for key, value in settings.items() if key not in ("hop", "win_length", "center")}
    np.testing.assert_allclose(mel.mel_filters(RATE, **of_filters), golden[f"filters{number}"], atol=1e-6)
    found = mel.log_mel(rising_tone(), RATE, decibels=True, **settings)
    np.testing.assert_allclose(found, golden[f"decibels{number}"], atol=1e-4)
    energy = mel.mel_spectrogram(rising_tone(), RATE, **settings) * np.float32(2**30)
    s = gain_normalization.smoothing(RATE, settings["hop"], 0.4)
    found, _ = gain_normalization.pcen(energy, s, initial=1.0)
    np.testing.assert_allclose(found, golden[f"pcen{number}"], atol=1e-4)


def test_log_mel_is_that_of_its_loop_twin(rng):
    x = rng.normal(size=60)
    for options in (dict(), dict(decibels=True, floor=3.0), dict(scale="htk", norm=None, center=False)):
        options |= dict(n_fft=16, hop=5, n_mels=3)
        np.testing.assert_allclose(mel.log_mel(x, 8000, **options), mel.log_mel_naive(x, 8000, **options), atol=1e-12)


def test_the_end_of_a_sound_does_not_change_its_beginning(rng):
    """No level depends on the loudest moment of the whole recording."""
    x = 0.01 * rng.normal(size=4000)
    louder = np.concatenate([x, np.ones(500)])
    np.testing.assert_array_equal(mel.log_mel(louder, 8000)[:20], mel.log_mel(x, 8000)[:20])


def test_a_band_that_hears_nothing_is_named():
    with pytest.warns(DataWarning, match=r"of 128 mel bands, the first at \d+ Hz, hold none of the frequencies"):
        mel.mel_filters(8000, 256, 128)


# ---- PCEN ----


def test_pcen_is_that_of_its_loop_twin(rng):
    energy = rng.exponential(size=(20, 3)) * 2**20
    for options in (dict(), dict(gain=0.8, bias=10.0, power=0.25, eps=1.0, initial=5.0)):
        found, expected = (f(energy, 0.03, **options) for f in (gain_normalization.pcen, gain_normalization.pcen_naive))
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-9)
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-12)


def test_pcen_goes_on_where_it_was(rng):
    energy = rng.exponential(size=(20, 3))
    whole, last = gain_normalization.pcen(energy, 0.1)
    first, state = gain_normalization.pcen(energy[:7], 0.1)
    rest, end = gain_normalization.pcen(energy[7:], 0.1, initial=state)
    np.testing.assert_allclose(np.concatenate([first, rest]), whole, rtol=1e-12)
    np.testing.assert_allclose(end, last, rtol=1e-12)


def test_pcen_does_not_depend_on_how_near_the_microphone_was(rng):
    energy = rng.exponential(size=(50, 3)) * 2**20
    near, _ = gain_normalization.pcen(100 * energy, 0.1, gain=1.0)
    far, _ = gain_normalization.pcen(energy, 0.1, gain=1.0)
    np.testing.assert_allclose(near, far, rtol=1e-4)
    assert np.abs(np.log(100 * energy) - np.log(energy)).min() > 4


# ---- what is refused ----

REFUSED = {
    "whole numbers": (lambda: spectra.frames(np.zeros(99, np.int16), 8, 4), DataError, r"are int16; .* Divide whole"),
    "channels": (lambda: mel.log_mel(np.zeros((99, 2)), 8000), ShapeError, "Average the channels"),
    "too short": (lambda: spectra.frames(np.zeros(7), 8, 4, False), ShapeError, "has 7 samples, fewer than one frame"),
    "a wide window": (lambda: spectra.frame_window(8, 9), ArgumentError, "win_length is 9; expected at most n_fft, 8"),
    "an odd scale": (lambda: mel.hz_to_mel(5, "bark"), ArgumentError, "scale is 'bark'; expected 'htk' or 'slaney'"),
    "an odd norm": (lambda: mel.mel_filters(8000, 64, 4, norm="area"), ArgumentError, "norm is 'area'; expected None"),
    "above half the rate": (
        lambda: mel.mel_filters(8000, 64, 4, fmax=5000),
        ArgumentError,
        "fmax is 5000; .*0 to 4000",
    ),
    "the higher one first": (lambda: mel.mel_filters(8000, 64, 4, 900, 800), ArgumentError, "expected the lower one"),
    "no bands": (lambda: mel.mel_filters(8000, 64, 0), ArgumentError, "n_mels is 0"),
    "no frames": (lambda: gain_normalization.pcen(np.zeros((0, 3)), 0.1), ShapeError, "of at least one frame"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_spectrogram_is_refused(name):
    call, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        call()


def test_a_tone_is_in_its_own_band():
    found = mel.log_mel(sine(1000, 16000, 0.2), 16000, n_mels=40, scale="slaney")
    corners = mel.mel_to_hz(np.linspace(0, mel.hz_to_mel(8000, "slaney"), 42), "slaney")
    band = int(found[10].argmax())
    assert corners[band] < 1000 < corners[band + 2]
