"""What every reader of weight files returns: a list of names, shapes and places, and no numbers yet.

A weight file of any format is this: tensors with names, one after the other as plain numbers. Once it is known *where*
they lie, reading them needs no library at all: `StoredFile.read` copies bytes from the file into an array. So the
part of reading that a hostile file could attack (the format's own structures) is kept apart from the part that fills
the model, and can be done by another process (`distrust.opening`).
"""

import hashlib
import math
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from ...errors import WeightsError

# The types of numbers that are weights. NumPy has no bfloat16: it is the upper half of a float32, and is widened.
FLOATS = ("<f2", "<f4", "<f8", ">f2", ">f4", ">f8", "bfloat16")


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a file.

    name        what the file calls it, in full
    layer       the layer that it belongs to, as far as the file says; None where it does not
    parameter   "kernel", "bias", ..., or a position (0, 1, ...) in layouts that only number a layer's tensors
    shape       as it lies in the file
    dtype       NumPy's name of the type with its byte order, as '<f4', or 'bfloat16'
    offset      of the first byte in the file; in the copy beside it if `copied`; None if it was not located
    copied      the numbers are compressed or in pieces in the file, so the reader put them into a file of their own
    role        in ONNX, where layouts depend on it: which operation uses the tensor, and as what
    sha256      of the bytes, once somebody has read them
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
        return math.prod(self.shape)

    @property
    def nbytes(self):
        return self.size * (2 if self.dtype == "bfloat16" else np.dtype(self.dtype).itemsize)

    @property
    def label(self):
        """For messages: 'block1_conv1' kernel."""
        return f"'{self.layer}' {self.parameter}" if self.layer else f"'{self.name}'"


@dataclass(frozen=True)
class Listing:
    """What is in a file: its format in words, its tensors in order, and the few texts that minitl itself writes."""

    format: str
    tensors: tuple
    texts: dict = field(default_factory=dict)

    @property
    def is_located(self):
        """Is it known of all numbers where they lie in the file itself?"""
        return not any(t.copied or (t.offset is None and t.size and t.dtype in FLOATS) for t in self.tensors)

    def as_data(self):
        return {"format": self.format, "tensors": [asdict(each) for each in self.tensors], "texts": self.texts}

    @classmethod
    def from_data(cls, data, file_bytes, copied_bytes):
        """The opposite of `as_data`. Trusts nothing: raises ValueError (or a relative) unless every type is right and
        every tensor lies within its file."""
        tensors = []
        for entry in data["tensors"]:
            tensor = StoredTensor(**{**entry, "shape": tuple(entry["shape"])})
            numbers = (*tensor.shape, *([] if tensor.offset is None else [tensor.offset]))
            if not all(type(n) is int and n >= 0 for n in numbers):
                raise ValueError("a shape or offset is no whole number")
            if not isinstance(tensor.name, str) or not isinstance(tensor.layer, (str, type(None))):
                raise ValueError("a name is no text")
            "".join([tensor.name, tensor.layer or ""]).encode("utf-8")  # or nobody could print a message about it
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
    """An open weight file: `path`, its `listing`, and its `sha256`. Use it in a with-block, or close it."""

    def __init__(self, path, listing, sha256, copy=None, file=None):
        self.path, self.listing, self.sha256 = Path(path), listing, sha256
        self._file = file or open(path, "rb", buffering=0)
        self.signature = signature_of(self._file.fileno())
        self._copy = None if copy is None else open(copy, "rb", buffering=0)

    @property
    def tensors(self):
        return self.listing.tensors

    def read(self, tensor, dtype=np.float32):
        """The numbers of one tensor as a new array of `dtype`; None leaves the type of the file. They are read from the
        file straight into the array; only another type needs a copy. Raises WeightsError."""
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
        with np.errstate(over="ignore"):  # what is too large for `dtype` becomes infinite, and is refused as such
            return stored if dtype is None else stored.astype(dtype, copy=False)

    def digest(self, tensor, stored):
        """The sha256 of a tensor's numbers, given what `read(tensor, None)` made of it; from the listing where it is
        known."""
        return tensor.sha256 or array_digest(stored)

    def check_unchanged(self):
        """Raise WeightsError if somebody has written to the file since its digest was taken: then it proves nothing."""
        if self.signature is not None and signature_of(self._file.fileno()) != self.signature:
            raise WeightsError(f"{self.path}: was written to while it was read. Try again when that is done.")

    def arrays_digest(self, tensors=None):
        """One sha256 over all tensors in the order of the file, or over some in the order given, as little-endian
        float32: the same for the same weights in whatever format."""
        digest = hashlib.sha256()
        for tensor in self.tensors if tensors is None else tensors:
            if tensor.dtype in FLOATS:
                digest.update(_little_endian(self.read(tensor)))
        return digest.hexdigest()

    def with_digests(self, digests):
        """The listing with the digests of tensors that were read: {tensor name: sha256}."""
        tensors = tuple(replace(each, sha256=digests.get(each.name, each.sha256)) for each in self.tensors)
        return replace(self.listing, tensors=tensors)

    def close(self):
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
    """Remove the file that a reader has unpacked numbers into, and the folder that was made for it."""
    Path(path).unlink(missing_ok=True)
    os.rmdir(Path(path).parent)


def signature_of(file):
    """What changes when a file's content does, as far as the system tells: size, times and inode of a path or of the
    number of an open file."""
    status = os.stat(file)
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def array_digest(array):
    """The sha256 of an array's numbers as they lie in memory, little-endian."""
    return hashlib.sha256(_little_endian(array)).hexdigest()


def _little_endian(array):
    array = np.ascontiguousarray(array)
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return memoryview(array.reshape(-1)).cast("B") if array.size else b""
