"""The choice of the cut: the features of every cut are judged on the training images alone, and ranked.

A ridge head (`training.ridge`) judges the features. It is the same model as a new head, with another loss. Its closed
form gives the prediction for each image by a head that was made without this image. So the accuracy is unbiased without
held-back images. It is also known for each image whether the prediction is right, so two cuts are compared on the same
images. The scores of `scores` stand beside it. They choose nothing here, and `minitl advise --backtest` measures how
good their choice would be.

These rules were set before anything was measured on test images:

1. The cuts are ordered by left-out accuracy, the highest first. Cuts with the same accuracy are ordered by LogME.
2. A cut *cannot be told apart* from the first if the 95 % intervals of two differences contain zero: that of the
   accuracies, and that of the mean log probabilities of the right class, which are more sensitive with few images.
3. Of the first cut and those that cannot be told apart from it, the cheapest is advised if it saves a tenth of the
   time.
"""

from typing import NamedTuple

import numpy as np

from ...layers import Concatenate
from ...models import Model
from ...training import ridge_head
from ..evaluation import paired_interval, wilson_interval
from .scores import h_score, leep, logme

LEAST_SAVING = 0.1  # of the time: for less, no cut is chosen that may be worse
LARGEST_RIGHT = -1e-9  # a log probability of 0 would mean that mistakes are impossible


class CutScores(NamedTuple):
    """The scores of one cut.

    name       the last layer kept;   features   the number of features of an image there
    logme, h_score, leep     see `scores`; leep is None where the base has no old classes
    right      (N,) bool: whether the ridge head that was made from all other images predicts the image rightly
    log_right  (N,) the logarithm of the probability of the right class, by the same head
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
        """Return the left-out accuracy."""
        return float(self.right.mean())

    @property
    def interval(self):
        """Return the 95 % confidence interval of the accuracy on other images of this kind."""
        return wilson_interval(self.accuracy, len(self.right))


class Ranking(NamedTuple):
    """The cuts in order.

    order    all `CutScores`, the best first
    behind   (difference, low, high) for each: the accuracy of the first cut less that of this cut
    equals   names of the cuts that cannot be told apart from the first, the first included
    advised  the cut to choose
    """

    order: list
    behind: list
    equals: list
    advised: CutScores


def features_at(base, cuts, flat, with_output=False):
    """Return a model whose output is the features of all `cuts`, concatenated: one pass over the images is enough.

    flat          the layer from a map to features, as in the new head: `GlobalAveragePooling2D` or `Flatten`
    with_output   whether the base's own output comes last
    """
    parts = [flat(name=f"{cut}_flat")(base.output_of(cut)) for cut in cuts]
    parts += [base.output] * with_output
    output = Concatenate(name="all_cuts")(parts) if len(parts) > 1 else parts[0]
    return Model(base.input, output, name=f"{base.name}, every cut")


def split_by_cut(rows, base, cuts, flat):
    """Split the output of the model of `features_at`. Returns ({cut: features (N, D)}, the base's output or None)."""
    found, first = {}, 0
    for cut in cuts:
        _, *shape = flat().compute_output_shape(base.output_of(cut).shape)
        found[cut] = rows[:, first : first + shape[0]]
        first += shape[0]
    return found, rows[:, first:] if first < rows.shape[1] else None


def judge(name, features, labels, classes, probabilities=None):
    """Return the `CutScores` of features (N, D) with labels (N,).

    probabilities   (N, old classes) of the base's own head, at the cut where it has one
    """
    scores = logme(features, labels), h_score(features, labels)  # these check the arguments as well
    head = ridge_head(features, labels, classes)
    right = head.left_out.argmax(axis=1) == labels
    of_label = head.probabilities(head.left_out)[np.arange(len(labels)), labels]
    log_right = np.log(np.clip(of_label, 1e-12, np.exp(LARGEST_RIGHT)))
    old = None if probabilities is None else leep(probabilities, labels)
    return CutScores(name, features.shape[1], *scores, old, right, log_right)


def rank(cuts, seconds):
    """Return the `Ranking` of `CutScores`; `seconds` are the times of fine-tuning a head on each, in the same order."""
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
    """Return whether the 95 % interval of the mean contains zero.

    It is Student's interval with the 1.96 of the normal distribution, since N is above 30.
    """
    return abs(differences.mean()) <= z * differences.std() / np.sqrt(max(len(differences) - 1, 1))
