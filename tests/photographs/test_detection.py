"""A folder of photographs with boxes becomes a measured detector: the job, its parts, and the saved model."""

import json
import math

import numpy as np
import pytest

from minitl import cli, interruption
from minitl.applications import VGG16
from minitl.applications.ssd import SSD, ssd_priors
from minitl.data.shapes import shapes_on_textures
from minitl.errors import ArgumentError, DataError
from minitl.features.prefix import KeptFeatures
from minitl.kernels.boxes import box_iou, decode_boxes
from minitl.models import load_model
from minitl.randomness import set_random_seed
from minitl.recipes import DetectionSettings, SettingError, detect, evaluate_detection, finetune_detection
from minitl.recipes.detection import BoxEvaluation
from minitl.recipes.detection.decoding import decoded
from minitl.recipes.detection.prior_shapes import prior_shapes, shape_iou
from minitl.recipes.detection.targets import prior_targets
from minitl.recipes.detection.written import detect_into
from minitl.recipes.epoch_lines import EpochLines

Image = pytest.importorskip("PIL.Image", reason="needs the extra 'images': pip install -e '.[images]'")

FAST = {"height": 64, "width": 64, "priors": (2, 2), "filters": 8, "epochs": 3, "variations": 2, "batch_size": 4,
        "verbose": 0}  # fmt: skip
NUMBERS = [7, 90, 91]  # of the categories: with gaps


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Return the path of a file with random weights for VGG16's convolutions."""
    set_random_seed(0)
    path = tmp_path_factory.mktemp("base") / "random.h5"
    VGG16(weights=None, include_top=False).save_weights(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write eighteen images with shapes on textures, the last of them without boxes, and return their folder."""
    return write_coco(tmp_path_factory.mktemp("shapes"), {"train": range(10), "val": range(10, 16)})


def write_coco(root, parts):
    """Write images and boxes in COCO's layout."""
    data = shapes_on_textures(16, 80, 96, seed=3)
    for part, numbers in parts.items():
        (root / part).mkdir()
        images, annotations = [], []
        for number in numbers:
            images.append({"id": number, "file_name": f"{number}.png", "width": 96, "height": 80})
            Image.fromarray(data.images[number]).save(root / part / f"{number}.png")
            for box, label in zip(data.boxes[number].tolist(), data.labels[number].tolist()):
                if number not in (0, 15):  # two images without boxes
                    left, top, right, bottom = box
                    annotations.append({
                        "id": len(annotations) + 1, "image_id": number, "category_id": NUMBERS[label], "iscrowd": 0,
                        "bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top),
                    })  # fmt: skip
        categories = [{"id": each, "name": name} for each, name in zip(NUMBERS, data.class_names)]
        (root / "annotations").mkdir(exist_ok=True)
        text = json.dumps({"images": images, "annotations": annotations, "categories": categories})
        (root / "annotations" / f"instances_{part}.json").write_text(text)
    return root


@pytest.fixture(scope="module")
def finished(folder, base, tmp_path_factory):
    """Return the result of a whole run in two stages, and the file of its model."""
    place = tmp_path_factory.mktemp("run")
    settings = DetectionSettings(
        weights=str(base), unfreeze="block5", tune_epochs=2, save=str(place / "shapes.h5"),
        json=str(place / "all.json"), report=str(place / "report"), run_folder=str(place / "run"),
        floor=0.05, score=0.1,
    )  # fmt: skip
    return finetune_detection(folder, settings, **FAST), place


def same_weights(model, other):
    return all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))


# ---- the job ----


def test_a_folder_becomes_a_measured_detector(finished, folder):
    result, place = finished
    assert result.training_pictures == 20 and result.folder.category_numbers == NUMBERS
    assert [len(result.history[stage]["loss"]) for stage in ("head", "blocks")] == [3, 2]
    assert result.history["head"]["loss"][-1] < result.history["head"]["loss"][0]
    written = json.loads((place / "all.json").read_text())
    assert written["pictures"] == 6 and set(written["average_precision_by_class"]) == {"disc", "square", "triangle"}
    assert written["mean_average_precision"] == result.mean_average_precision["last"] >= 0
    assert any("not one bit changed" in line for line in written["ledger"]), "blocks 1 to 4"
    assert max(map(len, str(result.evaluation).splitlines())) <= 80
    page = (place / "report" / "index.html").read_text()
    assert "Where it is wrong" in page and page.count("<img") >= 8 and "triangle: precision by recall" in page
    assert not list((place / "run").rglob("*.safetensors")), "a finished run leaves nothing behind"


