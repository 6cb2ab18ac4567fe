"""Folders of photographs as people have them: parts by any name, links, and photographs that are there twice."""

import os
import sys

import numpy as np
import pytest

from minitl import cli, data
from minitl.errors import ArgumentError, DataError
from minitl.recipes.settings import PhotographSettings, SettingError

pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
from PIL import Image

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="Windows needs privileges to make symbolic links")


def write(folder, count=3, start=0):
    """Write so many different photographs into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    seed = sum(str(folder).encode())
    for number in range(start, start + count):
        pixels = np.random.default_rng([seed, number]).integers(0, 256, (6, 7, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def write_parts(root, first, second, classes=("cat", "dog")):
    """Write a folder with two parts, each with the same classes."""
    for part, count in (first, 4), (second, 2):
        for name in classes:
            write(root / part / name, count)
    return root


PARTS = [
    ("training_set", "test_set"), ("Train", "Test"), ("train", "testing"), ("Training", "Validation"), ("TRAIN", "VAL"),
    ("train", "test"), ("train", "valid"), ("trainset", "testset"), ("TrainingSet", "TestSet"), ("trn", "tst"),
    ("train_data", "val_data"), ("Train Images", "Test Images"), ("train2017", "val2017"), ("train", "holdout"),
    ("training-photos", "evaluation-photos"), ("images_train", "images_dev"), ("TrainData", "TestData"),
]  # fmt: skip


@pytest.mark.parametrize("first, second", PARTS)
def test_parts_are_recognized_by_their_usual_names(tmp_path, first, second):
    found = data.audit_folder(write_parts(tmp_path / "p", first, second), verbose=0)
    assert found.class_names == ["cat", "dog"]
    assert found.counts(found.train) == [4, 4] and found.counts(found.val) == [2, 2]


@pytest.mark.parametrize(
    "first, second",
    [("seg_train", "seg_test"), ("fold1", "fold2"), ("2019", "2020"), ("indoor", "outdoor"), ("asl_train", "b"),
     ("part A", "part B"), ("old", "new")],
)  # fmt: skip
def test_what_may_be_parts_is_refused(tmp_path, first, second):
    words = "hold the same subfolders .cat, dog.* Rename the two folders to train and val"
    with pytest.raises(DataError, match=words):
        data.audit_folder(write_parts(tmp_path / "p", first, second), verbose=0)


def test_parts_within_the_classes_are_refused(tmp_path):
    with pytest.raises(DataError, match="'cat' and 'dog' hold the same subfolders"):
        data.audit_folder(write_parts(tmp_path / "p", "cat", "dog", ("train", "test")), verbose=0)


def test_classes_stay_classes(tmp_path):
    """Names that hold a word of a part, subfolders of one class alone, numbered ones, and photographs beside them."""
    for names in ("train", "bus"), ("train station", "test tube"), ("valley", "test"), ("validated", "rejected"):
        root = tmp_path / names[0]
        for name in names:
            write(root / name, 4)
        assert data.audit_folder(root, verbose=0).class_names == sorted(names)
    root = write_parts(tmp_path / "numbered", "cat", "dog", ("001", "002", "003"))
    assert data.audit_folder(root, verbose=0).class_names == ["cat", "dog"]
    root = write_parts(tmp_path / "mixed", "cat", "dog", ("old", "new"))
    write(root / "cat")
    assert data.audit_folder(root, verbose=0).class_names == ["cat", "dog"]
    root = write_parts(tmp_path / "given", "train", "val")
    for part in "train", "val":
        for name in "cat", "dog":
            for where in "indoor", "outdoor":
                write(root / part / name / where, 2)
    assert data.audit_folder(root, verbose=0).class_names == ["cat", "dog"], "where parts are given, nothing is guessed"


def test_three_parts(tmp_path):
    root = write_parts(tmp_path / "p", "train", "test")
    for name in "cat", "dog":
        write(root / "Valid" / name, 3)
    found = data.audit_folder(root, verbose=0)
    assert found.counts(found.val) == [3, 3], "the test part is for the end"
    assert [(str(path), reason) for path, reason in found.skipped] == [
        ("test", "lies beside train/ and Valid/, and is not used")
    ]
    for name in "cat", "dog":
        write(root / "Training" / name, 3)
    assert len(data.audit_folder(root, verbose=0).train) == 8, "train is the usual name"
    (root / "train").rename(root / "trainset")
    with pytest.raises(DataError, match="Training and trainset seem to be the same part.* call them train and val"):
        data.audit_folder(root, verbose=0)


def test_parts_without_classes(tmp_path):
    write(tmp_path / "p" / "train" / "cat", 4)
    write(tmp_path / "p" / "train" / "dog", 4)
    write(tmp_path / "p" / "test1", 4)
    with pytest.raises(DataError, match="test1: has no subfolders. Expected one with photographs for each class"):
        data.audit_folder(tmp_path / "p", verbose=0)


def test_one_folder_too_many(tmp_path):
    root = write_parts(tmp_path / "archive", "photos", "photos")
    (root / "__MACOSX").mkdir()
    with pytest.raises(DataError, match="one class only, 'photos'.* It holds the folders cat, dog: .* give .*photos"):
        data.audit_folder(root, verbose=0)


# ---- links ----


@pytest.fixture
def linked(tmp_path):
    """Write store/ with two classes; files/ with links to its files, and folders/ with links to its folders."""
    for name in "ant", "bee":
        write(tmp_path / "store" / name, 5)
        (tmp_path / "files" / name).mkdir(parents=True)
        (tmp_path / "folders").mkdir(exist_ok=True)
        for file in (tmp_path / "store" / name).iterdir():
            (tmp_path / "files" / name / file.name).symlink_to(file)
        (tmp_path / "folders" / name).symlink_to(tmp_path / "store" / name)
    return tmp_path


@needs_links
@pytest.mark.parametrize("kind, such", [("files", r"5 links out of .*ant"), ("folders", "2 links out of")])
def test_links_out_of_the_folder_are_named_as_the_reason(linked, kind, such, capsys):
    with pytest.raises(DataError, match=rf"nothing but {such}.* not followed\. Give follow_links=True to follow them"):
        data.audit_folder(linked / kind, verbose=0)
    assert cli.main(["finetune", str(linked / kind)]) == 1
    said = capsys.readouterr().err
    assert "Give --follow-links to follow them, or copy the photographs" in said and "follow_links" not in said
    found = data.audit_folder(linked / kind, follow_links=True, verbose=0)
    assert found.counts([*found.train, *found.val]) == [5, 5] and not found.skipped
    assert all(photo.path.is_relative_to(linked / kind) for photo in found.train), "by the name that the user knows"


@needs_links
def test_parts_that_are_links(linked):
    for part in "train", "val":
        (linked / "parts").mkdir(exist_ok=True)
        (linked / "parts" / part).symlink_to(linked / "store")
    with pytest.raises(DataError, match="nothing but 2 links out of"):
        data.audit_folder(linked / "parts", verbose=0)
    found = data.audit_folder(linked / "parts", follow_links=True, verbose=0)
    assert len(found.train) == len(found.val) == 10 and len(found.in_both_parts) == 10


@needs_links
def test_links_that_are_followed_come_to_an_end(linked):
    photos = linked / "photos"
    for name in "ant", "bee":
        write(photos / name, 4, start=10)
    (photos / "ant" / "store").symlink_to(linked / "store" / "ant")
    (linked / "store" / "ant" / "again").symlink_to(linked / "store" / "ant")
    (linked / "store" / "ant" / "back").symlink_to(photos / "ant")
    (linked / "store" / "ant" / "other").symlink_to(photos / "bee")
    (linked / "store" / "ant" / "above").symlink_to(linked)
    (linked / "store" / "ant" / "nothing").symlink_to(linked / "nothing")
    found = data.audit_folder(photos, follow_links=True, verbose=0)
    assert found.counts([*found.train, *found.val]) == [9, 4] and not found.duplicates
    reasons = {path.name: reason for path, reason in found.skipped}
    assert set(reasons) == {"again", "back", "other", "above", "nothing"}
    assert "visited already" in reasons["again"] and "another class" in reasons["other"]
    assert "around this one" in reasons["above"] and "to nothing" in reasons["nothing"]
    plain = data.audit_folder(photos, verbose=0)
    assert "To follow the links: --follow-links (in Python: follow_links=True)." in str(plain)


# ---- the same photograph twice ----


def test_a_photograph_with_two_labels_is_no_harmless_copy(tmp_path):
    for name in "benign", "malignant":
        write(tmp_path / "p" / name, 30)
    copy = (tmp_path / "p" / "benign" / "1.png").read_bytes()
    (tmp_path / "p" / "malignant" / "copy.png").write_bytes(copy)
    (tmp_path / "p" / "benign" / "copy.png").write_bytes((tmp_path / "p" / "benign" / "2.png").read_bytes())
    found = data.audit_folder(tmp_path / "p", verbose=0)
    names = [sorted(path.as_posix() for path in paths) for paths in found.with_two_labels]
    assert names == [["benign/1.png", "malignant/copy.png"]] and len(found.duplicates) == 2
    lines = str(found).split("\n")
    at = next(i for i, line in enumerate(lines) if line.startswith("WARNING: one photograph, two labels"))
    assert "malignant/copy.png" in lines[at] + lines[at + 1]
    harmless = [line for line in lines if line.startswith("the same photograph: ")]
    assert len(harmless) == 1 and "benign/copy.png" in harmless[0], "named after the one that matters"


def test_a_photograph_in_both_parts_is_warned_of(tmp_path):
    root = write_parts(tmp_path / "p", "train", "val")
    (root / "val" / "cat" / "again.png").write_bytes((root / "train" / "cat" / "0.png").read_bytes())
    found = data.audit_folder(root, verbose=0)
    assert len(found.in_both_parts) == 1 and not found.with_two_labels
    assert "WARNING: in training and in validation, the same photograph:" in str(found)


def test_what_is_printed_fits_the_terminal(tmp_path):
    for name in "a class with quite a long name", "another class with a long name":
        write(tmp_path / "p" / name, 5)
        (tmp_path / "p" / name / "a film of the holidays.jpg").write_bytes(b"\0\0\0\x20ftypisom" + bytes(80))
        (tmp_path / "p" / name / "the first one again.png").write_bytes((tmp_path / "p" / name / "0.png").read_bytes())
    text = str(data.audit_folder(tmp_path / "p", verbose=0))
    assert max(map(len, text.split("\n"))) <= 80 and "it is a film, MP4" in text.replace("\n  ", " ")


# ---- settings and options ----


def test_the_share_is_a_setting_and_an_option(tmp_path, capsys):
    for found in 0, 1, -0.2, "half", True, float("nan"):
        with pytest.raises(SettingError, match="validation is .*; expected a share to hold back") as refused:
            PhotographSettings(validation=found).settled()
        assert refused.value.for_command_line().startswith("--validation is ")
    assert PhotographSettings(validation=0.3).as_data()["validation"] == 0.3
    write(tmp_path / "p" / "a", 9)
    write(tmp_path / "p" / "b", 9)
    for command in ["finetune"], ["advise"]:
        assert cli.main([*command, str(tmp_path / "p"), "--validation", "1.5"]) == 1
        assert "--validation is 1.5; expected a share" in capsys.readouterr().err
    found = data.audit_folder(tmp_path / "p", val_share=0.5, verbose=0)
    assert all(4 <= count <= 5 for count in found.counts(found.val))
    with pytest.raises(ArgumentError, match="val_share is 2"):
        data.audit_folder(tmp_path / "p", val_share=2)


def test_strict_names_the_option_to_whoever_reads_it(tmp_path, capsys):
    for name in "a", "b":
        write(tmp_path / "p" / name, 4)
    (tmp_path / "p" / "a" / "text.jpg").write_text("hello")
    with pytest.raises(DataError, match="text.jpg: cannot be read .* Give strict=False to go on"):
        data.audit_folder(tmp_path / "p", strict=True, verbose=0)
    assert cli.main(["finetune", str(tmp_path / "p"), "--strict"]) == 1
    assert "Leave out --strict to go on without such files." in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_folder_that_may_be_listed_but_not_entered(tmp_path):
    for name in "a", "b":
        write(tmp_path / "p" / name, 4)
    write(tmp_path / "p" / "a" / "closed", 2)
    (tmp_path / "p" / "a" / "closed").chmod(0o444)
    try:
        found = data.audit_folder(tmp_path / "p", verbose=0)
        assert [reason for _, reason in found.skipped] == ["cannot be read (Permission denied)"] * 2
    finally:
        (tmp_path / "p" / "a" / "closed").chmod(0o755)


def test_a_file_that_vanishes_during_the_walk(tmp_path, monkeypatch):
    for name in "a", "b":
        write(tmp_path / "p" / name, 4)
    ordinary = os.scandir

    def then_one_vanishes(folder):
        entries = list(ordinary(folder))
        (tmp_path / "p" / "b" / "2.png").unlink(missing_ok=True)
        return entries

    monkeypatch.setattr(os, "scandir", then_one_vanishes)
    found = data.audit_folder(tmp_path / "p", verbose=0)
    assert len(found.train) + len(found.val) == 7
