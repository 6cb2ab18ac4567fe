"""A recording as an image for a network that was trained on photographs, such as VGG16.

    base = adapt_input(VGG16(include_top=False, input_shape=(64, 96, 3)), (64, 96, 1))
    features = base.predict(np.stack([sound_image(sound.samples, sound.rate) for sound in sounds]))

Edges, corners and textures are in spectrograms as well, and this is what such a network knows. A row is a mel band, the
highest at the top, and a column is a frame. The image has one channel; `transfer.adapt_input` adds up the kernels of
red, green and blue, so that it counts as a grey image.

*Scale.* The weights expect grey from 0 to 255 minus the mean grey of ImageNet's photographs. The loudest number of the
recording becomes 255, and everything that is 80 decibels below it, or more, becomes 0. So a louder recording gives the
same image, as a brighter photograph nearly does.
"""

import numpy as np

from ..arguments import whole_number
from ..data.preparation import IMAGENET_MEAN_BGR
from ..data.sound.lengths import centred
from ..kernels.mel import log_power, mel_spectrogram
from ..kernels.resampling_in_time import resample
from ..kernels.spectra import checked_samples

RATE, HOP = 16000, 160
RANGE = 80.0  # decibels from black to white
MEAN_GREY = float(IMAGENET_MEAN_BGR.mean())  # 114.8
FRONT_END = {"n_fft": 512, "hop": HOP, "win_length": 400, "scale": "slaney", "norm": "slaney"}


def sound_image(samples, rate, frames=96, bands=64):
    """Return a recording as an image: samples (S,) from -1 to 1 -> float32 (bands, frames, 1).

    rate     samples a second. They are resampled to 16,000 if it is another rate
    frames   columns, of 10 ms each. A shorter recording stands in the middle, with silence on both sides; a longer one
             loses both ends
    bands    rows: mel bands from 0 to 8,000 Hz
    """
    samples = checked_samples(samples)
    samples = samples if rate == RATE else resample(samples, rate, RATE)
    samples = centred(samples, (whole_number(frames, "frames") - 1) * HOP).astype(np.float32)
    power = mel_spectrogram(samples, RATE, n_mels=bands, **FRONT_END)  # (frames, bands)
    loudest = power.max() or np.float32(1)  # 0 for silence
    decibels = log_power(power / loudest, floor=10 ** (-RANGE / 10), decibels=True)  # from -80 to 0
    grey = 255 * (1 + decibels / RANGE) - MEAN_GREY
    return np.ascontiguousarray(grey.T[::-1, :, None], np.float32)
