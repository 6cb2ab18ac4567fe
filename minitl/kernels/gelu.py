"""GELU and SiLU: smooth relatives of ReLU. Hendrycks & Gimpel 2016.

    relu(x) = x * (1 if x > 0 else 0)        gelu(x) = x * P(x)        silu(x) = x / (1 + exp(-x))

P(x) is the probability that a standard normal number is below x: about 0 far below 0, about 1 far above, 1/2 at 0.

    exact       P(x) = (1 + erf(x / sqrt 2)) / 2
    by tanh     P(x) = (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2        Google's BERT and GPT-2; Keras: approximate
    silu        P(x) = (1 + tanh(x / 2)) / 2                                the same as 1 / (1 + exp(-x))

The first two differ by at most 4.7e-4, at x = -2.70. All three have the form P = (1 + tanh(x R(x^2))) / 2, where R is a
polynomial: of degree 1 by tanh, a constant for SiLU, and in float32 one of degree 6 that is exact to 7e-8 for erf (see
`error_function`). So one function computes all of them in float32. The exact one in float64 uses erf itself.

(1 + tanh z) / 2 is 1 / (1 + exp(-2 z)), and NumPy's exp takes half as long as its tanh: 1.4 for 2.7 ns a number, where
a multiplication takes 0.2 (AMD EPYC without AVX-512). GELU takes 0.83 of the time with it.

None of these functions can be undone: gelu(-0.1) is also gelu(-2.24). So, unlike in `activations`, the gradient cannot
be found from the output y. The slopes are computed together with y, while everything is in the cache (`with_slope`),
and a layer keeps them in the place of its input: the gradient is then grad * slope.

    y = x P(x)        slope = P + x P'
    exact             P' = exp(-x^2 / 2) / sqrt(2 pi), the density of normal numbers
    tanh form         P' = (1 - tanh^2) / 2 * (x R(x^2))' = 2 P (1 - P) * (R(u) + 2 u R'(u)), with u = x^2

Who calls this: the layers, by the table in `activations`. All threads share the numbers, in blocks that stay in the
cache.
"""

import math

import numpy as np

from .error_function import HALF_LOGIT, error_function
from .memory import Scratch, empty
from .parallel import SMALLEST_SHARED_BYTES, share, slices, threads
from .precision import as_float

BLOCK = 2**17  # numbers: 512 KB in float32, and three such arrays
GOOGLE = [math.sqrt(2 / math.pi), math.sqrt(2 / math.pi) * 0.044715]  # R of the form by tanh
HALF = [0.5]  # R of SiLU


def gelu(x, out=None):
    """Return x * P(x) with the exact P."""
    return _computed(x, HALF_LOGIT, out)[0]


def gelu_tanh(x, out=None):
    """Return x * P(x) with P by tanh."""
    return _computed(x, GOOGLE, out)[0]


def silu(x, out=None):
    """Return x / (1 + exp(-x))."""
    return _computed(x, HALF, out)[0]


def gelu_with_slope(x, out=None, slope=None):
    """Return gelu(x) and its derivative. Both can be written to given arrays; `out` may be x."""
    return _computed(x, HALF_LOGIT, out, True, slope)


def gelu_tanh_with_slope(x, out=None, slope=None):
    """Return gelu_tanh(x) and its derivative. Both can be written to given arrays; `out` may be x."""
    return _computed(x, GOOGLE, out, True, slope)


def silu_with_slope(x, out=None, slope=None):
    """Return silu(x) and its derivative. Both can be written to given arrays; `out` may be x."""
    return _computed(x, HALF, out, True, slope)


def _computed(x, coefficients, out, with_slope=False, slope=None):
    """Return y = x P(x) and, if it is wanted, its slope."""
    x = as_float(x)
    y = empty(x.shape, x.dtype) if out is None else out
    if with_slope and slope is None:
        slope = empty(x.shape, x.dtype)
    is_whole = all(each is None or each.flags.c_contiguous for each in (x, y, slope))
    numbers, results = (x.reshape(-1), y.reshape(-1)) if is_whole else (x, y)
    slopes = slope.reshape(-1) if with_slope and is_whole else slope
    scratch, size = Scratch(x.dtype), x.size // max(1, len(numbers)) if numbers.ndim else 1  # of one row

    def compute(parts):
        with np.errstate(over="ignore", under="ignore"):  # 1e30 squared, exp(+-100): P is 0 or 1 there, as it should
            for part in parts:
                block = numbers[part]
                p, u = scratch.array("p", *block.shape), scratch.array("u", *block.shape)
                _probability(block, coefficients, p, u)
                if with_slope:
                    _slope(block, coefficients, p, u, slopes[part])
                np.multiply(block, p, out=results[part])

    if not numbers.ndim:  # a single number
        compute([...])
        return y, slope
    multiple = threads() if x.nbytes >= SMALLEST_SHARED_BYTES else 1
    count = -(-len(numbers) * size // (BLOCK * multiple)) * multiple
    share(compute, slices(len(numbers), count))
    return y, slope


def _probability(x, coefficients, p, u):
    """Compute P(x) -> p, and x^2 -> u."""
    np.multiply(x, x, out=u)
    if x.dtype == np.float64 and coefficients is HALF_LOGIT:
        np.multiply(error_function(x * math.sqrt(0.5)), 0.5, out=p)
        p += 0.5
    else:
        _polynomial([-2 * each for each in coefficients], u, p)
        p *= x
        np.exp(p, out=p)
        p += 1
        np.divide(1, p, out=p)


def _slope(x, coefficients, p, u, slope):
    """Compute P + x P' -> slope. u is x^2 and may be overwritten."""
    if coefficients is HALF_LOGIT:
        np.multiply(u, -0.5, out=slope)
        np.exp(slope, out=slope)
        slope *= 1 / math.sqrt(2 * math.pi)
    else:
        _polynomial([2 * (2 * k + 1) * each for k, each in enumerate(coefficients)], u, slope)  # of 2 (R + 2 u R')
        slope *= p
        np.subtract(1, p, out=u)
        slope *= u
    slope *= x
    slope += p


def _polynomial(coefficients, u, out):
    """Compute the polynomial with these coefficients, the constant first -> out."""
    *others, last = map(float, coefficients)
    if not others:
        out[...] = last
        return
    np.multiply(u, last, out=out)
    out += others[-1]
    for coefficient in reversed(others[:-1]):
        out *= u
        out += coefficient


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops: y and slope of one number after the other.


def gelu_naive(x, approximate=False):
    """Compute y and slope of GELU."""
    y, slope = np.zeros_like(x), np.zeros_like(x)
    for place in np.ndindex(x.shape):
        number = float(x[place])
        if approximate:
            t = math.tanh(math.sqrt(2 / math.pi) * (number + 0.044715 * number**3))
            p, dp = (1 + t) / 2, (1 - t**2) / 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * number**2)
        else:
            p = (1 + math.erf(number / math.sqrt(2))) / 2
            dp = math.exp(-(number**2) / 2) / math.sqrt(2 * math.pi)
        y[place], slope[place] = number * p, p + number * dp
    return y, slope


def silu_naive(x):
    """Compute y and slope of SiLU."""
    y, slope = np.zeros_like(x), np.zeros_like(x)
    for place in np.ndindex(x.shape):
        number = float(x[place])
        p = 1 / (1 + math.exp(-number))
        y[place], slope[place] = number * p, p + number * p * (1 - p)
    return y, slope
