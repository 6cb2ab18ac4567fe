"""Advice before a fine-tuning on recordings: which base hears best what is to be told apart.

    from minitl.recipes import advise_sounds
    advice = advise_sounds("digits", pattern="{class}_{speaker}_*", group="speaker")
    print(advice)
    advice.advised, advice.command

Every training recording goes once through each frozen base, and its vector is kept. A head in closed form then
predicts each recording after learning from others: with groups, from those of all other groups; without, from all but
a fifth of each class. The recordings that are held back are not used. A base that was trained for another purpose may
be worse than no network at all ("spectrogram"): this is negative transfer, and the table shows it.
"""

import shlex
import time
from dataclasses import replace

import numpy as np

from ... import interruption
from ...arguments import AnyPath
from ...terminal import counted, printable, silent_unless, table, wrapped
from ...weights.published.catalogue import present
from ..evaluation import paired_interval, wilson_interval
from ..head_choice import FOLDS, stratified_folds
from ..run_folder import RunFolder
from ..settings import SettingError, option, require_path, settings_from
from .left_out import leave_out_each
from .settings import BASES, SoundSettings
from .stages import SoundStages

ALL = "all"
MOST_GROUPS = 10  # more are dealt out into so many parts
# The settings that advice takes; it trains nothing, and keeps nothing but features.
OF_ADVICE = ("base", "seconds", "pattern", "group", "head", "validation", "follow_links", "seed", "strict",
             "keep_features")  # fmt: skip


class SoundAdvice:
    """Advice on a fine-tuning for recordings. Printed, it is a table of the bases, with the command to run.

    right       {base: (N,) bool, whether each training recording is predicted rightly}
    seconds     {base: seconds of the pass over all recordings; near 0 where features were kept}
    skipped     the bases whose weights are not on this machine
    advised     the cheapest base that cannot be told apart from the best one
    """

    def __init__(self, path, settings):
        self.path, self.settings = str(path), settings
        self.right, self.seconds, self.skipped = {}, {}, []
        folder = None
        for base in [*BASES] if settings.base == ALL else ["spectrogram", settings.base]:
            weights = BASES[base].weights
            if weights and settings.base == ALL and present(weights) is None:
                self.skipped.append(base)
                continue
            if base in self.right:
                continue
            seconds = settings.seconds if BASES[base].seconds else None
            of_base = SoundSettings(**{**vars(settings), "base": base, "seconds": seconds})
            job = SoundStages(of_base.settled(), RunFolder(path))  # nothing is written there
            if folder is None:
                job.find(path)
                folder = job.folder
            job.folder = folder
            self.folder = folder
            start = time.perf_counter()
            job.build()
            job.sounds, job.x, job.y, folder.train = job.heard(folder.train)
            self.seconds[base] = time.perf_counter() - start
            parts = parts_of_groups(folder.train, settings.seed)
            found = leave_out_each(job.x.read(slice(None)), parts, len(folder.class_names), settings.head, "part")
            self.right[base] = found.probabilities.argmax(axis=1) == job.y
        best = max(self.right, key=lambda base: self.right[base].mean())
        self.equals = [base for base in self.right if base == best or
                       paired_interval(self.right[best], self.right[base])[1] <= 0]  # fmt: skip
        self.advised = min(self.equals, key=[*reversed(BASES)].index)  # no network before one, VGG16 before the others
        if self.advised == "vgg16" and best != "vgg16":
            self.advised = best

    @property
    def command(self):
        """Return the command line that carries out the advice."""
        given = [] if self.advised == SoundSettings.base else ["--base", self.advised]
        for name in OF_ADVICE[1:]:
            value = getattr(self.settings, name)
            if value == getattr(SoundSettings, name) or (name == "seconds" and BASES[self.advised].seconds is None):
                continue
            if name == "keep_features":
                given.append("--no-cache")
            else:
                given += [option(name)] if value is True else [option(name), str(value)]
        return shlex.join(["minitl", "finetune", self.path, *given])

    def __repr__(self):
        return f"<SoundAdvice on {self.path}: {self.command}; print it for the reasons>"

    def __str__(self):
        """Return the advice as text."""
        count = len(self.folder.train)
        rows = [["base", "accuracy", "95% interval", "seconds"]]
        for base, right in sorted(self.right.items(), key=lambda each: -each[1].mean()):
            low, high = wilson_interval(float(right.mean()), len(right))
            rows.append([base, f"{right.mean():.3f}", f"{low:.3f} to {high:.3f}", f"{self.seconds[base]:.1f}"])
        how = f"{self.settings.group}s kept whole" if self.folder.groups else f"a {FOLDS}th of each class left out"
        words = f"Which base hears it? {counted(count, 'training recording')}, each predicted by a head in closed form "
        lines = [wrapped(words + f"that has not heard it ({how})"), "", table(rows), ""]
        floor = self.right["spectrogram"]  # those that are below it by more than chance explains
        worse = [base for base, right in self.right.items() if paired_interval(floor, right)[1] > 0]
        if worse:
            says = f"{' and '.join(worse)} {'is' if len(worse) == 1 else 'are'} below the spectrogram itself"
            why = "What the network has learned to ignore is needed here."
            lines += [wrapped(f"Negative transfer: {says}. {why}", "  "), ""]
        if self.skipped:
            one = self.skipped[0]
            lines += [wrapped(f"Not compared, as the weights are not on this machine: {', '.join(self.skipped)} "
                              f"(minitl weights get {BASES[one].weights})."), ""]  # fmt: skip
        others = [base for base in self.equals if base != self.advised]
        why = f" It cannot be told apart from {' and '.join(others)}." if others else ""
        lines += [wrapped(f"Advice: --base {self.advised}.{why}"), "", f"    {printable(self.command)}"]
        return "\n".join(lines)

    def as_data(self):
        """Return the advice, as JSON can hold it."""
        return {
            "task": "sounds",
            "bases": {base: {"accuracy": float(right.mean()), "seconds": self.seconds[base]}
                      for base, right in self.right.items()},
            "cannot_be_told_apart": self.equals,
            "not_compared": self.skipped,
            "advised": self.advised,
            "command": self.command,
            "recordings": len(self.folder.train),
        }  # fmt: skip


def advise_sounds(path: AnyPath, settings: SoundSettings | None = None, verbose: int = 1, **changes) -> SoundAdvice:
    """Return `SoundAdvice` on labelled recordings. The recordings that are held back are not used.

    settings, changes   as for `finetune_sounds`. base="all" compares all bases whose weights are on this machine;
                        another base is compared with the spectrogram alone
    """
    require_path("path", path)
    settings = settings_from(SoundSettings, settings, changes)
    for name, usual in vars(SoundSettings()).items():
        if name not in OF_ADVICE and getattr(settings, name) != usual:
            raise SettingError("{} does not go with advise_sounds. Leave it out.", name)
    with silent_unless(verbose), interruption.graceful():
        return SoundAdvice(path, settings)


def parts_of_groups(recordings, seed):
    """Return recordings with groups to leave out: their own, dealt out into `MOST_GROUPS` where there are more; without
    groups, a fifth of each class, copies together."""
    names = [each.sha256 if each.group is None else each.group for each in recordings]
    groups = np.unique(names, return_inverse=True)[1]
    has_groups = recordings[0].group is not None
    if has_groups and groups.max() < MOST_GROUPS:
        return recordings
    labels = np.array([each.label for each in recordings])
    fold = stratified_folds(labels, groups, MOST_GROUPS if has_groups else FOLDS, seed)
    return [replace(each, group=str(part)) for each, part in zip(recordings, fold)]
