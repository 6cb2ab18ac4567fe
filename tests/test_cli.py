"""The command line as a person meets it: what it prints, what it writes, and how it fails."""

import json
import os
import subprocess
import sys

import pytest

from minitl import cli
from minitl.cli import finetune
from minitl.layers import Dense, Flatten
from minitl.models import Sequential, load_model


def run(capsys, *arguments):
    status = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture(scope="module")
def finetuned(tmp_path_factory):
    """The main job without its comparison, as a process of its own: (its output, results, saved model)."""
    folder = tmp_path_factory.mktemp("finetuned")
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "minitl",
        "finetune",
        "--no-scratch",
        "--json",
        "r.json",
        "--save",
        "m.h5",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout, json.loads((folder / "r.json").read_text()), folder / "m.h5"


def test_the_main_job(finetuned):
    output, results, _ = finetuned
    steps = ["1 Choose ", "2 Load ", "3 Remove ", "4 Add ", "5 Adapt ", "6 Freeze "]
    positions = [output.index(step) for step in steps]
    assert positions == sorted(positions)
    for part in ("1,735,488 parameters", "block3_pool", "Frozen up to 'flatten': ran once over 500", "Epoch 20/20"):
        assert part in output
    assert results["test_accuracy"] >= 0.87
    assert results["scratch_accuracy"] is None
    assert results["parameters"] == 1_735_488 + 4 * 9216 + 9216 * 10 + 10
    assert results["trainable_parameters"] == 2 * 9216 + 9216 * 10 + 10
    assert f"{results['test_accuracy']:.3f}" in output and results["frozen_digest"][:16] in output
    assert max(map(len, output.splitlines())) <= 130


def test_the_comparison(capsys, monkeypatch, tmp_path):
    """The whole job with one epoch from scratch: both columns, and JSON for both."""
    monkeypatch.setattr(finetune, "FROM_SCRATCH", finetune.FROM_SCRATCH._replace(epochs=1))
    status, output, _ = run(capsys, "finetune", "--cut", "block1_pool", "--epochs", 1, "--json", tmp_path / "r.json")
    results = json.loads((tmp_path / "r.json").read_text())
    assert status == 0 and "transferred    from scratch" in output and "From scratch: the same network" in output
    assert 0.1 < results["scratch_accuracy"] < 0.9 and results["seconds"] > 0
    assert results["scratch"]["trainable_parameters"] == results["parameters"] - 2 * 24 * 24 * 64, "moving statistics"


def test_predict(finetuned, capsys, tmp_path):
    _, _, model = finetuned
    status, output, _ = run(capsys, "predict", model, "--json", tmp_path / "p.json")
    results = json.loads((tmp_path / "p.json").read_text())
    assert status == 0 and output.splitlines()[0].split() == ["picture", "really", "looks", "like", "or"]
    right = sum(result["truth"] == result["predictions"][0]["class"] for result in results)
    assert len(results) == 10 and right >= 8
    assert load_model(model).metadata["preprocessing"] == "vgg16"
    (tmp_path / "broken.npy").write_bytes(b"")
    status, _, error = run(capsys, "predict", model, tmp_path / "broken.npy")
    assert status == 1 and "broken.npy: cannot be read" in error


def test_summary(finetuned, capsys, tmp_path):
    status, output, _ = run(capsys, "summary", "vgg16", "--json", tmp_path / "s.json")
    results = json.loads((tmp_path / "s.json").read_text())
    assert status == 0 and "138,357,544" in output and results["parameters"] == 138_357_544
    assert len(results["layers"]) == 23 and results["flops"] > 30e9
    status, output, _ = run(capsys, "summary", "vgg16", "--no-top", "--input-shape", 64, 64, 3)
    assert status == 0 and "(None, 2, 2, 512)" in output
    status, output, _ = run(capsys, "summary", finetuned[2])
    assert status == 0 and "frozen" in output


FAILURES = [
    (["predict", "nowhere.h5"], "nowhere.h5: cannot be read"),
    (["summary", "nowhere.h5"], "nowhere.h5: cannot be read"),
    (["summary", "nowhere.h5", "--no-top"], "go with an application's name"),
    (["finetune", "--epochs", "0"], "--epochs must be at least 1"),
    (["finetune", "--seed", "-1"], "seed is -1"),
    (["finetune", "--json", "no/such/folder/r.json"], "cannot be written"),
    (["finetune", "--save", "no/such/folder/m.h5"], "cannot be written"),
]


@pytest.mark.parametrize("arguments, message", FAILURES, ids=[" ".join(arguments) for arguments, _ in FAILURES])
def test_failures_are_one_line_and_status_1(capsys, arguments, message):
    status, output, error = run(capsys, *arguments)
    assert status == 1 and output == ""
    assert error.startswith("minitl: ") and message in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [[], ["train"], ["finetune", "--cut", "block9"], ["finetune", "--epochs", "many"]]
)
def test_wrong_usage_is_status_2(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2 and "usage: minitl" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--help"], ["finetune", "--help"], ["predict", "--help"], ["summary", "--help"]]
)
def test_help(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 0 and "usage: minitl" in capsys.readouterr().out


def test_predict_refuses_what_it_would_have_to_guess(capsys, tmp_path):
    model = Sequential([Flatten(input_shape=(8, 8, 3)), Dense(2)])
    for metadata, message in (
        ({}, "does not say what its 2 outputs are called"),
        ({"class_names": ["a"]}, "does not say what its 2 outputs are called"),
        ({"class_names": ["a", "b"], "preprocessing": ["vgg16"]}, "preprocessing is ['vgg16']"),
    ):
        model.metadata = metadata
        model.save(tmp_path / "m.h5")
        status, _, error = run(capsys, "predict", tmp_path / "m.h5")
        assert status == 1 and message in error and error.count("\n") == 1
