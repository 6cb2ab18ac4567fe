"""The result of every reader of weight files: a list of names, shapes and offsets, without any array yet.

A weight file of any format holds named tensors, one after the other, as plain numbers. Once the offsets are known,
reading needs no library: `StoredFile.read` copies bytes from the file into an array. So the two parts of reading are
separate. Parsing the format's structures, which a hostile file could exploit, can be done by another process
(`distrust.opening`); filling the model needs only the list.
"""

import hashlib
import math
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from ...errors import WeightsError

# The types that weights may have. NumPy has no bfloat16: it is the upper half of a float32, and is widened to one.
FLOATS = ("<f2", "<f4", "<f8", ">f2", ">f4", ">f8", "bfloat16")
WITHIN = "//"  # between the names of a model and of a layer within it: names of layers may contain "/" themselves


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a file: its names, its shape and type, and the place of its array.

    name        the full name in the file
    layer       the layer that it belongs to, 'base//conv1' for a layer of a model within the model; None if the file
                does not state it
    parameter   "kernel", "bias", ..., or a position (0, 1, ...) in layouts that only number a layer's tensors
    shape       the shape in the file
    dtype       NumPy's name of the type with its byte order, as '<f4', or 'bfloat16'
    offset      the offset of the first byte in the file, or in the copy if `copied`; None if it is not known
    copied      the array is compressed or in pieces in the file, so the reader wrote it into a file of its own
    role        the role in the operation that uses the tensor; only in ONNX, where the order of axes depends on it
    sha256      the digest of the array, once it was read
    """

    name: str
    layer: str | None
    parameter: str | int
    shape: tuple
    dtype: str
    offset: int | None = None
    copied: bool = False
    role: str | None = None
    sha256: str | None = None

    @property
    def size(self):
        """Return the number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self):
        """Return the number of bytes."""
        return self.size * (2 if self.dtype == "bfloat16" else np.dtype(self.dtype).itemsize)

    @property
    def label(self):
        """Return the tensor's name for messages: 'block1_conv1' kernel."""
        return f"'{self.layer.replace(WITHIN, '/')}' {self.parameter}" if self.layer else f"'{self.name}'"


@dataclass(frozen=True)
class Listing:
    """The contents of a file: its format in words, its tensors in order, and the texts that minitl itself writes."""

    format: str
    tensors: tuple
    texts: dict = field(default_factory=dict)

    @property
    def is_located(self):
        """Return whether the offset of every array in the file itself is known."""
        return not any(t.copied or (t.offset is None and t.size and t.dtype in FLOATS) for t in self.tensors)

    def as_data(self):
        """Return the listing as data for JSON."""
        return {"format": self.format, "tensors": [asdict(each) for each in self.tensors], "texts": self.texts}

    @classmethod
    def from_data(cls, data, file_bytes, copied_bytes):
        """Return the Listing that `as_data` made `data` from. Nothing in `data` is trusted.

        Raises ValueError, TypeError or KeyError unless every type is right and every tensor lies within its file.
        """
        tensors = []
        for entry in data["tensors"]:
            tensor = StoredTensor(**{**entry, "shape": tuple(entry["shape"])})
            numbers = (*tensor.shape, *([] if tensor.offset is None else [tensor.offset]))
            if not all(type(n) is int and n >= 0 for n in numbers):
                raise ValueError("a shape or an offset is not a whole number")
            if not isinstance(tensor.name, str) or not isinstance(tensor.layer, (str, type(None))):
                raise ValueError("a name is not text")
            "".join([tensor.name, tensor.layer or ""]).encode("utf-8")  # fails for a name that no message could show
            if type(tensor.parameter) not in (str, int) or not isinstance(tensor.dtype, str):
                raise ValueError("a parameter has no name")
            if tensor.offset is not None:
                if tensor.dtype not in FLOATS:
                    raise ValueError("a tensor of another type was located")
                if tensor.offset + tensor.nbytes > (copied_bytes if tensor.copied else file_bytes):
                    raise ValueError("a tensor lies outside its file")
            tensors.append(tensor)
        texts = {str(key): str(value) for key, value in data["texts"].items()}
        return cls(str(data["format"]), tuple(tensors), texts)


