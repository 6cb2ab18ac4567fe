"""MultiHeadAttention against Keras: every kind of input and mask, outputs and gradients; and files in both directions.

The layers without other layers inside (Embedding, LayerNormalization, ...) are compared by the table in `test_layers`.
"""

import keras
import numpy as np
import pytest
import torch
from cases.layers import randomize

import minitl.layers
from minitl.layers import Dense, Embedding, GlobalAveragePooling1D, Input, LayerNormalization, MultiHeadAttention
from minitl.models import Model

from .compare import as_numpy, assert_close, leaf, random

N, T, S, HEADS = 2, 5, 3, 2
SHOWN = np.random.default_rng(3).random((N, HEADS, T, S)) < 0.6
SHOWN[..., 0] = True  # Keras gives a query that sees nothing the mean of all values: compared in no test
KEYS = np.array([[True, False, True], [True, True, False]])


def compare(options, inputs, tolerance=1e-5, **call):
    """Compare outputs, gradients of the inputs, and gradients of all parameters, for a random upstream gradient."""
    layer = MultiHeadAttention(**options)
    x = inputs if len(inputs) > 1 else inputs[0]
    layer.forward(x)
    randomize(layer)
    outputs = layer.forward(x, training=True, **call)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    grads = [random(*y.shape, seed=9 + number) for number, y in enumerate(outputs)]
    dx = layer.backward(grads if len(grads) > 1 else grads[0])

    twin, tensors = keras.layers.MultiHeadAttention(**options), [leaf(each) for each in inputs]
    arguments = [tensors[0], tensors[min(1, len(tensors) - 1)], *tensors[2:]]
    twin(*arguments)
    twin.set_weights(layer.get_weights())
    masks = {name: torch.tensor(each) if isinstance(each, np.ndarray) else each for name, each in call.items()}
    expected = twin(*arguments, training=True, **masks)
    expected = list(expected) if isinstance(expected, (list, tuple)) else [expected]
    for y, other in zip(outputs, expected, strict=True):
        assert_close(y, other, tolerance, "y")
    sum((y * torch.tensor(grad)).sum() for y, grad in zip(expected, grads)).backward()
    for number, (each, tensor) in enumerate(zip(dx if isinstance(dx, list) else [dx], tensors, strict=True)):
        assert_close(each, tensor.grad, tolerance, f"dx{number}")
    names = [variable.path.split("/", 1)[1] for variable in twin.weights]
    assert [legacy for legacy, _ in layer.keras_paths().values()] == names
    largest = max(np.abs(gradient).max() for gradient in layer.gradients.values())
    for name, variable in zip(layer.weight_names, twin.weights, strict=True):
        found, gradient = layer.gradients[name], as_numpy(variable.value.grad)
        # The bias of the keys changes no weight, and nothing changes the weight of a single key: these gradients are 0,
        # and only rounding errors are left of them.
        if np.abs(gradient).max() < 1e-5 * largest:
            assert np.abs(found).max() < 1e-5 * largest, name
        else:
            assert_close(found, gradient, tolerance, name)


OPTIONS = [
    {"num_heads": HEADS, "key_dim": 3},
    {"num_heads": HEADS, "key_dim": 3, "value_dim": 4, "use_bias": False},
    {"num_heads": HEADS, "key_dim": 1, "output_shape": 7},
    {"num_heads": HEADS, "key_dim": 5, "value_dim": 2, "output_shape": (3, 2)},
    {"num_heads": HEADS, "key_dim": 3, "value_dim": 4, "use_gate": True},
    {"num_heads": HEADS, "key_dim": 3, "use_gate": True, "sliding_window": 3, "use_bias": False},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda each: "-".join(f"{k}-{v}" for k, v in each.items()))
@pytest.mark.parametrize("count", [1, 2, 3])
def test_arguments(options, count):
    compare(options, [random(N, T, 6), random(N, S, 4), random(N, S, 7)][:count])


