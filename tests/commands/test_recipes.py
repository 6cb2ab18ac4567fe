"""The recipes as a Python program calls them: plain settings, plain results, and the command line's numbers."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from minitl import cli, interruption, recipes
from minitl.applications import NETWORKS
from minitl.cli import photos_options
from minitl.course.study.whole import study_transfer
from minitl.errors import ArgumentError, DataError
from minitl.models import load_model
from minitl.optimizers import SGD, Adam
from minitl.recipes import ClothingSettings, PhotographSettings, SettingError, clothing
from minitl.recipes.advice import advise_photographs
from minitl.recipes.epoch_lines import EpochLines
from minitl.recipes.photograph_stages import PhotographStages
from minitl.recipes.run_folder import RunFolder
from minitl.weights.distrust import known_files

FAST = {"image_size": 32, "epochs": 6, "tune_epochs": 2}
FAST_OPTIONS = ["--image-size", "32", "--epochs", "6", "--tune-epochs", "2"]


@pytest.fixture
def pillow():
    pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")


@pytest.fixture
def photos(pillow, photos):
    """Return the folder that all tests share. Without Pillow, the test is skipped before the photographs are drawn."""
    return photos


@pytest.fixture
def base(full_base):
    """Put VGG16's convolutions into the folder where minitl looks for them."""
    (known_files.home_folder() / "models").mkdir(parents=True)
    (known_files.home_folder() / "models" / full_base.name).symlink_to(full_base)


PROGRAM = """
from minitl.recipes import finetune_photographs

result = finetune_photographs("photos", image_size=32, epochs=6, tune_epochs=2, seed=3)
print(result.evaluation)
for stage, accuracy in result.accuracy.items():
    print(stage, accuracy)
result.model.save("program.h5")
"""


def same_weights(model, other):
    return all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))


def without_what_differs(data):
    """Return results without time and memory, which differ from run to run."""
    return {name: value for name, value in data.items() if name not in ("seconds", "peak_bytes")}


def test_a_program_of_ten_lines_gives_the_numbers_of_the_command(photos, base, monkeypatch, capsys):
    """Check that the same seed and folder give the same numbers, to the last bit."""
    monkeypatch.chdir(photos.parent)
    assert len(PROGRAM.strip().splitlines()) <= 10
    names = {}
    exec(compile(PROGRAM, "program", "exec"), names)
    result, said = names["result"], capsys.readouterr().out
    assert (
        f"accuracy {result.evaluation.accuracy:.3f} on 16 images" in said and f"last {result.accuracy['last']}" in said
    )
    options = ["--seed", "3", "--save", "command.h5", "--json", "command.json"]
    assert cli.main(["finetune", "photos", *FAST_OPTIONS, *options]) == 0
    written = json.loads((photos.parent / "command.json").read_text())
    data = json.loads(json.dumps(result.as_data()))
    assert list(data) == list(written) and without_what_differs(data) == without_what_differs(written)
    assert result.accuracy == written["accuracy_by_stage"] and result.history == written["history"]
    command, program = load_model("command.h5"), load_model("program.h5")
    assert same_weights(result.model, command) and same_weights(result.model, program)
    assert program.metadata == command.metadata == result.model.metadata
    assert result.folder.class_names == ["lying", "standing"] and result.seconds > 0
    chosen = result.choice.head
    assert result.settings == replace(
        PhotographSettings(**FAST, seed=3).settled(),
        head=chosen.rows,
        learning_rate=chosen.learning_rate,
        label_smoothing=chosen.label_smoothing,
    )
    asked_for = recipes.finetune_photographs("photos", result.settings, verbose=0)
    assert asked_for.history == result.history, "the same head, asked for, gives the same numbers"


def test_settings_and_changes_and_silence(photos, base, capsys):
    settings = PhotographSettings(image_size=32, epochs=6)
    result = recipes.finetune_photographs(photos, settings, epochs=3, verbose=0)
    assert capsys.readouterr().out == ""
    assert len(result.history["head"]["loss"]) == 3 and set(result.history) == {"head"}
    found = recipes.find_learning_rate(photos, settings, verbose=0)
    assert 1e-6 < found.suggestion < 10 and capsys.readouterr().out == ""


