"""Statements of files beside their arrays, as PyTorch, ONNX's library and Keras write them.

A file loads into the network that it is of, and gives its outputs. Into a network that differs in one argument it does
not load, and the message names the argument.
"""

import warnings

import keras
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

import minitl.layers
from minitl.errors import WeightsError, WeightsWarning
from minitl.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Cropping2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Input,
    Layer,
    MaxPooling2D,
    ReLU,
    Reshape,
    ZeroPadding2D,
)
from minitl.models import Model, Sequential, load_model
from minitl.weights import open_weights

from .compare import assert_close, random

nn, LAYERS = torch.nn, keras.layers


def torch_network(**changes):
    """Return a PyTorch network with all the operations that state something. All biases are equal, and kept once."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, stride=changes.get("stride", 1), dilation=1),
        nn.BatchNorm2d(4, eps=changes.get("eps", 1e-3)),
        changes.get("activation", nn.ReLU)(),
        changes.get("pooling", nn.MaxPool2d)(2),
        nn.Conv2d(4, 4, 3),
        nn.BatchNorm2d(4, eps=1e-3),
        nn.LeakyReLU(changes.get("slope", 0.25)),
        nn.AvgPool2d(3, 2, padding=1, count_include_pad=changes.get("counts", True)),
        nn.Flatten(),
        nn.Linear(4 * 9 if "stride" not in changes else 4, 5),
        nn.Tanh(),
    ).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # equal statistics, as exporters keep them once
            module.running_var.fill_(0.01)
    return network


def own_network(**changes):
    """Return the same network in minitl."""
    return Sequential(
        [
            Input((14, 14, 3)),
            Conv2D(4, 3, padding="same", strides=changes.get("stride", 1), name="0"),
            BatchNormalization(epsilon=changes.get("eps", 1e-3), name="1"),
            ReLU() if changes.get("activation", "relu") == "relu" else Activation(changes["activation"]),
            changes.get("pooling", MaxPooling2D)(),
            Conv2D(4, 3, name="4"),
            BatchNormalization(epsilon=1e-3, name="5"),
            ReLU(negative_slope=changes.get("slope", 0.25)),
            *([ZeroPadding2D(), AveragePooling2D(3, 2)] if changes.get("counts",
                True) else [AveragePooling2D(3, 2, "same")]),
            Flatten(),
            Dense(5, activation=changes.get("end", "tanh"), name="9"),
        ]
    )  # fmt: skip


def export(network, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keep = torch.onnx.TrainingMode.PRESERVE  # otherwise batch normalization is folded into the convolutions
        torch.onnx.export(network, (torch.zeros(1, 3, 14, 14),), str(path), dynamo=False, training=keep)
    return path


def test_an_exported_network_loads_and_gives_its_outputs(tmp_path):
    network = torch_network()
    path, mine = export(network, tmp_path / "net.onnx"), own_network()
    report = mine.load_weights(path)
    assert not report.remarks and not report.not_in_file
    x = random(2, 14, 14, 3)
    with torch.no_grad():
        expected = network(torch.tensor(x.transpose(0, 3, 1, 2)))
    assert_close(mine.predict(x, verbose=0), expected, 1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eps": 1e-5}, "'1': epsilon is 0.001 in the file, 1e-05 in the model"),
        ({"activation": "sigmoid"}, "'1': activation relu in the file, activation sigmoid in the model"),
        ({"slope": 0.1}, "only the file has ReLU.*negative_slope=0.25"),
        ({"pooling": AveragePooling2D}, "only the file has MaxPooling2D"),
        ({"end": None}, "'9': activation tanh in the file, no activation in the model"),
        ({"end": "relu"}, "'9': activation tanh in the file, activation relu in the model"),
    ],
)
def test_an_exported_network_differs_in_one_argument(tmp_path, changes, message):
    path, mine = export(torch_network(), tmp_path / "net.onnx"), own_network(**changes)
    before = mine.get_weights()
    with pytest.raises(WeightsError, match=message):
        mine.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(before, mine.get_weights()))


def test_a_pooling_that_counts_its_padding(tmp_path):
    path = export(torch_network(counts=False), tmp_path / "net.onnx")
    with pytest.raises(WeightsError, match="count_include_pad"):
        own_network().load_weights(path)


def test_pytorchs_padding_is_not_tensorflows_with_a_stride(tmp_path):
    """Padding 1 on either side against 'same', which pads one row at the end alone."""
    path = export(torch_network(stride=2), tmp_path / "net.onnx")
    model = Sequential([Input((14, 14, 3)), Conv2D(4, 3, strides=2, padding="same", name="0"),
        BatchNormalization(name="1"),
                        ReLU(), MaxPooling2D(), Conv2D(4, 3, name="4")])  # fmt: skip
    with pytest.warns(
        WeightsWarning, match=r"'0': padding is \(\(1, 1\), \(1, 1\)\) in the file, \(\(0, 1\), \(0, 1\)\) in"
    ):
        report = model.load_weights(path, partial=True)
    assert "'0': padding is" in str(report)
    model = Sequential([Input((14, 14, 3)), ZeroPadding2D(), Conv2D(4, 3, strides=2, name="0"),
        BatchNormalization(name="1"),
                        ReLU(), MaxPooling2D(), Conv2D(4, 3, name="4")])  # fmt: skip
    assert not model.load_weights(path, partial=True).remarks


def onnx_file(path, operation, arrays, shapes, extra=(), constants=None, **attributes):
    """Write an ONNX file of one operation; `arrays` are its constants by name."""
    node = helper.make_node(operation, ["x", *arrays], ["y"], **attributes)
    values = [helper.make_tensor_value_info(name, 1, shape) for name, shape in zip("xy", shapes)]
    if constants is None:
        constants = [numpy_helper.from_array(np.asarray(a, "f"), name) for name, a in arrays.items()]
    graph = helper.make_graph([*extra, node], "g", values[:1], values[1:], constants)
    onnx.save(helper.make_model(graph, producer_name="pytorch"), path)
    return path


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"strides": [2, 1]}, r"strides is \(2, 1\) in the file, \(1, 1\) in the model"),
        ({"dilations": [2, 2]}, r"dilation_rate is \(2, 2\) in the file, (1|\(1, 1\)) in the model"),
        ({"pads": [1, 1, 1, 1]}, r"padding is \(\(1, 1\), \(1, 1\)\) in the file, \(\(0, 0\), \(0, 0\)\) in the model"),
        ({"auto_pad": "SAME_LOWER"}, "padding is"),
        ({"auto_pad": "SAME_UPPER"}, "padding is"),
    ],
)
def test_a_convolution_states_its_arguments(tmp_path, attributes, message):
    arrays = {"c.weight": random(4, 3, 2, 2), "c.bias": random(4)}
    path = onnx_file(tmp_path / "a.onnx", "Conv", arrays, ([1, 3, 8, 8], None), **attributes)
    model = Sequential([Input((8, 8, 3)), Conv2D(4, 2, name="c")])
    with pytest.raises(WeightsError, match=f"(?s)1 difference.*'c': {message}"):
        model.load_weights(path)
    model.load_weights(onnx_file(tmp_path / "b.onnx", "Conv", arrays, ([1, 3, 8, 8], None), pads=[0] * 4, group=1))


@pytest.mark.parametrize("attributes", [{"alpha": 2.0}, {"beta": 0.5}, {"transA": 1}])
def test_a_gemm_that_does_more_than_a_dense_layer(tmp_path, attributes):
    arrays = {"d.weight": random(3, 2), "d.bias": random(2)}
    path = onnx_file(tmp_path / "a.onnx", "Gemm", arrays, ([1, 3], [1, 2]), **attributes)
    with pytest.raises(WeightsError, match="scale|transposed is 1 in the file"):
        Sequential([Input((3,)), Dense(2, name="d")]).load_weights(path)


def test_all_differences_stand_in_one_message(tmp_path):
    arrays = {"c.weight": random(4, 3, 2, 2), "c.bias": random(5)}
    path = onnx_file(tmp_path / "a.onnx", "Conv", arrays, ([1, 3, 8, 8], None), strides=[2, 2], dilations=[2, 2])
    with pytest.raises(WeightsError) as error:
        Sequential([Input((8, 8, 3)), Conv2D(4, 2, name="c")]).load_weights(path)
    assert all(word in str(error.value) for word in ("3 differences", "bias: expected", "strides", "dilation_rate"))


KERNEL = np.linspace(-1, 1, 6).reshape(2, 3)


def encoded(kind, how):
    """Return a constant of ONNX in one of the encodings that its specification allows."""
    tensor = helper.make_tensor("d.weight", kind, KERNEL.shape, KERNEL.ravel().tolist())
    if how == "raw":
        array = KERNEL.astype({1: "<f4", 10: "<f2", 11: "<f8"}.get(kind, "<f4"))
        halves = (array.view("<u4") >> 16).astype("<u2") if kind == TensorProto.BFLOAT16 else array
        tensor = helper.make_tensor("d.weight", kind, KERNEL.shape, halves.tobytes(), raw=True)
    return tensor


@pytest.mark.parametrize("how", ["raw", "own field"])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16])
@pytest.mark.parametrize("place", ["initializer", "Constant", "Identity", "Cast", "Transpose", "input"])
def test_every_encoding_of_a_constant(tmp_path, kind, how, place):
    tensor, extra, name = encoded(kind, how), [], "d.weight"
    inputs = [helper.make_tensor_value_info("x", kind, [1, 2])]
    if place == "Constant":
        extra.append(helper.make_node("Constant", [], ["d.weight"], value=tensor))
    elif place in ("Identity", "Cast", "Transpose"):
        tensor.name, options = "shared", {"to": 1} if place == "Cast" else {}
        extra.append(helper.make_node(place, ["shared"], ["d.weight"], **options))
    elif place == "input":
        inputs.append(helper.make_tensor_value_info("d.weight", kind, KERNEL.shape))
    node = helper.make_node("Gemm", ["x", name], ["y"], transB=int(place == "Transpose"))
    output = helper.make_tensor_value_info("y", kind, None)
    graph = helper.make_graph([*extra, node], "g", inputs, [output], [] if place == "Constant" else [tensor])
    onnx.save(helper.make_model(graph, producer_name="pytorch"), tmp_path / "a.onnx")
    model = Sequential([Input((2,)), Dense(3, use_bias=False, name="d")])
    model.load_weights(tmp_path / "a.onnx")
    places = {TensorProto.FLOAT16: 1e-3, TensorProto.BFLOAT16: 1e-2}.get(kind, 1e-6)
    np.testing.assert_allclose(model.layers[0].kernel, KERNEL, atol=places)


def test_a_constant_that_is_computed_is_named(tmp_path):
    extra = [helper.make_node("Mul", ["a", "b"], ["d.weight"])]
    constants = [numpy_helper.from_array(KERNEL.astype("f"), name) for name in "ab"]
    onnx_file(tmp_path / "a.onnx", "Gemm", {"d.weight": 0}, ([1, 2], [1, 3]), extra, constants)
    with pytest.raises(WeightsError, match="'d' kernel: expected .*found a result of Mul"):
        Sequential([Input((2,)), Dense(3, use_bias=False, name="d")]).load_weights(tmp_path / "a.onnx")


def test_constants_that_several_layers_share(tmp_path):
    """One name for equal constants: the kernel of each operation, or its own name, tells the layer."""
    weights = {"c1.weight": np.ones((4, 3, 1, 1)), "c2.weight": np.ones((4, 4, 1, 1)) * 2, "c1.bias": np.arange(4)}
    norm = {"n.weight": np.ones(4), "n.bias": np.zeros(4)}
    nodes = [
        helper.make_node("Conv", ["x", "c1.weight", "c1.bias"], ["h"]),
        helper.make_node("Conv", ["h", "c2.weight", "c1.bias"], ["i"]),
        helper.make_node("BatchNormalization", ["i", "n.weight", "n.bias", "n.bias", "n.weight"], ["j"],
            "/n1/BatchNormalization"),
        helper.make_node("BatchNormalization", ["j", "n.weight", "n.bias", "n.bias", "n.weight"], ["y"],
            "/n2/BatchNormalization"),
    ]  # fmt: skip
    values = [helper.make_tensor_value_info(n, 1, [1, k, 2, 2]) for n, k in (("x", 3), ("y", 4))]
    constants = [numpy_helper.from_array(a.astype("f"), n) for n, a in {**weights, **norm}.items()]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:], constants)), tmp_path / "a.onnx")
    rows = [Conv2D(4, 1, name="c1"), Conv2D(4, 1, name="c2")]
    rows += [BatchNormalization(epsilon=1e-5, name=name) for name in ("n1", "n2")]
    model = Sequential([Input((2, 2, 3)), *rows])
    model.load_weights(tmp_path / "a.onnx")
    assert model.get_layer("c2").bias.tolist() == model.get_layer("c1").bias.tolist() == [0, 1, 2, 3]
    assert model.get_layer("n2").gamma.tolist() == [1] * 4 and model.get_layer("n2").moving_mean.tolist() == [0] * 4


class TorchMaps(nn.Module):
    """A network whose output is a map: dilation, a transposed convolution and an enlargement."""

    def __init__(self, dilation=2, cut=1, mode="bilinear"):
        super().__init__()
        torch.manual_seed(0)
        self.a = nn.Conv2d(3, 4, 3, padding=dilation, dilation=dilation)
        self.b = nn.ConvTranspose2d(4, 5, 4, stride=2, padding=cut)
        self.up = nn.Upsample(scale_factor=2, mode=mode)
        self.c = nn.ConvTranspose2d(5, 2, 3, stride=2, output_padding=1)

    def forward(self, x):
        return self.c(self.up(torch.relu(self.b(self.a(x)))))


def own_maps(library, dilation=2, padding="same", mode="bilinear", output_padding=1):
    """Return the same network of minitl's or Keras's layers."""
    images = library.Input((14, 14, 3), name="images")
    x = library.Conv2D(4, 3, padding="same", dilation_rate=dilation, name="a")(images)
    x = library.Conv2DTranspose(5, 4, strides=2, padding=padding, activation="relu", name="b")(x)
    x = library.UpSampling2D(interpolation=mode)(x)
    return images, library.Conv2DTranspose(2, 3, strides=2, output_padding=output_padding, name="c")(x)


@pytest.mark.parametrize("ending", [".onnx", ".safetensors"])
def test_maps_of_pytorch_load_and_give_its_outputs(tmp_path, ending):
    network, mine = TorchMaps().eval(), Model(*own_maps(minitl.layers))
    path = tmp_path / f"net{ending}"
    export(network, path) if ending == ".onnx" else save_file(network.state_dict(), path)
    report = mine.load_weights(path)
    assert not report.remarks and not report.not_in_file
    x = random(2, 14, 14, 3)
    with torch.no_grad():
        expected = network(torch.tensor(x.transpose(0, 3, 1, 2))).permute(0, 2, 3, 1)
    assert_close(mine.predict(x, verbose=0), expected, 1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dilation": 1}, r"'a': dilation_rate is \(2, 2\) in the file, \(1, 1\) in the model"),
        ({"padding": "valid"}, r"'b': padding is \(\(1, 1\), \(1, 1\)\) in the file, \(\(0, 0\), \(0, 0\)\) in"),
        ({"mode": "nearest"}, "only the file has UpSampling2D.*bilinear"),
        ({"output_padding": 0}, r"'c': padding is \(\(0, -1\), \(0, -1\)\) in the file, \(\(0, 0\), \(0, 0\)\) in"),
    ],
)
def test_maps_of_pytorch_differ_in_one_argument(tmp_path, changes, message):
    path = export(TorchMaps().eval(), tmp_path / "net.onnx")
    with pytest.raises(WeightsError, match=f"(?s){message}"):
        Model(*own_maps(minitl.layers, **changes)).load_weights(path)


# ---- Keras ----


@pytest.mark.filterwarnings("ignore:You are saving")
@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"dilation": 1}, {"padding": "valid"}, {"mode": "nearest"}, {"output_padding": 0}],
    ids=lambda changes: next(iter(changes), "equal"),
)
def test_maps_of_keras_state_their_arguments(tmp_path, ending, changes):
    peer, mine = keras.Model(*own_maps(LAYERS)), Model(*own_maps(minitl.layers, **changes))
    peer.save(tmp_path / f"net{ending}")
    if changes:
        with pytest.raises(WeightsError, match="in the file|only the file has"):
            mine.load_weights(tmp_path / f"net{ending}")
        return
    mine.load_weights(tmp_path / f"net{ending}")
    x = random(2, 14, 14, 3)
    assert_close(mine.predict(x, verbose=0), peer.predict(x, verbose=0), 1e-5)


def test_keras_opens_maps_and_sets(tmp_path):
    images, x = own_maps(minitl.layers)
    boxes = Reshape((-1, 2))(Cropping2D(((1, 0), (2, 3)))(x))
    assert_keras_opens(Model(images, [x, boxes]), tmp_path / "maps.h5", random(2, 14, 14, 3))


def keras_network(library, **changes):
    la = library
    images = la.Input((8, 8, 3), name="images")
    x = la.Conv2D(4, 3, strides=changes.get("strides", 1), padding=changes.get("padding", "same"),
                  activation=changes.get("activation", "relu"), name="c")(images)  # fmt: skip
    x = la.BatchNormalization(epsilon=changes.get("epsilon", 1e-3), momentum=changes.get("momentum", 0.9), name="n")(x)
    x = la.ReLU(max_value=changes.get("max_value", 6.0))(x)
    x = getattr(la, changes.get("pooling", "MaxPooling2D"))(changes.get("pool_size", 2))(x)
    x = getattr(la, changes.get("end", "GlobalAveragePooling2D"))()(x)
    return images, la.Dense(3, activation=changes.get("last", "softmax"), name="d")(x)


class Minitl:
    """minitl's layers by their names."""

    Input, Conv2D, BatchNormalization, ReLU, Dense = Input, Conv2D, BatchNormalization, ReLU, Dense
    MaxPooling2D, AveragePooling2D = MaxPooling2D, AveragePooling2D
    GlobalAveragePooling2D, GlobalMaxPooling2D = GlobalAveragePooling2D, GlobalMaxPooling2D


