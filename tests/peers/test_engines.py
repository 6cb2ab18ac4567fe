"""The engines of the benchmarks compute the same network: otherwise their times could not be compared."""

import numpy as np
import pytest
import torch

from benchmarks import plan
from benchmarks.engines import keras_engine, minitl_engine, minitl_text_engine, torch_engine, torch_text_engine

SMALL = {"batch": 3, "size": 64}


@pytest.fixture(scope="module")
def expected():
    return minitl_engine.inference(SMALL)()


def assert_same(found, expected):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("layout", ["channels_last", "default"])
def test_pytorch_inference(expected, layout):
    assert_same(torch_engine.inference({**SMALL, "layout": layout})(), expected)


def test_keras_inference(expected):
    assert_same(keras_engine.inference(SMALL)(), expected)


def test_onnx_runtime_inference(expected):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from benchmarks.engines import onnx_engine

    assert_same(onnx_engine.inference(SMALL)(), expected)


def test_the_number_of_threads_is_set():
    before = torch.get_num_threads()
    try:
        torch_engine.inference({**SMALL, "layout": "default", "threads": 1})
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_the_number_of_threads_of_onnx_runtime_is_set(monkeypatch):
    onnx_engine = pytest.importorskip("benchmarks.engines.onnx_engine")
    given = []
    session = onnx_engine.onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnx_engine.onnxruntime,
        "InferenceSession",
        lambda data, settings, **rest: given.append(settings.intra_op_num_threads) or session(data, settings, **rest),
    )
    for options in (SMALL, {**SMALL, "threads": 1}):
        onnx_engine.inference(options)
    assert given == [0, 1]


OTHERS = {"resnet50": 64, "inception_v3": 91}  # pixels


@pytest.mark.parametrize("network", OTHERS)
@pytest.mark.parametrize("engine", ["torch", "keras", "onnx"])
def test_inference_of_other_networks(network, engine):
    options = {"batch": 2, "size": OTHERS[network], "network": network}
    expected = minitl_engine.inference(options)()
    other = pytest.importorskip(f"benchmarks.engines.{engine}_engine")
    assert_same(other.inference({**options, "layout": "channels_last"})(), expected)


@pytest.mark.parametrize("network, shape", [("fcn8", (2, 64, 96, 21)), ("ssd", (2, 378, 25))])
@pytest.mark.parametrize("layout", ["channels_last", "default"])
def test_inference_of_networks_for_pixels_and_boxes(network, shape, layout):
    options = {"batch": 2, "size": [64, 96], "network": network}
    expected = minitl_engine.inference(options)()
    assert expected.shape == shape and expected.std() > 0.1
    assert_same(torch_engine.inference({**options, "layout": layout})(), expected)


@pytest.mark.parametrize("count", plan.BOXES)
def test_both_keep_the_same_boxes(count):
    pytest.importorskip("cv2")
    from benchmarks.engines import opencv_engine

    expected = opencv_engine.suppression({"boxes": count})()
    assert minitl_engine.suppression({"boxes": count})().tolist() == expected.tolist() and len(expected) > 10


@pytest.mark.parametrize("part", ["all layers", "last stage"])
def test_training_steps_of_resnet50(part):
    options = {"batch": 4, "size": 64, "network": "resnet50", "part": part}
    minitl_step, torch_step = minitl_engine.training(options), torch_engine.training({**options, "layout": "default"})
    for _ in range(3):
        assert minitl_step() == pytest.approx(torch_step(), rel=1e-3)


@pytest.mark.parametrize("part", ["all layers", "last block", "head"])
def test_training_steps(part):
    """The losses agree step for step, so the same parameters change.

    These few large steps magnify rounding: the losses of PyTorch's own two layouts are 4e-4 apart after five.
    """
    minitl_step = minitl_engine.training({**SMALL, "part": part})
    torch_step = torch_engine.training({**SMALL, "part": part, "layout": "default"})
    for _ in range(4):
        assert minitl_step() == pytest.approx(torch_step(), rel=1e-3)


def test_the_vectors_of_texts():
    expected = minitl_text_engine.inference({"batch": 3})()
    assert expected.shape == (3, 384) and expected.std() > 0.1
    assert_same(torch_text_engine.inference({"batch": 3})(), expected)


@pytest.mark.parametrize(
    "network, part",
    [("minilm", "all layers"), ("minilm", "last blocks"), ("lstm", "all layers"), ("decoder", "all layers")],
)
def test_training_steps_on_texts(network, part):
    """The losses agree step for step, and they move, so the same parameters change."""
    options = {"batch": 2, "network": network, "part": part}
    minitl_step, torch_step = minitl_text_engine.training(options), torch_text_engine.training(options)
    losses = [(minitl_step(), torch_step()) for _ in range(3)]
    assert losses[0][0] == pytest.approx(losses[0][1], rel=1e-6) and losses[0][0] - losses[2][0] > 1e-3
    assert [ours for ours, _ in losses] == pytest.approx([theirs for _, theirs in losses], rel=2e-3)


def test_the_recipe_learns_in_every_library():
    """The loss falls in every library from about the same beginning.

    Dropout and the order of images differ, so the losses do. With so few images, Dropout can raise the last loss again:
    the lowest one counts.
    """
    options = {"images": 20, "size": 32, "epochs": 4}
    for program in (
        minitl_engine.recipe(options),
        torch_engine.recipe({**options, "layout": "channels_last"}),
        torch_engine.recipe({**options, "layout": "channels_last", "cached": True}),
        keras_engine.recipe(options),
    ):
        losses = program()
        assert len(losses) == 4 and min(losses) < losses[0] and np.isfinite(losses).all()
