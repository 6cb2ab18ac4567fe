"""Plain words for a file that is no WAV file, from its first bytes: a sound of another format, or no sound at all."""

ENDINGS = (".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64")
# (position, the bytes there, the name) of sounds that soundfile reads.
SOUNDS = [
    (0, b"fLaC", "FLAC"),
    (0, b"OggS", "Ogg"),
    (0, b"ID3", "MP3"),
    (0, b"\xff\xfb", "MP3"),
    (0, b"\xff\xf3", "MP3"),
    (0, b"\xff\xf2", "MP3"),
    (0, b"\xff\xfa", "MP3"),
    (0, b"FORM", "AIFF"),
    (0, b".snd", "AU"),
    (0, b"RIFX", "big-endian WAV"),
    (0, b"RF64", "RF64, a WAV file of more than 4 GB"),
    (0, b"BW64", "BW64, a WAV file of more than 4 GB"),
    (0, b"riff\x2e\x91", "Wave64"),
    (0, b"caff", "Core Audio"),
]
OTHERS = [
    (4, b"ftyp", "it is an MP4 file. Save its sound as WAV"),
    (0, b"\xff\xf1", "it is AAC. Save it as WAV"),
    (0, b"\xff\xf9", "it is AAC. Save it as WAV"),
    (0, b"\x30\x26\xb2\x75", "it is a Windows Media file. Save its sound as WAV"),
    (0, b"\x1aE\xdf\xa3", "it is a Matroska or WebM file. Save its sound as WAV"),
    (0, b"#!AMR", "it is AMR, from a telephone. Save it as WAV"),
    (0, b"MThd", "it is MIDI: notes without a sound"),
    (8, b"AVI ", "it is an AVI film. Save its sound as WAV"),
    (0, b"\xff\xd8\xff", "it is an image. Remove it"),
    (0, b"\x89PNG", "it is an image. Remove it"),
    (0, b"GIF8", "it is an image. Remove it"),
    (0, b"%PDF", "it is a PDF document. Remove it"),
    (0, b"PK\x03\x04", "it is a ZIP archive. Unpack it"),
    (0, b"\x1f\x8b", "it is packed with gzip. Unpack it"),
    (0, b"\x93NUMPY", "it is a NumPy array. Save it as WAV"),
    (0, b"version https://git-lfs", "it is a Git LFS pointer, not the file itself. Fetch it with: git lfs pull"),
]
UNKNOWN = "it begins as no format of sounds does. Remove it, or save it as WAV"


def sound_format(start):
    """Return the name of the format of a sound that soundfile reads, from a file's first bytes, or None."""
    return next((name for place, mark, name in SOUNDS if start[place : place + len(mark)] == mark), None)


def no_sound(start):
    """Return what a file is that is no sound, and what to do, as a part of a sentence."""
    for place, mark, words in OTHERS:
        if start[place : place + len(mark)] == mark:
            return words
    text = start.strip()
    if text and all(byte >= 32 or byte in b"\t\r\n\f" for byte in text):
        is_page = text.lower().startswith((b"<!doctype html", b"<html"))
        return "it is a web page, perhaps an error message. Fetch the sound again" if is_page else "it is a text"
    return UNKNOWN