@pytest.mark.filterwarnings("ignore:You are saving")
@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"momentum": 0.5}, {"epsilon": 1e-5}, {"strides": 2}, {"padding": "valid"}, {"activation": "tanh"},
     {"max_value": None}, {"pooling": "AveragePooling2D"}, {"pool_size": 3}, {"end": "GlobalMaxPooling2D"},
     {"last": "linear"}],
    ids=lambda changes: next(iter(changes), "equal"),
)  # fmt: skip
def test_a_whole_model_of_keras_states_its_arguments(tmp_path, ending, changes):
    peer = keras.Model(*keras_network(LAYERS))
    path = tmp_path / f"net{ending}"
    peer.save(path)
    mine = Model(*keras_network(Minitl, **changes))
    if set(changes) <= {"momentum"}:  # changes the training alone
        assert not mine.load_weights(path).remarks
        x = random(2, 8, 8, 3)
        assert_close(mine.predict(x, verbose=0), peer.predict(x, verbose=0), 1e-5)
        return
    with pytest.raises(WeightsError, match="in the file|only the file has"):
        mine.load_weights(path)
    peer.save_weights(tmp_path / "only.weights.h5")
    mine.load_weights(tmp_path / "only.weights.h5")  # arrays alone state nothing


def assert_keras_opens(model, path, inputs):
    model.save(path)
    peer = keras.models.load_model(path, compile=False)
    expected = model.predict(inputs, verbose=0)
    found = peer.predict(inputs, verbose=0)
    for mine, theirs in zip(*(each if isinstance(each, list) else [each] for each in (expected, found)), strict=True):
        assert_close(mine, theirs, 1e-5)


