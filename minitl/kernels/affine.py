"""The work of a dense layer: y = activation(x @ kernel + bias).

Bias and activation are elementwise, and read and write all of y again. So each thread does them with the rows that it
has just computed, block by block, while the product of the other thread goes on.

Who calls this: `layers.Dense` and `layers.MultiHeadAttention`.
"""

import numpy as np

from .channels import Repeated
from .memory import empty
from .parallel import slices
from .products import matmul

BLOCK = 2**19  # numbers of y that bias and activation are computed for at a time: 2 MB in float32


def affine(x, kernel, bias=None, activate=None, with_slope=None):
    """Return y (M, R) of x (M, Q), kernel (Q, R), bias (R,), and the slopes of the activation, or None.

    activate     an activation function of `activations`, for rows of y; or None
    with_slope   in its place, one of `activations.WITH_SLOPE`
    """
    biases = None if bias is None else Repeated(bias)
    slope = empty((len(x), kernel.shape[1]), np.result_type(x, kernel)) if with_slope else None

    def finish(y, rows):
        size = (rows.stop - rows.start) * y.shape[1]
        for part in slices(rows.stop - rows.start, -(-size // BLOCK)):
            some = slice(rows.start + part.start, rows.start + part.stop)
            if biases is not None:
                biases.combine(np.add, y[some], y[some])
            if with_slope is not None:
                with_slope(y[some], out=y[some], slope=slope[some])
            elif activate is not None:
                activate(y[some], out=y[some])

    is_plain = bias is None and activate is None and with_slope is None
    return matmul(x, kernel, None if is_plain else finish), slope
