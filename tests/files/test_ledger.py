"""The ledger: it says of every tensor where it comes from, and whether it is still unchanged, after any surgery on a
model."""

import hashlib
import json

import h5py
import numpy as np
import pytest

from minitl import transfer
from minitl.errors import ArgumentError, ShapeError, WeightsError
from minitl.layers import BatchNormalization, Conv2D, Dense, Flatten
from minitl.models import Sequential, load_model
from minitl.weights import ledger as ledger_module
from minitl.weights import ledger_of, open_weights
from minitl.weights.formats import keras_h5
from minitl.weights.formats.stored_file import array_digest


def network(classes=3, **options):
    return Sequential(
        [
            Conv2D(4, 3, input_shape=(6, 6, 3), name="conv"),
            BatchNormalization(name="norm"),
            Flatten(name="flat"),
            Dense(classes, name="out", kernel_initializer="he_normal"),
        ],
        **options,
    )


@pytest.fixture
def base(tmp_path, rng):
    """Return the path of "published" weights."""
    model = network()
    model.set_weights([rng.uniform(0.5, 1, each.shape) for each in model.get_weights()])
    model.save_weights(tmp_path / "base.h5")
    with h5py.File(tmp_path / "base.h5", "r+") as file:
        del file["minitl_ledger"], file.attrs["minitl_texts_sha256"]  # as if another program had written it
    return tmp_path / "base.h5"


def states(model):
    return {f"{entry.layer}/{entry.parameter}": (entry.origin.action, entry.state) for entry in model.ledger}


def test_a_new_model():
    model = network()
    assert set(states(model).values()) == {("initialised", "new")}
    assert model.ledger["out", "kernel"].origin.how == "he_normal"
    assert "out" in str(model.ledger) and "new: he_normal" in str(model.ledger)
    assert model.ledger.summary() == ["        323 parameters in   8 tensors: new here"]


def test_loading_notes_file_digest_and_name(base):
    model = network()
    model.load_weights(base)
    entry = model.ledger["conv", "kernel"]
    assert entry.is_published and entry.state == "unchanged" and entry.shape == (3, 3, 3, 4)
    assert entry.origin.file == "base.h5" and entry.origin.name == "conv/conv/kernel:0"
    assert entry.origin.sha256 == hashlib.sha256(base.read_bytes()).hexdigest()
    assert entry.origin.numbers == hashlib.sha256(model.get_layer("conv").kernel.tobytes()).hexdigest()
    assert model.ledger.summary()[0].endswith(f"from base.h5 ({entry.origin.sha256[:12]}), not one bit changed")


def test_training_and_setting_are_seen_without_bookkeeping(base, rng):
    model = network()
    model.load_weights(base)
    model.get_layer("conv").trainable = False
    model.compile("sgd", "mse")
    model.fit(rng.standard_normal((8, 6, 6, 3)).astype(np.float32), rng.standard_normal((8, 3)), verbose=0)
    found = states(model)
    assert found["conv/kernel"] == ("copied", "unchanged") and found["out/kernel"] == ("copied", "changed")
    assert found["norm/moving_mean"] == ("copied", "changed")
    model.get_layer("conv").bias[0] += 1  # by hand, without any method
    assert states(model)["conv/bias"] == ("copied", "changed")
    assert "changed since" in str(model.ledger)


def test_surgery(base, tmp_path):
    model = network()
    model.load_weights(base)
    cut = transfer.remove_layers(model, after="norm")
    new = transfer.replace_head(transfer.adapt_input(cut, (8, 8, 1)), [Flatten(), Dense(2, name="head")])
    found = states(new)
    assert found["conv/kernel"] == ("adapted", "unchanged") and found["conv/bias"] == ("copied", "unchanged")
    assert found["norm/gamma"] == ("copied", "unchanged") and found["head/kernel"] == ("initialised", "new")
    origin = new.ledger["conv", "kernel"].origin
    assert origin.how == "the sum over the 3 channels" and origin.why == "the input has 1 channels"
    assert origin.first.file == "base.h5" and origin.before.action == "copied"
    assert new.notes == ["removed behind 'norm': out"]
    sums = new.ledger.summary()
    assert any("adapted from base.h5" in line for line in sums) and any("new here" in line for line in sums)
    assert not new.ledger["conv", "kernel"].is_published
    whole = transfer.replace_head(model, Dense(2, name="head"), after="flat")
    assert whole.notes == ["replaced by a new head: out"]


