"""Fine-tune a pre-trained network on a folder of photographs: the main job, from the folder to a measured model.

    from minitl.recipes import finetune_photographs
    result = finetune_photographs("photos/", epochs=20)
    print(result.evaluation)
    result.model.save("model.h5")

The folder is searched for photographs. Each of them goes once through the part of a pre-trained base that stays frozen,
and the features are kept on the disk. A head is chosen by cross-validation on the training photographs, and learns on
the frozen base. If asked for, the base's last block learns with it in a second stage, at a small learning rate. The
result is measured on photographs that were held back.

`_in_two_stages` calls the steps in order, `photograph_stages` and `two_stages` have the steps, and `settings` has the
options. `job_on_folder` has what comes before and after the steps.
The commands `minitl finetune PHOTOS/` and `minitl advise --backtest` call the same function.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..arguments import AnyPath
from ..files.results import write_json
from ..progress import Progress
from ..training import RangeTest
from .head_choice import HeadChoice
from .job_on_folder import Finetuned, finetuned, keep_model, prepared
from .photograph_stages import PhotographStages
from .reporting import report_on_photographs
from .settings import PhotographSettings, SettingError, require_path, settings_from
from .view import VIEWS
from .view_choice import ViewChoice

# The settings that do not go with `find_learning_rate`: they say how to train, and what to keep of it.
NOT_TO_FIND_A_RATE = (
    *("unfreeze", "tune_epochs", "tune_rate", "head_factor", "l2_sp", "patience", "start"),
    *("run_folder", "resume", "despite_changes", "save", "report"),
)
# And those by which the heads are trained that it chooses among.
TO_CHOOSE_A_HEAD = ("epochs", "schedule", "warm_up", "weight_decay", "clip_norm", "balance", "class_weights")
# The values that ask for nothing as the defaults do.
LIKE_THE_DEFAULT = {"unfreeze": "none", "tune_epochs": 0, "l2_sp": None, "weight_decay": None}


@dataclass(frozen=True, repr=False)
class FinetunedPhotographs(Finetuned):
    """The result of a fine-tuning on photographs: a `Finetuned` with an `Evaluation`, a `data.PhotoFolder` and
    `PhotographSettings`, and

    accuracy      {stage: accuracy on what was held back}: "ridge" (a head in closed form, or None), "head", "last"
    choice        `head_choice.HeadChoice`: which head was taken, and the cross-validation that it was chosen by
    view          `view_choice.ViewChoice`, or None where the view was given
    """

    accuracy: dict
    choice: HeadChoice
    view: ViewChoice | None = None

    def own_data(self):
        """Return what only this class has, as JSON can hold it."""
        return {
            "accuracy_by_stage": self.accuracy,
            "head": self.choice.as_data(),
            "view": self.view and self.view.as_data(),
            "two_labels": [[str(path) for path in paths] for paths in self.folder.with_two_labels],
        }


def finetune_photographs(
    folder: AnyPath,
    settings: PhotographSettings | None = None,
    verbose: int = 1,
    map: Callable | None = None,
    **changes,
) -> FinetunedPhotographs:
    """Fine-tune on a folder with a subfolder of photographs for each class. Returns `FinetunedPhotographs`.

    settings, changes   a `PhotographSettings`, and single settings by name: epochs=20
    verbose             1: print each step and its progress; 0: print nothing
    map                 a callable like Python's `map` that runs the frozen base elsewhere, such as that of a
                        `minitl.cluster.Cluster`; None: in this process

    Ctrl-C and SIGTERM stop it: it saves a checkpoint and raises `interruption.Interrupted`. The same call with
    resume=True goes on, and its results are those of an unbroken run to the last bit.
    """
    steps = partial(_in_two_stages, map)
    return finetuned(PhotographStages, steps, folder, PhotographSettings, settings, changes, verbose)


def _in_two_stages(map, folder, job):
    """Run the whole job, step by step. `job` is a `PhotographStages` that has not begun."""
    start, settings = time.perf_counter(), job.settings
    job.find(folder)
    with Progress(f"Loading {settings.base}"):
        job.build()
    job.choose_view(map)
    job.run_frozen_part(map)
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
    evaluation = job.calibrated_evaluation()
    accuracy["last"] = evaluation.accuracy
    print(f"\nOn the photographs that were held back:\n{evaluation}")
    metadata = {"class_names": job.folder.class_names, "preprocessing": settings.base, "crop": VIEWS[settings.view]}
    job.model.metadata = metadata
    seconds = keep_model(job, start)
    result = FinetunedPhotographs.of(
        job, evaluation, history, seconds, accuracy=accuracy, choice=job.choice, view=job.view
    )
    if settings.report:
        report_on_photographs(job, evaluation, result.history, accuracy, seconds)
    return result


def find_learning_rate(
    folder: AnyPath,
    settings: PhotographSettings | None = None,
    verbose: int = 1,
    map: Callable | None = None,
    **changes,
) -> RangeTest:
    """Find a learning rate for the head, for the arguments of `finetune_photographs` that say how the head is made.

    Returns a `training.RangeTest`. It saves no model, and leaves an unfinished run as it is.
    """
    require_path("folder", folder)
    settings = settings_from(PhotographSettings, settings, changes)
    _refuse(settings, NOT_TO_FIND_A_RATE, "which trains nothing")
    with prepared(PhotographStages, folder, settings, verbose) as job:
        if len(job.heads) == 1 or job.settings.augment:
            _refuse(settings, TO_CHOOSE_A_HEAD, "where there is one head to choose from")
        job.find(folder)
        job.build()
        job.choose_view(map)
        job.run_frozen_part(map)
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
