"""Recordings in batches: alone as in a batch, nothing cut in silence, and features that are kept from run to run."""

import numpy as np
import pytest
from cases.sounds import sine, wav, write_tone
from conftest import shared

from minitl import transfer
from minitl.data.batches import one_pass, training_order
from minitl.data.sound import (
    EvenMel,
    LogMel,
    Samples,
    Sound,
    SoundAugmentation,
    SoundStream,
    SpectrogramMasks,
    audit_sounds,
)
from minitl.data.sound.augmentation import amplified, mixed, shifted
from minitl.errors import ArgumentError, DataError, DataWarning
from minitl.features.on_disk import kept_features
from minitl.kernels.mel import log_mel
from minitl.layers import Conv1D, Dense, GlobalAveragePooling1D, Input, Layer
from minitl.models import Model

SMALL = LogMel(rate=8000, n_fft=256, hop=80, win_length=200, n_mels=12)


@pytest.fixture
def recordings(tmp_path):
    """Return recordings of two classes, from 0.1 to 0.8 seconds, one of them at 16 kHz."""
    for n in range(8):
        rate = 16000 if n == 5 else 8000
        write_tone(tmp_path / "sounds" / "ab"[n % 2] / f"{n}.wav", 300 + 150 * n, rate, 0.1 * (n + 1))
    folder = audit_sounds(tmp_path / "sounds", val_share=0, verbose=0)
    return sorted(folder.train, key=lambda each: each.path.name)


class MaskedMean(Layer):
    """The mean of the frames that the mask calls real: (N, T, D), (N, T) -> (N, D)."""

    merges = True

    def compute_output_shape(self, shapes):
        return shapes[0][0], shapes[0][2]

    def forward(self, xs, training=False):
        x, mask = xs
        self.remember(mask)
        return (x * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)

    def backward(self, grad):
        (mask,) = self.remembered()
        return [grad[:, None] * (mask / mask.sum(axis=1, keepdims=True))[..., None], None]


def masked_model(bands=12):
    x, mask = Input((None, bands)), Input((None,), dtype="bool")
    return Model([x, mask], Dense(2, activation="softmax")(MaskedMean()([Dense(5, activation="tanh")(x), mask])))


# ---- batches ----


def test_a_recording_alone_is_as_in_a_batch(tmp_path):
    """Half a second alone, and beside two seconds: the same frames, and the same prediction of a model with a mask."""
    write_tone(tmp_path / "a" / "1.wav", 440, seconds=0.5)
    write_tone(tmp_path / "b" / "2.wav", 880, seconds=2)
    short, long = audit_sounds(tmp_path, val_share=0, verbose=0).train
    alone, both = SoundStream([short], SMALL), SoundStream([short, long], SMALL)
    assert alone.read(slice(None)).shape == (1, 51, 12) and both.read(slice(None)).shape == (2, 201, 12)
    np.testing.assert_array_equal(both.read(slice(None))[0, :51], alone.read(slice(None))[0])
    np.testing.assert_array_equal(both.read([0, 1])[0, 51:], np.float32(SMALL.silence))
    assert both.mask.read([0, 1]).sum(axis=1).tolist() == [51, 201] and both.mask.read([0]).all()
    model = masked_model()
    predicted = [model.predict([each, each.mask], batch_size=2, verbose=0)[0] for each in (alone, both)]
    np.testing.assert_allclose(predicted[1], predicted[0], atol=1e-6)


def test_a_fixed_length_gives_the_same_example_in_any_batch(recordings):
    x = SoundStream(recordings, SMALL, length=90)
    whole = x.read(slice(None))
    assert x.shape == whole.shape == (8, 90, 12) and x.dropped == 0
    for position in range(8):
        np.testing.assert_array_equal(x.read([position])[0], whole[position])


def test_every_example_is_what_the_front_end_makes_of_the_file(recordings):
    x = SoundStream(recordings, SMALL)
    for position, recording in enumerate(recordings):
        height = np.round(sine(300 + 150 * position, recording.rate, 0.1 * (position + 1), dtype=float) * 32767) / 32768
        expected = SMALL(height.astype(np.float32), recording.rate)
        found = x.read([position])[0]
        assert len(found) == x.lengths[position]
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert x.labels.tolist() == [0, 1] * 4


