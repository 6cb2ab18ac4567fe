"""Training against PyTorch and Keras: twenty updates, the losses, and weight files carried from library to library."""

import h5py
import keras
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from keras.src.legacy.saving import legacy_h5_format

import minitl
from minitl import losses, optimizers
from minitl.graph.digest import frozen_digest
from minitl.layers import Activation, Softmax
from minitl.utils import set_random_seed

from .compare import (
    CONV1,
    NORM,
    as_numpy,
    assert_close,
    assert_losses_agree,
    keras_losses,
    leaf,
    random,
    randomized,
    small_data,
    small_network,
    torch_sgd_losses,
    trained_part,
    twenty_steps,
    weights_by_name,
)

# Which layers do not move: the beginning; the beginning but for its batch-norm, which then learns from each batch and
# moves its statistics; none at all.
FREEZING = {"frozen-beginning": (CONV1, NORM), "trainable-norm": (CONV1,), "all-trainable": ()}

freezing = pytest.mark.parametrize("frozen", FREEZING.values(), ids=FREEZING)


def network_of(activation):
    set_random_seed(3)
    return randomized(small_network(minitl, activation))


@pytest.fixture
def network():
    return network_of("relu")


def losses_of(model, optimizer):
    """Twenty of minitl's updates; what is frozen stays as it is, to the last bit."""
    model.compile(optimizer=optimizer, loss="categorical_crossentropy")
    before = frozen_digest(model)
    found = twenty_steps(model.train_on_batch)
    assert frozen_digest(model) == before
    return found


def assert_weights_agree(model, expected, tolerance, without=()):
    for name, weight in weights_by_name(model).items():
        if not name.endswith(without or "\0"):
            assert_close(weight, expected[name], tolerance, name)


# ---- twenty updates ----


@freezing
@pytest.mark.parametrize("nesterov", [False, True], ids=["momentum", "nesterov"])
def test_sgd_against_pytorch(network, frozen, nesterov):
    initial = weights_by_name(trained_part(network, frozen))
    found = losses_of(network, optimizers.SGD(0.02, momentum=0.9, nesterov=nesterov))
    expected, weights = torch_sgd_losses(initial, frozen, lr=0.02, momentum=0.9, nesterov=nesterov)
    assert_losses_agree(found, expected)
    assert_weights_agree(network, weights, 2e-5, without=("moving_mean", "moving_variance"))


@freezing
@pytest.mark.parametrize("weight_decay", [None, 0.05], ids=["adam", "adam-decay"])
def test_adam_against_keras(frozen, weight_decay):
    """The weights, and the moving statistics of batch-norm with them."""
    network = network_of("tanh")
    initial = weights_by_name(trained_part(network, frozen))
    found = losses_of(network, optimizers.Adam(0.01, weight_decay=weight_decay))
    expected, weights = keras_losses(initial, frozen, keras.optimizers.Adam(0.01, weight_decay=weight_decay), "tanh")
    assert_losses_agree(found, expected)
    assert_weights_agree(network, weights, 5e-5)


@pytest.mark.parametrize(
    "arguments",
    [
        {"momentum": 0.0},
        {"momentum": 0.9, "weight_decay": 0.05},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.05},
    ],
    ids=["plain", "momentum-decay", "nesterov-decay"],
)
def test_sgd_against_keras(network, arguments):
    initial = weights_by_name(network)
    found = losses_of(network, optimizers.SGD(0.02, **arguments))
    expected, weights = keras_losses(initial, (), keras.optimizers.SGD(0.02, **arguments), "relu")
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert_weights_agree(network, weights, 2e-5)


def test_freezing_in_the_middle_takes_effect_at_once(network):
    """The first convolution frozen, then not, then again: one optimizer, one compile, and PyTorch's losses."""
    schedule = [(CONV1, NORM)] * 6 + [(NORM,)] * 8 + [(CONV1, NORM)] * 6
    initial = weights_by_name(network)
    network.compile(optimizers.SGD(0.02, momentum=0.9), "categorical_crossentropy")
    trained_part(network, schedule[0])  # after compile
    steps = iter(schedule)

    def step(x, labels):
        trained_part(network, next(steps))
        before = frozen_digest(network)
        loss = network.train_on_batch(x, labels)
        assert frozen_digest(network) == before
        return loss

    found = twenty_steps(step)
    expected, weights = torch_sgd_losses(initial, schedule, lr=0.02, momentum=0.9)
    assert_losses_agree(found, expected)
    assert_weights_agree(network, weights, 2e-5)


# ---- weight files ----


@pytest.fixture
def trained(network):
    """A network whose moving statistics and weights have all moved."""
    losses_of(network, optimizers.SGD(0.02, momentum=0.9))
    return network


