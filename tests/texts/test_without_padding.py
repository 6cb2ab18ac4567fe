"""Encoders of text that compute the real tokens alone give the numbers of those that compute padding, too."""

import numpy as np
import pytest

from minitl import transfer
from minitl.applications import BERT
from minitl.graph.without_padding import OfRealTokens, without_padding
from minitl.layers import (
    Add,
    Concatenate,
    Dense,
    Dropout,
    Embedding,
    GlobalAveragePooling1D,
    Input,
    LayerNormalization,
    MultiHeadAttention,
)
from minitl.models import Model

SIZES = {"weights": None, "layers": 2, "width": 8, "heads": 2, "hidden": 12, "vocabulary": 20, "positions": 9}
MASKS = {
    "at the end": [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]],
    "at the beginning": [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]],
    "in between": [[1, 0, 1, 0, 1], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1]],
    "a text without tokens": [[1, 1, 0, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]],
    "no token at all": [[0] * 5] * 3,
    "no padding": [[1] * 5] * 3,
}


def randomized(model, rng):
    for layer in model.layers:
        for name in layer.weight_names:
            weight = getattr(layer, name)
            weight[...] = rng.normal(size=weight.shape)
    return model


def groups(model, gradients="none", training=False):
    """Return the names of the layers that are computed without padding."""
    found = []
    run = OfRealTokens.forward

    def noted(self, *arrays):
        found.append([layer.name for layer in self.layers])
        return run(self, *arrays)

    OfRealTokens.forward = noted
    try:
        model.forward(texts(model), training=training, gradients=gradients)
    finally:
        OfRealTokens.forward = run
    return found


def texts(model, mask=MASKS["in between"]):
    """Return token numbers, with a mask if the model takes one."""
    tokens = np.random.default_rng(3).integers(1, 20, (3, 5), np.int32)
    mask = np.array(mask, bool)
    return {"tokens": tokens, "mask": mask} if isinstance(model.input, dict) else tokens * mask


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mask", MASKS)
def test_the_same_numbers(rng, mask, dtype):
    model = randomized(BERT(**SIZES), rng)
    for layer in model.layers:
        for name in layer.weight_names:
            setattr(layer, name, getattr(layer, name).astype(dtype))
    x = texts(model, MASKS[mask])
    expected, found = model.forward(x), model.forward(x, gradients="none")  # the first keeps everything
    assert found.shape == (3, 8) and found.dtype == dtype
    assert np.abs(found - expected).max() <= {"float32": 1e-5, "float64": 1e-13}[dtype] * np.abs(expected).max()
    several = model.predict(x, batch_size=2, verbose=0)
    assert np.abs(several - expected).max() <= 1e-5 * np.abs(expected).max(initial=1)


def test_padding_takes_no_part(rng, monkeypatch):
    """The products see the real tokens alone."""
    rows, product = [], MultiHeadAttention.products
    monkeypatch.setattr(
        MultiHeadAttention, "products", lambda self, x, names: rows.append(x.shape) or product(self, x, names)
    )
    model = randomized(BERT(**SIZES), rng)
    model.forward(texts(model), gradients="none")
    model.forward(texts(model, MASKS["no padding"]), gradients="none")
    assert rows == [(1, 11, 8)] * 2 + [(3, 5, 8)] * 2


def of_tokens(work=lambda x, mask: x, attention=None, pooling=None):
    """Build an encoder whose input is a dict, as BERT's. `work` gets tokens and the mask, behind attention."""
    tokens, mask = Input((5,), dtype="int32", name="tokens"), Input((5,), dtype="bool", name="mask")
    x = Dense(8, name="dense")(Embedding(20, 8)(tokens))
    x = (attention or (lambda x, mask: MultiHeadAttention(2, 4, name="attention")(x, value_mask=mask)))(x, mask)
    x = work(x, mask)
    x = (pooling or (lambda x, mask: GlobalAveragePooling1D(name="mean")(x, mask=mask)))(x, mask)
    return Model({"tokens": tokens, "mask": mask}, Dense(3, activation="softmax", name="head")(x))


def test_what_is_computed_without_padding():
    assert groups(of_tokens()) == [["dense", "attention", "mean"]]
    model = BERT(**SIZES, dropout=0.5)
    (names,) = groups(model)
    assert names[0] == "embeddings_norm" and names[-1] == "mean" and len(names) == 21
    assert groups(model, "trainable") == [], "gradients pass"
    transfer.freeze(model)
    assert len(groups(model, "trainable")) == 1 and groups(model, "trainable", training=True) == [], "dropout"
    frozen = of_tokens()
    transfer.freeze(frozen, until="mean")
    assert len(groups(frozen, "trainable", training=True)) == 1, "the head alone is trained"
    assert groups(BERT(**SIZES, pooling=None)) == groups(BERT(**SIZES, pooling="cls")) == []
    whole = of_tokens()
    assert groups(Model(whole.input, [whole.output, whole.output_of("attention")])) == [], "padding is an output"
    assert groups(of_tokens(pooling=lambda x, mask: GlobalAveragePooling1D()(x))) == [], "a mean over padding, too"

    class Centred(Dense):
        def forward(self, x, training=False):
            return super().forward(x - x.mean(axis=1, keepdims=True), training)

    assert groups(of_tokens(lambda x, mask: Centred(8)(x))) == [], "a subclass may look at all tokens"
    assert groups(of_tokens(lambda x, mask: LayerNormalization(axis=1)(x))) == [], "over the tokens"
    assert groups(of_tokens(attention=lambda x, mask: MultiHeadAttention(2, 4)(x))) == [], "attention sees padding"
    other = of_tokens(attention=lambda x, mask: MultiHeadAttention(2, 4)(x, value_mask=mask, use_causal_mask=True))
    assert groups(other) == [], "an option"
    masked = of_tokens(attention=lambda x, mask: MultiHeadAttention(2, 4)(x, value_mask=mask, attention_mask=mask))
    operations = masked._operations(set(), False)
    assert without_padding(operations, {}, masked.outputs, set(), False) == operations, "the mask says more"
    beside = of_tokens(lambda x, mask: Concatenate()([x, Dense(8, name="beside")(Embedding(20, 8)(mask))]))
    assert groups(beside) == [], "a layer that may not look at tokens alone"
    watched = of_tokens()
    dense = watched.get_layer("dense")
    dense.forward = lambda x, training=False: Dense.forward(dense, x, training)
    assert groups(watched) == [["attention", "mean"]], "a program looks at the layer"


