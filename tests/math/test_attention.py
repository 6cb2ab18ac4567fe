"""Attention, layer normalization and embedding: kernels against their loop twins, and what the layers promise of masks.

Gradients of the layers, and what holds for all layers, are tested by the table (`cases/layers.py`)."""

import itertools

import numpy as np
import pytest

from minitl.errors import ArgumentError, DataError, GraphError, ShapeError
from minitl.kernels import attention, embedding, layer_normalization
from minitl.layers import (
    LSTM,
    Add,
    Dense,
    Embedding,
    GlobalAveragePooling1D,
    Input,
    LayerNormalization,
    MultiHeadAttention,
    PaddingMask,
    PositionEmbedding,
    TokenTypeEmbedding,
)
from minitl.models import Model, load_model
from minitl.testing import check_gradients

# N, T, S, K, G, H, V
SIZES = [
    (2, 5, 5, 4, 4, 3, 3),
    (3, 7, 5, 4, 2, 3, 5),
    (1, 1, 6, 2, 1, 5, 2),
    (2, 9, 3, 3, 3, 4, 4),
    (1, 1, 1, 1, 1, 1, 1),
]


def case(rng, n, t, s, heads, groups, h, v):
    """Return q, k, v and an upstream gradient."""
    shapes = (n, t, heads, h), (n, s, groups, h), (n, s, groups, v), (n, t, heads, v)
    return [rng.normal(size=shape) for shape in shapes]


def masks(rng, n, t, s, heads):
    """Yield (keyword arguments, the same as one mask (N, K, T, S))."""
    for keys, shown, offset in itertools.product((False, True), (0, 1, heads), (None, 0, s - t, -1)):
        found, whole = {}, np.ones((n, heads, t, s), bool)
        if keys:
            found["keys_shown"] = rng.random((n, s)) < 0.6
            whole &= found["keys_shown"][:, None, None]
        if shown:
            found["shown"] = rng.random((n if shown == 1 else 1, shown, t, s)) < 0.6
            whole &= found["shown"]
        if offset is not None:
            found["offset"] = offset
            whole &= np.arange(s) <= np.arange(t)[:, None] + offset
        yield found, whole


@pytest.mark.parametrize("block_bytes", [2**20, 200], ids=["one-block", "many-blocks"])
@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: "x".join(map(str, sizes)))
def test_attention_is_that_of_the_loops(rng, monkeypatch, sizes, block_bytes):
    """Every combination of masks, of which some leave a query nothing; and fewer heads of keys than of queries."""
    monkeypatch.setattr(attention, "BLOCK_BYTES", block_bytes)
    n, t, s, heads, *_ = sizes
    q, k, v, grad = case(rng, *sizes)
    for keywords, whole in masks(rng, n, t, s, heads):
        scores = np.empty((n, heads, t, s))
        y, log_sums = attention.attend(q, k, v, **keywords, scores=scores)
        np.testing.assert_allclose(scores, attention.attention_weights_naive(q, k, whole), atol=1e-14)
        np.testing.assert_allclose(y, attention.attend_naive(q, k, v, whole), atol=1e-13)
        found = attention.attend_gradient(grad, q, k, v, y, log_sums, **keywords)
        for each, expected in zip(found, attention.attend_gradient_naive(grad, q, k, v, whole)):
            np.testing.assert_allclose(each, expected, atol=1e-12)


def test_blocks_and_threads_change_no_bit(rng, monkeypatch):
    q, k, v, grad = (each.astype(np.float32) for each in case(rng, 3, 40, 40, 4, 4, 8, 8))
    results = []
    for count in 1, 2, 3:
        monkeypatch.setattr(attention, "threads", lambda count=count: count)
        y, log_sums = attention.attend(q, k, v, offset=0)
        results.append([y, *attention.attend_gradient(grad, q, k, v, y, log_sums, offset=0)])
    for other in results[1:]:
        for each, expected in zip(other, results[0]):
            np.testing.assert_array_equal(each, expected)


def test_large_scores_do_not_overflow():
    """exp(1000) is infinite in every type of number; the largest score of a row is taken off first."""
    q = np.full((1, 2, 1, 1), 1000, np.float32)
    k = np.array([1, -1, 1], np.float32).reshape(1, 3, 1, 1)
    v = np.array([2, 9, 4], np.float32).reshape(1, 3, 1, 1)
    y, _ = attention.attend(q, k, v)
    np.testing.assert_array_equal(y.ravel(), [3, 3])


