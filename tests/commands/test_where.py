"""`minitl explain pixels` and `minitl explain boxes`: their parts are right, and the course has their numbers."""

import json
import re

import numpy as np
import pytest
from conftest import REPOSITORY

from minitl import cli
from minitl.course.where import boxes, figures, pixels
from minitl.course.where.maps import Examples
from minitl.kernels.boxes import centre_form
from minitl.kernels.priors import prior_boxes
from minitl.recipes.detection.decoding import decoded
from minitl.recipes.detection.targets import prior_targets

COURSE = REPOSITORY / "minitl" / "course" / "README.md"
MOST_BYTES = 60_000  # of a figure


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(pixels, "EXTENT", pixels.EXTENT._replace(training=16, test=6, epochs=(1, 1, 1)))
    monkeypatch.setattr(boxes, "EXTENT", boxes.EXTENT._replace(training=16, test=6, epochs=2))


@pytest.fixture(scope="module")
def priors():
    return prior_boxes(boxes.MAPS, boxes.SIZES, boxes.RATIOS)


def test_each_stage_begins_about_where_the_one_before_it_has_ended(rng):
    """The scores are the same, but are enlarged in two steps. The layers of the earlier stage are part of the new."""
    maps = {s: rng.standard_normal((2, 64 // s, 64 // s, c)).astype("float32") for s, c in ((8, 256), (4, 128))}
    some, found = Examples(None, maps), list(pixels.stages(maps))
    found[0].get_layer("scores16").kernel[...] = rng.standard_normal((1, 1, 64, 4))
    probabilities = [model.predict(pixels.inputs_of(model, some), verbose=0) for model in found]
    for before, after in zip(probabilities, probabilities[1:]):
        assert before.shape == after.shape == (2, 64, 64, 4)
        assert (before.argmax(axis=-1) == after.argmax(axis=-1)).mean() > 0.9
    assert found[2].get_layer("scores16") is found[0].get_layer("scores16")
    found[1].get_layer("scores8").bias[1] = 9.0
    assert (found[1].predict(maps[8], verbose=0).argmax(axis=-1) == 1).mean() > 0.9


def test_pixels_at_edges_have_a_neighbour_of_another_class(rng):
    masks = rng.integers(0, 2, (2, 5, 7))
    for n, i, j in np.ndindex(masks.shape):
        near = [(i + a, j + b) for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1)) if 0 <= i + a < 5 and 0 <= j + b < 7]
        assert pixels.at_edges(masks)[n, i, j] == any(masks[n][place] != masks[n, i, j] for place in near)


def test_the_priors_that_are_shown_belong_to_one_place(priors):
    assert priors.shape == (320, 4)
    assert np.allclose(centre_form(priors[boxes.of_cell()])[:, :2], 8 * (np.array(boxes.CELL[::-1]) + 0.5))


def test_labels_and_detections_are_those_of_the_recipe(priors, rng):
    corner = rng.uniform(0, 30, (3, 2))
    things, labels = np.concatenate([corner, corner + rng.uniform(12, 30, (3, 2))], axis=1), np.array([2, 0, 1])
    none = np.zeros(3, bool)
    expected = prior_targets(things.astype("float32"), labels, none, none, priors, 0.5)
    assert (boxes.target(things.astype("float32"), labels, priors) == expected).all() and (expected[:, 4] > 0).any()
    outputs = rng.standard_normal((2, 320, 8)).astype("float32")
    for found, same in zip(boxes.detections(outputs, priors), decoded(outputs, priors, 64, 64, 0.05, 0.45)):
        for key in same:
            assert (found[key] == same[key]).all()
    every = boxes.detections(outputs, priors, suppress=False)
    assert len(every[0]["boxes"]) > len(found["boxes"]) and (np.diff(every[0]["scores"]) <= 0).all()


def test_the_detector_has_an_output_for_each_prior(small, priors):
    assert boxes.detector().output.shape[1:] == (len(priors), 8)


@pytest.mark.parametrize("what", ["pixels", "boxes"])
def test_what_is_printed(what, small, capsys, tmp_path):
    arguments = ["explain", what, "--json", f"{tmp_path}/a.json"]
    try:
        import PIL  # noqa: F401
    except ImportError:
        assert cli.main([*arguments, "--plots", f"{tmp_path}/figures"]) == 1
        assert "needs Pillow" in capsys.readouterr().err
    else:
        arguments += ["--plots", f"{tmp_path}/figures"]
    assert cli.main(arguments) == 0
    printed, results = capsys.readouterr().out, json.loads((tmp_path / "a.json").read_text())
    assert max(len(line) for line in printed.splitlines() if "Figure: " not in line) <= 80
    key = "mean_iou" if what == "pixels" else "average_precision"
    for number in results[key].values():
        assert f"{number:.3f}" in printed
    if "--plots" in arguments:
        assert (tmp_path / "figures" / f"{what}.png").stat().st_size > 5000


def test_options_that_do_not_go_together_are_refused(capsys, tmp_path):
    assert cli.main(["explain", "boxes", "--network", "vgg16"]) == 1
    assert "--network does not go with boxes" in capsys.readouterr().err
    assert cli.main(["explain", "step", "--plots", str(tmp_path)]) == 1
    assert "--plots does not go with step" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert cli.main(["explain", "pixels", "--plots", f"{tmp_path}/file/figures"]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_an_image_is_pale_and_its_classes_have_colours():
    image = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    assert (figures.pale(image) == [[[150] * 3, [252] * 3]]).all()
    assert len(np.unique(figures.class_map(np.arange(4)[None]).reshape(-1, 3), axis=0)) == 4


def rows_of_the_course(header):
    """Return {first cell: numbers} of the table of the course that begins with this line."""
    table = COURSE.read_text(encoding="utf-8").partition(header)[2].partition("\n\n")[0]
    rows = (re.split(r" *\| *", line.strip("| ")) for line in table.splitlines() if re.search(r"\d", line))
    return {name: [float(cell) for cell in cells] for name, *cells in rows}


@pytest.mark.slow
def test_the_numbers_of_chapter_13(capsys):
    promised = rows_of_the_course("| | accuracy | mean IoU | background | disc | square | triangle |")
    found = pixels.explain_pixels()
    assert list(promised) == list(found["iou"])
    for name, numbers in promised.items():
        measured = [found["pixel_accuracy"][name], found["mean_iou"][name], *found["iou"][name]]
        assert numbers[:2] == pytest.approx(measured[:2], abs=0.03), name  # rounding differs by machine, and adds up
        assert numbers[2:] == pytest.approx(measured[2:], abs=0.08), name
    means = list(found["mean_iou"].values())
    assert means == sorted(means), "each row of the table is better than the one before it"


@pytest.mark.slow
def test_the_numbers_of_chapter_14(capsys):
    promised = rows_of_the_course("| | things | AP | recall | AP, nothing suppressed |")
    found = boxes.explain_boxes()
    assert list(promised) == [*boxes.CLASSES, "mean"]
    for name in boxes.CLASSES:
        measured = [found[key][name] for key in ("average_precision", "recall", "average_precision_unsuppressed")]
        assert promised[name][1:] == pytest.approx(measured, abs=0.08), name
    _, precision, _, unsuppressed = promised["mean"]
    assert precision == pytest.approx(found["mean_average_precision"], abs=0.04)
    assert unsuppressed == pytest.approx(found["mean_average_precision_unsuppressed"], abs=0.04)


@pytest.mark.parametrize("name", ["pixels", "boxes"])
def test_the_figures_of_the_course_are_small(name):
    assert 5000 < (REPOSITORY / ".github" / "pictures" / f"{name}.png").stat().st_size < MOST_BYTES
