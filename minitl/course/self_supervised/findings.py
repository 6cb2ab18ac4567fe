"""The findings of the study, computed: claims that were fixed before it was run, each with its verdict.

Each claim is about the difference of two accuracies, one number for each seed. `course.study.findings` says how the
interval of its mean is found, and when a claim holds.
"""

import numpy as np

from ..study.findings import SMALLEST, interval, judged
from .methods import METHODS
from .worth import BASES, TASKS

WITHOUT_LABELS = tuple(name for name in METHODS if name != "supervised")
PLACES = {"same": "the classes it saw", "other": "the other classes"}


def summary(results):
    """Return {task: {way: {base: {labels: `Interval`}}}} of a list of `Worth`."""
    found = {}
    for name in TASKS:
        for way in "probe", "tuned":
            for base in BASES:
                mine = [each for each in results if (each.task, each.way, each.base) == (name, way, base)]
                for labels in sorted({each.labels for each in mine}):
                    values = [each.accuracy for each in mine if each.labels == labels]
                    bases = found.setdefault(name, {}).setdefault(way, {})
                    bases.setdefault(base, {})[labels] = interval(values)
    return found


def findings(results):
    """Return the list of findings (`course.study.findings.Finding`) of a list of `Worth`; only seeds count of which
    every measurement is there. With fewer than two of them, there are no findings."""
    accuracies = {(*each[:4], each.seed): each.accuracy for each in results}
    kinds = {key[:4] for key in accuracies}
    seeds = [
        seed for seed in sorted({key[4] for key in accuracies}) if all((*kind, seed) in accuracies for kind in kinds)
    ]
    if len(seeds) < 2:
        return []
    many, few = (choose({kind[3] for kind in kinds}) for choose in (_middle, min))

    def difference(first, second, name, way, labels):
        one, two = ([accuracies[base, name, way, labels, seed] for seed in seeds] for base in (first, second))
        return np.subtract(one, two)

    found = []
    for number, (claim, second, way, labels, bases, worthless) in enumerate(
        [
            ("features of {} beat random ones", "random", "probe", many, WITHOUT_LABELS, SMALLEST),
            ("features of {} beat the pixels", "pixels", "probe", many, WITHOUT_LABELS, SMALLEST),
            ("fine-tuned, {} is better than a random start", "random", "tuned", few, WITHOUT_LABELS, SMALLEST),
            ("features of {} are no worse than those learned with labels", "supervised", "probe", many, WITHOUT_LABELS,
             -SMALLEST),
        ],
        start=1,
    ):  # fmt: skip
        for base in bases:
            for name, place in PLACES.items():
                values = difference(base, second, name, way, labels)
                statistic = f"{base} minus {second}, {way}, {labels} labels a class"
                text = f"On {place}, " + claim.format(base)
                claimed = min(worthless, 0.0)
                found.append(judged(name, number, text, statistic, values, claimed, worthless))
    return found


def _middle(numbers):
    """Return the middle one of a few numbers; of two, the larger."""
    return sorted(numbers)[len(numbers) // 2]
