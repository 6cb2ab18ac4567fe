"""The result of the trainings: means with their intervals, and which of the paper's findings they show.

A finding is a claim about a number that is computed for each seed, such as the accuracy of AnB+ minus that of baseB, on
average over the cuts. With k seeds there are k such numbers, and Student's t gives the interval that contains their
true mean with 95 % confidence:

    mean +- t(k - 1) * s / sqrt(k)        s the standard deviation of the k numbers

The interval says how much the result depends on the random numbers of a training (and on the choice of training images,
where they are drawn). The test images and base A are the same for all seeds. There are three verdicts:

    holds                     the whole interval lies above the claimed number
    does not hold here        the whole interval lies below SMALLEST, one accuracy point: less is not worth the claim
    cannot be told            neither

Claims and numbers were fixed before the study was run. No cut is chosen by its result.
"""

import math
from typing import NamedTuple

import numpy as np

from .halves import HALVES
from .transfer_study import BASE, TREATMENTS

SMALLEST = 0.01  # of accuracy: a smaller effect counts as none
T_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
)  # fmt: skip
BOTH = "both"  # instead of a split
HOLDS, FAILS, UNKNOWN = "holds", "does not hold here", "cannot be told"


class Interval(NamedTuple):
    """A mean over seeds and its 95 % interval. Both ends are None where there is one seed only: it has no interval."""

    mean: float
    low: float | None
    high: float | None


class Finding(NamedTuple):
    """One of the paper's findings, as measured in one split.

    split      name of the split; BOTH where the finding compares the two
    number     of the claim
    claim      in words
    statistic  the number that is computed for each seed, in words
    effect     its `Interval`, in accuracy
    verdict    HOLDS, FAILS or UNKNOWN
    seeds      how many there were
    """

    split: str
    number: int
    claim: str
    statistic: str
    effect: Interval
    verdict: str
    seeds: int

    def __str__(self):
        """Return two lines: the verdict, and the measured effect."""
        verdict = f"{self.verdict} with {self.seeds} seeds" if self.verdict == UNKNOWN else self.verdict
        mean, low, high = (100 * value for value in self.effect)
        measured = f"{self.statistic}: {mean:+.1f} points (95% interval {low:+.1f} to {high:+.1f})"
        return f"{self.number} {self.claim}: {verdict.upper()}\n{measured}"


def interval(values):
    """Return the `Interval` of the mean of one number for each seed."""
    values = np.asarray(values, np.float64)
    mean, freedom = float(values.mean()), len(values) - 1
    if not freedom:
        return Interval(mean, None, None)
    half = t_95(freedom) * values.std(ddof=1) / math.sqrt(len(values))
    return Interval(mean, mean - float(half), mean + float(half))


def t_95(freedom):
    """Return the 97.5 % quantile of Student's t.

    Beyond the table: the first terms of its expansion around the quantile of the normal distribution.
    """
    if freedom <= len(T_95):
        return T_95[freedom - 1]
    z = 1.959964
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def summary(results):
    """Return {split: {treatment: {cut: `Interval`}}} of the given results."""
    found = {}
    kinds = dict.fromkeys(each[:3] for each in results)  # split, treatment, cut
    for split, treatment, cut in sorted(kinds, key=lambda kind: list(HALVES).index(kind[0])):
        values = [e.accuracy for e in results if (e.split, e.treatment, e.cut) == (split, treatment, cut)]
        found.setdefault(split, {}).setdefault(treatment, {})[cut] = interval(values)
    return found


def findings(results):
    """Return the `Finding`s of all splits, from a list of `transfer_study.Result`.

    Only complete seeds count: those of which every training is done. With fewer than two, there are no findings.
    """
    results = _whole_seeds(results)
    splits = [split for split in HALVES if any(each.split == split for each in results)]
    found = [finding for split in splits for finding in _of_one_split(split, _curves(results, split))]
    if len(splits) == 2:
        near, far = (_fall(_curves(results, split), "AnB") for split in ("similar", "dissimilar"))
        found.append(
            judged(
                BOTH,
                6,
                "The more the tasks differ, the faster transfer fades",
                "Fall of AnB from the first to the last cut, dissimilar minus similar halves",
                far - near,
            )
        )
    return found


