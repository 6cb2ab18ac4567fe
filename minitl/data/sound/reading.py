"""A recording from a file: one row of samples from -1 to 1, with its rate.

    sound = read_sound("yes.wav", rate=16000)
    sound.samples      float32 (S,), from -1 to 1
    sound.rate         16000: samples a second

WAV files are read by `wav`. Other formats (FLAC, Ogg, MP3, AIFF, ...) need the package soundfile, the extra `sound`.

Three mistakes are made with sounds again and again, and none of them gives an error where it is made:

*Another rate.* A sound of 8,000 samples a second that is taken for one of 16,000 is twice as fast and an octave too
high. So samples never go without their rate: `rate` resamples them (`kernels.resampling_in_time`).

*Another scale.* Samples of 16 bits that are not divided by 2^15 are 90.3 decibels too loud. Here all are from -1 to 1,
however many bits the file has.

*Channels that are read as time.* Two channels alternate in a file. Read as one, they are a sound of twice the length.
Here they are averaged.

Who calls this: `folder`, `stream`. Read next: `wav`.
"""

import io
import os
from dataclasses import dataclass

import numpy as np

from ...arguments import AnyPath, whole_number
from ...errors import DataError, MissingExtraError
from ...kernels.resampling_in_time import resample
from ..photos import require_file
from . import wav
from .sound_kinds import no_sound, sound_format

MOST_SAMPLES = 50_000_000  # of a recording: 52 minutes at 16,000 a second, 17 at 48,000; 200 MB
LOUDEST = 16.0  # of samples that are stored as floats and meant to be from -1 to 1


@dataclass(frozen=True)
class Sound:
    """A recording: one row of samples, and how it was stored.

    samples     float32 (S,), from -1 to 1: the mean of the channels
    rate        samples a second
    file_rate   the same in the file, before resampling
    channels    in the file;   bits   of a sample in the file, None where it has no such number
    kind        "PCM", "float", "mu-law", "A-law", or the name of a format
    loudest     the largest absolute sample of any channel
    clipped     the number of neighbouring pairs of samples at the limit of what the file can hold
    """

    samples: np.ndarray
    rate: int
    file_rate: int
    channels: int
    bits: int | None
    kind: str
    loudest: float
    clipped: int

    @property
    def seconds(self):
        """The duration."""
        return len(self.samples) / self.rate

    def __repr__(self):
        bits = f", {self.bits} bits" if self.bits else ""
        return (
            f"<Sound of {self.seconds:.2f} s: {len(self.samples):,} samples at {self.rate:,} Hz; in the file "
            f"{self.channels} channel{'s' if self.channels > 1 else ''} at {self.file_rate:,} Hz, {self.kind}{bits}>"
        )

    def at(self, rate):
        """Return the same sound at another rate."""
        if whole_number(rate, "rate") == self.rate:
            return self
        return Sound(**{**vars(self), "samples": resample(self.samples, self.rate, rate), "rate": int(rate)})


def read_sound(
    path: AnyPath, rate: int | None = None, most_samples: int = MOST_SAMPLES, content: bytes | None = None
) -> Sound:
    """Return a recording as a `Sound`: its channels are averaged, its samples are from -1 to 1.

    rate           samples a second that are wanted (None: as in the file)
    most_samples   a longer recording is refused, before it is read
    content        the bytes of the file, where they were read before; then `path` only names it in messages

    Raises DataError with the name of the file, the reason, and what to do; MissingExtraError for a format that needs
    the package soundfile.
    """
    if rate is not None:
        rate = whole_number(rate, "rate")
    if content is None:
        require_file(path, "a sound", "a recording")
    try:
        with open(path, "rb") if content is None else io.BytesIO(content) as file:
            start, size = file.read(512), file.seek(0, os.SEEK_END)
            file.seek(0)
            if start[:4] == b"RIFF" and start[8:12] == b"WAVE":
                sound = _from_wav(file, path, size, most_samples)
            elif sound_format(start):
                sound = _from_other(file, path, sound_format(start), most_samples)
            elif start[:4] == b"RIFF" and len(start) < 12:
                raise DataError(f"{path}: is cut short: it has {size} bytes. {wav.AGAIN}.")
            else:
                reason = no_sound(start) if start else "it is empty"
                raise DataError(f"{path}: cannot be read as a sound ({reason}).")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from None
    return sound if rate is None else sound.at(rate)


