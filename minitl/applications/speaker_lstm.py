"""Speaker LSTM: a recurrent network that knows voices. Wan et al. 2018, arXiv 1710.10467, "Generalized End-to-End Loss
for Speaker Verification"; the weights are Resemblyzer's (Resemble AI, 2019).

    recording (S,)  ->  mel (T, 40)  ->  pieces of 160 frames  ->  LSTM x 3  ->  dense, ReLU  ->  length 1: (256,)

Three LSTMs read a piece of 1.6 seconds frame by frame, and the last state of the third is all that is kept. It was
trained so that two pieces of one voice point in the same direction, whatever is said, and pieces of two voices do not:
the product of two embeddings is the cosine of their angle, from 0 to 1.

The embedding of a recording is the mean over its pieces, brought to length 1 again. `preprocess_input` makes the mels
that the weights expect. They are powers: their logarithm is not taken, against the usual.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError, DataError
from ..kernels.mel import mel_spectrogram
from ..kernels.resampling_in_time import resample, resampled_length
from ..kernels.spectra import checked_samples
from ..layers import LSTM, Dense, Input, UnitNormalization
from ..models import Model
from .building import load_named_weights

BANDS, UNITS, LAYERS = 40, 256, 3

RATE = 16000  # samples a second
HOP, PIECE = 160, 160  # samples from one frame to the next; frames of a piece
STEP = 77  # frames from one piece to the next: 1.3 pieces a second
COVERAGE = 0.75  # of a last piece that has to be filled, unless it is the only one
LEVEL = -30.0  # decibels of a recording below the loudest possible, a square wave from -1 to 1
FRONT_END = {"n_fft": 400, "hop": HOP, "n_mels": BANDS, "scale": "slaney", "norm": "slaney", "center": True}


def SpeakerLSTM(weights="speaker-lstm", name="speaker_lstm"):
    """Return the network as a `Model`: mels (N, T, 40) -> (N, 256), rows of length 1.

    weights   'speaker-lstm' (downloaded once), None (random), or the path of a file in any format of `minitl.weights`

    It was trained on pieces of 160 frames. Prepare recordings with `preprocess_input`; `embed` does all of it. Raises
    WeightsError for the file.
    """
    with load_named_weights(weights, "speaker-lstm") as load:
        x = mels = Input((None, BANDS))
        for number in range(1, LAYERS + 1):
            x = LSTM(UNITS, return_sequences=number < LAYERS, name=f"lstm_{number}")(x)  # (N, T, 256); at last (N, 256)
        x = Dense(UNITS, activation="relu", name="projection")(x)
        return load(Model(mels, UnitNormalization(name="embedding")(x), name=name))


def preprocess_input(samples, rate):
    """Return the pieces of one recording that the weights expect: (S,) -> float32 (P, 160, 40).

    samples   floats from -1 to 1, as `data.sound.read_sound` gives them
    rate      samples a second. They are resampled to 16,000 if it is another rate

    A recording that is quieter than -30 dB is made as loud as that; a louder one stays as it is. The last piece is
    filled up with silence, and left out if less than 0.75 of it would be sound, unless it is the only one. (Resemblyzer
    also cuts out pauses, with a detector of speech that is not part of the network. Here pauses stay.)

    Raises DataError for a recording of silence, which has no voice.
    """
    samples = checked_samples(samples)
    samples = at_level(samples if rate == RATE else resample(samples, rate, RATE))
    starts = piece_starts(len(samples))
    end = (starts[-1] + PIECE) * HOP
    samples = np.pad(samples.astype(np.float32), (0, max(0, end - len(samples))))
    mels = mel_spectrogram(samples, RATE, **FRONT_END)  # (T, 40)
    return np.stack([mels[start : start + PIECE] for start in starts])  # (P, 160, 40)


def at_level(samples):
    """Return samples whose level is at least -30 dB: 20 log10 of the root of their mean square. Raises DataError for
    silence."""
    level = math.sqrt(float(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    if level == 0:
        raise DataError(f"the recording has {len(samples):,} samples and all are 0: there is no voice. Leave it out.")
    wanted = 10 ** (LEVEL / 20)
    return samples if level >= wanted else samples * samples.dtype.type(wanted / level)


def piece_starts(count):
    """Return the first frames of the pieces of `count` samples at 16,000 Hz, as Resemblyzer takes them."""
    frames = math.ceil((count + 1) / HOP)
    starts = list(range(0, max(1, frames - PIECE + STEP + 1), STEP))
    if len(starts) > 1 and count - starts[-1] * HOP < COVERAGE * PIECE * HOP:
        starts.pop()
    return starts


@dataclass(frozen=True)
class SpeakerMel:
    """`preprocess_input` as a front end of `data.sound`: prepare(samples, rate) -> float32 (P, 160, 40)."""

    rate, shape, unit, silence = RATE, (PIECE, BANDS), "piece", 0.0
    described = ("SpeakerMel",)

    def steps(self, count, rate):
        """Return the number of pieces of a recording of `count` samples at `rate`."""
        return len(piece_starts(resampled_length(count, rate, RATE)))

    def __call__(self, samples, rate):
        """Return the pieces of one recording."""
        return preprocess_input(samples, rate)


def embed(model, recordings, rate):
    """Return the embedding of each recording: float32 (N, 256), rows of length 1.

    recordings   a list of rows of samples from -1 to 1, of any lengths;   rate   samples a second of all of them

    All pieces go through the network as examples of their own, so the numbers of a recording do not depend on the
    others. Raises ArgumentError for a model whose output is something else.
    """
    if model.output_shape[1:] != (UNITS,):
        raise ArgumentError(
            f"model '{model.name}' has outputs of shape {model.output_shape}; expected (None, {UNITS}), as "
            "SpeakerLSTM() has."
        )
    pieces = [preprocess_input(samples, rate) for samples in recordings]
    if not pieces:
        return np.zeros((0, UNITS), np.float32)
    outputs = model.predict(np.concatenate(pieces), batch_size=128, verbose=0)  # (all pieces, 256)
    ends = np.cumsum([len(each) for each in pieces])
    means = np.stack([part.mean(axis=0) for part in np.split(outputs, ends[:-1])])
    length = np.linalg.norm(means, axis=1, keepdims=True)
    return means / np.where(length > 0, length, 1)
