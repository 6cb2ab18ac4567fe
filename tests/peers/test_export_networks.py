"""Whole networks with a new head, exported: ONNX Runtime, Keras and PyTorch give minitl's outputs to 1e-5."""

import keras
import numpy as np
import pytest
import torch
from cases import random
from cases.layers import several

from benchmarks.engines.torch_engine import Network
from minitl import applications, layers, transfer
from minitl.applications.bert import BERT
from minitl.applications.fcn import FCN
from minitl.applications.ssd import SSD
from minitl.applications.unet import UNet
from minitl.layers import PaddingMask
from minitl.models import Model
from minitl.recipes.texts.bases import reading_head

from .compare import as_numpy, assert_close
from .test_efficientnet_lite0 import peer as efficientnet

pytest.importorskip("onnx", reason="needs the extra 'convert': pip install -e '.[convert]'")
ort = pytest.importorskip("onnxruntime", reason="needs the extra 'peers': pip install -e '.[peers]'")


def unsettled(model, seed=0):
    """Give a model statistics, shifts and new kernels that are none of the first values, and keep their size."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for name in layer.weight_names:
            weight = getattr(layer, name)
            if name in ("gamma", "moving_variance", "beta", "moving_mean") or not weight.any():
                setattr(layer, name, weight + 0.1 * rng.standard_normal(weight.shape).astype(np.float32))
    return model


def assert_equal_in_onnx_runtime(model, path, x, tolerance=1e-5):
    """Export a model, and compare all its outputs for the inputs x, and for the first example alone."""
    model.export(path)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    for count in len(several(x)[0]), 1:
        part = [each[:count] for each in several(x)]
        expected = several(model.forward(part if isinstance(x, list) else part[0]))
        for found, each in zip(session.run(None, dict(zip(names, part))), expected, strict=True):
            assert_close(found, each, tolerance, f"{count} examples")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, size", [("VGG16", 64), ("ResNet50", 64), ("InceptionV3", 96), ("EfficientNetLite0", 64)]
)
def test_the_networks_with_a_new_head_give_the_same_outputs_everywhere(name, size, tmp_path):
    def built(seed):
        base = getattr(applications, name)(weights=None, include_top=False, input_shape=(size, size, 3), pooling="avg")
        return unsettled(transfer.replace_head(base, layers.Dense(4, name="new")), seed)

    model, x = built(0), random(2, size, size, 3, seed=1)
    expected = model.forward(x)
    assert_equal_in_onnx_runtime(model, tmp_path / "m.onnx", x)
    model.save(tmp_path / "m.keras")
    theirs = keras.saving.load_model(tmp_path / "m.keras", compile=False)
    assert_close(as_numpy(theirs(torch.from_numpy(x), training=False)), expected, 1e-5, "Keras")
    module = (efficientnet(4) if name == "EfficientNetLite0" else Network(built(2))).eval()  # with other weights
    owners = [key.rpartition(".")[0] for key in module.state_dict() if key.endswith(".weight")]
    if name == "EfficientNetLite0":  # its modules have numbers, in the order of the layers
        names = dict(zip((layer.name for layer in model.layers if layer.weight_names), owners, strict=True))
    else:
        names = {owner.partition(".")[0]: owner for owner in owners}
    model.export(tmp_path / "m.pt", names=names)
    module.load_state_dict(torch.load(tmp_path / "m.pt", weights_only=True), strict=True)
    with torch.no_grad():
        found = as_numpy(module(torch.from_numpy(x).permute(0, 3, 1, 2)))
    assert_close(found, expected, 1e-5, "PyTorch")


@pytest.mark.slow
@pytest.mark.parametrize("size", [(64, 96), (None, None)])
@pytest.mark.parametrize(
    "build",
    [
        lambda base: FCN(base, 3, stride=4, filters=8),
        lambda base: UNet(base, 3, stride=4, filters=8),
        lambda base: SSD(base, 2, priors=(3, 2, 3, 2), filters=8),
        lambda base: SSD(base, 2, filters=8, normalization="l2"),
    ],
    ids=["fcn", "unet", "ssd", "ssd-l2"],
)
def test_networks_of_pixels_and_boxes_give_the_same_maps(build, size, tmp_path):
    base = applications.VGG16(weights=None, include_top=False, input_shape=(*size, 3))
    assert_equal_in_onnx_runtime(unsettled(build(base)), tmp_path / "m.onnx", random(2, 64, 96, 3, seed=0))


SMALL = dict(layers=2, width=12, heads=3, hidden=20, vocabulary=30, positions=16)
TOKENS = np.array([[2, 5, 7, 3, 0, 0], [2, 29, 1, 1, 4, 3], [2, 3, 0, 0, 0, 0]], np.int32)


@pytest.mark.parametrize("pooling", ["mean", "cls", None])
def test_bert_computes_its_padding_mask_in_the_graph(pooling, tmp_path):
    encoder = BERT(weights=None, pooling=pooling, **SMALL)
    tokens = layers.Input((None,), dtype="int32", name="tokens")
    vectors = encoder({"tokens": tokens, "mask": PaddingMask()(tokens)})
    model = Model(tokens, layers.Dense(3, activation="softmax")(vectors))
    assert_equal_in_onnx_runtime(unsettled(model), tmp_path / "m.onnx", TOKENS)


def test_bert_takes_masks_and_types_as_inputs(tmp_path):
    model = unsettled(BERT(weights=None, types=True, **SMALL))
    arrays = {"tokens": TOKENS, "mask": TOKENS > 0, "types": np.array([[0, 0, 1, 1, 0, 0]] * 3, np.int32)}
    assert_equal_in_onnx_runtime(model, tmp_path / "m.onnx", [arrays[name] for name in model.input_structure.names])


def test_a_text_lstm_reads_both_ways_up_to_the_padding(tmp_path):
    tokens = layers.Input((None,), dtype="int32")
    x = layers.Embedding(30, 8, mask_zero=True)(tokens)
    for layer in reading_head(3):
        x = layer(x)
    model = unsettled(Model(tokens, x))
    assert_equal_in_onnx_runtime(model, tmp_path / "m.onnx", TOKENS)
    model.save(tmp_path / "m.keras")
    theirs = keras.saving.load_model(tmp_path / "m.keras", compile=False)
    assert_close(as_numpy(theirs(torch.from_numpy(TOKENS), training=False)), model.forward(TOKENS), 1e-5, "Keras")


def test_a_language_model_scores_the_next_token(tmp_path):
    model = applications.decoder.Decoder(30, width=16, layers=2, heads=4, key_value_heads=2, length=12)
    assert_equal_in_onnx_runtime(unsettled(model), tmp_path / "m.onnx", TOKENS)
