"""The kernels of a decoder beside their loop twins and the properties that define them. (Gradients of the layers are
checked in `test_gradients.py`.)"""

import math

import numpy as np
import pytest

from minitl.errors import ArgumentError, ShapeError
from minitl.initializers import RandomNormal
from minitl.kernels import gating, rotation
from minitl.layers import CausalSelfAttention, Input, ReversibleEmbedding, SwiGLU
from minitl.layers.decoder_attention import Past
from minitl.models import Model, load_model
from minitl.testing import check_gradients


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-14), ("float32", 1e-6)])
@pytest.mark.parametrize("first", [0, 5, 1000])
def test_rotation_is_that_of_the_twin(first, dtype, tolerance, rng):
    x = rng.standard_normal((2, 7, 3, 10)).astype(dtype)
    turns = rotation.rotations(first, 7, 10, base=50.0, dtype=x.dtype)
    y, exact = rotation.rotate(x, turns), x.astype(np.float64)
    assert y.dtype == x.dtype
    np.testing.assert_allclose(y, rotation.rotate_naive(exact, first, 50.0), atol=4 * tolerance)
    dx = rotation.rotate_gradient(x, turns)
    np.testing.assert_allclose(dx, rotation.rotate_gradient_naive(exact, first, 50.0), atol=4 * tolerance)


def test_rotation_by_hand():
    """Position 0 is not turned. At position 1, pair 0 turns by 1 radian and pair 1 of two by 1 / sqrt(base)."""
    x = np.array([1.0, 0.0, 0.0, 2.0]).reshape(1, 1, 1, 4) * np.ones((1, 2, 1, 1))
    y = rotation.rotate(x, rotation.rotations(0, 2, 4, base=100.0, dtype=x.dtype))
    np.testing.assert_allclose(y[0, 0, 0], [1, 0, 0, 2])
    by_hand = [math.cos(1), math.sin(1), -2 * math.sin(0.1), 2 * math.cos(0.1)]
    np.testing.assert_allclose(y[0, 1, 0], by_hand)


def test_rotation_takes_neighbours_as_pairs(rng):
    """The other convention, pairs (i, i + H/2), gives the same at position 0 and something else at all others."""
    x = rng.standard_normal((1, 4, 1, 6))
    y = rotation.rotate(x, rotation.rotations(0, 4, 6, dtype=x.dtype))
    order = [0, 2, 4, 1, 3, 5]  # the same numbers with the pairs apart
    halves = np.empty_like(x)
    for t in range(4):
        for i in range(3):
            angle = t * 10000.0 ** (-2 * i / 6)
            a, b = x[0, t, 0, i], x[0, t, 0, i + 3]
            halves[0, t, 0, i] = math.cos(angle) * a - math.sin(angle) * b
            halves[0, t, 0, i + 3] = math.sin(angle) * a + math.cos(angle) * b
    np.testing.assert_allclose(halves[:, 0], y[:, 0])
    assert np.abs(halves[:, 1:] - y[:, 1:]).max(axis=-1).min() > 0.1
    permuted = rotation.rotate(x[..., np.argsort(order)].copy(), rotation.rotations(0, 4, 6, dtype=x.dtype))
    np.testing.assert_allclose(permuted[..., order], halves)


def test_a_product_of_turned_rows_depends_on_their_distance_alone(rng):
    q, k = rng.standard_normal((2, 1, 1, 1, 8))

    def product(t, s):
        turned = (
            rotation.rotate(each, rotation.rotations(place, 1, 8, dtype=np.float64)) for each, place in ((q, t), (k, s))
        )
        return float(np.multiply(*turned).sum())

    assert product(3, 1) == pytest.approx(product(40, 38), rel=1e-12) != pytest.approx(product(3, 2), rel=0.01)


