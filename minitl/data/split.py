"""The split of photographs into those to learn from and those that are held back to measure on.

Three things are wanted of it, and `held_back` gives them up in this order, the last one first:

1. It always works: a class of two or more photographs has at least one of them on either side.
2. It is stratified: each class is held back by nearly the share that was asked for.
3. It is stable: adding photographs moves hardly any other from one side to the other, and a copy of a photograph is on
   the side of its original. (Otherwise a model would be measured on photographs that it has learned from.)

The digest of a photograph's file serves as a random number from 0 to 1 that belongs to the photograph. Those with a
number below the share are held back. This alone is stable, but nothing else: of ten photographs, none are held back in
11 % of all draws, and of fifty from 4 to 16. So in each class, the photographs are put in the order of their numbers,
and the first k are held back. k is the count of numbers below the share, but within 20 % of the class's quota (share
times photographs; within 1 for a quota below 5), and from 1 to all but one:

    photographs of a class                     2      5     10     20      50     100    1000
    held back, for a share of 0.2              1   1, 2   1..3   3..5   8..12  16..24  160..240

A new photograph moves one other at most. Adding 10 to 50 moves 0.4 of the 50 on the average, and none in two thirds of
all draws. (`tests/photographs/test_split.py` checks these figures.)
"""

import math
from collections import Counter
from numbers import Real

from ..errors import ArgumentError

CLOSE = 0.2  # how far the held-back photographs of a class may be from their quota, as a share of it


def require_share(val_share):
    """Raise ArgumentError unless `val_share` is a share that can be held back."""
    if isinstance(val_share, bool) or not isinstance(val_share, Real) or not 0 <= val_share < 1:
        raise ArgumentError(f"val_share is {val_share!r}; expected a share to hold back, from 0 to below 1.")


def held_back(photos, share):
    """Return the set of the digests that are held back, of a list of `Photo`s.

    A photograph that is in two classes stays where its digest alone puts it.
    """
    classes = {}
    for photo in photos:
        classes.setdefault(photo.label, set()).add(photo.sha256)
    labels = Counter(digest for digests in classes.values() for digest in digests)
    held = {digest for digest in labels if number(digest) < share}
    for digests in classes.values():
        least, most = limits(len(digests), share)
        count = len(held & digests)
        movable = sorted(digest for digest in digests if labels[digest] == 1)
        if count < least:
            held |= set([digest for digest in movable if digest not in held][: least - count])
        elif count > most:
            held -= set([digest for digest in movable if digest in held][most - count :])
    return held


def number(sha256):
    """Return the number from 0 to 1 that belongs to a digest."""
    return int(sha256[:8], 16) / 2**32


def limits(count, share):
    """Return the fewest and the most photographs to hold back, of a class of `count` different ones."""
    if share == 0 or count < 2:
        return 0, count
    quota = share * count
    slack = max(1, CLOSE * quota)
    least, most = math.ceil(round(quota - slack, 9)), math.floor(round(quota + slack, 9))
    return min(max(1, least), count - 1), min(max(1, most), count - 1)
