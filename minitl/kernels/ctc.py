"""Connectionist temporal classification (CTC): how well a sequence of scores fits labels whose places are not known.
Graves et al. 2006, "Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with Recurrent Neural
Networks".

A network that hears "two one" gives scores for each of T frames. The label is the list [2, 1]: nobody has written down
at which frame the "two" ends. So one more class is added, the *blank*, number 0, which stands for "no new label here".
A *path* gives a class to each frame. It is turned into a list of labels by merging equal neighbours first, and dropping
the blanks then (`merged`):

    2 2 - - 1    ->  2 1          a a a    ->  a          b b - b a a  ->  b b a

Only a blank keeps two equal labels apart. So a list of L labels needs L frames and one more for each label that equals
the one before it (`frames_needed`). With fewer frames, no path gives the list.

The probability of a path is the product of its frames' probabilities, p[t, class]. The probability P of a list is the
sum over all paths that give it, and the loss is -log P. With two classes of probability 1/2, three frames have 8 paths
of 1/8. Six of them give "a": P = 6/8 and the loss is 0.2877. One gives "aa" (a - a): the loss is log 8 = 2.0794.

There are classes^T paths, too many to try. But a path walks through few *states*: the labels with blanks between them
and around them, S = 2 L + 1. From frame to frame it stays, takes one step, or takes two: two only from a label to the
next label, over the blank, and only if the two labels differ. So sums over paths can be built frame by frame:

    - a - b -           alpha[t, s] = p[t, state s] (alpha[t-1, s] + alpha[t-1, s-1] + alpha[t-1, s-2] if allowed)
    states s = 0 to 4   P = alpha[T-1, last blank] + alpha[T-1, last label]

alpha[t, s] is the probability of all beginnings that are in state s at frame t. All of this is computed with logarithms
and in float64: a thousand frames multiply to numbers below 1e-1000. log 0 is -inf, which `logaddexp` takes as it is.

`ctc` has the loss, `ctc_gradient` its gradient. The twins at the end are loops: one over frames and states, one over
all paths. Who calls this: `losses.CTC`. To find the labels of new scores, read `ctc_decoding`.
"""

import itertools
import math

import numpy as np

BLANK = 0  # Keras's number, too. The padding behind shorter lists is 0 as well: no list contains a blank


def label_lengths(labels):
    """Return how many labels each list has (N,). labels (N, L), padded with 0 at the end."""
    return np.count_nonzero(labels != BLANK, axis=1)


def frames_needed(labels):
    """Return the fewest frames that a path for each list has (N,): its labels, and a blank between equal neighbours."""
    is_repeat = (labels[:, 1:] == labels[:, :-1]) & (labels[:, 1:] != BLANK)
    return label_lengths(labels) + np.count_nonzero(is_repeat, axis=1)


def merged(path):
    """Return the list of labels of a path: equal neighbours are merged first, and blanks dropped then."""
    return [int(label) for label, _ in itertools.groupby(path) if label != BLANK]


def ctc(log_p, labels, lengths):
    """Return (-log P of each example (N,), log alpha (T, N, S)), both float64.

    log_p     the logarithms of the frames' probabilities (N, T, C); class 0 is the blank
    labels    whole numbers (N, L), padded with 0 at the end
    lengths   how many frames each example has (N,); those behind them do not count

    The loss is inf where no path is possible.
    """
    states, can_skip = _states(labels)
    emitted = _emitted(log_p, states)  # (T, N, S)
    alpha = np.full(emitted.shape, -np.inf)
    alpha[:1, :, :2] = emitted[:1, :, :2]  # a path begins with the first blank or with the first label
    for t in range(1, len(alpha)):
        before, reached = alpha[t - 1], alpha[t - 1].copy()  # (N, S): it stays
        reached[:, 1:] = np.logaddexp(reached[:, 1:], before[:, :-1])  # one step
        reached[:, 2:] = np.where(can_skip, np.logaddexp(reached[:, 2:], before[:, :-2]), reached[:, 2:])  # two
        alpha[t] = reached + emitted[t]
    return -_log_probability(alpha, labels, lengths), alpha


