"""Recordings are read as they are meant, whatever their bits and channels; each broken file is refused by its fault."""

import struct
import sys
import tracemalloc

import numpy as np
import pytest
from cases.sounds import chunk, fmt, sine, stored, wav

from minitl.data.sound import read_sound
from minitl.errors import DataError, MissingExtraError
from minitl.kernels.spectra import power_spectrogram


def read(content, **options):
    return read_sound("a.wav", content=content, **options)


# The samples -1, 0.5, 0 and 1/4 in every way to store them.
STORED = {
    "8 bits": ([0, 192, 128, 160], "PCM", 8),
    "16 bits": ([-32768, 16384, 0, 8192], "PCM", 16),
    "24 bits": ([-(2**23), 2**22, 0, 2**21], "PCM", 24),
    "32 bits": ([-(2**31), 2**30, 0, 2**29], "PCM", 32),
    "float": ([-1, 0.5, 0, 0.25], "float", 32),
    "double": ([-1, 0.5, 0, 0.25], "float", 64),
}


@pytest.mark.parametrize("extensible", [False, True], ids=["plain", "extensible"])
@pytest.mark.parametrize("name", STORED)
def test_samples_run_from_minus_one_to_one_whatever_the_bits(name, extensible):
    samples, kind, bits = STORED[name]
    sound = read(wav(samples, kind, bits, rate=44100, extensible=extensible))
    np.testing.assert_array_equal(sound.samples, np.float32([-1, 0.5, 0, 0.25]))
    assert (sound.rate, sound.channels, sound.bits, sound.kind) == (44100, 1, bits, kind)
    assert sound.samples.dtype == np.float32 and sound.seconds == 4 / 44100 and sound.loudest == 1


def test_24_bits_keep_their_sign_and_their_last_digit():
    sound = read(wav([1, -1, 2**23 - 1, -(2**23) + 1], bits=24))
    np.testing.assert_array_equal(sound.samples, np.float32([1, -1, 2**23 - 1, -(2**23) + 1]) / np.float32(2**23))


def test_channels_are_averaged_and_the_duration_is_kept():
    left, right = [100, -32768, 16384], [300, -32768, -16384]
    sound = read(wav(np.ravel([left, right], "F"), channels=2))
    np.testing.assert_array_equal(sound.samples, np.float32([200 / 32768, -1, 0]))
    assert (sound.seconds, sound.channels) == (3 / 8000, 2)
    seven = read(wav(np.arange(7 * 70_000) % 2000, channels=7))  # more than one block
    expected = (np.arange(7 * 70_000) % 2000).reshape(-1, 7).mean(axis=1) / 32768
    np.testing.assert_allclose(seven.samples, expected, atol=1e-8)


# Values of the tables in ITU-T G.711, for codes of the largest, the smallest and one between.
@pytest.mark.parametrize(
    ("kind", "codes", "values"),
    [
        ("mu-law", [0x00, 0x80, 0xFF, 0x7F, 0x8F, 0xEF], np.array([-32124, 32124, 0, 0, 16764, 132]) / 32768),
        ("A-law", [0x2A, 0xAA, 0xD5, 0x55, 0x80, 0x00], np.array([-32256, 32256, 8, -8, 5504, -5504]) / 32768),
    ],
)
def test_the_telephone_codes(kind, codes, values):
    np.testing.assert_array_equal(read(wav(codes, kind, 8)).samples, values.astype(np.float32))


