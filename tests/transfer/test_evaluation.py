"""The figures of an evaluation, against numbers worked out by hand, and the command that prints them."""

import json

import numpy as np
import pytest

from minitl import cli
from minitl.errors import DataError
from minitl.layers import Dense, Flatten
from minitl.models import Sequential
from minitl.recipes.evaluation import Evaluation, wilson_interval

CLASSES = ["ant", "bee", "cat", "dog"]
LABELS = [0, 0, 0, 1, 1, 2]
PROBABILITIES = [
    [0.7, 0.1, 0.1, 0.1],
    [0.6, 0.4, 0.0, 0.0],
    [0.0, 0.9, 0.1, 0.0],  # an ant that is surely called a bee
    [0.1, 0.8, 0.1, 0.0],
    [0.3, 0.2, 0.4, 0.1],  # a bee that may be a cat
    [0.0, 0.0, 1.0, 0.0],
]


@pytest.fixture
def evaluation():
    return Evaluation(LABELS, PROBABILITIES, CLASSES, [f"{i}.jpg" for i in range(6)])


def test_what_is_confused_with_what(evaluation):
    assert evaluation.confusion.tolist() == [[2, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert evaluation.accuracy == pytest.approx(4 / 6)
    assert np.allclose(evaluation.precision, [1, 1 / 2, 1 / 2, np.nan], equal_nan=True)
    assert np.allclose(evaluation.recall, [2 / 3, 1 / 2, 1, np.nan], equal_nan=True)
    assert np.allclose(evaluation.f1, [4 / 5, 1 / 2, 2 / 3, np.nan], equal_nan=True)
    assert evaluation.top_k(2) == pytest.approx(4 / 6) and evaluation.top_k(3) == 1


def test_the_most_confident_mistakes_come_first(evaluation):
    assert evaluation.mistakes() == [("2.jpg", "ant", "bee", 0.9), ("4.jpg", "bee", "cat", 0.4)]
    assert len(evaluation.mistakes(1)) == 1


def test_calibration(evaluation):
    error, rows = evaluation.calibration(bins=2)
    assert rows == [(0.0, 0.5, 1, 0.4, 0.0), (0.5, 1.0, 5, pytest.approx(0.8), pytest.approx(0.8))]
    assert error == pytest.approx(0.4 / 6)
    rng = np.random.default_rng(0)
    honest = rng.dirichlet([1, 1, 1], 20_000)  # labels drawn from the very probabilities that are claimed
    labels = (honest.cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    assert Evaluation(labels, honest, "abc").calibration()[0] < 0.015
    boasting = honest**3 / (honest**3).sum(axis=1, keepdims=True)
    assert Evaluation(labels, boasting, "abc").calibration()[0] > 0.1


def test_wilsons_interval():
    """The figures are of Brown, Cai & DasGupta's kind: 0 of 10 does not mean that the probability is zero."""
    low, high = wilson_interval(0.0, 10)
    assert low == pytest.approx(0, abs=1e-12) and high == pytest.approx(0.2775, abs=1e-3)
    low, high = wilson_interval(0.941, 153)
    assert low == pytest.approx(0.892, abs=2e-3) and high == pytest.approx(0.969, abs=2e-3)
    rng, inside = np.random.default_rng(1), 0
    for _ in range(2000):
        low, high = wilson_interval(rng.binomial(150, 0.94) / 150, 150)
        inside += low <= 0.94 <= high
    assert 0.93 < inside / 2000 < 0.98


@pytest.mark.parametrize(
    "labels, probabilities, classes, message",
    [
        ([], np.zeros((0, 2)), "ab", "expected .N,"),
        ([0, 1], np.ones((2, 3)), "ab", "2 class names"),
        ([0, 2], np.ones((2, 2)), "ab", "expected 0 to 1"),
        ([0.0, 1.0], np.ones((2, 2)), "ab", "labels are float64"),
        ([0, 1], np.full((2, 2), np.nan), "ab", "NaN"),
    ],
)
def test_what_is_no_evaluation(labels, probabilities, classes, message):
    with pytest.raises(DataError, match=message):
        Evaluation(labels, probabilities, classes)


def test_minitl_evaluate(tmp_path, capsys):
    """A model that tells red from green by one rule meets a folder with a wrong label and a file that is no image."""
    image_module = pytest.importorskip("PIL.Image", reason="needs the extra 'images'")
    model = Sequential([Flatten(input_shape=(4, 4, 3), name="flat"), Dense(2, activation="softmax", name="out")])
    kernel = np.zeros((4, 4, 3, 2), np.float32)
    kernel[..., 2, 0], kernel[..., 1, 1] = 1e-3, 1e-3  # BGR: the last channel is red
    model.set_weights([kernel.reshape(48, 2), np.zeros(2)])
    model.metadata = {"class_names": ["red", "green"], "preprocessing": "vgg16"}
    model.save(tmp_path / "model.h5")
    for name, colour in ("red", (250, 0, 0)), ("green", (0, 250, 0)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(4):
            image_module.new("RGB", (9, 7 + number), colour).save(tmp_path / "photos" / name / f"{number}.png")
    image_module.new("RGB", (9, 9), (0, 250, 0)).save(tmp_path / "photos" / "red" / "really green.png")
    (tmp_path / "photos" / "red" / "text.jpg").write_text("no image")
    arguments = ["evaluate", str(tmp_path / "model.h5"), str(tmp_path / "photos"), "--json", str(tmp_path / "r.json")]
    assert cli.main(arguments) == 0
    text, results = capsys.readouterr().out, json.loads((tmp_path / "r.json").read_text())
    assert "accuracy 0.889 on 9 images (95% interval" in text and "really green.png" in text
    assert "left out: red" in text and "text.jpg" in text
    assert results["accuracy"] == pytest.approx(8 / 9) and results["confusion"] == [[4, 1], [0, 4]]
    assert results["mistakes"][0][1:3] == ["red", "green"] and len(results["left_out"]) == 1
    assert cli.main([*arguments, "--strict"]) == 1
    (tmp_path / "photos" / "blue").mkdir()
    image_module.new("RGB", (9, 9)).save(tmp_path / "photos" / "blue" / "0.png")
    assert cli.main(arguments) == 1
    assert "the model has no class 'blue'. Its classes are red, green" in capsys.readouterr().err