def test_a_recording_at_another_rate_keeps_its_frequency_and_duration(recordings):
    at_16000 = recordings[5]
    assert at_16000.rate == 16000
    (spectrogram,) = SoundStream([at_16000], SMALL).read([0])
    assert len(spectrogram) == 1 + round(0.6 * 8000) // 80
    tone = SMALL(sine(300 + 150 * 5, 8000, 0.6), 8000)
    assert spectrogram.mean(axis=0).argmax() == tone.mean(axis=0).argmax()


def test_what_is_cut_is_counted_and_said(recordings):
    with pytest.warns(DataWarning, match=r"4 of 8 recordings longer than 41 frames: .*, 100 frames in all.*needs 81"):
        x = SoundStream(recordings, SMALL, length=41)
    assert x.dropped == 100 and x.read(slice(None)).shape == (8, 41, 12)
    assert x.mask.read([0, 7]).sum(axis=1).tolist() == [11, 41]


def test_a_recording_may_stand_in_the_middle(recordings):
    front_end = Samples(rate=8000, scale=2.0)
    with pytest.warns(DataWarning, match="7 of 8 recordings longer than 1,000 samples: both ends"):
        x = SoundStream(recordings, front_end, length=1000, place="center")
    first, last = x.read([0, 7])
    np.testing.assert_array_equal(first[:100], 0)
    np.testing.assert_allclose(first[100:900], 2 * sine(300, 8000, 0.1), atol=2e-4)
    np.testing.assert_allclose(last, 2 * sine(300 + 150 * 7, 8000, 0.8)[2700:3700], atol=2e-4)
    assert x.mask.read([0])[0, 100:900].all() and x.mask.read([0]).sum() == 800


def test_recordings_of_about_one_length_meet_and_all_come(recordings, rng):
    x = SoundStream(recordings, SMALL)
    batches = one_pass((x, x.mask), 3)
    assert sorted(np.concatenate(batches)) == list(range(8)) and batches[0].tolist() == [7, 6, 5]
    assert sorted(training_order((x,), 3, rng)) == list(range(8))
    fixed = SoundStream(recordings, SMALL, length=90)
    assert np.concatenate(one_pass((fixed,), 3)).tolist() == list(range(8))
    assert sorted(training_order((fixed,), 3, rng)) == list(range(8))


def test_a_model_learns_from_streams_of_sounds_and_masks(recordings):
    x = SoundStream(recordings, SMALL)
    model = masked_model()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit([x, x.mask], x.labels, batch_size=4, epochs=5, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]


# ---- front ends ----


@pytest.mark.parametrize("front_end", [SMALL, EvenMel(rate=8000, n_fft=256, hop=80, win_length=200, n_mels=12)])
def test_a_front_end_says_how_long_its_output_is(front_end, rng):
    for count, rate in (400, 8000), (1601, 16000), (1000, 11025):
        found = front_end((0.1 * rng.standard_normal(count)).astype(np.float32), rate)
        assert found.shape == (front_end.steps(count, rate), 12) and found.dtype == np.float32
        assert np.isfinite(found).all()


def test_a_front_end_is_its_kernels(rng):
    x = (0.1 * rng.standard_normal(900)).astype(np.float32)
    settings = dict(n_fft=256, hop=80, win_length=200, n_mels=12)
    np.testing.assert_array_equal(SMALL(x, 8000), log_mel(x, 8000, **settings))
    image = LogMel(rate=8000, as_image=True, decibels=True, **settings)
    assert image.shape == (12, 1) and image.silence == pytest.approx(-100)
    np.testing.assert_array_equal(image(x, 8000)[..., 0], log_mel(x, 8000, decibels=True, **settings))
    assert LogMel(rate=8000).described != LogMel().described


def test_a_louder_recording_is_nearly_the_same_to_pcen():
    front_end = EvenMel(rate=8000, n_fft=256, hop=80, win_length=200, n_mels=12)
    x = sine(700, 8000, 0.5, 0.05)
    assert np.abs(front_end(8 * x, 8000) - front_end(x, 8000)).max() < 0.3 * np.ptp(front_end(x, 8000))
    assert np.abs(SMALL(8 * x, 8000) - SMALL(x, 8000)).max() > 4


# ---- augmentation ----


def test_a_shift_keeps_the_length_and_wraps_nothing():
    x = np.arange(1.0, 6)
    assert shifted(x, 2).tolist() == [0, 0, 1, 2, 3] and shifted(x, -2).tolist() == [3, 4, 5, 0, 0]
    assert shifted(x, 0).tolist() == x.tolist() and not shifted(x, 9).any() and not shifted(x, -5).any()


