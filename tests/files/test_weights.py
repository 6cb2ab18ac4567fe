"""Files: saved weights come back, weights that do not fit are named, and a file is never half written nor half
loaded."""

import json
import os

import h5py
import numpy as np
import pytest

from minitl import weights
from minitl.errors import CheckpointError, GraphError, MinitlError, UnsafeFileError, WeightsError
from minitl.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    Layer,
    MaxPooling2D,
    ZeroPadding2D,
)
from minitl.models import Model, Sequential, load_model
from minitl.weights.formats import keras_h5


def network(units=3):
    images = Input((6, 6, 2))
    x = Conv2D(4, 3, padding="same", activation="relu", name="conv")(images)
    x = Add(name="add")([x, BatchNormalization(name="norm", momentum=0.9)(x)])
    x = Dropout(0.5, seed=3, name="drop")(MaxPooling2D(name="pool")(ZeroPadding2D(((1, 0), (0, 1)), name="pad")(x)))
    return Model(images, Dense(units, activation="softmax", name="out")(Flatten(name="flat")(x)), name="net")


@pytest.fixture
def saved(tmp_path, rng):
    model = network()
    model.set_weights([rng.uniform(0.5, 1, w.shape) for w in model.get_weights()])
    model.get_layer("conv").trainable = False
    model.metadata = {"class_names": ["a", "b", "ü"]}
    path = tmp_path / "model.h5"
    model.save(path)
    return model, path


def test_a_saved_model_comes_back(saved, rng):
    model, path = saved
    loaded = load_model(path)
    x = rng.standard_normal((5, 6, 6, 2)).astype(np.float32)
    assert np.array_equal(loaded.predict(x), model.predict(x))
    assert [repr(layer) for layer in loaded.layers] == [repr(layer) for layer in model.layers]
    assert [layer.trainable for layer in loaded.layers] == [layer.trainable for layer in model.layers]
    assert loaded.metadata == model.metadata and loaded.name == "net"
    loaded.compile("adam", "mse")
    loaded.train_on_batch(x, np.zeros((5, 3)))  # everything is there to go on training


def test_weights_alone(saved, tmp_path):
    model, _ = saved
    model.save_weights(tmp_path / "weights.h5")
    other = network()
    report = other.load_weights(tmp_path / "weights.h5")
    assert report.loaded == ["conv", "norm", "out"] and report.parameters == model.count_params()
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights()))
    assert not report.not_in_file and not report.not_in_model
    with pytest.raises(WeightsError, match="holds no model, only weights at most"):
        load_model(tmp_path / "weights.h5")


def test_the_architecture_is_data(saved):
    _, path = saved
    with h5py.File(path) as file:
        data = json.loads(file["minitl_architecture"][()])
    assert data["layers"][1]["class"] == "Conv2D" and data["layers"][3]["inputs"] == ["conv", "norm"]


def tamper(path, change):
    """Change the architecture text of a saved model."""
    with h5py.File(path, "r+") as file:
        texts = {name: file[name][()].decode() for name in keras_h5.TEXTS}
        for name in texts:
            del file[name]
        keras_h5.write_texts(file, {**texts, "minitl_architecture": change(texts["minitl_architecture"])})


@pytest.mark.slow
@pytest.mark.parametrize(
    "change, message",
    [
        (lambda text: text.replace('"Conv2D"', '"os.system"'), "unknown layer class 'os.system'"),
        (lambda text: text.replace('"Conv2D"', '"SymbolicTensor"'), "unknown layer class"),
        (lambda text: text.replace('"strides": [1, 1]', '"stride": 1'), "cannot be built"),
        (lambda text: text.replace('"format": 1', '"format": 99'), "format 99; this version reads formats 1"),
        (lambda text: text[:-9], "cannot be built"),
        (lambda text: "[]", "cannot be built"),
        (lambda text: '{"format": 1, "layers": []}', "does not begin with an InputLayer"),
        (lambda text: text.replace('"inputs": ["add"]', '"inputs": []'), "cannot be built"),
        (lambda text: text.replace('"units": 3', '"units": 10000000000000'), "'out' kernel: expected|cannot be built"),
        (lambda text: text.replace('"momentum": 0.9', '"momentum": null'), "momentum is None; expected a number"),
        (lambda text: text.replace('"metadata": {', '"metadata": 5, "x": {'), "metadata that is no dictionary"),
        (lambda text: text.replace('"filters": 4', '"filters": 5'), r"'conv' kernel: expected \(3, 3, 2, 5\), found"),
    ],
)
def test_an_architecture_that_cannot_be(saved, change, message):
    _, path = saved
    tamper(path, change)
    with pytest.raises(WeightsError, match=message):
        load_model(path)


