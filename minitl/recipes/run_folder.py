"""The folder for the checkpoints of a fine-tuning on photographs, from which a stopped run goes on."""

import hashlib
import json
import os
import re
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from ..errors import CheckpointError
from ..files.home import home_folder
from ..files.locks import Lock
from ..terminal import wrapped
from ..training.recovery.checkpoints import clear
from .place_settings import PlaceSettings
from .settings import PhotographSettings, SettingError, option

STAGES = ("head", "blocks", "text")


def default_run_folder(photos):
    """Return the default path for a folder of photographs; each folder of photographs has its own."""
    name = hashlib.sha256(str(Path(photos).resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return home_folder() / "runs" / name


class RunRefused(CheckpointError):
    """An error about checkpoints. Its text names settings as in Python, and `for_command_line` names the options."""

    def __init__(self, on_command_line):
        of_all = (*fields(PhotographSettings), *fields(PlaceSettings))
        names = {option(field.name): field.name for field in of_all}
        super().__init__(re.sub(r"--[a-z-]+", lambda found: names.get(found[0], found[0]), on_command_line))
        self.on_command_line = on_command_line

    def for_command_line(self):
        """Return the message with the names of the options."""
        return self.on_command_line


@contextmanager
def settings_named():
    """Let errors about checkpoints within the block name settings and not options, unless they are printed by a
    command."""
    try:
        yield
    except CheckpointError as error:
        if isinstance(error, RunRefused) or "--" not in str(error):
            raise
        raise RunRefused(str(error)) from None


def remove_if_empty(folders):
    """Remove the first folders of a list, up to one that is not empty."""
    try:
        for folder in folders:
            folder.rmdir()
    except OSError:
        pass


class RunFolder:
    """A folder for the checkpoints of both stages, each in a subfolder.

    photos   the folder of photographs;   path   the folder for checkpoints (None: `default_run_folder(photos)`)
    """

    def __init__(self, photos, path=None):
        self.path, self.photos = Path(path) if path else default_run_folder(photos), photos

    def __str__(self):
        return str(self.path)

    def stage(self, name):
        """Return the path of a stage's checkpoints."""
        return self.path / name

    @contextmanager
    def locked(self):
        """Lock the folder for one run at a time. Raises CheckpointError if another run works in it.

        Without a checkpoint at the end, no file of it is left, and no folder that was made for it.
        """
        ours = default_run_folder(self.photos)
        made = [each for each in (self.path, *self.path.parents) if each == ours or not each.exists()]
        lock = Lock(
            self.path / "whole",
            f"{self}: another run is at work in this folder. Wait for it, or choose another folder with --run DIR.",
        )
        try:
            self._say_whose()
            yield
        finally:
            is_unfinished = self.is_unfinished()
            if not is_unfinished:
                (self.path / "about.json").unlink(missing_ok=True)
            lock.release()
            if not is_unfinished:
                remove_if_empty(made)

    def _say_whose(self):
        """Write which photographs the folder belongs to, for `minitl cache list`."""
        try:
            text = json.dumps({"folder": os.path.abspath(self.photos)})
            (self.path / "about.json").write_text(text, encoding="utf-8")
        except (OSError, ValueError):
            pass

    def is_unfinished(self):
        """Return whether the folder holds a checkpoint, from which a run can go on."""
        return any(any(self.stage(name).glob("*.safetensors")) for name in STAGES)

    def require_unfinished(self):
        """Raise SettingError if there is no checkpoint to go on from."""
        if not self.is_unfinished():
            text = "{}: there is no unfinished run in {place}. Without {}, a new run starts."
            raise SettingError(text, "resume", "resume", place=self)

    def begin(self, resume):
        """Remove the checkpoints of an unfinished run, and say so, unless this run goes on with it (`resume`)."""
        if resume:
            return
        if self.is_unfinished():
            print("\n" + wrapped(f"The unfinished run in {self} is given up. (--resume would have gone on with it.)"))
        self.clear()

    def clear(self):
        """Remove all checkpoints."""
        for name in STAGES:
            clear(self.stage(name))
