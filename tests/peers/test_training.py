"""Training against PyTorch and Keras: twenty updates of every optimizer of the table in `tests/cases/optimizers.py`,
schedules, and weight files carried from library to library."""

import h5py
import keras
import numpy as np
import pytest
from cases.optimizers import OPTIMIZERS
from cases.training import (
    CONV1,
    FREEZING,
    NORM,
    randomized,
    small_data,
    small_network,
    trained_part,
    twenty_steps,
    weights_by_name,
)
from keras.src.legacy.saving import legacy_h5_format

import minitl
from minitl import optimizers
from minitl.graph.digest import frozen_digest
from minitl.utils import set_random_seed

from .compare import as_numpy, assert_close, assert_losses_agree, keras_losses, torch_sgd_losses

freezing = pytest.mark.parametrize("frozen", FREEZING.values(), ids=FREEZING)


def network_of(activation):
    set_random_seed(3)
    return randomized(small_network(minitl, activation))


@pytest.fixture
def network():
    return network_of("relu")


def losses_of(model, optimizer):
    """Take twenty of minitl's updates, and check that frozen layers do not change by a single bit."""
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


# Every optimizer with all layers trainable, and some with each kind of freezing.
PARTLY_FROZEN = "momentum", "nesterov", "adam", "adam-decay"
BESIDE_KERAS = [
    pytest.param(case, frozen, id=f"{case.name}-{name}")
    for case in OPTIMIZERS
    for name, frozen in FREEZING.items()
    if case.keras and (not frozen or case.name in PARTLY_FROZEN)
]


@pytest.mark.parametrize("case, frozen", BESIDE_KERAS)
def test_an_optimizer_moves_as_in_keras(case, frozen):
    """Compare the losses, the weights, and the moving statistics of batch-norm."""
    network = network_of(case.activation)
    initial = weights_by_name(trained_part(network, frozen))
    found = losses_of(network, case.optimizer())
    expected, weights = keras_losses(initial, frozen, case.keras_twin(keras.optimizers), case.activation)
    assert_losses_agree(found, expected)
    assert_weights_agree(network, weights, case.tolerance)


@pytest.mark.parametrize(
    "name, options",
    [
        ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20}),
        ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20, "alpha": 0.1}),
        ("CosineDecay", {"initial_learning_rate": 0.0, "decay_steps": 20, "warmup_target": 0.2, "warmup_steps": 5}),
        ("PiecewiseConstantDecay", {"boundaries": [3, 9], "values": [1.0, 0.5, 0.1]}),
    ],
)
def test_schedules(name, options):
    mine, peer = getattr(optimizers, name)(**options), getattr(keras.optimizers.schedules, name)(**options)
    steps = range(40)
    expected = [float(keras.ops.convert_to_numpy(peer(step))) for step in steps]
    assert np.allclose([mine(step) for step in steps], expected, rtol=1e-5, atol=1e-8)


def test_freezing_in_the_middle_takes_effect_at_once(network):
    """Freeze, unfreeze and freeze the first convolution, with one optimizer and one compile: the losses are
    PyTorch's."""
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
    """Return a network whose moving statistics and weights have all moved."""
    losses_of(network, optimizers.SGD(0.02, momentum=0.9))
    return network


def assert_same_predictions(mine, peer):
    x, _ = small_data()
    assert_close(mine.predict(x[0], verbose=0), as_numpy(peer.predict(x[0], verbose=0)), 1e-5)


def as_sequential(library):
    """Return `small_network` without its input, as a Sequential."""
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
    """Return a Keras network, compiled and trained for a step: its files hold an optimizer's state too."""
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
    """Check that the weights are the same to the last bit."""
    trained.save_weights(tmp_path / "there.h5")
    peer = small_network(keras)
    peer.load_weights(tmp_path / "there.h5")
    save_legacy_weights(peer, tmp_path / "back.h5")
    model = small_network(minitl)
    model.load_weights(tmp_path / "back.h5")
    for found, expected in zip(model.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
