"""The decoder in Llama's form beside a decoder in PyTorch with the same weights: scores, loss, gradients, training
steps, and the scores of the published model stories260K.

The twin is written in PyTorch's own terms (complex numbers for the rotation would be minitl's way: it has sines and
cosines), and takes the kernels under the names of llama2.c's file.
"""

import keras
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import shared

from minitl.applications import Decoder
from minitl.applications.decoder import decoder_of_file
from minitl.layers import Maximum, Minimum, ReversibleEmbedding
from minitl.losses import SparseCategoricalCrossentropy
from minitl.optimizers import SGD
from minitl.recipes.language import Reader
from minitl.training import train_step
from minitl.weights.formats.llama2c_file import read_llama2c

from .compare import assert_close

SIZES = {"width": 24, "layers": 3, "heads": 6, "key_value_heads": 2, "hidden": 20, "length": 64}


def torch_decoder(weights, tokens, layers, heads, key_value_heads):
    """Return the scores (N, T, V) of token numbers. `weights` are tensors: {"layer/parameter": tensor}."""
    table = weights["token_embedding/embeddings"]
    x = table[tokens]
    for block in range(1, layers + 1):
        kernels = [f"{name}_kernel" for name in ("query", "key", "value", "output")]
        parts = {name: weights[f"block{block}_attention/{name}"] for name in kernels}
        y = rms(x, weights[f"block{block}_attention_norm/scale"])
        x = x + attention(y, parts, heads, key_value_heads)
        y = rms(x, weights[f"block{block}_feed_forward_norm/scale"])
        gate, up, down = (weights[f"block{block}_{name}/kernel"] for name in ("gate", "up", "down"))
        x = x + (F.silu(y @ gate) * (y @ up)) @ down
    return rms(x, weights["final_norm/scale"]) @ table.T


def rms(x, scale):
    return x / torch.sqrt((x * x).mean(dim=-1, keepdim=True) + 1e-5) * scale


def attention(x, kernels, heads, key_value_heads):
    n, t, _ = x.shape
    q = rotated((x @ kernels["query_kernel"]).reshape(n, t, heads, -1))
    k = rotated((x @ kernels["key_kernel"]).reshape(n, t, key_value_heads, -1))
    v = (x @ kernels["value_kernel"]).reshape(n, t, key_value_heads, -1)
    outputs = []
    for head in range(heads):
        group = head // (heads // key_value_heads)
        scores = q[:, :, head] @ k[:, :, group].transpose(1, 2) / q.shape[-1] ** 0.5
        later = torch.triu(torch.ones(t, t, dtype=torch.bool), diagonal=1)
        outputs.append(torch.softmax(scores.masked_fill(later, -torch.inf), dim=-1) @ v[:, :, group])
    return torch.cat(outputs, dim=-1) @ kernels["output_kernel"]


def rotated(x):
    t, h = x.shape[1], x.shape[3]
    angles = torch.arange(t, dtype=torch.float64)[:, None] / 10000 ** (torch.arange(0, h, 2, dtype=torch.float64) / h)
    cos, sin = angles.cos().to(x.dtype)[:, None], angles.sin().to(x.dtype)[:, None]  # (T, 1, H/2)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)


