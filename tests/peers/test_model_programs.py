"""Programs as the public writes them for Keras, in `tests/programs/keras_models`: with `keras` written `minitl` in
their imports, they give the same numbers.

A program finds three names: `start(model)` gives weights that are the same in both libraries, `table(n, columns)`
numbers to learn from, and it leaves `numbers` (and `texts`) to compare.
"""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from .compare import assert_close

PROGRAMS = sorted((Path(__file__).parent.parent / "programs" / "keras_models").glob("*.py"))


def start(model, seed=0):
    """Give a model the weights that belong to a seed: about those of Glorot, and variances above 0."""
    rng = np.random.default_rng(seed)
    weights = []
    for each in model.get_weights():
        fan_in = max(np.prod(each.shape[:-1]), 1) if each.ndim > 1 else 100
        drawn = rng.standard_normal(each.shape).astype(np.float32) / np.sqrt(fan_in)
        weights.append(np.abs(drawn) + 1 if each.ndim == 1 and (each == 1).all() else drawn)
    model.set_weights(weights)


def table(count, columns):
    """Return numbers (count, columns) and the quantity (count, 1) to be learned from them."""
    x = np.random.default_rng(0).standard_normal((count, columns)).astype(np.float32)
    return x, (np.sin(x[:, :1]) + 0.5 * x[:, -1:]).astype(np.float32)


def run(text, folder, monkeypatch):
    """Return what a program leaves behind, run in a folder of its own."""
    folder.mkdir()
    keras.backend.clear_session()  # which counts the layers of a process, and names them by it
    monkeypatch.chdir(folder)
    names = {"start": start, "table": table, "__name__": "program"}
    exec(compile(text, "program", "exec"), names)
    return names["numbers"], names.get("texts")


def with_minitl(text):
    """Return a program with minitl in the place of Keras: the imports change, and nothing else."""
    text = re.sub(r"^import keras$", "import minitl as keras", text, flags=re.MULTILINE)
    return re.sub(r"^from keras", "from minitl", text, flags=re.MULTILINE)


@pytest.mark.filterwarnings("ignore")  # those of Keras, and of both about programs that are small on purpose
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_the_same_numbers_with_only_the_imports_changed(path, tmp_path, monkeypatch):
    text = path.read_text(encoding="utf-8")
    assert with_minitl(text) != text
    expected, expected_texts = run(text, tmp_path / "keras", monkeypatch)
    found, texts = run(with_minitl(text), tmp_path / "minitl", monkeypatch)
    assert texts == expected_texts and len(found) == len(expected)
    for position, (ours, theirs) in enumerate(zip(found, expected)):
        assert_close(np.asarray(ours, np.float64), np.asarray(theirs, np.float64), 1e-4, f"number {position}")
