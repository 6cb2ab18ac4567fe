"""Scores of how well features suit a task. They come from the literature on transferability and need no training.

Each score takes the features (or the output) of a frozen network for N examples, and the labels of these examples. It
returns one number, which is larger for better features. A single number means little: compare the scores of several
layers on the same examples.

    logme      the evidence for a linear model on the features                  You et al. 2021, arXiv 2102.11005
    h_score    how far apart the classes are, in units of the features' spread  Bao et al. 2019, Ibrahim et al. 2021
    leep       what the network's old classes say about the new ones            Nguyen et al. 2020, arXiv 2002.12462

X (N, D) are the features in the formulas. With X = U S V^T, the first two scores need only the singular values s and
the left singular vectors U. A rotation of the features changes V alone, and therefore neither score.
`judging` calls these functions.
"""

import numpy as np

from ...errors import DataError
from ...training.ridge import spectrum

LEAST_ERROR = 1e-5  # the least sum of squared errors: a perfect fit would have infinite evidence (as in You et al.)
LEAST_WEIGHTS = 1e-12  # the least |m|^2: where the features explain nothing, alpha would be infinite
ITERATIONS = 200  # of LogME's fixed point; some ten are enough for most features


def logme(features, labels):
    """Return the logarithm of the evidence for a linear model, per example, as the mean over the classes.

    features (N, D), labels (N,) integers. Raises DataError where these do not fit, or name one class only.

    The model. For each class, y (N,) is 1 for the examples of the class and 0 for all others. The model says

        y = X w + e        with normal weights w (D,), of mean 0 and variance 1/alpha,
                           and normal noise e (N,), of mean 0 and variance 1/beta

    The evidence p(y) is the probability density of y when w and e are drawn at random. It averages over all possible w
    and chooses none, so more features are no advantage in themselves: it does not overfit, and needs no examples held
    back.

    The logarithm of the evidence. A sum of normal variables is normal. y has mean 0 and the covariance

        cov = E[y y^T] = X E[w w^T] X^T + E[e e^T] = X X^T/alpha + I/beta

    and so, as for every normal vector, log p(y) = -1/2 (N log 2 pi + log det cov + y^T cov^-1 y).
    Let X = U S V^T with r singular values s. Then X X^T = U S^2 U^T. Along the r vectors of U, cov has the eigenvalues
    s^2/alpha + 1/beta; in the other N - r directions it has 1/beta. The determinant is the product of all N:

        log det cov = sum log(s^2/alpha + 1/beta) - (N - r) log beta = sum log(1 + beta s^2/alpha) - N log beta

    z = U^T y is y along U. The rest of y, of squared length |y|^2 - |z|^2, lies in the other directions:

        y^T cov^-1 y = sum z^2 / (s^2/alpha + 1/beta) + beta (|y|^2 - |z|^2)

    Together, with sums over the r singular values:

        log p(y) = -1/2 (N log 2 pi - N log beta + sum log(1 + beta s^2/alpha)
                         + sum beta z^2 / (1 + beta s^2/alpha) + beta (|y|^2 - |z|^2))

    The two derivatives. alpha and beta are those that make log p(y) largest: its derivatives are 0 there.
    First write 1 + beta s^2/alpha as (alpha + beta s^2) / alpha. Then

        2 dlog p/dalpha = sum (1/alpha - 1/(alpha + beta s^2)) - sum beta^2 s^2 z^2 / (alpha + beta s^2)^2
                        = gamma/alpha - |m|^2                since 1/a - 1/(a + b) = b / (a (a + b))
        2 dlog p/dbeta  = N/beta - sum s^2/(alpha + beta s^2) - sum alpha^2 z^2 / (alpha + beta s^2)^2
                          - (|y|^2 - |z|^2)
                        = (N - gamma)/beta - |y - X m|^2     since sum s^2/(alpha + beta s^2) = gamma/beta

    with   gamma = sum beta s^2 / (alpha + beta s^2)       the number of weights that the data determine, from 0 to r
           V^T m = beta s z / (alpha + beta s^2)           m (D,) is the most probable w: it solves
                                                           (alpha I + beta X^T X) m = beta X^T y
           |y - X m|^2: along U, y - X m is z - s V^T m = alpha z / (alpha + beta s^2); in the other directions, X m is
           0, and the rest of y remains

    Both are 0 where (MacKay 1992)

        alpha = gamma / |m|^2
        beta  = (N - gamma) / |y - X m|^2

    The right sides depend on alpha and beta, so this is a fixed point: `_evidence` starts at alpha = beta = 1, computes
    both right sides, and repeats until alpha/beta no longer changes. Its docstring has an example with numbers.
    """
    features, labels = checked(features, labels)
    u, s = spectrum(features)
    squares = s**2 / max((s**2).mean(), np.finfo(float).tiny) if len(s) else s  # in units in which alpha is about beta
    scores = [_evidence(squares, u.T @ y, y @ y, len(y)) for y in _one_hot(labels).T]
    return float(np.mean(scores)) / len(labels)


