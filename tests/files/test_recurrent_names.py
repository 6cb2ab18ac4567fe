"""Recurrent layers in PyTorch's files: the arrays mean what PyTorch's documentation says, also in stacks.

The formulas are those of the documentation of torch.nn.LSTM, GRU and RNN, with PyTorch's names, axes and gates.
"""

import os

import numpy as np
import pytest

from minitl.errors import ArgumentError, WeightsError
from minitl.export.state_dict import state_dict
from minitl.layers import GRU, LSTM, Bidirectional, Dense, Dropout, Input, SimpleRNN
from minitl.models import Model
from minitl.weights.distrust import child_process, opening
from minitl.weights.formats.safetensors_file import safetensors_parts

D, U = 3, 4
GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
LAYERS = {"LSTM": LSTM, "GRU": GRU, "SimpleRNN": SimpleRNN}
every_kind = pytest.mark.parametrize("kind", LAYERS)


@pytest.fixture(autouse=True)
def no_child_process(monkeypatch):
    """List the files in this process: they are the tests' own, and each child process would take 0.3 s."""
    nothing = child_process.Copy(os.devnull, 0)
    monkeypatch.setattr(opening, "_through_child", lambda path: (child_process.list_file(path, nothing), None))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(kind, x, h, c, weights, end):
    """Return (h, c) after a step of PyTorch's layer, for one example."""
    inner = weights["weight_ih" + end] @ x + weights.get("bias_ih" + end, 0)
    outer = weights["weight_hh" + end] @ h + weights.get("bias_hh" + end, 0)
    if kind == "SimpleRNN":
        return np.tanh(inner + outer), c
    if kind == "LSTM":
        i, f, g, o = np.split(inner + outer, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    (r, z, n), (of_r, of_z, of_n) = np.split(inner, 3), np.split(outer, 3)
    r, z = sigmoid(r + of_r), sigmoid(z + of_z)
    return (1 - z) * np.tanh(n + r * of_n) + z * h, c


def outputs(kind, x, weights, layers=1, ends=("",)):
    """Return all outputs (T, U) of a stack of PyTorch's layers for one sequence (T, D)."""
    for number in range(layers):
        both = []
        for end in ends:
            h, c, found = np.zeros(U), np.zeros(U), []
            for t in range(len(x)) if end == "" else range(len(x))[::-1]:
                h, c = step(kind, x[t], h, c, weights, f"_l{number}{end}")
                found.append(h)
            both.append(np.array(found if end == "" else found[::-1]))
        x = np.concatenate(both, axis=1)
    return x


def state(kind, rng, layers=1, ends=("",), bias=True):
    """Return random weights of PyTorch's layer of this kind."""
    rows, made = GATES[kind] * U, {}
    for number in range(layers):
        inputs = D if number == 0 else U * len(ends)
        for end in ends:
            shapes = {"weight_ih": (rows, inputs), "weight_hh": (rows, U)}
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {}
            for word, shape in shapes.items():
                made[f"{word}_l{number}{end}"] = rng.normal(size=shape).astype("f")
    return made


def write(path, weights, prefix="rnn"):
    """Write weights as safetensors, under the name of a module, and return the path."""
    path.write_bytes(b"".join(map(bytes, safetensors_parts(
        {f"{prefix}.{name}" if prefix else name: each for name, each in weights.items()}, {}
    ))))  # fmt: skip
    return path


def network(kind, names, directions=1, **more):
    """Return a model of recurrent layers with these names, one behind the other, with a Dropout between."""
    inputs = x = Input((None, D))
    for name in names:
        layer = LAYERS[kind](U, return_sequences=True, name=name, **more)
        x = (Bidirectional(layer, name=name) if directions == 2 else layer)(x)
        x = Dropout(0.5)(x)
    return Model(inputs, x)


@every_kind
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("ends", [("",), ("", "_reverse")], ids=["forwards", "both"])
def test_the_arrays_mean_what_pytorch_says(kind, bias, ends, tmp_path, rng):
    weights, x = state(kind, rng, ends=ends, bias=bias), rng.normal(size=(2, 5, D)).astype("f")
    model = network(kind, ["rnn"], len(ends), use_bias=bias)
    report = model.load_weights(write(tmp_path / "a.safetensors", weights))
    assert report.loaded == ["rnn"] and not report.not_in_model
    expected = [outputs(kind, each, weights, ends=ends) for each in x]
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=2e-6)
    if kind == "GRU":
        assert "gates in the order (1, 0, 2)" in str(model.ledger)
    written = state_dict(model)
    again = network(kind, ["rnn"], len(ends), use_bias=bias)
    again.load_weights(write(tmp_path / "b.safetensors", written, prefix=""))
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    for name in weights if kind == "GRU" or not bias else [each for each in weights if "weight" in each]:
        np.testing.assert_array_equal(written[f"rnn.{name}"], weights[name])


