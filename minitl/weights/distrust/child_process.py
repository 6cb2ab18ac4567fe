"""The program of the child process that looks into a weight file nobody vouches for (`opening` starts it).

It gets a few numbers and two paths as its arguments, limits its own time and memory, and prints one line of JSON: the
file's `Listing`, or what is wrong. If the file crashes the library that reads it, or makes it run for ever, that ends
here. It never sends numbers through the pipe: the parent reads them from the file, where the listing says they lie.
"""

import json
import os
import sys

import numpy as np

from ...errors import MinitlError, UnsafeFileError, WeightsError
from ...files import hdf5
from ..formats import keras_archive, keras_h5, onnx_file, safetensors_file, torch_file

TORCH = (".pth", ".pt", ".bin")  # endings of PyTorch's files


class Copy:
    """The file for numbers that lie compressed or in pieces. `room` is what may still go into it, in bytes."""

    def __init__(self, path, most_bytes):
        self.path, self.room, self.position = path, most_bytes, 0

    def fits(self, count):
        return count <= self.room

    def add(self, array):
        """Append an array's bytes. Returns the offset of the first."""
        offset = self.position
        with open(self.path, "ab") as file:
            np.ascontiguousarray(array).tofile(file)
        self.position += array.nbytes
        self.room -= array.nbytes
        return offset


def list_file(path, copy, name=None):
    """The `Listing` of a weight file of any format, told by its first bytes. Raises WeightsError."""
    name = str(name or path)
    suffix = os.path.splitext(name)[1].lower()
    file_bytes = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(512)
    if head.startswith(hdf5.SIGNATURE):
        return keras_h5.list_hdf5(path, name, file_bytes, copy)
    if head.startswith(keras_archive.SIGNATURE):
        if keras_archive.is_pytorchs(path):
            return torch_file.list_torch(path, name, copy)
        return keras_archive.list_archive(path, name, file_bytes, copy)
    if safetensors_file.looks_like_safetensors(head, file_bytes) or suffix == ".safetensors" and file_bytes > 8:
        return safetensors_file.list_safetensors(path, name, file_bytes)
    if suffix == ".onnx":
        return onnx_file.list_onnx(path, name, file_bytes)
    if suffix in TORCH and kind_of_file(head) == "binary data of another kind":
        return torch_file.list_torch(path, name, copy)  # from before it used zip archives
    raise WeightsError(
        f"{name}: expected weights (.h5, .weights.h5, .keras, .safetensors, .onnx, .pth), found {kind_of_file(head)}. "
        "Download or save it again."
    )


def kind_of_file(head):
    """What a file is that is no weight file, for the message."""
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
    """What `main` prints: a listing, or an error and its kind, as data."""
    try:
        return list_file(path, Copy(copy_path, most_bytes)).as_data()
    except MinitlError as error:
        return {"error": str(error), "kind": type(error).__name__}
    except MemoryError:
        return {"error": f"{path}: needs more memory than weights of its size can. Do not trust this file.",
                "kind": UnsafeFileError.__name__}  # fmt: skip


def limit_memory_and_time(most_memory, most_seconds):
    """Ask the system to end this process beyond these. Windows cannot; there the parent's clock alone remains."""
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
        except (OSError, ValueError):  # macOS does not limit memory in this way
            pass


def main():
    path, copy_path, most_bytes, most_memory, most_seconds = json.loads(sys.argv[-1])
    limit_memory_and_time(most_memory, most_seconds)
    print(json.dumps(report(path, copy_path, most_bytes)))
