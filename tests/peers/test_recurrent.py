"""Recurrent layers against Keras, with masks, states and both directions, and against PyTorch's with the same weights.

All weights are random: with equal constants, as in Keras's own tests, the order of the gates could not be seen.
"""

import itertools

import keras
import numpy as np
import pytest
import torch
from cases.layers import randomize

import minitl.layers
from minitl.layers import Input
from minitl.models import Model, load_model

from .compare import as_numpy, assert_close, leaf, random

MASKS = {
    "none": None,
    "padding-behind": [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]],
    "padding-before": [[1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 0, 0, 1]],
    "holes": [[1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [0, 0, 1, 0, 0]],
}
KINDS = {
    "simple_rnn": lambda layers, **more: layers.SimpleRNN(3, **more),
    "lstm": lambda layers, **more: layers.LSTM(3, **more),
    "gru": lambda layers, **more: layers.GRU(3, **more),
    "gru-reset-before": lambda layers, **more: layers.GRU(3, reset_after=False, **more),
}
every_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
every_kind = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


def compare(make, x, mask=None, states=()):
    """Compare outputs, states and all gradients of a layer and Keras's twin, with random gradients of every output."""
    layer, twin = make(minitl.layers), make(keras.layers)
    layer.forward([x, *states] if states else x)
    randomize(layer)
    mask = None if mask is None else np.array(mask, bool)
    y = layer.forward([x, *states] if states else x, mask=mask)
    outputs = y if isinstance(y, list) else [y]
    grads = [random(*each.shape, seed=5 + k) for k, each in enumerate(outputs)]
    dx = layer.backward(grads if isinstance(y, list) else grads[0])

    tensors = [leaf(x), *map(leaf, states)]
    more = {"initial_state": tensors[1:]} if states else {}
    more |= {} if mask is None else {"mask": torch.tensor(mask)}
    twin(tensors[0], **more)
    twin.set_weights(layer.get_weights())
    expected = twin(tensors[0], **more)
    expected = list(expected) if isinstance(expected, (list, tuple)) else [expected]
    sum((each * torch.tensor(grad)).sum() for each, grad in zip(expected, grads, strict=True)).backward()
    for k, each in enumerate(outputs):
        assert_close(each, expected[k], 1e-5, f"output {k}")
    for k, each in enumerate(dx if isinstance(dx, list) else [dx]):
        assert_close(each, tensors[k].grad, 1e-5, f"gradient of input {k}")
    for name, variable in zip(layer.weight_names, twin.weights, strict=True):
        assert_close(layer.gradients[name], variable.value.grad, 1e-5, name)


@every_kind
@every_mask
@pytest.mark.parametrize("sequences, backwards", list(itertools.product([True, False], repeat=2)))
def test_masks(make, mask, sequences, backwards):
    compare(lambda layers: make(layers, return_sequences=sequences, go_backwards=backwards), random(3, 5, 4), mask)


@every_kind
@every_mask
@pytest.mark.parametrize("sequences, backwards", list(itertools.product([True, False], repeat=2)))
def test_masked_steps_without_output(make, mask, sequences, backwards):
    compare(lambda layers: make(layers, zero_output_for_mask=True, return_sequences=sequences, go_backwards=backwards,
                                return_state=True), random(3, 5, 4), mask)  # fmt: skip


@every_kind
@every_mask
def test_states(make, mask):
    count = minitl.layers.LSTM.states if make is KINDS["lstm"] else 1
    states = [random(3, 3, seed=20 + k) for k in range(count)]
    compare(lambda layers: make(layers, return_sequences=True, return_state=True), random(3, 5, 4), mask, states)
    compare(lambda layers: make(layers, return_state=True), random(3, 5, 4), mask, states)


@every_kind
@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave"])
@every_mask
def test_both_directions(make, mode, mask):
    for sequences in True, False:
        compare(lambda layers, s=sequences: layers.Bidirectional(make(layers, return_sequences=s), merge_mode=mode),
                random(3, 5, 4), mask)  # fmt: skip


def test_both_directions_with_states_and_two_outputs():
    states = [random(3, 3, seed=20 + k) for k in range(4)]
    compare(lambda layers: layers.Bidirectional(layers.LSTM(3, return_state=True, return_sequences=True)),
            random(3, 5, 4), None, states)  # fmt: skip
    compare(lambda layers: layers.Bidirectional(layers.GRU(3), merge_mode=None), random(3, 5, 4))


