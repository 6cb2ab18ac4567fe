"""llama2.c's `.bin` files: small language models in Llama's form, as a header of seven numbers and then all arrays.

    28 bytes     dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len: int32, little-endian
    the rest     the arrays as float32, one after the other, in the order of `_shapes`

The file states neither names nor shapes: both follow from the header, and so does the file's length. A header that
gives another length is refused before one array is made. This is the layout of llama2.c's first version; the later
ones begin with the letters "24ka" (their magic number) and are refused by name.

A kernel is stored as PyTorch has it, (outputs, inputs). Within a head, the pairs that RoPE turns are neighbours,
(0, 1), (2, 3), ..., as Meta has them; Hugging Face's files of the same networks have (0, H/2), (1, H/2 + 1), ....
"""

import math
import os
import struct
from typing import NamedTuple

import numpy as np

from ...errors import ArgumentError, MinitlError, UnsafeFileError, WeightsError
from .stored_file import Listing, StoredFile, StoredTensor

HEADER = struct.Struct("<7i")
FIELDS = ("dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "seq_len")
LATER_VERSIONS = b"24ka"
UNUSED = ("freq_cis_real", "freq_cis_imag")  # cosines and sines of RoPE, which the first version stored


class Llama2cConfig(NamedTuple):
    """The sizes that the header of a llama2.c file states.

    dim                 D, the numbers of a token
    hidden_dim          the units between the two dense layers of a block
    n_layers            L, the blocks
    n_heads             K, the heads of the queries; each has dim / n_heads numbers
    n_kv_heads          the heads of the keys and values; n_heads / n_kv_heads queries share one
    vocab_size          V, the tokens
    seq_len             the most tokens of a text
    shared_classifier   the token embedding is the kernel of the output as well; if not, there is an array `wcls`
    """

    dim: int
    hidden_dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    vocab_size: int
    seq_len: int
    shared_classifier: bool


def read_llama2c(path):
    """Read a llama2.c file. Return (`Llama2cConfig`, {name: float32 array}).

    The arrays: token_embedding (V, D); rms_att, rms_ffn (L, D); wq, wo (L, D, D); wk, wv (L, KV, D), KV being the
    numbers of all heads of the keys; w1, w3 (L, hidden_dim, D); w2 (L, D, hidden_dim); rms_final (D,); and wcls (V, D)
    unless the output shares the token embedding. Raises WeightsError for another file or a damaged one, and
    UnsafeFileError for sizes that no file could have.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ArgumentError(f"path is {path!r}; expected the path of a file.")
    try:
        if not os.path.isfile(path):
            os.stat(path)  # raises the system's own reason
            raise WeightsError(f"{path}: expected a file, found a folder or a device. Check the path.")
        file_bytes = os.path.getsize(path)
        with open(path, "rb") as file:
            head = file.read(HEADER.size)
        listing = _listing(head, str(path), file_bytes)
        with StoredFile(path, listing, sha256=None) as stored:
            arrays = {each.name: stored.read(each) for each in listing.tensors if each.name not in UNUSED}
            stored.check_unchanged()
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        if isinstance(error, MinitlError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise WeightsError(f"{path}: cannot be read ({reason}). Check the path.") from None
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise WeightsError(f"{path}: '{name}' holds NaN or infinity: the file is damaged. Download it again.")
    return config_of(head, str(path)), arrays


def list_llama2c(path, name, file_bytes):
    """Return the `Listing` of a llama2.c file. Only the header is read."""
    with open(path, "rb") as file:
        return _listing(file.read(HEADER.size), name, file_bytes)


def looks_like_llama2c(head, file_bytes):
    """Return whether a file with these first bytes and this size is a llama2.c file: its header gives its length."""
    try:
        return file_bytes == _length(_shapes(config_of(head, "")))
    except WeightsError:
        return False


def config_of(head, name):
    """Return the `Llama2cConfig` that the first bytes of a file state. Raises WeightsError if they cannot be right."""
    if head.startswith(LATER_VERSIONS):
        raise WeightsError(
            f"{name}: is a llama2.c file of version 1 or 2; minitl reads the first layout, version 0. Export it with "
            "`python export.py --version 0`."
        )
    if len(head) < HEADER.size:
        raise WeightsError(
            f"{name}: {len(head)} bytes long, expected a llama2.c header of {HEADER.size} bytes and arrays behind it. "
            "Download it again."
        )
    numbers = dict(zip(FIELDS, HEADER.unpack(head[: HEADER.size])))
    shared = numbers["vocab_size"] > 0  # llama2.c marks an output with a kernel of its own by a minus sign
    numbers["vocab_size"] = abs(numbers["vocab_size"])
    for field, value in numbers.items():
        if value < 1:
            raise WeightsError(f"{name}: its header has {field} {value}, expected at least 1. {_NO_LLAMA}")
    config = Llama2cConfig(**numbers, shared_classifier=shared)
    if config.dim % (2 * config.n_heads):
        raise WeightsError(
            f"{name}: its header has dim {config.dim} and n_heads {config.n_heads}, expected an even number of numbers "
            f"for each head, since RoPE turns pairs. {_NO_LLAMA}"
        )
    if config.n_heads % config.n_kv_heads:
        raise WeightsError(
            f"{name}: its header has n_heads {config.n_heads} and n_kv_heads {config.n_kv_heads}, expected that the "
            f"first is a multiple of the second. {_NO_LLAMA}"
        )
    return config


_NO_LLAMA = "It is no llama2.c file, or damaged: download it again."


def _shapes(config):
    """Return {name: shape} of all arrays in the order of the file."""
    dim, hidden, layers, tokens = config.dim, config.hidden_dim, config.n_layers, config.vocab_size
    of_a_head = dim // config.n_heads
    keys = config.n_kv_heads * of_a_head  # KV
    shapes = {
        "token_embedding": (tokens, dim),
        "rms_att": (layers, dim),
        "wq": (layers, dim, dim),
        "wk": (layers, keys, dim),
        "wv": (layers, keys, dim),
        "wo": (layers, dim, dim),
        "rms_ffn": (layers, dim),
        "w1": (layers, hidden, dim),
        "w2": (layers, dim, hidden),
        "w3": (layers, hidden, dim),
        "rms_final": (dim,),
        **dict.fromkeys(UNUSED, (config.seq_len, of_a_head // 2)),
    }
    return shapes if config.shared_classifier else {**shapes, "wcls": (tokens, dim)}


def _length(shapes):
    """Return the bytes of a file with arrays of these shapes. Python's integers do not overflow."""
    return HEADER.size + 4 * sum(math.prod(shape) for shape in shapes.values())


def _listing(head, name, file_bytes):
    """Return the `Listing` of a file with these first bytes and this size."""
    config = config_of(head, name)
    shapes = _shapes(config)
    expected = _length(shapes)
    if expected != file_bytes:
        stated = ", ".join(f"{field} {getattr(config, field)}" for field in FIELDS)
        kind = UnsafeFileError if expected > 2**50 else WeightsError
        raise kind(
            f"{name}: {file_bytes:,} bytes long, but its header ({stated}) gives {expected:,}: "
            f"{'something is missing' if file_bytes < expected else 'something stands behind the last array'}. "
            f"{_NO_LLAMA}"
        )
    tensors, offset = [], HEADER.size
    for array, shape in shapes.items():
        tensors.append(StoredTensor(array, None, array, shape, "<f4", offset))
        offset += tensors[-1].nbytes
    return Listing("llama2.c", tuple(tensors))
