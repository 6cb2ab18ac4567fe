"""Damaged and odd image files by the thousand: each gives the right pixels, or minitl's own error that names the file.

    python tests/programs/fuzz_photographs.py FOLDER ... --mutants 5 --seed 0
    python tests/programs/fuzz_photographs.py                      small files of its own, in all formats

Every file of the folders is read, and then mutants of it: a few bytes changed, runs of bytes overwritten, moved, left
out or put in, cut short, spliced with another file, with another file's beginning, or with another file's suffix. Good
folders are the test images in the sources of Pillow, imagecodecs, glymur and imagesize
(`pip download --no-binary pillow --no-deps pillow`; Tests/images).

What can come out, and is counted:

    read       an upright RGB image. Where a file is whole, and has neither a profile nor transparency, its pixels are
               those that Pillow gives without minitl
    refused    a DataError that begins with the path of the file

Anything else is printed, the mutant is kept, and the run ends with status 1: another exception, other pixels, a
warning, another program started (by `subprocess`, `os.system`, `os.exec...`, `os.posix_spawn` or `os.fork`), a file
that takes longer than SLOWEST seconds, or (on Linux) more than MOST_MEMORY bytes.
"""

import argparse
import os
import random
import re
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from PIL import Image, ImageOps

from minitl.data import open_photo, read_image
from minitl.data.photos import FORMATS, MOST_PIXELS
from minitl.errors import DataError

SLOWEST = 5  # seconds for one file
MOST_MEMORY = 2**30  # bytes for one file, as it is read and compared
LARGEST_FILE = 2**23  # bytes; larger ones are read, but not mutated
STARTS = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
)
started = []  # the programs that were started; the audit hook stays for the life of the process


def watch_programs():
    """Note every program that is started from now on in `started`."""
    sys.addaudithook(lambda event, arguments: started.append((event, arguments)) if event in STARTS else None)


def own_files(folder):
    """Write small images in all formats that Pillow can write, in several modes, and return their paths."""
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(0, 256, (5, 7, 4)), np.ones((4, 4, 1))).astype(np.uint8)  # (20, 28, 4)
    colour = Image.fromarray(pixels)
    modes = {"RGB": colour.convert("RGB"), "RGBA": colour, "L": colour.convert("L"), "P": colour.convert("P"),
             "CMYK": colour.convert("CMYK"), "1": colour.convert("1"), "LA": colour.convert("LA"),
             "I;16": Image.fromarray(pixels[..., 0].astype(np.uint16) * 257),
             "F": Image.fromarray(pixels[..., 0].astype(np.float32))}  # fmt: skip
    Image.init()
    for name in (*FORMATS, "TGA", "IM", "EPS", "PDF", "MPO"):
        for mode, image in modes.items():
            path = folder / f"{name.lower()} {mode.replace(';', '')}.{name.lower()}"
            try:
                image.save(path, name)
            except Exception:  # this format has no such mode, or is only read
                path.unlink(missing_ok=True)
    np.save(folder / "array.npy", pixels[..., :3])
    exif = Image.Exif()
    exif[0x0112] = 6
    modes["RGB"].save(folder / "turned.jpg", exif=exif)
    return sorted(folder.iterdir())


def expected_pixels(path):
    """Return the pixels that Pillow gives of a whole file, or None where minitl does more than Pillow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with open(path, "rb") as file, Image.open(file, formats=FORMATS) as image:
                image.load()
                is_plain = image.mode in ("RGB", "L", "P", "CMYK", "YCbCr", "1", "HSV")
                if not is_plain or "icc_profile" in image.info or "transparency" in image.info:
                    return None
                return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        except Exception:
            return None


def mutate(content, other, rng):
    """Return the content of a file with one to four damages; `other` is the content of another file."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        kind = rng.randrange(9)
        # Half of the damage goes to the beginning, where most structures lie.
        at = rng.randrange(max(1, min(len(data), 1024) if rng.random() < 0.5 else len(data)))
        size = rng.choice((1, 2, 4, 8, 64))
        if kind == 0:
            data[at : at + 1] = bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))])
        elif kind == 1:
            data[at : at + size] = rng.randbytes(size)
        elif kind == 2:
            data[at : at + size] = bytes([rng.choice((0, 0xFF))]) * size
        elif kind == 3:
            del data[at : at + size]
        elif kind == 4:
            data[at:at] = rng.randbytes(size)
        elif kind == 5:
            source = rng.randrange(max(1, len(data)))
            data[at : at + size] = data[source : source + size]
        elif kind == 6 and rng.random() < 0.4:
            del data[at:]
        elif kind == 7:  # another file from here on
            data[at:] = other[rng.randrange(max(1, len(other))) :]
        elif kind == 8:  # the beginning of another file
            head = rng.choice((4, 16, 64, 256))
            data[:head] = other[:head]
    return bytes(data)


