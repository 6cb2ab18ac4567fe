"""The nodes of an ONNX graph while it is written, and the order of axes of each result.

minitl's images are (N, H, W, C), ONNX's (N, C, H, W). A result of rank 4 may exist in either order or in both: a
`Value` holds the names of both. `last` gives the name with the channels last, and `first` that with the channels first;
a Transpose is written where the other one is asked for, once. So a row of convolutions, poolings and activations has
two of them: one at its beginning and one at its end.
"""

import numpy as np

from ..errors import MissingExtraError

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


class Value:
    """A result in an ONNX graph: its names with the channels last and first (None: not written), and its rank."""

    def __init__(self, rank, last=None, first=None):
        self.rank, self.names = rank, {"last": last, "first": first}

    @property
    def is_first(self):
        """Return whether the result is there with the channels first, and not with the channels last."""
        return self.names["last"] is None


class Nodes:
    """The nodes, constants and names of an ONNX graph so far.

    nodes, constants   protocol buffers of onnx;   layer   the layer that nodes are written for: their names begin so
    """

    def __init__(self, onnx):
        self.onnx, self.nodes, self.constants = onnx, [], []
        self.layer, self._taken = "", set()

    def name(self, ending):
        """Return a name in the graph that is not taken: "block1_conv1/Conv"."""
        name, number = f"{self.layer}/{ending}", 0
        while name in self._taken:
            number += 1
            name = f"{self.layer}/{ending}_{number}"
        self._taken.add(name)
        return name

    def constant(self, array, ending="constant"):
        """Add an array to the graph, and return its name. Numbers with a point become float32."""
        array = np.asarray(array)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        name = self.name(ending)
        self.constants.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, operation, *inputs, **attributes):
        """Add a node with one output, and return the name of the output. Inputs are names, or arrays that are added."""
        inputs = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        output = self.name(operation)
        self.nodes.append(self.onnx.helper.make_node(operation, inputs, [output], name=output, **attributes))
        return output

    def last(self, value):
        """Return the name of a result with the channels last: as minitl has it."""
        if value.names["last"] is None:
            value.names["last"] = self.add("Transpose", value.names["first"], perm=[0, 2, 3, 1])
        return value.names["last"]

    def first(self, value):
        """Return the name of a result of rank 4 with the channels first."""
        if value.names["first"] is None:
            value.names["first"] = self.add("Transpose", value.names["last"], perm=[0, 3, 1, 2])
        return value.names["first"]

    def elementwise(self, value, operation, *inputs, **attributes):
        """Add a node that treats each number alone, in the order in which the result is there, and return its value."""
        order = "first" if value.is_first else "last"
        return Value(value.rank, **{order: self.add(operation, value.names[order], *inputs, **attributes)})