def test_interrupted_and_resumed_from_python(photos, base, tmp_path, monkeypatch, capsys):
    settings = PhotographSettings(**FAST, run_folder=str(tmp_path / "run"))
    whole = recipes.finetune_photographs(photos, settings, verbose=0)
    lines, seen = EpochLines.on_epoch_end, []

    def interrupt(self, epoch, logs=None):
        lines(self, epoch, logs)
        seen.append(epoch)
        if len(seen) == 4:
            interruption._requested = 2  # as the handler of SIGINT does

    with pytest.raises(SettingError, match="resume: there is no unfinished run in"):
        recipes.finetune_photographs(photos, settings, resume=True, verbose=0)
    monkeypatch.setattr(EpochLines, "on_epoch_end", interrupt)
    with pytest.raises(interruption.Interrupted):
        recipes.finetune_photographs(photos, settings, verbose=0)
    resumed = recipes.finetune_photographs(photos, settings, resume=True, verbose=0)
    assert resumed.history == whole.history and same_weights(resumed.model, whole.model)
    assert not list((tmp_path / "run").rglob("*.safetensors")) and capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "changes, in_python, on_the_command_line",
    [
        ({"cut": "block9"}, "cut is block9; expected a block's end in vgg16: block1_pool", "--cut is block9; expected"),
        ({"unfreeze": "mixed9"}, "unfreeze is 'mixed9'; expected none or a part of vgg16: block5", "--unfreeze is"),
        ({"base": "vgg19"}, "base is 'vgg19'; expected one of vgg16, resnet50, inception_v3", "--base is"),
        ({"schedule": "sine"}, "schedule is 'sine'; expected one of cosine", "--schedule is"),
        ({"learning_rate": "fast"}, "learning_rate is fast; expected a number above 0", "--learning-rate is fast"),
        ({"epochs": 1.5}, "epochs is 1.5; expected a whole number of at least 1", "--epochs is 1.5"),
        ({"image_size": 16}, "image_size is 16; expected 32 ", "--image-size is 16"),
        (
            {"augment": True, "mirror": True},
            "augment does not go with mirror: it has mirror images",
            "--augment does not go",
        ),
        (
            {"augment": True, "start": "ridge"},
            "augment does not go with start ridge, which needs kept",
            "--augment does",
        ),
        ({"warm_up": 1, "schedule": "plateau"}, "warm_up does not go with schedule plateau", "--warm-up does not go"),
        ({"warm_up": "a"}, "warm_up is 'a'; expected a number of epochs, 60 at most", "--warm-up is 'a'"),
        ({"clip_norm": 0}, "clip_norm is 0; expected a number above 0.", "--clip-norm is 0"),
        ({"clip_norm": "x"}, "clip_norm is x; expected a number above 0.", "--clip-norm is x"),
        ({"tune_rate": 1e31}, "tune_rate is 1e+31; expected a number above 0, 1e+30 at most", "--tune-rate is 1e+31"),
        ({"head_factor": -1}, "head_factor is -1; expected a number from 0 to 1000.", "--head-factor is -1"),
        ({"l2_sp": "x"}, "l2_sp is 'x'; expected a number from 0 to 1e+06.", "--l2-sp is 'x'"),
        ({"seed": "x"}, "seed is 'x'; expected a whole number of at least 0", "--seed is 'x'"),
        ({"save": 3}, "save is 3; expected a path", "--save is 3"),
        ({"json": b"x"}, "json is b'x'; expected a path", "--json is b'x'"),
        ({"run_folder": 3}, "run_folder is 3; expected a path", "--run is 3"),
        ({"report": ""}, "report is ''; expected a path", "--report is ''"),
    ],
)
def test_refusals_name_a_setting_as_it_is_called(tmp_path, changes, in_python, on_the_command_line):
    with pytest.raises(SettingError) as refused:
        recipes.finetune_photographs(tmp_path, **changes)
    assert str(refused.value).startswith(in_python)
    assert refused.value.for_command_line().startswith(on_the_command_line)