def test_a_long_text_needs_no_matrix_of_all_pairs(monkeypatch):
    """4,096 tokens: the scores of 2 heads would take 134 MB; no block is larger than allowed."""
    largest = []
    matmul = np.matmul

    def watched(a, b, **keywords):
        y = matmul(a, b, **keywords)
        largest.append(y.nbytes)
        return y

    monkeypatch.setattr(attention.np, "matmul", watched)
    q = np.random.default_rng(0).standard_normal((1, 4096, 2, 4), np.float32)
    attention.attend(q, q, q)
    assert max(largest) <= max(attention.BLOCK_BYTES, q.nbytes)


# ---- layer normalization ----


@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (40, 3), (700, 130)], ids=str)
@pytest.mark.parametrize("with_parameters", [True, False])
def test_layer_normalization_is_that_of_the_loops(rng, shape, with_parameters):
    x, other, grad = rng.normal(size=(3, *shape))
    gamma, beta = rng.normal(size=(2, shape[1])) if with_parameters else (None, None)
    rows = slice(0, 12)  # of the loops
    for added in None, other:
        whole = x if added is None else x + added
        y, mean, inverse_std = layer_normalization.layer_normalize(x, gamma, beta, 1e-3, added)
        naive = layer_normalization.layer_normalize_naive(whole[rows], gamma, beta, 1e-3)
        for each, expected in zip((y, mean, inverse_std), naive):
            np.testing.assert_allclose(each[rows], expected, atol=1e-13)
    found = layer_normalization.layer_normalize_gradient(grad[rows], whole[rows], mean[rows], inverse_std[rows], gamma)
    naive = layer_normalization.layer_normalize_gradient_naive(
        grad[rows], whole[rows], mean[rows], inverse_std[rows], gamma
    )
    for each, expected in zip(found, naive):
        np.testing.assert_allclose(each, expected, atol=1e-12)


@pytest.mark.parametrize("with_scale", [True, False])
def test_rms_normalization_is_that_of_the_loops(rng, with_scale):
    x, grad = rng.normal(size=(2, 9, 7))
    scale = rng.normal(size=7) if with_scale else None
    y, inverse_rms = layer_normalization.rms_normalize(x, scale, 1e-5)
    for each, expected in zip((y, inverse_rms), layer_normalization.rms_normalize_naive(x, scale, 1e-5)):
        np.testing.assert_allclose(each, expected, atol=1e-13)
    found = layer_normalization.rms_normalize_gradient(grad, x, inverse_rms, scale)
    naive = layer_normalization.rms_normalize_gradient_naive(grad, x, inverse_rms, scale)
    for each, expected in zip(found, naive):
        np.testing.assert_allclose(each, expected, atol=1e-13)


def test_layer_normalization_keeps_the_digits_beside_a_large_mean(rng):
    """A mean of a thousand deviations: mean(x^2) - mean(x)^2 would lose six digits."""
    x = (1000 + rng.normal(size=(50, 768))).astype(np.float32)
    y, *_ = layer_normalization.layer_normalize(x, epsilon=1e-12)
    exact = x.astype(np.float64)
    exact = (exact - exact.mean(axis=1, keepdims=True)) / exact.std(axis=1, keepdims=True)
    assert np.abs(y - exact).max() < 2e-5
    equal, *_ = layer_normalization.layer_normalize(np.full((2, 5), 3.3, np.float32), epsilon=1e-3)
    np.testing.assert_array_equal(equal, 0)


# ---- embedding ----


@pytest.mark.parametrize("shape, rows", [((3, 5), 9), ((4000,), 3), ((2, 1), 1), ((0, 4), 5)], ids=str)
def test_embedding_is_that_of_the_loops(rng, shape, rows):
    tokens, table = rng.integers(rows, size=shape), rng.normal(size=(rows, 4))
    grad = rng.normal(size=(*shape, 4))
    np.testing.assert_array_equal(embedding.embed(tokens, table), embedding.embed_naive(tokens, table))
    naive = embedding.embed_gradient_naive(grad, tokens, rows)
    np.testing.assert_allclose(embedding.embed_gradient(grad, tokens, rows), naive, atol=1e-11)


