"""`Place`: where a tensor of a file goes in a model, and what is done to its array on the way.

`naming` finds the place of each tensor, `loading` converts the arrays and writes the conversion into the ledger.
"""

import math
from typing import NamedTuple

import numpy as np

from .formats.stored_file import StoredTensor
from .ledger import AS_IT_IS

REORDERED = "inputs in the order (H, W, C) instead of (C, H, W)"


class Place(NamedTuple):
    """The place of a tensor in a model.

    layer, parameter   the names in the model
    axes               how the axes are reordered, as "(units, inputs) -> (inputs, units)"; "": they stay
    flattened          (H, W, C) if the inputs are the pixels of a flattened map whose order changes; else None
    input_axis         the axis of these inputs
    window             the kernel is that of a convolution whose window is the whole map; its axes behind the first are
                       joined
    heads              (D, K, H) or the like if the array, its axes in order, is split into the heads of an attention
    optional           a network need not have it: a buffer, or the head of a pre-training
    """

    tensor: StoredTensor
    layer: str
    parameter: str
    axes: str = ""
    flattened: tuple | None = None
    input_axis: int = 0
    window: bool = False
    heads: tuple | None = None
    optional: bool = False

    @property
    def conversion(self):
        """Return what `convert` does to the array, in the ledger's words."""
        steps = ["a convolution over the whole map"] * self.window
        steps += [f"axes {self.axes}"] * bool(self.axes) + [REORDERED] * bool(self.flattened)
        steps += [f"split into heads, {self.heads}"] * bool(self.heads)
        return ", ".join(steps) or AS_IT_IS

    @property
    def shape(self):
        """Return the shape that the array has in the model."""
        shape = self.tensor.shape
        if self.window:
            shape = shape[0], math.prod(shape[1:])
        return self.heads or (tuple(shape[axis] for axis in permutation(self.axes)) if self.axes else shape)

    def convert(self, array):
        """Return the file's array with the model's order of axes and inputs."""
        if self.window:
            array = array.reshape(len(array), -1)
        if self.axes:
            array = array.transpose(permutation(self.axes))
        if self.flattened:
            (height, width, channels), axis = self.flattened, self.input_axis
            unflattened = array.reshape(*array.shape[:axis], channels, height, width, *array.shape[axis + 1 :])
            array = np.moveaxis(unflattened, axis, axis + 2).reshape(array.shape)  # (..., C, H, W) -> (..., H, W, C)
        return array.reshape(self.heads) if self.heads else array


def permutation(axes):
    """Return the argument of `transpose` that reorders the axes: "(a, b) -> (b, a)" gives [1, 0]."""
    before, after = (side.strip("()").split(", ") for side in axes.split(" -> "))
    return [before.index(axis) for axis in after]