def test_rotation_takes_views(rng):
    """The heads of a wider array do not lie in memory one behind the other."""
    x = rng.standard_normal((2, 3, 4, 16))[:, :, 1:3, 2:10]
    turns = rotation.rotations(0, 3, 8, dtype=x.dtype)
    np.testing.assert_array_equal(rotation.rotate(x, turns), rotation.rotate(x.copy(), turns))


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 7), (0, 4), (70_001,)])
def test_swiglu_is_that_of_the_twin(shape, rng):
    a, b, grad = rng.standard_normal((3, *shape)) * 4
    few = (slice(0, 3),)
    np.testing.assert_allclose(gating.swiglu(a, b)[few], gating.swiglu_naive(a[few], b[few]), rtol=1e-13, atol=1e-14)
    found = gating.swiglu_gradient(grad, a, b)
    for fast, slow in zip(found, gating.swiglu_gradient_naive(grad[few], a[few], b[few])):
        assert fast.shape == shape
        np.testing.assert_allclose(fast[few], slow, rtol=1e-12, atol=1e-13)


def test_swiglu_of_large_numbers_is_finite():
    """The gate is open or closed there: y = a b or 0."""
    a, b = np.array([-1e4, -200, 200, 1e4], np.float32), np.array([3, 3, 3, 3], np.float32)
    with np.errstate(all="raise"):
        np.testing.assert_allclose(gating.swiglu(a, b), [0, 0, 600, 3e4])
        da, db = gating.swiglu_gradient(np.ones_like(a), a, b)
    np.testing.assert_allclose(da, [0, 0, 3, 3], atol=1e-6)
    np.testing.assert_allclose(db, [0, 0, 200, 1e4])


def test_attention_does_not_see_what_comes_later(rng):
    layer, x = CausalSelfAttention(4, 4, 2), rng.standard_normal((2, 9, 6))
    y = layer.forward(x)
    changed = x.copy()
    changed[:, 5:] = rng.standard_normal((2, 4, 6))
    np.testing.assert_array_equal(layer.forward(changed)[:, :5], y[:, :5])
    assert np.abs(layer.forward(changed)[:, 5:] - y[:, 5:]).min(axis=-1).max() > 0.01


def test_attention_of_a_text_in_pieces_is_that_of_the_whole(rng):
    layer, x, past = CausalSelfAttention(4, 4, 2), rng.standard_normal((2, 9, 6)), Past(9)
    whole = layer.forward(x)
    pieces = [layer.forward(x[:, first:last], past=past) for first, last in ((0, 4), (4, 5), (5, 9))]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, atol=1e-14)
    with pytest.raises(ShapeError, match="the past holds 9 tokens, and 10 are to be kept"):
        layer.forward(x[:, :1], past=past)


def test_a_query_head_reads_the_key_head_of_its_group(rng):
    """Heads 2 and 3 of 6 query heads, with 3 key heads, read key head 1: a change of its values changes these alone."""
    layer, x = CausalSelfAttention(2, 6, 3), rng.standard_normal((1, 5, 12))
    layer.forward(x)
    layer.output_kernel[...] = np.eye(12)
    before = layer.forward(x)
    layer.value_kernel[:, 2:4] += 1  # of key head 1
    changed = np.abs(layer.forward(x) - before).max(axis=(0, 1)) > 1e-6
    assert changed.tolist() == [False] * 4 + [True] * 4 + [False] * 4


def test_a_table_read_in_both_directions_gets_the_sum_of_both_gradients(rng):
    """L depends on the table along two paths. Its gradient is checked as that of one parameter."""
    tokens = Input((None,), dtype="int32")
    table = ReversibleEmbedding(7, 4)
    vectors = table(tokens)
    model = Model(tokens, table(vectors, reverse=True))
    x = rng.integers(7, size=(2, 5)).astype(np.int32)
    check_gradients(model, x, tolerance=1e-7)
    np.testing.assert_allclose(model.forward(x), table.embeddings[x] @ table.embeddings.T, rtol=1e-5, atol=1e-7)
    assert len(model.get_weights()) == 1 and model.count_params() == 28 and model.output_shape == (None, None, 7)
    assert model.output.mask is None