def test_keras_opens_whole_models(tmp_path, rng):
    """A row, and a model with several inputs and outputs in which a layer is called twice."""
    row = Sequential(
        [
            Input((12, 12, 3)), ZeroPadding2D(((1, 2), (0, 1))), Conv2D(4, 3, strides=2, padding="same",
                activation="relu"),
            BatchNormalization(epsilon=1e-2), ReLU(6.0, 0.1, 0.2), MaxPooling2D(3, 2, "same"), AveragePooling2D(2, 1),
            Flatten(), Dense(5, activation="tanh", use_bias=False), Activation("sigmoid"),
        ]
    )  # fmt: skip
    row.set_weights([rng.uniform(0.1, 0.3, each.shape) for each in row.get_weights()])
    assert_keras_opens(row, tmp_path / "row.h5", random(2, 12, 12, 3))
    a, b = Input((6, 6, 2), name="a"), Input((6, 6, 2), name="b")
    shared = Conv2D(3, 3, name="shared")
    outputs = [GlobalMaxPooling2D()(shared(a)), Dense(2)(GlobalAveragePooling2D(keepdims=True)(shared(b)))]
    assert_keras_opens(Model([a, b], outputs), tmp_path / "two.h5", [random(2, 6, 6, 2), random(2, 6, 6, 2)])


