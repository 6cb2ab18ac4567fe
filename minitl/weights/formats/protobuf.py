"""Protocol Buffers, the notation of ONNX files: fields, each with a number and one of four forms of value.

    key = field number * 8 + form, as a varint (7 bits a byte, the lowest first; a top bit of 1 means that more follow)
    form 0  a varint          form 1  8 bytes          form 2  a length and so many bytes          form 5  4 bytes

A message within a message has form 2, so a reader can skip each message that it does not need. `onnx_file` is that
reader. Every function raises ValueError for bytes that are no such message.
"""

import numpy as np


def fields(content, position, end):
    """Yield (field number, value) of a message: an int for varints and fixed sizes, (start, end) for bytes."""
    while position < end:
        key, position = varint(content, position, end)
        form = key & 7
        if form == 0:
            value, position = varint(content, position, end)
        elif form in (1, 5):
            size = 8 if form == 1 else 4
            value, position = int.from_bytes(content[position : position + size], "little"), position + size
        elif form == 2:
            length, position = varint(content, position, end)
            value, position = (position, position + length), position + length
        else:
            raise ValueError(f"a field of form {form} at byte {position:,}")
        if position > end:
            raise ValueError(f"a field that ends behind its message at byte {position:,}")
        yield key >> 3, value


def varint(content, position, end):
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


def varint_array(content, start, end):
    """Return the varints that are packed one after the other, as an array of unsigned 64-bit numbers."""
    found = np.frombuffer(content[start:end], np.uint8)
    if not found.size:
        return np.zeros(0, "<u8")
    if found[-1] >= 0x80:
        raise ValueError(f"a number that does not end at byte {end:,}")
    starts = np.flatnonzero(np.concatenate([[True], found[:-1] < 0x80]))
    place = np.arange(found.size) - np.repeat(starts, np.diff([*starts, found.size]))  # of a byte in its number
    if place.max() > 9:
        raise ValueError(f"a number of more than ten bytes before byte {end:,}")
    return np.add.reduceat((found & 0x7F).astype("<u8") << (7 * place).astype("<u8"), starts)


def span(value):
    """Return the (start, end) of a field of bytes. Raises ValueError for any other field."""
    if not isinstance(value, tuple):
        raise ValueError("a number where a message was expected")
    return value


def text(content, value):
    """Return the text of a field of bytes."""
    start, end = span(value)
    return content[start:end].decode("utf-8")