def _evidence(squares, z, y_square, n):
    """Return the largest log p(y) over alpha and beta. squares = s^2 (r,), z = U^T y (r,), y_square = |y|^2.

    An example with N = 3 and D = 2, for the first of two classes:

            [ 4 -1]       [2 -1]                       [1]
        X = [ 4  2] = 1/3 [2  2] [6 0]             y = [1]       z = U^T y = (4/3, 1/3)
            [-2  2]       [-1 2] [0 3]                 [0]       |y|^2 - |z|^2 = 2 - 17/9 = 1/9
                           U       S   (V = I)

    `logme` divides s^2 by its mean, (36 + 9)/2, which only changes the unit of alpha: s^2 = (1.6, 0.4). An update is

        from alpha = 1, beta = 1              log p(y) = -3.8399
            beta s^2 / (alpha + beta s^2)     (1.6/2.6, 0.4/1.4) = (0.6154, 0.2857)
            gamma                             0.6154 + 0.2857 = 0.9011
            V^T m                             (0.6154 * 1.3333 / 1.2649, 0.2857 * 0.3333 / 0.6325) = (0.6487, 0.1506)
            |m|^2                             0.4208 + 0.0227 = 0.4435
            |y - X m|^2                       (0.3846 * 1.3333)^2 + (0.7143 * 0.3333)^2 + 1/9 = 0.4308
        to   alpha = 0.9011 / 0.4435 = 2.0320,   beta = (3 - 0.9011) / 0.4308 = 4.8723,   log p(y) = -2.8101

    The updates end at alpha = 1.5252, beta = 10.2636, gamma = 1.6441 and log p(y) = -2.6496.

    For the second class, y = (0, 0, 1) and z^2 = (1/9, 4/9), every update makes alpha larger: the features explain
    nothing. For an infinite alpha, w is 0 and y is noise alone; then beta = N/|y|^2 = 3, and
    log p(y) = -3/2 (log 2 pi - log 3 + 1) = -2.6089. LogME is the mean of both, per example:
    (-2.6496 - 2.6089) / 2 / 3 = -0.8764.
    """
    outside = max(y_square - z @ z, 0.0)  # the part of |y|^2 that no weights can explain
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
    """Return the trace of cov^-1 B: cov is the covariance of the features, B that of the means of their classes.

    Where the features of a class lie close together and the classes far apart, B is nearly all of cov. The score is at
    most the number of classes less one. It does not change when the features are multiplied by an invertible matrix
    (Bao et al.).

    With fewer examples than features, cov has no inverse. With a few more, its inverse is bad: noise in a small sample
    makes some directions look as if nothing varied there. So cov is mixed with a multiple of I that has the same trace,
    mixed = (1 - a) cov + a (trace cov / D) I, and the score is the trace of mixed^-1 (1 - a) B (Ibrahim et al.).

    features (N, D), labels (N,) integers
    shrinkage   a. None: that of Ledoit & Wolf 2004, which has the smallest expected squared error. It is the variance
                of the entries of cov over the examples, divided by the squared distance of cov from the multiple of I.
                0: Bao et al.'s own score, with the pseudo-inverse where cov has no inverse
    """
    features, labels = checked(features, labels)
    n, d = features.shape
    features -= features.mean(axis=0)
    u, s = spectrum(features)
    variances = s**2 / n  # cov's eigenvalues along V; the other D - r are 0
    if not variances.any():
        return 0.0
    mean_variance = variances.sum() / d
    if shrinkage is None:
        lengths = (features**2).sum(axis=1)  # |x|^2; of x x^T, the squared entries sum to |x|^4
        spread = (variances**2).sum()  # |cov|^2
        noise = ((lengths**2).mean() - spread) / n
        distance = spread - d * mean_variance**2  # |cov - mean_variance I|^2
        shrinkage = min(1.0, noise / distance) if distance > 0 else 1.0
    inverse = 1 / ((1 - shrinkage) * variances + shrinkage * mean_variance)
    counts = np.bincount(labels)
    # The mean of a class along V: the mean of its rows of U S. B is the sum of share * mean mean^T.
    means = (_one_hot(labels).T @ (u * s)) / counts[counts > 0, None]  # (classes, r)
    shares = counts[counts > 0] / n
    return float((1 - shrinkage) * (shares @ (means**2 @ inverse)))


def leep(probabilities, labels):
    """Return the mean log probability of the right class, predicted from the network's old classes alone.

    probabilities (N, old classes), as the network's own head gives them; labels (N,) integers

    Let z be an old class and y a new one. How often they occur together, P(y, z), is the sum of the probabilities of z
    over the examples of y, divided by N. P(y | z) follows from it. The predicted probability of y for an example is
    then the sum over z of P(y | z) P(z | example).
    """
    probabilities, labels = checked(probabilities, labels)
    y = _one_hot(labels)  # (N, classes)
    joint = y.T @ probabilities / len(y)  # (classes, old classes)
    total = joint.sum(axis=0)
    conditional = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
    right = (y * (probabilities @ conditional.T)).sum(axis=1)
    return float(np.log(np.maximum(right, np.finfo(float).tiny)).mean())


def checked(features, labels):
    """Return features as float64 (N, D), and labels (N,). Raises DataError where no score is defined."""
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
    """Return one-hot labels (N, classes), without a column for a class that has no example."""
    return (labels[:, None] == np.unique(labels)).astype(np.float64)
