"""No closed lists: a layer, loss, optimizer or network of one's own works without a change in any other file."""

import json

import numpy as np
import pytest

from minitl import applications, cli, layers, transfer, utils
from minitl.applications.building import add_pooling
from minitl.data.preparation import PREPARATIONS, SYMMETRIC, Preparation
from minitl.errors import ArgumentError, CheckpointError, MistakeWarning, WeightsError
from minitl.graph.summary import flops
from minitl.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    Layer,
    MaxPooling2D,
)
from minitl.losses import Loss
from minitl.models import Model, Sequential, load_model
from minitl.optimizers import SGD, Optimizer
from minitl.recipes.report.grad_cam import map_layer
from minitl.recipes.report.measured import costs
from minitl.training import BackupAndRestore, Callback
from minitl.weights import bundled_file, find_weights
from minitl.weights.formats.safetensors_file import safetensors_parts


def write_safetensors(path, state):
    arrays = {name: np.ascontiguousarray(array, np.float32) for name, array in state.items()}
    path.write_bytes(b"".join(bytes(part) for part in safetensors_parts(arrays, {})))
    return path


# ---- layers ----


class Embed(Layer):
    """A layer that returns a row of `table` for each number: (N, T) -> (N, T, D)."""

    config_names = ("count", "size")
    torch_names = {"table": "weight"}  # with its own axes: (V, D) in both

    def __init__(self, count, size, **kwargs):
        super().__init__(**kwargs)
        self.count, self.size = count, size

    def build(self, input_shape):
        self.add_weight("table", (self.count, self.size))

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.size)

    def forward(self, x, training=False):
        return self.table[x.astype(int)]


class Mixed(Layer):
    """A 1x1 convolution under other names, with its channels first: y = sum_c mixing[f, c] x[..., c]."""

    config_names = ("outputs",)
    output_size_argument = "outputs"
    input_axes = {"mixing": 0}
    torch_names = {"mixing": "mixture"}
    torch_axes = {"mixing": "(F, 1, C) -> (C, 1, F)"}

    def __init__(self, outputs, **kwargs):
        super().__init__(**kwargs)
        self.outputs = outputs

    def build(self, input_shape):
        self.add_weight("mixing", (input_shape[-1], 1, self.outputs))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.outputs)

    def flops(self, input_shape):
        return 2 * self.mixing.size * input_shape[1] * input_shape[2]

    def forward(self, x, training=False):
        return x @ self.mixing[:, 0]


class Swish(Layer):
    """x * sigmoid(x)"""

    keeps_channels = is_elementwise = True

    def forward(self, x, training=False):
        return x / (1 + np.exp(-x))


class Centred(Layer):
    """A layer that subtracts the mean of the batch, or in inference the moving mean."""

    keeps_channels = is_elementwise = True

    def build(self, input_shape):
        self.add_weight("mean", input_shape[-1:], "zeros", trainable=False)

    @property
    def uses_batch(self):
        return self.trainable

    def forward(self, x, training=False):
        self.accept(x.shape)
        if training and self.uses_batch:
            mean = x.reshape(-1, x.shape[-1]).mean(axis=0)
            self.mean += 0.1 * (mean - self.mean)
            return x - mean
        return x - self.mean

    def backward(self, grad):
        return grad - grad.mean(axis=tuple(range(grad.ndim - 1))) if self.uses_batch else grad


class Normalized(Layer):
    """A layer that ends with a softmax of its own."""

    output_activation = "softmax"

    def forward(self, x, training=False):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)


class Passed(Layer):
    """A layer that passes its input on."""

    passes_numbers_on = keeps_channels = is_elementwise = True

    def forward(self, x, training=False):
        return x


class Row(Layer):
    """A Flatten under another name."""

    passes_numbers_on = True

    def compute_output_shape(self, input_shape):
        return input_shape[0], int(np.prod(input_shape[1:]))

    def forward(self, x, training=False):
        return x.reshape(len(x), -1)


