"""Predictions of a saved model for recordings: of single ones, of folders, or of labelled ones, to measure it.

    from minitl.recipes import classify_sounds, evaluate_sounds
    classify_sounds("digits.h5", ["seven.wav"])                      # the two most probable classes of each
    evaluation, left_out = evaluate_sounds("digits.h5", "others", pattern="{class}_*")

A model that `finetune_sounds` has made keeps its front end, with its rate, and its classes. A recording of another rate
is resampled to this one. A model without these is refused, and so is one whose front end this minitl computes
differently: nothing is guessed.
"""

import os
from collections.abc import Sequence

import numpy as np

from ...arguments import AnyPath, truth_value, whole_number
from ...data.photos import in_threads
from ...data.sound import Sound, read_sound
from ...data.sound.audit import SHORTEST, fault_of
from ...errors import ArgumentError, DataError, MissingExtraError
from ...models import Model
from ...progress import Progress
from ...terminal import counted, printable, silent_unless, wrapped
from ..prediction import MOST_PROBABLE, files_in, opened_model, require_task
from ..settings import is_number
from .bases import front_end
from .evaluation import SoundEvaluation
from .settings import BASES
from .stages import cut_off, evaluation_of, found_sounds, stream_of

BATCH = 8
LONGEST = 3600.0  # seconds of a recording that is predicted


class SoundClassifier:
    """A model for recordings (or the file of one) with all that a prediction needs.

    class_names   the names of its outputs;   prepare   its front end, which resamples to the rate `rate`
    seconds       of a recording that it hears, None: all of it

    Raises ArgumentError where the metadata of the model do not say these, or where they do not fit.
    """

    def __init__(self, model):
        self.model, name = opened_model(model)
        require_task(self.model, name, "sounds")
        found, classes = self.model.metadata, self.model.output_shape[-1]
        self.class_names, self.seconds, base = found.get("class_names"), found.get("seconds"), found.get("base")
        if not isinstance(self.class_names, list) or len(self.class_names) != classes:
            raise ArgumentError(f"{name}: its metadata do not name its {classes} outputs.")
        if base not in BASES or (BASES[base].seconds is None) != (self.seconds is None):
            raise ArgumentError(f"{name}: its metadata have the base {base!r} and {self.seconds!r} seconds; expected a "
                                f"base among {', '.join(BASES)}, and how much of a recording it hears.")  # fmt: skip
        if self.seconds is not None and (not is_number(self.seconds) or self.seconds <= 0):
            raise ArgumentError(f"{name}: its metadata 'seconds' is {self.seconds!r}; expected a number above 0.")
        self.prepare = front_end(base, self.seconds)
        self.rate, described = self.prepare.rate, list(self.prepare.described)
        if found.get("front_end") != described or found.get("rate") != self.rate:
            raise ArgumentError(
                f"{name}: learned with the front end {found.get('front_end')} at {found.get('rate')} Hz, and this "
                f"minitl's '{base}' has {described} at {self.rate:,} Hz. What it hears would be something else."
            )
        wanted = (self.prepare.steps(1, self.rate), *self.prepare.shape)
        if self.model.input_shape[1:] not in (wanted, (None, *wanted[1:])):
            raise ArgumentError(
                f"{name}: takes inputs of shape {self.model.input_shape}; its front end gives {wanted}."
            )
        self.pattern, self.group = (
            each if isinstance(each, str) else None for each in (found.get("pattern"), found.get("group"))
        )

    def example(self, sound):
        """Return what the model is given of a `Sound`: (T, ...). Raises DataError for silence, or a short one."""
        fault = fault_of(sound, SHORTEST, LONGEST)
        if fault:
            raise DataError(fault)
        return self.prepare(sound.samples, sound.rate)

    def probabilities(self, examples):
        """Return the outputs of the model for examples (N, T, ...): (N, classes)."""
        return self.model.predict(examples, BATCH, verbose=0)

    def best(self, probabilities, top):
        """Return the `top` most probable classes of one recording, the most probable one first."""
        order = np.argsort(-probabilities, kind="stable")[:top]
        return [{"class": self.class_names[k], "probability": float(probabilities[k])} for k in order]

    def answer(self, sound: Sound, probabilities, top):
        """Return what is said of a `Sound`: its length and rate, and its most probable classes."""
        heard = sound.seconds if self.seconds is None else min(sound.seconds, self.seconds)
        return {
            "seconds": sound.seconds, "rate": sound.file_rate, "heard": heard,
            "predictions": self.best(probabilities, top),
        }  # fmt: skip