def ctc_gradient(log_p, labels, lengths, losses, alpha):
    """Return the gradient of each example's loss with respect to its scores (N, T, C), in the type of log_p.

    The arguments are those of `ctc` and what it returned; log_p is the log-softmax of the scores z.

    Let P[t, k] be the sum of the paths that have class k at frame t. Each of them has the factor p[t, k] once, so
    dP / dlog p[t, k] = P[t, k], and for the loss -log P

        dL / dlog p[t, k] = -P[t, k] / P = -occupancy[t, k]

    The occupancy is the share of the label's paths that are at class k in frame t: over k it adds up to 1. With
    log p[t, j] = z[t, j] - log sum_k exp z[t, k], whose derivative by z[t, k] is 1[j = k] - p[t, k],

        dL/dz[t, k] = -sum_j occupancy[t, j] (1[j = k] - p[t, k]) = p[t, k] - occupancy[t, k]

    It is the gradient of a cross-entropy whose labels are the occupancies. To find them, let beta[t, s] be the
    probability of all endings behind frame t from state s on. It is built like alpha, from the last frame backward.
    Then alpha[t, s] beta[t, s] is the sum of the paths that are in state s at frame t.

    Frames behind an example's length have the gradient 0, and so has an example without a possible path.
    """
    states, can_skip = _states(labels)
    emitted = _emitted(log_p, states)  # (T, N, S)
    ends = _ends(labels)  # (N, S): log 1 where a path may end, log 0 elsewhere
    beta = np.full(emitted.shape, -np.inf)
    for t in reversed(range(len(beta))):
        if t + 1 < len(beta):
            after = beta[t + 1] + emitted[t + 1]  # (N, S)
            beta[t] = after
            beta[t, :, :-1] = np.logaddexp(beta[t, :, :-1], after[:, 1:])
            beta[t, :, :-2] = np.where(can_skip, np.logaddexp(beta[t, :, :-2], after[:, 2:]), beta[t, :, :-2])
        beta[t] = np.where((lengths == t + 1)[:, None], ends, beta[t])
    is_possible = np.isfinite(losses)
    log_share = alpha + beta + np.where(is_possible, losses, 0)[:, None]  # log(alpha beta / P)
    of_states = np.exp(log_share).transpose(1, 0, 2)  # (N, T, S)
    is_class = states[:, :, None] == np.arange(log_p.shape[2])  # (N, S, C)
    occupancy = of_states @ is_class.astype(np.float64)  # (N, T, C): the states of a class together
    counts = (np.arange(log_p.shape[1]) < lengths[:, None]) & is_possible[:, None]  # (N, T)
    return np.where(counts[..., None], np.exp(log_p) - occupancy, 0).astype(log_p.dtype)


def _states(labels):
    """Return the class of each state (N, S), and whether states 2, 3, ... can be reached from two before (N, S-2)."""
    states = np.full((len(labels), 2 * labels.shape[1] + 1), BLANK)
    states[:, 1::2] = labels
    return states, (states[:, 2:] != BLANK) & (states[:, 2:] != states[:, :-2])


def _emitted(log_p, states):
    """Return log p of each state at each frame, float64 (T, N, S)."""
    found = np.take_along_axis(log_p, states[:, None, :], axis=2)  # (N, T, S)
    return np.ascontiguousarray(found.transpose(1, 0, 2), np.float64)


def _ends(labels):
    """Return log 1 at the states where a path may end, the last label and the blank behind it, and log 0 elsewhere."""
    last = 2 * label_lengths(labels)[:, None]  # (N, 1)
    state = np.arange(2 * labels.shape[1] + 1)
    return np.where((state == last) | (state == last - 1), 0.0, -np.inf)


def _log_probability(alpha, labels, lengths):
    """Return log P of each example (N,): alpha at its last frame, over the states where a path may end. Without a
    frame, the empty list alone is possible."""
    if not len(alpha):
        return np.where(label_lengths(labels) == 0, 0.0, -np.inf)
    last = alpha[np.maximum(lengths - 1, 0), np.arange(len(labels))]  # (N, S)
    found = np.logaddexp.reduce(last + _ends(labels), axis=1)
    return np.where(lengths > 0, found, np.where(label_lengths(labels) == 0, 0.0, -np.inf))


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops, for one example: p (T, C), a list of labels without padding.


def ctc_naive(p, labels):
    """Return (P, occupancy (T, C)): the recursions with plain probabilities, one state after the other."""
    frames, states = len(p), [BLANK]
    for label in labels:
        states += [label, BLANK]
    skips = [s >= 2 and states[s] != BLANK and states[s] != states[s - 2] for s in range(len(states))]
    alpha, beta = np.zeros((frames, len(states))), np.zeros((frames, len(states)))
    for t in range(frames):
        for s, state in enumerate(states):
            if t == 0:
                reached = 1.0 if s < 2 else 0.0
            else:
                reached = alpha[t - 1, s]
                reached += alpha[t - 1, s - 1] if s >= 1 else 0.0
                reached += alpha[t - 1, s - 2] if skips[s] else 0.0
            alpha[t, s] = reached * p[t][state]
    for t in reversed(range(frames)):
        for s in range(len(states)):
            if t == frames - 1:
                beta[t, s] = 1.0 if s >= len(states) - 2 else 0.0
                continue
            for step in (0, 1, 2):
                after = s + step
                if after < len(states) and (step < 2 or skips[after]):
                    beta[t, s] += beta[t + 1, after] * p[t + 1][states[after]]
    probability = sum(alpha[-1, s] * beta[-1, s] for s in range(len(states)))
    occupancy = np.zeros(np.shape(p))
    for t in range(frames):
        for s, state in enumerate(states):
            occupancy[t, state] += alpha[t, s] * beta[t, s] / probability
    return float(probability), occupancy


def labellings_naive(p):
    """Return {labels as a tuple: probability} of all lists that a path can give, from all classes^T paths."""
    found = {}
    for path in itertools.product(range(len(p[0])), repeat=len(p)):
        labels = tuple(merged(path))
        found[labels] = found.get(labels, 0.0) + math.prod(p[t][each] for t, each in enumerate(path))
    return found
