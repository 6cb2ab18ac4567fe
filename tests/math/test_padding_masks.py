"""Masks and other inputs by name: a graph records them, hands them over, saves them, and gives them no gradient."""

import json

import numpy as np
import pytest

from minitl.errors import ArgumentError, DataError, GraphError, MistakeWarning
from minitl.features.prefix import frozen_prefix
from minitl.graph import Graph
from minitl.graph.architecture import architecture, build
from minitl.layers import (
    LSTM,
    Activation,
    Add,
    AnyMask,
    BatchNormalization,
    Concatenate,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    JoinedMask,
    Layer,
    LayerNormalization,
    Masking,
    Maximum,
    Minimum,
    Multiply,
    PaddingMask,
    Softmax,
    StepMask,
)
from minitl.models import Model, Sequential, load_model
from minitl.testing import check_gradients

RNG = np.random.default_rng(0)


class MaskedSum(Layer):
    """The sum of the real time steps, times `times`.  x (N, T, D), mask (N, T) -> (N, D)."""

    keyword_inputs = ("mask",)
    call_options = ("times",)

    def compute_output_shape(self, input_shape, times=1):
        return input_shape[0], input_shape[2]

    def forward(self, x, training=False, mask=None, times=1):
        weights = times * (np.ones(x.shape[:2]) if mask is None else mask)[..., None].astype(x.dtype)
        self.remember(weights)
        return (x * weights).sum(axis=1)

    def backward(self, grad):
        (weights,) = self.remembered()
        return grad[:, None] * weights


class Step(Layer):
    """A cell that takes its input alone, or with a state.  x (N, D), state (N, D) -> (N, D)."""

    takes_several = True

    def compute_output_shape(self, input_shape):
        return input_shape[0] if isinstance(input_shape, list) else input_shape

    def forward(self, x, training=False):
        self.remember(isinstance(x, list))
        return x[0] + 2 * x[1] if isinstance(x, list) else x

    def backward(self, grad):
        return [grad, 2 * grad] if self.remembered()[0] else grad


class OwnMerge(Layer):
    """A merging layer that does not say what becomes of the masks of its inputs."""

    merges = passes_mask = True

    def compute_output_shape(self, input_shapes):
        return input_shapes[0]


OWN = {"MaskedSum": MaskedSum, "Step": Step}
X = RNG.standard_normal((3, 4, 2)).astype(np.float32)
MASK = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]], bool)


def test_a_named_mask_is_an_input_of_the_call_and_reaches_forward():
    x, mask = Input((None, 2)), Input((None,), dtype="bool", name="mask")
    total = MaskedSum(name="total")
    model = Model([x, mask], total(x, mask=mask, times=3))
    assert model.calls[-1].inputs == (x, mask)
    assert model.calls[-1].by_position == (x,)
    np.testing.assert_allclose(model.forward([X, MASK]), 3 * (X * MASK[..., None]).sum(axis=1), rtol=1e-6)
    assert "mask" in _summary(model).splitlines()[-5]


def test_gradients_go_to_the_inputs_by_position_alone():
    x, mask = Input((None, 2)), Input((None,), dtype="bool")
    model = Model([x, mask], MaskedSum()(Dense(3)(x), mask=mask))
    assert check_gradients(model, [X, MASK]).worst < 1e-7
    model.forward([X, MASK], gradients="input")
    to_x, to_mask = model.backward(np.ones((3, 3), np.float32))
    assert to_mask is None
    assert not to_x[~MASK].any() and to_x[MASK].all()
    assert check_gradients(MaskedSum(), X, keywords={"mask": MASK, "times": 2}).worst < 1e-7


def test_a_mask_that_is_not_named_is_that_of_the_input():
    x = Input((4, 2))
    masked = Masking()(x)
    behind = Activation("relu")(Dropout(0.5)(Dense(3)(masked)))
    assert behind.mask is masked.mask is not None
    model = Model(x, MaskedSum()(behind))
    padded = X * MASK[..., None]
    dense = model.get_layer("dense")
    dense.bias[...] = 1  # without a mask, padding would add 1 for each step
    expected = [np.maximum(each[real] @ dense.kernel + 1, 0).sum(axis=0) for each, real in zip(padded, MASK)]
    np.testing.assert_allclose(model.forward(padded), expected, rtol=1e-5)


def test_a_mask_passes_a_sum_and_ends_where_an_input_has_none():
    x, tokens = Input((4, 2)), Input((4,), dtype="int32")
    masked = Masking()(x)
    assert Add()([masked, Dense(2)(masked)]).mask is masked.mask
    with pytest.warns(
        MistakeWarning, match=r"'sum' \(Add\) merges sequences with and without a mask, and its output has"
    ):
        assert Add(name="sum")([masked, x]).mask is None
    with pytest.raises(GraphError, match="different masks"):
        OwnMerge()([masked, Masking()(x)])
    assert PaddingMask()(tokens).dtype == "bool"