def assert_same_predictions(mine, peer):
    x, _ = small_data()
    assert_close(mine.predict(x[0], verbose=0), as_numpy(peer.predict(x[0], verbose=0)), 1e-5)


def as_sequential(library):
    """`small_network` without its input, as a Sequential."""
    layers = small_network(library).layers[1:]
    return library.models.Sequential([library.layers.Input((11, 9, 3)), *layers])


@pytest.mark.parametrize("build", [small_network, as_sequential], ids=["functional", "sequential"])
@pytest.mark.parametrize("options", [{}, {"by_name": True}], ids=["in-order", "by-name"])
def test_keras_loads_what_minitl_saved(trained, tmp_path, build, options):
    path = tmp_path / "weights.h5"
    trained.save_weights(path)
    peer = build(keras)
    peer.load_weights(path, **options)
    assert_same_predictions(trained, peer)


@pytest.fixture
def keras_trained():
    """A Keras network, compiled and trained for a step: its files hold an optimizer's state too."""
    keras.utils.set_random_seed(4)
    peer = small_network(keras)
    peer.compile(optimizer="adam", loss="categorical_crossentropy")
    x, labels = small_data()
    peer.fit(x[1], labels[1], batch_size=4, epochs=3, verbose=0)
    return peer


def save_legacy_weights(model, path):
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


def save_legacy_model(model, path):
    model.save(path)


@pytest.mark.parametrize("build", [small_network, as_sequential], ids=["functional", "sequential"])
@pytest.mark.parametrize("save", [save_legacy_weights, save_legacy_model], ids=["weights", "whole-model"])
def test_minitl_loads_what_keras_saved(keras_trained, tmp_path, save, build):
    path = tmp_path / "keras.h5"
    save(keras_trained, path)
    model = build(minitl)
    report = model.load_weights(path)
    assert report.loaded == ["conv1", "norm", "conv2", "predictions"]
    assert report.parameters == keras_trained.count_params()
    assert_same_predictions(model, keras_trained)


@pytest.mark.parametrize("save", [save_legacy_weights, save_legacy_model], ids=["weights", "whole-model"])
def test_minitl_loads_a_keras_sequential(keras_trained, tmp_path, save):
    path = tmp_path / "keras.h5"
    peer = as_sequential(keras)
    peer.set_weights(keras_trained.get_weights())
    save(peer, path)
    model = small_network(minitl)
    model.load_weights(path)
    assert_same_predictions(model, keras_trained)


