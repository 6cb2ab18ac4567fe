"""Finding out whether a file can be written, before the work begins whose result it is to hold."""

import os
import tempfile
from pathlib import Path

from ..errors import ArgumentError, CheckpointError


def check_can_write(path, argument, makes_folder=False):
    """Raise CheckpointError unless a file can be written to `path`. The file itself is not touched.

    argument       the name of the path in the message
    makes_folder   True: the folder of the file may be missing, because the writer will make it
    """
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise ArgumentError(f"{argument} is {path!r}; expected the path of a file to write.")
    path = Path(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(None, "the file is write-protected")
        folder = path.resolve().parent
        while makes_folder and not folder.exists() and folder != folder.parent:
            folder = folder.parent
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=folder)
        os.close(handle)
        os.unlink(temporary)
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{path}: cannot be written ({reason}). Check {argument}.") from None
