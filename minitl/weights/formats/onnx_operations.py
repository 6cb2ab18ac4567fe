"""The operations of an ONNX file: what they state about a network, in the words of Keras's layers.

`stated` returns a list of operations as data for `weights.statements`, which compares them with a model:

    {"class": "Conv2D", "tensor": "conv1.weight", "then": "relu", "config": {"strides": [2, 2], "pads": [[1, 1], ...]}}

    tensor   the constant by which the layer is found; None for an operation without
    then     the activation that its output goes through next; "linear" for none, None at the end of the network
"""

import struct
from dataclasses import dataclass, field

from .protobuf import fields, span, text, varint_array

STATED = "stated"  # the name of this text in a listing
PASSES_ON = ("Identity", "Cast", "CastLike")  # operations whose output is a constant if their input is one
ACTIVATIONS = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softmax": "softmax"}
# Other operations that work on each number by itself. None of them is expected in a network that has none of this name.
OTHER_ACTIVATIONS = ("Celu", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LogSoftmax", "Mish", "PRelu", "Selu",
                     "Softplus", "Softsign", "Swish", "ThresholdedRelu")  # fmt: skip
LEAKY = {"LeakyRelu": 0.01}  # the slope where none is given
LIMITS = {"Max": "min_value", "Min": "max_value"}  # operations that keep numbers above or below a constant
POOLINGS = {"MaxPool": "MaxPooling", "AveragePool": "AveragePooling"}  # with 1D or 2D behind it, by the window
# These do not say how many axes a map has: `statements` takes them for those of sequences, too.
GLOBAL = {"GlobalAveragePool": "GlobalAveragePooling2D", "GlobalMaxPool": "GlobalMaxPooling2D"}


@dataclass(eq=False)
class Node:
    """One operation: its inputs and outputs by name, and its attributes as plain values."""

    operation: str
    name: str
    inputs: list
    outputs: list
    attributes: dict
    listed: list = field(default_factory=list)  # names under which the listing has its constants

    @property
    def scope(self):
        """Return PyTorch's name of the module, from the operation's: 'layer1.0.bn2' from '/layer1/layer1.0/bn2/X'."""
        pieces = self.name.strip("/").split("/")[:-1]
        pieces = [p for p, after in zip(pieces, [*pieces[1:], ""]) if not after.startswith(f"{p}.")]
        return ".".join(pieces)


@dataclass
class Graph:
    """The operations, the constants {name: StoredTensor}, and the numbers of small constants {name: list}."""

    nodes: list
    constants: dict
    values: dict
    maker: dict = field(default_factory=dict)  # name of an output -> its Node
    users: dict = field(default_factory=dict)  # name -> the Nodes that take it

    def __post_init__(self):
        for node in self.nodes:
            self.maker.update((output, node) for output in node.outputs)
            for name in dict.fromkeys(node.inputs):
                self.users.setdefault(name, []).append(node)

    def resolved(self, name):
        """Return (the constant that reaches this input, or None; whether its two axes are exchanged on the way)."""
        turned = False
        for _ in range(len(self.nodes) + 1):
            if name in self.constants:
                return self.constants[name], turned
            node = self.maker.get(name)
            if node is None or not node.inputs:
                return None, False
            if node.operation == "Transpose" and node.attributes.get("perm", [1, 0]) == [1, 0]:
                turned = not turned
            elif node.operation not in PASSES_ON:
                return None, False
            name = node.inputs[0]
        raise ValueError("operations in a circle")

    def is_computed(self, name):
        """Return whether an operation computes this input from constants alone."""
        node = self.maker.get(name)
        return bool(node and node.inputs) and all(not each or self.resolved(each)[0] for each in node.inputs)

    def owner(self, node):
        """Return the operation that a layer is known by: for an Add, the MatMul whose result it adds a constant to."""
        if node.operation == "Add":
            return next((self.maker[x] for x in node.inputs if x in self.maker and self.resolved(x)[0] is None), node)
        return node

    def numbers(self, node, position):
        """Return the numbers of a small constant that is an input; None if they are not known."""
        if position >= len(node.inputs) or not node.inputs[position]:
            return None
        name = node.inputs[position]
        constant, _ = self.resolved(name)
        return self.values.get(constant.name if constant else name)