def test_true_is_no_number(tmp_path):
    numbers = [field.name for field in fields(PhotographSettings) if not isinstance(field.default, (bool, str))]
    numbers = [name for name in numbers if name not in ("cut", "unfreeze", "run_folder", "save", "report", "json")]
    assert "epochs" in numbers and "clip_norm" in numbers
    for name in numbers:
        with pytest.raises(ArgumentError, match=f"{name} is (True|1.0); expected a"):
            recipes.finetune_photographs(tmp_path, **{name: True})
    for name in "epochs", "learning_rate", "seed":
        with pytest.raises(SettingError, match=f"{name} is True; expected a"):
            recipes.finetune_clothing(**{name: True})


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"epochs": 0}, "epochs is 0; expected a whole number of at least 1."),
        ({"learning_rate": float("inf")}, "learning_rate is inf; expected a number above 0, 1e+30 at most."),
        ({"learning_rate": "x"}, "learning_rate is x; expected a number above 0."),
        ({"seed": "x"}, "seed is 'x'; expected a whole number of at least 0."),
        ({"cut": "block5_pool"}, "cut is block5_pool; on the bundled images, expected one of block1_pool, "),
        ({"report": 3}, "report is 3; expected a path"),
        ({"json": 3}, "json is 3; expected a path"),
        ({"save": 3}, "save is 3; expected a path"),
    ],
)
def test_refusals_of_the_bundled_images(changes, message):
    with pytest.raises(SettingError) as refused:
        recipes.finetune_clothing(**changes)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("job", [recipes.finetune_photographs, recipes.find_learning_rate, advise_photographs])
@pytest.mark.parametrize("folder", [None, 3])
def test_a_folder_that_is_no_path(job, folder):
    with pytest.raises(ArgumentError, match=f"folder is {folder}; expected a path"):
        job(folder)


def test_a_truth_value_is_no_text(tmp_path, monkeypatch):
    """Every text but the empty one would count as True."""
    for field in fields(PhotographSettings):
        if isinstance(field.default, bool):
            with pytest.raises(ArgumentError, match=f"{field.name} is 'no'; expected True or False"):
                PhotographSettings(**{field.name: "no"}).settled()
    with pytest.raises(ArgumentError, match="mirror is 'no'"):
        recipes.finetune_photographs(tmp_path, mirror="no")
    with pytest.raises(ArgumentError, match="scratch is 'no'"):
        recipes.finetune_clothing(scratch="no")
    with pytest.raises(ArgumentError, match="strict is 'no'"):
        recipes.evaluate_folder("model.h5", tmp_path, strict="no")
    with pytest.raises(ArgumentError, match="quick is 'no'"):
        study_transfer(quick="no")
    assert PhotographSettings(mirror=1).settled().mirror is True


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"unfreeze": "none", "tune_epochs": 3},
            "tune_epochs acts in the second stage, and there is none. Leave it out, ",
        ),
        ({"l2_sp": 1}, "or give unfreeze block5."),
        ({"cut": "block1_pool", "head_factor": 2}, "behind cut nothing can learn in it"),
        ({"despite_changes": True}, "despite_changes goes with resume"),
        (
            {"unfreeze": "block5", "warm_up": 3},
            "warm_up is 3; expected a number of epochs, 2 at most, which is tune_epochs",
        ),
        ({"label_smoothing": 2}, "label_smoothing is 2; expected a share"),
    ],
)
def test_what_would_be_ignored_is_refused_from_python_as_well(tmp_path, changes, message):
    with pytest.raises(SettingError) as refused:
        recipes.finetune_photographs(tmp_path, **changes)
    assert message in str(refused.value)


def test_settled_settings_may_be_given_again():
    for settings in PhotographSettings(), PhotographSettings(tune_rate=0.1), PhotographSettings(cut="block1_pool"):
        assert settings.settled().settled() == settings.settled()


def test_advice_takes_no_setting_that_it_would_ignore(tmp_path):
    for changes in {"cut": "block4_pool"}, {"mirror": True}, {"save": "m.h5"}:
        with pytest.raises(SettingError, match=f"{next(iter(changes))} does not go with advise_photographs"):
            advise_photographs(tmp_path, **changes)


def test_advice_refuses_now_what_its_plans_would_refuse(photos):
    with pytest.raises(
        SettingError, match="warm_up is 3; expected a number of epochs, 2 at most, which is tune_epochs"
    ):
        advise_photographs(photos, warm_up=3, image_size=32, verbose=0)


def test_settings_that_there_are_not(tmp_path):
    with pytest.raises(ArgumentError, match="PhotographSettings has no epoch. Did you mean epochs?"):
        recipes.finetune_photographs(tmp_path, epoch=5)
    with pytest.raises(ArgumentError, match="ClothingSettings has no base. Expected some of cut, epochs"):
        recipes.finetune_clothing(base="vgg16")
    with pytest.raises(ArgumentError, match="settings is of type dict; expected PhotographSettings"):
        recipes.finetune_photographs(tmp_path, {"epochs": 5})
    for name in "save", "report":
        with pytest.raises(SettingError, match=f"{name} does not go with find_learning_rate"):
            recipes.find_learning_rate(tmp_path, **{name: str(tmp_path / "there")})


