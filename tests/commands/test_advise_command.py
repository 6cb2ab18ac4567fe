"""`minitl advise`, as a person meets it: with a network small enough to be measured in a moment, and with the bundled
images."""

import json
import shlex
from types import SimpleNamespace

import numpy as np
import pytest

from minitl import applications, cli, data, recipes
from minitl.applications.building import add_pooling
from minitl.cli import finetune
from minitl.data.preparation import PREPARATIONS
from minitl.errors import ArgumentError, WeightsError
from minitl.layers import Conv2D, Dense, GlobalAveragePooling2D, Input, MaxPooling2D
from minitl.models import Model
from minitl.recipes import clothing, finetune_photographs
from minitl.recipes.advice import advise_bases as advise_all
from minitl.recipes.advice import advise_clothing, advise_photographs, carry_out
from minitl.recipes.advice import backtest as advise_backtest
from minitl.recipes.advice import bases as advise_bases
from minitl.recipes.advice import subjects as advise_subjects


def tiny(weights="imagenet", include_top=True, input_shape=None, pooling=None, classes=5):
    """Build three blocks, with the same numbers each time; the head knows five old classes."""
    x = images = Input(input_shape)
    for number, filters in enumerate((8, 12, 16), start=1):
        x = Conv2D(filters, 3, padding="same", activation="relu", name=f"part{number}_conv")(x)
        x = MaxPooling2D(2, name=f"part{number}_pool")(x)
    x = Dense(classes, "softmax", name="old")(GlobalAveragePooling2D()(x)) if include_top else add_pooling(x, pooling)
    model, rng = Model(images, x, name="tiny"), np.random.default_rng(5)
    for layer in model.layers:
        layer.set_weights([rng.normal(0, 0.2, weight.shape) for weight in layer.get_weights()])
    return model


@pytest.fixture
def network(monkeypatch):
    pytest.importorskip("PIL", reason="needs the extra 'images': pip install -e '.[images]'")
    record = applications.Application(
        name="tiny",
        title="Tiny",
        build=tiny,
        preparation=applications.inception_v3.APPLICATION.preparation,
        fine_tuning={"part3": "part2_pool", "part2": "part1_pool"},
        last_layer="part3_pool",
        native_size=32,
        smallest_size=8,
    )
    monkeypatch.setitem(applications.NETWORKS, "tiny", record)
    monkeypatch.setattr(advise_subjects, "present", lambda name: "here")


def advise(capsys, tmp_path, *arguments):
    """Return (results, printed text)."""
    path = tmp_path / "advice.json"
    assert cli.main(["advise", *map(str, arguments), "--json", str(path)]) == 0
    return json.loads(path.read_text()), capsys.readouterr().out


def test_photographs(network, photos, tmp_path, capsys):
    results, text = advise(capsys, tmp_path, photos, "--base", "tiny")
    assert "32 photographs went through the base" in text
    assert max(len(line) for line in text.splitlines() if str(tmp_path) not in line and "Features: " not in line) <= 100
    by_name = {cut["name"]: cut for cut in results["cuts"]}
    assert set(by_name) == {"part1_pool", "part2_pool", "part3_pool"} and results["pictures"] == 32
    accuracies = [cut["accuracy"] for cut in results["cuts"]]
    assert accuracies == sorted(accuracies, reverse=True) and accuracies[0] >= 0.8
    assert by_name["part3_pool"]["leep"] < 0 and by_name["part1_pool"]["leep"] is None
    names = [plan["name"] for plan in results["plans"]]
    assert names == [f"a head on part{k}_pool" for k in (1, 2, 3)] + ["part3 and the head", "part2 and the head"]
    assert all(plan["seconds"] > 0 and plan["peak_bytes"] > 1e6 for plan in results["plans"])
    assert results["fits"] and results["advised"]["cut"] in results["cannot_be_told_apart"]
    assert text.rstrip().endswith(results["advised"]["command"])

    again, text = advise(capsys, tmp_path, photos, "--base", "tiny")
    assert "0 photographs went through the base, 32 were kept from before" in text and again["cuts"] == results["cuts"]

    program, *command = shlex.split(results["advised"]["command"])
    assert program == "minitl" and cli.main([*command, "--json", str(tmp_path / "r.json")]) == 0
    assert json.loads((tmp_path / "r.json").read_text())["accuracy"] >= 0.8, "the advised plan can be carried out"


