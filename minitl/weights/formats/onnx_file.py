"""ONNX: a network as Protocol Buffers (`protobuf`). Only the constants and the operations that use them are read.

    Model.producer = 2
    Model.graph = 7     Graph.node = 1          Node.input = 1, output = 2, name = 3, op_type = 4, attribute = 5
                        Graph.initializer = 5   Tensor.dims = 1, data_type = 2, name = 8, and the array in raw_data = 9,
                                                float_data = 4, int32_data = 5 (half precision) or double_data = 10

A constant is an initializer or the output of a Constant operation. An exporter may keep equal constants only once, and
pass one on with Identity, or use one name several times. The listing has an entry for each use. If several operations
use one name, the name of each entry is made from the operation's other constants: the bias of the convolution with the
kernel 'conv2.weight' is 'conv2.bias'.

What the operations state beside their constants (strides, epsilon, ...) is read by `onnx_operations`.
"""

import json
import mmap
import struct
from dataclasses import replace

import numpy as np

from ...errors import UnsafeFileError, WeightsError
from .onnx_operations import STATED, Graph, Node, attributes_of, stated
from .protobuf import fields, span, text, varint_array
from .stored_file import Listing, StoredTensor

DTYPES = {1: "<f4", 10: "<f2", 11: "<f8", 16: "bfloat16"}
OTHER_TYPES = {2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "text", 9: "bool"}
OWN_FIELD = {1: 4, 10: 5, 11: 10, 16: 5}  # type -> the field that holds its numbers unless they are in RAW
RAW, EXTERNAL, LOCATION, SPARSE = 9, 13, 14, 15
SCALED = "scaled"  # by alpha or beta of a Gemm, so it is not the kernel or bias of a dense layer
# {operation: {number of the input: its role}}. Convolution kernels are (F, C, KH, KW) in ONNX, those of
# transposed convolutions (C, F, KH, KW).
ROLES = {
    "Conv": {1: "kernel OIHW", 2: "bias"},
    "ConvTranspose": {1: "kernel IOHW", 2: "bias"},
    "Gemm": {1: "kernel IO", 2: "bias"},
    "MatMul": {1: "kernel IO"},
    "Add": {1: "bias", 0: "bias"},
    "BatchNormalization": {1: "gamma", 2: "beta", 3: "moving_mean", 4: "moving_variance"},
}
# {role: PyTorch's word}, to name a constant that several operations use.
WORDS = {"kernel": "weight", "gamma": "weight", "moving_mean": "running_mean", "moving_variance": "running_var",
         "beta": "bias", "scaled": "weight"}  # fmt: skip


def list_onnx(path, name, file_bytes, copy=None):
    """Return the `Listing` of an ONNX file: its constants, each with its role in the operation that uses it.

    `copy` is the `Copy` for arrays that do not lie in one piece as plain numbers."""
    if not file_bytes:
        raise WeightsError(f"{name}: expected an ONNX file, found an empty one.")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            model = list(fields(content, 0, len(content)))
            graphs = [value for number, value in model if number == 7]
            producer = next((text(content, value) for number, value in model if number == 2), "")
            if len(graphs) != 1:
                raise ValueError(f"{len(graphs)} graphs")
            graph = _graph(content, *span(graphs[0]), name, copy)
            tensors = _by_use(graph)
            operations = json.dumps(stated(graph))
        except (ArithmeticError, struct.error, ValueError, LookupError, TypeError, AttributeError) as error:
            raise WeightsError(f"{name}: is damaged or no ONNX file ({error}). Download or export it again.") from None
    return Listing("ONNX", tuple(tensors), {"producer": producer, STATED: operations})


def _graph(content, start, end, file_name, copy):
    """Return the `Graph`: its constants and its operations."""
    constants, values, nodes, seen = {}, {}, [], 0

    def add(begin, stop, name=None):
        tensor, numbers = _tensor(content, begin, stop, file_name, copy, name)
        constants[tensor.name], values[tensor.name] = tensor, numbers
        return 1

    for number, value in fields(content, start, end):
        if number == 5:
            seen += add(*span(value))
        elif number == SPARSE:
            raise WeightsError(f"{file_name}: holds sparse constants, which minitl does not read. Export dense ones.")
        elif number == 1:
            node = _node(content, *span(value))
            tensor = node.attributes.get("value")
            if node.operation == "Constant" and isinstance(tensor, tuple) and node.outputs:
                seen += add(*tensor, node.outputs[0])
            elif node.operation == "Constant" and node.outputs:
                given = [each for key, each in node.attributes.items() if key.startswith("value_")]
                values[node.outputs[0]] = [x for each in given for x in (each if isinstance(each, list) else [each])]
            else:
                nodes.append(node)
    if not seen or len(constants) != seen:
        raise WeightsError(f"{file_name}: expected an ONNX file with constants, found {len(constants)} for {seen}.")
    return Graph(nodes, constants, values)


def _node(content, start, end):
    """Return one operation as a `Node`."""
    inputs, outputs, name, operation, attributes = [], [], "", "", {}
    for number, value in fields(content, start, end):
        if number == 1:
            inputs.append(text(content, value))
        elif number == 2:
            outputs.append(text(content, value))
        elif number == 3:
            name = text(content, value)
        elif number == 4:
            operation = text(content, value)
        elif number == 5:
            attributes.update(attributes_of(content, *span(value)))
    return Node(operation, name, inputs, outputs, attributes)


