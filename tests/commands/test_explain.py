"""`minitl explain step`: its numbers are PyTorch's, its lines of source ran, and a wrong engine is found out."""

import json
import re
import sys

import numpy as np
import pytest
from conftest import REPOSITORY

from minitl import cli, kernels
from minitl.course import explain
from minitl.course.explain import recording, small_network
from minitl.errors import MismatchError
from minitl.kernels import groups, im2col, pooling
from minitl.layers import Conv2D, Dense, MaxPooling2D, ReLU, activations, convolutional, dense
from minitl.losses import SparseCategoricalCrossentropy
from minitl.optimizers import SGD

GOLDEN = REPOSITORY / "tests" / "golden" / "explain.npz"


@pytest.fixture(scope="module")
def small():
    return explain.explain_small_network()


def test_every_number_is_pytorchs(small):
    _, data = small
    with np.load(GOLDEN) as golden:
        assert data["loss"] == pytest.approx(float(golden["loss first"]), rel=1e-6)
        assert data["loss_after"] == pytest.approx(float(golden["loss second"]), rel=1e-6)
        for step in "first", "second":
            for layer in "conv", "dense":
                for name, gradient in data[f"{step}_step"][layer]["gradients"].items():
                    np.testing.assert_allclose(gradient, golden[f"{step} {layer} {name}"], atol=1e-6)
        names = ("kernel after", "bias after", "dense after", "dense bias after")
        for weight, name in zip(data["weights"], names, strict=True):
            np.testing.assert_allclose(weight, golden[name], atol=1e-6)
    assert data["checked"] > 400 and data["largest_difference"] < 1e-6


def test_what_is_printed(small, capsys, tmp_path):
    assert cli.main(["explain", "step", "--json", str(tmp_path / "step.json")]) == 0
    text = capsys.readouterr().out
    headings = ["FORWARD:", "BACKWARD:", "UPDATE:", "DID THE UPDATE HELP?", "THE SECOND UPDATE:"]
    places = [text.index(heading) for heading in headings]
    assert places == sorted(places)
    for layer in small_network.LAYERS:
        assert len(re.findall(rf"^\d  {layer} ", text, re.MULTILINE)) == 2, "forward and backward"
    assert max(map(len, text.splitlines())) <= 80
    data = json.loads((tmp_path / "step.json").read_text())
    assert data == small[1], "the same numbers every time"
    for value in (data["loss"], data["loss_after"], data["first_step"]["dense"]["dx"][0][0]):
        assert f"{value:.4f}" in text
    assert f"{data['checked']:,} numbers were computed twice" in text


@pytest.mark.parametrize("network", ["small", "vgg16"])
def test_the_lines_of_source_are_there(network, capsys):
    assert cli.main(["explain", "step", "--network", network]) == 0
    lines = capsys.readouterr().out.splitlines()
    cited = [(number, line.split()[1]) for number, line in enumerate(lines) if line.startswith("  source ")]
    assert len(cited) >= 14
    for number, place in cited:
        file, line = place.split(":")
        source = (REPOSITORY / file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
        assert source.strip() and source.strip().startswith(lines[number + 1].strip())


def wrong(function):
    """Return a function that is off by 1 %."""
    return lambda *arguments, **options: function(*arguments, **options) * 1.01


WRONG = [
    (groups, "conv2d"),
    (groups, "conv2d_kernel_gradient"),
    (convolutional, "channel_sums"),
    (dense, "matmul"),
    (kernels, "max_pool_gradient"),
    (activations, "softmax_gradient"),
    (SparseCategoricalCrossentropy, "forward"),
    (SparseCategoricalCrossentropy, "backward"),
]


@pytest.mark.parametrize("place, name", WRONG, ids=lambda each: getattr(each, "__name__", each))
def test_a_wrong_engine_is_found_out(place, name, monkeypatch, capsys):
    monkeypatch.setattr(place, name, wrong(getattr(place, name)))
    assert cli.main(["explain", "step"]) == 1
    assert "the formula gives" in capsys.readouterr().err


def test_a_wrong_update_is_found_out(monkeypatch, capsys):
    monkeypatch.setattr(SGD, "start", lambda self, parameter: (np.full_like(parameter, 0.001),))  # v is not 0
    assert cli.main(["explain", "step"]) == 1
    assert "conv kernel: v" in capsys.readouterr().err


def test_a_line_that_did_not_run_is_not_cited():
    lines = set()
    with recording.watched(lines):
        im2col.has_small_maps(np.zeros((1, 2, 2, 8)))
    assert recording.source_line(lines, (im2col.has_small_maps, "return 2 *"))[0].startswith("minitl/kernels/im2col.py")
    with pytest.raises(MismatchError, match="none of these lines ran"):
        recording.source_line(lines, (pooling.global_average_pool, "x.mean("))


def test_nothing_is_left_behind():
    model = small_network.small_network(0)
    x, label = small_network.small_image()
    trace = sys.gettrace()
    recording.record_step(model, SparseCategoricalCrossentropy(), SGD(0.1), x, np.array([label]))
    assert sys.gettrace() is trace
    for layer in model.layers:
        assert layer.forward.__func__ is type(layer).forward and layer.backward.__func__ is type(layer).backward


def test_the_watched_step_is_an_ordinary_one():
    """Check that watching changes no number: the same step without it gives the same weights."""
    watched, plain = small_network.small_network(3), small_network.small_network(3)
    x, label = small_network.small_image()
    recording.record_step(watched, SparseCategoricalCrossentropy(), SGD(0.1), x, np.array([label]))
    criterion = SparseCategoricalCrossentropy()
    criterion.forward(np.array([label]), plain.forward(x, training=True))
    plain.backward(criterion.backward())
    SGD(0.1).step(plain)
    for mine, theirs in zip(watched.get_weights(), plain.get_weights()):
        assert (mine == theirs).all()
    kinds = [type(layer) for layer in watched.layers]
    assert [kind for kind in (Conv2D, ReLU, MaxPooling2D, Dense) if kind in kinds] == [
        Conv2D,
        ReLU,
        MaxPooling2D,
        Dense,
    ]


@pytest.mark.slow
def test_the_whole_base_where_it_is(full_base, capsys):
    from minitl.weights.distrust import known_files as known

    (known.home_folder() / "models").mkdir(parents=True)
    (known.home_folder() / "models" / full_base.name).symlink_to(full_base)
    assert cli.main(["explain", "step", "--network", "vgg16"]) == 0
    text = capsys.readouterr().out
    assert "block5_conv3" in text and "all five blocks" in text and max(map(len, text.splitlines())) <= 80