class Twice(Layer):
    def forward(self, x, training=False):
        return 2 * x


def test_keras_names_a_layer_that_it_does_not_have(tmp_path):
    model = Sequential([Input((3,)), Twice(), Dense(2)])
    model.save(tmp_path / "a.h5")
    with pytest.raises(ValueError, match="Unknown layer: 'Twice'"):
        keras.models.load_model(tmp_path / "a.h5")
    again = load_model(tmp_path / "a.h5", custom_objects={"Twice": Twice})
    x = np.ones((1, 3), np.float32)
    assert np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


# ---- PyTorch ----


def test_what_pytorchs_layers_imply_is_said(tmp_path):
    torch.save(torch_network().state_dict(), tmp_path / "a.pth")
    with pytest.warns(
        WeightsWarning, match="'1', '5': epsilon is 0.001; PyTorch's BatchNormalization has 1e-05 unless"
    ):
        report = own_network().load_weights(tmp_path / "a.pth")
    assert report.remarks
    model = Sequential([Input((2, 2, 4)), BatchNormalization(epsilon=1e-5, name="1")])
    assert not model.load_weights(tmp_path / "a.pth", partial=True).remarks


@pytest.mark.parametrize("wrap", [
    lambda s: {"net": s, "epoch": 3}, lambda s: {"model": {"state_dict": s}}, lambda s: {"ema": s},
        lambda s: {"x": {"y": s}},
    lambda s: {"model_state_dict": s, "optimizer": {"state": {"m": s}}, "loss": torch.tensor(1.0)},
    lambda s: {f"module.{key}": each for key, each in s.items()},
    lambda s: {"state_dict": {f"module._orig_mod.{key}": each for key, each in s.items()}},
    lambda s: {f"backbone.{key}": each for key, each in s.items()},
])  # fmt: skip
def test_wrapped_state_dicts_load(tmp_path, wrap):
    state = nn.Sequential(nn.Conv2d(3, 4, 3)).state_dict()
    torch.save(wrap(state), tmp_path / "a.pth")
    model = Sequential([Input((8, 8, 3)), Conv2D(4, 3, name="0")])
    assert model.load_weights(tmp_path / "a.pth").loaded == ["0"]
    assert np.array_equal(model.layers[0].bias, state["0.bias"])


