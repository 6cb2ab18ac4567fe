"""Fine-tune a pre-trained network on a folder of photographs: the main job, from the folder to a measured model.

    from minitl.recipes import finetune_photographs
    result = finetune_photographs("photos/", epochs=20)
    print(result.evaluation)
    result.model.save("model.h5")

The folder is searched for photographs. Each of them goes once through the part of a pre-trained base that stays frozen,
and the features are kept on the disk. A head is chosen by cross-validation on the training photographs, and learns on
the frozen base. If asked for, the base's last block learns with it in a second stage, at a small learning rate. The
result is measured on photographs that were held back.

`finetune_photographs` calls the steps in order, `two_stages` has the steps, and `settings` has the options.
The commands `minitl finetune PHOTOS/` and `minitl advise --backtest` call the same function.
"""

import time
from dataclasses import dataclass

import numpy as np

from ..data import PhotoFolder
from ..files.results import write_json
from ..kernels.memory import peak_bytes
from ..models import Model
from ..progress import Progress
from ..terminal import wrapped
from ..version import __version__
from .evaluation import Evaluation
from .head_choice import HeadChoice
from .job_on_folder import prepared
from .reporting import report_on_photographs
from .settings import PhotographSettings, SettingError, require_path, settings_from
from .two_stages import TwoStages
from .view import CROP

# The settings that do not go with `find_learning_rate`: they say how to train, and what to keep of it.
NOT_TO_FIND_A_RATE = (
    *("unfreeze", "tune_epochs", "tune_rate", "head_factor", "l2_sp", "patience", "start"),
    *("run_folder", "resume", "despite_changes", "save", "report"),
)
# And those by which the heads are trained that it chooses among.
TO_CHOOSE_A_HEAD = ("epochs", "schedule", "warm_up", "weight_decay", "clip_norm", "class_weights")
# The values that ask for nothing as the defaults do.
LIKE_THE_DEFAULT = {"unfreeze": "none", "tune_epochs": 0, "l2_sp": None, "weight_decay": None}


@dataclass(frozen=True)
class FinetunedPhotographs:
    """The result of a fine-tuning on photographs.

    model         ready to be saved: its metadata name its classes, and how photographs are to be prepared
    evaluation    `Evaluation` on the photographs that were held back
    accuracy      {stage: accuracy on them}: "ridge" (a head in closed form, or None), "head", "last"
    history       {stage: {"loss": [of each epoch], "accuracy": ..., "val_loss": ..., ...}}: "head" and "blocks"
    choice        `head_choice.HeadChoice`: which head was taken, and the cross-validation that it was chosen by
    folder        the `data.PhotoFolder`: its photographs, and the files that were left out
    settings      the `PhotographSettings`, with all defaults filled in
    training_pictures   the number of photographs that it learned from, mirror images counted
    seconds       in all;   peak_bytes   the most memory that the process had, or None
    """

    model: Model
    evaluation: Evaluation
    accuracy: dict
    history: dict
    choice: HeadChoice
    folder: PhotoFolder
    settings: PhotographSettings
    training_pictures: int
    seconds: float
    peak_bytes: int | None

    def __repr__(self):
        return f"<{type(self).__name__} from {self.folder.path}: {self.evaluation!r}, {self.model!r}>"

    def as_data(self):
        """Return everything but the model, as JSON can hold it."""
        return {
            **self.evaluation.as_data(),
            "accuracy_by_stage": self.accuracy,
            "history": self.history,
            "head": self.choice.as_data(),
            "training_pictures": self.training_pictures,
            "left_out": [[str(path), reason] for path, reason in self.folder.skipped],
            "two_labels": [[str(path) for path in paths] for paths in self.folder.with_two_labels],
            "ledger": self.model.ledger.summary(),
            "options": self.settings.as_data(),
            "seconds": self.seconds,
            "peak_bytes": self.peak_bytes,
            "versions": {"minitl": __version__, "numpy": np.__version__},
        }


