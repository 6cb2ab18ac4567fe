"""Augmentation of sounds: random variations that a person would call the same.

A word is the same word a little later, louder, or with a fan behind it. `SoundAugmentation` changes samples,
`SpectrogramMasks` spectrograms: it hides a few bands and moments, so that a network does not rely on any of them.

What is drawn depends only on the seed, the epoch and the number of the recording, as for photographs.

Who calls this: `stream`.
"""

import hashlib
import math
from dataclasses import dataclass, field

import numpy as np

from ...errors import ArgumentError
from .reading import Sound


def shifted(samples, count):
    """Return samples (S,) that begin `count` samples later, or earlier if it is negative: of the same length, with
    silence where nothing is. What is pushed over the end is lost."""
    y = np.zeros_like(samples)
    kept = len(samples) - abs(count)
    if kept > 0:
        start = max(0, -count)
        y[max(0, count) : max(0, count) + kept] = samples[start : start + kept]
    return y


def amplified(samples, decibels):
    """Return samples with `decibels` more or less: 6 doubles them, nearly. They may leave the range from -1 to 1."""
    return samples * samples.dtype.type(10 ** (decibels / 20))


def mixed(samples, noise, snr):
    """Return samples (S,) with noise (S,) whose power is `snr` decibels below theirs.

    The power of a sound is the mean of its squares over the whole length, and 10 log10(power of the samples / power of
    the noise) is the signal-to-noise ratio. Silent samples, or silent noise, stay as they are.
    """
    of_samples, of_noise = (np.mean(np.square(each, dtype=np.float64)) for each in (samples, noise))
    if of_samples == 0 or of_noise == 0:
        return samples.copy()
    factor = math.sqrt(of_samples / of_noise / 10 ** (snr / 10))
    return samples + noise * samples.dtype.type(factor)


@dataclass(frozen=True)
class SoundAugmentation:
    """The random changes that are made to the samples of a recording.

    shift         it begins earlier or later, by at most so many seconds
    gain          it is louder or quieter, by at most so many decibels
    noise         the signal-to-noise ratio is between these two, in decibels; None: no noise
    backgrounds   `Sound`s of which a random part is the noise, such as a street. Without any, it is white noise

    The order is: shift, noise, gain. So the noise is there before the recording begins, as in a room.
    """

    shift: float = 0.1
    gain: float = 6.0
    noise: tuple | None = (10.0, 40.0)
    backgrounds: tuple = field(default=(), repr=False)

    def __post_init__(self):
        low, high = self.noise or (0, 0)
        if self.shift < 0 or self.gain < 0 or low > high or not all(isinstance(b, Sound) for b in self.backgrounds):
            raise ArgumentError(
                f"{self}: expected a shift and a gain of at least 0, the lower signal-to-noise ratio first, and "
                "`Sound`s as backgrounds."
            )

    @property
    def described(self):
        """The settings as plain data, with a digest of each background."""
        digests = [hashlib.sha256(sound.samples.tobytes()).hexdigest() for sound in self.backgrounds]
        return [repr(self), *digests]

    def __call__(self, samples, rate, rng):
        """Return a variation of samples (S,) at `rate`, of the same length. `rng` draws it."""
        most = round(self.shift * rate)
        y = shifted(samples, int(rng.integers(-most, most + 1)))
        if self.noise:
            snr = rng.uniform(*self.noise)
            y = mixed(y, self._noise(len(y), rate, rng).astype(y.dtype, copy=False), snr)
        return amplified(y, rng.uniform(-self.gain, self.gain))

    def _noise(self, count, rate, rng):
        """Return `count` samples of noise: white, or from a random place of a random background, which is repeated
        where it is too short."""
        if not self.backgrounds:
            return rng.standard_normal(count, np.float32)
        sound = self.backgrounds[rng.integers(len(self.backgrounds))]
        wanted = -(-count * sound.rate // rate)
        start = int(rng.integers(len(sound.samples)))
        part = np.take(sound.samples, np.arange(start, start + wanted), mode="wrap")
        return Sound(**{**vars(sound), "samples": part}).at(rate).samples[:count]


@dataclass(frozen=True)
class SpectrogramMasks:
    """Random bands and moments of a spectrogram that are hidden (SpecAugment, Park et al. 2019, without its warping).

    frequency_masks   the number of masks over neighbouring bands; each hides at most the share `widest` of all bands
    time_masks        the number of masks over neighbouring frames; each hides at most the share `longest` of all frames

    What is hidden becomes the mean of the spectrogram: a number that says nothing.
    """

    frequency_masks: int = 2
    widest: float = 0.15
    time_masks: int = 2
    longest: float = 0.15

    def __post_init__(self):
        if min(self.frequency_masks, self.time_masks) < 0 or not (0 <= self.widest <= 1 and 0 <= self.longest <= 1):
            raise ArgumentError(f"{self}: expected numbers of masks of at least 0, and shares from 0 to 1.")

    @property
    def described(self):
        """The settings, as plain data."""
        return [repr(self)]

    def __call__(self, spectrogram, rng):
        """Return a spectrogram (T, M) or (T, M, 1) of which parts are hidden. `rng` draws them."""
        y, hidden = spectrogram.copy(), spectrogram.mean()
        for axis, count, share in (1, self.frequency_masks, self.widest), (0, self.time_masks, self.longest):
            size = spectrogram.shape[axis]
            for _ in range(count):
                width = int(rng.integers(int(share * size) + 1))
                start = int(rng.integers(size - width + 1))
                y[(slice(None),) * axis + (slice(start, start + width),)] = hidden
        return y
