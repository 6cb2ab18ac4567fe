"""Callbacks, schedules, clipping and label smoothing do what Keras's do, number by number."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import torch

from minitl import losses, optimizers, training
from minitl.layers import Dense
from minitl.models import Sequential

from .compare import assert_close, random


class Stub(SimpleNamespace):
    """What a callback sees of a model: it is its own only layer."""

    name, weight_names, trainable = "layer", ["epoch"], True

    @property
    def layers(self):
        return [self]

    def get_layer(self, name):
        return self

    def get_weights(self):
        return [np.array(self.epoch)]

    def set_weights(self, weights):
        self.restored = int(weights[0])

    def __hash__(self):
        return id(self)


def run(callback, values, monitor):
    """Feed the values to a callback as the numbers of epochs. Returns (epochs run, learning rates, restored epoch)."""
    model = Stub(stop_training=False, epoch=0, restored=None, optimizer=SimpleNamespace(learning_rate=0.5))
    if isinstance(callback, keras.callbacks.Callback):
        callback.set_model(model)
    else:
        callback.model = model
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(values):
        model.epoch = epoch
        callback.on_epoch_end(epoch, {monitor: value})
        rates.append(float(model.optimizer.learning_rate))
        if model.stop_training:
            break
    callback.on_train_end()
    return epoch, rates, model.restored


@pytest.mark.parametrize("seed", range(40))
def test_early_stopping(seed):
    rng = np.random.default_rng(seed)
    options = {
        "monitor": rng.choice(["val_loss", "val_accuracy"]),
        "mode": rng.choice(["auto", "min", "max"]),
        "min_delta": float(rng.choice([0, 0.05])),
        "patience": int(rng.integers(0, 4)),
        "baseline": None if seed % 3 else 0.5,
        "restore_best_weights": bool(seed % 2),
        "start_from_epoch": int(rng.choice([0, 0, 3])),
    }
    options = {key: str(value) if isinstance(value, np.str_) else value for key, value in options.items()}
    if options["monitor"] == "val_accuracy":
        options["mode"] = "max"  # which Keras finds out by itself only for a compiled model
    values = [float(value) for value in rng.random(20)]
    found, expected = (
        run(module.EarlyStopping(**options), values, options["monitor"]) for module in (training, keras.callbacks)
    )
    assert found == expected


@pytest.mark.parametrize("seed", range(40))
def test_reducing_the_rate(seed):
    rng = np.random.default_rng(seed)
    options = {
        "monitor": "val_loss",
        "mode": ["auto", "min", "max"][seed % 3],
        "factor": float(rng.choice([0.1, 0.5])),
        "patience": int(rng.integers(0, 4)),
        "cooldown": int(rng.integers(0, 3)),
        "min_lr": float(rng.choice([0, 0.01])),
        "min_delta": float(rng.choice([1e-4, 0.1])),
    }
    values = [float(value) for value in rng.random(30)]
    found, expected = (
        run(module.ReduceLROnPlateau(**options), values, "val_loss") for module in (training, keras.callbacks)
    )
    assert found[0] == expected[0] and np.allclose(found[1], expected[1], rtol=1e-6)


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


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize(
    "options", [{"clipnorm": 0.05}, {"clipvalue": 0.01}, {"global_clipnorm": 0.08}, {"schedule": True}], ids=str
)
def test_clipping_and_schedules_in_training(optimizer, options):
    x, y = random(16, 6), np.eye(3, dtype=np.float32)[np.arange(16) % 3]
    mine = Sequential([Dense(5, activation="relu", input_shape=(6,)), Dense(3, activation="softmax")])
    la = keras.layers
    peer = keras.Sequential([keras.Input((6,)), la.Dense(5, activation="relu"), la.Dense(3, activation="softmax")])
    peer.set_weights(mine.get_weights())
    for model, library in (mine, optimizers), (peer, keras.optimizers):
        schedules = getattr(library, "schedules", library)
        rate = schedules.CosineDecay(0.1, 10, alpha=0.1) if "schedule" in options else 0.1
        clipping = {key: value for key, value in options.items() if key != "schedule"}
        model.compile(optimizer=getattr(library, optimizer)(rate, **clipping), loss="categorical_crossentropy")
    found = [mine.train_on_batch(x, y) for _ in range(15)]
    expected = [float(peer.train_on_batch(x, y)) for _ in range(15)]
    assert np.allclose(found, expected, rtol=1e-4) and expected[-1] < expected[0]


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("name", ["CategoricalCrossentropy", "BinaryCrossentropy"])
def test_label_smoothing(name, from_logits):
    t, z = np.eye(4, dtype=np.float32)[np.arange(6) % 4], random(6, 4)
    y = z if from_logits else np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    mine = getattr(losses, name)(from_logits=from_logits, label_smoothing=0.2)
    peer = getattr(keras.losses, name)(from_logits=from_logits, label_smoothing=0.2)
    leaf = torch.tensor(y, requires_grad=True)
    expected = peer(t, leaf)
    expected.backward()
    assert mine.forward(t, y) == pytest.approx(float(expected.detach()), rel=1e-5)
    if from_logits or name == "BinaryCrossentropy":
        assert_close(mine.backward(), leaf.grad, 1e-5)
