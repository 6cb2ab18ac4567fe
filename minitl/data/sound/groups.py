"""Groups of recordings that stay together: those of one speaker, or the parts of one long recording.

A network that has heard George say "one" knows George's "two" halfway. Measured on it, it seems better than it will be
with a stranger. So a *group* is on one side of the split, whole: either it is learned from, or it is measured on.

    held_groups(recordings, 0.2)           about a fifth of each class, in whole groups

Of six speakers with the same number of recordings, one is held back: a sixth is nearer to a fifth than a third is. The
groups are gone through in the order of a number that belongs to the group's name (a digest of it). A group is held back
if this brings the classes nearer to their shares, by the sum of squares of the distances. So the split is nearly always
the same when recordings or groups are added. At the end, a class that is on one side only gets a group on the other
one, where it has two.

Recordings with the same samples count as one group, as do all groups that share one: a copy is never measured on.

Who calls this: `folder`. `split` divides recordings without groups.
"""

import hashlib

import numpy as np

from ...errors import DataError
from ..split import number


def held_groups(recordings, share):
    """Return the set of the groups to hold back, of `Recording`s that have a group.

    share   of each class that is wanted, from 0 (none) to below 1
    """
    together = _joined(recordings)
    count = 1 + max((each.label for each in recordings), default=0)
    counts = {name: np.zeros(count) for name in together.values()}  # of each class, in each set of groups
    for each in recordings:
        counts[together[each.group]][each.label] += 1
    total = sum(counts.values(), np.zeros(count))

    def distance(held):
        return np.square((held - share * total) / np.maximum(total, 1)).sum()

    def best(names, of, sign):
        """Return that of the sets with class `of` whose move brings the classes nearest to their shares; None if each
        of them would take the last one of a class."""
        left = total - held if sign > 0 else held
        possible = [name for name in names if counts[name][of] and np.all((left > counts[name]) | (counts[name] == 0))]
        return min(possible, key=lambda name: distance(held + sign * counts[name]), default=None)

    order = sorted(counts, key=lambda name: (number(hashlib.sha256(name.encode()).hexdigest()), name))
    held, chosen = np.zeros(count), set()
    for name in order if share else ():
        if distance(held + counts[name]) < distance(held):
            chosen.add(name)
            held += counts[name]
    for label in np.flatnonzero(total) if share else ():
        if not held[label] and (name := best([each for each in order if each not in chosen], label, 1)):
            chosen.add(name)
            held += counts[name]
        elif held[label] == total[label] and (name := best([each for each in order if each in chosen], label, -1)):
            chosen.remove(name)
            held -= counts[name]
    return {group for group, name in together.items() if name in chosen}


def _joined(recordings):
    """Return {group: the first name of all groups that share a recording with it, directly or by others}."""
    name_of, group_of = {each.group: each.group for each in recordings}, {}
    for each in recordings:
        one, other = name_of[each.group], name_of[group_of.setdefault(each.sha256, each.group)]
        if one != other:
            name_of = {group: min(one, other) if name in (one, other) else name for group, name in name_of.items()}
    return name_of


def require_whole_groups(path, train, val):
    """Raise DataError if recordings of one group are in both lists, naming the group and a recording of it in each."""
    first = {each.group: each.path for each in train if each.group is not None}
    both = [each for each in val if each.group in first]
    if both:
        one, count = both[0], len({each.group for each in both})
        others = "" if count == 1 else f", and so are {count - 1} more"
        raise DataError(
            f"{path}: the group '{one.group}' is in training ({first[one.group].name}) and in validation "
            f"({one.path.name}){others}. What is measured on it would be too good. Put each group on one side."
        )
