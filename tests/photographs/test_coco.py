"""COCO files: outlines and run lengths become the right pixels, and a file from a stranger does no harm.

`tests/peers/test_polygons.py` compares the pixels with pycocotools; some of its masks are kept here as numbers.
"""

import json

import numpy as np
import pytest

from minitl import data
from minitl.data import coco, polygons
from minitl.errors import DataError


def fixed_polygons():
    """Return outlines with corners in and outside of an image of 7x9, crossing themselves, and twice the same."""
    rng = np.random.default_rng(5)
    drawn = [rng.uniform(-3, 12, 2 * rng.integers(3, 8)).tolist() for _ in range(20)]
    drawn += [np.round(2 * rng.uniform(0, 9, 10)).tolist() for _ in range(10)]
    return [*drawn, [1, 1, 1, 1, 6, 1, 6, 5, 6, 5, 1, 5], [-9, -9, 30, -9, 30, 30, -9, 30]]


def test_run_lengths_go_down_the_columns():
    mask = np.array([[0, 1], [0, 1], [1, 0]])
    assert polygons.encode_run_lengths(mask) == {"size": [3, 2], "counts": "231"}
    assert polygons.encode_run_lengths(mask, compressed=False) == {"size": [3, 2], "counts": [2, 3, 1]}
    assert polygons.encode_run_lengths(1 - mask, compressed=False)["counts"] == [0, 2, 3, 1]
    assert polygons.compress_counts([20]) == "d0"
    for counts in [6], [0, 6], [0, 1, 5], [2, 3, 1]:
        found = polygons.decode_run_lengths({"size": [3, 2], "counts": counts})
        assert polygons.encode_run_lengths(found, compressed=False)["counts"] == counts


def test_encoding_comes_back(rng):
    for height, width, share in (1, 1, 1), (5, 7, 0.5), (40, 300, 0.001), (300, 40, 0.999), (64, 64, 0):
        mask = rng.random((height, width)) < share
        for compressed in True, False:
            stored = json.loads(json.dumps(polygons.encode_run_lengths(mask, compressed)))
            assert np.array_equal(polygons.decode_run_lengths(stored), mask)
    counts = [0, 1, 10**7, 31, 15, 16, 10**7, 5, 0, 99]  # differences of both signs, one to five digits
    assert polygons.decompress_counts(polygons.compress_counts(counts)).tolist() == counts


@pytest.mark.parametrize("number", range(len(fixed_polygons())))
def test_all_points_at_once_give_the_pixels_of_point_by_point(number):
    polygon = fixed_polygons()[number]
    for height, width in (7, 9), (1, 4), (12, 3):
        expected = polygons.draw_polygon_naive(polygon, height, width)
        assert np.array_equal(polygons.draw_polygon(polygon, height, width), expected)


def test_pixels_of_pycocotools():
    """These counts were computed by pycocotools 2.0."""
    triangle, star = [0.5, 0.5, 7.2, 1.1, 3.3, 6.4], [4, 0, 6, 6, 0, 2, 8, 2, 2, 6]
    masks = [polygons.segmentation_mask(each, 7, 9) for each in ([triangle], [star], [triangle, star])]
    found = [polygons.encode_run_lengths(mask, compressed=False)["counts"] for mask in masks]
    assert found == PYCOCOTOOLS
    corners = [[0, 0, 2, 0, 2, 1, 0, 1]]
    assert polygons.segmentation_mask(corners, 2, 3).tolist() == [[True, True, False], [False, False, False]]


PYCOCOTOOLS = [
    [8, 1, 6, 3, 4, 5, 2, 4, 3, 2, 5, 1, 19],
    [9, 1, 6, 4, 2, 1, 2, 1, 3, 1, 2, 1, 4, 4, 3, 1, 18],
    [8, 2, 5, 5, 2, 5, 2, 4, 3, 5, 2, 2, 18],
]  # fmt: skip


@pytest.mark.parametrize(
    "segmentation, expected",
    [
        ([], "expected"),
        ("text", "expected"),
        ([[1, 2, 3, 4]], "a polygon is 4 numbers; expected x1"),
        ([[1, 2, 3, 4, 5, 6, 7]], "a polygon is 7 numbers"),
        ([[1, 2, 3, 4, 5, "6"]], "a polygon holds '6'"),
        ([[1, 2, 3, 4, 5, float("nan")]], "a polygon holds nan"),
        ([[1, 2, 3, 4, 5, 10**300]], "a polygon holds 1000"),
        ([[0, 0, 9e7, 9e7, 0, 9e7]], "pixels long, more than the limit"),
        ([1, 2, 3, 4, 5, 6], "a polygon is 1"),
        ({"counts": [24]}, "have the size None"),
        ({"size": [4, 6]}, "have the counts None"),
        ({"size": [4, 6], "counts": [20]}, "hold 20 pixels; expected 24 pixels, 6x4"),
        ({"size": [4, 6], "counts": [-1, 25]}, "expected whole numbers"),
        ({"size": [6, 4], "counts": [24]}, "for 4x6 pixels, and the image has 6x4"),
        ({"size": [10**6, 10**6], "counts": [10**12]}, "expected at most 100,000,000"),
        ({"size": [4, 6], "counts": ""}, "are cut short"),
        ({"size": [4, 6], "counts": "8~8"}, "hold letters that are no digits"),
        ({"size": [4, 6], "counts": "8P"}, "are cut short"),
        ({"size": [4, 6], "counts": "oooooooooo0"}, "larger than any image"),
        ({"size": [4, 6], "counts": "O"}, "negative counts"),
    ],
)
def test_a_wrong_segmentation_is_refused(segmentation, expected):
    with pytest.raises(DataError, match=expected):
        polygons.segmentation_mask(segmentation, 4, 6)


