"""Choose a head for photographs by cross-validation on the training photographs alone.

The features of the frozen base are there already, so a head is trained in a moment, and all heads are trained at once
(`heads_together`). Each candidate is trained five times, each time without a fifth of the photographs, and measured on
the fifth that it has not seen. So every training photograph gets a prediction from a head that was not trained on it
(an *out-of-fold* prediction), and the photographs that are held back for the final figure have no part in the choice.

Who calls this: `two_stages`. Read next: `heads_together`, the trainings, and `heads`, the layers that are chosen among.
"""

from typing import NamedTuple

import numpy as np

from ..kernels.activations import softmax
from ..terminal import table

FOLDS = 5
NOUN = "training images"
MOST_EPOCHS = 60  # of a training in the cross-validation
AT_ONCE = 5  # times as fast as one training after the other (1,000 rows of 1,824 features; 245 of 1,280: 7 times)
MOST_EXAMPLES = 1000  # more are not needed to choose, and would take minutes: a stratified part of them is taken
FEWEST = 3  # examples that the ridge solution of a fold can be measured on
TEMPERATURES = np.geomspace(0.05, 20, 241)  # 2.5 % apart
SMALLEST_PROBABILITY = 1e-7  # an out-of-fold 0 counts as this, as in Keras's cross-entropy


class Head(NamedTuple):
    """A way to build and train a head: one candidate.

    rows              "unit": each photograph's features are brought to length 1 first; "plain": they stay as they are
    learning_rate     of the first stage;   label_smoothing   the share of a label that is spread over all classes
    """

    rows: str
    learning_rate: float
    label_smoothing: float


# In order of preference: a later one has to be clearly better. A rate three times as large gave the same accuracy and a
# larger log loss on ants and bees and on six kinds of rubbish.
CANDIDATES = (Head("unit", 0.003, 0.0), Head("unit", 0.001, 0.0), Head("plain", 0.001, 0.1))


class Trial(NamedTuple):
    """The out-of-fold predictions of one candidate.

    accuracy        the share that are right;   log_loss   the mean of -log of the label's probability
    temperature     by which the scores were divided (`fit_temperature`);   probabilities   (N, classes), after that
    """

    head: Head
    accuracy: float
    log_loss: float
    temperature: float
    probabilities: np.ndarray