@pytest.mark.parametrize("call", [
    {"use_causal_mask": True},
    {"value_mask": KEYS},
    {"key_mask": KEYS},
    {"value_mask": KEYS, "use_causal_mask": True},
    {"attention_mask": SHOWN[:, 0]},
    {"attention_mask": SHOWN},
    {"attention_mask": SHOWN[:, 0], "value_mask": KEYS, "use_causal_mask": True},
], ids=lambda call: "-".join(f"{name}{np.ndim(each)}" for name, each in call.items()))  # fmt: skip
@pytest.mark.parametrize("scores", [False, True], ids=["", "scores"])
def test_masks(call, scores):
    if scores:
        call = {**call, "return_attention_scores": True}
    compare(OPTIONS[0], [random(N, T, 6), random(N, S, 4)], **call)


@pytest.mark.parametrize("steps", [1, 2, 33])
def test_one_example_of_odd_length(steps):
    compare({"num_heads": 3, "key_dim": 4}, [random(1, steps, 5)], use_causal_mask=True)


def test_a_model_of_bert_like_size():
    compare({"num_heads": 12, "key_dim": 32}, [0.05 * random(3, 40, 384)], 2e-5)


def encoder(library, ending):
    """Build an encoder of tokens from minitl.layers or keras.layers, with masks that nobody names."""
    tokens = library.Input((None,), dtype="int32", name="tokens")
    x = library.Embedding(11, 6, mask_zero=True, name="words")(tokens)
    y = library.MultiHeadAttention(2, 3, value_dim=4, name="look")(x, x)
    y = library.LayerNormalization(name="norm")(library.Add(name="add")([x, y]))
    y = library.Dense(5, activation="gelu", name="wide")(y)
    y = library.MultiHeadAttention(3, 2, use_bias=False, name="look_again")(y, x, use_causal_mask=True)
    return tokens, ending(library.GlobalAveragePooling1D(name="mean")(y))


class Minitl:
    """minitl's layers under the names that `encoder` uses."""

    Input, Embedding, MultiHeadAttention, Add = Input, Embedding, MultiHeadAttention, minitl.layers.Add
    LayerNormalization, Dense, GlobalAveragePooling1D = LayerNormalization, Dense, GlobalAveragePooling1D


def models(seed=5):
    """Return the same encoder from both libraries, with random weights of its own each, and tokens with padding."""
    mine = Model(*encoder(Minitl, Dense(2, name="out")))
    peer = keras.Model(*encoder(keras.layers, keras.layers.Dense(2, name="out")))
    rng = np.random.default_rng(seed)
    for model in mine, peer:
        model.set_weights([rng.normal(size=np.shape(each)).astype(np.float32) / 2 for each in model.get_weights()])
    tokens = rng.integers(1, 11, size=(3, 7)).astype(np.int32)
    tokens[1, 4:] = tokens[2, 1:] = 0
    return mine, peer, tokens


@pytest.mark.parametrize("suffix", [".h5", ".weights.h5", ".keras"])
def test_weights_from_keras(tmp_path, suffix):
    mine, peer, tokens = models()
    path = tmp_path / f"model{suffix}"
    peer.save_weights(path) if suffix == ".weights.h5" else peer.save(path)
    assert mine.load_weights(path).parameters == mine.count_params() == peer.count_params()
    assert_close(mine.predict(tokens, verbose=0), peer.predict(tokens, verbose=0), 1e-5)


@pytest.mark.parametrize("suffix", [".h5", ".weights.h5"])
def test_weights_to_keras(tmp_path, suffix):
    mine, peer, tokens = models()
    mine.save_weights(tmp_path / f"model{suffix}")
    peer.load_weights(tmp_path / f"model{suffix}")
    assert_close(mine.predict(tokens, verbose=0), peer.predict(tokens, verbose=0), 1e-5)


def test_a_whole_model_to_keras(tmp_path):
    """Keras builds the calls from what minitl has saved: two arguments for self-attention, options, no mask of ours."""
    mine, _, tokens = models()
    mine.save(tmp_path / "model.h5")
    peer = keras.models.load_model(tmp_path / "model.h5", compile=False)
    assert_close(mine.predict(tokens, verbose=0), as_numpy(peer.predict(tokens, verbose=0)), 1e-5)