@pytest.mark.filterwarnings("ignore")
def test_what_is_no_state_dict_is_named(tmp_path):
    network, model = nn.Sequential(nn.Linear(2, 2)), Sequential([Input((2,)), Dense(2, name="0")])
    torch.jit.save(torch.jit.script(network), tmp_path / "a.pt")
    with pytest.raises(WeightsError, match="is a TorchScript archive.*torch.jit.load.*state_dict"):
        model.load_weights(tmp_path / "a.pt")
    torch.save({"a": network.state_dict(), "b": network.state_dict()}, tmp_path / "b.pth")
    with pytest.raises(WeightsError, match="several state dicts, 'a', 'b'"):
        model.load_weights(tmp_path / "b.pth")
    torch.save({"epoch": 3, "lr": 0.1}, tmp_path / "c.pth")
    with pytest.raises(WeightsError, match="found dict with 'epoch', 'lr'"):
        model.load_weights(tmp_path / "c.pth")
    torch.export.save(torch.export.export(network, (torch.zeros(1, 2),)), tmp_path / "d.pt2")
    with pytest.raises(WeightsError, match="is a program of torch.export"):
        model.load_weights(tmp_path / "d.pt2")


def test_timms_vgg16_has_convolutions_for_dense_layers(tmp_path):
    """The first dense layer of timm is a convolution over the whole map."""
    names = [(0, "block1_conv1", 3, 4), (2, "block1_conv2", 4, 4)]
    torch.manual_seed(1)
    convolutions = {number: nn.Conv2d(before, after, 3, padding=1) for number, _, before, after in names}
    fc1, fc2, head = nn.Conv2d(4, 6, 5), nn.Conv2d(6, 6, 1), nn.Linear(6, 2)
    modules = {
        **{f"features.{n}": c for n, c in convolutions.items()},
        "pre_logits.fc1": fc1,
        "pre_logits.fc2": fc2,
        "head.fc": head,
    }
    save_file(
        {f"{n}.{key}": each for n, m in modules.items() for key, each in m.state_dict().items()},
        tmp_path / "a.safetensors",
    )
    model = Sequential([Input((5, 5, 3)), *(Conv2D(a, 3, padding="same", name=name) for _, name, _,
        a in names), Flatten(),
                        Dense(6, name="fc1"), Dense(6, name="fc2"), Dense(2, name="predictions")])  # fmt: skip
    model.load_weights(tmp_path / "a.safetensors")
    x = random(2, 5, 5, 3)
    with torch.no_grad():
        y = torch.tensor(x.transpose(0, 3, 1, 2))
        for module in (*convolutions.values(), fc1, fc2):
            y = module(y)
        assert_close(model.predict(x, verbose=0), head(y.flatten(1)), 1e-5)
    with open_weights(tmp_path / "a.safetensors") as file:
        assert len(file.tensors) == 10
