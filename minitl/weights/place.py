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
    gates              the places of a recurrent layer's gates in the file, if their order differs
    second             a further tensor, the second bias of a recurrent layer
    as_rows            both biases are kept, as two rows; else they are added
    heads              (D, K, H) or the like if the array, its axes in order, is split into the heads of an attention,
                       or a depthwise kernel into its channels
    optional           a network need not have it: a buffer, or the head of a pre-training
    """

    tensor: StoredTensor
    layer: str
    parameter: str
    axes: str = ""
    flattened: tuple | None = None
    input_axis: int = 0
    window: bool = False
    gates: tuple | None = None
    second: StoredTensor | None = None
    as_rows: bool = False
    heads: tuple | None = None
    optional: bool = False

    @property
    def tensors(self):
        """Return the tensors of the file that the array is made of."""
        return [self.tensor] if self.second is None else [self.tensor, self.second]

    @property
    def source(self):
        """Return the names of these tensors."""
        return " and ".join(tensor.name for tensor in self.tensors)

    @property
    def conversion(self):
        """Return what `convert` does to the array, in the ledger's words."""
        steps = ["a convolution over the whole map"] * self.window
        steps += [f"gates in the order {self.gates}"] * bool(self.gates)
        steps += ["two biases as rows" if self.as_rows else "the sum of two biases"] * (self.second is not None)
        steps += [f"axes {self.axes}"] * bool(self.axes) + [REORDERED] * bool(self.flattened)
        if self.heads:  # the kernel of a convolution has four axes, the parameters of an attention three or two
            steps.append(f"split {'by channel' if len(self.heads) == 4 else 'into heads'}, {self.heads}")
        return ", ".join(steps) or AS_IT_IS

    @property
    def shape(self):
        """Return the shape that the array has in the model."""
        shape = self.tensor.shape
        if self.window:
            shape = shape[0], math.prod(shape[1:])
        if self.as_rows:
            return len(self.tensors), *shape
        return self.heads or (tuple(shape[axis] for axis in permutation(self.axes)) if self.axes else shape)

    def convert(self, array, *more):
        """Return the file's array with the model's order of axes and inputs. `more` is that of `second`."""
        if self.gates:
            array, *more = (_reordered(each, self.gates) for each in (array, *more))
        if self.as_rows:
            array = np.stack([array, *more])
        elif more:
            array = np.add(array, more[0], dtype=np.result_type(array, np.float32))
        if self.window:
            array = array.reshape(len(array), -1)
        if self.axes:
            array = array.transpose(permutation(self.axes))
        if self.flattened:
            (height, width, channels), axis = self.flattened, self.input_axis
            unflattened = array.reshape(*array.shape[:axis], channels, height, width, *array.shape[axis + 1 :])
            array = np.moveaxis(unflattened, axis, axis + 2).reshape(array.shape)  # (..., C, H, W) -> (..., H, W, C)
        return array.reshape(self.heads) if self.heads else array


def _reordered(array, gates):
    """Return (G*U, ...) with its G blocks in another order."""
    return array.reshape(len(gates), -1, *array.shape[1:])[list(gates)].reshape(array.shape)


def permutation(axes):
    """Return the argument of `transpose` that reorders the axes: "(a, b) -> (b, a)" gives [1, 0]."""
    before, after = (side.strip("()").split(", ") for side in axes.split(" -> "))
    return [before.index(axis) for axis in after]
