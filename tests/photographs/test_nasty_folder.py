"""Sixty nasty files in one folder: each is seen as a viewer shows it, or left out by name with its reason.

Training on the folder works all the same.
"""

import io
import json
import os
import sys

import numpy as np
import pytest

from minitl import cli, data
from minitl.errors import DataError
from minitl.weights.distrust import known_files as known

pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
from PIL import Image
from test_photos import RED, USUAL, corners, drawing, is_close

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and newlines in names are POSIX")
GREY = [(114, 114, 114), (82, 82, 82), (82, 82, 82), (82, 82, 82)]  # what drawing() is without colour
HOLE = [(255, 255, 255), RED, RED, RED]


def stored(image, suffix, **options):
    file = io.BytesIO()
    image.save(file, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix), **options)
    return file.getvalue()


def turned(orientation):
    """Return a JPEG that was stored turned, with the note that says so."""
    ways = Image.Transpose
    back = [None, ways.FLIP_LEFT_RIGHT, ways.ROTATE_180, ways.FLIP_TOP_BOTTOM, ways.TRANSPOSE, ways.ROTATE_90,
            ways.TRANSVERSE, ways.ROTATE_270][orientation - 1]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = drawing() if back is None else drawing().transpose(back)
    return stored(image, "jpg", exif=exif, quality=95, subsampling=0)


def with_hole(mode):
    image = drawing().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 20, 15))
    return image if mode == "RGBA" else image.quantize(8)


def sixteen_bits():
    grey = np.full((30, 40), 82 * 257, np.uint16)
    grey[:15, :20] = 114 * 257
    return Image.fromarray(grey)


def good_files():
    """Return {name: (bytes, the colours to be seen)}."""
    fine = {"quality": 95, "subsampling": 0}
    palette = drawing().convert("P", palette=Image.Palette.ADAPTIVE)
    files = {f"turned {n}.jpg": (turned(n), USUAL) for n in range(1, 9)}
    files |= {
        "cmyk.jpg": (stored(drawing().convert("CMYK"), "jpg", **fine), USUAL),
        "cmyk.tif": (stored(drawing().convert("CMYK"), "tif"), USUAL),
        "ycbcr.jpg": (stored(drawing().convert("YCbCr"), "jpg", **fine), USUAL),
        "progressive.jpg": (stored(drawing(), "jpg", progressive=True, **fine), USUAL),
        "palette.png": (stored(palette, "png"), USUAL),
        "palette.gif": (stored(palette, "gif"), USUAL),
        "palette and hole.png": (stored(with_hole("P"), "png"), HOLE),
        "hole.png": (stored(with_hole("RGBA"), "png"), HOLE),
        "hole.webp": (stored(with_hole("RGBA"), "webp", lossless=True), HOLE),
        "opaque.png": (stored(drawing().convert("RGBA"), "png"), USUAL),
        "grey.jpg": (stored(drawing().convert("L"), "jpg", **fine), GREY),
        "grey.png": (stored(drawing().convert("L"), "png"), GREY),
        "grey and alpha.png": (stored(drawing().convert("LA"), "png"), GREY),
        "sixteen.png": (stored(sixteen_bits(), "png"), GREY),
        "sixteen.tif": (stored(sixteen_bits(), "tif"), GREY),
        "plain.bmp": (stored(drawing(), "bmp"), USUAL),
        "plain.webp": (stored(drawing(), "webp", lossless=True), USUAL),
        "plain.tif": (stored(drawing(), "tif"), USUAL),
        "wrong suffix.jpg": (stored(drawing(), "png"), USUAL),
        "no suffix": (stored(drawing(), "png"), USUAL),
        "ünï cödé 蜂.png": (stored(drawing(), "png"), USUAL),
        "new\nline.png": (stored(drawing(), "png"), USUAL),
        "-- option.png": (stored(drawing(), "png"), USUAL),
        "\x1b[31mred.png": (stored(drawing(), "png"), USUAL),
        "tiny.png": (stored(drawing(4, 4), "png"), None),
        "thin.png": (stored(drawing(300, 2), "png"), None),
    }
    return files


