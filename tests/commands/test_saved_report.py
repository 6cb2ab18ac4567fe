"""The report on a saved run: it shows the figures of the run, and refuses files that no run has written."""

import json

import numpy as np
import pytest

from minitl import cli
from minitl.errors import DataError
from minitl.layers import Dense
from minitl.models import Sequential
from minitl.recipes.evaluation import Evaluation
from minitl.recipes.report import report_saved
from minitl.recipes.report.html import percent
from minitl.training import BackupAndRestore

HISTORY = {"head": {"loss": [2.0, 1.0, 0.5], "val_loss": [1.5, 1.2, 1.0], "accuracy": [0.4, 0.6, 0.8]}}
COMMON = {
    "history": HISTORY, "left_out": [["a/notes.txt", "is <no> image"]], "seconds": 75.0, "peak_bytes": 2e9,
    "ledger": ["12 tensors as published"], "options": {"base": "vgg16", "epochs": 3}, "versions": {"minitl": "0.1.0"},
}  # fmt: skip


def an_evaluation(classes=3):
    """Return an evaluation of sixty images, of which some are wrong."""
    rng = np.random.default_rng(0)
    labels, probabilities = np.arange(60) % classes, rng.dirichlet(np.ones(classes), 60)
    probabilities[np.arange(50), labels[:50]] += 2
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    names = [f"<b>{number}.jpg" for number in range(60)]
    return Evaluation(labels, probabilities, ["ants", "bees", "<i>wasps"][:classes], names)


def page_of(data, tmp_path):
    """Return the page about results."""
    (tmp_path / "r.json").write_text(json.dumps(data), encoding="utf-8")
    return report_saved(tmp_path / "r.json", lambda text: text)


def test_the_figures_of_a_run_are_on_its_page(tmp_path, capsys):
    evaluation = an_evaluation()
    data = {**evaluation.as_data(), **COMMON, "training_pictures": 1234}
    page = page_of(data, tmp_path)
    error, _ = evaluation.calibration()
    mean = evaluation.probabilities.max(axis=1).mean()
    for expected in percent(evaluation.accuracy), f"{100 * error:.1f} points", percent(mean), "1,234", "75 s", "2.0":
        assert expected in page, expected
    for expected in "Grad-CAM", "--report DIR", "is &lt;no&gt; image", "&lt;b&gt;", "&lt;i&gt;wasps", "vgg16":
        assert expected in page, expected
    assert "<b>5" not in page and "<i>wasps" not in page and page.count('class="matrix"') == 1
    assert page.count("<svg") >= 4, "two curves, the interval, the calibration"
    assert cli.main(["report", str(tmp_path / "r.json"), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "index.html").read_text(encoding="utf-8") == page
    assert capsys.readouterr().out == f"Report: {tmp_path / 'out' / 'index.html'}\n"


def test_runs_for_pixels_boxes_texts_and_clothing(tmp_path):
    pixels = {
        "pictures": 7, "mean_iou": 0.625, "mean_iou_interval": [0.5, 0.75], "worst": [["a.jpg", 0.25]],
        "iou_by_class": {"road": 0.875, "sky": None}, "training_pictures": 9,
    }  # fmt: skip
    page = page_of({**pixels, **COMMON}, tmp_path)
    assert "62.5%" in page and "87.5%" in page and "IoU" in page and "a.jpg" in page
    boxes = {
        "pictures": 7, "mean_average_precision": 0.5, "mean_average_precision_interval": None,
        "average_precision_by_class": {"cell": 0.375}, "worst": [["b.jpg", 3, 2, 1]], "training_pictures": 9,
    }  # fmt: skip
    page = page_of({**boxes, **COMMON}, tmp_path)
    assert "37.5%" in page and "average precision" in page and "missed" in page
    data = an_evaluation(2).as_data()
    data["texts"], data["mistakes"] = data.pop("pictures"), [["r.csv:3", "ants", "bees", 0.9, "a dull <film>"]]
    page = page_of({**data, **COMMON, "training_texts": 40}, tmp_path)
    assert "a dull &lt;film&gt;" in page and "held-back texts" in page and "the words that decided" in page
    clothing = {
        "test_accuracy": 0.875, "seconds": 6, "cut": "block3_pool", "seed": 0, "ledger": [],
        "transferred": {"history": HISTORY["head"]}, "scratch": None, "versions": {},
    }  # fmt: skip
    page = page_of(clothing, tmp_path)
    assert "87.5%" in page and "block3_pool" in page


@pytest.mark.slow
def test_the_results_of_the_main_job(tmp_path):
    """Check real results: those of the job on the bundled images, with one epoch."""
    from minitl.recipes import finetune_clothing

    finetune_clothing(cut="block1_pool", epochs=1, scratch=False, verbose=0, json=tmp_path / "all.json")
    page = report_saved(tmp_path / "all.json", lambda text: text)
    accuracy = json.loads((tmp_path / "all.json").read_text())["test_accuracy"]
    assert percent(accuracy) in page and "Transferred" in page


def test_an_unfinished_run_shows_its_curves_so_far(tmp_path, capsys):
    class Stopped(Exception):
        pass

    def stop(epoch, logs):
        if epoch == 2:
            raise Stopped

    from minitl.callbacks import LambdaCallback

    x = np.linspace(-1, 1, 60).reshape(20, 3).astype("float32")
    model = Sequential([Dense(1, input_shape=(3,))])
    model.compile("sgd", loss="mse")
    callbacks = [BackupAndRestore(tmp_path / "run" / "head"), LambdaCallback(on_epoch_begin=stop)]
    with pytest.raises(Stopped):
        model.fit(x, x[:, :1], epochs=5, verbose=0, callbacks=callbacks)
    before = sorted(path.name for path in (tmp_path / "run" / "head").glob("*.safetensors"))
    page = report_saved(tmp_path / "run", lambda text: text)
    assert "An unfinished run" in page and "2 epochs" in page and "--resume" in page
    assert before == sorted(path.name for path in (tmp_path / "run" / "head").glob("*.safetensors"))
    (tmp_path / "empty").mkdir()
    assert cli.main(["report", str(tmp_path / "empty"), "--out", str(tmp_path / "out")]) == 1
    assert "holds no checkpoint of an unfinished run" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"confusion": [[1]]}, {"confusion": "x"}, {"classes": []}, {"calibration": []}, {"calibration": [[1]]},
        {"history": {"head": {"loss": ["x"]}}}, {"history": {"head": {"loss": [float("nan")]}}}, {"seconds": None},
        {"accuracy_interval": [1]}, {"left_out": [1]}, {"mistakes": [["a"]]}, {"options": 3}, {"accuracy": "high"},
    ],
    ids=lambda change: f"{next(iter(change))}",
)  # fmt: skip
def test_results_changed_by_hand_are_refused(change, tmp_path):
    data = {**an_evaluation().as_data(), **COMMON, "training_pictures": 9, **change}
    with pytest.raises(DataError, match="holds no whole results"):
        page_of(data, tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1]", b"{}", b"[" * 100_000, b'{"loss": 1}'])
def test_files_that_are_no_results_are_refused(content, tmp_path):
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(DataError, match="is no JSON|has no results"):
        report_saved(tmp_path / "r.json", lambda text: text)
    with pytest.raises(DataError, match="cannot be read"):
        report_saved(tmp_path / "missing.json", lambda text: text)
