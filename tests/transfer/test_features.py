"""A frozen beginning runs once, and the numbers are the same as without this."""

from functools import partial

import numpy as np
import pytest

from minitl import features, training, transfer, utils
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
from minitl.optimizers import SGD


def network(channels=8):
    """Build a network whose conv2 goes by Winograd, with 32 channels: blocks hold several images."""
    model = Sequential(
        [
            Conv2D(channels, 3, padding="same", activation="relu", input_shape=(18, 18, 3), name="conv1"),
            BatchNormalization(name="norm"),
            MaxPooling2D(3, 1, "same", name="pool"),
            Conv2D(channels, 3, padding="same", activation="relu", name="conv2"),
            Dropout(0.3, name="drop"),
            GlobalAveragePooling2D(name="average"),
            Dense(3, activation="softmax", name="out"),
        ]
    )
    model.compile(SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", ["accuracy"])
    return model


@pytest.fixture
def task(rng):
    x, y = rng.standard_normal((70, 18, 18, 3)).astype(np.float32), rng.integers(0, 3, 70)
    return (x[:50], y[:50]), (x[50:], y[50:])


@pytest.mark.parametrize("channels", [8, 32])
@pytest.mark.parametrize("until", ["norm", "pool", "conv2"])
def test_the_same_numbers_as_without(task, until, channels):
    def run(fit):
        utils.set_random_seed(3)
        model = network(channels)
        transfer.freeze(model, until=until)
        digest = transfer.frozen_digest(model)
        history = fit(model, *task[0], epochs=3, batch_size=16, verbose=0, validation_data=task[1])
        assert transfer.frozen_digest(model) == digest
        return model.get_weights(), history.history

    (kept, kept_history), (whole, whole_history) = run(training.fit), run(partial(training.fit, frozen_once=False))
    # Equal up to rounding: BLAS may round an image's features differently in another batch.
    assert all(np.allclose(kept_history[name], whole_history[name], rtol=1e-5) for name in ("loss", "val_loss"))
    assert kept_history["accuracy"] == whole_history["accuracy"]
    assert all(np.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in zip(kept, whole))


def test_it_runs_once_and_says_so(task, capsys, monkeypatch):
    model = network()
    transfer.freeze(model, until="pool")
    seen = []
    layer = model.get_layer("conv1")
    monkeypatch.setattr(
        layer, "forward", lambda x, training=False: seen.append(len(x)) or type(layer).forward(layer, x)
    )
    model.fit(*task[0], epochs=4, batch_size=25)
    assert sum(seen) == 50, "each image once, not once an epoch"
    text = capsys.readouterr().out
    line = " ".join(text.split("Epoch")[0].split())
    assert all(len(each) <= 80 for each in text.splitlines())
    assert line.startswith("Frozen up to 'pool': ran once over 50 examples in ")
    assert line.endswith("and kept its output (0.5 MB); training the 4 layers after it.")


def prefix_end(model):
    cut = features.frozen_prefix(model)
    return cut[0].layer.name if cut else None


def test_where_the_prefix_ends():
    model = network()
    assert prefix_end(model) is None, "nothing is frozen"
    transfer.freeze(model, until="conv1")
    assert prefix_end(model) == "conv1", "batch-norm that is trainable looks at the batch"
    transfer.freeze(model, until="norm")
    assert prefix_end(model) == "pool", "pooling has nothing to learn"
    model.trainable = False
    assert prefix_end(model) == "conv2", "Dropout is random in every epoch"
    model.get_layer("conv1").trainable = True
    assert prefix_end(model) is None


def test_a_branch_that_is_still_needed_moves_the_cut_back():
    images = Input((8, 8, 3))
    x = Conv2D(4, 3, padding="same", name="stem", trainable=False)(images)
    side = Conv2D(4, 3, padding="same", name="side", trainable=False)(x)
    model = Model(images, Dense(2)(Flatten()(Add()([x, Conv2D(4, 1, name="live")(side)]))))
    assert prefix_end(model) == "stem", "after 'side' two tensors would have to be kept"


def test_a_model_for_any_size_and_an_optimizer_changed_on_the_way(task, capsys):
    class Stop(training.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.optimizer = SGD(0.0)

    images = Input((None, None, 3))
    x = GlobalAveragePooling2D()(Conv2D(4, 3, name="conv", trainable=False)(images))
    model = Model(images, Dense(3, activation="softmax", name="out")(x))
    model.compile(SGD(0.1), "sparse_categorical_crossentropy")
    history = model.fit(*task[0], epochs=3, callbacks=Stop(), shuffle=False).history["loss"]
    assert "kept its output (0.0 MB); training the 1 layer after" in capsys.readouterr().out
    assert history[0] != history[1] == history[2]


def test_unfreezing_ends_it(task):
    model = network()
    transfer.freeze(model, until="conv2")
    model.fit(*task[0], epochs=1, verbose=0)
    transfer.unfreeze(model, since="conv2")
    before = model.get_layer("conv2").get_weights()[0]
    model.fit(*task[0], epochs=1, verbose=0)
    assert not np.array_equal(before, model.get_layer("conv2").kernel)


def test_too_much_to_keep(task, capsys, monkeypatch):
    monkeypatch.setattr(features.prefix, "MOST_KEPT_BYTES", 1000)
    model = network()
    transfer.freeze(model, until="pool")
    history = model.fit(*task[0], epochs=1)
    assert "too large to keep: the whole model runs in every epoch" in " ".join(capsys.readouterr().out.split())
    assert len(history.history["loss"]) == 1


def test_a_callback_that_unfreezes_is_followed(task):
    """A callback unfreezes layers: from the second epoch on conv2 trains, from the third all layers do."""

    class Unfreeze(training.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch > 0:
                transfer.unfreeze(self.model, since=["conv2", "conv1"][epoch - 1], batch_normalization=True)

    def run(fit):
        utils.set_random_seed(3)
        model = network()
        transfer.freeze(model, until="conv2")
        history = fit(model, *task[0], epochs=3, verbose=0, callbacks=[Unfreeze()], validation_data=task[1])
        return model.get_weights(), history.history

    (kept, kept_history), (whole, whole_history) = run(training.fit), run(partial(training.fit, frozen_once=False))
    assert np.allclose(kept_history["loss"], whole_history["loss"], rtol=1e-4)
    assert all(np.allclose(a, b, rtol=1e-3, atol=1e-5) for a, b in zip(kept, whole))
