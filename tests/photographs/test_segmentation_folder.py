"""Folders of photographs with masks: what pairs, what is left out and why, and what is said about the whole."""

import json
import os
import sys

import numpy as np
import pytest
from conftest import shared

from minitl import data
from minitl.data import photos
from minitl.errors import ArgumentError, DataError

pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
from PIL import Image


def write_pair(folder, name, mask=None, image_name=None, mask_name=None):
    """Write a photograph and its mask, 12x10 pixels. Another name is another photograph."""
    for part in "images", "masks":
        (folder / part).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(name.encode()))
    image = Image.fromarray(rng.integers(0, 256, (10, 12, 3), dtype=np.uint8))
    image.save(folder / "images" / (image_name or f"{name}.jpg"))
    mask = np.arange(120).reshape(10, 12) // 40 if mask is None else mask
    Image.fromarray(np.asarray(mask, np.uint8)).save(folder / "masks" / (mask_name or f"{name}.png"))


def constant(number, height=10, width=12):
    return np.full((height, width), number, np.uint8)


@pytest.fixture
def ten(tmp_path):
    """Write ten pairs with three classes and their names, and return the folder."""
    for number in range(10):
        write_pair(tmp_path / "ten", f"{number}")
    (tmp_path / "ten" / "classes.txt").write_text("land\nwater\nroad\n")
    return tmp_path / "ten"


