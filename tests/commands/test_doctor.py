"""`minitl doctor`: what it finds, and that its warnings come when they should."""

import json
import os

import pytest

from minitl import cli
from minitl.recipes import examination
from minitl.weights.published import catalogue


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Measure small matrices, and start without the settings of the process that runs the tests."""
    monkeypatch.setattr(examination, "SIDE", 64)
    for name in (*examination.SLOWING, *examination.LIMITING):
        monkeypatch.delenv(name, raising=False)


def test_the_command_prints_and_writes_what_it_finds(capsys, tmp_path):
    assert cli.main(["doctor", "--json", str(tmp_path / "found.json")]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert "NumPy" in printed and "GFLOP/s" in printed and "Nothing is wrong." in printed
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    assert found["gflops"] > 0 and 1 <= found["threads"] and found["cores"] == os.cpu_count()
    assert {"images", "plots", "sklearn", "convert"} <= {each["extra"] for each in found["extras"]}
    assert found["home"] == os.environ["MINITL_HOME"]


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(examination.EXTRAS, "images", ("no_such_package", "no-such-package", "nothing"))
    found = {each["extra"]: each["version"] for each in examination.examine().extras}
    assert found["images"] is None and found["test"] is not None


@pytest.mark.parametrize("name", ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"])
def test_settings_that_slow_products_down_are_warned_of(name, monkeypatch):
    assert examination.examine().warnings == []
    monkeypatch.setenv(name, "Haswell")
    (warning,) = examination.examine().warnings
    assert warning.startswith(f"{name} is set to Haswell")


def test_fewer_threads_than_cores_are_explained(monkeypatch):
    monkeypatch.setattr(examination, "threads", lambda: 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert examination.examine().warnings == []
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert examination.examine().warnings == ["minitl uses 1 of 8 cores, because of OMP_NUM_THREADS=1."]


def test_damaged_weights_are_found():
    path = catalogue.models_folder() / catalogue.CATALOGUE["glove-50d"].file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no weights")
    found = examination.examine()
    assert [(each["name"], each["intact"]) for each in found.weights] == [("glove-50d", False)]
    assert "minitl weights get glove-50d --again" in found.warnings[0] and "DAMAGED" in str(found)