def test_the_gradient_of_a_frequent_token_keeps_its_digits():
    """Padding occurs a hundred thousand times: one number after the other, its sum would lose three digits."""
    grad = np.full((100_000, 1), 0.1, np.float32)
    found = embedding.embed_gradient(grad, np.zeros(100_000, np.int32), 2)
    np.testing.assert_allclose(found[0], 100_000 * np.float64(np.float32(0.1)), rtol=1e-6)
    assert found[1] == 0


def test_a_number_beyond_the_table_is_refused():
    layer = Embedding(9, 4, name="words")
    for token in 9, -1, 2**31 - 1:
        with pytest.raises(DataError, match=rf"'words' got the token {token}, and its table has 9 rows.*vocabulary"):
            layer.forward(np.array([[0, token]]))
    with pytest.raises(DataError, match="whole numbers.*float64"):
        layer.forward(np.array([[0.5]]))
    assert layer.forward(np.array([[8.0]], np.float32)).shape == (1, 1, 4)


def test_an_embedding_begins_with_a_table(rng):
    table = rng.normal(size=(9, 4)).astype(np.float32)
    for weights in table, [table]:
        np.testing.assert_array_equal(Embedding(9, 4, weights=weights).forward(np.array([[3]]))[0, 0], table[3])
    with pytest.raises(ArgumentError, match=r"weights is ndarray of the shape \(9, 4\).*\(8, 4\)"):
        Embedding(8, 4, weights=table)


def test_positions_end_somewhere():
    with pytest.raises(ShapeError, match="vectors for 4 places, found 5 time steps. Cut the texts"):
        PositionEmbedding(4).forward(np.zeros((1, 5, 3), np.float32))
    with pytest.raises(DataError, match="types from 0 to 1.*from 0 to 2"):
        TokenTypeEmbedding(2).forward([np.zeros((1, 2, 3), np.float32), np.array([[0, 2]])])


# ---- masks ----


def test_an_example_alone_is_as_in_a_padded_batch(rng):
    """Whatever stands behind the end of a text, the numbers of the text are the same."""
    layer, x = MultiHeadAttention(2, 3), rng.normal(size=(3, 7, 5)).astype(np.float32)
    mask = np.arange(7) < np.array([[7], [3], [1]])
    together = layer.forward(x, value_mask=mask)
    for n, length in enumerate((7, 3, 1)):
        alone = layer.forward(x[n : n + 1, :length])
        np.testing.assert_allclose(together[n, :length], alone[0], atol=1e-6)


@pytest.mark.parametrize("use_causal_mask", [False, True])
def test_a_query_sees_its_window(rng, use_causal_mask):
    layer, x = MultiHeadAttention(2, 3, sliding_window=3), rng.normal(size=(2, 7, 5))
    _, scores = layer.forward(x, use_causal_mask=use_causal_mask, return_attention_scores=True)
    away = np.arange(7)[:, None] - np.arange(7)
    np.testing.assert_array_equal(scores[0, 0] > 0, (abs(away) < 3) & ((away >= 0) | (not use_causal_mask)))
    with pytest.raises(ArgumentError, match="sliding_window is 0"):
        MultiHeadAttention(2, 3, sliding_window=0)


def test_where_nothing_may_be_seen_the_attention_gives_0(rng):
    """The documented difference from Keras, which gives the mean of all values."""
    layer, x = MultiHeadAttention(2, 3, bias_initializer="ones"), rng.normal(size=(2, 4, 5))
    mask = np.array([[True] * 4, [False] * 4])
    for name in "value_mask", "key_mask", "query_mask":
        y, scores = layer.forward(x, **{name: mask}, return_attention_scores=True)
        np.testing.assert_array_equal(y[1], 1)  # output_bias
        np.testing.assert_array_equal(scores[1], 0)
        assert np.isfinite(y).all() and scores[0].any()
    report = check_gradients(layer, x, keywords={"value_mask": mask, "query_mask": ~mask})
    assert report.worst <= 1e-7


