"""SwiGLU: one half of a hidden layer opens and closes the other. Shazeer 2020.

    y = silu(a) * b        silu(a) = a / (1 + exp(-a)), a smooth ReLU (`gelu`)

a and b are two linear maps of the same input. Where silu(a) is near 0, b does not get through.

Who calls this: `layers.SwiGLU`.
"""

import math

import numpy as np

from .gelu import silu, silu_with_slope


def swiglu(a, b):
    """Return silu(a) * b, number by number. a and b have one shape."""
    y = silu(a)
    y *= b
    return y


def swiglu_gradient(grad, a, b):
    """Return (dL/da, dL/db) from grad = dL/dy:

        dL/da = grad * b * silu'(a)        dL/db = grad * silu(a)

    silu and its slope are computed again here, which is faster than to keep and fetch them.
    """
    db, da = silu_with_slope(a)
    da *= b
    da *= grad
    db *= grad
    return da, db


# ---------------------------------------------------------------------------------------------------------------------
# The definitions as loops.


def swiglu_naive(a, b):
    """Compute one number after the other."""
    y = np.zeros_like(a)
    for place in np.ndindex(a.shape):
        y[place] = a[place] / (1 + math.exp(-a[place])) * b[place]
    return y


def swiglu_gradient_naive(grad, a, b):
    """Compute one number of each gradient after the other."""
    da, db = np.zeros_like(a), np.zeros_like(b)
    for place in np.ndindex(a.shape):
        s = 1 / (1 + math.exp(-a[place]))  # the sigmoid, whose slope is s (1 - s)
        da[place] = grad[place] * b[place] * (s + a[place] * s * (1 - s))
        db[place] = grad[place] * a[place] * s
    return da, db