def _from_wav(file, path, size, most_samples):
    layout = wav.layout_of(file, path, size)
    _require_length(path, layout.moments, layout.rate, most_samples)
    top = 1.0 if layout.kind == wav.FLOAT else _largest(layout)
    joined = _Joined(path, layout.moments, top)
    for block in wav.blocks(file, layout, path):
        joined.add(block)
    return joined.sound(layout.rate, layout.channels, layout.bits, wav.NAMES[layout.kind])


def _largest(layout):
    """Return the largest number that a sample of this layout can be."""
    highest = {8: b"\xff", 16: b"\xff\x7f", 24: b"\xff\xff\x7f", 32: b"\xff\xff\xff\x7f"}
    codes = {wav.MU_LAW: b"\x80", wav.A_LAW: b"\xaa"}
    return float(wav.as_float(codes.get(layout.kind, highest[layout.bits]), layout.kind, layout.bits)[0])


def _from_other(file, path, name, most_samples):
    """Return the `Sound` in an open file of another format, by the package soundfile."""
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: the package is there, and the library that it calls is not
        raise MissingExtraError(
            f"{path}: is {name}, and reading it needs soundfile (the extra 'sound'): python -m pip install soundfile. "
            "Or save it as WAV."
        ) from None
    try:
        with soundfile.SoundFile(file) as opened:
            rate, channels = opened.samplerate, opened.channels
            if not 0 < channels <= wav.MOST_CHANNELS or not wav.LEAST_RATE <= rate <= wav.MOST_RATE:
                raise DataError(f"{path}: says that it has {channels} channels at {rate} Hz. Fetch it again.")
            most = wav.moments_of_a_block(channels)
            bits = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}.get(opened.subtype)
            joined = _Joined(path, None, 1 - 2.0 ** (1 - bits) if bits and bits < 25 else 1.0)
            while len(block := opened.read(most, dtype="float32", always_2d=True)):
                joined.add(block)
                _require_length(path, joined.count, rate, most_samples)
            if joined.count < opened.frames < 2**62:  # a larger number stands for one that is not known
                raise DataError(
                    f"{path}: is cut short: its head says {opened.frames:,} samples, and it has {joined.count:,}. "
                    "Fetch it again."
                )
            return joined.sound(rate, channels, bits, opened.format)
    except (soundfile.SoundFileError, ValueError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        words = str(error).split(": ", 1)[-1].rstrip(".")
        words = "nothing in it can be decoded" if "not a regular file" in words else words  # libsndfile, of MP3
        raise DataError(f"{path}: is damaged or cut short, as {name} ({words}). Fetch it again.") from None


class _Joined:
    """The mean of the channels of a recording, put together block by block."""

    def __init__(self, path, count, top):
        self.path, self.top, self.parts = path, top, []
        self.samples = None if count is None else np.empty(count, np.float32)
        self.count, self.loudest, self.clipped, self.at_limit = 0, 0.0, 0, False

    def add(self, block):
        """Add the samples (n, channels) that follow."""
        size = np.abs(block)
        loudest = float(size.max(initial=0))
        if not np.isfinite(loudest):
            place = self.count + int(np.argmin(np.isfinite(block).all(axis=1)))
            value = next(each for each in block[place - self.count].tolist() if not np.isfinite(each))
            raise DataError(f"{self.path}: has {value} in place of a number as sample {place:,}. {wav.AGAIN}.")
        if loudest > LOUDEST:
            raise DataError(
                f"{self.path}: holds float samples of up to {loudest:,.0f}; expected -1 to 1. Divide them by "
                f"{2 ** int(np.ceil(np.log2(loudest))):,} and save it again."
            )
        limits = np.concatenate([[self.at_limit], (size >= self.top).any(axis=1)])
        self.clipped += int((limits[1:] & limits[:-1]).sum())
        self.at_limit, self.loudest = bool(limits[-1]), max(self.loudest, loudest)
        mean = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
        if self.samples is None:
            self.parts.append(mean)
        else:
            self.samples[self.count : self.count + len(mean)] = mean
        self.count += len(mean)

    def sound(self, rate, channels, bits, kind):
        """Return the `Sound` of all that was added. Raises DataError if that is nothing."""
        if not self.count:
            raise DataError(f"{self.path}: holds no samples. Remove it, or record it again.")
        samples = np.concatenate(self.parts) if self.samples is None else self.samples
        return Sound(samples, rate, rate, channels, bits, kind, self.loudest, self.clipped)


def _require_length(path, count, rate, most_samples):
    if count > most_samples:
        raise DataError(
            f"{path}: is longer than the limit of {most_samples:,} samples, {most_samples / rate:,.0f} seconds at its "
            "rate. Cut it into parts, or give a larger limit (most_samples)."
        )