@pytest.mark.parametrize("snr", [-5, 0, 20])
def test_noise_has_the_power_that_was_asked_for(rng, snr):
    x, noise = sine(440, 8000, 0.5), rng.standard_normal(4000).astype(np.float32)
    added = mixed(x, noise, snr) - x
    assert 10 * np.log10(np.mean(x**2) / np.mean(added**2)) == pytest.approx(snr, abs=1e-3)
    assert np.corrcoef(added, noise)[0, 1] > 0.9999
    np.testing.assert_array_equal(mixed(np.zeros_like(x), noise, snr), 0)


def test_a_gain_is_in_decibels():
    np.testing.assert_allclose(amplified(np.ones(3), 20), 10)
    np.testing.assert_allclose(amplified(np.ones(3), -6.0206), 0.5, rtol=1e-5)


def test_backgrounds_are_mixed_in_at_the_recordings_rate(rng):
    hum = Sound(sine(100, 16000, 0.05, 1), 16000, 16000, 1, 16, "PCM", 1.0, 0)
    augment = SoundAugmentation(shift=0, gain=0, noise=(0, 0), backgrounds=(hum,))
    x = sine(2000, 8000, 0.5)
    added = augment(x, 8000, rng) - x
    spectrum = np.abs(np.fft.rfft(added * np.hanning(4000)))
    assert abs(spectrum.argmax() * 2 - 100) <= 4  # Hz; the hum is repeated, and stays at 100 Hz
    assert np.mean(added**2) == pytest.approx(np.mean(x**2), rel=0.01)
    other = SoundAugmentation(shift=0, gain=0, noise=(0, 0), backgrounds=(hum.at(8000),))
    assert other.described != augment.described


def test_masks_hide_whole_bands_and_moments(rng):
    spectrogram = rng.normal(size=(40, 20))
    masks = SpectrogramMasks(frequency_masks=1, widest=0.25, time_masks=2, longest=0.2)
    most = [0, 0]
    for _ in range(50):
        hidden = masks(spectrogram, rng) != spectrogram
        bands, moments = hidden.all(axis=0), hidden.all(axis=1)
        np.testing.assert_array_equal(hidden, bands[None, :] | moments[:, None])
        most = np.maximum(most, [bands.sum(), moments.sum()])
    assert most[0] == 5 and 8 <= most[1] <= 16
    np.testing.assert_array_equal(SpectrogramMasks(0, 0, 0, 0)(spectrogram, rng), spectrogram)
    assert masks(spectrogram[..., None], rng).shape == (40, 20, 1)


def test_variations_differ_by_epoch_and_repeat_with_the_seed(recordings):
    def stream(seed):
        return SoundStream(recordings, SMALL, 90, augment=SoundAugmentation(), masks=SpectrogramMasks(), seed=seed)

    x, plain = stream(1), SoundStream(recordings, SMALL, 90)
    assert x.is_augmented and not plain.is_augmented
    first = x.read([0, 3], epoch=0)
    np.testing.assert_array_equal(stream(1).read([0, 3], epoch=0), first)
    np.testing.assert_array_equal(x.read([3], epoch=0)[0], first[1])
    for other in x.read([0, 3], epoch=1), stream(2).read([0, 3], epoch=0):
        assert np.abs(other - first).mean() > 0.1
    np.testing.assert_array_equal(x.read([0, 3]), plain.read([0, 3]))  # validation gets the unchanged ones
    assert len({x.digest, stream(2).digest, plain.digest, SoundStream(recordings, SMALL, 91).digest}) == 4


def test_a_fixed_number_of_variations_is_drawn_once(recordings):
    x = SoundStream(recordings, SMALL, 90, augment=SoundAugmentation(), variations=3)
    assert x.shape[0] == 24 and not x.is_augmented and len(set(x.keys)) == 24 and len(x.labels) == 24
    np.testing.assert_array_equal(x.read([0, 8]), x.read([0, 8], epoch=5))
    assert np.abs(x.read([0]) - x.read([8])).mean() > 0.1 and np.abs(x.read([16]) - x.read([8])).mean() > 0.1
    np.testing.assert_array_equal(x.read(slice(8)), SoundStream(recordings, SMALL, 90).read(slice(None)))


