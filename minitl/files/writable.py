"""Checks that files can be written, before the work begins whose results they are to hold.

A file is really made beside each path, and removed: permissions alone do not tell, as for /proc.
"""

import os
import tempfile
from pathlib import Path

from ..errors import ArgumentError, CheckpointError

OURS = b"minitl"  # stands near the beginning of every page and image that is written for people


def check_writable(*paths):
    """Raise ArgumentError if a file could not be written at one of these paths. None stands for no file."""
    for path in paths:
        if path is None:
            continue
        if not str(path):
            raise ArgumentError("the path of a file to write is empty. Expected its name.")
        try:
            try_to_write(Path(path))
        except OSError as error:
            raise ArgumentError(
                f"{path}: cannot be written ({error.strerror}). Its folder must exist and be writable."
            ) from None


def check_can_write(path, argument, makes_folder=False):
    """Raise CheckpointError unless a callback can write a file to `path`.

    argument       the name of the path in the message
    makes_folder   True: the folder of the file may be missing, because the writer will make it
    """
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise ArgumentError(f"{argument} is {path!r}; expected the path of a file to write.")
    path = Path(path)
    try:
        try_to_write(path, makes_folder)
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{path}: cannot be written ({reason}). Check {argument}.") from None


def refuse_overwriting(path, overwrite):
    """Raise CheckpointError if there is a file at `path` and `overwrite` is not True. (Keras asks at the terminal.)"""
    if overwrite not in (True, False):
        raise ArgumentError(f"overwrite is {overwrite!r}; expected True or False.")
    if not overwrite and isinstance(path, (str, os.PathLike)) and Path(path).exists():
        raise CheckpointError(f"{path}: is there already, and overwrite is False. Choose another name.")


def try_to_write(path, makes_folder=False):
    """Raise OSError if no file can be written to `path`. A file that is there is not touched."""
    if path.is_dir():
        raise OSError(None, "it is a folder")
    if path.exists() and not os.access(path, os.W_OK):
        raise OSError(None, "it is write-protected")
    folder = path.resolve().parent
    while makes_folder and not folder.exists() and folder != folder.parent:
        folder = folder.parent
    check_folder_writable(folder)


def check_folder_writable(folder):
    """Raise OSError if no file can be made in this folder."""
    if not Path(folder).is_dir():
        raise OSError(None, "there is no such folder")
    handle, name = tempfile.mkstemp(prefix=".minitl.", suffix=".part", dir=folder)
    os.close(handle)
    os.unlink(name)


def is_ours(path):
    """Return whether minitl has written a file for people: a page, an image or a JSON file that names it near its
    beginning. Such a file may be replaced; any other one stays."""
    try:
        with open(path, "rb") as file:
            return OURS in file.read(400)
    except OSError:
        return False
