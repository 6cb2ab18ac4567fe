"""Recurrent layers: steps against their loop twins, masks, states, both directions, files, and what is refused."""

import itertools

import numpy as np
import pytest

import minitl.layers
from minitl.errors import ArgumentError, DataError, GraphError, ShapeError
from minitl.initializers import Orthogonal
from minitl.kernels import gates as gates_kernels
from minitl.kernels import gru, lstm, recurrent
from minitl.kernels.activations import hard_sigmoid, sigmoid
from minitl.kernels.gates import Gates
from minitl.layers import (
    GRU,
    LSTM,
    Bidirectional,
    Dense,
    Dropout,
    GlobalAveragePooling1D,
    Input,
    Masking,
    SimpleRNN,
    TimeDistributed,
)
from minitl.models import Model, Sequential, load_model
from minitl.testing import check_gradients

N, U = 3, 5
MASKS = {
    "padding behind": [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]],
    "padding before": [[1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 0, 0, 1]],
    "holes": [[1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [0, 0, 1, 0, 0]],
    "one row masked": [[1, 1, 0, 1, 1], [0, 0, 0, 0, 0], [0, 1, 1, 1, 0]],
}
ACTIVATIONS = [("tanh", "sigmoid"), ("linear", "hard_sigmoid"), ("sigmoid", "tanh"), ("linear", "sigmoid")]
every_activation = pytest.mark.parametrize("activation, gate", ACTIVATIONS)
every_layer = pytest.mark.parametrize("make", [SimpleRNN, LSTM, GRU, lambda *a, **k: GRU(*a, reset_after=False, **k)],
                                      ids=["simple_rnn", "lstm", "gru", "gru-reset-before"])  # fmt: skip


def assert_close(found, expected, tolerance=1e-13):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max()))


def transposed(kernels):
    return np.ascontiguousarray(kernels.swapaxes(1, 2))


# ---- steps ----


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "hard_sigmoid", "linear"])
def test_a_simple_step_equals_its_twin(rng, activation):
    z, h, kernel = rng.standard_normal((1, N, U)), rng.standard_normal((N, U)), rng.standard_normal((U, U))
    gates, after = Gates([activation], np.float64), np.empty((N, U))
    expected = recurrent.simple_rnn_step_naive(z[0], h, kernel, activation)
    recurrent.simple_rnn_step(z, h, kernel[None], gates, after)
    assert_close(after, expected)
    grad, dz = rng.standard_normal((N, U)), np.empty((1, N, U))
    before, of_z = recurrent.simple_rnn_step_gradient_naive(grad, after, kernel, activation)
    gates.slopes(after[None], dz)
    recurrent.simple_rnn_step_gradient(grad, dz, transposed(kernel[None]))
    assert_close(grad, before)
    assert_close(dz[0], of_z)


@every_activation
def test_an_lstm_step_equals_its_twin(rng, activation, gate):
    z, h, c, kernels = (rng.standard_normal(s) for s in ((4, N, U), (N, U), (N, U), (4, U, U)))
    gates, cell = Gates([gate, gate, activation, gate], np.float64), Gates([activation], np.float64)
    expected = lstm.lstm_step_naive(z, h, c, kernels, activation, gate)
    a, out, work = z.copy(), [np.empty((N, U)) for _ in range(3)], np.empty((4, N, U))
    lstm.lstm_step(a, h, c, kernels, gates, cell, out, work)
    assert_close(out[0], expected[0])
    assert_close(out[1], expected[1])
    dh, dc, dz, of_memory = *rng.standard_normal((2, N, U)), np.empty((4, N, U)), np.empty((N, U))
    expected = lstm.lstm_step_gradient_naive(dh, dc, z, h, c, kernels, activation, gate)
    lstm.lstm_factors(a, c, out[2], gates, cell, dz, of_memory)
    lstm.lstm_step_gradient(dh, dc, dz, a[1], of_memory, transposed(kernels), work)
    for found, each in zip((dh, dc, dz), expected):
        assert_close(found, each)


