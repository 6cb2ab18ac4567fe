"""Fine-tune on labelled texts: from a file or a folder to a measured model.

    from minitl.recipes import finetune_texts
    result = finetune_texts("reviews.csv", base="minilm")
    print(result.evaluation)
    result.model.save("reviews.h5")

The texts are read (`data.text.folder` has the forms that they may have) and turned into token numbers. What comes then
is the job on photographs: each text goes once through a pre-trained base, a head is chosen by cross-validation and
learns on the frozen base, and if asked for, the last layers of the base learn with it. The result is measured on texts
that were held back.

`_in_two_stages` calls the steps in order, `stages` and `two_stages` have the steps, and `settings` has the options. The
command `minitl finetune TEXTS` calls `finetune_texts`.
"""

import time
from dataclasses import dataclass

from ...arguments import AnyPath
from ...progress import Progress
from ...terminal import wrapped
from ..head_choice import HeadChoice
from ..job_on_folder import Finetuned, finetuned, keep_model
from .prediction import TextClassifier
from .report import report_on_texts
from .settings import BASES, TextSettings
from .stages import TextStages


@dataclass(frozen=True, repr=False)
class FinetunedTexts(Finetuned):
    """The result of a fine-tuning on texts: a `Finetuned` with a `TextEvaluation`, a `data.text.TextFolder` and
    `TextSettings`, and

    accuracy      {stage: accuracy on what was held back}: "ridge" (a head in closed form, or None), "head", "last"
    choice        `head_choice.HeadChoice`: which head was taken, and the cross-validation that it was chosen by
    test          the `TextEvaluation` on the test part, where there is one, or None
    """

    accuracy: dict
    choice: HeadChoice
    test: object = None

    def own_data(self):
        """Return what only this class has, as JSON can hold it."""
        return {
            "task": "texts",
            "class_names": list(self.folder.class_names),
            "accuracy_by_stage": self.accuracy,
            "head": None if BASES[self.settings.base].reads_steps else self.choice.as_data(),
            "notes": list(self.folder.notes),
            "test": self.test and self.test.as_data(),
        }

    def as_data(self):
        """Return everything but the model, as JSON can hold it."""
        data = super().as_data()
        return {"training_texts": data.pop("training_pictures"), **data}


def finetune_texts(path: AnyPath, settings: TextSettings | None = None, verbose: int = 1, **changes) -> FinetunedTexts:
    """Fine-tune on labelled texts. Returns `FinetunedTexts`.

    path                a file or a folder of texts, as `data.text.folder.read_texts` takes it
    settings, changes   a `TextSettings`, and single settings by name: base="minilm"
    verbose             1: print each step and its progress; 0: print nothing

    Ctrl-C and SIGTERM stop it: it saves a checkpoint and raises `interruption.Interrupted`. The same call with
    resume=True goes on, and its results are those of an unbroken run to the last bit.
    """
    return finetuned(TextStages, _in_two_stages, path, TextSettings, settings, changes, verbose)


def _in_two_stages(path, job):
    """Run the whole job, step by step. `job` is a `TextStages` that has not begun."""
    start, settings = time.perf_counter(), job.settings
    job.find(path)
    with Progress(f"Loading {settings.base}"):
        job.build()
    job.count_tokens()
    job.run_frozen_part()
    job.choose_head()
    settings = job.settings  # with what was chosen
    accuracy = {"ridge": job.fit_ridge()}
    history = {"head": job.train_head()}
    job.calibrate()
    accuracy["head"] = job.evaluation().accuracy
    print(f"Accuracy on the held-back texts after this stage: {accuracy['head']:.3f}", flush=True)
    if job.has_second_stage:
        history["blocks"] = job.train_blocks()
    else:
        more = f"--unfreeze {settings.cut} trains the last part of the base as well."
        print("\n" + wrapped(f"No second stage. {more}"), flush=True)
    evaluation = job.calibrated_evaluation()
    accuracy["last"] = evaluation.accuracy
    print(f"\nOn the texts that were held back:\n{evaluation}")
    job.model.metadata = {
        "task": "texts",
        "base": settings.base,
        "class_names": list(job.folder.class_names),
        "length": settings.length,
        "columns": [settings.text, settings.label],
        "tokenizer": job.tokenizer.as_data(),
    }
    test = None
    if job.folder.test:
        test, _ = TextClassifier(job.model).evaluation(job.folder.test)
        low, high = test.accuracy_interval
        print(
            f"\nOn the {len(job.folder.test):,} texts of the test part: accuracy {test.accuracy:.3f} "
            f"({low:.3f} to {high:.3f})"
        )
    seconds = keep_model(job, start, what='"A TEXT"')
    result = FinetunedTexts.of(job, evaluation, history, seconds, accuracy=accuracy, choice=job.choice, test=test)
    if settings.report:
        page = report_on_texts(job, evaluation, result.history, accuracy, seconds)
        print(f"\nReport: {page}", flush=True)
    return result
