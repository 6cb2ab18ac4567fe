"""Masks: class numbers stay class numbers, whatever the file, and whatever is done to the image."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest

from minitl import data
from minitl.data.masks import turned
from minitl.errors import ArgumentError, DataError, DataWarning

pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
from PIL import Image, ImageOps

# The usual palette: the numbers 0, 15 and 255 look black, beige and cream; as grey they are 0, 147 and 220.
COLOURS = {0: (0, 0, 0), 1: (128, 0, 0), 15: (192, 128, 128), 255: (224, 224, 192)}
NUMBERS = np.array([[0, 15, 255], [15, 0, 1]], np.uint8)


def with_palette(numbers):
    image = Image.fromarray(numbers)
    image.putpalette([level for number in range(256) for level in COLOURS.get(number, (number, 0, 0))])
    return image


def in_colours(numbers):
    return Image.fromarray(np.array([[COLOURS[number] for number in row] for row in numbers.tolist()], np.uint8))


def png_of_bits(bits, rows, width):
    """Return a grey PNG file with 1, 2 or 4 bits a pixel."""
    chunks = {b"IHDR": struct.pack(">IIBBBBB", width, len(rows), bits, 0, 0, 0, 0),
              b"IDAT": zlib.compress(b"".join(b"\0" + row for row in rows)), b"IEND": b""}  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks.items()
    )


def test_resizing_invents_no_class():
    assert data.resize_mask(np.array([[0, 2]], np.uint8), 1, 4).tolist() == [[0, 0, 2, 2]]
    assert data.resize_mask(np.array([[0, 1, 2, 3, 4, 5]], np.uint8), 1, 2).tolist() == [[1, 4]], "the middle ones"
    mask = np.random.default_rng(0).choice(np.array([0, 7, 255], np.uint8), (13, 17))
    for height, width in (13, 17), (29, 5), (1, 1), (100, 3):
        found = data.resize_mask(mask, height, width)
        assert found.shape == (height, width) and found.dtype == np.uint8 and set(np.unique(found)) <= {0, 7, 255}
    assert np.array_equal(data.resize_mask(mask, 13, 17), mask)


def test_a_palette_gives_numbers_and_not_the_brightness_of_its_colours(tmp_path):
    with_palette(NUMBERS).save(tmp_path / "mask.png")
    assert np.asarray(Image.open(tmp_path / "mask.png").convert("L"))[0].tolist() == [0, 147, 220]
    found = data.read_mask(tmp_path / "mask.png")
    assert np.array_equal(found, NUMBERS) and found.dtype == np.uint8
    with_palette(NUMBERS).save(tmp_path / "mask.png", transparency=0)
    assert np.array_equal(data.read_mask(tmp_path / "mask.png"), NUMBERS), "a transparent number is a number"
    with pytest.raises(DataError, match=r"mask.png: holds 15 \(15 first at row 0, column 1\); expected 0 to 4, or 255"):
        data.read_mask(tmp_path / "mask.png", classes=5)


def test_grey_pixels_are_numbers_whatever_their_bits(tmp_path):
    path = tmp_path / "mask.png"
    for array in NUMBERS, NUMBERS.astype(np.uint16), NUMBERS.astype(np.int32):
        suffix = "tif" if array.dtype == np.int32 else "png"
        Image.fromarray(array).save(tmp_path / f"mask.{suffix}")
        assert np.array_equal(data.read_mask(tmp_path / f"mask.{suffix}"), NUMBERS)
    path.write_bytes(png_of_bits(1, [b"\x50"], 4))
    assert data.read_mask(path).tolist() == [[0, 1, 0, 1]]
    path.write_bytes(png_of_bits(2, [b"\x1b"], 4))
    assert data.read_mask(path).tolist() == [[0, 1, 2, 3]], "Pillow makes 0 85 170 255 of them"
    path.write_bytes(png_of_bits(4, [b"\x07\x3f"], 4))
    assert data.read_mask(path).tolist() == [[0, 7, 3, 15]]
    Image.fromarray(np.array([[0, 300], [70, 0]], np.uint16)).save(path)
    with pytest.raises(
        DataError, match=r"mask.png: holds 300 at row 0, column 1; expected class numbers from 0 to 255"
    ):
        data.read_mask(path)
    assert data.read_mask(path, {0: 0, 70: 1, 300: 2}).tolist() == [[0, 2], [1, 0]]


def test_colours_need_a_table(tmp_path):
    in_colours(NUMBERS).save(tmp_path / "mask.png")
    expected = r"mask.png: its pixels are colours.*colours=\{\(0, 0, 0\): 0, \(128, 0, 0\): 1, \(192, 128, 128\): 2, "
    with pytest.raises(DataError, match=expected):
        data.read_mask(tmp_path / "mask.png")
    table = {colour: number for number, colour in COLOURS.items()}
    assert np.array_equal(data.read_mask(tmp_path / "mask.png", table), NUMBERS)
    with_palette(NUMBERS).save(tmp_path / "palette.png")
    assert np.array_equal(data.read_mask(tmp_path / "palette.png", table), NUMBERS), "by the colours of the palette"
    names = {(0, 0, 0): "land", (192, 128, 128): "person", (128, 0, 0): "land", (224, 224, 192): 255}
    assert data.read_mask(tmp_path / "mask.png", names).tolist() == [[0, 1, 255], [1, 0, 0]]
    del table[(192, 128, 128)]
    with pytest.raises(DataError, match=r"holds \(192, 128, 128\) at row 0, column 1, and at 1 other places"):
        data.read_mask(tmp_path / "mask.png", table)


def test_transparent_pixels_have_a_colour_of_their_own(tmp_path):
    pixels = np.array([[[9, 9, 9, 255], [9, 9, 9, 0]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    with pytest.raises(DataError, match=r"holds \(9, 9, 9, 0\) at row 0, column 1"):
        data.read_mask(tmp_path / "mask.png", {(9, 9, 9): 1})
    assert data.read_mask(tmp_path / "mask.png", {(9, 9, 9): 1, (9, 9, 9, 0): 255}).tolist() == [[1, 255]]
    Image.fromarray(np.array([[[3, 255], [4, 0]]], np.uint8)).save(tmp_path / "grey.png")
    with pytest.raises(DataError, match="has transparent pixels"):
        data.read_mask(tmp_path / "grey.png")


def test_black_and_white_alone_is_warned_of(tmp_path):
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(tmp_path / "mask.png")
    with pytest.warns(DataWarning, match=r"mask.png: holds only 0 and 255.*colours=\{0: 0, 255: 1\}"):
        assert data.read_mask(tmp_path / "mask.png").tolist() == [[0, 255]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert data.read_mask(tmp_path / "mask.png", {0: 0, 255: 1}).tolist() == [[0, 1]]


@pytest.mark.parametrize("suffix", ["jpg", "webp", "jp2", "tif"])
def test_a_compression_that_changes_numbers_is_refused(tmp_path, suffix):
    options = {"compression": "jpeg"} if suffix == "tif" else {}
    Image.fromarray(np.kron(NUMBERS, np.ones((8, 8), np.uint8))).save(tmp_path / f"mask.{suffix}", **options)
    with pytest.raises(DataError, match=rf"mask.{suffix}: is a (JPEG|WebP) file, whose compression can make numbers"):
        data.read_mask(tmp_path / f"mask.{suffix}")


@pytest.mark.parametrize(
    "colours, expected",
    [
        ({}, "expected a table"),
        ({(0, 0): 1}, "has the key"),
        ({(0, 0, 256): 1}, "has the key"),
        ({(0, 0, 0): 256}, "expected a class number from 0 to 255"),
        ({(0, 0, 0): True}, "expected a class number"),
        ({(0, 0, 0): 0, 7: 1}, "expected one or the other"),
        ({(0, 0, 0): 0, (1, 1, 1): "road"}, "names and numbers for the same classes"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path, colours, expected):
    with pytest.raises(ArgumentError, match=expected):
        data.read_mask(tmp_path / "not opened.png", colours)


def test_a_mask_is_turned_as_pillow_turns_a_photograph(tmp_path):
    mask = np.random.default_rng(0).integers(0, 9, (3, 5)).astype(np.uint8)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(mask).save(tmp_path / "mask.png", exif=exif)
        with Image.open(tmp_path / "mask.png") as image:
            expected = np.asarray(ImageOps.exif_transpose(image))
        assert np.array_equal(turned(mask, orientation), expected)
        assert np.array_equal(data.read_mask(tmp_path / "mask.png"), expected)


def test_the_mask_of_a_turned_photograph_is_turned_too(tmp_path):
    """One that was drawn on the stored image has its sides; one that was drawn on the upright image has those."""
    for folder in "images", "masks":
        (tmp_path / folder).mkdir()
    mask = np.zeros((20, 30), np.uint8)
    mask[:8, :10] = 1
    pixels = np.repeat(mask[..., None] * np.uint8(200), 3, axis=2)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = np.rot90(mask, -1)
    for name, drawn in ("stored", mask), ("upright", upright):
        Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.jpg", exif=exif, quality=95)
        Image.fromarray(np.ascontiguousarray(drawn)).save(tmp_path / "masks" / f"{name}.png")
    found = data.audit_segmentation(tmp_path, val_share=0, class_names=["land", "house"], verbose=0)
    assert not found.skipped and not found.notes
    for photo in found.train:
        image, read = data.read_pair(photo)
        assert np.array_equal(read, upright) and np.abs(image[..., 0] - 200.0 * read).max() < 60
    exif[0x0112] = 3  # upside down: the sides are the same, and nobody knows
    Image.fromarray(pixels).save(tmp_path / "images" / "stored.jpg", exif=exif, quality=95)
    notes = data.audit_segmentation(tmp_path, val_share=0, class_names=["land", "house"], verbose=0).notes
    assert len(notes) == 1 and "1 photograph turned by EXIF data, such as stored.jpg" in notes[0]


def test_a_format_that_renumbers_is_refused(tmp_path):
    for name, form in ("mask.gif", "GIF"), ("mask.pgm", "PPM"):
        Image.fromarray(NUMBERS).save(tmp_path / name)
        with pytest.raises(DataError, match=f"{name}: is a {form} file; expected a mask as PNG, TIFF or BMP"):
            data.read_mask(tmp_path / name)


def test_the_bytes_are_those_of_the_file(tmp_path):
    """A mask in memory is written and read back in each format that keeps numbers."""
    for form in "PNG", "TIFF", "BMP":
        for image in Image.fromarray(NUMBERS), with_palette(NUMBERS):
            file = io.BytesIO()
            image.save(file, form)
            (tmp_path / "mask").write_bytes(file.getvalue())
            assert np.array_equal(data.read_mask(tmp_path / "mask"), NUMBERS), (form, image.mode)
