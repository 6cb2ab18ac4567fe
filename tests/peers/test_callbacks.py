"""Callbacks give the numbers of Keras's, one by one."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from minitl import training


class Stub(SimpleNamespace):
    """A stand-in for a model, as a callback sees it: it is its own only layer."""

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