def outcome_of(path, is_whole):
    """Read a file. Returns ("read", "read and compared" or "refused", None), or ("wrong", what is wrong)."""
    start, before, memory = time.monotonic(), len(started), resident_bytes("VmRSS")
    try:
        with_npy = path.suffix == ".npy"
        image = read_image(path, 8, 8) if with_npy else open_photo(path)
        result = "read"
        if not with_npy:
            if image.mode != "RGB" or 0 in image.size or image.width * image.height > MOST_PIXELS:
                return "wrong", f"an image of mode {image.mode} and size {image.size}"
            expected = expected_pixels(path) if is_whole else None
            if expected is not None:
                if not np.array_equal(np.asarray(image), expected):
                    return "wrong", f"pixels differ by {np.abs(np.asarray(image, int) - expected).max()}"
                result = "read and compared"
    except DataError as error:
        result = "refused"
        if not str(error).startswith(f"{path}: "):
            return "wrong", f"the error does not name the file: {error}"
        if "\n" in str(error).removeprefix(str(path)):
            return "wrong", f"the error has several lines: {error!r}"
    except BaseException:
        return "wrong", traceback.format_exc()
    if len(started) > before:
        return "wrong", f"started {started[before:]}"
    if time.monotonic() - start > SLOWEST:
        return "wrong", f"took {time.monotonic() - start:.0f} s"
    if resident_bytes("VmHWM") - memory > MOST_MEMORY:
        return "wrong", f"took {(resident_bytes('VmHWM') - memory) / 2**20:,.0f} MB"
    return result, None


def resident_bytes(name):
    """Return the memory of this process, now ("VmRSS", from which on the peak is measured anew) or at its peak since
    ("VmHWM"); 0 where the system does not tell."""
    if not os.access("/proc/self/clear_refs", os.W_OK):
        return 0
    if name == "VmRSS":
        Path("/proc/self/clear_refs").write_text("5")
    return int(re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024


def fuzz(files, mutants, seed, folder):
    """Read `files` and so many mutants of each, which are written to `folder`.

    Returns (counts by outcome, [(file, what is wrong with its outcome)]).
    """
    counts, wrong = Counter(), []

    def note(path, whole, of):
        outcome, what = outcome_of(path, whole)
        counts[f"{'files' if whole else 'mutants'} {outcome}"] += 1
        if what:
            kept = of
            if not whole:
                kept = Path(tempfile.gettempdir(), f"minitl-fuzz-{of.stem}-{len(wrong)}{path.suffix}")
                kept.write_bytes(path.read_bytes())
            wrong.append((kept, what))

    contents = [(path, path.read_bytes()) for path in files if path.stat().st_size <= LARGEST_FILE]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a warning of Pillow's would be the reader's: it becomes an exception
        for path in files:
            note(path, True, path)
        for path, content in contents:
            rng = random.Random(f"{seed} {path.name}")
            for _ in range(mutants):
                other, content_of_other = rng.choice(contents)
                mutant = folder / f"mutant{(other if rng.random() < 0.2 else path).suffix}"
                mutant.write_bytes(mutate(content, content_of_other, rng))
                note(mutant, False, path)
                mutant.unlink()
    return counts, wrong


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--mutants", type=int, default=5, help="of each file (default: 5)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    watch_programs()
    totals, failed = Counter(), 0
    with tempfile.TemporaryDirectory(prefix="minitl-fuzz-") as place:
        files = [path for folder in options.folders for path in sorted(folder.rglob("*")) if path.is_file()]
        (Path(place) / "own").mkdir()
        files = files or own_files(Path(place, "own"))
        for first in range(0, len(files), 100):
            counts, wrong = fuzz(files[first : first + 100], options.mutants, options.seed, Path(place))
            totals += counts
            failed += len(wrong)
            for path, what in wrong:
                print(f"WRONG {path}: {what}", flush=True)
            print(f"{min(first + 100, len(files)):,} files: {text_of(totals)}", flush=True)
    print(f"{failed} wrong")
    sys.exit(1 if failed else 0)


def text_of(counts):
    """Return counts as text."""
    return ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(counts.items()))


if __name__ == "__main__":
    main()
