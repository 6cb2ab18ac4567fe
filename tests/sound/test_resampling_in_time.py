"""A resampled sound is the same curve: tones stay at their frequency, and those that have no room vanish."""

import numpy as np
import pytest
from cases.sounds import sine

from minitl.errors import ArgumentError, DataError
from minitl.kernels import resampling_in_time
from minitl.kernels.resampling_in_time import resample, resample_naive

RATES = [(8, 16), (16, 8), (441, 160), (160, 441), (3, 7), (8000, 11025), (7, 7), (1, 5), (5, 1)]


@pytest.mark.parametrize(("rate", "new_rate"), RATES)
def test_samples_are_those_of_the_loop_twin(rng, rate, new_rate):
    x = rng.normal(size=7)
    found = resample(x, rate, new_rate)
    assert len(found) == -(-7 * new_rate // rate)
    np.testing.assert_allclose(found, resample_naive(x, rate, new_rate), atol=1e-12)


def test_blocks_and_repeats_change_no_number(rng, monkeypatch):
    x = rng.normal(size=300)
    whole = resample(x, 8, 12)
    monkeypatch.setattr(resampling_in_time, "OUTPUTS", 2)
    monkeypatch.setattr(resampling_in_time, "ROWS", 7)
    np.testing.assert_allclose(resample(x, 8, 12), whole, atol=1e-13)


def decibels(x):
    """Return the level of a sound: 0 for a sine of height 1."""
    return 10 * np.log10(2 * np.mean(np.square(x, dtype=float)) + 1e-30)


@pytest.mark.parametrize(("rate", "new_rate"), [(16000, 8000), (8000, 16000), (44100, 16000), (16000, 22050)])
def test_what_has_room_passes_and_the_rest_vanishes(rate, new_rate):
    """Below 0.89 of the lower limit, a tone is the same to 1e-4. Above the limit, it is below -79 decibels."""
    limit, inner = min(rate, new_rate) / 2, slice(new_rate // 16, new_rate // 8)
    for frequency in np.linspace(0.01, 0.89, 5) * limit:
        found, expected = (
            resample(sine(frequency, rate, 0.2, 1, float), rate, new_rate),
            sine(frequency, new_rate, 0.2, 1, float),
        )
        assert np.abs(found - expected)[inner].max() < 1e-4, frequency
    for frequency in np.linspace(1.01, 0.999 * rate / 2 / limit, 5) * limit if rate > new_rate else ():
        assert decibels(resample(sine(frequency, rate, 0.2, 1, float), rate, new_rate)[inner]) < -79, frequency


def test_seven_kilohertz_do_not_become_one():
    x = sine(7000, 16000, 0.5, 1)
    assert decibels(x[::2]) > -0.1  # to leave out every second sample gives a loud tone of 1 kHz
    assert decibels(resample(x, 16000, 8000)[500:-500]) < -60


def test_there_and_back(rng):
    x = resample(rng.normal(size=400), 2, 3)  # a sound without what has no room
    there = resample(resample(x, 3, 6), 6, 3)
    assert np.abs(there - x)[60:-60].max() < 1e-3


def test_weights_are_computed_once_for_many_recordings(monkeypatch):
    """22,254 samples a second, of old computers, need 125 matrices. A second recording computes none, and a short one
    only those of its own samples."""
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return weights(*arguments)

    weights = resampling_in_time._weights
    monkeypatch.setattr(resampling_in_time, "_kept", {})
    monkeypatch.setattr(resampling_in_time, "_weights", counted)
    short, long = np.ones(300, np.float32), np.ones(20_000, np.float32)
    first = resample(short, 22254, 16000)
    assert len(calls) == -(-len(first) // resampling_in_time.OUTPUTS) == 4
    resample(long, 22254, 16000)
    assert len(calls) == 125
    np.testing.assert_array_equal(resample(short, 22254, 16000), first)
    resample(long, 22254, 16000)
    assert len(calls) == 125
    monkeypatch.setattr(resampling_in_time, "MOST_KEPT", 200_000)
    np.testing.assert_array_equal(resample(short, 22255, 16000), resample(short, 22255, 16000))
    assert sum(each.nbytes for each in resampling_in_time._kept.values()) <= 200_000


def test_the_duration_is_kept_and_the_type_too():
    x = np.ones(12345, np.float32)
    y = resample(x, 44100, 16000)
    assert y.dtype == np.float32 and len(y) == -(-12345 * 16000 // 44100)
    np.testing.assert_allclose(y[100:-100], 1, atol=2e-4)
    assert len(resample(np.zeros(0), 2, 3)) == 0
    same = resample(x, 8000, 8000)
    assert same is not x and np.array_equal(same, x)


@pytest.mark.parametrize(
    ("rate", "new_rate", "words"),
    [
        (0, 8000, "rate is 0; expected a whole number"),
        (8000, 44.1, "new_rate is 44.1"),
        (8, 16000, "within a factor of 1,000"),
        (True, 8000, "rate is True"),
    ],
)
def test_rates_that_are_none_are_refused(rate, new_rate, words):
    with pytest.raises(ArgumentError, match=words):
        resample(np.zeros(9), rate, new_rate)


def test_whole_numbers_are_refused():
    with pytest.raises(DataError, match="samples are int16"):
        resample(np.zeros(9, np.int16), 8000, 16000)
