"""`minitl finetune ... --dry-run`: it checks what the run checks, says what the run would do, and does nothing."""

import json
import re
from dataclasses import replace

import pytest

from minitl import cli
from minitl.files.home import home_folder
from minitl.recipes import DetectionSettings, PhotographSettings, SegmentationSettings, TextSettings, dry_run
from minitl.weights.published import catalogue

pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")

SMALL = ["--image-size", "32", "--cut", "block1_pool,block3_pool", "--epochs", "2"]


@pytest.fixture(autouse=True)
def no_fetching(monkeypatch):
    """Let whatever is fetched be an error."""
    monkeypatch.setattr(catalogue, "fetch", lambda *arguments, **options: pytest.fail("something was fetched"))


def files_below(*folders):
    """Return all files and folders below some folders."""
    return sorted(path for folder in folders for path in folder.rglob("*"))


def test_it_says_what_the_run_then_does(photos, tmp_path, capsys):
    model, results = tmp_path / "m.h5", tmp_path / "r.json"
    options = [*SMALL, "--unfreeze", "block3", "--save", str(model), "--json", str(results)]
    before = files_below(tmp_path)
    assert cli.main(["finetune", str(photos), *options, "--dry-run"]) == 0
    assert files_below(tmp_path) == before, "nothing was written"
    assert [path.name for path in home_folder().iterdir()] == ["known_files.json"], (
        "digests of weights, for any command"
    )
    text = capsys.readouterr().out
    assert max(len(line) for line in text.splitlines() if str(tmp_path) not in line) <= 80
    assert "32          16\n" in text and "32 photographs; 16 are held back" in text
    assert f"save {model}; json {results}" in " ".join(text.split()) and "Estimate" in text
    assert "chosen among 3 by cross-validation" in " ".join(text.split())
    assert "48 photographs would go through the base" in " ".join(text.split())
    predicted = re.findall(r"([\d,]+) parameters learn", text)
    assert cli.main(["finetune", str(photos), *options]) == 0
    assert re.findall(r"([\d,]+) parameters learn", capsys.readouterr().out) == predicted and len(predicted) == 2
    capsys.readouterr()
    assert cli.main(["finetune", str(photos), *options, "--dry-run"]) == 0
    assert "0 photographs would go through the base" in " ".join(capsys.readouterr().out.split())


def test_its_numbers_are_there_for_programs(photos):
    settings = PhotographSettings(image_size=32, cut="block2_pool", head="plain", learning_rate=0.001, mirror=True)
    found = dry_run(photos, settings, verbose=0).as_data()
    assert (found["train"], found["val"], found["cut"], found["fetched"]) == (32, 16, "block2_pool", None)
    assert found["parameters"] == {"head": 2 * 128 + 129 * 2} and found["new_photographs"] == 48
    assert found["feature_bytes"] == (64 + 16) * 4 * (64 + 128), "both pools of 64 + 16 images, float32"
    assert found["seconds"] > 0 and found["peak_bytes"] > 1e6
    json.dumps(found)
    two_stages = replace(settings, mirror=False, augment=True, unfreeze="block2")
    augmented = dry_run(photos, two_stages, verbose=0).as_data()
    assert augmented["feature_bytes"] == (32 + 16) * 4 * (64 + 128), "no maps: the second stage sees other images"
    assert dry_run(photos, replace(two_stages, augment=False), verbose=0).as_data()["feature_bytes"] > 1e6
    views = dry_run(photos, PhotographSettings(image_size=32, cut="block1_pool", view="auto"), verbose=0)
    assert "chosen among centre, whole, padded" in str(views) and views.as_data()["views"] == 3


def test_weights_that_are_missing_are_named_and_not_fetched(photos):
    found = dry_run(photos, PhotographSettings(image_size=32), verbose=0)
    assert found.as_data()["fetched"] == "vgg16-notop" and "would be fetched: VGG16 on ImageNet" in str(found)
    assert found.as_data()["parameters"] == {"head": 2 * 512 + 513 * 2} and "seconds" not in found.as_data()
    augmented = dry_run(photos, PhotographSettings(image_size=32, cut="block1_pool", augment=True), verbose=0)
    assert "none: augmentation runs the whole network" in " ".join(str(augmented).split())


