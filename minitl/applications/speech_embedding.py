"""Speech embedding: a convolutional network that hears words. Lin et al. 2020, arXiv 2002.01322: "Training Keyword
Spotters with Limited and Synthesized Speech Data". Google trained it to tell thousands of words apart; what is left is
the part before the words, 96 numbers for each three quarters of a second.

    recording (S,)  ->  log-mel (T, 32, 1)  ->  network  ->  (W, 96)         T = 1 + (S - 512) // 160 at 16,000 Hz

Its input is an image: a row is a frame of 10 ms, a column one of 32 mel bands. A convolution looks along the bands
(1x3) or along the time (3x1), so it needs a third of the numbers of a 3x3. Along the bands the image is padded with
zeros. Along the time it is not: so 76 frames become one, and what lies before and after them has no influence.

The network was trained on *windows* of 76 frames. The poolings halve the time three times, so windows that begin 8
frames apart share nearly all of their work. A recording goes through once, as a whole, and gives all its windows, the
same numbers as one window at a time (`tests/sound/test_speech_embedding.py`). A minute then takes a tenth of the time.

The activation is a ReLU with a slope of 0.2 below 0 that ends at -0.4: max(x, 0.2 x, -0.4).

Layer names are those in the published ONNX file. `preprocess_input` makes the log-mel that the weights expect.
"""

from dataclasses import dataclass

import numpy as np

from ..arguments import whole_number
from ..data.sound.lengths import centred
from ..errors import ArgumentError
from ..kernels.mel import FLOOR, log_mel
from ..kernels.resampling_in_time import resample, resampled_length
from ..kernels.spectra import checked_samples, number_of_frames
from ..layers import Clip, Conv2D, Input, MaxPooling2D, ReLU, Reshape, ZeroPadding2D
from ..models import Model
from .building import load_named_weights

ALONG_BANDS, ALONG_TIME = (1, 3), (3, 1)
# (channels, kernels, pooling)
BLOCKS = [  # 76 frames, 32 bands; the bands are padded before the first convolution
    (24, [(3, 3), ALONG_BANDS, ALONG_TIME], (2, 2)),  # 36 x 16 x 24
    (48, [ALONG_BANDS, ALONG_TIME] * 2, (1, 2)),  # 32 x 8 x 48
    (72, [ALONG_BANDS, ALONG_TIME] * 2, (2, 2)),  # 14 x 4 x 72
    (96, [ALONG_BANDS, ALONG_TIME] * 2, (1, 2)),  # 10 x 2 x 96
    (96, [ALONG_BANDS, ALONG_TIME] * 2, (2, 2)),  # 3 x 1 x 96
]
NUMBERS = 96  # the last convolution, 3x1: 1 x 1 x 96

RATE = 16000  # samples a second
WINDOW, STEP = 76, 8  # frames that an embedding sees, and from one embedding to the next
LENGTH, HOP = 512, 160  # samples of a frame, and from one to the next
SHORTEST = LENGTH + (WINDOW - 1) * HOP  # samples of one window: 12,512, or 0.78 s
RANGE = 80.0  # decibels below the loudest number of a recording
FRONT_END = {"n_fft": LENGTH, "hop": HOP, "win_length": 400, "n_mels": 32, "fmin": 60, "fmax": 3800,
             "scale": "slaney", "norm": "slaney", "center": False}  # fmt: skip


def SpeechEmbedding(weights="speech-embedding", name="speech_embedding"):
    """Return the network as a `Model`: log-mels (N, T, 32, 1) -> (N, W, 96), W = `windows_in(T)`.

    weights   'speech-embedding' (downloaded once), None (random), or the path of a file in any format of
              `minitl.weights`

    Prepare recordings with `preprocess_input`. Raises WeightsError for the file.
    """
    with load_named_weights(weights, "speech-embedding") as load:
        spectrogram = Input((None, 32, 1))
        x, number = ZeroPadding2D((0, 1), name="band_padding")(spectrogram), 0
        for block, (channels, kernels, pooling) in enumerate(BLOCKS, 1):
            for kernel in kernels:
                x = convolution(x, channels, kernel, number)
                number += 1
            x = MaxPooling2D(pooling, name=f"block{block}_pool")(x)
        x = Conv2D(NUMBERS, ALONG_TIME, use_bias=False, name=f"conv2d_{number}")(x)  # (N, W, 1, 96)
        return load(Model(spectrogram, Reshape((-1, NUMBERS), name="embedding")(x), name=name))