@pytest.mark.parametrize("tie_weights", [True, False])
def test_a_table_with_a_cap_and_a_table_of_its_own_for_the_way_back(rng, tie_weights, tmp_path):
    tokens = Input((None,), dtype="int32")
    table = ReversibleEmbedding(7, 4, tie_weights, RandomNormal(stddev=0.5, seed=1), logit_soft_cap=0.4)
    model = Model(tokens, table(table(tokens), reverse=True))
    x = rng.integers(7, size=(2, 5)).astype(np.int32)
    check_gradients(model, x, tolerance=1e-7)
    back = table.embeddings.T if tie_weights else table.reverse_embeddings
    expected = 0.4 * np.tanh(table.embeddings[x] @ back / 0.4)
    np.testing.assert_allclose(model.forward(x), expected, rtol=1e-5, atol=1e-7)
    assert len(table.weights) == 2 - tie_weights and np.abs(table.embeddings[x] @ back).max() > 0.4
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "m.keras").forward(x), model.forward(x))
    only_back = ReversibleEmbedding(7, 4, tie_weights)
    check_gradients(only_back, rng.normal(size=(3, 4)), keywords={"reverse": True}, tolerance=1e-7)


def test_a_mask_goes_through_a_reversed_embedding():
    tokens = Input((6,), dtype="int32")
    table = ReversibleEmbedding(7, 4, mask_zero=True)
    vectors = table(tokens)
    assert vectors.mask is not None and table(vectors, reverse=True).mask is vectors.mask


def test_a_model_with_a_reversed_embedding_is_saved(tmp_path, rng):
    tokens = Input((None,), dtype="int32")
    table = ReversibleEmbedding(7, 4)
    model, x = Model(tokens, table(table(tokens), reverse=True)), rng.integers(7, size=(2, 5)).astype(np.int32)
    model.save(tmp_path / "m.h5")
    np.testing.assert_array_equal(load_model(tmp_path / "m.h5").forward(x), model.forward(x))


MISUSES = [
    (lambda: ReversibleEmbedding(7, 4)(Input((5, 4))), ShapeError, r"reverse=False: expected tokens \(N, T\)"),
    (
        lambda: ReversibleEmbedding(7, 4)(Input((5, 3)), reverse=True),
        ShapeError,
        r"reverse=True: expected vectors \(N, T, 4\), found shape \(None, 5, 3\)",
    ),
    (
        lambda: ReversibleEmbedding(7, 4).forward(np.zeros((2, 5), np.int32), reverse=True),
        ShapeError,
        r"expected vectors \(N, T, 4\)",
    ),
    (
        lambda: ReversibleEmbedding(7, 4, logit_soft_cap=0),
        ArgumentError,
        "logit_soft_cap is 0; expected",
    ),
    (lambda: CausalSelfAttention(3, 2), ArgumentError, "head_dim is 3; expected an even number"),
    (lambda: CausalSelfAttention(4, 6, 4), ArgumentError, "num_query_heads is 6 and num_key_value_heads 4"),
    (lambda: CausalSelfAttention(4, 2)(Input((5,))), ShapeError, r"expected an input of shape \(N, T, D\)"),
    (lambda: CausalSelfAttention(4, 2)(Input((5, None))), ShapeError, "expected a known number of numbers a token"),
    (lambda: SwiGLU()([Input((2, 3)), Input((2, 4))]), ShapeError, "expected 2 inputs of one shape"),
    (lambda: SwiGLU()([Input((2, 3))] * 3), ShapeError, "expected 2 inputs of one shape"),
]


@pytest.mark.parametrize("misuse, error, message", MISUSES, ids=[message for *_, message in MISUSES])
def test_errors_say_what_is_wrong(misuse, error, message):
    with pytest.raises(error, match=message):
        misuse()
