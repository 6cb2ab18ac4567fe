"""Atomic writing: at every moment, a file is either the old one or the complete new one."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

from ..errors import ArgumentError, CheckpointError, MinitlError

UMASK = os.umask(0)  # the process's umask; the system has no call that only reads it
os.umask(UMASK)


@contextmanager
def replacing(path, check):
    """Yield a temporary path to write to, and rename it to `path` when the block ends.

    The temporary file lies in the same folder, since a rename across disks is a copy, and a copy can be cut short. It
    is flushed to the disk and read back with `check(temporary)` before the rename. If anything fails, `path` stays as
    it was, and the temporary file is removed.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ArgumentError(f"path is {path!r}; expected the path of a file to write.")
    try:
        path = Path(path).resolve()  # follows a symbolic link to the file itself
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(None, "the file is write-protected")
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~UMASK
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", error)
        raise CheckpointError(f"{path}: cannot write there ({reason}). Nothing was saved.") from None
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        check(temporary)
        os.chmod(temporary, mode)  # mkstemp makes private files; a saved model is an ordinary file
        os.replace(temporary, path)
        _flush_folder(path.parent)
    except Exception as error:
        if isinstance(error, MinitlError):
            raise
        raise CheckpointError(f"{path}: could not be saved ({error}). The file that was there is untouched.") from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def remove_leftovers(folder):
    """Remove the temporary files of processes that were killed while writing. No other process may be writing now."""
    for path in Path(folder).glob(".*.part"):
        path.unlink(missing_ok=True)


def _flush_folder(folder):
    """Flush a folder, so that the new name of a file is on the disk, too. Windows does this by itself, and some file
    systems cannot do it."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