def classify_sounds(
    model: Model | AnyPath, files: Sequence[AnyPath], verbose: int = 1, top: int = MOST_PROBABLE
) -> list[dict]:
    """Classify recordings with a model for recordings, or with the file of one.

    files   files, and folders of them;   top   the number of classes to name for each

    Returns for each recording {"file", "seconds", "rate": of the file, "heard": the seconds that the model was given,
    "predictions": [{"class", "probability"}, ...]}. Raises DataError for a file that cannot be read;
    `classify_sounds_each` goes on.
    """
    results = []
    with silent_unless(verbose):
        for result in classify_sounds_each(model, files, top, verbose):
            if "error" in result:
                raise DataError(f"{result['file']}: {result['error']}.")
            results.append(result)
    return results


def classify_sounds_each(model, files, top=MOST_PROBABLE, verbose=1):
    """Yield the entries of `classify_sounds`, batch by batch. In place of a file that cannot be read stands {"file",
    "error"}. `model` may be a `SoundClassifier`."""
    classifier = model if isinstance(model, SoundClassifier) else SoundClassifier(model)
    whole_number(top, "top")
    paths = files_in([files] if isinstance(files, (str, os.PathLike)) else files)
    if not paths:
        raise ArgumentError("no recordings to predict: name files, or folders of them.")

    def listened(path):
        """Return (the `Sound` of a file without its samples' rest, what the model is given), or why there is none."""
        try:
            sound = read_sound(path)
            return sound, classifier.example(sound)
        except (DataError, MissingExtraError, OSError) as error:
            return str(error).removeprefix(f"{path}: ").rstrip(".")

    with Progress("Predicting", len(paths), enabled=bool(verbose), lines=False) as bar:
        for first in range(0, len(paths), BATCH):
            batch = paths[first : first + BATCH]
            found = list(in_threads(listened, batch))
            good = [each[1] for each in found if not isinstance(each, str)]
            rows = iter(classifier.probabilities(np.stack(good)) if good else ())
            for path, each in zip(batch, found):
                if isinstance(each, str):
                    yield {"file": path, "error": each}
                else:
                    yield {"file": path, **classifier.answer(each[0], next(rows), top)}
            bar.advance(len(batch))


def evaluate_sounds(
    model: Model | AnyPath, folder: AnyPath, strict=False, verbose=1, follow_links=False, pattern=None, group=None
) -> tuple[SoundEvaluation, list]:
    """Measure a model for recordings, or the file of one, on labelled recordings.

    folder           as for `finetune_sounds`. If it has a part for validation, this one is measured; otherwise all
    pattern, group   as in `SoundSettings` (default: those that the model was made with)

    Returns (`SoundEvaluation`, [(path, reason) of every file that was left out]). With `strict`, raises DataError for
    the first of these instead. Raises DataError for a class that the model does not have.
    """
    strict, follow_links = truth_value(strict, "strict"), truth_value(follow_links, "follow_links")
    with silent_unless(verbose):
        classifier = SoundClassifier(model)
        pattern, group = pattern or classifier.pattern, group or (classifier.group if pattern is None else None)
        found = found_sounds(folder, pattern, group, 0, strict, follow_links)
        unknown = [name for name in found.class_names if name not in classifier.class_names]
        if unknown:
            known = ", ".join(classifier.class_names)
            raise DataError(f"{folder}: the model has no class '{unknown[0]}'. Its classes are {known}.")
        recordings = found.val or found.train
        if found.val:
            print(wrapped(f"Measured on the part for validation: {counted(len(recordings), 'recording')}."), flush=True)
        for path, reason in found.skipped:
            print(wrapped(printable(f"left out: {path}: {reason}"), "  "))
        if told := cut_off(recordings, classifier.seconds):
            print(wrapped(told.replace("--seconds sets another limit", "It learned with this limit"), "  "))
        probabilities = classifier.model.predict(stream_of(recordings, classifier.prepare), BATCH, verbose=0)
        numbers = [classifier.class_names.index(name) for name in found.class_names]
        evaluation = evaluation_of(found, recordings, probabilities, classifier.class_names, numbers)
    return evaluation, found.skipped
