"""A head in closed form: ridge regression on features. It needs no learning rate, no epochs and no random numbers.

It is computed in a moment. It serves as the *baseline* that gradient descent has to beat, and as a point where gradient
descent may start.
"""

from typing import NamedTuple

import numpy as np

from ..errors import DataError, ShapeError
from ..layers import BatchNormalization, Dense

STRENGTHS = np.geomspace(1e-4, 1e4, 33)  # lambda / N; the features are normalized


class RidgeHead(NamedTuple):
    """A linear head on normalized features.

        scores = (features - mean) / deviation @ kernel + bias

    The scores are about 1 for the right class and about 0 for the others.

    strength   the lambda that was chosen
    accuracy   the leave-one-out accuracy: each example is judged by the head that was fitted to all the others
    scale      the factor that turns scores into the logits of a softmax
    left_out   (N, classes): the scores of each example, by the head that was fitted to all the others
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
        """Return probabilities (N, classes) for features (N, D)."""
        return self.probabilities(((features - self.mean) / self.deviation) @ self.kernel + self.bias)

    def probabilities(self, scores):
        return _softmax(self.scale * scores)

    def put_into(self, normalization, dense):
        """Set the weights of a BatchNormalization layer and of the Dense softmax layer behind it to those of this head.

        Together they then compute softmax(scale * scores), as `predict` does.
        """
        if not isinstance(normalization, BatchNormalization) or not isinstance(dense, Dense):
            raise ShapeError(
                "a ridge head goes into a BatchNormalization layer and a Dense layer behind it; found "
                f"{type(normalization).__name__} and {type(dense).__name__}."
            )
        gamma, beta = np.ones_like(self.mean), np.zeros_like(self.mean)
        variance = self.deviation**2 - normalization.epsilon
        normalization.set_weights([gamma, beta, self.mean, np.maximum(variance, 0)])
        dense.set_weights([self.kernel * self.scale, self.bias * self.scale])


def ridge_head(features, labels, classes=None):
    """Return the `RidgeHead` of features (N, D) and integer labels (N,): the best head in the sense of least squares.

    X (N, D) are the features, centred and normalized. Y (N, classes) are the one-hot labels, centred. The coefficients
    B (D, classes), the head's `kernel`, minimize

        |X B - Y|^2 + lambda |B|^2      so      B = (X^T X + lambda I)^-1 X^T Y

    With X = U S V^T (S holds the singular values s), the inverse becomes one number for each singular value:

        B = V diag(s / (s^2 + lambda)) U^T Y
        X B = H Y,    H = U diag(s^2 / (s^2 + lambda)) U^T

    So each further lambda costs only one product. V is not needed, because V^T = S^-1 U^T X:

        B = X^T U diag(1 / (s^2 + lambda)) U^T Y

    Lambda is chosen by leaving one example out at a time. No other fit is needed for that (Allen 1974). Let q be the
    prediction for example n by the head that was fitted to the others. Replace the label y_n by q. A fit to all N gives
    the same head, since example n adds no error to it. The prediction for n is linear in the labels; its own label has
    the weight h = h_nn + 1/N, where h_nn is the n-th diagonal element of H and 1/N the share of n in the means. So with
    the prediction p_n and the error e_n = y_n - p_n of the head that was fitted to all labels as they are,

        q = p_n - h (y_n - q)      so      y_n - q = e_n + h (y_n - q) = e_n / (1 - h)

    The lambda with the smallest sum of the squares of these errors is chosen. (The deviations that normalize X stay
    those of all examples.)
    """
    features = np.asarray(features)
    if features.ndim != 2 or len(features) != len(labels) or len(features) < 3:
        raise DataError(f"features {features.shape} and {len(labels)} labels; expected (N, D) and (N,), N at least 3.")
    if not np.isfinite(features).all():
        raise DataError("features hold NaN or infinity.")
    labels = np.asarray(labels)
    targets = np.eye(classes or int(labels.max()) + 1)[labels]  # (N, classes)
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
            best = error, strength, targets - left_out  # the scores of each example when it is left out
    _, strength, scores = best
    kernel = x.T @ (u @ ((1 / (s**2 + strength))[:, None] * projected))  # B (D, classes)
    scales = np.geomspace(0.5, 64, 43)
    right = np.arange(len(x)), labels
    losses = [-np.log(_softmax(scale * scores)[right] + 1e-12).mean() for scale in scales]
    accuracy = float((scores.argmax(axis=1) == labels).mean())
    arrays = (np.asarray(array, np.float32) for array in (mean, deviation, kernel, bias))
    return RidgeHead(*arrays, float(strength), accuracy, float(scales[np.argmin(losses)]), scores)


def spectrum(x):
    """Return (U, s) of X = U S V^T (N, D): U (N, r), and the r singular values that are not zero up to rounding.

    If D is larger than N, they are computed from X X^T, which is smaller than X: with 500 examples of 36,864 features
    this takes a twentieth of the time. Squaring loses precision, but the loss is far below any lambda.
    """
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
