"""The command line as a person meets it: what it prints, what it writes, and how it fails."""

import argparse
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from minitl import applications, cli
from minitl.cli.finetune import what_comes_next
from minitl.errors import WeightsError
from minitl.files.home import home_folder
from minitl.layers import Conv2D, Dense, Flatten, GlobalAveragePooling2D
from minitl.models import Sequential, load_model
from minitl.recipes import Evaluation, clothing
from minitl.terminal import counted
from minitl.weights import bundled_file
from minitl.weights.distrust import known_files as known
from minitl.weights.published import catalogue


def run(capsys, *arguments):
    status = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture(scope="module")
def finetuned(tmp_path_factory):
    """Run the main job without its comparison in a process of its own: (its output, results, saved model)."""
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
    assert max(len(line) for line in output.splitlines() if not line.startswith("Saved: ")) <= 80


def test_what_to_try_next_fits_the_terminal():
    for cut in clothing.CUTS:
        for save in None, "model.h5":
            text = what_comes_next(clothing.ClothingSettings(cut=cut, save=save))
            assert max(map(len, text.splitlines())) <= 80


@pytest.mark.slow
def test_the_comparison(capsys, monkeypatch, tmp_path):
    """Run the whole job with one epoch from scratch: both columns are printed, and the JSON has both."""
    monkeypatch.setattr(clothing, "FROM_SCRATCH", clothing.FROM_SCRATCH._replace(epochs=1))
    status, output, _ = run(capsys, "finetune", "--cut", "block1_pool", "--epochs", 1, "--json", tmp_path / "r.json")
    results = json.loads((tmp_path / "r.json").read_text())
    assert status == 0 and "transferred    from scratch" in output and "From scratch: the same network" in output
    assert 0.1 < results["scratch_accuracy"] < 0.9 and results["seconds"] > 0
    assert results["scratch"]["trainable_parameters"] == results["parameters"] - 2 * 24 * 24 * 64, "moving statistics"


def test_predict(finetuned, capsys, tmp_path):
    _, _, model = finetuned
    status, output, _ = run(capsys, "predict", model, "--json", tmp_path / "p.json")
    results = json.loads((tmp_path / "p.json").read_text())
    assert status == 0 and output.splitlines()[0].split() == ["image", "label", "prediction", "or"]
    right = sum(result["truth"] == result["predictions"][0]["class"] for result in results)
    assert len(results) == 10 and right >= 8
    assert load_model(model).metadata["preprocessing"] == "vgg16"
    (tmp_path / "broken.npy").write_bytes(b"")
    status, _, error = run(capsys, "predict", model, tmp_path / "broken.npy")
    assert status == 1 and "broken.npy: cannot be read" in error


def test_a_folder_without_files_may_be_meant_for_anything(capsys, tmp_path):
    (tmp_path / "yes").mkdir()
    status, output, error = run(capsys, "finetune", tmp_path)
    assert status == 1 and "'yes' is empty" in error
    said = " ".join(output.split())
    assert "holds no files. A folder may also hold" in said and "labelled recordings" in said
    (tmp_path / "yes" / "notes.doc").write_text("words", encoding="utf-8")
    assert run(capsys, "finetune", tmp_path)[:2] == (1, ""), (
        "files are there: photographs are what is said to be missing"
    )


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
    (["finetune", "--epochs", "0"], "--epochs is 0; expected a whole number of at least 1"),
    (["finetune", "--cut", "block4_pool"], "on the bundled images, expected one of block1_pool, block2"),
    (["finetune", "--learning-rate", "0"], "--learning-rate is 0.0; expected a number above 0"),
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
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.startswith("minitl: ") and "usage: minitl" in error.splitlines()[-1]
    assert error.count("\n") <= 4 and all(len(line) <= 80 for line in error.splitlines())


@pytest.mark.parametrize(
    "arguments, near",
    [
        (["fintune"], "finetune"),
        (["finetune", "--cut", "block2"], "block2_pool"),
        (["finetune", "--ephocs", "3"], "--epochs"),
        (["weights", "lst"], "list"),
        (["weights", "get", "vgg"], "vgg16"),
        (["advise", "photos", "--base", "resnet"], "resnet50"),
    ],
)
def test_the_nearest_name_is_named(capsys, arguments, near):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    said, _, _ = capsys.readouterr().err.partition("\nusage:")
    assert stop.value.code == 2 and "did you mean" in said and near in said