@pytest.fixture
def two_bases(network, monkeypatch):
    """Put a second base beside the first, with which it has all but the name in common. Others are not here."""
    applications.add(applications.NETWORKS["tiny"]._replace(name="twin", title="Twin"))
    monkeypatch.setattr(advise_bases, "present", lambda name: "here" if name in ("tiny", "twin") else None)
    yield
    del applications.NETWORKS["twin"], PREPARATIONS["twin"]


def test_all_bases(two_bases, photos, tmp_path, capsys):
    """Bases of the same accuracy cannot be told apart; those whose weights are not here are named."""
    results, text = advise(capsys, tmp_path, photos, "--base", "all", "--image-size", 16)
    assert {each["name"] for each in results["bases"]} == {"tiny", "twin"} == set(results["advice"])
    assert set(results["cannot_be_told_apart"]) == {"tiny", "twin"} and results["advised"] in ("tiny", "twin")
    assert results["fits"] and "vgg16" in results["missing"] and "efficientnet_lite0" in results["missing"]
    words = " ".join(text.split())
    assert "with so few images, they cannot be told apart" in words
    assert "not on this machine: vgg16, resnet50" in words and "minitl weights get vgg16-notop" in words
    assert text.rstrip().endswith(results["command"]) and f"--base {results['advised']}" in results["command"]
    assert results["command"] == results["advice"][results["advised"]]["advised"]["command"]
    results, text = advise(capsys, tmp_path, photos, "--base", "all", "--image-size", 16, "--within", 1e-6)
    assert not results["fits"] and "no plan of any base fits into the limits. The fastest is" in " ".join(text.split())


def test_a_base_over_the_limit_is_not_advised(two_bases, photos, monkeypatch):
    """Only what fits is compared; the others stand at the end of the table."""
    found = advise_all(photos, image_size=16, verbose=0)
    assert repr(found).startswith("<BasesAdvice: minitl finetune")
    first, second = found.advices
    found.advices[first].fits = False
    again = advise_bases.BasesAdvice(found.advices, found.missing)
    assert again.fits and again.base == second and again.compared == [second]
    assert str(again).splitlines()[4].startswith(first) and "over" in str(again).splitlines()[4]


def test_no_base_is_here(monkeypatch, tmp_path):
    monkeypatch.setattr(advise_bases, "present", lambda name: None)
    with pytest.raises(WeightsError, match="the weights of no base are on this machine.*weights get vgg16-notop"):
        advise_all(tmp_path)
    with pytest.raises(ArgumentError, match="base does not go with advise_bases"):
        advise_all(tmp_path, base="resnet50")


def test_limits(network, photos, tmp_path, capsys):
    """Check which plans fit the limits and what is printed if none does. ImageNet's head is left out: the images are
    smaller."""
    small = [photos, "--base", "tiny", "--image-size", 16]
    results, text = advise(capsys, tmp_path, *small, "--within", 1e-6)
    fastest = min(results["plans"], key=lambda plan: plan["seconds"])
    assert not results["fits"] and results["advised"] == fastest
    assert "no plan fits into 1e-06 minutes. The fastest is a head on" in text and "--image-size 16" in text
    reason = "There is no LEEP, a score from the predictions of ImageNet's head of tiny: the images have 16 pixels."
    assert reason in " ".join(text.split())
    results, text = advise(capsys, tmp_path, *small, "--within", 60, "--memory", 1e-6)
    assert not results["fits"] and "The smallest is" in text
    assert advise(capsys, tmp_path, *small, "--within", 60, "--memory", 60)[0]["fits"]


def test_the_backtest(network, photos, tmp_path, capsys, monkeypatch):
    """Check that every plan is carried out; here within this process, the only one that knows the small network."""
    done = []

    def run_here(subject, plan, seed, folder):
        settings = subject.settings_for(plan)
        done.append((plan.name, seed))
        result = finetune_photographs(subject.photos, settings, seed=seed, run_folder=str(folder), verbose=0)
        return result.as_data()

    monkeypatch.setattr(advise_backtest, "carried_out", run_here)
    results, text = advise(capsys, tmp_path, photos, "--base", "tiny", "--backtest", "--seeds", 1)
    backtest = results["backtest"]
    assert len(done) == len(set(done)) == 5
    for plan in backtest["plans"]:
        assert len(plan["accuracies"]) == 1 and plan["seconds"] > 0 and plan["seconds_said"] > 0
    heads = {plan["cut"]: plan["accuracy"] for plan in backtest["plans"] if plan["unfreeze"] is None}
    choice = backtest["choices"]["The advice"]
    assert choice["lost"] == max(heads.values()) - heads[choice["cut"]]
    assert "The advice chooses" in text and "Time: the median error is" in text


