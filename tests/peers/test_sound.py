"""Sounds beside soundfile, and beside librosa where it is installed: files, filters, spectrograms, PCEN, resampling."""

import io

import numpy as np
import pytest
from cases.sounds import RATE, SETTINGS, librosas_names, rising_tone
from conftest import shared

from minitl.data.sound import read_sound
from minitl.kernels import gain_normalization, mel, spectra
from minitl.kernels.resampling_in_time import resample

from .compare import note_difference

soundfile = pytest.importorskip("soundfile", reason="needs the extra 'peers': pip install -e '.[peers]'")
pytestmark = pytest.mark.filterwarnings(r"ignore:::(librosa|numba|soxr|lazy_loader)(\.|$)")


@pytest.fixture(scope="module")
def librosa():
    """Return librosa, which is no part of the extra 'peers': it brings a compiler along."""
    return pytest.importorskip("librosa", reason="needs librosa: pip install librosa")


def check(found, expected, tolerance):
    difference = np.abs(found.astype(np.float64) - expected).max()
    note_difference(difference)
    assert found.shape == expected.shape and difference <= tolerance


@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_wav_files_have_the_samples_that_soundfile_reads(rng, form, subtype, channels):
    file = io.BytesIO()
    soundfile.write(file, np.clip(0.4 * rng.normal(size=(3000, channels)), -1, 1), 22050, subtype, format=form)
    expected, rate = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32", always_2d=True)
    sound = read_sound("a.wav", content=file.getvalue())
    assert (sound.rate, sound.channels) == (rate, channels)
    check(sound.samples, expected.mean(axis=1), 1e-7)


OTHERS = [("FLAC", "PCM_24", 1e-6), ("OGG", "VORBIS", 0.1), ("AIFF", "PCM_16", 1e-4)]


@pytest.mark.parametrize(("form", "subtype", "error"), OTHERS)
def test_other_formats_are_read(form, subtype, error):
    x = np.stack([rising_tone(), 0.5 * rising_tone()], axis=1)
    file = io.BytesIO()
    soundfile.write(file, x, 22050, subtype, format=form)
    sound = read_sound("a", content=file.getvalue())
    assert (sound.rate, sound.channels, sound.kind) == (22050, 2, form)
    assert np.abs(sound.samples - x.mean(axis=1)).max() < error


def test_a_flac_file_that_is_cut_short_is_refused():
    file = io.BytesIO()
    soundfile.write(file, rising_tone(), 8000, format="FLAC")
    with pytest.raises(ValueError, match="a.flac: is damaged or cut short, as FLAC"):
        read_sound("a.flac", content=file.getvalue()[:900])


def test_spoken_digits_have_the_samples_that_soundfile_reads():
    files = sorted(shared("data/fsdd/recordings", "spoken digits").glob("*.wav"))[::30]
    assert len(files) == 30
    for file in files:
        np.testing.assert_array_equal(read_sound(file).samples, soundfile.read(file, dtype="float32")[0])


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_filters(librosa, number):
    settings = SETTINGS[number]
    of_filters = {key: value for key, value in settings.items() if key not in ("hop", "win_length", "center")}
    expected = librosa.filters.mel(sr=RATE, dtype=np.float64, **librosas_names(settings)[1]).T
    check(mel.mel_filters(RATE, **of_filters), expected, 1e-9)


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_log_mel(librosa, rng, number):
    settings, (options, _) = SETTINGS[number], librosas_names(SETTINGS[number])
    for x in rising_tone(), (0.1 * rng.normal(size=3001)).astype(np.float32):
        power = librosa.feature.melspectrogram(y=x.astype(float), sr=RATE, pad_mode="constant", **options)
        found = mel.log_mel(x, RATE, decibels=True, **settings)
        check(found, librosa.power_to_db(power, top_db=None).T, 1e-4)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_log_mel_of_spoken_digits(librosa, scale):
    """A hundred clips, read by minitl, with the settings of a usual network."""
    files = sorted(shared("data/fsdd/recordings", "spoken digits").glob("*.wav"))[::9]
    assert len(files) == 100
    settings = dict(n_fft=256, hop=80, win_length=200, n_mels=32, scale=scale, norm="slaney", center=True)
    for file in files:
        sound = read_sound(file)
        power = librosa.feature.melspectrogram(
            y=sound.samples.astype(float), sr=sound.rate, pad_mode="constant", **librosas_names(settings)[0]
        )
        found = mel.log_mel(sound.samples, sound.rate, decibels=True, **settings)
        check(found, librosa.power_to_db(power, top_db=None).T, 1e-4)


@pytest.mark.parametrize("center", [True, False])
def test_power(librosa, rng, center):
    x = rng.normal(size=2000)
    stft = librosa.stft(x, n_fft=300, hop_length=77, win_length=211, center=center, pad_mode="constant")
    check(spectra.power_spectrogram(x, 300, 77, 211, center), (np.abs(stft) ** 2).T, 1e-9)


def test_pcen(librosa, rng):
    energy = rng.exponential(size=(60, 5)) * 2**25
    s = gain_normalization.smoothing(16000, 160, 0.2)
    options = dict(gain=0.9, bias=3.0, power=0.4, eps=1e-5)
    found, _ = gain_normalization.pcen(energy, s, initial=1.0, **options)
    check(found, librosa.pcen(energy.T, sr=16000, hop_length=160, time_constant=0.2, **options).T, 1e-9)


@pytest.mark.parametrize("new_rate", [16000, 11025, 6000])
def test_resampling(librosa, new_rate):
    """librosa's best filter has another step at the limit. A tone that rises to 1640 Hz has nothing there."""
    x = np.concatenate([np.zeros(500), rising_tone().astype(float) * np.hanning(2000), np.zeros(500)])
    expected = librosa.resample(x, orig_sr=RATE, target_sr=new_rate, res_type="soxr_vhq")
    check(resample(x, RATE, new_rate), expected, 1e-3)
