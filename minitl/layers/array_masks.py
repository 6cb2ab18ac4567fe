"""The way of a mask through calls on arrays: `LSTM(4)(Embedding(1000, 8, mask_zero=True)(tokens))`.

In a graph a mask is an input of the calls that use it (`masking`). A call on arrays has no graph. So an array that
comes out of such a call carries its mask with it, as in Keras, and the next call takes it from there: `y.mask`. What a
program computes from the array by itself has none. The rules are those of a graph, because it is one: the call is
recorded on symbolic tensors, and then run at once.

Who calls this: `on_arrays`.
"""

import numpy as np

from ..errors import ArgumentError, GraphError
from .symbolic import SymbolicTensor, placeholder, unrecorded


class ArrayWithMask(np.ndarray):
    """An array (N, T, ...) whose time steps have a mask (N, T): `mask`, True where a step is real."""

    mask = None

    def __array_finalize__(self, source):
        """Give no mask to what is computed from the array."""
        self.mask = None


def mask_of(array):
    """Return the mask that an array carries, or None."""
    return array.mask if isinstance(array, ArrayWithMask) else None


def with_mask(array, mask):
    """Return an array that carries this mask; the array itself if the mask is None."""
    if mask is None:
        return array
    array = np.asarray(array).view(ArrayWithMask)
    array.mask = np.asarray(mask, bool)
    return array


def compute_mask(layer, inputs, mask=None):
    """Return the mask of a layer's output for arrays, or for outputs of layers, with these masks; None if it has none.
    `mask` is one, or a list with one for each of the inputs: the method of Keras's layers."""
    is_list = isinstance(inputs, (list, tuple))
    masks = [None] * len(inputs) if is_list and mask is None else mask
    if is_list != isinstance(masks, (list, tuple)) or (is_list and len(masks) != len(inputs)):
        raise ArgumentError(
            f"layer '{layer.name}': mask is {type(mask).__name__}; expected one mask for an input, or a list of masks "
            "for a list of inputs: one for each."
        )
    pairs = list(zip(inputs, masks)) if is_list else [(inputs, masks)]
    if any(isinstance(each, SymbolicTensor) for each, _ in pairs):
        if any(each is not None for _, each in pairs):
            raise GraphError(f"layer '{layer.name}': the mask of an output of layers is layer(x).mask.")
        return layer(inputs).mask
    arrays = [with_mask(np.asarray(each), mask) for each, mask in pairs]
    return mask_of(layer(arrays if is_list else arrays[0]))


def computed_with_masks(layer, arrays, training, by_name):
    """Return the outputs of a layer for arrays, a list of them, some of which carry masks. Each output carries its own.

    by_name   further arrays and options that forward takes by name
    """
    values, inputs, masks = {}, [], {}

    def tensor_for(array):
        tensor = placeholder(array.shape, array.dtype.name)
        values[tensor] = np.asarray(array)
        return tensor

    for array in arrays:
        inputs.append(tensor_for(array))
        if mask_of(array) is not None:  # arrays that share a mask do so in the graph, too
            if id(array.mask) not in masks:
                masks[id(array.mask)] = tensor_for(array.mask)
            inputs[-1].mask = masks[id(array.mask)]
    named = {name: tensor_for(each) if isinstance(each, np.ndarray) else each for name, each in by_name.items()}
    with unrecorded(layer):
        outputs = layer(layer.packed(inputs), **named)
    found = [
        with_mask(_value(each, values, training), each.mask and _value(each.mask, values, training))
        for each in (outputs if isinstance(outputs, list) else [outputs])
    ]
    return found if isinstance(outputs, list) else found[0]


def _value(tensor, values, training):
    """Return the array of a symbolic tensor, computed from those in `values`, {tensor: array}, where it is kept."""
    if tensor not in values:
        call = tensor.call
        arguments, by_name = call.arguments([_value(each, values, training) for each in call.inputs], training)
        y = call.layer.forward(arguments, **by_name)
        values.update(zip(call.outputs, y if len(call.outputs) > 1 else [y]))
    return values[tensor]
