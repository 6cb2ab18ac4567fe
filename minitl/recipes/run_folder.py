"""The folder in which a fine-tuning on photographs leaves its checkpoints, so that it can be stopped and go on."""

import hashlib
from contextlib import contextmanager
from pathlib import Path

from ..files.home import home_folder
from ..files.locks import Lock
from ..training.recovery.checkpoints import clear
from .settings import SettingError

STAGES = ("head", "blocks")


def default_run_folder(photos):
    """Return the path that goes with a folder of photographs: each has one of its own."""
    name = hashlib.sha256(str(Path(photos).resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return home_folder() / "runs" / name


class RunFolder:
    """Checkpoints of both stages, each in a subfolder; `path` None means `default_run_folder(photos)`."""

    def __init__(self, photos, path=None):
        self.path = Path(path) if path else default_run_folder(photos)

    def __str__(self):
        return str(self.path)

    def stage(self, name):
        return self.path / name

    @contextmanager
    def locked(self):
        """Let only one run at a time work in the folder. Raises CheckpointError if another one does."""
        lock = Lock(
            self.path / "whole",
            f"{self}: another run is at work in this folder. Wait for it, or give this one another with --run DIR.",
        )
        try:
            yield
        finally:
            lock.release()

    def is_unfinished(self):
        return any(any(self.stage(name).glob("*.safetensors")) for name in STAGES)

    def require_unfinished(self):
        if not self.is_unfinished():
            text = "{}: there is no unfinished run in {place}. Leave it out to start one."
            raise SettingError(text, "resume", place=self)

    def clear(self):
        for name in STAGES:
            clear(self.stage(name))