def tensors_of(model, dtype):
    """Turn a model's parameters into `dtype`, and return them as tensors by "layer/parameter"."""
    weights = {}
    for layer in model.layers:
        for name in layer.weight_names:
            setattr(layer, name, getattr(layer, name).astype(dtype))
            weights[f"{layer.name}/{name}"] = torch.tensor(getattr(layer, name), requires_grad=True)
    return weights


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-4), ("float64", 1e-9)])
def test_scores_loss_gradients_and_steps(dtype, tolerance, rng):
    model = Decoder(11, **SIZES)
    for layer in model.layers:
        for name in layer.weight_names:
            getattr(layer, name)[...] += 0.1 * rng.standard_normal(getattr(layer, name).shape)
    weights = tensors_of(model, dtype)
    tokens, labels = rng.integers(11, size=(2, 3, 17)).astype(np.int32)
    sizes = SIZES["layers"], SIZES["heads"], SIZES["key_value_heads"]

    def expected():
        return torch_decoder(weights, torch.tensor(tokens, dtype=torch.int64), *sizes)

    scores = model.forward(tokens)
    assert scores.dtype == dtype
    for place in (0, 1, 16):  # a rotation with the wrong pairs is right at place 0 only
        assert_close(scores[:, place], expected()[:, place], tolerance, f"scores at place {place}")

    model.loss, model.optimizer = SparseCategoricalCrossentropy(from_logits=True), SGD(0.2, momentum=0.9)
    optimizer = torch.optim.SGD(weights.values(), 0.2, momentum=0.9)
    for step in range(4):
        optimizer.zero_grad()
        loss = F.cross_entropy(expected().flatten(0, 1), torch.tensor(labels, dtype=torch.int64).flatten())
        loss.backward()
        found, _ = train_step(model, tokens, labels)
        assert found == pytest.approx(loss.item(), rel=tolerance)
        if step == 0:
            for layer in model.layers:
                for name, gradient in layer.gradients.items():
                    place = f"{layer.name}/{name}"
                    assert_close(gradient, weights[place].grad, 10 * tolerance, f"gradient of {place}")
        optimizer.step()
    for layer in model.layers:
        for name in layer.weight_names:
            assert_close(getattr(layer, name), weights[f"{layer.name}/{name}"], tolerance, f"{layer.name}/{name}")


def test_scores_of_stories260k(rng):
    """The arrays go from the file to PyTorch on a way of their own, and what is kept of a text changes nothing."""
    path = shared("data/stories260k/stories260K.bin", "the model stories260K")
    config, arrays = read_llama2c(path)
    weights = {"token_embedding/embeddings": arrays["token_embedding"], "final_norm/scale": arrays["rms_final"]}
    for k in range(config.n_layers):
        block = f"block{k + 1}"
        weights[f"{block}_attention_norm/scale"] = arrays["rms_att"][k]
        weights[f"{block}_feed_forward_norm/scale"] = arrays["rms_ffn"][k]
        for name, key in (("query", "wq"), ("key", "wk"), ("value", "wv"), ("output", "wo")):
            weights[f"{block}_attention/{name}_kernel"] = arrays[key][k].T
        for name, key in (("gate", "w1"), ("down", "w2"), ("up", "w3")):
            weights[f"{block}_{name}/kernel"] = arrays[key][k].T
    weights = {name: torch.tensor(np.ascontiguousarray(each)) for name, each in weights.items()}
    model, tokens = decoder_of_file(path), rng.integers(3, 512, size=(1, 80)).astype(np.int32)
    expected = torch_decoder(weights, torch.tensor(tokens, dtype=torch.int64), 5, 8, 4).detach()
    assert_close(model.forward(tokens), expected, 1e-4, "scores")
    reader, ids = Reader(model), tokens[0].tolist()
    for count in (40, 41, 80):
        assert_close(reader.scores(ids[:count]), expected[0, count - 1], 1e-4, f"scores after {count} tokens")


@pytest.mark.parametrize("arguments", [{}, {"tie_weights": False}, {"logit_soft_cap": 0.05}])
def test_a_reversed_embedding_is_keras_s(rng, arguments):
    layer, twin = ReversibleEmbedding(7, 4, **arguments), keras.layers.ReversibleEmbedding(7, 4, **arguments)
    x = rng.standard_normal((2, 5, 4)).astype(np.float32)
    layer.forward(np.zeros((2, 5), np.int32))
    twin.build((2, 5))
    twin.set_weights(layer.get_weights())
    assert_close(layer.forward(x, reverse=True), twin(torch.tensor(x), reverse=True), 1e-6, "scores")


@pytest.mark.parametrize("layer, twin", [(Maximum, torch.maximum), (Minimum, torch.minimum)])
def test_equal_inputs_share_the_gradient(layer, twin):
    a, b = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 5.0, 3.0]])
    leaves = [torch.tensor(each, requires_grad=True) for each in (a, b)]
    twin(*leaves).backward(torch.tensor([[1.0, 10.0, 100.0]]))
    made = layer()
    made.forward([a, b])
    for found, leaf in zip(made.backward(np.array([[1.0, 10.0, 100.0]])), leaves):
        np.testing.assert_allclose(found, leaf.grad)
