"""Names and layouts: which tensor of a file is which parameter. Files as other programs write them, made by hand."""

import json
import zipfile

import h5py
import numpy as np
import pytest

from minitl.errors import ArgumentError, WeightsError
from minitl.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
)
from minitl.models import Model, Sequential
from minitl.weights import keras_h5, open_weights


def row(names=("c1", "c2", "out")):
    return Sequential(
        [
            Conv2D(2, 3, input_shape=(6, 6, 3), name=names[0]),
            BatchNormalization(name="norm"),
            Conv2D(2, 3, padding="same", name=names[1]),
            MaxPooling2D(name="pool"),
            Flatten(name="flat"),
            Dropout(0.5, name="drop"),
            Dense(4, name=names[2]),
        ]
    )


def randomized(model, rng):
    model.set_weights([rng.uniform(0.5, 1, each.shape) for each in model.get_weights()])
    return model


def equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


def strip_names(path):
    """What Keras before 3.4 wrote: no layer's name anywhere."""
    with h5py.File(path, "r+") as file:
        file.visititems(lambda name, group: group.attrs.pop("name", None) and None)


def test_keras_3_files_without_names(tmp_path, rng):
    model = randomized(row(), rng)
    path = tmp_path / "early.weights.h5"
    model.save_weights(path)
    strip_names(path)
    other = row(("other", "names", "here"))  # Keras goes by class and count, and so do we, in a plain row
    other.load_weights(path)
    assert equal(model, other)


def test_keras_3_files_without_names_are_ambiguous_for_branches(tmp_path):
    images = Input((6, 6, 2))
    x = Conv2D(2, 3, padding="same", name="a")(images)
    model = Model(images, Add()([x, Conv2D(2, 3, padding="same", name="b")(x)]))
    path = tmp_path / "early.weights.h5"
    model.save_weights(path)
    model.load_weights(path)
    strip_names(path)
    with pytest.raises(
        WeightsError, match="numbers its layers instead of naming them .*ambiguous for a model with branches"
    ):
        model.load_weights(path)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_keras_archives(tmp_path, rng, named, compression):
    """Compressed or not; where the weights have no names, the architecture has them."""
    model = randomized(row(), rng)
    model.save_weights(tmp_path / "inner.weights.h5")
    if not named:
        strip_names(tmp_path / "inner.weights.h5")
    layers = [{"class_name": type(la).__name__, "config": {"name": la.name}} for la in model.layers]
    layers.insert(0, {"class_name": "InputLayer", "config": {"name": "input"}})
    with zipfile.ZipFile(tmp_path / "model.keras", "w", compression) as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": layers}}))
        archive.write(tmp_path / "inner.weights.h5", "model.weights.h5")
    other = row()
    other.load_weights(tmp_path / "model.keras")
    assert equal(model, other)


def test_a_model_within_a_model_in_the_legacy_layout(tmp_path, rng):
    model = randomized(row(), rng)
    path = tmp_path / "nested.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"base", b"flat", b"out"]
        base = file.create_group("base")
        inner = [(la.name, key) for la in model.layers[:3] for key in la.weight_names]
        base.attrs["weight_names"] = [f"{name}/{key}:0".encode() for name, key in inner]
        for name, key in inner:
            base[f"{name}/{key}:0"] = getattr(model.get_layer(name), key)
        file.create_group("flat").attrs["weight_names"] = np.array([], "S1")
        file.create_group("out").attrs["weight_names"] = [b"sequential/out/kernel", b"sequential/out/bias"]
        for key in "kernel", "bias":
            file[f"out/sequential/out/{key}"] = getattr(model.get_layer("out"), key)
    other = row()
    other.load_weights(path)
    assert equal(model, other)


