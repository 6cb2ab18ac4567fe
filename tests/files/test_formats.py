"""Names and layouts: files as other programs write them, made by hand, and the parameter that each tensor
belongs to."""

import json
import zipfile

import h5py
import numpy as np
import pytest
from cases.formats import FORMATS

from minitl.errors import ArgumentError, WeightsError
from minitl.layers import (
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    Layer,
    MaxPooling2D,
)
from minitl.models import Model, Sequential, load_model
from minitl.weights import convert, ledger, open_weights

pytestmark = pytest.mark.slow  # nearly every test here starts processes that read unknown files


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
    """Remove all names of layers. Keras before 3.4 wrote such files."""
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
    """Check archives compressed or not. Where the weights have no names, the names come from the architecture."""
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
    """Return {PyTorch's name: array} with PyTorch's axes, for layers with a Flatten of (H, W, C) before the
    last one."""
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
    """The axes of kernels are transposed, and the inputs of the dense layer behind the Flatten come in another
    order."""
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
    """The statistics are in the same order as the pixels, and so are the inputs of the dense layer behind them."""

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
    assert "'conv' kernel: expected (3, 3, 3, 2), found (3, 3, 1, 4) ((4, 1, 3, 3) in the file)" in message
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
    """A safetensors file with Keras's names has Keras's axes."""
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
    """Keras orders layers by the longest path to the output, and reads both layouts by position."""
    images = Input((6, 6, 2))
    x = Conv2D(2, 3, padding="same", name="stem")(images)
    short = Conv2D(2, 1, name="short")(x)
    y = Conv2D(2, 3, padding="same", name="long1")(x)
    y = Conv2D(2, 3, padding="same", name="long2")(y)
    model = Model(images, Add(name="add")([short, y]))
    order = [layer.name for layer in model.layers]
    assert order[1:] == ["stem", "long1", "short", "long2", "add"]


def test_names_that_promise_another_format(tmp_path):
    for suffix in ".keras", ".pth", ".onnx", ".safetensors":
        with pytest.raises(ArgumentError, match="minitl writes HDF5; name the file .h5 or .weights.h5"):
            row().save_weights(tmp_path / f"model{suffix}")
    assert list(tmp_path.iterdir()) == []


# ---- found by trying to break it ----