def test_a_backtest_whose_run_fails(tmp_path):
    subject = SimpleNamespace(photos=None, settings_for=lambda plan: clothing.ClothingSettings(epochs=0))
    plan = SimpleNamespace(arguments=["--epochs", "0"])
    with pytest.raises(advise_backtest.MinitlError, match="minitl finetune --epochs 0 failed: minitl: --epochs is 0"):
        advise_backtest.carried_out(subject, plan, 0, tmp_path)


@pytest.mark.slow
def test_a_plan_is_carried_out_in_a_process_of_its_own(tmp_path):
    """Check that a process of its own returns the results of a direct call and its own peak memory."""
    settings = clothing.ClothingSettings(cut="block1_pool", epochs=1, scratch=False)
    subject, plan = SimpleNamespace(photos=None, settings_for=lambda plan: settings), SimpleNamespace(arguments=[])
    there = advise_backtest.carried_out(subject, plan, 3, tmp_path)
    here = clothing.finetune_clothing(settings, seed=3, verbose=0)
    assert there["transferred"]["history"] == here.history and there["test_accuracy"] == here.accuracy
    assert there["seconds"] > 0 and there["peak_bytes"] != here.peak_bytes


def test_the_adviser_and_the_command_call_the_same_function_with_the_same_settings(network, photos, monkeypatch):
    """Check that the command printed for a plan means what a backtest of the plan carries out."""
    assert carry_out.finetune_clothing is finetune.finetune_clothing is recipes.finetune_clothing
    assert carry_out.finetune_photographs is finetune.TASKS["images"].finetune is recipes.finetune_photographs
    called = []
    noted = finetune.TASKS["images"]._replace(finetune=lambda *arguments: called.append(arguments))
    monkeypatch.setitem(finetune.TASKS, "images", noted)
    found = advise_photographs(photos, base="tiny", image_size=16, epochs=7, class_weights=True, verbose=0)
    assert len(found.plans) == 5
    for plan in found.plans:
        assert cli.main(["finetune", *plan.arguments]) == 0
        (folder, settings) = called.pop()
        assert folder == found.subject.photos
        assert settings.settled() == found.subject.settings_for(plan).settled()
        assert (settings.epochs, settings.image_size, settings.class_weights) == (7, 16, True)
    assert found.command == shlex.join(["minitl", "finetune", *found.advised.arguments])


@pytest.mark.slow
def test_the_bundled_images(tmp_path, capsys, monkeypatch):
    """Check the advice for a few of the bundled images, made smaller; with --backtest all of them are judged."""
    whole = data.fashion_mnist_few_shot()
    few = np.concatenate([np.flatnonzero(whole.y_train == k)[:8] for k in range(10)])
    part = whole._replace(x_train=whole.x_train[few], y_train=whole.y_train[few], x_test=whole.x_test[:20])
    monkeypatch.setattr(data, "fashion_mnist_few_shot", lambda: part)
    monkeypatch.setattr(clothing, "IMAGE_SIZE", 32)
    results, text = advise(capsys, tmp_path)
    assert {cut["features"] for cut in results["cuts"]} == {16 * 16 * 64, 8 * 8 * 128, 4 * 4 * 256}
    assert all(0.6 < cut["accuracy"] < 0.95 for cut in results["cuts"]) and results["pictures"] == 80
    assert results["advised"]["command"] == f"minitl finetune --cut {results['advised']['cut']} --no-scratch"
    assert len(results["plans"]) == 3 and "There is no LEEP" in text and "LEEP\n" not in text
    advice = advise_clothing(verbose=0)
    assert capsys.readouterr().out == "" and advice.as_data()["cuts"] == results["cuts"]
    for plan in advice.plans:
        settings = finetune.settings_of(cli.build_parser().parse_args(["finetune", *plan.arguments]))
        assert settings == advice.subject.settings_for(plan)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--within", "0"], "--within is 0.0; expected a number above 0"),
        (["--memory", "inf"], "--memory is inf"),
        (["--backtest", "--seeds", "0"], "--seeds is 0"),
        (["--base", "resnet50"], "--base goes with photographs"),
        (["photos", "--base", "all", "--backtest"], "--backtest goes with one base"),
        (["photos", "--base", "all", "--weights", "x.h5"], "--weights does not go with advise_bases"),
        (["nowhere", "--image-size", "5"], "--image-size is 5"),
        (["nowhere"], "nowhere: is no folder"),
        (["--json", "no/such/folder/a.json"], "cannot be written"),
    ],
)
def test_refusals(arguments, message, capsys):
    assert cli.main(["advise", *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