def test_a_rank_2_weight_is_not_turned_unless_the_layer_says_so(tmp_path, rng):
    """An embedding is (V, D), square so that its shape does not give it away, and a dense layer behind it is (units,
    inputs)."""
    table, weight, bias = rng.normal(size=(5, 5)), rng.normal(size=(5, 5)), rng.normal(size=5)
    file = write_safetensors(
        tmp_path / "torch.safetensors", {"tokens.weight": table, "out.weight": weight, "out.bias": bias}
    )
    model = Sequential([Embed(5, 5, name="tokens", input_shape=(3,)), Dense(5, name="out")])
    model.load_weights(file)
    assert np.array_equal(model.get_layer("tokens").table, table.astype(np.float32))
    assert np.array_equal(model.get_layer("out").kernel, weight.T.astype(np.float32))
    assert model.ledger["tokens", "table"].origin.how == "as it is"
    model.save_weights(tmp_path / "ours.h5")
    again = Sequential([Embed(5, 5, name="tokens", input_shape=(3,)), Dense(5, name="out")])
    again.load_weights(tmp_path / "ours.h5")
    assert np.array_equal(again.get_layer("tokens").table, model.get_layer("tokens").table)


@pytest.mark.slow
def test_axes_that_a_layer_names_are_turned(tmp_path, rng):
    theirs = rng.normal(size=(4, 1, 3)).astype(np.float32)
    model = Sequential([Mixed(4, name="mix", input_shape=(2, 2, 3))])
    model.load_weights(write_safetensors(tmp_path / "a.safetensors", {"mix.mixture": theirs}))
    assert np.array_equal(model.get_layer("mix").mixing, theirs.transpose(2, 1, 0))
    assert model.ledger["mix", "mixing"].origin.how == "axes (F, 1, C) -> (C, 1, F)"
    ours = rng.normal(size=(3, 1, 4)).astype(np.float32)  # under the name that it has here, with the axes it has here
    model.load_weights(write_safetensors(tmp_path / "b.safetensors", {"mix.mixing": ours}))
    assert np.array_equal(model.get_layer("mix").mixing, ours)


@pytest.mark.slow
def test_a_layer_that_says_nothing_is_matched_by_its_own_names_alone(tmp_path, rng):
    class Quiet(Embed):
        torch_names = {}

    model = Sequential([Quiet(5, 5, name="tokens", input_shape=(3,))])
    with pytest.raises(WeightsError, match="'tokens' table: expected .5, 5., missing in the file"):
        model.load_weights(write_safetensors(tmp_path / "a.safetensors", {"tokens.weight": rng.normal(size=(5, 5))}))
    table = rng.normal(size=(5, 5)).astype(np.float32)
    model.load_weights(write_safetensors(tmp_path / "b.safetensors", {"tokens.table": table}))
    assert np.array_equal(model.get_layer("tokens").table, table)


def test_the_order_behind_a_flatten_of_ones_own(tmp_path, rng):
    """A map (2, 2, 3) is flattened. PyTorch's order is (C, H, W)."""
    state = {"out.weight": rng.normal(size=(4, 12)), "out.bias": np.zeros(4)}
    file = write_safetensors(tmp_path / "torch.safetensors", state)
    kernels = []
    for flatten in Flatten(name="flat"), Row(name="flat"):
        model = Sequential([Passed(name="first", input_shape=(2, 2, 3)), flatten, Dense(4, name="out")])
        model.load_weights(file)
        kernels.append(model.get_layer("out").kernel)
    expected = state["out.weight"].reshape(4, 3, 2, 2).transpose(2, 3, 1, 0).reshape(12, 4)
    assert np.array_equal(kernels[0], expected.astype(np.float32)) and np.array_equal(*kernels)


def test_adapt_input_and_adapt_classes_of_a_layer_of_ones_own(rng):
    model = Sequential(
        [Passed(name="same", input_shape=(4, 4, 3)), Swish(name="swish"), Mixed(2, name="mix"), Mixed(3, name="end")]
    )
    grey = rng.normal(size=(2, 4, 4, 1)).astype(np.float32)
    adapted = transfer.adapt_input(model, (4, 4, 1))
    assert adapted.get_layer("mix").mixing.shape == (1, 1, 2)
    assert np.allclose(adapted.predict(grey), model.predict(grey.repeat(3, axis=3)), atol=1e-5)
    assert adapted.get_layer("end") is model.get_layer("end"), "all others are shared"
    other = transfer.adapt_classes(model, ["ant", "bee", "cat"], ["cat", "ant"])
    x = grey.repeat(3, axis=3)
    assert np.allclose(other.predict(x), model.predict(x)[..., [2, 0]], atol=1e-6)