def test_a_rate_is_found_for_settings_that_ask_for_no_second_stage(tmp_path):
    """The folder is empty, and only that is refused."""
    for settings in PhotographSettings().settled(), PhotographSettings(tune_epochs=0, l2_sp=None):
        with pytest.raises(DataError, match="has no subfolders"):
            recipes.find_learning_rate(tmp_path, settings, verbose=0)


def parsed(*arguments):
    return photos_options.settings_of(cli.build_parser().parse_args(["finetune", "photos", *arguments]))


def test_every_option_is_a_setting_and_every_setting_an_option():
    assert parsed() == PhotographSettings()
    others = {"base": "resnet50", "cut": "block4_pool", "view": "whole"}
    others |= {"schedule": "step", "start": "ridge", "head": "plain"}
    options = {"run_folder": "--run", "keep_features": "--no-cache"}
    for field in fields(PhotographSettings):
        option = options.get(field.name, f"--{field.name.replace('_', '-')}")
        if isinstance(field.default, bool):
            assert parsed(option) == replace(PhotographSettings(), **{field.name: not field.default})
        else:
            value = others.get(field.name, "7")
            found = parsed(option, value)
            assert str(getattr(found, field.name)).removesuffix(".0") == value
            assert replace(found, **{field.name: field.default}) == PhotographSettings()


@pytest.mark.slow
def test_the_bundled_images_give_the_numbers_of_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(clothing, "FROM_SCRATCH", clothing.FROM_SCRATCH._replace(epochs=1))
    monkeypatch.setattr(clothing, "IMAGE_SIZE", 32)
    result = recipes.finetune_clothing(ClothingSettings(cut="block1_pool"), epochs=2, seed=1, verbose=0)
    assert capsys.readouterr().out == ""
    options = ["--cut", "block1_pool", "--epochs", "2", "--seed", "1", "--save", str(tmp_path / "m.h5")]
    assert cli.main(["finetune", *options, "--json", str(tmp_path / "r.json")]) == 0
    written, data = json.loads((tmp_path / "r.json").read_text()), json.loads(json.dumps(result.as_data()))
    for each in written, data:
        for name in "transferred", "scratch":
            del each[name]["seconds"]
    assert list(data) == list(written) and without_what_differs(data) == without_what_differs(written)
    assert same_weights(result.model, load_model(tmp_path / "m.h5"))
    assert result.evaluation.accuracy == pytest.approx(result.accuracy, abs=1e-6)
    assert result.scratch["epochs"] == 1 and [name for name, _ in result.steps][:2] == ["Choose", "Load"]


@pytest.mark.slow
def test_a_saved_model_is_asked_in_python(tmp_path, capsys):
    result = recipes.finetune_clothing(cut="block1_pool", epochs=1, scratch=False, verbose=0)
    result.model.save(tmp_path / "m.h5")
    found = recipes.classify(tmp_path / "m.h5", verbose=0)
    assert found == recipes.classify(result.model, verbose=0)
    assert len(found) == 10 and set(found[0]) == {"file", "predictions", "truth"}
    assert cli.main(["predict", str(tmp_path / "m.h5"), "--json", str(tmp_path / "p.json")]) == 0
    assert json.loads((tmp_path / "p.json").read_text()) == found


@pytest.mark.parametrize("base, epochs, rate, kind", [("vgg16", 2, 3e-4, SGD), ("efficientnet_lite0", 4, 1e-4, Adam)])
def test_the_second_stage_is_that_of_the_base(base, epochs, rate, kind, tmp_path):
    """The blocks of EfficientNet learn with Adam: see `applications.building.SecondStage`. Heads learn with SGD."""
    settings = PhotographSettings(base=base, unfreeze=next(iter(NETWORKS[base].fine_tuning)))
    settled = settings.settled()
    assert (settled.tune_epochs, settled.tune_rate) == (epochs, rate)
    assert replace(settings, tune_epochs=7).settled().tune_epochs == 7
    job = PhotographStages(settled, RunFolder(tmp_path))
    assert type(job.optimizer("blocks", rate, 10)) is kind
    assert type(job.optimizer("head", rate, 10)) is SGD