def finetune_photographs(folder, settings=None, verbose=1, **changes):
    """Fine-tune on a folder with a subfolder of photographs for each class. Returns `FinetunedPhotographs`.

    settings, changes   a `PhotographSettings`, and single settings by name: epochs=20
    verbose             1: print each step and its progress; 0: print nothing

    Ctrl-C and SIGTERM stop it: it saves a checkpoint and raises `interruption.Interrupted`. The same call with
    resume=True goes on, and its results are those of an unbroken run to the last bit.
    """
    require_path("folder", folder)
    settings = settings_from(PhotographSettings, settings, changes)
    with prepared(TwoStages, folder, settings, verbose) as job:
        result = _in_two_stages(folder, job)
        write_json(job.settings.json, result.as_data())
        job.runs.clear()
    return result


def _in_two_stages(folder, job):
    """Run the whole job, step by step. `job` is a `TwoStages` that has not begun."""
    start, settings = time.perf_counter(), job.settings
    job.find_photographs(folder)
    with Progress(f"Loading {settings.base}"):
        job.build()
    job.run_frozen_part()
    job.choose_head()
    settings = job.settings  # with what was chosen
    accuracy = {"ridge": job.fit_ridge()}
    history = {"head": job.train_head()}
    job.calibrate()
    accuracy["head"] = job.evaluation().accuracy
    print(f"Accuracy on the held-back photographs after this stage: {accuracy['head']:.3f}", flush=True)
    if job.has_second_stage:
        history["blocks"] = job.train_blocks()
    else:
        print(f"\n{job.why_no_second_stage()}", flush=True)
    evaluation = job.evaluation()
    accuracy["last"] = evaluation.accuracy
    print(f"\nOn the photographs that were held back:\n{evaluation}")
    job.model.metadata = {"class_names": job.folder.class_names, "preprocessing": settings.base, "crop": CROP}
    print("\nWhere the model's parameters come from:")
    print("\n".join(wrapped(line, " " * 12) for line in job.model.ledger.summary()))
    if settings.save:
        job.model.save(settings.save)
        print(f"\nSaved: {settings.save}. Try it: minitl predict {settings.save} PHOTOGRAPH ...")
    seconds = time.perf_counter() - start
    print(f"\n{seconds:.0f} s in all.")
    history = {stage: each.history for stage, each in history.items()}
    if settings.report:
        report_on_photographs(job, evaluation, history, accuracy, seconds)
    return FinetunedPhotographs(
        job.model, evaluation, accuracy, history, job.choice, job.folder, settings, len(job.y), seconds, peak_bytes()
    )


def find_learning_rate(folder, settings=None, verbose=1, **changes):
    """Find a learning rate for the head, for the arguments of `finetune_photographs` that say how the head is made.

    Returns a `training.RangeTest`. It saves no model, and leaves an unfinished run as it is.
    """
    require_path("folder", folder)
    settings = settings_from(PhotographSettings, settings, changes)
    _refuse(settings, NOT_TO_FIND_A_RATE, "which trains nothing")
    with prepared(TwoStages, folder, settings, verbose) as job:
        if len(job.heads) == 1 or job.settings.augment:
            _refuse(settings, TO_CHOOSE_A_HEAD, "where there is one head to choose from")
        job.find_photographs(folder)
        job.build()
        job.run_frozen_part()
        job.choose_head()
        found = job.find_rate()
        print(f"{found}\nThe largest rate that learns often does not generalize best: try a tenth of\nit as well.")
        write_json(job.settings.json, found._asdict())
    return found


def _refuse(settings, names, why):
    """Raise SettingError for the first of these settings that asks for something: it does not go with the search."""
    for name in names:
        default = getattr(PhotographSettings, name)
        if getattr(settings, name) not in (default, LIKE_THE_DEFAULT.get(name, default)):
            text = "{} does not go with {}, {why}. Leave it out."
            raise SettingError(text, name, "find_learning_rate", why=why)