def attributes_of(content, start, end):
    """Return {name: value} of one attribute: a number, a text, a list of numbers, or (start, end) of a tensor."""
    name, kind, value, many = "", None, None, []
    for number, found in fields(content, start, end):
        if number == 1:
            name = text(content, found)
        elif number == 2:
            value = struct.unpack("<f", int(found).to_bytes(4, "little"))[0]
        elif number == 3:
            value = found - 2**64 if found >= 2**63 else found
        elif number == 4:
            value = content[slice(*span(found))].decode("utf-8", "replace")
        elif number == 5:
            value = span(found)
        elif number == 7:
            many += struct.unpack(f"<{(found[1] - found[0]) // 4}f", content[slice(*found)]) if isinstance(
                found, tuple) else [struct.unpack("<f", found.to_bytes(4, "little"))[0]]  # fmt: skip
        elif number == 8:
            found = varint_array(content, *found).tolist() if isinstance(found, tuple) else [found]
            many += [each - 2**64 if each >= 2**63 else each for each in found]
        elif number == 20:
            kind = found
    if value is None and kind in (1, 2):
        value = 0
    return {name: many if many or kind in (6, 7) else value}


def stated(graph):
    """Return what the operations state, as data for JSON, in the order of the file."""
    pads = {}  # name of an output of Pad -> its padding
    operations = []
    for node in graph.nodes:
        if node.operation == "Pad":
            pads.update((output, _padding(graph, node)) for output in node.outputs)
        found = _stated_of(graph, node, pads)
        if found:
            tensor = node.listed[0] if node.listed else None
            then = _then(graph, node) if tensor else None
            operations.append({"class": found[0], "tensor": tensor, "then": then, "config": found[1]})
    return operations


def _stated_of(graph, node, pads):
    """Return (class of the layer, {argument: value}) of one operation, or None if it states nothing."""
    given, operation = node.attributes, node.operation
    if operation in ("Conv", "ConvTranspose"):
        kernel = graph.resolved(node.inputs[1])[0] if len(node.inputs) > 1 else None
        rank = len(kernel.shape) - 2 if kernel else 2
        strides = given.get("strides", [1] * rank)
        found = _pads(graph, node, pads, rank) if operation == "Conv" else _cut_off(node, pads, rank, strides)
        config = {"strides": strides, "dilation_rate": given.get("dilations", [1] * rank),
                  "groups": given.get("group", 1), **found}  # fmt: skip
        return "Conv2D" if operation == "Conv" else "Conv2DTranspose", config
    if operation == "Gemm":
        return "Dense", {key: given.get(key, default) for key, default in (("alpha", 1), ("beta", 1), ("transA", 0))}
    if operation == "MatMul":
        return ("Dense", {}) if any(graph.resolved(name)[0] for name in node.inputs[1:]) else None
    if operation == "BatchNormalization":
        stated_epsilon = {"epsilon": given["epsilon"]} if "epsilon" in given else {}  # without: statements.implied
        return operation, {**stated_epsilon, "training_mode": given.get("training_mode", 0)}
    if operation in POOLINGS:
        size = given.get("kernel_shape", [])
        config = {"pool_size": size, "strides": given.get("strides", [1] * len(size)),
                  "dilation_rate": given.get("dilations", [1] * len(size)), "ceil_mode": given.get("ceil_mode", 0),
                  **_pads(graph, node, pads, len(size))}  # fmt: skip
        if operation == "AveragePool":
            config["count_include_pad"] = given.get("count_include_pad", 0)
        return f"{POOLINGS[operation]}{len(size) or 2}D", config
    if operation in GLOBAL:
        return GLOBAL[operation], {}
    if operation in ("Resize", "Upsample"):
        scales = given.get("scales") or graph.numbers(node, 2 if operation == "Resize" else 1) or []
        return "UpSampling2D", {"size": scales[2:] if len(scales) == 4 else None, "interpolation": _resampling(given)}
    if operation in ("ReduceMean", "ReduceMax") and len(given.get("axes", graph.numbers(node, 1) or [])) == 2:
        return f"Global{'Average' if operation == 'ReduceMean' else 'Max'}Pooling2D", {}
    if operation in ACTIVATIONS:
        return "Activation", {"activation": ACTIVATIONS[operation]}
    if operation in LEAKY:
        return "ReLU", {"negative_slope": given.get("alpha", LEAKY[operation]), "max_value": None, "threshold": 0}
    if operation == "Clip":
        low, high = (given.get(key, (graph.numbers(node, n) or [None])[0]) for key, n in (("min", 1), ("max", 2)))
        if low == 0:
            return "ReLU", {"negative_slope": 0, "max_value": high, "threshold": 0}
        return "Clip", {"min_value": low, "max_value": high}
    if operation in LIMITS:
        limits = [
            graph.numbers(node, place) for place in range(len(node.inputs)) if graph.resolved(node.inputs[place])[0]
        ]
        if len(node.inputs) == 2 and len(limits) == 1 and limits[0] and len(limits[0]) == 1:
            return "Clip", {"min_value": None, "max_value": None, LIMITS[operation]: limits[0][0]}
    return (operation, {}) if operation in OTHER_ACTIVATIONS else None


