"""Folders with boxes as people have them: three layouts, and each faulty file or box is left out by name."""

import json
import os
import sys

import numpy as np
import pytest
from conftest import shared

from minitl import data
from minitl.data.box_checks import CENTRES, CORNERS, SIZES, fault_of, fitting
from minitl.data.coco_boxes import as_coco
from minitl.data.yolo_boxes import read_yaml_names
from minitl.errors import ArgumentError, DataError

pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
from PIL import Image


def write_image(path, height=200, width=100, orientation=None):
    """Write a photograph whose pixels, and so its digest, come from its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(list(path.name.encode())).integers(0, 256, (height, width, 3), dtype=np.uint8)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def xml_of(boxes, size=(200, 100), filename="x.jpg", name="cell"):
    """Return the text of a VOC file with these boxes."""
    objects = "".join(
        f"<object><name>{name}</name><difficult>0</difficult><bndbox>"
        + "".join(f"<{side}>{value}</{side}>" for side, value in zip(("xmin", "ymin", "xmax", "ymax"), box))
        + "</bndbox></object>"
        for box in boxes
    )
    height, width = size
    return (
        f"<annotation><filename>{filename}</filename><size><width>{width}</width><height>{height}</height></size>"
        f"{objects}</annotation>"
    )


def write_voc(root, stem, boxes, lists=(), **words):
    """Write a photograph and its VOC file, and add it to lists."""
    write_image(root / "JPEGImages" / f"{stem}.png")
    (root / "Annotations").mkdir(exist_ok=True)
    (root / "Annotations" / f"{stem}.xml").write_text(xml_of(boxes, **words))
    for name in lists:
        (root / "ImageSets" / "Main").mkdir(parents=True, exist_ok=True)
        with open(root / "ImageSets" / "Main" / f"{name}.txt", "a") as file:
            file.write(f"{stem}\n")


def coco_of(images, boxes, categories=((7, "train"), (90, "toothbrush"))):
    """Return the text of a COCO file: images are (id, name), boxes (image id, category id, bbox, ...)."""
    return json.dumps(
        {
            "images": [{"id": number, "file_name": name, "height": 200, "width": 100} for number, name in images],
            "annotations": [
                {"id": k, "image_id": image, "category_id": category, "bbox": box, **(more[0] if more else {})}
                for k, (image, category, box, *more) in enumerate(boxes)
            ],
            "categories": [{"id": number, "name": name} for number, name in categories],
        }
    )


def audit(root, **settings):
    return data.audit_detection(root, **{"verbose": 0, "val_share": 0, **settings})


def only(folder):
    """Return the boxes of the only photograph as lists."""
    (photo,) = folder.train
    return photo.boxes.tolist()


# ---- what must hold for this field ----


def test_reversed_and_empty_boxes_are_left_out_by_name_with_the_suspected_format(tmp_path):
    write_voc(tmp_path, "a", [(40, 60, 8, 90), (10, 5, 20, 5), (1, 2, 30, 40)])
    folder = audit(tmp_path)
    assert only(folder) == [[1, 2, 30, 40]]
    (file, box, reason), (_, second, why) = folder.left_out_boxes
    assert file.as_posix() == "Annotations/a.xml" and box == "cell [40, 60, 8, 90]"
    assert "-32 wide and 30 high" in reason
    assert "fits as left, top, width, height, or left, top, right, bottom with exchanged corners" in reason
    assert second == "cell [10, 5, 20, 5]" and "10 wide and 0 high" in why
    assert "It fits as left, top, width, height: that format is suspected" in why
    assert any(
        note.startswith("WARNING: boxes that were left out and would fit as left, top, width, height: 2 (the first: ")
        for note in folder.notes
    )
    with pytest.raises(
        DataError, match=r"a\.xml: the box cell \[40, 60, 8, 90\] has no area.*Give strict=False"
    ) as error:
        audit(tmp_path, strict=True)
    assert "Leave out --strict" in error.value.for_command_line()


def test_a_label_out_of_range_is_refused(tmp_path):
    """One class: label 0 trains, and 1, which would count the background, is refused."""
    write_image(tmp_path / "images" / "a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.4 0.4\n")
    (tmp_path / "classes.txt").write_text("cell\n")
    folder = audit(tmp_path)
    assert folder.class_names == ["cell"] and folder.train[0].labels.tolist() == [0]
    assert np.allclose(only(folder), [[40, 80, 60, 120]])
    ((_, box, reason),) = folder.left_out_boxes
    assert "line 2" in box and reason == "has the class number 1; expected 0 to 0 (cell), without a background"
    with pytest.raises(DataError, match="class number 1"):
        audit(tmp_path, strict=True)


def test_photographs_without_boxes_stay(tmp_path):
    write_voc(tmp_path, "a", [(1, 2, 30, 40)])
    write_voc(tmp_path, "b", [])
    folder = audit(tmp_path)
    empty = folder.train[1]
    assert empty.boxes.shape == (0, 4) and empty.boxes.dtype == np.float32
    assert empty.labels.shape == empty.difficult.shape == empty.crowd.shape == (0,)
    assert folder.skipped == [] and "without boxes         1" in str(folder)


def test_numbers_of_classes_with_gaps_are_mapped_both_ways(tmp_path):
    write_image(tmp_path / "a.png")
    boxes = [(5, 90, [10, 20, 30, 40]), (5, 7, [1, 2, 3, 4], {"iscrowd": 1})]
    (tmp_path / "annotations.json").write_text(coco_of([(5, "a.png")], boxes))
    folder = audit(tmp_path)
    (photo,) = folder.train
    assert folder.class_names == ["train", "toothbrush"] and folder.category_numbers == [7, 90]
    assert photo.labels.tolist() == [1, 0] and photo.crowd.tolist() == [False, True] and photo.number == 5
    assert photo.boxes.tolist() == [[10, 20, 40, 60], [1, 2, 4, 6]]
    results = as_coco(photo.number, photo.boxes, photo.labels, [0.5, 0.25], folder.category_numbers)
    assert results == [
        {"image_id": 5, "category_id": 90, "bbox": [10, 20, 30, 40], "score": 0.5},
        {"image_id": 5, "category_id": 7, "bbox": [1, 2, 3, 4], "score": 0.25},
    ]
    with pytest.raises(ArgumentError, match="label 2 has no number"):
        as_coco(5, photo.boxes, [0, 2], [1, 1], folder.category_numbers)


# ---- the folder of blood cells ----


def test_the_blood_cells_are_counted_as_published():
    folder = audit(shared("data/bccd", "the blood cells"))
    assert [len(folder.train), len(folder.val), len(folder.test)] == [205, 87, 72]
    everything = folder.train + folder.val + folder.test
    assert dict(zip(folder.class_names, folder.counts(everything))) == {"Platelets": 361, "RBC": 4155 - 2, "WBC": 372}
    assert {(file.name, box.split()[0]) for file, box, _ in folder.left_out_boxes} == {
        ("BloodImage_00338.xml", "RBC"), ("BloodImage_00343.xml", "RBC")
    }  # fmt: skip
    assert all("has no area" in reason for *_, reason in folder.left_out_boxes)
    assert folder.skipped == [] and folder.notes == [] and max(map(len, str(folder).splitlines())) <= 80
    boxes = np.concatenate([photo.boxes for photo in everything])
    assert boxes.min() == 1 and boxes[:, 2].max() == 640 and boxes[:, 3].max() == 480


# ---- layouts ----


def test_lists_of_voc_say_what_is_learned_and_what_is_measured(tmp_path):
    for stem, lists in ("a", ["train", "trainval"]), ("b", ["val", "trainval"]), ("c", ["test"]), ("d", []):
        write_voc(tmp_path, stem, [(1, 2, 30, 40)], lists)
    stems = lambda photos: [photo.path.stem for photo in photos]  # noqa: E731
    folder = audit(tmp_path)
    assert (stems(folder.train), stems(folder.val), stems(folder.test)) == (["a"], ["b"], ["c"])
    assert folder.notes == ["Photographs in none of the lists train, val, test: 1."]
    folder = audit(tmp_path, train_list="trainval", val_list="test")
    assert (stems(folder.train), stems(folder.val), stems(folder.test)) == (["a", "b"], ["c"], [])
    with pytest.raises(DataError, match="trainval and val share 1 photographs, such as b"):
        audit(tmp_path, train_list="trainval")
    with pytest.raises(ArgumentError, match="train_list is 'trains'.*there are train"):
        audit(tmp_path, train_list="trains")


@pytest.mark.parametrize("places", [("train", "valid", "test"), ("images/train", "images/val", "images/test")])
def test_files_of_voc_beside_their_photographs_or_in_parts(tmp_path, places):
    for place in places:
        image = write_image(tmp_path / place / f"{place[-3:]}.png")
        image.with_suffix(".xml").write_text(xml_of([(1, 2, 30, 40)]))
    (tmp_path / "README.txt").write_text("about")
    folder = audit(tmp_path)
    assert [len(folder.train), len(folder.val), len(folder.test)] == [1, 1, 1] and folder.skipped == []


LAYOUTS_OF_YOLO = [
    ("images/{}", "labels/{}"), ("{}/images", "{}/labels"), ("{}", "{}")
]  # fmt: skip


@pytest.mark.parametrize("images, labels", LAYOUTS_OF_YOLO)
def test_layouts_of_yolo(tmp_path, images, labels):
    for part in "train", "val":
        for name in "first", "second":
            write_image(tmp_path / images.format(part) / f"{part}{name}.png")
            (tmp_path / labels.format(part)).mkdir(parents=True, exist_ok=True)
            lines = "1 0.5 0.5 0.2 0.2" if name == "first" else ""
            (tmp_path / labels.format(part) / f"{part}{name}.txt").write_text(lines)
    (tmp_path / "data.yaml").write_text("train: x\nnames: ['cat', 'dog']\nnc: 2\n")
    folder = audit(tmp_path)
    assert folder.class_names == ["cat", "dog"] and folder.category_numbers == [0, 1]
    for photos in folder.train, folder.val:
        assert [photo.labels.tolist() for photo in photos] == [[1], []]
    assert folder.skipped == []
    (tmp_path / "data.yaml").unlink()  # then a model's names have the numbers of the files that it learned from
    for numbers, expected in (None, [1]), ([1, 2], [0]):
        folder = audit(tmp_path, class_names=["cat", "dog"], category_numbers=numbers)
        assert folder.train[0].labels.tolist() == expected


def test_layouts_of_coco(tmp_path):
    boxes = [(1, 7, [1, 2, 3, 4])]
    for part in "train2017", "val2017":  # the same names in both
        write_image(tmp_path / "official" / part / "1.png", height=200 + (part == "val2017"))
        (tmp_path / "official" / "annotations").mkdir(exist_ok=True)
        text = coco_of([(1, "1.png")], boxes).replace("200", "200" if part == "train2017" else "201")
        (tmp_path / "official" / "annotations" / f"instances_{part}.json").write_text(text)
    for part in "train", "valid", "test":
        write_image(tmp_path / "exported" / part / f"{part}.png")
        (tmp_path / "exported" / part / "_annotations.coco.json").write_text(coco_of([(1, f"{part}.png")], boxes))
    folder = audit(tmp_path / "official")
    assert [photo.height for photo in folder.train + folder.val] == [200, 201]
    folder = audit(tmp_path / "exported")
    assert [len(folder.train), len(folder.val), len(folder.test)] == [1, 1, 1]
    numbered_otherwise = coco_of([(1, "valid.png")], boxes, [(7, "toothbrush"), (90, "train")])
    (tmp_path / "exported" / "valid" / "_annotations.coco.json").write_text(numbered_otherwise)
    with pytest.raises(DataError, match="numbers the classes otherwise"):
        audit(tmp_path / "exported")


def test_a_share_is_held_back_of_rare_classes_too(tmp_path):
    for k in range(20):
        write_voc(tmp_path, f"common{k}", [(1, 2, 30, 40)])
    for k in range(3):
        write_voc(tmp_path, f"rare{k}", [(1, 2, 30, 40)], name="rare")
    folder = audit(tmp_path, val_share=0.2)
    assert 3 <= len(folder.val) <= 7 and min(folder.counts(folder.val)) >= 1 and min(folder.counts(folder.train)) >= 1
    write_image(tmp_path / "JPEGImages" / "common0.png")
    assert [photo.path for photo in audit(tmp_path, val_share=0.2).val] == [photo.path for photo in folder.val]


def test_two_layouts_in_one_folder_need_a_word(tmp_path):
    write_voc(tmp_path, "a", [(1, 2, 30, 40)])
    (tmp_path / "annotations.json").write_text(coco_of([(1, "a.png")], [(1, 90, [1, 2, 3, 4])]))
    with pytest.raises(DataError, match="has boxes as Pascal VOC .* and as COCO .*layout='voc'"):
        audit(tmp_path)
    assert audit(tmp_path, layout="coco").class_names == ["train", "toothbrush"]
    assert audit(tmp_path, layout="voc").class_names == ["cell"]
    with pytest.raises(DataError, match="has no boxes as YOLO"):
        audit(tmp_path, layout="yolo")


def test_classes_may_be_given(tmp_path):
    write_voc(tmp_path, "a", [(1, 2, 30, 40)])
    write_voc(tmp_path, "b", [(1, 2, 30, 40)], name="Cell")
    assert "differ in capital letters only: 'Cell', 'cell'" in str(audit(tmp_path))
    folder = audit(tmp_path, class_names=["bee", "cell"])
    assert folder.train[0].labels.tolist() == [1] and folder.train[1].labels.tolist() == []
    assert folder.left_out_boxes[0][2] == "is of the class 'Cell'; expected one of: bee, cell"
    assert "No box for training is of the class 'bee'" in str(folder)
    for wrong in ["background", "cell"], ["cell", "cell"], "cell", []:
        with pytest.raises(ArgumentError, match="class_names"):
            audit(tmp_path, class_names=wrong)


def test_the_background_of_a_file_is_no_class(tmp_path):
    write_image(tmp_path / "images" / "a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("1 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.4 0.4")
    (tmp_path / "classes.txt").write_text("background\ncell\n")
    folder = audit(tmp_path)
    assert folder.class_names == ["cell"] and folder.category_numbers == [1]
    assert folder.train[0].labels.tolist() == [0] and "the background" in folder.left_out_boxes[0][2]


@pytest.mark.parametrize(
    "text, names",
    [
        ("names: [a, 'b c']  # two", ["a", "b c"]), ("names:\n- a\n- b\nnc: 2", ["a", "b"]),
        ("path: x\nnames:\n  0: a\n  1: b # b\n\nroboflow:\n  0: c", ["a", "b"]), ("names: {0: a, 1: b}", ["a", "b"]),
        ("names: ['a',\n  'b']\nnc: 2", ["a", "b"]), ("nc: 2", []),
    ],
)  # fmt: skip
def test_names_in_yaml(tmp_path, text, names):
    (tmp_path / "data.yaml").write_text(text)
    assert list(read_yaml_names(tmp_path / "data.yaml").values()) == names


@pytest.mark.parametrize("text", ["names: *all", "names: [a, b", "names: {a: 0}", "names:\n  0: a\n  0: b"])
def test_other_yaml_is_refused(tmp_path, text):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(DataError, match="names are in a form that is not read"):
        read_yaml_names(tmp_path / "data.yaml")


# ---- boxes ----


@pytest.mark.parametrize(
    "values, form, reason, suspected",
    [
        ((0, 0, 100, 200), CORNERS, None, None),
        ((-5, -5, 50, 50), CORNERS, None, None),  # clipped
        ((100, 0, 120, 50), CORNERS, "lies outside", None),
        ((float("nan"), 0, 1, 1), CORNERS, "not finite", None),
        ((0, 0, float("inf"), 1), SIZES, "not finite", None),
        ((0, 0, 1e300, 1e300), CORNERS, "no place in an image", None),
        ((0.1, 0.2, 0.5, 0.6), CORNERS, "Shares of the image", None),
        ((60, 50, 90, 180), SIZES, "more than half outside", CORNERS),  # corners where sizes are expected
        ((60, 50, 20, 180), SIZES, None, None),  # it reaches over the edge, and fits nothing else
        ((5, 5, 0, 10), SIZES, "0 wide", None),
        ((0.5, 0.5, -0.1, 0.1), CENTRES, "has no area", None),
        ((50, 100, 20, 40), CENTRES, "Pixels are suspected", None),
        ((0.5, 0.5, 1.0, 1.000001), CENTRES, None, None),  # rounded
    ],
)
def test_faults_of_boxes(values, form, reason, suspected):
    found = fault_of(values, form, 200, 100)
    assert found is None if reason is None else reason in found
    if suspected:
        assert fitting(values, form, 200, 100) == (suspected,)


def test_boxes_over_the_edge_are_clipped_and_copies_are_left_out(tmp_path):
    write_voc(tmp_path, "a", [(-5, 2, 30, 240), (1, 2, 30, 40), (1, 2, 30, 40)])
    folder = audit(tmp_path)
    assert only(folder) == [[0, 2, 30, 200], [1, 2, 30, 40]]
    assert folder.left_out_boxes[0][2] == "is the same as cell [1, 2, 30, 40]"
    assert folder.notes[0].startswith(
        "Boxes that were clipped at the edge of their image: 1 (the first: Annotations/a.xml"
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_turn_with_their_photograph(tmp_path, orientation):
    """A bright box on the stored photograph is where the audit says on the upright one."""
    (tmp_path / "p").mkdir()
    for size in (60, 40), (40, 60):
        pixels = np.zeros((60, 40, 3), np.uint8)
        pixels[10:50, 5:15] = 255
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(pixels).save(tmp_path / "p" / "a.png", exif=exif)
        is_stored = size == (60, 40)
        shown = np.asarray(data.open_photo(tmp_path / "p" / "a.png"))[..., 0] > 127
        rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
        upright = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        box = (5, 10, 15, 50) if is_stored else upright
        (tmp_path / "p" / "a.xml").write_text(xml_of([box], size))
        if orientation < 5 and not is_stored:
            with pytest.raises(DataError, match="is 40x60, but its boxes belong to an image of 60x40.*exchanged"):
                audit(tmp_path / "p")
        elif orientation < 5:  # the size does not tell: they are taken as upright, and that is said
            folder = audit(tmp_path / "p")
            assert only(folder) == [list(box)] and bool(folder.notes) == (orientation != 1)
        else:
            folder = audit(tmp_path / "p")
            assert only(folder) == [upright] and (folder.train[0].height, folder.train[0].width) == (40, 60)
            assert any("stored turned" in note for note in folder.notes) == is_stored


# ---- broken files ----

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {x} "{f"&{y};" * 10}">' for x, y in zip("bcdefghij", "abcdefghi"))
    + "]><annotation><filename>&j;</filename></annotation>"
)
GOOD = xml_of([(1, 2, 30, 40)])
# {file: (content, reason)}; each has a photograph of its name, those of "missing" and "leads_out" apart.
BROKEN_XML = {
    "empty": ("", "is empty"),
    "text": ("no XML", "cannot be read as XML"),
    "cut": (GOOD[:100], "cannot be read as XML"),
    "laughs": (LAUGHS, "DOCTYPE"),
    "laughs16": (LAUGHS.encode("utf-16"), "DOCTYPE"),
    "outside": (f'<!DOCTYPE a SYSTEM "file:///etc/passwd">{GOOD}', "DOCTYPE"),
    "entity": (GOOD.replace("x.jpg", "&secret;"), "undefined entity"),
    "deep": ("<annotation>" + "<a>" * 100_000, "cannot be read as XML"),
    "encoding": (f'<?xml version="1.0" encoding="nothing"?>{GOOD}', "cannot be read as XML"),
    "other": ("<svg></svg>", "begins with <svg>"),
    "resized": (xml_of([(1, 2, 30, 40)], (400, 200)), ""),
    "missing": (GOOD, "has no photograph of the same name, nor 'x.jpg'"),
    "leads_out": (GOOD.replace("x.jpg", "../../secret.jpg"), "leads out of the folder"),
}
BROKEN_BOXES = {
    "nobox": (GOOD.replace("bndbox", "polygon"), "has no <bndbox>"),
    "noname": (GOOD.replace("<name>cell</name>", ""), "has no <name>"),
    "word": (xml_of([("left", 2, 30, 40)]), "has 'left' where a number is expected (<xmin>)"),
    "noside": (GOOD.replace("xmax", "xmaximum"), "has '' where a number is expected (<xmax>)"),
    "nan": (xml_of([("nan", 2, 30, 40)]), "not finite"),
    "infinite": (xml_of([(1, 2, "inf", 40)]), "not finite"),
    "away": (xml_of([(101, 2, 130, 40)]), "lies outside of its image of 100x200"),
    "huge": (xml_of([(0, 0, "9" * 400, 40)]), "not finite"),
}


def test_each_broken_file_of_voc_is_named(tmp_path):
    write_voc(tmp_path, "good", [(1, 2, 30, 40)])
    for stem, (content, _) in (BROKEN_XML | BROKEN_BOXES).items():
        write_voc(tmp_path, stem, [])
        content = content if isinstance(content, bytes) else content.encode()
        (tmp_path / "Annotations" / f"{stem}.xml").write_bytes(content)
    for stem in "missing", "leads_out":
        (tmp_path / "JPEGImages" / f"{stem}.png").unlink()
    write_image(tmp_path / "JPEGImages" / "good.tif")  # after good.png, in the order of the names
    write_image(tmp_path / "JPEGImages" / "unnoted.png")
    write_voc(tmp_path, "damaged", [(1, 2, 30, 40)])
    (tmp_path / "JPEGImages" / "damaged.png").write_bytes(b"\x89PNG")
    folder = audit(tmp_path)
    skipped = {path.name: reason for path, reason in folder.skipped}
    for stem, (_, reason) in BROKEN_XML.items():
        if stem != "resized":
            assert reason in skipped.pop(f"{stem}.xml"), stem
    assert "boxes belong to an image of 200x400" in skipped.pop("resized.png")
    assert "PNG file that is damaged" in skipped.pop("damaged.png")
    assert "has no .xml file" in skipped.pop("unnoted.png")
    assert "has the same name as good.png" in skipped.pop("good.tif")
    assert skipped == {}
    left_out = {path.stem: reason for path, _, reason in folder.left_out_boxes}
    assert left_out.keys() == BROKEN_BOXES.keys()
    for stem, reason in left_out.items():
        assert BROKEN_BOXES[stem][1] in reason, stem
    good = [photo.path.stem for photo in folder.train if len(photo.boxes)]
    assert good == ["good"] and all(np.isfinite(photo.boxes).all() for photo in folder.train)
    assert max(len(line) for line in str(folder).splitlines()) <= 100


BROKEN_COCO = [
    ("", "is empty"), ("{", "cannot be read as JSON"), ("[" * 200_000, "nested too deep"), ("[]", "holds a list"),
    ("{}", "has no 'images'"), ('{"images": 3}', "'images' is a int"),
    ('{"images": [3], "annotations": [], "categories": [{"id": 7, "name": "a"}]}', "'images' holds 3"),
    (coco_of([], [], [("a", "b")]), "expected an id"),
    (coco_of([], [], [(1, "b"), (1, "c")]), "has the id 1, as 'b' has"),
    (coco_of([], [], [(1, "b"), (2, "b")]), "two categories are called 'b'"),
]  # fmt: skip


@pytest.mark.parametrize("text, reason", BROKEN_COCO)
def test_each_broken_file_of_coco_is_refused(tmp_path, text, reason):
    write_image(tmp_path / "a.png")
    (tmp_path / "annotations.json").write_text(text)
    with pytest.raises(DataError, match=reason) as error:
        audit(tmp_path)
    assert "annotations.json" in str(error.value)


def test_faults_within_a_file_of_coco_are_named(tmp_path):
    for name in "a.png", "b.png", "unlisted.png":
        write_image(tmp_path / "images" / name)
    images = [
        (1, "a.png"),
        (2, "../b.png"),
        (3, "gone.png"),
        (1, "b.png"),
        (4, "C:\\b.png"),
        (5, 6),
        (7, "images/a.png"),
    ]
    boxes = [
        (1, 7, [1, 2, 3, 4]), (1, 8, [1, 2, 3, 4]), (9, 7, [1, 2, 3, 4]), (1, 7, [1, 2, 3]), (1, 7, None),
        (1, 7, [1, 2, "3", 4]), (1, 7, [1, 2, 0, 4]), (1, 7, [True, 2, 3, 4]), ([1], 7, [1, 2, 3, 4]),
        (1, 7, [60, 50, 90, 180]), (1, {}, [1, 2, 3, 4]), (2, 7, [1, 2, 3, 4]), (1, 90, [1, 2, 10**400, 4]),
    ]  # fmt: skip
    (tmp_path / "annotations.json").write_text(coco_of(images, boxes).replace('"id": 12,', '"score": NaN,'))
    folder = audit(tmp_path)
    reasons = " | ".join(reason for _, reason in folder.skipped)
    for words in (
        "'../b.png', which leads out", "'gone.png', which is not there", "number 1 to 'b.png'", "which leads out",
        "expected an id and a file_name", "'images/a.png' twice",
    ):  # fmt: skip
        assert words in reasons
    assert len(folder.skipped) == 6
    left_out = [reason for *_, reason in folder.left_out_boxes]
    expected = [
        "image number 9, which is not listed", "image number [1]", "class number 8", "has [1, 2, 3] as bbox",
        "has None", "has [1, 2, '3', 4]", "0 wide", "has [True, 2, 3, 4]",
        "left, top, right, bottom: that format is suspected",
        "class number {}", "expected four numbers",
    ]  # fmt: skip
    assert len(left_out) == len(expected)
    assert all(words in reason for words, reason in zip(expected, left_out)), left_out
    assert only(folder) == [[1, 2, 4, 6]]
    assert any("in no JSON file" in note and "b.png" in note for note in folder.notes)


def test_faults_within_files_of_yolo_are_named(tmp_path):
    for name in "abcd":
        write_image(tmp_path / "images" / f"{name}.png")
    (tmp_path / "labels").mkdir()
    lines = [
        "0 0.5 0.5 0.2 0.2", "0 50 100 20 40", "0 0.5 0.5 0.2", "0 0.1 0.1 0.9 0.1 0.9 0.9", "0 0.5 0.5 0.2 0.2 0.9",
        "0 a 0.5 0.2 0.2", "0 nan 0.5 0.2 0.2", "-1 0.5 0.5 0.2 0.2", "0.5 0.5 0.5 0.2 0.2", "0 0.5 0.5 0 0.2", "",
    ]  # fmt: skip
    (tmp_path / "labels" / "a.txt").write_text("\n".join(lines))
    (tmp_path / "labels" / "b.txt").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "labels" / "gone.txt").write_text("0 0.5 0.5 0.2 0.2")
    (tmp_path / "labels" / "c.txt").write_text("")
    with pytest.raises(DataError, match="has no names of the classes"):
        audit(tmp_path)
    folder = audit(tmp_path, class_names=["cell"])
    assert {path.name: reason for path, reason in folder.skipped} == {
        "b.txt": "is no text in UTF-8", "gone.txt": "has no photograph of the same name"
    }  # fmt: skip
    expected = [
        "Pixels are suspected", "has 4 numbers", "the outline of a thing?", "a prediction with its score?", "has 'a'",
        "not finite", "class number -1", "class number 0.5", "has no area",
    ]  # fmt: skip
    left_out = [reason for *_, reason in folder.left_out_boxes]
    assert len(left_out) == len(expected)
    assert all(words in reason for words, reason in zip(expected, left_out)), left_out
    assert [photo.path.name for photo in folder.train] == ["a.png", "c.png", "d.png"]
    assert any("taken to show nothing: 1" in note and "d.png" in note for note in folder.notes)
    (tmp_path / "classes.txt").write_text("cell\ncell\n")
    with pytest.raises(DataError, match=r"classes\.txt: has the class 'cell' twice"):
        audit(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs privileges to make symbolic links")
def test_links_out_of_the_folder_are_not_followed(tmp_path):
    (tmp_path / "p").mkdir()
    write_voc(tmp_path / "p", "a", [(1, 2, 30, 40)])
    secret = write_image(tmp_path / "secret" / "b.png")
    (tmp_path / "p" / "Annotations" / "b.xml").write_text(GOOD)
    os.symlink(secret, tmp_path / "p" / "JPEGImages" / "b.png")
    os.symlink(tmp_path / "p", tmp_path / "p" / "again")
    folder = audit(tmp_path / "p")
    assert [photo.path.name for photo in folder.train] == ["a.png"]
    reasons = {path.name: reason for path, reason in folder.skipped}
    assert "link out of the folder" in reasons["b.png"] and "no photograph of the same name" in reasons["b.xml"]
    assert len(audit(tmp_path / "p", follow_links=True).train) == 2


def test_one_photograph_in_two_parts_is_warned_of(tmp_path):
    write_voc(tmp_path, "a", [(1, 2, 30, 40)], ["train"])
    write_voc(tmp_path, "b", [(1, 2, 30, 40)], ["val"])
    (tmp_path / "JPEGImages" / "b.png").write_bytes((tmp_path / "JPEGImages" / "a.png").read_bytes())
    assert "WARNING: in two of training, validation and test, the same photograph:" in str(audit(tmp_path))


def test_folders_with_nothing_to_learn_are_refused(tmp_path):
    with pytest.raises(DataError, match="is no folder"):
        audit(tmp_path / "gone")
    with pytest.raises(DataError, match="has no boxes. Expected JPEGImages/"):
        audit(tmp_path)
    write_voc(tmp_path, "a", [(10, 5, 20, 5)])
    with pytest.raises(DataError, match=r"no box to learn from.*a\.xml: the box cell \[10, 5, 20, 5\] has no area"):
        audit(tmp_path)
    with pytest.raises(ArgumentError, match="val_share is 1"):
        audit(tmp_path, val_share=1)