def test_vectors_of_the_same_tokens_have_one_mask():
    """Two tables for the same tokens: their sum, and a second one made later, use the mask that is there."""
    tokens = Input((4,), dtype="int32", name="tokens")
    table = Embedding(9, 3, mask_zero=True)
    first, second = table(tokens), Embedding(9, 3, mask_zero=True)(tokens)
    assert Add()([first, second]).mask is first.mask is table(tokens).mask
    assert table(Input((4,), dtype="int32")).mask is not first.mask
    model = Model(tokens, LSTM(2)(Add()([first, second])))
    assert [type(layer).__name__ for layer in model.layers].count("PaddingMask") == 1


SHORT, LONG = np.array([[1, 0, 0], [1, 1, 0]], bool), np.array([[1, 1, 0], [0, 1, 0]], bool)


def test_masks_of_merged_sequences():
    assert AnyMask().forward([SHORT, LONG]).tolist() == [[True, True, False], [True, True, False]]
    joined = JoinedMask().forward([SHORT, np.zeros((2, 2, 5))])
    assert joined.tolist() == [[True, False, False, True, True], [True, True, False, True, True]]
    a, b = Input((3,), dtype="int32"), Input((3,), dtype="int32")
    words = [Embedding(9, 3, mask_zero=True)(each) for each in (a, b)]
    for merge in Add(), Multiply(), Maximum(), Concatenate():
        assert isinstance(merge(words).mask.layer, AnyMask)
    longer = Concatenate(axis=1)([*words, Input((2, 3))])
    assert longer.shape == (None, 8, 3) and longer.mask.shape == (None, 8)
    tokens = [np.array([[4, 0, 0]]), np.array([[2, 1, 0]])]
    mask = Model([a, b], Concatenate(axis=1)(words).mask).forward(tokens)
    assert mask.tolist() == [[True, False, False, True, True, False]]


@pytest.mark.parametrize(
    "layer, both, one",
    [  # of 2 and 5; where only the second is real, where none is, and where the first alone has a mask
        (Multiply(), [[10, 5, 0], [2, 10, 0]], [[10, 5, 5], [10, 10, 5]]),
        (Maximum(), [[5, 5, 2], [2, 5, 2]], [[5, 5, 5], [5, 5, 5]]),
        (Minimum(), [[2, 5, 2], [2, 2, 2]], [[2, 5, 5], [2, 2, 5]]),
    ],
)
def test_padding_is_no_factor_and_no_candidate(layer, both, one, rng):
    x = [np.full((2, 3, 1), number, np.float32) for number in (2, 5)]
    np.testing.assert_array_equal(layer.forward(x, mask_0=SHORT, mask_1=LONG)[..., 0], both)
    np.testing.assert_array_equal(layer.forward(x, mask_0=SHORT)[..., 0], one)
    for masks in {"mask_0": SHORT}, {"mask_1": LONG}, {"mask_0": SHORT, "mask_1": LONG}:
        inputs = [rng.standard_normal((2, 3, 4)) for _ in range(2)]
        assert check_gradients(layer, inputs, keywords=masks).worst < 1e-7
    with pytest.raises(DataError, match=r"expected a mask \(2, 3\) of booleans"):
        layer.forward(x, mask_0=SHORT[:, :2])
    with pytest.raises(ArgumentError, match="was given mask; its masks are mask_0, mask_1"):
        layer.forward(x, mask=SHORT)


def test_a_layer_that_takes_no_mask_warns():
    with pytest.warns(MistakeWarning, match=r"layer 'flatten' \(Flatten\) takes no mask"):
        Flatten(name="flatten")(Masking()(Input((4, 2))))


@pytest.mark.parametrize("make", [Softmax, LayerNormalization])
def test_a_mask_ends_where_steps_are_mixed(make):
    words = Embedding(9, 4, mask_zero=True)(Input((5,), dtype="int32"))
    assert make(axis=-1)(words).mask is words.mask
    for axis in 1, -2:
        with pytest.warns(MistakeWarning, match="takes no mask, so the padding of its input counts"):
            assert make(axis=axis)(words).mask is None


def test_a_mask_that_a_call_does_not_take_is_not_there_in_the_loaded_model_either(tmp_path):
    tokens = Input((5,), dtype="int32")
    words = Embedding(9, 4, mask_zero=True)(tokens)
    model = Model(tokens, LSTM(3)(words, mask=None))
    x = np.array([[1, 2, 0, 0, 0], [3, 4, 5, 6, 0]], "int32")
    expected = model.predict(x, verbose=0)
    assert np.abs(expected - Model(tokens, model.layers[-1](words)).predict(x, verbose=0)).max() > 1e-3
    model.save(tmp_path / "m.h5")
    np.testing.assert_array_equal(load_model(tmp_path / "m.h5").predict(x, verbose=0), expected)


def test_padding_mask_is_true_where_there_is_a_token():
    tokens = np.array([[5, 0, 7], [0, 0, 0]])
    assert PaddingMask().forward(tokens).tolist() == [[True, False, True], [False, False, False]]
    assert PaddingMask(7).forward(tokens).tolist() == [[True, True, False], [True, True, True]]