def _whole_seeds(results):
    """Return the results of the complete seeds. An interrupted study may have others."""
    kinds = {each[:3] for each in results}
    cuts = {cut for _, treatment, cut in kinds if treatment != BASE}
    if not cuts or len(kinds) != len({split for split, _, _ in kinds}) * (1 + len(cuts) * len(TREATMENTS)):
        return []  # not even one seed is complete
    done = {(each[:3], each.seed) for each in results}
    whole = {seed for _, seed in done if all((kind, seed) in done for kind in kinds)}
    return [each for each in results if each.seed in whole] if len(whole) > 1 else []


def _of_one_split(split, curves):
    """Yield the findings 1 to 5 of a split. `curves` is {treatment: (seeds, cuts)}, for baseB (seeds, 1)."""
    base, bnb = curves[BASE][:, 0], curves["BnB"]
    yield judged(
        split,
        1,
        "Layers that learned together lose when they are parted in the middle (BnB)",
        "BnB at the first and last cut minus BnB between them",
        (bnb[:, 0] + bnb[:, -1]) / 2 - bnb[:, 1:-1].mean(axis=1),
    )
    yield judged(
        split,
        2,
        "Fine-tuning brings that back (BnB+ is no worse than baseB)",
        "BnB+ minus baseB, mean over the cuts",
        curves["BnB+"].mean(axis=1) - base,
        claimed=-SMALLEST,
        worthless=-SMALLEST,
    )
    yield judged(
        split,
        3,
        "The later a layer, the less it is of use to another task (AnB falls)",
        "Fall of AnB from the first to the last cut, along the straight line that fits best",
        _fall(curves, "AnB"),
    )
    yield judged(
        split,
        4,
        "Transferred and fine-tuned is better than trained on B alone (AnB+ above baseB)",
        "AnB+ minus baseB, mean over the cuts",
        curves["AnB+"].mean(axis=1) - base,
    )
    yield judged(
        split,
        5,
        "Even where the tasks differ, learned layers are better than random ones (AnB above RnB)",
        "AnB minus RnB, mean over the cuts",
        (curves["AnB"] - curves["RnB"]).mean(axis=1),
    )


def judged(split, number, claim, statistic, values, claimed=0.0, worthless=SMALLEST):
    """Return the `Finding` of a claim.

    values       one for each seed
    claimed      the claim holds where the whole interval lies above this
    worthless    it does not hold where the whole interval lies below this
    """
    effect = interval(values)
    verdict = HOLDS if effect.low > claimed else FAILS if effect.high < worthless else UNKNOWN
    return Finding(split, number, claim, statistic, effect, verdict, len(values))


def _curves(results, split):
    """Return {treatment: accuracies (seeds, cuts)}, both axes in rising order, and the cuts under "cuts"."""
    curves = {}
    for treatment in (BASE, *TREATMENTS):
        mine = sorted((e.seed, e.cut, e.accuracy) for e in results if (e.split, e.treatment) == (split, treatment))
        seeds = len({seed for seed, _, _ in mine})
        curves[treatment] = np.array([accuracy for _, _, accuracy in mine]).reshape(seeds, -1)
    curves["cuts"] = sorted({e.cut for e in results if e.split == split and e.treatment != BASE})
    return curves


def _fall(curves, treatment):
    """Return how far the least-squares line through each curve falls from the first cut to the last: (seeds,)."""
    cuts = np.array(curves["cuts"], np.float64)
    centred = cuts - cuts.mean()
    slopes = curves[treatment] @ centred / (centred @ centred)  # (seeds,)
    return -slopes * (cuts[-1] - cuts[0])
