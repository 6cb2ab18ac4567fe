"""Keras 3's `.keras` files: a zip archive with the weights as one HDF5 file inside.

    metadata.json        not read
    config.json          the architecture. Keras runs code that it finds there (a Lambda layer is code); minitl takes
                         only the names and the arguments of the layers from it, as data (`keras_config`)
    model.weights.h5     Keras 3's layout (`keras_h5`)

Members are read by name and only up to a limit of bytes. Nothing is unpacked into a folder.
"""

import io
import json
import struct
import zipfile
import zlib
from dataclasses import replace

from ...errors import MinitlError, UnsafeFileError, WeightsError
from ...layers.base import snake_case
from .keras_config import KERAS_MODEL, STATED, stated
from .keras_h5 import ARCHITECTURE, MOST_TEXT, list_hdf5

SIGNATURE = b"PK\x03\x04"
WEIGHTS, CONFIG = "model.weights.h5", "config.json"
MOST_CONFIG = 2**26  # bytes
KERAS_VERSION = "3.0.0"  # whose layout is written


def list_archive(path, name, file_bytes, copy):
    """Return the `Listing` of a `.keras` archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            unsafe = [m for m in members if m.startswith(("/", "\\")) or ".." in m.replace("\\", "/").split("/")]
            if unsafe or len(set(members)) != len(members):
                raise UnsafeFileError(f"{name}: has a member {unsafe[:1] or members!r:.80}. Do not trust this file.")
            if WEIGHTS not in members:
                raise WeightsError(f"{name}: is a zip archive without {WEIGHTS}; expected a .keras file.")
            layer_names, operations, text = {}, [], b""
            if CONFIG in members:
                text = _read(archive, CONFIG, MOST_CONFIG, name)
                config = json.loads(text)
                layer_names, operations = _layer_names(config), stated(config)
            weights = _read(archive, WEIGHTS, max(copy.room, file_bytes), name)
            start = _start(path, archive.getinfo(WEIGHTS))
        listing = list_hdf5(io.BytesIO(weights), name, file_bytes, copy, start, layer_names)
        order = {layer: position for position, layer in enumerate(layer_names.values())}  # in the architecture
        tensors = sorted(listing.tensors, key=lambda tensor: order.get(tensor.layer, len(order)))
        texts = {**listing.texts, STATED: json.dumps(operations)}
        if text and ARCHITECTURE not in texts and len(text) <= MOST_TEXT:
            texts[KERAS_MODEL] = text.decode("utf-8")
        return replace(listing, format="Keras 3 archive (.keras)", tensors=tuple(tensors), texts=texts)
    except (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, EOFError, OSError, LookupError,
            ValueError, TypeError, AttributeError, RuntimeError, MemoryError, RecursionError) as error:  # fmt: skip
        if isinstance(error, MinitlError):
            raise
        raise WeightsError(f"{name}: the archive is damaged ({error}). Download or save it again.") from None


def write_archive(path, config, weights):
    """Write a `.keras` archive. `config` is the architecture in Keras's form, as text; `weights` the HDF5 file's bytes.

    Nothing is compressed, so that each array lies in the archive as it is. The date is that of no day: the same model
    gives the same bytes.
    """
    metadata = json.dumps({"keras_version": KERAS_VERSION, "date_saved": ""})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for member, content in (("metadata.json", metadata), (CONFIG, config), (WEIGHTS, weights)):
            archive.writestr(zipfile.ZipInfo(member), content)


def is_from_pytorch(path):
    """Return whether a zip archive is one of PyTorch's, with a pickle inside."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return str(path).lower().endswith((".pth", ".pt", ".bin"))
    return WEIGHTS not in members and any(m.endswith(("/data.pkl", "/archive_format")) for m in members)


def _read(archive, member, most_bytes, name):
    """Return the bytes of a member. Raises UnsafeFileError if they are more than `most_bytes`.

    A zip bomb may state a wrong size. So reading itself stops at the limit, whatever size the archive states.
    """
    size = archive.getinfo(member).file_size
    with archive.open(member) as file:
        content = file.read(min(size, most_bytes) + 1)
    if size > most_bytes or len(content) > size:
        raise UnsafeFileError(
            f"{name}: '{member}' unpacks to more than {most_bytes:,} bytes, out of proportion to the file. "
            "Do not trust this file."
        )
    return content


def _start(path, info):
    """Return the offset of a member's bytes in the archive, or None if they are compressed."""
    if info.compress_type != zipfile.ZIP_STORED:
        return None
    with open(path, "rb") as file:
        file.seek(info.header_offset + 26)  # the local header: 30 bytes, the name, an extra field
        name_bytes, extra_bytes = struct.unpack("<HH", file.read(4))
    return info.header_offset + 30 + name_bytes + extra_bytes


def _layer_names(config, prefix="layers"):
    """Return {"layers/conv2d_1": "block1_conv2", ...} from the architecture.

    The keys follow Keras's rule: the class in snake case, counted. Early versions of Keras 3 left the layer names out
    of the weights, but the architecture has them, in the same order.
    """
    names, counts = {}, {}
    is_row = config["class_name"] == "Sequential"
    for layer in config["config"].get("layers", ()):
        if is_row and layer["class_name"] == "InputLayer":
            continue  # Keras does not count it in a Sequential
        stem = snake_case(layer["class_name"])
        number = counts[stem] = counts.get(stem, -1) + 1
        key = f"{prefix}/{stem}_{number}" if number else f"{prefix}/{stem}"
        names[key] = str(layer["config"]["name"])
        if "layers" in layer["config"]:
            names.update(_layer_names(layer, f"{key}/layers"))
    return names
