"""ONNX: a network as Protocol Buffers. Only the constants ("initialisers") and the operations that use them are read.

Protocol Buffers are a sequence of fields, each with a number and one of four forms of value:

    key = field number * 8 + form, as a varint (7 bits a byte, the lowest first; a top bit of 1 means that more follow)
    form 0  a varint          form 1  8 bytes          form 2  a length and so many bytes          form 5  4 bytes

A message within a message has form 2, so a reader can skip each message that it does not need. It needs these:

    Model.producer = 2
    Model.graph = 7     Graph.node = 1          Node.input = 1, op_type = 4, attribute = 5 (name = 1, f = 2, i = 3)
                        Graph.initializer = 5   Tensor.dims = 1, data_type = 2, name = 8, and the array in
                                                float_data = 4, double_data = 10 or raw_data = 9; external_data = 13
"""

import mmap

from ...errors import UnsafeFileError, WeightsError
from .stored_file import Listing, StoredTensor

DTYPES = {1: "<f4", 10: "<f2", 11: "<f8", 16: "bfloat16"}
ONE = 0x3F800000  # the float32 1.0 as bits
SCALED = "scaled"  # by alpha or beta of a Gemm, so it is not the kernel or bias of a dense layer
# {operation: {number of the input: its role}}. Convolution kernels are (F, C, KH, KW) in ONNX.
ROLES = {
    "Conv": {1: "kernel OIHW", 2: "bias"},
    "Gemm": {1: "kernel IO", 2: "bias"},
    "MatMul": {1: "kernel IO"},
    "Add": {1: "bias", 0: "bias"},
    "BatchNormalization": {1: "gamma", 2: "beta", 3: "moving_mean", 4: "moving_variance"},
}


def list_onnx(path, name, file_bytes):
    """Return the `Listing` of an ONNX file: its initialisers, each with its role in the operation that uses it."""
    if not file_bytes:
        raise WeightsError(f"{name}: expected an ONNX file, found an empty one.")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            model = list(_fields(content, 0, len(content)))
            graphs = [value for number, value in model if number == 7]
            producer = next((_text(content, value) for number, value in model if number == 2), "")
            if len(graphs) != 1:
                raise ValueError(f"{len(graphs)} graphs")
            initialisers, roles = [], {}
            for number, value in _fields(content, *_span(graphs[0])):
                if number == 5:
                    initialisers.append(_tensor(content, *_span(value), name))
                elif number == 1:
                    _note_roles(content, *_span(value), roles)
        except (ValueError, IndexError, UnicodeDecodeError, TypeError) as error:
            raise WeightsError(f"{name}: is damaged or no ONNX file ({error}). Download or export it again.") from None
    names = [tensor.name for tensor in initialisers]
    if not names or len(set(names)) != len(names):
        raise WeightsError(
            f"{name}: expected an ONNX file with constants, found {len(set(names))} names for {len(names)}."
        )
    tensors = (
        StoredTensor(t.name, t.layer, t.parameter, t.shape, t.dtype, t.offset, role=roles.get(t.name))
        for t in initialisers
    )
    return Listing("ONNX", tuple(tensors), {"producer": producer})


def _tensor(content, start, end, file_name):
    """Return the `StoredTensor` of one initialiser. Its array is not read."""
    dims, data_type, name, span, external = [], 0, None, None, False
    for number, value in _fields(content, start, end):
        if number == 1:
            dims += [value] if isinstance(value, int) else _varints(content, *value)
        elif number == 2:
            data_type = value
        elif number == 8:
            name = _text(content, value)
        elif number in (4, 9, 10) and isinstance(value, tuple) and span is None:
            span = value
        elif number == 13 or (number == 14 and value == 1):
            external = True
    if external:
        raise UnsafeFileError(
            f"{file_name}: '{name}' keeps its numbers in another file, which minitl never opens. "
            "Export the model into one file."
        )
    if not name or any(size >= 2**63 for size in dims):
        raise ValueError("a constant without a name or with a negative size")
    dtype = DTYPES.get(data_type, f"type {data_type}")
    tensor = StoredTensor(name, None, name, tuple(dims), dtype)
    if data_type not in DTYPES or not tensor.size:
        return tensor
    if span is None or span[1] - span[0] != tensor.nbytes:
        found = 0 if span is None else span[1] - span[0]
        raise ValueError(f"'{name}' {tuple(dims)} has {found:,} bytes, expected {tensor.nbytes:,}")
    return StoredTensor(name, None, name, tuple(dims), dtype, span[0])


def _note_roles(content, start, end, roles):
    """Add the role of each input of one operation to `roles`; the first use of a name counts."""
    inputs, operation, transposed, scaled = [], "", False, False
    for number, value in _fields(content, start, end):
        if number == 1:
            inputs.append(_text(content, value))
        elif number == 4:
            operation = _text(content, value)
        elif number == 5:
            attribute = dict(_fields(content, *_span(value)))
            name = _text(content, attribute[1]) if 1 in attribute else ""
            transposed = transposed or name == "transB" and attribute.get(3) == 1
            scaled = scaled or name in ("alpha", "beta") and attribute.get(2, ONE) != ONE
    for position, role in ROLES.get(operation, {}).items():
        if position < len(inputs):
            if role == "kernel IO" and transposed:
                role = "kernel OI"
            roles.setdefault(inputs[position], SCALED if operation == "Gemm" and scaled else role)


def _fields(content, position, end):
    """Yield (field number, value) of a message: an int for varints and fixed sizes, (start, end) for bytes."""
    while position < end:
        key, position = _varint(content, position, end)
        form = key & 7
        if form == 0:
            value, position = _varint(content, position, end)
        elif form in (1, 5):
            size = 8 if form == 1 else 4
            value, position = int.from_bytes(content[position : position + size], "little"), position + size
        elif form == 2:
            length, position = _varint(content, position, end)
            value, position = (position, position + length), position + length
        else:
            raise ValueError(f"a field of form {form} at byte {position:,}")
        if position > end:
            raise ValueError(f"a field that ends behind its message at byte {position:,}")
        yield key >> 3, value


def _varint(content, position, end):
    """Return (value, position behind it) of a varint."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            raise ValueError(f"a number that does not end at byte {position:,}")
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError(f"a number of more than ten bytes at byte {position:,}")


def _varints(content, start, end):
    """Return the list of varints that are packed one after the other."""
    values = []
    while start < end:
        value, start = _varint(content, start, end)
        values.append(value)
    return values


def _span(value):
    """Return the (start, end) of a field of bytes. Raises ValueError for any other field."""
    if not isinstance(value, tuple):
        raise ValueError("a number where a message was expected")
    return value


def _text(content, value):
    """Return the text of a field of bytes."""
    start, end = _span(value)
    return content[start:end].decode("utf-8")