def test_own_layers_are_named_at_loading(tmp_path):
    class Double(Layer):
        def forward(self, x, training=False):
            return 2 * x

    model = Sequential([Double(name="double", input_shape=(2,)), Dense(1)])
    model.save(tmp_path / "own.h5")
    with pytest.raises(WeightsError, match="unknown layer class 'Double'; name your own in custom_objects"):
        load_model(tmp_path / "own.h5")
    loaded = load_model(tmp_path / "own.h5", custom_objects={"Double": Double})
    assert isinstance(loaded.get_layer("double"), Double)


def test_every_difference_in_one_message(saved, tmp_path):
    _, path = saved
    images = Input((6, 6, 1))
    x = Conv2D(4, 5, name="conv")(images)
    other = Model(
        images, Dense(3, use_bias=False, name="out2")(Flatten()(Conv2D(2, 1, use_bias=False, name="norm")(x)))
    )
    before = other.get_weights()
    with pytest.raises(WeightsError) as error:
        other.load_weights(path)
    message = str(error.value)
    for part in (
        f"{path} does not fit the model",
        "'out2' is in the model but not in the file",
        "'out' is in the file but not in the model",
        "'conv' kernel: expected (5, 5, 1, 4), found (3, 3, 2, 4)",
        "'norm' kernel: expected (1, 1, 4, 2), missing in the file",
        "'norm' gamma: in the file (4,), not in the model",
        "partial=True",
    ):
        assert part in message
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights()))


def test_partial_loading_tells_what_was_left_out(saved):
    _, path = saved
    images = Input((6, 6, 2))
    other = Model(images, Dense(2, name="new")(Flatten()(Conv2D(4, 3, padding="same", name="conv")(images))))
    report = other.load_weights(path, partial=True)
    assert (report.loaded, report.not_in_file, report.not_in_model) == (["conv"], ["new"], ["norm", "out"])
    assert "skipped: norm, out" in str(report)
    with pytest.raises(WeightsError, match="none of its layers .conv, norm, out. is in the model"):
        Sequential([Dense(2, name="x", input_shape=(2,))]).load_weights(path, partial=True)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_tensor_with_nan_is_named_and_nothing_is_loaded(saved, bad):
    _, path = saved
    with h5py.File(path, "r+") as file:
        file["norm/norm/gamma:0"][2] = bad
    other = network()
    before = other.get_weights()
    with pytest.raises(WeightsError, match=rf"'norm' gamma holds {bad} at \(2,\).*Nothing was loaded"):
        other.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights()))


def keras_file(path, names, arrays, layer="conv", wrap=np.bytes_, root="/"):
    with h5py.File(path, "w") as file:
        group = file.require_group(root)
        group.attrs["layer_names"] = [wrap("input_1"), wrap(layer)]
        group.create_group("input_1").attrs["weight_names"] = np.array([], "S1")
        group.create_group(layer).attrs["weight_names"] = [wrap(name) for name in names]
        for name, array in zip(names, arrays):
            group[layer][name] = array


@pytest.mark.parametrize("root", ["/model_weights", pytest.param("/", marks=pytest.mark.slow)])
@pytest.mark.parametrize("wrap", [np.bytes_, str])
@pytest.mark.parametrize(
    "names", [("conv/kernel:0", "conv/bias:0"), ("conv_W_1:0", "conv_b_1:0"), ("a/b/kernel", "a/b/bias")]
)
def test_names_of_every_keras(tmp_path, rng, names, wrap, root):
    """Keras 1, 2 and 3 named their tensors differently, in bytes or text. Whole models have a group around them."""
    arrays = rng.standard_normal((3, 3, 2, 4)).astype(np.float32), rng.standard_normal(4).astype(np.float32)
    keras_file(tmp_path / "file.h5", names, arrays, wrap=wrap, root=root)
    model = Sequential([Conv2D(4, 3, input_shape=(6, 6, 2), name="conv")])
    model.load_weights(tmp_path / "file.h5")
    assert all(np.array_equal(a, b) for a, b in zip(arrays, model.get_weights()))


