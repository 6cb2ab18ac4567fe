"""`minitl finetune PHOTOS/` from end to end, on photographs of ants and bees with the real base, and on others."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from minitl import applications, cli, data
from minitl.layers import BatchNormalization
from minitl.models import load_model
from minitl.recipes import photograph_stages
from minitl.weights.distrust import known_files as known

pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")

CHOOSING = ["--image-size", "32", "--epochs", "6", "--tune-epochs", "2"]
HEAD = ["--head", "unit", "--learning-rate", "0.003", "--label-smoothing", "0"]  # no cross-validation
FAST = [*CHOOSING, *HEAD]
ONE_STAGE = ["--image-size", "32", "--epochs", "6", *HEAD]


@pytest.fixture
def base(full_base):
    """Put VGG16's convolutions where the command looks for them."""
    (known.home_folder() / "models").mkdir(parents=True)
    (known.home_folder() / "models" / full_base.name).symlink_to(full_base)


def finetune(photos, *options):
    """Return the results of the command, as JSON."""
    results = photos.parent / "results.json"
    assert cli.main(["finetune", str(photos), "--json", str(results), *options]) == 0
    return json.loads(results.read_text())


def test_a_folder_of_photographs(photographs_folder, base, tmp_path, capsys):
    """A few ants and bees train with the real base, and one file is no photograph."""
    photos = tmp_path / "photos"
    for part, count in ("train", 8), ("val", 5):
        for name in "ants", "bees":
            folder = photos / part / name
            folder.mkdir(parents=True)
            for path in sorted((photographs_folder / part / name).glob("*.jpg"))[:count]:
                (folder / path.name).write_bytes(path.read_bytes())
    (photos / "train" / "ants" / "notes.jpg").write_text("no photograph")
    model = tmp_path / "model.h5"
    arguments = ["--save", str(model), "--tune-epochs", "1"]
    first = finetune(photos, *arguments)
    text = capsys.readouterr().out
    assert "16 photographs went through the base, 0 were kept" in text and "notes.jpg: cannot be read" in text
    assert first["training_pictures"] == 16 and first["pictures"] == 10 and first["accuracy"] >= 0.7
    assert any("not one bit changed" in line for line in first["ledger"]), "blocks 1 to 4"
    assert any("changed since" in line for line in first["ledger"]), "block 5"
    again = finetune(photos, *arguments)
    text = capsys.readouterr().out
    assert "0 photographs went through the base, 16 were kept" in text
    assert again["history"] == first["history"] and again["accuracy"] == first["accuracy"]
    results = tmp_path / "results.json"
    assert cli.main(["evaluate", str(model), str(photos / "val"), "--json", str(results)]) == 0
    assert json.loads(results.read_text())["confusion"] == first["confusion"]
    bee = next((photos / "train" / "bees").iterdir())
    capsys.readouterr()
    assert cli.main(["predict", str(model), str(bee)]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[1] == "bees"
    assert cli.main(["finetune", str(photos), "--strict"]) == 1 and "notes.jpg" in capsys.readouterr().err


def test_it_learns_and_says_so(photos, base, capsys):
    results = finetune(photos, *CHOOSING)
    text = capsys.readouterr().out
    assert "Which head? 5-fold cross-validation" in text and len(results["head"]["trials"]) == 3
    assert results["accuracy"] >= 0.9 and set(results["accuracy_by_stage"]) == {"ridge", "head", "last"}
    assert "Stage 1: the head, 2,050 parameters learn" in text and "Stage 2: from block5 on, 7,080,450" in text
    assert not list((known.home_folder() / "runs").glob("*/*/*.safetensors")), "a finished run leaves nothing behind"
    assert finetune(photos, *CHOOSING)["history"] == results["history"], "same seed, same numbers"
    assert finetune(photos, *CHOOSING, "--no-cache")["history"] == results["history"], "kept features change nothing"


def test_mirror_images_are_called_so(photos, base, capsys):
    results = finetune(photos, "--image-size", "32", "--epochs", "1", "--mirror")
    assert "5-fold cross-validation on 64 images, half of them mirrored:" in capsys.readouterr().out
    assert results["head"]["examples"] == 64
    finetune(photos, "--image-size", "32", "--epochs", "1", "--head", "plain")
    text = capsys.readouterr().out
    assert "(the only one that fits what was asked for)." in text and "parameters learn, 1 epoch.\n" in text
    assert not list((known.home_folder() / "runs").glob("*")), "a finished run leaves no folder"


def test_cut_within_the_base(photos, base, capsys):
    results = finetune(photos, *FAST, "--cut", "block4_pool", "--save", str(photos.parent / "m.h5"))
    text = capsys.readouterr().out
    assert "Stage 1: the head, 2,050 parameters learn" in text and "Stage 2: from block4 on, 5,900,802" in text
    assert results["options"]["cut"] == "block4_pool" and results["peak_bytes"] > 50e6 and results["accuracy"] >= 0.7
    model = load_model(photos.parent / "m.h5")
    assert not any(layer.name.startswith("block5") for layer in model.layers)
    assert finetune(photos, *FAST, "--cut", "block5_pool")["history"] == finetune(photos, *FAST)["history"], (
        "the default"
    )
    one_stage = finetune(photos, *ONE_STAGE, "--cut", "block1_pool")
    assert set(one_stage["history"]) == {"head"} and one_stage["options"]["unfreeze"] == "none"


def test_a_run_without_a_second_stage_says_how_to_add_it(photos, base, capsys):
    results = finetune(photos, "--image-size", "32", "--epochs", "2")
    text = capsys.readouterr().out
    assert set(results["history"]) == {"head"} and "--unfreeze block5 adds it." in " ".join(text.split())
    assert max(len(line) for line in text.splitlines() if str(photos.parent) not in line) <= 80


def test_one_stage_gives_the_same_head(photos, base):
    both, one = finetune(photos, *FAST), finetune(photos, *ONE_STAGE, "--unfreeze", "none")
    assert set(one["history"]) == {"head"}
    assert np.allclose(one["history"]["head"]["loss"], both["history"]["head"]["loss"], rtol=1e-4)


def test_with_augmentation_the_head_is_that_of_a_run_without(photos, base, capsys):
    """Only the second stage sees variations, another one in each epoch: its losses alone differ."""
    options = [*FAST, "--cut", "block3_pool,block5_pool", "--unfreeze", "block5", "--start", "ridge"]
    options += ["--label-smoothing", "0.1"]  # without it, losses are 0
    plain, augmented = finetune(photos, *options), finetune(photos, *options, "--augment")
    assert augmented["accuracy_by_stage"]["ridge"] == plain["accuracy_by_stage"]["ridge"] is not None
    assert augmented["history"]["head"] == plain["history"]["head"]
    assert np.isfinite(augmented["history"]["blocks"]["loss"]).all()
    assert not np.allclose(augmented["history"]["blocks"]["loss"], plain["history"]["blocks"]["loss"], rtol=1e-3)
    assert finetune(photos, *options, "--augment")["history"] == augmented["history"]


OPTIONS = [
    ["--schedule", "plateau"],
    ["--schedule", "step", "--warm-up", "1"],
    ["--schedule", "constant", "--warm-up", "0.5", "--patience", "1"],
    ["--class-weights", "--mirror", "--weight-decay", "0.1", "--l2-sp", "0", "--clip-norm", "1"],
    ["--start", "ridge", "--unfreeze", "block4", "--head-factor", "10", "--label-smoothing", "0", "--batch-size", "5"],
    ["--augment"],
    ["--augment", "--unfreeze", "none", "--tune-epochs", "0"],
    ["--augment", "--start", "ridge", "--unfreeze", "block4"],
    ["--unfreeze", "block4", "--tune-rate", "0.001", "--l2-sp", "1", "--seed", "3"],
]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_every_option(photos, base, options):
    results = finetune(photos, *FAST, *options)
    assert np.isfinite(results["history"]["head"]["loss"]).all() and results["accuracy"] >= 0.5


@pytest.mark.parametrize(
    "options, message",
    [
        (["--cut", "conv4_block6_out"], "--cut is conv4_block6_out; expected a block's end in vgg16: block1_pool, "),
        (
            ["--cut", "block4_pool", "--unfreeze", "block5"],
            "expected none or a part of vgg16 cut at block4_pool: block4,",
        ),
        (["--cut", "block1_pool", "--unfreeze", "block5"], "cut at block1_pool: there is none"),
        (["--epochs", "0"], "--epochs is 0"),
        (["--learning-rate", "0"], "--learning-rate is 0"),
        (["--tune-rate", "nan"], "--tune-rate is nan"),
        (["--image-size", "16"], "--image-size is 16"),
        (["--warm-up", "-1"], "--warm-up is -1"),
        (["--warm-up", "2", "--schedule", "plateau"], "--warm-up does not go with --schedule plateau"),
        (["--warm-up", "1e308"], "--warm-up is 1e+308"),
        (["--clip-norm", "0"], "--clip-norm is 0.0; expected a number above 0"),
        (["--head-factor", "-1"], "--head-factor is -1.0; expected a number from 0 to 1000"),
        (["--find-rate", "--save", "m.h5"], "--save does not go with --find-rate, which trains nothing"),
        (["--patience", "-2"], "patience is -2"),
        (["--label-smoothing", "1"], "--label-smoothing is 1.0; expected a share, from 0 to below 1"),
        (["--resume"], "there is no unfinished run in"),
        (["--warm-up", "3", "--tune-epochs", "2"], "expected a number of epochs, 2 at most, which is --tune-epochs"),
        (["--warm-up", "4", "--epochs", "3"], "expected a number of epochs, 3 at most, which is --epochs"),
        (["--seed", "-1"], "--seed is -1"),
        (["--batch-size", "0"], "--batch-size is 0"),
        (["--weights", "nowhere.h5"], "--weights is nowhere.h5"),
        (["--validation", "0.3"], "--validation is 0.3, but "),
    ],
)
def test_refusals(photos, base, options, message, capsys):
    assert cli.main(["finetune", str(photos), "--image-size", "32", *options]) == 1
    assert message in capsys.readouterr().err
    left = [path for path in known.home_folder().rglob("*") if "models" not in path.parts]
    assert left == [] and sorted(path.name for path in photos.parent.iterdir()) == ["photos"], "nothing is left"


@pytest.mark.parametrize(
    "options, message",
    [
        (["--no-scratch"], "--no-scratch goes with the bundled images"),
        (["--unfreeze", "none", "--tune-epochs", "3"], "--tune-epochs acts in the second stage, and there is none."),
        (["--unfreeze", "none", "--tune-rate", "1"], "--tune-rate acts in the second stage, and there is none."),
        (["--head-factor", "3"], "Leave it out, or give --unfreeze block5."),
        (["--l2-sp", "100"], "--l2-sp acts in the second stage"),
        (["--cut", "block1_pool", "--tune-epochs", "2"], "behind --cut nothing can learn in it"),
        (["--unfreeze", "block5", "--tune-epochs", "0"], "--tune-epochs is 0, and --unfreeze asks for a second stage"),
        (["--tune-rate", "1", "--tune-epochs", "0"], "--tune-epochs is 0, and --tune-rate asks for a second stage"),
        (["--despite-changes"], "--despite-changes goes with --resume"),
        (["--find-rate", "--patience", "3"], "--patience does not go with --find-rate, which trains nothing"),
        (["--find-rate", "--run", "run"], "--run does not go with --find-rate"),
        (
            ["--find-rate", "--head", "plain", "--epochs", "3"],
            "--epochs does not go with --find-rate, where",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_would_be_ignored_is_refused(photos, options, message, capsys):
    assert cli.main(["finetune", str(photos), *options]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize("options, name", [(["--mirror"], "--mirror"), (["--start", "ridge"], "--start")])
def test_without_room_what_needs_kept_features_is_refused(photos, base, options, name, monkeypatch, capsys):
    monkeypatch.setattr(photograph_stages, "room_for_features", lambda *arguments: (False, 5e9))
    assert cli.main(["finetune", str(photos), *ONE_STAGE, *options]) == 1
    assert f"{name} needs kept features, and there is no room to keep 5,000 MB of features." in capsys.readouterr().err
    finetune(photos, *ONE_STAGE, "--epochs", "1")
    assert "There is no room to keep 5,000 MB of features. Every epoch" in capsys.readouterr().out


def test_a_mistyped_folder_leaves_nothing_behind(tmp_path, capsys):
    place = tmp_path / "new" / "run"
    assert cli.main(["finetune", str(tmp_path / "nowhere"), "--run", str(place)]) == 1
    assert cli.main(["finetune", str(tmp_path / "nowhere")]) == 1
    assert not place.parent.exists() and not known.home_folder().exists()
    place.mkdir(parents=True)
    assert cli.main(["finetune", str(tmp_path / "nowhere"), "--run", str(place)]) == 1
    assert place.is_dir() and not list(place.iterdir()), "a folder that was there stays"


def test_a_run_folder_that_cannot_be(photos, base, capsys):
    (photos.parent / "file").write_bytes(b"")
    assert cli.main(["finetune", str(photos), *FAST, "--run", str(photos.parent / "file" / "run")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_options_of_a_folder_without_one(capsys):
    for option, value in ("--tune-rate", "1"), ("--tune-epochs", "0"), ("--l2-sp", "0"), ("--image-size", "0"):
        assert cli.main(["finetune", option, value]) == 1
        assert f"{option} goes with a folder of photographs" in capsys.readouterr().err


def test_trying_learning_rates(photos, base, capsys):
    found = finetune(photos, "--image-size", "32", *HEAD, "--find-rate")
    assert 1e-6 < found["suggestion"] < 10 and len(found["losses"]) == len(found["learning_rates"])
    assert "Suggested: " in capsys.readouterr().out


def command(photos, *options):
    program = [sys.executable, "-m", "minitl", "finetune", str(photos), *FAST, *options]
    return subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=photos.parent)


@pytest.mark.skipif(os.name == "nt", reason="signals of other processes are POSIX")
def test_stopped_and_killed_and_going_on(photos, base):
    """SIGINT comes in the first stage, SIGTERM in the second, then a kill. The result is that of an unbroken run."""
    whole, results = finetune(photos, *FAST, "--epochs", "300", "--tune-epochs", "8"), photos.parent / "resumed.json"
    longer = ["--epochs", "300", "--tune-epochs", "8", "--json", str(results)]
    for number, after, expected in (
        (signal.SIGINT, "Stage 1", 130),
        (signal.SIGTERM, "Stage 2", 143),
        (signal.SIGKILL, "Stage 2", -9),
    ):
        process = command(photos, *longer, *["--resume"] * (number != signal.SIGINT))
        for line in process.stdout:
            if line.startswith(after):
                time.sleep(0.05)
                process.send_signal(number)
                break
        said, errors = process.communicate(timeout=60)
        assert process.returncode == expected, (said, errors)
        assert number == signal.SIGKILL or "Stopped. To go on: minitl finetune" in said, said
    process = command(photos, *longer, "--resume")
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and "Going on from" in said, errors
    resumed = json.loads(results.read_text())
    assert resumed["history"] == whole["history"] and resumed["calibration"] == whole["calibration"]


def test_what_is_not_ours_stays(photos, base, tmp_path):
    for stage in "head", "blocks":
        (tmp_path / "run" / stage).mkdir(parents=True)
        (tmp_path / "run" / stage / "thesis.txt").write_text("precious")
        (tmp_path / "run" / stage / "theirs.safetensors").write_text("precious")
    finetune(photos, *FAST, "--run", str(tmp_path / "run"))
    assert len(list((tmp_path / "run").glob("*/the*"))) == 4


def test_an_unfinished_run_survives_what_trains_nothing(photos, base, capsys):
    """Mistyped options, a mistyped folder or a search for a rate leave an unfinished run as it is. A new run clears it
    away."""
    run = ["--run", str(photos.parent / "run")]
    process = command(photos, *run, "--epochs", "2000")
    for line in process.stdout:
        if line.startswith("Stage 1"):
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            break
    process.communicate(timeout=60)
    left = sorted((photos.parent / "run").rglob("*.safetensors"))
    assert left
    for options in ["--clip-norm", "0"], ["--head-factor", "-1"], ["--save", "x.keras"], ["--augment", "--mirror"]:
        assert cli.main(["finetune", str(photos), *FAST, *run, *options]) == 1
    assert cli.main(["finetune", f"{photos}x", *FAST, *run]) == 1
    finetune(photos, "--image-size", "32", *HEAD, "--find-rate")
    for options in ["--seed", "9"], ["--start", "ridge"], ["--learning-rate", "0.5"], ["--patience", "3"]:
        for _ in range(2):
            assert cli.main(["finetune", str(photos), *FAST, *run, "--epochs", "2000", "--resume", *options]) == 1
    assert "has changed" in capsys.readouterr().err
    assert sorted((photos.parent / "run").rglob("*.safetensors")) == left
    finetune(photos, *FAST, *run)
    assert "is given up" in capsys.readouterr().out and not list((photos.parent / "run").rglob("*.safetensors"))


def test_two_runs_of_one_folder(photos, base, capsys):
    from minitl.files.locks import Lock
    from minitl.recipes.run_folder import default_run_folder

    lock = Lock(default_run_folder(photos) / "whole", "")
    assert cli.main(["finetune", str(photos), *FAST]) == 1
    assert "another run is at work in this folder" in capsys.readouterr().err
    lock.release()


def test_a_saved_model_predicts_the_same_elsewhere(photos, base, tmp_path):
    """The model is moved to another folder, and read by a process with another home that has no other file of the
    training."""
    model = tmp_path / "model.h5"
    finetune(photos, *FAST, "--save", str(model))
    moved = tmp_path / "another place" / "ünïcode model.h5"
    moved.parent.mkdir()
    images = sorted((photos / "val" / "lying").iterdir())[:5]
    loaded = load_model(model)
    pixels = np.stack([data.read_image(path, 32, 32, loaded.metadata["crop"]) for path in images])
    from minitl.applications.vgg16 import preprocess_input

    expected = loaded.predict(preprocess_input(pixels), verbose=0)
    model.rename(moved)
    results = tmp_path / "predictions.json"
    program = [sys.executable, "-m", "minitl", "predict", str(moved), *map(str, images), "--json", str(results)]
    environment = {**os.environ, "MINITL_HOME": str(tmp_path / "home")}
    assert subprocess.run(program, env=environment, cwd=tmp_path, capture_output=True).returncode == 0
    for row, found in zip(expected, json.loads(results.read_text())):
        for guess in found["predictions"]:
            assert guess["probability"] == pytest.approx(row[["lying", "standing"].index(guess["class"])], abs=1e-6)


@pytest.mark.parametrize("name, part", [("resnet50", "conv5"), ("inception_v3", "mixed10")])
def test_other_bases(photos, name, part, monkeypatch, tmp_path, capsys):
    """The weights are random, since the published ones are not here: only the way through both stages is tested."""
    application = applications.NETWORKS[name]
    build = application.build
    weights = tmp_path / "random.h5"
    build(weights=None, include_top=False).save_weights(weights)
    with_weights = application._replace(build=lambda **options: build(weights=weights, **options))
    monkeypatch.setitem(applications.NETWORKS, name, with_weights)
    options = ["--base", name, "--image-size", "80", "--epochs", "3", "--tune-epochs", "1"]
    results = finetune(photos, *options, "--save", str(tmp_path / "model.h5"))
    text = capsys.readouterr().out
    assert f"Stage 2: from {part} on" in text and len(results["history"]["blocks"]["loss"]) == 1
    model = load_model(tmp_path / "model.h5")
    assert model.metadata["preprocessing"] == name
    before, unfrozen = True, {layer.name for layer in model.layers if layer.trainable and layer.weight_names}
    for layer in model.layers:
        assert not (before and layer.name in unfrozen)
        before = before and layer.name != application.fine_tuning[part]
    assert unfrozen and not any(isinstance(model.get_layer(each), BatchNormalization) for each in unfrozen)
    photograph = next((photos / "val" / "lying").iterdir())
    assert cli.main(["predict", str(tmp_path / "model.h5"), str(photograph)]) == 0
    assert cli.main(["finetune", str(photos), "--base", name, "--unfreeze", "block5"]) == 1
    assert f"expected none or a part of {name}: {part}" in capsys.readouterr().err
