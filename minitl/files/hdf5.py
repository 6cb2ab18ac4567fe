"""Reading the structure of an HDF5 file that is not trusted.

An HDF5 file is a tree, like a folder: groups hold named links to other groups and to datasets (arrays), and both may
have attributes. A link may point out of the file, and a dataset may be a view of other files. Weights never need
either, so both are refused: every function here follows only ordinary links within the file. It finds the shape and
place of a dataset without reading its numbers.

libhdf5 itself can crash or run for ever on a damaged file. So the reader of weights calls these functions in another
process, unless it knows the file's digest.
"""

import errno
import re
from contextlib import contextmanager

import h5py

from ..errors import MinitlError, UnsafeFileError, WeightsError

IN_USE = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EBUSY, errno.ETXTBSY, errno.EDEADLK)
SIGNATURE = b"\x89HDF\r\n\x1a\n"
FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}  # the compressions that come with h5py
MOST_OBJECTS = 200_000  # groups and names in one file; ResNet152 has 3,000
DEEPEST = 50  # models within models


@contextmanager
def opened(source, name):
    """Open an HDF5 file (a path or a file object) for reading. An error while it is open becomes a WeightsError."""
    try:
        with h5py.File(source, "r") as file:
            yield file
    except (ArithmeticError, EOFError, LookupError, MemoryError, OSError, RecursionError, RuntimeError, TypeError,
            ValueError, AttributeError) as error:  # fmt: skip
        if isinstance(error, MinitlError):
            raise
        raise WeightsError(_reason(name, error)) from None


def _reason(name, error):
    """Return the message for an error of libhdf5. A file that cannot be opened now is not damaged."""
    number = getattr(error, "errno", None) or _error_number(error)
    if number in IN_USE or "unable to lock file" in str(error) or "already open for" in str(error):
        return (
            f"{name}: is open in another program that writes to it, or locked by it. Close it there, or copy the file, "
            "and try again."
        )
    if isinstance(error, PermissionError) or number == errno.EACCES:
        return f"{name}: cannot be read (permission denied). Change its permissions, or copy it to your own folder."
    if isinstance(error, MemoryError) or number == errno.ENOMEM:
        return f"{name}: there is not enough memory to read it."
    if "file is already open" in str(error) or "consistency flags" in str(error):
        return (
            f"{name}: a program that wrote to it did not close it, or writes to it still. Close it there. If it was "
            "stopped, save the file again, or clear the mark with h5clear -s, which comes with HDF5."
        )
    return f"{name}: the HDF5 file is damaged ({error}). Download or save it again."


def _error_number(error):
    """Return the number of a system's error that libhdf5 names in its text, or None."""
    found = re.search(r"errno = (\d+)", str(error))
    return int(found[1]) if found else None


def member(group, name, kind, file_name):
    """Return `group[name]`. Raises WeightsError if it is missing or not of class `kind`, and UnsafeFileError if it does
    not lie in this file."""
    parts = name.split("/")
    for end in range(1, len(parts) + 1):  # a link may hide half-way along the path
        link = group.get("/".join(parts[:end]), getlink=True)
        if not isinstance(link, h5py.HardLink):
            place = f"{file_name}: '{group.name.rstrip('/')}/{name}'"
            if link is None:
                raise WeightsError(f"{place} is missing. Download or save the file again.")
            raise UnsafeFileError(
                f"{place} is a link to somewhere else, which is never followed. Do not trust this file."
            )
    found = group[name]
    if not isinstance(found, kind):
        raise WeightsError(
            f"{file_name}: '{group.name.rstrip('/')}/{name}' is a {type(found).__name__}, expected a {kind.__name__}."
        )
    return found


def groups_below(root, file_name):
    """Return [(path, group), ...] of every group below `root`, parents first. Raises UnsafeFileError for links out of
    the file, and for circles."""
    found, seen = [], set()

    def visit(group, path, depth):
        address = h5py.h5o.get_info(group.id).addr
        if address in seen or depth > DEEPEST or len(seen) > MOST_OBJECTS:
            raise UnsafeFileError(
                f"{file_name}: the group '{path}' is linked twice, in a circle, or too deep, or there are too many "
                "groups. Do not trust this file."
            )
        seen.add(address)
        found.append((path, group))
        for name in sorted(group, key=natural):
            is_in_file = isinstance(group.get(name, getlink=True), h5py.HardLink)
            if not is_in_file:
                member(group, name, h5py.Group, file_name)  # raises the error that fits
            elif group.get(name, getclass=True) is h5py.Group:
                visit(member(group, name, h5py.Group, file_name), f"{path}/{name}".lstrip("/"), depth + 1)

    visit(root, "", 0)
    return found


def natural(name):
    """Return a sort key that counts in numbers: conv2d_2 comes before conv2d_10."""
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if stem and number.isdecimal() else (name, 0)


def text(group, name, most_bytes):
    """Return a text that minitl wrote as a scalar dataset of fixed length, or None if there is no such dataset."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return None
    dataset = group[name]
    is_text = isinstance(dataset, h5py.Dataset) and dataset.shape == () and dataset.dtype.kind == "S"
    if not is_text or dataset.external or dataset.is_virtual or dataset.dtype.itemsize > most_bytes:
        return None
    return bytes(dataset[()]).decode("utf-8")