def test_floats_that_numpy_does_not_know(tmp_path):
    """HDF5 can describe any float. h5py converts unknown ones while it reads, so their bytes must not be taken as they
    are."""
    bfloat16 = h5py.h5t.IEEE_F32LE.copy()
    bfloat16.set_fields(15, 7, 8, 0, 7)
    bfloat16.set_precision(16)
    bfloat16.set_offset(0)
    bfloat16.set_size(2)
    bfloat16.set_ebias(127)
    numbers = np.array([[1, -0.5], [2, 1024]], np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = [b"out"]
        group = file.create_group("out")
        group.attrs["weight_names"] = [b"out/kernel:0"]
        space = h5py.h5s.create_simple((2, 2))
        dataset = h5py.Dataset(h5py.h5d.create(group.create_group("out").id, b"kernel:0", bfloat16, space))
        dataset.write_direct(numbers)
    model = Sequential([Dense(2, use_bias=False, name="out", input_shape=(2,))])
    model.load_weights(tmp_path / "a.h5")
    assert np.array_equal(model.layers[0].kernel, numbers)


def test_the_order_behind_two_flattens_in_a_row(tmp_path, rng):
    layers = [MaxPooling2D(input_shape=(4, 4, 3), name="pool"), Flatten(), Flatten(), Dense(2, name="out")]
    mine = randomized(Sequential(layers), rng)
    state = in_torchs_layout(mine, {"out": "out"})
    other = Sequential([MaxPooling2D(input_shape=(4, 4, 3)), Flatten(), Flatten(), Dense(2, name="out")])
    other.load_weights(safetensors(tmp_path / "a.safetensors", state))
    assert equal(mine, other)


def test_the_order_behind_mixed_maps_is_not_guessed(tmp_path):
    images = Input((4, 4, 2))
    a = Flatten(name="fa")(MaxPooling2D(name="pa")(images))
    b = Flatten(name="fb")(MaxPooling2D(4, name="pb")(images))
    model = Model(images, Dense(2, name="out")(Concatenate(name="both")([a, b])))
    state = {"out.weight": np.ones((2, 10), "<f4"), "out.bias": np.ones(2, "<f4")}
    with pytest.raises(WeightsError, match="the order in which 'out.weight' expects the pixels .* is unknown"):
        model.load_weights(safetensors(tmp_path / "a.safetensors", state))


def test_a_sequential_within_a_model_in_the_legacy_layout(tmp_path, rng):
    """Keras puts the inner model's name before its layers' names."""
    model = randomized(row(), rng)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = [b"base", b"out"]
        inner = [(la.name, key) for la in model.layers[:3] for key in la.weight_names]
        file.create_group("base").attrs["weight_names"] = [f"base/{name}/{key}".encode() for name, key in inner]
        for name, key in inner:
            file[f"base/base/{name}/{key}"] = getattr(model.get_layer(name), key)
        file.create_group("out").attrs["weight_names"] = [b"out/kernel", b"out/bias"]
        for key in "kernel", "bias":
            file[f"out/out/{key}"] = getattr(model.get_layer("out"), key)
    other = row()
    other.load_weights(tmp_path / "a.h5")
    assert equal(model, other)


def test_equal_names_in_two_inner_models(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = [b"a", b"b"]
        for number, group in enumerate("ab"):
            file.create_group(group).attrs["weight_names"] = [b"fc/kernel"]
            file[f"{group}/fc/kernel"] = np.full((2, 2), number + 1, "<f4")
    model = Sequential([Dense(2, use_bias=False, name="fc", input_shape=(2,)), Dense(2, use_bias=False, name="fc2")])
    with pytest.raises(WeightsError, match="layer 'fc' has two tensors .*Tell them apart with names={'b/fc': "):
        model.load_weights(tmp_path / "a.h5", partial=True)
    model.load_weights(tmp_path / "a.h5", names={"a/fc": "fc2", "b/fc": "fc"})
    assert model.layers[0].kernel[0, 0] == 2 and model.layers[1].kernel[0, 0] == 1


def test_tensors_that_bear_another_layers_name(tmp_path):
    """TensorFlow 1 renamed repeated names. The group decides, also where the model has no layer of its name."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = [b"c1", b"c1_1"]
        for number, group in enumerate(["c1", "c1_1"]):
            file.create_group(group).attrs["weight_names"] = [f"c1_{number + 1}/kernel:0".encode()]
            file[f"{group}/c1_{number + 1}/kernel:0"] = np.full((2, 2), number, "<f4")
    model = Sequential([Dense(2, use_bias=False, name="c1_1", input_shape=(2,))])
    model.load_weights(tmp_path / "a.h5", partial=True)
    assert (model.layers[0].kernel == 1).all()


@pytest.mark.parametrize("names", [5, ["a"], {"a": []}, {1: "conv"}])
def test_names_that_are_none(tmp_path, names):
    model = Sequential([Dense(2, name="out", input_shape=(2,))])
    model.save_weights(tmp_path / "a.h5")
    with pytest.raises(ArgumentError, match="expected a dictionary {name in the file: layer name}"):
        model.load_weights(tmp_path / "a.h5", names=names)


def test_float64_and_scalars_come_back_exactly(tmp_path):
    class Scale(Layer):
        def build(self, input_shape):
            self.add_weight("alpha", (), "ones")

        def forward(self, x, training=False):
            self.accept(x.shape)
            return x * self.alpha

    model = Sequential([Scale(name="scale", input_shape=(2,)), Dense(2, name="out")])
    model.get_layer("out").kernel = model.get_layer("out").kernel.astype(np.float64) * np.pi
    model.get_layer("scale").alpha[...] = 3
    expected = model.get_layer("out").kernel.copy()
    model.save_weights(tmp_path / "a.h5")
    for _ in range(2):
        model.load_weights(tmp_path / "a.h5")
        assert np.array_equal(model.get_layer("out").kernel, expected) and model.get_layer("scale").alpha.shape == ()
    assert model.ledger["out", "kernel"].state == "unchanged"


def test_numbers_too_large_for_the_model(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = [b"out"]
        file.create_group("out").attrs["weight_names"] = [b"out/kernel"]
        file["out/out/kernel"] = np.full((2, 2), 1e300)
    model = Sequential([Dense(2, use_bias=False, name="out", input_shape=(2,))])
    with pytest.raises(WeightsError, match="'out' kernel holds inf"):
        model.load_weights(tmp_path / "a.h5")


# ---- converting ----


def converted(source, target, **options):
    with open_weights(source) as file:
        return convert.as_it_is(file, target) if not options else convert.through_model(file, target=target, **options)


def test_archives_keep_the_order_that_keras_goes_by(tmp_path, rng):
    """The file orders layers by class, the converted layout by position. The architecture connects the two."""
    model = randomized(row(), rng)
    model.save_weights(tmp_path / "inner.weights.h5")
    layers = [{"class_name": type(la).__name__, "config": {"name": la.name}} for la in model.layers]
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": layers}}))
        archive.write(tmp_path / "inner.weights.h5", "model.weights.h5")
    assert converted(tmp_path / "model.keras", tmp_path / "a.h5") == (4, 10, model.count_params())
    with h5py.File(tmp_path / "a.h5") as file:
        assert [name.decode() for name in file.attrs["layer_names"]] == ["c1", "norm", "c2", "out"]
    with pytest.raises(WeightsError, match="does not state the order of the layers.*--model"):
        converted(tmp_path / "inner.weights.h5", tmp_path / "b.h5")
    converted(tmp_path / "inner.weights.h5", tmp_path / "c.weights.h5")
    for path in "a.h5", "c.weights.h5":
        other = row()
        other.load_weights(tmp_path / path)
        assert equal(model, other)


def test_a_saved_model_stays_one_when_it_is_converted(tmp_path, rng):
    model = randomized(row(), rng)
    model.save(tmp_path / "a.h5")
    converted(tmp_path / "a.h5", tmp_path / "b.h5")
    assert equal(load_model(tmp_path / "b.h5"), model)


def test_what_a_conversion_cannot_tell_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = [b"a", b"b"]
        for group in "ab":
            file.create_group(group).attrs["weight_names"] = [b"fc/kernel", b"other/kernel"]
            file[f"{group}/fc/kernel"] = file[f"{group}/other/kernel"] = np.ones((2, 2), "<f4")
    with pytest.raises(WeightsError, match="two layers are called 'fc'"):
        converted(tmp_path / "a.h5", tmp_path / "b.h5")
    safetensors(tmp_path / "a.safetensors", {"x.weight": np.ones((2, 2), "<f4")})
    with pytest.raises(WeightsError, match="expected a file of Keras's, found"):
        converted(tmp_path / "a.safetensors", tmp_path / "b.h5")
    assert not (tmp_path / "b.h5").exists()


def test_a_conversion_without_a_ledger_gets_one(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["layer_names"] = [b"out"]
        file.create_group("out").attrs["weight_names"] = [b"out/alpha", b"out/name"]
        file["out/out/alpha"], file["out/out/name"] = np.ones(3, "<f4"), np.zeros(2, "<f4")
    converted(tmp_path / "a.h5", tmp_path / "b.h5")
    with open_weights(tmp_path / "b.h5") as file:
        entries, _ = ledger.from_text(file.listing.texts[ledger.KEY])
    assert entries["out", "alpha"][0].origin.file == "a.h5" and ("out", "name") in entries


# ---- every format of the table in tests/cases/formats.py ----


def file_in(case, folder, model):
    """Return the path of a file with the weights of `model`, written as another program writes the format."""
    arrays = {
        f"{layer.name}.{key}": np.ascontiguousarray(getattr(layer, key), "<f4")
        for layer in model.layers
        for key in layer.weight_names
    }
    path = folder / f"weights{case.ending}"
    case.write(path, arrays)
    return path


@pytest.mark.parametrize("case", FORMATS, ids=[case.name for case in FORMATS])
def test_a_format_of_the_table_is_loaded_bit_by_bit(case, tmp_path, rng):
    model, loaded = randomized(row(), rng), row()
    path = file_in(case, tmp_path, model)
    loaded.load_weights(path)
    assert equal(model, loaded)
    for layer in loaded.layers:
        for name in layer.weight_names:
            assert loaded.ledger[layer.name, name].state == "unchanged"
    loaded.load_weights(path)  # now a known file: it is listed in this process
    assert equal(model, loaded)


@pytest.mark.parametrize("case", FORMATS, ids=[case.name for case in FORMATS])
def test_a_format_of_the_table_refuses_other_layers_and_damaged_files(case, tmp_path, rng):
    path = file_in(case, tmp_path, randomized(row(), rng))
    with pytest.raises(WeightsError, match="other"):
        row(("c1", "c2", "other")).load_weights(path)
    content = path.read_bytes()
    for length in len(content) // 2, len(content) - 1:
        path.write_bytes(content[:length])
        with pytest.raises(WeightsError):
            row().load_weights(path)
