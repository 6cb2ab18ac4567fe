"""Front ends: what becomes of the samples of a recording before a network is given them.

    LogMel(rate=16000, n_mels=40)      the logarithm of a mel spectrogram: (T, 40)
    EvenMel(rate=16000, n_mels=40)     the mel spectrogram after PCEN: (T, 40)
    Samples(rate=16000)                the samples themselves: (S,)

A network has learned with one front end, and hears nonsense behind another one. So a front end carries its rate and
resamples a sound of another one, and it describes itself as plain data, of which the key of kept features is made.

Any object will do that has

    rate                        samples a second
    shape                       of one step, after the axis of time: (40,) or ()
    unit                        the word for a step: "frame", "sample"
    silence                     the number that padding consists of
    described                   plain data that change whenever the numbers change
    __call__(samples, rate)     returns (T, *shape) in float32
    steps(count, rate)          returns T for a recording of `count` samples

Who calls this: `stream`.
"""

from dataclasses import astuple, dataclass

import numpy as np

from ...kernels.gain_normalization import pcen, smoothing
from ...kernels.mel import FLOOR, log_power, mel_spectrogram
from ...kernels.resampling_in_time import resample, resampled_length
from ...kernels.spectra import number_of_frames


@dataclass(frozen=True)
class _Mel:
    """A mel spectrogram. The settings are those of `kernels.mel.mel_spectrogram`; `rate` is in samples a second.

    as_image   True: (T, n_mels, 1), an image with one channel. Time goes down, from row to row
    """

    rate: int = 16000
    n_fft: int = 512
    hop: int = 160
    win_length: int | None = 400
    n_mels: int = 40
    fmin: float = 0.0
    fmax: float | None = None
    scale: str = "slaney"
    norm: str | None = "slaney"
    center: bool = True
    as_image: bool = False

    unit = "frame"

    @property
    def shape(self):
        """The shape of one frame."""
        return (self.n_mels, 1) if self.as_image else (self.n_mels,)

    @property
    def described(self):
        """The settings, as plain data."""
        return [type(self).__name__, *astuple(self)]

    def steps(self, count, rate):
        """Return the number of frames of a recording of `count` samples at `rate`."""
        count = resampled_length(count, rate, self.rate)
        return number_of_frames(count, self.n_fft, self.hop, self.center)

    def power(self, samples, rate):
        """Return the mel spectrogram of samples (S,) at `rate`: (T, n_mels)."""
        return mel_spectrogram(
            resample(samples, rate, self.rate), self.rate, self.n_fft, self.hop, self.win_length, self.n_mels,
            self.fmin, self.fmax, self.scale, self.norm, self.center,
        )  # fmt: skip

    def shaped(self, spectrogram):
        """Return a spectrogram (T, n_mels) as float32 in the shape that is wanted."""
        return spectrogram.astype(np.float32, copy=False).reshape(len(spectrogram), *self.shape)


@dataclass(frozen=True)
class LogMel(_Mel):
    """The logarithm of a mel spectrogram: samples -> (T, n_mels).

    floor, decibels   as in `kernels.mel.log_mel`; the others as in `kernels.mel.mel_spectrogram`
    """

    floor: float = FLOOR
    decibels: bool = False

    @property
    def silence(self):
        """The number that silence becomes."""
        return float(log_power(np.zeros(1, np.float32), self.floor, self.decibels)[0])

    def __call__(self, samples, rate):
        """Return the features of samples (S,) at `rate`: float32 (T, n_mels)."""
        return self.shaped(log_power(self.power(samples, rate), self.floor, self.decibels))


@dataclass(frozen=True)
class EvenMel(_Mel):
    """A mel spectrogram after PCEN: what stays the same is turned down (`kernels.gain_normalization`).

    time_constant   in seconds;   gain, bias, root, eps   as in `pcen`, whose `power` is `root` here
    """

    time_constant: float = 0.4
    gain: float = 0.98
    bias: float = 2.0
    root: float = 0.5
    eps: float = 1e-6

    silence = 0.0

    def __call__(self, samples, rate):
        """Return the features of samples (S,) at `rate`: float32 (T, n_mels)."""
        energy = self.power(samples, rate) * np.float32(2**30)  # of samples of 16 bits, which the constants are for
        s = smoothing(self.rate, self.hop, self.time_constant)
        return self.shaped(pcen(energy, s, self.gain, self.bias, self.root, self.eps)[0])


@dataclass(frozen=True)
class Samples:
    """The samples themselves, at `rate`, each multiplied by `scale`: samples -> (S,)."""

    rate: int = 16000
    scale: float = 1.0

    unit, shape, silence = "sample", (), 0.0

    @property
    def described(self):
        """The settings, as plain data."""
        return ["Samples", *astuple(self)]

    def steps(self, count, rate):
        """Return the number of samples of a recording of `count` samples at `rate`."""
        return resampled_length(count, rate, self.rate)

    def __call__(self, samples, rate):
        """Return the samples at this front end's rate: float32 (S,)."""
        return resample(samples, rate, self.rate).astype(np.float32, copy=False) * np.float32(self.scale)