def test_a_saved_model_finds_the_same_boxes(finished, folder, tmp_path):
    result, place = finished
    evaluation, left_out = evaluate_detection(place / "shapes.h5", folder, verbose=0)
    assert cli.main(["evaluate", str(place / "shapes.h5"), str(folder), "--json", str(tmp_path / "all.json")]) == 0
    assert json.loads((tmp_path / "all.json").read_text()) == {**evaluation.as_data(), "left_out": []}
    assert left_out == [] and evaluation.names == result.evaluation.names
    # The kept maps are in half precision.
    assert np.allclose(evaluation.average_precision, result.evaluation.average_precision, atol=0.05)
    file = str(folder / "val" / "12.png")
    (found,) = detect(place / "shapes.h5", file, score=0.05, verbose=0)
    expected = result.evaluation.detections[evaluation.names.index("val/12.png")]
    assert found["file"] == file and len(found["boxes"]) == len(expected["boxes"]) > 0
    boxes = np.array([each["box"] for each in found["boxes"]])
    assert np.abs(boxes[0] - expected["boxes"][0]).max() < 0.5, "in pixels of the photograph, 96x80"
    assert boxes.min() >= 0 and (boxes <= (96, 80, 96, 80)).all()


def test_found_boxes_are_written_with_the_numbers_of_the_files(finished, folder, tmp_path, capsys):
    _, place = finished
    files = [str(tmp_path / name) for name in ("12.png", "broken.png", "13.png")]
    for file, content in zip(
        files, ((folder / "val" / "12.png").read_bytes(), b"", (folder / "val" / "13.png").read_bytes())
    ):
        (tmp_path / file).write_bytes(content)
    options = [
        "--out",
        tmp_path / "out",
        "--score",
        "0.05",
        "--json",
        tmp_path / "found.json",
        "--csv",
        tmp_path / "a.csv",
    ]
    assert cli.main([str(each) for each in ("predict", place / "shapes.h5", *files, *options)]) == 1, "one is broken"
    said = capsys.readouterr()
    assert "13.png  " in said.out and "broken.png" in said.err
    results = json.loads((tmp_path / "found.json").read_text())
    assert ["error" in each for each in results] == [False, True, False]
    rows = (tmp_path / "a.csv").read_text().splitlines()
    assert len(rows) == 2 + sum(len(each.get("boxes", ())) for each in results), "a head, and a row for the broken one"
    assert sorted(path.name for path in (tmp_path / "out" / "overlays").iterdir()) == ["12.jpg", "13.jpg"]
    everything = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert [each["id"] for each in everything["categories"]] == NUMBERS
    written = everything["annotations"]
    assert {each["image_id"] for each in written} <= {1, 2} and {each["category_id"] for each in written} <= set(
        NUMBERS
    )
    first, box = written[0], results[0]["boxes"][0]["box"]
    assert first["bbox"] == pytest.approx([box[0], box[1], box[2] - box[0], box[3] - box[1]], abs=0.011)
    (tmp_path / "out" / "overlays" / "12.jpg").write_bytes(b"mine")
    with pytest.raises(ArgumentError, match="12.jpg: is there already"):
        next(detect_into(place / "shapes.h5", files[0], tmp_path / "out", verbose=0))


def test_a_stopped_run_goes_on_to_the_same_numbers(finished, folder, base, tmp_path, monkeypatch):
    whole, _ = finished
    settings = DetectionSettings(
        weights=str(base), unfreeze="block5", tune_epochs=2, run_folder=str(tmp_path / "run"), floor=0.05, score=0.1
    )
    lines, seen = EpochLines.on_epoch_end, []

    def interrupt(self, epoch, logs=None):
        lines(self, epoch, logs)
        seen.append(epoch)
        if len(seen) == 4:  # in the second stage
            interruption._requested = 2  # as the handler of SIGINT does

    monkeypatch.setattr(EpochLines, "on_epoch_end", interrupt)
    with pytest.raises(interruption.Interrupted):
        finetune_detection(folder, settings, **FAST)
    resumed = finetune_detection(folder, settings, resume=True, **FAST)
    assert resumed.history == whole.history and same_weights(resumed.model, whole.model)
    assert resumed.evaluation.as_data() == whole.evaluation.as_data()


