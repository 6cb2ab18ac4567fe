"""Checkpoints on the disk: a folder in which there is always one that is whole.

A checkpoint is a safetensors file: the arrays, and everything else as JSON text in its header. Its name carries the
sha256 of its content, as in `000012-9f86d081884c7d65.safetensors`, so that a damaged one is known before anything in it
is believed. It is written under a temporary name, flushed to the disk, read back and renamed; the one before it stays
until then, and one longer. So a crash, a full disk or a power cut at any moment leaves a good one behind.

Nothing here knows what is saved. `backup` does.
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
CONTENT = "minitl_checkpoint"  # the JSON text's name in the header


class CheckpointFolder:
    """The checkpoints of one run. Raises CheckpointError if another process is at work in the folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(f"{folder}: cannot be made ({error.strerror}). Check the path.") from None
        self.lock = Lock(
            self.folder / "run",
            f"{folder}: another run is at work in this folder. Wait for it, or give this one another folder.",
        )
        remove_leftovers(self.folder)

    def found(self):
        """[(number, path)], the newest first."""
        try:
            matches = [(NAME.fullmatch(path.name), path) for path in self.folder.iterdir()]
        except OSError as error:
            raise CheckpointError(f"{self.folder}: cannot be read ({error.strerror}). Was it removed?") from None
        return sorted(((int(match[1]), path) for match, path in matches if match), reverse=True)

    def save(self, content):
        """Write `content` (dicts, lists, numbers, text, None and arrays) as the newest checkpoint, and remove what is
        older than the one before it. Raises CheckpointError; then the folder is what it was."""
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
        """The content of the newest checkpoint that is whole, or None where there is none at all. Damaged ones are
        named. Raises CheckpointError if all are damaged."""
        found, damaged = self.found(), []
        for _, path in found:
            try:
                content = _read(path)
            except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
                print(f"The checkpoint {path} is damaged ({error}); going back to the one before.", flush=True)
                damaged.append(path)
                continue
            for each in damaged:  # set aside: it must not count as one of those that are kept
                each.replace(each.with_suffix(".damaged"))
            return content
        if found:
            raise CheckpointError(
                f"{self.folder}: none of its {len(found)} checkpoints is whole. Start anew in another folder."
            )
        return None

    def clear(self):
        """Remove all checkpoints."""
        for _, path in self.found():
            _remove(path)

    def release(self):
        """Let others work in the folder."""
        self.lock.release()


def clear(folder):
    """Remove the checkpoints of a folder, and the folder if nothing else lies in it. What is not ours stays."""
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
    """Not being able to (another program reads it, say) is no reason to end a training."""
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
        arrays[name] = flat.reshape(entry["shape"]).copy()  # one that can be written to
    return _with_arrays(content, arrays)


def _without_arrays(value, arrays):
    """`value` with {"array": name} in place of each array, which is put into `arrays`."""
    if isinstance(value, np.ndarray):
        if value.dtype.newbyteorder("<").str not in NUMPY_DTYPES.values():
            raise CheckpointError(f"an array of {value.dtype} cannot be put into a checkpoint.")
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
    if isinstance(value, list):
        return [_with_arrays(each, arrays) for each in value]
    if not isinstance(value, dict):
        return value
    return arrays[value["array"]] if "array" in value else {k: _with_arrays(v, arrays) for k, v in value["dict"]}