def test_trained_and_then_adapted(base):
    """An array that was trained before it was adapted is no published weight."""
    model = network()
    model.load_weights(base)
    model.get_layer("conv").kernel += 1
    new = transfer.adapt_input(transfer.remove_layers(model, after="norm"), (6, 6, 1))
    origin = new.ledger["conv", "kernel"].origin
    assert origin.before.became and not origin.intact
    assert any("adapted from base.h5" in line and "changed since" in line for line in new.ledger.summary())
    assert "then changed" in str(new.ledger)


def test_a_long_history_keeps_its_beginning(base, tmp_path):
    """Save, load and train thirty times: the ledger does not grow without end, and does not forget the source."""
    model, path = network(), tmp_path / "round.h5"
    model.load_weights(base)
    for _ in range(30):
        model.get_layer("out").bias += 1
        model.save_weights(path)
        model = network()
        model.load_weights(path)
    bias, kernel = model.ledger["out", "bias"].origin, model.ledger["out", "kernel"].origin
    assert bias.first.file == "base.h5" and not bias.intact and len(bias.row) <= ledger_module.LONGEST + 1
    assert kernel.first.file == "base.h5" and kernel.intact and len(kernel.row) == 2


def test_damage_is_seen_in_the_ledger_of_a_file(base, tmp_path):
    from minitl.weights.inspection import ledger_lines

    model = network()
    model.load_weights(base)
    model.save_weights(tmp_path / "a.h5")
    with open_weights(tmp_path / "a.h5") as file:
        digests = {tensor.name: array_digest(file.read(tensor)) for tensor in file.tensors}
        assert not any("DAMAGED" in line for line in ledger_lines(file, digests))
        digests["out/out/bias:0"] = "another"
        lines = ledger_lines(file, digests)
    assert any("copied from [1], DAMAGED since" in line for line in lines)
    assert any("damaged: not what was saved" in line for line in lines)


def test_what_was_skipped_is_noted(base):
    other = Sequential([Conv2D(4, 3, input_shape=(6, 6, 3), name="conv"), Flatten(), Dense(5, name="head")])
    other.load_weights(base, partial=True)
    digest = other.ledger["conv", "kernel"].origin.sha256[:12]
    assert other.notes == [f"skipped in base.h5 ({digest}), since the model has "
                           "no such layer: norm, out"]  # fmt: skip
    assert "(not in base.h5" in str(other.ledger) and other.ledger["head", "bias"].origin.why.startswith(
        "not in base.h5"
    )


def test_it_is_saved_with_the_model_and_comes_back(base, tmp_path, rng):
    model = network()
    model.load_weights(base)
    model = transfer.replace_head(model, Dense(2, name="head"), after="flat")
    model.get_layer("norm").gamma += 1
    before = str(model.ledger)
    model.save(tmp_path / "tuned.h5")
    again = load_model(tmp_path / "tuned.h5")
    assert str(again.ledger) == before and again.notes == model.notes
    again.save(tmp_path / "again.h5")
    assert str(load_model(tmp_path / "again.h5").ledger) == before


def test_weights_that_went_through_several_files(base, tmp_path):
    """ImageNet's weights remain ImageNet's, however often they are saved and loaded. Weights trained in between
    do not."""
    model = network()
    model.load_weights(base)
    model.get_layer("out").kernel += 1
    model.save_weights(tmp_path / "tuned.h5")
    other = network()
    other.load_weights(tmp_path / "tuned.h5")
    kept, tuned = other.ledger["conv", "kernel"], other.ledger["out", "kernel"]
    assert kept.origin.file == "tuned.h5" and kept.origin.before.file == "base.h5"
    assert kept.is_published and kept.origin.first.file == "base.h5"
    assert tuned.state == "unchanged" and not tuned.is_published
    lines = other.ledger.summary()
    assert any("from base.h5" in line and "not one bit changed" in line for line in lines)
    assert any("from base.h5" in line and "changed since" in line for line in lines)
    other.save_weights(tmp_path / "third.h5")
    third = network()
    third.load_weights(tmp_path / "third.h5")
    assert third.ledger["conv", "kernel"].is_published and third.ledger["conv", "kernel"].origin.first.file == "base.h5"