def test_masks_as_in_keras(rng):
    """An Embedding makes the mask, and the layers hand it on."""
    tokens = Input((None,), dtype="int32")
    x = Embedding(20, 8, mask_zero=True)(tokens)
    x = Add()([MultiHeadAttention(2, 4)(x, x), x])
    x = Dropout(0.1)(LayerNormalization()(x))
    model = randomized(Model(tokens, GlobalAveragePooling1D()(x)), rng)
    for mask in MASKS["in between"], MASKS["no padding"]:
        x = texts(model, mask)
        expected, found = model.forward(x), model.forward(x, gradients="none")
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    assert len(groups(model)) == 1


def test_vectors_that_are_broadcast(rng):
    """A sum of tokens with one vector for all of them is computed with the padding."""
    tokens, mask = Input((None,), dtype="int32", name="tokens"), Input((None,), dtype="bool", name="mask")
    vector = Input((1, 8), name="vector")
    x = MultiHeadAttention(2, 4)(Add()([Embedding(20, 8)(tokens), vector]), value_mask=mask)
    inputs = {"tokens": tokens, "mask": mask, "vector": vector}
    model = randomized(Model(inputs, GlobalAveragePooling1D()(x, mask=mask)), rng)
    x = {**texts(model), "vector": rng.standard_normal((3, 1, 8)).astype(np.float32)}
    expected, found = model.forward(x), model.forward(x, gradients="none")
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_a_text_does_not_reach_the_others(rng):
    """NaN in one text stays there, wherever the padding of the others is."""
    x, mask = Input((6, 8), name="x"), Input((6,), dtype="bool", name="mask")
    y = Dense(8)(MultiHeadAttention(2, 4)(x, value_mask=mask))
    model = Model({"x": x, "mask": mask}, GlobalAveragePooling1D()(y, mask=mask))
    shown = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0]], bool)
    numbers = rng.standard_normal((3, 6, 8)).astype(np.float32)
    expected = model.forward({"x": numbers, "mask": shown})
    numbers[0, 2] = np.nan
    found = model.forward({"x": numbers, "mask": shown}, gradients="none")
    assert np.isnan(found[0]).all() and np.abs(found[1:] - expected[1:]).max() < 1e-5


def test_a_mask_that_is_computed(rng):
    """The sum that makes the mask is no work on tokens."""
    x, a, b = Input((6, 8)), Input((6,), dtype="int32"), Input((6,), dtype="int32")
    mask = Add()([a, b])
    model = Model([x, a, b], GlobalAveragePooling1D()(MultiHeadAttention(2, 4)(x, value_mask=mask), mask=mask))
    given = [rng.standard_normal((2, 6, 8)).astype(np.float32), np.eye(2, 6, dtype=np.int32), np.eye(2, 6, 2, np.int32)]
    expected, found = model.forward(given), model.forward(given, gradients="none")
    assert np.abs(found - expected).max() < 1e-5


def test_two_encoders(rng):
    """Texts in pairs, by the same layers: each has a mean of its own."""
    shared = Embedding(20, 8), Dense(8, name="shared"), MultiHeadAttention(2, 4), GlobalAveragePooling1D()
    inputs, means = {}, []
    for which in "first", "second":
        inputs[which] = Input((5,), dtype="int32", name=which)
        mask = inputs[f"{which}_mask"] = Input((5,), dtype="bool", name=f"{which}_mask")
        embedding, dense, attention, mean = shared
        means.append(mean(attention(dense(embedding(inputs[which])), value_mask=mask), mask=mask))
    model = Model(inputs, Add()(means))
    tokens, masks = rng.integers(0, 20, (2, 3, 5), np.int32), np.array([MASKS["in between"], MASKS["at the end"]], bool)
    x = {"first": tokens[0], "second": tokens[1], "first_mask": masks[0], "second_mask": masks[1]}
    expected, found = model.forward(x), model.forward(x, gradients="none")
    assert np.abs(found - expected).max() < 1e-5
    operations = without_padding(model._operations(set(), False), {}, model.outputs, set(), False)
    assert sum(isinstance(operation, OfRealTokens) for operation in operations) == 2