def _pads(graph, node, pads, rank):
    """Return {"pads": [[before, after] for each axis of the image]}, or {"padding": "same"}; empty if unknown."""
    given, automatic = node.attributes, node.attributes.get("auto_pad", "NOTSET")
    before = pads.get(node.inputs[0], [[0, 0]] * rank)
    if automatic == "SAME_UPPER" and not any(map(any, before or [[1]])):
        return {"padding": "same"}
    own = given.get("pads", [0] * (2 * rank)) if automatic in ("NOTSET", "VALID", "") else None
    if own is None or before is None or len(own) != 2 * rank or len(before) != rank:
        return {"padding": automatic.lower()} if own is None else {}
    return {"pads": [[own[k] + before[k][0], own[rank + k] + before[k][1]] for k in range(rank)]}


def _cut_off(node, pads, rank, strides):
    """Return what a ConvTranspose cuts off its output, in the form of `_pads`. Zeros that are added behind the output
    count against it, and so does a Pad before the operation, which adds a stride of rows for each of its own."""
    given, automatic = node.attributes, node.attributes.get("auto_pad", "NOTSET")
    before = pads.get(node.inputs[0], [[0, 0]] * rank)
    if automatic.startswith("SAME") and not any(map(any, before or [[1]])):
        return {"padding": automatic.lower().removesuffix("_upper")}
    own, added = given.get("pads", [0] * (2 * rank)), given.get("output_padding", [0] * rank)
    if before is None or "output_shape" in given or automatic.startswith("SAME") or len(own) != 2 * rank:
        return {}
    axes = zip(own[:rank], own[rank:], added, before, strides)
    return {"pads": [[a - c * stride, b - more - d * stride] for a, b, more, (c, d), stride in axes]}


def _resampling(given):
    """Return the interpolation of a Resize by Keras's name, or in ONNX's words if Keras has none."""
    mode, centres = given.get("mode", "nearest"), given.get("coordinate_transformation_mode", "half_pixel")
    is_keys = given.get("cubic_coeff_a", -0.75) == -0.5 and given.get("exclude_outside", 0) == 1
    if mode == "cubic" and is_keys and centres == "half_pixel":
        return "bicubic"
    if mode != "linear":
        return mode
    return "bilinear" if centres in ("half_pixel", "pytorch_half_pixel") else f"{mode}, {centres}"


def _padding(graph, node):
    """Return [[before, after] for each axis of the image] of a Pad with zeros; None if it is another or unknown."""
    numbers = node.attributes.get("pads") or graph.numbers(node, 1)
    value = node.attributes.get("value", (graph.numbers(node, 2) or [0])[0])
    if not numbers or node.attributes.get("mode", "constant") != "constant" or value or len(numbers) % 2:
        return None
    rank = len(numbers) // 2
    if any(numbers[:2]) or any(numbers[rank : rank + 2]):
        return None  # also the batch or the channels
    return [[numbers[k], numbers[rank + k]] for k in range(2, rank)]


def _then(graph, node):
    """Return the activation that the output goes through next, after the bias; "linear" for none; None at the end."""
    for _ in range(len(graph.nodes)):
        users = [user for output in node.outputs for user in graph.users.get(output, [])]
        if not users:
            return None
        follower = users[0]
        adds_bias = follower.operation == "Add" and any(graph.resolved(each)[0] for each in follower.inputs)
        if len(users) > 1:
            return "linear" if all(user.operation not in ACTIVATIONS for user in users) else "unknown"
        if follower.operation in PASSES_ON or (adds_bias and node.operation == "MatMul"):
            node = follower
            continue
        if follower.operation in ACTIVATIONS:
            return ACTIVATIONS[follower.operation]
        if follower.operation in (*LEAKY, *OTHER_ACTIVATIONS, "Clip", "Mul", "Div"):
            return "unknown"  # compared as an operation of its own
        return "linear"
    return "unknown"
