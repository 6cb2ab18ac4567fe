"""safetensors: eight bytes with the length of the header, the header as JSON, and the arrays.

    8 bytes      length of the header, little-endian
    header       {"conv1.weight": {"dtype": "F32", "shape": [64, 3, 3, 3], "data_offsets": [0, 6912]}, ...}
    the rest     the arrays, one after the other: no overlaps, no holes, nothing behind the last

The specification forbids overlaps and holes. This makes the format safe to read, so all of it is checked.
"""

import json

import numpy as np

from ...errors import UnsafeFileError, WeightsError
from .stored_file import Listing, StoredTensor

MOST_HEADER = 100_000_000  # bytes; the format's own limit
DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "bfloat16"}
NUMPY_DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BOOL": "|b1", "I8": "|i1", "U8": "|u1", "I16": "<i2",
                "U16": "<u2", "I32": "<i4", "U32": "<u4", "I64": "<i8", "U64": "<u8"}  # fmt: skip
BITS = {"BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
        "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64}  # fmt: skip


def looks_like_safetensors(head, file_bytes):
    """Return whether a file with these first bytes and this size may be a safetensors file."""
    return len(head) > 8 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= file_bytes - 8


def list_safetensors(path, name, file_bytes):
    """Return the `Listing` of a safetensors file. Only the header is read."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(MOST_HEADER, file_bytes - 8):
            raise UnsafeFileError(f"{name}: its header claims {length:,} bytes. Do not trust this file.")
        header = file.read(length)
    try:
        entries = json.loads(header.decode("utf-8"), object_pairs_hook=_no_name_twice)
        entries.pop("__metadata__", None)
        tensors = [_tensor(tensor_name, entry, 8 + length) for tensor_name, entry in entries.items()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{name}: the safetensors header is damaged ({error!r}). Download it again.") from None
    end = 8 + length
    for tensor, begin, stop in sorted(tensors, key=lambda each: each[1:]):
        if begin != end:
            raise UnsafeFileError(
                f"{name}: '{tensor.name}' begins at byte {begin:,}, expected {end:,}: tensors overlap or leave a hole. "
                "Do not trust this file."
            )
        end = stop
    if end != file_bytes:
        raise WeightsError(f"{name}: {file_bytes:,} bytes long, expected {end:,}. Download or save it again.")
    return Listing("safetensors", tuple(tensor for tensor, _, _ in tensors))


def _tensor(name, entry, start):
    """Return (`StoredTensor`, offset of its first byte, offset behind its last byte) for an entry of the header."""
    shape, dtype, (begin, stop) = entry["shape"], entry["dtype"], entry["data_offsets"]
    if not all(type(n) is int and 0 <= n < 2**63 for n in (*shape, begin, stop)):
        raise ValueError(f"'{name}' has sizes that are not whole numbers")
    tensor = StoredTensor(name, None, name, tuple(shape), DTYPES.get(dtype, dtype), start + begin)
    if tensor.size * BITS[dtype] != 8 * (stop - begin):
        raise ValueError(f"'{name}' of shape {shape} cannot be {stop - begin} bytes of {dtype}")
    if dtype not in DTYPES:
        tensor = StoredTensor(name, None, name, tuple(shape), dtype)
    return tensor, start + begin, start + stop


def _no_name_twice(pairs):
    """Return a JSON object as a dict. Raises ValueError if a name occurs twice."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name occurs twice")
    return result


def safetensors_parts(arrays, metadata):
    """Return a safetensors file as a list of bytes and arrays, to be written one after the other.

    arrays     {name: array} of float, int64 or bool numbers
    metadata   {name: text}, written into the header under "__metadata__"
    """
    header, parts, position = {"__metadata__": metadata}, [], 0
    for name, array in arrays.items():
        array = np.asarray(array)
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        dtype = next(key for key, code in NUMPY_DTYPES.items() if code == array.dtype.str)
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [position, position + array.nbytes]}
        parts.append(array)
        position += array.nbytes
    text = json.dumps(header).encode("utf-8")
    text += b" " * (-len(text) % 8)  # the arrays begin at a multiple of eight bytes
    return [len(text).to_bytes(8, "little"), text, *parts]
