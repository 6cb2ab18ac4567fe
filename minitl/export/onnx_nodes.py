"""The nodes of an ONNX graph while it is written, and the order of axes of each result.

minitl's images are (N, H, W, C), ONNX's (N, C, H, W); its sequences are (N, T, D), and ONNX convolves (N, D, T). A
result may exist in either order or in both: a `Value` holds the names of both. `last` gives the name with the channels
last, and `first` that with the channels first; a Transpose is written where the other one is asked for, once. So a row
of convolutions, poolings and activations has two of them: one at its beginning and one at its end.
"""

import hashlib

import numpy as np

from ..errors import ArgumentError, MissingExtraError

OPSET, IR = 17, 8  # both of 2022: opset 17 goes with IR 8, and runtimes refuse an IR newer than they are


def required_onnx(path):
    """Return the package onnx. Raises MissingExtraError without it."""
    try:
        import onnx
    except ImportError:
        raise MissingExtraError(
            f"{path}: writing ONNX needs the package onnx (the extra 'convert'): python -m pip install onnx"
        ) from None
    return onnx


def refused(layer, reason, advice):
    """Return an ArgumentError that names the layer."""
    return ArgumentError(f"layer '{layer.name}': {reason} to ONNX. {advice}.")


class Value:
    """A result in an ONNX graph: its names with the channels last and first (None: not written), and its rank.

    With less than three axes, both orders are the same.
    """

    def __init__(self, rank, last=None, first=None):
        if rank < 3:
            last = first = last or first
        self.rank, self.names = rank, {"last": last, "first": first}

    @property
    def order(self):
        """Return the order in which the result is there: "last", or "first" if it is there in no other."""
        return "first" if self.names["last"] is None else "last"


class Nodes:
    """The nodes, constants and names of an ONNX graph so far.

    nodes, constants   protocol buffers of onnx;   layer   the layer that nodes are written for: their names begin so
    """

    def __init__(self, onnx):
        self.onnx, self.nodes, self.constants = onnx, [], []
        self.layer, self._taken, self._name_of_constant = "", set(), {}

    def name(self, ending):
        """Return a name in the graph that is not taken: "block1_conv1/Conv"."""
        name, number = f"{self.layer}/{ending}", 0
        while name in self._taken:
            number += 1
            name = f"{self.layer}/{ending}_{number}"
        self._taken.add(name)
        return name

    def constant(self, array, ending="constant", dtype=np.float32):
        """Add an array to the graph, and return its name. Numbers with a point get the type `dtype`. Equal arrays are
        there once, so a layer that is called twice has its weights once."""
        array = np.asarray(array)
        array = np.ascontiguousarray(array, dtype if array.dtype.kind == "f" else None).reshape(array.shape)
        key = array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest()
        if key not in self._name_of_constant:
            name = self._name_of_constant[key] = self.name(ending)
            self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return self._name_of_constant[key]

    def add(self, operation, *inputs, outputs=1, **attributes):
        """Add a node, and return the name of its output, or with `outputs` above 1 a list of names. Inputs are names,
        or arrays that are added."""
        inputs = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        names = [self.name(operation) for _ in range(outputs)]
        self.nodes.append(self.onnx.helper.make_node(operation, inputs, names, name=names[0], **attributes))
        return names if outputs > 1 else names[0]

    def last(self, value):
        """Return the name of a result with the channels last: as minitl has it."""
        if value.names["last"] is None:
            value.names["last"] = self.transposed(value.names["first"], [0, *range(2, value.rank), 1])
        return value.names["last"]

    def first(self, value):
        """Return the name of a result with the channels first, directly behind the batch."""
        if value.names["first"] is None:
            axes = [0, value.rank - 1, *range(1, value.rank - 1)]
            value.names["first"] = self.transposed(value.names["last"], axes)
        return value.names["first"]

    def transposed(self, name, axes):
        """Return the name of a result with its axes in another order, or `name` if that is the order."""
        axes = [int(axis) for axis in axes]
        return name if axes == sorted(axes) else self.add("Transpose", name, perm=axes)

    def elementwise(self, value, operation, *inputs, **attributes):
        """Add a node that treats each number alone, in the order in which the result is there, and return its value."""
        order = value.order
        return Value(value.rank, **{order: self.add(operation, value.names[order], *inputs, **attributes)})

    def cast(self, value, dtype):
        """Return a value with its numbers in another type, by NumPy's name of the type."""
        return self.elementwise(value, "Cast", to=self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def number_cast(self, name, dtype):
        """Return the name of a result with its numbers in another type."""
        return self.add("Cast", name, to=self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def widened(self, name, axes):
        """Return the name of a result with axes of size 1 at these places."""
        return self.add("Unsqueeze", name, np.array(axes, np.int64))

    def counted_up(self, name, axis):
        """Return the name of the whole numbers 0, 1, ... below the size that a result has along an axis."""
        size = self.add("Squeeze", self.add("Shape", name, start=axis, end=axis + 1))
        return self.add("Range", np.array(0, np.int64), size, np.array(1, np.int64))

    def turned(self, name):
        """Return the name of a result (N, T, ...) with its steps from the last to the first."""
        from_last, to_first = np.array([-1], np.int64), np.array([np.iinfo(np.int64).min], np.int64)
        return self.add("Slice", name, from_last, to_first, np.array([1], np.int64), np.array([-1], np.int64))
