"""Matrix products by all cores, and sums that are faster as matrix products."""

import numpy as np

from .memory import empty
from .parallel import share, slices, threads

# To share a product out costs about 0.1 ms. In that time one core does this many multiplications and additions.
LEAST_SHARED_OPERATIONS = 2e7
SMALL_OPERATIONS = 1e6  # below this number of multiplications, OpenBLAS has other kernels
ROWS_OF_A_PART = 2**14  # rows that a thread adds up at a time
ROWS_OF_A_PARTIAL_SUM = 2**8  # rows that are added up in the array's own type


def matmul(a, b, finish=None):
    """Return a (P, Q) @ b (Q, R) -> y (P, R). Each thread computes some rows, or some columns if these are more.

    finish(y, rows)   is called when the product of some rows is there, and may change them: by the thread that has
                      computed them, or for all rows together if the threads have computed columns
    """
    (p, q), r = a.shape, b.shape[1]
    y = empty((p, r), np.result_type(a, b))
    count = threads() if 2.0 * p * q * r > LEAST_SHARED_OPERATIONS else 1

    def some_rows(parts):
        for rows in parts:
            np.matmul(a[rows], b, out=y[rows])
            if finish is not None:
                finish(y, rows)

    def some_columns(parts):
        for columns in parts:
            np.matmul(a, b[:, columns], out=y[:, columns])

    by_rows = p > r and not _is_long_and_small(a, b)
    if _is_long_and_small(a, b):
        share(lambda _: product(a, b, out=y), [...])
    else:
        share(some_rows if by_rows else some_columns, slices(max(p, r), count))
    if finish is not None and not by_rows:
        finish(y, slice(0, p))
    return y


def product(a, b, out):
    """Compute a (P, Q) @ b (Q, R) -> out (P, R) by one thread.

    BLAS adds up the Q terms of a number in parts, but not for matrices as small as SMALL_OPERATIONS: there it adds one
    term after the other. Of 50,176 equal terms the sum is then 6e-4 off. So long sums of small matrices are cut into
    parts here, whose results are added in float64 (see `column_sums`).
    """
    if not _is_long_and_small(a, b):
        return np.matmul(a, b, out=out)
    (p, q), r = a.shape, b.shape[1]
    parts, rest = divmod(q, ROWS_OF_A_PARTIAL_SUM)
    whole = q - rest
    left = a[:, :whole].reshape(p, parts, -1).transpose(1, 0, 2)  # (parts, P, rows)
    total = np.matmul(left, b[:whole].reshape(parts, -1, r)).sum(axis=0, dtype=np.float64)
    out[...] = total + np.matmul(a[:, whole:], b[whole:])
    return out


def _is_long_and_small(a, b):
    """Return whether BLAS would add up many numbers of a @ b one after the other: see `product`."""
    (p, q), r = a.shape, b.shape[1]
    return q >= 8 * ROWS_OF_A_PARTIAL_SUM and p * q * r <= SMALL_OPERATIONS


def column_sums(x):
    """Sum the rows of one matrix or of several: (..., P, C) -> (..., C), in float64.

    A float32 sum loses digits with every addition, in the same direction if the numbers are similar: `x.mean` of 1.5
    million times 255 is 3.7e-3 off. So at most ROWS_OF_A_PARTIAL_SUM rows are added up in float32, and their sums in
    float64. The error is at most 1e-6 of the sum of the absolute values, however many rows there are.

    The rows are added up as a product with a row of ones, because BLAS adds several numbers at a time. That is as fast
    as `x.sum` and up to nine times faster (`python -m benchmarks.kernels`).
    """
    *leading, p, c = x.shape
    parts, rest = divmod(p, ROWS_OF_A_PARTIAL_SUM)
    whole = p - rest
    sums = np.zeros((*leading, c))
    if parts:
        blocks = x[..., :whole, :].reshape(*leading, parts, ROWS_OF_A_PARTIAL_SUM, c)
        sums += np.matmul(np.ones(ROWS_OF_A_PARTIAL_SUM, x.dtype), blocks).sum(axis=-2, dtype=np.float64)
    if rest:
        sums += np.matmul(np.ones(rest, x.dtype), x[..., whole:, :])
    return sums


def channel_sums(x):
    """Sum each channel over examples and pixels: (..., C) -> (C,). Several threads share the pixels.

    On (8, 224, 224, 64) in float32 this function takes 8 ms (`x.sum` 8 to 20, depending on the processor). Its error is
    6e-9 of the sum instead of 28e-6 (`python -m benchmarks.kernels`).
    """
    flat = x.reshape(-1, x.shape[-1])  # (N*H*W, C)
    parts = list(enumerate(slices(len(flat), -(-len(flat) // ROWS_OF_A_PART))))
    sums = np.empty((len(parts), x.shape[-1]))

    def add(parts):
        for k, rows in parts:
            sums[k] = column_sums(flat[rows])

    share(add, parts)
    return sums.sum(axis=0).astype(x.dtype)


def sums(x, axis):
    """Return the sums along one or several axes, which stay with size 1, in the type of x."""
    return x.sum(axis=axis, keepdims=True, dtype=sum_dtype(x, axis)).astype(x.dtype, copy=False)


def sum_dtype(x, axis):
    """Return the type in which NumPy has to add up x along one or several axes: None for the type of x.

    NumPy adds numbers that lie side by side in pairs, and then pairs of sums: the error grows with the logarithm of
    their number. Numbers that lie apart it adds one after the other. Those are therefore added up in float64.
    """
    return None if x.ndim - 1 in {each % x.ndim for each in np.atleast_1d(axis)} else np.float64
