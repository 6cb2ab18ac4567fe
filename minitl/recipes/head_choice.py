"""Choose a head for photographs by cross-validation on the training photographs alone.

The features of the frozen base are there already, so a head is trained in a moment. Each candidate is trained five
times, each time without a fifth of the photographs, and measured on the fifth that it has not seen. So every training
photograph gets a prediction from a head that was not trained on it (an *out-of-fold* prediction), and the photographs
that are held back for the final figure have no part in the choice.

Who calls this: `two_stages`. Read next: `heads`, the layers that are chosen among.
"""

from typing import NamedTuple

import numpy as np

from ..progress import Progress
from ..terminal import table

FOLDS = 5
SMALLEST_PROBABILITY = 1e-7  # an out-of-fold 0 counts as this, as in Keras's cross-entropy


class Head(NamedTuple):
    """A way to build and train a head: one candidate.

    rows              "unit": each photograph's features are brought to length 1 first;   "plain": they stay as they are
    learning_rate     of the first stage;   label_smoothing   the share of a label that is spread over all classes
    """

    rows: str
    learning_rate: float
    label_smoothing: float


# The first is the default where nothing can be chosen. "plain" needs smoothing: without it, its probabilities are too
# sure on few photographs. Rates a factor of 3 apart: between neighbours the accuracy hardly differs.
CANDIDATES = (
    Head("unit", 0.003, 0.0),
    Head("unit", 0.001, 0.0),
    Head("unit", 0.01, 0.0),
    Head("plain", 0.001, 0.1),
)


class Trial(NamedTuple):
    """The out-of-fold predictions of one candidate: their accuracy, and the mean of -log of the label's probability."""

    head: Head
    accuracy: float
    log_loss: float
    probabilities: np.ndarray  # (N, classes)


class HeadChoice(NamedTuple):
    """The chosen `head`, and the `trials` (best first) that it was chosen by; none where there was nothing to choose.

    folds    parts of the cross-validation;   reason   why there was nothing to choose, or ""
    """

    head: Head
    trials: list
    folds: int
    reason: str = ""

    def __str__(self):
        if not self.trials:
            return f"The head: {described(self.head)} ({self.reason})."
        rows = [["features", "learning rate", "smoothing", "accuracy", "log loss", ""]]
        for trial in self.trials:
            rate, smoothing = f"{trial.head.learning_rate:g}", f"{trial.head.label_smoothing:g}"
            mark = "<- chosen" if trial.head == self.head else ""
            rows.append([ROWS[trial.head.rows], rate, smoothing, f"{trial.accuracy:.3f}", f"{trial.log_loss:.3f}", mark])
        return (
            f"Which head? {self.folds}-fold cross-validation on the training photographs:\n{table(rows)}\n"
            "The smallest log loss is chosen: it counts how sure each prediction was, not\n"
            "only whether it was right."
        )

    def as_data(self):
        """Return the choice as JSON can hold it."""
        return {
            **self.head._asdict(),
            "folds": self.folds if self.trials else 0,
            "reason": self.reason,
            "trials": [
                {**trial.head._asdict(), "accuracy": trial.accuracy, "log_loss": trial.log_loss}
                for trial in self.trials
            ],
        }


ROWS = {"unit": "rows of length 1", "plain": "rows as they are"}


def described(head):
    """Return a head in words."""
    return f"{ROWS[head.rows]}, learning rate {head.learning_rate:g}, label smoothing {head.label_smoothing:g}"


def candidates(rows=None, learning_rate=None, label_smoothing=None):
    """Return the `CANDIDATES` with what is given in place of what would be chosen, each once."""
    given = {"rows": rows, "learning_rate": learning_rate, "label_smoothing": label_smoothing}
    given = {name: value for name, value in given.items() if value is not None}
    fitting = [head for head in CANDIDATES if head.rows == (rows or head.rows)]
    return list(dict.fromkeys(head._replace(**given) for head in fitting))


def choose_head(heads, fit, features, labels, groups, classes, seed, verbose=1):
    """Return the `HeadChoice` among `heads`, a list of `Head`s.

    fit        fit(head, features, labels) -> a trained model, from features to probabilities
    features   (N, D);   labels   (N,) integers
    groups     (N,): photographs of one group (copies, mirror images) are left out together
    """
    folds = min(FOLDS, _fewest_groups(labels, groups))
    if len(heads) == 1:
        return HeadChoice(heads[0], [], 0, "as it was asked for")
    if folds < 2:
        return HeadChoice(heads[0], [], 0, "a class has too few photographs for a choice")
    fold = stratified_folds(labels, groups, folds, seed)
    out_of_fold = {head: np.empty((len(labels), classes), np.float32) for head in heads}
    with Progress("Choosing a head", len(heads) * folds, enabled=bool(verbose), lines=True) as bar:
        for left_out in (fold == k for k in range(folds)):
            for head in heads:
                model = fit(head, features[~left_out], labels[~left_out])
                out_of_fold[head][left_out] = model.predict(features[left_out], verbose=0)
                bar.advance(1)
    trials = [_measured(head, probabilities, labels) for head, probabilities in out_of_fold.items()]
    trials.sort(key=lambda trial: trial.log_loss)
    return HeadChoice(trials[0].head, trials, folds)


def stratified_folds(labels, groups, folds, seed):
    """Return for each example the number of its fold, 0 to folds - 1, as (N,).

    Each class is dealt out like cards, group by group in random order, so that all folds hold about the same share of
    it. The dealing goes on with the next fold at the next class: small classes do not all begin with fold 0.
    """
    rng, fold_of_group, next_fold = np.random.default_rng(seed), {}, 0
    for label in np.unique(labels):
        for group in rng.permutation(np.unique(groups[labels == label])).tolist():
            if group not in fold_of_group:  # the same photograph in two classes
                fold_of_group[group] = next_fold % folds
                next_fold += 1
    return np.array([fold_of_group[group] for group in groups.tolist()])


def _fewest_groups(labels, groups):
    """Return the number of groups of the smallest class that has any."""
    return min((len(np.unique(groups[labels == label])) for label in np.unique(labels)), default=0)


def _measured(head, probabilities, labels):
    """Return the `Trial` of a head's out-of-fold predictions."""
    right = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    log_loss = -np.log(np.maximum(right, SMALLEST_PROBABILITY)).mean()
    return Trial(head, float((probabilities.argmax(axis=1) == labels).mean()), float(log_loss), probabilities)
