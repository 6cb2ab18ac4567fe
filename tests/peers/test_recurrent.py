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
from minitl.export.state_dict import state_dict
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


MODULES = {"SimpleRNN": torch.nn.RNN, "LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}
STACKS = [  # layers, both directions, biases
    (1, False, True), (1, True, True), (2, False, True), (3, True, True), (1, False, False), (2, True, False)
]  # fmt: skip


class Reader(torch.nn.Module):
    """A module of recurrent layers that is a part of another, with a head."""

    def __init__(self, kind, layers, both, bias):
        super().__init__()
        self.reader = MODULES[kind](4, 3, layers, bias=bias, batch_first=True, bidirectional=both)
        self.head = torch.nn.Linear(6 if both else 3, 2)

    def forward(self, x):
        return self.head(self.reader(x)[0])


def twin_of_reader(kind, layers, both, bias):
    """Return minitl's model of the same layers, whose further ones have names of their own."""
    x = inputs = Input((None, 4))
    for name in ["reader", "behind_it", "last_one"][:layers]:
        layer = getattr(minitl.layers, kind)(3, return_sequences=True, use_bias=bias, name=name)
        x = (minitl.layers.Bidirectional(layer, name=name) if both else layer)(x)
    return Model(inputs, minitl.layers.Dense(2, name="head")(x))


@pytest.mark.parametrize("layers, both, bias", STACKS)
@pytest.mark.parametrize("kind", MODULES)
def test_pytorchs_files_go_both_ways(kind, layers, both, bias, tmp_path):
    save_file = pytest.importorskip("safetensors.torch").save_file
    torch.manual_seed(3)
    theirs, ours = Reader(kind, layers, both, bias), twin_of_reader(kind, layers, both, bias)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    x = random(2, 7, 4)
    with torch.no_grad():
        expected = theirs(torch.tensor(x))
    save_file(theirs.state_dict(), tmp_path / "theirs.safetensors")
    report = ours.load_weights(tmp_path / "theirs.safetensors")
    assert report.parameters == ours.count_params() and not report.not_in_file
    assert_close(ours.predict(x, verbose=0), expected, 1e-5, "minitl with PyTorch's weights")

    names = {name: f"reader.{k}" for k, name in enumerate(["reader", "behind_it", "last_one"][:layers])}
    written = state_dict(ours, {**names, "head": "head"})
    state = {"head.weight": written["head.weight"], "head.bias": written["head.bias"]}
    for k, prefix in enumerate(names.values()):
        mine = {name.removeprefix(f"{prefix}."): each for name, each in written.items() if name.startswith(prefix)}
        state.update({f"reader.{name.replace('_l0', f'_l{k}')}": each for name, each in mine.items()})
    again = Reader(kind, layers, both, bias)
    again.load_state_dict({name: torch.tensor(each) for name, each in state.items()})
    with torch.no_grad():
        assert_close(as_numpy(again(torch.tensor(x))), expected, 1e-5, "PyTorch with minitl's weights")


def test_a_state_dict_of_a_single_module(tmp_path):
    """The file of `torch.save(lstm.state_dict())` has no name for the module."""
    theirs, x = torch.nn.LSTM(4, 3, 2, batch_first=True), random(2, 5, 4)
    torch.save(theirs.state_dict(), tmp_path / "lstm.pth")
    inputs = Input((None, 4))
    first, second = (minitl.layers.LSTM(3, return_sequences=True) for _ in range(2))
    ours = Model(inputs, second(first(inputs)))
    ours.load_weights(tmp_path / "lstm.pth")
    assert_close(ours.predict(x, verbose=0), theirs(torch.tensor(x))[0], 1e-5)


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