def convolution(x, channels, kernel, number):
    """Return x after a convolution and the activation max(x, 0.2 x, -0.4)."""
    padding = "same" if kernel == ALONG_BANDS else "valid"
    x = Conv2D(channels, kernel, padding=padding, name=f"conv2d_{number}" if number else "conv2d")(x)
    x = ReLU(negative_slope=0.2, name=f"relu_{number}")(x)
    return Clip(min_value=-0.4, name=f"limit_{number}")(x)


def windows_in(frames):
    """Return the number of windows of so many frames: one for every 8 frames from the 76th on."""
    return max(0, 1 + (frames - WINDOW) // STEP)


def preprocess_input(samples, rate, length=None):
    """Return the log-mel of one recording that the weights expect: (S,) -> float32 (T, 32, 1).

    samples   floats from -1 to 1, as `data.sound.read_sound` gives them
    rate      samples a second. They are resampled to 16,000 if it is another rate
    length    None: the whole recording. Otherwise so many samples at 16,000 a second: the recording is put in their
              middle, with silence on both sides, or loses both ends (`data.sound.lengths.centred`)

    The network learned from samples of 16 bits, so they are multiplied by 32,768. The logarithm is in decibels, at
    least 80 below the recording's largest number, then divided by 10, plus 2. A recording of less than one window
    (0.78 s) gets silence on both sides, up to one window.

    Raises ShapeError and DataError for samples that are none.
    """
    samples = checked_samples(samples)
    samples = samples if rate == RATE else resample(samples, rate, RATE)
    count = max(SHORTEST, len(samples) if length is None else whole_number(length, "length"))
    samples = np.float32(2**15) * centred(samples, count).astype(np.float32)
    decibels = log_mel(samples, RATE, decibels=True, **FRONT_END)  # (T, 32)
    decibels = np.maximum(decibels, decibels.max() - np.float32(RANGE))
    return (decibels / 10 + 2)[..., None]


@dataclass(frozen=True)
class SpeechMel:
    """`preprocess_input` as a front end of `data.sound`: prepare(samples, rate) -> float32 (T, 32, 1)."""

    length: int | None = None

    rate, shape, unit = RATE, (32, 1), "frame"
    silence = float(np.log10(FLOOR) + 2)  # what the power 0 becomes

    @property
    def described(self):
        """The settings, as plain data."""
        return ["SpeechMel", self.length]

    def steps(self, count, rate):
        """Return the number of frames of a recording of `count` samples at `rate`."""
        count = resampled_length(count, rate, RATE) if self.length is None else self.length
        return number_of_frames(max(count, SHORTEST), LENGTH, HOP, center=False)

    def __call__(self, samples, rate):
        """Return the log-mel of one recording."""
        return preprocess_input(samples, rate, self.length)


def embed(model, recordings, rate, length=None):
    """Return the embeddings of recordings as a list of float32 arrays (W, 96), one for each.

    recordings   a list of rows of samples from -1 to 1, of any lengths;   rate   samples a second of all of them
    length       as in `preprocess_input`

    Recordings of the same number of frames go through the network together. The numbers of a recording do not depend
    on the others. Raises ArgumentError for a model whose output is something else.
    """
    if model.output_shape[1:] != (None, NUMBERS):
        raise ArgumentError(
            f"model '{model.name}' has outputs of shape {model.output_shape}; expected (None, None, {NUMBERS}), as "
            "SpeechEmbedding() has."
        )
    inputs = [preprocess_input(samples, rate, length) for samples in recordings]
    found, groups = [None] * len(inputs), {}
    for number, each in enumerate(inputs):
        groups.setdefault(len(each), []).append(number)
    for numbers in groups.values():
        outputs = model.predict(np.stack([inputs[number] for number in numbers]), verbose=0)
        for number, output in zip(numbers, outputs):
            found[number] = output
    return found