def written(tmp_path, content):
    path = tmp_path / "annotations.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def content_with(**changes):
    image = {"id": 5, "file_name": "a.png", "height": 4, "width": 6}
    annotation = {"id": 1, "image_id": 5, "category_id": 90, "bbox": [1, 2, 3, 1.5], "area": 4.5, "iscrowd": 0}
    categories = [{"id": 90, "name": "brush"}, {"id": 7, "name": "train"}]
    return {"images": [image], "annotations": [annotation], "categories": categories} | changes


def test_numbers_with_gaps_are_mapped_both_ways(tmp_path):
    file = data.read_coco(written(tmp_path, content_with()))
    assert file.class_names == ["train", "brush"] and file.class_of == {7: 0, 90: 1} and file.category_of == [7, 90]
    assert file.images[5] == coco.CocoImage(5, "a.png", 4, 6) and file.faults == []
    (found,) = file.annotations[5]
    assert found.box == (1, 2, 3, 1.5) and found.category == 90 and not found.is_crowd and found.area == 4.5
    assert file.category_of[file.class_of[found.category]] == 90


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"", r"cannot be read as JSON \(it is empty\)"),
        (b"\x89PNG", "cannot be read as JSON"),
        (b"{", "cannot be read as JSON.*Export it again"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"images": [1' + b"0" * 5000 + b"]}", "cannot be read as JSON|has no 'annotations'"),
        (b'{"images": NaN}', "'images' is a float"),
        (b"[]", "holds a list; expected a COCO file"),
        ({"images": []}, "has no 'annotations'"),
        (content_with(images={}), "'images' is a dict"),
        (content_with(categories=[]), "has no categories"),
        (content_with(categories=[{"id": "7", "name": "a"}]), r"categories\[0\] is .*expected an id"),
        (content_with(categories=[{"id": 7, "name": "a"}] * 2), r"categories\[1\] has the id 7, as 'a' has"),
        (content_with(categories=[{"id": i, "name": "a"} for i in (1, 2)]), "two categories are called 'a'"),
        (content_with(images=content_with()["images"] * 2), r"images\[1\] has the id 5"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, content, expected):
    with pytest.raises(DataError, match=f"annotations.json: .*{expected}|annotations.json: {expected}"):
        data.read_coco(written(tmp_path, content))


@pytest.mark.parametrize(
    "key, changes, expected",
    [
        ("images", {"id": "5"}, "has the id '5'; expected a whole number"),
        ("images", {"file_name": "../a.png"}, "leads out of the folder"),
        ("images", {"file_name": "/etc/passwd"}, "leads out of the folder"),
        ("images", {"file_name": "..\\a.png"}, "leads out of the folder"),
        ("images", {"file_name": "C:\\a.png"}, "leads out of the folder"),
        ("images", {"file_name": "sub/../../a.png"}, "leads out of the folder"),
        ("images", {"file_name": "a\0.png"}, "leads out of the folder"),
        ("images", {"height": 0}, "has a size of 6x0 pixels"),
        ("images", {"height": 10**9}, "has a size of 6x1000000000 pixels"),
        ("images", {"width": True}, "has the width True; expected a whole number"),
        ("annotations", {"category_id": 8}, "is of category 8, which is not among"),
        ("annotations", {"image_id": 6}, "is of image 6, which is not among"),
        ("annotations", {"bbox": [1, 2, 3]}, r"has the bbox \[1, 2, 3\]; expected"),
        ("annotations", {"bbox": [1, 2, 3, 1e400]}, "has the bbox .*inf"),
        ("annotations", {"bbox": [1, 2, 3, 10**400]}, "has the bbox "),
        ("annotations", {"bbox": [1, 2, 3, float("nan")]}, "has the bbox .*nan"),
        ("annotations", {"bbox": [1, 2, 3, "4"]}, "has the bbox "),
        ("annotations", {"area": "large"}, "has the area 'large'"),
        ("annotations", {"iscrowd": "no"}, "has iscrowd 'no'"),
        ("annotations", {"segmentation": "text"}, "has the segmentation 'text'"),
    ],
)
def test_a_wrong_entry_is_left_out_by_name(tmp_path, key, changes, expected):
    content = content_with()
    content[key][0] |= changes
    path = written(tmp_path, content)
    path.write_text(path.read_text().replace("Infinity", "1e400"))
    file = data.read_coco(path)
    place, reason, _ = file.faults[0]
    assert place == f"{key}[0]"
    with pytest.raises(DataError, match=expected):
        raise DataError(reason)
    assert len(file.faults) == 1 + ("id" in changes) and sum(map(len, file.annotations.values())) == 0
    del content[key][0][next(iter(changes))]
    if next(iter(changes)) in ("id", "file_name", "height", "width", "image_id", "category_id"):
        assert "has no" in data.read_coco(written(tmp_path, content)).faults[0].reason


def test_a_file_name_is_looked_up_within_the_folder_alone(tmp_path):
    (tmp_path / "images").mkdir()
    file = data.read_coco(written(tmp_path, content_with()))
    with pytest.raises(DataError, match=r"a.png: is named in annotations.json, and is not there"):
        file.image_path(file.images[5], tmp_path / "images")
    (tmp_path / "secret.png").write_bytes(b"secret")
    try:
        (tmp_path / "images" / "a.png").symlink_to(tmp_path / "secret.png")
    except OSError:
        pytest.skip("this system makes no links")
    with pytest.raises(DataError, match="is a link out of the folder, which is not followed"):
        file.image_path(file.images[5], tmp_path / "images")
    (tmp_path / "images" / "a.png").unlink()
    (tmp_path / "images" / "a.png").write_bytes(b"own")
    assert file.image_path(file.images[5], tmp_path / "images").read_bytes() == b"own"
