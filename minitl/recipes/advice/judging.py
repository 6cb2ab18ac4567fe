"""Where to cut: the features of every cut are judged on the training pictures alone, and put in order.

The judge is a ridge head (`training.ridge`): it is what a network with a new head is, but for the loss, and in closed
form it says for every picture what it would be taken for had it been left out. That is an honest accuracy without a
picture held back, and for each picture a right or wrong, so that two cuts are compared on the same pictures. The
scores of `scores` stand beside it. They choose nothing here, and only `minitl advise --backtest` says how they fare.

Rules that were set before anything was measured on test pictures:

1. The cut with the highest left-out accuracy comes first, then the next; equal ones go by LogME.
2. A cut *cannot be told apart* from the first if the 95 % intervals of two differences contain zero: of the accuracies,
   and of the mean log probabilities of the right class, which tell more with few pictures.
3. Of the first and those that cannot be told apart from it, the cheapest is advised, if it saves a tenth of the time.
"""

from typing import NamedTuple

import numpy as np

from ...layers import Concatenate
from ...models import Model
from ...training import ridge_head
from ..evaluation import paired_interval, wilson_interval
from .scores import h_score, leep, logme

LEAST_SAVING = 0.1  # of the time, for which a cut that may be worse is taken
LARGEST_RIGHT = -1e-9  # a log probability of zero would say that nothing is ever mistaken


class CutScores(NamedTuple):
    """What is known of one cut.

    name       the last layer kept;   features   how many numbers a picture comes to there
    logme, h_score, leep     see `scores`; leep is None where the base has no old classes
    right      (N,) bool: was the picture called right by the ridge head made from all others?
    log_right  (N,) what that head gave the right class, as the logarithm of its probability
    """

    name: str
    features: int
    logme: float
    h_score: float
    leep: float | None
    right: np.ndarray
    log_right: np.ndarray

    @property
    def accuracy(self):
        return float(self.right.mean())

    @property
    def interval(self):
        """Return where the accuracy on other pictures of this kind lies with 95 % confidence."""
        return wilson_interval(self.accuracy, len(self.right))


class Ranking(NamedTuple):
    """Cuts in order.

    order    all `CutScores`, best first
    behind   for each of them (difference, low, high): by how much its accuracy is below the first one's
    equals   names of those that cannot be told apart from the first, which is one of them
    advised  the one to take
    """

    order: list
    behind: list
    equals: list
    advised: CutScores


def features_at(base, cuts, flat, with_output=False):
    """Return a model that gives the features of all `cuts` at once, one behind the other, so that one pass over the
    pictures serves all of them. `flat` is the layer that makes a row of numbers of a map, as in the head that will be
    put on: `GlobalAveragePooling2D` or `Flatten`. With `with_output`, the base's own output comes last."""
    parts = [flat(name=f"{cut}_flat")(base.output_of(cut)) for cut in cuts]
    parts += [base.output] * with_output
    output = Concatenate(name="all_cuts")(parts) if len(parts) > 1 else parts[0]
    return Model(base.input, output, name=f"{base.name}, every cut")


def split_by_cut(rows, base, cuts, flat):
    """Return ({cut: its features (N, D)}, the rest or None) of what the model of `features_at` gave."""
    found, first = {}, 0
    for cut in cuts:
        _, *shape = flat().compute_output_shape(base.output_of(cut).shape)
        found[cut] = rows[:, first : first + shape[0]]
        first += shape[0]
    return found, rows[:, first:] if first < rows.shape[1] else None


def judge(name, features, labels, classes, probabilities=None):
    """Return the `CutScores` of features (N, D) with labels (N,). `probabilities` (N, old classes) are those of the
    base's own head, where it has one and this is where it stands."""
    scores = logme(features, labels), h_score(features, labels)  # these look at the arguments as well
    head = ridge_head(features, labels, classes)
    right = head.left_out.argmax(axis=1) == labels
    given = head.probabilities(head.left_out)[np.arange(len(labels)), labels]
    log_right = np.log(np.clip(given, 1e-12, np.exp(LARGEST_RIGHT)))
    old = None if probabilities is None else leep(probabilities, labels)
    return CutScores(name, features.shape[1], *scores, old, right, log_right)


def rank(cuts, seconds):
    """Return the `Ranking` of `CutScores`; `seconds` are what fine-tuning a head on each takes, in the same order."""
    order = sorted(cuts, key=lambda cut: (-cut.accuracy, -cut.logme))
    first, seconds = order[0], {cut.name: each for cut, each in zip(cuts, seconds)}
    behind = [paired_interval(first.right, cut.right) for cut in order]
    equals = [first.name]
    for cut, (_, low, high) in zip(order[1:], behind[1:]):
        if low <= 0 <= high and mean_contains_zero(first.log_right - cut.log_right):
            equals.append(cut.name)
    cheapest = min((cut for cut in order if cut.name in equals), key=lambda cut: seconds[cut.name])
    saves = seconds[cheapest.name] <= (1 - LEAST_SAVING) * seconds[first.name]
    return Ranking(order, behind, equals, cheapest if saves else first)


def mean_contains_zero(differences, z=1.96):
    """Does the 95 % interval of the mean of these contain zero? (Student's, with the normal's 1.96: N is above 30.)"""
    return abs(differences.mean()) <= z * differences.std() / np.sqrt(max(len(differences) - 1, 1))
