"""Layers with the channels first against Keras: outputs, gradients, files in both directions; and in ONNX Runtime."""

import keras
import numpy as np
import pytest

from minitl import layers
from minitl.models import Model, load_model

from .compare import assert_close, compare_with_keras, random
from .test_export import in_onnx_runtime

FIRST = {"data_format": "channels_first"}
CASES = {
    "convolution": lambda layers: layers.Conv2D(5, (2, 3), strides=2, padding="same", activation="tanh", **FIRST),
    "transposed": lambda layers: layers.Conv2DTranspose(5, (2, 3), strides=2, **FIRST),
    "depthwise": lambda layers: layers.DepthwiseConv2D((2, 3), depth_multiplier=2, **FIRST),
    "separable": lambda layers: layers.SeparableConv2D(5, (2, 3), **FIRST),
    "maximum": lambda layers: layers.MaxPooling2D(2, **FIRST),
    "average": lambda layers: layers.AveragePooling2D((3, 2), padding="same", **FIRST),
    "global": lambda layers: layers.GlobalAveragePooling2D(keepdims=True, **FIRST),
    "padding": lambda layers: layers.ZeroPadding2D(((1, 0), (2, 1)), **FIRST),
    "cropping": lambda layers: layers.Cropping2D(((1, 0), (2, 1)), **FIRST),
    "upsampling": lambda layers: layers.UpSampling2D((2, 3), **FIRST),
    "flatten": lambda layers: layers.Flatten(**FIRST),
    "normalization": lambda layers: layers.BatchNormalization(axis=1),
}
OF_SEQUENCES = {
    "convolution": lambda layers: layers.Conv1D(5, 3, padding="causal", **FIRST),
    "maximum": lambda layers: layers.MaxPooling1D(2, **FIRST),
    "global": lambda layers: layers.GlobalMaxPooling1D(**FIRST),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_images(name, training):
    compare_with_keras(CASES[name], random(2, 3, 7, 8), 1e-5, training)


@pytest.mark.parametrize("name", OF_SEQUENCES)
def test_sequences(name):
    compare_with_keras(OF_SEQUENCES[name], random(2, 3, 9), 1e-5)


def network(layers):
    x = layers.Input((3, 9, 8))
    y = x
    for make in ("padding", "convolution", "normalization", "upsampling", "depthwise", "maximum"):
        y = CASES[make](layers)(y)
    return x, y


@pytest.mark.filterwarnings("ignore")
def test_files_go_from_one_to_the_other(tmp_path):
    x = random(2, 3, 9, 8)
    theirs = keras.Model(*network(keras.layers))
    theirs.save(tmp_path / "theirs.keras")
    ours = load_model(tmp_path / "theirs.keras")
    assert_close(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), 1e-5)
    ours.save(tmp_path / "ours.keras")
    again = keras.models.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(again.predict(x, verbose=0), theirs.predict(x, verbose=0), atol=1e-6)
    twin = Model(*network(layers))
    twin.load_weights(tmp_path / "theirs.keras")
    assert_close(twin.predict(x, verbose=0), theirs.predict(x, verbose=0), 1e-5)


@pytest.mark.parametrize("name", CASES)
def test_in_onnx_runtime(name, tmp_path):
    start, x = layers.Input((3, 7, 8)), random(2, 3, 7, 8)
    model = Model(start, CASES[name](layers)(start))
    assert_close(in_onnx_runtime(model, tmp_path / "model.onnx", x), model.predict(x, verbose=0), 1e-5)


def test_a_network_in_onnx_has_no_transpositions(tmp_path):
    onnx = pytest.importorskip("onnx")
    model, x = Model(*network(layers)), random(2, 3, 9, 8)
    assert_close(in_onnx_runtime(model, tmp_path / "model.onnx", x), model.predict(x, verbose=0), 1e-5)
    assert "Transpose" not in [node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node]