@every_activation
@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("with_bias", [True, False])
def test_a_gru_step_equals_its_twin(rng, activation, gate, reset_after, with_bias):
    a, h, kernels = (rng.standard_normal(s) for s in ((3, N, U), (N, U), (3, U, U)))
    bias = rng.standard_normal(U) if with_bias and reset_after else None
    gates, candidate = Gates([gate, gate], np.float64), Gates([activation], np.float64)
    options = {"bias": bias, "activation": activation, "recurrent_activation": gate, "reset_after": reset_after}
    opened, out, work = a.copy(), (np.empty((N, U)), np.empty((N, U))), np.empty((3, N, U))
    if reset_after:
        gru.gru_step(opened, h, kernels, bias, gates, candidate, out, work)
    else:
        gru.gru_step_reset_before(opened, h, kernels, gates, candidate, out, work)
    assert_close(out[0], gru.gru_step_naive(a, h, kernels, **options))
    dh, da, du = rng.standard_normal((N, U)), np.empty((3, N, U)), np.empty((N, U))
    before, of_a, of_u = gru.gru_step_gradient_naive(dh, a, h, kernels, **options)
    gru.gru_factors(opened, h, out[1] if reset_after else h, gates, candidate, da)
    if reset_after:
        gru.gru_step_gradient(dh, da, du, opened, transposed(kernels), work)
        assert_close(du, of_u)
    else:
        gru.gru_step_reset_before_gradient(dh, da, opened, transposed(kernels), work)
    assert_close(dh, before)
    assert_close(da, of_a)


def test_a_sigmoid_is_a_scaled_tanh(rng):
    z, out = 3 * rng.standard_normal((2, 4, 6)), np.empty((2, 4, 6))
    Gates(["sigmoid", "tanh"], np.float64).activate(z, out)
    assert_close(out, np.stack([sigmoid(z[0]), np.tanh(z[1])]))


def test_weights_become_blocks_and_back(rng):
    weights = rng.standard_normal((4, 6))
    blocks = gates_kernels.stacked(weights, 3)
    np.testing.assert_array_equal(blocks[1], weights[:, 2:4])
    np.testing.assert_array_equal(gates_kernels.side_by_side(blocks), weights)


def test_hard_sigmoid_is_that_of_keras_3():
    np.testing.assert_allclose(hard_sigmoid(np.array([-4.0, -3, 0, 1.5, 3, 4])), [0, 0, 0.5, 0.75, 1, 1])


# ---- masks and states ----


@pytest.mark.slow
@every_layer
@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("sequences", [True, False])
def test_gradients_with_a_mask(rng, note_error, make, name, sequences):
    report = check_gradients(make(4, return_sequences=sequences), rng.standard_normal((3, 5, 2)),
                             keywords={"mask": np.array(MASKS[name], bool)})  # fmt: skip
    note_error("layers", report.worst)


@every_layer
def test_padding_changes_nothing(rng, make):
    """A masked step repeats the output of the one before, and whatever stands in the padding has no influence."""
    x, mask = rng.standard_normal((3, 5, 2)), np.array(MASKS["padding behind"], bool)
    layer = make(4, return_sequences=True)
    y = layer.forward(x, mask=mask)
    alone = layer.forward(x[1:2, :3])
    np.testing.assert_allclose(y[1:2, :3], alone, rtol=1e-12)
    np.testing.assert_array_equal(y[1, 3:], np.stack([y[1, 2]] * 2))
    other = np.where(mask[:, :, None], x, 7.0)
    np.testing.assert_array_equal(layer.forward(other, mask=mask), y)


def test_before_the_first_real_step_the_output_is_0_and_the_states_stay(rng):
    x, mask = rng.standard_normal((3, 5, 2)), np.array(MASKS["one row masked"], bool)
    states = rng.standard_normal((2, 3, 4))
    y, h, c = LSTM(4, return_sequences=True, return_state=True).forward([x, *states], mask=mask)
    assert not y[1].any() and not y[2, 0].any() and y[2, 1].all()
    np.testing.assert_array_equal(h[1], states[0, 1])
    np.testing.assert_array_equal(c[1], states[1, 1])


@every_layer
@pytest.mark.parametrize("backwards", [True, False])
def test_a_masked_last_step_may_have_the_output_0(rng, make, backwards):
    """The one output of a sequence is that of its last step; with zero_output_for_mask it is 0 if that is masked."""
    x, mask = rng.standard_normal((2, 3, 4)), np.array([[1, 1, 1], [1, 1, 0]], bool)
    x, mask = (x[:, ::-1], mask[:, ::-1]) if backwards else (x, mask)
    layer = make(U, zero_output_for_mask=True, return_state=True, go_backwards=backwards)
    usual = make(U, return_state=True, go_backwards=backwards)
    usual.forward(x)
    layer.forward(x)
    layer.set_weights(usual.get_weights())
    (y, h, *_), (expected, *_) = layer.forward(x, mask=mask), usual.forward(x, mask=mask)
    assert not y[1].any() and expected[1].all()
    np.testing.assert_array_equal(y[0], expected[0])
    np.testing.assert_array_equal(h, expected)


