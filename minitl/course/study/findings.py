"""What the trainings say: means with their intervals, and which of the paper's findings they show.

A finding is a claim about one number that each seed gives, such as "how much better is AnB+ than baseB, on average over
the cuts?". With k seeds there are k such numbers, and Student's t gives the interval that holds their true mean with
95 % confidence:

    mean +- t(k - 1) * s / sqrt(k)        s the standard deviation of the k numbers

It says how the result depends on the random numbers of a training (and on the draw of training pictures, where they are
drawn); the test pictures and base A are the same for all seeds. Then:

    holds                     the whole interval lies above what is claimed
    does not hold here        the whole interval lies below what would be worth the claim: SMALLEST, one accuracy point
    cannot be told            neither

Claims and numbers were fixed before the study was run; nothing in here chooses a cut by its result.
"""

import math
from typing import NamedTuple

import numpy as np

from .halves import HALVES
from .transfer_study import BASE, TREATMENTS

SMALLEST = 0.01  # of accuracy: an effect smaller than this is none
T_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
)  # fmt: skip
BOTH = "both"  # in the place of a split
HOLDS, FAILS, UNKNOWN = "holds", "does not hold here", "cannot be told"


class Interval(NamedTuple):
    """A mean over seeds and where the true one lies with 95 % confidence; None for both ends where there is one seed
    only, of which nobody knows how sure it is."""

    mean: float
    low: float | None
    high: float | None


class Finding(NamedTuple):
    """One of the paper's findings, as measured in one split.

    split      where; BOTH for what compares the two
    number     of the claim
    claim      in words
    statistic  which number of each seed is looked at, in words
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
        """Two lines: the verdict, and what it rests on."""
        verdict = f"{self.verdict} with {self.seeds} seeds" if self.verdict == UNKNOWN else self.verdict
        mean, low, high = (100 * value for value in self.effect)
        measured = f"{self.statistic}: {mean:+.1f} points (95% interval {low:+.1f} to {high:+.1f})"
        return f"{self.number} {self.claim}: {verdict.upper()}\n{measured}"


def interval(values):
    """The `Interval` of one number for each seed."""
    values = np.asarray(values, np.float64)
    mean, freedom = float(values.mean()), len(values) - 1
    if not freedom:
        return Interval(mean, None, None)
    half = t_95(freedom) * values.std(ddof=1) / math.sqrt(len(values))
    return Interval(mean, mean - float(half), mean + float(half))


def t_95(freedom):
    """The 97.5 % quantile of Student's t; beyond the table by the first terms of its expansion around the normal's."""
    if freedom <= len(T_95):
        return T_95[freedom - 1]
    z = 1.959964
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def summary(results):
    """{split: {treatment: {cut: `Interval`}}} of whatever is there."""
    found = {}
    kinds = dict.fromkeys(each[:3] for each in results)  # split, treatment, cut
    for split, treatment, cut in sorted(kinds, key=lambda kind: list(HALVES).index(kind[0])):
        values = [e.accuracy for e in results if (e.split, e.treatment, e.cut) == (split, treatment, cut)]
        found.setdefault(split, {}).setdefault(treatment, {})[cut] = interval(values)
    return found


def findings(results):
    """The `Finding`s of all splits, from a list of `transfer_study.Result`: from those seeds that every training has
    been done for, if these are two or more."""
    results = _whole_seeds(results)
    splits = [split for split in HALVES if any(each.split == split for each in results)]
    found = [finding for split in splits for finding in _of_one_split(split, _curves(results, split))]
    if len(splits) == 2:
        near, far = (_fall(_curves(results, split), "AnB") for split in ("similar", "dissimilar"))
        found.append(
            _finding(
                BOTH,
                6,
                "The more the tasks differ, the faster transfer fades",
                "Fall of AnB from the first to the last cut, dissimilar minus similar halves",
                far - near,
            )
        )
    return found


def _whole_seeds(results):
    """The results of those seeds that are complete; of an interrupted study, the others are left out."""
    kinds = {each[:3] for each in results}
    cuts = {cut for _, treatment, cut in kinds if treatment != BASE}
    if not cuts or len(kinds) != len({split for split, _, _ in kinds}) * (1 + len(cuts) * len(TREATMENTS)):
        return []  # not even one seed is complete
    done = {(each[:3], each.seed) for each in results}
    whole = {seed for _, seed in done if all((kind, seed) in done for kind in kinds)}
    return [each for each in results if each.seed in whole] if len(whole) > 1 else []


def _of_one_split(split, curves):
    """`curves` is {treatment: (seeds, cuts)}, baseB (seeds, 1)."""
    base, bnb = curves[BASE][:, 0], curves["BnB"]
    yield _finding(
        split,
        1,
        "Layers that learned together lose when they are parted in the middle (BnB)",
        "BnB at the first and last cut minus BnB between them",
        (bnb[:, 0] + bnb[:, -1]) / 2 - bnb[:, 1:-1].mean(axis=1),
    )
    yield _finding(
        split,
        2,
        "Fine-tuning brings that back (BnB+ is no worse than baseB)",
        "BnB+ minus baseB, mean over the cuts",
        curves["BnB+"].mean(axis=1) - base,
        claimed=-SMALLEST,
        worthless=-SMALLEST,
    )
    yield _finding(
        split,
        3,
        "The later a layer, the less it is of use to another task (AnB falls)",
        "Fall of AnB from the first to the last cut, along the straight line that fits best",
        _fall(curves, "AnB"),
    )
    yield _finding(
        split,
        4,
        "Transferred and fine-tuned is better than trained on B alone (AnB+ above baseB)",
        "AnB+ minus baseB, mean over the cuts",
        curves["AnB+"].mean(axis=1) - base,
    )
    yield _finding(
        split,
        5,
        "Even where the tasks differ, learned layers are better than random ones (AnB above RnB)",
        "AnB minus RnB, mean over the cuts",
        (curves["AnB"] - curves["RnB"]).mean(axis=1),
    )


def _finding(split, number, claim, statistic, values, claimed=0.0, worthless=SMALLEST):
    """`claimed`: the effect must be more than this; `worthless`: less than this is not worth the claim."""
    effect = interval(values)
    verdict = HOLDS if effect.low > claimed else FAILS if effect.high < worthless else UNKNOWN
    return Finding(split, number, claim, statistic, effect, verdict, len(values))


def _curves(results, split):
    """{treatment: (seeds, cuts)} of the accuracies, both in rising order."""
    curves = {}
    for treatment in (BASE, *TREATMENTS):
        mine = sorted((e.seed, e.cut, e.accuracy) for e in results if (e.split, e.treatment) == (split, treatment))
        seeds = len({seed for seed, _, _ in mine})
        curves[treatment] = np.array([accuracy for _, _, accuracy in mine]).reshape(seeds, -1)
    curves["cuts"] = sorted({e.cut for e in results if e.split == split and e.treatment != BASE})
    return curves


def _fall(curves, treatment):
    """(seeds,): how far the least-squares line through a curve falls from the first cut to the last."""
    cuts = np.array(curves["cuts"], np.float64)
    centred = cuts - cuts.mean()
    slopes = curves[treatment] @ centred / (centred @ centred)  # (seeds,)
    return -slopes * (cuts[-1] - cuts[0])
