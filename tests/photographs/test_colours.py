"""Colour profiles: pixels are what a viewer shows, in all formats that carry a profile; a broken profile is ignored."""

import io

import numpy as np
import pytest

from minitl import data
from minitl.features import on_disk

pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
from PIL import Image, ImageCms, features
from profiles import ADOBE_RGB, DISPLAY_P3, SRGB, grey_profile, ink_profile, matrix_of, rgb_profile

pytestmark = pytest.mark.skipif(not features.check("littlecms2"), reason="this Pillow was built without LittleCMS")
COLOURS = [(60, 200, 60), (255, 0, 0), (128, 128, 128), (10, 20, 200), (255, 255, 255), (0, 0, 0), (90, 60, 30)]
LOSSLESS = {"png": {}, "tif": {}, "webp": {"lossless": True}, "jpg": {"quality": 100, "subsampling": 0}}


def patches(mode="RGB"):
    """Draw a square of 16 x 16 for each colour."""
    pixels = np.repeat(np.repeat(np.array([COLOURS], np.uint8), 16, axis=0), 16, axis=1)
    return Image.fromarray(pixels).convert(mode)


def middles(image):
    return np.array([image.getpixel((16 * k + 8, 8)) for k in range(image.width // 16)], int).reshape(-1, 3)


def by_hand(colours, primaries, gamma):
    """Return colours of an RGB space in sRGB, by the definition of both."""
    linear = (np.array(colours) / 255) ** gamma @ matrix_of(primaries).T @ np.linalg.inv(matrix_of(SRGB)).T
    linear = linear.clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("suffix", LOSSLESS)
@pytest.mark.parametrize("space", [ADOBE_RGB, DISPLAY_P3])
def test_wide_colours_are_those_of_the_definition(tmp_path, suffix, space):
    path = tmp_path / f"camera.{suffix}"
    patches().save(path, icc_profile=rgb_profile(space, 2.2), **LOSSLESS[suffix])
    expected = by_hand(COLOURS, space, round(2.2 * 256) / 256)
    assert np.abs(middles(data.open_photo(path)) - expected).max() <= 3
    assert np.abs(np.array(COLOURS) - expected).max() > 20, "or this test would show nothing"


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "L", "I;16", "1", "CMYK"])
def test_every_kind_of_pixels_goes_through_its_profile(tmp_path, mode):
    grey, inks = mode in ("LA", "L", "I;16"), mode == "CMYK"
    profile = grey_profile(1.2) if grey else ink_profile() if inks else rgb_profile(ADOBE_RGB, 1.5)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(patches("L")).astype(np.uint16) * 257)
    elif mode == "P":
        image = patches().quantize(16, dither=Image.Dither.NONE)
    else:
        image = patches(mode)
    suffix = "tif" if inks else "png"
    image.save(tmp_path / f"a.{suffix}", icc_profile=profile)
    plain = image.convert("L" if grey else mode if inks else "RGB") if mode != "I;16" else patches("L")
    expected = ImageCms.profileToProfile(
        plain, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB", renderingIntent=0
    )
    found = middles(data.open_photo(tmp_path / f"a.{suffix}"))
    assert np.abs(found - middles(expected)).max() <= 3
    if mode != "1":
        assert np.abs(found - middles(plain.convert("RGB"))).max() > 15


def test_inks_in_a_jpeg(tmp_path):
    inks = patches("CMYK")
    inks.save(tmp_path / "printer.jpg", icc_profile=ink_profile(), quality=100, subsampling=0)
    inks.save(tmp_path / "printer.tif", icc_profile=ink_profile())
    a, b = (middles(data.open_photo(tmp_path / f"printer.{suffix}")) for suffix in ("jpg", "tif"))
    assert np.abs(a - b).max() <= 3


def test_grey_pixels_with_a_profile_for_colours(tmp_path):
    patches("L").save(tmp_path / "grey.png", icc_profile=rgb_profile(SRGB, 1.2))
    expected = by_hand(np.array(patches("L").convert("RGB"))[8, 8::16], SRGB, round(1.2 * 256) / 256)
    assert np.abs(middles(data.open_photo(tmp_path / "grey.png")) - expected).max() <= 3


def test_transparent_pixels_are_white_whatever_the_profile(tmp_path):
    image = patches("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    image.save(tmp_path / "hole.png", icc_profile=rgb_profile(ADOBE_RGB, 1.2))
    assert (np.asarray(data.open_photo(tmp_path / "hole.png")) == 255).all()


def test_the_profile_of_srgb_changes_nothing(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    patches().save(tmp_path / "web.png", icc_profile=profile)
    assert np.array_equal(np.asarray(data.open_photo(tmp_path / "web.png")), np.asarray(patches()))


@pytest.mark.parametrize("profile", [b"", b"x", b"\0" * 200, rgb_profile(ADOBE_RGB)[:200], grey_profile(1.2)[:150],
                                     ink_profile(), b"acsp" * 100])  # fmt: skip
def test_a_broken_profile_or_one_for_other_pixels_is_ignored(tmp_path, profile):
    patches().save(tmp_path / "a.tif", icc_profile=profile)
    assert np.array_equal(np.asarray(data.open_photo(tmp_path / "a.tif")), np.asarray(patches()))


def test_a_damaged_profile_gives_an_image_all_the_same(tmp_path, rng):
    profile = rgb_profile(ADOBE_RGB)
    for _ in range(100):
        damaged = bytearray(profile)
        for _ in range(rng.integers(1, 5)):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        patches().save(tmp_path / "a.png", icc_profile=bytes(damaged))
        assert data.open_photo(tmp_path / "a.png").mode == "RGB"


def test_a_turned_photograph_keeps_its_profile(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    turned = patches().transpose(Image.Transpose.ROTATE_180)
    turned.save(tmp_path / "a.jpg", icc_profile=rgb_profile(ADOBE_RGB), exif=exif, quality=100, subsampling=0)
    expected = by_hand(COLOURS, ADOBE_RGB, round(2.2 * 256) / 256)
    assert np.abs(middles(data.open_photo(tmp_path / "a.jpg")) - expected).max() <= 3


def test_features_that_were_kept_of_other_pixels_are_not_used(tmp_path, monkeypatch):
    """The key of kept features holds how a file becomes pixels: its edition, and whether profiles are converted."""
    from minitl.applications.vgg16 import preprocess_input
    from minitl.layers import Flatten
    from minitl.models import Sequential

    graph = Sequential([Flatten(input_shape=(8, 8, 3))])

    def key():
        return on_disk.open_store(graph, data.PhotoStream([], preprocess_input, 8, 8), keep=True).key

    now = key()
    assert now == key()
    monkeypatch.setattr(data.images, "EDITION", 1)
    assert key() != now
    monkeypatch.undo()
    monkeypatch.setattr(data.images, "colour_management", lambda: False)
    assert key() != now
