"""The program of the child process that parses an unknown weight file (`opening` starts it).

Its arguments are two paths and three limits. It limits its own time and memory and prints one line of JSON: the file's
`Listing`, or an error. If the file crashes the library that reads it, or keeps it busy for ever, only this process is
lost. The arrays do not go through the pipe: the parent reads them from the file, at the offsets in the listing.
"""

import json
import os
import sys

import numpy as np

from ...errors import MinitlError, UnsafeFileError, WeightsError
from ...files import hdf5
from ..formats import keras_archive, keras_h5, llama2c_file, onnx_file, safetensors_file, torch_file

TORCH = (".pth", ".pt", ".bin")  # the endings of PyTorch's files


class Copy:
    """The file for arrays that are compressed or in pieces. `room` is the number of bytes that may still be added."""

    def __init__(self, path, most_bytes):
        self.path, self.room, self.position = path, most_bytes, 0

    def fits(self, count):
        """Return whether so many bytes may still be added."""
        return count <= self.room

    def add(self, array):
        """Append the bytes of an array. Return the offset of the first."""
        offset = self.position
        with open(self.path, "ab") as file:
            np.ascontiguousarray(array).tofile(file)
        self.position += array.nbytes
        self.room -= array.nbytes
        return offset


def list_file(path, copy, name=None):
    """Return the `Listing` of a weight file; its first bytes tell the format. Raises WeightsError."""
    name = str(name or path)
    suffix = os.path.splitext(name)[1].lower()
    file_bytes = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(512)
    if head.startswith(hdf5.SIGNATURE):
        return keras_h5.list_hdf5(path, name, file_bytes, copy)
    if head.startswith(keras_archive.SIGNATURE):
        if keras_archive.is_from_pytorch(path):
            return torch_file.list_torch(path, name, copy)
        return keras_archive.list_archive(path, name, file_bytes, copy)
    if safetensors_file.looks_like_safetensors(head, file_bytes) or suffix == ".safetensors" and file_bytes > 8:
        return safetensors_file.list_safetensors(path, name, file_bytes)
    if suffix == ".onnx":
        return onnx_file.list_onnx(path, name, file_bytes, copy)
    if llama2c_file.looks_like_llama2c(head, file_bytes):
        return llama2c_file.list_llama2c(path, name, file_bytes)
    if suffix in TORCH and kind_of_file(head) == "binary data of another kind":
        return torch_file.list_torch(path, name, copy)  # early versions of PyTorch wrote no zip archives
    raise WeightsError(
        f"{name}: expected weights (.h5, .weights.h5, .keras, .safetensors, .onnx, .pth), found {kind_of_file(head)}. "
        "Download or save it again."
    )


def kind_of_file(head):
    """Return the kind of file, other than a weight file, that begins with these bytes, in words for a message."""
    if not head:
        return "an empty file"
    if head.lstrip()[:1] == b"<":
        return "an HTML or XML page (a failed download?)"
    if head.startswith((b"\x1f\x8b", b"BZh")):
        return "a compressed file"
    if head.startswith(b"version https://git-lfs"):
        return "a git-lfs pointer instead of the file"
    return "text" if head.isascii() and b"\0" not in head else "binary data of another kind"


def report(path, copy_path, most_bytes):
    """Return what `main` prints: a listing, or an error and its class, as data."""
    try:
        return list_file(path, Copy(copy_path, most_bytes)).as_data()
    except MinitlError as error:
        return {"error": str(error), "kind": type(error).__name__}
    except MemoryError:
        return {"error": f"{path}: takes more memory to read than weights of its size need. Do not trust this file.",
                "kind": UnsafeFileError.__name__}  # fmt: skip


def limit_memory_and_time(most_memory, most_seconds):
    """Let the system limit the memory and the time of this process. On Windows, only the parent limits the time."""
    try:
        import resource
    except ImportError:
        return
    for what, limit in (
        (resource.RLIMIT_AS, most_memory),
        (resource.RLIMIT_CPU, most_seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        try:
            resource.setrlimit(what, (limit, hard))
        except (OSError, ValueError):  # macOS refuses to limit memory in this way
            pass


def main():
    """Read the arguments, set the limits and print the report."""
    path, copy_path, most_bytes, most_memory, most_seconds = json.loads(sys.argv[-1])
    limit_memory_and_time(most_memory, most_seconds)
    print(json.dumps(report(path, copy_path, most_bytes)))
