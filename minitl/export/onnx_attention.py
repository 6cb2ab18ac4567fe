"""Attention in ONNX's operations: products, a mask and a softmax. `kernels.attention` has the formulas.

A score that is not shown becomes the smallest number there is, so its weight is 0. A query that sees nothing would then
have equal weights; they are multiplied by 0 behind the softmax, as minitl has them.
"""

import math

import numpy as np

from .onnx_nodes import Value
from .onnx_rows import product

SMALLEST = np.finfo(np.float32).min


def attention(nodes, call, *inputs, query_mask=None, value_mask=None, key_mask=None, attention_mask=None):
    """Write a MultiHeadAttention of a query, or with a value, or with a value and a key."""
    layer = call.layer
    query, value, key = (*inputs, *inputs[-1:] * (3 - len(inputs)))
    q = _projected(nodes, layer, query, "query", [0, 2, 1, 3])  # (N, K, T, H)
    k = _projected(nodes, layer, key, "key", [0, 2, 3, 1])  # (N, K, H, S)
    v = _projected(nodes, layer, value, "value", [0, 2, 1, 3])  # (N, K, S, V)
    masks = [(query_mask, [1, 3]), (value_mask, [1, 2]), (key_mask, [1, 2])]
    shown = [nodes.widened(nodes.last(mask), axes) for mask, axes in masks if mask is not None]
    if attention_mask is not None:
        axes = {2: [0, 1], 3: [1]}.get(attention_mask.rank)
        shown.append(nodes.widened(nodes.last(attention_mask), axes) if axes else nodes.last(attention_mask))
    if call.options.get("use_causal_mask"):
        shown.append(_earlier(nodes, nodes.last(query), nodes.last(value)))
    if layer.sliding_window is not None:
        steps, of_keys = (nodes.counted_up(nodes.last(each), 1) for each in (query, value))
        away = nodes.add("Abs", nodes.add("Sub", nodes.widened(steps, [1]), nodes.widened(of_keys, [0])))
        shown.append(nodes.add("Less", away, np.array(layer.sliding_window, np.int64)))
    weights = _weights(nodes, q, k, layer.key_dim, shown)
    y = nodes.transposed(nodes.add("MatMul", weights, v), [0, 2, 1, 3])  # (N, T, K, V)
    if layer.use_gate:
        y = nodes.add("Mul", y, nodes.add("Sigmoid", _projected(nodes, layer, query, "gate", [0, 1, 2, 3])))
    y = nodes.add("Reshape", y, np.array([0, 0, layer.num_heads * layer.value_dim], np.int64))
    out = layer.output_kernel.shape[2:]
    kernel = layer.output_kernel.reshape(layer.num_heads * layer.value_dim, -1)
    y = product(nodes, y, kernel, layer.output_bias.reshape(-1) if layer.use_bias else None, "output_kernel")
    if len(out) > 1:
        y = nodes.add("Reshape", y, np.array([0, 0, *out], np.int64))
    y = Value(2 + len(out), y)
    return [y, Value(4, weights)] if call.options.get("return_attention_scores") else y


def causal_self_attention(nodes, call, x):
    """Write a CausalSelfAttention: G key heads, each read by K/G query heads."""
    layer, name = call.layer, nodes.last(x)
    groups, h = layer.num_key_value_heads, layer.head_dim
    turns = _turns(nodes, name, h, layer.rotary_base)
    heads = {}
    for part, shared, order in (("query", -1, [0, 2, 3, 1, 4]), ("key", 1, [0, 2, 3, 4, 1]),
                                ("value", 1, [0, 2, 3, 1, 4])):  # fmt: skip
        y = product(nodes, name, getattr(layer, f"{part}_kernel"), None, f"{part}_kernel")
        if part != "value":
            y = nodes.add("Reshape", y, np.array([0, 0, -1, h], np.int64))  # (N, T, K, H)
            y = _rotated(nodes, y, turns, h)
        y = nodes.add("Reshape", y, np.array([0, 0, groups, shared, h], np.int64))  # (N, T, G, K/G or 1, H)
        heads[part] = nodes.transposed(y, order)
    weights = _weights(nodes, heads["query"], heads["key"], h, [_earlier(nodes, name, name)])  # (N, G, K/G, T, T)
    y = nodes.transposed(nodes.add("MatMul", weights, heads["value"]), [0, 3, 1, 2, 4])  # (N, T, G, K/G, H)
    y = nodes.add("Reshape", y, np.array([0, 0, layer.num_query_heads * h], np.int64))
    return Value(3, product(nodes, y, layer.output_kernel, None, "output_kernel"))


