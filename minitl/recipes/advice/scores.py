"""How well do features suit a task? Three answers that need no training, from the literature on transferability.

Each takes what a frozen network says of N pictures and their labels, and gives one number, larger for better features.
A number by itself means little; compare those of several layers on the same pictures.

    logme      the evidence for a linear model on the features                  You et al. 2021, arXiv 2102.11005
    h_score    how far apart the classes are, in units of the features' spread  Bao et al. 2019, Ibrahim et al. 2021
    leep       what the network's old classes say about the new ones            Nguyen et al. 2020, arXiv 2002.12462

All that the first two need of the features F (N, D) are the singular values s and the left vectors U in F = U S V^T:
turning the features' axes changes V alone, and so neither score. Who calls this: `judging`.
"""

import numpy as np

from ...errors import DataError
from ...training.ridge import spectrum

LEAST_ERROR = 1e-5  # of a sum of squares: what is fitted perfectly would have infinite evidence (as in You et al.)
LEAST_WEIGHTS = 1e-12  # the same for weights that nothing speaks for: alpha would be infinite
ITERATIONS = 200  # of LogME's fixed point; some ten are enough for most features


def logme(features, labels):
    """Return the logarithm of the evidence for a linear model, for each picture, the mean over the classes.

    features (N, D), labels (N,) integers. Raises DataError where these do not fit, or name one class only.

    For a class, let y be 1 for its pictures and 0 for the others. The model is y = F w + noise, the weights w normal
    with variance 1/alpha, the noise with variance 1/beta. The evidence p(y | F) has all possible w integrated out, so
    that more features are no advantage in themselves: it does not overfit, and needs no pictures held back.
    As sums of normal numbers are normal, y is, with mean 0 and covariance I/beta + F F^T/alpha, and its logarithm is

        log p(y) = -1/2 (N log 2 pi + log det(I/beta + F F^T/alpha) + y^T (I/beta + F F^T/alpha)^-1 y)

    With F = U S V^T and z = U^T y the covariance is diagonal along U, with 1/beta + s^2/alpha in its r places and
    1/beta in the N - r others:

        log p(y) = -1/2 (N log 2 pi - N log beta + sum log(1 + beta s^2/alpha)
                         + sum beta z^2 / (1 + beta s^2/alpha) + beta (|y|^2 - |z|^2))

    alpha and beta are those that make it largest. Where its derivatives are zero (MacKay 1992),

        gamma = sum beta s^2 / (alpha + beta s^2)       how many of the weights are determined by the data
        alpha = gamma / |m|^2                           m, the likeliest w: V^T m = beta s z / (alpha + beta s^2)
        beta  = (N - gamma) / |y - F m|^2               (y - F m) along U: alpha z / (alpha + beta s^2)

    and these two lines are repeated, each from the other's result, until nothing changes.
    """
    features, labels = checked(features, labels)
    u, s = spectrum(features)
    squares = s**2 / max((s**2).mean(), np.finfo(float).tiny) if len(s) else s  # in units in which alpha is about beta
    scores = [_evidence(squares, u.T @ y, y @ y, len(y)) for y in _one_hot(labels).T]
    return float(np.mean(scores)) / len(labels)


def _evidence(squares, z, y_square, n):
    """Return the largest log p(y) over alpha and beta. squares = s^2 (r,), z = U^T y (r,), y_square = |y|^2."""
    outside = max(y_square - z @ z, 0.0)  # of y, what no weights can explain
    alpha = beta = 1.0
    for _ in range(ITERATIONS):
        before = alpha / beta
        shrunk = beta * squares / (alpha + beta * squares)
        gamma = shrunk.sum()
        weights = np.divide(shrunk * z, np.sqrt(squares), out=np.zeros_like(z), where=squares > 0)  # V^T m
        error = (((1 - shrunk) * z) ** 2).sum() + outside
        alpha = gamma / max(weights @ weights, LEAST_WEIGHTS) if gamma else 1.0
        beta = (n - gamma) / max(error, LEAST_ERROR)
        if abs(alpha / beta - before) <= 1e-6 * before:
            break
    ratio = beta * squares / alpha
    fit = beta * (z**2 / (1 + ratio)).sum() + beta * outside
    return -0.5 * (n * np.log(2 * np.pi) - n * np.log(beta) + np.log1p(ratio).sum() + fit)