def bad_files():
    """Return {name: (bytes, a part of the reason)}."""
    files = {}
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8))
    for suffix in "jpg", "png", "webp", "tif", "gif", "bmp":
        whole = stored(noise, suffix)
        for share in (0.1, 0.6):
            files[f"cut at {share}.{suffix}"] = whole[: int(len(whole) * share)], "cannot be read as an image"
    frames = [drawing(), Image.new("RGB", (40, 30), RED)]
    for suffix in "gif", "webp", "png":
        files[f"film.{suffix}"] = stored(frames[0], suffix, save_all=True, append_images=frames[1:]), "is animated"
    files |= {
        "empty.jpg": (b"", "it is empty"),
        "text.jpg": (b"no image", "cannot be read as an image"),
        "page.jpg": (b"<html>404 not found</html>", "cannot be read as an image"),
        "noise.png": (os.urandom(3000), "cannot be read as an image"),
        "large.png": (stored(Image.new("1", (11_000, 10_000)), "png"), "more than the limit of 100,000,000"),
        "cut\nline.png": (stored(drawing(), "png")[:50], "cannot be read as an image"),
        "header only.png": (stored(drawing(), "png")[:33], "cannot be read as an image"),
    }
    return files


@pytest.fixture
def folder(tmp_path):
    """Write nasty/ with sixty entries, and good/ with thirty photographs of another colour."""
    nasty, good = tmp_path / "photos" / "nasty", tmp_path / "photos" / "good"
    nasty.mkdir(parents=True)
    good.mkdir()
    for name, (content, _) in {**good_files(), **bad_files()}.items():
        (nasty / name).write_bytes(content)
    (nasty / "links").mkdir()
    (nasty / "links" / "in a circle").symlink_to(nasty)
    (nasty / "to itself.jpg").symlink_to(nasty / "to itself.jpg")
    (nasty / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "outside.png").write_bytes(stored(drawing(), "png"))
    (nasty / "outside.png").symlink_to(tmp_path / "outside.png")
    (nasty / "inside.png").symlink_to(nasty / "plain.bmp")
    os.mkfifo(nasty / "pipe.jpg")
    rng = np.random.default_rng(0)
    for number in range(30):
        pixels = np.array([20, 30, 200]) + rng.integers(-20, 20, (30, 40, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(good / f"{number}.png")
    return tmp_path / "photos"


def test_sixty_files(folder):
    good, bad = good_files(), bad_files()
    assert len(list((folder / "nasty").iterdir())) == len(good) + len(bad) + 6 >= 60
    for name, (_, expected) in good.items():
        if expected:
            assert is_close(corners(data.open_photo(folder / "nasty" / name)), expected, 8), name
    found = data.audit_folder(folder, verbose=0)
    reasons = {str(path.relative_to("nasty")): reason for path, reason in found.skipped}
    for name, (_, reason) in bad.items():
        assert reason in reasons.pop(name), name
        with pytest.raises(DataError, match="nasty"):
            data.open_photo(folder / "nasty" / name)
    assert set(reasons) == {"dangling.jpg", "links/in a circle", "outside.png", "pipe.jpg", "to itself.jpg"}
    assert "link out of the folder" in reasons["outside.png"] and "visited already" in reasons["links/in a circle"]
    seen = [photo.path.name for photo in [*found.train, *found.val] if photo.label == 1]
    assert sorted(seen) == sorted([*good, "inside.png"])


@pytest.mark.filterwarnings("ignore::minitl.errors.MistakeWarning")  # rightly: one image in many formats
def test_training_on_them(folder, full_base, capsys):
    (known.home_folder() / "models").mkdir(parents=True)
    (known.home_folder() / "models" / full_base.name).symlink_to(full_base)
    results = folder.parent / "results.json"
    arguments = ["finetune", str(folder), "--image-size", "32", "--json", str(results)]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert "\x1b[31m" not in said and r"cut\nline.png" in said, "names cannot write to the terminal"
    left_out = json.loads(results.read_text())["left_out"]
    assert len(left_out) == len(bad_files()) + 5
    assert cli.main([*arguments, "--strict"]) == 1
    assert "minitl: " in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::minitl.errors.MistakeWarning")  # rightly: one image in many formats
def test_photographs_that_vanish_while_it_works(folder, full_base, capsys, monkeypatch):
    """The photographs vanish after the folder was searched and before the network reads them."""
    (known.home_folder() / "models").mkdir(parents=True)
    (known.home_folder() / "models" / full_base.name).symlink_to(full_base)
    ordinary = data.audit_folder

    def then_some_vanish(*arguments, **options):
        found = ordinary(*arguments, **options)
        (folder / "nasty" / "grey.png").unlink()
        (folder / "good" / "3.png").write_bytes(b"")
        return found

    monkeypatch.setattr(data, "audit_folder", then_some_vanish)
    results = folder.parent / "results.json"
    assert cli.main(["finetune", str(folder), "--image-size", "32", "--json", str(results)]) == 0
    left_out = {str(path): reason for path, reason in json.loads(results.read_text())["left_out"]}
    assert "is not there" in left_out["nasty/grey.png"] and "it is empty" in left_out["good/3.png"]