@pytest.mark.parametrize(
    "arguments", [["--help"], ["finetune", "--help"], ["predict", "--help"], ["summary", "--help"]]
)
def test_help(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 0 and "usage: minitl" in capsys.readouterr().out


LISTINGS = [
    ["bench", "--list"],
    ["bench", "--list", "--quick"],
    ["weights", "list"],
    ["weights", "inspect", str(bundled_file("vgg16_imagenet_blocks1to3.h5"))],
    ["cache", "list"],
    ["mistakes"],
    ["mistakes", "--symptom", "loss"],
    ["summary", "vgg16"],
    ["--help"],
    *([command, "--help"] for command in cli.COMMANDS),
]


@pytest.mark.parametrize("arguments", LISTINGS, ids=" ".join)
def test_listings_fit_into_80_columns(capsys, monkeypatch, arguments):
    """A path has a line of its own where it does not fit."""
    if arguments[0] == "bench":
        pytest.importorskip("benchmarks.plan", reason="the benchmarks lie beside the package in a checkout only")
    monkeypatch.setenv("COLUMNS", "80")
    with contextlib.suppress(SystemExit):  # of --help
        cli.main(arguments)
    lines = capsys.readouterr().out.splitlines()
    assert lines and [line for line in lines if len(line) > 80 and len(line.split()) > 1] == []


def test_one_is_not_printed_as_many():
    assert [counted(count, "class") for count in (0, 1, 2000)] == ["0 classes", "1 class", "2,000 classes"]
    model = Sequential([Dense(1, input_shape=(2,))])
    assert "1 layer, 3 parameters" in repr(model)
    found = Evaluation([0], [[0.9, 0.1]], ["ants", "bees"])
    assert "on 1 image (95% interval" in str(found) and "<Evaluation of 1 image of 2 classes:" in repr(found)


def parsers_of(parser):
    """Yield a parser and all parsers of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from parsers_of(each)


def test_no_option_may_be_abbreviated(capsys):
    found = list(parsers_of(cli.build_parser()))
    assert len(found) > 20 and not any(parser.allow_abbrev for parser in found)
    with pytest.raises(SystemExit):
        cli.main(["cache", "clean", "--run"])
    assert "there is no --run: did you mean --runs?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["bench", "--list", "--rounds", "3"], "--rounds does not go with --list"),
        (["bench", "--list", "--json", "r.json"], "--json does not go with --list"),
        (["advise", "--seeds", "3"], "--seeds goes with --backtest"),
        (["advise", "--no-cache"], "--no-cache goes with photographs"),
        (["advise", "--image-size", "0"], "--image-size goes with photographs"),
        (["pretrain", "nowhere", "--split", "similar"], "--split goes with --classes A or B"),
        (["pretrain", "nowhere", "--seed", "-1"], "--seed is -1"),
        (["pretrain", "nowhere", "--save", "m.txt"], "m.txt: minitl writes HDF5"),
        (["bench", "--rounds", "0"], "--rounds is 0; expected a whole number of at least 1"),
        (["finetune", "--save", "m.txt"], "m.txt: minitl writes HDF5"),
        (["finetune", "photos", "--run", ""], "--run is ''; expected a path"),
        (["summary", "vgg16", "--no-top", "--input-shape", "1", "1", "3"], "--input-shape is (1, 1, 3); height"),
        (["study", "transfer", "--seeds", "1"], "--seeds is 1; expected a whole number of at least 2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_would_be_ignored_or_is_wrong_is_refused_as_it_was_written(
    capsys, monkeypatch, tmp_path, arguments, message
):
    monkeypatch.chdir(tmp_path)
    status, output, error = run(capsys, *arguments)
    assert status == 1 and output == "" and message in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == [] and not home_folder().exists(), "nothing is left"


def test_predict_names_no_more_classes_than_there_are(capsys, tmp_path):
    model = Sequential([Flatten(input_shape=(8, 8, 3)), Dense(2, "softmax")])
    model.metadata = {"preprocessing": "vgg16", "class_names": ["ants", "bees"]}
    model.save(tmp_path / "m.h5")
    np.save(tmp_path / "a.npy", np.zeros((8, 8, 3), np.uint8))
    table = tmp_path / "p.csv"
    status, output, _ = run(capsys, "predict", tmp_path / "m.h5", tmp_path / "a.npy", "--top", 3, "--csv", table)
    assert status == 0 and output.count("--top is 3, and the model has 2 classes: all of them are named.") == 1
    assert table.read_text().splitlines()[0] == "file,class_1,probability_1,class_2,probability_2,error"


def test_predict_with_a_published_network(capsys, monkeypatch, tmp_path):
    """Check that --base needs no model: the first name is a file, and ImageNet's classes are named."""

    def build(weights="imagenet", include_top=True):
        assert weights == "imagenet" and include_top
        model = Sequential([GlobalAveragePooling2D(input_shape=(8, 8, 3)), Dense(1000, "softmax")])
        model.layers[-1].bias[[309, 310]] = 5, 6  # bee, ant
        return model

    network = applications.NETWORKS["efficientnet_lite0"]._replace(build=build)
    monkeypatch.setitem(applications.NETWORKS, "efficientnet_lite0", network)
    np.save(tmp_path / "a.npy", np.full((9, 12, 3), 127, np.uint8))
    base = ["predict", "--base", "efficientnet_lite0"]
    status, output, _ = run(capsys, *base, tmp_path / "a.npy", tmp_path / "a.npy", "--json", tmp_path / "p.json")
    found = json.loads((tmp_path / "p.json").read_text())
    assert status == 0 and len(found) == 2 and "ant" in output
    assert [each["class"] for each in found[0]["predictions"]] == ["ant", "bee"]
    for arguments, message in (base, "goes with photographs"), (["predict"], "expected MODEL"):
        status, output, error = run(capsys, *arguments)
        assert status == 1 and output == "" and message in error and error.count("\n") == 1


def test_no_header_is_printed_where_nothing_is_predicted(finetuned, capsys, tmp_path):
    (tmp_path / "broken.npy").write_bytes(b"")
    for name, message in (
        ("gone.jpg", "gone.jpg: is not there. Nothing was classified."),
        ("broken.npy", "1 of 1 file "),
    ):
        status, output, error = run(capsys, "predict", finetuned[2], tmp_path / name)
        assert status == 1 and output == "" and message in error


def test_predict_refuses_what_it_would_have_to_guess(capsys, tmp_path):
    model = Sequential([Flatten(input_shape=(8, 8, 3)), Dense(2)])
    for metadata, message in (
        ({}, "its metadata do not name its 2 outputs"),
        ({"class_names": ["a"]}, "its metadata do not name its 2 outputs"),
        ({"class_names": ["a", "b"], "preprocessing": ["vgg16"]}, "preprocessing is ['vgg16']"),
    ):
        model.metadata = metadata
        model.save(tmp_path / "m.h5")
        status, _, error = run(capsys, "predict", tmp_path / "m.h5")
        assert status == 1 and message in error and error.count("\n") == 1


# ---- minitl weights ----


def small_model():
    layers = [Conv2D(2, 3, input_shape=(5, 5, 3), name="conv"), Flatten(name="flat"), Dense(2, name="out")]
    return Sequential(layers, name="small")


@pytest.fixture
def two_files(tmp_path):
    model = small_model()
    model.save(tmp_path / "a.h5")
    model.get_layer("out").bias[1] = 3
    model.save(tmp_path / "b.h5")
    return str(tmp_path / "a.h5"), str(tmp_path / "b.h5")


def weights_command(capsys, tmp_path, *arguments):
    """Return (exit status, printed text, JSON)."""
    result = tmp_path / "result.json"
    result.unlink(missing_ok=True)
    status, out, err = run(capsys, "weights", *arguments, "--json", result)
    return status, out + err, json.loads(result.read_text()) if result.exists() else None


def test_weights_list(capsys, tmp_path):
    status, text, results = weights_command(capsys, tmp_path, "list")
    assert status == 0 and "vgg16-notop: VGG16 on ImageNet without its dense layers" in text
    networks = {f"{name}{top}" for name in ("vgg16", "resnet50", "inception_v3") for top in ("", "-notop")}
    assert set(results) == {*networks, "efficientnet_lite0", "minilm", "glove-50d", "speech-embedding", "speaker-lstm"}
    licences = {name: each["licence"] for name, each in results.items()}
    assert licences["efficientnet_lite0"] == licences["minilm"] == "Apache-2.0" and all(licences.values())
    assert licences["glove-50d"] == "PDDL 1.0" and licences["vgg16"] == licences["vgg16-notop"] == "CC BY 4.0"
    assert results["resnet50"]["md5"] == "2cb95161c43110f7111970584f804107" and results["resnet50"]["path"] is None


def test_a_long_path_gets_a_line_of_its_own(capsys, tmp_path, monkeypatch):
    path = "/models/" + "x" * 60 + ".h5"
    monkeypatch.setattr(catalogue, "overview", lambda: {"vgg16": {"about": "VGG16", "licence": "", "path": path}})
    monkeypatch.setattr(catalogue, "models_folder", lambda: "/models")
    status, text, _ = weights_command(capsys, tmp_path, "list")
    assert status == 0 and f"    on this machine:\n      {path}\n" in text


def test_weights_get(capsys, tmp_path, monkeypatch):
    def no_network(address, target, md5):
        raise WeightsError("it could not be downloaded (no network)")

    monkeypatch.setattr("minitl.weights.published.catalogue.download", no_network)
    status, text, results = weights_command(capsys, tmp_path, "get", "resnet50")
    assert status == 1 and results is None
    assert text.splitlines()[-1].startswith(
        "minitl: resnet50 is not on this machine and could not be fetched: it could not"
    )
    with pytest.raises(SystemExit) as usage:
        cli.main(["weights", "get", "resnet51"])
    assert usage.value.code == 2


def test_weights_get_of_what_is_there(capsys, tmp_path, full_base):
    folder = known.home_folder() / "models"
    folder.mkdir(parents=True)
    (folder / full_base.name).symlink_to(full_base)
    status, text, results = weights_command(capsys, tmp_path, "get", "vgg16-notop")
    assert status == 0 and "Already here" in text
    assert results["checked"] == "arrays sha256 d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd"
    (folder / full_base.name).unlink()
    content = bytearray(full_base.read_bytes())
    content[-1000] ^= 1
    (folder / full_base.name).write_bytes(content)
    status, text, _ = weights_command(capsys, tmp_path, "get", "vgg16-notop")
    assert status == 1 and "does not hold the published weights" in text


def test_weights_verify(capsys, tmp_path, two_files):
    status, text, results = weights_command(capsys, tmp_path, "verify", two_files[0])
    assert status == 0 and "All 4 tensors are what was saved" in text and results["checked_against_its_ledger"] == 4
    content = bytearray(Path(two_files[0]).read_bytes())
    with h5py.File(two_files[0]) as file:
        content[file["out/out/kernel:0"].id.get_offset() + 2] ^= 1
    Path(two_files[0]).write_bytes(content)
    status, text, _ = weights_command(capsys, tmp_path, "verify", two_files[0])
    assert status == 1 and "1 of 4 tensors are not what was saved: it is damaged" in text
    bundled = bundled_file("vgg16_imagenet_blocks1to3.h5")
    status, text, results = weights_command(capsys, tmp_path, "verify", bundled)
    assert status == 0 and results["published_as"] == "vgg16, blocks 1 to 3"
    status, text, _ = weights_command(capsys, tmp_path, "verify", __file__)
    assert status == 1 and "found text" in text


def test_weights_inspect(capsys, tmp_path, two_files):
    status, text, results = weights_command(capsys, tmp_path, "inspect", two_files[0])
    assert status == 0 and len(results["tensors"]) == 4 and "Ledger" in text and "new: glorot_uniform" in text
    assert results["tensors"][0]["name"] == "conv/conv/kernel:0" and results["tensors"][0]["shape"] == [3, 3, 3, 2]
    low, mean, high = results["tensors"][0]["min_mean_max"]
    assert low < mean < high


def test_weights_diff(capsys, tmp_path, two_files):
    status, text, results = weights_command(capsys, tmp_path, "diff", *two_files)
    assert status == 1 and results["equal"] == 3 and results["other_numbers"] == 1
    assert (
        "3 tensors are equal, 1 is not (1 with other numbers):\n  out/bias  differs by up to 3  50.0% of its numbers"
        in text
    )
    assert text.startswith("A  ") and "\nB  " in text and "differ in 1 of 4 tensors" in text
    status, text, results = weights_command(capsys, tmp_path, "diff", two_files[0], two_files[0])
    assert status == 0 and results["equal"] == 4


@pytest.mark.parametrize("ending, kind", [(".safetensors", "safetensors"), (".keras", "Keras"), (".h5", "Keras")])
def test_weights_export(capsys, tmp_path, two_files, ending, kind):
    target = tmp_path / f"other{ending}"
    status, text, results = weights_command(capsys, tmp_path, "export", two_files[0], target)
    assert status == 0 and text == f"{kind}: {target}\n"
    model = load_model(two_files[0])
    expected = {"model": two_files[0], "target": str(target), "format": kind, "parameters": model.count_params()}
    assert results == expected
    before, after = (
        weights_command(capsys, tmp_path, "inspect", file)[2]["tensors"] for file in (two_files[0], target)
    )
    ours, theirs = (sorted(each["min_mean_max"] for each in tensors) for tensors in (before, after))
    assert len(theirs) == 4 and np.allclose(ours, theirs, atol=1e-6)
    if ending != ".safetensors":
        x = np.linspace(0, 1, 2 * 5 * 5 * 3, dtype=np.float32).reshape(2, 5, 5, 3)
        assert np.array_equal(load_model(target).predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("m.txt", [], "expected a file name that ends in one of .onnx, .safetensors, .pt, .pth"),
        ("m.safetensors", ["--preprocessing"], "preprocessing=True is for .onnx"),
        ("nowhere/m.keras", [], "cannot be written"),
    ],
)
def test_weights_export_refuses_what_it_cannot_write(capsys, tmp_path, two_files, name, options, message):
    status, text, _ = weights_command(capsys, tmp_path, "export", two_files[0], tmp_path / name, *options)
    assert status == 1 and message in text and text.count("\n") == 1 and not (tmp_path / name).exists()
    status, text, _ = weights_command(capsys, tmp_path, "export", tmp_path / "missing.h5", tmp_path / "m.keras")
    assert status == 1 and "missing.h5" in text