def test_unknown_names_are_not_guessed(tmp_path):
    keras_file(tmp_path / "file.h5", ["conv/alpha:0"], [np.zeros(3, np.float32)])
    with pytest.raises(WeightsError, match=r"'conv' kernel: .*missing in the file\n.*\n.*'conv' alpha: in the file"):
        Sequential([Conv2D(4, 3, input_shape=(6, 6, 2), name="conv")]).load_weights(tmp_path / "file.h5")


def test_attributes_too_large_for_hdf5_are_split(tmp_path, monkeypatch):
    monkeypatch.setattr(keras_h5, "ATTRIBUTE_LIMIT", 20)
    model = Sequential(
        [Dense(1, input_shape=(1,), name="layer_number_0"), *(Dense(1, name=f"layer_number_{i}") for i in range(1, 5))]
    )
    model.save_weights(tmp_path / "many.h5")
    with h5py.File(tmp_path / "many.h5") as file:
        assert "layer_names" not in file.attrs and "layer_names4" not in file.attrs and "layer_names3" in file.attrs
    assert len(model.load_weights(tmp_path / "many.h5").loaded) == 5


NO_WEIGHTS = [
    (b"", "an empty file"),
    (b"<!DOCTYPE html><html>not found</html>", "an HTML or XML page"),
    (b"just some words", "text"),
    (b"version https://git-lfs.github.com/spec/v1\n", "a git-lfs pointer"),
    (b"\x00\x01\x02", "binary data of another kind"),
]


@pytest.mark.parametrize("content, kind", NO_WEIGHTS, ids=[kind for _, kind in NO_WEIGHTS])
def test_files_of_another_kind(tmp_path, content, kind):
    (tmp_path / "weights.h5").write_bytes(content)
    with pytest.raises(WeightsError, match=rf"weights.h5: expected weights \(.*\), found {kind}"):
        network().load_weights(tmp_path / "weights.h5")


def test_missing_and_cut_short(tmp_path, saved):
    _, path = saved
    with pytest.raises(WeightsError, match="cannot be read .No such file"):
        network().load_weights(tmp_path / "nowhere.h5")
    whole = path.read_bytes()
    for part in 0.2, 0.5, 0.9:
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(WeightsError, match="damaged"):
            load_model(path)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(WeightsError, match="neither the attribute 'layer_names'"):
        network().load_weights(tmp_path / "other.h5")


@pytest.mark.parametrize("link", [h5py.SoftLink("/out"), h5py.ExternalLink("secret.h5", "/")])
def test_links_are_never_followed(saved, link):
    _, path = saved
    with h5py.File(path, "r+") as file:
        del file["conv"]
        file["conv"] = link
    with pytest.raises(UnsafeFileError, match="conv' is a link to somewhere else"):
        network().load_weights(path)


def test_saving_is_all_or_nothing(saved, tmp_path, monkeypatch):
    model, path = saved
    before = path.read_bytes()

    def disk_full(*_, **__):
        raise OSError(28, "No space left on device")

    for target in "create_group", "create_dataset":
        with monkeypatch.context() as patch:
            patch.setattr(h5py.Group, target, disk_full)
            with pytest.raises(CheckpointError, match="No space left on device.*untouched"):
                model.save(path)
    monkeypatch.setattr(weights.saving, "_check_written", disk_full)
    with pytest.raises(CheckpointError, match="untouched"):
        model.save(path)
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["model.h5"]
    with pytest.raises(CheckpointError, match="cannot write there .No such file"):
        model.save(tmp_path / "no" / "folder.h5")


def test_a_part_of_a_model_cannot_be_saved(saved, tmp_path):
    model, _ = saved
    rest = Model(model.output_of("pool"), model.output)
    with pytest.raises(GraphError, match="begins in the middle of another"):
        rest.save(tmp_path / "rest.h5")


def test_two_tensors_of_one_name_are_refused(tmp_path, rng):
    names, arrays = ["conv/kernel:0", "other/kernel:0"], [rng.standard_normal((3, 3, 2, 4)).astype(np.float32)] * 2
    keras_file(tmp_path / "file.h5", names, arrays)
    model = Sequential([Conv2D(4, 3, use_bias=False, input_shape=(6, 6, 2), name="conv")])
    with pytest.raises(WeightsError, match="layer 'conv' has two tensors called 'kernel'"):
        model.load_weights(tmp_path / "file.h5")


