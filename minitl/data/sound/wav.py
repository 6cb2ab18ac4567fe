"""WAV files: the samples of a recording, behind a few numbers that say how they are written.

    "RIFF"  size  "WAVE"             size of what follows; 0 or 0xFFFFFFFF from a program that could not know it
    "fmt "  size  the numbers        kind, channels, rate, bytes a second, bytes of one moment, bits
    "LIST"  size  ...                any other chunks, in any order; after an odd size stands one byte more
    "data"  size  the samples        one moment after the other, each with a number for each channel

All numbers are little-endian. Samples of 8 bits are unsigned, 0 to 255 around 128; those of 16, 24 and 32 bits are
signed. All of them are divided by 2^(bits - 1), so they run from -1 to just below 1: in 16 bits, -32768 and 16384 are
-1 and 0.5. Samples of the kind "float" are there already. Those of A-law and mu-law, the telephone's, have 8 bits that
count in a nearly logarithmic scale.

The `wave` of Python's library refuses floats and does not look for contradictions in a header. Here, nothing is
believed that the file's length does not confirm, and no more is read than one block at a time.

Who calls this: `reading`.
"""

import struct
from typing import NamedTuple

import numpy as np

from ...errors import DataError

BLOCK = 2**16  # samples that are read at a time, of all channels together
PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
NAMES = {PCM: "PCM", FLOAT: "float", A_LAW: "A-law", MU_LAW: "mu-law"}
BITS = {PCM: (8, 16, 24, 32), FLOAT: (32, 64), A_LAW: (8,), MU_LAW: (8,)}
COMPRESSED = {
    0x02: "Microsoft ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x40: "G.721", 0x50: "MPEG", 0x55: "MP3",
    0x160: "Windows Media Audio", 0x161: "Windows Media Audio", 0x162: "Windows Media Audio", 0xFF: "AAC",
}  # fmt: skip
# The rest of the identifier behind a kind in WAVE_FORMAT_EXTENSIBLE.
KINDS_OF_EXTENSIBLE = bytes.fromhex("000000001000800000aa00389b71")
UNKNOWN_SIZES = (0, 0xFFFFFFFF)
MOST_CHUNKS = 1000
MOST_CHANNELS = 1024
LEAST_RATE, MOST_RATE = 100, 1_000_000  # samples a second; ultrasound is recorded with up to 500,000
AGAIN = "Fetch it again, or save it again as WAV"


class Layout(NamedTuple):
    """The way in which the samples of a file are written, and their place: `kind` is a key of NAMES, `moments` the
    number of samples of each channel, `start` the place of the first one in the file."""

    kind: int
    channels: int
    rate: int
    bits: int
    moments: int
    start: int


