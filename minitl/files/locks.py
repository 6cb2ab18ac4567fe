"""Locks between processes: each is a file beside the file that it guards.

The system releases a lock when its process ends, however that happens, so nothing stays locked.
"""

import os
import time
from contextlib import contextmanager
from pathlib import Path

from .. import interruption
from ..errors import CheckpointError, WeightsError


@contextmanager
def locked(target, waiting_for=None):
    """Let one process at a time into the block for the same `target`. The others print that they wait, and wait."""
    with _lock_file(target) as file:
        has_been_said = False
        while not _try_lock(file):
            if not has_been_said:
                reason = waiting_for or f"another process is fetching {Path(target).name}"
                print(f"Waiting: {reason}.", flush=True)
            has_been_said = True
            interruption.check()
            time.sleep(0.2)
        try:
            yield
        finally:
            _unlock(file)


class Lock:
    """A lock that is held until `release`. Making one raises CheckpointError, with the text `refusal`, if another
    process, or another `Lock` of this process, holds it."""

    def __init__(self, target, refusal):
        self.file, is_current = None, False
        while not is_current:
            try:
                self.file = _lock_file(target)
            except WeightsError:
                raise CheckpointError(f"{Path(target).parent}: cannot be written. Choose another folder.") from None
            if not _try_lock(self.file):
                self.file.close()
                raise CheckpointError(refusal)
            # Between opening and locking, its owner may have removed the file. Then others lock a new one.
            is_current = _is_file_of(self.file)
            if not is_current:
                self.file.close()

    def release(self):
        """Release the lock, and remove its file. A second call does nothing."""
        if not self.file.closed:
            _remove(self.file)
            _unlock(self.file)
            self.file.close()


def is_held(path):
    """Return whether a process holds a file (see `hold`), or locks it. A file that is not there is free."""
    try:
        with open(path, "r+b") as file:
            return not _try_lock(file)
    except FileNotFoundError:
        return False
    except (OSError, WeightsError):
        return True


def _is_file_of(file):
    """Return whether an open file still is the one at its path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(file.name))
    except FileNotFoundError:
        return False


def _remove(file):
    """Remove an open file if possible. Windows does not remove a file that is open."""
    try:
        os.unlink(file.name)
    except OSError:
        pass


def _lock_file(target):
    """Open the lock file of `target`, and make its folder if it is missing."""
    target = Path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return open(target.with_name(f".{target.name}.lock"), "a+b")
    except OSError as error:
        raise WeightsError(
            f"{target}: cannot be written ({error.strerror}). Set MINITL_HOME to a folder of yours."
        ) from None


try:
    import fcntl

    def _try_lock(file):
        """Take the lock, and return whether it was free."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:  # some network file systems have no locks
            raise WeightsError(
                f"{file.name}: cannot be locked ({error.strerror}). Set MINITL_HOME to a local folder."
            ) from None
        return True

    def _unlock(file):
        """Release the lock."""
        fcntl.flock(file, fcntl.LOCK_UN)

    def hold(file):
        """Mark an open file as in use, until it is closed. Several processes may hold the same file."""
        try:
            fcntl.flock(file, fcntl.LOCK_SH)
        except OSError:  # some network file systems have no locks
            pass

except ImportError:  # Windows
    import msvcrt

    def _try_lock(file):
        """Take the lock, and return whether it was free."""
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file):
        """Release the lock."""
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

    def hold(file):
        """Do nothing: Windows does not remove a file that is open."""
