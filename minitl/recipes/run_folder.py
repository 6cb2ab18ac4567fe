"""The folder for the checkpoints of a fine-tuning on photographs, from which a stopped run goes on."""

import hashlib
from contextlib import contextmanager
from pathlib import Path

from ..files.home import home_folder
from ..files.locks import Lock
from ..training.recovery.checkpoints import clear
from .settings import SettingError

STAGES = ("head", "blocks")


def default_run_folder(photos):
    """Return the default path for a folder of photographs; each folder of photographs has its own."""
    name = hashlib.sha256(str(Path(photos).resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return home_folder() / "runs" / name


class RunFolder:
    """A folder for the checkpoints of both stages, each in a subfolder.

    photos   the folder of photographs;   path   the folder for checkpoints (None: `default_run_folder(photos)`)
    """

    def __init__(self, photos, path=None):
        self.path = Path(path) if path else default_run_folder(photos)

    def __str__(self):
        return str(self.path)

    def stage(self, name):
        """Return the path of a stage's checkpoints."""
        return self.path / name

    @contextmanager
    def locked(self):
        """Lock the folder for one run at a time. Raises CheckpointError if another run works in it."""
        lock = Lock(
            self.path / "whole",
            f"{self}: another run is at work in this folder. Wait for it, or choose another folder with --run DIR.",
        )
        try:
            yield
        finally:
            lock.release()

    def is_unfinished(self):
        """Return whether the folder holds a checkpoint, from which a run can go on."""
        return any(any(self.stage(name).glob("*.safetensors")) for name in STAGES)

    def require_unfinished(self):
        """Raise SettingError if there is no checkpoint to go on from."""
        if not self.is_unfinished():
            text = "{}: there is no unfinished run in {place}. Without {}, a new run starts."
            raise SettingError(text, "resume", "resume", place=self)

    def clear(self):
        """Remove all checkpoints."""
        for name in STAGES:
            clear(self.stage(name))
