"""Folders of photographs as they really are: each nasty file is shown as a person sees it, or left out by name."""

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from minitl import data
from minitl.data import colours, folders
from minitl.errors import DataError

pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
from PIL import Image, ImageDraw

RED, GREEN = (200, 30, 40), (20, 180, 60)


def drawing(width=40, height=30):
    """Draw red, with a green upper left corner, in large areas, so that JPEG changes little."""
    image = Image.new("RGB", (width, height), RED)
    ImageDraw.Draw(image).rectangle((0, 0, width // 2 - 1, height // 2 - 1), fill=GREEN)
    return image


def corners(image):
    """Return the colours in the middle of the four quarters, row by row."""
    width, height = image.size
    places = [(width // 4, height // 4), (3 * width // 4, height // 4), (width // 4, 3 * height // 4),
              (3 * width // 4, 3 * height // 4)]  # fmt: skip
    return [image.getpixel(place) for place in places]


def is_close(found, expected, tolerance=6):
    return all(abs(a - b) <= tolerance for x, y in zip(found, expected) for a, b in zip(x, y))


USUAL = [GREEN, RED, RED, RED]


@pytest.mark.parametrize(
    "name, convert, options",
    [
        ("a.jpg", lambda im: im, {"quality": 95, "subsampling": 0}),
        ("a.png", lambda im: im, {}),
        ("a.bmp", lambda im: im, {}),
        ("a.webp", lambda im: im, {"lossless": True}),
        ("a.tiff", lambda im: im, {}),
        ("a.gif", lambda im: im.convert("P", palette=Image.Palette.ADAPTIVE), {}),
        ("cmyk.jpg", lambda im: im.convert("CMYK"), {"quality": 95, "subsampling": 0}),
        ("cmyk.tiff", lambda im: im.convert("CMYK"), {}),
        ("palette.png", lambda im: im.convert("P", palette=Image.Palette.ADAPTIVE), {}),
        ("opaque.png", lambda im: im.convert("RGBA"), {}),
        ("wrong_suffix.txt", lambda im: im, {"format": "PNG"}),
        ("ünï cödé \n name.png", lambda im: im, {"format": "PNG"}),
    ],
)
def test_formats_and_modes(tmp_path, name, convert, options):
    if "\n" in name and os.name == "nt":
        pytest.skip("Windows has no newlines in names")
    convert(drawing()).save(tmp_path / name, **options)
    image = data.open_photo(tmp_path / name)
    assert image.mode == "RGB" and image.size == (40, 30) and is_close(corners(image), USUAL)


def test_grey_is_three_equal_channels(tmp_path):
    drawing().convert("L").save(tmp_path / "grey.jpg", quality=95)
    colours = corners(data.open_photo(tmp_path / "grey.jpg"))
    assert all(max(colour) == min(colour) for colour in colours) and abs(colours[1][0] - 82) < 4


def test_16_bits_a_pixel(tmp_path):
    grey = np.zeros((30, 40), np.uint16)
    grey[:15, :20] = 65535
    grey[15:, 20:] = 32768
    Image.fromarray(grey).save(tmp_path / "deep.png")
    found = [colour[0] for colour in corners(data.open_photo(tmp_path / "deep.png"))]
    assert found == [255, 0, 0, 128], "not clipped to white"


def test_what_is_transparent_is_white(tmp_path):
    image = drawing().convert("RGBA")
    ImageDraw.Draw(image).rectangle((0, 0, 19, 14), fill=(0, 0, 0, 0))
    image.save(tmp_path / "alpha.png")
    flat = drawing().convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    flat.save(tmp_path / "palette.png", transparency=flat.getpixel((5, 5)))
    Image.merge("LA", (Image.new("L", (40, 30), 90), image.getchannel("A"))).save(tmp_path / "grey.png")
    for name, rest in ("alpha.png", RED), ("palette.png", RED), ("grey.png", (90, 90, 90)):
        assert is_close(corners(data.open_photo(tmp_path / name)), [(255, 255, 255), rest, rest, rest]), name


def png_of(bits, colour, row, transparent):
    """Return a PNG file of one row of pixels. `colour` is 0 for grey and 2 for RGB; `transparent` is its tRNS chunk."""
    chunks = {b"IHDR": struct.pack(">IIBBBBB", 8 * len(row) // bits // (1 + colour), 1, bits, colour, 0, 0, 0),
              b"tRNS": transparent, b"IDAT": zlib.compress(b"\0" + row), b"IEND": b""}  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks.items()
    )


TRANSPARENT = {  # (bits, colour, row of pixels, the transparent one, what is shown)
    "1 bit": (1, 0, b"\x0f", b"\0\0", [255] * 8),
    "2 bits": (2, 0, b"\x1b", b"\0\1", [0, 255, 170, 255]),
    "4 bits": (4, 0, b"\x37", b"\0\3", [255, 119]),
    "8 bits": (8, 0, b"\x03\x09", b"\0\3", [255, 9]),
    "16 bits": (16, 0, b"\x12\x34\x12\x36\x92\0", b"\x12\x34", [255, 18, 145]),
    "8 bits RGB": (8, 2, b"\1\2\3\4\5\6", b"\0\1\0\2\0\3", [255, 4]),
    "16 bits RGB": (16, 2, b"\1\0\2\0\3\0\4\0\5\0\6\0", b"\1\0\2\0\3\0", [255, 4]),
}


@pytest.mark.parametrize("name", TRANSPARENT)
def test_a_transparent_colour_is_white_for_any_number_of_bits(tmp_path, name):
    *file, shown = TRANSPARENT[name]
    (tmp_path / "a.png").write_bytes(png_of(*file))
    assert np.asarray(data.open_photo(tmp_path / "a.png"))[0, :, 0].tolist() == shown


def test_white_is_zero_in_some_tiff_files(tmp_path):
    grey = np.linspace(0, 65535, 1200).astype(np.uint16).reshape(30, 40)
    for compression in None, "tiff_lzw":
        Image.fromarray(grey).save(tmp_path / "black.tif", compression=compression)
        content = (tmp_path / "black.tif").read_bytes()
        black_is_zero, white_is_zero = (struct.pack("<HHIHH", 262, 3, 1, value, 0) for value in (1, 0))
        assert content.count(black_is_zero) == 1
        (tmp_path / "white.tif").write_bytes(content.replace(black_is_zero, white_is_zero))
        black, white = (np.asarray(data.open_photo(tmp_path / f"{name}.tif"), int) for name in ("black", "white"))
        assert np.array_equal(black + white, np.full((30, 40, 3), 255))


def test_a_dark_pgm_file_of_16_bits_stays_dark(tmp_path):
    (tmp_path / "dark.pgm").write_bytes(b"P5 2 1 65535\n" + struct.pack(">2H", 40, 250))
    assert np.asarray(data.open_photo(tmp_path / "dark.pgm")).max() <= 1


def test_numbers_of_32_bits(tmp_path):
    """Those of a program that saves 8 or 16 bits as 32 are shown. Of others, nobody knows which is white."""
    for largest in 255, 65535:
        Image.fromarray(np.array([[0, largest]], np.int32)).save(tmp_path / "a.tif")
        assert np.asarray(data.open_photo(tmp_path / "a.tif"))[0, :, 0].tolist() == [0, 255]
    Image.fromarray(np.array([[0, 10**9]], np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=r"a.tif: cannot be read as an image \(its pixels are numbers of 32 bits"):
        data.open_photo(tmp_path / "a.tif")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK", "I;16", "I"])
def test_a_large_image_is_converted_in_strips(tmp_path, mode, monkeypatch):
    rng = np.random.default_rng(0)
    if mode.startswith("I"):
        image = Image.fromarray(rng.integers(0, 65536, (30, 40)).astype(np.uint16 if mode == "I;16" else np.int32))
    else:
        image = Image.fromarray(rng.integers(0, 256, (30, 40, 4)).astype(np.uint8)).convert(
            "RGB" if mode in ("CMYK", "P") else mode
        ).convert(mode)  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.tif", exif=exif)
    at_once = np.asarray(data.open_photo(tmp_path / "a.tif"))
    assert at_once.shape == (40, 30, 3)
    for pixels in 1, 7 * 30, 39 * 30:
        monkeypatch.setattr(colours, "MOST_AT_ONCE", pixels)
        assert np.array_equal(np.asarray(data.open_photo(tmp_path / "a.tif")), at_once)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory as Linux gives it")
@pytest.mark.parametrize("mode", ["RGBA", "I;16"])
def test_a_large_image_takes_little_memory(tmp_path, mode):
    """Check that the peak is that of the pixels of the file, of the result and of one strip (4M pixels)."""
    width, height = 4096, 4096
    Image.new(mode, (width, height)).save(tmp_path / "a.tif")
    program = f"""
import re
from PIL import Image
from minitl.data import open_photo
def kilobytes(name):
    with open("/proc/self/status") as file:
        return int(re.search(name + r":\\s+(\\d+) kB", file.read())[1])
Image.init()
before = kilobytes("VmRSS")
open_photo({str(tmp_path / "a.tif")!r})
print((kilobytes("VmHWM") - before) / 1024)
"""
    megabytes = float(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    )
    assert megabytes < 8 * width * height / 2**20 + 130


TURNED = ["jpg", "png", "webp", "tif RGB", "tif RGBA", "tif L", "tif P", "tif CMYK", "tif I;16", "tif LZW RGBA"]


@pytest.mark.parametrize("name", TURNED)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_by_a_note(tmp_path, orientation, name):
    """A camera can be held in eight ways. The image is stored turned, and shown upright."""
    back = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270}  # fmt: skip
    suffix, *mode = name.split()
    image, expected = drawing(), USUAL
    if mode and mode[-1] != "RGB":
        grey = image.convert("L")
        in_16_bits = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        image = in_16_bits if mode == ["I;16"] else image.convert(mode[-1], palette=Image.Palette.ADAPTIVE)
        expected = corners((grey if mode[-1] in ("L", "I;16") else image).convert("RGB"))
    stored = image.transpose(back[orientation]) if orientation in back else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"jpg": {"quality": 95, "subsampling": 0}, "webp": {"lossless": True}}.get(suffix, {})
    options |= {"compression": "tiff_lzw"} if "LZW" in mode else {}
    stored.save(tmp_path / f"turned.{suffix}", exif=exif, **options)
    shown = data.open_photo(tmp_path / f"turned.{suffix}")
    assert shown.size == (40, 30) and is_close(corners(shown), expected)


def nasty_files(folder):
    """Return {name: the reason why it is left out}."""
    drawing().save(folder / "whole.jpg")
    whole = (folder / "whole.jpg").read_bytes()
    (folder / "whole.jpg").unlink()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "head.jpg").write_bytes(whole[:30])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("no image")
    (folder / "page.jpg").write_text("<html>404</html>")
    (folder / "noise.png").write_bytes(os.urandom(2000))
    frames = [drawing(), Image.new("RGB", (40, 30), GREEN)]
    for name in "film.gif", "film.webp", "film.png":
        frames[0].save(folder / name, save_all=True, append_images=frames[1:])
    Image.new("1", (1000, 500)).save(folder / "huge.png")
    Image.fromarray(np.ones((3, 3), np.float32)).save(folder / "float.tiff")
    reasons = dict.fromkeys(["cut.jpg", "head.jpg", "empty.jpg", "text.jpg", "page.jpg", "noise.png", "float.tiff"],
                            "cannot be read as an image")  # fmt: skip
    reasons |= dict.fromkeys(["film.gif", "film.webp", "film.png"], "is animated (2 frames)")
    return {**reasons, "huge.png": "has 1000x500 pixels, more than the limit of 400,000"}


@pytest.fixture
def folder(tmp_path):
    """Write two classes of twenty different photographs, and leave room for trouble."""
    rng = np.random.default_rng(0)
    for name in "ants", "bees":
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(20):
            colour = tuple(int(c) for c in rng.integers(0, 256, 3))
            Image.new("RGB", (20, 16), colour).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


def test_what_cannot_be_used_is_named(folder):
    reasons = nasty_files(folder / "ants")
    found = data.audit_folder(folder, most_pixels=400_000, verbose=0)
    said = {path.name: reason for path, reason in found.skipped}
    assert set(said) == set(reasons) and all(said[name].startswith(reason) for name, reason in reasons.items())
    assert found.class_names == ["ants", "bees"] and len(found.train) + len(found.val) == 40
    assert f"left out: {os.path.join('ants', 'cut.jpg')}: cannot be read" in str(found)
    with pytest.raises(DataError, match="cut.jpg: cannot be read .*Give strict=False"):
        data.audit_folder(folder, strict=True, verbose=0)


def test_a_file_that_vanishes(folder, monkeypatch):
    ordinary = folders.open_photo

    def vanishing(path, most_pixels):
        if path.name == "7.png":
            path.unlink()
        return ordinary(path, most_pixels)

    monkeypatch.setattr(folders, "open_photo", vanishing)
    found = data.audit_folder(folder, verbose=0)
    assert [reason for _, reason in found.skipped] == ["is not there (any more)"] * 2


def test_the_split_does_not_move_when_photographs_are_added(folder):
    before = data.audit_folder(folder, verbose=0)
    assert 2 <= len(before.val) <= 16
    for number in range(30):
        Image.new("RGB", (20, 16), (number, 1, 2)).save(folder / "ants" / f"added_{number}.png")
    (folder / "bees" / "copy of one.png").write_bytes((folder / "bees" / "1.png").read_bytes())
    after = data.audit_folder(folder, verbose=0)
    part = {photo.path: name for name in ("train", "val") for photo in getattr(after, name)}
    for name in "train", "val":
        assert all(part[photo.path] == name for photo in getattr(before, name))
    copy, original = part[folder / "bees" / "copy of one.png"], part[folder / "bees" / "1.png"]
    assert copy == original, "or the validation would know the label"
    assert [sorted(path.name for path in paths) for paths in after.duplicates] == [["1.png", "copy of one.png"]]


def test_parts_that_are_given(folder, tmp_path):
    for part in "train", "val":
        for name in "ants", "bees":
            (tmp_path / "given" / part / name).mkdir(parents=True)
    for name in "ants", "bees":
        for number in range(20):
            part = "val" if number < 5 else "train"
            (folder / name / f"{number}.png").rename(tmp_path / "given" / part / name / f"{number}.png")
    found = data.audit_folder(tmp_path / "given", verbose=0)
    assert found.counts(found.train) == [15, 15] and found.counts(found.val) == [5, 5]
    (tmp_path / "given" / "val" / "bees" / "again.png").write_bytes(
        (tmp_path / "given" / "train" / "bees" / "7.png").read_bytes()
    )
    text = str(data.audit_folder(tmp_path / "given", verbose=0))
    assert "the same photograph: " in text and "again.png" in text
    (tmp_path / "given" / "val" / "wasps").mkdir()
    with pytest.raises(DataError, match="different classes: 'wasps' only in validation"):
        data.audit_folder(tmp_path / "given", verbose=0)


def test_folders_that_are_no_task(tmp_path, folder):
    with pytest.raises(DataError, match="nowhere: is no folder"):
        data.audit_folder(tmp_path / "nowhere")
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match="has no subfolders"):
        data.audit_folder(tmp_path / "bare")
    (tmp_path / "bare" / "ants").mkdir()
    with pytest.raises(DataError, match="the folder of class 'ants' is empty"):
        data.audit_folder(tmp_path / "bare")
    drawing().save(tmp_path / "bare" / "ants" / "a.png")
    with pytest.raises(DataError, match="has one class only, 'ants'"):
        data.audit_folder(tmp_path / "bare")
    (tmp_path / "bare" / "bees").mkdir()
    (tmp_path / "bare" / "bees" / "a.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="class '(ants|bees)' has no readable photograph for (training|validation)"):
        data.audit_folder(tmp_path / "bare", verbose=0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs privileges to make symbolic links")
def test_links(folder, tmp_path):
    (tmp_path / "outside").mkdir()
    drawing().save(tmp_path / "outside" / "secret.png")
    (folder / "ants" / "out.png").symlink_to(tmp_path / "outside" / "secret.png")
    (folder / "ants" / "nowhere.png").symlink_to(tmp_path / "nothing")
    (folder / "ants" / "circle").symlink_to(folder / "ants")
    (folder / "wasps").symlink_to(tmp_path / "outside")
    (folder / "bees" / "inside.png").symlink_to(folder / "bees" / "3.png")
    found = data.audit_folder(folder, verbose=0)
    said = {path.name: reason for path, reason in found.skipped}
    assert set(said) == {"out.png", "nowhere.png", "circle", "wasps"} and found.class_names == ["ants", "bees"]
    assert len(found.duplicates) == 1 and len(found.train) + len(found.val) == 41


def test_subfolders_and_other_files(folder):
    (folder / "ants" / "more" / "deep").mkdir(parents=True)
    drawing().save(folder / "ants" / "more" / "deep" / "a.png")
    (folder / "readme.txt").write_text("hello")
    (folder / ".DS_Store").write_text("x")
    (folder / "ants" / ".hidden.jpg").write_text("x")
    found = data.audit_folder(folder, verbose=0)
    assert len(found.train) + len(found.val) == 41
    assert [(str(path), reason) for path, reason in found.skipped] == [
        ("readme.txt", "lies beside the classes' folders")
    ]


@pytest.mark.parametrize("size", [(400, 300), (300, 401), (256, 256), (1000, 40)])
def test_the_published_way_to_resize_and_crop(tmp_path, size):
    """The shorter side becomes 256 pixels long, and the 224 in the middle are cut out: one step here, two there."""
    rng = np.random.default_rng(2)
    image = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    image.save(tmp_path / "a.png")
    scale = 256 / min(size)
    resized = image.resize([round(side * scale) for side in size], Image.Resampling.BILINEAR)
    left, top = (resized.width - 224) // 2, (resized.height - 224) // 2
    expected = np.asarray(resized.crop((left, top, left + 224, top + 224)), np.float32)
    found = data.read_image(tmp_path / "a.png", 224, 224, crop=224 / 256)
    assert np.abs(found - expected).mean() < 2, "half a pixel may lie between them"
    np.save(tmp_path / "a.npy", np.asarray(image))
    assert (
        np.abs(data.read_image(tmp_path / "a.npy", 224, 224, crop=224 / 256) - expected).mean() < 4
    )  # whole pixels here


def test_ants_and_bees(photographs_folder):
    """The real data set has 245 and 153 readable files. One of them is a GIF that says that there was no image."""
    found = data.audit_folder(photographs_folder, verbose=0)
    assert found.counts(found.train) == [124, 121] and found.counts(found.val) == [70, 83] and not found.skipped


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs privileges to make symbolic links")
def test_folders_that_link_to_each_other(folder):
    """Each folder is visited once, and no photograph becomes one of another class."""
    for number in range(12):
        (folder / "ants" / f"f{number}").mkdir()
        drawing(16 + number).save(folder / "ants" / f"f{number}" / "a.png")
        for other in range(number):
            (folder / "ants" / f"f{number}" / f"to{other}").symlink_to(folder / "ants" / f"f{other}")
            (folder / "ants" / f"f{other}" / f"to{number}").symlink_to(folder / "ants" / f"f{number}")
    (folder / "ants" / "all").symlink_to(folder)
    (folder / "ants" / "bees").symlink_to(folder / "bees")
    found = data.audit_folder(folder, verbose=0)
    photos = [*found.train, *found.val]
    assert len({photo.path.resolve() for photo in photos}) == len(photos) == 52
    reasons = {str(path): reason for path, reason in found.skipped}
    assert "folder of another class" in reasons[os.path.join("ants", "bees")]
    with pytest.raises(DataError, match="is no folder"):
        data.audit_folder("x" * 300)
