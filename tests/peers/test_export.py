"""Exported models run elsewhere and give the same outputs: in ONNX Runtime, in Keras, and in PyTorch's modules."""

import json

import keras
import numpy as np
import pytest
import torch
from cases import random
from cases.layers import LAYERS, randomize, several

from benchmarks.engines.torch_engine import Network
from minitl import applications, layers, transfer
from minitl.errors import ArgumentError
from minitl.export import export
from minitl.models import Model, Sequential, load_model

from .compare import as_numpy, assert_close

onnx = pytest.importorskip("onnx", reason="needs the extra 'convert': pip install -e '.[convert]'")
ort = pytest.importorskip("onnxruntime", reason="needs the extra 'peers': pip install -e '.[peers]'")


def in_onnx_runtime(model, path, *arrays, **options):
    """Export a model, and return its first output for the arrays in ONNX Runtime."""
    export(model, path, **options)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {each.name: array for each, array in zip(session.get_inputs(), arrays)})[0]


def model_of(case):
    """Return a model of the one layer of a case."""
    x = case.inputs()
    inputs = [layers.Input(each.shape[1:], dtype=str(each.dtype)) for each in several(x)]
    inputs = inputs if isinstance(x, list) else inputs[0]
    return Model(inputs, case.layer()(inputs))


