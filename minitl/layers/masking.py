"""The way of a mask through a graph.

Sequences of different length become one array (N, T) by padding: numbers behind the end that mean nothing. A mask
(N, T) of booleans says which time steps are real. In a graph it is an input like any other: a call that uses a mask
lists it among its inputs, under the name "mask". So it is seen in `summary`, it is saved, and nothing is passed on
behind the back of `forward`.

What does happen on its own is that calls are connected to it. `Embedding(mask_zero=True)` calls a `PaddingMask` on the
same token numbers, and its output says so (`SymbolicTensor.mask`). Layers that work on each time step alone say the
same of their output (`passes_mask`), and a layer that takes a mask takes this one, unless its call names another.
Layers that merge sequences make one mask of several, by Keras's rules (`merges_masks`).

    x = Input((None,), dtype="int32")
    words = Embedding(1000, 8, mask_zero=True)(x)      words.mask is the output of PaddingMask
    y = LSTM(4)(Dropout(0.5)(words))                   the same as LSTM(4)(..., mask=words.mask)
"""

import numpy as np

from ..errors import DataError, GraphError, warn_of_mistake


def inputs_by_name(layer, tensors, by_name):
    """Return ({name: symbolic tensor}, {name: option}) of a call. Masks that are not named are those of the inputs.

    Raises GraphError for a name that the layer does not have, and for a mask of a type or shape that is none.
    """
    masks = mask_names(layer, len(tensors))
    keyword_inputs = list(dict.fromkeys([*layer.keyword_inputs, *masks]))
    known = (*keyword_inputs, *layer.call_options)
    unknown = [name for name in by_name if name not in known]
    if unknown:
        what = f"it takes {', '.join(known)} by name" if known else "it takes nothing by name"
        raise GraphError(f"layer '{layer.name}' was called with {unknown[0]}={by_name[unknown[0]]!r}; {what}.")
    named = {name: by_name[name] for name in keyword_inputs if by_name.get(name) is not None}
    options = {name: by_name[name] for name in layer.call_options if name in by_name}
    for name, position in masks.items():
        if name not in by_name and tensors[position].mask is not None:
            named[name] = tensors[position].mask
    for name, tensor in named.items():
        if not hasattr(tensor, "call"):
            raise GraphError(
                f"layer '{layer.name}' was called with {name}={type(tensor).__name__}; expected a symbolic tensor: an "
                "Input(..., dtype='bool'), or the output of another layer."
            )
        if name in masks:
            _require_mask(layer, name, tensor, tensors[masks[name]])
    return named, options


def mask_names(layer, count):
    """Return {name of a mask: the position of the input that it belongs to} of a call with `count` inputs."""
    if layer.mask_of_each:
        return {f"mask_{position}": position for position in range(count)}
    masks = {name: position for name, position in layer.masks_of.items() if name in layer.keyword_inputs}
    return {name: position for name, position in masks.items() if position < count}


def checked_mask(layer, mask, expected):
    """Return a mask as booleans. Raises DataError for an array that is no mask of the shape `expected`, (N, T)."""
    mask = np.asarray(mask)
    if mask.shape != tuple(expected) or mask.dtype.kind not in "biu":
        raise DataError(
            f"layer '{layer.name}' expected a mask {tuple(expected)} of booleans, True where a step is real; found "
            f"{mask.shape} of {mask.dtype}."
        )
    return mask.astype(bool)


def _require_mask(layer, name, mask, tensor):
    """Raise GraphError if `mask` is no mask (N, T) of a tensor (N, T, ...)."""
    fits = len(mask.shape) == 2 and all(None in pair or pair[0] == pair[1] for pair in zip(mask.shape, tensor.shape))
    if not fits or mask.is_floating:
        raise GraphError(
            f"layer '{layer.name}': {name} is {mask.shape} of {mask.dtype}; expected booleans, one for each time step "
            f"of {tensor.shape}: an Input(({tensor.shape[1]},), dtype='bool'), or the output of PaddingMask."
        )


def within_steps(axis):
    """Return whether what a layer does along `axis`, a number or a list, stays within the steps of (N, T, ...)."""
    return not {1, -2}.intersection(np.atleast_1d(axis).tolist())


def set_output_mask(call):
    """Set the mask of a call's output, and warn if the mask of its input ends at a layer for which padding counts."""
    layer, tensors = call.layer, call.by_position
    masks = list(dict.fromkeys(each.mask for each in tensors if each.mask is not None))
    is_named = "mask" in call.names and "mask" in mask_names(layer, len(tensors))
    mask = call.inputs[call.names.index("mask") - len(call.names)] if is_named else None
    if mask is None and len(masks) == 1:
        mask = masks[0]
    elif len(masks) > 1 and layer.merges and not layer.merges_masks:
        raise GraphError(
            f"layer '{layer.name}' merges sequences with different masks. Give the layers behind it a mask by name, "
            "and those before it none: mask_zero=False."
        )
    made = layer.compute_output_mask(tensors, mask)
    call.outputs[0].mask = made
    if made is not None or not masks or layer.drops_mask:
        return
    if layer.merges_masks:
        warn_of_mistake(
            f"layer '{layer.name}' ({type(layer).__name__}) merges sequences with and without a mask, and its output "
            "has none, as in Keras: for the layers behind it, padding counts like everything else. Give them a mask by "
            "name, or leave mask_zero=True out."
        )
    elif not layer.passes_mask and not layer.takes_mask:
        warn_of_mistake(
            f"layer '{layer.name}' ({type(layer).__name__}) takes no mask, so the padding of its input counts like "
            "everything else. Put a layer that takes one before it, or leave mask_zero=True out."
        )