@pytest.mark.slow
def test_weights_convert(capsys, tmp_path, two_files):
    third = tmp_path / "c.weights.h5"
    status, text, _ = weights_command(capsys, tmp_path, "convert", two_files[1], third)
    assert status == 1 and "does not state the classes. Convert it with --model" in text and not third.exists()
    status, text, _ = weights_command(capsys, tmp_path, "convert", two_files[1], two_files[1])
    assert status == 1 and "is the file to convert. Give the result another name" in text
    arguments = ["convert", two_files[1], third, "--model", two_files[0]]
    status, text, results = weights_command(capsys, tmp_path, *arguments)
    assert status == 0 and results["tensors"] == 4 and "2 layers, 4 tensors, 94 parameters" in text
    assert weights_command(capsys, tmp_path, "diff", two_files[1], third)[2]["equal"] == 4
    model = small_model()
    model.load_weights(third)
    assert model.get_layer("out").bias[1] == 3

    header = {"x.bias": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
              "x.weight": {"dtype": "F32", "shape": [2, 18], "data_offsets": [8, 152]}}  # fmt: skip
    content = json.dumps(header).encode()
    source = tmp_path / "torch.safetensors"
    source.write_bytes(len(content).to_bytes(8, "little") + content + np.arange(38, dtype="<f4").tobytes())
    target = tmp_path / "d.h5"
    status, text, _ = weights_command(capsys, tmp_path, "convert", source, target)
    assert status == 1 and "its names (x.bias, x.weight, ...) are not those of a network that minitl knows" in text
    (tmp_path / "names.json").write_text('{"x": "out"}')
    arguments = ["convert", source, target, "--model", two_files[0], "--names", tmp_path / "names.json"]
    status, text, _ = weights_command(capsys, tmp_path, *arguments)
    assert status == 1 and "'conv' is in the model but not in the file" in text and not target.exists()
    status, text, results = weights_command(capsys, tmp_path, *arguments, "--partial")
    assert status == 0 and results["layers"] == 1 and "Prepare images as the source of these weights does" in text
    assert model.load_weights(target, partial=True).not_in_file == ["conv"]  # nothing invented stands in the file
    assert model.get_layer("out").bias[1] == 1
    (tmp_path / "names.json").write_text("[")
    status, text, _ = weights_command(capsys, tmp_path, *arguments)
    assert status == 1 and "names.json: expected JSON" in text
