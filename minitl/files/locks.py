"""Locks between processes, as files beside what they guard. The system lets go of a lock when its process ends, however
that happens: nothing is ever left locked."""

import time
from contextlib import contextmanager
from pathlib import Path

from .. import interruption
from ..errors import CheckpointError, WeightsError


@contextmanager
def locked(target, waiting_for=None):
    """Only one process at a time is inside for the same `target`; the others wait, and say so."""
    with _lock_file(target) as file:
        said = False
        while not _try_lock(file):
            if not said:
                what = waiting_for or f"another process is fetching {Path(target).name}"
                print(f"Waiting: {what}.", flush=True)
            said = True
            interruption.check()
            time.sleep(0.2)
        try:
            yield
        finally:
            _unlock(file)


class Lock:
    """A lock that is held until `release`. Raises CheckpointError where another process, or another `Lock` of this one,
    has it."""

    def __init__(self, target, refusal):
        try:
            self.file = _lock_file(target)
        except WeightsError:
            raise CheckpointError(f"{Path(target).parent}: cannot be written. Choose another folder.") from None
        if not _try_lock(self.file):
            self.file.close()
            raise CheckpointError(refusal)

    def release(self):
        if not self.file.closed:
            _unlock(self.file)
            self.file.close()


def _lock_file(target):
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
        fcntl.flock(file, fcntl.LOCK_UN)

except ImportError:  # Windows
    import msvcrt

    def _try_lock(file):
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file):
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
