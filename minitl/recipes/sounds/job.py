"""Fine-tune on labelled recordings: from a folder to a measured model.

    from minitl.recipes import finetune_sounds
    result = finetune_sounds("digits", pattern="{class}_{speaker}_*", leave_out="speaker")
    print(result.evaluation)
    result.model.save("digits.h5")

The recordings are listened to (`data.sound.folder`) and become what the base hears (`bases`). What comes then is the
job on photographs: each recording goes once through a pre-trained base, a head is chosen by cross-validation and learns
on the frozen base, and if asked for, the last block of the base learns with it. The result is measured on recordings
that were held back. With `leave_out`, each group is held back once instead (`left_out`).

`_in_two_stages` calls the steps in order, `stages` and `two_stages` have the steps, and `settings` has the options. The
command `minitl finetune RECORDINGS/` calls `finetune_sounds`.
"""

import time
from dataclasses import dataclass

from ...arguments import AnyPath
from ...progress import Progress
from ...terminal import counted, wrapped
from ..head_choice import HeadChoice
from ..head_training import divide_scores
from ..job_on_folder import Finetuned, finetuned, keep_model
from .left_out import best_ridge, leave_out_each
from .report import report_on_sounds
from .settings import BASES, SoundSettings
from .stages import SoundStages, evaluation_of


@dataclass(frozen=True, repr=False)
class FinetunedSounds(Finetuned):
    """The result of a fine-tuning on recordings: a `Finetuned` with a `SoundEvaluation`, a `data.sound.SoundFolder` and
    `SoundSettings`, and

    accuracy      {stage: accuracy on what was held back}: "ridge" (a head in closed form), "head", "last"; with
                  `leave_out`, "ridge" and "last" are the share of all recordings that a head has not heard the group of
    choice        `head_choice.HeadChoice`: which head was taken; None with `leave_out`
    """

    accuracy: dict
    choice: HeadChoice | None

    def own_data(self):
        """Return what only this class has, as JSON can hold it."""
        return {
            "task": "sounds",
            "class_names": list(self.folder.class_names),
            "accuracy_by_stage": self.accuracy,
            "head": self.choice and self.choice.as_data(),
            "notes": list(self.folder.notes),
        }

    def as_data(self):
        """Return everything but the model, as JSON can hold it."""
        data = super().as_data()
        return {"training_recordings": data.pop("training_pictures"), **data}


def finetune_sounds(
    path: AnyPath, settings: SoundSettings | None = None, verbose: int = 1, **changes
) -> FinetunedSounds:
    """Fine-tune on labelled recordings. Returns `FinetunedSounds`.

    path                a folder of recordings, as `data.sound.audit_sounds` takes it
    settings, changes   a `SoundSettings`, and single settings by name: base="speaker"
    verbose             1: print each step and its progress; 0: print nothing

    Ctrl-C and SIGTERM stop it: it saves a checkpoint and raises `interruption.Interrupted`. The same call with
    resume=True goes on, and its results are those of an unbroken run to the last bit.
    """
    return finetuned(SoundStages, _in_two_stages, path, SoundSettings, settings, changes, verbose)


def _in_two_stages(path, job):
    """Run the whole job, step by step. `job` is a `SoundStages` that has not begun."""
    start, settings = time.perf_counter(), job.settings
    job.find(path)
    with Progress(f"Loading {settings.base}"):
        job.build()
    job.run_frozen_part()
    if settings.leave_out:
        history, accuracy, evaluation = _each_group_left_out(job)
    else:
        history, accuracy, evaluation = _one_split(job)
    job.model.metadata = {
        "task": "sounds",
        "base": settings.base,
        "class_names": list(job.folder.class_names),
        "seconds": settings.seconds,
        "rate": job.prepare.rate,
        "front_end": list(job.prepare.described),
        "pattern": settings.pattern,
        "group": settings.kept_whole,
    }
    seconds = keep_model(job, start, what="RECORDING ...")
    choice = None if settings.leave_out else job.choice
    result = FinetunedSounds.of(job, evaluation, history, seconds, accuracy=accuracy, choice=choice)
    if settings.report:
        page = report_on_sounds(job, evaluation, result.history, accuracy, seconds)
        print(f"\nReport: {page}", flush=True)
    return result


def _one_split(job):
    """Train a head, and the last block if asked for. Returns (history, accuracy, evaluation) of what was held back."""
    job.choose_head()
    settings = job.settings  # with what was chosen
    accuracy = {"ridge": job.fit_ridge()}
    history = {"head": job.train_head()}
    job.calibrate()
    accuracy["head"] = job.evaluation().accuracy
    print(f"Accuracy on the held-back recordings after this stage: {accuracy['head']:.3f}", flush=True)
    if job.has_second_stage:
        history["blocks"] = job.train_blocks()
    elif BASES[settings.base].parts:
        more = f"--unfreeze {next(iter(BASES[settings.base].parts))} trains the last block of the base as well."
        print("\n" + wrapped(f"No second stage. {more}"), flush=True)
    evaluation = job.calibrated_evaluation()
    accuracy["last"] = evaluation.accuracy
    print(f"\nOn the recordings that were held back:\n{evaluation}")
    return history, accuracy, evaluation


def _each_group_left_out(job):
    """Leave out each group, and give the model a head from all recordings. Returns ({}, accuracy, evaluation)."""
    folder, settings, features = job.folder, job.settings, job.pooled[0]
    classes, noun = len(folder.class_names), settings.leave_out
    found = leave_out_each(features, folder.train, classes, settings.head, noun)
    evaluation = evaluation_of(folder, folder.train, found.probabilities)
    evaluation.temperature = found.temperature
    print(f"\nOn all recordings, each by a head that has not heard its {noun}:\n{evaluation}")
    _, job.head, ridge = best_ridge(features, job.y, classes, settings.head)
    job.put_on_layers(job.head)
    ridge.put_into(*job.head[-2:])
    divide_scores(job.head[-1], found.temperature)
    job.learned["head"] = sum(layer.count_params() for layer in job.head[-1:])
    print(
        "\n"
        + wrapped(
            f"The model's head is computed from all {counted(len(job.y), 'recording')}. It has heard one {noun} more "
            f"than those that were measured. Its scores are divided by {found.temperature:.2f}, so that probabilities "
            "fit how often they are right."
        ),
        flush=True,
    )
    return {}, {"ridge": evaluation.accuracy, "last": evaluation.accuracy}, evaluation