@pytest.mark.parametrize("shape", [(1, 7, 3), (1, 1, 1), (5, 31, 6)], ids=str)
@every_kind
def test_sizes(make, shape):
    compare(lambda layers: make(layers, return_sequences=True), random(*shape))


@every_mask
def test_mean_over_time(mask):
    compare(lambda layers: layers.GlobalAveragePooling1D(), random(3, 5, 4), mask)


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_pytorch(kind):
    """PyTorch has the gates i f g o and r z n, the weights transposed, and two biases, of which the sum counts but for
    the GRU's n. Its GRU is the one with reset_after=True."""
    twin = getattr(torch.nn, {"SimpleRNN": "RNN"}.get(kind, kind))(4, 3, batch_first=True)
    order = [1, 0, 2] if kind == "GRU" else list(range({"SimpleRNN": 1, "LSTM": 4}[kind]))

    def blocks(tensor):
        return np.concatenate([np.split(as_numpy(tensor), len(order))[k] for k in order])

    kernel, recurrent_kernel = blocks(twin.weight_ih_l0).T, blocks(twin.weight_hh_l0).T
    biases = np.stack([blocks(twin.bias_ih_l0), blocks(twin.bias_hh_l0)])
    layer, x = getattr(minitl.layers, kind)(3, return_sequences=True), random(2, 7, 4)
    layer.forward(x)
    layer.set_weights([kernel, recurrent_kernel, biases if kind == "GRU" else biases.sum(axis=0)])
    y, tensor = layer.forward(x), leaf(x)
    expected = twin(tensor)[0]
    assert_close(y, expected, 1e-5, "y")
    grad = random(*y.shape, seed=3)
    expected.backward(torch.tensor(grad))
    assert_close(layer.backward(grad), tensor.grad, 1e-5, "dx")
    assert_close(layer.gradients["kernel"], blocks(twin.weight_ih_l0.grad).T, 1e-5, "kernel")
    assert_close(layer.gradients["recurrent_kernel"], blocks(twin.weight_hh_l0.grad).T, 1e-5, "recurrent_kernel")
    found = layer.gradients["bias"].reshape(-1, len(order) * 3)
    assert_close(found[0], blocks(twin.bias_ih_l0.grad), 1e-5, "bias")
    assert_close(found[-1], blocks(twin.bias_hh_l0.grad), 1e-5, "second bias")


def network(layers, inputs, model):
    x = inputs((5, 3))
    y = layers.LSTM(2, return_sequences=True, name="first")(x)
    y = layers.Bidirectional(layers.GRU(2, return_sequences=True))(y)
    back = layers.LSTM(2, return_sequences=True, go_backwards=True, name="back")
    y = layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="both", backward_layer=back)(y)
    y = layers.TimeDistributed(layers.Dense(4))(y)
    y = layers.Conv1D(3, 3, padding="causal")(y)
    return model(x, layers.SimpleRNN(2)(y))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_files_go_both_ways(tmp_path):
    """Keras keeps these weights in cells within the layers, and in layers within layers."""
    x, theirs = random(4, 5, 3), network(keras.layers, keras.Input, keras.Model)
    theirs.set_weights([random(*each.shape, seed=k) for k, each in enumerate(theirs.get_weights())])
    expected = as_numpy(theirs(x))
    for name in "model.weights.h5", "model.h5", "model.keras":
        path = tmp_path / name
        theirs.save_weights(path) if "weights" in name else theirs.save(path)
        ours = network(minitl.layers, Input, Model)
        ours.load_weights(path)
        assert_close(ours.forward(x), expected, 1e-5, name)
    for name in "own.weights.h5", "own.h5":
        ours.save_weights(tmp_path / name)
        again = network(keras.layers, keras.Input, keras.Model)
        again.load_weights(tmp_path / name)
        assert_close(as_numpy(again(x)), expected, 1e-6, name)
        copy = network(minitl.layers, Input, Model)
        copy.load_weights(tmp_path / name)
        assert_close(copy.forward(x), expected, 1e-5, name)
    ours.save(tmp_path / "whole.h5")
    assert_close(as_numpy(keras.models.load_model(tmp_path / "whole.h5")(x)), expected, 1e-6, "opened by Keras")
    assert str(load_model(tmp_path / "whole.h5").ledger) == str(ours.ledger)
