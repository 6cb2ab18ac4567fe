"""Print the coefficients of `minitl/kernels/error_function.py`. Needs mpmath, which PyTorch brings along.

SCALED holds the Chebyshev coefficients of exp(x^2) erfc(x) over t in (-1, 1), where 1/x = (1/6 + 1)/2 + t (1 - 1/6)/2.
They are computed with 40 digits, at more nodes than coefficients are kept.

HALF_LOGIT holds the coefficients of a polynomial R(u) such that tanh(x R(x^2)) is close to erf(x / sqrt 2). It is
fitted to atanh(erf(x / sqrt 2)) / x for x from 0 to 6. The error of y = (1 + tanh(x R(x^2))) / 2, multiplied by x where
x is above 1, is made equally large everywhere by weights that grow where it is large (Lawson's iteration).
"""

import mpmath as mp
import numpy as np

mp.mp.dps = 40
LAST = 6


def scaled_complement(count=23, nodes=60):
    """Return the first `count` Chebyshev coefficients of exp(x^2) erfc(x), x from 1 to 6."""
    angles = [mp.pi * (2 * k + 1) / (2 * nodes) for k in range(nodes)]
    middle, half = (mp.mpf(1) / LAST + 1) / 2, (1 - mp.mpf(1) / LAST) / 2
    values = [mp.exp(x * x) * mp.erfc(x) for x in (1 / (middle + half * mp.cos(angle)) for angle in angles)]
    found = []
    for k in range(count):
        total = sum(value * mp.cos(k * angle) for value, angle in zip(values, angles))
        found.append(float(total * (1 if k == 0 else 2) / nodes))
    return found


def half_logit(degree=6, points=1200, rounds=2000):
    """Return the coefficients of R(u), lowest first, and the largest error."""
    place = (np.cos(np.linspace(np.pi, 0, points)) + 1) / 2
    x = np.sqrt(place) * LAST
    above = np.array([float(mp.erfc(mp.mpf(each) / mp.sqrt(2)) / 2) for each in x])  # 1 - y
    exact = [mp.log((1 - mp.mpf(a)) / a) / (2 * mp.mpf(each)) for a, each in zip(above, x) if each > 0]
    exact = np.array([float(mp.sqrt(2 / mp.pi)), *map(float, exact)])
    to_error = np.maximum(2 * (1 - above) * above * x * np.maximum(x, 1), 1e-12)
    powers, weights, best = np.polynomial.chebyshev.chebvander(2 * place - 1, degree), np.ones(points), (1, None)
    for _ in range(rounds):
        w = to_error * np.sqrt(weights)
        found = np.linalg.lstsq(powers * w[:, None], exact * w, rcond=None)[0]
        error = np.abs((powers @ found - exact) * to_error)
        best = min(best, (error.max(), list(found)))
        weights *= error / error.max() + 1e-3
        weights /= weights.max()
    series = np.polynomial.chebyshev.Chebyshev(best[1], [0, LAST**2])
    return series.convert(kind=np.polynomial.Polynomial).coef, best[0]


if __name__ == "__main__":
    print("SCALED", scaled_complement())
    print("HALF_LOGIT", *half_logit())