@pytest.mark.slow
@pytest.mark.parametrize("keywords", [
    {},
    {"use_causal_mask": True},
    {"value_mask": (3, 4)},
    {"key_mask": (3, 4), "query_mask": (3, 5), "return_attention_scores": True},
    {"attention_mask": (3, 5, 4), "use_causal_mask": True},
    {"query_mask": (3, 5), "sliding_window": 2, "use_gate": True},
    {"attention_mask": (3, 2, 5, 4)},
    {"attention_mask": (5, 4), "value_mask": (3, 4), "return_attention_scores": True},
], ids=lambda keywords: "-".join(keywords) or "none")  # fmt: skip
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_gradients_with_masks(rng, note_error, keywords, dropout):
    own = {name: keywords[name] for name in ("sliding_window", "use_gate") if name in keywords}
    layer = MultiHeadAttention(2, 3, value_dim=4, dropout=dropout, **own)
    keywords = {name: each for name, each in keywords.items() if name not in own}
    given = {name: rng.random(each) < 0.7 if isinstance(each, tuple) else each for name, each in keywords.items()}
    report = check_gradients(layer, [rng.normal(size=(3, 5, 6)), rng.normal(size=(3, 4, 7))], keywords=given)
    assert report.worst <= 1e-7
    note_error("layers", report.worst)


def test_masks_of_wrong_shapes_are_named(rng):
    layer, x = MultiHeadAttention(2, 3, name="look"), rng.normal(size=(2, 4, 5))
    with pytest.raises(ShapeError, match=r"'look': value_mask is \(2, 3\); expected booleans of the shape \(2, 4\)"):
        layer.forward(x, value_mask=np.ones((2, 3), bool))
    with pytest.raises(ShapeError, match=r"attention_mask is \(4,\); expected .*\(2, 4, 4\) or \(2, 2, 4, 4\) or"):
        layer.forward(x, attention_mask=np.ones(4, bool))
    with pytest.raises(ShapeError, match="expected the same number of time steps"):
        layer.forward([x, x[:, :3], x])
    with pytest.raises(ShapeError, match="expected 5 numbers a time step for its query"):
        layer.forward(rng.normal(size=(2, 4, 6)))


def test_a_mask_goes_from_the_tokens_to_whom_it_concerns(rng):
    """Embedding(mask_zero=True) -> attention, normalization, Add, Dense -> pooling, without being named."""

    def layers(mask_zero):
        tokens = Input((None,), dtype="int32")
        x = Embedding(20, 6, mask_zero=mask_zero, name="words")(tokens)
        y = MultiHeadAttention(2, 3, name="look")(x, x)
        return tokens, LayerNormalization(name="norm")(Add()([x, y]))

    tokens, x = layers(mask_zero=True)
    assert isinstance(x.mask.layer, PaddingMask)
    model = Model(tokens, GlobalAveragePooling1D()(Dense(4, name="dense")(x)))
    padded = rng.integers(1, 20, size=(2, 6)).astype(np.int32)
    padded[1, 2:] = 0
    together = model.forward(padded)
    np.testing.assert_allclose(model.forward(padded[1:, :2])[0], together[1], atol=1e-6)


def test_scores_are_a_second_output_of_a_graph(rng, tmp_path):
    """The options of the call, and both outputs, are saved with the model."""
    x, memory = Input((None, 6)), Input((None, 5))
    y, scores = MultiHeadAttention(2, 3)(x, memory, return_attention_scores=True, use_causal_mask=True)
    model = Model([x, memory], [LSTM(2)(y), scores])
    arrays = [rng.normal(size=(2, 4, 6)).astype(np.float32), rng.normal(size=(2, 3, 5)).astype(np.float32)]
    found = model.forward(arrays)
    assert found[1].shape == (2, 2, 4, 3) and not found[1][:, :, 0, 1:].any()
    np.testing.assert_allclose(found[1].sum(axis=-1), 1, rtol=1e-6)
    model.save(tmp_path / "model.h5")
    for each, expected in zip(load_model(tmp_path / "model.h5").forward(arrays), found):
        np.testing.assert_array_equal(each, expected)
    assert check_gradients(model, arrays).worst <= 1e-7
    with pytest.raises(GraphError, match="looks=3"):
        MultiHeadAttention(2, 3)(x, memory, looks=3)
