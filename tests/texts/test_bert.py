"""BERT against stored numbers of PyTorch's (`tests/golden/make_bert_encoder.py`), and its arguments, cuts and files."""

from pathlib import Path

import numpy as np
import pytest

from minitl.applications import BERT
from minitl.errors import ArgumentError, DataError, ShapeError
from minitl.layers import Dense
from minitl.losses import CategoricalCrossentropy
from minitl.models import Model, load_model
from minitl.optimizers import Adam
from minitl.testing import check_gradients
from minitl.transfer import freeze, frozen_digest, replace_head
from minitl.weights.bert_names import bert_parameter

SIZES = {"layers": 3, "width": 12, "heads": 3, "hidden": 20, "vocabulary": 40, "positions": 16}


@pytest.fixture(scope="module")
def golden():
    """Return the stored arrays by name."""
    with np.load(Path(__file__).parent.parent / "golden" / "bert_encoder.npz") as file:
        return dict(file)


def with_golden_weights(golden, dtype=np.float32, **arguments):
    """Return a small BERT with the stored weights."""
    model = BERT(None, types=True, **SIZES, **arguments)
    for name, array in golden.items():
        if name.startswith("weight "):
            layer, parameter, array = bert_parameter(name.removeprefix("weight "), array, heads=3)
            if layer in {each.name for each in model.layers}:
                setattr(model.get_layer(layer), parameter, np.ascontiguousarray(array, dtype))
    return model


def inputs_of(golden):
    return {name: golden[name] for name in ("tokens", "mask", "types")}


def small(**arguments):
    return BERT(None, **{**SIZES, "layers": 2, **arguments})


def some_inputs(rng, n=3, t=7):
    """Return tokens and a mask of texts of different length."""
    mask = np.arange(t) < rng.integers(1, t + 1, size=(n, 1))
    return {"tokens": (rng.integers(1, 40, size=(n, t)) * mask).astype(np.int32), "mask": mask}


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_every_block_gives_pytorchs_vectors(golden, blocks):
    model = with_golden_weights(golden, pooling=None, cut=blocks)
    found = model.forward(inputs_of(golden))
    mask = golden["mask"]
    np.testing.assert_allclose(found[mask], golden[f"block {blocks}"][mask], atol=2e-6)


def test_the_mean_counts_real_tokens_alone(golden):
    found = with_golden_weights(golden, pooling="mean").forward(inputs_of(golden))
    expected = [states[mask].mean(axis=0) for states, mask in zip(golden["block 3"], golden["mask"])]
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_the_pooler_and_all_gradients_are_pytorchs(golden):
    """Compare in float64, where no rounding hides a mistake."""
    model = with_golden_weights(golden, np.float64, pooling="cls")
    np.testing.assert_allclose(model.forward(inputs_of(golden)), golden["pooled"], atol=1e-12)
    model.backward(golden["grad"])
    compared = 0
    for name, gradient in golden.items():
        if name.startswith("gradient "):
            layer, parameter, gradient = bert_parameter(name.removeprefix("gradient "), gradient, heads=3)
            np.testing.assert_allclose(model.get_layer(layer).gradients[parameter], gradient, atol=1e-12)
            compared += 1
    assert compared == 7


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [
    {"types": True},
    *(pytest.param(each, marks=pytest.mark.slow) for each in ({}, {"pooling": "cls"}, {"dropout": 0.2},
                                                              {"pooling": None, "activation": "gelu_tanh"})),
], ids=str)  # fmt: skip
def test_gradients(rng, note_error, arguments):
    x = some_inputs(rng)
    if "types" in arguments:
        x["types"] = rng.integers(2, size=x["tokens"].shape).astype(np.int32)
    report = check_gradients(small(**arguments), x, most=12)
    assert report.worst <= 1e-5
    note_error("networks", report.worst)


def test_a_text_alone_is_as_in_a_padded_batch(rng):
    model, x = small(), some_inputs(rng, 4, 9)
    together = model.forward(x, gradients="none")
    for n, length in enumerate(x["mask"].sum(axis=1)):
        alone = model.forward([x["tokens"][n : n + 1, :length], x["mask"][n : n + 1, :length]], gradients="none")
        np.testing.assert_allclose(alone[0], together[n], atol=2e-6)


def test_fused_inference_gives_the_numbers_of_training(rng):
    model, x = small(), some_inputs(rng, 5, 11)
    np.testing.assert_allclose(model.forward(x, gradients="none"), model.forward(x), atol=2e-6)


def test_names_and_sizes():
    model = BERT(None, pooling="cls")
    assert model.count_params() == 22_713_216  # of MiniLM, with its pooler
    names = [layer.name for layer in model.layers]
    for part in "attention", "attention_add", "attention_norm", "intermediate", "output", "output_add", "output_norm":
        assert [name for name in names if name.endswith(f"_{part}")] == [f"layer_{k}_{part}" for k in range(6)]
    assert BERT(None, cut=4).count_params() == 22_713_216 - 147_840 - 2 * 1_774_464
    assert BERT(None, width=24, heads=2).get_layer("layer_0_intermediate").units == 96


@pytest.mark.parametrize("arguments, error, message", [
    ({"pooling": "max"}, ArgumentError, "pooling is 'max'; expected one of None, 'mean', 'cls'"),
    ({"cut": 3}, ArgumentError, "cut is 3; expected at most 2"),
    ({"cut": 0}, ArgumentError, "cut is 0"),
    ({"heads": 5}, ArgumentError, "heads is 5; expected a number that divides the width, 12"),
    ({"depth": 3}, ArgumentError, "no argument depth; its sizes are layers, width"),
], ids=lambda each: str(each)[:30])  # fmt: skip
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        small(**arguments)


def test_wrong_inputs_are_named(rng):
    model = small()
    with pytest.raises(ShapeError, match="16 places, found 17 time steps"):
        model.forward(some_inputs(rng, 2, 17))
    x = some_inputs(rng)
    x["tokens"][0, 0] = 40
    with pytest.raises(DataError, match="'word_embeddings' got the token 40, and its table has 40 rows"):
        model.forward(x)


def test_freezing_a_head_and_a_file(rng, tmp_path):
    """A new head learns, frozen blocks stay to the bit, and the loaded model gives the same numbers."""
    model = replace_head(small(), Dense(2, activation="softmax", name="classes"))
    freeze(model, until="layer_0_output_norm")
    before, tables = frozen_digest(model), model.get_layer("layer_1_attention").get_weights()
    x, labels = some_inputs(rng, 6), np.eye(2, dtype=np.float32)[rng.integers(2, size=6)]
    criterion, optimizer, losses = CategoricalCrossentropy(), Adam(0.01), []
    for _ in range(20):
        losses.append(criterion.forward(labels, model.forward(x, training=True)))
        model.backward(criterion.backward())
        optimizer.step(model)
    assert losses[-1] < losses[0] / 2
    assert frozen_digest(model) == before and model.get_layer("layer_0_attention").gradients == {}
    assert not np.array_equal(tables[0], model.get_layer("layer_1_attention").query_kernel)
    model.save(tmp_path / "model.h5")
    loaded = load_model(tmp_path / "model.h5")
    assert isinstance(loaded, Model)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