@pytest.mark.parametrize(
    "options, message",
    [
        (["--save", "nowhere/m.h5"], "nowhere/m.h5: cannot be written"),
        (["--tune-epochs", "0", "--unfreeze", "block3"], "--tune-epochs is 0, and --unfreeze asks for a second stage"),
        (["--resume"], "--resume: there is no unfinished run"),
        (["--find-rate"], "--find-rate"),
        (["--balance", "--class-weights"], "--balance and --class-weights would both"),
        (["--validation", "0.5"], "is divided into train/ and val/ already"),
    ],
)
def test_errors_are_those_of_the_run(photos, options, message, capsys):
    assert cli.main(["finetune", str(photos), *SMALL, *options, "--dry-run"]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    if "--find-rate" not in options:
        assert cli.main(["finetune", str(photos), *SMALL, *options]) == 1
        assert capsys.readouterr().err == error


def test_a_folder_that_is_not_there_and_one_of_no_photographs(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for place in "nowhere", "empty":
        errors = []
        for more in [], ["--dry-run"]:
            assert cli.main(["finetune", str(tmp_path / place), *SMALL, *more]) == 1
            errors.append(capsys.readouterr().err)
        assert errors[0] == errors[1] and place in errors[0]
    assert cli.main(["finetune", "--dry-run"]) == 1
    assert "--dry-run goes with a folder of photographs" in capsys.readouterr().err


def test_texts(tmp_path):
    (tmp_path / "t.csv").write_text("text,label\n" + "".join(f"word {k} good,a\nbad thing {k},b\n" for k in range(10)))
    found = dry_run(tmp_path / "t.csv", TextSettings(unfreeze="embeddings"), verbose=0)
    assert found.as_data()["parameters"] == {"head": 2 * 50 + 51 * 2, "blocks": 51 * 2 + 20_002 * 50}
    assert "16 texts; 4 are held back" in str(found)
    missing = dry_run(tmp_path / "t.csv", TextSettings(base="minilm"), verbose=0)
    assert missing.as_data()["fetched"] == "minilm" and "parameters" not in missing.as_data()


def test_pixels_and_boxes(tmp_path):
    from PIL import Image

    for part, count in ("images", 6), ("masks", 6):
        (tmp_path / "streets" / part).mkdir(parents=True)
        for number in range(count):
            image = Image.new("RGB" if part == "images" else "L", (64, 64), number * 20 if part == "images" else 0)
            if part == "masks":
                image.paste(1, (0, 0, 32, 32))
            else:
                image.putpixel((number, number), (255, 0, 0))
            image.save(tmp_path / "streets" / part / f"{number}.png")
    (tmp_path / "streets" / "classes.txt").write_text("background\nthing\n")
    found = dry_run(tmp_path / "streets", SegmentationSettings(height=64, width=64), verbose=0)
    assert found.as_data()["fetched"] == "vgg16-notop" and found.as_data()["parameters"]["head"] > 1000
    for part, endings in ("images", "png"), ("labels", "txt"):
        (tmp_path / "cells" / part).mkdir(parents=True)
        for number in range(6):
            path = tmp_path / "cells" / part / f"{number}.{endings}"
            if part == "labels":
                path.write_text("0 0.5 0.5 0.2 0.3\n")
            else:
                path.write_bytes((tmp_path / "streets" / part / f"{number}.png").read_bytes())
    (tmp_path / "cells" / "classes.txt").write_text("cell\n")
    found = dry_run(tmp_path / "cells", DetectionSettings(height=64, width=64, unfreeze="block5"), verbose=0)
    parameters = found.as_data()["parameters"]
    of_block5 = 3 * (9 * 512 + 1) * 512  # without the new BatchNormalization layers, which rest in the second stage
    assert 0 < of_block5 + parameters["head"] - parameters["blocks"] < 5000
