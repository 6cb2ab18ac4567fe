"""Checkpoints on the disk: a folder in which at least one checkpoint is always undamaged.

A checkpoint is a safetensors file. It holds the arrays, and in its header everything else as JSON text. Its name
contains the start of the sha256 of its content, as in `000012-9f86d081884c7d65.safetensors`. So a damaged file is
recognized before its content is used.

A checkpoint is written under a temporary name, flushed to the disk, read back and renamed. The checkpoint before it is
kept as well. So a crash, a full disk or a power cut at any moment leaves an undamaged checkpoint behind.

This module does not know what is saved. `backup` does.
"""

import hashlib
import json
import math
import re
from pathlib import Path

import numpy as np

from ...errors import CheckpointError
from ...files.atomic import remove_leftovers, replacing
from ...files.locks import Lock
from ...weights.formats.safetensors_file import NUMPY_DTYPES, safetensors_parts

KEPT = 2  # the newest, and the one before it
NAME = re.compile(r"(\d{6,})-([0-9a-f]{16})\.safetensors")
CONTENT = "minitl_checkpoint"  # the name of the JSON text in the header


class CheckpointFolder:
    """The checkpoints of one run, in a folder. Raises CheckpointError if another process uses the folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(f"{folder}: cannot be made ({error.strerror}). Check the path.") from None
        self.lock = Lock(
            self.folder / "run",
            f"{folder}: another run is at work in this folder. Wait for it, or give this run another folder.",
        )
        remove_leftovers(self.folder)

    def found(self):
        """Return [(number, path)] of all checkpoints, the newest first."""
        try:
            matches = [(NAME.fullmatch(path.name), path) for path in self.folder.iterdir()]
        except OSError as error:
            raise CheckpointError(f"{self.folder}: cannot be read ({error.strerror}). Was it removed?") from None
        return sorted(((int(match[1]), path) for match, path in matches if match), reverse=True)

    def save(self, content):
        """Write `content` (dicts, lists, numbers, text, None and arrays) as the newest checkpoint. The one before it
        stays, and older ones are removed. Raises CheckpointError, and then leaves the folder as it was."""
        arrays = {}
        text = json.dumps(_without_arrays(content, arrays))
        parts = safetensors_parts(arrays, {CONTENT: text})
        digest = _digest(parts)
        before = self.found()
        path = self.folder / f"{before[0][0] + 1 if before else 1:06d}-{digest}.safetensors"

        def check(written):
            if _digest([Path(written).read_bytes()]) != digest:
                raise OSError("it was read back differently")

        with replacing(path, check) as temporary, open(temporary, "wb") as file:
            for part in parts:
                file.write(part)
        for _, old in before[KEPT - 1 :]:
            _remove(old)

    def newest(self):
        """Return the content of the newest undamaged checkpoint, or None if there is no checkpoint at all. Damaged ones
        are reported. Raises CheckpointError if all are damaged."""
        found, damaged = self.found(), []
        for _, path in found:
            try:
                content = _read(path)
            except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
                print(f"The checkpoint {path} is damaged ({error}); going back to the one before.", flush=True)
                damaged.append(path)
                continue
            for each in damaged:  # renamed, so that it does not count as one of the checkpoints that are kept
                each.replace(each.with_suffix(".damaged"))
            return content
        if found:
            raise CheckpointError(
                f"{self.folder}: all of its {len(found)} checkpoints are damaged. Start anew in another folder."
            )
        return None

    def clear(self):
        """Remove all checkpoints."""
        for _, path in self.found():
            _remove(path)

    def release(self):
        """Release the lock, so that other runs may use the folder. A folder in which nothing is left is removed."""
        self.lock.release()
        try:
            self.folder.rmdir()
        except OSError:  # there are checkpoints, or other files
            pass


def clear(folder):
    """Remove the checkpoints from a folder, and the folder if nothing else is in it. Other files stay."""
    folder = Path(folder)
    if folder.is_dir():
        for path in [*folder.iterdir()]:
            if NAME.fullmatch(path.name.removesuffix(".damaged")) or path.name == ".run.lock":
                _remove(path)
        try:
            folder.rmdir()
        except OSError:
            pass


def _remove(path):
    """Remove a file if possible. A failure (another program reads the file, say) must not end the training."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        pass


def _digest(parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


def _read(path):
    data = path.read_bytes()
    if _digest([data]) != NAME.fullmatch(path.name)[2]:
        raise ValueError("its content is not what was saved")
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    content = json.loads(header.pop("__metadata__")[CONTENT])
    arrays = {}
    for name, entry in header.items():
        count, (first, _) = math.prod(entry["shape"]), entry["data_offsets"]
        flat = np.frombuffer(data, NUMPY_DTYPES[entry["dtype"]], count, start + first)
        arrays[name] = flat.reshape(entry["shape"]).copy()  # a copy that can be written to
    return _with_arrays(content, arrays)


def _without_arrays(value, arrays):
    """Return `value` with {"array": name} in place of each array, and put the arrays into `arrays`."""
    if isinstance(value, np.ndarray):
        if value.dtype.newbyteorder("<").str not in NUMPY_DTYPES.values():
            raise CheckpointError(
                f"an array of {value.dtype} cannot be put into a checkpoint; expected one of "
                f"{', '.join(sorted(NUMPY_DTYPES))}."
            )
        name = str(len(arrays))
        arrays[name] = value
        return {"array": name}
    if isinstance(value, dict):
        return {"dict": [[key, _without_arrays(each, arrays)] for key, each in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_without_arrays(each, arrays) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise CheckpointError(f"a {type(value).__name__} cannot be put into a checkpoint; expected plain data and arrays.")


def _with_arrays(value, arrays):
    """Return `value` with the arrays in place of each {"array": name}: the inverse of `_without_arrays`."""
    if isinstance(value, list):
        return [_with_arrays(each, arrays) for each in value]
    if not isinstance(value, dict):
        return value
    return arrays[value["array"]] if "array" in value else {k: _with_arrays(v, arrays) for k, v in value["dict"]}