# ---- features on the disk ----


def frozen():
    x = Input((90, 12))
    model = Model(x, GlobalAveragePooling1D()(Conv1D(4, 3, activation="relu")(x)), name="frozen")
    transfer.freeze(model)
    return model


def test_features_are_kept_as_those_of_photographs_are(recordings, capsys):
    model, x = frozen(), SoundStream(recordings, SMALL, length=90)
    rows = kept_features(model, x)
    assert "8 recordings went through the base, 0 were kept" in capsys.readouterr().out
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(rows.read(slice(None)), expected, atol=1e-5)
    again = kept_features(model, SoundStream(recordings[::-1], SMALL, length=90))
    assert "0 recordings went through the base, 8 were kept" in capsys.readouterr().out
    np.testing.assert_array_equal(again.read(slice(None))[::-1], rows.read(slice(None)))
    kept_features(model, SoundStream(recordings, LogMel(8000, 256, 80, 200, 12, scale="htk"), length=90))
    assert "8 recordings went through the base, 0 were kept" in capsys.readouterr().out
    varied = SoundStream(recordings, SMALL, 90, augment=SoundAugmentation(), variations=2)
    assert kept_features(model, varied).shape == (16, 4)
    assert "8 recordings went through the base" in capsys.readouterr().out


def test_a_recording_that_has_changed_or_vanished_is_left_out(recordings):
    recordings[2].path.write_bytes(wav([5000, -5000] * 900))
    recordings[6].path.unlink()
    rows = kept_features(frozen(), SoundStream(recordings, SMALL, 90), verbose=0)
    assert rows.shape == (6, 4) and rows.positions == [0, 1, 3, 4, 5, 7]
    reasons = {path.name: reason for path, reason in rows.left_out}
    assert reasons["2.wav"] == "has changed since the folder was looked through" and "is not there" in reasons["6.wav"]
    with pytest.raises(DataError, match="2.wav: has changed since the folder was looked through"):
        SoundStream(recordings, SMALL).read([2])


def test_what_cannot_be_kept_is_refused(recordings):
    with pytest.raises(ArgumentError, match="would depend on what else is in the batch. Give SoundStream a length"):
        kept_features(frozen(), SoundStream(recordings, SMALL), verbose=0)
    with pytest.raises(ArgumentError, match=r"the recordings differ in each epoch \(augmentation\)"):
        kept_features(frozen(), SoundStream(recordings, SMALL, 90, augment=SoundAugmentation()), verbose=0)


REFUSED = {
    "nothing": (lambda x: SoundStream([], SMALL), DataError, "there are no recordings"),
    "a place": (lambda x: SoundStream(x, SMALL, place="end"), ArgumentError, "place is 'end'; expected 'start' or"),
    "nothing varies": (lambda x: SoundStream(x, SMALL, variations=2), ArgumentError, "variations is 2, and nothing"),
    "a length": (lambda x: SoundStream(x, SMALL, length=0), ArgumentError, "length is 0"),
    "no frame": (
        lambda x: SoundStream(x, LogMel(8000, 1024, center=False)), DataError, "0.wav: is shorter than one frame",
    ),
    "a gain": (lambda x: SoundAugmentation(gain=-1), ArgumentError, "expected a shift and a gain of at least 0"),
    "noise": (lambda x: SoundAugmentation(noise=(20, 10)), ArgumentError, "the lower signal-to-noise ratio first"),
    "a background": (lambda x: SoundAugmentation(backgrounds=(np.zeros(9),)), ArgumentError, "`Sound`s as backgrounds"),
    "a share": (lambda x: SpectrogramMasks(widest=2), ArgumentError, "shares from 0 to 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_stream_is_refused(recordings, name):
    call, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        call(recordings)


def test_spoken_digits_become_spectrograms(tmp_path):
    """One real recording of each digit and speaker, as an image of 40 bands. None of them is cut."""
    for file in shared("data/fsdd/recordings", "spoken digits").glob("*_5.wav"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    folder = audit_sounds(tmp_path, "{class}_*", val_share=0, verbose=0)
    x = SoundStream(folder.train, LogMel(rate=8000, n_fft=256, hop=80, win_length=200, as_image=True), length=132)
    assert x.shape == (60, 132, 40, 1) and x.dropped == 0
    batch = x.read(slice(None))
    assert np.isfinite(batch).all() and batch.std() > 1