def in_torchs_layout(model, names):
    """{PyTorch's name: array} with PyTorch's axes, for a row with a Flatten of (H, W, C) before the last layer."""
    words = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    state = {}
    for layer in model.layers:
        height, width, channels = model.get_layer("pool").output_shape[1:]
        for key in layer.weight_names:
            array = getattr(layer, key)
            if key == "kernel" and array.ndim == 4:
                array = array.transpose(3, 2, 0, 1)
            elif key == "kernel":
                array = array.reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(array.shape).T
            word = "weight" if key == "kernel" else words.get(key, key)
            state[f"{names[layer.name]}.{word}"] = np.ascontiguousarray(array, "<f4")
    return state


def safetensors(path, state):
    header, numbers = {}, b""
    for name, array in state.items():
        header[name] = {
            "dtype": "F32",
            "shape": array.shape,
            "data_offsets": [len(numbers), len(numbers) + array.nbytes],
        }
        numbers += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + numbers)
    return path


OWN = {"c1": "c1", "norm": "norm", "c2": "c2", "out": "out"}
NUMBERED = {"c1": "features.0", "norm": "features.1", "c2": "features.3", "out": "classifier.1"}


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("naming", [OWN, NUMBERED])
def test_pytorchs_axes_and_order(tmp_path, rng, naming, prefix):
    """Kernels turned, and the inputs of the dense layer behind the Flatten in another order."""
    model = randomized(row(), rng)
    state = {prefix + name: array for name, array in in_torchs_layout(model, naming).items()}
    state[f"{prefix}{naming['norm']}.num_batches_tracked"] = np.zeros(1, "<f4")
    other = row()
    names = {theirs: ours for ours, theirs in naming.items()} if naming is NUMBERED else None
    other.load_weights(safetensors(tmp_path / "torch.safetensors", state), names=names)
    assert equal(model, other)
    assert other.ledger["out", "kernel"].origin.how == (
        "axes (units, inputs) -> (inputs, units), inputs in the order (H, W, C) instead of (C, H, W)"
    )


def test_batch_normalization_between_flatten_and_dense(tmp_path, rng):
    """Its statistics stand in the same order as the pixels, and so do the inputs of the dense layer behind it."""

    def model():
        layers = [MaxPooling2D(input_shape=(4, 6, 3), name="pool"), Flatten(), BatchNormalization(name="norm"),
                  Dense(2, name="out")]  # fmt: skip
        return Sequential(layers)

    mine = randomized(model(), rng)
    state = in_torchs_layout(mine, {"norm": "norm", "out": "out"})
    for name in "weight", "bias", "running_mean", "running_var":
        state[f"norm.{name}"] = np.ascontiguousarray(state[f"norm.{name}"].reshape(2, 3, 3).transpose(2, 0, 1).ravel())
    other = model()
    other.load_weights(safetensors(tmp_path / "torch.safetensors", state))
    assert equal(mine, other)


def test_no_flatten_no_new_order(tmp_path, rng):
    model = Sequential([Conv2D(4, 1, input_shape=(3, 3, 2), name="c"), GlobalAveragePooling2D(), Dense(3, name="out")])
    kernel = rng.standard_normal((3, 4)).astype("<f4")
    conv = rng.standard_normal((4, 2, 1, 1)).astype("<f4")
    state = {"c.weight": conv, "c.bias": np.zeros(4, "<f4"), "out.weight": kernel, "out.bias": np.ones(3, "<f4")}
    model.load_weights(safetensors(tmp_path / "a.safetensors", state))
    assert np.array_equal(model.get_layer("out").kernel, kernel.T)


def test_torchvisions_names_are_known(tmp_path):
    from minitl.weights.naming import TORCHVISION

    table = TORCHVISION["vgg16"]
    assert len(table) == 16 and table["features.28"] == "block5_conv3" and table["classifier.6"] == "predictions"
    model = Sequential([Conv2D(2, 3, input_shape=(5, 5, 3), name="block1_conv1")])
    state = {"features.0.weight": np.ones((2, 3, 3, 3), "<f4"), "features.0.bias": np.ones(2, "<f4")}
    model.load_weights(safetensors(tmp_path / "vgg.safetensors", state))
    assert model.layers[0].kernel.sum() == 54