def small_network():
    """Return a network with a Flatten, branches, and a batch normalization, with random numbers everywhere."""
    x = images = layers.Input((9, 8, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="first")(x)  # (N, 5, 4, 4)
    y = layers.BatchNormalization(name="norm")(layers.MaxPooling2D(3, strides=1, padding="same", name="pool")(x))
    x = layers.Flatten(name="flat")(layers.Add(name="sum")([x, y]))
    model = Model(images, layers.Dense(5, activation="softmax", name="last")(x))
    for layer in model.layers:
        randomize(layer)
    return model


EXPORTED = """
    Activation Add AveragePooling2D BatchNormalization Clip Concatenate Conv2D Conv2DTranspose Cropping2D Dense
    Dropout Flatten GlobalAveragePooling2D GlobalMaxPooling2D L2Normalization Masking MaxPooling2D ReLU
    Reshape Softmax UnitNormalization UpSampling2D ZeroPadding2D
""".split()
EXPORTED_ACTIVATIONS = (None, "linear", "relu", "sigmoid", "softmax", "tanh")


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
def test_a_layer_gives_its_output_in_onnx_runtime_or_is_refused_by_name(case, tmp_path):
    model, x = model_of(case), case.inputs()
    layer = model.layers[-1]
    activation = getattr(layer, "activation", None)
    if type(layer).__name__ not in EXPORTED or activation not in EXPORTED_ACTIVATIONS:
        with pytest.raises(ArgumentError, match=f"layer '{layer.name}': .*cannot be exported to ONNX"):
            model.export(tmp_path / "m.onnx")
        return
    found = in_onnx_runtime(model, tmp_path / "m.onnx", *several(x))
    assert_close(found, model.forward(x), 1e-5)


def test_the_pixel_too_many_of_same_padding_goes_to_the_end(tmp_path):
    model = Sequential([layers.Input((1, 4, 1)), layers.Conv2D(1, (1, 3), strides=(1, 2), padding="same")])
    model.set_weights([np.ones((1, 3, 1, 1)), np.zeros(1)])
    x = np.array([1, 2, 3, 4], np.float32).reshape(1, 1, 4, 1)
    assert in_onnx_runtime(model, tmp_path / "m.onnx", x).ravel().tolist() == [6, 7]


def test_one_file_takes_any_batch_and_states_its_versions(tmp_path):
    model, x = small_network(), random(7, 9, 8, 3, seed=0)
    whole = in_onnx_runtime(model, tmp_path / "m.onnx", x)
    session = ort.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    for count in 1, 2, 7:
        (found,) = session.run(None, {session.get_inputs()[0].name: x[:count]})
        np.testing.assert_allclose(found, whole[:count], rtol=1e-5, atol=1e-7)
    file = onnx.load(tmp_path / "m.onnx")
    assert (file.ir_version, [each.version for each in file.opset_import]) == (8, [17])
    # Nothing is turned around between the convolution and the sum: once before, and once behind for the Flatten.
    assert [node.op_type for node in file.graph.node].count("Transpose") == 2
    flat = Sequential([layers.Input((2, 2)), layers.Flatten()])
    assert in_onnx_runtime(flat, tmp_path / "m.onnx", x[:2, :2, :2, 0]).shape == (2, 4)


@pytest.mark.parametrize("name", ["vgg16", "inception_v3"])
def test_the_preparation_of_images_may_be_in_the_graph(name, tmp_path, rng):
    x = rng.uniform(0, 255, (2, 9, 8, 3)).astype(np.float32)
    model = small_network()
    model.metadata = {"preprocessing": name, "class_names": ["a", "b"]}
    expected = model.forward(applications.preprocessing(name)(x))
    assert_close(in_onnx_runtime(model, tmp_path / "m.onnx", x, preprocessing=True), expected, 1e-5)
    properties = {each.key: each.value for each in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert json.loads(properties["class_names"]) == ["a", "b"] and json.loads(properties["prepares_images"]) is True


def test_what_cannot_be_exported_says_so_by_name(tmp_path):
    class Doubled(layers.Layer):
        def forward(self, x, training=False):
            return 2 * x

    class Known(Doubled):
        def to_onnx(self, nodes, call, x):
            return nodes.elementwise(x, "Add", nodes.last(x))

    path = tmp_path / "m.onnx"
    unknown = Sequential([layers.Input((3,)), Doubled(name="twice")])
    with pytest.raises(ArgumentError, match="layer 'twice': a Doubled cannot be exported"):
        unknown.export(path)
    x = random(2, 3, seed=0)
    np.testing.assert_allclose(in_onnx_runtime(Sequential([layers.Input((3,)), Known()]), path, x), 2 * x, rtol=1e-6)
    path.unlink()
    any_size = Sequential([layers.Input((None, None, 3)), layers.Conv2D(2, 3, strides=2, padding="same", name="conv")])
    with pytest.raises(ArgumentError, match="layer 'conv': its padding 'same'"):
        any_size.export(path)
    with pytest.raises(ArgumentError, match="metadata name no known preparation"):
        small_network().export(path, preprocessing=True)
    with pytest.raises(ArgumentError, match=r"model\.save writes \.keras"):
        small_network().export(tmp_path / "m.keras")
    with pytest.raises(ArgumentError, match="'fc9', which is no layer"):
        small_network().export(tmp_path / "m.pt", names={"fc9": "fc"})
    assert not path.exists()


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_pytorch_takes_the_weights_and_minitl_takes_them_back(ending, tmp_path):
    model, path = small_network(), tmp_path / f"m.{ending}"
    model.export(path, names={"last": "classifier.0"})
    if ending == "pt":
        state = torch.load(path, weights_only=True)
    else:
        from safetensors.torch import load_file

        state = load_file(path)

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm = torch.nn.Conv2d(3, 4, 3, 2), torch.nn.BatchNorm2d(4, eps=1e-3)
            self.classifier = torch.nn.Sequential(torch.nn.Linear(80, 5))

        def forward(self, x):
            x = self.first(torch.nn.functional.pad(x, (0, 1, 1, 1))).relu()  # 'same': 9 -> 5, 8 -> 4
            x = x + self.norm(torch.nn.functional.max_pool2d(x, 3, 1, 1))
            return self.classifier(x.flatten(1)).softmax(1)

    module = Module().eval()
    module.load_state_dict(state, strict=True)
    x = random(3, 9, 8, 3, seed=0)
    assert_close(as_numpy(module(torch.from_numpy(x).permute(0, 3, 1, 2))), model.forward(x), 1e-5)
    if ending == "pt":
        return  # reading a file of PyTorch takes a process of its own, and is tested elsewhere
    again = small_network()
    again.set_weights([np.zeros_like(each) for each in again.get_weights()])
    again.load_weights(path, names={"classifier.0": "last"})
    np.testing.assert_array_equal(again.forward(x), model.forward(x))


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_keras_and_minitl_open_the_whole_model(ending, tmp_path):
    path, x = tmp_path / f"m.{ending}", random(3, 9, 8, 3, seed=0)
    model = small_network()
    model.metadata = {"class_names": ["a", "b"]}
    model.save(path)
    theirs = keras.saving.load_model(path, compile=False)
    assert_close(as_numpy(theirs(torch.from_numpy(x), training=False)), model.forward(x), 1e-5)
    again = load_model(path)
    np.testing.assert_array_equal(again.forward(x), model.forward(x))
    assert again.metadata == model.metadata


@pytest.mark.slow
@pytest.mark.parametrize("name, size", [("VGG16", 64), ("ResNet50", 64), ("InceptionV3", 96)])
def test_the_networks_with_a_new_head_give_the_same_outputs_everywhere(name, size, tmp_path):
    def built(seed):
        base = getattr(applications, name)(weights=None, include_top=False, input_shape=(size, size, 3), pooling="avg")
        model = transfer.replace_head(base, layers.Dense(4, name="new"))
        rng = np.random.default_rng(seed)
        for layer in model.layers:  # statistics and shifts that are none of the first values, and keep their size
            for each in layer.weight_names:
                if each in ("gamma", "moving_variance", "beta", "moving_mean"):
                    noise = 0.1 * rng.standard_normal(getattr(layer, each).shape).astype(np.float32)
                    setattr(layer, each, getattr(layer, each) + noise)
        return model

    model, x = built(0), random(2, size, size, 3, seed=1)
    expected = model.forward(x)
    assert_close(in_onnx_runtime(model, tmp_path / "m.onnx", x), expected, 1e-5, "ONNX Runtime")
    model.save(tmp_path / "m.keras")
    theirs = keras.saving.load_model(tmp_path / "m.keras", compile=False)
    assert_close(as_numpy(theirs(torch.from_numpy(x), training=False)), expected, 1e-5, "Keras")
    module = Network(built(2)).eval()  # the same modules with other weights
    owners = [key.rpartition(".")[0] for key in module.state_dict() if key.endswith(".weight")]
    model.export(tmp_path / "m.pt", names={owner.partition(".")[0]: owner for owner in owners})
    module.load_state_dict(torch.load(tmp_path / "m.pt", weights_only=True), strict=True)
    with torch.no_grad():
        found = as_numpy(module(torch.from_numpy(x).permute(0, 3, 1, 2)))
    assert_close(found, expected, 1e-5, "PyTorch")