def _projected(nodes, layer, x, part, order):
    """Return the name of x @ kernel + bias as heads (N, T, K, H), with the axes in this order."""
    kernel = getattr(layer, f"{part}_kernel")
    bias = getattr(layer, f"{part}_bias").reshape(-1) if layer.use_bias else None
    y = product(nodes, nodes.last(x), kernel.reshape(len(kernel), -1), bias, f"{part}_kernel")
    return nodes.transposed(nodes.add("Reshape", y, np.array([0, 0, *kernel.shape[1:]], np.int64)), order)


def _weights(nodes, q, k, features, shown):
    """Return the name of softmax(q k / sqrt(H)) where all masks of `shown` are True, and of 0 elsewhere."""
    scores = nodes.add("Mul", nodes.add("MatMul", q, k), np.float32(1 / math.sqrt(features)))
    if not shown:
        return nodes.add("Softmax", scores, axis=-1)
    visible = shown[0]
    for mask in shown[1:]:
        visible = nodes.add("And", visible, mask)
    weights = nodes.add("Softmax", nodes.add("Where", visible, scores, SMALLEST), axis=-1)
    return nodes.add("Mul", weights, nodes.number_cast(visible, np.float32))


def _earlier(nodes, query, key):
    """Return the name of the causal mask (T, S): True where the key's step is not behind the query's."""
    steps, of_keys = nodes.counted_up(query, 1), nodes.counted_up(key, 1)
    return nodes.add("LessOrEqual", nodes.widened(of_keys, [0]), nodes.widened(steps, [1]))


def _turns(nodes, name, features, base):
    """Return the names of cosine and sine (T, 1, H) of the angles of `kernels.rotation`.

    A pair (a, b) becomes (a cos - b sin, b cos + a sin): each number times the cosine, plus the other of its pair times
    the sine, which is negative in the first. Angles are float64, as in `kernels.rotation`; ONNX Runtime has no cosine
    of float64, and cos x = sin(x + pi/2).
    """
    frequencies = np.repeat(base ** (-np.arange(0, features, 2) / features), 2)  # (H,)
    steps = nodes.widened(nodes.number_cast(nodes.counted_up(name, 1), np.float64), [1, 2])  # (T, 1, 1)
    angles = nodes.add("Mul", steps, nodes.constant(frequencies, "frequencies", np.float64))  # (T, 1, H)
    quarter = nodes.constant(np.array(math.pi / 2), "quarter", np.float64)
    cosine = nodes.add("Sin", nodes.add("Add", angles, quarter))
    signs = nodes.constant(np.tile([-1.0, 1.0], features // 2), "signs", np.float64)
    sine = nodes.add("Mul", nodes.add("Sin", angles), signs)
    return nodes.number_cast(cosine, np.float32), nodes.number_cast(sine, np.float32)


def _rotated(nodes, x, turns, features):
    """Return the name of x (N, T, K, H) with each pair turned."""
    cosine, sine = turns
    others = np.arange(features).reshape(-1, 2)[:, ::-1].reshape(-1)  # 1, 0, 3, 2, ...: the other one of each pair
    straight = nodes.add("Mul", x, cosine)
    return nodes.add("Add", straight, nodes.add("Mul", nodes.add("Gather", x, others, axis=-1), sine))