@pytest.mark.slow
def test_a_ledger_that_is_none_is_refused(base, tmp_path):
    model = network()
    assert ledger_module.from_text(None) == ({}, [])
    good = json.loads(ledger_module.as_text(model))
    assert len(ledger_module.from_text(json.dumps(good))[0]) == 8
    for change in (
        {"format": 99}, {"tensors": {"a/b": {}}}, {"tensors": 5}, {"notes": 5},
        {"tensors": {"a/b": {**good["tensors"]["conv/bias"], "shape": 5}}},
        {"tensors": {"a/b": {**good["tensors"]["conv/bias"], "state": "published"}}},
        {"tensors": {"a/b": {**good["tensors"]["conv/bias"], "how": 5}}},
    ):  # fmt: skip
        path = tmp_path / "changed.h5"
        with h5py.File(base) as source, h5py.File(path, "w") as file:
            for name in source:
                source.copy(name, file)
            file.attrs["layer_names"] = source.attrs["layer_names"]
            keras_h5.write_texts(file, {"minitl_ledger": json.dumps({**good, **change})})
        with pytest.raises(WeightsError, match="its ledger cannot be read"):
            model.load_weights(path)
    assert len(ledger_of(model)) == 8
    with pytest.raises(KeyError):
        model.ledger["no", "such"]


def test_classes_that_stay_keep_what_was_learned(base, rng):
    model = network()
    model.load_weights(base)
    model.metadata = {"class_names": ["ant", "bee", "cat"], "preprocessing": "vgg16"}
    new = transfer.adapt_classes(model, ["ant", "bee", "cat"], ["cat", "dog", "ant", "eel"])
    old, head = model.get_layer("out"), new.get_layer("out")
    assert np.array_equal(head.kernel[:, [0, 2]], old.kernel[:, [2, 0]]) and np.array_equal(
        head.bias[[0, 2]], old.bias[[2, 0]]
    )
    for column in 1, 3:
        assert np.array_equal(head.kernel[:, column], old.kernel.mean(axis=1)) and head.bias[column] == old.bias.mean()
    x = 60 * rng.standard_normal((2, 6, 6, 3)).astype(np.float32)  # about what `preprocess_input` gives
    before, after = model.predict(x, verbose=0), new.predict(x, verbose=0)
    assert np.allclose(after[:, [2, 0]], before[:, [0, 2]], rtol=1e-6) and after.shape == (2, 4)
    assert new.metadata == {"class_names": ["cat", "dog", "ant", "eel"], "preprocessing": "vgg16"}
    origin = new.ledger["out", "kernel"].origin
    assert origin.action == "adapted" and origin.how == "2 of 3 classes carried over, 2 new ones their mean"
    assert new.get_layer("conv") is model.get_layer("conv")


def test_classes_that_cannot_be_adapted():
    model = network()
    with pytest.raises(ShapeError, match="ends with 'out', 3 units; expected Dense with 2 classes"):
        transfer.adapt_classes(model, ["a", "b"], ["a"])
    with pytest.raises(ShapeError, match="ends with 'flat', a Flatten layer"):
        transfer.adapt_classes(transfer.remove_layers(model, after="flat"), ["a"], ["a"])
    with pytest.raises(ArgumentError, match="new_classes contains 'a' more than once"):
        transfer.adapt_classes(model, ["a", "b", "c"], ["a", "a"])
    with pytest.raises(ArgumentError, match="new_classes is empty"):
        transfer.adapt_classes(model, ["a", "b", "c"], [])
    with pytest.raises(ArgumentError, match="none of new_classes is one of old_classes; put a new head on"):
        transfer.adapt_classes(model, ["a", "b", "c"], ["x", "y"])