class StoredFile:
    """An open weight file with its `path`, `listing` and `sha256`. Use it in a with-block, or close it."""

    def __init__(self, path, listing, sha256, copy=None, file=None):
        self.path, self.listing, self.sha256 = Path(path), listing, sha256
        self._file = file or open(path, "rb", buffering=0)
        self.signature = signature_of(self._file.fileno())
        self._copy = None if copy is None else open(copy, "rb", buffering=0)

    @property
    def tensors(self):
        """Return the tensors of the listing."""
        return self.listing.tensors

    def read(self, tensor, dtype=np.float32):
        """Read one tensor into a new array of `dtype`; None keeps the type of the file. Raises WeightsError.

        The bytes go from the file straight into the array. Only a conversion to another type makes a copy.
        """
        if not tensor.size and tensor.dtype in FLOATS:
            return np.empty(tensor.shape, dtype or np.float32)
        if tensor.offset is None:
            problem = (
                "is stored in a way or in an amount that is not read"
                if tensor.dtype in FLOATS
                else f"holds {tensor.dtype}, expected floating-point numbers"
            )
            raise WeightsError(f"{self.path}: {tensor.label} {tensor.shape} {problem}. Save the file again.")
        stored = np.empty(tensor.shape, "<u2" if tensor.dtype == "bfloat16" else tensor.dtype)
        source = self._copy if tensor.copied else self._file
        source.seek(tensor.offset)
        view = memoryview(stored.reshape(-1)).cast("B")
        position = 0
        while position < len(view):  # one call reads at most 2 GB
            count = source.readinto(view[position:])
            if not count:
                raise WeightsError(f"{self.path}: ends in the middle of {tensor.label}. Download or save it again.")
            position += count
        if tensor.dtype == "bfloat16":
            stored = (stored.astype(np.uint32) << 16).view(np.float32)
        with np.errstate(over="ignore"):  # a number too large for `dtype` becomes infinite, and the loader refuses it
            return stored if dtype is None else stored.astype(dtype, copy=False)

    def digest(self, tensor, stored):
        """Return the sha256 of a tensor's array `stored`, as `read(tensor, None)` returns it.

        If the listing has the digest already, it is not computed again.
        """
        return tensor.sha256 or array_digest(stored)

    def check_unchanged(self):
        """Raise WeightsError if the file was written to after its digest was computed, which then proves nothing."""
        if self.signature is not None and signature_of(self._file.fileno()) != self.signature:
            raise WeightsError(f"{self.path}: was written to while it was read. Try again when the writing has ended.")

    def arrays_digest(self, tensors=None):
        """Return one sha256 over all tensors in the order of the file, or over `tensors` in the order given.

        The arrays are taken as little-endian float32, so the digest is the same for the same weights in every format.
        """
        digest = hashlib.sha256()
        for tensor in self.tensors if tensors is None else tensors:
            if tensor.dtype in FLOATS:
                digest.update(_little_endian(self.read(tensor)))
        return digest.hexdigest()

    def with_digests(self, digests):
        """Return the listing with the digests {tensor name: sha256} of the tensors that were read."""
        tensors = tuple(replace(each, sha256=digests.get(each.name, each.sha256)) for each in self.tensors)
        return replace(self.listing, tensors=tensors)

    def close(self):
        """Close the file and remove the copy."""
        self._file.close()
        if self._copy is not None:
            self._copy.close()
            remove_copy(self._copy.name)
            self._copy = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def remove_copy(path):
    """Remove the file that a reader unpacked arrays into, and the folder that was made for it."""
    Path(path).unlink(missing_ok=True)
    os.rmdir(Path(path).parent)


def signature_of(file):
    """Return [size, time of modification, time of change, inode] of a path or of an open file's number.

    At least one of them changes when the content changes, as far as the file system's clock is fine enough.
    """
    status = os.stat(file)
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def array_digest(array):
    """Return the sha256 of an array in its own type, little-endian and contiguous."""
    return hashlib.sha256(_little_endian(array)).hexdigest()


def _little_endian(array):
    """Return the array's bytes in little-endian order."""
    array = np.ascontiguousarray(array)
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return memoryview(array.reshape(-1)).cast("B") if array.size else b""