def test_flops_are_the_layers_own():
    images = Input((4, 6, 3))
    x = Conv2D(5, 3, padding="same")(images)
    x = Mixed(2)(x)
    model = Model(images, Dense(7)(Flatten()(MaxPooling2D()(x))))
    assert flops(model) == 2 * (4 * 6 * 3 * 3 * 3 * 5 + 4 * 6 * 5 * 2 + 2 * 3 * 2 * 7)


def test_what_looks_at_the_batch_and_keeps_statistics(rng):
    first = Dense(3, name="a", input_shape=(4,))
    model = Sequential([first, Centred(name="centred"), Dense(3, name="b"), Dense(2, "softmax", name="c")])
    assert not model.get_layer("centred").is_fixed, "it has no parameters, and yet training changes what it does"
    transfer.freeze(model)
    assert model.get_layer("centred").is_fixed
    transfer.unfreeze(model)
    assert [layer.trainable for layer in model.layers if layer.weight_names] == [True, False, True, True]
    transfer.freeze(model, until="b")
    model.get_layer("centred").trainable = True
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.warns(MistakeWarning, match="Centred 'centred' is trainable, and the layers before and behind it are"):
        model.fit(rng.normal(size=(8, 4)).astype(np.float32), np.arange(8) % 2, verbose=0)


def test_the_end_of_a_model_is_what_its_layer_says():
    def ending(*end):
        return Sequential([Dense(3, name="dense", input_shape=(4,)), *end])

    ending(Normalized(), Passed()).compile("sgd", "categorical_crossentropy")  # a softmax: as it should be
    with pytest.warns(MistakeWarning, match="takes a softmax of the softmax of 'own'"):
        ending(Normalized(name="own"), Passed(), layers.Softmax()).compile("sgd", "mse")


def test_the_report_knows_what_a_layer_adds(rng):
    images = Input((8, 8, 3))
    x = MaxPooling2D(name="pool")(Passed(name="passed")(Swish(name="swish")(Mixed(4, name="mix")(images))))
    model = Model(images, Dense(2, name="out")(GlobalAveragePooling2D()(x)))
    assert map_layer(model) == "passed", "a pooling sees nothing of its own"
    parts = [each.layers for each in costs(model, rng.normal(size=(1, 8, 8, 3)).astype(np.float32))]
    assert parts[0] == ["mix", "swish", "passed"], "an elementwise layer counts as part of it"


@pytest.mark.parametrize(
    "layer",
    [Conv2D(3, 2), Dense(3), BatchNormalization(), Activation("relu"), Dropout(0.5), Flatten(), MaxPooling2D()],
    ids=lambda layer: layer.class_name,
)
def test_what_layers_answer_belongs_to_their_parameters(layer):
    layer.accept((None, 4, 4, 3))
    for table in layer.input_axes, layer.torch_names, layer.torch_axes:
        assert set(table) <= set(layer.weight_names)
    for name, axis in layer.input_axes.items():
        assert getattr(layer, name).shape[axis] == 3, "the input has 3 channels"
    assert layer.output_size_argument is None or layer.output_size_argument in layer.config_names
    if layer.keeps_channels:
        assert layer.compute_output_shape((None, 4, 4, 3))[-1] == 3


# ---- losses and optimizers ----