def layout_of(file, path, size):
    """Return the `Layout` of an open WAV file of `size` bytes. Raises DataError, naming `path` and the fault."""
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise _broken(path, f"begins with {head!r}; expected the twelve bytes of a WAV file's head")
    claimed = struct.unpack("<I", head[4:8])[0]
    end = size
    if claimed not in UNKNOWN_SIZES:
        if claimed + 8 > size + size % 2:  # some programs count a last odd byte that they do not write
            raise _broken(path, f"is cut short: its head says {claimed + 8:,} bytes, and it has {size:,}")
        end = min(size, claimed + 8)
    chunks = _chunks(file, path, end, claimed)
    if "fmt " not in chunks:
        raise _broken(path, "has no chunk 'fmt ', which says how the samples are written")
    if "data" not in chunks:
        raise _broken(path, "has no chunk 'data', which holds the samples")
    start, length, is_stated = chunks["fmt "]
    file.seek(start)
    kind, channels, rate, bits = _format(file.read(min(length, 40)), path)
    start, length, is_stated = chunks["data"]
    width = channels * bits // 8
    if is_stated and length % width:
        raise _broken(path, f"holds {length:,} bytes of samples; expected a multiple of {width}, the bytes of a moment")
    return Layout(kind, channels, rate, bits, length // width, start)


def blocks(file, layout, path):
    """Yield the samples of a file as float32 (n, channels), from -1 to 1, at most BLOCK of them at a time."""
    file.seek(layout.start)
    width, most = layout.channels * layout.bits // 8, moments_of_a_block(layout.channels)
    for first in range(0, layout.moments, most):
        wanted = min(most, layout.moments - first) * width
        raw = file.read(wanted)
        if len(raw) < wanted:
            raise _broken(path, "became shorter while it was read")
        yield as_float(raw, layout.kind, layout.bits).reshape(-1, layout.channels)


def moments_of_a_block(channels):
    """Return the number of moments that are read at a time, each with so many samples."""
    return max(1, BLOCK // channels)


def as_float(raw, kind, bits):
    """Return the samples in bytes as float32 numbers from -1 to 1: (n,)."""
    if kind == FLOAT:
        with np.errstate(over="ignore"):  # a float64 that is too large becomes inf, which is refused later
            return np.frombuffer(raw, f"<f{bits // 8}").astype(np.float32)
    if kind in (A_LAW, MU_LAW):
        return (_a_law if kind == A_LAW else _mu_law)()[np.frombuffer(raw, np.uint8)]
    if bits == 8:
        return (np.frombuffer(raw, np.uint8).astype(np.float32) - 128) / 128
    if bits == 24:  # the three bytes become the upper ones of four, so the sign is where it belongs
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        return wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
    return np.frombuffer(raw, f"<i{bits // 8}").astype(np.float32) / np.float32(2 ** (bits - 1))


def _mu_law():
    """Return the 256 values of mu-law (ITU-T G.711). The bits are inverted: sign, three for an exponent, four more."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, rest = (code >> 4 & 7).astype(int), (code & 15).astype(int)
    size = ((2 * rest + 33) << exponent) - 33
    return (np.where(code & 128, -size, size) / 2**13).astype(np.float32)


def _a_law():
    """Return the 256 values of A-law (ITU-T G.711). Every second bit is inverted; the lowest exponent has no leading
    bit."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, rest = (code >> 4 & 7).astype(int), (code & 15).astype(int)
    size = np.where(exponent == 0, 2 * rest + 1, (2 * rest + 33) << np.maximum(exponent - 1, 0))
    return (np.where(code & 128, size, -size) / 2**12).astype(np.float32)


def _chunks(file, path, end, claimed):
    """Return {name: (start, length, whether the length is stated)} of the chunks 'fmt ' and 'data'."""
    found, place = {}, 12
    for _ in range(MOST_CHUNKS):
        if place + 8 > end:
            return found
        file.seek(place)
        name, length = struct.unpack("<4sI", file.read(8))
        name, start, is_stated = name.decode("latin-1"), place + 8, True
        if name == "data" and (length == 0xFFFFFFFF or (length == 0 and claimed in UNKNOWN_SIZES)):
            length, is_stated = end - start, False  # from a program that wrote without knowing the end
        if start + length > end:
            what = f"its chunk {name!r} says {length:,} bytes, and {max(0, end - start):,} are left"
            raise _broken(path, f"is cut short: {what}")
        if name in ("fmt ", "data"):
            if name in found:
                raise _broken(path, f"has two chunks {name!r}")
            found[name] = (start, length, is_stated)
        place = start + length + length % 2
    raise _broken(path, f"has more than {MOST_CHUNKS:,} chunks")


def _format(content, path):
    """Return (kind, channels, rate, bits) of the chunk 'fmt '. Raises DataError for what contradicts itself."""
    if len(content) < 16:
        raise _broken(path, f"has a chunk 'fmt ' of {len(content)} bytes; expected at least 16")
    kind, channels, rate, _, width, bits = struct.unpack("<HHIIHH", content[:16])
    if kind == EXTENSIBLE:
        if len(content) < 40 or content[26:40] != KINDS_OF_EXTENSIBLE:
            raise _broken(path, "is of an extensible format whose kind is not known", "Save it as plain PCM")
        kind = struct.unpack("<H", content[24:26])[0]
    if kind not in NAMES:
        name = COMPRESSED.get(kind, f"a way that has the number {kind:#06x}")
        raise _broken(path, f"is compressed with {name}, which is not read", "Save it as PCM, of 16 bits for example")
    if not 0 < channels <= MOST_CHANNELS:
        raise _broken(path, f"says that it has {channels:,} channels; expected 1 to {MOST_CHANNELS:,}")
    if not LEAST_RATE <= rate <= MOST_RATE:
        expected = f"expected {LEAST_RATE} to {MOST_RATE:,}"
        raise _broken(path, f"says that it has {rate:,} samples a second; {expected}")
    if bits not in BITS[kind]:
        usual = " or ".join(map(str, BITS[kind]))
        raise _broken(path, f"says that its {NAMES[kind]} samples have {bits} bits; expected {usual}")
    if width != channels * bits // 8:
        raise _broken(
            path, f"says that {channels} samples of {bits} bits take {width} bytes; expected {channels * bits // 8}"
        )
    return kind, channels, rate, bits


def _broken(path, fault, advice=AGAIN):
    return DataError(f"{path}: {fault}. {advice}.")
