"""Edit distance: how many labels are wrong in a list whose length may be wrong, too. Levenshtein 1965.

The distance of two lists is the fewest edits that turn one into the other. An edit puts in a label, takes one out, or
changes one. From "two one" to "two two one" it is 1.

The *error rate* of a set is the sum of all edits divided by the sum of the lengths of the right lists: the word error
rate where labels are words. It is not the mean of each list's rate. Of ten words in two clips, the clip with one word
is missed and that with nine is right: 1 edit / 10 words = 0.1, and not (1 + 0) / 2. The rate can be above 1, because a
label too many is an edit as well.

Who calls this: `compile(metrics=[LabelErrorRate()])` with the loss `CTC`, where "accuracy" is `SequenceAccuracy`, and
programs with lists of labels or words.
"""

import numpy as np

from ..arguments import DTYPE, keras_arguments
from ..errors import DataError
from ..kernels.ctc import BLANK
from ..kernels.ctc_decoding import greedy
from .base import Metric


def edit_distance(right, found):
    """Return the fewest labels that have to be put in, taken out or changed to turn `found` into `right`.

    right, found   sequences of things that can be compared: numbers, words, or the letters of a text

    distances[j] is the distance of the first i labels of `right` to the first j of `found`. The last label of the two
    beginnings is the same, or it is changed, or put in, or taken out:

        d[i, j] = min(d[i-1, j-1] + (are they different?), d[i-1, j] + 1, d[i, j-1] + 1)
    """
    distances = list(range(len(found) + 1))  # of the empty beginning of `right`: all of `found` is taken out
    for i, label in enumerate(right, 1):
        diagonal, distances[0] = distances[0], i
        for j, other in enumerate(found, 1):
            best = min(diagonal + (label != other), distances[j] + 1, distances[j - 1] + 1)
            diagonal, distances[j] = distances[j], best
    return distances[-1]


def edit_distance_naive(right, found):
    """Return the same by the definition, which tries each of the three edits at the end."""
    if not len(right) or not len(found):
        return len(right) + len(found)
    return min(
        edit_distance_naive(right[:-1], found[:-1]) + (right[-1] != found[-1]),
        edit_distance_naive(right[:-1], found) + 1,
        edit_distance_naive(right, found[:-1]) + 1,
    )


def error_rate(right, found):
    """Return the error rate of a set: the sum of all edits / the sum of the lengths of the right lists.

    right, found   as many lists of labels or words each. A text is a list of letters: split it into words for the word
                   error rate

    Raises DataError if one of the two has more lists, or if the right lists are all empty.
    """
    right, found = list(right), list(found)
    if len(right) != len(found):
        raise DataError(f"there are {len(right)} right lists and {len(found)} found ones; expected one for each.")
    length = sum(map(len, right))
    if not length:
        raise DataError(f"the {len(right)} right lists have no labels; an error rate is a share of them.")
    return sum(map(edit_distance, right, found)) / length


class _OfLists(Metric):
    """A metric of whole lists of labels: (N, L) padded with 0, and scores (N, T, C) of a model trained with CTC."""

    def update(self, y_true, y_pred, sample_weight=None):
        """Add a batch. sample_weight (N, T) is 0 for frames that do not count, (N,) for such examples."""
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
        if y_true.ndim != 2 or y_pred.ndim != 3 or len(y_true) != len(y_pred):
            raise DataError(
                f"metric '{self.name}' cannot compare labels {y_true.shape} with predictions {y_pred.shape}; expected "
                "lists of labels (N, labels), padded with 0, and scores (N, frames, classes)."
            )
        counts = np.ones(y_pred.shape[:2], bool)
        if sample_weight is not None:
            weight = np.asarray(sample_weight) != 0
            counts &= weight if weight.ndim == 2 else weight[:, None]
        lengths = counts.sum(axis=1)
        for labels, found, length in zip(y_true, greedy(y_pred, lengths), lengths):
            if length or not y_pred.shape[1]:
                self.add([int(label) for label in labels if label != BLANK], found)

    def add(self, right, found):
        """Add the lists of one example."""
        raise NotImplementedError


class LabelErrorRate(_OfLists):
    """The error rate of the most likely paths: the sum of all edits / the sum of the lengths of the labels."""

    name = "label_error_rate"
    larger_is_better = False

    @keras_arguments(after="name", dtype=DTYPE)
    def __init__(self, name=None):
        super().__init__(name=name)

    def add(self, right, found):
        """Add the edits and the length of one example."""
        self.total += edit_distance(right, found)
        self.count += len(right)


class SequenceAccuracy(_OfLists):
    """The share of examples whose labels are all right: the most likely path gives this list and nothing else."""

    name = "sequence_accuracy"
    larger_is_better = True

    @keras_arguments(after="name", dtype=DTYPE)
    def __init__(self, name=None):
        super().__init__(name=name)

    def add(self, right, found):
        """Add one example."""
        self.total += right == found
        self.count += 1
