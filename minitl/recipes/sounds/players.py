"""A recording within a page that loads nothing: its spectrogram as an image, and a player with the sound itself."""

import base64
import io
import wave

import numpy as np

from ...data import resize
from ...data.sound.lengths import centred
from ...kernels.mel import log_mel
from ..report.heat import coloured
from ..report.html import figure, image, join, tag

MOST_SECONDS = 5.0  # of a recording that is played: its middle
HEIGHT, WIDTH = 96, 240  # pixels of a spectrogram
BANDS, RANGE = 64, 80.0  # mel bands; decibels from the darkest to the brightest


def wav_bytes(samples, rate):
    """Return the bytes of a WAV file of 16 bits with samples (S,) from -1 to 1."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(int(rate))
        writer.writeframes(np.clip(np.round(samples * 2**15), -(2**15), 2**15 - 1).astype("<i2").tobytes())
    return file.getvalue()


def spectrogram(samples, rate):
    """Return the log-mel spectrogram of samples (S,) as colours, uint8 (96, 240, 3): high bands at the top."""
    size = 1 << max(6, round(np.log2(0.032 * rate)))  # about 32 ms
    samples = np.pad(samples, (0, max(0, size - len(samples)))).astype(np.float32)
    hop = max(1, size // 4)
    decibels = log_mel(samples, rate, n_fft=size, hop=hop, n_mels=min(BANDS, size // 8), decibels=True)  # (T, M)
    share = np.clip(1 + (decibels - decibels.max()) / RANGE, 0, 1)
    return resize(coloured(share.T[::-1])[None].astype(np.float32), HEIGHT, WIDTH)[0].round().astype(np.uint8)


def middle(sound):
    """Return the samples in the middle of a `Sound`: `MOST_SECONDS` at most."""
    return centred(sound.samples, min(len(sound.samples), round(MOST_SECONDS * sound.rate)))


def player(sound, name, caption):
    """Return the spectrogram of a `Sound`, and a player for its middle, as HTML."""
    samples = middle(sound)
    source = f"data:audio/wav;base64,{base64.b64encode(wav_bytes(samples, sound.rate)).decode()}"
    shown = image(spectrogram(samples, sound.rate), f"the spectrogram of {name}")
    heard = tag("audio", "", src=source, controls="controls", preload="none", aria_label=f"play {name}")
    return figure(join(shown, tag("br"), heard), caption)