def test_the_second_stage_keeps_no_maps_in_memory(folder, base, monkeypatch):
    computed, run = [], KeptFeatures._run

    def noted(self, ends, *others):
        computed.append([end.layer.name for end in ends if end not in self.graph.inputs])
        return run(self, ends, *others)

    monkeypatch.setattr(KeptFeatures, "_run", noted)
    settings = DetectionSettings(weights=str(base), unfreeze="block5", tune_epochs=1, warm_up=0)
    finetune_detection(folder, settings, **{**FAST, "epochs": 1})
    assert computed == [["block5_conv3"]], "in stage 1 block 5 rests as well"


def test_no_batch_is_a_single_image(folder, base):
    """Ten images in batches of three would leave one over. Of 32x32 pixels the coarsest map has a single place, so that
    this one would be its own mean: a warning, which is an error here."""
    small = {**FAST, "height": 32, "width": 32, "priors": (1, 1, 1), "variations": 1, "batch_size": 3, "epochs": 1}
    result = finetune_detection(folder, weights=str(base), **small)
    assert result.training_pictures == 10 and np.isfinite(result.history["head"]["loss"]).all()


def test_random_weights_beside_the_pre_trained_ones(folder, tmp_path):
    """The command takes a folder with boxes as one."""
    options = "--weights none --image-size 32 --epochs 1 --variations 1 --priors 2,1 --filters 4 --json"
    assert cli.main(["finetune", str(folder), *options.split(), str(tmp_path / "all.json")]) == 0
    written = json.loads((tmp_path / "all.json").read_text())
    assert not any("published" in line for line in written["ledger"]) and written["image_size"] == [32, 32]
    assert written["options"]["weights"] == "none" and [len(each) for each in written["prior_shapes"]] == [2, 1]


def test_models_and_settings_that_do_not_fit_are_refused(finished, folder, tmp_path):
    _, place = finished
    model = load_model(place / "shapes.h5")
    for name, value, message in (
        ("task", "images", "answers the class of an image, not boxes"),
        ("priors", [[[8, 8]], [[30, 30]]], "outputs for .* priors"),
        ("priors", None, "'priors' are None"),
        ("class_names", ["disc"], "a name for each class"),
        ("suppression", "often", "'suppression' is 'often'"),
    ):
        kept = dict(model.metadata)
        model.metadata[name] = value
        with pytest.raises(ArgumentError, match=message):
            detect(model, str(folder / "val"), verbose=0)
        model.metadata = kept
    for changes, name in (
        ({"priors": (3,)}, "priors"), ({"match": 1.5}, "match"), ({"height": 60, "width": 64}, "height"),
        ({"layout": "xml"}, "layout"), ({"most": 0}, "most"), ({"base": "inception_v3"}, "base"),
        ({"base": "resnet50", "unfreeze": "conv5"}, "unfreeze"),  # the detector takes no map behind conv4
    ):  # fmt: skip
        with pytest.raises(SettingError, match=f"^{name} is"):
            finetune_detection(folder, verbose=0, **changes)
    write_coco(tmp_path, {"train": range(1, 4), "val": [15]})
    with pytest.raises(DataError, match="nothing could be measured"):
        finetune_detection(tmp_path, verbose=0)


def test_the_help_names_all_defaults_that_differ(capsys):
    with pytest.raises(SystemExit):
        cli.main(["finetune", "--help"])
    _, _, text = " ".join(capsys.readouterr().out.split()).partition("with a folder of boxes")
    for words in "--weight-decay 0.0005", "--clip-norm 10", "--head-factor 10", "--class-weights, --mirror, --augment":
        assert words in text


# ---- its parts ----


