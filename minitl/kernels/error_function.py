"""The error function erf(x) = 2/sqrt(pi) * integral of exp(-t^2) for t from 0 to x. NumPy has none.

erf is an odd function that goes from -1 to 1. A normal random number is below x with probability (1 + erf(x / sqrt 2))
/ 2: this is where `gelu` needs it. Float64 gets it to the last two digits, float32 by a fast path.

Float64. For |x| < 1, the power series of exp(-t^2) is integrated term by term, and 20 terms are enough:

    erf(x) = 2/sqrt(pi) * sum over k of  (-1)^k x^(2k+1) / (k! (2k+1))

For larger |x| its terms would cancel. There, 1 - erf(x) falls as exp(-x^2) does, and what is left of it, the function
exp(x^2) (1 - erf(x)), is so smooth that a Chebyshev series of 23 terms in 1/x gives it to 1e-16. From |x| = 6 on,
erf(x) is 1 in float64. The error is at most two units in the last place.

Float32. erf(x) = tanh(x S(x^2)) for some smooth function S, because both functions are odd and go from -1 to 1 in the
same manner. A polynomial of degree 6 is close enough to S, and NumPy's tanh is fast. The error of erf is at most
2.5e-7, and so is its relative error near 0.

The coefficients were computed with 40 digits by `tests/golden/make_error_function.py`.

Who calls this: `gelu`.
"""

import math

import numpy as np

from .precision import as_float

# Chebyshev coefficients of exp(x^2) (1 - erf(x)), x from 1 to LAST, in t = (1/x - MIDDLE) / HALF, from -1 to 1.
LAST = 6
MIDDLE, HALF = (1 / LAST + 1) / 2, (1 - 1 / LAST) / 2
SCALED = [
    0.27477468589795284, 0.16699329119310397, -0.014778434908201299, 0.0004607660043734876, 0.0001765796783540858,
    -5.026984064246909e-05, 7.4270133556075315e-06, -3.5188112192476504e-07, -1.715011288591872e-07,
    6.706623053010447e-08, -1.4316589264944168e-08, 1.7595567908537462e-09, 7.452123864183722e-11,
    -1.154378423893288e-10, 3.887349419745945e-11, -8.504873132252811e-12, 1.127231358621847e-12,
    4.3281674986669186e-14, -8.422061090702112e-14, 3.2003749312494414e-14, -8.147174450340453e-15,
    1.4280653655917687e-15, -8.800578973458785e-17,
]  # fmt: skip
SERIES = [2 / math.sqrt(math.pi) * (-1) ** k / (math.factorial(k) * (2 * k + 1)) for k in range(20)]

# Coefficients of R(u), the constant first: erf(x / sqrt 2) is close to tanh(x R(x^2)). `gelu` uses them as they are.
HALF_LOGIT = [
    7.97884493e-01, 3.63339113e-02, -3.29547650e-05, -5.52779397e-05, 3.97311288e-06, -1.33646845e-07, 1.80936274e-09
]  # fmt: skip
# With sqrt(2) x in the place of x: erf(x) is close to tanh(x S(x^2)), S(u) = sqrt(2) R(2 u).
TANH_FORM = [math.sqrt(2) * 2**k * coefficient for k, coefficient in enumerate(HALF_LOGIT)]


def error_function(x):
    """Return erf(x) for each number, in float64 or float32."""
    x = as_float(x)
    if x.dtype == np.float64:
        return _exact(x)
    x = np.clip(x, -LAST, LAST)  # erf is 1 from 4 on; and the square of a large number might overflow
    return np.tanh(x * polynomial(TANH_FORM, x * x))


def polynomial(coefficients, u):
    """Return the polynomial with these coefficients, the constant first, at each number of u (Horner's rule)."""
    *others, last = map(u.dtype.type, coefficients)
    y = np.full_like(u, last)
    for coefficient in reversed(others):
        y *= u
        y += coefficient
    return y


def _exact(x):
    """Return erf(x) in float64."""
    size = np.abs(x)
    y = np.array(size)
    is_small, is_large = size < 1, size >= 1  # NaN is neither, and stays
    y[is_small] *= polynomial(SERIES, size[is_small] ** 2)
    large = np.minimum(size[is_large], LAST)
    rest = np.polynomial.chebyshev.chebval((1 / large - MIDDLE) / HALF, SCALED)
    y[is_large] = 1 - np.exp(-(large**2)) * rest
    return np.copysign(y, x)


def error_function_naive(x):
    """Add up, for one number after the other, a series without cancellation until its terms no longer count:

    erf(x) = 2/sqrt(pi) * exp(-x^2) * sum over k of  2^k x^(2k+1) / (1 * 3 * 5 * ... * (2k+1))
    """
    y = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        size = min(abs(float(x[place])), LAST)
        term = total = size
        k = 0
        while term > 1e-18 * total:
            k += 1
            term *= 2 * size**2 / (2 * k + 1)
            total += term
        y[place] = math.copysign(2 / math.sqrt(math.pi) * math.exp(-(size**2)) * total, x[place])
    return y
