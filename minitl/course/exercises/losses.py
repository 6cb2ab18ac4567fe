"""Exercises on the end of a network: softmax, and the gradient of cross-entropy at the scores.

Read next: `dense`.
"""

import numpy as np

from ...kernels import activations
from ...losses import SparseCategoricalCrossentropy
from .exercise import Case, Exercise


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_by_engine(x):
    return activations.softmax(x)


def softmax_cases(random):
    return [
        Case("scores of 4 examples for 3 classes", random.normal(size=(4, 3))),
        Case("one example, 5 classes", random.normal(size=(1, 5))),
        Case("scores that differ from example to example", random.normal(size=(3, 4)) + [[0.0], [5.0], [-8.0]]),
        Case("scores of about 1000, whose exp is infinite", 1000 + random.normal(size=(2, 3))),
        Case("scores far below 0 in one example", np.array([[-1000.0, -1001.0], [0.0, 1.0], [2.0, 2.0]])),
        Case("whole numbers", np.array([[3, 1, 2, 0, 1], [0, 0, 1, 4, 2]])),
    ]


def over_the_batch(x):
    """Divide by the sum of the whole batch: the probabilities of each example have to add up to 1 by themselves."""
    e = np.exp(x - x.max())
    return e / e.sum()


def over_the_examples(x):
    """Divide by the sums over the examples (axis 0): the sum goes over the classes of one example, along axis 1."""
    e = np.exp(x - x.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


def without_maximum(x):
    """Take exp of the scores as they are: exp(1000) is infinite, and infinity / infinity is NaN. Subtract the largest
    score of each row first, which changes no probability."""
    e = np.exp(x)
    return e / e.sum(axis=1, keepdims=True)


def maximum_of_the_batch(x):
    """Subtract the largest score of the whole batch: where all scores of an example are far below it, exp of all of
    them is 0, and 0/0 is NaN. Each row has a maximum of its own."""
    e = np.exp(x - x.max())
    return e / e.sum(axis=1, keepdims=True)


def not_divided(x):
    """Leave out the division by the sum: these numbers are no probabilities yet, because they do not add up to 1."""
    return np.exp(x - x.max(axis=1, keepdims=True))


def sigmoid_of_each(x):
    """Compute 1 / (1 + exp(-x)) for each score by itself, which is the sigmoid: in softmax the classes compete, and the
    probabilities of a row add up to 1."""
    return 1 / (1 + np.exp(-x))


def log_probabilities(x):
    """Return the logarithms of the probabilities: that is log_softmax, and its exp is softmax."""
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def scores_divided(x):
    """Divide the scores by their sum: without exp, negative scores give negative probabilities."""
    return x / x.sum(axis=1, keepdims=True)


def softmax_by_hand(name, index, x):
    n, k = index
    row = x[n].tolist()
    if max(map(abs, row)) > 50:
        shift = max(row)
        return f"exp({row[k]:.1f} - {shift:.1f}) / sum of exp(x[{n}, j] - {shift:.1f}) over j"
    return f"exp({row[k]:.3f}) / ({' + '.join(f'exp({each:.3f})' for each in row)})"


SOFTMAX = Exercise(
    "softmax",
    title="Softmax: scores become probabilities",
    text="""The last layer of a classifier gives each class a score, which may be any number. Softmax makes
    probabilities of the scores of one example: all are above 0, they add up to 1, and a higher score gives a higher
    probability. exp of a score such as 1000 is infinite in a computer. But if the same number is subtracted from all
    scores of a row, numerator and denominator shrink by the same factor, and no probability changes. So subtract the
    largest one first.""",
    given={"x": "(N, K)  the scores of N examples for K classes"},
    returns={"p": "(N, K)  the probabilities"},
    formula="p[n, k] = exp(x[n, k]) / sum over j of exp(x[n, j])",
    answer=softmax,
    by_engine=softmax_by_engine,
    lines=(activations.softmax,),
    cases=softmax_cases,
    wrong_answers=(
        over_the_batch, over_the_examples, without_maximum, maximum_of_the_batch, not_divided, sigmoid_of_each,
        log_probabilities, scores_divided,
    ),
    by_hand=softmax_by_hand,
    loops=False,
    hints=(
        "Compute exp of all scores first: np.exp works on a whole array. Then each row has to be divided by its sum.",
        "x.sum(axis=1, keepdims=True) has shape (N, 1): one sum for each example, and it can divide an array (N, K). "
        "x.max takes the same arguments.",
        "Two lines: e = np.exp(x - the largest score of each row), then e divided by the sums of its rows.",
    ),
    read_next="minitl/kernels/activations.py, where softmax_gradient follows.",
)  # fmt: skip


def crossentropy_gradient(z, labels):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    p[np.arange(len(z)), labels] -= 1
    return p / len(z)


def crossentropy_gradient_by_engine(z, labels):
    criterion = SparseCategoricalCrossentropy(from_logits=True)
    criterion.forward(labels, z)
    return criterion.backward()


def crossentropy_gradient_cases(random):
    return [
        Case("5 examples, 3 classes", random.normal(size=(5, 3)), np.array([2, 0, 1, 1, 2])),
        Case("one example, 4 classes", random.normal(size=(1, 4)), np.array([3])),
        Case("3 examples, all of class 0", random.normal(size=(3, 2)), np.array([0, 0, 0])),
        Case("scores of about 1000", 1000 + 3 * random.normal(size=(2, 4)), np.array([1, 3])),
    ]


def sum_over_the_batch(z, labels):
    """Leave out the division by N: the loss is the mean over the batch, so each example has a share of 1/N in it."""
    return crossentropy_gradient(z, labels) * len(z)


def mean_over_all_numbers(z, labels):
    """Divide by the count of all scores, N*K: the loss is a mean over the examples, and a sum over the classes."""
    return crossentropy_gradient(z, labels) / z.shape[1]


def uphill(z, labels):
    """Compute t - p: that is minus the gradient. It points downhill, and the optimizer turns the sign by itself."""
    return -crossentropy_gradient(z, labels)


def at_the_probabilities(z, labels):
    """Return dL/dp, the gradient at the probabilities, -1/p at the label: the scores are one layer before them, and the
    chain rule through softmax turns it into p - t."""
    p = softmax(z)
    g = np.zeros(z.shape)
    rows = np.arange(len(z))
    g[rows, labels] = -1 / p[rows, labels] / len(z)
    return g


def only_at_the_label(z, labels):
    """Change only the score of the label: a higher score of any other class lowers the label's probability as well, so
    every score has a gradient."""
    g = np.zeros(z.shape)
    rows = np.arange(len(z))
    g[rows, labels] = (softmax(z)[rows, labels] - 1) / len(z)
    return g


def number_of_the_label(z, labels):
    """Subtract the number of the label from the whole row: the label is a place in the row, where 1 is subtracted."""
    return (softmax(z) - labels[:, None]) / len(z)


def scores_for_probabilities(z, labels):
    """Subtract 1 from the score of the label: the gradient is p - t with probabilities p, so softmax comes first."""
    g = z.copy()
    g[np.arange(len(z)), labels] -= 1
    return g / len(z)


def probabilities_alone(z, labels):
    """Return the probabilities themselves: t, which is 1 at the label, still has to be subtracted."""
    return softmax(z) / len(z)


def crossentropy_gradient_by_hand(name, index, z, labels):
    n, k = index
    row = z[n] - z[n].max()
    p = float((np.exp(row) / np.exp(row).sum())[k])
    return f"(p[{n}, {k}] - {int(labels[n] == k)}) / {len(z)} = ({p:.4f} - {int(labels[n] == k)}) / {len(z)}"


CROSSENTROPY_GRADIENT = Exercise(
    "crossentropy_gradient",
    title="Cross-entropy's gradient at the scores",
    text="""The loss of an example is minus the logarithm of the probability that softmax gives to its label; the loss L
    of a batch is the mean over its examples. Training needs dL/dz, how L changes with each score z. The derivatives of
    the logarithm and of softmax together leave something very short: the probabilities p, minus 1 at the label.""",
    given={
        "z": "(N, K)  the scores of N examples for K classes",
        "labels": "(N,)  the number of the right class of each example, from 0 to K - 1",
    },
    returns={"dz": "(N, K)  dL/dz"},
    formula="""
p = softmax(z), row by row
L = -(1/N) * sum over n of log p[n, labels[n]]
dL/dz[n, k] = (p[n, k] - t[n, k]) / N
t[n, k] is 1 for k = labels[n], else 0
""",
    answer=crossentropy_gradient,
    by_engine=crossentropy_gradient_by_engine,
    lines=(SparseCategoricalCrossentropy.backward,),
    cases=crossentropy_gradient_cases,
    wrong_answers=(
        sum_over_the_batch, mean_over_all_numbers, uphill, at_the_probabilities, only_at_the_label, number_of_the_label,
        scores_for_probabilities, probabilities_alone,
    ),
    by_hand=crossentropy_gradient_by_hand,
    loops=False,
    hints=(
        "Compute the probabilities p first, as in the exercise softmax. Then 1 is subtracted at one place of each row.",
        "An array can be indexed by two arrays: p[np.arange(N), labels] are the numbers p[0, labels[0]], p[1, "
        "labels[1]], ... and they can be changed in this way, too.",
        "p[np.arange(len(z)), labels] -= 1, and then all of p divided by N = len(z), because L is a mean.",
    ),
    read_next="minitl/losses/crossentropy.py, whose head derives the formula.",
)  # fmt: skip