def test_every_difference_with_the_shape_in_the_file(tmp_path):
    model = Sequential([Conv2D(2, 3, input_shape=(5, 5, 3), name="conv")])
    state = {
        "conv.weight": np.ones((4, 1, 3, 3), "<f4"),
        "conv.bias": np.ones(5, "<f4"),
        "top.weight": np.ones((2, 2), "<f4"),
    }
    with pytest.raises(WeightsError) as error:
        model.load_weights(safetensors(tmp_path / "a.safetensors", state))
    message = str(error.value)
    assert "'conv' kernel: expected (3, 3, 3, 2), found (3, 3, 1, 4) ((4, 1, 3, 3) there)" in message
    assert (
        "'conv' bias: expected (2,), found (5,)" in message and "'top' is in the file but not in the model" in message
    )
    with pytest.raises(WeightsError, match="the model has no layer 'nowhere'"):
        model.load_weights(tmp_path / "a.safetensors", names={"conv": "nowhere"})
    with pytest.raises(
        WeightsError, match="layer 'conv' has two tensors called 'kernel': 'conv.weight' and 'top.weight'"
    ):
        model.load_weights(tmp_path / "a.safetensors", names={"top": "conv"})


def test_words_of_keras_in_another_format(tmp_path, rng):
    """safetensors with Keras's names have Keras's axes."""
    model = randomized(row(), rng)
    state = {
        f"{la.name}.{key}": np.ascontiguousarray(getattr(la, key)) for la in model.layers for key in la.weight_names
    }
    other = row()
    other.load_weights(safetensors(tmp_path / "keras.safetensors", state))
    assert equal(model, other)


@pytest.mark.parametrize("dtype", ["<f2", ">f4", ">f8", "<f8"])
def test_other_types_of_numbers(tmp_path, dtype):
    numbers = np.array([[1, -0.5], [2, 1024]])
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = [b"out"]
        file.create_group("out").attrs["weight_names"] = [b"out/kernel:0"]
        file.create_dataset("out/out/kernel:0", data=numbers.astype(dtype))
    model = Sequential([Dense(2, use_bias=False, name="out", input_shape=(2,))])
    model.load_weights(tmp_path / "a.h5")
    assert model.layers[0].kernel.dtype == np.float32 and np.array_equal(model.layers[0].kernel, numbers)
    assert model.ledger["out", "kernel"].state == "unchanged"


def test_bfloat16(tmp_path):
    numbers = np.array([1, -2.5, 0.15625], "<f4")
    halves = (numbers.view("<u4") >> 16).astype("<u2")
    text = json.dumps({"out.bias": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}).encode()
    (tmp_path / "a.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + halves.tobytes())
    with open_weights(tmp_path / "a.safetensors") as file:
        assert np.array_equal(file.read(file.tensors[0]), numbers)


def test_kerass_order_of_layers():
    """By the length of the way to the output: Keras reads both layouts by position."""
    images = Input((6, 6, 2))
    x = Conv2D(2, 3, padding="same", name="stem")(images)
    short = Conv2D(2, 1, name="short")(x)
    y = Conv2D(2, 3, padding="same", name="long1")(x)
    y = Conv2D(2, 3, padding="same", name="long2")(y)
    model = Model(images, Add(name="add")([short, y]))
    order = [layer.name for layer in keras_h5.keras_order(model)]
    assert order[1:] == ["stem", "long1", "short", "long2", "add"]


def test_names_that_promise_another_format(tmp_path):
    for suffix in ".keras", ".pth", ".onnx", ".safetensors":
        with pytest.raises(ArgumentError, match="minitl writes HDF5; name the file .h5 or .weights.h5"):
            row().save_weights(tmp_path / f"model{suffix}")
    assert list(tmp_path.iterdir()) == []