SAMPLES = np.float32([0, 1000, -1000, 500]) / 32768
GOOD = {
    "a list before, a chunk of odd size behind": wav(before=[chunk(b"LIST", b"INFOx")], after=[chunk(b"id3 ", b"abc")]),
    "a chunk that is longer than the samples": wav(before=[chunk(b"junk", b"\0" * 5000)]),
    "sizes of a stream, 0": wav(riff=0, data=0),
    "sizes of a stream, all bits": wav(riff=0xFFFFFFFF, data=0xFFFFFFFF),
    "a stream that ends within a sample": wav(riff=0, data=0) + b"\1",
    "a format with an empty extension": wav(extra=b"\0\0"),
    "bytes behind the end": wav() + b"TAG of another program",
    "an odd end without its last byte": wav([128, 255, 0], bits=8)[:-1],
    "bytes a second that are wrong": wav().replace(struct.pack("<I", 16000), struct.pack("<I", 99)),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_programs_write(name):
    expected = np.float32([0, 127 / 128, -1]) if "odd end" in name else SAMPLES
    np.testing.assert_array_equal(read(GOOD[name]).samples, expected)


HEAD = chunk(b"fmt ", fmt())


def riff(*chunks):
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


BROKEN = {
    "empty": (b"", r"\(it is empty\)"),
    "cut within the head": (wav()[:7], "is cut short: it has 7 bytes"),
    "cut within a number": (wav()[:30], "is cut short: its head says 52 bytes, and it has 30"),
    "cut within the samples": (wav()[:-3], "is cut short: its head says 52 bytes, and it has 49"),
    "RIFF size too large": (wav(riff=10**9), "its head says 1,000,000,008 bytes, and it has 52"),
    "RIFF size too small": (wav(riff=38), "its chunk 'data' says 8 bytes, and 2 are left"),
    "a huge claim": (wav(data=2**31), "its chunk 'data' says 2,147,483,648 bytes, and 8 are left"),
    "no chunk of samples": (riff(HEAD), "has no chunk 'data'"),
    "no chunk of the format": (riff(chunk(b"data", b"\0" * 8)), "has no chunk 'fmt '"),
    "a short format": (riff(chunk(b"fmt ", b"\1\0\1\0"), chunk(b"data", b"")), "'fmt ' of 4 bytes; expected at least"),
    "two chunks of samples": (wav(after=[chunk(b"data", b"\0\0")]), "has two chunks 'data'"),
    "a thousand chunks": (wav(before=[chunk(b"junk", b"")] * 1000), "has more than 1,000 chunks"),
    "no samples": (wav([]), "holds no samples"),
    "no channels": (wav(channels=0, width=2), "says that it has 0 channels; expected 1 to 1,024"),
    "too many channels": (wav(channels=2000), "says that it has 2,000 channels"),
    "no rate": (wav(rate=0), "says that it has 0 samples a second"),
    "a rate of a clock": (wav(rate=1), "says that it has 1 samples a second; expected 100 to 1,000,000"),
    "24 bits and an odd byte": (wav(b"\1" * 7, bits=24), "holds 7 bytes of samples; expected a multiple of 3"),
    "all the channels there can be": (wav(b"\0" * 8, channels=65535, width=65534), "it has 65,535 channels"),
    "a huge chunk of the format": (riff(chunk(b"fmt ", fmt(), 2**32 - 2)), "'fmt ' says 4,294,967,294 bytes, and"),
    "the largest RIFF size": (wav(riff=2**32 - 2), "its head says 4,294,967,302 bytes, and it has 52"),
    "a rate of the moon": (wav(rate=2**31), "says that it has 2,147,483,648 samples a second"),
    "a wrong width": (wav(width=4), "says that 1 samples of 16 bits take 4 bytes; expected 2"),
    "seven bits": (wav(b"\0" * 8, bits=7, width=1), "PCM samples have 7 bits; expected 8 or 16 or 24 or 32"),
    "floats of 16 bits": (wav(b"\0" * 8, "float", 16), "float samples have 16 bits; expected 32 or 64"),
    "half a moment": (wav(stored([1, 2, 3]), channels=2), "holds 6 bytes of samples; expected a multiple of 4"),
    "ADPCM": (wav(b"\0" * 8, 0x11, 4, width=1), "is compressed with IMA ADPCM, which is not read"),
    "MP3 within WAV": (wav(b"\0" * 8, 0x55, 16), "is compressed with MP3"),
    "an unknown kind": (wav(b"\0" * 8, 0x1234, 16), "a way that has the number 0x1234"),
    "an unknown extension": (wav(extensible=True).replace(b"\x38\x9b\x71", b"\x39\x9b\x71"), "kind is not known"),
    "NaN": (wav([0, 0.5, np.nan, 0], "float", 32), "has nan in place of a number as sample 2"),
    "infinite": (wav([0, np.inf], "float", 64), "has inf in place of a number as sample 1"),
    "too large for float32": (wav([0, 1e300], "float", 64), "has inf in .* as sample 1"),
    "whole numbers as floats": (wav([0, 20000, -9], "float", 32), "of up to 20,000; .* Divide them by 32,768"),
    "a text": (b"hello, I am a sound\n", r"\(it is a text\)"),
    "a web page": (b"<!DOCTYPE html><html>404</html>", "it is a web page"),
    "an image": (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "it is an image"),
    "an archive": (b"PK\x03\x04" + b"\0" * 50, "it is a ZIP archive"),
    "a film": (b"\0\0\0\x18ftypmp42" + b"\0" * 50, "it is an MP4 file"),
    "an AVI film": (b"RIFF\0\0\0\0AVI " + b"\0" * 50, "it is an AVI film"),
    "nothing known": (bytes(range(1, 30)), "it begins as no format of sounds does"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_with_its_name_and_reason(tmp_path, name):
    content, reason = BROKEN[name]
    path = tmp_path / "odd name\n.wav"
    path.write_bytes(content)
    with pytest.raises(DataError, match=reason) as error:
        read_sound(path)
    assert str(error.value).startswith(f"{path}: ")


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="is a folder; expected a recording"):
        read_sound(tmp_path)
    with pytest.raises(DataError, match="is not there"):
        read_sound(tmp_path / "a.wav")


@pytest.mark.parametrize("place", range(12, 44))
def test_a_changed_byte_gives_samples_or_a_named_error(place):
    for value in (0, 1, 0x7F, 0xFF):
        content = bytearray(wav())
        content[place] = value
        try:
            sound = read(bytes(content), most_samples=1000)
        except DataError as error:
            assert str(error).startswith("a.wav: ")
        else:
            assert len(sound.samples) <= 8 and np.isfinite(sound.samples).all()


def test_a_recording_that_is_too_long_is_refused_before_it_is_read():
    with pytest.raises(DataError, match=r"longer than the limit of 3 samples, 0 seconds .*\(most_samples\)"):
        read(wav(), most_samples=3)
    assert len(read(wav(), most_samples=4).samples) == 4


def test_a_long_recording_is_read_in_blocks(tmp_path):
    """Beside the result, there are only a few blocks in memory: less than the file itself takes."""
    path, count = tmp_path / "long.wav", 1_500_000
    path.write_bytes(wav(bytes(4 * count), channels=2))
    tracemalloc.start()
    sound = read_sound(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(sound.samples) == count and peak < 4 * count + 4_000_000 < 2 * path.stat().st_size


def test_many_channels_take_no_more_memory_than_one():
    """A block has so many samples, whatever the channels."""
    content = wav(bytes(2 * 1024 * 2000), channels=1024)
    tracemalloc.start()
    sound = read(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(sound.samples), sound.channels) == (2000, 1024) and peak < 3_000_000


def test_another_format_names_the_package_that_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingExtraError, match=r"is FLAC, and reading it needs soundfile \(the extra 'sound'\)"):
        read_sound("a.flac", content=b"fLaC" + b"\0" * 40)


def test_clipped_samples_are_counted_also_from_block_to_block():
    flat = np.zeros(70_000)
    flat[[5, 6, 7, 100, 65535, 65536]] = 32767
    assert read(wav(flat)).clipped == 3
    assert read(wav(np.array([-32768, -32768, 0, 32767]))).clipped == 1
    assert read(wav([0, 0, 255, 9], bits=8)).clipped == 2


def test_a_tone_stays_at_its_frequency_when_the_rate_is_another():
    """Read at 16 kHz, a tone of 1 kHz in a file of 8 kHz is a tone of 1 kHz, of the same duration."""
    sound = read(wav(np.round(32767 * sine(1000, 8000, 0.5))), rate=16000)
    assert (sound.rate, sound.file_rate, sound.seconds) == (16000, 8000, 0.5)
    power = power_spectrogram(sound.samples, 512, 160)
    assert power.sum(axis=0).argmax() * 16000 / 512 == 1000
    assert sound.at(8000).rate == 8000 and sound.at(16000) is sound
