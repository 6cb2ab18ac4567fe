"""Bases without labels, and images that are made: the trainings, the studies, and what they print."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY

from minitl import cli, data
from minitl.course.gan import judging, networks, study, training
from minitl.course.self_supervised import findings, pretraining, worth
from minitl.course.self_supervised import study as pretraining_study
from minitl.course.self_supervised.methods import METHODS, encoder_of
from minitl.errors import ArgumentError
from minitl.models import load_model

TINY = pretraining_study.Extent(None, unlabelled=20, epochs=1, labels=(10,), test_images=20, seeds=2)


@pytest.fixture
def images():
    return np.random.default_rng(3).standard_normal((12, 28, 28, 1)).astype(np.float32)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_trains_its_encoder_the_same_way_each_time(name, images):
    labels = np.arange(12) % 3
    first, second, other = (
        pretraining.pretrain(name, images, labels, 3, epochs=2, seed=seed, batch_size=5, verbose=0)
        for seed in (1, 1, 2)
    )
    assert first[1] == second[1] != other[1] and np.isfinite(first[1]).all()
    for layer, weights in encoder_of(first[0]).items():
        assert all(np.array_equal(a, b) for a, b in zip(weights, encoder_of(second[0])[layer]))
    assert list(encoder_of(first[0])) == [f"{kind}{number}" for number in (1, 2, 3, 4) for kind in ("conv", "normal")]


def test_methods_without_labels_do_not_look_at_them(images):
    for name in findings.WITHOUT_LABELS:
        losses = [pretraining.pretrain(name, images, labels, 3, 1, verbose=0)[1] for labels in np.eye(2, 12, dtype=int)]
        assert losses[0] == losses[1]


def test_the_probe_reads_two_layers(images):
    """The features of an encoder are the maps behind both poolings; those of the pixels are the pixels."""
    model, _ = pretraining.pretrain("rotation", images, np.arange(12) % 3, 3, epochs=1, verbose=0)
    found = worth.features("rotation", encoder_of(model), images, seed=0)
    read = [model.part(model.input, model.output_of(name)).predict(images, verbose=0) for name in ("pool2", "pool4")]
    assert [each.shape[1:] for each in read] == [(7, 7, 32), (3, 3, 48)]
    np.testing.assert_allclose(found, np.concatenate([each.reshape(12, -1) for each in read], axis=1), atol=1e-5)
    np.testing.assert_array_equal(worth.features("pixels", {}, images, seed=0), images.reshape(12, -1))


def test_the_command_pretrains_and_saves_the_encoder(monkeypatch, tmp_path, capsys):
    few = data.fashion_mnist_few_shot()
    monkeypatch.setattr(data, "fashion_mnist", lambda folder: few._replace(x_train=few.x_train[::25],
                                                                           y_train=few.y_train[::25]))  # fmt: skip
    path, results = tmp_path / "encoder.h5", tmp_path / "r.json"
    files = ["--save", str(path), "--json", str(results)]
    assert cli.main(["pretrain", "folder", "--method", "rotation", "--epochs", "1", *files]) == 0
    assert "Which way was it turned? Training on 20 images." in capsys.readouterr().out
    assert load_model(path).output_shape == (None, 7, 7, 48)
    assert json.loads(results.read_text())["method"] == "rotation"


@pytest.mark.slow
def test_the_study_measures_every_base_and_goes_on_where_it_was(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(pretraining_study, "BUNDLED", TINY)
    monkeypatch.setattr(worth, "EPOCHS", {10: 1})
    monkeypatch.setattr(pretraining_study, "threads", lambda: 1)
    results = tmp_path / "r.json"
    command = ["study", "pretraining", "--quick", "--keep", str(tmp_path / "kept"), "--json", str(results)]
    assert cli.main(command) == 0
    output, first = capsys.readouterr().out, json.loads(results.read_text())
    assert max(map(len, output.split("\n"))) <= 80
    assert len(first["accuracies"]) == 2 * 2 * (2 * 5 + 2)  # seeds, tasks, (ways of encoders, and the two only probed)
    assert len(first["findings"]) == 4 * 3 * 2
    (tmp_path / "kept" / "mae-1.json").write_text("{", encoding="utf-8")  # damaged: measured again
    monkeypatch.setattr(pretraining_study, "measure", lambda extent, base, seed: worth.measure(extent, base, seed)
                        if (base, seed) == ("mae", 1) else pytest.fail("it is measured again"))  # fmt: skip
    assert cli.main(command) == 0
    second = json.loads(results.read_text())
    assert sorted(map(str, second["accuracies"])) == sorted(map(str, first["accuracies"]))


def test_findings_compare_seed_by_seed():
    by_base = {"pixels": 0.5, "random": 0.6, "supervised": 0.9, "rotation": 0.8, "simclr": 0.7, "mae": 0.55}
    results = [
        worth.Worth(base, task, way, labels, seed, accuracy + 0.1 * seed)
        for base, accuracy in by_base.items()
        for task in worth.TASKS
        for way in ("probe", "tuned")
        for labels in (10, 50)
        for seed in range(3)
    ]
    verdicts = {(each.number, each.claim): each.verdict for each in findings.findings(results)}
    assert verdicts[1, "On the other classes, features of rotation beat random ones"] == "holds"
    assert verdicts[1, "On the other classes, features of mae beat random ones"] == "does not hold here"
    assert verdicts[2, "On the classes it saw, features of mae beat the pixels"] == "holds"
    assert findings.findings(results[:1]) == []


# ---- images that are made ----


def test_each_model_moves_by_its_own_gradient_alone(rng):
    """A model with a rate of 0 stays as it is, and the other one moves."""
    real, labels = rng.standard_normal((6, 28, 28, 1)).astype(np.float32), np.arange(6) % 3
    noise = rng.standard_normal((6, networks.NOISE)).astype(np.float32)
    for still, moving in ("generator", "discriminator"), ("discriminator", "generator"):
        pair = training.new_pair(3)
        (pair.g_optimizer if still == "generator" else pair.d_optimizer).learning_rate = 0
        before = {name: [w.copy() for w in _trained(getattr(pair, name))] for name in (still, moving)}
        training.one_step(pair, real, labels, noise)
        assert all(np.array_equal(a, b) for a, b in zip(before[still], _trained(getattr(pair, still))))
        assert not any(np.array_equal(a, b) for a, b in zip(before[moving], _trained(getattr(pair, moving))))


def _trained(model):
    return [array for layer in model.layers for array in layer.get_weights()[:2]]


def test_losses_where_nothing_can_be_told(rng):
    """A discriminator whose last layer is zero gives every image a score of 0: both losses are log 2."""
    pair = training.new_pair(2)
    score = pair.discriminator.get_layer("score")
    score.set_weights([np.zeros_like(w) for w in score.get_weights()])
    pair.d_optimizer.learning_rate = 0
    images, noise = rng.standard_normal((4, 28, 28, 1)), rng.standard_normal((4, networks.NOISE))
    losses = training.one_step(pair, images.astype(np.float32), np.array([0, 1, 1, 0]), noise.astype(np.float32))
    assert losses == pytest.approx((np.log(2), np.log(2)), abs=1e-6)


def test_made_images_depend_on_seed_and_class_alone():
    pair = training.new_pair(3)
    labels = np.array([0, 1, 2, 2])
    images = training.made_images(pair, labels, seed=4)
    assert images.shape == (4, 28, 28, 1) and abs(images).max() <= 1
    np.testing.assert_array_equal(images, training.made_images(pair, labels, seed=4))
    np.testing.assert_allclose(images[:2], training.made_images(pair, labels[:2], seed=4), atol=1e-6)
    assert not np.array_equal(images, training.made_images(pair, labels[::-1], seed=4))


def test_the_frechet_distance_of_known_distributions(rng):
    a = rng.standard_normal((4, 4))
    covariance = a @ a.T
    zero = np.zeros(4)
    assert judging.frechet_distance(zero, covariance, zero, covariance) == pytest.approx(0, abs=1e-9)
    assert judging.frechet_distance(zero, covariance, zero + 3, covariance) == pytest.approx(36, rel=1e-9)
    first, second = np.diag([1.0, 4, 9, 0]), np.diag([4.0, 4, 1, 0])  # of diagonal ones: sum of (root - root)^2
    assert judging.frechet_distance(zero, first, zero, second) == pytest.approx(1 + 0 + 4, rel=1e-9)


@pytest.mark.slow
def test_the_study_of_made_images(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(study, "BUNDLED", study.Extent(None, 100, 3, 1, 100, 40, 2, 5, (0, 1)))
    monkeypatch.setattr(study, "threads", lambda: 1)
    monkeypatch.chdir(tmp_path)  # a line with the whole path of a file may be long
    results, figure = Path("r.json"), Path("made.png")
    drawn = []
    monkeypatch.setattr(study.samples, "check", lambda path: None)
    monkeypatch.setattr(study.samples, "draw", lambda run, path: drawn.append(run))
    command = ["study", "gan", "--quick", "--keep", str(tmp_path / "kept"), "--plot", str(figure), "--json"]
    assert cli.main([*command, str(results)]) == 0
    output, found = capsys.readouterr().out, json.loads(results.read_text())
    assert max(map(len, output.split("\n"))) <= 80 and "Made images alone teach more" in output
    assert len(found["runs"]) == 2 and set(found["accuracy"]) == set(study.CLASSIFIERS)
    assert set(found["runs"][0]["distances"]) == {"0", "1"} and found["is_complete"]

    (tmp_path / "kept" / "seed-1.json").write_text("{", encoding="utf-8")  # damaged: measured again
    again = study.measured
    monkeypatch.setattr(study, "measured", lambda extent, seed: again(extent, seed) if seed == 1 else pytest.fail("0"))
    assert cli.main([*command, str(results)]) == 0
    second = json.loads(results.read_text())
    assert [{**run, "seconds": 0} for run in second["runs"]] == [{**run, "seconds": 0} for run in found["runs"]]
    first, kept = (run.samples for run in drawn)
    assert first.keys() == kept.keys() and all(np.array_equal(first[epoch], kept[epoch]) for epoch in first)


@pytest.mark.parametrize("name", ["pretraining", "gan"])
def test_the_whole_study_needs_data(name, capsys):
    assert cli.main(["study", name]) == 1
    assert "--data" in capsys.readouterr().err
    with pytest.raises(ArgumentError):
        (study.study_gan if name == "gan" else pretraining_study.study_pretraining)(quick=3)


# ---- the committed results, and what the course says of them ----

RESULTS = REPOSITORY / "benchmarks" / "results"
BASES = {"masked autoencoder": "mae", "SimCLR": "simclr", "VGG16": "vgg16"}


def table_of(chapter):
    """Return {first cell: other cells} of the result table of a chapter, the last one that ends in numbers."""
    text = (REPOSITORY / "minitl" / "course" / "README.md").read_text(encoding="utf-8")
    text = re.search(rf"^## {chapter}\..*?(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)[0]
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {first.split(",")[0]: others for first, *others in rows if re.match(r"[\d.]+( ±|$)", others[-1])}


def kept_results(name):
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


def test_the_course_has_the_measured_worth_of_bases():
    found = kept_results("pretraining_study.json")
    assert found["is_complete"] and found["seeds"] >= 5
    rows = table_of(20)
    assert len(rows) == len(worth.BASES)
    for name, cells in rows.items():
        for task, cell in zip(worth.TASKS, cells):
            mean, low, _ = found["summary"][task]["probe"][BASES.get(name, name)]["50"].values()
            assert cell == f"{mean:.3f} ± {mean - low:.3f}"


def test_a_base_without_labels_beats_random_features_and_pixels():
    """The whole interval of the difference lies above zero, on the classes that it saw and on the others."""
    held = {each["claim"]: each["verdict"] for each in kept_results("pretraining_study.json")["findings"]}
    for place in findings.PLACES.values():
        for second in "random ones", "the pixels":
            assert held[f"On {place}, features of rotation beat {second}"] == "holds"


def test_the_course_has_the_measured_worth_of_made_images():
    found = kept_results("gan_study.json")
    assert found["is_complete"] and len(found["runs"]) == found["seeds"] >= 3
    assert sorted(cell for (cell,) in table_of(21).values()) == sorted(
        f"{each['mean']:.3f}" for each in found["accuracy"].values()
    )
    for run in found["runs"]:
        first, *_, last = run["distances"].values()
        assert last < first / 5 and run["right"] > 0.8
