"""The masks of `MultiHeadAttention`, which say what a query may see, in the form that `kernels.attention` takes."""

import numpy as np

from ..errors import ShapeError


def shown_keys(layer, n, t, s, query_mask, value_mask, key_mask, attention_mask, use_causal_mask):
    """Return query_mask, and keys_shown, shown and offset for `kernels.attention`, of N examples with T queries and S
    keys. Raises ShapeError."""
    query_mask = _checked(layer, "query_mask", query_mask, [(n, t)])
    value_mask = _checked(layer, "value_mask", value_mask, [(n, s)])
    key_mask = _checked(layer, "key_mask", key_mask, [(n, s)])
    shown = _checked(layer, "attention_mask", attention_mask, [(n, t, s), (n, layer.num_heads, t, s), (t, s)])
    if shown is not None and shown.ndim < 4:
        shown = shown[:, None] if shown.ndim == 3 else shown[None, None]
    if layer.sliding_window is not None:
        near = np.abs(np.arange(t)[:, None] - np.arange(s)) < layer.sliding_window  # (T, S)
        shown = near[None, None] if shown is None else shown & near
    keys_shown = value_mask if key_mask is None else key_mask
    if value_mask is not None and key_mask is not None:
        keys_shown = value_mask & key_mask
    return query_mask, keys_shown, shown, 0 if use_causal_mask else None


def _checked(layer, name, mask, shapes):
    """Return a mask as booleans, or None. Raises ShapeError if it cannot be broadcast to one of `shapes`."""
    if mask is None:
        return None
    mask = np.asarray(mask)
    for shape in shapes:
        if mask.ndim == len(shape) and all(own in (1, size) for own, size in zip(mask.shape, shape)):
            return np.broadcast_to(mask.astype(bool), shape)
    expected = " or ".join(map(str, shapes))
    raise ShapeError(f"layer '{layer.name}': {name} is {mask.shape}; expected booleans of the shape {expected}.")