def h_score(features, labels, shrinkage=None):
    """Return the trace of C^-1 B: C the covariance of the features, B that of the means of their classes.

    Where the features of a class lie close together and the classes far apart, B is nearly all of C. It is at most the
    number of classes less one, and the same whatever invertible matrix the features are multiplied by (Bao et al.).

    With fewer pictures than features C has no inverse, and with a few more only a bad one: it takes the noise in small
    samples for directions in which nothing varies. So C is mixed with a multiple of I that has the same trace,
    (1 - a) C + a (trace C / D) I, and the score becomes its inverse times (1 - a) B (Ibrahim et al.).

    features (N, D), labels (N,) integers
    shrinkage   a; None for that of Ledoit & Wolf 2004, the smallest expected squared error: the variance of the
                entries of C over the pictures, divided by how far C is from the multiple of I. 0 for Bao et al.'s own,
                with the pseudo-inverse where there is no other
    """
    features, labels = checked(features, labels)
    n, d = features.shape
    features -= features.mean(axis=0)
    u, s = spectrum(features)
    variances = s**2 / n  # C's eigenvalues along V; the other D - r are 0
    if not variances.any():
        return 0.0
    mean_variance = variances.sum() / d
    if shrinkage is None:
        lengths = (features**2).sum(axis=1)  # |x|^2; of x x^T, the squared entries sum to |x|^4
        spread = (variances**2).sum()  # |C|^2
        noise = ((lengths**2).mean() - spread) / n
        distance = spread - d * mean_variance**2  # |C - mean_variance I|^2
        shrinkage = min(1.0, noise / distance) if distance > 0 else 1.0
    inverse = 1 / ((1 - shrinkage) * variances + shrinkage * mean_variance)
    counts = np.bincount(labels)
    # The mean of a class along V: the mean of its rows of U S. B is the sum of share * mean mean^T.
    means = (_one_hot(labels).T @ (u * s)) / counts[counts > 0, None]  # (classes, r)
    shares = counts[counts > 0] / n
    return float((1 - shrinkage) * (shares @ (means**2 @ inverse)))


def leep(probabilities, labels):
    """Return the mean log probability of the right class, if it is guessed from the network's old classes alone.

    probabilities (N, old classes), as the network's own head gives them; labels (N,) integers

    Counting gives how the old class z and the new class y go together, P(y, z) = sum of the probabilities of z over
    the pictures of y, divided by N, and from it P(y | z). A picture's probability of y is then the sum over z of
    P(y | z) P(z | picture).
    """
    probabilities, labels = checked(probabilities, labels)
    y = _one_hot(labels)  # (N, classes)
    joint = y.T @ probabilities / len(y)  # (classes, old classes)
    total = joint.sum(axis=0)
    conditional = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
    right = (y * (probabilities @ conditional.T)).sum(axis=1)
    return float(np.log(np.maximum(right, np.finfo(float).tiny)).mean())


def checked(features, labels):
    """Return features as float64 (N, D), and labels (N,). Raises DataError for what has no score."""
    features, labels = np.asarray(features), np.asarray(labels)
    if features.ndim != 2 or 0 in features.shape or labels.shape != (len(features),) or labels.dtype.kind not in "iu":
        raise DataError(
            f"features {features.shape} and labels {labels.dtype} {labels.shape}; expected (N, D) and integers (N,)."
        )
    features = features.astype(np.float64)  # VGG16's reach 15,000, whose fourth powers leave float32
    if not np.isfinite(features).all():
        raise DataError("features hold NaN or infinity.")
    if labels.min() < 0 or len(np.unique(labels)) < 2:
        raise DataError(f"labels name {len(np.unique(labels))} class(es) from {labels.min()}; expected two or more.")
    return features, labels


def _one_hot(labels):
    """(N, classes), without a column for a class that has no picture."""
    return (labels[:, None] == np.unique(labels)).astype(np.float64)