@every_layer
@pytest.mark.parametrize("backwards", [True, False])
def test_states_are_handed_on(rng, make, backwards):
    """Two halves, the second with the states of the first, are the whole; and the states have gradients."""
    x = rng.standard_normal((2, 7, 3))
    layer = make(4, return_state=True, return_sequences=True, go_backwards=backwards)
    halves = (x[:, 4:], x[:, :4]) if backwards else (x[:, :3], x[:, 3:])
    whole, *states = layer.forward(x)
    first, *between = layer.forward(halves[0])
    second, *last = layer.forward([halves[1], *between])
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, rtol=1e-12)
    for found, expected in zip(last, states):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert check_gradients(layer, [halves[1], *between]).worst <= 1e-7


def test_a_mask_reaches_the_layer_through_a_graph_and_a_file(rng, tmp_path):
    x = rng.standard_normal((3, 5, 2)).astype(np.float32)
    x[1, 3:] = x[2, 1:] = 0
    inputs = Input((None, 2))
    found = Bidirectional(LSTM(4, return_sequences=True))(Dropout(0.0)(Masking()(inputs)))
    model = Model(inputs, Dense(2)(GlobalAveragePooling1D()(GRU(3, return_sequences=True)(found))))
    alone = model.forward(x[1:2, :3])
    np.testing.assert_allclose(model.forward(x)[1:2], alone, atol=1e-6)
    model.save(tmp_path / "model.h5")
    np.testing.assert_array_equal(load_model(tmp_path / "model.h5").forward(x), model.forward(x))
    mask = Input((None,), dtype="bool")
    model = Model([inputs, mask], Dense(2)(LSTM(3)(Dropout(0.0)(inputs), mask=mask)))
    assert check_gradients(model, [x.astype(np.float64), np.array(MASKS["holes"], bool)]).worst <= 1e-5


def test_an_encoder_hands_its_states_to_a_decoder(rng, tmp_path):
    """States are inputs of a call, by position or as `initial_state`; the graph is saved with them."""
    source, target = Input((None, 3)), Input((None, 2))
    _, *states = LSTM(4, return_state=True)(source)
    model = Model([source, target], Dense(2)(LSTM(4, return_sequences=True)(target, initial_state=states)))
    arrays = [rng.standard_normal((2, 5, 3)), rng.standard_normal((2, 3, 2))]
    assert check_gradients(model, arrays).worst <= 1e-5
    model.save(tmp_path / "model.h5")
    arrays = [each.astype(np.float32) for each in arrays]
    np.testing.assert_array_equal(load_model(tmp_path / "model.h5").forward(arrays), model.forward(arrays))