class Difference(Loss):
    """A squared error that declares nothing and keeps arrays as it likes."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def forward(self, y_true, y_pred, sample_weight=None):
        self.error = np.reshape(y_true, y_pred.shape) - y_pred
        self.both = [self.error, {"again": y_pred}]
        return float(self.scale * np.mean(self.error**2))

    def backward(self):
        return -2 * self.scale * self.error / self.error.size


class Centring(Difference):
    """A loss that counts its batches, and grows with them: a checkpoint has to hold the count."""

    remembers = ("batches", "seen")

    def __init__(self):
        super().__init__()
        self.batches, self.seen = 0, np.zeros(1)

    def forward(self, y_true, y_pred, sample_weight=None):
        self.batches += 1
        self.seen = self.seen + 0.01
        self.scale = 1.0
        return super().forward(y_true, y_pred) * self.batches

    def backward(self):
        return super().backward() * (self.batches + float(self.seen[0]))


class Warming(Optimizer):
    """Gradient descent with growing steps that it counts by itself."""

    working_state = (*Optimizer.working_state, "last")
    remembers = ("taken",)

    def __init__(self, learning_rate):
        super().__init__(learning_rate)
        self.taken = 0

    def step(self, model):
        self.taken += 1
        self.last = f"step {self.taken}"
        super().step(model)

    def update(self, parameter, gradient):
        parameter -= self.rate * self.taken * gradient


class Stop(Callback):
    def __init__(self, at):
        self.at, self.batches = at, 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        if self.batches == self.at:
            raise RuntimeError("the power is gone")


def trained(folder, loss, optimizer, stop_at=0, used_before=False, **options):
    utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 3)).astype(np.float32), rng.normal(size=(24, 2)).astype(np.float32)
    model = Sequential([Dense(4, "tanh", name="hidden", input_shape=(3,)), Dense(2, name="out")])
    model.compile(optimizer, loss)
    if used_before:
        loss.forward(y, model.predict(x, verbose=0))
    backup = BackupAndRestore(folder, save_freq=1, delete_checkpoint=False, **options)
    model.fit(x, y, 8, 4, verbose=0, callbacks=[backup, Stop(stop_at)])
    return model.get_weights()


@pytest.mark.parametrize(
    "loss, optimizer",
    [(Difference, lambda: SGD(0.05, momentum=0.9)), (Centring, lambda: SGD(0.01)), (Difference, lambda: Warming(0.01))],
    ids=["a loss that declares nothing", "a loss that remembers", "an optimizer that counts"],
)
def test_a_training_goes_on_with_a_loss_and_an_optimizer_of_ones_own(tmp_path, loss, optimizer, capsys):
    whole = trained(tmp_path / "whole", loss(), optimizer())
    with pytest.raises(RuntimeError, match="power"):
        trained(tmp_path / "run", loss(), optimizer(), stop_at=5)
    found = trained(tmp_path / "run", loss(), optimizer(), stop_at=0)
    assert "Going on" in capsys.readouterr().out
    assert all(np.array_equal(*pair) for pair in zip(whole, found))


def test_whether_a_loss_was_used_before_changes_nothing(tmp_path, capsys):
    with pytest.raises(RuntimeError, match="power"):
        trained(tmp_path / "run", Difference(), SGD(0.05), stop_at=5, used_before=True)
    trained(tmp_path / "run", Difference(), SGD(0.05))
    assert "Going on" in capsys.readouterr().out


def test_another_setting_is_another_training(tmp_path):
    with pytest.raises(RuntimeError, match="power"):
        trained(tmp_path / "run", Difference(), SGD(0.05), stop_at=5)
    with pytest.raises(CheckpointError, match="something has changed: loss"):
        trained(tmp_path / "run", Difference(scale=2.0), SGD(0.05))


def test_two_outputs_go_on(tmp_path, capsys):
    """The sum of two losses notes their values, which are no settings either."""

    def run(stop_at, used_before=False):
        utils.set_random_seed(1)
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(24, 3)).astype(np.float32), rng.normal(size=(24, 2)).astype(np.float32)
        images = Input((3,))
        model = Model(images, [Dense(2, name="a")(images), Dense(2, name="b")(images)])
        model.compile(SGD(0.01), [Difference(), Centring()])
        if used_before:
            model.evaluate(x, [y, y], verbose=0)
        backup = BackupAndRestore(tmp_path / f"run{used_before}", save_freq=1, delete_checkpoint=False)
        model.fit(x, [y, y], 8, 4, verbose=0, callbacks=[backup, Stop(stop_at)])
        return model.get_weights()

    with pytest.raises(RuntimeError, match="power"):
        run(5)
    run(0)
    assert "Going on" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="power"):
        run(5, used_before=True)
    run(0, used_before=True)
    assert "Going on" in capsys.readouterr().out


def test_a_loss_names_the_activation_and_the_classes_it_expects():
    class Own(Difference):
        final_activation = "sigmoid"

        def class_numbers(self, y_true):
            return y_true

    model = Sequential([Dense(1, name="p", input_shape=(4,))])
    with pytest.warns(MistakeWarning, match="'p', has no activation, and Own expects probabilities.*'sigmoid'"):
        model.compile("sgd", Own())
    x, y = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32), np.sort(np.arange(40) % 2)
    with pytest.warns(MistakeWarning, match="the labels are in order"):
        model.fit(x, y, batch_size=8, shuffle=False, verbose=0)


# ---- networks ----


def stripes(weights="own", include_top=True, input_shape=None, pooling=None, classes=3):
    """Build a network of one's own, with the same numbers each time."""
    x = images = Input(input_shape or (16, 16, 3))
    for number, filters in enumerate((4, 6), start=1):
        x = Conv2D(filters, 3, padding="same", activation="relu", name=f"part{number}_conv")(x)
        x = MaxPooling2D(2, name=f"part{number}_pool")(x)
    x = Dense(classes, "softmax", name="old")(GlobalAveragePooling2D()(x)) if include_top else add_pooling(x, pooling)
    model, rng = Model(images, x, name="stripes"), np.random.default_rng(5)
    if weights is not None:
        for layer in model.layers:
            layer.set_weights([rng.normal(0, 0.2, weight.shape) for weight in layer.get_weights()])
    return model


