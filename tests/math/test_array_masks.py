"""Masks that arrays carry from one call to the next: the same numbers as in a graph."""

import numpy as np
import pytest

from minitl.errors import ArgumentError, GraphError, ShapeError
from minitl.layers import (
    LSTM,
    Bidirectional,
    Dense,
    Dot,
    Dropout,
    Embedding,
    GlobalAveragePooling1D,
    Input,
    Layer,
    Masking,
    MultiHeadAttention,
    Multiply,
    Softmax,
)
from minitl.models import Model, Sequential
from minitl.testing import check_gradients

TOKENS = np.array([[1, 2, 0, 0], [3, 4, 5, 0]], "int32")
REAL = TOKENS != 0


@pytest.mark.parametrize("make", [lambda: LSTM(3), GlobalAveragePooling1D, lambda: Bidirectional(LSTM(2))])
def test_a_layer_behind_an_embedding_takes_its_mask(make):
    embedding, dense, layer = Embedding(9, 4, mask_zero=True), Dense(4, "tanh"), make()
    y = dense(Dropout(0.5)(embedding(TOKENS)))
    np.testing.assert_array_equal(y.mask, REAL)
    found = layer(y)
    assert embedding.output is None, "no graph begins with an array"
    x = Input((4,), dtype="int32")
    model = Model(x, layer(dense(Dropout(0.5)(embedding(x)))))
    np.testing.assert_allclose(found, model.predict(TOKENS, verbose=0), rtol=1e-6)
    assert not np.allclose(found, layer(np.asarray(y))), "without the mask, padding counts"


def test_two_inputs_with_masks():
    embedding, attention = Embedding(9, 4, mask_zero=True), MultiHeadAttention(2, 2)
    other = TOKENS[:, ::-1].copy()
    found = attention([embedding(TOKENS), embedding(other)])
    x, z = Input((4,), dtype="int32"), Input((4,), dtype="int32")
    model = Model([x, z], attention([embedding(x), embedding(z)]))
    np.testing.assert_allclose(found, model.predict([TOKENS, other], verbose=0), rtol=1e-5, atol=1e-7)
    product = Multiply()([embedding(TOKENS), embedding(other)])
    np.testing.assert_array_equal(product.mask, REAL | (other != 0))


def test_what_a_program_computes_has_no_mask():
    y = Masking()(np.ones((2, 3, 1)) * [[[0], [1], [2]]])
    np.testing.assert_array_equal(y.mask, [[False, True, True]] * 2)
    assert (y + 1).mask is None and y[:, 0].mask is None and np.asarray(y).sum() == 6


def test_compute_mask_is_the_mask_alone():
    np.testing.assert_array_equal(Embedding(9, 4, mask_zero=True).compute_mask(TOKENS), REAL)
    assert Embedding(9, 4).compute_mask(TOKENS) is None
    ones = np.ones((2, 4, 1), "float32")
    np.testing.assert_array_equal(Multiply().compute_mask([ones, ones], [REAL, ~REAL]), np.ones((2, 4), bool))
    with pytest.raises(ArgumentError, match="mask is ndarray; expected one mask for an input, or a list of masks"):
        Multiply().compute_mask([ones, ones], REAL)
    with pytest.raises(GraphError, match=r"is layer\(x\).mask"):
        Dense(2).compute_mask(Input((4, 1)), REAL)


def test_a_softmax_with_a_mask():
    """The loop: exp over the entries that the mask keeps, divided by their sum; 0 elsewhere."""
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(4, 5)), rng.random((4, 5)) < 0.6
    mask[1] = False
    expected = np.zeros((4, 5))
    for row, kept in enumerate(mask):
        for k in np.flatnonzero(kept):
            expected[row, k] = np.exp(x[row, k]) / sum(np.exp(x[row, j]) for j in np.flatnonzero(kept))
    np.testing.assert_allclose(Softmax().forward(x, mask=mask), expected, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(Softmax()(x, mask=mask[0].astype(float)).sum(axis=1), 1, rtol=1e-6)
    numbers, kept = Input((5,)), Input((5,), dtype="bool")
    model = Model([numbers, kept], Softmax()(Dense(5)(numbers), mask=kept))
    check_gradients(model, [x, mask])
    with pytest.raises(ShapeError, match=r"a mask \(4, 4\) cannot be broadcast to the input \(4, 5\)"):
        Softmax().forward(x, mask=mask[:, 1:])


def test_a_call_of_your_own_gets_the_mask_and_hands_it_on():
    seen = []

    class Passing(Layer):
        def __init__(self):
            super().__init__()
            self.supports_masking = True

        def call(self, x, mask=None):
            seen.append(mask)
            return x * 2

    y = Passing()(Embedding(9, 4, mask_zero=True)(TOKENS))
    np.testing.assert_array_equal(seen[0], REAL)
    np.testing.assert_array_equal(y.mask, REAL)
    x = Input((4,), dtype="int32")
    words = Embedding(9, 4, mask_zero=True)(x)
    assert Passing()(words).mask is words.mask is seen[1] is not None


def test_a_class_of_your_own_may_say_that_it_supports_masking():
    class Passing(Layer):
        supports_masking = True

        def call(self, x):
            return x * 2

    class Quiet(Passing):
        supports_masking = False

    assert Passing().supports_masking and not Quiet().supports_masking
    words = Embedding(9, 4, mask_zero=True)(TOKENS)
    np.testing.assert_array_equal(Passing()(words).mask, REAL)
    assert getattr(Quiet()(words), "mask", None) is None


def test_a_model_takes_the_mask_of_its_arrays():
    words = Embedding(9, 4, mask_zero=True)(TOKENS)
    dense, lstm = Dense(3), LSTM(2, return_sequences=True)
    model = Sequential([Input((4, 4)), dense, Dropout(0.5), lstm])
    y = model(words)
    np.testing.assert_allclose(y, lstm(dense(words)), rtol=1e-6)
    np.testing.assert_array_equal(y.mask, REAL)
    assert not np.allclose(y, model(np.array(words)))
    first, second = Input((4, 4)), Input((4, 4))
    both = Model([first, second], {"a": dense(first), "b": GlobalAveragePooling1D()(second)})
    found = both([np.array(words), words], training=True)
    assert getattr(found["a"], "mask", None) is None
    np.testing.assert_allclose(found["b"][0], words[0, :2].mean(axis=0), rtol=1e-5)


def test_arrays_with_the_same_mask_share_it_in_a_call():
    words = Embedding(9, 4, mask_zero=True)(TOKENS)
    scores = Dot(axes=(2, 2))([words, Dense(4, kernel_initializer="identity")(words)])
    np.testing.assert_allclose(scores, np.einsum("ntc,nsc->nts", words, words), rtol=1e-5)