def test_own_parameters_are_saved_too(tmp_path):
    class Scale(Layer):
        def build(self, input_shape):
            self.add_weight("alpha", input_shape[1:], "ones")

        def forward(self, x, training=False):
            self.accept(x.shape)
            return x * self.alpha

    model = Sequential([Scale(name="scale", input_shape=(3,)), Dense(1)])
    model.get_layer("scale").alpha[1] = 5
    model.save(tmp_path / "own.h5")
    assert load_model(tmp_path / "own.h5", custom_objects={"Scale": Scale}).get_layer("scale").alpha[1] == 5


def test_a_sequential_comes_back_as_one(tmp_path):
    model = Sequential([Dense(3, input_shape=(2,)), Dense(1)], name="row")
    model.save(tmp_path / "row.h5")
    loaded = load_model(tmp_path / "row.h5")
    assert isinstance(loaded, Sequential) and [la.name for la in loaded.layers] == ["dense", "dense_1"]
    loaded.add(Dense(2))
    assert loaded.output_shape == (None, 2)


def test_saving_keeps_links_and_permissions(tmp_path):
    model = Sequential([Dense(1, input_shape=(1,))])
    target, link = tmp_path / "target.h5", tmp_path / "link.h5"
    model.save(target)
    target.chmod(0o600)
    try:
        link.symlink_to(target)
    except OSError:
        pytest.skip("this system does not let us make symbolic links")
    model.get_layer("dense").kernel[...] = 7
    model.save(link)
    assert link.is_symlink() and load_model(target).get_layer("dense").kernel[0, 0] == 7
    assert os.name == "nt" or target.stat().st_mode & 0o077 == 0


def test_what_cannot_be_saved_or_read(tmp_path):
    model = Sequential([Dense(1, input_shape=(1,))])
    model.metadata = {"classes": np.zeros(3)}
    with pytest.raises(CheckpointError, match="metadata or a layer's argument is not plain data"):
        model.save(tmp_path / "m.h5")
    for call in model.save_weights, model.load_weights, load_model:
        with pytest.raises(MinitlError, match="path is None; expected the path of a file"):
            call(None)
    assert list(tmp_path.iterdir()) == []


def two_convolutions(first, rng):
    """Build two layers of one shape, as Keras would have named them."""
    names = ["conv2d" if number == 0 else f"conv2d_{number}" for number in (first, first + 1)]
    model = Sequential([Conv2D(3, 3, name=names[0], input_shape=(8, 8, 3)), Conv2D(3, 3, name=names[1])])
    model.set_weights([rng.standard_normal(weight.shape) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("first", [1, 5], ids=["numbers that overlap", "other numbers"])
def test_layers_that_were_counted_on(tmp_path, rng, first):
    """Unnamed layers may have other numbers in the file. The ledger's digests are those of the file's own names."""
    theirs, ours, path = two_convolutions(first, rng), two_convolutions(0, rng), tmp_path / "m.h5"
    theirs.save_weights(path)
    ours.load_weights(path)
    for found, expected in zip(ours.weights, theirs.weights):
        assert np.array_equal(found, expected)
    with h5py.File(path, "r+") as file:
        kernel = next(name for name in _datasets(file) if f"conv2d_{first + 1}/" in name and "kernel" in name)
        file[kernel][0, 0, 0, 0] += 1
    with pytest.raises(WeightsError, match="is not what was saved .* the file is damaged"):
        two_convolutions(0, rng).load_weights(path)


def test_partial_loading_goes_by_equal_names(tmp_path, rng):
    theirs, ours, path = two_convolutions(1, rng), two_convolutions(0, rng), tmp_path / "m.h5"
    theirs.save_weights(path)
    before = ours.get_layer("conv2d").get_weights()
    report = ours.load_weights(path, partial=True)
    assert report.loaded == ["conv2d_1"] and report.not_in_file == ["conv2d"] and report.not_in_model == ["conv2d_2"]
    assert np.array_equal(ours.get_layer("conv2d_1").kernel, theirs.get_layer("conv2d_1").kernel)
    assert np.array_equal(ours.get_layer("conv2d").kernel, before[0])


def _datasets(file):
    names = []
    file.visit(lambda name: names.append(name) if isinstance(file[name], h5py.Dataset) else None)
    return names