def test_the_order_of_outputs_is_that_of_the_priors(rng):
    """Only the filters of one prior on one map see a point; the outputs of the priors there, and of no others, move."""
    base = VGG16(weights=None, include_top=False, input_shape=(64, 96, 3))
    model = SSD(base, 2, (3, 2, 1), filters=4, top_down=False)
    priors = ssd_priors([[(4, 4), (8, 6), (6, 8)], [(20, 20), (30, 10)], [(50, 40)]], 64, 96)
    assert len(priors) == 8 * 12 * 3 + 4 * 6 * 2 + 2 * 3 and model.output_shape == (None, len(priors), 7)
    assert priors[0].tolist() == [2, 2, 6, 6] and priors[-1].tolist() == [80 - 25, 48 - 20, 80 + 25, 48 + 20]
    image = rng.normal(0, 50, (1, 64, 96, 3)).astype("float32")
    layer = model.get_layer("stride16_outputs")
    before = model.forward(image)[0]
    layer.bias[8] += 1  # of the second prior at each place: number 7 + 1, its second code
    moved = np.argwhere(model.forward(image)[0] - before > 0.5)
    at_second = 8 * 12 * 3 + 1 + 2 * np.arange(4 * 6)
    assert moved.tolist() == [[p, 1] for p in at_second]
    assert (priors[at_second, 2:] - priors[at_second, :2]).tolist() == [[30, 10]] * 24
    for top_down, normalization in (True, "batch"), (True, "l2"), (False, "l2"):
        assert SSD(base, 2, (3, 2, 1), 4, top_down, normalization).output_shape == model.output_shape
    with pytest.raises(ArgumentError, match="two to four numbers"):
        SSD(base, 2, (3,))


def test_shapes_of_priors_are_the_centres_of_groups(rng):
    sizes = [[10, 10], [12, 10], [40, 40], [44, 40]]
    assert prior_shapes(sizes, (1, 1)) == [[[11, 10]], [[42, 40]]]
    assert shape_iou([[10, 10]], [[20, 20], [5, 20]]).tolist() == [[0.25, 50 / 150]]
    middles = np.array([[8, 8], [30, 15], [15, 30], [90, 70]])
    sizes = np.exp(rng.normal(0, 0.08, (400, 2))) * middles[rng.integers(4, size=400)]
    shapes = np.concatenate(prior_shapes(sizes, (1, 2, 1)))
    order = [0, *(1 + np.argsort(-shapes[1:3, 0])), 3]
    assert np.allclose(shapes[order], middles, rtol=0.1)
    assert prior_shapes(sizes, (1, 2, 1)) == prior_shapes(sizes[::-1], (1, 2, 1)), "the order of the boxes is nothing"
    assert len(prior_shapes([[9, 9]], (2, 1))[0]) == 2, "fewer boxes than shapes"
    with pytest.raises(DataError, match="no box"):
        prior_shapes(np.zeros((0, 2)), (1, 1))


def test_targets_and_back(rng):
    priors = ssd_priors([[(10, 10), (16, 8)], [(30, 30)]], 64, 64)
    boxes = np.array([[7, 8, 17, 16], [20, 22, 50, 55], [40, 2, 52, 12], [0, 40, 64, 64]], np.float32)
    labels, false = np.array([2, 0, 1, 1]), np.zeros(4, bool)
    difficult, crowd = np.array([False, False, True, False]), np.array([False, False, False, True])
    targets = prior_targets(boxes, labels, difficult, crowd, priors, 0.5)
    classes = targets[:, 4]
    assert set(classes) == {-1, 0, 1, 3}, "hard things and crowds teach nothing"
    positive = classes > 0
    assert box_iou(boxes[[0, 1]], priors[positive]).max(axis=0).min() > 0.4
    expected = boxes[np.where(classes[positive] == 3, 0, 1)]
    assert np.allclose(decode_boxes(targets[positive, :4], priors[positive]), expected, atol=1e-4)
    ignored = priors[classes == -1]
    inside_crowd = np.clip(ignored[:, 3] - np.maximum(ignored[:, 1], 40), 0, None) >= 0.45 * (
        ignored[:, 3] - ignored[:, 1]
    )
    assert (inside_crowd | (box_iou(boxes[[2]], ignored)[0] >= 0.5)).all()
    # What was learned comes back as detections.
    outputs = np.zeros((1, len(priors), 4 + 1 + 3))
    outputs[0, :, :4] = targets[:, :4]
    outputs[0, np.arange(len(priors)), 4 + np.maximum(classes, 0).astype(int)] = 9
    (found,) = decoded(outputs, priors, 64, 64, floor=0.5)
    assert sorted(found["classes"]) == [0, 2]
    assert np.allclose(found["boxes"][np.argsort(found["classes"])], boxes[[1, 0]], atol=1e-3)
    (none,) = decoded(np.tile([0.0, 0, 0, 0, 9, 0, 0, 0], (1, len(priors), 1)), priors, 64, 64, floor=0.5)
    assert none["boxes"].shape == (0, 4)
    empty = prior_targets(boxes[:0], labels[:0], false[:0], false[:0], priors, 0.5)
    assert not empty.any(), "a photograph without boxes is background everywhere"


