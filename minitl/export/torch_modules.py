"""Layers whose weights are several arrays of a PyTorch module, or one array of it made of several.

    layer                          module                      names
    MultiHeadAttention             nn.MultiheadAttention       in_proj_weight, in_proj_bias, out_proj.weight, ...
    DepthwiseConv2D                nn.Conv2d with groups=C     weight, bias

Recurrent layers have names of their own in PyTorch: `weights.recurrent_names`.
"""

import numpy as np

from .. import layers
from ..errors import ArgumentError


def arrays_of(layer):
    """Return {name in PyTorch's module: array} of a layer, or None for a layer whose own names say all."""
    write = MODULES.get(type(layer))
    return None if write is None else write(layer)


def attention(layer):
    """Return the arrays of an attention. Raises ArgumentError for one that PyTorch's module cannot be: there the heads
    together are as wide as the query and the output, and nothing is gated."""
    if layer.use_gate:
        raise ArgumentError(
            f"layer '{layer.name}': PyTorch's MultiheadAttention has no gate. Save the model with model.save."
        )
    kernels = {part: getattr(layer, f"{part}_kernel") for part in ("query", "key", "value")}
    flat = {part: kernel.reshape(len(kernel), -1).T for part, kernel in kernels.items()}  # (K*H, D)
    width = len(kernels["query"])
    output = layer.output_kernel.reshape(layer.num_heads * layer.value_dim, -1).T  # (D, K*V)
    if any(len(array) != width for array in (*flat.values(), output)) or layer.output_kernel.ndim != 3:
        raise ArgumentError(
            f"layer '{layer.name}': PyTorch's MultiheadAttention has heads that together are as wide as the query and "
            f"the output, {width} numbers; found {len(flat['query'])} and {len(output)}. Save the model with "
            "model.save."
        )
    if all(array.shape[1] == width for array in flat.values()):
        found = {"in_proj_weight": np.concatenate(list(flat.values()))}
    else:  # with kdim and vdim, it has a matrix for each
        found = {f"{part[0]}_proj_weight": array for part, array in flat.items()}
    found["out_proj.weight"] = output
    if layer.use_bias:
        found["in_proj_bias"] = np.concatenate([getattr(layer, f"{part}_bias").reshape(-1) for part in kernels])
        found["out_proj.bias"] = layer.output_bias.reshape(-1)
    return found


def depthwise(layer):
    """Return the arrays of a depthwise convolution: kernel (KH, KW, C, M) -> (C*M, 1, KH, KW)."""
    kh, kw, c, m = layer.kernel.shape
    found = {"weight": layer.kernel.transpose(2, 3, 0, 1).reshape(c * m, 1, kh, kw)}
    return {**found, "bias": layer.bias} if layer.use_bias else found


MODULES = {
    layers.DepthwiseConv2D: depthwise,
    layers.MultiHeadAttention: attention,
}
