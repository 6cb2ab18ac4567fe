"""NumPy's own matrix product: the upper limit for the speed of direct convolution."""

import numpy as np

SIDE = 3072


def sgemm(options):
    """Return a function that multiplies two large matrices."""
    rng = np.random.default_rng(0)
    a, b = rng.random((SIDE, SIDE), np.float32), rng.random((SIDE, SIDE), np.float32)
    product = np.empty_like(a)
    return lambda: np.matmul(a, b, out=product)


FLOPS = 2 * SIDE**3