class HeadChoice(NamedTuple):
    """The chosen `head`, and the `trials` (the chosen one first) of the cross-validation; none where there was none.

    folds    parts of the cross-validation;   labels   (examples,) of the photographs in it
    reason   why there was no cross-validation, or "";   noun   the word for the examples
    """

    head: Head
    trials: list
    folds: int = 0
    labels: np.ndarray = np.empty(0, int)
    reason: str = ""
    noun: str = NOUN

    def __repr__(self):
        why = self.reason or f"by {self.folds}-fold cross-validation among {len(self.trials)}"
        return f"<HeadChoice: {described(self.head)}, {why}>"

    @property
    def temperature(self):
        """Return the number by which the scores of the trained head are divided."""
        return self.trials[0].temperature if self.trials else 1.0

    def __str__(self):
        if not self.trials:
            return f"The head: {described(self.head)}\n({self.reason})."
        rows = [["features", "rate", "smoothing", "accuracy", "log loss", ""]]
        for trial in self.trials:
            rate, smoothing = f"{trial.head.learning_rate:g}", f"{trial.head.label_smoothing:g}"
            mark = "<- chosen" if trial.head == self.head else ""
            rows.append(
                [ROWS[trial.head.rows], rate, smoothing, f"{trial.accuracy:.3f}", f"{trial.log_loss:.3f}", mark]
            )
        return (
            f"Which head? {self.folds}-fold cross-validation on {len(self.labels):,} {self.noun}:\n"
            f"{table(rows)}\n"
            "The log loss (the cross-entropy of the labels) decides: it counts how sure each\n"
            "prediction was, not only whether it was right. Heads that differ by less than\n"
            "its error count as equal: then the first of minitl's list is taken."
        )

    def as_data(self):
        """Return the choice as JSON can hold it."""
        return {
            **self.head._asdict(),
            "temperature": self.temperature,
            "folds": self.folds,
            "examples": len(self.labels),
            "reason": self.reason,
            "trials": [
                {
                    **trial.head._asdict(),
                    "accuracy": trial.accuracy,
                    "log_loss": trial.log_loss,
                    "temperature": trial.temperature,
                }
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


def choose_head(heads, predict, features, labels, groups, seed, noun=NOUN):
    """Return the `HeadChoice` among `heads`, a list of `Head`s.

    predict    predict(heads, features, labels, fold) -> {head: probabilities (N, classes)}, those of each example from
               a head that was not trained on its fold (`heads_together.left_out`)
    features   (N, D);   labels   (N,) integers
    groups     (N,): photographs of one group (copies, mirror images) are left out together
    noun       the word for the examples in the printed choice
    """
    if len(heads) == 1:
        return HeadChoice(heads[0], [], reason="the only one that fits what was asked for")
    folds = min(FOLDS, _fewest_groups(labels, groups))
    if folds < 2:
        return HeadChoice(heads[0], [], reason=f"a class has too few {noun} for a choice")
    if len(labels) > MOST_EXAMPLES:
        parts = -(-len(labels) // MOST_EXAMPLES)
        some = stratified_folds(labels, groups, parts, seed) == 0
        features, labels, groups = features[some], labels[some], groups[some]
    fold = stratified_folds(labels, groups, folds, seed)
    if len(labels) - np.bincount(fold).max() < FEWEST:
        return HeadChoice(heads[0], [], reason=f"there are too few {noun} for a choice")
    out_of_fold = predict(heads, features, labels, fold)
    trials = [_measured(head, probabilities, labels) for head, probabilities in out_of_fold.items()]
    chosen = first_as_good_as_the_best(trials, labels)
    others = sorted((trial for trial in trials if trial is not chosen), key=lambda trial: trial.log_loss)
    return HeadChoice(chosen.head, [chosen, *others], folds, labels, noun=noun)


def cost_of_choice(epochs, examples):
    """Return the cost of a choice among all candidates, in epochs of a training on so many examples."""
    share = min(1, MOST_EXAMPLES / max(examples, 1)) * (1 - 1 / FOLDS)  # of the examples, in a training
    return len(CANDIDATES) * FOLDS * share * min(epochs, MOST_EPOCHS) / AT_ONCE


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
    temperature, probabilities = fit_temperature(probabilities, labels)
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    return Trial(head, accuracy, log_loss(probabilities, labels), temperature, probabilities)


def first_as_good_as_the_best(trials, labels):
    """Return the first trial whose log loss is within one standard error of the smallest.

    Between heads that are equally good, chance would decide, and another seed would choose another one. So a later
    candidate is taken only if it is better by more than the error of the difference. That error is small, since both
    heads predict the same photographs: it is the spread of the differences, divided by the square root of their number.
    """
    losses = [-np.log(_of_labels(trial.probabilities, labels)) for trial in trials]
    best = losses[int(np.argmin([each.mean() for each in losses]))]
    differences = [each - best for each in losses]
    within = [each.mean() <= each.std() / np.sqrt(len(labels)) for each in differences]
    return trials[within.index(True)]


def fit_temperature(probabilities, labels):
    """Return the temperature T that makes probabilities (N, classes) fit how often they are right, and the new ones.

    A network trained to a small loss is too sure of itself: its scores z are too large. softmax(z / T) corrects that
    with one number, which changes no prediction, since dividing keeps the order. T is the one with the smallest log
    loss. The scores need not be known: z = log p up to a number for each row, which the softmax removes. Guo et al.
    2017.

    If all N predictions are right, no T is small enough. So for this choice a share of 1/(N + 2) of each label is
    spread over the other classes, as if one example more were wrong (Platt 1999): 40 right predictions out of 40 may be
    sure to 0.976, not to 1.
    """
    scores = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST_PROBABILITY))
    divided = [softmax(scores / temperature) for temperature in TEMPERATURES]
    spread = 1 / (len(labels) + 2)
    targets = np.full(probabilities.shape, spread / (probabilities.shape[1] - 1))
    targets[np.arange(len(labels)), labels] = 1 - spread
    logs = [np.log(np.maximum(each, SMALLEST_PROBABILITY)) for each in divided]
    best = int(np.argmin([-(targets * each).sum() for each in logs]))
    return float(TEMPERATURES[best]), divided[best]


def log_loss(probabilities, labels):
    """Return the mean of -log of the probability of the label, for probabilities (N, classes) and labels (N,)."""
    return float(np.maximum(-np.log(_of_labels(probabilities, labels)), 0).mean())


def _of_labels(probabilities, labels):
    """Return the probability of each label (N,), at least `SMALLEST_PROBABILITY`."""
    return np.maximum(probabilities[np.arange(len(labels)), labels], SMALLEST_PROBABILITY)
