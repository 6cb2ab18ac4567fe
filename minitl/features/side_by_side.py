"""Rows of several kept features side by side, as a head on several cuts of a base takes them.

Each cut has a store of its own (`on_disk`), so that whichever cuts a run takes, nothing is computed or kept twice.
"""

import hashlib

import numpy as np


def side_by_side(rows):
    """Return several `FeatureRows` of the same examples (N, D) as one stream (N, sum of D); a single one as it is."""
    return rows[0] if len(rows) == 1 else JoinedRows(rows)


class JoinedRows:
    """A stream that reads several `FeatureRows` of the same examples, and puts their rows side by side."""

    is_stream = True

    def __init__(self, parts):
        self.parts, first = parts, parts[0]
        self.positions, self.left_out = first.positions, first.left_out
        self.shape, self.dtype = (len(first), sum(part.shape[1] for part in parts)), first.dtype
        self.digest = hashlib.sha256("".join(part.digest for part in parts).encode()).hexdigest()[:16]

    def __len__(self):
        return len(self.parts[0])

    @property
    def photos(self):
        """The `data.Photo` of each row, where the source is a `data.PhotoStream`."""
        return self.parts[0].photos

    def read(self, positions, epoch=None):
        """Return the rows at `positions` (a slice or an array): (n, sum of D). They are the same in every epoch."""
        return np.concatenate([part.read(positions, epoch) for part in self.parts], axis=1)
