"""Looking into an HDF5 file with distrust.

An HDF5 file is a tree like a folder: groups hold named links to other groups and to datasets (arrays), and both may
carry attributes. What a link points to need not lie in the file at all, and a dataset may be a view of other files.
Weights never need any of that, so this refuses it: every function here follows ordinary links within the file only, and
learns the shape and place of a dataset without reading a number of it.

libhdf5 itself can crash or run for ever on damaged structures. The reader of weights therefore calls all this in
another process unless the file's digest is known.
"""

from contextlib import contextmanager

import h5py

from ..errors import MinitlError, UnsafeFileError, WeightsError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}  # the compressions that h5py itself brings
MOST_OBJECTS = 200_000  # groups and names in one file; ResNet152 has 3,000
DEEPEST = 50  # models within models


@contextmanager
def opened(source, name):
    """An HDF5 file (a path or a file object), open for reading. Whatever is wrong with it becomes a WeightsError."""
    try:
        with h5py.File(source, "r") as file:
            yield file
    except (ArithmeticError, EOFError, LookupError, MemoryError, OSError, RecursionError, RuntimeError, TypeError,
            ValueError, AttributeError) as error:  # fmt: skip
        if isinstance(error, MinitlError):
            raise
        raise WeightsError(f"{name}: the HDF5 file is damaged ({error}). Download or save it again.") from None


def member(group, name, kind, file_name):
    """`group[name]`, if it is there, of the kind expected, and really in this file."""
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
    """Every group below `root` with its path, parents first. Refuses links out of the file, and circles."""
    found, seen = [], set()

    def visit(group, path, depth):
        address = h5py.h5o.get_info(group.id).addr
        if address in seen or depth > DEEPEST or len(seen) > MOST_OBJECTS:
            raise UnsafeFileError(
                f"{file_name}: the group '{path}' is linked twice, in a circle, or too deep. Do not trust this file."
            )
        seen.add(address)
        found.append((path, group))
        for name in sorted(group, key=natural):
            if (
                isinstance(group.get(name, getlink=True), h5py.HardLink)
                and group.get(name, getclass=True) is h5py.Group
            ):
                visit(member(group, name, h5py.Group, file_name), f"{path}/{name}".lstrip("/"), depth + 1)
            elif not isinstance(group.get(name, getlink=True), h5py.HardLink):
                member(group, name, h5py.Group, file_name)  # says what is wrong with it

    visit(root, "", 0)
    return found


def natural(name):
    """conv2d_2 before conv2d_10."""
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if stem and number.isdecimal() else (name, 0)


def text(group, name, most_bytes):
    """A text that minitl wrote as a scalar dataset of fixed length; None where there is none."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return None
    dataset = group[name]
    plain = isinstance(dataset, h5py.Dataset) and dataset.shape == () and dataset.dtype.kind == "S"
    if not plain or dataset.external or dataset.is_virtual or dataset.dtype.itemsize > most_bytes:
        return None
    return bytes(dataset[()]).decode("utf-8")