@pytest.mark.parametrize(
    "ours, prefix, names",
    [
        (["rnn", "b", "c"], "rnn", None),  # those that follow
        (["rnn_l0", "rnn_l1", "rnn_l2"], "rnn", None),
        (["rnn_l1", "rnn_l0", "rnn_l2"], "rnn", {"rnn": "rnn_l1", "rnn_l1": "rnn_l0"}),
        (["a", "b", "c"], "net.encoder", {"net.encoder": "a"}),
        (["a", "b", "c"], "", None),  # the file of one module
        (["rnn", "b", "c"], "module.rnn", None),
    ],
)
def test_a_stack_is_several_layers(ours, prefix, names, tmp_path, rng):
    weights, x = state("LSTM", rng, layers=3), rng.normal(size=(1, 6, D)).astype("f")
    model = network("LSTM", ours)
    model.load_weights(write(tmp_path / "a.safetensors", weights, prefix), names=names)
    np.testing.assert_allclose(model.predict(x, verbose=0)[0], outputs("LSTM", x[0], weights, 3), atol=2e-6)


def test_two_modules_and_a_dense_layer(tmp_path, rng):
    """Each module is found by its own name, whatever the order of the layers."""
    first, second = state("GRU", rng), state("GRU", rng)
    head = {"weight": rng.normal(size=(2, U)).astype("f"), "bias": rng.normal(size=2).astype("f")}
    named = {"one": first, "two": second, "head": head}
    file = write(
        tmp_path / "a.safetensors",
        {f"{module}.{name}": each for module, weights in named.items() for name, each in weights.items()},
        prefix="model",
    )
    x = Input((None, D))
    model = Model(x, Dense(2, name="head")(GRU(U, name="two")(x)))
    model = Model(x, [model.output, GRU(U, name="one")(x)])
    model.load_weights(file)
    sequence = rng.normal(size=(1, 4, D)).astype("f")
    scores, states = model.predict(sequence, verbose=0)
    np.testing.assert_allclose(states[0], outputs("GRU", sequence[0], first)[-1], atol=2e-6)
    last = outputs("GRU", sequence[0], second)[-1]
    np.testing.assert_allclose(scores[0], head["weight"] @ last + head["bias"], atol=2e-6)


@every_kind
def test_a_cell_has_no_number(kind, tmp_path, rng):
    weights, x = state(kind, rng), rng.normal(size=(1, 4, D)).astype("f")
    model = network(kind, ["cell"])
    cell = {name.removesuffix("_l0"): each for name, each in weights.items()}
    model.load_weights(write(tmp_path / "a.safetensors", cell, "cell"))
    np.testing.assert_allclose(model.predict(x, verbose=0)[0], outputs(kind, x[0], weights), atol=2e-6)


@pytest.mark.parametrize(
    "kind, more, said",
    [
        ("GRU", {"reset_after": False}, "has reset_after=False; PyTorch's GRU has True"),
        ("LSTM", {"activation": "relu"}, "has activation='relu'; PyTorch's LSTM has 'tanh'"),
        ("LSTM", {"recurrent_activation": "hard_sigmoid"}, "has recurrent_activation='hard_sigmoid'"),
        ("SimpleRNN", {"activation": "linear"}, "PyTorch's SimpleRNN has 'tanh' or 'relu'"),
    ],
)
def test_a_layer_that_pytorch_does_not_have_is_refused(kind, more, said, tmp_path, rng):
    model = network(kind, ["rnn"], **more)
    before = [each.copy() for each in model.get_weights()]
    with pytest.raises(WeightsError, match=said):
        model.load_weights(write(tmp_path / "a.safetensors", state(kind, rng)))
    assert all(map(np.array_equal, before, model.get_weights()))
    with pytest.raises(ArgumentError, match=said):
        state_dict(model)


def test_what_does_not_fit_is_named(tmp_path, rng):
    weights = state("LSTM", rng, layers=2, ends=("", "_reverse"))
    with pytest.raises(WeightsError, match=r"'rnn' backward_kernel: in the file .*, not in the model"):
        network("LSTM", ["rnn", "b"]).load_weights(write(tmp_path / "a.safetensors", weights))
    with pytest.raises(WeightsError, match="'rnn_l1' is in the file but not in the model"):
        network("LSTM", ["rnn"], 2).load_weights(tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match="'b' is in the model but not in the file"):
        network("LSTM", ["rnn", "b"]).load_weights(write(tmp_path / "b.safetensors", state("LSTM", rng)))
    with pytest.raises(WeightsError, match=r"'rnn' kernel: expected \(3, 16\), found \(3, 12\)"):
        network("LSTM", ["rnn"]).load_weights(write(tmp_path / "c.safetensors", state("GRU", rng)))
    with pytest.raises(WeightsError, match="'rnn' bias: expected .*missing in the file"):
        network("LSTM", ["rnn"]).load_weights(write(tmp_path / "d.safetensors", state("LSTM", rng, bias=False)))
    projected = {**state("LSTM", rng), "weight_hr_l0": np.ones((2, U), "f")}
    with pytest.raises(WeightsError, match="the projection of an LSTM with proj_size"):
        network("LSTM", ["rnn"]).load_weights(write(tmp_path / "e.safetensors", projected))
    uneven = {**state("LSTM", rng), "bias_hh_l0": np.ones(1, "f")}
    with pytest.raises(WeightsError, match="expected two biases of one shape and type"):
        network("LSTM", ["rnn"]).load_weights(write(tmp_path / "f.safetensors", uneven))


def test_names_tell_a_partial_load(tmp_path, rng):
    """Layers that, with partial=True, are not in the model are reported under the names of the file."""
    weights = state("LSTM", rng, layers=2)
    report = network("LSTM", ["rnn"]).load_weights(write(tmp_path / "a.safetensors", weights), partial=True)
    assert report.loaded == ["rnn"] and report.not_in_model == ["rnn_l1"]
