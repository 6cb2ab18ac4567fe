"""Choose the view of photographs on those to learn from alone: the centre, the whole, or the padded photograph.

For each view, the features of the frozen base are computed, and a head in closed form is fitted to them (`ridge_head`).
It says at once what it would predict for each photograph without having seen it. So a choice costs one pass through the
base for each view, and next to nothing else. The photographs that are held back have no part in it.

Who calls this: `photograph_stages`. Read next: `view`, what is chosen among.
"""

from typing import NamedTuple

import numpy as np

from ..progress import Progress
from ..terminal import table
from ..training import ridge_head
from .head_choice import MOST_EXAMPLES, first_as_good_as_the_best, log_loss, stratified_folds


class ViewTrial(NamedTuple):
    """The predictions of a head in closed form for photographs of one view, each left out in turn.

    accuracy   the share that are right;   log_loss   the mean of -log of the label's probability
    probabilities   (N, classes);   labels   (N,)
    """

    view: str
    accuracy: float
    log_loss: float
    probabilities: np.ndarray
    labels: np.ndarray


class ViewChoice(NamedTuple):
    """The chosen `view`, and the `trials` that it was chosen by."""

    view: str
    trials: list

    def __str__(self):
        rows = [["view", "accuracy", "log loss", ""]]
        for trial in self.trials:
            mark = "<- chosen" if trial.view == self.view else ""
            rows.append([trial.view, f"{trial.accuracy:.3f}", f"{trial.log_loss:.3f}", mark])
        count = len(self.trials[0].labels)
        return (
            f"Which view? A head in closed form, and {count:,} training photographs, each of them\n"
            f"left out in turn:\n{table(rows)}\n"
            "The log loss decides. Views that differ by less than its error count as equal:\n"
            "then the first one is taken."
        )

    def as_data(self):
        """Return the choice as JSON can hold it."""
        trials = [{"view": each.view, "accuracy": each.accuracy, "log_loss": each.log_loss} for each in self.trials]
        return {"view": self.view, "examples": len(self.trials[0].labels), "trials": trials}


def view_trial(view, features, labels, settings):
    """Return the `ViewTrial` of a view.

    features   (N, D), as they reach the normalization of a head;   labels   (N,)

    More than `MOST_EXAMPLES` photographs are not needed: a stratified part of them is taken, the same for each view.
    """
    if len(labels) > MOST_EXAMPLES:
        parts = -(-len(labels) // MOST_EXAMPLES)
        some = stratified_folds(labels, np.arange(len(labels)), parts, settings.seed) == 0
        features, labels = features[some], labels[some]
    with Progress(f"A head on the {view} photographs"):
        head = ridge_head(features, labels)
    probabilities = head.probabilities(head.left_out)
    return ViewTrial(view, head.accuracy, log_loss(probabilities, labels), probabilities, labels)


def choose_view(trials):
    """Return the `ViewChoice`: the first trial whose log loss is within one standard error of the smallest."""
    return ViewChoice(first_as_good_as_the_best(trials, trials[0].labels).view, trials)
