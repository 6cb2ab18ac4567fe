"""Decoding of CTC: the labels of a sequence of scores. Read `ctc` first; the blank and the merging are its own.

- `greedy` takes the most likely class of each frame. That is the most likely *path*, merged. It needs one pass.
- `beam_search` looks for the most likely *list of labels*, the one with the largest sum over its paths. The two can
  differ. With p = [blank 0.6, a 0.4] in two frames, the best path is "- -" with 0.36, which gives the empty list. Three
  other paths give "a": 0.24 + 0.24 + 0.16 = 0.64.

The search reads frame after frame and keeps the `width` most likely beginnings (Hannun et al. 2014, "First-Pass Large
Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs"). The paths of a beginning are added up in
two sums: those that end with a blank, and those that end with its last label. Only behind a blank does the same label
count as a second one.

Who calls this: `losses.ctc_decode` and the metrics of `metrics.edit_distance`.
"""

import math

import numpy as np

from .ctc import BLANK, merged

NEVER = (-math.inf, -math.inf)


def greedy(scores, lengths):
    """Return the labels of each example as lists: its most likely path, merged.

    scores (N, T, C)   probabilities, their logarithms or logits: any scores of which the largest is the likeliest
    lengths (N,)       how many frames each example has
    """
    return [merged(best[:length]) for best, length in zip(scores.argmax(axis=2), lengths)]


def beam_search(log_p, width):
    """Return [(labels, log probability), ...] of one example, the most likely first; at most `width` of them.

    log_p (T, C)   the logarithms of the frames' probabilities
    width          how many beginnings are kept at each frame. The probabilities are exact if none had to be dropped;
                   otherwise paths through dropped beginnings are missing in them
    """
    beams = {(): (0.0, -math.inf)}  # beginning -> (log of its paths that end with a blank, with its last label)
    for frame in np.asarray(log_p, np.float64).tolist():
        found = {}
        for labels, (blank, label) in beams.items():
            total = _log_sum(blank, label)
            _add(found, labels, total + frame[BLANK], -math.inf)
            if labels:
                _add(found, labels, -math.inf, label + frame[labels[-1]])  # the same label goes on
            for number, log_here in enumerate(frame):
                if number != BLANK:
                    before = blank if labels and number == labels[-1] else total
                    _add(found, (*labels, number), -math.inf, before + log_here)
        best = sorted(found.items(), key=lambda each: -_log_sum(*each[1]))  # equal ones stay in their order
        beams = dict(best[:width])
    return [(list(labels), _log_sum(*sums)) for labels, sums in beams.items()]


def _add(found, labels, blank, label):
    """Add paths to the two sums of a beginning. One that no path gives is left out."""
    if blank == label == -math.inf:
        return
    old = found.get(labels, NEVER)
    found[labels] = _log_sum(old[0], blank), _log_sum(old[1], label)


def _log_sum(a, b):
    """Return log(exp(a) + exp(b))."""
    low, high = min(a, b), max(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
