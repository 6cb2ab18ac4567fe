"""Names that files can hold, endings that are written, files that are open elsewhere, and the ledger after training."""

import h5py
import numpy as np
import pytest

from minitl.errors import ArgumentError, WeightsError
from minitl.layers import Dense, Input
from minitl.models import Sequential, load_model

NAMES = ["conv1/conv", "a/b/c", "with space", "dots.in.it", "Ünïcode ✓", "x" * 1000, "trailing/x", "per%cent", "[1]"]
REFUSED = ["/first", "a/./b", ".", "null\0", "", "x" * 1001, "half \ud800", 3]


def small_model(name="dense"):
    """Return a compiled model of one layer with this name."""
    model = Sequential([Input((3,)), Dense(2, name=name)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("file", ["m.h5", "m.weights.h5"])
@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:12])
def test_odd_names_are_saved_and_loaded(name, file, tmp_path):
    model, other = small_model(name), small_model(name)
    model.save_weights(tmp_path / file)
    other.load_weights(tmp_path / file)
    assert all((a == b).all() for a, b in zip(model.get_weights(), other.get_weights()))
    model.save(tmp_path / "whole.h5")
    assert load_model(tmp_path / "whole.h5").layers[-1].name == name


@pytest.mark.parametrize("name", REFUSED, ids=lambda name: ascii(name)[:12])
def test_a_name_that_no_file_can_hold_is_refused_when_it_is_given(name):
    with pytest.raises(ArgumentError, match="name is"):
        Dense(2, name=name)


def test_names_that_contain_each_other_do_not_collide(tmp_path):
    def build():
        return Sequential([Input((3,)), Dense(4, name="block"), Dense(2, name="block/dense")])

    model, other = build(), build()
    model.save(tmp_path / "m.h5")
    other.load_weights(tmp_path / "m.h5")
    x = np.ones((2, 3), np.float32)
    assert (model.predict(x, verbose=0) == other.predict(x, verbose=0)).all()


@pytest.mark.parametrize("file", ["model.png", "model.pth", "model.txt"])
def test_an_ending_of_another_format_is_refused_and_nothing_is_written(file, tmp_path):
    whole_models = [small_model().save] * (file != "model.keras")  # which is an archive of a whole model
    for save in small_model().save_weights, *whole_models:
        with pytest.raises(ArgumentError, match="minitl writes HDF5"):
            save(tmp_path / file)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_another_program_writes_to_is_not_called_damaged(tmp_path):
    model = small_model()
    model.save_weights(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+"), pytest.raises(WeightsError, match="is open in another program"):
        small_model().load_weights(tmp_path / "m.h5")
    small_model().load_weights(tmp_path / "m.h5")


def test_the_ledger_tells_new_from_trained(tmp_path):
    model = small_model()
    assert "trained since" not in str(model.ledger)
    model.fit(np.ones((8, 3), np.float32), np.ones((8, 2), np.float32), verbose=0)
    model.save(tmp_path / "m.h5")
    for found in model, load_model(tmp_path / "m.h5"):
        assert str(found.ledger).count("trained since") == 3, "two arrays and the sum"