def test_a_good_folder(ten):
    found = data.audit_segmentation(ten, verbose=0)
    assert found.class_names == ["land", "water", "road"] and found.skipped == [] and found.notes == []
    assert 1 <= len(found.val) <= 4 and len(found.train) + len(found.val) == 10
    assert found.pixel_counts().tolist() == [400, 400, 400] and found.ignored_pixels() == 0
    image, mask = data.read_pair(found.train[0])
    assert image.shape == (10, 12, 3) and image.dtype == mask.dtype == np.uint8
    assert np.array_equal(mask, np.arange(120).reshape(10, 12) // 40)
    again = data.audit_segmentation(ten, verbose=0)
    assert [photo.path for photo in again.val] == [photo.path for photo in found.val], "no seed is needed"


def test_each_file_is_read_once(ten, monkeypatch):
    opened = []
    ordinary = open
    monkeypatch.setattr(photos, "open", lambda path, *mode: opened.append(path) or ordinary(path, *mode), raising=False)
    found = data.audit_segmentation(ten, verbose=0)
    assert len(opened) == len(set(opened)) == 21  # photographs, masks and classes.txt
    opened.clear()
    data.read_pair(found.train[0])
    assert len(opened) == 2


def broken(folder, outside):
    """Write a folder of broken masks and pairs. Returns {path in the folder: a part of its reason}."""
    for number in range(3):
        write_pair(folder, f"good {number}")
    (folder / "classes.txt").write_text("land\nwater\nroad")
    images, masks, reasons = folder / "images", folder / "masks", {}

    def pair(name, reason, content=None, mask=None, at_fault="masks", suffix="png"):
        write_pair(folder, name, mask)
        if content is not None or suffix != "png":
            (masks / f"{name}.png").rename(masks / f"{name}.{suffix}")
        if content is not None:
            (masks / f"{name}.{suffix}").write_bytes(content)
        reasons[f"{at_fault}/{name}.{suffix if at_fault == 'masks' else 'jpg'}"] = reason

    whole = (masks / "good 0.png").read_bytes()
    pair("empty", "it is empty", b"")
    pair("cut", "damaged|cut short|Truncated|truncated|broken", whole[: len(whole) // 2])
    pair("text", "it is a text", b"no image at all")
    pair("page", "it is a web page", b"<html>404</html>")
    pair("size", "its mask has 8x9 pixels, and the photograph 12x10", mask=constant(1, 9, 8), at_fault="images")
    pair("turned", "its mask has 10x12 pixels", mask=constant(1, 12, 10), at_fault="images")
    pair("value", r"holds 3, 200 \(3 first at row 0, column 0\); expected 0 to 2", mask=[[3, 200] * 6] * 10)
    pair("jpeg", "is a JPEG file", suffix="jpg")
    Image.fromarray(constant(1)).save(masks / "jpeg.jpg")
    pair("colours", "its pixels are colours")
    Image.fromarray(np.repeat(constant(9)[..., None], 3, axis=2)).save(masks / "colours.png")
    pair("deep", "holds 40000 at row 0, column 0; expected class numbers from 0 to 255")
    Image.fromarray(np.full((10, 12), 40000, np.uint16)).save(masks / "deep.png")
    pair("floats", "has pixels of the kind F", suffix="tif")
    Image.fromarray(np.ones((10, 12), np.float32)).save(masks / "floats.tif")
    pair("alpha", r"its pixels are colours")
    Image.fromarray(np.full((10, 12, 4), 9, np.uint8)).save(masks / "alpha.png")
    pair("film", "is animated", suffix="gif")
    frames = [Image.fromarray(constant(number)) for number in (0, 1)]
    frames[0].save(masks / "film.gif", save_all=True, append_images=frames[1:])
    pair("huge", "more than the limit of 100,000,000")
    Image.new("1", (11_000, 10_000)).save(masks / "huge.png")
    pair("broken photograph", "cannot be read as an image", at_fault="images")
    (images / "broken photograph.jpg").write_bytes(b"\xff\xd8\xff no more")
    pair("no partner", "has no mask: there is no masks/no partner.png", at_fault="images")
    (masks / "no partner.png").unlink()
    pair("no photograph", "is a mask without a photograph")
    (images / "no photograph.jpg").unlink()
    pair("two masks", "has the masks two masks.png and two masks.tif", at_fault="images")
    Image.fromarray(constant(1)).save(masks / "two masks.tif")
    pair("two photographs", "has the same name as two photographs.png", at_fault="images")
    Image.new("RGB", (12, 10)).save(images / "two photographs.png")
    reasons["images/two photographs.png"] = "has the same name as two photographs.jpg"
    pair("link", "is a link out of the folder")
    reasons["images/link.jpg"] = "has no mask"
    (masks / "link.png").rename(outside)
    (masks / "link.png").symlink_to(outside)
    (masks / "folder").mkdir()
    reasons["masks/folder"] = "is a folder"
    return reasons


@pytest.mark.skipif(sys.platform == "win32", reason="links and some names are POSIX")
def test_a_folder_of_broken_pairs(tmp_path):
    folder = tmp_path / "broken"
    reasons = broken(folder, tmp_path / "outside.png")
    write_pair(folder, "ünï 街\nline", mask_name="ünï 街\nline.png")
    write_pair(folder, "composed", image_name="caf\u00e9.jpg", mask_name="cafe\u0301_mask.png")
    assert len(reasons) >= 20
    found = data.audit_segmentation(folder, verbose=0)
    skipped = {path.as_posix(): reason for path, reason in found.skipped}
    assert set(skipped) == set(reasons)
    for path, reason in reasons.items():
        pytest.raises(DataError, _raise, skipped[path]).match(reason)
    good = {photo.path.name for photo in found.train + found.val}
    assert good == {"good 0.jpg", "good 1.jpg", "good 2.jpg", "ünï 街\nline.jpg", "café.jpg"}
    for line in str(found).split("\n"):
        assert len(line) <= 80 or " " not in line.strip(), "only a long name makes a longer line"
    with pytest.raises(DataError, match="Give strict=False"):
        data.audit_segmentation(folder, strict=True, verbose=0)


def _raise(text):
    raise DataError(text)


def test_strict_raises_for_each_fault_alone(ten):
    write_pair(ten, "wrong", constant(7))
    with pytest.raises(DataError, match=r"wrong.png: holds 7 .*Give strict=False to go on without it"):
        data.audit_segmentation(ten, strict=True, verbose=0)
    (ten / "masks" / "wrong.png").unlink()
    with pytest.raises(DataError, match=r"wrong.jpg: has no mask"):
        data.audit_segmentation(ten, strict=True, verbose=0)


def test_parts_names_and_endings(tmp_path):
    for part, count in ("train", 3), ("val", 2):
        for number in range(count):
            write_pair(tmp_path / part, f"{part} {number}", mask_name=f"{part} {number}_label.png")
    found = data.audit_segmentation(tmp_path, class_names=["a", "b", "c", "d"], verbose=0)
    assert (len(found.train), len(found.val)) == (3, 2) and found.class_names == ["a", "b", "c", "d"]
    assert found.notes == ["without a pixel for training: d.", "without a pixel for validation: d."]
    write_pair(tmp_path / "val", "train 0")
    assert any("the same photograph: val/images/train 0.jpg" in note for note in data.audit_segmentation(
        tmp_path, verbose=0).notes)  # fmt: skip


@pytest.mark.parametrize(
    "folders, expected",
    [
        (["images", "labels"], "Rename the folder of the masks to masks"),
        (["img_dir", "ann_dir"], "Rename the folders of the photographs and of the masks to images and masks"),
        (["images/train", "images/val", "labels/train"], "Expected train/images/ and not images/train/"),
        ([], "holds no folders; expected the folders images/ and masks/"),
        (["images", "masks"], "has no photograph with a good mask for training"),
    ],
)
def test_other_layouts_are_named(tmp_path, folders, expected):
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(DataError, match=expected):
        data.audit_segmentation(tmp_path, verbose=0)


def test_what_is_said_of_the_whole_folder(tmp_path):
    for number in range(4):
        write_pair(tmp_path / "white", f"{number}", [[0, 255] * 6] * 10)
        write_pair(tmp_path / "sparse", f"{number}", [[0, 100, 200] * 4] * 10)
        write_pair(tmp_path / "unlabelled", f"{number}", constant(255) if number else None)
        write_pair(tmp_path / "palettes", f"{number}")
        image = Image.open(tmp_path / "palettes" / "masks" / f"{number}.png")
        image.putpalette([(9 * level + number) % 256 for level in range(768)])
        image.save(tmp_path / "palettes" / "masks" / f"{number}.png")
    notes = {
        name: " ".join(data.audit_segmentation(tmp_path / name, verbose=0).notes)
        for name in ("white", "sparse", "unlabelled", "palettes")
    }
    assert "each of the masks holds only 0 and 255" in notes["white"]
    assert "colours={0: 0, 100: 1, 200: 2}" in notes["sparse"]
    assert "nothing is labelled in" in notes["unlabelled"]
    assert "the palettes differ: 0 is (0, 9, 18) in 0.png and" in notes["palettes"]
    mended = data.audit_segmentation(tmp_path / "white", colours={0: "land", 255: "house"}, verbose=0)
    assert mended.notes == [] and mended.pixel_counts().tolist() == [240, 240]
    assert data.read_pair(mended.train[0])[1].max() == 1, "the table goes with the pair"


def test_wrong_arguments_and_names(ten):
    for options in {"val_share": 1}, {"ignore": 256}, {"class_names": []}, {"class_names": ["a", "a"]}, {"colours": 3}:
        with pytest.raises(ArgumentError, match=next(iter(options))):
            data.audit_segmentation(ten, verbose=0, **options)
    (ten / "classes.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="classes.txt: is not UTF-8"):
        data.audit_segmentation(ten, verbose=0)
    with pytest.raises(DataError, match="is no folder. Expected a folder with the folders images/ and masks/"):
        data.audit_segmentation(ten / "classes.txt", verbose=0)


def coco_folder(folder, **changes):
    """Write a folder with a COCO file: two categories with a gap, an outline, run lengths, and an empty image."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for name in "abc":
        Image.fromarray(np.full((4, 6, 3), ord(name), np.uint8)).save(folder / "images" / f"{name}.png")
    square = [1, 0, 5, 0, 5, 4, 1, 4]
    content = {
        "images": [{"id": i, "file_name": f"{name}.png", "height": 4, "width": 6} for i, name in enumerate("abc")],
        "categories": [{"id": 90, "name": "brush"}, {"id": 7, "name": "train"}],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 90, "segmentation": {"size": [4, 6], "counts": [8, 2, 14]}},
            {"id": 2, "image_id": 0, "category_id": 7, "segmentation": [square], "bbox": [1, 0, 4, 4]},
            {"id": 3, "image_id": 1, "category_id": 7, "segmentation": {"size": [4, 6], "counts": "888"}},
        ],
    } | changes
    (folder / "annotations.json").write_text(json.dumps(content))
    return content


def test_a_coco_file_becomes_masks(tmp_path):
    coco_folder(tmp_path)
    found = data.audit_segmentation(tmp_path, val_share=0, verbose=0)
    assert found.class_names == ["background", "train", "brush"] and found.skipped == []
    masks = {photo.path.stem: data.read_pair(photo)[1] for photo in found.train}
    assert masks["a"].tolist() == [[0, 1, 2, 1, 1, 0], [0, 1, 2, 1, 1, 0], [0, 1, 1, 1, 1, 0], [0, 1, 1, 1, 1, 0]]
    assert masks["b"].sum() == 8 and masks["c"].max() == 0, "an image without objects trains as background"
    assert found.pixel_counts().tolist() == [72 - 24, 22, 2]


def test_what_is_wrong_in_a_coco_file_is_left_out_by_name(tmp_path):
    content = coco_folder(tmp_path)
    content["annotations"][2]["segmentation"] = []
    content["annotations"] += [
        {"id": 4, "image_id": 0, "category_id": 8, "segmentation": [[0, 0, 1, 0, 1, 1]]},
        {"id": 5, "image_id": 99, "category_id": 7, "segmentation": [[0, 0, 1, 0, 1, 1]]},
    ]
    content["images"].append({"id": 9, "file_name": "gone.png", "height": 4, "width": 6})
    Image.new("RGB", (6, 4)).save(tmp_path / "images" / "more.png")
    coco_folder(tmp_path, **content)
    found = data.audit_segmentation(tmp_path, val_share=0, verbose=0)
    reasons = {f"{path.as_posix()} {reason}" for path, reason in found.skipped}
    for expected in (
        "images/b.png annotations[2] has no segmentation (a box alone, perhaps) in annotations.json",
        "images/a.png annotations[3] of annotations.json is of category 8, which is not among the categories",
        "annotations.json annotations[4] is of image 99, which is not among the images",
        "images/more.png is not among the images of annotations.json",
    ):
        assert expected in reasons
    assert any("gone.png: is named in annotations.json, and is not there" in reason for reason in reasons)
    assert [photo.path.name for photo in found.train] == ["c.png"] and len(reasons) == 5


def test_aerial_images():
    found = data.audit_segmentation(shared("data/dubai_aerial", "aerial images with masks"), verbose=0)
    assert (len(found.train), len(found.val), found.skipped, found.notes) == (56, 16, [], [])
    assert found.class_names == ["building", "land", "road", "vegetation", "water"]
    assert found.pixel_counts().sum() + found.ignored_pixels() == 72 * 256 * 256
    assert max(map(len, str(found).split(os.linesep))) <= 80 and "45.2%" in str(found)
