"""The frame of a job on a folder, whatever is learned from it: what comes before its steps, and what comes after them.

    before   all settings are checked, the run folder is locked, and Ctrl-C stops the job after the current batch
    after    the model is saved, and everything but the model is written as data (`Finetuned`)

Who calls this: `photographs`, `segmentation.job`, `detection.job` and `texts.job`, which have the steps between. Read
next: `run_folder`, for the checkpoints.
"""

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import interruption
from ..files.results import write_json
from ..kernels.memory import peak_bytes
from ..models import Model
from ..terminal import printable, silent_unless, wrapped
from ..version import __version__
from .reporting import check_outputs
from .run_folder import RunFolder, settings_named
from .settings import require_path, settings_from


@dataclass(frozen=True)
class Finetuned:
    """The result of a fine-tuning on a folder.

    model         ready to be saved: its metadata name its classes, and how photographs are to be prepared
    evaluation    what was measured on the photographs that were held back
    history       {stage: {"loss": [of each epoch], "val_loss": ..., ...}}: "head" and "blocks"
    folder        the photographs as `data` has found them, and what was left out
    settings      with all defaults filled in
    training_pictures   the number of images that it learned from, mirror images and other variations counted
    seconds       in all;   peak_bytes   the most memory that the process had, or None
    """

    model: Model
    evaluation: Any
    history: dict
    folder: Any
    settings: Any
    training_pictures: int
    seconds: float
    peak_bytes: int | None

    @classmethod
    def of(cls, job, evaluation, history, seconds, **own):
        """Return the result of a finished job.

        history   {stage: `History`};   own   the attributes that only this class has, by name
        """
        history = {stage: each.history for stage, each in history.items()}
        pictures = len(job.y)
        return cls(job.model, evaluation, history, job.folder, job.settings, pictures, seconds, peak_bytes(), **own)

    def __repr__(self):
        return f"<{type(self).__name__} from {self.folder.path}: {self.evaluation!r}, {self.model!r}>"

    def own_data(self):
        """Return what only this class has, as JSON can hold it."""
        return {}

    def as_data(self):
        """Return everything but the model, as JSON can hold it."""
        return {
            **self.evaluation.as_data(),
            **self.own_data(),
            "history": self.history,
            "training_pictures": self.training_pictures,
            "left_out": [[str(path), reason] for path, reason in self.folder.skipped],
            "ledger": self.model.ledger.summary(),
            "options": self.settings.as_data(),
            "seconds": self.seconds,
            "peak_bytes": self.peak_bytes,
            "versions": {"minitl": __version__, "numpy": np.__version__},
        }


def finetuned(kind, steps, folder, kind_of_settings, settings, changes, verbose):
    """Return the `Finetuned` of a whole job on a folder, and write its data where the settings say.

    kind                as in `prepared`
    steps               steps(folder, job) takes the steps of the job, and returns the result
    kind_of_settings, settings, changes     as in `settings.settings_from`
    """
    require_path("folder", folder)
    settings = settings_from(kind_of_settings, settings, changes)
    with prepared(kind, folder, settings, verbose) as job:
        result = steps(folder, job)
        write_json(job.settings.json, result.as_data())
        job.runs.clear()
    return result


@contextmanager
def prepared(kind, folder, settings, verbose):
    """Check all settings, lock the run folder, and yield a job of the class `kind` that has not begun.

    kind   called with the settled settings and the `RunFolder`: a subclass of `two_stages.TwoStages` or of
           `places.PlaceJob`. Its attribute `has_figures` says whether its report has PNG files, which need matplotlib

    Within the block, Ctrl-C and SIGTERM stop the job after the current batch (`interruption`), and nothing is printed
    if `verbose` is 0.
    """
    with silent_unless(verbose), interruption.graceful(), settings_named():
        settings, runs = checked(kind, folder, settings)
        with runs.locked():
            if settings.resume:
                runs.require_unfinished()
            yield kind(settings, runs)


def checked(kind, folder, settings):
    """Return (the settled settings, the `RunFolder`) of a job of the class `kind`, after a check of all settings and of
    the places that will be written to."""
    check_outputs(settings, kind.has_figures)
    settings = settings.settled()
    return settings, RunFolder(folder, settings.run_folder)


def keep_model(job, start, hint="", what="PHOTOGRAPH ..."):
    """Print where the parameters of a trained model come from, save it if the settings name a file, and return the
    seconds since `start`.

    hint   the option that `minitl predict` should be tried with, such as " --out DIR"
    what   what it should be tried on
    """
    print("\nWhere the model's parameters come from:")
    print("\n".join(wrapped(printable(line), " " * 12) for line in job.model.ledger.summary()))
    path = job.settings.save
    if path:
        job.model.save(path)
        print(f"\nSaved: {path}. Try it: minitl predict {path} {what}{hint}")
    seconds = time.perf_counter() - start
    print(f"\n{seconds:.0f} s in all.")
    return seconds