def from_0_to_1(x):
    return np.asarray(x, np.float32) / 255


STRIPES = applications.Application(
    name="stripes",
    title="Stripes",
    build=stripes,
    preparation=Preparation(from_0_to_1, "0 to 1", lambda low, high: "pixels-from-0-to-1" if high > 2 else None),
    fine_tuning={"part2": "part1_pool"},
    last_layer="part2_pool",
    native_size=16,
    smallest_size=8,
)


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setitem(applications.NETWORKS, "stripes", None)  # and taken out again afterwards
    monkeypatch.setitem(PREPARATIONS, "stripes", None)
    applications.add(STRIPES)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    Image = pytest.importorskip("PIL.Image", reason="needs the extra 'images'")
    monkeypatch.setenv("MINITL_HOME", str(tmp_path / "home"))
    rng = np.random.default_rng(0)
    for part, kind in [(part, kind) for part in ("train", "val") for kind in ("bright", "dark")]:
        place = tmp_path / "photos" / part / kind
        place.mkdir(parents=True)
        for number in range(6):
            pixels = rng.uniform(0, 255, (20, 24, 3)) / (1 if kind == "bright" else 3)
            Image.fromarray(pixels.astype(np.uint8)).save(place / f"{number}.png")
    return tmp_path / "photos"


def test_a_network_of_ones_own_is_a_base(known, folder, tmp_path, capsys):
    model, results = tmp_path / "model.h5", tmp_path / "results.json"
    fast = ["--epochs", "3", "--tune-epochs", "1", "--learning-rate", "0.1", "--save", str(model)]
    assert cli.main(["finetune", str(folder), "--base", "stripes", *fast, "--json", str(results)]) == 0
    assert "Stage 2: from part2 on" in capsys.readouterr().out
    assert json.loads(results.read_text())["options"]["image_size"] == 16
    photograph = str(next((folder / "val" / "dark").iterdir()))
    assert cli.main(["predict", str(model), photograph]) == 0
    assert cli.main(["summary", "Stripes"]) == 0 and "part2_conv" in capsys.readouterr().out
    assert cli.main(["summary", "stripes", "--no-top", "--input-shape", "8", "8", "3"]) == 0
    assert cli.main(["advise", str(folder), "--base", "stripes", "--no-cache"]) == 0
    assert "part1_pool" in capsys.readouterr().out
    with pytest.warns(MistakeWarning, match=r"0 to 1. Pass pixels from 0 to 255 through .*from_0_to_1 once"):
        load_model(model).predict(np.arange(768, dtype=np.float32).reshape(1, 16, 16, 3), verbose=0)


