"""The circle loss: rows of one class should be close to each other, and far from the rows of all others.

The distance of a row x_i (N, D) from a reference r_j (M, D) is d[i,j] = max(1 - x_i . r_j, 0); rows of length 1 make it
1 minus the cosine. A positive is a reference of the same class, a negative one of another class. With the margin m:

    positives   a[i,j] = gamma (d^2 - m^2)            large for a positive that is far away
    negatives   b[i,j] = gamma ((1 - d)^2 - m^2)      large for a negative that is near; 0 if it is beyond 1 + m
    L_i = log(1 + sum_j exp(a[i,j]) sum_j exp(b[i,j]))

The paper has a = gamma (m + d)(d - m): the distance d - m that is left to go, with a weight that is larger the further
it is. So a pair that is nearly right counts little. (For the similarity s = 1 - d, the line a + b = 0 on which a
positive and a negative balance is a circle: hence the name.) A row without positives, or without negatives, costs 0.

The gradient. With P_i and N_i, the logarithms of the two sums, L_i = log(1 + exp(P_i + N_i)), so

    dL_i/dP_i = dL_i/dN_i = sigmoid(P_i + N_i) =: chance_i
    dL_i/da[i,j] = chance_i exp(a[i,j] - P_i)      a softmax over the positives; the same for b, over the negatives
    da/dd = 2 gamma d,    db/dd = -2 gamma (1 - d),    dd/d(x . r) = -1 where d > 0

Their product is G[i,j], the derivative by the similarity x_i . r_j. If the rows are their own references, x_i appears
in row i and in column i:  dL/dx = (G + G^T) x.

As in Keras, the weights are part of the formula; the paper's own program takes them for constants.

Who calls this: `losses.Circle`. Source: Sun, Cheng, Zhang, Zhang, Zheng, Wang & Wei 2020, "Circle loss: a unified
perspective of pair similarity optimization".
"""

import math

import numpy as np

from .activations import sigmoid


def circle(x, positive, negative, references=None, gamma=80.0, margin=0.4):
    """Return (the loss of each row (N,), what `circle_gradient` needs).

    x            rows (N, D), of length 1
    positive     booleans (N, M): which references are positives of a row
    negative     booleans (N, M): which are negatives
    references   (M, D); None: the rows themselves
    """
    references = x if references is None else references
    d = np.maximum(1 - x @ references.T, 0)  # (N, M)
    near = d <= 1 + margin
    a = np.where(positive, gamma * (d * d - margin**2), -np.inf)
    b = np.where(negative, np.where(near, gamma * ((1 - d) ** 2 - margin**2), 0), -np.inf)
    p, n = _log_of_sum(a), _log_of_sum(b)  # (N, 1)
    both = p + n
    losses = np.maximum(both, 0) + np.log1p(np.exp(-np.abs(both)))
    chance = np.where(np.isfinite(both), sigmoid(both), 0)
    return losses[:, 0], (x, d, near, _shares(a, p), _shares(b, n), chance, gamma)


def circle_gradient(grad, kept):
    """Return the gradient of rows that are their own references, (N, D). `grad` (N,) is that of the losses."""
    x, d, near, of_positives, of_negatives, chance, gamma = kept
    of_distance = 2 * gamma * (d * of_positives - np.where(near, 1 - d, 0) * of_negatives)
    of_similarity = -np.where(d > 0, of_distance, 0) * chance * grad[:, None]  # G
    return of_similarity @ x + of_similarity.T @ x


def circle_naive(x, positive, negative, gamma=80.0, margin=0.4):
    """Return the loss of each row by its definition, one pair after the other."""
    losses = []
    for i, row in enumerate(x):
        far = near = 0.0
        for j, other in enumerate(x):
            d = max(1 - float(row @ other), 0)
            if positive[i, j]:
                far += math.exp(gamma * (margin + d) * (d - margin))
            if negative[i, j]:
                near += math.exp(gamma * max(1 + margin - d, 0) * (1 - margin - d))
        losses.append(math.log1p(far * near))
    return losses


def _log_of_sum(a):
    """Return log sum_j exp(a[i,j]) of each row, (N, 1); -inf where all a are -inf."""
    largest = np.maximum(a.max(axis=1, keepdims=True, initial=-np.inf), np.finfo(a.dtype).min / 4)
    total = np.exp(a - largest).sum(axis=1, keepdims=True)
    return np.where(total > 0, np.log(np.where(total > 0, total, 1)) + largest, -np.inf).astype(a.dtype, copy=False)


def _shares(a, log_of_sum):
    """Return exp(a - log_of_sum), a softmax of each row (N, M); zeros where all a are -inf."""
    return np.exp(a - np.where(np.isfinite(log_of_sum), log_of_sum, 0))