def test_masking_leaves_out_steps_of_one_value():
    x = np.array([[[3, 3], [3, 1]], [[0, 2], [3, 3]]], np.float32)
    layer = Masking(3)
    assert layer.forward(x).tolist() == [[[0, 0], [3, 1]], [[0, 2], [0, 0]]]
    assert layer.backward(np.ones_like(x)).tolist() == [[[0, 0], [1, 1]], [[1, 1], [0, 0]]]
    assert StepMask(3).forward(x).tolist() == [[False, True], [True, False]]


def test_masking_takes_the_place_of_an_earlier_mask_without_a_warning(tmp_path):
    inputs = Input((5,), dtype="int32")
    y = LSTM(2)(Masking()(Embedding(9, 4, mask_zero=True)(inputs)))
    Model(inputs, y).save(tmp_path / "m.h5")  # warnings are errors here
    tokens = np.array([[3, 1, 0, 0, 0]])
    np.testing.assert_array_equal(load_model(tmp_path / "m.h5").forward(tokens), Model(inputs, y).forward(tokens))


def test_graphs_with_names_are_saved_and_loaded(tmp_path):
    x, mask = Input((None, 2)), Input((None,), dtype="bool")
    model = Model([x, mask], MaskedSum()(Step()([x, x]), mask=mask, times=2))
    data = json.loads(json.dumps(architecture(model)))
    assert data["format"] == 3
    inputs, outputs, _ = build(data, OWN)
    np.testing.assert_array_equal(Graph(inputs, outputs).forward([X, MASK]), model.forward([X, MASK]))
    row = Sequential([Masking(input_shape=(4, 2)), Dense(3), MaskedSum()])
    padded = X * MASK[..., None]
    row.save(tmp_path / "row.h5")
    again = load_model(tmp_path / "row.h5", custom_objects=OWN)
    np.testing.assert_array_equal(again.forward(padded), row.forward(padded))


def test_a_model_called_again_uses_the_masks_of_its_new_inputs():
    x = Input((4, 2))
    model = Model(x, MaskedSum()(Dense(3, bias_initializer="ones")(Masking()(x))))
    other = Input((4, 2))
    padded = X * MASK[..., None]
    np.testing.assert_array_equal(Model(other, model(other)).forward(padded), model.forward(padded))


def test_a_layer_may_take_one_input_or_several():
    x = Input((2,))
    model = Model(x, Step()([Dense(2)(x), x]))
    assert check_gradients(model, X[:, 0]).worst < 1e-7
    assert Model(x, Step()(x)).forward(X[:, 0]).shape == (3, 2)


def test_a_frozen_beginning_ends_at_what_the_rest_takes():
    x = Input((4, 2))
    hidden = Dense(3, name="frozen", trainable=False)(Masking()(x))
    model = Model(x, Dense(1)(MaskedSum()(Dense(3)(hidden))))
    assert set(frozen_prefix(model)) == {hidden, hidden.mask}
    model.compile("sgd", "mse")
    history = model.fit(X * MASK[..., None], np.ones((3, 1), np.float32), epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


@pytest.mark.parametrize(
    "by_name, said",
    [
        ({"trainig": True}, "layer 'sum' was called with trainig=True; it takes mask, times by name"),
        ({"mask": MASK}, "mask=ndarray; expected a symbolic tensor"),
        ({"mask": Input((4, 2))}, "expected booleans, one for each time step"),
        ({"mask": Input((5,), dtype="bool")}, "expected booleans, one for each time step"),
        ({"mask": Input((4,))}, "expected booleans, one for each time step"),
    ],
)
def test_what_is_no_mask_is_refused(by_name, said):
    with pytest.raises(GraphError, match=said.replace("(", r"\(")):
        MaskedSum(name="sum")(Input((4, 2)), **by_name)


def _summary(model):
    lines = []
    model.summary(print_fn=lines.append)
    return "\n".join(lines)


def test_batch_normalization_takes_its_statistics_from_the_steps_that_are_real(rng):
    x = rng.standard_normal((3, 4, 2)) + 2
    mask = np.array([[True, True, False, False], [True, False, False, False], [True, True, True, True]])
    layer = BatchNormalization(momentum=0.0, epsilon=1e-3)
    y = layer.forward(x, training=True, mask=mask)
    real = x[mask]
    assert np.allclose(layer.moving_mean, real.mean(axis=0)) and np.allclose(layer.moving_variance, real.var(axis=0))
    assert np.allclose(y, (x - real.mean(axis=0)) / np.sqrt(real.var(axis=0) + 1e-3))
    assert check_gradients(BatchNormalization(), x, keywords={"mask": mask}).worst < 1e-7
    inputs = Input((None, 2))
    norm = BatchNormalization(momentum=0.0)
    model = Model(inputs, Activation("relu")(norm(Masking()(inputs))))
    padded = np.where(mask[..., None], x, 0).astype(np.float32)
    model.forward(padded, training=True)
    assert np.allclose(norm.moving_mean, real.mean(axis=0), atol=1e-5), "a ReLU behind it changes nothing"
