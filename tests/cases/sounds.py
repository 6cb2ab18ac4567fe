"""Sounds for tests.

WAV files are put together chunk by chunk, so that each number in them can be wrong. The settings are those of
spectrograms that are compared with librosa's.
"""

import struct

import numpy as np

TYPES = {("PCM", 8): "u1", ("PCM", 16): "<i2", ("PCM", 32): "<i4", ("float", 32): "<f4", ("float", 64): "<f8"}
NUMBERS = {"PCM": 1, "float": 3, "A-law": 6, "mu-law": 7}
GUID = bytes.fromhex("000000001000800000aa00389b71")


def chunk(name, content, size=None):
    """Return a chunk; its size is stated as `size`."""
    return name + struct.pack("<I", len(content) if size is None else size) + content + b"\0" * (len(content) % 2)


def stored(samples, kind="PCM", bits=16):
    """Return the bytes of samples: whole numbers as they are stored, or floats."""
    if bits == 24:
        wide = np.asarray(samples, "<i4").reshape(-1, 1).view(np.uint8)
        return wide[:, :3].tobytes()
    return np.asarray(samples, TYPES.get((kind, bits), "u1")).tobytes()


def fmt(kind="PCM", channels=1, rate=8000, bits=16, width=None, extensible=False, extra=b""):
    """Return the content of a chunk 'fmt '. `kind` is a name, or the number of one that is not read."""
    number = NUMBERS.get(kind, kind)
    width = channels * bits // 8 if width is None else width
    head = struct.pack("<HHIIHH", 0xFFFE if extensible else number, channels, rate, rate * width % 2**32, width, bits)
    return head + (struct.pack("<HHIH", 22, bits, 0, number) + GUID if extensible else extra)


def wav(samples=(0, 1000, -1000, 500), kind="PCM", bits=16, before=(), after=(), riff=None, data=None, **settings):
    """Return the bytes of a WAV file.

    samples         the numbers of all channels in turn, or bytes
    before, after   chunks around 'data';   riff, data   the sizes that are stated
    """
    content = samples if isinstance(samples, bytes) else stored(samples, kind, bits)
    chunks = [chunk(b"fmt ", fmt(kind, bits=bits, **settings)), *before, chunk(b"data", content, data), *after]
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if riff is None else riff) + body


def sine(frequency, rate, seconds, height=0.5, dtype=np.float32):
    """Return a tone: (seconds * rate,)."""
    return (height * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(dtype)


def write_tone(path, frequency=440.0, rate=8000, seconds=0.3, height=0.5, **settings):
    """Write a WAV file of 16 bits with a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wav(np.round(sine(frequency, rate, seconds, height, float) * 32767), rate=rate, **settings))


# ---- spectrograms that are compared with librosa's ----

RATE = 8000
SETTINGS = [
    dict(n_fft=256, hop=80, win_length=200, n_mels=20, scale="htk", norm=None, center=True),
    dict(n_fft=256, hop=100, win_length=256, n_mels=13, scale="slaney", norm="slaney", center=False),
    dict(n_fft=250, hop=64, win_length=127, n_mels=10, scale="slaney", norm=None, center=True, fmin=60.0, fmax=3800.0),
    dict(n_fft=512, hop=160, win_length=400, n_mels=16, scale="htk", norm="slaney", center=False, fmin=20.0),
]


def rising_tone():
    """Return a tone that rises from 200 Hz to 1640 Hz, grows, and stops: (2000,) in float32."""
    time = np.arange(2000) / RATE
    tone = np.sin(2 * np.pi * (200 * time + 3600 * time**2)) * time * 2
    return np.where(time < 0.2, tone, 0).astype(np.float32)


def librosas_names(settings):
    """Return settings under librosa's names, and those among them that its filters take."""
    named = {{"hop": "hop_length", "scale": "htk"}.get(key, key): value for key, value in settings.items()}
    named["htk"] = named["htk"] == "htk"
    return named, {key: named[key] for key in ("n_fft", "n_mels", "htk", "norm", "fmin", "fmax") if key in named}
