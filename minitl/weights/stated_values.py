"""Comparison of single values that a file states with those of a model: numbers, lists, and padding in numbers.

`statements` uses it.
"""

import math

from ..kernels.geometry import transposed_padding
from ..layers import Conv2DTranspose, ZeroPadding2D


def has_rest(call, pads):
    """Return whether the windows of a pooling leave rows or columns over, so that rounding up gives one more."""
    sizes, layer = call.inputs[0].shape[1:-1], call.layer
    pads = pads or [[0, 0]] * len(sizes)
    axes = zip(sizes, pads, _by_axis(layer.pool_size), _by_axis(layer.strides))
    return any(size is None or (size + sum(pad) - window) % stride for size, pad, window, stride in axes)


def pads_of(call):
    """Return [[before, after], ...] of a call's zero padding with that of the layer before it; None if unknown.

    For a transposed convolution it is what is cut off the output. A row of zeros before the input adds a stride of rows
    to the output, so it counts as that many rows fewer.
    """
    layer, before = call.layer, call.inputs[0].call
    is_transposed = isinstance(layer, Conv2DTranspose)
    own = layer.cut_off if is_transposed else pads_in(getattr(layer, "padding", "valid"), call)
    if own is not None and isinstance(before.layer, ZeroPadding2D):
        steps = [-stride for stride in layer.strides] if is_transposed else [1] * len(own)
        return [[a + k * c, b + k * d] for (a, b), (c, d), k in zip(own, before.layer.padding, steps)]
    return own


def pads_in(padding, call):
    """Return a padding as [[before, after], ...] for the input of this call; None if its size is not known."""
    if not isinstance(padding, str):
        return padding
    layer, sizes = call.layer, call.inputs[0].shape[1:-1]
    if padding == "causal":
        return [[layer.span - 1, 0]]
    window = _by_axis(getattr(layer, "span", None) or getattr(layer, "pool_size", (1,) * len(sizes)))
    strides = _by_axis(getattr(layer, "strides", (1,) * len(sizes)))
    if isinstance(layer, Conv2DTranspose):
        found = [list(transposed_padding(*axis, padding.split("_")[0])) for axis in zip(layer.kernel_size, strides)]
        return [each[::-1] for each in found] if padding == "same_lower" else found
    if padding == "valid":
        return [[0, 0] for _ in sizes]
    found = []
    for size, length, stride in zip(sizes, window, strides):
        if size is None and stride != 1:
            return None
        total = length - 1 if size is None else max((math.ceil(size / stride) - 1) * stride + length - size, 0)
        found.append([total // 2, total - total // 2])
    return [each[::-1] for each in found] if padding == "same_lower" else found


def _by_axis(sizes):
    """Return sizes by axis as a list; layers of sequences have a single one."""
    return sizes if isinstance(sizes, (tuple, list)) else [sizes]


def same(a, b, rank=None):
    """Return whether two values are equal: numbers up to rounding, one number for a list of equal ones."""
    if isinstance(a, (list, tuple)) or isinstance(b, (list, tuple)):
        many, other = (a, b) if isinstance(a, (list, tuple)) else (b, a)
        if not isinstance(other, (list, tuple)):
            other = [other] * len(many)
        return len(many) == len(other) and all(same(x, y, rank) for x, y in zip(many, other))
    if isinstance(a, str) or isinstance(b, str) or a is None or b is None:
        return (a or "linear") == (b or "linear") if not (a == 0 or b == 0) else a == b
    if rank is not None:
        return a == b or (rank > 0 and a % rank == b % rank) or (rank < 0 and (a < 0) != (b < 0))
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12)


def as_text(value):
    """Return a value as text, a list as a tuple."""
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(map(as_text, value)) + ("," if len(value) == 1 else "") + ")"
    return f"{value:g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)