# ---- the evaluation ----


def detections(*rows):
    """Return the detections of an image from (class, score, left, top, right, bottom)."""
    rows = np.array(rows, float).reshape(-1, 6)
    return {"boxes": rows[:, 2:], "scores": rows[:, 1], "classes": rows[:, 0].astype(int)}


def true_boxes(*rows, difficult=()):
    """Return the labels of an image from (class, left, top, right, bottom)."""
    rows = np.array(rows, float).reshape(-1, 5)
    return {
        "boxes": rows[:, 1:],
        "classes": rows[:, 0].astype(int),
        "difficult": np.isin(np.arange(len(rows)), difficult),
    }


def test_the_evaluation_by_hand():
    found = [
        detections((0, 0.9, 0, 0, 10, 10), (0, 0.8, 30, 30, 40, 40), (1, 0.7, 0, 0, 10, 10)),
        detections((0, 0.6, 0, 0, 10, 12), (0, 0.3, 20, 20, 30, 30)),
        detections(),
    ]
    true = [
        true_boxes((0, 0, 0, 10, 10)),
        true_boxes((0, 0, 0, 10, 10), (0, 20, 20, 30, 30), (0, 50, 50, 60, 60), difficult=[2]),
        true_boxes(),
    ]
    evaluation = BoxEvaluation(found, true, ["a", "b", "c"], ["one", "two", "none"], score=0.5)
    # Class a, best first: hit (0.9), miss (0.8), hit (0.6, IoU 10/12), hit (0.3): precisions 1, 1/2, 2/3, 3/4
    assert [each.tolist() for each in evaluation.curve(0)] == [[1 / 3, 1 / 3, 2 / 3, 1], [1, 1 / 2, 2 / 3, 3 / 4]]
    assert evaluation.average_precision[0] == pytest.approx((1 + 3 / 4 + 3 / 4) / 3)
    assert np.isnan(evaluation.average_precision[1:]).all() and evaluation.mean_average_precision == pytest.approx(
        2.5 / 3
    )
    assert evaluation.counts.tolist() == [[2, 1, 1], [0, 0, 1], [0, 0, 0]]
    assert evaluation.by_image.tolist() == [[1, 0, 2], [1, 1, 0], [0, 0, 0]]
    assert evaluation.worst().tolist() == [0, 1]
    # Up to an IoU of 0.8, the box with 10/12 is a hit; above, it is a miss, and 1, 1/2 and 2/4 are what is left.
    points = np.linspace(0, 1, 101)
    loose = np.where(points <= 1 / 3, 1, 3 / 4).mean()
    strict = np.where(points <= 1 / 3, 1, np.where(points <= 2 / 3, 1 / 2, 0)).mean()
    assert evaluation.coco_average_precision == pytest.approx((7 * loose + 3 * strict) / 10)
    low, high = evaluation.interval
    assert 0 < low <= evaluation.mean_average_precision <= high <= 1 and evaluation.interval == (low, high)
    data = json.loads(json.dumps(evaluation.as_data()))
    assert data["average_precision_by_class"]["c"] is None and data["classes"]["a"]["missed"] == 1
    assert data["worst"][0] == ["one", 1, 0, 2] and "0.833" in str(evaluation)


def test_an_evaluation_without_boxes():
    evaluation = BoxEvaluation([detections((0, 0.9, 0, 0, 1, 1))], [true_boxes()], ["a"])
    assert evaluation.mean_average_precision is evaluation.coco_average_precision is evaluation.interval is None
    assert evaluation.counts.tolist() == [[0, 0, 1]] and "mean average precision -" in str(evaluation)
    assert json.dumps(evaluation.as_data()) and not evaluation.curve(0)[0].size
    nothing = BoxEvaluation([detections()], [true_boxes((0, 0, 0, 1, 1))], ["a"])
    assert nothing.mean_average_precision == 0 and nothing.interval == (0, 0) and not math.isnan(nothing.coco[0])
    with pytest.raises(DataError, match="positions in the 1 class names"):
        BoxEvaluation([detections((1, 0.9, 0, 0, 1, 1))], [true_boxes()], ["a"])