# ---- both directions, and a layer on each step ----


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("sequences, states", list(itertools.product([True, False], repeat=2)))
def test_bidirectional_is_two_layers(rng, mode, sequences, states):
    layer = Bidirectional(LSTM(3, return_sequences=sequences, return_state=states, name="lstm"), merge_mode=mode)
    x, mask = rng.standard_normal((3, 5, 2)), np.array(MASKS["holes"], bool)
    y = layer.forward(x, mask=mask)
    assert [each.name for each in layer.inner.values()] == ["forward_lstm", "backward_lstm"]
    first, second = (each.forward(x, mask=mask) for each in layer.inner.values())
    (first, *more), (second, *others) = (each if states else [each] for each in (first, second))
    second = second[:, ::-1] if sequences else second
    merged = {"concat": lambda: [np.concatenate([first, second], -1)], "sum": lambda: [first + second],
              "mul": lambda: [first * second], "ave": lambda: [(first + second) / 2],
              None: lambda: [first, second]}  # fmt: skip
    for found, expected in zip(y if isinstance(y, list) else [y], [*merged[mode](), *more, *others], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    if sequences:
        assert not first[~mask].any()
    assert check_gradients(layer, x, keywords={"mask": mask}).worst <= 1e-7


def test_bidirectional_with_another_layer_and_states(rng):
    back = LSTM(2, return_sequences=True, go_backwards=True, name="back")
    layer = Bidirectional(LSTM(3, return_sequences=True), backward_layer=back)
    assert layer.forward(rng.standard_normal((2, 5, 4))).shape == (2, 5, 5)
    equal = type(layer)(**layer.get_config())
    assert [each.units for each in equal.inner.values()] == [3, 2] and equal.backward_layer.name == "back"
    layer = Bidirectional(GRU(3))
    states = [rng.standard_normal((2, 3)) for _ in range(2)]
    assert check_gradients(layer, [rng.standard_normal((2, 5, 4)), *states]).worst <= 1e-7
    assert layer.weight_names == [f"{way}_{name}" for way in ("forward", "backward")
                                  for name in ("kernel", "recurrent_kernel", "bias")]  # fmt: skip


def test_a_layer_on_each_step_is_the_layer_on_each_step(rng):
    x = rng.standard_normal((2, 3, 4))
    layer = TimeDistributed(Dense(5))
    y = layer.forward(x)
    np.testing.assert_allclose(y[:, 1], layer.layer.forward(x[:, 1]), rtol=1e-12)


@pytest.mark.parametrize(
    "make, freeze, moving",
    [
        (lambda: TimeDistributed(Dense(3, trainable=False)), None, []),
        (lambda: Bidirectional(LSTM(3, return_sequences=True, trainable=False)), None, []),
        (lambda: TimeDistributed(Dense(3), trainable=False), None, []),
        (lambda: TimeDistributed(Dense(3)), "layer", []),
        (lambda: Bidirectional(LSTM(3, return_sequences=True)), "backward_layer",
         [f"forward_{name}" for name in ("kernel", "recurrent_kernel", "bias")]),
    ],
    ids=["steps", "directions", "from-without", "steps-later", "one-direction"],
)  # fmt: skip
def test_what_is_frozen_within_a_layer_stays(rng, tmp_path, make, freeze, moving):
    layer, x = make(), rng.standard_normal((4, 5, 2)).astype(np.float32)
    model = Sequential([Input((5, 2)), layer, GlobalAveragePooling1D(), Dense(1)])
    if freeze:
        getattr(layer, freeze).trainable = False
    model.compile(minitl.optimizers.SGD(0.5), "mse")
    before = dict(zip(layer.weight_names, layer.get_weights()))
    model.train_on_batch(x, np.ones((4, 1), np.float32))
    moved = [name for name in before if not np.array_equal(before[name], getattr(layer, name))]
    assert moved == moving == layer.trainable_names and layer.trainable == bool(moving)
    model.save(tmp_path / "m.h5")
    assert load_model(tmp_path / "m.h5").get_layer(layer.name).trainable_names == moving
    layer.trainable = True
    assert layer.trainable_names == layer.parameter_names


@every_layer
def test_training_moves_the_weights_and_a_frozen_layer_stays(rng, make):
    """It learns to tell sequences by their first step, which only the state can carry to the end."""
    x = rng.standard_normal((64, 6, 2)).astype(np.float32)
    labels = (x[:, 0, 0] > 0).astype(np.float32)
    layer = make(8)
    model = Sequential([Input((6, 2)), layer, Dense(1, activation="sigmoid")])
    model.compile(minitl.optimizers.Adam(0.03), "binary_crossentropy")
    losses = [model.train_on_batch(x, labels[:, None]) for _ in range(40)]
    assert losses[-1] < 0.5 * losses[0]
    layer.trainable = False
    before = layer.get_weights()
    model.train_on_batch(x, labels[:, None])
    for old, new in zip(before, layer.get_weights()):
        np.testing.assert_array_equal(old, new)


# ---- single facts ----


def test_the_gradient_of_the_state_vanishes_in_a_simple_layer_and_not_in_an_lstm(rng):
    x, norms = rng.standard_normal((4, 30, 8)).astype(np.float32), {}
    for make in SimpleRNN, LSTM:
        layer = make(16, recurrent_initializer=Orthogonal(0.7, seed=1), kernel_initializer=Orthogonal(0.5, seed=2))
        layer.forward(x)
        if make is LSTM:
            layer.bias[16:32] = 4
        layer.forward(x)
        norms[make] = layer.state_gradient_norms(np.ones((4, 16), np.float32))
        assert len(norms[make]) == 31
        np.testing.assert_allclose(norms[make][-1], 8)  # the square root of 4 * 16
    assert norms[SimpleRNN][0] < 1e-4 * norms[SimpleRNN][-1]
    assert norms[LSTM][0] > 100 * norms[SimpleRNN][0]


def test_a_mean_over_real_steps():
    x = np.array([[[2.0, 4], [4, 0], [6, 6], [6, 6]], [[1, 1], [1, 1], [1, 1], [1, 1]]])
    mask = np.array([[1, 1, 0, 0], [0, 0, 0, 0]], bool)
    layer = GlobalAveragePooling1D()
    np.testing.assert_array_equal(layer.forward(x, mask=mask), [[3, 2], [0, 0]])
    np.testing.assert_array_equal(GlobalAveragePooling1D(keepdims=True).forward(x, mask=mask), [[[3, 2]], [[0, 0]]])
    assert check_gradients(layer, x, keywords={"mask": mask}).worst <= 1e-7
    x[0, 2] = np.nan  # padding
    np.testing.assert_array_equal(layer.forward(x, mask=mask), [[3, 2], [0, 0]])


def test_the_first_weights():
    layer = LSTM(6)
    layer.forward(np.zeros((1, 2, 3), np.float32))
    np.testing.assert_array_equal(layer.bias, np.repeat([0, 1, 0, 0], 6))
    np.testing.assert_allclose(layer.recurrent_kernel @ layer.recurrent_kernel.T, np.eye(6), atol=1e-6)
    tall = Orthogonal(2.0, seed=1)((3, 4, 5))
    np.testing.assert_allclose(tall.reshape(12, 5).T @ tall.reshape(12, 5), 4 * np.eye(5), atol=1e-5)
    with pytest.raises(ShapeError, match="'orthogonal' got the shape"):
        Orthogonal()((3,))


def test_dropout_drops_the_same_inputs_at_all_steps():
    layer = SimpleRNN(1, activation=None, use_bias=False, dropout=0.5, return_sequences=True, seed=3)
    layer.forward(np.ones((200, 3, 1), np.float32))
    layer.kernel[:], layer.recurrent_kernel[:] = 1, 0
    y = layer.forward(np.ones((200, 3, 1), np.float32), training=True)
    assert set(np.unique(y)) == {0, 2} and (y == y[:, :1]).all()
    assert 60 < (y[:, 0] == 0).sum() < 140


X = np.zeros((2, 3, 4), np.float32)
REFUSED = [
    (lambda: LSTM(3).forward(X[:, :0]), ShapeError, "'lstm' got sequences without a step"),
    (lambda: LSTM(3)(Input((5,))), ShapeError, r"'lstm' expected an input of shape \(N, T, D\)"),
    (lambda: GRU(3)(Input((5, None))), ShapeError, "needs to know how many features"),
    (lambda: LSTM(3).forward([X, np.zeros((2, 3))]), ShapeError, r"expected 2 states of shape \(N, 3\)"),
    (lambda: LSTM(3).forward(X, mask=np.ones((2, 4), bool)), DataError, r"expected a mask \(2, 3\) of booleans"),
    (lambda: LSTM(3).forward(X, mask=np.ones((2, 3))), DataError, "found .* of float64"),
    (lambda: LSTM(3, stateful=True), ArgumentError, "stateful=True.*return_state=True"),
    (lambda: LSTM(3, recurrent_dropout=0.2), ArgumentError, "recurrent_dropout=0.2.*Use dropout"),
    (lambda: LSTM(3, recurrent_activation="swish"), ArgumentError, "recurrent_activation is 'swish'"),
    (lambda: Bidirectional(Dense(3)), ArgumentError, "layer is Dense; expected a recurrent layer"),
    (lambda: Bidirectional(LSTM(3), backward_layer=LSTM(3)), ArgumentError, "different directions"),
    (lambda: Bidirectional(LSTM(3), merge_mode="add"), ArgumentError, "merge_mode is 'add'"),
    (lambda: TimeDistributed(Dense(3))(Input((5,))), ShapeError, r"shape \(N, T, ...\)"),
    (lambda: minitl.layers.RNN, GraphError, "has no RNN. Use SimpleRNN, LSTM or GRU"),
    (lambda: minitl.layers.LSTMCell, GraphError, "has no LSTMCell"),
    (lambda: minitl.layers.Conv1D(3, 2, padding="full"), ArgumentError, "'valid', 'same' or 'causal'"),
    (lambda: minitl.layers.Conv1D(3, 2, strides=2, dilation_rate=2), ArgumentError, "expected one of them to be 1"),
    (lambda: minitl.layers.Cropping1D(2)(Input((4, 1))), ShapeError, "leaves nothing"),
]


@pytest.mark.parametrize("misuse, error, message", REFUSED, ids=[message for *_, message in REFUSED])
def test_what_cannot_be_is_refused(misuse, error, message):
    with pytest.raises(error, match=message):
        misuse()