def _tensor(content, start, end, file_name, copy, name):
    """Return (the `StoredTensor` of one constant, its numbers if they are few, else None)."""
    dims, data_type, pieces, external = [], 0, {}, False
    for number, value in fields(content, start, end):
        if number == 1:
            dims += [value] if isinstance(value, int) else varint_array(content, *value).tolist()
        elif number == 2:
            data_type = value
        elif number == 8:
            name = name or text(content, value)
        elif number == EXTERNAL or (number == LOCATION and value == 1):
            external = True
        elif 4 <= number <= 11:
            pieces.setdefault(number, []).append(value)
    if external:
        raise UnsafeFileError(
            f"{file_name}: '{name}' keeps its numbers in another file, which minitl never opens. "
            "Export the model into one file."
        )
    if not name or any(size >= 2**63 for size in dims):
        raise ValueError("a constant without a name or with a negative size")
    dtype = DTYPES.get(data_type) or OTHER_TYPES.get(data_type, f"type {data_type}")
    tensor = StoredTensor(name, None, name, tuple(dims), dtype)
    if data_type not in DTYPES:
        return tensor, _whole_numbers(content, data_type, pieces) if tensor.size <= 16 else None
    if not tensor.size:
        return tensor, []
    field = RAW if pieces.get(RAW) else OWN_FIELD[data_type]
    found = pieces.get(field, [])
    if field != 5 and len(found) == 1 and isinstance(found[0], tuple) and found[0][1] - found[0][0] == tensor.nbytes:
        numbers = None
        if tensor.size <= 16 and dtype != "bfloat16":
            numbers = np.frombuffer(content[found[0][0] : found[0][1]], dtype).astype(float).tolist()
        return replace(tensor, offset=found[0][0]), numbers
    array = _joined(content, field, data_type, found)
    if array.nbytes != tensor.nbytes:
        raise ValueError(f"'{name}' {tuple(dims)} has {array.nbytes:,} bytes, expected {tensor.nbytes:,}")
    if copy is None or not copy.fits(array.nbytes):
        return tensor, None
    return replace(tensor, offset=copy.add(array), copied=True), None


def _joined(content, field, data_type, pieces):
    """Return the numbers of a constant that are not one run of plain bytes, as an array of bytes or 16-bit numbers."""
    if field == 5:  # half precision: each number's 16 bits are a whole number of their own
        runs = [varint_array(content, *each) if isinstance(each, tuple) else np.array([each], "<u8") for each in pieces]
        joined = np.concatenate(runs) if runs else np.zeros(0, "<u8")
        if joined.size and joined.max() >= 2**16:
            raise ValueError("half-precision numbers of more than 16 bits")
        return joined.astype("<u2")
    size = 8 if data_type == 11 else 4
    runs = [content[slice(*each)] if isinstance(each, tuple) else each.to_bytes(size, "little") for each in pieces]
    return np.frombuffer(b"".join(runs), np.uint8)


def _whole_numbers(content, data_type, pieces):
    """Return the numbers of a small constant of type int64, as the padding of an operation is; None for other types."""
    if data_type != 7:
        return None
    if RAW in pieces:
        return np.frombuffer(b"".join(content[slice(*span(each))] for each in pieces[RAW]), "<i8").tolist()
    runs = [varint_array(content, *e) if isinstance(e, tuple) else np.array([e], "<u8") for e in pieces.get(7, [])]
    return np.concatenate(runs).view("<i8").tolist() if runs else []


def _by_use(graph):
    """Return the constants of a graph as a list with an entry, a name and a role for each use in an operation."""
    uses, users = [], {}  # uses: (node, name of the input, constant or None, role)
    for node in graph.nodes:
        for position, role in ROLES.get(node.operation, {}).items():
            if position >= len(node.inputs) or not node.inputs[position]:
                continue
            used = node.inputs[position]
            constant, turned = graph.resolved(used)
            if role == "kernel IO" and turned != (node.attributes.get("transB") == 1):
                role = "kernel OI"
            if node.operation == "Gemm" and any(node.attributes.get(key, 1) != 1 for key in ("alpha", "beta")):
                role = SCALED
            if constant is None and not graph.is_computed(used):
                continue  # the output of another layer
            if (node, role) not in [(use[0], use[3]) for use in users.get(used, [])]:
                use = (node, used, constant, role)
                uses.append(use)
                users.setdefault(used, []).append(use)
    entries = {}  # name of the constant -> its entries
    for node, used, constant, role in uses:
        name = used if len(users[used]) == 1 else _name_of_use(graph.owner(node), used, role, users)
        node.listed.append(name)
        if constant is None:
            how = f"a result of {graph.maker[used].operation}"
            entries.setdefault(None, []).append(StoredTensor(name, None, name, (), how, role=role))
        elif all(each.name != name for each in entries.get(constant.name, [])):
            entry = replace(constant, name=name, parameter=name, role=role)
            entries.setdefault(constant.name, []).append(entry)
    tensors = [entry for name, constant in graph.constants.items() for entry in entries.get(name, [constant])]
    tensors += entries.get(None, [])
    unique = {tensor.name: tensor for tensor in reversed(tensors)}
    return [tensor for tensor in tensors if unique[tensor.name] is tensor or len(unique) == len(tensors)]


def _name_of_use(node, used, role, users):
    """Return a name for the constant `used` in one of the operations that use it."""
    word = WORDS.get(role.split()[0], role)
    own = [each for each in node.inputs[1:] if len(users.get(each, [])) == 1]
    if own and ("/" in own[0] or "." not in own[0]):
        return f"{own[0]}:{word}"  # a path, in which one piece is the layer's name
    scope = own[0].rpartition(".")[0] if own else node.scope
    return f"{scope}.{word}" if scope else used
