"""A head in closed form: ridge regression on features. No learning rate, no epochs, no random numbers.

It is what gradient descent has to beat (a *baseline*), it is there in a moment, and it may be what gradient descent
starts from.
"""

from typing import NamedTuple

import numpy as np

from ..errors import DataError, ShapeError
from ..layers import BatchNormalization, Dense

STRENGTHS = np.geomspace(1e-4, 1e4, 33)  # lambda / N; the features are normalized


class RidgeHead(NamedTuple):
    """scores = (x - mean) / deviation @ kernel + bias: about 1 for the right class and 0 for the others.

    strength   lambda, as chosen
    accuracy   leave-one-out: each example judged by the head that was made from all the others
    scale      what the scores are multiplied by to be the logits of a softmax
    left_out   (N, K): the scores of each example by the head that was made from all the others
    """

    mean: np.ndarray
    deviation: np.ndarray
    kernel: np.ndarray
    bias: np.ndarray
    strength: float
    accuracy: float
    scale: float
    left_out: np.ndarray

    def predict(self, features):
        """Probabilities (N, classes) for features (N, D)."""
        return self.probabilities(((features - self.mean) / self.deviation) @ self.kernel + self.bias)

    def probabilities(self, scores):
        return _softmax(self.scale * scores)

    def put_into(self, normalization, dense):
        """Let a BatchNormalization and a Dense softmax layer behind it begin as this head."""
        if not isinstance(normalization, BatchNormalization) or not isinstance(dense, Dense):
            raise ShapeError("expected a BatchNormalization layer and a Dense one behind it.")
        gamma, beta = np.ones_like(self.mean), np.zeros_like(self.mean)
        variance = self.deviation**2 - normalization.epsilon
        normalization.set_weights([gamma, beta, self.mean, np.maximum(variance, 0)])
        dense.set_weights([self.kernel * self.scale, self.bias * self.scale])


def ridge_head(features, labels, classes=None):
    """The head that is best in the sense of least squares. features (N, D), labels integers (N,).

    With centred and normalized features X (N, D) and centred one-hot labels Y (N, K) it minimizes

        |X W - Y|^2 + lambda |W|^2      so      W = (X^T X + lambda I)^-1 X^T Y

    With X = U S V^T (its singular values s in S) the inverse falls apart into one number for each of them:

        W = V diag(s / (s^2 + lambda)) U^T Y
        X W = H Y,    H = U diag(s^2 / (s^2 + lambda)) U^T

    so that every lambda can be tried at the price of a product; and as V^T = S^-1 U^T X, nobody needs V. What a
    example's score would be had it been left out follows from its own row without another fit (Allen 1974): the error
    e_n becomes e_n / (1 - h_nn - 1/N), where 1/N is the share that the example has in the mean. The lambda with the
    smallest sum of these squares is taken.
    """
    features = np.asarray(features)
    if features.ndim != 2 or len(features) != len(labels) or len(features) < 3:
        raise DataError(f"features {features.shape} and {len(labels)} labels; expected (N, D) and (N,), N at least 3.")
    if not np.isfinite(features).all():
        raise DataError("features hold NaN or infinity.")
    labels = np.asarray(labels)
    targets = np.eye(classes or int(labels.max()) + 1)[labels]  # (N, K)
    mean, deviation = features.mean(axis=0, dtype=np.float64), np.sqrt(features.var(axis=0, dtype=np.float64) + 1e-3)
    x, bias = (features - mean) / deviation, targets.mean(axis=0)
    u, s = spectrum(x)
    projected, best = u.T @ (targets - bias), None
    for strength in STRENGTHS * len(x):
        shrink = s**2 / (s**2 + strength)
        fitted = u @ (shrink[:, None] * projected)  # H Y
        leverage = (u * u) @ shrink + 1 / len(x)
        left_out = (targets - bias - fitted) / np.maximum(1 - leverage, 1e-9)[:, None]
        error = (left_out**2).sum()
        if best is None or error < best[0]:
            best = error, strength, targets - left_out  # the last: scores of each example when it was left out
    _, strength, scores = best
    kernel = x.T @ (u @ ((1 / (s**2 + strength))[:, None] * projected))
    scales = np.geomspace(0.5, 64, 43)
    right = np.arange(len(x)), labels
    losses = [-np.log(_softmax(scale * scores)[right] + 1e-12).mean() for scale in scales]
    accuracy = float((scores.argmax(axis=1) == labels).mean())
    arrays = (np.asarray(array, np.float32) for array in (mean, deviation, kernel, bias))
    return RidgeHead(*arrays, float(strength), accuracy, float(scales[np.argmin(losses)]), scores)


def spectrum(x):
    """(U, s) of X = U S V^T (N, D): U (N, r) and the r singular values that are not zero up to rounding. Where D is
    larger than N they come from X X^T, which is smaller: 500 examples with 36,864 features take a twentieth of the
    time, and what squaring loses is far below any lambda."""
    n, d = x.shape
    if d > n:
        squares, u = np.linalg.eigh(x @ x.T)
        s = np.sqrt(np.maximum(squares, 0))
        kept = squares > squares.max(initial=0) * n * np.finfo(x.dtype).eps
    else:
        u, s, _ = np.linalg.svd(x, full_matrices=False)
        kept = s > s.max(initial=0) * n * np.finfo(x.dtype).eps
    return u[:, kept], s[kept]


def _softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
