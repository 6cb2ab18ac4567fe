"""The door for images: a file is opened as an image or not at all, no file starts a program, and messages are plain."""

import io
import os
import shutil
import struct
import subprocess
import sys
import threading
import types
import warnings
from collections import Counter

import numpy as np
import pytest
from conftest import REPOSITORY

from minitl import data
from minitl.data import photos
from minitl.errors import DataError

pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
from PIL import Image

sys.path.insert(0, str(REPOSITORY / "tests" / "programs"))
import fuzz_photographs

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 30\n%%EndComments\nnewpath showpage\n"


@pytest.fixture(scope="module")
def programs():
    """Return the list of the programs that were started since the beginning of this module."""
    fuzz_photographs.watch_programs()
    return fuzz_photographs.started


@pytest.fixture
def ghostscript(tmp_path, monkeypatch):
    """Put a program called gs on the path. It leaves a file when it is started."""
    if os.name == "nt":
        pytest.skip("a program of one line needs a POSIX shell")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gs").write_text(f"#!/bin/sh\ntouch '{tmp_path}/started'\nexit 1\n")
    (tmp_path / "bin" / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # it is looked for again
    return tmp_path / "started"


def iptc_with(content):
    """Return an IPTC file that holds another file, which Pillow opens as any format."""

    def field(record, number, value):
        return bytes([0x1C, record, number]) + struct.pack(">H", len(value)) + value

    sides = field(3, 20, struct.pack(">H", 40)) + field(3, 30, struct.pack(">H", 30))
    return field(3, 60, b"\x01\x00") + field(3, 65, b"\0") + sides + field(3, 120, b"\x05") + field(8, 10, content)


def disguised():
    """Return {name: content} of files that Pillow would give to another program, or to a handler."""
    binary_eps = struct.pack("<4s6I", b"\xc5\xd0\xd3\xc6", 32, len(POSTSCRIPT), 0, 0, 0, 0) + bytes(4) + POSTSCRIPT
    wmf = b"\xd7\xcd\xc6\x9a\0\0" + struct.pack("<4hH", 0, 0, 40, 30, 96) + bytes(6) + b"\x01\x00\x09\x00" + bytes(50)
    return {
        "drawing.eps": POSTSCRIPT, "cat.jpg": POSTSCRIPT, "binary.png": binary_eps, "drawing.wmf": wmf,
        "embedded.iim": iptc_with(POSTSCRIPT), "embedded.jpg": iptc_with(POSTSCRIPT), "page.pdf": b"%PDF-1.4\n",
        "measured.h5": b"\x89HDF\r\n\x1a\n" + bytes(200), "measured.grib": b"GRIB\0\0\0\1" + bytes(200),
    }  # fmt: skip


@pytest.mark.parametrize("name", disguised())
def test_no_file_starts_a_program(tmp_path, programs, ghostscript, name):
    (tmp_path / name).write_bytes(disguised()[name])
    before = len(programs)
    with pytest.raises(DataError, match=f"{name}: cannot be read as an image"):
        data.open_photo(tmp_path / name)
    with pytest.raises(DataError, match=f"{name}: cannot be read as an image"):
        data.read_image(tmp_path / name, 8, 8)
    assert len(programs) == before and not ghostscript.exists()


def test_pillow_itself_would_have_started_one(tmp_path, programs, ghostscript):
    """The test above would see a program."""
    (tmp_path / "cat.jpg").write_bytes(POSTSCRIPT)
    before = len(programs)
    with pytest.raises(Exception), Image.open(tmp_path / "cat.jpg") as image:  # noqa: B017 - Pillow's own
        image.load()
    assert len(programs) > before and ghostscript.exists()


def test_a_folder_with_a_disguised_file_is_usable(tmp_path, programs):
    for name in "ab":
        (tmp_path / name).mkdir()
        for number in range(5):
            Image.new("RGB", (9, 9), (number, 9, ord(name))).save(tmp_path / name / f"{number}.png")
    (tmp_path / "a" / "cat.jpg").write_bytes(POSTSCRIPT)
    before = len(programs)
    found = data.audit_folder(tmp_path, verbose=0)
    assert [path.name for path, _ in found.skipped] == ["cat.jpg"] and "PostScript" in found.skipped[0][1]
    assert len(programs) == before


def test_there_is_one_door():
    """`Image.open` tries every format that Pillow knows, unless it is told not to. It stands in one file."""
    doors = [
        path.relative_to(REPOSITORY).as_posix()
        for room in ("minitl", "benchmarks", "weights")
        for path in (REPOSITORY / room).rglob("*.py")
        if "Image.open(" in path.read_text(encoding="utf-8")
    ]
    assert doors == ["minitl/data/photos.py"]
    assert not {"EPS", "WMF", "IPTC", "FPX", "MIC", "HDF5", "GRIB", "BUFR", "PDF", "MPEG"} & {*photos.FORMATS}


PLAIN = {
    "film.mp4": (b"\0\0\0\x20ftypisom" + bytes(80), "it is a film, MP4; .* Save frames of it as JPEG"),
    "film.mov": (b"\0\0\0\x14ftypqt  " + bytes(80), "it is a film, QuickTime"),
    "film.avi": (b"RIFF\0\0\0\0AVI LIST" + bytes(80), "it is a film, AVI"),
    "film.webm": (b"\x1aE\xdf\xa3" + bytes(80), "it is a film, Matroska or WebM"),
    "film.mpg": (b"\0\0\x01\xba" + bytes(80), "it is a film, MPEG"),
    "text.jpg": (b"hello", "it is a text"),
    "page.jpg": (b"\n<!DOCTYPE html><p>404", "it is a web page.* Fetch the photograph again"),
    "lfs.jpg": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer.* git lfs pull"),
    "drawing.svg": (b'<?xml version="1.0"?><svg>', r"a drawing \(SVG\)"),
    "all.zip": (b"PK\x03\x04" + bytes(80), "ZIP archive.* Unpack it"),
    "raw.cr3": (b"\0\0\0\x18ftypcrx " + bytes(80), "a camera's raw file"),
    "new.jxl": (b"\xff\x0a" + bytes(80), "a JPEG XL file"),
    "cut.jpg": (b"\xff\xd8\xff\xe0", "a JPEG file that is damaged or cut short"),
    "noise.png": (bytes(range(128, 200)), "begins as no format of images does"),
    "phone.HEIC": (b"\0\0\0\x18ftypheic" + bytes(80), "(needs pillow-heif: python -m pip install pillow-heif)|damaged"),
    "phone.heif": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(80), "pillow-heif|damaged"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_a_file_is_in_plain_words(tmp_path, name):
    content, words = PLAIN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}: cannot be read as an image .*{words}"):
        data.open_photo(tmp_path / name)


def test_what_is_no_file_in_plain_words(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "folder.npy").mkdir()
    for read in data.open_photo, lambda path: data.read_image(path, 8, 8):
        with pytest.raises(DataError, match=r"folder.jpg: is a folder; expected a photograph\. Name the files in it"):
            read(tmp_path / "folder.jpg")
    with pytest.raises(DataError, match=r"folder.npy: is a folder"):
        data.read_image(tmp_path / "folder.npy", 8, 8)
    if hasattr(os, "mkfifo"):
        for name in "pipe.jpg", "pipe.npy":
            os.mkfifo(tmp_path / name)  # to open it would wait for ever
            with pytest.raises(DataError, match=f"{name}: is a pipe or a device"):
                data.read_image(tmp_path / name, 8, 8)
    for path in "a\0b.jpg", "x" * 400 + ".jpg":
        with pytest.raises(DataError, match="cannot be read as an image"):
            data.open_photo(path)


def test_the_reason_of_pillow_or_of_the_system(tmp_path, monkeypatch):
    for name in "a.png", "a.bmp", "a.tif":
        Image.effect_noise((40, 30), 50).save(tmp_path / name)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(
            DataError, match=rf"{name}: .*image \(.*[\w)]\. Fetch it again, or save it as JPEG or PNG\)\.$"
        ):
            data.open_photo(tmp_path / name)

    def forbidden(path, mode):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(photos, "open", forbidden, raising=False)
    with pytest.raises(DataError, match=r"a.png: cannot be read as an image \(Permission denied\)\.$"):
        data.open_photo(tmp_path / "a.png")


def test_what_pillow_logs_is_not_printed(tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "a.tif")
    content = (tmp_path / "a.tif").read_bytes()
    three, many = (struct.pack("<HHIHH", 277, 3, 1, samples, 0) for samples in (3, 65535))
    assert content.count(three) == 1
    (tmp_path / "a.tif").write_bytes(content.replace(three, many))
    read = "from minitl import data\ntry: data.open_photo('a.tif')\nexcept Exception as error: print(error)"
    done = subprocess.run([sys.executable, "-c", read], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.startswith("a.tif: cannot be read as an image") and done.stderr == ""


def test_no_file_is_mapped_into_memory(tmp_path, monkeypatch):
    """A file that becomes shorter while it is mapped ends the process."""
    import mmap

    def refuse(*arguments, **options):
        raise AssertionError("mapped")

    monkeypatch.setattr(mmap, "mmap", refuse)
    for name in "a.tif", "a.bmp":
        Image.new("L", (40, 30)).save(tmp_path / name)
        assert data.open_photo(tmp_path / name).size == (40, 30)
        with pytest.raises(AssertionError, match="mapped"), Image.open(tmp_path / name) as image:
            image.load()


def png_of(width, height):
    """Return a PNG file that says that it has this size, and holds nothing."""
    import zlib

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("size, said", [((20_000, 15_000), "300,000,000"), ((12_000, 10_000), "12000x10000")])
def test_too_many_pixels_in_plain_words(tmp_path, size, said):
    (tmp_path / "wall.png").write_bytes(png_of(*size))
    with pytest.raises(
        DataError, match=f"wall.png: has {said} pixels, more than the limit of 100,000,000. Save it smal"
    ):
        data.open_photo(tmp_path / "wall.png")


def test_a_film_of_one_format_or_another_is_named(tmp_path):
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    for suffix in "gif", "png", "webp", "avif":
        if f".{suffix}" not in Image.registered_extensions():
            continue
        frames[0].save(tmp_path / f"film.{suffix}", save_all=True, append_images=frames[1:])
        with pytest.raises(DataError, match=r"is animated \(2 frames\). Save one frame as a JPEG or PNG file"):
            data.open_photo(tmp_path / f"film.{suffix}")


def test_exif_data_that_are_damaged_do_not_matter(tmp_path):
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(file, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + bytes(20))
    (tmp_path / "a.jpg").write_bytes(file.getvalue())
    assert data.open_photo(tmp_path / "a.jpg").size == (40, 30)


@pytest.fixture
def forget_added_formats(monkeypatch):
    """Let the packages for further formats be looked for again, before and after the test."""
    monkeypatch.setattr(photos, "_was_asked", set())
    before = dict(Image.OPEN)
    yield
    Image.OPEN.clear()
    Image.OPEN.update(before)


def test_heic_with_a_package_that_reads_it(tmp_path, monkeypatch, forget_added_formats):
    """A stand-in for pillow_heif: its "HEIC" files hold a PNG file behind the mark."""
    from PIL import PngImagePlugin

    class Heif(PngImagePlugin.PngImageFile):
        format = "HEIF"

        def _open(self):
            self.fp = io.BytesIO(self.fp.read()[16:])
            super()._open()

    asked = []

    def register_heif_opener():
        asked.append(True)
        Image.register_open("HEIF", Heif, lambda prefix: prefix[4:12] == b"ftypheic")

    Image.OPEN.pop("HEIF", None)
    monkeypatch.setitem(sys.modules, "pillow_heif", types.SimpleNamespace(register_heif_opener=register_heif_opener))
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "orange").save(file, "PNG")
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\0\0\0\x10ftypheic\0\0\0\0" + file.getvalue())
    for _ in range(3):
        assert data.open_photo(tmp_path / "IMG_1.HEIC").getpixel((5, 5)) == (255, 165, 0)
    assert len(asked) == 1
    (tmp_path / "IMG_2.HEIC").write_bytes(b"\0\0\0\x10ftypheic\0\0\0\0" + file.getvalue()[:20])
    with pytest.raises(DataError, match=r"IMG_2.HEIC: cannot be read as an image \((?!.*pip install)"):
        data.open_photo(tmp_path / "IMG_2.HEIC")


def test_heic_with_the_package_itself(tmp_path, forget_added_formats):
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs pillow-heif")
    pillow_heif.register_heif_opener()
    Image.new("RGB", (64, 48), "orange").save(tmp_path / "IMG_0001.HEIC")
    Image.OPEN.pop("HEIF")
    found = data.open_photo(tmp_path / "IMG_0001.HEIC")
    assert found.size == (64, 48) and np.abs(np.array(found.getpixel((30, 20))) - (255, 165, 0)).max() <= 3


def test_heic_without_a_package_says_what_to_install(tmp_path, monkeypatch, forget_added_formats):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # its import fails
    Image.OPEN.pop("HEIF", None)
    (tmp_path / "IMG_1.HEIC").write_bytes(PLAIN["phone.HEIC"][0])
    with pytest.raises(
        DataError, match=r"a HEIC photograph, which needs pillow-heif: python -m pip install pillow-heif"
    ):
        data.open_photo(tmp_path / "IMG_1.HEIC")


def test_the_filters_of_warnings_stay_the_program_s_own(tmp_path):
    """Eight threads read files of which Pillow warns, while the program warns itself, and changes its filters."""
    image = Image.new("P", (40, 30))
    image.save(tmp_path / "warned.png", transparency=bytes(range(40)))
    Image.new("RGB", (9800, 9800)).save(tmp_path / "large.png")  # Pillow warns above 89 million pixels
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=data.open_photo, args=[tmp_path / "warned.png"]) for _ in range(40)]
        threads += [threading.Thread(target=data.open_photo, args=[tmp_path / "large.png"]) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(50):
            warnings.warn(f"the program's own {number}", stacklevel=1)
        for thread in threads:
            thread.join()
        warnings.warn("at the end", stacklevel=1)
    said = [str(warning.message) for warning in caught]
    assert said == [*(f"the program's own {number}" for number in range(50)), "at the end"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.open_photo(tmp_path / "large.png")  # no exception, as no warning
        with pytest.raises(UserWarning):
            warnings.warn("the program's own", stacklevel=1)


def test_damaged_array_files(tmp_path):
    np.savez(tmp_path / "several.npz", a=np.zeros(3))
    shutil.move(tmp_path / "several.npz", tmp_path / "several.npy")
    head = "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 1000000, 3), }".ljust(117) + "\n"
    (tmp_path / "huge.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + head.encode())
    deep = ("(" * 5000).encode()
    (tmp_path / "deep.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(deep)) + deep)
    for name, words in {"several": "cannot be read", "huge": "more than the limit", "deep": "cannot be read"}.items():
        with pytest.raises(DataError, match=f"{name}.npy: .*{words}"):
            data.read_image(tmp_path / f"{name}.npy", 8, 8)


def test_odd_files_by_the_hundred(tmp_path, programs):
    """The quick form of `tests/programs/fuzz_photographs.py`."""
    (tmp_path / "files").mkdir()
    (tmp_path / "mutants").mkdir()
    files = fuzz_photographs.own_files(tmp_path / "files")
    counts, wrong = fuzz_photographs.fuzz(files, 3, 0, tmp_path / "mutants")
    assert wrong == []
    total = Counter(outcome.partition(" ")[0] for outcome in counts)
    assert total["files"] >= 2 and sum(counts.values()) == 4 * len(files) > 300
    assert counts["files read and compared"] > 30 and counts["mutants refused"] > 50