def test_weights_survive_the_way_to_keras_and_back(trained, tmp_path):
    """To the last bit."""
    trained.save_weights(tmp_path / "there.h5")
    peer = small_network(keras)
    peer.load_weights(tmp_path / "there.h5")
    save_legacy_weights(peer, tmp_path / "back.h5")
    model = small_network(minitl)
    model.load_weights(tmp_path / "back.h5")
    for found, expected in zip(model.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


# ---- losses ----

LOGITS = {
    "ordinary": 2 * random(7, 5),
    "large": 30 * random(7, 5),
    "extreme": 1000 * np.sign(random(7, 5)) + random(7, 5),
}
LABELS = np.array([0, 4, 1, 1, 2, 3, 0])
ONE_HOT = np.eye(5, dtype=np.float32)[LABELS]

logits_of_each_size = pytest.mark.parametrize("z", LOGITS.values(), ids=LOGITS)


def torch_loss(function, z, labels):
    """(value, gradient) of a loss in PyTorch."""
    tensor = leaf(z)
    loss = function(tensor, torch.tensor(labels))
    loss.backward()
    return loss.item(), as_numpy(tensor.grad)


@pytest.mark.parametrize(
    "criterion, labels",
    [
        (losses.CategoricalCrossentropy, ONE_HOT),
        (losses.SparseCategoricalCrossentropy, LABELS),
        (losses.SparseCategoricalCrossentropy, LABELS[:, None]),
    ],
    ids=["one-hot", "integers", "integers-in-a-column"],
)
class TestCrossentropy:
    @logits_of_each_size
    def test_from_logits(self, criterion, labels, z):
        expected, gradient = torch_loss(F.cross_entropy, z, LABELS)
        criterion = criterion(from_logits=True)
        np.testing.assert_allclose(criterion.forward(labels, z), expected, rtol=1e-6)
        assert_close(criterion.backward(), gradient, 1e-6)

    @logits_of_each_size
    @pytest.mark.parametrize("softmax", [Softmax(), Activation("softmax")], ids=["Softmax", "Activation"])
    def test_behind_softmax(self, criterion, labels, z, softmax):
        """The gradient that reaches the logits is PyTorch's, however wrong the network is. The value is, up to the
        73.5 where it stops growing."""
        expected, gradient = torch_loss(F.cross_entropy, z, LABELS)
        criterion = criterion()
        found = criterion.forward(labels, softmax.forward(z))
        if np.abs(z).max() < 30:
            np.testing.assert_allclose(found, expected, rtol=1e-6)
        else:
            assert found <= expected * (1 + 1e-6)
        assert_close(softmax.backward(criterion.backward()), gradient, 1e-6)

    @logits_of_each_size
    def test_behind_a_dense_layer(self, criterion, labels, z):
        """Dense(activation='softmax') on an identity kernel passes on the same gradient."""
        dense = minitl.layers.Dense(5, activation="softmax")
        dense.accept(z.shape)
        dense.kernel[...] = np.eye(5)
        criterion = criterion()
        criterion.forward(labels, dense.forward(z))
        _, gradient = torch_loss(F.cross_entropy, z, LABELS)
        assert_close(dense.backward(criterion.backward()), gradient, 1e-6)


def test_soft_labels():
    """Rows that add up to 1 without being one-hot."""
    labels = np.exp(random(7, 5, seed=2))
    labels /= labels.sum(axis=1, keepdims=True)
    expected, gradient = torch_loss(F.cross_entropy, LOGITS["ordinary"], labels)
    criterion = losses.CategoricalCrossentropy(from_logits=True)
    np.testing.assert_allclose(criterion.forward(labels, LOGITS["ordinary"]), expected, rtol=1e-6)
    assert_close(criterion.backward(), gradient, 1e-6)


def test_crossentropy_of_every_pixel():
    """(N, H, W, classes): the mean is over all pixels."""
    z = random(2, 3, 4, 5)
    labels = np.random.default_rng(0).integers(5, size=(2, 3, 4))
    expected, gradient = torch_loss(F.cross_entropy, z.reshape(-1, 5), labels.ravel())
    for criterion, given in (
        (losses.SparseCategoricalCrossentropy(from_logits=True), labels),
        (losses.CategoricalCrossentropy(from_logits=True), np.eye(5, dtype=np.float32)[labels]),
    ):
        np.testing.assert_allclose(criterion.forward(given, z), expected, rtol=1e-6)
        assert_close(criterion.backward(), gradient.reshape(z.shape), 1e-6)


YES_OR_NO = (random(7, 5, seed=3) > 0).astype(np.float32)


@logits_of_each_size
@pytest.mark.parametrize("labels", [YES_OR_NO, np.clip(YES_OR_NO, 0.1, 0.7)], ids=["hard", "soft"])
def test_binary_crossentropy(z, labels):
    expected, gradient = torch_loss(F.binary_cross_entropy_with_logits, z, labels)
    criterion = losses.BinaryCrossentropy(from_logits=True)
    np.testing.assert_allclose(criterion.forward(labels, z), expected, rtol=1e-6)
    assert_close(criterion.backward(), gradient, 1e-6)


@logits_of_each_size
@pytest.mark.parametrize("labels", [YES_OR_NO, np.clip(YES_OR_NO, 0.1, 0.7)], ids=["hard", "soft"])
def test_binary_crossentropy_behind_sigmoid(z, labels):
    expected, gradient = torch_loss(F.binary_cross_entropy_with_logits, z, labels)
    sigmoid, criterion = Activation("sigmoid"), losses.BinaryCrossentropy()
    found = criterion.forward(labels, sigmoid.forward(z))
    if np.abs(z).max() < 10:
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert_close(sigmoid.backward(criterion.backward()), gradient, 1e-6)


@pytest.mark.parametrize("shape", [(7, 5), (6, 1), (2, 3, 4, 2)], ids=str)
def test_mean_squared_error(shape):
    y_true, y_pred = random(*shape, seed=1), random(*shape, seed=2)
    expected, gradient = torch_loss(F.mse_loss, y_pred, y_true)
    criterion = losses.MeanSquaredError()
    np.testing.assert_allclose(criterion.forward(y_true, y_pred), expected, rtol=1e-6)
    assert_close(criterion.backward(), gradient, 1e-6)


@pytest.mark.parametrize("name", ["categorical", "binary", "mean_squared"])
def test_values_are_keras(name):
    """From probabilities, with Keras's own names for the losses."""
    p = np.exp(random(7, 5))
    p /= p.sum(axis=1, keepdims=True)
    name = "mean_squared_error" if name == "mean_squared" else f"{name}_crossentropy"
    expected = keras.losses.get(name)(ONE_HOT, p)
    np.testing.assert_allclose(losses.get(name).forward(ONE_HOT, p), as_numpy(expected).mean(), rtol=1e-6)