def test_the_report_writes_its_title(known, folder, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="needs the extra 'plots'")
    monkeypatch.setattr("minitl.recipes.report.plots.drawings", lambda happened, findings: [])
    fast = ["--base", "stripes", "--epochs", "1", "--tune-epochs", "1", "--report", str(tmp_path / "report")]
    assert cli.main(["finetune", str(folder), *fast]) == 0
    assert "Stripes, pre-trained on" in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")


def test_a_network_without_weights_is_no_base(known, folder, capsys):
    applications.add(STRIPES._replace(has_weights=False))
    with pytest.raises(SystemExit):
        cli.main(["finetune", str(folder), "--base", "stripes"])
    assert "there is no 'stripes'; expected one of vgg16" in capsys.readouterr().err
    assert cli.main(["summary", "stripes"]) == 0, "it can be looked at"


def test_names_of_networks():
    for text in "inception_v3", "InceptionV3", "inceptionv3":
        assert applications.find(text) is applications.NETWORKS["inception_v3"]
    assert applications.find("model.h5") is None
    assert applications.cuts("vgg16") == [f"block{number}_pool" for number in range(1, 6)]
    for name, application in applications.NETWORKS.items():
        assert application.name == name and PREPARATIONS[name] is application.preparation
        assert application.preparation.name == f"minitl.applications.{name}.preprocess_input"


# ---- how images are prepared, from loading to surgery ----


def vgg16_beginning():
    whole = applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    whole.load_weights(bundled_file("vgg16_imagenet_blocks1to3.h5"), partial=True)
    return whole


def test_loading_published_weights_says_how_images_are_prepared(tmp_path):
    fresh = applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    assert "preprocessing" not in fresh.metadata
    model = vgg16_beginning()
    assert model.metadata["preprocessing"] == "vgg16"
    cut = transfer.remove_layers(model, after="block1_pool")
    headed = transfer.replace_head(cut, [Flatten(), Dense(2, "softmax")])
    assert cut.metadata == headed.metadata == {"preprocessing": "vgg16"}
    assert transfer.adapt_input(cut, (24, 24, 3)).metadata == {"preprocessing": "vgg16"}
    assert transfer.adapt_input(cut, (32, 32, 1)).metadata == {}, "nobody knows how grey images are prepared"
    headed.save(tmp_path / "model.h5")
    fresh.save_weights(tmp_path / "random.h5")
    model.load_weights(tmp_path / "random.h5")
    assert model.metadata == {}, "these are other weights"
    model.metadata["preprocessing"] = "inception_v3"
    model.load_weights(tmp_path / "random.h5")
    assert model.metadata["preprocessing"] == "inception_v3", "an entry that a person wrote stays"
    assert load_model(tmp_path / "model.h5").metadata == {"preprocessing": "vgg16"}


def test_weights_behind_the_first_layer_say_nothing(tmp_path):
    images = Input((16, 16, 3))
    model = Model(images, Conv2D(64, 3, name="block1_conv2")(Conv2D(64, 3, name="own")(images)))
    model.load_weights(bundled_file("vgg16_imagenet_blocks1to3.h5"), partial=True)
    assert model.metadata == {}


def test_a_preparation_without_a_range_is_not_watched(monkeypatch):
    monkeypatch.setitem(PREPARATIONS, "own", Preparation(from_0_to_1))
    model = Sequential([Conv2D(2, 3, input_shape=(8, 8, 3))])
    model.metadata["preprocessing"] = "own"
    model.predict(np.arange(192, dtype=np.float32).reshape(1, 8, 8, 3), verbose=0)
    assert SYMMETRIC.mistake(-1, 1) is None


def test_weights_that_nobody_published():
    with pytest.raises(ArgumentError, match="no published weights called 'stripes'"):
        find_weights("stripes")
