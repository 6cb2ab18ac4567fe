"""The front ends of the bases that are no part of their network: each recording becomes an example of one shape.

    Voice(1.6)          pieces of a recording for the speaker LSTM: (P, 160, 40)
    SoundImage(1.0)     an image of its spectrogram for VGG16: (64, 101, 1)
    MelParts()          the spectrogram itself, in six parts: (6, 80)

They are front ends as `data.sound.front_ends` describes them; `applications.speech_embedding.SpeechMel` is the fourth.
A recording of another rate is resampled by each of them.
"""

from dataclasses import dataclass

import numpy as np

from ...applications import speaker_lstm
from ...applications.sound_image import HOP, sound_image
from ...applications.speaker_lstm import BANDS, PIECE, at_level
from ...data.sound.lengths import centred
from ...kernels.mel import log_mel, mel_spectrogram
from ...kernels.resampling_in_time import resample
from ...kernels.spectra import checked_samples

RATE = 16000  # samples a second, of all front ends
APART = 0.77  # seconds from one piece to the next: those of `speaker_lstm`
ROWS = 64  # mel bands of an image


@dataclass(frozen=True)
class Voice:
    """Pieces of a recording, evenly spread over it: prepare(samples, rate) -> mels, float32 (P, 160, 40).

    seconds   P is the number of pieces of a recording of this length. A longer one loses both ends. Pieces of a shorter
              one overlap more; where it is shorter than one piece, silence follows, and all pieces are the same

    The mels are those of `speaker_lstm.preprocess_input`, whose number of pieces differs from recording to recording.
    Here it does not, so no piece is silence only because another recording is longer.
    """

    seconds: float = 1.6

    rate, unit, silence, shape = RATE, "piece", 0.0, (PIECE, BANDS)

    @property
    def pieces(self):
        """P."""
        return 1 + max(0, round((self.seconds - PIECE * speaker_lstm.HOP / RATE) / APART))

    @property
    def described(self):
        """The settings, as plain data."""
        return ["Voice", self.seconds]

    def steps(self, count, rate):
        """Return P, whatever the recording."""
        return self.pieces

    def __call__(self, samples, rate):
        """Return the pieces of one recording. Raises DataError for silence, which has no voice."""
        samples = resample(checked_samples(samples), rate, RATE)
        samples = at_level(centred(samples, min(len(samples), round(self.seconds * RATE)))).astype(np.float32)
        samples = np.pad(samples, (0, max(0, PIECE * speaker_lstm.HOP - len(samples))))
        mels = mel_spectrogram(samples, RATE, **speaker_lstm.FRONT_END)  # (T, 40)
        starts = np.linspace(0, len(mels) - PIECE, self.pieces).round().astype(int)
        return np.stack([mels[start : start + PIECE] for start in starts]).astype(np.float32, copy=False)


@dataclass(frozen=True)
class SoundImage:
    """An image of the spectrogram: prepare(samples, rate) -> float32 (64, columns, 1), highest bands at the top.

    seconds   of the middle of a recording, of which each column has 10 ms; silence around a shorter one is black
    """

    seconds: float = 1.0

    rate, unit, silence = RATE, "row", 0.0

    @property
    def columns(self):
        """The width of the image."""
        return round(self.seconds * RATE / HOP) + 1

    @property
    def shape(self):
        """The shape of one row."""
        return (self.columns, 1)

    @property
    def described(self):
        """The settings, as plain data."""
        return ["SoundImage", self.seconds]

    def steps(self, count, rate):
        """Return the number of rows, whatever the recording."""
        return ROWS

    def __call__(self, samples, rate):
        """Return the image of one recording."""
        return sound_image(samples, rate, self.columns, ROWS)


@dataclass(frozen=True)
class MelParts:
    """The log-mel spectrogram in six parts: prepare(samples, rate) -> decibels, float32 (6, 80).

    A recording is divided into six parts of the same length. Of each band, a part has the mean over its frames, then
    the standard deviation. So a word that is said slowly has nearly the same numbers as one that is said fast. Decibels
    are counted from the loudest number of the recording, to 80 below it: a louder recording has the same numbers.
    """

    parts: int = 6

    rate, unit, silence, shape = RATE, "part", 0.0, (2 * BANDS,)

    @property
    def described(self):
        """The settings, as plain data."""
        return ["MelParts", self.parts, "means and deviations below the loudest"]

    def steps(self, count, rate):
        """Return the number of parts, whatever the recording."""
        return self.parts

    def __call__(self, samples, rate):
        """Return the parts of one recording."""
        samples = resample(checked_samples(samples), rate, RATE).astype(np.float32, copy=False)
        samples = centred(samples, max(len(samples), self.parts * HOP))  # a frame for each part
        decibels = log_mel(samples, RATE, n_fft=512, hop=HOP, win_length=400, n_mels=BANDS, decibels=True)  # (T, 40)
        decibels = np.maximum(decibels - decibels.max(), np.float32(-80))
        parts = np.array_split(decibels, self.parts)
        return np.stack([np.concatenate([part.mean(axis=0), part.std(axis=0)]) for part in parts])  # (6, 80)
