"""Large images in parts: a network for pixels answers tile by tile, so that memory does not grow with the image.

A tile has a *core*, whose pixels it answers, and around it a margin that the network sees as well. Near the edge of
what it sees a network knows less: half of the surroundings is missing there. So the answers for the margin are thrown
away, and a neighbour's core has them. Along one axis of 1,000 pixels, with cores of 384 and margins of 64:

    sees        0 to 448         320 to 832        704 to 1000 (filled up to 1024)
    answers     0 to 384         384 to 768        768 to 1000

Cores begin at multiples of 32, as the windows of all poolings do: a place of a map has seen the same pixels, whichever
tile it lies in. An image of at most 512 pixels is one tile.

The answers are probabilities at the scale of the training. `classes_at` brings them to the size of the photograph
(bilinearly, as `kernels.resampling` explains it), and only then takes the most probable class: an edge between two
classes lies between pixels of the smaller image. It does so for a few rows at a time.
"""

from typing import NamedTuple

import numpy as np

CORE, MARGIN = 384, 64  # pixels
LARGEST = CORE + 2 * MARGIN  # the longest side that is one tile
NUMBERS_AT_A_TIME = 2**24  # probabilities that are enlarged together: 64 MB


class Span(NamedTuple):
    """A tile along one axis: it sees the pixels from `start` to `stop`, and answers those from `first` to `last`."""

    start: int
    stop: int
    first: int
    last: int


def spans(size, core=CORE, margin=MARGIN):
    """Return the `Span`s of the tiles along an axis of `size` pixels."""
    if size <= core + 2 * margin:
        return [Span(0, size, 0, size)]
    found, first = [], 0
    while first < size:
        last = size if size - first <= core + margin else first + core  # at the edge there is no margin to throw away
        found.append(Span(max(0, first - margin), min(size, last + margin), first, last))
        first = last
    return found


class Neighbours(NamedTuple):
    """For each new pixel of a part of an axis, the two old pixels that it lies between, and the share of the second.

    new     the slice of the new pixels;   left, right (n,)   old pixels, counted from `Span.start`;   share (n,)
    """

    new: slice
    left: np.ndarray
    right: np.ndarray
    share: np.ndarray


def neighbours(span, old, new):
    """Return the `Neighbours` of the new pixels that a `Span` answers, where an axis of `old` pixels is shown with
    `new` ones.

    The centre of new pixel i lies at (i + 1/2) old/new - 1/2 on the old axis. It is answered by the core that it lies
    in.
    """
    places = (np.arange(new) + 0.5) * old / new
    first, last = np.searchsorted(places, [span.first, span.last])
    places = np.clip(places[first:last] - 0.5, 0, old - 1)
    left = np.minimum(places.astype(int), max(old - 2, 0))
    share = (places - left).astype(np.float32)
    seen = span.stop - span.start - 1  # the last pixel that the tile sees
    left, right = left - span.start, np.minimum(left + 1, old - 1) - span.start
    return Neighbours(slice(int(first), int(last)), np.clip(left, 0, seen), np.clip(right, 0, seen), share)


def classes_at(probabilities, rows, columns, out):
    """Write the most probable class of each pixel that a tile answers into `out`, uint8 (H, W) of the whole image.

    probabilities   of the pixels that the tile sees (h, w, classes);   rows, columns   the tile's `Neighbours`
    """
    if not len(rows.left) or not len(columns.left):
        return
    at_a_time = max(1, NUMBERS_AT_A_TIME // (len(columns.left) * probabilities.shape[-1]))
    for first in range(0, len(rows.left), at_a_time):
        part = slice(first, first + at_a_time)
        between = _mixed(probabilities, rows.left[part], rows.right[part], rows.share[part], axis=0)
        between = _mixed(between, columns.left, columns.right, columns.share, axis=1)  # (rows, columns, classes)
        place = slice(rows.new.start + first, rows.new.start + first + len(between))
        out[place, columns.new] = between.argmax(axis=-1)


def _mixed(numbers, left, right, share, axis):
    """Return numbers between their neighbours along an axis."""
    if not share.any():
        return numbers.take(left, axis)
    share = share.reshape([-1 if k == axis else 1 for k in range(numbers.ndim)])
    first = numbers.take(left, axis)
    return first + (numbers.take(right, axis) - first) * share
